"""Where the breast is on a mammogram: a mask found from the pixels alone, before anything is marked.

The breast is what clearly stands out from the air and is thick; letters, labels and bright rims of a film are smaller,
thinner or lie apart. The pectoral muscle stays inside, and so does what a fold alone cuts off (the axilla): a mask that
took them away could take a lesion along.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import GridPlace, Region, Size
from pathview.images.render import display_pixels, fitted
from pathview.images.source import ImageSource

Gray8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

WIDENED = 0.02
"""By what share of the breast's width its mask is widened, so that a lesion at the skin is not cut."""
_OVERVIEW_SIDE = 256
_LEVEL_WIDTH, _BETWEEN = 10, 0.05
"""Grey levels that count as one, and the share of others up to which an image has no greys."""
_LEAST = 0.03
"""Share of the image that a breast has at least."""
_STANDS_OUT = 0.02
"""Share of the way from air to the brightest tissue from which a pixel is no air; dark fat is hardly brighter."""
_RIMS = 4
"""How often a bright strip of a fiftieth of the width is taken off the borders in search of air."""
_LEAST_SIDE = 16
_THICK = 0.035
"""Share of the longer side below which a part is a rim, a strip or a letter."""
_FOLD = 0.03
"""Share of the longer side that a dark fold is wide at most."""
_BESIDE = 0.02
"""Share of the breast from which a part beyond a fold belongs to it; smaller ones may be letters."""
_AIRY = 0.02
"""Share of the breast's box from which a notch at its edge that is as dark as air is air."""


