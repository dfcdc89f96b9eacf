"""``pathview train --run``: training in a run's folder, the one that the window's wizard uses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pathview.cli.base import StderrProgress, emit, say, session
from pathview.errors import DataError
from pathview.jobs import Progress

if TYPE_CHECKING:
    from pathview.settings import Settings
    from pathview.training.learning.running import RunOptions
    from pathview.training.measures.folds import CrossValidation
    from pathview.training.measures.trials import Trials
    from pathview.training.runs.plan import Plan
    from pathview.training.runs.run_folder import RunFolder


@dataclass(frozen=True)
class PlanChanges:
    """What of a plan is to be another; it is written into the plan."""

    recipe: str | None = None
    level: str | None = None
    seed: int | None = None
    settings: tuple[str, ...] = ()
    """``name=value`` of hyper-parameters."""
    trials: bool | None = None
    """Whether an outlining model is tried on fewer patients, and on other patients' outlines."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self != PlanChanges()

    @property
    def of_model(self) -> bool:
        """Whether any of them makes another model."""
        return self != PlanChanges(trials=self.trials)


def run_of(context: typer.Context, folder: Path) -> RunFolder:
    """The training of a folder, or of the name of one of this installation.

    Raises:
        DataError: there is none.
    """
    from pathview.training.runs.run_folder import existing_run

    return existing_run(str(folder), context.obj.settings)


def train_run(
    context: typer.Context,
    folder: Path,
    changes: PlanChanges,
    options: RunOptions,
    estimate: bool,
    show: bool,
) -> None:
    """Train a run, or tell what it would be: how long, or its hyper-parameters."""
    from pathview.training.learning.running import run_training

    run = run_of(context, folder)
    if changes:
        _change(run, changes, options.anew, context.obj.settings)
    if show:
        _show(run.plan(), context.obj.settings)
        return
    progress = StderrProgress()

    def watched(step: Progress) -> None:
        if step.early is not None:  # an event
            progress.clear()
            say(step.early.sentence)
        progress(step)

    with session(context) as work:
        if estimate:
            _estimate(run, options, work.settings, progress)
            return
        ran = work.training_engine.run(run_training, run, options, work.settings, progress=watched)
    progress.clear()
    for notice in ran.notices[:-1]:  # the last was the last event
        say(notice)
    if ran.folds is not None:
        for notice in (ran.folds.about, *ran.folds.notices):
            say(notice)
    for notice in ran.trials.notices if ran.trials is not None else ():
        say(notice)
    say(f"The test patients were not looked at: pathview evaluate --run {folder}")
    emit(
        {
            "run": str(folder),
            "model": str(run.model),
            "seed": ran.manifest.seed,
            "sha256": ran.manifest.sha256,
            "epochs": ran.manifest.epochs,
            "best_epoch": ran.best_epoch,
            "ended": ran.ended,
            **({"folds": ran.folds.summary()} if ran.folds is not None else {}),
            **({"trials": ran.trials.summary()} if ran.trials is not None else {}),
        }
    )


def show_folds(context: typer.Context, folder: Path) -> None:
    """Cross-validation and trials of a run, for which no test patient is looked at."""
    found = Others.of(run_of(context, folder))
    if not found.summaries:
        raise DataError(found.why)
    found.say()
    emit({"run": str(folder), **found.summaries})


@dataclass(frozen=True)
class Others:
    """What was trained beside a model."""

    folds: CrossValidation | None
    trials: Trials | None
    why: str
    """Why there is no cross-validation."""

    @classmethod
    def of(cls, run: RunFolder) -> Others:
        """Of a run.

        Raises:
            DataError, ModelError: something is damaged.
        """
        from pathview.training.measures.folds import folds_of
        from pathview.training.measures.trials import trials_of

        folds, why = folds_of(run)
        return cls(folds, trials_of(run)[0], why)

    @property
    def summaries(self) -> dict[str, object]:
        """To be printed with a result."""
        known = {"folds": self.folds, "trials": self.trials}
        return {name: found.summary() for name, found in known.items() if found is not None}

    def say(self) -> None:
        """What they came to, and what must not be overlooked."""
        say(f"{self.folds.sentence} {self.folds.about}" if self.folds is not None else self.why)
        if self.trials is not None:
            say(self.trials.sentence)
        for found in (self.folds, self.trials):
            for notice in found.notices if found is not None else ():
                say(notice)


def _change(run: RunFolder, wanted: PlanChanges, anew: bool, settings: Settings) -> None:
    """Write changes into the plan; refused once a training was begun by it."""
    from pathview.models.training_state import epochs_kept
    from pathview.training.runs.hyperparameters import parsed
    from pathview.training.runs.levels import planned_recipe

    if epochs_kept(run.state) and wanted.of_model and not anew:
        raise DataError(f"{run.name} was begun with the settings that it has; change them together with --anew.")
    if wanted.level not in (None, "quick", "thorough", "exact"):
        raise typer.BadParameter("--level is quick, thorough or exact")
    plan = run.plan()
    chosen = plan.recipe
    if wanted.recipe not in (None, chosen.name):
        chosen = chosen.model_copy(update={"name": wanted.recipe, "changes": {}})
    if wanted.level is not None:
        chosen = chosen.model_copy(update={"level": wanted.level})
    plan = plan.model_copy(update={"recipe": chosen, "seed": plan.seed if wanted.seed is None else wanted.seed})
    recipe = planned_recipe(plan, settings).recipe
    changes = {**chosen.changes, **dict(parsed(text, recipe) for text in wanted.settings)}
    tries = chosen.trials if wanted.trials is None else wanted.trials
    plan = plan.model_copy(update={"recipe": chosen.model_copy(update={"changes": changes, "trials": tries})})
    if planned_recipe(plan, settings).recipe.classifies and wanted.trials:
        raise DataError(f"{chosen.name} tells classes apart: its learning curve needs no trials, see its result.")
    run.write_plan(plan)


def _show(plan: Plan, settings: Settings) -> None:
    from pathview.training.runs.hyperparameters import offered, value_of
    from pathview.training.runs.levels import planned_recipe

    recipe = planned_recipe(plan, settings).recipe
    for row in offered(recipe):
        emit({**asdict(row), "limits": row.limits, "value": value_of(recipe, row.name)})


def _estimate(run: RunFolder, options: RunOptions, settings: Settings, progress: StderrProgress) -> None:
    from pathview.jobs import never
    from pathview.training.learning.forecast import forecast

    found = forecast(run, options, settings, progress, never())
    progress.clear()
    say(found.sentence)
    emit(asdict(found))
