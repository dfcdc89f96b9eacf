"""``pathview train``: data, split by patient, training, calibration on validation, one look at the test set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pathview import __version__
from pathview.errors import DataError
from pathview.images.digest import file_digests
from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models.backend import Batch, Network
from pathview.models.keras_backend import KerasNetwork, build, load_network, set_weights
from pathview.models.keras_training import EpochReport, FitRequest, Fitted, Validate, fit
from pathview.models.recipe import Recipe
from pathview.models.weights import SEEN_DIGITS, Manifest, Seen, Tensors, write_manifest, write_model
from pathview.settings import Settings
from pathview.training import scoring
from pathview.training.assess import evaluate_samples
from pathview.training.batches import Loaded, TrainingBatches, load_samples, validation_inputs
from pathview.training.dataset import read_dataset
from pathview.training.epoch_pictures import EpochPictures
from pathview.training.evaluate import shortcomings
from pathview.training.linear import fit_linear
from pathview.training.parts import RANDOM_SPLIT, SPLIT, Parts, parts_of, split_of, write_split
from pathview.training.predictions import scored_as
from pathview.training.publish import write_card
from pathview.training.samples import Dataset, Sample
from pathview.training.start import Start, require_file

_LOWER_PERCENT, _UPPER_PERCENT = 2.5, 25.0


@dataclass(frozen=True)
class TrainRequest:
    """One training, as the command line or the wizard asks for it."""

    recipe: Recipe
    data: Path
    out: Path
    epochs: int | None = None
    seed: int = 0
    resume: bool = False
    start: Start = field(default_factory=Start)
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


@dataclass(frozen=True)
class _Learnt:
    """What training found."""

    recipe: Recipe
    """With its limits set."""
    tensors: Tensors
    epochs: int


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
        require_file(request.about)
    dataset = read_dataset(request.data, recipe, settings).where(request.where)
    split = split_of(dataset, recipe, request.seed)
    parts = parts_of(dataset, split, recipe)
    write_split(request.out / SPLIT, split, recipe)
    loaded, problems = _load(parts.train, recipe, settings, progress, cancel, "training")
    if not loaded:
        raise DataError(f"None of the {len(parts.train)} training images can be used: {problems[0]}")
    if recipe.input.normalise == "feature-wise":
        recipe = with_statistics(recipe, loaded)
        request = replace(request, recipe=recipe)
    watched, more = _load(parts.validation, recipe, settings, progress, cancel, "validation")
    learnt = _learn(request, loaded, watched, parts.validation, settings, on_epoch, progress, cancel)
    manifest = write_model(
        request.out,
        learnt.recipe,
        learnt.tensors,
        _seen(parts),
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=request.seed,
        epochs=learnt.epochs,
        initial=request.start.words,
        data=dataset.name,
    )
    manifest = _tested(request, manifest, dataset, parts, settings, progress, cancel)
    flattered = (RANDOM_SPLIT,) if recipe.training.split == "random" else ()
    weak = shortcomings(manifest.metrics)
    return Trained(manifest, request.out, (*dataset.notices, *problems, *more, *flattered, *weak))


def _learn(
    request: TrainRequest,
    loaded: Sequence[Loaded],
    watched: Sequence[Loaded],
    validation_samples: Sequence[Sample],
    settings: Settings,
    on_epoch: Callable[[EpochReport], None],
    progress: ProgressSink,
    cancel: CancelToken,
) -> _Learnt:
    """Fit by gradient or as an SVM; choices and limits on the validation patients."""
    recipe = request.recipe
    if recipe.training.method == "svm":
        start, step = request.start.file, part_of(progress, 0, 1, "SVM")
        return _Learnt(recipe, fit_linear(recipe, start, loaded, watched, request.seed, settings, step, cancel), 0)
    fitted = _fit(request, loaded, watched, on_epoch, progress, cancel)
    chooser = _network(recipe, fitted.tensors)
    recipe = calibrated(chooser, recipe, validation_samples, settings, progress, cancel)
    tensors = fitted.tensors
    if recipe.training.refit and watched:
        tensors = _refit(request, [*loaded, *watched], fitted, on_epoch, progress, cancel).tensors
    return _Learnt(recipe, tensors, len(fitted.history))


def train_quietly(request: TrainRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Trained:
    """Train in a child, where nobody can be called after each epoch; progress tells it (a job)."""
    return train(request, settings, lambda _: None, progress, cancel)


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
    watch = _pictures(request, watched)
    fit_request = FitRequest(request.recipe, epochs, request.seed, folder, request.resume, request.start.file, watch)
    batches = TrainingBatches(loaded, request.recipe, request.seed)
    validate = validation(request.recipe, watched) if watched else None
    return fit(fit_request, batches, validate, on_epoch, progress, cancel)


def _pictures(request: TrainRequest, watched: Sequence[Loaded]) -> EpochPictures | None:
    """Of the recipe's number of validation images, each of another patient as far as there are some."""
    count = request.recipe.training.epoch_pictures
    if not count or not watched or request.recipe.task != "segmentation":
        return None
    first = {one.sample.patient: one for one in reversed(watched)}
    chosen = [*first.values(), *(one for one in watched if one is not first[one.sample.patient])][:count]
    return EpochPictures(request.out / "epochs", *validation_inputs(chosen, request.recipe))


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
    start = request.start.file
    fit_request = FitRequest(request.recipe, epochs, request.seed, folder, request.resume, start, last_epoch=last)
    return fit(fit_request, TrainingBatches(loaded, request.recipe, request.seed), None, on_epoch, progress, cancel)


