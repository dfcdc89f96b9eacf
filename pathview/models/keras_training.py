"""Training with Keras: losses, optimisers and the epoch loop. Data and metrics come from the caller."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from pathview.errors import DataError, ModelError, OutputError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models import keras_backend
from pathview.models.backend import Batch
from pathview.models.initial import start_from
from pathview.models.recipe import Recipe, TrainingSpec
from pathview.models.weights import Tensors

STATE = "training-state.safetensors"
HISTORY = "history.json"
_WARM_UP = 0.05
_PREDICT_BATCH = 32


class BatchSource(Protocol):
    """Where training batches come from; ``batch`` must depend on its arguments alone."""

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


@dataclass(frozen=True)
class Fitted:
    """The outcome of a training run."""

    tensors: Tensors
    best_epoch: int
    history: tuple[EpochReport, ...]


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


def fit(
    request: FitRequest,
    batches: BatchSource,
    validate: Validate | None,
    on_epoch: Callable[[EpochReport], None],
    progress: ProgressSink,
    cancel: CancelToken,
) -> Fitted:
    """Train a recipe's network.

    The weights of the epoch with the smallest validation loss are returned; the last epoch's where
    there is nothing to validate on.

    Raises:
        DataError: the loss is no number any more.
        Cancelled: after a batch; the state after the last whole epoch is kept.
    """
    with _precision(request.recipe.training.mixed_precision):
        model = started(request.recipe, request.seed, request.initial)
        steps = len(batches) * request.epochs
        model.compile(optimizer=_optimizer(request.recipe.training, steps), loss=_loss(request.recipe.training))
        model.optimizer.build(model.trainable_variables)
        return _Run(request, model, batches, validate).go(on_epoch, progress, cancel)


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


class _Run:
    """The epoch loop and what it carries from epoch to epoch."""

    def __init__(self, request: FitRequest, model: Any, batches: BatchSource, validate: Validate | None) -> None:
        self._request = request
        self._model = model
        self._batches = batches
        self._validate = validate
        self._history: list[EpochReport] = []
        self._best: Tensors = {}
        self._best_loss = np.inf

    def go(self, on_epoch: Callable[[EpochReport], None], progress: ProgressSink, cancel: CancelToken) -> Fitted:
        if self._request.resume:
            self._restore()
        last = self._request.last_epoch or self._request.epochs
        while len(self._history) < last and not self._stopped_early():
            report = self._epoch(len(self._history), progress, cancel)
            self._history.append(report)
            self._save()
            on_epoch(report)
        best_epoch = max((r.epoch for r in self._history if r.best), default=len(self._history))
        return Fitted(self._best, best_epoch, tuple(self._history))

    def _epoch(self, epoch: int, progress: ProgressSink, cancel: CancelToken) -> EpochReport:
        started = time.perf_counter()
        count = len(self._batches)
        losses = []
        for index, (images, truths) in enumerate(_prefetched(self._batches, epoch)):
            checkpoint(cancel)
            losses.append(float(self._model.train_on_batch(images, truths)))
            if not np.isfinite(losses[-1]):
                raise DataError(
                    f"Training failed in epoch {epoch + 1}: the loss is no number any more; lower the learning rate."
                )
            text = f"epoch {epoch + 1} of {self._request.epochs}, loss {np.mean(losses):.4f}"
            progress(Progress(epoch * count + index + 1, self._request.epochs * count, text))
        with self._averaged_weights():
            figures = self._validate(self._predict) if self._validate else {}
            if self._request.watch is not None:
                self._request.watch(epoch + 1, self._predict)
            best = not figures or figures["loss"] < self._best_loss
            if best:
                self._best_loss = figures.get("loss", np.inf)
                self._best = keras_backend.get_weights(self._model)
        seconds = time.perf_counter() - started
        return EpochReport(epoch + 1, self._request.epochs, float(np.mean(losses)), figures, seconds, best)

    def _predict(self, images: Batch) -> Batch:
        parts = [
            np.asarray(self._model.predict_on_batch(images[i : i + _PREDICT_BATCH]), np.float32)
            for i in range(0, len(images), _PREDICT_BATCH)
        ]
        return np.concatenate(parts)

    def _stopped_early(self) -> bool:
        patience = self._request.recipe.training.early_stopping
        if patience is None or not self._validate or not self._history:
            return False
        best = max(report.epoch for report in self._history if report.best)
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
        folder = self._request.folder
        tensors = {name: np.asarray(variable.numpy(), order="C") for name, variable in self._variables().items()}
        tensors |= {f"best/{name}": np.ascontiguousarray(tensor) for name, tensor in self._best.items()}
        metadata = {"history": json.dumps([asdict(report) for report in self._history], indent=1)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            save_file(tensors, folder / f"{STATE}.new", metadata)
            (folder / f"{STATE}.new").replace(folder / STATE)
            (folder / HISTORY).write_text(metadata["history"] + "\n", encoding="utf-8")  # for people to plot
        except (OSError, SafetensorError) as error:
            raise OutputError(f"The training state cannot be written to {folder.name}: {error}.") from error

    def _restore(self) -> None:
        path = self._request.folder / STATE
        if not path.is_file():
            return
        try:
            tensors = load_file(path)
            with safe_open(path, "np") as file:
                history = json.loads(file.metadata()["history"])
            for name, variable in self._variables().items():
                variable.assign(tensors[name])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"{path.name} cannot be resumed from: damaged, or of another recipe.") from error
        self._best = {name[5:]: tensor for name, tensor in tensors.items() if name.startswith("best/")}
        self._history = [EpochReport(**report) for report in history]
        self._best_loss = min((r.validation.get("loss", np.inf) for r in self._history), default=np.inf)


def _prefetched(batches: BatchSource, epoch: int) -> Iterator[tuple[Batch, Batch]]:
    """Batches of one epoch, the next made while the network works on this one."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(batches.batch, epoch, 0)
        for index in range(len(batches)):
            ready = following.result()
            if index + 1 < len(batches):
                following = pool.submit(batches.batch, epoch, index + 1)
            yield ready


