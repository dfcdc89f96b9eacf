"""Drafts: what a reader has begun to fill in or to draw and not decided yet, so that nothing of it is ever lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.review.sql.reading_tables import DraftTable

ASSESSMENT = ("answers", "value", "note", "reason", "keep", "time")
"""What of a draft belongs to the assessment and goes with it; all else (unfinished shapes) stays."""


def of(session: Session, case_id: int, reader: str) -> dict[str, Any]:
    """A reader's draft of a case; empty: there is none."""
    row = _row(session, case_id, reader)
    return dict(row.content) if row is not None else {}


def save(session: Session, case_id: int, reader: str, content: Mapping[str, Any]) -> None:
    """Let a draft take the place of the one before; an empty one removes it."""
    row = _row(session, case_id, reader)
    if not content:
        if row is not None:
            session.delete(row)
        return
    if row is None:
        row = DraftTable(case_id=case_id, reader=reader)
        session.add(row)
    row.content, row.changed = dict(content), datetime.now(UTC)


def clear(session: Session, case_id: int, reader: str) -> None:
    """Remove what became an assessment."""
    save(session, case_id, reader, {k: v for k, v in of(session, case_id, reader).items() if k not in ASSESSMENT})


def _row(session: Session, case_id: int, reader: str) -> DraftTable | None:
    return session.scalar(select(DraftTable).where(DraftTable.case_id == case_id, DraftTable.reader == reader))
