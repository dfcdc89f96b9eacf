"""What each model of a cascade said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column beside the other JSON of a result; none of the results before was a cascade's."""
    op.add_column("results", sa.Column("stages", sa.JSON, nullable=False, server_default="[]"))
