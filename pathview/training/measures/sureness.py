"""More than two classes: the most probable one is called where it is probable enough, else somebody has to look."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.results.statistics import patient_weights, percentile_interval, quotient
from pathview.training.measures.calibration import Bools, Estimate, Float, Labels, spread
from pathview.training.runs.plan import Fields

_RUNS = 1000
_MOST_STEPS = 400


class SureOutcome(Fields):
    """What a least probability of the most probable class does; every figure with its interval by patient."""

    least: float
    classes: tuple[str, ...]
    images: int
    patients: int
    confusion: tuple[tuple[int, ...], ...]
    """A row for each true class; a column for each called one, and the last for the images that are not sure."""
    reviewed: Estimate
    """Share of the images that are not sure: the review load."""
    accuracy: Estimate | None
    """Of the others; None where all are not sure."""
    everything: Estimate
    """Accuracy where nothing is left to a reader."""
    commonest: float
    """What always calling the commonest class reaches."""
    sensitivity: dict[str, Estimate | None]
    """By class: of its images that are sure, the share that is called so; None where there are none."""

    @property
    def sentence(self) -> str:
        """For the reader."""
        right = (
            "none is sure" if self.accuracy is None else f"of the others {_per_cent(self.accuracy)} are called right"
        )
        plain = f"always calling the commonest class {100 * self.commonest:.0f}\u00a0%"
        return (
            f"{_per_cent(self.reviewed)} not sure and to be reviewed, {right}. Without a limit "
            f"{_per_cent(self.everything)} are right, {plain}."
        )


def _per_cent(found: Estimate) -> str:
    return f"{100 * found.value:.0f}\u00a0% ({100 * found.low:.0f} to {100 * found.high:.0f})"


@dataclass(frozen=True)
class ClassScores:
    """Probabilities of images of known truth, at any least probability of the most probable class."""

    patients: npt.NDArray[Any]
    """[n], a key for each image."""
    labels: Labels
    probabilities: Float
    """[n, classes]."""
    classes: tuple[str, ...]

    @cached_property
    def highest(self) -> Float:
        """[n]: each image's probability of its most probable class."""
        return np.asarray(self.probabilities.max(axis=1), np.float64)

    @cached_property
    def right(self) -> Bools:
        """[n]: whether the most probable class is the true one."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels, np.bool_)

    @cached_property
    def steps(self) -> Float:
        """Limits that differ in what they leave to a reader, ascending from 0; of many images some of them."""
        values = np.unique(self.highest)
        between = (values[1:] + values[:-1]) / 2
        chosen = np.unique(np.linspace(0, len(between) - 1, min(len(between), _MOST_STEPS)).round().astype(np.intp))
        return np.concatenate([[0.0], between[chosen] if len(between) else between])

    def at(self, least: float) -> SureOutcome:
        """What a limit does."""
        sure = self.highest >= least
        called = np.where(sure, self.probabilities.argmax(axis=1), len(self.classes))
        width = len(self.classes) + 1
        counts = np.bincount(self.labels * width + called, minlength=width * len(self.classes))
        everyone = np.ones(len(self.labels), np.bool_)
        reviewed, everything = self._share(~sure, everyone), self._share(self.right, everyone)
        assert reviewed is not None  # there is at least one image
        assert everything is not None
        return SureOutcome(
            least=least,
            classes=self.classes,
            images=len(self.labels),
            patients=len(self._weights[0]),
            confusion=tuple(tuple(int(n) for n in line) for line in counts.reshape(-1, width)),
            reviewed=reviewed,
            accuracy=self._share(self.right, sure),
            everything=everything,
            commonest=float(np.bincount(self.labels).max() / len(self.labels)),
            sensitivity={
                name: self._share(self.right, sure & (self.labels == i)) for i, name in enumerate(self.classes)
            },
        )

    def suggested(self, right: float) -> float:
        """The smallest limit at which so large a share (0..1) of the sure images is called right.

        Where none reaches it, the one that comes nearest.
        """
        order = np.argsort(self.highest)
        below = np.searchsorted(self.highest[order], self.steps)
        found = np.cumsum(self.right[order][::-1])[::-1][below]
        shares = found / (len(order) - below)
        enough = np.flatnonzero(shares >= right)
        return float(self.steps[enough[0] if len(enough) else int(shares.argmax())])

    def of_load(self, share: float) -> float:
        """The limit that leaves about such a share (0..1) of the images to a reader."""
        if share <= 0:
            return 0.0
        loads = np.searchsorted(np.sort(self.highest), self.steps) / len(self.highest)
        return float(self.steps[int(np.abs(loads - share).argmin())])

    @cached_property
    def _weights(self) -> tuple[npt.NDArray[Any], Labels, Float]:
        """The patients, whose each image is, and how often each patient is in each draw: [runs, patients]."""
        names, inverse = np.unique(self.patients, return_inverse=True)
        return names, inverse, np.concatenate(list(patient_weights(names, _RUNS, 0)))

    def _share(self, hits: Bools, among: Bools) -> Estimate | None:
        """The share of ``among`` that is hit, by patient; None where there is none."""
        if not among.any():
            return None
        names, inverse, weights = self._weights
        part, whole = (np.bincount(inverse, chosen, len(names)) for chosen in (hits & among, among))
        value = float(part.sum() / whole.sum())
        draws = spread(value, quotient(weights @ part, weights @ whole), int((whole > 0).sum()))
        low, high = percentile_interval(draws)
        return Estimate(value=value, low=min(low, value), high=max(high, value))
