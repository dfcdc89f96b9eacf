"""Damaged parts of a slide: the rest of it is still read, and what is damaged is plainly seen to be."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pathview.errors import ImageError
from pathview.geometry import Region
from pathview.images.source import ImageSource, level_shape

Rgb8 = npt.NDArray[np.uint8]
DAMAGED_GRAY = 190
_LINE_GRAY = 90
_SPLIT_FROM = 512
"""Level pixels of its longer side from which a damaged region is looked at in quarters."""


class DamagedPart(ImageError):
    """A part of a slide that cannot be decoded; other parts may well be."""


def damaged_notice(name: str) -> str:
    """What is said once of a slide with damaged parts."""
    return f"Parts of {name} are damaged; they are shown grey, crossed by a line, and cannot be analysed."


def crossed(rows: int, columns: int) -> Rgb8:
    """What is shown in place of damaged pixels: grey with a diagonal, uint8 [rows, columns, 3]."""
    pixels = np.full((rows, columns, 3), DAMAGED_GRAY, np.uint8)
    width = max(1, min(rows, columns) // 64)
    return np.asarray(cv2.line(pixels, (0, 0), (columns - 1, rows - 1), (_LINE_GRAY,) * 3, width))


def read_sparing(source: ImageSource, region: Region, level: int, split: bool = True) -> tuple[Rgb8, bool]:
    """A region at a level as RGB, with what is damaged crossed out.

    Args:
        source: a colour image.
        region: whole level-0 pixels, inside the image.
        level: index into the levels of the image.
        split: look at the quarters of a damaged region, and at theirs, so that little beside what is damaged is lost.

    Returns:
        uint8 [rows, columns, 3] as :meth:`ImageSource.read_region` shapes it, and whether something is damaged.

    Raises:
        ImageError: the file can no longer be read at all, or the region is too large.
    """
    try:
        return np.asarray(source.read_region(region, level), np.uint8), False
    except DamagedPart:
        rows, columns = level_shape(region, source.info.levels[level].downsample)
        pixels = crossed(rows, columns)
        if split and max(rows, columns) >= _SPLIT_FROM and min(rows, columns, region.width, region.height) >= 2:
            _lay_quarters(source, region, level, pixels)
        return pixels, True


def _lay_quarters(source: ImageSource, region: Region, level: int, pixels: Rgb8) -> None:
    """Put the quarters of a region that can be read where they belong."""
    rows, columns = pixels.shape[:2]
    middle_x, middle_y = region.width // 2, region.height // 2
    for y, height in ((0, middle_y), (middle_y, region.height - middle_y)):
        for x, width in ((0, middle_x), (middle_x, region.width - middle_x)):
            left, right = (round(v * columns / region.width) for v in (x, x + width))
            top, bottom = (round(v * rows / region.height) for v in (y, y + height))
            part, _ = read_sparing(source, Region(region.x + x, region.y + y, width, height), level)
            if part.shape[:2] != (bottom - top, right - left):
                part = np.asarray(cv2.resize(part, (right - left, bottom - top)))
            pixels[top:bottom, left:right] = part
