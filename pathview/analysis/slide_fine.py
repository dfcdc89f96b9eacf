"""Maps of a slide that are finer than its tiles: fields that overlap, and outlines blended from overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pathview.analysis.predict import GLASS_SHARE, TILE_BATCH, as_input, checked_score
from pathview.analysis.prepare import equalised
from pathview.analysis.slide_run import BLOCK_PX, Watch, ahead, bright
from pathview.analysis.slide_tiles import TISSUE_SHARE, Bools, CellReader, Pixels8, TissueShares
from pathview.analysis.tiles import TileGrid, hann_weight, overlapping_grid
from pathview.analysis.windows import (
    Canvas,
    FineCells,
    check_count,
    check_stride,
    covered_share,
    fine_cells,
    window_values,
)
from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace
from pathview.jobs import CancelToken, ProgressSink, checkpoint, no_progress
from pathview.models.backend import Network
from pathview.models.recipe import InputSpec
from pathview.results.growing_map import Cells
from pathview.results.map_levels import reduced
from pathview.results.result import FloatMap
from pathview.results.tile_table import MapPart, Tile, TileTable

MAP_CELLS = 16 * 2**20
"""Largest fine map of a slide: 64 MiB. An outline's map is brought down to it, a stride that needs more is refused."""


def touched(reader: CellReader, top: int, left: int, height: int, width: int) -> tuple[int, int, Bools]:
    """The cells under a rectangle of working pixels: the first one's row and column, and all of them as wanted."""
    cell = reader.grid.cell
    row, column = top // cell.height, left // cell.width
    shape = (-(-(top + height) // cell.height) - row, -(-(left + width) // cell.width) - column)
    return row, column, np.ones(shape, np.bool_)


def read_pixels(reader: CellReader, top: int, left: int, height: int, width: int) -> tuple[Pixels8, Bools]:
    """A rectangle of working pixels: uint8 [height, width, 3], and bool [height, width] of what cannot be read.

    Raises:
        ImageError: the file cannot be read any more.
    """
    cell = reader.grid.cell
    row, column, wanted = touched(reader, top, left, height, width)
    block = reader.read(row, column, wanted)
    y, x = top - row * cell.height, left - column * cell.width
    missing = np.repeat(np.repeat(~block.present, cell.height, axis=0), cell.width, axis=1)
    return block.pixels[y : y + height, x : x + width], missing[y : y + height, x : x + width]


@dataclass(frozen=True)
class Square:
    """Fields that are done together: the first one's row and column, and how many down and across."""

    number: int
    row: int
    column: int
    rows: int
    columns: int
    tissue: Bools
    """[rows, columns]: which of them show tissue."""


class Fields:
    """The fields of a patch classifier every ``stride`` working pixels over a slide, in squares."""

    def __init__(self, network: Network, reader: CellReader, tissue: TissueShares, stride: int) -> None:
        """Lay the fields out.

        Raises:
            NotAnalysable: the stride leaves gaps, or asks for too many fields.
        """
        self._network, self.reader, self._tissue = network, reader, tissue
        self.stride, self.field = stride, (network.recipe.input.height, network.recipe.input.width)
        check_stride(network.recipe, stride)
        grid = reader.grid
        self._cells: FineCells = fine_cells(grid.working_place, grid.working, stride, self.field)
        rows, columns = self._cells.shape
        if rows * columns > MAP_CELLS:
            raise NotAnalysable(
                f"a stride of {stride} asks for a map of {columns:,} x {rows:,} cells; take a larger one, or none"
            )
        self._down, self._across = ((n - side) // stride + 1 for n, side in zip(grid.working, self.field, strict=True))
        check_count(network, stride, sum(int(square.tissue.sum()) for square in self.squares))

    @property
    def cells(self) -> Cells:
        """The map's cells."""
        return Cells(self._cells.shape, self._cells.place)

    @cached_property
    def squares(self) -> tuple[Square, ...]:
        """All squares with tissue."""
        return tuple(self._laid_out())

    def _laid_out(self) -> Iterator[Square]:
        side = max(1, BLOCK_PX // self.stride)
        number = 0
        for row in range(0, self._down, side):
            for column in range(0, self._across, side):
                rows, columns = min(side, self._down - row), min(side, self._across - column)
                top = (row + np.arange(rows))[:, None] * self.stride
                left = (column + np.arange(columns))[None] * self.stride
                tissue = self._tissue.of(top, left, *self.field) >= TISSUE_SHARE
                if tissue.any():
                    yield Square(number, row, column, rows, columns, tissue)
                number += 1

    def read(self, square: Square) -> Canvas:
        """The pixels of a square, and which of its fields can be scored.

        Raises:
            ImageError: the file cannot be read any more.
        """
        stride, (high, wide) = self.stride, self.field
        top, left = square.row * stride, square.column * stride
        height, width = (square.rows - 1) * stride + high, (square.columns - 1) * stride + wide
        pixels, missing = read_pixels(self.reader, top, left, height, width)
        glass = bright(pixels) & ~missing
        scored = (covered_share(missing, self.field, stride) == 0) & square.tissue
        scored &= covered_share(glass, self.field, stride) < GLASS_SHARE
        return Canvas(pixels, GridPlace(0, 0, 1, 1), scored, stride)

    def run(self, table: TileTable, progress: ProgressSink, cancel: CancelToken) -> None:
        """Score the squares that are not done yet, keeping each.

        Raises:
            Cancelled, NotAnalysable, ImageError: see :func:`pathview.analysis.slide_run.run_patches`.
        """
        done = table.parts()
        todo = [square for square in self.squares if square.number not in done]
        counts = {square.number: int(square.tissue.sum()) for square in self.squares}
        watch = Watch(sum(counts.values()), sum(counts[n] for n in counts if n in done), progress, "fields")
        with closing(ahead(self.read, todo, self.reader.threads)) as found:
            for square, canvas in found:
                checkpoint(cancel)
                table.add((), self._scored(square, canvas, cancel))
                watch.step(counts[square.number])

    def _scored(self, square: Square, canvas: Canvas, cancel: CancelToken) -> MapPart:
        """The part of the map that a square's fields make."""
        values = np.full(canvas.scored.shape, np.nan, np.float32)
        if canvas.scored.any():
            scores = window_values(self._network, canvas, no_progress, cancel)
            values[canvas.scored] = scores[canvas.scored]
        return MapPart(square.number, self._cells.top + square.row, self._cells.left + square.column, values)


@dataclass(frozen=True)
class Run:
    """Overlapping tiles beside each other that are computed together: their row of tiles, and their columns."""

    row: int
    columns: tuple[int, ...]


class Outline:
    """A segmentation network's overlapping tiles over a slide, blended as over any image, row of tiles by row."""

    def __init__(self, network: Network, reader: CellReader, tissue: TissueShares) -> None:
        self._network, self._reader, self._tissue = network, reader, tissue
        spec: InputSpec = network.recipe.input
        self._equalise = spec.equalise
        self.tiles: TileGrid = overlapping_grid(reader.grid.working, (spec.height, spec.width), spec.overlap)
        rows, columns = reader.grid.working
        self.factor = 1
        while -(-rows // self.factor) * -(-columns // self.factor) > MAP_CELLS:
            self.factor *= 2

    @property
    def cells(self) -> Cells:
        """The map's cells: working pixels, or squares of them."""
        rows, columns = self._reader.grid.working
        place = self._reader.grid.working_place
        wide, high = place.cell_width * self.factor, place.cell_height * self.factor
        return Cells((-(-rows // self.factor), -(-columns // self.factor)), GridPlace(0, 0, wide, high))

    @cached_property
    def wanted(self) -> Bools:
        """Which tiles show tissue, bool [rows of tiles, columns of tiles]."""
        rows, columns = np.array(self.tiles.rows)[:, None], np.array(self.tiles.columns)[None]
        return np.asarray(self._tissue.of(rows, columns, *self.tiles.tile) >= TISSUE_SHARE)

    def runs(self, row: int) -> list[Run]:
        """The tiles with tissue of a row of tiles, those that are computed together as one."""
        runs: list[list[int]] = []
        for column in np.flatnonzero(self.wanted[row]).tolist():
            if runs and runs[-1][-1] == column - 1 and len(runs[-1]) < TILE_BATCH:
                runs[-1].append(column)
            else:
                runs.append([column])
        return [Run(row, tuple(columns)) for columns in runs]

    def read(self, run: Run) -> tuple[Pixels8, Bools]:
        """The tiles of a run: uint8 [n, rows, columns, 3], and which of them can be read whole.

        Raises:
            ImageError: the file cannot be read any more.
        """
        (high, wide), top = self.tiles.tile, self.tiles.rows[run.row]
        lefts = [self.tiles.columns[column] for column in run.columns]
        pixels, missing = read_pixels(self._reader, top, lefts[0], high, lefts[-1] + wide - lefts[0])
        cut = [np.s_[:, left - lefts[0] : left - lefts[0] + wide] for left in lefts]
        tiles = [equalised(pixels[one]) if self._equalise else pixels[one] for one in cut]
        return np.stack(tiles), np.array([not missing[one].any() for one in cut])

    def run(self, table: TileTable, progress: ProgressSink, cancel: CancelToken) -> None:
        """Outline the rows of tiles that are not done yet, keeping each.

        Raises:
            Cancelled, NotAnalysable, ImageError: see :func:`pathview.analysis.slide_run.run_patches`.
        """
        first = self._first(table)
        watch = Watch(int(self.wanted.sum()), int(self.wanted[:first].sum()), progress)
        band = _Band(self, first)
        again = [row for row in range(first) if self.tiles.rows[row] + self.tiles.tile[0] > band.top]
        found: list[Tile] = []
        rows = (*again, *range(first, len(self.tiles.rows)))
        units = [run for row in rows for run in self.runs(row) or [Run(row, ())]]
        with closing(ahead(self._read_any, units, self._reader.threads)) as read:
            for index, (run, tiles) in enumerate(read):
                checkpoint(cancel)
                scored = self._scored(run, *tiles, band)
                if run.row < first:
                    continue
                found += scored
                watch.step(len(scored))
                if index + 1 == len(units) or units[index + 1].row != run.row:
                    table.add(found, band.finished(run.row))
                    found = []

    def _first(self, table: TileTable) -> int:
        """The first row of tiles that is not done."""
        parts = table.parts()
        return next((row for row in range(len(self.tiles.rows)) if row not in parts), len(self.tiles.rows))

    def _read_any(self, run: Run) -> tuple[Pixels8, Bools]:
        if run.columns:
            return self.read(run)
        return np.zeros((0, *self.tiles.tile, 3), np.uint8), np.zeros(0, np.bool_)

    def _scored(self, run: Run, pixels: Pixels8, readable: Bools, band: _Band) -> list[Tile]:
        """Run the tiles of a run, lay them into the band, and tell of each."""
        rows, number = [], run.row * len(self.tiles.columns)
        shown: Iterator[FloatMap] = iter(
            checked_score(self._network, as_input(pixels[readable])) if readable.any() else ()
        )
        for column, whole in zip(run.columns, readable.tolist(), strict=True):
            top, left = self.tiles.rows[run.row], self.tiles.columns[column]
            region = self._reader.grid.region(top, left, *self.tiles.tile)
            if not whole:
                rows.append(Tile(number + column, region, None, "unreadable"))
                continue
            values = next(shown)
            band.add(top, left, values)
            rows.append(Tile(number + column, region, float(values.max()), "analysed"))
        return rows


class _Band:
    """The rows of working pixels that tiles are being added to."""

    def __init__(self, outline: Outline, first: int) -> None:
        """Begin where the rows of tiles before ``first`` left off."""
        self._outline = outline
        self._columns = outline.cells.shape[1] * outline.factor
        self._window = hann_weight(outline.tiles.tile)
        self.top = self._end(first - 1) * outline.factor if first else 0
        high = 2 * outline.tiles.tile[0] + outline.factor
        self._sum = np.zeros((high, self._columns), np.float32)
        self._weight = np.zeros((high, self._columns), np.float32)

    def add(self, top: int, left: int, values: FloatMap) -> None:
        """Add a tile's values [rows, columns]; what lies above the band is finished already."""
        above = max(0, self.top - top)
        rows, columns = values.shape
        there = np.s_[top + above - self.top : top + rows - self.top, left : left + columns]
        self._sum[there] += (values * self._window)[above:]
        self._weight[there] += self._window[above:]

    def finished(self, row: int) -> MapPart:
        """The part of the map that no tile below a row of tiles reaches; the band moves on."""
        factor, first, end = self._outline.factor, self.top // self._outline.factor, self._end(row)
        high = (end - first) * factor
        weight = self._weight[:high]
        values = np.where(weight > 0, self._sum[:high] / np.maximum(weight, 1e-12), np.nan).astype(np.float32)
        part = MapPart(row, first, 0, reduced(values, factor))
        for array in (self._sum, self._weight):
            array[: len(array) - high] = array[high:].copy()
            array[len(array) - high :] = 0
        self.top = end * factor
        return part

    def _end(self, row: int) -> int:
        """The first row of the map's cells that a tile below a row of tiles reaches."""
        rows = self._outline.tiles.rows
        if row + 1 == len(rows):
            return self._outline.cells.shape[0]
        return rows[row + 1] // self._outline.factor
