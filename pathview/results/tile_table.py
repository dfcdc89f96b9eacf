"""The tiles of a slide's analysis: one SQLite file a run, written while it goes on and resumed from where it stood.

This is not the case store: all that stands here can be computed again. So a transaction does not wait for the disk
(WAL, synchronous NORMAL): a program that is killed loses what it did in the last fifth of a second, a power cut the
last transactions, and the file stays whole. No file holds the name of an image.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from pathview.errors import NotAnalysable, StoreError
from pathview.geometry import Region
from pathview.results.growing_map import Cells, GrowingMap
from pathview.results.result import FloatMap, ScoreMap

TileStatus = Literal["analysed", "glass", "unreadable"]
TileRow = tuple[int, int, int, int, int, float | None, TileStatus]
"""Number, x, y, width, height, probability and status: a :class:`Tile` as it is written."""
_VERSION = 1
_DIGITS = 16
EVERY_S = 0.2
"""Seconds between transactions: what a program that is ended loses at most, beside the batch that it is at."""
_READ_TIMEOUT_S = 0.5
_WAL_PAGES = 16_384
"""Pages of 4 KiB after which what was written is moved into the table itself, which waits for the disk."""
_SCHEMA = f"""
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tiles(id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL UNIQUE, x INTEGER NOT NULL,
    y INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, probability REAL, status TEXT NOT NULL);
CREATE TABLE parts(id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL UNIQUE, top INTEGER NOT NULL,
    left INTEGER NOT NULL, rows INTEGER NOT NULL, columns INTEGER NOT NULL, data BLOB NOT NULL);
PRAGMA user_version = {_VERSION};
"""


@dataclass(frozen=True)
class Tile:
    """One tile: ``number`` is its place in the run's own order, ``region`` where it lies in level-0 pixels."""

    number: int
    region: Region
    probability: float | None
    """None where it has none."""
    status: TileStatus


@dataclass(frozen=True)
class MapPart:
    """A finished rectangle of a run's fine map: ``values`` float32 [rows, columns] from cell (``top``, ``left``) on."""

    number: int
    top: int
    left: int
    values: FloatMap


@dataclass(frozen=True)
class Plan:
    """What a run is going to do.

    ``cells``: the grid whose cell ``number`` (row by row) is tile ``number``; None where tiles overlap. ``fine``: the
    grid of the fine map; None where the tiles' own cells are all. ``total``: how many tiles there are to analyse.
    """

    cells: Cells | None
    fine: Cells | None
    total: int


def table_name(image_sha256: str, recipe: str, weights_sha256: str, stride: int | None) -> str:
    """The file name of a run: parts of hashes, never a name of the image."""
    parts = [image_sha256[:_DIGITS] or "none", recipe, weights_sha256[:_DIGITS] or "none"]
    return "-".join(parts if stride is None else [*parts, str(stride)]) + ".sqlite"


