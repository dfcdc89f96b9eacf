"""Backups of a store that is a file: made daily and before each migration, checked, and put back."""

from __future__ import annotations

import glob
import os
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from pathview.errors import DamagedStoreError, StoreError
from pathview.review.sql import audit
from pathview.review.sql.database import Database, OlderStoreError
from pathview.review.sql.head import Head, sync_folder
from pathview.review.sql.server import BACKUPS
from pathview.review.sql.sqlite_file import SqliteFile
from pathview.review.sql.verifying import Verified, verify_store

_FOLDER = "backups"
_KEPT = 7
_EVERY = timedelta(days=1)
_STAMP = "%Y%m%dT%H%M%S"
_WAL = ("-wal", "-shm")
"""What SQLite keeps beside an open file; a log is of no use, and harm, beside another file."""


@dataclass(frozen=True)
class Contents:
    """How much a store holds."""

    cases: int
    decided: int
    """Cases with a decision."""


@dataclass(frozen=True)
class Backup:
    """One copy of a store."""

    path: Path
    made: datetime
    """UTC."""
    size_bytes: int
    problems: tuple[str, ...] | None = None
    """What a check found; None: not checked."""
    contents: Contents | None = None
    """None: not counted, or it cannot be."""

    @property
    def name(self) -> str:
        """By which it is asked for."""
        return self.path.name

    def as_json(self) -> dict[str, Any]:
        """One line of ``pathview store backups``."""
        whole = None if self.problems is None else not self.problems
        return {
            "name": self.name,
            "made": self.made.isoformat(timespec="seconds"),
            "size_bytes": self.size_bytes,
            "whole": whole,
            "problems": list(self.problems or ()),
        }


@dataclass(frozen=True)
class Restored:
    """What came of putting a backup back."""

    name: str
    """Of the backup."""
    aside: str
    """File name of what was there before, in the same folder; empty: nothing was."""
    check: Verified
    """Of the store as it is now."""

    def as_json(self) -> dict[str, Any]:
        """What ``pathview store restore`` prints."""
        return {"restored": self.name, "aside": self.aside, **self.check.as_json()}


@dataclass(frozen=True)
class Holding:
    """How much a store, or a backup of one, holds."""

    cases: int
    decisions: int

    def __str__(self) -> str:
        """For a sentence."""
        words = ((self.cases, "case"), (self.decisions, "decision"))
        return " and ".join(f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in words)


def backup_if_due(database: Database) -> Path | None:
    """Make the day's backup; keep those of the last seven days that have one.

    Returns:
        None where there is one of the last 24 hours, or the store is on a server.

    Raises:
        StoreError: it cannot be made, or the store is damaged; those before it stay.
    """
    if database.path is None:
        return None
    now = datetime.now(UTC)
    if any(timedelta() <= now - _time_of(path) < _EVERY for path in _daily(database.path)):
        return None
    return backup_now(database)


def backup_now(database: Database) -> Path:
    """Make a backup in the folder ``backups`` beside the store and check it; see :func:`backup_if_due`.

    Raises:
        StoreError: it cannot be made, the store is damaged, or it is on a server; the backups before stay.
    """
    if database.path is None:
        raise StoreError(BACKUPS)
    folder = database.path.parent / _FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {folder} for backups cannot be made: {error.strerror}.") from error
    kept = _daily(database.path)
    now = datetime.now(UTC)
    names = (f"{database.path.stem}-{now.strftime(form)}.sqlite" for form in (_STAMP, f"{_STAMP}.%f"))
    target = next(folder / name for name in names if not (folder / name).exists())
    database.backup(target)
    if problems := check_backup(target):
        target.unlink()
        raise DamagedStoreError(database.place.damaged(problems[0].rstrip(".")))
    days = sorted({_day_of(path) for path in [*kept, target]})[-_KEPT:]
    for old in kept:
        if _day_of(old) not in days:
            old.unlink(missing_ok=True)
    return target


def backups_of(path: Path, check: bool = True) -> tuple[Backup, ...]:
    """The backups of a store's file, the newest first: the daily ones, and those made before migrations.

    Args:
        path: of the store; it need not be there, or be whole.
        check: whether each is read and checked, which takes a second for some ten thousand rows.
    """
    files = [*_daily(path), *path.parent.glob(f"{glob.escape(path.stem)}-before-*.sqlite")]
    found = [of_file(file, check) for file in files]
    return tuple(sorted(found, key=lambda backup: backup.made, reverse=True))


