"""The command line: thin verbs over :mod:`pathview.session`."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pathview import __version__
from pathview.cli import (
    agreement,
    audit,
    cases,
    datasets,
    hang,
    images,
    looks,
    models,
    readers,
    store,
    training,
    worklists,
)
from pathview.cli.base import Context, Paths, StderrProgress, StoreOption, emit, say, session
from pathview.compute.engine import JobFailed
from pathview.errors import PathViewError
from pathview.jobs import Cancelled, never
from pathview.session import WindowRequest

app = typer.Typer(
    name="pathview",
    help="An investigational second reader for breast imaging. Without a verb it opens the window.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def run(arguments: list[str], open_window: Callable[[WindowRequest], int]) -> int:
    """Run one command; its exit status: 0 done, 1 a known error in one sentence, 2 wrong usage."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # libraries' own words would stand beside the one sentence
    logging.getLogger("pathview").addHandler(_BUGS)
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


class _ToStderr(logging.Handler):
    """Where a bug was, for the report of it: the command line keeps no log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print errors; the rest is for the window's log."""
        if record.levelno >= logging.ERROR:
            print(f"pathview: {record.getMessage()}", file=sys.stderr)


_BUGS = _ToStderr()


def _frames(error: Exception) -> str:
    return "".join(traceback.format_tb(error.__traceback__))


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
    from pathview.demo import SAMPLES, has_display, make_cases, write_demo_report

    settings = context.obj.settings
    folder = (out or settings.data_dir / "demo").absolute()
    progress = StderrProgress()
    say(f"Making sample cases in {folder} ...")
    cases = make_cases(folder, progress, never())
    progress.clear()
    if not headless and has_display():
        request = WindowRequest(cases, folder / "cases.sqlite", analyse=True, worklist=SAMPLES)
        raise typer.Exit(context.obj.open_window(request))
    say("Running without a window" + (" as asked." if headless else ": there is no display here."))
    with session(context, folder / "cases.sqlite") as work:
        report = write_demo_report(work, cases, folder, progress)
    progress.clear()
    say(f"The report with pictures is {report.path}.")
    for line in report.lines:
        emit(line)


app.add_typer(images.app)
app.add_typer(hang.app)
app.add_typer(training.app)
app.add_typer(looks.app)
app.add_typer(datasets.app, name="dataset")
app.add_typer(models.app, name="models")
app.add_typer(agreement.app)
app.add_typer(cases.app, name="cases")
app.add_typer(worklists.app, name="worklists")
app.add_typer(readers.app, name="readers")
app.add_typer(store.app, name="store")
app.add_typer(audit.app, name="audit")
