"""Worklists: which cases are read together, in which mode and by which form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.review.records.modes import Mode, sight_of
from pathview.review.sql.reading_tables import WorklistTable

LONGEST_NAME = 80


@dataclass(frozen=True)
class Worklist:
    """One list as the store has it."""

    id: int
    name: str
    mode: Mode
    form: str
    """Name of the assessment form."""
    kind: str | None
    """Images of this kind come here unless another list is named; "" is every other kind."""
    created: datetime
    closed: datetime | None
    """Since when the reading has ended."""

    @property
    def hides_model(self) -> bool:
        """Whether there may be cases whose results the reader may not see yet; else all is shown to everybody."""
        return not sight_of(self.mode, locked=False, decided=False, closed=self.closed is not None).model


def worklist_row(row: WorklistTable) -> Worklist:
    """A list as a record."""
    return Worklist(row.id, row.name, cast("Mode", row.mode), row.form, row.kind, row.created, row.closed)


def home_of(session: Session, kind: str, name: str | None = None) -> WorklistTable:
    """The list that a new case of a kind comes to, or the one of a name.

    Raises:
        StoreError: there is no list of that name, or none that is not closed.
    """
    if name is not None:
        named = session.scalar(select(WorklistTable).where(WorklistTable.name == name))
        if named is None:
            raise StoreError(f"There is no worklist {name!r}; `pathview worklists list` names them.")
        require_open(named)
        return named
    found = session.scalars(select(WorklistTable).where(WorklistTable.kind.in_([kind, ""]))).all()
    home = max(found, key=lambda row: row.kind == kind)
    require_open(home)
    return home


def require_open(row: WorklistTable) -> None:
    """Refuse what a closed list takes no more.

    Raises:
        StoreError: the list is closed.
    """
    if row.closed is not None:
        raise StoreError(f"The worklist {row.name} is closed; choose another one, or open it again first.")


def plain_name(name: str, of: str) -> str:
    """A name as it is kept, without blanks around and in a row; ``of``: what it names.

    Raises:
        StoreError: empty, too long, or with signs that cannot be read.
    """
    plain = " ".join(name.split())
    if not plain or len(plain) > LONGEST_NAME or not plain.isprintable():
        raise StoreError(f"The name of a {of} is 1 to {LONGEST_NAME} letters.")
    return plain
