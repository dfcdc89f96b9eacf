"""What readers draw on images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table for rulers, angles and regions."""
    op.create_table(
        "marks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uuid", sa.String(36), nullable=False, unique=True),
        sa.Column("image_id", sa.Integer, sa.ForeignKey("images.id"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("points", sa.JSON, nullable=False),
        sa.Column("frame", sa.Integer, nullable=False),
        sa.Column("reader", sa.String(80), nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("changed", sa.DateTime, nullable=False),
        sa.Column("removed", sa.DateTime),
    )
    op.create_index("ix_marks_image_id", "marks", ["image_id"])
