"""What a case was shown of outside its reading: no list or mode that it comes to later makes that unseen.

Looking leaves no trace in the store, since it is also done where the store cannot be written. So a case that comes
from a list that shows it to everybody to one that hides it counts, from then on, as seen by every reader who has not
locked an assessment of it. And a case that was begun leaves the veil only where that is asked for explicitly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import UnconfirmedError
from pathview.review.reading.listed import LOCKED, steps_in, was_open
from pathview.review.sql import audit
from pathview.review.sql.reading_tables import EVERYBODY, ReaderTable, ReadingTable
from pathview.review.sql.tables import CaseTable

_AT_ONCE = 1000
_NAMED = 3


def count_as_seen(session: Session, cases: Sequence[CaseTable], why: str, actor: str) -> int:
    """Keep that any reader may have seen what is known of cases; how many there were of which anything is known.

    Readings that are not locked, and those begun later, count as unblinded. Each case has its row in the audit trail.

    Args:
        session: with an open transaction.
        cases: in the order in which they are audited.
        why: in words, for the audit trail.
        actor: whose doing it is.
    """
    told = [case for case in cases if _is_anything_known(case) and not was_open(case.seen)]
    now = datetime.now(UTC)
    for start in range(0, len(told), _AT_ONCE):
        part = told[start : start + _AT_ONCE]
        ids = [case.id for case in part]
        unlocked = ReadingTable.locked.is_(None) & ReadingTable.revealed.is_(None)
        begun = session.scalars(select(ReadingTable).where(ReadingTable.case_id.in_(ids), unlocked)).all()
        for reading in begun:
            reading.revealed = now
        for case in part:
            row = ReadingTable(case_id=case.id, reader=EVERYBODY, opened=now, revealed=now, seconds=0.0)
            session.add(row)
            readings = sum(reading.case_id == case.id for reading in begun)
            audit.record(session, actor, "reveal", case.id, {"why": why, "before_lock": True, "readings": readings})
        session.flush()
    return len(told)


def seen_since(session: Session, case_id: int) -> datetime | None:
    """Since when any reader may have seen what is known of a case; None: nobody could."""
    everybody = (ReadingTable.case_id == case_id, ReadingTable.reader == EVERYBODY)
    return session.scalar(select(ReadingTable.revealed).where(*everybody))


def require_unbegun(session: Session, cases: Iterable[CaseTable], into: str) -> None:
    """Refuse to show cases that are being read to readers who have not locked an assessment of them.

    Args:
        session: to read in.
        cases: those of which nothing is known yet, or that everybody may have seen before, are let go.
        into: what shows them, for the sentence: "the list Tissue".

    Raises:
        UnconfirmedError: readers of this store have not locked a case that was begun.
    """
    known = set(session.scalars(select(ReaderTable.name)))
    veiled = (case for case in cases if _is_anything_known(case) and not was_open(case.seen))
    begun = [steps for case in veiled if (steps := steps_in(case.seen))]
    unread = [names for steps in begun if (names := _unread(known, steps))]
    if unread:
        raise UnconfirmedError(
            f"{_readers(set().union(*unread))} not locked an assessment of {_cases(len(unread))} whose reading has "
            f"begun, and would see in {into} what the model and other readers said",
            "their readings then count as unblinded",
            "--unblind",
        )


def require_read(session: Session, worklist_id: int, cases: Sequence[CaseTable]) -> None:
    """Refuse to take cases from a list to arbitration before all of its readers have read them.

    Its readers are those who began any of its cases, or to whom one is assigned.

    Raises:
        UnconfirmedError: some have not.
    """
    here = CaseTable.worklist_id == worklist_id
    readers = {
        name for seen in session.scalars(select(CaseTable.seen).where(here).distinct()) for name in steps_in(seen)
    }
    readers |= {name for name in session.scalars(select(CaseTable.assigned_to).where(here).distinct()) if name}
    unread = [names for case in cases if (names := _unread(readers, steps_in(case.seen)))]
    if unread:
        raise UnconfirmedError(
            f"{_readers(set().union(*unread))} not read {_cases(len(unread))} of the {len(cases):,} that "
            "would go to arbitration",
            "they cannot read these any more, and nothing of them is shown to them",
            "--anyway",
        )


def _unread(readers: Collection[str], steps: dict[str, int]) -> set[str]:
    return {name for name in {*readers, *steps} if steps.get(name, 0) < LOCKED}


def _is_anything_known(case: CaseTable) -> bool:
    """Whether a result or an assessment could be seen."""
    return case.label is not None or any(step >= LOCKED for step in steps_in(case.seen).values())


def _readers(names: Collection[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    few = f"{len(listed)} reader{'s' if len(listed) > 1 else ''}"
    return f"{few} ({', '.join(listed[:_NAMED])}{more}) {'have' if len(listed) > 1 else 'has'}"


def _cases(count: int) -> str:
    return f"{count:,} case{'' if count == 1 else 's'}"
