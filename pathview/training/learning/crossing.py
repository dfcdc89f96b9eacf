"""Training each fold of a cross-validation as the model was trained, and judging the patients that it leaves out.

A fold learns and chooses on patients of the other folds alone; locked test patients are in none. What a finished fold
said is kept, so that a crash costs at most one epoch of one fold.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pathview.errors import DataError, OutputError
from pathview.jobs import Cancelled, CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.recipe import Recipe
from pathview.models.training_state import epochs_kept
from pathview.settings import Settings
from pathview.training.data.parts import Parts, parts_of
from pathview.training.data.samples import Dataset, Sample
from pathview.training.data.split import PatientSplit
from pathview.training.learning.fitting import REFIT, STATE, Hooks, LearnRequest, Learnt, learn, network_of
from pathview.training.measures.assess import Assessment, evaluate_samples
from pathview.training.measures.folds import CrossValidation, FoldScores, Said, Way, cross_validation, way_of
from pathview.training.runs.chosen import chosen
from pathview.training.runs.fold_log import FoldLog
from pathview.training.runs.locked_split import fold_split
from pathview.training.runs.run_folder import FOLDS, RunFolder
from pathview.training.runs.run_log import RunLog
from pathview.training.runs.steering import Steering

_WAY = "way.json"
_SCORES = "scores.json"
_LEFT_OUT = "Stopped when asked: the model is there, and the folds that are not trained yet can be gone on with."


class _Stopped(Exception):
    """The folds are not wanted any more."""


@dataclass(frozen=True)
class _Fold:
    """One fold before it is trained."""

    number: int
    """1..."""
    who: PatientSplit
    parts: Parts
    """Those who are judged stand in ``test``."""
    request: LearnRequest


def cross_validate(
    run: RunFolder,
    learning: LearnRequest,
    samples: Sequence[Sample],
    settings: Settings,
    log: RunLog,
    cancel: CancelToken,
) -> CrossValidation | None:
    """Train and judge each fold of a run's split, and write ``folds.json``.

    Folds that were finished in the same way before are not trained again; one that was begun goes on after its last
    whole epoch.

    Args:
        run: with its locked split.
        learning: as the model was trained.
        samples: of the training and validation patients.
        settings: of the installation.
        log: of the training that it follows.
        cancel: at checkpoints.

    Returns:
        The figures; None where somebody asked to stop.

    Raises:
        DataError: not one fold can be trained.
        OutOfMemory: not even one image at a time fits.
        DiskFull, OutputError: a state or the figures cannot be kept.
        Cancelled: what was finished, and whole epochs, are kept.
    """
    way = _claim(run, learning)
    told = FoldLog(log, run.split().fold_count)
    steering = Steering(run, told.paused, cancel)

    def stop() -> bool:
        if steering():
            raise _Stopped
        return False

    def progress(step: Progress) -> None:
        told.progress(step)
        stop()  # a head that is fitted on features asks for nothing else

    hooks = Hooks(told.epoch, told.smaller_batch, stop=stop, keep_best=True)
    found = []
    try:
        for fold in _folds(run, learning, samples, hooks):
            checkpoint(cancel)
            stop()
            found.append(_kept(fold) or _trained(run, fold, settings, told, progress, cancel))
    except Cancelled:
        told.interrupted()
        raise
    except _Stopped:
        log.tell("folds_left_out", _LEFT_OUT)
        return None
    result = _pooled(way, found, learning.recipe)
    run.write(FOLDS, result)
    log.tell("folds_done", result.sentence)
    return result


def _pooled(way: Way, found: Sequence[FoldScores], recipe: Recipe) -> CrossValidation:
    if all(one.model is None for one in found):
        raise DataError(f"The model is there, but not one of its folds can be trained: {found[0].problem}")
    classes = recipe.classes if recipe.classifies else ("negative", "positive")
    return cross_validation(way, found, classes, not recipe.classifies)


def forget_folds(run: RunFolder) -> None:
    """Take away all that a cross-validation left.

    Raises:
        OutputError: it cannot be removed.
    """
    run.remove(FOLDS)
    try:
        if run.folds.exists():
            shutil.rmtree(run.folds)
    except OSError as error:
        raise OutputError(f"The folds of {run.name} cannot be removed: {error.strerror}.") from error


def _claim(run: RunFolder, learning: LearnRequest) -> Way:
    """The way of training; only what was trained in it is kept."""
    way = way_of(run.split(), learning.recipe, learning.seed, learning.start.words)
    kept = RunFolder(run.folds)
    if not (kept.has(_WAY) and kept.read(_WAY, Way) == way):
        forget_folds(run)
        kept.write(_WAY, way)
    return way


def _folds(run: RunFolder, learning: LearnRequest, samples: Sequence[Sample], hooks: Hooks) -> list[_Fold]:
    split, plan = run.split(), run.plan()
    rows = chosen(plan, run.rows())
    recipe = _without_pictures(learning.recipe)
    found = []
    for index in range(split.fold_count):
        who = fold_split(split, plan, rows, index)
        request = replace(learning, recipe=recipe, folder=run.folds / str(index + 1), resume=True, hooks=hooks)
        found.append(_Fold(index + 1, who, parts_of(Dataset(run.name, tuple(samples)), who, recipe), request))
    return found


def _without_pictures(recipe: Recipe) -> Recipe:
    """Nobody watches a fold's images epoch by epoch."""
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"epoch_pictures": 0})})


