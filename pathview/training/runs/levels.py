"""From a plan to the recipe that is trained: quick, thorough or exact, with what was changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pathview.errors import DataError, PathViewError, RecipeError
from pathview.models.catalogue import Catalogue
from pathview.models.networks.base import HeadOptions
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.runs.hyperparameters import changed
from pathview.training.runs.plan import Plan

EPOCH_PICTURES = 4
"""Validation images that are drawn after every epoch, for whoever watches (Hollenberg 2019)."""
_PATIENCE = 10
_FINE = 1e-4
"""Learning rate of fine-tuning where the recipe is of features alone."""


@dataclass(frozen=True)
class Planned:
    """What is trained."""

    recipe: Recipe
    notices: tuple[str, ...]
    """What a reader of the plan should know, a sentence each."""


def planned_recipe(plan: Plan, settings: Settings) -> Planned:
    """The recipe of a plan: its file, its level, the question's classes, then the changes.

    - *quick*: the backbone as it starts, features once, and an SVM or a logistic regression on them.
    - *thorough*: fine-tuning by gradient from a chosen layer (``training.train_from``), stopped early; not trained anew
      on the validation patients at the end.
    - *exact*: as the paper, or whoever wrote the recipe, has it.

    Raises:
        DataError: no recipe is chosen, or it does not answer the question.
        RecipeError: there is none of that name, it has no quick form, or a change is out of its limits.
    """
    if not plan.recipe.name:
        raise DataError("No recipe is chosen yet.")
    recipe = Catalogue(settings).recipe(plan.recipe.name)
    _answers(recipe, plan)
    before = _about_these_data(recipe, plan)
    recipe = {"quick": _quick, "thorough": _thorough, "exact": _exact}[plan.recipe.level](before)
    found = changed(recipe, plan.recipe.changes)
    notices = []
    if plan.recipe.level == "exact" and found != recipe:
        names = ", ".join(sorted(name.rpartition(".")[2] for name in plan.recipe.changes))
        notices.append(f"No longer the settings of {recipe.name}: {names} changed.")
    if found.training.method != "gradient":
        _require_features(found)
    return Planned(found, tuple(notices))


def has_quick(recipe: Recipe) -> bool:
    """Whether a recipe has a quick form."""
    try:
        _quick(recipe)
    except PathViewError:
        return False
    return True


def _answers(recipe: Recipe, plan: Plan) -> None:
    """Refuse a recipe of another task."""
    outlines = plan.question.outlines
    if outlines != (recipe.task == "segmentation") and not (outlines and recipe.regions is not None):
        wanted, does = ("outlines", "tells classes apart") if outlines else ("classes", "outlines regions")
        raise DataError(f"The question is about {wanted}, and {recipe.name} {does}; choose another recipe.")


def _about_these_data(recipe: Recipe, plan: Plan) -> Recipe:
    """With the question's classes and base; without what names columns or parts of the author's own data."""
    values = recipe.model_dump(mode="json")
    values["training"] |= {"validate_where": {}, "split": "patient"}
    values["decision"] |= {"temperature": 1.0, "least": 0.0}  # which were found for other weights
    if plan.question.base:
        values["training"]["initial"] = plan.question.base
    if plan.question.task == "segment_and_decide":
        values["training"]["black_box"] = False  # the data are read so already
    if recipe.task == "segmentation" and not recipe.training.epoch_pictures:
        values["training"]["epoch_pictures"] = EPOCH_PICTURES
    if recipe.classifies:
        values["classes"] = list(plan.question.classes)
        if len(plan.question.classes) != len(recipe.classes):
            values["network"] |= {"parameters": None, "trainable_parameters": None}
            values["network"]["options"].pop("scores", None)
    if recipe.caution and plan.question.base == "":
        values["caution"] = ""  # it is about the author's own weights
    return Recipe.model_validate(values)


def _exact(recipe: Recipe) -> Recipe:
    return recipe


def _quick(recipe: Recipe) -> Recipe:
    if recipe.task != "classification" and recipe.regions is None:
        raise RecipeError(f"{recipe.name} outlines regions, which takes training by gradient; choose thorough.")
    _require_features(recipe)
    values = recipe.model_dump(mode="json")
    options: dict[str, Any] = values["network"]["options"]
    values["network"]["options"] = {k: v for k, v in options.items() if k not in ("dense", "dropout", "l2", "scores")}
    values["network"] |= {"parameters": None, "trainable_parameters": None}
    method = recipe.training.method
    fixed: dict[str, Any] = {"method": "svm", "loss": "hinge", "frozen": [], "train_from": None, "refit": False}
    values["training"] |= fixed if method != "logistic" else {**fixed, "method": method, "loss": recipe.training.loss}
    return Recipe.model_validate(values)


def _thorough(recipe: Recipe) -> Recipe:
    values = recipe.model_dump(mode="json")
    spec = values["training"]
    if recipe.training.method != "gradient":
        spec |= {"method": "gradient", "loss": "categorical-crossentropy", "learning_rate": _FINE, "frozen": []}
        values["network"] |= {"trainable_parameters": None}
    if recipe.training.early_stopping is None:
        spec["early_stopping"] = _PATIENCE
    spec["refit"] = False  # thresholds are to be chosen on validation patients that it did not learn from
    return Recipe.model_validate(values)


def _require_features(recipe: Recipe) -> None:
    if not isinstance(recipe.network.checked_options(), HeadOptions) or recipe.training.initial == "random":
        raise RecipeError(f"{recipe.name} has no backbone that learnt elsewhere; choose thorough or another recipe.")
