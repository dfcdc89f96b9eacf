"""Choosing thresholds and calibration on the validation patients, and telling what they do to the test patients, once.

The slider moves over validation patients. Only a choice that is kept is told on the test patients, and every such look
is counted: whoever tries thresholds until the test patients look good leaves a trace of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from pathview.errors import DataError, OutputError
from pathview.jobs import CancelToken, Progress, ProgressSink
from pathview.models.recipe import Recipe
from pathview.models.weights import Manifest, read_manifest, write_manifest
from pathview.settings import Settings
from pathview.training.judging.chooser import Choice, Chooser, choosers
from pathview.training.judging.result import read_result
from pathview.training.measures.calibration import (
    Coverage,
    Reliability,
    conformal_limits,
    conformal_sets,
    coverage_of,
    fit_temperature,
    reliability,
)
from pathview.training.measures.operating import BandOutcome, Outcome
from pathview.training.measures.sureness import SureOutcome
from pathview.training.measures.tempering import Tempering
from pathview.training.runs.locked_uses import log_use, told, uses_of_test
from pathview.training.runs.plan import Fields, now
from pathview.training.runs.run_folder import RunFolder

OPERATING = "operating.json"
_FEW_PATIENTS = 20
"""Below it what is chosen on the validation patients rests on a handful of them."""


class Calibration(Fields):
    """Fitted on the validation patients, measured on the test patients."""

    temperature: float
    """The one that was kept, or where none was the one that could have been."""
    before: Reliability
    after: Reliability
    limits: tuple[float | None, ...]
    """For each class the doubt up to which it is in the set; None: always, since there are too few patients."""
    coverage: Coverage


class Operating(Fields):
    """A choice, what it was chosen from, and what it came to: ``operating.json``.

    Of more than two classes it is told how sure the most probable one is; else what thresholds do to 1,000.
    """

    format: int = 1
    choice: Choice
    who: str
    at: str = Field(default_factory=now)
    sha256: str
    """Of the weights."""
    validation: Outcome | None = None
    validation_band: BandOutcome | None = None
    test: Outcome | None = None
    test_band: BandOutcome | None = None
    validation_sure: SureOutcome | None = None
    test_sure: SureOutcome | None = None
    tempering: Tempering | None = None
    """What a temperature does to the validation patients, kept or not; None where there is none."""
    calibration: Calibration | None
    """None where the score is no probability."""
    uses: int
    """How often the test patients have been looked at, this time included."""
    notices: tuple[str, ...]

    @property
    def tested(self) -> tuple[str, ...]:
        """What it does to the test patients, a sentence each."""
        return tuple(one.sentence for one in (self.test, self.test_band, self.test_sure) if one is not None)


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
    parts = choosers(run)
    manifest = _with_limits(read_manifest(run.model), choice)
    watched, tested = parts["validation"], parts["test"]
    chosen_on = _outcomes("validation", watched, choice)
    sha256 = read_result(run).sha256
    progress(Progress(0, 2, "thresholds"))
    log_use(run, who, "threshold", sha256)
    found_on = _outcomes("test", tested, choice)
    progress(Progress(1, 2, "calibration"))
    uses = uses_of_test(run)
    found = Operating(
        choice=choice,
        who=who,
        sha256=sha256,
        **chosen_on,
        **found_on,
        tempering=watched.tempering,
        calibration=_calibration(watched, tested, choice),
        uses=len(uses),
        notices=(*_notices(watched), told(uses)),
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


def _outcomes(part: str, chooser: Chooser, choice: Choice) -> dict[str, Any]:
    """What a choice does to a part's patients, as fields of :class:`Operating`."""
    if chooser.many:
        return {f"{part}_sure": chooser.classes_at(choice.temperature).at(choice.least)}
    scores = chooser.scores_at(choice.temperature)
    return {
        part: scores.at(choice.threshold, choice.prevalence),
        f"{part}_band": scores.band(choice.lower, choice.upper, choice.prevalence),
    }


def _calibration(watched: Chooser, tested: Chooser, choice: Choice) -> Calibration | None:
    if watched.outlines:
        return None
    kept = choice.temperature
    temperature = kept if kept != 1 else fit_temperature(watched.probabilities, watched.labels)
    limits = conformal_limits(watched.probabilities_at(kept), watched.labels, watched.patients, choice.coverage)
    sets = conformal_sets(tested.probabilities_at(kept), limits)
    return Calibration(
        temperature=temperature,
        before=reliability(tested.probabilities, tested.labels),
        after=reliability(tested.probabilities_at(temperature), tested.labels),
        limits=tuple(limit if np.isfinite(limit) else None for limit in limits),
        coverage=coverage_of(sets, tested.labels, tested.patients, tested.classes, choice.coverage),
    )


def _notices(watched: Chooser) -> list[str]:
    notices = []
    patients, unit = len(np.unique(watched.patients)), watched.unit
    if patients < _FEW_PATIENTS:
        notices.append(f"The thresholds were chosen on {patients} patients only; on others they will do differently.")
    if unit == "images" and not watched.many:
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
    changes = {"lower": choice.lower, "upper": choice.upper, "temperature": choice.temperature, "least": choice.least}
    if manifest.recipe.classifies:  # else the threshold is that of a pixel
        changes["threshold"] = choice.threshold
    values = manifest.recipe.model_dump()
    values["decision"] |= changes
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        raise DataError(
            "The thresholds are none that the model can have: they are not below 0, nor a probability above 1; and "
            "only a classifier has a temperature."
        ) from error
    return manifest.model_copy(update={"recipe": recipe})
