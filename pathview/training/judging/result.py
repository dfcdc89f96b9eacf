"""A trained model on its locked test patients: figures beside baselines and base model, curves, subgroups, errors."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from pathview.csv_cells import safe_row
from pathview.errors import DataError, ModelError, RecipeError
from pathview.images.digest import file_digests
from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models.backend import Network
from pathview.models.catalogue import Catalogue, require_weights
from pathview.models.recipe import Recipe
from pathview.models.runtimes import open_network
from pathview.models.temperature import tempered
from pathview.models.weights import Manifest, read_manifest, read_seen
from pathview.settings import Settings
from pathview.training.data.parts import Parts
from pathview.training.data.samples import Sample, read_table
from pathview.training.judging.learning_curve import head_task, learning_curve
from pathview.training.learning.start import Start, start_of
from pathview.training.measures import scoring
from pathview.training.measures.assess import evaluate_samples
from pathview.training.measures.calibration import Reliability, reliability
from pathview.training.measures.evaluate import Reached, estimates, interval_fields, shortcomings
from pathview.training.measures.figures import (
    Curves,
    Peer,
    Prediction,
    Subgroup,
    arrays_of,
    curves,
    matrix,
    peer,
    predictions,
    rows_of,
    subgroups,
    table,
    worst_errors,
)
from pathview.training.measures.growth import LearningCurve
from pathview.training.measures.predictions import AnyScored, scored_as
from pathview.training.measures.risk import OutlineRisk, risk_of
from pathview.training.runs.locked_uses import log_use, told, uses_of_test
from pathview.training.runs.plan import Fields, now
from pathview.training.runs.run_folder import PREDICTIONS, RESULT, RunFolder
from pathview.training.runs.run_parts import locked_parts

_COLUMNS = ("part", "file", "patient", "label", "called", "dice")


class Result(Fields):
    """What a model reached on its locked test patients: ``result.json``."""

    format: int = 1
    model: str
    sha256: str
    """Of the weights."""
    split_sha256: str
    """Of the locked split."""
    created: str = Field(default_factory=now)
    outlines: bool
    classes: tuple[str, ...]
    threshold: float
    temperature: float = 1.0
    """At which the model was when it was measured; the scores in ``predictions.csv`` are on its scale."""
    images: int
    patients: int
    metrics: dict[str, Reached]
    baselines: tuple[Peer, ...]
    base: Peer | None
    """The model that training began from; None where there is none, or it answers another question."""
    confusion: tuple[tuple[int, ...], ...]
    """A row for each true class, a column for each called one; :func:`pathview.training.measures.figures.cell_of` has
    the images."""
    worst: tuple[Prediction, ...]
    curves: dict[str, Curves]
    reliability: Reliability | None
    """None where the score is no probability."""
    subgroups: tuple[Subgroup, ...]
    risk: OutlineRisk | None = None
    """Of outlines, on the validation patients; None where no lesion is outlined."""
    learning: LearningCurve | None
    """Of a head on the network's features; of a model that outlines see :mod:`pathview.training.measures.trials`."""
    uses: int
    """How often the test patients have been looked at, this time included."""
    notices: tuple[str, ...]
    """What must not be overlooked, a sentence each."""

    def summary(self) -> dict[str, object]:
        """The object that ``pathview evaluate`` prints, as of any evaluation, and how often it was tested."""
        peers = (*self.baselines, *((self.base,) if self.base else ()))
        return {
            "model": self.model,
            "n_images": self.images,
            "n_patients": self.patients,
            **interval_fields(self.metrics),
            "baselines": {
                one.name: {name: round(found.value, 4) for name, found in one.metrics.items()} for one in peers
            },
            "confusion": self._counts(),
            "threshold": self.threshold,
            "part": "test",
            "uses": self.uses,
            "left_out": list(self.notices),
        }

    def _counts(self) -> dict[str, object]:
        if len(self.classes) > 2:
            return {"classes": list(self.classes), "matrix": [list(row) for row in self.confusion]}
        (tn, fp), (fn, tp) = self.confusion
        return {"tp": tp, "fp": fp, "tn": tn, "fn": fn}


