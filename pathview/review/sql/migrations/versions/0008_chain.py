"""Seals on all rows, and the audit trail becomes a chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pathview.review.sql.audit import BEGINNING, hash_of
from pathview.review.sql.migrations.append_only import lift_append_only, make_append_only
from pathview.review.sql.seals import SEAL, seal_of

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("answers", "decisions", "truths")
_ROWS = 1000


def upgrade() -> None:
    """Columns of every table, filled for the rows that are there."""
    names = set(sa.inspect(op.get_bind()).get_table_names()) - {"alembic_version", "audit"}
    for name in sorted(names):
        op.add_column(name, sa.Column(SEAL, sa.String(32), nullable=False, server_default=""))
        if name in _APPEND_ONLY:
            lift_append_only(name)
        _seal(name)
        if name in _APPEND_ONLY:
            make_append_only(name)
    for name in ("previous", "hash"):
        op.add_column("audit", sa.Column(name, sa.String(64), nullable=False, server_default=""))
    lift_append_only("audit")
    _chain()
    make_append_only("audit")


def _seal(name: str) -> None:
    connection = op.get_bind()
    table = sa.Table(name, sa.MetaData(), autoload_with=connection, resolve_fks=False)
    sealing = sa.update(table).where(table.c.id == sa.bindparam("row")).values({SEAL: sa.bindparam("new")})
    last = 0
    while True:
        newer = sa.select(table).where(table.c.id > last).order_by(table.c.id).limit(_ROWS)
        rows = connection.execute(newer).mappings().all()
        if not rows:
            return
        connection.execute(sealing, [{"row": row["id"], "new": seal_of(table, dict(row))} for row in rows])
        last = rows[-1]["id"]


def _chain() -> None:
    connection = op.get_bind()
    table = sa.Table("audit", sa.MetaData(), autoload_with=connection)
    chaining = sa.update(table).where(table.c.id == sa.bindparam("row"))
    chaining = chaining.values(previous=sa.bindparam("before"), hash=sa.bindparam("own"))
    before, last = BEGINNING, 0
    while True:
        newer = sa.select(table).where(table.c.id > last).order_by(table.c.id).limit(_ROWS)
        rows = connection.execute(newer).mappings().all()
        if not rows:
            return
        links = []
        for row in rows:
            own = hash_of({**dict(row), "previous": before})
            links.append({"row": row["id"], "before": before, "own": own})
            before = own
        connection.execute(chaining, links)
        last = rows[-1]["id"]
