"""What readers answer about tiles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pathview.review.sql.migrations.append_only import make_append_only

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table that the database itself keeps from being changed."""
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("image_id", sa.Integer, sa.ForeignKey("images.id"), nullable=False),
        sa.Column("result_id", sa.Integer, sa.ForeignKey("results.id"), nullable=False),
        sa.Column("x", sa.Integer, nullable=False),
        sa.Column("y", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("value", sa.String(20)),
        sa.Column("reader", sa.String(80), nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("weights_sha256", sa.String(64), nullable=False),
        sa.Column("place_count", sa.Integer, nullable=False),
    )
    op.create_index("ix_answers_image_id", "answers", ["image_id"])
    make_append_only("answers")
