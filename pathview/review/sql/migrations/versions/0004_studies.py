"""When a study was made, for the order of priors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column of cases; images that were added before do not tell it until they are added again."""
    op.add_column("cases", sa.Column("study_date", sa.String(10)))
