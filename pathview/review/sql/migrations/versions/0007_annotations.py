"""Marks become annotations: regions with holes, labels with colours, and properties."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


LABELS = (
    ("lesion", "#f28e2b"),
    ("mass", "#e15759"),
    ("calcification", "#edc948"),
    ("distortion", "#b07aa1"),
    ("asymmetry", "#ff9da7"),
    ("lymph node", "#76b7b2"),
    ("tumour", "#d62728"),
    ("in situ", "#e377c2"),
    ("stroma", "#59a14f"),
    ("immune cells", "#4e79a7"),
    ("necrosis", "#9c755f"),
    ("benign", "#8cd17d"),
    ("artefact", "#bab0ac"),
)
"""What readers of mammograms and of tissue start with; they rename and add as they like."""


def upgrade() -> None:
    """Columns of marks, and the labels that a mark may have."""
    op.add_column("marks", sa.Column("label", sa.String(80), nullable=False, server_default=""))
    op.add_column("marks", sa.Column("properties", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("marks", sa.Column("rings", sa.JSON, nullable=False, server_default="[]"))
    labels = op.create_table(
        "labels",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("color", sa.String(7), nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
    )
    now = datetime.now(UTC).replace(tzinfo=None)
    op.bulk_insert(labels, [{"name": name, "color": color, "created": now} for name, color in LABELS])
