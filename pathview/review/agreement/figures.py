"""The numbers of an agreement page: each with its interval, and with the cases behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pathview.results import statistics
from pathview.results.statistics import Float, Indices
from pathview.review.cases.study_records import StudyCase

RUNS, SEED = 2000, 0
INTERVALS = f"Intervals: 95 %, bootstrap over patients, {RUNS:,} draws."
Mask = npt.NDArray[np.bool_]
Unit = Literal["share", "index", "p", "seconds"]
OfTables = Callable[[Float], Float]
"""From tables [..., *axes] to a figure for each: [...]."""

_ONE_PATIENT = "All cases are of one patient, so there is no interval."
_ALL_ALIKE = "Every draw of patients gives the same, so there is no interval."
_ONE_CLASS = "All cases are known to be the same, so there is no curve."
_SELDOM = "Most draws of patients leave it undefined, so there is no interval."


@dataclass(frozen=True)
class Figure:
    """A number, how sure it is, and the cases that it comes from."""

    name: str
    """For programs."""
    title: str
    value: float | None
    """None: it is not defined; ``why`` says why."""
    low: float | None
    """Of the interval, or for seconds the lower quartile; None: there is none."""
    high: float | None
    cases: tuple[int, ...]
    """Ids."""
    unit: Unit = "index"
    why: str = ""
    """Why number or interval is missing, in a sentence."""
    counted: tuple[int, ...] | None = None
    """Of a share: those of ``cases`` that it counts; None: it is no share."""

    @property
    def behind(self) -> tuple[int, ...]:
        """The cases that the number itself opens."""
        return self.cases if self.counted is None else self.counted

    @property
    def words(self) -> str:
        """The number as people read it, without interval."""
        return "not defined" if self.value is None else _number(self.value, self.unit)

    @property
    def interval_words(self) -> str:
        """The interval as people read it, or empty."""
        if self.low is None or self.high is None:
            return ""
        return f"{_number(self.low, self.unit)} to {_number(self.high, self.unit)}"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        interval = None if self.low is None else [self.low, self.high]
        spread = "quartiles" if self.unit == "seconds" else "interval"
        return {
            "name": self.name,
            "title": self.title,
            "value": self.value,
            spread: interval,
            "n": len(self.cases),
            "counted": None if self.counted is None else len(self.counted),
            "why": self.why,
        }


def _number(value: float, unit: Unit) -> str:
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "seconds":
        return f"{value:.0f} s"
    if unit == "p":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return f"{value:.3f}"


@dataclass(frozen=True)
class CrossTable:
    """Cases by two things that were said of them."""

    name: str
    """For programs."""
    title: str
    row_title: str
    column_title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[tuple[int, ...], ...], ...]
    """Ids of the cases, a row for each of ``rows``, in it a tuple for each of ``columns``."""

    def as_json(self) -> dict[str, Any]:
        """For programs; counts alone."""
        counts = [[len(cell) for cell in row] for row in self.cells]
        return {"name": self.name, "title": self.title, "rows": self.rows, "columns": self.columns, "counts": counts}


@dataclass(frozen=True)
class Curve:
    """A ROC curve."""

    title: str
    points: tuple[tuple[float, float], ...]
    """Share of false positives and sensitivity at each threshold, the strictest first."""


@dataclass(frozen=True)
class OperatingPoint:
    """Where a rater stands beside the curves."""

    title: str
    false_positives: float
    """1 - specificity."""
    sensitivity: float


@dataclass(frozen=True)
class Section:
    """One comparison."""

    name: str
    """For programs."""
    title: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[CrossTable, ...] = ()
    curves: tuple[Curve, ...] = ()
    points: tuple[OperatingPoint, ...] = ()
    notices: tuple[str, ...] = ()
    """What must be known beside the numbers, a sentence each."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "title": self.title,
            "figures": [figure.as_json() for figure in self.figures],
            "tables": [table.as_json() for table in self.tables],
            "roc": [{"title": curve.title, "points": curve.points} for curve in self.curves],
            "notices": self.notices,
        }


@dataclass(frozen=True)
class Axis:
    """What was said of each case, as one of some values."""

    title: str
    names: tuple[str, ...]
    codes: Indices
    """[n], indices of ``names``."""


