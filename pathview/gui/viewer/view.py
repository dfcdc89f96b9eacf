"""What the screen shows of a picture, and bringing pixels to it. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from pathview.images.pyramid import Patch

_NEAREST_FROM = 6.0
"""Screen pixels an image pixel from which pixels are shown as squares."""


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
    flags = cv2.INTER_NEAREST if view.scale * cell_width >= _NEAREST_FROM else cv2.INTER_LINEAR
    warped = cv2.warpAffine(
        pixels,
        matrix(moved, cell_width, cell_height),
        (view.width, view.height),
        flags=flags | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(warped)


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
