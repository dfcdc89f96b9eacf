"""How long a training takes on this machine: a few steps of it, timed, and how sure that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pathview.analysis.predict import as_input
from pathview.errors import DataError, ImageError, NotAnalysable
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, no_progress, part_of
from pathview.models import devices
from pathview.models.keras_features import Extractor
from pathview.models.keras_training import memory_told, started
from pathview.models.recipe import Recipe
from pathview.models.step_timer import StepTimer
from pathview.settings import Settings
from pathview.training.data.kept_samples import AskedSamples
from pathview.training.data.loading import Loaded
from pathview.training.data.parts import Parts
from pathview.training.data.samples import Sample
from pathview.training.learning.features import FEATURES_AT_ONCE, image_key
from pathview.training.learning.linear import feature_cache
from pathview.training.learning.running import RunOptions
from pathview.training.learning.start import start_of
from pathview.training.learning.trials import require_trials_possible
from pathview.training.measures.trials import SHARES
from pathview.training.runs.levels import planned_recipe
from pathview.training.runs.run_folder import RunFolder
from pathview.training.runs.run_log import in_words
from pathview.training.runs.run_parts import locked_parts

_IMAGES = 8
_MOST_STEPS, _MOST_SECONDS = 8, 6.0
_SMALL = 4
"""Images of a step that is tried first: where a whole batch would take longer than all measuring may, its time is
reckoned from these."""
_HEAD_SECONDS = (0.5, 3.0, 10.0)
_BEGIN_SECONDS = (5.0, 10.0, 20.0)
"""Until the first step: TensorFlow's import, the network, its tracing."""
_NETWORK_SECONDS = (1.0, 4.0, 12.0)
"""To make and trace a network once TensorFlow is there: of each fold."""
_SLOWER = 1.25
"""How much longer a machine takes that has other work to do meanwhile."""


