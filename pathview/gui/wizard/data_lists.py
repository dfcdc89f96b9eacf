"""The lists behind the counts of a data set: patients, images, scanners, what cannot be used, what is there twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pathview.training.runs.chosen import truth_of
from pathview.training.runs.plan import DatasetRow, Question

Cells = tuple[str, ...]
_NONE = "not told"


@dataclass(frozen=True)
class DataList:
    """One count and what is behind it."""

    title: str
    """What is counted, in the plural."""
    count: int
    header: Cells
    lines: tuple[Cells, ...]
    warns: bool = False
    """Whether any of it is a reason to look."""


def data_lists(rows: Sequence[DatasetRow], question: Question) -> tuple[DataList, ...]:
    """All counts of a data set, in the order in which they are shown."""
    usable = [row for row in rows if not row.problem]
    return (
        _by("patients", lambda row: row.patient, usable, question),
        _images(usable, question),
        _by("scanners", lambda row: row.scanner, usable, question),
        _unusable(rows),
        _copies(usable),
        _alike(usable),
        _nameless(usable),
    )


def _by(title: str, key: Callable[[DatasetRow], str], rows: Iterable[DatasetRow], question: Question) -> DataList:
    """How many images of each truth there are for each value."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[key(row)][truth_of(row, question)] += 1
    lines = [(name or _NONE, f"{own.total():,}", _told(own)) for name, own in sorted(counts.items())]
    return DataList(
        title, sum(bool(name) for name in counts), (title[:-1].capitalize(), "Images", "Classes"), tuple(lines)
    )


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name or _NONE} {number:,}" for name, number in sorted(counts.items()))


def _images(rows: Sequence[DatasetRow], question: Question) -> DataList:
    lines = tuple(
        (
            row.file.name,
            row.patient or _NONE,
            truth_of(row, question) or _NONE,
            f"{row.width} x {row.height}",
            row.source,
        )
        for row in rows
    )
    return DataList("images", len(rows), ("File", "Patient", "Class", "Pixels", "Found as"), lines)


def _unusable(rows: Sequence[DatasetRow]) -> DataList:
    lines = tuple((row.file.name, row.problem) for row in rows if row.problem)
    return DataList("cannot be used", len(lines), ("File", "Why"), lines, bool(lines))


def _copies(rows: Sequence[DatasetRow]) -> DataList:
    """Images of the same pixels, those that belong together below each other."""
    alike: dict[str, list[DatasetRow]] = defaultdict(list)
    for row in rows:
        alike[row.sha256].append(row)
    groups = [own for own in alike.values() if len(own) > 1]
    count = sum(len(own) - 1 for own in groups)
    return DataList("exact copies", count, _GROUPED, _lines(groups), bool(count))


def _alike(rows: Sequence[DatasetRow]) -> DataList:
    """Images that are nearly the same: turned, mirrored, compressed, resized."""
    near: dict[str, list[DatasetRow]] = defaultdict(list)
    for row in rows:
        if row.group:
            near[row.group].append(row)
    groups = [own for own in near.values() if len({row.sha256 for row in own}) > 1]
    count = sum(len({row.sha256 for row in own}) - 1 for own in groups)
    return DataList("nearly alike", count, _GROUPED, _lines(groups), bool(count))


_GROUPED = ("Group", "File", "Patient", "Class")


def _lines(groups: Sequence[Sequence[DatasetRow]]) -> tuple[Cells, ...]:
    return tuple(
        (str(number), row.file.name, row.patient or _NONE, row.label)
        for number, own in enumerate(groups, start=1)
        for row in own
    )


def _nameless(rows: Sequence[DatasetRow]) -> DataList:
    lines = tuple((row.file.name, row.label, row.source) for row in rows if not row.patient)
    return DataList("without a patient", len(lines), ("File", "Class", "Found as"), lines, bool(lines))
