"""Where the tissue is on a slide: a mask from its overview, so that glass is neither analysed nor counted.

Tissue is what is stained: more saturated than the glass by Otsu's threshold (N. Otsu, IEEE Trans. SMC 9, 62-66,
1979), which is held within limits above the glass's own saturation: on a slide full of tissue it would part pale
from dark tissue, and on an empty one dust from glass. Pen and black borders are left out where they are plain.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import GridPlace, Region, Size
from pathview.images.damage import DAMAGED_GRAY, Rgb8, read_sparing
from pathview.images.quick_slide import quick_slide
from pathview.images.render import display_pixels, fitted, resized
from pathview.images.slide import SlideImage
from pathview.images.source import FlatImage, ImageSource, level_for
from pathview.images.tiff_pyramid import TiffPyramid
from pathview.jobs import CancelToken, checkpoint, never

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

_SIDE = 1024
_BLOCK = 2048
"""Level pixels of a block's side: whole tiles of nearly every file, so that none is decoded twice."""
_QUICK_FROM = 16 * 2**20
"""Level pixels from which a quicker reader of the same pixels is worth looking for."""
_BRIGHT, _COLOURLESS = 205, 60
"""Value from which, and saturation up to which, a pixel may be glass (of 255)."""
_GLASS_SHARE = 0.01
"""Share of the image from which glass is taken to be seen."""
_LEAST_ABOVE, _MOST_ABOVE = 8, 16
"""How much more saturated than glass a pixel is at least, and at most has to be, to count as tissue (of 255)."""
_DARK, _DULL = 60, 40
"""Value and chroma below which a pixel is black: a border, a pen, the edge of the glass; nuclei are brighter."""
_PEN_HUES = ((38, 108, 70), (108, 120, 150))
"""Hues (OpenCV's, 0..179) from and to, with the saturation from which they are ink: green to blue; stains are purple to
red, and haematoxylin alone is a blue that is never as pure."""
_CLOSED, _SPECK, _HOLE = 0.006, 2e-5, 4e-4
"""Shares: of the longer side that gaps are closed over; of the image below which a part is dust, a hole is closed."""
_ON = 0.1
"""Share of a cell from which it counts as tissue."""


