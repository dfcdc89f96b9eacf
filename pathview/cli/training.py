"""Verbs that train models and measure them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pathview.cli.base import ReaderOption, RuntimeOption, StderrProgress, conditions, emit, say, session
from pathview.cli.looks import RunOption, evaluate_run
from pathview.cli.runs import PlanChanges, show_folds, train_run
from pathview.errors import OutputError
from pathview.models.recipe import Recipe
from pathview.models.weights import MANIFEST
from pathview.settings import Settings

if TYPE_CHECKING:
    from pathview.session import Session
    from pathview.training.learning.start import Start

app = typer.Typer(rich_markup_mode=None)
InitOption = Annotated[Path | None, typer.Option("--init", help="Keras weights that the backbone starts from.")]
FromScratchOption = Annotated[bool, typer.Option("--from-scratch", help="Random weights, whatever the recipe.")]


def _start(recipe: Recipe, init: Path | None, from_scratch: bool, settings: Settings) -> Start:
    """What training starts from; at a terminal it asks before random weights take the place of ImageNet's."""
    from pathview.training.learning.start import NoImageNet, start_of

    try:
        return start_of(recipe, init, from_scratch, settings)
    except NoImageNet as error:
        if not sys.stdin.isatty():
            raise
        say(str(error))
        if not typer.confirm("Train from random weights?", err=True):
            raise typer.Exit(1) from error
        return start_of(recipe, init, True, settings)


@app.command()
def train(
    context: typer.Context,
    recipe: Annotated[str | None, typer.Option("--recipe", help="Name or file of a recipe.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the model.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data set folder.")] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="Table: file, patient, label or mask.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1)] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last finished epoch.")] = False,
    where: Annotated[list[str] | None, typer.Option("--where", help="column=value of the label table.")] = None,
    init: InitOption = None,
    from_scratch: FromScratchOption = False,
    split: Annotated[str | None, typer.Option("--split", help="patient, or random as some papers do.")] = None,
    about: Annotated[Path | None, typer.Option("--about", help="Markdown for the model card.")] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="A training's folder or name, whose plan is trained.")
    ] = None,
    level: Annotated[str | None, typer.Option("--level", help="With --run: quick, thorough or exact.")] = None,
    anew: Annotated[bool, typer.Option("--anew", help="With --run: forget what was trained so far.")] = False,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="With --run: name=value of a hyper-parameter (see --list).")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="With --run: show its hyper-parameters.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="With --run: how long it takes here.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="With --run: logs for TensorBoard.")] = False,
    trials: Annotated[
        bool | None,
        typer.Option("--trials/--no-trials", help="With --run, of outlines: train on fewer patients too."),
    ] = None,
) -> None:
    """Train a recipe on local labels, split by patient, and report on patients that it never saw.

    With --run: what the wizard planned in a run's folder; its test patients stay closed (pathview evaluate --run).
    """
    if run is not None:
        if any(value is not None for value in (out, data, labels, where, split, about)):
            raise typer.BadParameter("--run has data, split and folder in its plan")
        from pathview.training.learning.running import RunOptions

        changes = [*([f"training.epochs={epochs}"] if epochs is not None else []), *(change or [])]
        options = RunOptions(resume, anew, init, from_scratch, tensorboard)
        train_run(context, run, PlanChanges(recipe, level, seed, tuple(changes), trials), options, estimate, listed)
        return
    if recipe is None or out is None:
        raise typer.BadParameter("give --recipe and --out, or --run")
    if anew or change or listed or estimate or tensorboard or level or trials is not None:
        raise typer.BadParameter("--level, --anew, --set, --list, --estimate, --tensorboard and --trials go with --run")
    if split not in (None, "patient", "random"):
        raise typer.BadParameter("--split is patient or random")
    if (data is None) == (labels is None):
        raise typer.BadParameter("give --data or --labels")
    if (out / MANIFEST).exists() and not resume:
        raise OutputError(f"{out.name} holds a model already; give another folder, or --resume to go on.")
    with session(context) as work:
        asked = work.catalogue.recipe(recipe)
        if split is not None:
            asked = asked.model_copy(update={"training": asked.training.model_copy(update={"split": split})})
        start = _start(asked, init, from_scratch, work.settings)
        source = cast("Path", data or labels)
        _train_recipe(work, asked, source, out, epochs, seed or 0, resume, start, about, conditions(where or []))


