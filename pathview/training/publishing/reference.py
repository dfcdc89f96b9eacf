"""How scores, stains and pixel sizes were distributed when a model was trained: what drift is measured against.

One number a patient, without their names: images of one patient are alike, so they count once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from pydantic import ValidationError

from pathview.errors import DataError, ImageError
from pathview.images.formats import open_image
from pathview.images.stain import Stains
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.registry import REFERENCE, Version
from pathview.settings import Settings
from pathview.training.data.sample_stains import SampleStains
from pathview.training.data.samples import Sample
from pathview.training.judging.result import predictions_at, trained_run
from pathview.training.measures.figures import Prediction
from pathview.training.publishing.light import is_slide, light_of
from pathview.training.runs.plan import Fields
from pathview.training.runs.run_folder import RunFolder, write_atomically

SCORE, SHARE, SPACING = "score", "share", "spacing"
"""``share``: of an image of many patches, how many reach the threshold."""
STAIN = ("haematoxylin", "eosin", "stain angle")
_PATIENTS = 500


class Reference(Fields):
    """What was seen in training, by quantity: a number a patient, sorted."""

    format: int = 1
    values: dict[str, tuple[float, ...]]
    positives: float | None = None
    """Share of the validation and test patients with a positive image."""
    error: float | None = None
    """Share of the locked test images that the model called wrongly."""


def write_reference(run: RunFolder, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Reference:
    """Measure a finished run's training images, and keep the numbers with its model (a job).

    Scores are those of the validation and test patients, as they were written with the result: of its training
    patients a model is too sure.

    Raises:
        DataError: the run has no result yet, or its data are not those that were locked.
        OutputError: the file cannot be written.
        Cancelled: at a checkpoint.
    """
    trained = trained_run(run, settings)
    decision = trained.recipe.decision
    predictions = predictions_at(run, decision.temperature)
    values = scores_of(predictions, decision.threshold)
    for name, found in looks_of(trained.parts.train, settings, progress, cancel).items():
        values[name] = found
    tested = [row for row in predictions if row.part == "test"]
    last = len(trained.classes) - 1
    positive = {row.patient: False for row in predictions} | {r.patient: True for r in predictions if r.label == last}
    reference = Reference(
        values=values,
        positives=float(np.mean(list(positive.values()))) if positive else None,
        error=float(np.mean([row.wrong for row in tested])) if tested else None,
    )
    write_atomically(run.model / REFERENCE, (reference.model_dump_json() + "\n").encode())
    return reference


def read_reference(version: Version) -> Reference | None:
    """The numbers that a version was registered with; None: it has none, as models that came with the program.

    Raises:
        DataError: they are damaged.
    """
    path = version.folder / REFERENCE
    if not path.is_file():
        return None
    try:
        return Reference.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"The {REFERENCE} of {version.words} is damaged.") from error


def scores_of(predictions: Iterable[Prediction], threshold: float) -> dict[str, tuple[float, ...]]:
    """Each patient's mean score, and of patients with several images the share that reaches a threshold."""
    by_patient: dict[str, list[float]] = defaultdict(list)
    for row in predictions:
        by_patient[row.patient].append(row.scores[-1])
    many = [scores for scores in by_patient.values() if len(scores) > 1]
    return {
        SCORE: _sorted(np.mean(scores) for scores in by_patient.values()),
        SHARE: _sorted(np.mean(np.array(scores) >= threshold) for scores in many),
    }


def looks_of(
    samples: Sequence[Sample], settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Mapping[str, tuple[float, ...]]:
    """Stains and pixel sizes of the patients that samples come from, of at most 500 of them."""
    firsts: dict[str, Sample] = {}
    for sample in samples:
        firsts.setdefault(sample.patient or str(sample.path), sample)
    chosen = list(firsts.values())
    chosen = [chosen[i] for i in np.unique(np.linspace(0, len(chosen) - 1, _PATIENTS).round().astype(int))]
    stains = SampleStains(samples, settings)
    found: dict[str, list[float]] = defaultdict(list)
    for index, sample in enumerate(chosen):
        checkpoint(cancel)
        progress(Progress(index, len(chosen), "measuring stains and pixel sizes"))
        spacing, colored, slide = _header(sample, settings)
        if spacing is not None:
            found[SPACING].append(spacing)
        for name, value in stain_numbers(stains.of(sample) if colored else None, slide).items():
            found[name].append(value)
    return {name: _sorted(values) for name, values in found.items()}


def stain_numbers(stains: Stains | None, slide: bool = False) -> dict[str, float]:
    """How strong both stains are, the angle between them in degrees, and the grey of the lamp; none where not told.

    Args:
        stains: of an image; None: they cannot be told.
        slide: whether the image is one; see :mod:`pathview.training.publishing.light`.
    """
    if stains is None:
        return {}
    cosine = float(np.clip(np.dot(*np.array(stains.vectors)), -1, 1))
    numbers = (*stains.most, float(np.degrees(np.arccos(cosine))))
    return {**dict(zip(STAIN, numbers, strict=True)), **light_of(stains, slide)}


def _header(sample: Sample, settings: Settings) -> tuple[float | None, bool, bool]:
    """Micrometres a pixel, whether the image is in colour, and whether it is a slide."""
    try:
        source = open_image(sample.path, settings)
    except ImageError:
        return None, False, False
    try:
        return source.info.mpp_um, source.info.is_color, is_slide(source)
    finally:
        source.close()


def _sorted(values: Iterable[float | np.floating]) -> tuple[float, ...]:
    return tuple(sorted(float(f"{value:.6g}") for value in values))
