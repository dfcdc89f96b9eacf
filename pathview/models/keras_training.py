"""Training with Keras: the epoch loop. Data and metrics come from the caller."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from pathview.errors import DataError, ModelError, PathViewError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models import devices, keras_backend
from pathview.models.backend import Batch
from pathview.models.initial import start_from
from pathview.models.keras_objective import compile_model
from pathview.models.recipe import Recipe
from pathview.models.training_state import STATE, State, read_state, settings_of, write_state
from pathview.models.weights import Tensors

_PREDICT_BATCH = 32
_AHEAD = 2
"""Batches that each thread has ready before the network asks for them."""
Ended = Literal["whole", "early", "stopped", "not_a_number"]


class NotFinite(DataError):
    """The loss, or the weights that it led to, are no numbers any more."""


class OutOfMemory(PathViewError):
    """A batch of this size does not fit into memory."""


class BatchSource(Protocol):
    """Where training batches come from; ``batch`` must depend on its arguments alone, and be safe in threads."""

    def __len__(self) -> int:
        """Batches an epoch."""
        ...

    def batch(self, epoch: int, index: int) -> tuple[Batch, Batch]:
        """Images and truths."""
        ...


@dataclass(frozen=True)
class EpochReport:
    """What one epoch brought; epochs count from 1."""

    epoch: int
    epochs: int
    loss: float
    validation: dict[str, float]
    """Empty where there are no validation patients."""
    seconds: float
    best: bool
    training: dict[str, float] = field(default_factory=dict)
    """Means over the epoch's batches, as changed by augmentation and dropout: ``accuracy`` or ``dice``."""
    batch: int = 0
    """Images a step."""

    @property
    def words(self) -> str:
        """In one line."""
        figures = ", ".join(f"{name} {value:.4f}" for name, value in self.validation.items())
        watched = f"; validation {figures}" if figures else ""
        best = " (best so far)" if self.best and figures else ""
        return f"epoch {self.epoch} of {self.epochs}: loss {self.loss:.4f}{watched}{best}"


@dataclass(frozen=True)
class Fitted:
    """The outcome of a training run."""

    tensors: Tensors
    best_epoch: int
    history: tuple[EpochReport, ...]
    ended: Ended = "whole"


Validate = Callable[[Callable[[Batch], Batch]], dict[str, float]]
"""Given a function from images to scores, returns figures; ``loss`` decides which epoch is best."""


@dataclass(frozen=True)
class FitRequest:
    """One run of training."""

    recipe: Recipe
    epochs: int
    seed: int
    folder: Path
    """Where the state after each epoch is kept, so that a killed run can be resumed."""
    resume: bool = False
    initial: Path | None = None
    """Weights file that the network's backbone starts from; random weights where None."""
    watch: Callable[[int, Callable[[Batch], Batch]], None] | None = None
    """Called after each epoch with its number and the network as it is then."""
    last_epoch: int | None = None
    """Stop after this epoch although the schedule reaches further (a refit of an early-stopped run)."""
    class_weights: tuple[float, ...] = ()
    """What an image of each class counts in the loss; empty: 1."""
    stop: Callable[[], bool] | None = None
    """Asked before each batch whether to stop and keep the best epoch so far; it may wait (a pause). The first epoch
    is always finished."""
    keep_best: bool = False
    """Whether a loss that is no number ends the training with the best epoch before it, if there is one."""


def fit(
    request: FitRequest,
    batches: BatchSource,
    validate: Validate | None,
    on_epoch: Callable[[EpochReport], None],
    progress: ProgressSink,
    cancel: CancelToken,
) -> Fitted:
    """Train a recipe's network, on all GPUs of this machine.

    The weights of the epoch with the smallest validation loss are returned; the last epoch's where
    there is nothing to validate on. On a CPU the same request gives the same numbers again.

    Raises:
        NotFinite: the loss is no number any more.
        OutOfMemory: ask again with a smaller batch, to go on after the last whole epoch.
        DiskFull, OutputError: the state cannot be kept.
        Cancelled: after a batch; the state after the last whole epoch is kept.
    """
    keras_backend.start()
    devices.reproducible()
    with precision_of(request.recipe.training.mixed_precision), memory_told(request.recipe.training.batch):
        strategy = devices.spread()
        with devices.scope_of(strategy):
            model = started(request.recipe, request.seed, request.initial)
            compile_model(model, request.recipe, len(batches) * request.epochs)
        return _Run(request, model, strategy, batches, validate).go(on_epoch, progress, cancel)


