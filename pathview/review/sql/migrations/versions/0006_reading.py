"""Readers, worklists with a mode, assessments in stages, drafts, truths and saved views."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from pathview.review.sql.migrations.append_only import make_append_only

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LISTS = (
    ("Mammograms", "second_read", "mammography", "mammogram"),
    ("Tissue", "assisted", "histology", "histology"),
    ("Other images", "assisted", "simple", ""),
    ("Samples", "assisted", "simple", "sample"),
)
_ORDERS = {
    "uncertain": ["rank", "doubt"],
    "score": ["position"],
    "title": ["title"],
    "date": ["study_date"],
    "shuffle": ["shuffle"],
    "newest": [],
}
_RANKS = {"not_sure": 0, "not_analysed": 1, None: 2, "positive": 3, "negative": 4}


def upgrade() -> None:
    """Cases that are there go to the list of their kind; what was decided was decided with the model shown."""
    _tables()
    _lists()
    with op.batch_alter_table("cases") as cases:
        cases.add_column(sa.Column("worklist_id", sa.Integer))
        cases.add_column(sa.Column("assigned_to", sa.String(80)))
        cases.add_column(sa.Column("shuffle", sa.Integer, nullable=False, server_default="0"))
        cases.add_column(sa.Column("seen", sa.Text, nullable=False, server_default=""))
        cases.add_column(sa.Column("words", sa.Text, nullable=False, server_default=""))
        cases.create_foreign_key("fk_cases_worklist", "worklists", ["worklist_id"], ["id"])
    _fill_cases()
    with op.batch_alter_table("cases") as cases:
        cases.alter_column("worklist_id", existing_type=sa.Integer, nullable=False)
    _order_indexes()
    op.add_column("decisions", sa.Column("stage", sa.String(20), nullable=False, server_default="final"))
    op.add_column("decisions", sa.Column("mode", sa.String(20), nullable=False, server_default="assisted"))
    op.add_column("decisions", sa.Column("form", sa.String(40), nullable=False, server_default="simple"))
    op.add_column("decisions", sa.Column("answers", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("decisions", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column("decisions", sa.Column("seconds", sa.Float))
    once = sa.text("stage = 'first'")
    op.create_index(
        "ux_decisions_first",
        "decisions",
        ["case_id", "reader"],
        unique=True,
        sqlite_where=once,
        postgresql_where=once,
    )
    _fill_readings()
    _fill_readers()
    _fill_seen()
    make_append_only("decisions")
    make_append_only("truths")


def _tables() -> None:
    op.create_table(
        "readers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("created", sa.DateTime, nullable=False),
    )
    op.create_table(
        "worklists",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("form", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), unique=True),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("closed", sa.DateTime),
    )
    op.create_table(
        "readings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("reader", sa.String(80), nullable=False),
        sa.Column("opened", sa.DateTime, nullable=False),
        sa.Column("locked", sa.DateTime),
        sa.Column("revealed", sa.DateTime),
        sa.Column("decided", sa.DateTime),
        sa.Column("first", sa.String(20)),
        sa.Column("final", sa.String(20)),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.UniqueConstraint("case_id", "reader"),
    )
    op.create_index("ix_readings_reader", "readings", ["reader", "decided", "case_id"])
    op.create_table(
        "drafts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("reader", sa.String(80), nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("changed", sa.DateTime, nullable=False),
        sa.UniqueConstraint("case_id", "reader"),
    )
    op.create_table(
        "truths",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("value", sa.String(20)),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("reader", sa.String(80), nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
    )
    op.create_index("ix_truths_case_id", "truths", ["case_id"])
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reader", sa.String(80), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("query", sa.JSON, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.UniqueConstraint("reader", "name"),
    )


def _lists() -> None:
    lists = sa.table("worklists", *map(sa.column, ("name", "mode", "form", "kind", "created")))
    now = datetime.now(UTC).replace(tzinfo=None)
    names = ("name", "mode", "form", "kind")
    op.bulk_insert(lists, [{**dict(zip(names, row, strict=True)), "created": now} for row in _LISTS])


def _order_indexes() -> None:
    """Those of before, and for further orders; in SQLite with all that lists are filtered by."""
    for name in ("uncertain", "score", "title"):
        op.drop_index(f"ix_cases_{name}", "cases")
    sqlite = op.get_bind().dialect.name == "sqlite"
    listed = ["worklist_id", "state", "label", "kind", "assigned_to", "seen", "words"] if sqlite else []
    for name, columns in _ORDERS.items():
        if columns or sqlite:
            op.create_index(f"ix_cases_{name}", "cases", [*columns, "id", *listed])


def _fill_cases() -> None:
    connection = op.get_bind()
    lists = {kind: number for number, kind in connection.execute(sa.text("SELECT id, kind FROM worklists"))}
    found = connection.execute(sa.text("SELECT id, kind, label, title, patient_key, study_date FROM cases")).all()
    filling = sa.text(
        "UPDATE cases SET worklist_id = :list, shuffle = :shuffle, rank = :rank, words = :words WHERE id = :id"
    )
    for case in found:
        values = {
            "list": lists.get(case.kind, lists[""]),
            "shuffle": random.getrandbits(31),
            "rank": _RANKS[case.label],
            "words": "\n".join((case.title, case.patient_key or "", case.study_date or "")).casefold(),
        }
        connection.execute(filling, {**values, "id": case.id})


def _fill_readings() -> None:
    """Of each reader's newest decision on a case, who had seen the model's result beside it."""
    op.execute(
        "INSERT INTO readings (case_id, reader, opened, revealed, decided, final, seconds) "
        "SELECT case_id, reader, created, created, CASE WHEN value IS NULL THEN NULL ELSE created END, value, 0 "
        "FROM decisions WHERE id IN (SELECT MAX(id) FROM decisions GROUP BY case_id, reader)"
    )


def _fill_seen() -> None:
    """What the readings come to in the row of the case, as :mod:`pathview.review.reading.listed` writes it."""
    connection = op.get_bind()
    seen: dict[int, str] = {}
    disputed = []
    found = connection.execute(sa.text("SELECT case_id, reader, final FROM readings ORDER BY case_id, reader"))
    for case_id, group in groupby(found, key=lambda row: row.case_id):
        readings = list(group)
        seen[case_id] = "|" + "".join(f"{row.reader.encode().hex()}.{3 if row.final else 1}|" for row in readings)
        if len({row.final for row in readings if row.final}) > 1:
            disputed.append(case_id)
    for case_id, tokens in seen.items():
        connection.execute(sa.text("UPDATE cases SET seen = :seen WHERE id = :id"), {"id": case_id, "seen": tokens})
    for case_id in disputed:
        connection.execute(sa.text("UPDATE cases SET state = 'arbitration' WHERE id = :id"), {"id": case_id})


def _fill_readers() -> None:
    """Whoever decided, drew or answered is known."""
    connection = op.get_bind()
    tables = [sa.table(name) for name in ("decisions", "marks", "answers")]
    found: sa.CompoundSelect[Any] = sa.union(*(sa.select(sa.column("reader")).select_from(table) for table in tables))
    names = sorted(name for (name,) in connection.execute(found) if name)
    now = datetime.now(UTC).replace(tzinfo=None)
    readers = sa.table("readers", sa.column("name"), sa.column("created"))
    op.bulk_insert(readers, [{"name": name, "created": now} for name in names])
