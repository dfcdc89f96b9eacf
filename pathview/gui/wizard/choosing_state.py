"""What page 9 chooses from: the validation scores as the network gives them, and calibrated; read in a child."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pathview.errors import DataError
from pathview.jobs import CancelToken, ProgressSink
from pathview.settings import Settings
from pathview.training.runs.run_folder import RunFolder

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.judging.chooser import Choice, Chooser
    from pathview.training.judging.choosing import Operating
    from pathview.training.measures.operating import BandOutcome, Outcome, Scores
    from pathview.training.measures.sureness import ClassScores, SureOutcome


@dataclass(frozen=True)
class Scale:
    """The scores at one temperature: of two classes (or of outlines), or of more."""

    temperature: float
    suggested: Choice
    scores: Scores | None
    sure: ClassScores | None

    def outcome(self, choice: Choice) -> tuple[Outcome, BandOutcome] | SureOutcome:
        """What a choice does; of many patients it takes a moment."""
        if self.sure is not None:
            return self.sure.at(choice.least)
        assert self.scores is not None
        return (
            self.scores.at(choice.threshold, choice.prevalence),
            self.scores.band(choice.lower, choice.upper, choice.prevalence),
        )

    def carried_over(self, choice: Choice, other: Scale) -> Choice:
        """The same choice on this scale, from another: the same decisions; of more classes the same review load."""
        if self.sure is None or other.sure is None:
            return choice.at_temperature(self.temperature)
        load = float((other.sure.highest < choice.least).mean())
        return choice.model_copy(update={"temperature": self.temperature, "least": self.sure.of_load(load)})


@dataclass(frozen=True)
class Choosing:
    """What can be chosen from, or why nothing can."""

    chooser: Chooser | None = None
    scales: Mapping[bool, Scale] = field(default_factory=dict)
    """Not calibrated, and calibrated where there is a temperature."""
    kept: Operating | None = None
    problem: str = ""

    @property
    def start(self) -> Choice:
        """What was kept, else what is suggested of the score as the network gives it."""
        return self.kept.choice if self.kept is not None else self.scales[False].suggested


def read_choosing(
    folder: RunFolder, kept: Operating | None, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Choosing:
    """The validation scores of a run with a result (a job for a child: a thread would take the window's turns)."""
    from pathview.training.judging.chooser import COVERAGE, choosers

    def scale(temperature: float) -> Scale:
        found = chooser.suggested(None, COVERAGE, "errors", temperature)
        if chooser.many:
            return Scale(temperature, found, None, chooser.classes_at(temperature))
        return Scale(temperature, found, chooser.scores_at(temperature), None)

    try:
        chooser = choosers(folder)["validation"]
        scales = {False: scale(1.0)}
        before = kept.choice.temperature if kept is not None else 1.0
        if before != 1 or chooser.tempering is not None:
            scales[True] = scale(before if before != 1 else chooser.calibrating())
    except DataError as error:
        return Choosing(kept=kept, problem=str(error))
    return Choosing(chooser, scales, kept)
