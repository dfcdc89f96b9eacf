"""The command line: thin verbs over :mod:`pathview.session`. JSON on stdout, words on stderr."""

from __future__ import annotations

import json
import logging
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from pathview import __version__
from pathview.compute.engine import Engine, JobFailed, LocalEngine
from pathview.errors import PathViewError
from pathview.jobs import Cancelled, Progress, never
from pathview.models.catalogue import verify_model
from pathview.models.weights import CARD
from pathview.review.case import DECISIONS, Order
from pathview.review.database import Database
from pathview.review.store import Store
from pathview.session import AnalyseOptions, Session, WindowRequest, expand
from pathview.settings import Settings


@dataclass
class Context:
    """What every verb has at hand."""

    open_window: Callable[[WindowRequest], int]
    settings: Settings = field(default_factory=Settings)


app = typer.Typer(
    name="pathview",
    help="An investigational second reader for breast imaging. Without a verb it opens the window.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="Recipes and their weights.", rich_markup_mode=None)
cases_app = typer.Typer(help="The worklist and its decisions.", rich_markup_mode=None)
app.add_typer(models_app, name="models")
app.add_typer(cases_app, name="cases")

Paths = Annotated[list[Path], typer.Argument(help="Images, IDC patch folders, or folders of them.", readable=False)]
StoreOption = Annotated[Path | None, typer.Option("--store", help="Case store (default: the user's own).")]
MppOption = Annotated[float | None, typer.Option("--mpp", min=1e-3, help="Pixel size in µm, where the file has none.")]


def run(arguments: list[str], open_window: Callable[[WindowRequest], int]) -> int:
    """Run one command; its exit status: 0 done, 1 a known error in one sentence, 2 wrong usage."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # libraries' own words would stand beside the one sentence
    try:
        app(args=arguments, prog_name="pathview", obj=Context(open_window))
    except SystemExit as end:
        return int(end.code or 0)
    except PathViewError as error:
        say(str(error))
        return 1
    except (Cancelled, KeyboardInterrupt):
        say("Cancelled.")
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as bug:  # the outer edge: a bug is one sentence and where it is, never a traceback with values
        kind, trace = (str(bug), bug.trace) if isinstance(bug, JobFailed) else (type(bug).__name__, _frames(bug))
        say(f"PathView has a bug here ({kind}); nothing that was saved is lost. Please report these lines:\n{trace}")
        return 1
    return 0


def _frames(error: Exception) -> str:
    return "".join(traceback.format_tb(error.__traceback__))


def say(sentence: str) -> None:
    """One line for people."""
    print(f"pathview: {sentence}", file=sys.stderr)


def emit(content: Mapping[str, Any]) -> None:
    """One object for programs."""
    print(json.dumps(content, default=str), flush=True)


class StderrProgress:
    """Progress on one line of a terminal; silent where stderr is no terminal."""

    def __init__(self) -> None:
        self._width = 0

    def __call__(self, step: Progress) -> None:
        """Show a step."""
        if not sys.stderr.isatty():
            return
        share = f"{100 * step.fraction:3.0f} % " if step.fraction is not None else ""
        text = f"{share}{step.message}"[:100]
        print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(text)

    def clear(self) -> None:
        """Wipe the line."""
        if self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=sys.stderr, flush=True)
            self._width = 0


@contextmanager
def session(
    context: typer.Context, store: Path | None = None, keep: bool = False, write: bool = True
) -> Iterator[Session]:
    """A session in this process; with a store where one is named or ``keep`` asks for the user's own."""
    settings = cast("Context", context.obj).settings
    engine: Engine = LocalEngine()
    opened = None
    if store is not None or keep:
        opened = Store(Database(store or settings.store_path, writable=write))
    found = Session(settings, engine, engine, opened)
    try:
        yield found
    finally:
        found.close()


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Open the window when no verb is given."""
    if version:
        print(f"pathview {__version__}")
    elif context.invoked_subcommand is None:
        raise typer.Exit(context.obj.open_window(WindowRequest()))


@app.command("open")
def open_(context: typer.Context, paths: Paths, store: StoreOption = None) -> None:
    """Open the window on these images."""
    raise typer.Exit(context.obj.open_window(WindowRequest(tuple(paths), store)))


@app.command()
def demo(
    context: typer.Context,
    headless: Annotated[bool, typer.Option("--headless", help="No window: leave a report with pictures.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for cases, store and report.")] = None,
) -> None:
    """Make sample cases (phantoms), analyse them with the bundled models, and open or report them."""
    from pathview.demo import has_display, make_cases, write_demo_report

    settings = context.obj.settings
    folder = (out or settings.data_dir / "demo").absolute()
    progress = StderrProgress()
    say(f"Making sample cases in {folder} ...")
    cases = make_cases(folder, progress, never())
    progress.clear()
    if not headless and has_display():
        raise typer.Exit(context.obj.open_window(WindowRequest(cases, folder / "cases.sqlite", analyse=True)))
    say("Running without a window" + (" as asked." if headless else ": there is no display here."))
    with session(context, folder / "cases.sqlite") as work:
        report = write_demo_report(work, cases, folder, progress)
    progress.clear()
    say(f"The report with pictures is {report.path}.")
    for line in report.lines:
        emit(line)


@app.command()
def info(context: typer.Context, paths: Paths, mpp: MppOption = None) -> None:
    """Say what images are."""
    files, failed = _files(paths)
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
) -> None:
    """Write an image as the viewer shows it."""
    from pathview.export.rendering import RenderRequest, render_png

    if window is not None and voi is not None:
        raise typer.BadParameter("give --window or --voi, not both")
    request = RenderRequest(
        path, out, size, _numbers(window, 2, "--window"), voi, frame, _numbers(region, 4, "--region")
    )
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
) -> None:
    """Analyse images; one JSON line each."""
    from pathview.export.files import folder_names, outcome_json, write_files
    from pathview.results.result import AnalysisResult

    options = AnalyseOptions(recipe, threshold, explain, frame, mpp)
    progress = StderrProgress()
    files, failed = _files(paths)
    if explain and out is None and store is None:
        say("The heat maps are not kept: --out DIR writes them as pictures, --store FILE keeps them with the case.")
    with session(context, store) as work:
        if recipe:
            work.model_folder(recipe)  # a wrong name ends here, before any image is read
        for path, name in zip(files, folder_names(files), strict=True):
            outcome = work.analyse_and_keep(path, options, progress)
            progress.clear()
            written = None
            if isinstance(outcome, AnalysisResult):
                written = write_files(path, outcome, out / name, work.settings) if out else None
            else:
                failed = True
                say(outcome.reason)
            emit(outcome_json(path, outcome, written))
    raise typer.Exit(int(failed))


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
    init: Annotated[Path | None, typer.Option("--init", help="Keras weights that the backbone starts from.")] = None,
    about: Annotated[Path | None, typer.Option("--about", help="Markdown for the model card.")] = None,
) -> None:
    """Train a recipe on local labels, split by patient, and report on patients that it never saw."""
    from pathview.training.finetune import TrainRequest
    from pathview.training.finetune import train as train_model

    if (data is None) == (labels is None):
        raise typer.BadParameter("give --data or --labels")
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
        request = TrainRequest(
            work.catalogue.recipe(recipe), source, out, epochs, seed, resume, init, about, _conditions(where or [])
        )
        trained = work.engine.run(train_model, request, settings, on_epoch, progress=progress)
    progress.clear()
    for notice in trained.notices:
        say(notice)
    emit({"out": str(out), "seed": seed, "sha256": trained.manifest.sha256, **trained.manifest.metrics})


@app.command()
def evaluate(
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", help="Name or folder of a model.")],
    data: Annotated[Path, typer.Option("--data", help="Data set folder or csv.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for report.json and predictions.csv.")] = None,
    part: Annotated[str, typer.Option("--part", help="unseen, all, train, validation or test.")] = "unseen",
    where: Annotated[list[str] | None, typer.Option("--where", help="column=value of the label table.")] = None,
) -> None:
    """Measure a model on known truth; by default only on images that its training never saw."""
    from pathview.training.assess import PARTS, EvaluateRequest, evaluate_model

    if part not in PARTS:
        raise typer.BadParameter(f"--part is one of {', '.join(PARTS)}")
    progress = StderrProgress()
    with session(context) as work:
        request = EvaluateRequest(work.model_folder(model), data, cast("Any", part), _conditions(where or []), out)
        assessment = work.engine.run(evaluate_model, request, work.settings, progress=progress)
    progress.clear()
    for notice in assessment.notices:
        say(notice)
    emit(assessment.report)


@models_app.command("list")
def models_list(context: typer.Context) -> None:
    """All models, one JSON line each."""
    with session(context) as work:
        found = work.catalogue.found()
        for model in found.models:
            emit(model.as_json())
        for entry in found.damaged:
            say(entry.reason)


@models_app.command("show")
def models_show(context: typer.Context, name: str) -> None:
    """One model: its recipe, figures and card."""
    with session(context) as work:
        model = work.catalogue.model(name)
        card = model.folder / CARD if model.folder else None
        text = card.read_text(encoding="utf-8") if card and card.is_file() else None
        metrics = model.manifest.metrics if model.manifest else None
        emit({**model.as_json(), "recipe": model.recipe.model_dump(), "metrics": metrics, "card": text})


@models_app.command("verify")
def models_verify(context: typer.Context) -> None:
    """Check every model's files against its manifest."""
    failed = False
    with session(context) as work:
        found = work.catalogue.found()
        verdicts = [(model.name, model.weights, verify_model(model)) for model in found.models]
        for name, weights, reason in [*verdicts, *((entry.name, None, entry.reason) for entry in found.damaged)]:
            emit({"name": name, "weights": weights, "ok": reason is None, "reason": reason})
            if reason is not None:
                failed = True
                say(reason)
    raise typer.Exit(int(failed))


@cases_app.command("list")
def cases_list(
    context: typer.Context,
    store: StoreOption = None,
    order: Annotated[str, typer.Option("--order", help="uncertain, score, newest or name.")] = "uncertain",
    limit: Annotated[int, typer.Option("--limit", min=1)] = 1000,
) -> None:
    """The worklist, one JSON line a case."""
    if order not in ("uncertain", "score", "newest", "name"):
        raise typer.BadParameter("--order is one of uncertain, score, newest, name")
    with session(context, store, keep=True, write=False) as work:
        for row in work.cases.worklist(cast("Order", order), limit):
            emit(vars(row))


@cases_app.command("show")
def cases_show(context: typer.Context, case_id: int, store: StoreOption = None) -> None:
    """One case: images, results, decisions."""
    with session(context, store, keep=True, write=False) as work:
        emit(work.cases.case(case_id).as_json())


@cases_app.command("decide")
def cases_decide(
    context: typer.Context,
    case_id: int,
    value: Annotated[str, typer.Argument(help="positive, negative or cant_tell.")],
    note: Annotated[str, typer.Option("--note")] = "",
    reader: Annotated[str | None, typer.Option("--reader", help="Who decides (default: the login name).")] = None,
    store: StoreOption = None,
) -> None:
    """Record a decision."""
    normal = value.replace("-", "_")
    if normal not in DECISIONS:
        raise typer.BadParameter(f"a decision is one of {', '.join(DECISIONS)}")
    with session(context, store, keep=True) as work:
        if reader:
            work.reader = reader
        emit(vars(work.decide(case_id, normal, note)))


def _files(paths: list[Path]) -> tuple[list[Path], bool]:
    """Images at or below paths; True where a path gave none, which was said."""
    files, problems = expand(paths)
    for problem in problems:
        say(problem)
    return files, bool(problems)


def _numbers(text: str | None, count: int, option: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise typer.BadParameter(f"{option} takes {count} numbers with commas between them")
    return numbers


def _conditions(where: list[str]) -> dict[str, str]:
    pairs = [text.split("=", 1) for text in where]
    if any(len(pair) != 2 for pair in pairs):
        raise typer.BadParameter("--where takes column=value")
    return {pair[0]: pair[1] for pair in pairs}
