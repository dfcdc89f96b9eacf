"""From samples in their parts to weights: by gradient or as a linear head; choices on the validation patients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pathview import __version__
from pathview.errors import DataError
from pathview.images.digest import file_digests
from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models.backend import Batch, Network
from pathview.models.keras_backend import KerasNetwork, build, set_weights
from pathview.models.keras_training import EpochReport, FitRequest, Fitted, OutOfMemory, Validate, fit
from pathview.models.recipe import Recipe
from pathview.models.training_state import epochs_kept
from pathview.models.weights import SEEN_DIGITS, Manifest, Seen, Tensors, write_model
from pathview.settings import Settings
from pathview.training.data.dealing import givers
from pathview.training.data.kept_samples import KeptSamples, PixelFile, in_parts, keep_samples
from pathview.training.data.loading import Loaded
from pathview.training.data.parts import Parts
from pathview.training.data.samples import Sample
from pathview.training.learning.batches import TrainingBatches, validation_inputs
from pathview.training.learning.epoch_pictures import EpochPictures
from pathview.training.learning.linear import fit_linear
from pathview.training.learning.start import Start
from pathview.training.learning.unmoved import unmoved
from pathview.training.measures import scoring
from pathview.training.measures.predictions import scored_as

STATE, REFIT, EPOCHS = "state", "refit", "epochs"
_LOWER_PERCENT, _UPPER_PERCENT = 2.5, 25.0
_AT_ONCE = 32
Bools = npt.NDArray[np.bool_]


def _ignored(*_: object) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Hooks:
    """Who is told of what happens while a network is fitted, and who may end it."""

    epoch: Callable[[EpochReport], None] = _ignored
    smaller_batch: Callable[[int, OutOfMemory], None] = _ignored
    """The new size, and what the old one met with."""
    refitting: Callable[[], None] = _ignored
    """The second training begins, on training and validation patients."""
    stop: Callable[[], bool] | None = None
    """See :class:`pathview.models.keras_training.FitRequest`."""
    keep_best: bool = False


@dataclass(frozen=True)
class LearnRequest:
    """What is learnt, and where its state is kept."""

    recipe: Recipe
    folder: Path
    """Of the training: state, pictures of epochs."""
    epochs: int | None = None
    seed: int = 0
    resume: bool = False
    start: Start = field(default_factory=Start)
    hooks: Hooks = Hooks()
    dealt: bool = False
    """Outlines are dealt out anew among the training patients, see :mod:`pathview.training.data.dealing`: there is
    nothing to learn then but a usual place."""


@dataclass(frozen=True)
class Learnt:
    """What training found."""

    recipe: Recipe
    """With its limits set."""
    tensors: Tensors
    epochs: int
    best_epoch: int = 0
    ended: str = "whole"
    """See :class:`pathview.models.keras_training.Fitted`."""
    problems: tuple[str, ...] = ()
    """One sentence for each image that could not be read."""
    doubt: str = ""
    """Why it may have learnt nothing, in a sentence; empty: nothing says so."""
    images: int = 0
    """That a linear classifier was fitted on; 0: it was trained by gradient."""


def learn(
    request: LearnRequest, parts: Parts, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Learnt:
    """Fit by gradient or without; thresholds and limits on the validation patients. Test patients are not looked at.

    Raises:
        DataError: no image can be used, a class has none, or the loss is no number any more.
        OutOfMemory: not even one image at a time fits.
        OutputError: the state cannot be kept (a disk without room); the earlier one is whole.
        Cancelled: at a checkpoint; what was learnt so far can be resumed.
    """
    with PixelFile(request.folder) as file:
        by_gradient = request.recipe.training.method == "gradient"
        wants_statistics = request.recipe.input.normalise == "feature-wise"
        loaded, problems = KeptSamples(), list[str]()
        if by_gradient or wants_statistics:
            step = part_of(progress, 0, 1, "training")
            loaded, problems = keep_samples(parts.train, request.recipe, settings, file, step, cancel)
            if not loaded:
                raise DataError(f"None of the {len(parts.train)} training images can be used: {problems[0]}")
        if wants_statistics:
            request = replace(request, recipe=with_statistics(request.recipe, loaded))
        if not by_gradient:
            return _by_features(request, parts, settings, progress, cancel)
        if request.dealt:
            rng = np.random.default_rng([request.seed, 4])
            loaded = loaded.dealt(givers(scoring.patients_of(loaded.samples), rng))
        step = part_of(progress, 0, 1, "validation")
        watched, more = keep_samples(parts.validation, request.recipe, settings, file, step, cancel)
        learnt = _by_gradient(request, loaded, watched, parts.validation, settings, progress, cancel)
        return replace(learnt, problems=(*problems, *more))


def _by_features(
    request: LearnRequest, parts: Parts, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Learnt:
    recipe, start = request.recipe, request.start.file
    found = fit_linear(recipe, start, parts.train, parts.validation, request.seed, settings, progress, cancel)
    return Learnt(recipe, found.tensors, 0, problems=found.problems, images=found.images)


def write_learnt(folder: Path, learnt: Learnt, parts: Parts, request: LearnRequest, data: str) -> Manifest:
    """Write the model: weights, what it has seen, manifest.

    Raises:
        OutputError: the folder cannot be written.
        ImageError: an image of the data cannot be read any more.
    """
    return write_model(
        folder,
        learnt.recipe,
        learnt.tensors,
        _seen(parts),
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=request.seed,
        epochs=learnt.epochs,
        initial=request.start.words,
        data=data,
    )


def _by_gradient(
    request: LearnRequest,
    loaded: KeptSamples,
    watched: KeptSamples,
    validation_samples: Sequence[Sample],
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Learnt:
    fit_request = FitRequest(
        request.recipe,
        request.epochs or request.recipe.training.epochs,
        request.seed,
        request.folder / STATE,
        request.resume,
        request.start.file,
        _pictures(request, watched),
        stop=request.hooks.stop,
        keep_best=request.hooks.keep_best,
    )
    validate = validation(request.recipe, watched) if watched else None
    fitted = _fit(fit_request, loaded, validate, request.hooks, progress, cancel)
    chooser = network_of(request.recipe, fitted.tensors)
    recipe = calibrated(chooser, request.recipe, validation_samples, settings, progress, cancel)
    tensors = fitted.tensors
    if recipe.training.refit and watched and fitted.ended in ("whole", "early"):
        request.hooks.refitting()
        tensors = _refit(fit_request, loaded + watched, fitted, request.hooks, progress, cancel).tensors
    doubt = unmoved(fitted.history, request.recipe)
    return Learnt(recipe, tensors, len(fitted.history), fitted.best_epoch, fitted.ended, doubt=doubt)


def _fit(
    request: FitRequest,
    loaded: Sequence[Loaded],
    validate: Validate | None,
    hooks: Hooks,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Fitted:
    """Fit; where memory does not suffice, go on after the last whole epoch with half the batch."""
    if request.resume and (kept := epochs_kept(request.folder)):
        request = replace(request, recipe=_with_batch(request.recipe, kept[-1].get("batch", 0)))
    while True:
        batches = TrainingBatches(loaded, request.recipe, request.seed)
        request = replace(request, class_weights=batches.class_weights)
        try:
            return fit(request, batches, validate, hooks.epoch, progress, cancel)
        except OutOfMemory as error:
            smaller = request.recipe.training.batch // 2
            if not smaller:
                raise
            hooks.smaller_batch(smaller, error)
        request = replace(request, recipe=_with_batch(request.recipe, smaller), resume=True)


def _with_batch(recipe: Recipe, batch: int) -> Recipe:
    if not batch:
        return recipe
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"batch": batch})})


def _pictures(request: LearnRequest, watched: KeptSamples) -> EpochPictures | None:
    """Of the recipe's number of validation images, each of another patient as far as there are some."""
    count = request.recipe.training.epoch_pictures
    if not count or not watched or request.recipe.task != "segmentation":
        return None
    first = {sample.patient: i for i, sample in reversed(list(enumerate(watched.samples)))}
    others = sorted(set(range(len(watched))) - set(first.values()))
    chosen = watched.chosen([*first.values(), *others][:count])
    return EpochPictures(request.folder / EPOCHS, *validation_inputs(list(chosen), request.recipe))