@dataclass(frozen=True)
class Span:
    """A time in seconds: the shortest, the likely and the longest."""

    low: float
    likely: float
    high: float

    def __add__(self, other: Span) -> Span:
        """One after the other."""
        return Span(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def times(self, count: float, fewest: float | None = None) -> Span:
        """So often; at least ``fewest`` times."""
        return Span(self.low * (count if fewest is None else fewest), self.likely * count, self.high * count)


@dataclass(frozen=True)
class Forecast:
    """How long a training takes."""

    seconds: Span
    device: str
    epochs: int
    """0: no gradient."""
    step_seconds: float | None
    """Of one batch; None where there is no gradient."""
    images: int
    """To read: of training and validation."""
    cached: int
    """Of them, those whose features are known already."""
    sentence: str
    folds: int = 0
    """Of the cross-validation, whose time is in ``seconds``."""
    trials: bool = False
    """Whether the time of the trials is in ``seconds`` too."""


def forecast(
    run: RunFolder, options: RunOptions, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Forecast:
    """Time a few steps of a run's training (a job of some ten seconds; nothing is written).

    Raises:
        DataError: the split is not locked yet, or no image can be read.
        RecipeError, ModelError: recipe, changes or the weights to start from do not fit.
        OutOfMemory: a batch does not fit into memory.
        Cancelled: between steps.
    """
    recipe = planned_recipe(run.plan(), settings).recipe
    parts = locked_parts(run, recipe, settings)
    start = start_of(recipe, options.init, options.from_scratch, settings)
    progress(Progress(0, 3, "reading some images"))
    loaded, reading = _read(parts.train, recipe, settings, cancel)
    progress(Progress(1, 3, "starting the network"))
    count, folds = len(parts.train) + len(parts.validation), run.split().fold_count
    device = devices.device().name
    if recipe.training.method != "gradient":
        extractor = Extractor(started(recipe, run.plan().seed, start.file))
        cached = _cached(extractor, [*parts.train, *parts.validation], recipe, settings)
        with memory_told(FEATURES_AT_ONCE):
            batch = _timed(lambda: extractor.head_input(_batch_of(loaded, FEATURES_AT_ONCE)), cancel)
        features = _slowest(reading, batch.times(1 / FEATURES_AT_ONCE)).times(count - cached)
        again = Span(*_HEAD_SECONDS) + (features if _by_centres(recipe) else Span(0.0, 0.0, 0.0))
        judging = batch.times(1 / FEATURES_AT_ONCE)
        seconds = Span(*_BEGIN_SECONDS) + features + Span(*_HEAD_SECONDS)
        seconds += _of_folds(folds, again, reading, judging, parts)
        sentence = _sentence(seconds, device, recipe, cached, count, folds)
        return Forecast(seconds, device, 0, None, count, cached, sentence, folds)
    step, forward, fitting = _of_gradient(recipe, parts, start.file, run.plan().seed, progress, cancel)
    seconds = Span(*_BEGIN_SECONDS) + reading.times(count) + fitting
    share = (folds - 1) / folds if folds else 0.0
    again = fitting.times(share) + reading.times(share * count)
    seconds += _of_folds(folds, again, reading, forward.times(1 / recipe.training.batch), parts)
    tries = run.plan().recipe.trials and not recipe.classifies
    if tries:
        require_trials_possible(parts)
        seconds += _of_trials(recipe, fitting, reading, parts)
    sentence = _sentence(seconds, device, recipe, 0, count, folds, tries)
    return Forecast(seconds, device, recipe.training.epochs, step.likely, count, 0, sentence, folds, tries)


def _of_folds(folds: int, training: Span, reading: Span, judging: Span, parts: Parts) -> Span:
    """All folds of a cross-validation.

    Args:
        folds: how many; 0: none.
        training: of one.
        reading: of one image: those that a fold judges, and those that its baselines are fitted on.
        judging: of one image; each is judged once.
        parts: of the model.
    """
    if not folds:
        return Span(0.0, 0.0, 0.0)
    count = len(parts.train) + len(parts.validation)
    read = count + (folds - 1) * len(parts.train)
    return (training + Span(*_NETWORK_SECONDS)).times(folds) + reading.times(read) + judging.times(count)


def _of_trials(recipe: Recipe, fitting: Span, reading: Span, parts: Parts) -> Span:
    """All trials: on growing shares of the patients, on dealt-out outlines, and on all where the model learnt more."""
    shares = sum(SHARES) + 1 + recipe.training.refit
    each = reading.times(2 * len(parts.validation)) + Span(*_NETWORK_SECONDS)
    fitted = fitting.times(shares / (2 if recipe.training.refit else 1))  # the model itself is fitted twice then
    return fitted + reading.times(shares * len(parts.train)) + each.times(len(SHARES) + 1 + recipe.training.refit)


def _of_gradient(
    recipe: Recipe,
    parts: Parts,
    initial: Path | None,
    seed: int,
    progress: ProgressSink,
    cancel: CancelToken,
) -> tuple[Span, Span, Span]:
    """The times of a step, of a batch that is only looked at, and of all epochs."""
    spec = recipe.training
    timer = StepTimer(recipe, seed, initial)
    step = _of_batch(timer.step, spec.batch, part_of(progress, 2, 4, "training steps"), cancel)
    forward = _of_batch(timer.forward, spec.batch, part_of(progress, 3, 4, "steps of validation"), cancel)
    steps = _steps(parts.train, recipe)
    epoch = step.times(steps) + forward.times(len(parts.validation) / spec.batch)
    fewest = 1 + spec.early_stopping if spec.early_stopping and parts.validation else spec.epochs
    fitting = epoch.times(spec.epochs, min(fewest, spec.epochs))
    if spec.refit:
        share = 1 + len(parts.validation) / max(1, len(parts.train))
        fitting += step.times(steps * share).times(spec.epochs, min(fewest, spec.epochs))
    return step, forward, fitting


def _steps(samples: Sequence[Sample], recipe: Recipe) -> int:
    """Batches an epoch, as :class:`pathview.training.learning.batches.TrainingBatches` counts them."""
    count = len(samples)
    if recipe.training.balance == "undersample" and recipe.classifies:
        labels = np.bincount([sample.label or 0 for sample in samples], minlength=len(recipe.classes))
        count = int(labels.min() * len(labels))
    return max(1, count // recipe.training.batch)


def _read(
    samples: Sequence[Sample], recipe: Recipe, settings: Settings, cancel: CancelToken
) -> tuple[list[Loaded], Span]:
    """Some images, spread evenly, and the time that one takes."""
    chosen = sorted(set(np.linspace(0, len(samples) - 1, _IMAGES).round().astype(int).tolist())) if samples else []
    asked = AskedSamples([samples[i] for i in chosen], recipe, settings)
    loaded, times, problem = [], list[float](), "there is none"
    for i in range(len(asked)):
        checkpoint(cancel)
        if len(times) > 1 and sum(times) > _MOST_SECONDS:
            break
        begin = time.perf_counter()
        try:
            loaded.append(asked[i])
        except (ImageError, NotAnalysable) as error:
            problem = str(error)
        else:
            times.append(time.perf_counter() - begin)
    if not loaded:
        raise DataError(f"None of the training images that were tried can be used: {problem}")
    return loaded, _span(times)


def _batch_of(loaded: Sequence[Loaded], count: int) -> Any:
    return as_input(np.stack([loaded[i % len(loaded)].working.pixels for i in range(count)]))


def _cached(extractor: Extractor, samples: Sequence[Sample], recipe: Recipe, settings: Settings) -> int:
    if _by_centres(recipe):
        return 0  # which are fitted first, and part of the name
    pooling = str(recipe.network.options.get("pooling", "mean"))
    names, asked = [], AskedSamples(samples, recipe, settings)
    for i, sample in enumerate(samples):
        try:
            names.append(image_key(sample, asked.prepared(i)))
        except ImageError:
            continue
    kind = f"{extractor.digest} {extractor.last} {pooling}"
    return len(feature_cache(settings).get(kind, names))


def _by_centres(recipe: Recipe) -> bool:
    return recipe.network.options.get("pooling") == "vlad"


def _of_batch(
    step: Callable[[int], object],
    batch: int,
    progress: ProgressSink,
    cancel: CancelToken,
    clock: Callable[[], float] = time.perf_counter,
) -> Span:
    """The time of a step of a batch, reckoned from a few images where the batch itself would take too long.

    Args:
        step: of so many images.
        batch: images of the training's own step.
        progress: gets each call.
        cancel: is asked before each call.
        clock: seconds.
    """
    few = min(_SMALL, batch)
    small = _timed(lambda: step(few), cancel, progress, clock)
    reckoned = small.times(batch / few)
    if few == batch or 2 * reckoned.likely > _MOST_SECONDS:
        return reckoned
    return _timed(lambda: step(batch), cancel, progress, clock)


def _timed(
    step: Callable[[], object],
    cancel: CancelToken,
    progress: ProgressSink = no_progress,
    clock: Callable[[], float] = time.perf_counter,
) -> Span:
    """Times of a few calls after the first, which compiles; of a single one where that takes long enough."""
    checkpoint(cancel)
    step()
    times: list[float] = []
    while not times or (len(times) < _MOST_STEPS and sum(times) < _MOST_SECONDS):
        checkpoint(cancel)
        progress(Progress(len(times) + 1, _MOST_STEPS + 1, ""))
        begin = clock()
        step()
        times.append(clock() - begin)
    return _span(times)


def _span(times: Sequence[float]) -> Span:
    return Span(min(times), float(np.median(times)), _SLOWER * max(times))


def _slowest(one: Span, other: Span) -> Span:
    """Two things at the same time; at worst one after the other."""
    return Span(max(one.low, other.low), max(one.likely, other.likely), one.high + other.high)


def _sentence(
    seconds: Span, device: str, recipe: Recipe, cached: int, count: int, folds: int, tries: bool = False
) -> str:
    beside = [*([f"{folds} folds"] if folds else []), *(["trials"] if tries else [])]
    with_folds = f", its {' and '.join(beside)} included" if beside else ""
    span = f"({in_words(seconds.low)} to {in_words(seconds.high)})"
    about = f"About {in_words(seconds.likely)} on {device} {span}{with_folds}"
    if recipe.training.early_stopping and recipe.training.method == "gradient":
        return f"{about}; less where it stops early."
    if cached:
        return f"{about}; the features of {cached:,} of {count:,} images are known already."
    return f"{about}."
