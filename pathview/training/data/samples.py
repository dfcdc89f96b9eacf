"""What a data set consists of, whatever its layout on disk."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pathview.csv_cells import csv_text, plain_cell
from pathview.errors import DataError
from pathview.geometry import Region

MASK_SEPARATOR = "|"
"""Between several masks of one image in a table."""
_SEPARATORS = (",", ";", "\t")
"""Of columns; a spreadsheet in German, say, writes semicolons."""


def absolute(path: Path) -> Path:
    """A path from the root without ``..``; links are not followed, so that it stays the user's own."""
    return Path(os.path.normpath(path.absolute()))


@dataclass(frozen=True)
class Sample:
    """One image, and what is known to be true of it."""

    path: Path
    patient: str | None
    """None where no patient can be told; never guessed."""
    label: int | None = None
    """Index of its class, 0 negative; None for outlines alone."""
    masks: tuple[Path, ...] = ()
    """Outlines as images of the same size, true above 127; the truth is all of them together."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Further columns of its label table."""
    region: Region | None = None
    """The part of the image that is meant; None: all of it."""


@dataclass(frozen=True)
class Dataset:
    """All samples below one folder or csv."""

    name: str
    samples: tuple[Sample, ...]
    notices: tuple[str, ...] = ()
    layout: str = ""
    """What it was recognised as."""

    def where(self, conditions: Mapping[str, str]) -> Dataset:
        """The samples whose attributes match all conditions.

        Raises:
            DataError: no sample has such a column.
        """
        for column in conditions:
            if self.samples and not any(column in sample.attributes for sample in self.samples):
                raise DataError(f"The label table of {self.name} has no column {column!r}.")
        kept = [s for s in self.samples if all(s.attributes.get(c) == v for c, v in conditions.items())]
        return replace(self, samples=tuple(kept))

    def black_boxed(self) -> Dataset:
        """The same with an empty truth for every negative image (seed 2's second stage).

        Raises:
            DataError: no sample says whether it is negative.
        """
        if all(sample.label is None for sample in self.samples):
            raise DataError(f"{self.name} does not say which images are benign; the black box needs that.")
        return replace(self, samples=tuple(replace(s, masks=()) if s.label == 0 else s for s in self.samples))

    @property
    def patients(self) -> tuple[str, ...]:
        """Sorted keys of the patients that are known."""
        return tuple(sorted({sample.patient for sample in self.samples if sample.patient is not None}))


@dataclass(frozen=True)
class Table:
    """A csv file."""

    rows: list[dict[str, str]]
    """By column."""
    notices: tuple[str, ...] = ()
    """What is to be said of it, a sentence each."""


def read_table(path: Path, columns: Sequence[str], need: str) -> Table:
    """Rows of a csv by column, blanks around the cells taken off.

    Args:
        path: the file, see :func:`pathview.csv_cells.csv_text`; its columns are separated by commas, semicolons or
            tabs, as its first line says.
        columns: that it must have.
        need: what to say where one is missing, without a full stop.

    Raises:
        DataError: unreadable, or without one of the columns.
    """
    try:
        found = csv_text(path.read_bytes(), path.name)
        file = io.StringIO(found.text, newline="")
        separator, names = _header(file.readline(), columns)
        if absent := [column for column in columns if column not in names]:
            has = f"it has {', '.join(filter(None, names))}" if any(names) else "its first line is empty"
            raise DataError(f"{path.name} has no column {absent[0]!r} ({has}); {need}.")
        reader = csv.DictReader(file, names, delimiter=separator)
        rows = [{key: plain_cell((value or "").strip()) for key, value in row.items() if key} for row in reader]
        return Table(rows, (found.notice,) if found.notice else ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name} cannot be read as a table; save it as CSV UTF-8.") from error


def _header(line: str, columns: Sequence[str]) -> tuple[str, list[str]]:
    """What separates the columns of a table, and their names: that under which most of the wanted ones are found."""
    read = {one: [name.strip() for name in next(csv.reader([line], delimiter=one), [])] for one in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda one: (sum(column in read[one] for column in columns), len(read[one])))
    return best, read[best]
