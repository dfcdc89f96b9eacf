"""Looking at worklists: pages, counts and neighbours, sorted and cut by the database, under the reader's veil."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from sqlalchemy import func, not_, select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.review.reading.listed import OPENED, is_at, was_open
from pathview.review.reading.reading import Reading, reading_row, sight_for
from pathview.review.reading.veil import BY_MODEL, veiled_row
from pathview.review.reading.worklist import Worklist, worklist_row
from pathview.review.reading.worklist_cut import Condition, Run, States, cut, filters, neighbour, runs, standing
from pathview.review.reading.worklist_query import ORDERS, Counts, WorklistQuery
from pathview.review.records.case import CaseRow, CaseState, Order
from pathview.review.sql.database import Database
from pathview.review.sql.reading_tables import EVERYBODY, ReadingTable, WorklistTable
from pathview.review.sql.tables import AuditTable, CaseTable, ImageTable

_CASE = (
    CaseTable.id, CaseTable.title, CaseTable.kind, CaseTable.state, CaseTable.label, CaseTable.score,
    CaseTable.position, CaseTable.flags, CaseTable.decision, CaseTable.created, CaseTable.study_date,
    CaseTable.worklist_id, CaseTable.assigned_to, CaseTable.seen,
)  # fmt: skip
_READING = (
    ReadingTable.case_id, ReadingTable.reader, ReadingTable.opened, ReadingTable.locked, ReadingTable.revealed,
    ReadingTable.decided, ReadingTable.first, ReadingTable.final, ReadingTable.seconds,
)  # fmt: skip
"""Columns rather than objects: a page is read in a third of the time."""
PAGE = 200
_AT_ONCE = 1000


class WorklistPages:
    """The worklists of one store, to look at."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def all(self) -> tuple[Worklist, ...]:
        """All lists, in the order they were made."""
        with self._db.reading() as session:
            return _lists(session)

    def sizes(self) -> dict[int, int]:
        """How many cases are in each list that has any, by id."""
        counted = select(CaseTable.worklist_id, func.count()).group_by(CaseTable.worklist_id)
        with self._db.reading() as session:
            return dict(session.execute(counted).all())

    def orders(self, worklist_id: int | None) -> tuple[Order, ...]:
        """The orders that a list lets be asked for (None: all cases), the usual one first.

        Where none follows the model, it must not be filtered by either.
        """
        with self._db.reading() as session:
            hidden = _hiding(session, _lists(session), worklist_id) is not None
        return tuple(order for order in ORDERS if order not in BY_MODEL) if hidden else ORDERS

    def page(self, query: WorklistQuery, reader: str, limit: int = PAGE, offset: int = 0) -> list[CaseRow]:
        """Cases from ``offset`` on, as a reader may see them.

        Raises:
            StoreError: the order or a filter would tell what is hidden from the reader.
        """
        with self._db.reading() as session:
            lists = _lists(session)
            states, found = _conditions(session, query, reader, lists)
            ids = cut(session, query, states, found, limit, offset)
            return _rows(session, ids, reader, lists)

    def row(self, case_id: int, reader: str) -> CaseRow:
        """The line of one case.

        Raises:
            StoreError: there is no such case.
        """
        with self._db.reading() as session:
            rows = _rows(session, [case_id], reader, _lists(session))
        if not rows:
            raise StoreError(f"There is no case {case_id} in the store.")
        return rows[0]

    def last_opened(self, query: WorklistQuery, reader: str) -> int | None:
        """The case that a reader opened last, if a query finds it.

        Raises:
            StoreError: see :meth:`page`.
        """
        opened = (AuditTable.actor == reader, AuditTable.action == "open")
        with self._db.reading() as session:
            _, found = _conditions(session, query, reader, _lists(session))
            last = session.scalar(select(AuditTable.case_id).where(*opened).order_by(AuditTable.id.desc()).limit(1))
            return session.scalar(select(CaseTable.id).where(CaseTable.id == last, *found))

    def counts(self, query: WorklistQuery, reader: str) -> Counts:
        """How many cases a query finds, and how many of each state there are.

        Raises:
            StoreError: see :meth:`page`.
        """
        with self._db.reading() as session:
            states, _ = _conditions(session, query, reader, _lists(session))
            counted = session.execute(states.counted(filters(query, states))).one()
            found = cast("dict[CaseState, int]", dict(counted._mapping))
        total = found[query.state] if query.state is not None else sum(found.values())
        return Counts(total, found)

    def following(
        self, query: WorklistQuery, reader: str, case_id: int, by: int = 1, was: CaseState | None = None
    ) -> int | None:
        """The case so many places after another one (before, where ``by`` is negative); None: the list ends there.

        The case itself need not fulfil the query any more.

        Args:
            query: the list as the reader sees it.
            reader: who asks.
            case_id: where they are.
            by: not 0.
            was: the state that the list shows of it, so that a case that was decided since keeps its place among the
                undecided; None: the state that it has now.

        Raises:
            StoreError: there is no such case; or see :meth:`page`.
        """
        with self._db.reading() as session:
            states, found = _conditions(session, query, reader, _lists(session))
            now = select(CaseTable, states.name.label("reading_state")).where(CaseTable.id == case_id)
            row = session.execute(now).one_or_none()
            if row is None:
                raise StoreError(f"There is no case {case_id} in the store.")
            case, state = row
            parts = runs(query, states.are("decided"))
            return neighbour(session, parts, found, _home(query, parts, case, was or state), case, by)

    def place(self, query: WorklistQuery, reader: str, case_id: int) -> int | None:
        """The row in which a case stands, from 0; None: the query does not find it.

        Raises:
            StoreError: see :meth:`page`.
        """
        with self._db.reading() as session:
            states, found = _conditions(session, query, reader, _lists(session))
            now = select(CaseTable, states.name.label("reading_state")).where(CaseTable.id == case_id, *found)
            row = session.execute(now).one_or_none()
            if row is None:
                return None
            case, state = row
            parts = runs(query, states.are("decided"))
            return standing(session, parts, found, _home(query, parts, case, state), case)