def started(recipe: Recipe, seed: int, initial: Path | None) -> Any:
    """A recipe's network with the weights that its training begins with: random by ``seed``, and a file's over them.

    Raises:
        ModelError: the file does not fit.
    """
    keras_backend.start()
    import keras

    keras.utils.set_random_seed(seed)
    model = keras_backend.build(recipe)
    if initial is not None:
        start_from(model, recipe, initial)
    return model


class _Stopped(Exception):
    """The best epoch so far is wanted, now."""


class _Run:
    """The epoch loop and what it carries from epoch to epoch."""

    def __init__(
        self, request: FitRequest, model: Any, strategy: Any, batches: BatchSource, validate: Validate | None
    ) -> None:
        self._request = request
        self._model = model
        self._strategy = strategy
        self._batches = batches
        self._validate = validate
        self._history: list[EpochReport] = []
        self._best: Tensors = {}
        self._best_loss = np.inf
        self._forward = keras_backend.compiled(model, lambda images: model(images, training=False))
        self._settings = settings_of(request.recipe, request.seed)

    def go(self, on_epoch: Callable[[EpochReport], None], progress: ProgressSink, cancel: CancelToken) -> Fitted:
        if self._request.resume:
            self._restore()
        else:
            (self._request.folder / STATE).unlink(missing_ok=True)  # nothing may go on from another run's
        last = self._request.last_epoch or self._request.epochs
        ended: Ended = "whole"
        while len(self._history) < last and not self._stopped_early():
            try:
                report = self._epoch(len(self._history), progress, cancel)
            except _Stopped:
                ended = "stopped"
                break
            except NotFinite:
                if not (self._request.keep_best and self._best):
                    raise
                ended = "not_a_number"
                break
            self._history.append(report)
            self._save()
            on_epoch(report)
        if ended == "whole" and len(self._history) < last:
            ended = "early"
        best_epoch = max((r.epoch for r in self._history if r.best), default=len(self._history))
        return Fitted(self._best, best_epoch, tuple(self._history), ended)

    def _epoch(self, epoch: int, progress: ProgressSink, cancel: CancelToken) -> EpochReport:
        started = time.perf_counter()
        count = len(self._batches)
        steps: list[dict[str, float]] = []
        for index, (images, truths) in enumerate(prefetched(self._batches, epoch)):
            checkpoint(cancel)
            if self._request.stop is not None and self._request.stop() and self._history:
                raise _Stopped
            checkpoint(cancel)
            steps.append({name: float(value) for name, value in self._step(images, truths).items()})
            if not np.isfinite(steps[-1]["loss"]):
                raise self._not_finite(epoch)
            text = f"epoch {epoch + 1} of {self._request.epochs}, loss {np.mean([s['loss'] for s in steps]):.4f}"
            progress(Progress(epoch * count + index + 1, self._request.epochs * count, text))
        with self._averaged_weights():
            figures, best = self._judged(epoch)
        means = {name: float(np.mean([step[name] for step in steps])) for name in steps[0]}
        seconds = time.perf_counter() - started
        batch = self._request.recipe.training.batch
        return EpochReport(epoch + 1, self._request.epochs, means.pop("loss"), figures, seconds, best, means, batch)

    def _judged(self, epoch: int) -> tuple[dict[str, float], bool]:
        """Figures on the validation patients, and whether this epoch's weights are the best so far, and kept."""
        figures = self._validate(self._predict) if self._validate else {}
        if self._request.watch is not None:
            self._request.watch(epoch + 1, self._predict)
        best = not figures or figures["loss"] < self._best_loss
        if best:
            found = keras_backend.get_weights(self._model)
            if not all(np.isfinite(tensor).all() for tensor in found.values()):
                raise self._not_finite(epoch)
            self._best_loss, self._best = figures.get("loss", np.inf), found
        return figures, best

    def _not_finite(self, epoch: int) -> NotFinite:
        return NotFinite(
            f"Training failed in epoch {epoch + 1}: the loss is no number any more; lower the learning rate."
        )

    def _step(self, images: Batch, truths: Batch) -> dict[str, Any]:
        weights = None
        if self._request.class_weights:
            weights = np.asarray(self._request.class_weights, np.float32)[truths.argmax(axis=1)]
        if self._strategy is None:
            return dict(self._model.train_on_batch(images, truths, weights, return_dict=True))
        return self._spread_step(images, truths, np.ones(len(images), np.float32) if weights is None else weights)

    def _spread_step(self, images: Batch, truths: Batch, weights: Batch) -> dict[str, Any]:
        """One step with a share of the batch on each device, gradients summed over all."""
        count = self._strategy.num_replicas_in_sync
        if len(images) % count:
            raise ModelError(
                f"A batch of {len(images)} images cannot be shared by {count} devices; make it a multiple."
            )

        def shared(values: Batch) -> Any:
            parts = np.split(values, count)
            return self._strategy.experimental_distribute_values_from_function(
                lambda context: parts[context.replica_id_in_sync_group]
            )

        self._model.make_train_function()
        self._model.reset_metrics()
        return dict(self._model.train_function(iter([(shared(images), shared(truths), shared(weights))])))

    def _predict(self, images: Batch) -> Batch:
        parts = [
            np.asarray(self._forward(images[i : i + _PREDICT_BATCH]), np.float32)
            for i in range(0, len(images), _PREDICT_BATCH)
        ]
        return np.concatenate(parts)

    def _stopped_early(self) -> bool:
        patience = self._request.recipe.training.early_stopping
        if patience is None or not self._validate or not self._history:
            return False
        best = max((report.epoch for report in self._history if report.best), default=0)
        return self._history[-1].epoch - best >= patience

    @contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        """Within it the model holds the moving average of its weights, where the recipe keeps one."""
        if self._request.recipe.training.ema is None:
            yield
            return
        variables = self._model.trainable_variables
        current = [variable.numpy() for variable in variables]
        self._model.optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, current, strict=True):
                variable.assign(value)

    def _variables(self) -> dict[str, Any]:
        """Everything that the next epoch depends on: weights, random states, the optimiser's moments.

        By number: Keras counts its random generators through the life of a process.
        """
        kinds = {"model": self._model.variables, "optimizer": self._model.optimizer.variables}
        return {f"{kind}/{i}": variable for kind, found in kinds.items() for i, variable in enumerate(found)}

    def _save(self) -> None:
        values = {name: np.asarray(variable.numpy()) for name, variable in self._variables().items()}
        reports = tuple(asdict(report) for report in self._history)
        write_state(self._request.folder, State(values, self._best, reports, self._settings))

    def _restore(self) -> None:
        state = read_state(self._request.folder, self._settings)
        if state is None:
            return
        try:
            for name, variable in self._variables().items():
                variable.assign(state.variables[name])
            self._history = [EpochReport(**report) for report in state.history]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{STATE} cannot be resumed from: damaged, or of another recipe.") from error
        self._best = state.best
        self._best_loss = min((r.validation.get("loss", np.inf) for r in self._history if r.best), default=np.inf)
        # a smaller batch means more steps an epoch: the learning rate's schedule goes on at the same share
        self._model.optimizer.iterations.assign(len(self._history) * len(self._batches))