class Crossed:
    """Cases crossed by what several raters said of them; draws are made once, for all figures."""

    def __init__(self, cases: Sequence[StudyCase], *axes: Axis) -> None:
        """One code a case on each axis; at least one case."""
        self.ids = np.array([case.id for case in cases], np.intp)
        self.patients = np.array([case.patient for case in cases])
        self.axes = axes
        self.codes = tuple(axis.codes for axis in axes)
        self._shape = tuple(len(axis.names) for axis in axes)

    @cached_property
    def table(self) -> Float:
        """Counts of cases: [*axes]."""
        cells = np.ravel_multi_index(self.codes, self._shape)
        return np.bincount(cells, minlength=int(np.prod(self._shape))).reshape(self._shape).astype(np.float64)

    @cached_property
    def draws(self) -> Float:
        """Counts of the cases of each draw: [runs, *axes]."""
        cells = np.asarray(np.ravel_multi_index(self.codes, self._shape), np.intp)
        count = int(np.prod(self._shape))
        drawn = statistics.patient_tables(self.patients, cells, count, RUNS, SEED)
        return drawn.reshape(-1, *self._shape)

    def cases(self, among: Mask | None = None) -> tuple[int, ...]:
        """Ids of all cases, or of those in a mask [n]."""
        return tuple((self.ids if among is None else self.ids[among]).tolist())

    def figure(
        self,
        name: str,
        title: str,
        of: OfTables,
        unit: Unit,
        undefined: str,
        among: Mask | None = None,
        counted: Mask | None = None,
    ) -> Figure:
        """A figure of the table, with its interval.

        Args:
            name: for programs.
            title: for people.
            of: how it follows from tables [..., *axes].
            unit: of the figure.
            undefined: why it is none where ``of`` gives NaN, in a sentence.
            among: [n], the cases that it comes from; None: all.
            counted: [n], of a share the cases that it counts where they are among those; None: it is no share.
        """
        value = float(of(self.table[None])[0])
        cases = self.cases(among)
        if np.isnan(value):
            return Figure(name, title, None, None, None, cases, unit, undefined)
        patients = self.patients if among is None else self.patients[among]
        found = with_interval(name, title, value, of(self.draws), patients, cases, unit)
        if counted is None:
            return found
        return replace(found, counted=self.cases(counted if among is None else counted & among))

    def cross_table(self, name: str, title: str, first: int = 0, second: int = 1) -> CrossTable:
        """The cases by two of the axes."""
        rows, columns = self.axes[first], self.axes[second]
        cells = tuple(
            tuple(self.cases((rows.codes == i) & (columns.codes == j)) for j in range(len(columns.names)))
            for i in range(len(rows.names))
        )
        return CrossTable(name, title, rows.title, columns.title, rows.names, columns.names, cells)


def with_interval(
    name: str,
    title: str,
    value: float,
    drawn: Float,
    patients: npt.NDArray[Any],
    cases: tuple[int, ...],
    unit: Unit,
) -> Figure:
    """A figure with the interval of its draws [runs], NaN where a draw leaves it undefined.

    ``patients`` [n] has the patient's key of each case that it comes from.
    """
    known = drawn[~np.isnan(drawn)]
    if len(np.unique(patients)) < 2:
        return Figure(name, title, value, None, None, cases, unit, _ONE_PATIENT)
    if len(known) < len(drawn) / 2:
        return Figure(name, title, value, None, None, cases, unit, _SELDOM)
    if known.min() == known.max():
        return Figure(name, title, value, None, None, cases, unit, _ALL_ALIKE)
    low, high = statistics.percentile_interval(known)
    return Figure(name, title, value, low, high, cases, unit)


def area_figure(
    name: str,
    title: str,
    cases: Sequence[StudyCase],
    ratings: Sequence[Float],
    pause: Callable[[], None],
) -> Figure:
    """The area under a rating's ROC curve, or of two ratings of the same cases the first's less the second's.

    Args:
        name: for programs.
        title: for people.
        cases: [n], all known to be positive or negative.
        ratings: one or two of [n], higher where a positive case is likelier.
        pause: called between draws; may raise.
    """
    positive = np.array([case.truth == "positive" for case in cases], np.bool_)

    def areas(weights: Float) -> Float:
        found = [statistics.roc_areas(positive, rating, weights) for rating in ratings]
        return found[0] - found[1] if len(found) > 1 else found[0]

    ids = tuple(case.id for case in cases)
    value = float(areas(np.ones((1, len(cases))))[0])
    if np.isnan(value):
        return Figure(name, title, None, None, None, ids, "index", _ONE_CLASS)
    patients = np.array([case.patient for case in cases])
    drawn = []
    for weights in statistics.patient_weights(patients, RUNS, SEED):
        pause()
        drawn.append(areas(weights))
    return with_interval(name, title, value, np.concatenate(drawn), patients, ids, "index")