@contextmanager
def _precision(mixed: bool) -> Iterator[None]:
    keras_backend.start()
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if mixed else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _optimizer(spec: TrainingSpec, steps: int) -> Any:
    import keras

    rate = _schedule(spec, steps)
    common: dict[str, Any] = {"clipnorm": spec.clip_norm, "weight_decay": spec.weight_decay or None}
    if spec.ema is not None:
        common |= {"use_ema": True, "ema_momentum": spec.ema}
    if spec.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=float(spec.momentum), **common)
    if spec.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(rate, momentum=float(spec.momentum), **common)
    if spec.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, **{**common, "weight_decay": spec.weight_decay})
    return keras.optimizers.Adam(rate, **common)


def _schedule(spec: TrainingSpec, steps: int) -> Any:
    """The learning rate: constant, old Keras' ``decay`` as per-step inverse time, or a cosine with warm-up."""
    import keras

    if spec.schedule == "inverse-time":
        return keras.optimizers.schedules.InverseTimeDecay(spec.learning_rate, 1, spec.decay)
    if spec.schedule == "cosine":
        warm_up = max(1, int(_WARM_UP * steps))
        return keras.optimizers.schedules.CosineDecay(
            spec.learning_rate / 20, max(1, steps - warm_up), warmup_target=spec.learning_rate, warmup_steps=warm_up
        )
    return spec.learning_rate


def _loss(spec: TrainingSpec) -> Any:
    import keras
    from keras import ops

    entropy = keras.losses.BinaryCrossentropy(label_smoothing=spec.label_smoothing)
    if spec.loss == "binary-crossentropy":
        return entropy
    if spec.loss == "categorical-crossentropy":
        return keras.losses.CategoricalCrossentropy(label_smoothing=spec.label_smoothing)

    def dice(truth: Any, scores: Any) -> Any:
        """1 - soft Dice of each image (seed 2, Sudre 2017), mean over the batch; empty against empty is 0."""
        axes = (1, 2, 3)
        common = ops.sum(truth * scores, axis=axes)
        total = ops.sum(truth, axis=axes) + ops.sum(scores, axis=axes)
        return ops.mean(1.0 - (2.0 * common + 1.0) / (total + 1.0))

    if spec.loss == "dice":
        return dice
    return lambda truth, scores: dice(truth, scores) + entropy(truth, scores)
