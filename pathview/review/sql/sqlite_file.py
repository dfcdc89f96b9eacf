"""A store that is one SQLite file: durable, private, written by one instance at a time."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import QueuePool

from pathview.errors import DamagedStoreError, StoreError, StoreInUseError
from pathview.review.sql.head import HeadFile
from pathview.review.sql.place import whole_json
from pathview.settings import login_name

SYNCHRONOUS = "FULL"
"""Each commit is on the disk before it is acknowledged; NORMAL loses them to a power cut."""
_BUSY_MS = 5000
_CACHE_KB = 32_768
"""Enough for the index of a worklist of 100,000 cases, which paging goes through; a small store takes less."""


class SqliteFile:
    """Where a store's file is, and who has it."""

    def __init__(self, path: Path, writable: bool = True, reader: str = "") -> None:
        """Remember where; nothing is opened yet. ``reader`` is named to whom the store is refused meanwhile."""
        self.path, self.writable = path, writable
        self.name = path.name
        self.head: HeadFile | None = HeadFile(path.with_name(f"{path.name}.head"))
        self._reader = reader or login_name()
        self._lock: FileLock | None = None

    def open(self) -> Engine:
        """Take the lock, make the file where there is none, and connect.

        Raises:
            StoreInUseError: in use.
            StoreError: there is no file to read.
            OSError: the folder or the file cannot be made.
        """
        if self.writable:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.lock()
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        elif not self.path.is_file():
            raise StoreError(f"There is no case store {self.name} yet; analyse something first.")
        return _engine(self.path, self.writable)

    def lock(self) -> None:
        """Keep other writers out until :meth:`release`; nothing where this one keeps them out already.

        Raises:
            StoreInUseError: another has the store; it is named.
        """
        if self._lock is not None:
            return
        lock = FileLock(f"{self.path}.lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout as error:
            raise StoreInUseError(
                f"The case store {self.name} is in use by {self._holder()}; close it there first."
            ) from error
        self._lock = lock
        self.hold_as(self._reader)

    def hold_as(self, reader: str) -> None:
        """Say who has the store, to whoever finds it locked."""
        self._reader = reader
        if self._lock is not None:
            since = f"{datetime.now():%Y-%m-%d %H:%M}"
            words = f"process {os.getpid()} of {reader} on {platform.node() or 'this machine'} since {since}\n"
            self._holder_path.write_text(words, encoding="utf-8")

    def release(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @contextmanager
    def migrating(self, engine: Engine) -> Iterator[Connection]:
        """A transaction in which tables can be made anew: references are checked at its end, not before.

        Raises:
            StoreError: a row refers to one that is not there.
        """
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys = OFF")
            try:
                with connection.begin():
                    yield connection
                    if connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
                        raise DamagedStoreError(self.damaged("a row refers to one that is not there"))
            finally:
                driver.execute("PRAGMA foreign_keys = ON")

    def copy_to(self, engine: Engine, target: Path) -> None:
        """Copy the open store by SQLite's online API and check the copy.

        Raises:
            StoreError: the copy cannot be written, or is not whole.
        """
        partial = target.with_suffix(".partial")
        try:
            with engine.connect() as connection:
                _copy(connection.connection.driver_connection, partial)  # type: ignore[arg-type]
            partial.chmod(0o600)
            partial.replace(target)
        except OSError as error:
            reason = error.strerror or "input/output error"
            raise StoreError(f"The backup {target.name} cannot be written: {reason}.") from error
        finally:
            partial.unlink(missing_ok=True)

    def problems(self, connection: Connection) -> list[str]:
        """What SQLite finds wrong with its pages, indexes and references, a sentence each."""
        found = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check"))]
        told = [f"The file is damaged: {words}." for words in found if words != "ok"]
        for table, row, parent, _ in connection.execute(text("PRAGMA foreign_key_check")):
            told.append(f"Row {row} of {table} refers to a row of {parent} that is not there.")
        return told

    def schema(self, connection: Connection) -> list[str]:
        """Tables, indexes and triggers as they are defined."""
        made = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name"
        return [repr(tuple(row)) for row in connection.execute(text(made))]

    def told(self, error: Exception) -> StoreError:
        """An error of the database with its sentence."""
        reason = str(getattr(error, "orig", error)).lower()
        if any(words in reason for words in ("malformed", "not a database", "no such", "could not decode", "corrupt")):
            return DamagedStoreError(self.damaged(""))
        return StoreError(self._sentence(reason))

    def _sentence(self, reason: str) -> str:
        if "full" in reason:
            return f"The disk is full: nothing was written to {self.name}. Free some space and do it again."
        if any(words in reason for words in ("readonly", "read-only", "unable to open")):
            done = "written" if self.writable else "read"
            return f"The case store {self.name} cannot be {done}; check the folder's permissions."
        if "locked" in reason:
            return f"The case store {self.name} is busy; try again in a moment."
        if "disk i/o" in reason:
            return f"The disk failed to read or write {self.name}; nothing was written. Check the disk."
        return f"The case store {self.name} refused a change; nothing was written."

    def damaged(self, what: str) -> str:
        """The sentence about a store that is not as it was written."""
        where = f" ({what})" if what else ""
        return f"The case store {self.name} is damaged{where}; restore a backup: `pathview store backups` lists them."

    @property
    def _holder_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.holder")

    def _holder(self) -> str:
        try:
            return self._holder_path.read_text(encoding="utf-8").strip() or "another process"
        except (OSError, ValueError):
            return "another process"


def _copy(source: sqlite3.Connection, target: Path) -> None:
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, which can be read without others beside it
        if copy.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise StoreError(f"The backup {target.stem} is not whole; free some disk space.")
    finally:
        copy.close()


def _engine(path: Path, writable: bool) -> Engine:
    mode = "rwc" if writable else "ro"
    address = f"file:{quote(path.absolute().as_posix())}?mode={mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, timeout=_BUSY_MS / 1000, check_same_thread=False, uri=True)

    # a creator, since SQLAlchemy's own URLs cannot hold a "#"
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, json_deserializer=whole_json)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by sqlite3
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
            connection.execute("PRAGMA fullfsync = ON")  # where fsync alone does not reach the disk: macOS
            connection.execute("PRAGMA checkpoint_fullfsync = ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        reads = not writable or connection.get_execution_options().get("reading")
        connection.execute(text("BEGIN" if reads else "BEGIN IMMEDIATE"))

    return engine
