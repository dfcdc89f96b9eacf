"""Which recipes answer a question at each level, and what a plan's recipe comes to. No Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pathview.errors import PathViewError
from pathview.jobs import CancelToken, ProgressSink
from pathview.models.catalogue import Catalogue, Model
from pathview.models.imagenet import import_job
from pathview.models.networks import NETWORKS
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.learning.forecast import Forecast, forecast
from pathview.training.learning.running import RunOptions
from pathview.training.learning.start import NoImageNet, start_of
from pathview.training.runs.levels import planned_recipe
from pathview.training.runs.plan import Plan, RecipeLevel, RecipePlan
from pathview.training.runs.run_folder import RunFolder

LEVELS: tuple[RecipeLevel, ...] = ("quick", "thorough", "exact")


@dataclass(frozen=True)
class Offer:
    """One recipe at one level, as it is without changes."""

    recipe: Recipe
    obstacle: str = ""
    """Why it cannot be trained here, in one sentence: weights that are missing; empty: it can."""


@dataclass(frozen=True)
class Reckoned:
    """What a plan's recipe comes to."""

    plan: RecipePlan
    recipe: Recipe | None = None
    refusal: str = ""
    notices: tuple[str, ...] = ()
    imports: bool = False
    """Whether a file of ImageNet weights is all that is missing."""


def offers(plan: Plan, kind: str, settings: Settings) -> dict[RecipeLevel, tuple[Offer, ...]]:
    """All recipes that a plan's question can be trained by; what suits these images, and can be trained, first.

    Args:
        plan: its question and base count.
        kind: of most of the images; empty: not known.
        settings: where recipes and weights lie.
    """
    models = Catalogue(settings).models()
    return {level: _at(level, plan, kind, models, settings) for level in LEVELS}


def _at(level: RecipeLevel, plan: Plan, kind: str, models: Sequence[Model], settings: Settings) -> tuple[Offer, ...]:
    found = []
    for model in models:
        asked = plan.model_copy(update={"recipe": RecipePlan(name=model.name, level=level)})
        try:
            recipe = planned_recipe(asked, settings).recipe
        except PathViewError:
            continue  # it answers another question, or has no such level
        if recipe.regions is not None and plan.question.task == "segmentation":
            continue  # it says what an outlined place is, not where one is
        of_features = level == "quick" and model.recipe.training.method != "gradient"
        found.append((not of_features, model.folder is None, Offer(recipe, _obstacle(recipe, plan, settings))))

    def worth(entry: tuple[bool, bool, Offer]) -> tuple[object, ...]:
        made_so, bare, offer = entry
        recipe = offer.recipe
        other = bool(kind) and kind not in recipe.kinds
        size = recipe.input.height * recipe.input.width
        scratch = recipe.training.initial == "random"
        return bool(offer.obstacle), other, made_so, scratch, bare, size, recipe.name

    return tuple(offer for *_, offer in sorted(found, key=worth))


def _obstacle(recipe: Recipe, plan: Plan, settings: Settings) -> str:
    scratch = plan.recipe.changes.get("training.initial") == "random"
    try:
        start_of(recipe, None, scratch, settings)
    except NoImageNet:
        return lacking(recipe)
    except PathViewError as error:
        return str(error)
    return ""


def lacking(recipe: Recipe) -> str:
    """That a recipe's ImageNet weights are not here, and what can be done."""
    backbone = NETWORKS[recipe.network.name].imagenet
    return (
        f"It starts from ImageNet weights of {backbone}, and there are none here: import their file, take another "
        "recipe, or start from scratch (page 1)."
    )


def reckon(plan: Plan, settings: Settings) -> Reckoned:
    """What a plan's recipe comes to with its changes, and whether it can be trained here."""
    try:
        planned = planned_recipe(plan, settings)
        start_of(planned.recipe, None, False, settings)
    except NoImageNet:
        return Reckoned(plan.recipe, refusal=lacking(planned.recipe), imports=True)
    except PathViewError as error:
        return Reckoned(plan.recipe, refusal=str(error))
    return Reckoned(plan.recipe, planned.recipe, notices=planned.notices)


@dataclass(frozen=True)
class _AsPlanned(RunFolder):
    """A run's folder with a plan that is not on the disk yet."""

    planned: Plan

    def plan(self) -> Plan:
        """The plan that is thought of."""
        return self.planned


def forecast_of(
    run: RunFolder, plan: Plan, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> Forecast:
    """How long a run would take by a plan; see :func:`pathview.training.learning.forecast.forecast`."""
    return forecast(_AsPlanned(run.path, plan), RunOptions(), settings, progress, cancel)


def import_weights(
    file: Path, backbone: str | None, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> None:
    """Check a file of ImageNet weights and keep it (a job); its name tells the network, else it is ``backbone``.

    Raises:
        PathViewError: it is no such file.
    """
    try:
        import_job(file, None, settings, progress, cancel)
    except PathViewError:
        import_job(file, backbone, settings, progress, cancel)
