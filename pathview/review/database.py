"""Opening the SQLite file: durable, private, one writer at a time, migrated after a backup."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout
from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from pathview.errors import StoreError

_VERSIONS = Path(__file__).parent / "migrations" / "versions"
_BUSY_MS = 5000
_BACKUPS_KEPT = 7
_BACKUP_EVERY = timedelta(days=1)


class Database:
    """One open store file. Reading works beside another instance; writing needs the lock."""

    def __init__(self, path: Path, writable: bool = True) -> None:
        """Open or make the file.

        Raises:
            StoreError: in use, unreadable, damaged, or written by a newer version.
        """
        self.path = path
        self._lock: FileLock | None = None
        if not writable and not path.is_file():
            raise StoreError(f"There is no case store {path.name} yet; analyse something first.")
        try:
            if writable:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._take_lock()
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._engine = _engine(path, writable)
            with _translated(path):
                self._migrate(writable)
        except OSError as error:
            self.close()
            raise StoreError(
                f"The case store {path.name} cannot be opened: {error.strerror or 'input/output error'}."
            ) from error
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Let file and lock go."""
        if hasattr(self, "_engine"):
            self._engine.dispose()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """All or nothing: commits at the end, rolls back on any error.

        Raises:
            StoreError: the disk is full, the file cannot be written, or it is damaged.
        """
        with _translated(self.path), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent look, which waits for no writer.

        Raises:
            StoreError: the file is damaged.
        """
        readers = self._engine.execution_options(reading=True)
        with _translated(self.path), Session(readers, expire_on_commit=False) as session, session.begin():
            yield session

    def backup(self, target: Path) -> None:
        """Copy the store by SQLite's online API and check the copy.

        Raises:
            StoreError: the copy cannot be written, or is not whole.
        """
        partial = target.with_suffix(".partial")
        try:
            with _translated(target):
                self._copy(partial)
            partial.chmod(0o600)
            partial.replace(target)
        except OSError as error:
            reason = error.strerror or "input/output error"
            raise StoreError(f"The backup {target.name} cannot be written: {reason}.") from error
        finally:
            partial.unlink(missing_ok=True)

    def _copy(self, target: Path) -> None:
        with self._engine.connect() as connection:
            source: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
            copy = sqlite3.connect(target)
            try:
                source.backup(copy)
                if copy.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                    raise StoreError(f"The backup {target.name} is not whole; free some disk space.")
            finally:
                copy.close()

    def backup_if_due(self) -> Path | None:
        """Make the day's backup; keep the last seven.

        Raises:
            StoreError: it cannot be made; those before it stay.
        """
        folder = self.path.parent / "backups"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder {folder} for backups cannot be made: {error.strerror}.") from error
        kept = sorted(folder.glob(f"{self.path.stem}-*.sqlite"))
        now = datetime.now(UTC)
        if kept and now.timestamp() - kept[-1].stat().st_mtime < _BACKUP_EVERY.total_seconds():
            return None
        target = folder / f"{self.path.stem}-{now:%Y%m%dT%H%M%S}.sqlite"
        self.backup(target)
        for old in [*kept, target][:-_BACKUPS_KEPT]:
            old.unlink(missing_ok=True)
        return target

    def _take_lock(self) -> None:
        lock = FileLock(f"{self.path}.lock", timeout=0, mode=0o600)
        holder = self.path.with_name(f"{self.path.name}.holder")
        try:
            lock.acquire()
        except Timeout as error:
            who = holder.read_text(encoding="utf-8").strip() if holder.is_file() else "another process"
            raise StoreError(
                f"The case store {self.path.name} is in use by {who}; close that PathView first."
            ) from error
        self._lock = lock
        holder.write_text(f"process {os.getpid()} since {datetime.now():%Y-%m-%d %H:%M}\n", encoding="utf-8")

    def _migrate(self, writable: bool) -> None:
        """Bring the schema up to date; Alembic is imported only when there is something to do."""
        revisions = sorted(path.name.split("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py"))
        current = self._revision()
        if current == revisions[-1]:
            return
        if current is not None and current not in revisions:
            raise StoreError(f"The case store {self.path.name} was written by a newer PathView; update this one.")
        if not writable:
            raise StoreError(f"The case store {self.path.name} is of an older version; open it in the window once.")
        if current is not None:
            self.backup(self.path.with_name(f"{self.path.stem}-before-{revisions[-1]}.sqlite"))
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_VERSIONS.parent))
        with self._engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _revision(self) -> str | None:
        with self._engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _engine(path: Path, writable: bool) -> Engine:
    mode = "rwc" if writable else "ro"
    address = f"file:{quote(path.absolute().as_posix())}?mode={mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, timeout=_BUSY_MS / 1000, check_same_thread=False, uri=True)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)  # its own URLs cannot hold a "#"

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by sqlite3
        connection.execute("PRAGMA foreign_keys = ON")
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        reads = not writable or connection.get_execution_options().get("reading")
        connection.execute(text("BEGIN" if reads else "BEGIN IMMEDIATE"))

    return engine


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Errors of the database as sentences."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as error:
        reason = str(getattr(error, "orig", error)).lower()
        if "full" in reason:
            sentence = f"The disk is full: nothing was written to {path.name}. Free some space and do it again."
        elif "readonly" in reason or "read-only" in reason or "unable to open" in reason:
            sentence = f"The case store {path.name} cannot be written; check the folder's permissions."
        elif "locked" in reason:
            sentence = f"The case store {path.name} is busy; try again in a moment."
        elif "malformed" in reason or "not a database" in reason:
            sentence = f"The case store {path.name} is damaged; restore it from the folder backups beside it."
        else:
            sentence = f"The case store {path.name} refused a change; nothing was written."
        raise StoreError(sentence) from error
