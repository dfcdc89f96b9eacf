"""Verbs on images: what they are, how they look, what a model says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathview.cli.base import (
    MppOption,
    Paths,
    ReaderOption,
    RuntimeOption,
    StderrProgress,
    StoreOption,
    emit,
    files_at,
    numbers,
    say,
    session,
)
from pathview.errors import OutputError, PathViewError
from pathview.session import AnalyseOptions

app = typer.Typer(rich_markup_mode=None)
WorklistOption = Annotated[
    str | None, typer.Option("--worklist", help="That new cases come to, with --store (default: by kind).")
]


@app.command()
def info(context: typer.Context, paths: Paths, mpp: MppOption = None) -> None:
    """Say what images are."""
    files, failed = files_at(paths)
    with session(context) as work:
        for path in files:
            try:
                emit(work.info(path, mpp).as_json())
            except PathViewError as error:
                failed = True
                say(str(error))
    raise typer.Exit(int(failed))


@app.command()
def render(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="An image.", readable=False)],
    out: Annotated[Path, typer.Option("--out", help="PNG to write.")],
    size: Annotated[int | None, typer.Option("--size", min=1, help="Longer side in pixels.")] = None,
    window: Annotated[str | None, typer.Option("--window", help="Centre,width.")] = None,
    voi: Annotated[
        int | None, typer.Option("--voi", min=0, help="Number of the file's VOI LUT or window, from 0.")
    ] = None,
    frame: Annotated[int, typer.Option("--frame", min=0, help="Frame, from 0.")] = 0,
    region: Annotated[str | None, typer.Option("--region", help="x,y,width,height in stored pixels.")] = None,
    as_stored: Annotated[bool, typer.Option("--as-stored", help="Do not turn a mammogram to hang.")] = False,
) -> None:
    """Write an image as the viewer shows it."""
    from pathview.export.rendering import RenderRequest, render_png

    if window is not None and voi is not None:
        raise typer.BadParameter("give --window or --voi, not both")
    centre_width, place = numbers(window, 2, "--window"), numbers(region, 4, "--region")
    request = RenderRequest(path, out, size, centre_width, voi, frame, place, as_stored)
    emit(render_png(request, context.obj.settings))


@app.command()
def analyse(
    context: typer.Context,
    paths: Paths,
    recipe: Annotated[str | None, typer.Option("--recipe", help="Model to run (default: by kind of image).")] = None,
    threshold: Annotated[float | None, typer.Option("--threshold", min=0, max=1)] = None,
    explain: Annotated[str | None, typer.Option("--explain", help="Layer for a heat map, or all.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for masks and heat maps.")] = None,
    store: StoreOption = None,
    frame: Annotated[int, typer.Option("--frame", min=0, help="Frame, from 0.")] = 0,
    mpp: MppOption = None,
    stride: Annotated[
        int | None,
        typer.Option(
            "--stride",
            min=0,
            help="Pixels between a patch classifier's fields (default: side by side; 0: as fine as is cheap).",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on with a slide from where an earlier analysis stood.")
    ] = True,
    runtime: RuntimeOption = None,
    reader: ReaderOption = None,
    worklist: WorklistOption = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Tell also what the reading protocol hides; the store keeps that you did.")
    ] = False,
) -> None:
    """Analyse images; one JSON line each. What is hidden from the reader, there or in their own store, is not told."""
    from pathview.export.files import folder_names, outcome_json, write_files
    from pathview.results.result import AnalysisResult, NotAnalysed

    options = AnalyseOptions(recipe, threshold, explain, frame, mpp, stride, resume=resume)
    progress = StderrProgress()
    files, failed = files_at(paths)
    if explain and out is None and store is None:
        say("The heat maps are not kept: --out DIR writes them as pictures, --store FILE keeps them with the case.")
    with session(context, store, runtime=runtime, reader=reader) as work:
        if recipe:
            work.model_folder(recipe)  # a wrong name ends here, before any image is read
        if worklist and work.store is not None:
            work.store.worklists.named(worklist)
        for path, name in zip(files, folder_names(files), strict=True):
            outcome = work.analyse_and_keep(path, options, progress, reveal, worklist)
            progress.clear()
            written = None
            if isinstance(outcome, AnalysisResult):
                try:
                    written = write_files(path, outcome, out / name, work.settings) if out else None
                except OutputError as error:
                    failed = True
                    say(str(error))
            elif isinstance(outcome, NotAnalysed):
                failed = True
                say(outcome.reason)
            else:
                failed = failed or outcome.status == "not_analysed"
                say(f"{path.name}: {outcome.hidden}{' Nothing is written of it.' if out else ''}")
            emit(outcome_json(path, outcome, written))
    raise typer.Exit(int(failed))
