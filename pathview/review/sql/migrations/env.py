"""Alembic's entry: runs the numbered migrations on a connection that the store hands over."""

from __future__ import annotations

from alembic import context

from pathview.review.sql import (
    reading_tables,  # noqa: F401 (their tables are the schema)
    tables,  # noqa: F401 (their tables are the schema)
)
from pathview.review.sql.base import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
