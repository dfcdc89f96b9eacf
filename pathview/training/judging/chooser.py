"""What can be chosen on the validation patients: thresholds, a not-sure band, a temperature, what is sure enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy.typing as npt
from pydantic import Field

from pathview.errors import DataError
from pathview.models.recipe import DecisionSpec
from pathview.models.temperature import tempered, tempered_limit
from pathview.models.weights import read_manifest
from pathview.training.judging.result import predictions_at, read_result
from pathview.training.measures.calibration import Float, Labels, conformal_band, conformal_limits
from pathview.training.measures.figures import Prediction, arrays_of
from pathview.training.measures.operating import PREVALENCE, Scores, Unit, scores_of, unit_of
from pathview.training.measures.risk import OutlineRisk
from pathview.training.measures.sureness import ClassScores
from pathview.training.measures.tempering import Tempering, tempering_of
from pathview.training.runs.plan import Costly, Fields, PartName
from pathview.training.runs.run_folder import RunFolder

COVERAGE = 0.9
BandBy = Literal["errors", "conformal"]
_SCREENED = "mammogram"
_NOT_CALIBRATED = {
    "outlines": "The score of a model that outlines is an area, no probability: there is nothing to calibrate.",
    "nothing": "No temperature can be fitted: every validation image is called right, or there is one patient only.",
}


class Choice(Fields):
    """What somebody settled on; limits are of the score at ``temperature``."""

    threshold: float
    lower: float
    upper: float
    prevalence: float = Field(PREVALENCE, gt=0, lt=1)
    coverage: float = Field(COVERAGE, gt=0, lt=1)
    """Wished of the conformal sets."""
    temperature: float = Field(1.0, gt=0, le=100)
    """Of the calibrated score; 1: as the network gives it."""
    least: float = Field(0.0, ge=0, le=1)
    """Of more than two classes: see :attr:`pathview.models.recipe.DecisionSpec.least`."""

    def at_temperature(self, temperature: float) -> Choice:
        """The same limits of two classes on another scale: the same images reach them."""
        limits = (self.threshold, self.lower, self.upper)
        names = ("threshold", "lower", "upper")
        moved = {n: tempered_limit(v, temperature / self.temperature) for n, v in zip(names, limits, strict=True)}
        return self.model_copy(update={**moved, "temperature": temperature})


@dataclass(frozen=True)
class Chooser:
    """The scores of a part's patients as the network gives them, and what follows at a temperature."""

    classes: tuple[str, ...]
    patients: npt.NDArray[Any]
    """[n], a key for each image."""
    labels: Labels
    probabilities: Float
    """[n, classes]; of outlines [n, 1], an area."""
    unit: Unit
    costly: Costly
    decision: DecisionSpec
    """The model's."""
    screening: bool
    """Whether these are images that women are screened by."""
    risk: OutlineRisk | None = None
    """Of outlines, what they miss of the validation patients' lesions."""

    @property
    def outlines(self) -> bool:
        """Whether the score is an area."""
        return bool(self.probabilities.shape[1] == 1)

    @property
    def many(self) -> bool:
        """Whether there are more than two classes."""
        return len(self.classes) > 2

    @cached_property
    def tempering(self) -> Tempering | None:
        """The temperature of these patients; None where there is none."""
        return None if self.outlines else tempering_of(self.probabilities, self.labels, self.patients)

    @property
    def no_tempering(self) -> str:
        """Why there is no temperature, in one sentence; empty: there is."""
        return "" if self.tempering is not None else _NOT_CALIBRATED["outlines" if self.outlines else "nothing"]

    @property
    def about_tempering(self) -> str:
        """What a temperature would do, or why there is none, for the reader."""
        found = self.tempering
        return self.no_tempering if found is None else f"{found.offer}. {found.sentence}"

    @property
    def about_risk(self) -> str:
        """Of outlines, what they miss of new patients' lesions; else nothing."""
        return "" if self.risk is None else self.risk.sentence

    def probabilities_at(self, temperature: float) -> Float:
        """[n, classes]."""
        return self.probabilities if temperature == 1 else tempered(self.probabilities, temperature)

    def scores_at(self, temperature: float) -> Scores:
        """What a slider asks, of two classes or of outlines.

        Raises:
            DataError: there are more than two classes, or one truth only.
        """
        if self.many:
            raise DataError(
                f"The model tells {len(self.classes)} classes apart; what a threshold does to 1,000 is told of two."
            )
        return scores_of(self.patients, self.labels == 1, self.probabilities_at(temperature)[:, -1], self.unit)

    def classes_at(self, temperature: float) -> ClassScores:
        """What a slider asks, of more than two classes."""
        return ClassScores(self.patients, self.labels, self.probabilities_at(temperature), self.classes)

    @property
    def prevalence(self) -> float:
        """What to begin with: where women are screened 6 of 1,000, else the share here."""
        return PREVALENCE if self.screening or self.many else float(self.scores_at(1).positive.mean())

    def calibrating(self) -> float:
        """The temperature to keep.

        Raises:
            DataError: there is none.
        """
        if self.tempering is None:
            raise DataError(self.no_tempering)
        return self.tempering.temperature

    def suggested(self, prevalence: float | None, coverage: float, by: BandBy, temperature: float) -> Choice:
        """See :func:`suggested`."""
        if self.many:
            return Choice(
                threshold=self.decision.threshold,
                lower=self.decision.lower,
                upper=self.decision.upper,
                coverage=coverage,
                temperature=temperature,
                least=self.classes_at(temperature).suggested(coverage),
            )
        scores = self.scores_at(1)
        lower, upper = scores.suggested_band() if by == "errors" else self._conformal_band(coverage)
        return Choice(
            threshold=scores.suggested_threshold(self.costly),
            lower=lower,
            upper=upper,
            prevalence=self.prevalence if prevalence is None else prevalence,
            coverage=coverage,
        ).at_temperature(temperature)

    def _conformal_band(self, coverage: float) -> tuple[float, float]:
        if self.outlines:
            raise DataError("The score of a model that outlines is an area, no probability: it has no conformal sets.")
        return conformal_band(conformal_limits(self.probabilities, self.labels, self.patients, coverage))


