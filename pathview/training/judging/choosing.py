"""Choosing thresholds and calibration on the validation patients, and telling what they do to the test patients, once.

The slider moves over validation patients. Only a choice that is kept is told on the test patients, and every such look
is counted: whoever tries thresholds until the test patients look good leaves a trace of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from pathview.errors import DataError, OutputError
from pathview.jobs import CancelToken, Progress, ProgressSink
from pathview.models.recipe import DecisionSpec
from pathview.models.weights import Manifest, read_manifest, write_manifest
from pathview.settings import Settings
from pathview.training.judging.result import read_predictions, read_result
from pathview.training.measures.calibration import (
    Coverage,
    Reliability,
    conformal_band,
    conformal_limits,
    conformal_sets,
    coverage_of,
    fit_temperature,
    reliability,
    tempered,
)
from pathview.training.measures.figures import Prediction, arrays_of
from pathview.training.measures.operating import PREVALENCE, BandOutcome, Outcome, Scores, Unit, scores_of, unit_of
from pathview.training.runs.locked_uses import log_use, told, uses_of_test
from pathview.training.runs.plan import Costly, Fields, PartName, now
from pathview.training.runs.run_folder import RunFolder

OPERATING = "operating.json"
COVERAGE = 0.9
_FEW_PATIENTS = 20
"""Below it what is chosen on the validation patients rests on a handful of them."""
BandBy = Literal["errors", "conformal"]


class Choice(Fields):
    """What somebody settled on; thresholds are of the score as the model gives it."""

    threshold: float
    lower: float
    upper: float
    prevalence: float = Field(PREVALENCE, gt=0, lt=1)
    coverage: float = Field(COVERAGE, gt=0, lt=1)
    """Wished of the conformal sets."""


class Calibration(Fields):
    """Fitted on the validation patients, measured on the test patients."""

    temperature: float
    before: Reliability
    after: Reliability
    limits: tuple[float | None, ...]
    """For each class the doubt up to which it is in the set; None: always, since there are too few patients."""
    coverage: Coverage


class Operating(Fields):
    """A choice, what it was chosen from, and what it came to: ``operating.json``."""

    format: int = 1
    choice: Choice
    who: str
    at: str = Field(default_factory=now)
    sha256: str
    """Of the weights."""
    validation: Outcome
    validation_band: BandOutcome
    test: Outcome
    test_band: BandOutcome
    calibration: Calibration | None
    """None where the score is no probability."""
    uses: int
    """How often the test patients have been looked at, this time included."""
    notices: tuple[str, ...]


def validation_scores(run: RunFolder) -> Scores:
    """The validation patients' scores, which a slider asks what a threshold does.

    Raises:
        DataError: there is no result yet, or nothing can be chosen on the validation patients.
    """
    rows = _choosing_rows(run)
    return _scores(rows, "validation", _unit(rows))


def suggested(
    run: RunFolder, prevalence: float = PREVALENCE, coverage: float = COVERAGE, by: BandBy = "errors"
) -> Choice:
    """A choice made on the validation patients by which error the plan says costs more.

    Args:
        run: with a result.
        prevalence: 0..1.
        coverage: wished of the conformal sets, 0..1.
        by: whether the band keeps both kinds of error down, or holds the images of which a conformal set is no answer.

    Raises:
        DataError: see :func:`validation_scores`; or conformal sets of more than two classes or of no probabilities.
    """
    rows = _choosing_rows(run)
    scores = _scores(rows, "validation", _unit(rows))
    costly: Costly = run.plan().question.costly
    lower, upper = scores.suggested_band() if by == "errors" else _conformal_band(rows, coverage)
    return Choice(
        threshold=scores.suggested_threshold(costly),
        lower=lower,
        upper=upper,
        prevalence=prevalence,
        coverage=coverage,
    )


def keep_choice(
    run: RunFolder, choice: Choice, who: str, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Operating:
    """Keep a choice in the model, and tell what it does to the test patients (a job for the engine).

    Raises:
        DataError: see :func:`validation_scores`; the band is upside down; or the result is another model's.
        OutputError: it cannot be written.
    """
    if choice.lower > choice.upper:
        raise DataError("The lower threshold lies above the upper one.")
    rows = _choosing_rows(run)
    manifest = _with_limits(read_manifest(run.model), choice)
    unit = _unit(rows)
    watched = _scores(rows, "validation", unit)
    sha256 = read_result(run).sha256
    progress(Progress(0, 2, "thresholds"))
    log_use(run, who, "threshold", sha256)
    tested = _scores(rows, "test", unit)
    progress(Progress(1, 2, "calibration"))
    uses = uses_of_test(run)
    found = Operating(
        choice=choice,
        who=who,
        sha256=sha256,
        validation=watched.at(choice.threshold, choice.prevalence),
        validation_band=watched.band(choice.lower, choice.upper, choice.prevalence),
        test=tested.at(choice.threshold, choice.prevalence),
        test_band=tested.band(choice.lower, choice.upper, choice.prevalence),
        calibration=_calibration(rows, read_result(run).classes, choice.coverage),
        uses=len(uses),
        notices=(*_notices(rows, unit), told(uses)),
    )
    try:
        write_manifest(run.model, manifest)
    except OSError as error:
        raise OutputError(f"The thresholds cannot be written to {run.name}: {error.strerror}.") from error
    run.write(OPERATING, found)
    return found


def read_operating(run: RunFolder) -> Operating:
    """The choice that was kept.

    Raises:
        DataError: there is none, or it is damaged.
    """
    return run.read(OPERATING, Operating)


def _choosing_rows(run: RunFolder) -> tuple[Prediction, ...]:
    """All predictions of the model that is there, which must not have been trained on its validation patients."""
    result, rows, manifest = read_result(run), read_predictions(run), read_manifest(run.model)
    if manifest.sha256 != result.sha256:
        raise DataError("The result is of another model than the one that is there; look at the result again.")
    if manifest.recipe.training.refit:
        raise DataError(
            "The model was trained anew on its validation patients, so no threshold can be chosen on them; "
            "switch the refit off."
        )
    if not any(row.part == "validation" for row in rows):
        raise DataError("There are no validation patients to choose a threshold on.")
    if len(result.classes) > 2:
        raise DataError(f"The model tells {len(result.classes)} classes apart; thresholds are of two.")
    return rows


def _of_part(rows: Sequence[Prediction], part: PartName) -> tuple[Prediction, ...]:
    return tuple(row for row in rows if row.part == part)


def _unit(rows: Sequence[Prediction]) -> Unit:
    parts = [arrays_of(_of_part(rows, part)) for part in ("validation", "test")]
    return unit_of(*((patients, labels == 1) for patients, labels, _ in parts))


def _scores(rows: Sequence[Prediction], part: PartName, unit: Unit) -> Scores:
    patients, labels, scores = arrays_of(_of_part(rows, part))
    return scores_of(patients, labels == 1, scores[:, -1], unit)


def _conformal_band(rows: Sequence[Prediction], coverage: float) -> tuple[float, float]:
    patients, labels, scores = arrays_of(_of_part(rows, "validation"))
    if scores.shape[1] == 1:
        raise DataError("The score of a model that outlines is an area, no probability: it has no conformal sets.")
    return conformal_band(conformal_limits(scores, labels, patients, coverage))


def _calibration(rows: Sequence[Prediction], classes: Sequence[str], coverage: float) -> Calibration | None:
    fit_patients, fit_labels, fit_scores = arrays_of(_of_part(rows, "validation"))
    patients, labels, scores = arrays_of(_of_part(rows, "test"))
    if scores.shape[1] == 1:
        return None
    temperature = fit_temperature(fit_scores, fit_labels)
    limits = conformal_limits(fit_scores, fit_labels, fit_patients, coverage)
    sets = conformal_sets(scores, limits)
    return Calibration(
        temperature=temperature,
        before=reliability(scores, labels),
        after=reliability(tempered(scores, temperature), labels),
        limits=tuple(limit if np.isfinite(limit) else None for limit in limits),
        coverage=coverage_of(sets, labels, patients, classes, coverage),
    )


def _notices(rows: Sequence[Prediction], unit: Unit) -> list[str]:
    notices = []
    patients = len({row.patient for row in _of_part(rows, "validation")})
    if patients < _FEW_PATIENTS:
        notices.append(f"The thresholds were chosen on {patients} patients only; on others they will do differently.")
    if unit == "images":
        notices.append(
            "There are not enough patients of both kinds, so these are figures of images, not of women: a woman with "
            "many images is recalled more often."
        )
    return notices


def _with_limits(manifest: Manifest, choice: Choice) -> Manifest:
    """A model's manifest with the thresholds in it; its weights stay as they are.

    Raises:
        DataError: the model cannot have such thresholds.
    """
    changes = {"lower": choice.lower, "upper": choice.upper}
    if manifest.recipe.classifies:  # else the threshold is that of a pixel
        changes["threshold"] = choice.threshold
    try:
        decision = DecisionSpec.model_validate(manifest.recipe.decision.model_dump() | changes)
    except ValidationError as error:
        raise DataError(
            "The thresholds are none that the model can have: they are not below 0, nor a probability above 1."
        ) from error
    return manifest.model_copy(update={"recipe": manifest.recipe.model_copy(update={"decision": decision})})
