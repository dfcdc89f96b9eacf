"""What a threshold means: of 1,000 women so many missed, so many recalled; and which thresholds to take.

Thresholds are chosen on validation patients; the same are then told on the test patients, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pathview.errors import DataError
from pathview.results.statistics import patient_weights, quotient
from pathview.training.measures.calibration import Bools, Estimate, Float, estimate, spread
from pathview.training.runs.plan import Costly, Fields

Unit = Literal["women", "images"]
OF = 1000
PREVALENCE = 0.006
"""Cancers a screened woman, where nothing else is known: about 6 of 1,000."""
MOST_MISSED, MOST_RECALLED = 0.02, 0.1
_WEIGHT_OF_MISSED = {"missed": 5 / 6, "equal": 1 / 2, "recalled": 1 / 6}
"""What a point of sensitivity weighs beside one of specificity: the dearer error counts five times."""
_ENOUGH = 2
_RUNS = 1000


class Outcome(Fields):
    """What a threshold does to 1,000 women (or images), each figure with its interval."""

    threshold: float
    prevalence: float
    unit: Unit
    patients: int
    sensitivity: Estimate
    specificity: Estimate
    missed: Estimate
    """Of 1,000: have it, and are not called."""
    recalled: Estimate
    """Of 1,000: are called, rightly or not."""

    @property
    def sentence(self) -> str:
        """For the reader."""
        whom = "whom" if self.unit == "women" else "which"
        return (
            f"Of {OF:,} {self.unit}, {OF * self.prevalence:.3g} of {whom} have it: {_told(self.missed)} missed, "
            f"{_told(self.recalled)} recalled."
        )


class BandOutcome(Fields):
    """What two thresholds with a not-sure band between them do to 1,000 women (or images)."""

    lower: float
    upper: float
    prevalence: float
    unit: Unit
    patients: int
    missed: Estimate
    """Of 1,000: have it, and lie below the band."""
    reviewed: Estimate
    """Of 1,000: lie in the band, and are to be looked at again: the review load."""
    wrongly_called: Estimate
    """Of 1,000: do not have it, and lie above the band."""

    @property
    def sentence(self) -> str:
        """For the reader."""
        return (
            f"Of {OF:,} {self.unit}: {_told(self.reviewed)} not sure and to be reviewed, {_told(self.missed)} missed, "
            f"{_told(self.wrongly_called)} called without having it."
        )


def _told(figure: Estimate) -> str:
    value, low, high = (f"{n:,.0f}" if n >= 10 else f"{n:.1f}" for n in (figure.value, figure.low, figure.high))
    return f"{value} ({low} to {high})"


@dataclass(frozen=True)
class _Share:
    """A share of patients or images, and its draws."""

    value: float
    draws: Float


@dataclass(frozen=True)
class Scores:
    """Scores of known truth at any threshold; fast enough for a slider, whatever the number of images."""

    patients: npt.NDArray[Any]
    """[n], a key for each entry; an entry is a woman or an image."""
    positive: Bools
    scores: Float
    unit: Unit = "images"

    def __post_init__(self) -> None:
        """Refuse what no threshold can be judged on.

        Raises:
            DataError: only one of the two truths is there.
        """
        if not self.positive.any() or self.positive.all():
            found = "positive" if self.positive.any() else "negative"
            raise DataError(f"All {self.unit} here are {found}; what a threshold costs cannot be told from them.")

    def at(self, threshold: float, prevalence: float) -> Outcome:
        """What calling everything from ``threshold`` on does at a prevalence (0..1).

        Raises:
            DataError: no such prevalence.
        """
        _check_prevalence(prevalence)
        called = self.scores >= threshold
        found, alarmed = self._share(called, self.positive), self._share(called, ~self.positive)
        cleared = _Share(1 - alarmed.value, 1 - alarmed.draws)
        missed = _Share(1 - found.value, 1 - found.draws)
        return Outcome(
            threshold=float(threshold),
            prevalence=prevalence,
            unit=self.unit,
            patients=len(self._names),
            sensitivity=self._estimate(found),
            specificity=self._estimate(cleared),
            missed=self._of_1000(missed, None, prevalence),
            recalled=self._of_1000(found, alarmed, prevalence),
        )

    def band(self, lower: float, upper: float, prevalence: float) -> BandOutcome:
        """What a not-sure band from ``lower`` (in it) to ``upper`` (above it) does at a prevalence (0..1).

        Raises:
            DataError: no such prevalence, or the band is upside down.
        """
        _check_prevalence(prevalence)
        if lower > upper:
            raise DataError("The lower threshold lies above the upper one.")
        below, above = self.scores < lower, self.scores >= upper
        inside = ~below & ~above
        return BandOutcome(
            lower=float(lower),
            upper=float(upper),
            prevalence=prevalence,
            unit=self.unit,
            patients=len(self._names),
            missed=self._of_1000(self._share(below, self.positive), None, prevalence),
            reviewed=self._of_1000(self._share(inside, self.positive), self._share(inside, ~self.positive), prevalence),
            wrongly_called=self._of_1000(None, self._share(above, ~self.positive), prevalence),
        )

    def suggested_threshold(self, costly: Costly) -> float:
        """The threshold of the largest weighted mean of sensitivity and specificity (Youden's, where both weigh alike).

        The dearer error weighs five times the other. Of equally good ones the middle one.
        """
        weight = _WEIGHT_OF_MISSED[costly]
        found, alarmed = self._rates()
        value = weight * found + (1 - weight) * (1 - alarmed)
        best = np.flatnonzero(value >= value.max() - 1e-12)
        return float(self.candidates[best[len(best) // 2]])

    def suggested_band(self, missed: float = MOST_MISSED, recalled: float = MOST_RECALLED) -> tuple[float, float]:
        """Lower and upper threshold of the narrowest band that keeps both errors down.

        Args:
            missed: largest share of those who have it that may lie below.
            recalled: largest share of those who do not that may lie above.
        """
        found, alarmed = self._rates()
        low_enough = np.flatnonzero(1 - found <= missed + 1e-12)
        high_enough = np.flatnonzero(alarmed <= recalled + 1e-12)
        lower = float(self.candidates[low_enough[-1]]) if len(low_enough) else float(self.scores.min())
        upper = float(self.candidates[high_enough[0]]) if len(high_enough) else _above(self.scores.max())
        return (lower, upper) if lower <= upper else ((lower + upper) / 2,) * 2

    @cached_property
    def candidates(self) -> Float:
        """Thresholds that differ in what they call, ascending: midway between neighbouring scores."""
        values = np.unique(self.scores)
        return np.asarray((values[1:] + values[:-1]) / 2 if len(values) > 1 else values, np.float64)

    def _rates(self) -> tuple[Float, Float]:
        """Sensitivity and share of false alarms at each candidate."""
        ordered = [np.sort(self.scores[truth]) for truth in (self.positive, ~self.positive)]
        found, alarmed = (1 - np.searchsorted(own, self.candidates) / len(own) for own in ordered)
        return found, alarmed

    @cached_property
    def _keys(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
        names, inverse = np.unique(self.patients, return_inverse=True)
        return names, inverse

    @property
    def _names(self) -> npt.NDArray[Any]:
        return self._keys[0]

    @cached_property
    def _weights(self) -> Float:
        """How often each patient is in each draw: [runs, patients]."""
        return np.concatenate(list(patient_weights(self._names, _RUNS, 0)))

    def _share(self, hits: Bools, among: Bools) -> _Share:
        """The share of ``among`` that is hit, with draws by patient."""
        inverse = self._keys[1]
        part = np.bincount(inverse, hits & among, len(self._names))
        whole = np.bincount(inverse, among, len(self._names))
        value = float(part.sum() / whole.sum())
        draws = quotient(self._weights @ part, self._weights @ whole)
        if np.nanmax(draws) > np.nanmin(draws):
            return _Share(value, draws)
        return _Share(value, spread(value, draws, int((whole > 0).sum())))

    def _estimate(self, share: _Share) -> Estimate:
        return estimate(share.value, share.draws, len(self._names))

    def _of_1000(self, having: _Share | None, free: _Share | None, prevalence: float) -> Estimate:
        """Of 1,000 at a prevalence: a share of those who have it, and one of those who do not."""
        zero = _Share(0.0, np.zeros(_RUNS))
        one, other = having or zero, free or zero
        value = prevalence * one.value + (1 - prevalence) * other.value
        draws = prevalence * one.draws + (1 - prevalence) * other.draws
        found = estimate(value, draws, len(self._names))
        return Estimate(value=OF * found.value, low=OF * found.low, high=OF * found.high)


def _check_prevalence(prevalence: float) -> None:
    if not 0 < prevalence < 1:
        raise DataError("A prevalence lies between 0 and 1: 0.006 is 6 of 1,000.")


def _above(score: float) -> float:
    return float(np.nextafter(score, np.inf))


def by_woman(patients: npt.NDArray[Any], positive: Bools, scores: Float) -> Scores:
    """A woman has it where one of her images has, and is called where one of them is: her highest score counts.

    Raises:
        DataError: all women are of one truth.
    """
    names, inverse = np.unique(patients, return_inverse=True)
    highest = np.full(len(names), -np.inf)
    np.maximum.at(highest, inverse, scores)
    return Scores(names, np.bincount(inverse, positive) > 0, highest, "women")


def unit_of(*parts: tuple[npt.NDArray[Any], Bools]) -> Unit:
    """Women where each part (patients, truths) has at least two with and two without it, else images.

    Patches of one slide are of both truths in every woman, so no woman is without.
    """
    for patients, positive in parts:
        having = len(np.unique(patients[positive]))
        if having < _ENOUGH or len(np.unique(patients)) - having < _ENOUGH:
            return "images"
    return "women"


def scores_of(patients: npt.NDArray[Any], positive: Bools, scores: Sequence[float] | Float, unit: Unit) -> Scores:
    """Scores by woman or by image.

    Raises:
        DataError: only one of the two truths is there.
    """
    values = np.asarray(scores, np.float64)
    return by_woman(patients, positive, values) if unit == "women" else Scores(patients, positive, values)