def choosers(run: RunFolder) -> dict[PartName, Chooser]:
    """The validation and the test patients of a run with a result.

    Raises:
        DataError: there is no result yet, it is of another model, or nothing can be chosen on the validation patients.
    """
    result, manifest = read_result(run), read_manifest(run.model)
    if manifest.sha256 != result.sha256:
        raise DataError("The result is of another model than the one that is there; look at the result again.")
    if manifest.recipe.training.refit:
        raise DataError(
            "The model was trained anew on its validation patients, so no threshold can be chosen on them and its "
            "recipe's stays. To choose one, train it again with refit switched off (page 6, More)."
        )
    rows = predictions_at(run, 1)
    parts: dict[PartName, tuple[Prediction, ...]] = {
        "validation": tuple(row for row in rows if row.part == "validation"),
        "test": tuple(row for row in rows if row.part == "test"),
    }
    if not parts["validation"]:
        raise DataError("There are no validation patients to choose a threshold on.")
    unit, screening = _unit(list(parts.values())), _screening(run, manifest.recipe.kinds)
    costly: Costly = run.plan().question.costly
    return {
        part: Chooser(result.classes, *arrays_of(own), unit, costly, manifest.recipe.decision, screening, result.risk)
        for part, own in parts.items()
    }


def _unit(parts: Sequence[Sequence[Prediction]]) -> Unit:
    arrays = [arrays_of(rows) for rows in parts]
    return unit_of(*((patients, labels == 1) for patients, labels, _ in arrays))


def _screening(run: RunFolder, kinds: Sequence[str]) -> bool:
    """Whether it is about mammograms; where the recipe takes other images too, whether there are any here."""
    if _SCREENED not in kinds:
        return False
    return len(kinds) == 1 or any(row.kind == _SCREENED for row in run.rows())


def validation_scores(run: RunFolder, temperature: float = 1) -> Scores:
    """The validation patients' scores, which a slider asks what a threshold does.

    Args:
        run: with a result.
        temperature: of the score; 1: as the network gives it.

    Raises:
        DataError: see :func:`choosers`; or there are more than two classes.
    """
    return choosers(run)["validation"].scores_at(temperature)


def suggested(
    run: RunFolder,
    prevalence: float | None = None,
    coverage: float = COVERAGE,
    by: BandBy = "errors",
    calibrate: bool = False,
) -> Choice:
    """A choice made on the validation patients by which error the plan says costs more.

    Of more than two classes it is what is sure enough: as much as it takes for so large a share of the sure ones to be
    right as the wished coverage.

    Args:
        run: with a result.
        prevalence: 0..1; None: 6 of 1,000 of mammograms, else the share among these patients.
        coverage: wished of the conformal sets, 0..1.
        by: whether the band keeps both kinds of error down, or holds the images of which a conformal set is no answer.
        calibrate: whether the score is calibrated by a temperature; the limits are then on its scale.

    Raises:
        DataError: see :func:`choosers`; conformal sets of no probabilities; or there is no temperature to be had.
    """
    chooser = choosers(run)["validation"]
    return chooser.suggested(prevalence, coverage, by, chooser.calibrating() if calibrate else 1)
