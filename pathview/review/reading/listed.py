"""What lists are searched and filtered by, kept in the row of each case as its readings and its header change.

A list of 100,000 cases is cut by one walk over one index: a join with the readings took ten times as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, event, or_, select
from sqlalchemy.orm import Session

from pathview.review.sql.base import SealedSession
from pathview.review.sql.reading_tables import EVERYBODY, ReadingTable
from pathview.review.sql.tables import CaseTable

OPENED, LOCKED, DECIDED = 1, 2, 3
"""How far a reading is."""


def words_of(title: str, patient_key: str | None, study_date: str | None) -> str:
    """What a search looks in: without capitals, a line each, so that nothing is found across two of them."""
    return "\n".join((title, patient_key or "", study_date or "")).casefold()


def seen_by(readings: Iterable[tuple[str, int]]) -> str:
    """How far which reader is, as ``|NAME.STEP|NAME.STEP|`` with names in hexadecimal digits; empty: nobody began.

    The digits keep names apart whatever letters they have, also where a database does not tell capitals from others.
    """
    tokens = "".join(_token(reader, step) for reader, step in sorted(readings))
    return f"|{tokens}" if tokens else ""


def is_at(reader: str, step: int) -> ColumnElement[bool]:
    """Whether a reader has come so far with a case, and no further."""
    return CaseTable.seen.like(f"%|{_token(reader, step)}%")


def steps_in(seen: str) -> dict[str, int]:
    """How far which reader is, out of what :func:`seen_by` made; without what may have been seen by everybody."""
    pairs = (token.split(".") for token in seen.split("|") if token)
    found = {bytes.fromhex(name).decode(): int(step) for name, step in pairs}
    found.pop(EVERYBODY, None)
    return found


def was_open(seen: str) -> bool:
    """Whether any reader may have seen the model's result of a case, see :mod:`pathview.review.reading.exposure`."""
    return f"|{_token(EVERYBODY, OPENED)}" in seen


def is_called(reader: str, assigned_to: str | None, seen: str) -> bool:
    """Whether a case is a reader's to arbitrate, or nothing of it can be hidden from them any more."""
    return assigned_to == reader or was_open(seen)


def was_called(reader: str) -> ColumnElement[bool]:
    """As :func:`is_called`, in the terms of the database."""
    return or_(CaseTable.assigned_to == reader, is_at(EVERYBODY, OPENED))


def step_of(reading: ReadingTable) -> int:
    """How far a reading is."""
    return DECIDED if reading.decided is not None else LOCKED if reading.locked is not None else OPENED


def _token(reader: str, step: int) -> str:
    return f"{reader.encode().hex()}.{step}|"


@event.listens_for(SealedSession, "before_flush")
def _keep_up(session: Session, context: Any, instances: Any) -> None:
    """Whoever changes a reading or a case need not think of it."""
    changed = [*session.new, *session.dirty]
    for case_id in {row.case_id for row in changed if isinstance(row, ReadingTable)}:
        stored = session.scalars(select(ReadingTable).where(ReadingTable.case_id == case_id))
        added = (row for row in session.new if isinstance(row, ReadingTable) and row.case_id == case_id)
        session.get_one(CaseTable, case_id).seen = seen_by((row.reader, step_of(row)) for row in (*stored, *added))
    for row in changed:
        if isinstance(row, CaseTable):
            row.words = words_of(row.title, row.patient_key, row.study_date)
