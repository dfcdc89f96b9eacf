"""The folder of tile tables: what is in one, the maps that grow there, and that they do not fill the disk."""

from __future__ import annotations

import csv
import json
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from pathview.errors import NotAnalysable
from pathview.geometry import Region
from pathview.results.growing_map import GrowingMap
from pathview.results.result import ScoreMap
from pathview.results.tile_table import Tile, failures, lock_path, locked, reading, remove_table, table_files


class GrowingMaps:
    """The maps of runs that are not finished, for who looks every second, in whichever thread."""

    def __init__(self, folder: Path) -> None:
        """Look into a folder of tables."""
        self._folder, self._turn = folder, threading.Lock()
        self._marks: dict[tuple[Path, int], str] = {}
        self._path: Path | None = None
        self._growing = GrowingMap()

    def of(self, fingerprint: str) -> ScoreMap | None:
        """The map so far of the newest run on the image with a fingerprint, NaN where it has not been yet.

        None where there is no run on it, or the newest one is finished: then its result has the map.
        """
        with self._turn:
            return self._of(fingerprint)

    def _of(self, fingerprint: str) -> ScoreMap | None:
        found = [path for path in _tables(self._folder) if fingerprint and self._mark(path) == fingerprint]
        path = max(found, key=_touched, default=None)
        if path is None:
            return None
        if path != self._path:
            self._path, self._growing = path, GrowingMap()
        try:
            with closing(reading(path)) as connection:
                self._growing.update(connection)
        except sqlite3.Error:
            pass  # the writer is just closing it: the map of a second ago stands
        return None if self._growing.finished else self._growing.map

    def _mark(self, path: Path) -> str:
        try:
            key = (path, path.stat().st_ino)
            if not self._marks.get(key):
                self._marks[key] = str(facts_of(path).get("fingerprint", ""))
            return self._marks[key]
        except OSError:
            return ""


def facts_of(path: Path) -> dict[str, Any]:
    """What a run kept of itself at its beginning; empty where the table cannot be read."""
    try:
        with closing(reading(path)) as connection:
            found = connection.execute("SELECT value FROM meta WHERE key = 'facts'").fetchone()
    except sqlite3.Error:
        return {}
    return cast("dict[str, Any]", json.loads(found[0])) if found else {}


def read_tiles(path: Path) -> list[Tile]:
    """All tiles of a table, by number.

    Raises:
        StoreError: it cannot be read.
    """
    query = "SELECT number, x, y, width, height, probability, status FROM tiles ORDER BY number"
    with failures(path), closing(reading(path)) as connection:
        return [Tile(row[0], Region(*row[1:5]), row[5], row[6]) for row in connection.execute(query)]


def table_of(folder: Path, settings: Mapping[str, Any]) -> Path | None:
    """The tile table that a result's settings name, if it is still there."""
    name = settings.get("tile_table")
    path = folder / Path(str(name)).name
    return path if name and path.is_file() else None


def write_csv(table: Path, target: Path) -> None:
    """Write the tiles of a table as lines ``x,y,width,height,probability,status``; x to height in level-0 pixels.

    Raises:
        StoreError: the table cannot be read.
        OSError: the file cannot be written.
    """
    tiles = read_tiles(table)
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("x", "y", "width", "height", "probability", "status"))
        for tile in tiles:
            region, probability = tile.region, "" if tile.probability is None else f"{tile.probability:.9g}"
            writer.writerow((region.x, region.y, region.width, region.height, probability, tile.status))


def trim(folder: Path, limit: int, keep: Path | None = None) -> None:
    """Remove the oldest tables until all together take at most ``limit`` bytes; never one that is being written."""
    sizes = {path: sum(_status(part)[0] for part in table_files(path)) for path in _tables(folder)}
    total = sum(sizes.values())
    for path in sorted(sizes, key=_touched):
        if total <= limit:
            return
        if path == keep:
            continue
        try:
            lock = locked(path)
            remove_table(path)
            lock.release()
            lock_path(path).unlink(missing_ok=True)
        except (NotAnalysable, OSError):
            continue  # in use: the next run tries again
        total -= sizes[path]


def _tables(folder: Path) -> list[Path]:
    return list(folder.glob("*.sqlite"))


def _touched(path: Path) -> float:
    return max((_status(part)[1] for part in table_files(path)), default=0.0)


def _status(path: Path) -> tuple[int, float]:
    """Bytes and time of the last change; nothing where the file has just gone."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0.0
    return status.st_size, status.st_mtime
