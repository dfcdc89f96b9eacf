"""Cases out of a table: a line an image, with the list it comes to, who is to read it, and what it turned out to be."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pathview.csv_cells import csv_text, plain_cell
from pathview.errors import DataError, PathViewError, UnconfirmedError
from pathview.images.source import ImageInfo
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, never, no_progress
from pathview.review.intake import Intake

if TYPE_CHECKING:  # the command line starts without its libraries
    from pathview.review.reading.truths import TruthValue
    from pathview.review.store import Store

COLUMNS = ("path", "worklist", "assigned_to", "title", "truth", "truth_source")
"""``path`` must be there; it is absolute, or from the table's folder."""
_LONGEST_TITLE = 300


@dataclass(frozen=True)
class Imported:
    """What came of a table."""

    case_ids: tuple[int, ...]
    """In the order of the lines; cases that were there already count too."""
    lines: int
    """Lines with anything in them, without the header."""
    left_out: int
    """Lines of which nothing was taken."""
    problems: tuple[str, ...]
    """One sentence for each line that was left out or that something is to be said of, with its number."""


@dataclass(frozen=True)
class _Line:
    number: int
    """Where it begins in the file, from 1."""
    cells: Mapping[str, str]
    problem: str = ""
    """Why it cannot be read."""

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def import_csv(
    path: Path,
    store: Store,
    describe: Callable[[Path], ImageInfo],
    reader: str,
    worklist: str | None = None,
    progress: ProgressSink = no_progress,
    cancel: CancelToken | None = None,
    new_readers: bool = False,
) -> Imported:
    """Put the images of a table into the store, line by line; what was done before it is cancelled stays.

    A table can be taken again: what is in the store already is not added, and only what differs is changed.

    Args:
        path: of the table, with the columns :data:`COLUMNS`, with commas, semicolons or tabs; see :func:`csv_text`.
        store: that they come to.
        describe: says what an image is.
        reader: who does it.
        worklist: name of the list for lines that name none; None: that of their kind.
        progress: is told each line.
        cancel: asked before each line.
        new_readers: make those that the store does not know; else their lines are left out, as they may be mistyped.

    Raises:
        Cancelled: what was taken until then is saved.
        DataError: the table cannot be read, or has no column ``path``.
        StoreError: the store cannot be written.
    """
    lines, problems = _read(path)
    case_ids: list[int] = []
    left_out = 0
    for index, line in enumerate(lines):
        checkpoint(cancel or never())
        progress(Progress(index, len(lines), "importing"))
        home = line["worklist"] or worklist
        told = line.problem or _refusal(line, path.parent, home, store, "" if new_readers else reader)
        if told:
            problems.append(f"Line {line.number} is left out: {told}")
            left_out += 1
            continue
        added = Intake(store, describe, reader, home).add([path.parent / line["path"]])
        problems += [f"Line {line.number}: {each}" for each in added.problems]
        problems += [f"Line {line.number}: {each}" for each in _complete(line, home, added.case_ids, store, reader)]
        case_ids += added.case_ids
        left_out += not added.case_ids
    return Imported(tuple(dict.fromkeys(case_ids)), len(lines), left_out, tuple(problems))


def _refusal(line: _Line, folder: Path, home: str | None, store: Store, actor: str) -> str:
    """Why nothing is taken of a line, in a sentence; empty: it can be. ``actor`` empty: readers may be new."""
    from pathview.review.reading.readers import checked_name
    from pathview.review.reading.truths import TRUTHS

    if not line["path"]:
        return "it names no path."
    if not os.path.exists(folder / line["path"]):  # noqa: PTH110 (the other one raises for long names)
        return f"there is no {Path(line['path']).name}."
    if len(line["title"]) > _LONGEST_TITLE:
        return f"its title is longer than {_LONGEST_TITLE} letters."
    if line["truth"] and line["truth"].lower() not in TRUTHS:
        return f"its truth is {line['truth']!r}, not {' or '.join(TRUTHS)}."
    if bool(line["truth"]) != bool(line["truth_source"]):
        return "a truth and its source come together: pathology, follow-up and for how long, a data set."
    try:
        if line["assigned_to"]:
            name = checked_name(line["assigned_to"])
            if actor not in ("", name):
                store.readers.require(name)
        if home is not None and store.worklists.named(home).closed is not None:
            return f"the worklist {home} is closed."
    except PathViewError as error:
        return str(error)
    return ""


def _complete(line: _Line, home: str | None, case_ids: Sequence[int], store: Store, reader: str) -> Iterator[str]:
    """What a line says of its cases beside their images; a sentence for what cannot be said of them."""
    if not case_ids:
        return
    if home is not None:
        try:
            store.worklists.move(case_ids, store.worklists.named(home).id, reader)
        except UnconfirmedError as error:
            yield f"it stays in its list. {error.fact}"
    if line["assigned_to"]:
        store.worklists.assign(case_ids, line["assigned_to"], reader, new=True)
    if line["title"] and len(case_ids) > 1:
        yield f"its path holds {len(case_ids)} cases, so its title was not given to any."
    elif line["title"]:
        store.set_title(case_ids[0], line["title"], reader)
    for case_id in case_ids if line["truth"] else ():
        value, source = cast("TruthValue", line["truth"].lower()), line["truth_source"]
        known = store.truths.of_case(case_id)
        if known is None or (known.value, known.source) != (value, source):
            store.truths.add(case_id, value, source, reader)


def _read(path: Path) -> tuple[list[_Line], list[str]]:
    """The lines of a table, also those that cannot be read; sentences for its encoding and unknown columns.

    Raises:
        DataError: the file cannot be read, or has no column ``path``.
    """
    try:
        found = csv_text(path.read_bytes(), path.name, errors="surrogateescape")
        file = io.StringIO(found.text, newline="")
        header = file.readline()
        separator = max(",;\t", key=header.count)
        names = [name.strip().lower() for name in next(csv.reader([header], delimiter=separator, strict=True), [])]
        if "path" not in names:
            raise DataError(f"{path.name} is no table of cases: its first line names no column path.")
        lines = list(_lines(csv.reader(file, delimiter=separator, strict=True), names))
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or 'input/output error'}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} is no table of cases: its first line cannot be read.") from error
    unknown = [name for name in names if name and name not in COLUMNS]
    told = f"Columns that are not known were left out: {', '.join(map(repr, unknown))}."
    return lines, [*filter(None, [found.notice]), *([told] if unknown else [])]


def _lines(table: Iterator[list[str]], names: Sequence[str]) -> Iterator[_Line]:
    """Lines with anything in them; ``table`` is a reader of the csv module behind the first line."""
    while True:
        number = table.line_num + 2  # type: ignore[attr-defined]
        try:
            cells = [plain_cell(cell.strip()) for cell in next(table)]
        except StopIteration:
            return
        except csv.Error:
            last = table.line_num + 1  # type: ignore[attr-defined]
            more = f", and with it those to line {last}" if last > number else ""
            yield _Line(number, {}, f"its quotation marks do not match{more}.")
            continue
        if not any(cells):
            continue
        try:
            "".join(cells).encode()
        except UnicodeEncodeError:
            yield _Line(number, {}, "it is not in UTF-8.")
            continue
        if len(cells) > len(names):
            yield _Line(number, {}, f"it has {len(cells)} cells, and the table {len(names)} columns.")
            continue
        yield _Line(number, dict(zip(names, cells, strict=False)))
