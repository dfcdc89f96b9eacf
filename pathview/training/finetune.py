"""``pathview train``: data, split by patient, training, calibration on validation, one look at the test set."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pathview import __version__
from pathview.analysis.predict import positive_score
from pathview.errors import DataError, OutputError
from pathview.images.digest import file_digests
from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models.backend import Batch, Network
from pathview.models.imagenet import kept
from pathview.models.keras_backend import KerasNetwork, build, load_network, set_weights
from pathview.models.keras_training import EpochReport, FitRequest, Fitted, Validate, fit
from pathview.models.networks import NETWORKS
from pathview.models.recipe import Recipe
from pathview.models.weights import SEEN_DIGITS, Manifest, Seen, Tensors, write_manifest, write_model
from pathview.settings import Settings
from pathview.training import scoring
from pathview.training.assess import evaluate_samples
from pathview.training.batches import Loaded, TrainingBatches, load_samples, validation_inputs
from pathview.training.dataset import read_dataset
from pathview.training.evaluate import Scored, metrics
from pathview.training.linear import fit_linear
from pathview.training.publish import write_card
from pathview.training.samples import Dataset, Sample
from pathview.training.split import Fractions, PatientSplit, split_by_patient, strata_of

SPLIT = "split.json"
_LOWER_PERCENT, _UPPER_PERCENT = 2.5, 25.0


@dataclass(frozen=True)
class Start:
    """What a training starts from."""

    file: Path | None = None
    """Weights of the backbone; None: random numbers."""
    words: str = ""
    """Name and hash of the file; empty for random numbers."""


@dataclass(frozen=True)
class TrainRequest:
    """One training, as the command line or the wizard asks for it."""

    recipe: Recipe
    data: Path
    out: Path
    epochs: int | None = None
    seed: int = 0
    resume: bool = False
    start: Start = Start()
    """What the network's backbone starts from."""
    about: Path | None = None
    """Markdown for the model card: data, licence, limits."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Columns of the label table that every sample must match."""


@dataclass(frozen=True)
class Trained:
    """What a training left behind."""

    manifest: Manifest
    folder: Path
    notices: tuple[str, ...]


@dataclass
class _Parts:
    """Samples by part."""

    train: list[Sample]
    validation: list[Sample]
    test: list[Sample]


def train(
    request: TrainRequest,
    settings: Settings,
    on_epoch: Callable[[EpochReport], None],
    progress: ProgressSink,
    cancel: CancelToken,
) -> Trained:
    """Train a recipe on a data set and write the model to ``request.out``.

    Raises:
        DataError: patients cannot be told, or a part of the split would be empty.
        Cancelled: at a checkpoint; what was learnt so far can be resumed.
    """
    recipe = request.recipe
    if request.about is not None:
        _require_file(request.about)
    dataset = read_dataset(request.data, recipe, settings).where(request.where)
    split = split_of(dataset, recipe, request.seed)
    parts = _parts(dataset, split, recipe)
    _write_json(request.out / SPLIT, {part: list(getattr(split, part)) for part in ("train", "validation", "test")})
    loaded, problems = _load(parts.train, recipe, settings, progress, cancel, "training")
    watched, more = _load(parts.validation, recipe, settings, progress, cancel, "validation")
    if recipe.training.method == "svm":
        tensors = fit_linear(
            recipe, request.start.file, loaded, watched, request.seed, settings, part_of(progress, 0, 1, "SVM"), cancel
        )
        epochs = 0
    else:
        fitted = _fit(request, loaded, watched, on_epoch, progress, cancel)
        tensors, epochs = fitted.tensors, len(fitted.history)
        recipe = calibrated(_network(recipe, tensors), recipe, parts.validation, settings, progress, cancel)
        if recipe.training.refit and watched:
            tensors = _refit(request, [*loaded, *watched], fitted, on_epoch, progress, cancel).tensors
    manifest = write_model(
        request.out,
        recipe,
        tensors,
        _seen(parts),
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=request.seed,
        epochs=epochs,
        initial=request.start.words,
        data=dataset.name,
    )
    manifest = _tested(request, manifest, dataset, parts, settings, progress, cancel)
    return Trained(manifest, request.out, (*dataset.notices, *problems, *more))


