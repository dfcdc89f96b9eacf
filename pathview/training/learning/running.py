"""A run's folder becomes a trained model: begun, paused, stopped, resumed after whatever ended it, told as it goes."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pathview.errors import DataError, OutputError, PathViewError
from pathview.jobs import Cancelled, CancelToken, ProgressSink, part_of
from pathview.models.keras_training import NotFinite
from pathview.models.training_state import DiskFull, epochs_kept
from pathview.models.weights import MANIFEST, Manifest, read_manifest
from pathview.settings import Settings
from pathview.training.data.parts import Parts
from pathview.training.learning.beside import forget
from pathview.training.learning.crossing import cross_validate
from pathview.training.learning.fitting import Hooks, LearnRequest, Learnt, learn, write_learnt
from pathview.training.learning.start import start_of
from pathview.training.learning.trials import require_trials_possible, try_out
from pathview.training.measures.folds import CrossValidation, folds_of, model_way, way_of
from pathview.training.measures.trials import Trials, lacking, trials_of
from pathview.training.preparing.health import check_health, require_healthy
from pathview.training.runs.levels import Planned, planned_recipe
from pathview.training.runs.plan import EventKind, Number
from pathview.training.runs.run_folder import FOLDS, HEALTH, HISTORY, TRIALS, RunFolder, is_disk_full
from pathview.training.runs.run_log import RunLog, present
from pathview.training.runs.run_parts import locked_parts
from pathview.training.runs.steering import Steering, alone, go_on

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
    folds: CrossValidation | None = None
    """None where there are none, or they were left out when asked."""
    trials: Trials | None = None
    """The same of trials."""


@dataclass(frozen=True)
class _Ready:
    """All that was checked before anything is trained."""

    planned: Planned
    parts: Parts
    learning: LearnRequest
    data: str
    tries: bool
    """Whether trials are wanted, which only outlines need."""


def run_training(
    run: RunFolder, options: RunOptions, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Ran:
    """Train what a run's plan says on its locked split, and write the model to ``run.model`` (a job for the engine).

    After it the folds of its cross-validation are trained, and the trials that the plan asks for.

    Each event is in ``events.jsonl``, and comes as ``early`` of a progress step. Cancelled, killed or out of power, it
    goes on after the last whole epoch with ``resume``, in the same order of the data and to the same weights.

    Raises:
        DataError: another process trains there; it was begun, or is finished, already; data, split or health do not
            allow it; the loss is no number before there is a best epoch; folds are to be gone on with, and the plan
            is another than the model's.
        DiskFull: there was no room for the state after an epoch; the earlier one is whole.
        RecipeError, ModelError: recipe, changes or the weights to start from do not fit.
        Cancelled: at a checkpoint.
    """
    run.plan()  # no lock is left in a folder that is no run's
    with alone(run):
        _allowed(run, options)
        with suppress(OutputError):
            go_on(run)  # what was asked of an earlier training
        ready = _ready(run, options, settings, progress, cancel)
        log = RunLog(run, progress, options.tensorboard)
        there = (run.model / MANIFEST).exists()
        ran = _kept(run, ready) if there else _trained(run, ready, options, settings, log, cancel)
        try:
            return _with_others(ran, ready, settings, log, cancel)
        except PathViewError as error:
            log.end(_kind(error), str(error))
            raise


def _trained(
    run: RunFolder, ready: _Ready, options: RunOptions, settings: Settings, log: RunLog, cancel: CancelToken
) -> Ran:
    """Train the model, and write it."""
    try:
        kept = epochs_kept(run.state) if options.resume else ()
        log.begin(kept, {"from_scratch": ready.learning.start.file is None, **_how(ready)})
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
    how: dict[str, Number] = {"best_epoch": learnt.best_epoch, "ended": learnt.ended}
    log.end("stopped" if learnt.ended == "stopped" else "finished", sentence, how)
    notices = (*ready.planned.notices, *learnt.problems, sentence)
    return Ran(run, manifest, learnt.best_epoch, learnt.ended, notices)


def _kept(run: RunFolder, ready: _Ready) -> Ran:
    """The model that is there, whose folds are to be trained as it was."""
    learning = ready.learning
    if way_of(run.split(), learning.recipe, learning.seed, learning.start.words) != model_way(run):
        raise DataError(
            f"The plan of {run.name} has another recipe, seed or start than its model, so these would not be its "
            "folds; train it anew."
        )
    told = next((one for one in reversed(run.events()) if one.kind in ("finished", "stopped")), None)
    numbers = told.numbers if told is not None else {}
    best = numbers.get("best_epoch")
    sentence = told.sentence if told is not None else ""
    ended = str(numbers.get("ended", "whole"))
    return Ran(run, read_manifest(run.model), best if isinstance(best, int) else 0, ended, (sentence,))


def _with_others(ran: Ran, ready: _Ready, settings: Settings, log: RunLog, cancel: CancelToken) -> Ran:
    """Train folds and trials that are wanted and not there; where somebody asked to stop, what comes after is left."""
    run, parts = ran.run, ready.parts
    folds, _ = folds_of(run)
    if run.split().folds and folds is None:
        folds = cross_validate(run, ready.learning, [*parts.train, *parts.validation], settings, log, cancel)
        if folds is None:
            return ran
    if not ready.tries:
        return replace(ran, folds=folds)
    stopped = ran.ended == "stopped"
    trials = trials_of(run)[0] or try_out(run, ready.learning, parts, stopped, settings, log, cancel)
    return replace(ran, folds=folds, trials=trials)


def _allowed(run: RunFolder, options: RunOptions) -> None:
    """Refuse to overwrite what was trained; forget it where that was asked for."""
    if options.anew:
        _forget(run)
    elif (run.model / MANIFEST).exists():
        left = lacking(run)
        if not left:
            raise DataError(f"{run.name} is trained already; train it anew, or begin another.")
        if not options.resume:
            what = " and ".join(left)
            raise DataError(f"{run.name} is trained, but not its {what}: resume it for these, or train it anew.")
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
    forget(run, run.folds, FOLDS)
    forget(run, run.trials, TRIALS)


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
    tries = plan.recipe.trials and not planned.recipe.classifies
    if tries:
        require_trials_possible(parts)
    return _Ready(planned, parts, learning, ", ".join(sources) or plan.title, tries)


def _how(ready: _Ready) -> dict[str, Number]:
    """What there is of steps and a loss, where it is trained by gradient."""
    spec = ready.learning.recipe.training
    return {"batch": spec.batch, "objective": spec.loss} if spec.method == "gradient" else {}


def _kind(error: PathViewError) -> EventKind:
    if isinstance(error, NotFinite):
        return "not_a_number"
    return "disk_full" if isinstance(error, DiskFull) or is_disk_full(error) else "failed"


def _ended(learnt: Learnt) -> str:
    if not learnt.epochs:
        return f"The classifier is fitted on the features of {learnt.images:,} images."
    how = _ENDS.get(learnt.ended, "All epochs are done")
    return f"{how}; epoch {learnt.best_epoch} of {learnt.epochs} is kept. {learnt.doubt}".strip()
