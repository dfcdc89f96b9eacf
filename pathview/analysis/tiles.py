"""Tiles: cutting a working image into what a network takes, and putting its answers together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TileGrid:
    """Where tiles of one size start so that they cover an image; padded where the image is smaller."""

    rows: tuple[int, ...]
    """First row of each row of tiles, in the padded image."""
    columns: tuple[int, ...]
    tile: tuple[int, int]
    """(rows, columns) of a tile."""
    padding: tuple[int, int]
    """Rows above and columns left of the image in the padded one."""
    padded: tuple[int, int]
    """(rows, columns) of the padded image."""

    @property
    def origins(self) -> list[tuple[int, int]]:
        """(row, column) of each tile, row by row."""
        return [(row, column) for row in self.rows for column in self.columns]


def overlapping_grid(shape: tuple[int, int], tile: tuple[int, int], overlap: float) -> TileGrid:
    """Tiles that cover ``shape`` and overlap by at least a share ``overlap`` of their side.

    An image smaller than a tile is centred in one; otherwise the last tile ends at the image's edge.
    """
    padded = (max(shape[0], tile[0]), max(shape[1], tile[1]))
    padding = ((padded[0] - shape[0]) // 2, (padded[1] - shape[1]) // 2)
    starts = [_starts(length, side, overlap) for length, side in zip(padded, tile, strict=True)]
    return TileGrid(starts[0], starts[1], tile, padding, padded)


def _starts(length: int, side: int, overlap: float) -> tuple[int, ...]:
    step = max(1, int(side * (1 - overlap)))
    count = 1 + -(-(length - side) // step)
    return tuple(round(i * (length - side) / max(1, count - 1)) for i in range(count))


def pad(pixels: npt.NDArray[np.uint8], grid: TileGrid, value: int = 0) -> npt.NDArray[np.uint8]:
    """The image [rows, columns, channels] in the middle of the padded one."""
    above, left = grid.padding
    below = grid.padded[0] - pixels.shape[0] - above
    right = grid.padded[1] - pixels.shape[1] - left
    return np.pad(pixels, ((above, below), (left, right), (0, 0)), constant_values=value)


def hann_weight(tile: tuple[int, int]) -> Float:
    """Blending weight [rows, columns] of a tile: a Hann window, never quite 0 so that corners count."""

    def axis(side: int) -> npt.NDArray[np.float64]:
        return np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2

    return np.maximum(np.outer(axis(tile[0]), axis(tile[1])), 1e-3).astype(np.float32)


class Blender:
    """Weighted mean of overlapping tiles of one or more maps."""

    def __init__(self, grid: TileGrid, image: tuple[int, int], maps: int) -> None:
        """For tiles of ``grid`` over an image of (rows, columns)."""
        self._grid = grid
        self._image = image
        self._sum = np.zeros((*grid.padded, maps), np.float32)
        self._weight = np.zeros((*grid.padded, 1), np.float32)
        self._window = hann_weight(grid.tile)[..., None]

    def add(self, origin: tuple[int, int], values: Float) -> None:
        """Add one tile's values [rows, columns, maps]."""
        part = np.s_[origin[0] : origin[0] + self._grid.tile[0], origin[1] : origin[1] + self._grid.tile[1]]
        self._sum[part] += values * self._window
        self._weight[part] += self._window

    def result(self) -> Float:
        """The blended maps [rows, columns, maps] at the image's own size, padding cut off."""
        above, left = self._grid.padding
        blended = self._sum / np.maximum(self._weight, 1e-12)
        return np.ascontiguousarray(blended[above : above + self._image[0], left : left + self._image[1]])