@dataclass(frozen=True)
class Tissue:
    """Where the tissue is.

    ``mask``: bool [rows, columns] of an overview of the whole image; ``place``: its cells on level 0; ``share``: of the
    image that is tissue, 0 to 1.
    """

    mask: Bools
    place: GridPlace
    share: float

    def shares(self, place: GridPlace, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
        """How much of each cell of another grid is tissue: float32 [rows, columns], 0 to 1.

        What of a cell lies beyond the image counts as glass.
        """
        sums = cv2.integral(self.mask.astype(np.uint8), sdepth=cv2.CV_64F)
        rows, columns = self.mask.shape
        x = (place.x + np.arange(shape[1] + 1) * place.cell_width - self.place.x) / self.place.cell_width
        y = (place.y + np.arange(shape[0] + 1) * place.cell_height - self.place.y) / self.place.cell_height
        corners = _between(_between(sums, np.clip(y, 0, rows), 0), np.clip(x, 0, columns), 1)
        inside = corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
        cell = place.cell_area_px / self.place.cell_area_px
        return np.clip(inside / cell, 0, 1).astype(np.float32)

    def on(self, place: GridPlace, shape: tuple[int, int], least: float = _ON) -> Bools:
        """Which cells of another grid hold at least a share ``least`` of tissue: bool [rows, columns]."""
        return np.asarray(self.shares(place, shape) >= least)


def find_tissue(source: ImageSource, cancel: CancelToken | None = None) -> Tissue:
    """The tissue on a slide, a mosaic or a camera image; nothing on a grey image.

    Raises:
        ImageError: the file can no longer be read.
        Cancelled: at a checkpoint after the user cancelled.
    """
    size = source.info.size
    pixels = slide_overview(source, _SIDE, cancel)
    mask = tissue_mask(pixels)
    place = GridPlace(0, 0, size.width / pixels.shape[1], size.height / pixels.shape[0])
    return Tissue(mask, place, float(mask.mean()))


def slide_overview(source: ImageSource, side: int, cancel: CancelToken | None = None) -> Rgb8:
    """All of an image, its longer side at most ``side`` pixels: uint8 [rows, columns, 3] RGB, as stored.

    It is read in blocks by two threads, so that a slide without coarse levels fits; damaged parts come grey.
    """
    size = source.info.size
    shape = fitted(size, side)
    if isinstance(source, FlatImage) or not source.info.is_color:
        shown = display_pixels(source, Region.whole(size), shape)
        return shown if shown.ndim == 3 else np.asarray(cv2.cvtColor(shown, cv2.COLOR_GRAY2RGB))
    level = level_for(source.info, size.width / shape.width)
    of = source.info.levels[level].size
    quick = quick_slide(source, level=level) if of.pixels > _QUICK_FROM else None
    try:
        return np.asarray(resized(_shrunk(quick or source, level, of.width / shape.width, cancel or never()), shape))
    finally:
        if quick is not None:
            quick.close()


def _shrunk(source: ImageSource, level: int, factor: float, cancel: CancelToken) -> Rgb8:
    """A level reduced by the largest power of two that is no more than ``factor``, block by block of whole tiles."""
    of, info = source.info.levels[level], source.info
    step = 1 << max(0, int(math.log2(max(1.0, factor) + 1e-9)))
    side = max(_BLOCK, step)
    pixels = np.full((-(-of.size.height // step), -(-of.size.width // step), 3), 255, np.uint8)

    def read(corner: tuple[int, int]) -> None:
        checkpoint(cancel)
        left, top = corner
        x, y, right, bottom = (round(v * of.downsample) for v in (left, top, left + side, top + side))
        block, _ = read_sparing(source, Region(x, y, right - x, bottom - y).clipped(info.size), level)
        target = pixels[top // step : (top + side) // step, left // step : (left + side) // step]
        target[...] = resized(block, Size(target.shape[1], target.shape[0]))

    corners = [(x, y) for y in range(0, of.size.height, side) for x in range(0, of.size.width, side)]
    threads = 2 if isinstance(source, (SlideImage, TiffPyramid)) else 1
    with ThreadPoolExecutor(threads, "pathview-overview") as pool:
        for _ in pool.map(read, corners):
            pass
    return pixels


def tissue_mask(pixels: Rgb8) -> Bools:
    """Which pixels of an overview [rows, columns, 3] are tissue: bool [rows, columns]."""
    smooth = _white_balanced(np.asarray(cv2.medianBlur(np.ascontiguousarray(pixels), 5)))
    hue, saturation, value = cv2.split(cv2.cvtColor(smooth, cv2.COLOR_RGB2HSV))
    foreign = _foreign(smooth, hue, saturation, value)
    stained = (saturation > _limit(saturation, value, foreign)) & ~foreign
    return _tidied(stained, foreign)


def _white_balanced(pixels: Rgb8) -> Rgb8:
    """With glass made white, as far as it is seen: that of camera images is often green or yellow."""
    value, chroma = _value_and_chroma(pixels)
    bright = (value >= _BRIGHT) & (255 * chroma.astype(np.uint16) < _COLOURLESS * value.astype(np.uint16))
    if np.count_nonzero(bright) < _GLASS_SHARE * bright.size:
        return pixels
    glass = np.array([_median(channel, bright) for channel in cv2.split(pixels)])
    table = np.clip(np.arange(256)[:, None] * (glass.max() / np.maximum(glass, 1)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table[:, None]), np.uint8)


def _value_and_chroma(pixels: Rgb8) -> tuple[Bytes, Bytes]:
    """The largest of each pixel's colours, and what lies between it and the smallest: uint8 [rows, columns]."""
    red, green, blue = cv2.split(pixels)
    value, lowest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return np.asarray(value, np.uint8), np.asarray(cv2.subtract(value, lowest), np.uint8)


def _median(channel: Bytes, where: Bools) -> float:
    """The median of some of a channel's pixels, by counting: sorting them took half of all the time."""
    counts = cv2.calcHist([channel], [0], where.astype(np.uint8), [256], [0, 256]).ravel()
    below = np.cumsum(counts, dtype=np.int64)
    middle = [(int(below[-1]) - 1) // 2, int(below[-1]) // 2]
    return float(np.searchsorted(below, middle, side="right").mean())


def _limit(saturation: Bytes, value: Bytes, foreign: Bools) -> float:
    """The saturation above which a pixel is stained."""
    rest = saturation[~foreign]
    if not rest.size:
        return 255.0
    otsu, _ = cv2.threshold(rest.reshape(1, -1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    bright = saturation[(value >= _BRIGHT) & (saturation < _COLOURLESS) & ~foreign]
    glass = float(np.percentile(bright, 25)) if bright.size >= _GLASS_SHARE * saturation.size else 0.0
    return float(np.clip(otsu, glass + _LEAST_ABOVE, glass + _MOST_ABOVE))


def _foreign(pixels: Rgb8, hue: Bytes, saturation: Bytes, value: Bytes) -> Bools:
    """Pen marks, black borders and what stands for damaged parts; a little more, as their edges fade."""
    _, chroma = _value_and_chroma(pixels)
    found = (value < _DARK) & (chroma < _DULL)
    for low, high, pure in _PEN_HUES:
        found |= (hue >= low) & (hue < high) & (saturation >= pure)
    found |= (value == DAMAGED_GRAY) & (chroma == 0)
    solid = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.dilate(solid, np.ones((5, 5), np.uint8)) > 0)


def _tidied(stained: Bools, foreign: Bools) -> Bools:
    """Gaps closed, small holes filled, specks removed."""
    side = 1 + 2 * max(1, round(_CLOSED * max(stained.shape) / 2))
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    padded = cv2.copyMakeBorder(stained.astype(np.uint8), side, side, side, side, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, ellipse)[side:-side, side:-side] > 0
    filled = ~_without_small(~closed, _HOLE)
    return np.asarray(_without_small(filled & ~foreign, _SPECK))


def _without_small(mask: Bools, share: float) -> Bools:
    """Without connected parts of less than a share of the image."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), None, 8)
    large = stats[:, cv2.CC_STAT_AREA] >= max(4, share * mask.size)
    large[0] = False
    return np.asarray(large[labels])


def _between(sums: npt.NDArray[np.float64], at: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    """A summed-area table read at fractional places along an axis."""
    low = np.minimum(at.astype(np.intp), sums.shape[axis] - 2)
    share = np.expand_dims(at - low, 1 - axis)
    before, behind = np.take(sums, low, axis), np.take(sums, low + 1, axis)
    before *= 1 - share
    behind *= share
    before += behind  # in place: a slide's sums are large, and new memory costs more than reckoning
    return np.asarray(before)
