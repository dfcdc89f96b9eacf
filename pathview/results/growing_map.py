"""The map of a slide's analysis while it grows: what its table says so far."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pathview.geometry import GridPlace
from pathview.results.map_levels import resampled
from pathview.results.result import FloatMap, ScoreMap


@dataclass(frozen=True)
class Cells:
    """A grid of cells: (rows, columns), and where it lies on level 0."""

    shape: tuple[int, int]
    place: GridPlace

    def as_json(self) -> list[float]:
        """For :meth:`of`."""
        place = self.place
        return [*self.shape, place.x, place.y, place.cell_width, place.cell_height]

    @classmethod
    def of(cls, numbers: Sequence[float] | None) -> Cells | None:
        """From :meth:`as_json`; None for None."""
        if numbers is None:
            return None
        return cls((int(numbers[0]), int(numbers[1])), GridPlace(*numbers[2:]))


class GrowingMap:
    """The maps of a run, brought up to date by what was added since the last look."""

    def __init__(self) -> None:
        self.coarse: ScoreMap | None = None
        """The tiles' cells."""
        self.fine: ScoreMap | None = None
        """The fine map over them, from its first part on."""
        self.finished = False
        self._run = ""
        self._last_tile = self._last_part = 0

    @property
    def map(self) -> ScoreMap | None:
        """The finest there is; None before anything was planned."""
        return self.fine or self.coarse

    def update(self, connection: sqlite3.Connection) -> None:
        """Read what is new. The maps of before stay as they are."""
        meta = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}
        if meta.get("run") != self._run:
            self.coarse = self.fine = None
            self._run, self._last_tile, self._last_part = meta.get("run", ""), 0, 0
        self.finished = bool(meta.get("finished"))
        if (cells := Cells.of(meta.get("cells"))) is not None:
            self._read_tiles(connection, cells)
        if (fine := Cells.of(meta.get("fine"))) is not None:
            self._read_parts(connection, fine)

    def _read_tiles(self, connection: sqlite3.Connection, cells: Cells) -> None:
        query = "SELECT id, number, probability FROM tiles WHERE id > ? ORDER BY id"
        rows = connection.execute(query, (self._last_tile,)).fetchall()
        if self.coarse is not None and not rows:
            return
        values = np.full(cells.shape, np.nan, np.float32) if self.coarse is None else self.coarse.values.copy()
        if rows:
            self._last_tile = rows[-1][0]
            values.flat[[row[1] for row in rows]] = [np.nan if row[2] is None else row[2] for row in rows]
        self.coarse = ScoreMap(values, cells.place, smooth=False)
        self.fine, self._last_part = None, 0  # what lies behind it is another now

    def _read_parts(self, connection: sqlite3.Connection, fine: Cells) -> None:
        query = "SELECT id, top, left, rows, columns, data FROM parts WHERE id > ? ORDER BY id"
        values: FloatMap | None = None
        for number, top, left, rows, columns, data in connection.execute(query, (self._last_part,)):
            if values is None:
                values = self._behind(fine) if self.fine is None else self.fine.values.copy()
            part = np.frombuffer(zlib.decompress(data), "<f4").reshape(rows, columns)
            there = values[top : top + rows, left : left + columns]
            np.copyto(there, part, where=~np.isnan(part))
            self._last_part = number
        if values is not None:
            self.fine = ScoreMap(values, fine.place, smooth=False)

    def _behind(self, fine: Cells) -> FloatMap:
        if self.coarse is None:
            return np.full(fine.shape, np.nan, np.float32)
        return resampled(self.coarse, fine.place, fine.shape)
