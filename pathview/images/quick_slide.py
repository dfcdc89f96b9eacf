"""A slide's tiles decoded one by one where its file is a plain TIFF: OpenSlide's own pixels, four times as fast.

OpenSlide lays decoded tiles onto a canvas with transparency, and hands that over as red, green, blue and alpha. Who
reads a whole slide, as an analysis does, pays for that in every pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pathview.errors import ImageError
from pathview.geometry import Region
from pathview.images.raster import RASTER_FAILURES
from pathview.images.slide import SlideImage
from pathview.images.source import ImageSource
from pathview.images.tiff_pyramid import TiffPyramid, _level_of, _TiffLevel
from pathview.settings import Settings

_PLAIN = ("aperio", "generic-tiff")
"""OpenSlide's names of formats whose levels are whole pages of tiles, one beside the other."""
_CHECKED_PX = 256
_MOST_APART = 2.0
"""Mean difference of greys up to which pixels are the same: where a level's downsample is no whole number, OpenSlide
moves its pixels by a fraction."""


def quick_slide(source: ImageSource, settings: Settings | None = None, level: int | None = None) -> ImageSource | None:
    """Another reader of an opened slide's pixels, or None where there is none that gives the same.

    What it returns has to be closed; it may be used in several threads, and beside the slide itself. Where ``level`` is
    given, no other one may be read: only that was seen to be the same.
    """
    if not isinstance(source, SlideImage) or source.vendor not in _PLAIN:
        return None
    import tifffile

    try:
        tiff = tifffile.TiffFile(source.info.path)
        levels = _levels(tiff, source)
        if levels is None:
            tiff.close()
            return None
        limit = (settings or Settings()).slide_region_pixels
        quick = TiffPyramid(tiff, levels, source.info, source.icc, limit)
    except RASTER_FAILURES:
        return None
    if not all(_alike(quick, source, one) for one in (range(len(levels)) if level is None else [level])):
        quick.close()
        return None
    return quick


def _levels(tiff: Any, source: SlideImage) -> tuple[_TiffLevel, ...] | None:
    """The page of each of a slide's levels, found by its size."""
    pages: dict[tuple[int, int], Any] = {}
    for page in tiff.pages:
        if page.is_tiled:
            pages.setdefault((page.imagewidth, page.imagelength), page)
    found = []
    for level in source.info.levels:
        page = pages.get((level.size.width, level.size.height))
        plan = None if page is None else _level_of(_OnePage(page))
        if plan is None:
            return None
        found.append(plan)
    return tuple(found)


class _OnePage:
    """A page as the series of one page that it is; pages of one size may stand in one series of frames."""

    axes = "YXS"

    def __init__(self, page: Any) -> None:
        self.keyframe = page.keyframe
        self.pages = [page]


def _alike(quick: ImageSource, source: ImageSource, level: int) -> bool:
    """Whether both give the same pixels of the middle of a level; a damaged middle tells nothing, and is no."""
    info, side = source.info, round(_CHECKED_PX * source.info.levels[level].downsample)
    region = Region(max(0, (info.size.width - side) // 2), max(0, (info.size.height - side) // 2), side, side).clipped(
        info.size
    )
    scale = info.levels[level].downsample
    x, y = (round(round(v / scale) * scale) for v in (region.x, region.y))
    region = Region(x, y, region.width, region.height).clipped(info.size)
    try:
        one, other = (reader.read_region(region, level).astype(np.int16) for reader in (quick, source))
    except ImageError:
        return False
    return one.shape == other.shape and float(np.abs(one - other).mean()) <= _MOST_APART