def _refit(
    request: FitRequest,
    loaded: Sequence[Loaded],
    fitted: Fitted,
    hooks: Hooks,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Fitted:
    """Train anew on training and validation patients, for as many epochs as the choice fell on."""
    last = fitted.best_epoch if request.recipe.training.early_stopping else None
    recipe = _with_batch(request.recipe, fitted.history[-1].batch)  # memory may not have sufficed for more
    again = replace(request, recipe=recipe, folder=request.folder.with_name(REFIT), watch=None, last_epoch=last)
    return _fit(again, loaded, None, hooks, progress, cancel)


def validation(recipe: Recipe, watched: Sequence[Loaded]) -> Validate:
    """Figures on the validation patients after each epoch; ``loss`` is what the best epoch is chosen by."""
    facts = [(one.sample, one.label) for one in watched]
    patients = scoring.patients_of([sample for sample, _ in facts])
    labels = np.array([label for _, label in facts], np.intp)
    exclusive = len(recipe.classes) > 2 and recipe.training.loss in ("categorical-crossentropy", "focal")

    def pieces() -> Iterator[tuple[Batch, Batch]]:
        """Images and truths, a few at a time: ten thousand images as numbers are 6 GB."""
        for part in in_parts(len(watched), _AT_ONCE):
            yield validation_inputs([watched[i] for i in part], recipe)

    def classified(predict: Callable[[Batch], Batch]) -> dict[str, float]:
        found = [(predict(images), truths) for images, truths in pieces()]
        outputs, truths = (np.concatenate(values) for values in zip(*found, strict=True))
        scored = scored_as(
            patients, labels, scoring.class_probabilities(outputs), recipe.classes, recipe.decision.threshold
        )
        return {"loss": _entropy(outputs, truths, exclusive), **scored.metrics()}

    def outlined(predict: Callable[[Batch], Batch]) -> dict[str, float]:
        found = [_dice(predict(images) >= recipe.decision.threshold, truths > 0.5) for images, truths in pieces()]
        dice = float(np.concatenate(found).mean())
        return {"loss": 1.0 - dice, "dice": dice}

    return classified if recipe.classifies else outlined


def _dice(predicted: Bools, truths: Bools) -> npt.NDArray[np.float64]:
    """Dice of each image, [n]; empty against empty is 1."""
    common = (predicted & truths).sum(axis=(1, 2, 3))
    total = predicted.sum(axis=(1, 2, 3)) + truths.sum(axis=(1, 2, 3))
    return np.asarray(np.where(total > 0, 2 * common / np.maximum(total, 1), 1.0), np.float64)


def _entropy(outputs: Batch, truths: Batch, exclusive: bool) -> float:
    """Mean cross-entropy of outputs [n, classes]: of each output by itself, or of classes of which one is true."""
    clipped = np.clip(outputs, 1e-7, 1 - 1e-7)
    if exclusive:
        shares = clipped / clipped.sum(axis=1, keepdims=True)
        return float(-(truths * np.log(shares)).sum(axis=1).mean())
    return float(-(truths * np.log(clipped) + (1 - truths) * np.log(1 - clipped)).mean())


def with_statistics(recipe: Recipe, loaded: Iterable[Loaded]) -> Recipe:
    """The recipe with each channel's mean and deviation over the training images, 0..1.

    So seed 4's feature-wise centring and scaling is meant; its own code asks for it and never fits it.
    """
    sums = np.zeros((2, recipe.input.channels))
    count = 0
    for one in loaded:
        pixels = one.working.pixels.reshape(-1, recipe.input.channels).astype(np.float64) / 255
        sums += pixels.sum(axis=0), (pixels**2).sum(axis=0)
        count += len(pixels)
    means, squares = sums / count
    deviations = np.maximum(np.sqrt(np.maximum(squares - means**2, 0)), 1e-6)
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
    classifiers keep the recipe's own limits: on few patients a fitted threshold did not carry over. A
    temperature, and what is sure enough, are of the weights that they were fitted to: new ones begin without.
    """
    begun = recipe.decision.model_copy(update={"temperature": 1.0, "least": 0.0})
    recipe = recipe.model_copy(update={"decision": begun})
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


def network_of(recipe: Recipe, tensors: Tensors) -> KerasNetwork:
    """The network that was learnt, ready to run without having been written."""
    model = build(recipe)
    set_weights(model, tensors)
    return KerasNetwork(model, recipe)


def _seen(parts: Parts) -> Seen:
    def digests(samples: Sequence[Sample]) -> frozenset[str]:
        return frozenset(file_digests(sample.path)[0][:SEEN_DIGITS] for sample in samples)

    return Seen(train=digests(parts.train), validation=digests(parts.validation), test=digests(parts.test))
