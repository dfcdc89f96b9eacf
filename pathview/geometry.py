"""Places and sizes. Level 0 is the image as stored; the unit is in the type or the name.

Pixel coordinates are (x, y) with the origin at the outer corner of the top left pixel, x to the
right and y down, so that the centre of that pixel is (0.5, 0.5). Arrays are indexed [row, column].
"""

from __future__ import annotations

import math
from dataclasses import dataclass


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
