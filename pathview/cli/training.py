"""Verbs that train models and measure them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pathview.cli.base import RuntimeOption, StderrProgress, conditions, emit, say, session
from pathview.errors import OutputError
from pathview.models.recipe import Recipe
from pathview.models.weights import MANIFEST
from pathview.settings import Settings

if TYPE_CHECKING:
    from pathview.training.start import Start

app = typer.Typer(rich_markup_mode=None)
InitOption = Annotated[Path | None, typer.Option("--init", help="Keras weights that the backbone starts from.")]
FromScratchOption = Annotated[bool, typer.Option("--from-scratch", help="Random weights, whatever the recipe.")]


def _start(recipe: Recipe, init: Path | None, from_scratch: bool, settings: Settings) -> Start:
    """What training starts from; at a terminal it asks before random weights take the place of ImageNet's."""
    from pathview.training.start import NoImageNet, start_of

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
    recipe: Annotated[str, typer.Option("--recipe", help="Name or file of a recipe.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.")],
    data: Annotated[Path | None, typer.Option("--data", help="Data set folder.")] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="Table: file, patient, label or mask.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1)] = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last finished epoch.")] = False,
    where: Annotated[list[str] | None, typer.Option("--where", help="column=value of the label table.")] = None,
    init: InitOption = None,
    from_scratch: FromScratchOption = False,
    split: Annotated[str | None, typer.Option("--split", help="patient, or random as some papers do.")] = None,
    about: Annotated[Path | None, typer.Option("--about", help="Markdown for the model card.")] = None,
) -> None:
    """Train a recipe on local labels, split by patient, and report on patients that it never saw."""
    from pathview.training.finetune import TrainRequest
    from pathview.training.finetune import train as train_model

    if split not in (None, "patient", "random"):
        raise typer.BadParameter("--split is patient or random")
    if (data is None) == (labels is None):
        raise typer.BadParameter("give --data or --labels")
    if (out / MANIFEST).exists() and not resume:
        raise OutputError(f"{out.name} holds a model already; give another folder, or --resume to go on.")
    progress = StderrProgress()

    def on_epoch(report: Any) -> None:
        progress.clear()
        figures = ", ".join(f"{name} {value:.4f}" for name, value in report.validation.items())
        watched = f"; validation {figures}" if figures else ""
        best = " (best so far)" if report.best and figures else ""
        say(f"epoch {report.epoch} of {report.epochs}: loss {report.loss:.4f}{watched}{best}")

    settings = context.obj.settings
    with session(context) as work:
        source = cast("Path", data or labels)
        asked = work.catalogue.recipe(recipe)
        if split is not None:
            asked = asked.model_copy(update={"training": asked.training.model_copy(update={"split": split})})
        start = _start(asked, init, from_scratch, settings)
        say(f"Starting from {start.words or 'random weights'}.")
        request = TrainRequest(asked, source, out, epochs, seed, resume, start, about, conditions(where or []))
        trained = work.engine.run(train_model, request, settings, on_epoch, progress=progress)
    progress.clear()
    for notice in trained.notices:
        say(notice)
    say(f"Use it with --recipe {out}; the window offers it once its folder lies in {settings.data_dir / 'models'}.")
    emit({"out": str(out), "seed": seed, "sha256": trained.manifest.sha256, **trained.manifest.metrics})


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
    from pathview.training.sweep import SweepRequest
    from pathview.training.sweep import sweep as compare

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
    model: Annotated[str, typer.Option("--model", help="Name or folder of a model.")],
    data: Annotated[Path, typer.Option("--data", help="Data set folder or csv.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for report.json and predictions.csv.")] = None,
    part: Annotated[str, typer.Option("--part", help="unseen, all, train, validation or test.")] = "unseen",
    where: Annotated[list[str] | None, typer.Option("--where", help="column=value of the label table.")] = None,
    by: Annotated[str, typer.Option("--by", help="Column of the label table to tell figures apart by.")] = "",
    runtime: RuntimeOption = None,
) -> None:
    """Measure a model on known truth; by default only on images that its training never saw."""
    from pathview.training.assess import PARTS, EvaluateRequest, evaluate_model

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