def validation(recipe: Recipe, watched: Sequence[Loaded]) -> Validate:
    """Figures on the validation patients after each epoch; ``loss`` is what the best epoch is chosen by."""
    images, truths = validation_inputs(watched, recipe)
    patients = scoring.patients_of([one.sample for one in watched])
    labels = scoring.labels_of(watched)

    def classified(predict: Callable[[Batch], Batch]) -> dict[str, float]:
        outputs = predict(images)
        exclusive = len(recipe.classes) > 2 and recipe.training.loss == "categorical-crossentropy"
        probabilities = scoring.class_probabilities(outputs)
        scored = scored_as(patients, labels, probabilities, recipe.classes, recipe.decision.threshold)
        return {"loss": _entropy(outputs, truths, exclusive), **scored.metrics()}

    def outlined(predict: Callable[[Batch], Batch]) -> dict[str, float]:
        predicted = predict(images) >= recipe.decision.threshold
        common = (predicted & (truths > 0.5)).sum(axis=(1, 2, 3))
        total = predicted.sum(axis=(1, 2, 3)) + (truths > 0.5).sum(axis=(1, 2, 3))
        dice = float(np.where(total > 0, 2 * common / np.maximum(total, 1), 1.0).mean())
        return {"loss": 1.0 - dice, "dice": dice}

    return classified if recipe.classifies else outlined


def _entropy(outputs: Batch, truths: Batch, exclusive: bool) -> float:
    """Mean cross-entropy of outputs [n, classes]: of each output by itself, or of classes of which one is true."""
    clipped = np.clip(outputs, 1e-7, 1 - 1e-7)
    if exclusive:
        shares = clipped / clipped.sum(axis=1, keepdims=True)
        return float(-(truths * np.log(shares)).sum(axis=1).mean())
    return float(-(truths * np.log(clipped) + (1 - truths) * np.log(1 - clipped)).mean())


def with_statistics(recipe: Recipe, loaded: Sequence[Loaded]) -> Recipe:
    """The recipe with each channel's mean and deviation over the training images, 0..1.

    So seed 4's feature-wise centring and scaling is meant; its own code asks for it and never fits it.
    """
    count = sum(one.working.pixels[..., 0].size for one in loaded)
    flat = [one.working.pixels.reshape(-1, recipe.input.channels).astype(np.float64) / 255 for one in loaded]
    means = sum(pixels.sum(axis=0) for pixels in flat) / count
    squares = sum(((pixels - means) ** 2).sum(axis=0) for pixels in flat) / count
    deviations = np.maximum(np.sqrt(squares), 1e-6)
    found = {"means": tuple(map(float, means)), "deviations": tuple(map(float, deviations))}
    return recipe.model_copy(update={"input": recipe.input.model_copy(update=found)})


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


def _seen(parts: Parts) -> Seen:
    def digests(samples: Sequence[Sample]) -> frozenset[str]:
        return frozenset(file_digests(sample.path)[0][:SEEN_DIGITS] for sample in samples)

    return Seen(train=digests(parts.train), validation=digests(parts.validation), test=digests(parts.test))


def _tested(
    request: TrainRequest,
    manifest: Manifest,
    dataset: Dataset,
    parts: Parts,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Manifest:
    """Look at the test patients once, with the weights as written, and write figures and card."""
    network = load_network(request.out)
    like_test = Dataset(dataset.name, tuple(parts.train)).where(manifest.recipe.training.validate_where).samples
    assessment = evaluate_samples(
        network, dataset.name, parts.test, like_test, "test", [], settings, part_of(progress, 0, 1, "test"), cancel
    )
    recipe = manifest.recipe
    if not recipe.caution:  # stands beside every result of the model
        words = [*shortcomings(assessment.report), *_one_of_many(recipe)]
        recipe = recipe.model_copy(update={"caution": " ".join(words)})
    manifest = manifest.model_copy(update={"metrics": assessment.report, "recipe": recipe})
    write_manifest(request.out, manifest)
    counts = {name: _count(getattr(parts, name)) for name in ("train", "validation", "test")}
    write_card(request.out, manifest, counts, request.about)
    return manifest


def _one_of_many(recipe: Recipe) -> list[str]:
    """What "positive" means of a classifier with more than two classes."""
    if not recipe.classifies or len(recipe.classes) <= 2:
        return []
    known = len(recipe.classes)
    return [f"It tells {known} classes apart; the score is the probability of {recipe.classes[-1]!r} against the rest."]


def _count(samples: Sequence[Sample]) -> tuple[int, int]:
    return len(samples), len({sample.patient for sample in samples if sample.patient})
