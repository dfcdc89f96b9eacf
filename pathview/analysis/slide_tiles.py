"""A slide as cells of a network's own size: where they lie, which of them show tissue, and their pixels.

A cell is a whole number of pixels of the level that it is read from, so that cells fit together without a rest wherever
reading starts, and a run that was interrupted sees the same pixels again. Rounding changes the scale by half a pixel in
a cell, 1 % of a cell of 50 pixels at most where a level as fine as the recipe's scale is there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from pathview.analysis.prepare import check_fits, working_scale
from pathview.errors import ImageError
from pathview.geometry import GridPlace, Region, Size
from pathview.images.damage import DAMAGED_GRAY, DamagedPart
from pathview.images.patches import PatchMosaic
from pathview.images.quick_slide import quick_slide
from pathview.images.render import resized
from pathview.images.slide import SlideImage
from pathview.images.source import ImageInfo, ImageSource, level_for
from pathview.images.tiff_pyramid import TiffPyramid
from pathview.images.tissue import Tissue, slide_overview, tissue_mask
from pathview.jobs import CancelToken
from pathview.models.recipe import Recipe

Bools = npt.NDArray[np.bool_]
Pixels8 = npt.NDArray[np.uint8]

WHOLE_PIXELS = 64 * 2**20
"""An image of more pixels, as stored or at the recipe's scale, is not brought into memory as a whole."""
READ_PIXELS = 4 * 2**20
"""Level pixels that are read at once."""
TISSUE_SHARE = 0.05
"""Share of a tile that tissue covers at least; the rule for glass has the same limit."""
_MOST_THREADS = 8
_OVERVIEW_SIDE = 1024
_TISSUE_STEPS = 8
_TISSUE_SAMPLES = 16 * 2**20


