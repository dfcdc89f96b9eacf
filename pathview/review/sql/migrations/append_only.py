"""Triggers by which the database itself refuses to change or delete rows, for both databases."""

from __future__ import annotations

from alembic import op


def make_append_only(table: str) -> None:
    """Let no row of a table be changed or deleted."""
    if op.get_bind().dialect.name == "postgresql":
        _on_postgresql(table)
        return
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def lift_append_only(table: str) -> None:
    """Let rows be changed, for a migration alone."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    for event in ("update", "delete"):
        op.execute(f"DROP TRIGGER {table}_no_{event}" + (f" ON {table}" if postgresql else ""))


def _on_postgresql(table: str) -> None:
    op.execute(
        f"CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger AS $$ "
        f"BEGIN RAISE EXCEPTION '{table} is append-only'; END $$ LANGUAGE plpgsql"
    )
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()"
        )
