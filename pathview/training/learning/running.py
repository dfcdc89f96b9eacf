"""A run's folder becomes a trained model: begun, paused, stopped, resumed after whatever ended it, told as it goes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from pathview.errors import DataError, OutputError, PathViewError
from pathview.jobs import Cancelled, CancelToken, ProgressSink, part_of
from pathview.models.keras_training import NotFinite
from pathview.models.training_state import DiskFull, epochs_kept
from pathview.models.weights import MANIFEST, Manifest
from pathview.settings import Settings
from pathview.training.data.parts import Parts
from pathview.training.learning.fitting import Hooks, LearnRequest, Learnt, learn, write_learnt
from pathview.training.learning.start import start_of
from pathview.training.preparing.health import check_health, require_healthy
from pathview.training.runs.levels import Planned, planned_recipe
from pathview.training.runs.plan import EventKind
from pathview.training.runs.run_folder import HEALTH, HISTORY, RunFolder, is_disk_full
from pathview.training.runs.run_log import RunLog, present
from pathview.training.runs.run_parts import locked_parts
from pathview.training.runs.steering import Steering, alone

_ENDS = {
    "stopped": "Stopped when asked",
    "early": "Stopped early, since the validation loss was no longer getting better",
    "not_a_number": "The loss was no number any more; lower the learning rate for a better model",
}


@dataclass(frozen=True)
class RunOptions:
    """How a run is trained this time."""

    resume: bool = False
    """Go on after the last whole epoch."""
    anew: bool = False
    """Forget what was trained so far."""
    init: Path | None = None
    """Keras weights that the backbone starts from."""
    from_scratch: bool = False
    """Random weights, whatever the recipe says."""
    tensorboard: bool = False
    """Write TensorBoard's logs too."""


@dataclass(frozen=True)
class Ran:
    """What a training left behind. The test patients were not looked at yet."""

    run: RunFolder
    manifest: Manifest
    best_epoch: int
    ended: str
    """``whole``, ``early``, ``stopped`` or ``not_a_number``."""
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Ready:
    """All that was checked before anything is trained."""

    planned: Planned
    parts: Parts
    learning: LearnRequest
    data: str


def run_training(
    run: RunFolder, options: RunOptions, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Ran:
    """Train what a run's plan says on its locked split, and write the model to ``run.model`` (a job for the engine).

    Each event is in ``events.jsonl``, and comes as ``early`` of a progress step. Cancelled, killed or out of power, it
    goes on after the last whole epoch with ``resume``, in the same order of the data and to the same weights.

    Raises:
        DataError: another process trains there; it was begun, or is finished, already; data, split or health do not
            allow it; the loss is no number before there is a best epoch.
        DiskFull: there was no room for the state after an epoch; the earlier one is whole.
        RecipeError, ModelError: recipe, changes or the weights to start from do not fit.
        Cancelled: at a checkpoint.
    """
    run.plan()  # no lock is left in a folder that is no run's
    with alone(run):
        _allowed(run, options)
        ready = _ready(run, options, settings, progress, cancel)
        log = RunLog(run, progress, options.tensorboard)
        try:
            kept = epochs_kept(run.state) if options.resume else ()
            log.begin(kept, {"from_scratch": ready.learning.start.file is None, "batch": _batch(ready)})
            hooks = Hooks(log.epoch, log.smaller_batch, log.refitting, Steering(run, log.paused, cancel), True)
            learnt = learn(replace(ready.learning, hooks=hooks), ready.parts, settings, log.progress, cancel)
            manifest = write_learnt(run.model, learnt, ready.parts, ready.learning, ready.data)
        except Cancelled:
            log.end("paused", f"Interrupted; it goes on after epoch {log.epochs_done}.")
            raise
        except PathViewError as error:
            log.end(_kind(error), str(error))
            raise
        sentence = _ended(learnt)
        log.end("stopped" if learnt.ended == "stopped" else "finished", sentence)
        notices = (*ready.planned.notices, *learnt.problems, sentence)
        return Ran(run, manifest, learnt.best_epoch, learnt.ended, notices)


def _allowed(run: RunFolder, options: RunOptions) -> None:
    """Refuse to overwrite what was trained; forget it where that was asked for."""
    if options.anew:
        _forget(run)
    elif (run.model / MANIFEST).exists():
        raise DataError(f"{run.name} is trained already; train it anew, or begin another.")
    elif not options.resume and (done := len(epochs_kept(run.state))):
        raise DataError(f"{run.name} was begun already: resume it after epoch {done}, or train it anew.")


def _forget(run: RunFolder) -> None:
    try:
        for folder in (run.state, run.refit, run.epochs, run.model, run.tensorboard):
            if folder.exists():
                shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(f"What {run.name} learnt cannot be removed: {error.strerror}.") from error
    run.remove(HISTORY)


def _ready(
    run: RunFolder, options: RunOptions, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> _Ready:
    plan, split = run.plan(), run.split()
    planned = planned_recipe(plan, settings)
    parts = locked_parts(run, planned.recipe, settings)
    if not (run.has(HEALTH) and run.health().split_sha256 == split.sha256):
        check_health(run, settings, part_of(progress, 0, 1), cancel)
    require_healthy(run.health())
    begun = next((event for event in present(run.events()) if event.kind == "started"), None)
    scratch = options.from_scratch or bool(options.resume and begun and begun.numbers.get("from_scratch"))
    start = start_of(planned.recipe, options.init, scratch, settings)
    sources = sorted({row.source for row in run.rows() if row.source})
    learning = LearnRequest(planned.recipe, run.path, None, plan.seed, options.resume, start)
    return _Ready(planned, parts, learning, ", ".join(sources) or plan.title)


def _batch(ready: _Ready) -> int:
    return ready.learning.recipe.training.batch


def _kind(error: PathViewError) -> EventKind:
    if isinstance(error, NotFinite):
        return "not_a_number"
    return "disk_full" if isinstance(error, DiskFull) or is_disk_full(error) else "failed"


def _ended(learnt: Learnt) -> str:
    if not learnt.epochs:
        return "The head is fitted."
    how = _ENDS.get(learnt.ended, "All epochs are done")
    return f"{how}; epoch {learnt.best_epoch} of {learnt.epochs} is kept."
