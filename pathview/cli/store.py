"""``pathview store``: backups of the case store, and whether it is whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from pathview.cli.base import Context, StoreOption, emit, opened, say
from pathview.errors import StoreError
from pathview.settings import login_name

app = typer.Typer(help="Backups of the case store, and whether it is whole.", rich_markup_mode=None)


@app.command("verify")
def store_verify(context: typer.Context, store: StoreOption = None) -> None:
    """Check pages, references, every row's seal and the audit trail. Exit status 1 where something is wrong."""
    from pathview.review.sql.verifying import verify_store

    with opened(context, store) as database:
        found = verify_store(database)
    emit(found.as_json())
    raise typer.Exit(0 if found.ok else 1)


@app.command("backup")
def store_backup(context: typer.Context, store: StoreOption = None) -> None:
    """Make a backup now, beside those of each day."""
    from pathview.review.sql.backups import Backup, backup_now, of_file

    with opened(context, store) as database:
        made: Backup = of_file(backup_now(database))
    emit(made.as_json())


@app.command("backups")
def store_backups(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Whether to read each and see if it is whole.")
    ] = True,
    store: StoreOption = None,
) -> None:
    """The backups there are, one JSON line each, the newest first."""
    from pathview.review.sql.backups import backups_of

    for backup in backups_of(_file(context, store), check):
        emit(backup.as_json())


@app.command("restore")
def store_restore(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Of a backup, as `pathview store backups` prints it.")],
    reader: Annotated[str | None, typer.Option("--reader", help="Who restores (default: the login name).")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; without a terminal it takes this.")] = False,
    store: StoreOption = None,
) -> None:
    """Put a backup in the store's place. What is there is put aside under another name, never deleted."""
    from pathview.review.sql.backups import backup_named, holding, restore

    path = _file(context, store)
    if path.exists():
        now, then = holding(path), holding(backup_named(path, name).path)
        words = f"The store of {now or 'what cannot be counted any more'} is put aside for one of {then or 'nothing'}."
        if not _agreed(words, yes):
            raise StoreError(f"{words} Nothing was changed; it takes --yes to go on.")
    done = restore(path, name, reader or login_name())
    if done.aside:
        say(f"What was there is {done.aside}; what was saved since the backup is in it.")
    emit(done.as_json())
    raise typer.Exit(0 if done.check.ok else 1)


def _agreed(words: str, yes: bool) -> bool:
    """Say what is to be done, and ask where there is somebody to ask."""
    if yes:
        say(words)
    elif sys.stdin.isatty():
        print(f"pathview: {words} Go on? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    return yes


def _file(context: typer.Context, store: str | None) -> Path:
    """The store's file.

    Raises:
        StoreError: it is on a server, whose backups are its own.
    """
    from pathview.review.sql.server import BACKUPS, is_url

    place = store or cast("Context", context.obj).settings.store_place
    if is_url(place):
        raise StoreError(BACKUPS)
    return Path(place)
