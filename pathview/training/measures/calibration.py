"""Whether a probability means what it says: reliability, temperature scaling, and conformal sets by patient.

Everything is fitted on validation patients and measured on others. What is fitted here holds for patients like those
it was fitted on; another hospital's are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.errors import DataError
from pathview.models.temperature import tempered
from pathview.results.statistics import patient_draws, percentile_interval, quotient
from pathview.training.runs.plan import Fields

Float = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]

BINS = 10
_STEP = 3e-8
"""Half a step of single precision, which scores have: less than the next score, and not lost where a limit is carried
over to a temperature's scale."""
_COLDEST, _HOTTEST = 1 / 20, 20.0
_RUNS = 1000


class Estimate(Fields):
    """A figure and its 95 % interval by patient bootstrap."""

    value: float
    low: float
    high: float


class ReliabilityPoint(Fields):
    """One bin of a reliability diagram."""

    said: float
    """Mean probability that the model gave."""
    found: float
    """Share of the images for which it came true."""
    images: int


class Reliability(Fields):
    """How well probabilities and outcomes agree."""

    points: tuple[ReliabilityPoint, ...]
    ece: float
    """Expected calibration error over ten bins of equal width (Guo 2017): 0 is right, of many images."""
    brier: float
    """Mean squared error of the probabilities; of more than two classes half the sum over them."""


def reliability(probabilities: Float, labels: Labels) -> Reliability:
    """The reliability diagram's points, and the figures that it comes to.

    Args:
        probabilities: [n, classes]. Of two classes the last one's probability is looked at, of more the largest.
        labels: [n], indices of the true classes.
    """
    from sklearn.metrics import brier_score_loss

    classes = probabilities.shape[1]
    if classes == 2:
        said, true = probabilities[:, 1], labels == 1
    else:
        said, true = probabilities.max(axis=1), labels == probabilities.argmax(axis=1)
    bins = np.clip((said * BINS).astype(np.intp), 0, BINS - 1)
    counts, sums, hits = (_sums(bins, values) for values in (np.ones(len(bins)), said, true.astype(np.float64)))
    means, shares = quotient(sums, counts), quotient(hits, counts)
    points = tuple(
        ReliabilityPoint(said=float(means[i]), found=float(shares[i]), images=int(counts[i]))
        for i in np.flatnonzero(counts)
    )
    ece = sum(point.images * abs(point.said - point.found) for point in points) / len(labels)
    # scaled by half, so that of two classes it is the usual (p - y)^2
    brier = brier_score_loss(labels, probabilities, labels=np.arange(classes), scale_by_half=True)
    return Reliability(points=points, ece=float(ece), brier=float(brier))


def _sums(bins: Labels, values: Float) -> Float:
    return np.asarray(np.bincount(bins, values, BINS), np.float64)


