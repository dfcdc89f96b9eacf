"""Where tiles lie: a virtual pyramid whose levels halve, level k with 2**k level-0 pixels a pixel."""

from __future__ import annotations

from pathview.geometry import Region, Size

TILE_PX = 512
"""Side of a tile on its level."""


def top_level(size: Size) -> int:
    """The first level, counted from 0, on which all of an image is one tile."""
    return max(0, -(-max(size.width, size.height) // TILE_PX) - 1).bit_length()


def tile_region(level: int, column: int, row: int, size: Size) -> Region:
    """Which level-0 pixels of an image a tile covers; empty (width or height 0) beyond the image."""
    side = TILE_PX << level
    return Region(column * side, row * side, side, side).clipped(size)
