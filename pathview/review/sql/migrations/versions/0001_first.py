"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pathview.review.sql.migrations.append_only import make_append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables, and the triggers that keep the audit trail append-only."""
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("patient_key", sa.String(80)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("label", sa.String(20)),
        sa.Column("score", sa.Float),
        sa.Column("position", sa.Float),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("doubt", sa.Float, nullable=False),
        sa.Column("flags", sa.Integer, nullable=False),
        sa.Column("decision", sa.String(20)),
        sa.Column("created", sa.DateTime, nullable=False),
    )
    op.create_index("ix_cases_patient_key", "cases", ["patient_key"])
    op.create_index("ix_cases_uncertain", "cases", ["rank", "doubt", "id"])
    op.create_index("ix_cases_score", "cases", ["position", "id"])
    op.create_index("ix_cases_title", "cases", ["title", "id"])
    op.create_table(
        "images",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("info", sa.JSON, nullable=False),
        sa.Column("mpp_um", sa.Float),
        sa.UniqueConstraint("path", "fingerprint"),
    )
    op.create_index("ix_images_case_id", "images", ["case_id"])
    op.create_table(
        "results",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("image_id", sa.Integer, sa.ForeignKey("images.id"), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("recipe", sa.String(80), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("task", sa.String(20)),
        sa.Column("score", sa.Float),
        sa.Column("score_name", sa.String(200)),
        sa.Column("lower", sa.Float),
        sa.Column("upper", sa.Float),
        sa.Column("label", sa.String(20)),
        sa.Column("threshold", sa.Float),
        sa.Column("flags", sa.JSON, nullable=False),
        sa.Column("mask", sa.JSON, nullable=False),
        sa.Column("provenance", sa.JSON, nullable=False),
        sa.Column("seconds", sa.Float),
        sa.Column("created", sa.DateTime, nullable=False),
    )
    op.create_index("ix_results_image_id", "results", ["image_id"])
    op.create_table(
        "maps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("result_id", sa.Integer, sa.ForeignKey("results.id"), nullable=False),
        sa.Column("layer", sa.String(80), nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("columns", sa.Integer, nullable=False),
        sa.Column("place", sa.JSON, nullable=False),
        sa.Column("smooth", sa.Boolean, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_maps_result_id", "maps", ["result_id"])
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("cases.id"), nullable=False),
        sa.Column("value", sa.String(20)),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("reader", sa.String(80), nullable=False),
        sa.Column("context", sa.JSON, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
    )
    op.create_index("ix_decisions_case_id", "decisions", ["case_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("case_id", sa.Integer),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("app_version", sa.String(20), nullable=False),
    )
    op.create_index("ix_audit_case_id", "audit", ["case_id"])
    make_append_only("audit")
