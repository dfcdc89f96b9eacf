"""Agreement and accuracy of many tables at once, and intervals from drawing whole patients with replacement.

Images of one patient are alike, so a draw takes all of a patient's images or none: images drawn one by one would
make an interval that is too narrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Weighting = Literal["none", "linear", "quadratic"]

LEVEL = 0.95
ENOUGH_FOR_INTERVAL = 3
"""Patients of each class that a figure needs, below which drawing patients again cannot tell how it would vary."""
_NUMBERS_AT_ONCE = 2**22


def percentile_interval(values: Sequence[float] | Float, level: float = LEVEL) -> tuple[float, float]:
    """The middle ``level`` of drawn values."""
    tail = 100 * (1 - level) / 2
    return float(np.percentile(values, tail)), float(np.percentile(values, 100 - tail))


def patient_draws(patients: npt.NDArray[Any], runs: int, seed: int) -> Iterator[Indices]:
    """Indices of the entries of each draw, repeats among them; ``patients`` [n] has a key for each entry."""
    names, inverse = np.unique(patients, return_inverse=True)
    members = [np.flatnonzero(inverse == i) for i in range(len(names))]
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        chosen = rng.integers(0, len(names), len(names))
        yield np.concatenate([members[i] for i in chosen])


def patient_weights(patients: npt.NDArray[Any], runs: int, seed: int) -> Iterator[Float]:
    """How often each entry is in each draw: [some runs, n] at a time, ``runs`` of them in all."""
    names, inverse = np.unique(patients, return_inverse=True)
    count = len(names)
    at_once = max(1, _NUMBERS_AT_ONCE // max(1, len(patients)))
    rng = np.random.default_rng(seed)
    for start in range(0, runs, at_once):
        drawn = [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(min(at_once, runs - start))]
        yield np.stack(drawn)[:, inverse].astype(np.float64)


def patient_tables(patients: npt.NDArray[Any], cells: Indices, count: int, runs: int, seed: int) -> Float:
    """How many entries of each draw lie in each cell: [runs, count].

    Patients whose entries lie in the same cells are alike, so it is drawn how many of each kind there are: the same
    draws by patient, whose time does not grow with the number of patients.

    Args:
        patients: [n], a key for each entry.
        cells: [n], the cell of each entry, 0 to ``count`` - 1.
        count: number of cells.
        runs: number of draws.
        seed: of the draws.
    """
    names, inverse = np.unique(patients, return_inverse=True)
    own = np.bincount(inverse * count + cells, minlength=len(names) * count).reshape(len(names), count)
    kinds, sizes = np.unique(own, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), sizes / len(names), runs)
    return np.asarray(drawn @ kinds, np.float64)


def kappa(tables: Float, weighting: Weighting = "none") -> Float:
    """Cohen's kappa of tables [..., k, k]; NaN where it is not defined: both raters used one and the same value."""
    size = tables.shape[-1]
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    cost = {"none": (apart > 0).astype(np.float64), "linear": apart, "quadratic": apart**2}[weighting]
    total = tables.sum(axis=(-2, -1))
    by_chance = tables.sum(axis=-1)[..., :, None] * tables.sum(axis=-2)[..., None, :]
    return 1 - quotient((tables * cost).sum(axis=(-2, -1)) * total, (by_chance * cost).sum(axis=(-2, -1)))


def quotient(part: Float, whole: Float) -> Float:
    """``part / whole``, NaN where ``whole`` is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(whole == 0, np.nan, part / whole), np.float64)


def roc_areas(positive: npt.NDArray[np.bool_], scores: Float, weights: Float) -> Float:
    """Area under the ROC curve for each row of weights [runs, n], ties counted half: [runs].

    NaN where all of the weight lies on positives, or on negatives.
    """
    order = np.argsort(scores, kind="stable")
    starts = _changes(scores[order])
    sorted_weights = weights[:, order]
    of_positives = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
    of_negatives = np.add.reduceat(sorted_weights * ~positive[order], starts, axis=1)
    below = np.cumsum(of_negatives, axis=1) - of_negatives / 2
    pairs = of_positives.sum(axis=1) * of_negatives.sum(axis=1)
    return quotient((of_positives * below).sum(axis=1), pairs)


def roc_points(positive: npt.NDArray[np.bool_], scores: Float) -> Float:
    """The ROC curve, a point for each threshold and the strictest first: share of false positives, sensitivity: [m, 2].

    Both truths must be among ``positive`` [n].
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.append(_changes(scores[order])[1:], len(scores)) - 1
    counts = np.stack([np.cumsum(~positive[order]), np.cumsum(positive[order])], axis=-1)[ends]
    return np.concatenate([np.zeros((1, 2)), counts / counts[-1]])


def _changes(ordered: Float) -> Indices:
    """Where runs of equal values begin."""
    return np.flatnonzero(np.diff(ordered, prepend=np.nan) != 0)


def mcnemar_p(better: int, worse: int) -> float:
    """McNemar's exact test, both sides: how likely so uneven a split of the changes is, if each is a coin's toss."""
    from scipy.special import bdtr  # scipy.stats takes seconds to import

    return min(1.0, 2 * float(bdtr(min(better, worse), better + worse, 0.5)))
