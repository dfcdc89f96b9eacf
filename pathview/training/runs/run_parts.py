"""The samples of a run by the part of its locked split, as a recipe reads them."""

from __future__ import annotations

from pathview.errors import DataError
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.data.parts import Parts, parts_of
from pathview.training.data.places import places_of
from pathview.training.data.split import PatientSplit
from pathview.training.runs.chosen import chosen, dataset_of
from pathview.training.runs.locked_split import require_locked
from pathview.training.runs.run_folder import RunFolder


def locked_parts(run: RunFolder, recipe: Recipe, settings: Settings) -> Parts:
    """Every sample that the training uses in its part.

    Where the recipe names columns or a split of its author's own data (``validate_where``, ``split``) they are not
    those of a run: its parts are by patient, and whole.

    Raises:
        DataError: data or split are missing or damaged, are not those that were locked, or the recipe tells other
            classes apart than the question does.
    """
    own = recipe.training.model_copy(update={"validate_where": {}, "split": "patient"})
    recipe = recipe.model_copy(update={"training": own})
    plan, split = run.plan(), run.split()
    rows = chosen(plan, run.rows())
    require_locked(split, rows)
    if recipe.classifies and len(recipe.classes) != len(plan.question.classes):
        raise DataError(
            f"{recipe.name} tells {len(recipe.classes)} classes apart, the question {len(plan.question.classes)}."
        )
    dataset = dataset_of(plan, rows)
    if recipe.regions is not None:
        dataset = places_of(dataset, recipe.regions, settings)
    unlabelled = sum(sample.label is None for sample in dataset.samples) if recipe.classifies else 0
    if unlabelled:
        raise DataError(f"{unlabelled} images of {run.name} have no class.")
    by_part = PatientSplit(split.patients("train"), split.patients("validation"), split.patients("test"))
    return parts_of(dataset, by_part, recipe)