def _home(query: WorklistQuery, parts: Sequence[Run], case: CaseTable, state: str) -> int:
    """The number of the run of an order in which a case stands."""
    last = {"uncertain": state == "decided", "score": case.position is None, "date": case.study_date is None}
    return int(len(parts) > 1 and last[query.order])


def _lists(session: Session) -> tuple[Worklist, ...]:
    return tuple(map(worklist_row, session.scalars(select(WorklistTable).order_by(WorklistTable.id))))


def _conditions(
    session: Session, query: WorklistQuery, reader: str, lists: Sequence[Worklist]
) -> tuple[States, list[Condition]]:
    """What a query asks of a case.

    Raises:
        StoreError: it would tell what is hidden, or there is no such list.
    """
    if query.worklist_id is not None and query.worklist_id not in {each.id for each in lists}:
        raise StoreError(f"There is no worklist {query.worklist_id} in the store.")
    if query.order in BY_MODEL or query.label is not None:
        hiding = _hiding(session, lists, query.worklist_id)
        if hiding is not None:
            what = "Filtering" if query.label is not None else "This order"
            raise StoreError(
                f"{what} would tell what the model says, which is hidden in the worklist {hiding.name}; "
                f"take {', '.join(order for order in ORDERS if order not in BY_MODEL)}."
            )
    states = States(reader, lists)
    found = filters(query, states)
    return states, [*found, states.are(query.state)] if query.state is not None else found


def _hiding(session: Session, lists: Sequence[Worklist], worklist_id: int | None) -> Worklist | None:
    """A list that hides the model: the one that is asked for, or of all cases one that has any."""
    asked = [each for each in lists if each.hides_model and worklist_id in (None, each.id)]
    hiding = [each for each in asked if each.mode != "arbitration" or _veils_any(session, each)]
    if worklist_id is not None:
        return next(iter(hiding), None)
    filled = (
        each for each in hiding if session.scalar(select(CaseTable.id).where(CaseTable.worklist_id == each.id).limit(1))
    )
    return next(filled, None)


def _veils_any(session: Session, court: Worklist) -> bool:
    """Whether a list of arbitration has any case that not everybody may have seen before."""
    veiled = select(CaseTable.id).where(CaseTable.worklist_id == court.id, not_(is_at(EVERYBODY, OPENED)))
    return session.scalar(veiled.limit(1)) is not None


def stored_rows(session: Session, ids: Sequence[int], lists: Sequence[Worklist] = ()) -> list[CaseRow]:
    """The lines of cases as the store has them, without any veil, in the order of their ids."""
    found: dict[int, CaseRow] = {}
    modes = {each.id: each.mode for each in lists or _lists(session)}
    for some in parts_of(ids):
        of_case = ImageTable.case_id
        counted = select(of_case, func.count()).where(of_case.in_(some)).group_by(of_case)
        images = dict(session.execute(counted).all())
        for case in session.execute(select(*_CASE).where(CaseTable.id.in_(some))):
            mode, ran = modes[case.worklist_id], case.label is not None
            told = {key: value for key, value in case._mapping.items() if key != "seen"}
            was = was_open(case.seen)
            found[case.id] = CaseRow(**told, images=images.get(case.id, 0), mode=mode, ran=ran, was_open=was)
    return [found[each] for each in ids if each in found]


def parts_of(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Ids, so many at once as fit into one query of any database."""
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def _rows(session: Session, ids: Sequence[int], reader: str, lists: Sequence[Worklist]) -> list[CaseRow]:
    """The lines of cases, in the order of their ids, as a reader may see them."""
    homes = {each.id: each for each in lists}
    readings: dict[int, Reading] = {}
    for some in parts_of(ids):
        own = select(*_READING).where(ReadingTable.case_id.in_(some), ReadingTable.reader == reader)
        readings |= {row.case_id: reading_row(cast("Any", row)) for row in session.execute(own)}
    seen = []
    for row in stored_rows(session, ids, lists):
        reading = readings.get(row.id)
        sight = sight_for(homes[row.worklist_id], reading, row.assigned_to == reader or row.was_open)
        seen.append(veiled_row(row, reading, sight))
    return seen
