"""Saved views: a query of the worklist under a name, for the reader who made it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.review.reading.worklist import plain_name
from pathview.review.reading.worklist_query import WorklistQuery
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.reading_tables import SavedViewTable


@dataclass(frozen=True)
class SavedView:
    """A query under a name."""

    name: str
    query: WorklistQuery | None
    """None: it is damaged."""


class SavedViews:
    """The saved views of one store."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def of(self, reader: str) -> tuple[SavedView, ...]:
        """A reader's views by name; one that is damaged does not hide the others."""
        names = select(SavedViewTable.name).where(SavedViewTable.reader == reader).order_by(SavedViewTable.name)
        with self._db.reading() as session:
            found = session.scalars(names).all()
        return tuple(SavedView(name, self._query(name, reader)) for name in found)

    def _query(self, name: str, reader: str) -> WorklistQuery | None:
        try:
            with self._db.reading() as session:
                row = _view(session, name, reader)
                return WorklistQuery.from_json(row.query) if row is not None else None
        except StoreError:
            return None

    def save(self, name: str, query: WorklistQuery, reader: str) -> SavedView:
        """Keep a query; one of this name takes its place.

        Raises:
            StoreError: it is no name.
        """
        name = plain_name(name, "view")
        with self._db.transaction() as session:
            row = _view(session, name, reader)
            if row is None:
                row = SavedViewTable(reader=reader, name=name, created=datetime.now(UTC))
                session.add(row)
            row.query = query.as_json()
            audit.record(session, reader, "save_view", None, {"view": name, "query": row.query})
        return SavedView(name, query)

    def delete(self, name: str, reader: str) -> None:
        """Keep a query no longer; what it was stays in the audit trail.

        Raises:
            StoreError: there is none of this name.
        """
        with self._db.transaction() as session:
            row = _view(session, name, reader)
            if row is None:
                raise StoreError(f"There is no saved view {name!r}.")
            audit.record(session, reader, "delete_view", None, {"view": name, "query": row.query})
            session.delete(row)


def _view(session: Session, name: str, reader: str) -> SavedViewTable | None:
    return session.scalar(select(SavedViewTable).where(SavedViewTable.reader == reader, SavedViewTable.name == name))
