"""Places and sizes. Level 0 is the image as stored; the unit is in the type or the name.

Pixel coordinates are (x, y) with the origin at the outer corner of the top left pixel, x to the
right and y down, so that the centre of that pixel is (0.5, 0.5). Arrays are indexed [row, column].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns), as numpy has it."""
        return (self.height, self.width)

    @property
    def pixels(self) -> int:
        """How many pixels that is."""
        return self.width * self.height

    def scaled(self, factor: float) -> Size:
        """Both sides times ``factor``, rounded, at least 1."""
        return Size(max(1, round(self.width * factor)), max(1, round(self.height * factor)))


@dataclass(frozen=True)
class Region:
    """A rectangle of whole level-0 pixels."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def whole(cls, size: Size) -> Region:
        """All of an image."""
        return cls(0, 0, size.width, size.height)

    @property
    def size(self) -> Size:
        """Width and height."""
        return Size(self.width, self.height)

    @property
    def right(self) -> int:
        """First column beyond the region."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row beyond the region."""
        return self.y + self.height

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        return self.x <= x < self.right and self.y <= y < self.bottom

    def square_around(self, margin: float, size: Size) -> Region:
        """A square about the same middle, ``margin`` of the longer side wider at each side, moved into an image.

        Where the image is narrower than the square, it is cut to the image.
        """
        side = max(1, round(max(self.width, self.height) * (1 + 2 * margin)))
        width, height = min(side, size.width), min(side, size.height)
        x = min(max(0, self.x + (self.width - width) // 2), size.width - width)
        y = min(max(0, self.y + (self.height - height) // 2), size.height - height)
        return Region(x, y, width, height)

    def clipped(self, size: Size) -> Region:
        """The part inside an image of ``size``; may be empty (width or height 0)."""
        left, top = max(0, self.x), max(0, self.y)
        right, bottom = min(size.width, self.right), min(size.height, self.bottom)
        return Region(left, top, max(0, right - left), max(0, bottom - top))


@dataclass(frozen=True)
class SpacingMm:
    """Distance between the centres of neighbouring pixels: between rows, and between columns."""

    row: float
    column: float

    @classmethod
    def from_mpp(cls, mpp_um: float) -> SpacingMm:
        """Square pixels of ``mpp_um`` micrometres."""
        return cls(mpp_um / 1000.0, mpp_um / 1000.0)

    @property
    def pixel_area_mm2(self) -> float:
        """Area of one pixel."""
        return self.row * self.column

    @property
    def mpp_um(self) -> float:
        """Geometric mean of the two spacings in micrometres."""
        return 1000.0 * math.sqrt(self.row * self.column)


@dataclass(frozen=True)
class GridPlace:
    """Where a grid of cells (a map, a mask, a working image) lies on level 0.

    Cell (i, j) covers level-0 x from ``x + j * cell_width`` to ``x + (j + 1) * cell_width`` and y
    likewise; the cell sizes are level-0 pixels a cell, fractions allowed.
    """

    x: float
    y: float
    cell_width: float
    cell_height: float

    def to_level0(self, column: float, row: float) -> tuple[float, float]:
        """Level-0 (x, y) of a point in cell units."""
        return (self.x + column * self.cell_width, self.y + row * self.cell_height)

    def to_grid(self, x: float, y: float) -> tuple[float, float]:
        """(column, row) in cell units of a level-0 point."""
        return ((x - self.x) / self.cell_width, (y - self.y) / self.cell_height)

    @property
    def cell_area_px(self) -> float:
        """Level-0 pixels under one cell."""
        return self.cell_width * self.cell_height


@dataclass(frozen=True)
class Turn:
    """How a stored image is turned to be looked at: rows and columns swapped first, then mirrored.

    Only the display is turned: whatever is kept or measured stays in stored pixels. "Shown" coordinates are
    those of the turned image, with the same origin and unit as stored ones.
    """

    transpose: bool = False
    mirror_x: bool = False
    """Left for right, as shown."""
    mirror_y: bool = False

    def quarter(self) -> Turn:
        """What is shown, turned once more by a quarter, clockwise."""
        return Turn(not self.transpose, not self.mirror_y, self.mirror_x)

    def inverse(self) -> Turn:
        """From shown back to stored."""
        return Turn(True, self.mirror_y, self.mirror_x) if self.transpose else self

    def size(self, stored: Size) -> Size:
        """The shown size of a stored size."""
        return Size(stored.height, stored.width) if self.transpose else stored

    def array(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An array [rows, columns, ...] turned; contiguous."""
        turned = stored.swapaxes(0, 1) if self.transpose else stored
        turned = turned[:, ::-1] if self.mirror_x else turned
        return np.ascontiguousarray(turned[::-1] if self.mirror_y else turned)

    def to_shown(self, x: float, y: float, stored: Size) -> tuple[float, float]:
        """Shown (x, y) of a stored point of an image of this stored size."""
        shown = self.size(stored)
        x, y = (y, x) if self.transpose else (x, y)
        return (shown.width - x if self.mirror_x else x, shown.height - y if self.mirror_y else y)

    def to_stored(self, x: float, y: float, stored: Size) -> tuple[float, float]:
        """Stored (x, y) of a shown point of an image of this stored size."""
        shown = self.size(stored)
        x, y = (shown.width - x if self.mirror_x else x, shown.height - y if self.mirror_y else y)
        return (y, x) if self.transpose else (x, y)

    def region_to_shown(self, region: Region, stored: Size) -> Region:
        """Where a stored region lies as shown."""
        return _between(self.to_shown(region.x, region.y, stored), self.to_shown(region.right, region.bottom, stored))

    def region_to_stored(self, region: Region, stored: Size) -> Region:
        """Which stored region a shown one is."""
        return _between(self.to_stored(region.x, region.y, stored), self.to_stored(region.right, region.bottom, stored))

    def spacing(self, stored: SpacingMm) -> SpacingMm:
        """The spacing of the shown image."""
        return SpacingMm(stored.column, stored.row) if self.transpose else stored

    def place(self, place: GridPlace, shape: tuple[int, int], stored: Size) -> GridPlace:
        """Where a grid of ``shape`` (rows, columns) lies as shown, once its array was turned too."""
        rows, columns = shape
        first = self.to_shown(place.x, place.y, stored)
        last = self.to_shown(*place.to_level0(columns, rows), stored)
        x, y = min(first[0], last[0]), min(first[1], last[1])
        if self.transpose:
            return GridPlace(x, y, place.cell_height, place.cell_width)
        return replace(place, x=x, y=y)


AS_STORED = Turn()


def _between(one: tuple[float, float], other: tuple[float, float]) -> Region:
    left, top = min(one[0], other[0]), min(one[1], other[1])
    return Region(round(left), round(top), round(abs(one[0] - other[0])), round(abs(one[1] - other[1])))


def format_length(millimetres: float) -> str:
    """A length in the unit that reads best: cm, mm or µm."""
    if millimetres >= 10:
        return f"{millimetres / 10:g} cm"
    if millimetres >= 1:
        return f"{millimetres:g} mm"
    return f"{millimetres * 1000:g} µm"


def round_length(millimetres: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is not longer than ``millimetres``."""
    power = 10.0 ** math.floor(math.log10(millimetres))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= millimetres * (1 + 1e-9))
