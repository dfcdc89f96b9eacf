"""Whether a store is as this program wrote it: pages, references, seals, and the chain of the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.review.sql import (
    audit,
    reading_tables,  # noqa: F401 (its tables belong to the store)
)
from pathview.review.sql.base import Base
from pathview.review.sql.database import Database
from pathview.review.sql.head import Head
from pathview.review.sql.seals import SEAL, DamagedError, seal_of
from pathview.review.sql.tables import AuditTable

_TOLD = 100
"""Problems that are told one by one; the rest are counted."""
_BATCH = 500


@dataclass(frozen=True)
class Verified:
    """What a check found."""

    rows: int
    """That were checked."""
    problems: tuple[str, ...]
    """What was changed behind the program's back or is damaged, a sentence each."""
    notices: tuple[str, ...] = ()
    """What is remarkable and no damage, a sentence each."""

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """What ``pathview audit verify`` and ``pathview store verify`` print."""
        return {"rows": self.rows, "ok": self.ok, "problems": list(self.problems), "notices": list(self.notices)}


def verify_audit(database: Database) -> Verified:
    """Check the audit trail: every row as written, none missing between or at the end, and what the rows name.

    Raises:
        StoreError: the store cannot be read.
    """
    place = database.place
    head = place.head.read() if place.head is not None else None  # before the rows: it is never ahead of them
    trail = _Trail(head)
    with database.reading() as session:
        problems = _told(
            chain(_unless_unreadable("audit", trail.follow(session)), _missing_named(session, trail.named))
        )
    problems += trail.end_problems()
    if head is None and place.head is not None:
        trail.notices.append("There is no file that keeps the trail's end, so rows cut off there would not be missed.")
    return Verified(trail.rows, tuple(problems), tuple(trail.notices))


def verify_store(database: Database) -> Verified:
    """Check everything: the database's own pages and references, its schema, every row's seal, the audit trail.

    Raises:
        StoreError: the store cannot be read.
    """
    problems, rows = database.problems(), 0
    try:
        trail = verify_audit(database)
    except StoreError as error:
        trail = Verified(0, (str(error),))
    for table in Base.metadata.sorted_tables:
        if SEAL in table.columns:
            try:
                with database.reading() as session:
                    counted = _Counted()
                    problems += _told(_unless_unreadable(table.name, _broken_seals(session, table, counted)))
                    rows += counted.rows
            except StoreError as error:
                problems.append(str(error))
    problems += _schema_problems(database)
    return Verified(rows + trail.rows, (*problems, *trail.problems), trail.notices)


@dataclass
class _Counted:
    rows: int = 0


@dataclass
class _Trail:
    """The audit trail, followed from its first row."""

    head: Head | None
    """The end as the store's file has it; rows may have been added since."""
    rows: int = 0
    last: int = 0
    """Number of the last row."""
    at_head: str | None = None
    """The hash of the row that the head names."""
    notices: list[str] = field(default_factory=list)
    named: dict[str, dict[int, str | None]] = field(default_factory=lambda: {name: {} for name in audit.NAMED})
    """Rows that audit rows name, with the seal they had; None: before rows were sealed."""

    def follow(self, session: Session) -> Iterator[str]:
        """Sentences about rows that are not as they were written."""
        before, number, clock = audit.BEGINNING, 0, None
        for row in session.execute(_all(Base.metadata.tables["audit"])).mappings():
            if row["id"] != number + 1:
                yield _gap(number + 1, row["id"] - 1)
            elif row["previous"] != before:
                yield f"Audit row {row['id']} does not follow the row before it: one of them was changed."
            if audit.hash_of(dict(row)) != row["hash"]:
                yield f"Audit row {row['id']} was changed."
            self._notice(row["id"], row["action"], row["created"], clock)
            self._name(row["detail"])
            before, number, clock = row["hash"], row["id"], row["created"]
            self.last, self.rows = number, self.rows + 1
            if self.head is not None and self.head.number == number:
                self.at_head = before

    def end_problems(self) -> list[str]:
        """Sentences about an end that is not where it was."""
        if self.head is None or self.head.hash == self.at_head:
            return []
        if self.head.number > self.last:
            return [_gap(self.last + 1, self.head.number)]
        return [f"Audit row {self.head.number} is not the one that was written."]

    def _notice(self, number: int, action: str, created: datetime, before: datetime | None) -> None:
        if before is not None and created < before:
            self.notices.append(
                f"The clock was set back at row {number}: {created:%Y-%m-%d %H:%M:%S} UTC "
                f"after {before:%Y-%m-%d %H:%M:%S}; the order of the rows holds."
            )
        if action == "head_missing":
            self.notices.append(f"At row {number} the file that keeps the trail's end was missing and begun anew.")

    def _name(self, detail: Any) -> None:
        for name in audit.NAMED:
            if isinstance(detail, dict) and isinstance(detail.get(name), int):
                self.named[name].setdefault(detail[name], detail.get(f"{name}_seal"))


def _broken_seals(session: Session, table: Table, counted: _Counted) -> Iterator[str]:
    for row in session.execute(_all(table)).mappings():
        counted.rows += 1
        if seal_of(table, dict(row)) != row[SEAL]:
            yield f"Row {row['id']} of {table.name} was changed."


def _missing_named(session: Session, named: dict[str, dict[int, str | None]]) -> Iterator[str]:
    """Sentences about rows that the audit trail knows otherwise, or that only one of the two knows."""
    for name, kind in audit.NAMED.items():
        table = Base.metadata.tables[kind.__tablename__]
        seals = {row[0]: row[1] for row in session.execute(select(table.c.id, table.c[SEAL]))}
        for number, seal in named[name].items():
            if number not in seals:
                yield f"{name.capitalize()} {number} stands in the audit trail but is not in the store."
            elif seal is not None and seal != seals[number]:
                yield f"{name.capitalize()} {number} is not what the audit trail says was written."
        for number in sorted(seals.keys() - named[name].keys()):
            yield f"{name.capitalize()} {number} is in the store but not in the audit trail."


def _schema_problems(database: Database) -> list[str]:
    """Whether tables and triggers are those that the last migration made, by its own audit row."""
    last = select(AuditTable.detail).where(AuditTable.action == "migrate").order_by(AuditTable.id.desc()).limit(1)
    try:
        with database.reading() as session:
            detail = session.scalar(last) or {}
        if detail.get("schema") == database.schema():
            return []
    except StoreError as error:
        return [str(error)]
    return ["The store's tables, indexes or triggers are not those that PathView made."]


def _unless_unreadable(table: str, sentences: Iterator[str]) -> Iterator[str]:
    """The sentences; where a row cannot even be read, one about that instead of the rest."""
    try:
        yield from sentences
    except (DBAPIError, DamagedError, ValueError, TypeError, OverflowError, ArithmeticError):
        yield f"Some rows of {table} cannot be read."


def _told(sentences: Iterable[str]) -> list[str]:
    found = list(sentences)
    rest = len(found) - _TOLD
    return [*found[:_TOLD], f"And {rest} more."] if rest > 0 else found


def _all(table: Table) -> Any:
    return select(table).order_by(table.c.id).execution_options(yield_per=_BATCH)


def _gap(first: int, last: int) -> str:
    return f"Audit row {first} is missing." if first == last else f"Audit rows {first} to {last} are missing."
