"""Trainings beside the model's own, one after another: folds of a cross-validation, trials.

What a finished one said of the patients that it is judged on is kept, so that a crash costs at most one epoch of one.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pathview.errors import DataError, OutputError
from pathview.jobs import Cancelled, CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.recipe import Recipe
from pathview.models.training_state import epochs_kept
from pathview.settings import Settings
from pathview.training.data.parts import Parts
from pathview.training.data.split import PatientSplit
from pathview.training.learning.fitting import REFIT, STATE, Hooks, LearnRequest, Learnt, learn, network_of
from pathview.training.measures.assess import Assessment, evaluate_samples
from pathview.training.measures.comparing import FIGURE_WORDS, Figure
from pathview.training.measures.folds import FoldScores, Said, Way, way_of
from pathview.training.runs.fold_log import FoldLog
from pathview.training.runs.run_folder import RunFolder
from pathview.training.runs.run_log import RunLog
from pathview.training.runs.steering import Steering

_WAY = "way.json"
_SCORES = "scores.json"
_LEFT_OUT = "Stopped when asked: the model is there, and what is not trained yet beside it can be gone on with."


class _Stopped(Exception):
    """They are not wanted any more."""


@dataclass(frozen=True)
class Beside:
    """One training before it begins."""

    number: int
    """1..."""
    title: str
    """``Fold 2 of 5``."""
    who: PatientSplit
    """Those who are judged stand in ``test``, here and in ``parts``."""
    parts: Parts
    request: LearnRequest
    size: float = 1.0
    """How long it takes beside the others."""


def train_beside(
    run: RunFolder, wanted: Sequence[Beside], settings: Settings, log: RunLog, cancel: CancelToken
) -> list[FoldScores] | None:
    """Train and judge each that is not finished yet; one that was begun goes on after its last whole epoch.

    Args:
        run: that they belong to.
        wanted: in their order.
        settings: of the installation.
        log: of the training that they follow.
        cancel: at checkpoints.

    Returns:
        What each said; None where somebody asked to stop.

    Raises:
        OutOfMemory: not even one image at a time fits.
        DiskFull, OutputError: a state or what one said cannot be kept.
        Cancelled: what was finished, and whole epochs, are kept.
    """
    told = FoldLog(log, [one.title for one in wanted], [one.size for one in wanted])
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
        for one in wanted:
            checkpoint(cancel)
            stop()
            own = replace(one, request=replace(one.request, hooks=hooks))
            found.append(_kept(own) or _trained(run, own, settings, told, progress, cancel))
    except Cancelled:
        told.interrupted()
        raise
    except _Stopped:
        log.tell("folds_left_out", _LEFT_OUT)
        return None
    return found


def claim(run: RunFolder, folder: Path, result: str, learning: LearnRequest) -> Way:
    """The way in which a run's model was trained; the folder holds only what was trained beside it in this way.

    Args:
        run: that they belong to.
        folder: of such trainings; what was trained there in another way is forgotten.
        result: name of the file of what they came to.
        learning: as the model was trained.

    Raises:
        OutputError: the folder cannot be written.
    """
    way = way_of(run.split(), learning.recipe, learning.seed, learning.start.words)
    kept = RunFolder(folder)
    if not (kept.has(_WAY) and kept.read(_WAY, Way) == way):
        forget(run, folder, result)
        kept.write(_WAY, way)
    return way


def forget(run: RunFolder, folder: Path, result: str) -> None:
    """Take away all that such trainings left, and what they came to.

    Raises:
        OutputError: it cannot be removed.
    """
    run.remove(result)
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(f"The {folder.name} of {folder.parent.name} cannot be removed: {error.strerror}.") from error


def without_pictures(recipe: Recipe, **training: object) -> Recipe:
    """Nobody watches the images of such a training epoch by epoch; other changes of how it is trained."""
    changes = {"epoch_pictures": 0, **training}
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=changes)})


def _kept(one: Beside) -> FoldScores | None:
    folder = RunFolder(one.request.folder)
    return folder.read(_SCORES, FoldScores) if folder.has(_SCORES) else None


def _trained(
    run: RunFolder, one: Beside, settings: Settings, told: FoldLog, progress: ProgressSink, cancel: CancelToken
) -> FoldScores:
    """Train one and judge its patients; what they are told as is kept, the weights are not."""
    folder, parts = RunFolder(one.request.folder), one.parts
    told.begin(one.number, one.who, len(epochs_kept(folder.path / STATE)))
    try:
        learnt = learn(one.request, parts, settings, progress, cancel)
        network = network_of(learnt.recipe, learnt.tensors)
        judged = evaluate_samples(network, run.name, parts.test, parts.train, "fold", [], settings, progress, cancel)
    except DataError as error:
        told.done(str(error))
        return _scores(one, problem=str(error))
    scores = _scores(one, learnt, judged)
    folder.write(_SCORES, scores)
    for name in (STATE, REFIT):
        shutil.rmtree(folder.path / name, ignore_errors=True)  # it only takes room
    told.done(_words(judged))
    return scores


def _scores(
    one: Beside, learnt: Learnt | None = None, judged: Assessment | None = None, problem: str = ""
) -> FoldScores:
    who, recipe = one.who, one.request.recipe
    plain = FoldScores(
        fold=one.number, train=len(who.train), validation=len(who.validation), left_out=len(who.test), problem=problem
    )
    if learnt is None or judged is None:
        return plain
    told = {
        "patients": tuple(str(patient) for patient in judged.scored.patients),
        "labels": tuple(int(label) for label in judged.scored.labels),
        "model": Said.of(judged.scored),
        "baselines": {name: Said.of(baseline) for name, baseline in judged.baselines.items()},
        "epochs": learnt.epochs,
        "best_epoch": learnt.best_epoch,
        "scaled": recipe.training.method == "gradient" or len({sample.label for sample in one.parts.validation}) > 1,
        "notices": (*judged.notices, *_about(one, learnt)),
    }
    return plain.model_copy(update=told)


def _about(one: Beside, learnt: Learnt) -> list[str]:
    if learnt.ended != "not_a_number":
        return []
    return [f"{one.title}: the loss was no number any more; its epoch {learnt.best_epoch} counts."]


def _words(judged: Assessment) -> str:
    metrics = judged.scored.metrics()
    order: tuple[Figure, ...] = ("dice", "auc")
    told = [f"{FIGURE_WORDS[name]} {metrics[name]:.3f}" for name in order if name in metrics]
    figure = told[0] if told else "no figure (one class)"
    return f"{figure} on {len(judged.samples):,} images that it did not learn from."
