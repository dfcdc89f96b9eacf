"""What the screen shows of a picture, and bringing pixels to it. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from pathview.images.pyramid import Patch

_NEAREST_FROM = 6.0
"""Screen pixels an image pixel from which pixels are shown as squares."""
_BESIDE = 128
"""Screen pixels beside the screen among which one is sought that begins with a cell."""
_MEETING = 1 / 32
"""Screen pixels by which the two may miss each other: OpenCV's affine maps have long had such steps."""
_MOST_CELLS = 4.0
"""Cells a screen pixel up to which resizing is worth it; a screen that shows more is hardly filled."""


@dataclass(frozen=True)
class View:
    """Which part of level 0 the screen shows: its left upper corner, and screen pixels a level-0 pixel."""

    x: float
    y: float
    scale: float
    width: int
    height: int
    """Of the screen, in device pixels."""


def matrix(view: View, cell_width: float, cell_height: float) -> npt.NDArray[np.float64]:
    """From screen pixels (centres) to cells (centres) of a grid that starts at level-0 (0, 0)."""
    sx, sy = 1 / (view.scale * cell_width), 1 / (view.scale * cell_height)
    return np.array(
        [
            [sx, 0, view.x / cell_width + sx / 2 - 0.5],
            [0, sy, view.y / cell_height + sy / 2 - 0.5],
        ]
    )


def warp(patch: Patch, view: View) -> npt.NDArray[np.generic]:
    """A patch at the screen's pixels; its outermost pixels go on where the screen shows more."""
    rows, columns = patch.pixels.shape[:2]
    cell_width, cell_height = patch.region.width / columns, patch.region.height / rows
    moved = replace(view, x=view.x - patch.region.x, y=view.y - patch.region.y)
    pixels, moved = _visible_part(patch.pixels, moved, cell_width, cell_height)
    if view.scale * cell_width < _NEAREST_FROM:
        return linear(pixels, moved, cell_width, cell_height)
    return _mapped(pixels, moved, cell_width, cell_height, cv2.INTER_NEAREST)


def linear(
    cells: npt.NDArray[np.generic], view: View, cell_width: float, cell_height: float
) -> npt.NDArray[np.generic]:
    """Cells of a grid that starts at level-0 (0, 0), interpolated at the screen's pixels; the outermost go on.

    Resizing is some ten times as fast as a map, but begins with a whole cell and a whole pixel: so it begins a little
    beside the screen, where a cell's and a pixel's edge meet. Where they meet nowhere, a map is used.
    """
    across = _meeting(view.x / cell_width, 1 / (view.scale * cell_width))
    down = _meeting(view.y / cell_height, 1 / (view.scale * cell_height))
    if across is None or down is None:
        return _mapped(cells, view, cell_width, cell_height, cv2.INTER_LINEAR)
    (left, more_x), (top, more_y) = across, down
    fx, fy = view.scale * cell_width, view.scale * cell_height
    right, bottom = left + int((more_x + view.width) / fx) + 2, top + int((more_y + view.height) / fy) + 2
    part = _framed(cells, left, top, right, bottom)
    resized = cv2.resize(part, None, fx=fx, fy=fy, interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized[more_y : more_y + view.height, more_x : more_x + view.width])


def _meeting(origin: float, step: float) -> tuple[int, int] | None:
    """A cell whose edge is that of a screen pixel, and how many pixels before the screen's edge that is.

    ``origin``: the screen's edge in cells; ``step``: cells a screen pixel.
    """
    if step > _MOST_CELLS:
        return None
    pixels = np.arange(np.ceil(0.5 / step), _BESIDE)  # half a cell at least: what is beside a cell takes part in it
    edges = origin - pixels * step
    meeting = np.flatnonzero(np.abs(edges - np.rint(edges)) <= _MEETING * step)
    return (round(float(edges[meeting[0]])), int(pixels[meeting[0]])) if meeting.size else None


def _framed(cells: npt.NDArray[np.generic], left: int, top: int, right: int, bottom: int) -> npt.NDArray[np.generic]:
    """A part of a grid that may reach beyond it: there its outermost cells go on."""
    (y, above, below), (x, before, after) = (
        _inside(first, end, count) for first, end, count in zip((top, left), (bottom, right), cells.shape, strict=False)
    )
    if not (above or below or before or after):
        return cells[y, x]
    return np.asarray(cv2.copyMakeBorder(cells[y, x], above, below, before, after, cv2.BORDER_REPLICATE))


def _inside(first: int, end: int, count: int) -> tuple[slice, int, int]:
    """Which of ``count`` cells, at least one, lie from ``first`` to ``end``, and how many are missing on each side."""
    begin = min(max(first, 0), count - 1)
    stop = max(begin + 1, min(end, count))
    before = min(max(0, -first), end - first - 1)
    return slice(begin, stop), before, end - first - before - (stop - begin)


def squares(
    cells: npt.NDArray[np.generic], view: View, cell_width: float, cell_height: float
) -> npt.NDArray[np.generic]:
    """Cells of a grid that starts at level-0 (0, 0), each as a square on the screen; -1 beyond them."""
    return _mapped(cells, view, cell_width, cell_height, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)


def _mapped(
    cells: npt.NDArray[np.generic],
    view: View,
    cell_width: float,
    cell_height: float,
    how: int,
    border: int = cv2.BORDER_REPLICATE,
) -> npt.NDArray[np.generic]:
    """Cells at the screen's pixels, wherever they lie."""
    onto, screen = matrix(view, cell_width, cell_height), (view.width, view.height)
    flags = how | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(cells, onto, screen, flags=flags, borderMode=border, borderValue=-1))


def _visible_part(
    pixels: npt.NDArray[np.generic], view: View, cell_width: float, cell_height: float
) -> tuple[npt.NDArray[np.generic], View]:
    """Cut to what is visible: OpenCV's maps cannot address images of more than 32,767 pixels a side."""
    rows, columns = pixels.shape[:2]
    left = max(0, int(view.x / cell_width) - 2)
    top = max(0, int(view.y / cell_height) - 2)
    right = min(columns, int((view.x + view.width / view.scale) / cell_width) + 3)
    bottom = min(rows, int((view.y + view.height / view.scale) / cell_height) + 3)
    if right <= left or bottom <= top:
        left, top, right, bottom = 0, 0, min(1, columns), min(1, rows)
    return pixels[top:bottom, left:right], replace(view, x=view.x - left * cell_width, y=view.y - top * cell_height)