class TileTable:
    """The table of one run, open for writing in one thread of one process."""

    def __init__(
        self,
        path: Path | None,
        identity: Mapping[str, Any],
        resume: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the table of a run, or begin a new one.

        Args:
            path: its file; None: in memory.
            identity: all that decides the numbers; a file of another identity is begun anew.
            resume: whether what is there already is kept.
            clock: seconds.

        Raises:
            NotAnalysable: another process is at the same run.
            StoreError: the file cannot be written.
        """
        self.path = path
        self._told = json.dumps(identity, sort_keys=True)
        self._lock: FileLock | None = None
        self._tiles: list[TileRow] = []
        self._parts: list[tuple[Any, ...]] = []
        self._clock, self._written = clock, -EVERY_S
        with failures(path):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._lock = locked(path)
            try:
                self._connection = self._opened(resume)
            except BaseException:
                self._unlock()
                raise

    def begin(self, plan: Plan, facts: Mapping[str, Any]) -> None:
        """Keep what the run is going to do; ``facts`` are for :func:`facts_of`."""
        cells, fine = (None if grid is None else grid.as_json() for grid in (plan.cells, plan.fine))
        self._keep({"cells": cells, "fine": fine, "total": plan.total, "finished": False, "facts": dict(facts)})

    def add(self, tiles: Iterable[Tile], part: MapPart | None = None) -> None:
        """:meth:`add_rows`, of tiles one by one."""
        self.add_rows([(t.number, *_numbers(t.region), t.probability, t.status) for t in tiles], part)

    def add_rows(self, rows: Iterable[TileRow], part: MapPart | None = None) -> None:
        """Keep finished tiles and a part of the fine map; what had their numbers is replaced.

        They are written in one transaction, at once or with what follows within :data:`EVERY_S` seconds.
        """
        self._tiles += rows
        if part is not None:
            data = zlib.compress(np.ascontiguousarray(part.values, "<f4").tobytes(), 1)
            self._parts.append((part.number, part.top, part.left, *part.values.shape, data))
        if self._clock() - self._written >= EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
        if not self._tiles and not self._parts:
            return
        with failures(self.path), _transaction(self._connection) as connection:
            insert = "INSERT OR REPLACE INTO tiles(number, x, y, width, height, probability, status) VALUES"
            connection.executemany(f"{insert} (?, ?, ?, ?, ?, ?, ?)", self._tiles)
            insert = "INSERT OR REPLACE INTO parts(number, top, left, rows, columns, data) VALUES"
            connection.executemany(f"{insert} (?, ?, ?, ?, ?, ?)", self._parts)
        self._tiles, self._parts, self._written = [], [], self._clock()

    def statuses(self) -> dict[int, TileStatus]:
        """The status of each tile that is there, by number."""
        self.flush()
        with failures(self.path):
            return dict(self._connection.execute("SELECT number, status FROM tiles"))

    def parts(self) -> frozenset[int]:
        """Numbers of the parts of the fine map that are there."""
        self.flush()
        with failures(self.path):
            return frozenset(row[0] for row in self._connection.execute("SELECT number FROM parts"))

    def maps(self) -> tuple[ScoreMap | None, ScoreMap | None]:
        """The map of the tiles' cells, and the fine map over it; None where the plan has none."""
        self.flush()
        with failures(self.path):
            growing = GrowingMap()
            growing.update(self._connection)
            return growing.coarse, growing.fine

    def finish(self) -> None:
        """Say that all was done."""
        self.flush()
        self._keep({"finished": True})

    def close(self) -> None:
        """Write what is not written yet and let the file go; the next one to open it goes on from here."""
        try:
            try:
                self.flush()
            finally:
                self._connection.close()
        finally:
            self._unlock()

    def _keep(self, values: Mapping[str, Any]) -> None:
        rows = [(key, json.dumps(value)) for key, value in values.items()]
        with failures(self.path), _transaction(self._connection) as connection:
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def _opened(self, resume: bool) -> sqlite3.Connection:
        if self.path is None:
            return self._begun(":memory:")
        if resume and (found := self._found(self.path)) is not None:
            os.utime(self.path)
            return found
        remove_table(self.path)
        os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
        return self._begun(str(self.path))

    def _found(self, path: Path) -> sqlite3.Connection | None:
        """The file that lies there, if it is whole and of this very run."""
        if not path.is_file():
            return None
        connection = None
        try:
            connection = _connected(str(path))
            whole = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
            known = dict(connection.execute("SELECT key, value FROM meta WHERE key = 'identity'"))
            if whole and known.get("identity") == self._told:
                return connection
        except sqlite3.DatabaseError:
            pass  # damaged: it can all be computed again
        if connection is not None:
            connection.close()
        return None

    def _begun(self, name: str) -> sqlite3.Connection:
        connection = _connected(name)
        connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        rows = [("identity", self._told), ("run", json.dumps(uuid.uuid4().hex))]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        return connection

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()


def remove_table(path: Path) -> None:
    """Delete a table with the files that SQLite keeps beside it."""
    for part in table_files(path):
        part.unlink(missing_ok=True)


def table_files(path: Path) -> list[Path]:
    """A table with the files that SQLite keeps beside it, as far as they are there."""
    return [part for ending in ("", "-wal", "-shm") if (part := path.with_name(path.name + ending)).is_file()]


def lock_path(path: Path) -> Path:
    """The file that is locked while a table is written."""
    return path.with_suffix(".lock")


def locked(path: Path) -> FileLock:
    """Take the right to write a table.

    Raises:
        NotAnalysable: another process has it.
    """
    lock = FileLock(lock_path(path), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise NotAnalysable("PathView is at it already, in another window or terminal; wait for that one") from error
    return lock


def _numbers(region: Region) -> tuple[int, int, int, int]:
    return region.x, region.y, region.width, region.height


def _connected(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(name, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    return connection


def reading(path: Path) -> sqlite3.Connection:
    """A table opened to read it, also while another process writes it."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_READ_TIMEOUT_S
    )
    connection.execute("PRAGMA query_only = 1")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def failures(path: Path | None) -> Iterator[None]:
    """What SQLite and the disk say, as one sentence."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        place = path.parent if path is not None else "memory"
        raise StoreError(f"The tiles of a slide cannot be kept in {place}: {reason}; what was kept stays.") from error
