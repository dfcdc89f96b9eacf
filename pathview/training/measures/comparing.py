"""Two models on the same patients: the difference of a figure, with an interval from drawing whole patients.

Both models are figured on the same draws, so that what makes some patients hard for both falls out of the difference.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pathview.errors import DataError
from pathview.results.statistics import LEVEL, patient_weights, percentile_interval, quotient, roc_areas
from pathview.training.measures.predictions import AnyScored, Float, Scored
from pathview.training.runs.plan import Fields

Figure = Literal["auc", "dice"]
Verdict = Literal["better", "not_inferior", "not_shown", "too_few"]
FIGURE_WORDS = {"auc": "AUC", "dice": "Dice"}
RUNS = 2000
LEAST_PATIENTS = 5
"""Below it intervals by patient say nothing; drawn again and again, few patients look alike."""
LARGEST_MARGIN = 0.1
_USABLE = 0.9
"""Share of the draws that must hold both truths."""
RULE = (
    "A model is promoted where the lower end of the 95 % interval of the difference (new less present, whole patients "
    "drawn with replacement, 2,000 draws) lies above 0; or, where that was asked for, above minus the stated margin."
)


class Difference(Fields):
    """New less present, of one figure."""

    figure: Figure
    new: float
    present: float
    difference: float
    low: float | None
    """Of the 95 % interval; None where too few draws hold both truths."""
    high: float | None
    patients: int
    images: int

    @property
    def sentence(self) -> str:
        """For people."""
        words = FIGURE_WORDS[self.figure]
        whole = f"{words} {self.new:.3f} against {self.present:.3f}, a difference of {self.difference:+.3f}"
        interval = f" ({self.low:+.3f} to {self.high:+.3f})" if self.low is not None else " (no interval)"
        patients = f"{self.patients:,} patient{'' if self.patients == 1 else 's'}"
        return f"{whole}{interval} on {patients}, {self.images:,} image{'' if self.images == 1 else 's'}"


class Comparison(Fields):
    """One model against another on locked patients, and what follows."""

    new_sha256: str
    """Of the weights."""
    against: str
    """The present model in words, or the baseline."""
    against_sha256: str = ""
    """Empty for a baseline."""
    decides: Difference
    """Dice of outlines, else AUC."""
    beside: tuple[Difference, ...] = ()
    margin: float | None = Field(None, gt=0, le=LARGEST_MARGIN)
    """How much worse it may be at most, where no more than that was asked for."""
    notices: tuple[str, ...] = ()
    run: str = ""
    """Name of the training whose locked patients they are."""
    split_sha256: str = ""
    """Of its locked test part."""

    @property
    def verdict(self) -> Verdict:
        """By :data:`RULE`."""
        low = self.decides.low
        if low is None or self.decides.patients < LEAST_PATIENTS:
            return "too_few"
        if low > 0:
            return "better"
        return "not_inferior" if self.margin is not None and low > -self.margin else "not_shown"

    @property
    def promotes(self) -> bool:
        """Whether the rule lets the new model take the place of the present one."""
        return self.verdict in ("better", "not_inferior")

    @property
    def sentence(self) -> str:
        """What it says, and what follows."""
        ends = {
            "better": "it is better",
            "not_inferior": f"it is at most {self.margin or 0:g} worse, which was the margin asked for",
            "not_shown": "that it is better is not shown",
            "too_few": "these are too few patients to tell",
        }
        return f"Against {self.against}: {self.decides.sentence}; {ends[self.verdict]}."


def paired(new: AnyScored, present: AnyScored, figure: Figure, seed: int = 0, runs: int = RUNS) -> Difference:
    """The difference of a figure between two models on the same images.

    Args:
        new: what the new model said; an entry an image.
        present: what the present one said of the same images in the same order.
        figure: ``auc`` of the positive class (of more than two, the mean of each against the rest), or the mean
            ``dice`` of the outlines.
        seed: of the draws.
        runs: number of draws.

    Raises:
        DataError: the entries are not of the same images, or there is no such figure of them.
    """
    if not np.array_equal(new.patients, present.patients) or not np.array_equal(new.labels, present.labels):
        raise DataError("The two models were not measured on the same images, so they cannot be compared.")
    once = np.ones((1, len(new.patients)))
    values = [float(_figure(scored, figure, once)[0]) for scored in (new, present)]
    if not np.isfinite(values).all():
        raise DataError(f"The test patients do not allow the figure {FIGURE_WORDS[figure]}: both classes are needed.")
    drawn = np.concatenate([
        _figure(new, figure, weights) - _figure(present, figure, weights)
        for weights in patient_weights(new.patients, runs, seed)
    ])  # fmt: skip
    usable = drawn[np.isfinite(drawn)]
    low, high = percentile_interval(usable, LEVEL) if len(usable) >= _USABLE * runs else (None, None)
    return Difference(
        figure=figure,
        new=values[0],
        present=values[1],
        difference=values[0] - values[1],
        low=low,
        high=high,
        patients=len(np.unique(new.patients)),
        images=len(new.labels),
    )


def figures_of(scored: AnyScored) -> tuple[Figure, ...]:
    """The figures that two models are compared by, the one that decides first."""
    both = len(np.unique(scored.labels)) > 1
    outlined = isinstance(scored, Scored) and scored.dice is not None
    return (*(("dice",) if outlined else ()), *(("auc",) if both or not outlined else ()))


def _figure(scored: AnyScored, figure: Figure, weights: Float) -> Float:
    """A figure for each row of weights [runs, n]; NaN where a draw does not allow it."""
    if figure == "dice":
        dice = scored.dice if isinstance(scored, Scored) else None
        if dice is None:
            raise DataError("Only models that outline have a Dice.")
        return quotient(weights @ dice, weights.sum(axis=1))
    if isinstance(scored, Scored):
        return roc_areas(scored.labels == 1, scored.scores, weights)
    areas = [
        roc_areas(scored.labels == index, scored.probabilities[:, index], weights)
        for index in range(len(scored.classes))
    ]
    return _mean_of_known(np.stack(areas))


def _mean_of_known(areas: npt.NDArray[np.float64]) -> Float:
    """Means over the first axis of what is known of it; a class that a draw does not hold has no area."""
    known = np.isfinite(areas)
    return quotient(np.where(known, areas, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))
