"""Truths: what cases turned out to be, by pathology or follow-up, and where that is known from."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.csv_cells import plain_cell
from pathview.errors import DataError, PathViewError, StoreError
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.reading_tables import TruthTable
from pathview.review.sql.tables import CaseTable, ImageTable

TruthValue = Literal["positive", "negative"]
TRUTHS: tuple[TruthValue, ...] = ("positive", "negative")
_WHICH = ("case", "path", "patient")


@dataclass(frozen=True)
class Truth:
    """What a case turned out to be; a later row of the same case takes its place."""

    id: int
    case_id: int
    value: TruthValue | None
    """None: taken back."""
    source: str
    """Where it is known from, in words."""
    reader: str
    created: datetime


class Truths:
    """The truths of one store."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def add(self, case_id: int, value: TruthValue | None, source: str, reader: str) -> Truth:
        """Keep what a case turned out to be; None takes back what stands.

        Raises:
            DataError: no source is named.
            StoreError: there is no such case.
        """
        with self._db.transaction() as session:
            return _truth(_added(session, case_id, value, source, reader))

    def of_case(self, case_id: int) -> Truth | None:
        """What stands, or None."""
        with self._db.reading() as session:
            newest = select(TruthTable).where(TruthTable.case_id == case_id).order_by(TruthTable.id.desc()).limit(1)
            row = session.scalar(newest)
            return _truth(row) if row is not None and row.value is not None else None

    def read_csv(self, path: Path, reader: str) -> tuple[Truth, ...]:
        """Keep the truths of a table: all of them, or none.

        Its columns are ``value``, ``source`` and one of ``case`` (the id), ``path`` (of an image, absolute or from
        the table's folder) and ``patient`` (the key; all cases of the patient).

        Raises:
            DataError: the file cannot be read, or a line is wrong; the sentence names the line.
        """
        with self._db.transaction() as session:
            added = []
            for line, row in _lines(path):
                try:
                    for case_id in _cases(session, row, path.parent):
                        value = cast("TruthValue", row["value"].strip().lower())
                        added.append(_added(session, case_id, value, row["source"], reader))
                except PathViewError as error:
                    raise DataError(f"Line {line} of {path.name}: {error} Nothing was kept.") from error
            return tuple(map(_truth, added))


def _added(session: Session, case_id: int, value: TruthValue | None, source: str, reader: str) -> TruthTable:
    if session.get(CaseTable, case_id) is None:
        raise StoreError(f"There is no case {case_id} in the store.")
    if value not in (*TRUTHS, None):
        raise DataError(f"A truth is {' or '.join(TRUTHS)}.")
    if not source.strip():
        raise DataError("Say where it is known from: pathology, follow-up and for how long, a data set.")
    row = TruthTable(case_id=case_id, value=value, source=source.strip(), reader=reader, created=datetime.now(UTC))
    session.add(row)
    session.flush()
    audit.record(session, reader, "truth", case_id, {"truth": row.id})  # the value stays where readers do not look
    return row


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The lines of a table, from 2."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, restval="")
            names = table.fieldnames or ()
            if not {"value", "source"} <= set(names) or not set(_WHICH) & set(names):
                raise DataError(f"{path.name} needs the columns value, source, and one of {', '.join(_WHICH)}.")
            for row in table:
                yield table.line_num, {key: plain_cell(cell or "") for key, cell in row.items() if key}
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or 'input/output error'}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name} is no table with commas in UTF-8.") from error


def _cases(session: Session, row: Mapping[str, str], folder: Path) -> list[int]:
    """The cases that a line is about.

    Raises:
        DataError: there is none.
    """
    which = next((name for name in _WHICH if (row.get(name) or "").strip()), None)
    if which is None:
        raise DataError("It names no case.")
    name = row[which].strip()
    if which == "case":
        if not name.isdecimal():
            raise DataError("The column case holds a case's number.")
        return [int(name)]
    if which == "patient":
        found = list(session.scalars(select(CaseTable.id).where(CaseTable.patient_key == name).order_by(CaseTable.id)))
    else:
        image = select(ImageTable.case_id).where(ImageTable.path == str((folder / name).absolute()))
        found = list(session.scalars(image.order_by(ImageTable.id.desc()).limit(1)))
    if not found:
        raise DataError(f"The store has no case of this {which}.")
    return found


def _truth(row: TruthTable) -> Truth:
    return Truth(row.id, row.case_id, cast("TruthValue | None", row.value), row.source, row.reader, row.created)