@dataclass(frozen=True)
class TrainedRun:
    """A run whose model is finished: what every look at it begins with."""

    run: RunFolder
    manifest: Manifest
    parts: Parts
    split_sha256: str

    @property
    def recipe(self) -> Recipe:
        """The model's."""
        return self.manifest.recipe

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of what an image can be called; of outlines, whether there is one."""
        return classes_of(self.recipe)

    def network(self, settings: Settings) -> Network:
        """The model, ready to run."""
        return open_network(self.run.model, settings)

    def start(self, settings: Settings) -> Start:
        """What its training began with.

        Raises:
            PathViewError: those weights are not here any more.
        """
        return start_of(self.recipe, None, not self.manifest.initial, settings)


def classes_of(recipe: Recipe) -> tuple[str, ...]:
    """Names of what an image can be called; of outlines, whether there is one."""
    return recipe.classes if recipe.classifies else ("negative", "positive")


def make_result(run: RunFolder, who: str, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Result:
    """Look at the locked test patients, and write ``result.json`` and ``predictions.csv`` (a job for the engine).

    The look is counted before it is taken.

    Args:
        run: with a finished model.
        who: looks.
        settings: of the installation.
        progress: of reading and scoring.
        cancel: between batches.

    Raises:
        DataError: the data are not those that were locked, or nothing can be scored.
        ModelError: there is no model, or it is damaged.
        OutputError: the result cannot be written.
    """
    trained = trained_run(run, settings)
    _count_training(run, who, trained.manifest)
    log_use(run, who, "result", trained.manifest.sha256)
    network = trained.network(settings)
    parts, recipe = trained.parts, trained.recipe
    step = part_of(progress, 0, 4, "test patients")
    found = evaluate_samples(network, run.name, parts.test, parts.train, "test", [], settings, step, cancel)
    rows = predictions(found.scored, found.samples, "test")
    watched, samples, risk = _scored(network, parts.validation, settings, part_of(progress, 1, 4, "validation"), cancel)
    kept = (*rows, *(predictions(watched, samples, "validation") if watched else ()))
    base, about_base = _base(trained, found.scored, found.samples, settings, part_of(progress, 2, 4, "base"), cancel)
    learning, about_learning = _learning(trained, settings, part_of(progress, 3, 4), cancel)
    result = Result(
        model=recipe.name,
        sha256=trained.manifest.sha256,
        split_sha256=trained.split_sha256,
        outlines=not recipe.classifies,
        classes=trained.classes,
        threshold=recipe.decision.threshold if recipe.classifies else recipe.decision.lower,
        temperature=recipe.decision.temperature,
        images=len(rows),
        patients=len({row.patient for row in rows}),
        metrics=estimates(found.scored),
        baselines=tuple(peer(name, found.scored, one) for name, one in found.baselines.items()),
        base=base,
        confusion=matrix(rows, len(trained.classes)),
        worst=worst_errors(rows, recipe.decision.threshold),
        curves=curves(found.scored, trained.classes),
        reliability=_reliability(rows),
        subgroups=subgroups(found.scored, found.samples),
        risk=risk,
        learning=learning,
        uses=len(uses_of_test(run)),
        notices=(
            *found.notices, *shortcomings(found.report), *about_base, *about_learning, told(uses_of_test(run)),
        ),
    )  # fmt: skip
    _write_predictions(run, kept, trained.classes)
    run.write(RESULT, result)
    return result


def _count_training(run: RunFolder, who: str, manifest: Manifest) -> None:
    """Count the look at the end of a training (the figures in its manifest), where it was not counted then."""
    counted = any((use.purpose, use.model) == ("training", manifest.sha256) for use in uses_of_test(run))
    if manifest.metrics.get("part") == "test" and not counted:
        log_use(run, who, "training", manifest.sha256)


def trained_run(run: RunFolder, settings: Settings) -> TrainedRun:
    """A run with its finished model and its locked parts.

    Raises:
        ModelError: there is no model.
        DataError: the data are not those that were locked.
    """
    manifest = read_manifest(run.model)
    return TrainedRun(run, manifest, locked_parts(run, manifest.recipe, settings), run.split().sha256)


def read_result(run: RunFolder) -> Result:
    """The result as it was written.

    Raises:
        DataError: there is none, or it is damaged.
    """
    if not run.has(RESULT):
        raise DataError(f"The training {run.name} was not measured on its test patients yet; look at its result first.")
    return run.read(RESULT, Result)


def read_predictions(run: RunFolder) -> tuple[Prediction, ...]:
    """What the model said of the validation and test images.

    Raises:
        DataError: there are none, or the table is damaged.
    """
    if not run.has(PREDICTIONS):
        raise DataError(f"The training {run.name} has no {PREDICTIONS} yet; look at its result first.")
    cells = read_table(run.path / PREDICTIONS, _COLUMNS, "look at the result again").rows
    try:
        return rows_of(cells, read_result(run).classes)
    except (KeyError, ValueError) as error:
        raise DataError(f"{PREDICTIONS} of the training {run.name} is damaged; look at its result again.") from error


def predictions_at(run: RunFolder, temperature: float) -> tuple[Prediction, ...]:
    """The same with a classifier's scores at a temperature, whatever the model's was when they were written.

    Raises:
        DataError: see :func:`read_predictions`.
    """
    rows, result = read_predictions(run), read_result(run)
    factor = temperature / result.temperature
    if result.outlines or factor == 1 or not rows:
        return rows
    scores = tempered(arrays_of(rows)[2], factor).tolist()
    return tuple(row.model_copy(update={"scores": tuple(own)}) for row, own in zip(rows, scores, strict=True))


def _write_predictions(run: RunFolder, rows: Sequence[Prediction], classes: Sequence[str]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(map(safe_row, table(rows, classes)))
    run.write_text(PREDICTIONS, text.getvalue())


def _scored(
    network: Network, samples: Sequence[Sample], settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> tuple[AnyScored | None, list[Sample], OutlineRisk | None]:
    """What a network says of samples, those that could be scored, and of outlines what they miss."""
    recipe = network.recipe
    if recipe.task == "segmentation":
        found, _ = scoring.segment_samples(network, samples, settings, progress, cancel)
        if not found:
            return None, [], None
        masks = [scoring.predicted_mask(one, recipe.decision.threshold) for one in found]
        scored = scoring.scored_outlines(found, masks)
        return scored, [one.sample for one in found], risk_of(found, scored.patients, recipe.decision.threshold)
    loaded, _ = scoring.load_for_scoring(samples, recipe, settings, progress, cancel)
    if not loaded:
        return None, [], None
    used = [one.sample for one in loaded]
    probabilities = scoring.classify_samples(network, loaded, progress, cancel)
    threshold = recipe.decision.threshold
    patients, labels = scoring.patients_of(used), scoring.labels_of(loaded)
    return scored_as(patients, labels, probabilities, recipe.classes, threshold), used, None


def _base(
    trained: TrainedRun,
    scored: AnyScored,
    samples: Sequence[Sample],
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> tuple[Peer | None, list[str]]:
    """The model that training began from on the same images, and what the reader must know of it."""
    name = trained.run.plan().question.base
    if not name:
        return None, []
    try:
        folder = require_weights(Catalogue(settings).model(name))
        network = open_network(folder, settings)
    except (ModelError, RecipeError) as error:
        return None, [f"The base model {name} cannot be compared: {error}"]
    if network.recipe.task != trained.recipe.task or len(network.recipe.classes) != len(trained.recipe.classes):
        return None, [f"The base model {name} answers another question, so it is not compared."]
    other, used, _ = _scored(network, samples, settings, progress, cancel)
    if other is None or used != list(samples):
        return None, [f"The base model {name} cannot score the same images, so it is not compared."]
    seen = read_seen(folder)
    known = sum(seen.part_of(file_digests(sample.path)[0]) in ("train", "validation") for sample in samples)
    notices = [f"The base model {name} was trained on {known} of these images: its figures flatter."] if known else []
    return peer(name, scored, other), notices


def _learning(
    trained: TrainedRun, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> tuple[LearningCurve | None, list[str]]:
    recipe = trained.recipe
    if not recipe.classifies:
        return None, []  # there is no head to fit anew: see trials_of
    try:
        start = trained.start(settings)
        loaded = [
            scoring.load_for_scoring(samples, recipe, settings, part_of(progress, index, 4), cancel)[0]
            for index, samples in enumerate((trained.parts.train, trained.parts.validation))
        ]
        seed = trained.run.plan().seed
        task = head_task(recipe, start, loaded[0], loaded[1], seed, settings, part_of(progress, 2, 4), cancel)
        return learning_curve(task, part_of(progress, 3, 4), cancel), []
    except (DataError, ModelError) as error:
        return None, [f"There is no learning curve: {error}"]


def _reliability(rows: Sequence[Prediction]) -> Reliability | None:
    _, labels, scores = arrays_of(rows)
    return reliability(scores, labels) if scores.shape[1] > 1 else None