def _train_recipe(work: Session, recipe: Recipe, source: Path, out: Path, *more: Any) -> None:
    """Train, and print what the test patients said; ``more``: the further fields of a ``TrainRequest``."""
    from pathview.training.learning.finetune import TrainRequest
    from pathview.training.learning.finetune import train as train_model

    progress = StderrProgress()
    request = TrainRequest(recipe, source, out, *more)
    say(f"Starting from {request.start.words or 'random weights'}.")

    def on_epoch(report: Any) -> None:
        progress.clear()
        say(report.words)

    trained = work.engine.run(train_model, request, work.settings, on_epoch, progress=progress)
    progress.clear()
    for notice in trained.notices:
        say(notice)
    say(
        f"Use it with --recipe {out}; the window offers it once its folder lies in {work.settings.data_dir / 'models'}."
    )
    emit({"out": str(out), "seed": request.seed, "sha256": trained.manifest.sha256, **trained.manifest.metrics})


@app.command()
def sweep(
    context: typer.Context,
    recipe: Annotated[str, typer.Option("--recipe", help="Name or file of a classifier's recipe.")],
    data: Annotated[Path, typer.Option("--data", help="Data set folder or csv.")],
    layers: Annotated[str, typer.Option("--layers", help="Layers with commas between (default: some, evenly).")] = "",
    pooling: Annotated[str, typer.Option("--pooling", help="mean or max.")] = "mean",
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    init: InitOption = None,
    from_scratch: FromScratchOption = False,
) -> None:
    """Compare where to cut a network off: a linear head on each layer's features, cross-validated by patient."""
    from pathview.training.learning.sweep import SweepRequest
    from pathview.training.learning.sweep import sweep as compare

    if pooling not in ("mean", "max"):
        raise typer.BadParameter("--pooling is mean or max")
    progress = StderrProgress()
    settings = context.obj.settings
    with session(context) as work:
        asked = work.catalogue.recipe(recipe)
        start = _start(asked, init, from_scratch, settings)
        say(f"Starting from {start.words or 'random weights'}.")
        names = tuple(name.strip() for name in layers.split(",") if name.strip())
        rows = work.engine.run(
            compare, SweepRequest(asked, data, names, pooling, seed, start), settings, progress=progress
        )
    progress.clear()
    for row in rows:
        emit(row)


@app.command()
def evaluate(
    context: typer.Context,
    model: Annotated[str | None, typer.Option("--model", help="Name or folder of a model.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data set folder or csv.")] = None,
    run: RunOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for report.json and predictions.csv.")] = None,
    part: Annotated[str, typer.Option("--part", help="unseen, all, train, validation or test.")] = "unseen",
    where: Annotated[list[str] | None, typer.Option("--where", help="column=value of the label table.")] = None,
    by: Annotated[str, typer.Option("--by", help="Column of the label table to tell figures apart by.")] = "",
    folds_only: Annotated[
        bool, typer.Option("--folds-only", help="With --run: its cross-validation and trials; the test stays closed.")
    ] = False,
    reader: ReaderOption = None,
    runtime: RuntimeOption = None,
) -> None:
    """Measure a model on known truth; by default only on images that its training never saw.

    With --run: the model of a training's folder on its locked test patients, which is counted; beside it its
    cross-validation, where it has one.
    """
    if run is not None:
        if model is not None or data is not None or out is not None or where or by or part != "unseen":
            raise typer.BadParameter("--run takes --runtime, --reader or --folds-only and no other option")
        if folds_only:
            show_folds(context, run)
        else:
            evaluate_run(context, run, runtime, reader)
        return
    if folds_only or reader is not None:
        raise typer.BadParameter("--folds-only and --reader go with --run")
    if model is None or data is None:
        raise typer.BadParameter("give --model and --data, or --run")
    from pathview.training.measures.assess import PARTS, EvaluateRequest, evaluate_model

    if part not in PARTS:
        raise typer.BadParameter(f"--part is one of {', '.join(PARTS)}")
    progress = StderrProgress()
    with session(context, runtime=runtime) as work:
        request = EvaluateRequest(work.model_folder(model), data, cast("Any", part), conditions(where or []), out, by)
        assessment = work.engine.run(evaluate_model, request, work.settings, progress=progress)
    progress.clear()
    for notice in assessment.notices:
        say(notice)
    emit(assessment.report)