def prefetched(batches: BatchSource, epoch: int) -> Iterator[tuple[Batch, Batch]]:
    """Batches of one epoch in their order, the next ones made in threads while the network works on this one."""
    threads = max(1, min(8, (os.cpu_count() or 1) - 1))
    with ThreadPoolExecutor(threads, "batches") as pool:
        waiting: deque[Future[tuple[Batch, Batch]]] = deque()
        following = iter(range(len(batches)))
        for index in following:
            waiting.append(pool.submit(batches.batch, epoch, index))
            if len(waiting) >= _AHEAD * threads:
                break
        try:
            while waiting:
                ready = waiting.popleft().result()
                if (index := next(following, -1)) >= 0:
                    waiting.append(pool.submit(batches.batch, epoch, index))
                yield ready
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def memory_told(batch: int) -> Iterator[None]:
    """Within it, memory that does not suffice is :class:`OutOfMemory`; TensorFlow must have been started."""
    import tensorflow as tf

    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise OutOfMemory(
            f"There is not enough memory to train on {batch} image{'s' * (batch > 1)} at once."
        ) from error


@contextmanager
def precision_of(mixed: bool) -> Iterator[None]:
    """Within it, networks are built to compute in bfloat16 (``mixed``) or single precision."""
    keras_backend.start()
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
