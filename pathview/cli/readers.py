"""``pathview readers``: the people whose names a store knows."""

from __future__ import annotations

import typer

from pathview.cli.base import ReaderOption, StoreOption, emit, session

app = typer.Typer(help="Who reads; names without passwords.", rich_markup_mode=None)


@app.command("list")
def readers_list(context: typer.Context, store: StoreOption = None) -> None:
    """The readers, one JSON line each."""
    with session(context, store, keep=True, write=False) as work:
        for reader in work.cases.readers.all():
            emit(vars(reader))


@app.command("add")
def readers_add(context: typer.Context, name: str, store: StoreOption = None, reader: ReaderOption = None) -> None:
    """Let the store know a reader; whoever reads a case is known from then on anyway."""
    with session(context, store, keep=True, reader=reader) as work:
        emit(vars(work.cases.readers.add(name, work.reader)))
