"""What models in silent mode say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pathview.review.sql.migrations.append_only import make_append_only

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table of its own, so that nothing that reads results can come upon these."""
    op.create_table(
        "silent_results",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("image_id", sa.Integer, sa.ForeignKey("images.id"), nullable=False),
        sa.Column("beside", sa.Integer, sa.ForeignKey("results.id")),
        sa.Column("model", sa.String(80), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("weights_sha256", sa.String(64), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("score", sa.Float),
        sa.Column("lower", sa.Float),
        sa.Column("upper", sa.Float),
        sa.Column("label", sa.String(20)),
        sa.Column("seconds", sa.Float),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("seal", sa.String(32), nullable=False, server_default=""),
    )
    op.create_index("ix_silent_results_image_id", "silent_results", ["image_id"])
    op.create_index("ix_silent_results_model", "silent_results", ["model"])
    make_append_only("silent_results")
