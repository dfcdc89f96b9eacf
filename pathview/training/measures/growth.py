"""How the figures of a way of training grow with the patients that it learns from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from pydantic import AliasChoices, Field

from pathview.training.measures.calibration import Estimate
from pathview.training.measures.comparing import FIGURE_WORDS, Figure
from pathview.training.measures.evaluate import Reached
from pathview.training.runs.plan import Fields

ONE_TRAINING = (
    "Each point is one training of as many epochs, so of fewer patients also of fewer steps; what chance does to a "
    "training is not in the interval."
)


class LearningPoint(Fields):
    """What was learnt from a share of the training patients."""

    share: float
    patients: int
    images: int
    value: Reached = Field(validation_alias=AliasChoices("value", "auc"))  # earlier results call it auc
    """On the validation patients."""


class LearningCurve(Fields):
    """How what is learnt grows with the training patients, judged on the validation patients."""

    points: tuple[LearningPoint, ...]
    gain: Estimate | None
    """The figure on all training patients less that on half of them, drawn together; None where there are too few."""
    figure: Figure = "auc"
    trained: bool = False
    """Whether the whole model was trained at each share, once; else a head on its features, several times."""

    @property
    def name(self) -> str:
        """Of the figure."""
        return FIGURE_WORDS[self.figure]

    @property
    def sentence(self) -> str:
        """For the reader."""
        if self.gain is None:
            return "The patients are too few to tell whether more would help."
        span = f"{self.gain.value:+.3f} ({self.gain.low:+.3f} to {self.gain.high:+.3f}) on the validation patients"
        span = f"{self.name} {span}"
        once = f" {ONE_TRAINING}" if self.trained else ""
        if self.gain.low > 0:
            more = "may" if self.trained else "would probably"
            return f"Twice as many training patients did help, {span}: more {more} help further.{once}"
        return f"That twice as many training patients helped cannot be said: {span}.{once}"


def apart(points: Sequence[LearningPoint]) -> tuple[LearningPoint, ...]:
    """The last of those with as many patients: of few patients several shares are the same ones."""
    return tuple({point.patients: point for point in points}.values())


def patient_order(kinds: Mapping[str, Hashable], seed: Sequence[int]) -> list[list[str]]:
    """Patients of each kind in a random order; a share of each is a share of all kinds in proportion."""
    rng = np.random.default_rng(seed)
    found: dict[Hashable, list[str]] = {}
    for patient, kind in sorted(kinds.items()):
        found.setdefault(kind, []).append(patient)
    return [[str(name) for name in rng.permutation(np.array(patients))] for patients in found.values()]


def first_share(order: Sequence[Sequence[str]], share: float) -> tuple[str, ...]:
    """The first patients of each kind, at least one of each; larger shares hold the smaller ones."""
    return tuple(name for patients in order for name in patients[: max(1, round(share * len(patients)))])