def start_of(recipe: Recipe, file: Path | None, from_scratch: bool, settings: Settings) -> Start:
    """What a recipe's training starts from: a file that is named, else what the recipe asks for.

    Raises:
        DataError: the file is missing; or the recipe starts from ImageNet weights, none were imported, and
            starting from scratch was not asked for.
        ModelError: the imported weights are damaged.
    """
    if file is not None:
        _require_file(file)
        return Start(file, f"{file.name}, SHA-256 {file_digests(file)[0]}")
    if recipe.training.initial == "random" or from_scratch:
        return Start()
    backbone = NETWORKS[recipe.network.name].imagenet
    found = kept(backbone, settings)
    if found is None:
        raise DataError(
            f"{recipe.name} starts from ImageNet weights of {backbone}, and there are none here: import them "
            "(pathview models import FILE), or train from random weights (--from-scratch)."
        )
    path, imported = found
    return Start(path, f"ImageNet weights of {backbone}: {imported.words()}")


def _require_file(path: Path) -> None:
    """A wrong path is told before the training, not hours later."""
    if not path.is_file():
        raise DataError(f"The file {path} does not exist.")


def train_quietly(request: TrainRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Trained:
    """Train in a child, where nobody can be called after each epoch; progress tells it (a job)."""
    return train(request, settings, lambda _: None, progress, cancel)


def split_of(dataset: Dataset, recipe: Recipe, seed: int) -> PatientSplit:
    """The split of a data set by patient.

    Raises:
        DataError: a sample names no patient, or there are too few patients.
    """
    without = sum(sample.patient is None for sample in dataset.samples)
    if without:
        raise DataError(
            f"{without} images of {dataset.name} name no patient, so they cannot be split by patient; "
            "add a labels.csv with the columns file and patient."
        )
    labels = [(s.patient or "", s.label if recipe.task == "classification" else "") for s in dataset.samples]
    spec = recipe.training
    test = 1.0 - spec.train_fraction - spec.validation_fraction
    split = split_by_patient(strata_of(labels), Fractions(spec.train_fraction, spec.validation_fraction, test), seed)
    if not split.train or not split.test:
        raise DataError(f"{dataset.name} has {len(dataset.patients)} patients: too few to train and to test on.")
    return split


def _parts(dataset: Dataset, split: PatientSplit, recipe: Recipe) -> _Parts:
    part_of_patient = split.part_of()
    parts = _Parts([], [], [])
    for sample in dataset.samples:
        getattr(parts, part_of_patient[sample.patient or ""]).append(sample)
    where = recipe.training.validate_where
    if where:
        parts.validation = list(Dataset(dataset.name, tuple(parts.validation)).where(where).samples)
        parts.test = list(Dataset(dataset.name, tuple(parts.test)).where(where).samples)
    return parts


def _load(
    samples: Sequence[Sample],
    recipe: Recipe,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
    label: str,
) -> tuple[list[Loaded], list[str]]:
    return load_samples(samples, recipe, settings, part_of(progress, 0, 1, label), cancel)


def _fit(
    request: TrainRequest,
    loaded: Sequence[Loaded],
    watched: Sequence[Loaded],
    on_epoch: Callable[[EpochReport], None],
    progress: ProgressSink,
    cancel: CancelToken,
) -> Fitted:
    epochs = request.epochs or request.recipe.training.epochs
    folder = request.out / "state"
    fit_request = FitRequest(request.recipe, epochs, request.seed, folder, request.resume, request.start.file)
    batches = TrainingBatches(loaded, request.recipe, request.seed)
    validate = validation(request.recipe, watched) if watched else None
    return fit(fit_request, batches, validate, on_epoch, progress, cancel)


def _refit(
    request: TrainRequest,
    loaded: Sequence[Loaded],
    fitted: Fitted,
    on_epoch: Callable[[EpochReport], None],
    progress: ProgressSink,
    cancel: CancelToken,
) -> Fitted:
    """Train anew on training and validation patients, for as many epochs as the choice fell on."""
    spec = request.recipe.training
    last = fitted.best_epoch if spec.early_stopping else None
    epochs = request.epochs or spec.epochs
    folder = request.out / "refit"
    fit_request = FitRequest(request.recipe, epochs, request.seed, folder, request.resume, request.start.file, last)
    return fit(fit_request, TrainingBatches(loaded, request.recipe, request.seed), None, on_epoch, progress, cancel)


def validation(recipe: Recipe, watched: Sequence[Loaded]) -> Validate:
    """Figures on the validation patients after each epoch; ``loss`` is what the best epoch is chosen by."""
    images, truths = validation_inputs(watched, recipe)
    patients = scoring.patients_of([one.sample for one in watched])
    labels = np.array([one.label for one in watched], np.intp)

    def classified(predict: Callable[[Batch], Batch]) -> dict[str, float]:
        outputs = predict(images)
        clipped = np.clip(outputs, 1e-7, 1 - 1e-7)
        entropy = -(truths * np.log(clipped) + (1 - truths) * np.log(1 - clipped)).mean()
        scores = positive_score(outputs).astype(np.float64)
        figures = metrics(Scored(patients, labels, scores, scores >= recipe.decision.threshold))
        return {"loss": float(entropy), **figures}

    def outlined(predict: Callable[[Batch], Batch]) -> dict[str, float]:
        predicted = predict(images) >= recipe.decision.threshold
        common = (predicted & (truths > 0.5)).sum(axis=(1, 2, 3))
        total = predicted.sum(axis=(1, 2, 3)) + (truths > 0.5).sum(axis=(1, 2, 3))
        dice = float(np.where(total > 0, 2 * common / np.maximum(total, 1), 1.0).mean())
        return {"loss": 1.0 - dice, "dice": dice}

    return classified if recipe.task == "classification" else outlined


def calibrated(
    network: Network,
    recipe: Recipe,
    samples: Sequence[Sample],
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Recipe:
    """The recipe with its mask threshold and mask-sum limits set on the validation patients.

    Threshold: the best mean Dice. Limits: of the sums of images with a lesion, ``lower`` is the 2.5th
    and ``upper`` the 25th percentile, so that few known lesions would be called negative. Patch
    classifiers keep the recipe's own limits: on few patients a fitted threshold did not carry over.
    """
    if recipe.task != "segmentation" or not samples:
        return recipe
    found, _ = scoring.segment_samples(network, samples, settings, part_of(progress, 0, 1, "calibration"), cancel)
    sums = [one.score for one in found if one.truth.any()]
    if not sums:
        return recipe
    limits = np.percentile(sums, [_LOWER_PERCENT, _UPPER_PERCENT])
    changes = {
        "threshold": scoring.best_threshold(found),
        "lower": float(f"{limits[0]:.3g}"),
        "upper": float(f"{limits[1]:.3g}"),
    }
    return recipe.model_copy(update={"decision": recipe.decision.model_copy(update=changes)})


def _network(recipe: Recipe, tensors: Tensors) -> KerasNetwork:
    model = build(recipe)
    set_weights(model, tensors)
    return KerasNetwork(model, recipe)


def _seen(parts: _Parts) -> Seen:
    def digests(samples: Sequence[Sample]) -> frozenset[str]:
        return frozenset(file_digests(sample.path)[0][:SEEN_DIGITS] for sample in samples)

    return Seen(train=digests(parts.train), validation=digests(parts.validation), test=digests(parts.test))


def _tested(
    request: TrainRequest,
    manifest: Manifest,
    dataset: Dataset,
    parts: _Parts,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Manifest:
    """Look at the test patients once, with the weights as written, and write figures and card."""
    network = load_network(request.out)
    assessment = evaluate_samples(
        network, dataset.name, parts.test, parts.train, "test", [], settings, part_of(progress, 0, 1, "test"), cancel
    )
    manifest = manifest.model_copy(update={"metrics": assessment.report})
    write_manifest(request.out, manifest)
    counts = {name: _count(getattr(parts, name)) for name in ("train", "validation", "test")}
    write_card(request.out, manifest, counts, request.about)
    return manifest


def _count(samples: Sequence[Sample]) -> tuple[int, int]:
    return len(samples), len({sample.patient for sample in samples})


def _write_json(path: Path, content: object) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path.name} cannot be written to {path.parent.name}: {error.strerror}.") from error