@dataclass(frozen=True)
class CellGrid:
    """Cells of a network's own size side by side over a slide, from its upper left corner."""

    size: Size
    """Level 0."""
    level: int
    downsample: float
    """Level-0 pixels a pixel of that level."""
    level_size: Size
    cell: Size
    """What the network takes, in pixels at the recipe's scale: working pixels."""
    step: Size
    """Pixels of the level under a cell."""

    @cached_property
    def working(self) -> tuple[int, int]:
        """(rows, columns) of the whole slide in working pixels."""
        rows = max(1, round(self.level_size.height * self.cell.height / self.step.height))
        columns = max(1, round(self.level_size.width * self.cell.width / self.step.width))
        return rows, columns

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of cells; the last ones may reach beyond the slide."""
        rows, columns = self.working
        return math.ceil(rows / self.cell.height), math.ceil(columns / self.cell.width)

    @cached_property
    def place(self) -> GridPlace:
        """Where the cells lie on level 0."""
        return GridPlace(0, 0, self.step.width * self.downsample, self.step.height * self.downsample)

    @property
    def working_place(self) -> GridPlace:
        """Where the working pixels lie on level 0."""
        whole = self.place
        return GridPlace(0, 0, whole.cell_width / self.cell.width, whole.cell_height / self.cell.height)

    def region(self, top: int, left: int, height: int, width: int) -> Region:
        """The level-0 pixels under a rectangle of working pixels, cut to the slide."""
        place = self.working_place
        x, y = (round(value) for value in place.to_level0(left, top))
        right, bottom = (round(value) for value in place.to_level0(left + width, top + height))
        return Region(x, y, right - x, bottom - y).clipped(self.size)

    @cached_property
    def edges(self) -> tuple[list[int], list[int]]:
        """Level-0 row at which each row of cells starts and the last one ends; and the same of columns."""
        place, (rows, columns) = self.place, self.shape
        return (
            [min(self.size.height, round(row * place.cell_height)) for row in range(rows + 1)],
            [min(self.size.width, round(column * place.cell_width)) for column in range(columns + 1)],
        )

    def cell_region(self, number: int) -> Region:
        """The level-0 pixels of a cell, counted row by row."""
        (rows, columns), (row, column) = self.edges, divmod(number, self.shape[1])
        x, y = columns[column], rows[row]
        return Region(x, y, columns[column + 1] - x, rows[row + 1] - y)

    def cell_boxes(self, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """The x, y, width and height of :meth:`cell_region` of many cells: [n, 4]."""
        (y, x), (rows, columns) = map(np.array, self.edges), np.divmod(numbers, self.shape[1])
        return np.stack([x[columns], y[rows], x[columns + 1] - x[columns], y[rows + 1] - y[rows]], axis=1)

    def cell_at(self, x: float, y: float) -> int | None:
        """The number of the cell that a level-0 point lies in; None outside the slide."""
        if not Region.whole(self.size).holds(x, y):
            return None
        column, row = (int(value) for value in self.place.to_grid(x, y))
        return min(row, self.shape[0] - 1) * self.shape[1] + min(column, self.shape[1] - 1)


def cell_grid(info: ImageInfo, recipe: Recipe, frame: int = 0) -> CellGrid:
    """The cells of an image at a recipe's scale.

    Raises:
        NotAnalysable: the image does not fit the recipe, or states no pixel size and the recipe needs one.
    """
    check_fits(info, recipe, frame)
    spec = recipe.input
    across, down = working_scale(info, spec, Region.whole(info.size))
    level = level_for(info, max(1 / across, 1 / down))
    downsample = info.levels[level].downsample
    step = Size(
        max(1, round(spec.width / across / downsample)),
        max(1, round(spec.height / down / downsample)),
    )
    return CellGrid(info.size, level, downsample, info.levels[level].size, Size(spec.width, spec.height), step)


def reads_by_tiles(source: ImageSource, recipe: Recipe, frame: int = 0) -> bool:
    """Whether an image is analysed tile by tile: a slide, or one too large to be brought to the recipe's scale at once.

    Raises:
        NotAnalysable: see :func:`cell_grid`.
    """
    info, spec = source.info, recipe.input
    if isinstance(source, PatchMosaic) or not info.is_color or recipe.task == "cascade":
        return False
    if spec.fit != "none" or spec.crop != "none" or spec.channels != 3:
        return False
    grid = cell_grid(info, recipe, frame)
    rows, columns = grid.working
    if rows < spec.height or columns < spec.width:
        return False
    slide = info.modality == "SM" or len(info.levels) > 1
    return slide or max(info.size.pixels, rows * columns) > WHOLE_PIXELS


def tissue_to_analyse(source: ImageSource, cancel: CancelToken) -> Tissue:
    """Where a slide shows tissue, and where its overview is damaged: nobody knows what is there until it is looked at.

    ``share`` is of the tissue alone.

    Raises:
        ImageError: the file can no longer be read.
        Cancelled: after the user cancelled.
    """
    pixels, size = slide_overview(source, _OVERVIEW_SIDE, cancel), source.info.size
    tissue = tissue_mask(pixels)
    grey = cv2.inRange(pixels, (DAMAGED_GRAY,) * 3, (DAMAGED_GRAY,) * 3)
    damaged = cv2.morphologyEx(grey, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    around = cv2.dilate(damaged, np.ones((9, 9), np.uint8)) > 0  # the line across it, and its edges
    place = GridPlace(0, 0, size.width / pixels.shape[1], size.height / pixels.shape[0])
    return Tissue(tissue | around, place, float(tissue.mean()))


class TissueShares:
    """How much of any rectangle of working pixels is tissue."""

    def __init__(self, grid: CellGrid, tissue: Tissue) -> None:
        """Sample the tissue several times a cell."""
        rows, columns = grid.shape
        steps = max(1, min(_TISSUE_STEPS, math.isqrt(_TISSUE_SAMPLES // (rows * columns))))
        place = GridPlace(0, 0, grid.place.cell_width / steps, grid.place.cell_height / steps)
        shares = tissue.shares(place, (rows * steps, columns * steps))
        self._sums = cv2.integral(shares, sdepth=cv2.CV_64F)
        self._across, self._down = steps / grid.cell.width, steps / grid.cell.height

    def of(self, top: npt.ArrayLike, left: npt.ArrayLike, height: int, width: int) -> npt.NDArray[np.float64]:
        """Share of rectangles, 0..1, as numpy broadcasts their upper left corners."""
        sums = self._sums
        first, last = (_nearest(np.asarray(top) + v, self._down, sums.shape[0]) for v in (0, height))
        begin, end = (_nearest(np.asarray(left) + v, self._across, sums.shape[1]) for v in (0, width))
        covered = sums[last, end] - sums[first, end] - sums[last, begin] + sums[first, begin]
        return np.asarray(covered / np.maximum((last - first) * (end - begin), 1))


def _nearest(at: npt.NDArray[np.int_], scale: float, count: int) -> npt.NDArray[np.intp]:
    """Working pixels as indices into sums."""
    return np.asarray(np.clip(np.rint(at * scale), 0, count - 1), np.intp)


@dataclass(frozen=True)
class Block:
    """Pixels of a rectangle of cells.

    ``pixels``: uint8 [rows * cell height, columns * cell width, 3], 0 where nothing was read; ``present``: bool
    [rows, columns] of the cells that could be read.
    """

    pixels: Pixels8
    present: Bools


class CellReader:
    """Reads cells of a slide."""

    def __init__(self, source: ImageSource, grid: CellGrid, frame: int = 0) -> None:
        """Read from an opened image, which nobody else may use meanwhile."""
        self._source, self.grid, self._frame = source, grid, frame
        self._opened = source
        self.threads = 1
        """How many may read at once."""
        self.adjust: Callable[[Pixels8], Pixels8] | None = None
        """What the recipe does to colours before anything else."""
        self._at_once = max(1, math.isqrt(READ_PIXELS // (grid.step.pixels)))

    @contextmanager
    def quickly(self) -> Iterator[None]:
        """Read as fast as the file allows, for who reads all of it."""
        quick = quick_slide(self._opened, level=self.grid.level)
        self._source = quick or self._opened
        if isinstance(self._source, (SlideImage, TiffPyramid)):
            self.threads = max(1, min(_MOST_THREADS, (os.cpu_count() or 2) // 2))
        try:
            yield
        finally:
            self._source, self.threads = self._opened, 1
            if quick is not None:
                quick.close()

    def read(self, row: int, column: int, wanted: Bools) -> Block:
        """Cells from (``row``, ``column``) on, as many as ``wanted`` has; only what it asks for is read.

        A rest at the slide's edge is filled by its mirror image. A cell that cannot be decoded is left out.

        Raises:
            ImageError: the file cannot be read any more.
        """
        cell = self.grid.cell
        pixels = np.empty((wanted.shape[0] * cell.height, wanted.shape[1] * cell.width, 3), np.uint8)
        block = Block(pixels, np.zeros(wanted.shape, np.bool_))
        for top in range(0, wanted.shape[0], self._at_once):
            for left in range(0, wanted.shape[1], self._at_once):
                some = wanted[top : top + self._at_once, left : left + self._at_once]
                rows, columns = np.flatnonzero(some.any(axis=1)), np.flatnonzero(some.any(axis=0))
                if rows.size:
                    part = Region(
                        left + int(columns[0]), top + int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
                    )
                    self._into(block, row, column, part)
        for y, x in np.argwhere(~block.present):
            pixels[y * cell.height : (y + 1) * cell.height, x * cell.width : (x + 1) * cell.width] = 0
        return block

    def _into(self, block: Block, row: int, column: int, part: Region) -> None:
        """Read a rectangle of a block's cells, halved until what is damaged stands alone."""
        cell = self.grid.cell
        try:
            pixels = self._pixels(row + part.y, column + part.x, part.height, part.width)
        except DamagedPart:
            if part.width * part.height == 1:
                self._require_file()
                return
            half = Size(part.width, part.height // 2) if part.height > 1 else Size(part.width // 2, part.height)
            self._into(block, row, column, Region(part.x, part.y, half.width, half.height))
            rest = (0, half.height) if part.height > 1 else (half.width, 0)
            x, y = part.x + rest[0], part.y + rest[1]
            self._into(block, row, column, Region(x, y, part.right - x, part.bottom - y))
            return
        there = np.s_[part.y * cell.height : part.bottom * cell.height, part.x * cell.width : part.right * cell.width]
        block.pixels[there] = pixels
        block.present[part.y : part.bottom, part.x : part.right] = True

    def _pixels(self, row: int, column: int, rows: int, columns: int) -> Pixels8:
        """A rectangle of cells in working pixels, filled up at the slide's edge."""
        grid = self.grid
        step, cell = grid.step, grid.cell
        x, y = column * step.width, row * step.height
        right = min(x + columns * step.width, grid.level_size.width)
        bottom = min(y + rows * step.height, grid.level_size.height)
        whole = Size(columns * cell.width, rows * cell.height)
        within = Size(
            min(whole.width, grid.working[1] - column * cell.width),
            min(whole.height, grid.working[0] - row * cell.height),
        )
        pixels = resized(self._level_pixels(x, y, right, bottom), within)
        pixels = pixels if self.adjust is None else self.adjust(pixels)
        below, beside = whole.height - within.height, whole.width - within.width
        return np.pad(pixels, ((0, below), (0, beside), (0, 0)), mode="symmetric") if below or beside else pixels

    def _level_pixels(self, x: int, y: int, right: int, bottom: int) -> Pixels8:
        """Pixels of the level, uint8 [bottom - y, right - x, 3], in strips where they are many."""
        high = max(1, READ_PIXELS // (right - x))
        strips = [self._strip(x, top, right, min(bottom, top + high)) for top in range(y, bottom, high)]
        return strips[0] if len(strips) == 1 else np.concatenate(strips)

    def _strip(self, x: int, y: int, right: int, bottom: int) -> Pixels8:
        scale = self.grid.downsample
        left, top = round(x * scale), round(y * scale)
        region = Region(left, top, round(right * scale) - left, round(bottom * scale) - top).clipped(self.grid.size)
        pixels = self._source.read_region(region, self.grid.level, self._frame).astype(np.uint8, copy=False)
        return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)

    def _require_file(self) -> None:
        """Tell a damaged place from a file that has gone: what cannot be read any more is not marked as damaged."""
        path = self._source.info.path
        try:
            with path.open("rb") as file:
                file.read(1)
        except OSError as error:
            raise ImageError(
                f"{path.name} cannot be read any more; what was analysed is kept, and goes on from there."
            ) from error