def _kept(fold: _Fold) -> FoldScores | None:
    folder = RunFolder(fold.request.folder)
    return folder.read(_SCORES, FoldScores) if folder.has(_SCORES) else None


def _trained(
    run: RunFolder, fold: _Fold, settings: Settings, told: FoldLog, progress: ProgressSink, cancel: CancelToken
) -> FoldScores:
    """Train a fold and judge its patients; what they are told as is kept, the weights are not."""
    folder, parts = RunFolder(fold.request.folder), fold.parts
    told.begin(fold.number, fold.who, len(epochs_kept(folder.path / STATE)))
    try:
        learnt = learn(fold.request, parts, settings, progress, cancel)
        network = network_of(learnt.recipe, learnt.tensors)
        judged = evaluate_samples(network, run.name, parts.test, parts.train, "fold", [], settings, progress, cancel)
    except DataError as error:
        told.done(str(error))
        return _scores(fold, problem=str(error))
    scores = _scores(fold, learnt, judged)
    folder.write(_SCORES, scores)
    for name in (STATE, REFIT):
        shutil.rmtree(folder.path / name, ignore_errors=True)  # it only takes room
    told.done(_words(judged))
    return scores


def _scores(
    fold: _Fold, learnt: Learnt | None = None, judged: Assessment | None = None, problem: str = ""
) -> FoldScores:
    who, recipe = fold.who, fold.request.recipe
    plain = FoldScores(
        fold=fold.number, train=len(who.train), validation=len(who.validation), left_out=len(who.test), problem=problem
    )
    if learnt is None or judged is None:
        return plain
    told = {
        "patients": tuple(str(patient) for patient in judged.scored.patients),
        "labels": tuple(int(label) for label in judged.scored.labels),
        "model": Said.of(judged.scored),
        "baselines": {name: Said.of(one) for name, one in judged.baselines.items()},
        "epochs": learnt.epochs,
        "best_epoch": learnt.best_epoch,
        "scaled": recipe.training.method == "gradient" or len({one.label for one in fold.parts.validation}) > 1,
        "notices": (*judged.notices, *_about(fold, learnt)),
    }
    return plain.model_copy(update=told)


def _about(fold: _Fold, learnt: Learnt) -> list[str]:
    if learnt.ended != "not_a_number":
        return []
    return [f"In fold {fold.number} the loss was no number any more; its epoch {learnt.best_epoch} counts."]


def _words(judged: Assessment) -> str:
    metrics = judged.scored.metrics()
    name = next((name for name in ("dice", "auc") if name in metrics), "")
    figure = f"{'AUC' if name == 'auc' else 'Dice'} {metrics[name]:.3f}" if name else "no figure (one class)"
    return f"{figure} on {len(judged.samples)} images that it left out."
