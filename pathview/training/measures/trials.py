"""Trials: what the same training comes to on fewer patients, and on outlines that were dealt out anew.

A classifier's learning curve and label shuffle need a head on kept features alone; a model that outlines has to be
trained again for each. All are judged on the validation patients: the test patients stay closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pathview.errors import DataError
from pathview.models.weights import MANIFEST, read_manifest
from pathview.training.measures.calibration import Estimate
from pathview.training.measures.evaluate import Reached, estimates
from pathview.training.measures.figures import Peer, peer
from pathview.training.measures.folds import Way, folds_of, model_way
from pathview.training.measures.growth import LearningCurve, LearningPoint, apart
from pathview.training.measures.predictions import Scored
from pathview.training.runs.plan import Fields
from pathview.training.runs.run_folder import TRIALS, RunFolder

SHARES = (0.25, 0.5)
"""Of the training patients."""
_HALF = 0.5
DEALT = "dealt outlines"


class Trials(Fields):
    """``trials.json``."""

    format: Literal[1] = 1
    way: Way
    own: Reached
    """Mean Dice of the training on all patients with their own outlines."""
    curve: LearningCurve
    dealt: Peer | None
    """The training on other patients' outlines, and the difference to it; None where it could not be trained."""
    notices: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """For the reader."""
        return " ".join(part for part in (self.curve.sentence, self.about_dealt) if part)

    @property
    def stood(self) -> bool | None:
        """Whether outlines of other patients teach less; None where that cannot be told."""
        return None if self.dealt is None or self.dealt.difference is None else self.dealt.better

    @property
    def about_dealt(self) -> str:
        """What the training on other patients' outlines says."""
        found = self.dealt.difference if self.dealt is not None else None
        if found is None:
            return ""
        span = f" ({found.low:+.2f} to {found.high:+.2f})" if found.low is not None else " (no interval)"
        figures = f"Dice {found.new:.2f} against {found.present:.2f}, a difference of {found.difference:+.2f}{span}"
        if self.stood:
            return f"Trained on outlines of other patients it falls, as it must: {figures}."
        return (
            f"That the true outlines teach more than those of other patients is not shown: {figures}. It may have "
            "learnt no more than a usual place."
        )

    def summary(self) -> dict[str, object]:
        """The object that ``pathview train`` and ``pathview evaluate`` print."""
        found = self.dealt.difference if self.dealt is not None else None
        return {
            "sentence": self.sentence,
            "dice": self.own.model_dump(mode="json"),
            "learning_curve": [point.model_dump(mode="json") for point in self.curve.points],
            "dealt_outlines": found.model_dump(mode="json") if found is not None else None,
            "left_out": list(self.notices),
        }


@dataclass(frozen=True)
class Tried:
    """One training, and what it said of the validation images."""

    share: float
    patients: int
    """That it learnt from."""
    images: int
    scored: Scored


def trials(way: Way, tried: Sequence[Tried], dealt: Scored | None, notices: Sequence[str]) -> Trials:
    """What trainings come to beside the one on all patients.

    Args:
        way: how all of them were trained.
        tried: in the order of their shares; the last is on all patients.
        dealt: what the training on other patients' outlines said; None where it could not be trained.
        notices: what must not be overlooked.
    """
    whole = tried[-1].scored
    points = [
        LearningPoint(share=one.share, patients=one.patients, images=one.images, value=estimates(one.scored)["dice"])
        for one in tried
    ]
    curve = LearningCurve(points=apart(points), gain=_gain(tried), figure="dice", trained=True)
    other = peer(DEALT, whole, dealt) if dealt is not None else None
    return Trials(way=way, own=points[-1].value, curve=curve, dealt=other, notices=tuple(dict.fromkeys(notices)))


def _gain(tried: Sequence[Tried]) -> Estimate | None:
    half = next((one for one in tried if one.share == _HALF), None)
    found = peer("half", tried[-1].scored, half.scored).difference if half is not None else None
    if half is None or half.patients == tried[-1].patients or found is None or found.low is None or found.high is None:
        return None
    return Estimate(value=found.difference, low=found.low, high=found.high)


def trials_of(run: RunFolder) -> tuple[Trials | None, str]:
    """The trials of the model that is there; or None, and why there are none.

    Raises:
        DataError: plan or split are damaged.
        ModelError: the model is damaged.
    """
    if not run.plan().recipe.trials:
        return None, "There is no learning curve: the training was asked for no trials on fewer patients."
    if not (run.model / MANIFEST).is_file():
        return None, "The trials are trained after the model."
    if not run.has(TRIALS):
        return None, "The trials for the learning curve are not trained yet: go on with the training."
    try:
        found = run.read(TRIALS, Trials)
    except DataError as error:
        return None, f"{error} Go on with the training, which writes it again."
    if found.way != model_way(run):
        return None, "The trials are of another split, recipe or seed than the model: go on with the training."
    return found, ""


Lacking = Literal["folds", "trials"]


def lacking(run: RunFolder) -> tuple[Lacking, ...]:
    """What is wanted beside the model that is there, and not trained as it was.

    Raises:
        DataError, ModelError: plan, split or model are missing or damaged.
    """
    found: list[Lacking] = ["folds"] if run.split().folds and folds_of(run)[0] is None else []
    tries = run.plan().recipe.trials and not read_manifest(run.model).recipe.classifies
    return (*found, "trials") if tries and trials_of(run)[0] is None else tuple(found)
