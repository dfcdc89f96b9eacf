"""Training each fold of a cross-validation as the model was trained, and judging the patients that it leaves out.

A fold learns and chooses on patients of the other folds alone; locked test patients are in none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pathview.errors import DataError
from pathview.jobs import CancelToken
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.data.parts import parts_of
from pathview.training.data.samples import Dataset, Sample
from pathview.training.learning.beside import Beside, claim, train_beside, without_pictures
from pathview.training.learning.fitting import LearnRequest
from pathview.training.measures.folds import CrossValidation, FoldScores, Way, cross_validation
from pathview.training.runs.chosen import chosen
from pathview.training.runs.locked_split import fold_split
from pathview.training.runs.run_folder import FOLDS, RunFolder
from pathview.training.runs.run_log import RunLog


def cross_validate(
    run: RunFolder,
    learning: LearnRequest,
    samples: Sequence[Sample],
    settings: Settings,
    log: RunLog,
    cancel: CancelToken,
) -> CrossValidation | None:
    """Train and judge each fold of a run's split, and write ``folds.json``.

    Folds that were finished in the same way before are not trained again.

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
        OutOfMemory, DiskFull, OutputError, Cancelled: see :func:`pathview.training.learning.beside.train_beside`.
    """
    way = claim(run, run.folds, FOLDS, learning)
    found = train_beside(run, _folds(run, learning, samples), settings, log, cancel)
    if found is None:
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


def _folds(run: RunFolder, learning: LearnRequest, samples: Sequence[Sample]) -> list[Beside]:
    split, plan = run.split(), run.plan()
    rows = chosen(plan, run.rows())
    recipe = without_pictures(learning.recipe)
    found = []
    for number in range(1, split.fold_count + 1):
        who = fold_split(split, plan, rows, number - 1)
        request = replace(learning, recipe=recipe, folder=run.folds / str(number), resume=True)
        parts = parts_of(Dataset(run.name, tuple(samples)), who, recipe)
        found.append(Beside(number, f"Fold {number} of {split.fold_count}", who, parts, request))
    return found
