"""What all verbs share: their session, their words, their options. JSON on stdout, words on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pathview.compute.engine import Engine, LocalEngine
from pathview.jobs import Progress
from pathview.models.runtimes import Runtime
from pathview.review.intake import expand
from pathview.session import Session, WindowRequest
from pathview.settings import Settings

if TYPE_CHECKING:
    from pathview.review.sql.database import Database


@dataclass
class Context:
    """What every verb has at hand."""

    open_window: Callable[[WindowRequest], int]
    settings: Settings = field(default_factory=Settings)


Paths = Annotated[list[Path], typer.Argument(help="Images, IDC patch folders, or folders of them.", readable=False)]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="Case store: a file, or postgresql://NAME@HOST/DATABASE (default: the user's own)."),
]
ReaderOption = Annotated[str | None, typer.Option("--reader", help="Who reads (default: the login name).")]
MppOption = Annotated[float | None, typer.Option("--mpp", min=1e-3, help="Pixel size in µm, where the file has none.")]

RuntimeOption = Annotated[
    Runtime | None, typer.Option("--runtime", help="What computes (default: auto, or PATHVIEW_RUNTIME).")
]


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
    context: typer.Context,
    store: Path | str | None = None,
    keep: bool = False,
    write: bool = True,
    runtime: str | None = None,
    reader: str | None = None,
) -> Iterator[Session]:
    """A session in this process; with a store where one is named or ``keep`` asks for the user's own.

    ``reader``: who reads; None: the login name.
    """
    settings = cast("Context", context.obj).settings
    if runtime is not None:
        settings = replace(settings, runtime=runtime)
    engine: Engine = LocalEngine()
    opened = None
    if store is not None or keep:
        from pathview.review.sql.database import Database  # SQLAlchemy takes half of a short command's time
        from pathview.review.store import Store

        opened = Store(Database(store or settings.store_place, writable=write))
    found = Session(settings, engine, engine, opened)
    if reader is not None:
        from pathview.review.reading.readers import checked_name

        found.reader = checked_name(reader)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def opened(context: typer.Context, store: Path | str | None) -> Iterator[Database]:
    """A store to look at, beside whoever writes to it, without a session."""
    from pathview.review.sql.database import Database

    database = Database(store or cast("Context", context.obj).settings.store_place, writable=False)
    try:
        yield database
    finally:
        database.close()


def files_at(paths: list[Path]) -> tuple[list[Path], bool]:
    """Images at or below paths; True where a path gave none, which was said."""
    files, problems = expand(paths)
    for problem in problems:
        say(problem)
    return files, bool(problems)


def numbers(text: str | None, count: int, option: str) -> tuple[float, ...] | None:
    """An option's numbers, as many as it takes; None where it was not given."""
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise typer.BadParameter(f"{option} takes {count} numbers with commas between them")
    return numbers


def conditions(where: list[str], option: str = "--where", left: str = "column") -> dict[str, str]:
    """``column=value`` as pairs."""
    pairs = [text.split("=", 1) for text in where]
    if any(len(pair) != 2 for pair in pairs):
        raise typer.BadParameter(f"{option} takes {left}=value")
    return {pair[0]: pair[1] for pair in pairs}
