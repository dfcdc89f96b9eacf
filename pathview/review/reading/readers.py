"""Readers: the people whose names a store knows. No passwords: a name tells readings apart, it keeps nobody out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.review.reading.worklist import plain_name
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.reading_tables import ReaderTable


@dataclass(frozen=True)
class Reader:
    """A person who reads."""

    id: int
    name: str
    created: datetime


class Readers:
    """The readers of one store."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def all(self) -> tuple[Reader, ...]:
        """All readers by name."""
        with self._db.reading() as session:
            return tuple(map(_reader, session.scalars(select(ReaderTable).order_by(ReaderTable.name))))

    def add(self, name: str, actor: str) -> Reader:
        """Let the store know a reader; one that it knows stays as they are.

        Raises:
            StoreError: it is no name.
        """
        name = checked_name(name)
        with self._db.transaction() as session:
            return _reader(know(session, name, actor))

    def require(self, name: str) -> None:
        """See :func:`require_known`."""
        with self._db.reading() as session:
            require_known(session, checked_name(name))


def know(session: Session, name: str, actor: str | None = None) -> ReaderTable:
    """The row of a reader, made where there is none; ``actor`` None: they come themselves, to what is told anyway."""
    row = session.scalar(select(ReaderTable).where(ReaderTable.name == name))
    if row is None:
        row = ReaderTable(name=name, created=datetime.now(UTC))
        session.add(row)
        session.flush()
        if actor is not None:
            audit.record(session, actor, "add_reader", None, {"reader": name})
    return row


def require_known(session: Session, name: str) -> None:
    """Refuse a name that may be mistyped.

    Raises:
        StoreError: the store knows no such reader.
    """
    if session.scalar(select(ReaderTable.id).where(ReaderTable.name == name)) is None:
        raise StoreError(f"The store knows no reader {name!r}; choose one that it knows, or say that they are new.")


def checked_name(name: str) -> str:
    """A name as it is kept, without blanks around and in a row.

    Raises:
        StoreError: empty, too long, or with signs that cannot be read.
    """
    return plain_name(name, "reader")


def _reader(row: ReaderTable) -> Reader:
    return Reader(row.id, row.name, row.created)