@lru_cache(maxsize=64)
def contents_of(backup: Backup) -> Contents | None:
    """How much a backup holds, counted once for each file as it is; None where that cannot be read."""
    try:
        connection = sqlite3.connect(f"{backup.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    except sqlite3.Error:
        return None
    try:
        return Contents(*connection.execute("SELECT count(*), count(decision) FROM cases").fetchone())
    except sqlite3.Error:
        return None
    finally:
        connection.close()


def holding(path: Path) -> Holding | None:
    """How much is in a store's file, read beside whoever has it; None: it is not there, or cannot be read."""
    if not path.is_file():
        return None
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        counted = "SELECT (SELECT count(*) FROM cases), (SELECT count(*) FROM decisions)"
        return Holding(*connection.execute(counted).fetchone())
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    finally:
        connection.close()


def backup_named(path: Path, name: str) -> Backup:
    """A backup of a store, unchecked.

    Raises:
        StoreError: there is no such backup.
    """
    backup = next((found for found in backups_of(path, check=False) if found.name == name), None)
    if backup is None:
        raise StoreError(f"There is no backup {name}; `pathview store backups` lists them.")
    return backup


def check_backup(path: Path) -> tuple[str, ...]:
    """What is wrong with a backup, a sentence each; one of an older version is checked by its pages alone."""
    database = None
    try:
        database = Database(path, writable=False)
        return verify_store(database).problems
    except OlderStoreError:
        return _page_problems(path)
    except StoreError as error:
        return (str(error),)
    finally:
        if database is not None:
            database.close()


def restore(path: Path, name: str, actor: str) -> Restored:
    """Put a backup in the place of a store; what is there is put aside under another name, never deleted.

    The store must be closed. What was saved since the backup is in the file put aside.

    Args:
        path: of the store.
        name: of the backup, as :func:`backups_of` has it.
        actor: who asks for it, for the audit trail.

    Raises:
        StoreError: there is no such backup, it is not whole, or the store is in use or cannot be written.
    """
    backup = backup_named(path, name)
    if check_backup(backup.path):
        raise StoreError(f"The backup {name} is not whole, so nothing was restored; take another one.")
    place = SqliteFile(path, reader=actor)
    place.lock()
    try:
        aside = _exchange(place, backup.path)
        database = Database(place)
    except OSError as error:
        place.release()
        raise StoreError(f"The backup {name} cannot be restored: {error.strerror or 'input/output error'}.") from error
    except StoreError:
        place.release()
        raise
    try:
        with database.transaction() as session:
            audit.record(session, actor, "restore", None, {"backup": name, "aside": aside})
        return Restored(name, aside, verify_store(database))
    finally:
        database.close()


def _exchange(place: SqliteFile, backup: Path) -> str:
    """Put a copy of a backup where the store is; the name of the file put aside.

    At no moment is there no store: an interruption leaves the old file or the new one.
    """
    path = place.path
    copy = path.with_name(f"{path.name}.restoring")
    shutil.copyfile(backup, copy)
    copy.chmod(0o600)
    with copy.open("r+b") as file:
        os.fsync(file.fileno())
    aside = _free_name(path) if path.exists() else None
    if aside is not None:
        _linked(path, aside)
        for suffix in _WAL:
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                beside.replace(aside.with_name(aside.name + suffix))
    copy.replace(path)
    if place.head is not None:
        place.head.replace(_head_of(path))
    sync_folder(path.parent)
    return aside.name if aside is not None else ""


def _linked(path: Path, aside: Path) -> None:
    """Give a file a second name; a copy where the disk knows no second names."""
    try:
        os.link(path, aside)
    except OSError:
        shutil.copyfile(path, aside)
        aside.chmod(0o600)


def _free_name(path: Path) -> Path:
    base = f"{path.stem}-damaged-{datetime.now(UTC).strftime(_STAMP)}"
    names = (path.with_name(f"{base}{'' if n == 0 else f'-{n}'}{path.suffix}") for n in range(1000))
    return next(name for name in names if not name.exists())


def _head_of(path: Path) -> Head | None:
    """The end of the trail in a file that is whole; None: it is from before the trail was a chain."""
    connection = sqlite3.connect(path)
    try:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(audit)")}
        if "hash" not in columns:
            return None
        last = connection.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        return Head(*last) if last else None
    finally:
        connection.close()


def _page_problems(path: Path) -> tuple[str, ...]:
    connection = sqlite3.connect(path)
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.Error as error:
        found = [str(error)]
    finally:
        connection.close()
    return tuple(f"The file is damaged: {words}." for words in found if words != "ok")


def _daily(path: Path) -> list[Path]:
    """The daily backups, the oldest first."""
    return sorted((path.parent / _FOLDER).glob(f"{glob.escape(path.stem)}-*.sqlite"))


def _day_of(path: Path) -> str:
    return path.stem.rsplit("-", 1)[-1][:8]


def of_file(path: Path, check: bool = False) -> Backup:
    """A backup's file as a record."""
    return Backup(path, _time_of(path), path.stat().st_size, check_backup(path) if check else None)


def _time_of(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