@dataclass(frozen=True)
class Breast:
    """Where the breast is.

    ``mask``: bool [rows, columns] of a small overview of the whole image; ``place``: its cells on level 0;
    ``region``: its bounding box in level-0 pixels, not widened.
    """

    mask: Bools
    place: GridPlace
    region: Region

    @cached_property
    def distance(self) -> Floats:
        """How far each cell's centre lies outside the skin line, in cells (negative inside), before widening."""
        outside = cv2.distanceTransform((~self.mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        inside = cv2.distanceTransform(self.mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        away = np.where(self.mask, 0.5 - inside, outside - 0.5)
        return np.asarray(cv2.GaussianBlur(away.astype(np.float32), (0, 0), 1.0))  # rounds the steps of the cells

    @property
    def margin(self) -> float:
        """By how much it is widened, in cells."""
        return WIDENED * min(self.region.width / self.place.cell_width, self.region.height / self.place.cell_height)

    def on(self, place: GridPlace, shape: tuple[int, int]) -> Bools:
        """The widened mask at the centres of another grid's cells: bool [rows, columns]."""
        x = (place.x + (np.arange(shape[1]) + 0.5) * place.cell_width - self.place.x) / self.place.cell_width - 0.5
        y = (place.y + (np.arange(shape[0]) + 0.5) * place.cell_height - self.place.y) / self.place.cell_height - 0.5
        columns, rows = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        distance = cv2.remap(self.distance, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(distance <= self.margin)

    def soft(self) -> Floats:
        """The widened mask on its own cells, 1 inside and 0 outside, one half along its smooth outline."""
        return np.clip(0.5 - (self.distance - np.float32(self.margin)) / 2, 0, 1).astype(np.float32)


def find_breast(source: ImageSource, frame: int = 0) -> Breast | None:
    """The breast on a frame of a mammogram; None where nothing stands out.

    Raises:
        ImageError: the pixels cannot be read.
    """
    return breast_on(overview(source, frame), source.info.size)


def breast_on(gray: Gray8, whole: Size) -> Breast | None:
    """The breast on the :func:`overview` [rows, columns] of an image of level-0 size ``whole``."""
    mask = breast_mask(gray)
    if mask is None:
        return None
    place = GridPlace(0, 0, whole.width / gray.shape[1], whole.height / gray.shape[0])
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = (int(v) for v in place.to_level0(int(columns[0]), int(rows[0])))
    right, bottom = (int(np.ceil(v)) for v in place.to_level0(int(columns[-1]) + 1, int(rows[-1]) + 1))
    return Breast(mask, place, Region(left, top, right - left, bottom - top).clipped(whole))


def overview(source: ImageSource, frame: int = 0) -> Gray8:
    """The whole image small and grey, uint8 [rows, columns], as :func:`breast_mask` reads it.

    Raises:
        ImageError: the pixels cannot be read.
    """
    whole = source.info.size
    pixels = display_pixels(source, Region.whole(whole), fitted(whole, _OVERVIEW_SIDE), frame)
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def is_black_and_white(gray: Gray8) -> bool:
    """Whether a small grey overview [rows, columns] has two levels and nearly nothing between them."""
    low, high = int(gray.min()), int(gray.max())
    between = (gray > low + _LEVEL_WIDTH) & (gray < high - _LEVEL_WIDTH)
    return high - low > 4 * _LEVEL_WIDTH and float(between.mean()) < _BETWEEN


def breast_mask(gray: Gray8) -> Bools | None:
    """Which pixels of a grey image [rows, columns] are breast, or None where nothing stands out."""
    smooth = cv2.GaussianBlur(gray, (5, 5), 0).astype(np.float32)
    air = _air(gray, smooth)
    if air is None:
        return None
    level, limit = _limits(air, smooth)
    bright = smooth > limit
    longest = max(gray.shape)
    thick = _opened(bright, 1 + 2 * round(_THICK * longest / 2))
    largest = _largest(thick)
    if largest is None:
        return None
    whole = _with_neighbours(largest, thick, 1 + 2 * round(_FOLD * longest / 2))
    # What opening took off the breast itself (the nipple, the corners at the chest wall) comes back.
    reach = 1 + 2 * round(_THICK * longest)
    restored = _largest(bright & _dilated(whole, reach) | whole)
    assert restored is not None
    found = _filled(_closed(restored, 1 + 2 * round(_THICK * longest / 3)), smooth > level + (limit - level) / 4)
    return found if found.mean() >= _LEAST else None


def _air(gray: Gray8, smooth: Floats) -> Floats | None:
    """The pixels at the rim of what was exposed that are as dark as its darkest parts; None for an even image."""
    rows, columns = _exposed(gray)
    if min(rows.stop - rows.start, columns.stop - columns.start) < _LEAST_SIDE:
        return None
    part = smooth[rows, columns]
    strip = max(1, part.shape[1] // 50)
    bright, dark = float(np.percentile(smooth, 99.5)), float(np.percentile(part, 10))
    for _ in range(_RIMS):
        pieces = _rim(part, strip)
        darkest = min(float(np.median(piece)) for piece in pieces)
        if darkest <= dark + 0.05 * (bright - dark):
            break
        part = part[strip:-strip, strip:-strip]  # a bright frame, as of a film: what it frames is looked at
    limit = darkest + 0.1 * (bright - darkest)
    return np.concatenate([piece.ravel() for piece in pieces if np.median(piece) <= limit])


def _rim(part: Floats, strip: int) -> list[Floats]:
    """The borders of an image, a strip wide, in eight pieces each."""
    sides = [part[:strip], part[-strip:], part[:, :strip].T, part[:, -strip:].T]
    return [piece for side in sides for piece in np.array_split(side, 8, axis=1)]


def _exposed(gray: Gray8) -> tuple[slice, slice]:
    """Rows and columns of an image without the even lines that pad its borders."""
    uneven = [np.flatnonzero(np.ptp(gray, axis=axis) > 2) for axis in (1, 0)]
    rows, columns = (slice(int(v[0]), int(v[-1]) + 1) if v.size else slice(0, 0) for v in uneven)
    return rows, columns


def _limits(air: Floats, smooth: Floats) -> tuple[float, float]:
    """The grey of air, and that from which a pixel stands out from it."""
    level = float(np.median(air))
    noise = float(np.median(np.abs(air - level)))
    bright = float(np.percentile(smooth, 99.5))
    return level, level + max(4 * noise, _STANDS_OUT * (bright - level), 2.0)


def _ellipse(side: int) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def _dilated(mask: Bools, side: int) -> Bools:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _ellipse(side)) > 0)


def _opened(mask: Bools, side: int) -> Bools:
    """The parts that hold an ellipse of a width; beyond the image there is nothing, so that rims are thin."""
    eroded = cv2.erode(mask.astype(np.uint8), _ellipse(side), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(cv2.dilate(eroded, _ellipse(side)) > 0)


def _closed(mask: Bools, side: int) -> Bools:
    """With gaps filled that an ellipse of a width does not fit into."""
    padded = np.pad(mask.astype(np.uint8), side)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _ellipse(side))
    return np.asarray(closed[side:-side, side:-side] > 0)


def _largest(mask: Bools) -> Bools | None:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), None, 8)
    return None if count < 2 else np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def _with_neighbours(largest: Bools, parts: Bools, gap: int) -> Bools:
    """The largest part, those that only a fold parts from it, and the folds between."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(parts.astype(np.uint8), None, 8)
    near = set(np.unique(labels[_dilated(largest, 2 * gap + 1)]).tolist()) - {0}
    least = _BESIDE * np.count_nonzero(largest)
    taken = [label for label in range(1, count) if label in near and stats[label, cv2.CC_STAT_AREA] >= least]
    whole = np.isin(labels, taken)
    if len(taken) < 2:
        return whole
    return _closed(whole, 2 * gap + 1)


def _filled(mask: Bools, no_air: Bools) -> Bools:
    """Without holes: dark fat is breast too, also where it is open to the edge that the breast is cut off at."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inner = np.pad(mask[box].astype(np.uint8), 1)
    closed = inner.copy()
    for edge, beside in (
        (closed[1:-1, 0], inner[1:-1, 1:4].any(axis=1)),
        (closed[1:-1, -1], inner[1:-1, -4:-1].any(axis=1)),
        (closed[0, 1:-1], inner[1:4, 1:-1].any(axis=0)),
        (closed[-1, 1:-1], inner[-4:-1, 1:-1].any(axis=0)),
    ):
        ends = np.flatnonzero(beside)
        edge[ends[0] : ends[-1] + 1] = 1
    whole = (inner > 0) | _holes(inner)
    notches = (_holes(closed) & ~whole)[1:-1, 1:-1]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(notches.astype(np.uint8), None, 4)
    found = mask.copy()
    found[box] = whole[1:-1, 1:-1]
    for label in range(1, count):
        own = labels == label
        if stats[label, cv2.CC_STAT_AREA] < _AIRY * own.size or no_air[box][own].mean() > 0.5:
            found[box][own] = True
    return found


def _holes(mask: npt.NDArray[np.uint8]) -> Bools:
    """What a mask [rows, columns] encloses."""
    around = np.pad(mask, 1)
    cv2.floodFill(around, None, (0, 0), 2, flags=4)
    return np.asarray(around[1:-1, 1:-1] == 0)
