"""The audit trail: one row for each thing done, written in the transaction that does it.

The first migration gives the table triggers that refuse to change or delete a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from pathview import __version__
from pathview.review.tables import AuditTable


def record(session: Session, actor: str, action: str, case_id: int | None, detail: Mapping[str, Any]) -> None:
    """Add a row to the open transaction."""
    session.add(
        AuditTable(
            created=datetime.now(UTC),
            actor=actor,
            action=action,
            case_id=case_id,
            detail=dict(detail),
            app_version=__version__,
        )
    )
