"""A query as the database runs it: conditions, and an order that is cut into runs, each sorted by columns without gaps.

Every condition and every column to sort by stands in one index for each order (SQLite), so a page costs one walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import Session

from pathview.review.reading.listed import DECIDED, LOCKED, OPENED, is_at, was_called
from pathview.review.reading.worklist import Worklist
from pathview.review.reading.worklist_query import WorklistQuery
from pathview.review.records.case import CaseState
from pathview.review.sql.tables import CaseTable

Condition = ColumnElement[bool]
_GAPS = {"score": "position", "date": "study_date"}
"""Orders by a column that may be empty."""


@dataclass(frozen=True)
class Run:
    """Cases that follow each other in an order: those of a condition, sorted by columns that are never empty there."""

    condition: Condition
    columns: tuple[Any, ...]
    descending: bool

    def turned(self) -> Run:
        """The same from its end."""
        return Run(self.condition, self.columns, not self.descending)

    def cut(self, conditions: Sequence[Condition], limit: int, offset: int = 0) -> Select[int]:
        """Ids of a part of it."""
        sorting = [
            each.nulls_last() if column.key in _GAPS.values() else each
            for column in self.columns
            for each in [column.desc() if self.descending else column.asc()]
        ]
        found = select(CaseTable.id).where(*conditions, self.condition).order_by(*sorting)
        return found.limit(limit).offset(offset)

    def after(self, place: Sequence[Any]) -> Condition:
        """Being behind a place, the values of its columns."""
        values = [literal(value, column.type) for column, value in zip(self.columns, place, strict=True)]
        here, there = tuple_(*self.columns), tuple_(*values)
        return here < there if self.descending else here > there


def runs(query: WorklistQuery, decided: Condition) -> tuple[Run, ...]:
    """The runs of an order, one after the other; ``decided`` says which cases come last where they do."""
    turned = query.reverse
    by_id = CaseTable.id
    if query.order == "uncertain":
        columns = (CaseTable.rank, CaseTable.doubt, by_id)
        if query.state is not None:
            return (Run(true(), columns, turned),)
        return Run(not_(decided), columns, turned), Run(decided, columns, turned)
    if query.order in _GAPS:
        column = getattr(CaseTable, _GAPS[query.order])
        return (
            Run(column.is_not(None), (column, by_id), not turned),
            Run(column.is_(None), (by_id,), not turned),
        )
    if query.order == "newest":
        return (Run(true(), (by_id,), not turned),)
    return (Run(true(), (CaseTable.title if query.order == "name" else CaseTable.shuffle, by_id), turned),)


def filters(query: WorklistQuery, states: States) -> list[Condition]:
    """All that a case must fulfil, but for its state."""
    found: list[Condition] = []
    if query.worklist_id is not None:
        found.append(CaseTable.worklist_id == query.worklist_id)
    if query.label is not None:
        found.append(CaseTable.label == query.label)
    if query.kind is not None:
        found.append(CaseTable.kind == query.kind)
    if query.assigned_to is not None or query.assigned == "me":
        found.append(CaseTable.assigned_to == (query.assigned_to or states.reader))
    elif query.assigned == "nobody":
        found.append(CaseTable.assigned_to.is_(None))
    found += [CaseTable.words.contains(word, autoescape=True) for word in query.search.casefold().split()]
    return found


class States:
    """How far a reader is with a case, in the terms of the database; says what ``reading.state_for`` says of one."""

    def __init__(self, reader: str, worklists: Sequence[Worklist]) -> None:
        """``worklists``: all there are, since what other readers decided is told in some and not in others."""
        self.reader = reader
        own = is_at(reader, DECIDED)
        told = _of([w.id for w in worklists if w.closed or w.mode == "assisted"])
        in_court = _of([w.id for w in worklists if not w.closed and w.mode == "arbitration"])
        told = or_(told, and_(in_court, or_(own, is_at(reader, LOCKED), was_called(reader))))
        told_after = _of([w.id for w in worklists if not w.closed and w.mode == "second_read"])
        self._in_turn: dict[CaseState, Condition] = {
            "arbitration": and_(CaseTable.state == "arbitration", or_(told, and_(told_after, own))),
            "decided": and_(CaseTable.state.in_(("decided", "arbitration")), or_(told, own)),
            "first_locked": is_at(reader, LOCKED),
            "in_reading": is_at(reader, OPENED),
            "new": CaseTable.label.is_(None),
            "analysed": true(),
        }
        """The first that holds is the state. What costs least is asked first."""

    def are(self, state: CaseState) -> Condition:
        """Being in a state."""
        before: list[Condition] = []
        for name, condition in self._in_turn.items():
            if name == state:
                return and_(condition, *(not_(each) for each in before))
            before.append(condition)
        raise ValueError(state)

    @property
    def name(self) -> ColumnElement[str]:
        """The state itself."""
        return case(*((condition, literal_column(f"'{name}'")) for name, condition in self._in_turn.items()))

    def counted(self, conditions: Sequence[Condition]) -> Select[*tuple[Any, ...]]:
        """How many cases there are of each state, a column each.

        The offset of nothing keeps databases from asking for the state of each case once for each column; to group
        by it, they would sort.
        """
        found = select(self.name.label("name")).where(*conditions).offset(0).subquery()
        counts: list[ColumnElement[int]] = [
            func.count(case((found.c.name == name, 1))).label(name) for name in self._in_turn
        ]
        return select(*counts)


def cut(
    session: Session, query: WorklistQuery, states: States, conditions: Sequence[Condition], limit: int, offset: int = 0
) -> list[int]:
    """Ids of a page of an order."""
    found: list[int] = []
    parts = runs(query, states.are("decided"))
    if query.order in _GAPS:  # databases know how to sort gaps last, in one walk
        parts = (Run(true(), parts[0].columns, parts[0].descending),)
    for run in parts:
        if offset and run is not parts[-1]:
            size = session.scalar(select(func.count(CaseTable.id)).where(*conditions, run.condition)) or 0
            if offset >= size:  # the page lies behind this run
                offset -= size
                continue
        found += session.scalars(run.cut(conditions, limit - len(found), offset))
        if len(found) >= limit:
            break
        offset = 0
    return found


def neighbour(
    session: Session, parts: Sequence[Run], conditions: Sequence[Condition], home: int, row: Any, by: int
) -> int | None:
    """The id of the case that stands so many places after another one (before, where ``by`` is negative), or None.

    Args:
        session: to read in.
        parts: the runs of the order.
        conditions: what the neighbour must fulfil; the case itself need not.
        home: number of the run that the case is in, or was.
        row: of the case, with the values of its columns.
        by: not 0.
    """
    ahead = parts[home:] if by > 0 else tuple(run.turned() for run in reversed(parts[: home + 1]))
    place = [getattr(row, column.key) for column in ahead[0].columns]
    missing = abs(by)
    for number, run in enumerate(ahead):
        beyond = [run.after(place)] if number == 0 else []
        found = list(session.scalars(run.cut([*conditions, *beyond], missing)))
        if len(found) == missing:
            return found[-1]
        missing -= len(found)
    return None


def standing(session: Session, parts: Sequence[Run], conditions: Sequence[Condition], home: int, row: Any) -> int:
    """How many cases stand before one; see :func:`neighbour`."""
    ahead = [[run.condition] for run in parts[:home]]
    place = [getattr(row, column.key) for column in parts[home].columns]
    ahead.append([parts[home].condition, parts[home].turned().after(place)])
    counts = (select(func.count(CaseTable.id)).where(*conditions, *some) for some in ahead)
    return sum(session.scalar(count) or 0 for count in counts)


def _of(ids: Sequence[int]) -> Condition:
    return CaseTable.worklist_id.in_(ids) if ids else false()
