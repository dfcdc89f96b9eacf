"""The labels that marks may have: a name and a colour each. A store has a set to start with; none is ever deleted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.tables import LabelTable, MarkTable

_COLOR = re.compile(r"#[0-9a-f]{6}")
_LONGEST = 80


@dataclass(frozen=True)
class Label:
    """What a mark is called, and the colour that it is drawn in."""

    name: str
    color: str
    """As #rrggbb."""

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        red, green, blue = bytes.fromhex(self.color[1:])
        return red, green, blue


class Labels:
    """The labels of one store."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def all(self) -> tuple[Label, ...]:
        """Every label, in the order in which they were made."""
        with self._db.reading() as session:
            rows = session.scalars(select(LabelTable).order_by(LabelTable.id))
            return tuple(Label(row.name, row.color) for row in rows)

    def add(self, name: str, color: str, actor: str) -> Label:
        """Make a label.

        Args:
            name: of 1 to 80 characters, white space around it left out; no other label's, upper or lower case.
            color: as #rrggbb.
            actor: who makes it.

        Raises:
            StoreError: the name or the colour is none, the name is taken, or the store cannot be written.
        """
        label = Label(_name(name), _color(color))
        with self._db.transaction() as session:
            _check_free(session, label.name)
            session.add(LabelTable(name=label.name, color=label.color, created=datetime.now(UTC)))
            audit.record(session, actor, "add_label", None, {"label": label.name, "color": label.color})
        return label

    def recolor(self, name: str, color: str, actor: str) -> Label:
        """Draw all marks of a label in another colour.

        Raises:
            StoreError: there is no such label, the colour is none, or the store cannot be written.
        """
        wanted = _color(color)
        with self._db.transaction() as session:
            row = _existing(session, name)
            detail = {"label": name, "before": row.color, "color": wanted}
            row.color = wanted
            audit.record(session, actor, "recolor_label", None, detail)
        return Label(name, wanted)

    def rename(self, name: str, wanted: str, actor: str) -> Label:
        """Give a label another name, on all marks that have it, removed ones too.

        Raises:
            StoreError: there is no such label, the new name is none or another label's, or the store cannot be
                written.
        """
        new = _name(wanted)
        with self._db.transaction() as session:
            row = _existing(session, name)
            if new.casefold() != name.casefold():
                _check_free(session, new)
            row.name = new
            marks = session.scalars(select(MarkTable).where(MarkTable.label == name)).all()
            for mark in marks:
                mark.label = new
            audit.record(session, actor, "rename_label", None, {"before": name, "label": new, "marks": len(marks)})
            return Label(new, row.color)


def _existing(session: Session, name: str) -> LabelTable:
    row = session.scalar(select(LabelTable).where(LabelTable.name == name))
    if row is None:
        raise StoreError(f"There is no label {name!r}.")
    return row


def _check_free(session: Session, name: str) -> None:
    for known in session.scalars(select(LabelTable.name)):
        if known.casefold() == name.casefold():
            raise StoreError(f"There is a label {known!r} already.")


def _name(name: str) -> str:
    tidy = " ".join(name.split())
    if not 0 < len(tidy) <= _LONGEST:
        raise StoreError(f"A label's name has 1 to {_LONGEST} characters.")
    return tidy


def _color(color: str) -> str:
    lower = color.lower()
    if not _COLOR.fullmatch(lower):
        raise StoreError(f"The colour {color!r} is not one like #e15759.")
    return lower