def fit_temperature(probabilities: Float, labels: Labels) -> float:
    """The temperature of the largest likelihood (Guo 2017): above 1 the model was too sure of itself.

    1 where every image is called right: the likelihood then has no maximum, and the colder the better.

    Args:
        probabilities: [n, classes] of the validation patients.
        labels: [n], indices of the true classes.
    """
    from scipy.optimize import minimize_scalar

    if (probabilities.argmax(axis=1) == labels).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        given = tempered(probabilities, float(np.exp(log_temperature)))[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(given, 1e-300)).mean())

    found = minimize_scalar(loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def conformal_limits(
    probabilities: Float, labels: Labels, patients: npt.NDArray[Any], coverage: float
) -> tuple[float, ...]:
    """For each class the doubt (1 - its probability) up to which the class belongs to an image's set.

    Split conformal sets for each class, with patients as the units: all of a patient's images of a class weigh as
    much as one image, and the next patient has her share of the weight, beyond every limit (Lee, Barber and Willett
    2023). So of a new patient like these an image of the class has it in its set with at least that probability. With
    one image a patient this is the usual limit (Vovk 2005). A class of too few patients has the limit infinity: it is
    in every set.

    Args:
        probabilities: [n, classes] of the calibrating patients.
        labels: [n], indices of the true classes.
        patients: [n], a key for each image.
        coverage: wished for, above 0 and below 1.

    Raises:
        DataError: such a coverage cannot be asked for.
    """
    if not 0 < coverage < 1:
        raise DataError("A coverage lies between 0 and 1.")
    limits = []
    for label in range(probabilities.shape[1]):
        chosen = labels == label
        limits.append(_limit(1 - probabilities[chosen, label], patients[chosen], coverage))
    return tuple(limits)


def _limit(doubts: Float, patients: npt.NDArray[Any], coverage: float) -> float:
    names, inverse, counts = np.unique(patients, return_inverse=True, return_counts=True)
    weights = 1 / (counts[inverse] * (len(names) + 1))
    order = np.argsort(doubts, kind="stable")
    reached = np.flatnonzero(np.cumsum(weights[order]) >= coverage - 1e-12)
    return float(doubts[order][reached[0]]) if len(reached) else float("inf")


def conformal_sets(probabilities: Float, limits: Sequence[float]) -> Bools:
    """Which classes each image may be of: [n, classes]. Exactly one is an answer, none or several are not sure."""
    return np.asarray(1 - probabilities <= np.asarray(limits), np.bool_)


def conformal_band(limits: Sequence[float]) -> tuple[float, float]:
    """Of two classes the thresholds between which a set is no answer: from the lower on, up to below the upper one."""
    ends = (1 - limits[1], limits[0] + _STEP)
    return max(0.0, min(ends)), min(float(np.nextafter(1.0, 2.0)), max(ends))


class Coverage(Fields):
    """What conformal sets reached on patients that they were not made from; every patient weighs the same."""

    wished: float
    reached: Estimate | None
    """Share of images whose set holds the truth; None without an image."""
    by_class: dict[str, Estimate | None]
    answered: Estimate | None
    """Share of images whose set is one class."""

    @property
    def sentence(self) -> str:
        """For the reader."""
        if self.reached is None or self.answered is None:
            return "There is no image to measure the coverage on."
        short = [
            f"{name!r} was held in {100 * found.value:.0f} % only"
            for name, found in self.by_class.items()
            if found is not None and found.high < self.wished
        ]
        return (
            f"{100 * self.wished:.0f} % wished for, {100 * self.reached.value:.0f} % reached "
            f"({100 * self.reached.low:.0f} to {100 * self.reached.high:.0f}); "
            f"{100 * self.answered.value:.0f} % of the images got one answer"
            + (f"; the class {', '.join(short)}." if short else ".")
        )


def coverage_of(
    sets: Bools, labels: Labels, patients: npt.NDArray[Any], classes: Sequence[str], wished: float
) -> Coverage:
    """The coverage that sets reached.

    Args:
        sets: [n, classes], see :func:`conformal_sets`.
        labels: [n], indices of the true classes.
        patients: [n], a key for each image.
        classes: their names.
        wished: the coverage that the limits were made for.
    """
    held = sets[np.arange(len(labels)), labels]
    return Coverage(
        wished=wished,
        reached=patient_mean(held, patients),
        by_class={name: patient_mean(held[labels == i], patients[labels == i]) for i, name in enumerate(classes)},
        answered=patient_mean(sets.sum(axis=1) == 1, patients),
    )


def patient_mean(hits: Bools, patients: npt.NDArray[Any], seed: int = 0) -> Estimate | None:
    """Mean over patients of each patient's own share of hits, with a patient bootstrap; None without an entry."""
    if not len(hits):
        return None
    names, inverse = np.unique(patients, return_inverse=True)
    shares = np.bincount(inverse, hits) / np.bincount(inverse)
    draws = [float(shares[drawn].mean()) for drawn in patient_draws(names, _RUNS, seed)]
    return estimate(float(shares.mean()), np.array(draws), len(names), seed)


def estimate(value: float, draws: Float, patients: int, seed: int = 0) -> Estimate:
    """A share with the interval of its draws; draws that are no numbers are left out.

    Where all draws agree (everybody was found, say) they would promise certainty: Jeffreys' interval of so many
    patients takes their place.
    """
    low, high = percentile_interval(spread(value, draws, patients, seed))
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def spread(value: float, draws: Float, patients: int, seed: int = 0) -> Float:
    """The draws of a share; see :func:`estimate` for what takes the place of draws that all agree."""
    known = draws[np.isfinite(draws)]
    if len(known) and float(np.ptp(known)) > 0:
        return known
    hits = value * patients
    return np.random.default_rng([seed, 1]).beta(hits + 0.5, patients - hits + 0.5, _RUNS)
