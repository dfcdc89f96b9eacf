"""``pathview agreement``: readers against themselves, the model, each other and the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathview.cli.base import StderrProgress, StoreOption, emit, session

app = typer.Typer(rich_markup_mode=None)


@app.command()
def agreement(
    context: typer.Context,
    worklist: Annotated[list[str] | None, typer.Option("--worklist", help="Name of a list (default: all).")] = None,
    reader: Annotated[list[str] | None, typer.Option("--reader", help="Whom to compare (default: all).")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for report.html, its PDF and csv files.")] = None,
    asker: Annotated[str | None, typer.Option("--as", help="Who asks (default: the login name).")] = None,
    store: StoreOption = None,
) -> None:
    """How readers agree with themselves, the model, each other and the truth: one JSON object.

    What the asking reader may not know yet is left out, and the notices say so.
    """
    from pathview.export.agreeing import Agreeing

    progress = StderrProgress()
    with session(context, store, keep=True, write=out is not None, reader=asker) as work:
        agreeing = Agreeing(work.cases.studies, work.settings, work.reader)
        found = agreeing.measure(worklist or (), reader or (), progress)
        files = agreeing.write(found, out) if out is not None else ()
    progress.clear()
    emit({**found.as_json(), "files": [str(path) for path in files]})
