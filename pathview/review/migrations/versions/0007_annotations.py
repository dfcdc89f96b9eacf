"""Marks become annotations: regions with holes, labels with colours, and properties."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns of marks, and the labels that a mark may have."""
    op.add_column("marks", sa.Column("label", sa.String(80), nullable=False, server_default=""))
    op.add_column("marks", sa.Column("properties", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("marks", sa.Column("rings", sa.JSON, nullable=False, server_default="[]"))
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("color", sa.String(7), nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
    )
