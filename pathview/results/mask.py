"""From a probability map and a threshold to a mask, its components and its area.

The map is small and the image large, so the mask at the image's stored size is computed only where
the map can reach the threshold, block by block, with the same numbers as if it were computed
everywhere. A map of whole cells is measured on its cells, each as large as the pixels whose centres
lie in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size, SpacingMm
from pathview.jobs import CancelToken, checkpoint
from pathview.results.components import Component, Ints, Part, components_of

if TYPE_CHECKING:
    from pathview.results.result import ScoreMap

Mask = npt.NDArray[np.uint8]
_BLOCK_PIXELS = 2**22
_MOST_APART = 200
"""Places that are looked at one by one; of more, a look at the whole is as quick."""
AREA_STEPS = 1000
"""Thresholds 0, 1/1000 ... 1 for which :func:`area_curve` knows the area."""


@dataclass(frozen=True)
class MaskStats:
    """What a mask measures; ``area_mm2`` is None where the pixel size is not known."""

    threshold: float
    area_px: int
    area_mm2: float | None
    components: tuple[Component, ...]


def sample(score_map: ScoreMap, region: Region) -> npt.NDArray[np.float32]:
    """The map at the centre of each level-0 pixel of a region.

    Returns:
        float32 [region.height, region.width]; -1 where nothing was analysed. Smooth maps are
        interpolated linearly between cell centres and held beyond the outermost ones.
    """
    rows = _axis(region.y, region.height, score_map.place.y, score_map.place.cell_height)
    columns = _axis(region.x, region.width, score_map.place.x, score_map.place.cell_width)
    values = np.where(np.isnan(score_map.values), np.float32(-1.0), score_map.values)
    height, width = values.shape
    inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    if not score_map.smooth:
        picked = values[
            np.clip(rows, 0, height - 1).astype(np.intp)[:, None], np.clip(columns, 0, width - 1).astype(np.intp)
        ]
        return np.where(inside, picked, np.float32(-1.0))
    interpolated = _along(_along(values, rows - 0.5, 0), columns - 0.5, 1)
    return np.where(inside, interpolated, np.float32(-1.0))


def _axis(start: int, count: int, origin: float, cell: float) -> npt.NDArray[np.float64]:
    """Positions of pixel centres in cell units."""
    return np.asarray((np.arange(start, start + count, dtype=np.float64) + 0.5 - origin) / cell)


def _along(values: npt.NDArray[np.float32], position: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float32]:
    last = values.shape[axis] - 1
    position = np.clip(position, 0, last)
    low = np.floor(position).astype(np.intp)
    weight = (position - low).astype(np.float32)
    weight = weight[:, None] if axis == 0 else weight[None, :]
    first = np.take(values, low, axis)
    return np.asarray(first + (np.take(values, np.minimum(low + 1, last), axis) - first) * weight)


def mask_region(score_map: ScoreMap, threshold: float, size: Size) -> Region:
    """A level-0 rectangle that holds every pixel of the mask (empty where there are none)."""
    rows, columns = np.nonzero(np.nan_to_num(score_map.values, nan=-1.0) >= threshold)
    if rows.size == 0:
        return Region(0, 0, 0, 0)
    left, top = score_map.place.to_level0(int(columns.min()) - 1, int(rows.min()) - 1)
    right, bottom = score_map.place.to_level0(int(columns.max()) + 2, int(rows.max()) + 2)
    x, y = int(np.floor(left)), int(np.floor(top))
    return Region(x, y, int(np.ceil(right)) - x, int(np.ceil(bottom)) - y).clipped(size)


def full_mask(score_map: ScoreMap, threshold: float, size: Size) -> Mask:
    """The mask at the image's stored size: uint8 [height, width] of 0 and 255."""
    mask = np.zeros(size.shape, np.uint8)
    region = mask_region(score_map, threshold, size)
    for block in row_blocks(region):
        part = sample(score_map, block) >= threshold
        mask[block.y : block.bottom, block.x : block.right] = part.view(np.uint8) * np.uint8(255)
    return mask


def measure(
    score_map: ScoreMap, threshold: float, size: Size, spacing: SpacingMm | None, cancel: CancelToken | None = None
) -> MaskStats:
    """Area and components of the mask at the image's stored size.

    Raises:
        Cancelled: between two blocks, after the user cancelled.
    """
    components = tuple(
        component
        for alone in _apart(score_map, threshold)
        for component in components_of(parts(alone, mask_region(alone, threshold, size), cancel), threshold)
    )
    components = tuple(sorted(components, key=lambda component: -component.area_px))
    area = sum(component.area_px for component in components)
    return MaskStats(threshold, area, area * spacing.pixel_area_mm2 if spacing else None, components)


def _apart(score_map: ScoreMap, threshold: float) -> Iterator[ScoreMap]:
    """A smooth map split into places that cannot touch, so that the image between them need not be looked at.

    A pixel takes its value from the cells about it, so that one that reaches the threshold lies within a cell of one
    that does: what is further away can be left out without a change.
    """
    reaching = (np.nan_to_num(score_map.values, nan=-1.0) >= threshold).astype(np.uint8)
    around = cv2.dilate(reaching, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(around, None, 8, cv2.CV_32S)
    boxes = stats[1:, cv2.CC_STAT_WIDTH] * stats[1:, cv2.CC_STAT_HEIGHT]
    together = np.prod(cv2.boundingRect(around)[2:])
    if not score_map.smooth or not 2 < count <= _MOST_APART or 2 * boxes.sum() > together:
        yield score_map
        return
    for label in range(1, count):
        yield replace(score_map, values=np.where(labels == label, score_map.values, np.float32(-1.0)))


def area_curve(score_map: ScoreMap, size: Size, cancel: CancelToken | None = None) -> npt.NDArray[np.int64]:
    """Mask area in level-0 pixels at thresholds 0, 1/1000 ... 1: int64 [1001].

    Exact at those thresholds, so that a slider in steps of 1/1000 reads the same area as
    :func:`measure` without touching the image.

    Raises:
        Cancelled: between two blocks, after the user cancelled.
    """
    steps = (np.arange(AREA_STEPS + 1) / AREA_STEPS).astype(np.float32)
    counts = np.zeros(AREA_STEPS + 2, np.int64)
    for part in parts(score_map, Region.whole(size), cancel):
        areas = part.areas
        above = part.values >= steps[1]  # nearly all pixels are below: they need no search
        counts[1] += areas[(part.values >= 0) & ~above].sum()
        bins = np.searchsorted(steps, part.values[above], side="right")
        counts += np.bincount(bins, areas[above], minlength=AREA_STEPS + 2).astype(np.int64)
    return counts[::-1].cumsum()[::-1][1:]


class Overlap(NamedTuple):
    """How two masks of one shape agree, in shares of the image's pixels."""

    common: float
    """Where both are."""
    total: float
    """The one's share plus the other's."""

    @property
    def dice(self) -> float:
        """Dice coefficient; 1 where both are empty."""
        return 2 * self.common / self.total if self.total else 1.0

    @property
    def iou(self) -> float:
        """Intersection over union; 1 where both are empty."""
        return self.common / (self.total - self.common) if self.total else 1.0


def overlap(predicted: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> Overlap:
    """The overlap of two masks [rows, columns] of one shape."""
    both = np.count_nonzero(predicted & truth)
    return Overlap(both / truth.size, (np.count_nonzero(predicted) + np.count_nonzero(truth)) / truth.size)


def row_blocks(region: Region, cancel: CancelToken | None = None) -> Iterator[Region]:
    """A region cut into blocks of whole rows that fit into memory, with a checkpoint before each."""
    if region.width == 0:
        return
    rows = max(1, _BLOCK_PIXELS // region.width)
    for y in range(region.y, region.bottom, rows):
        if cancel is not None:
            checkpoint(cancel)
        yield Region(region.x, y, region.width, min(rows, region.bottom - y))


def parts(score_map: ScoreMap, region: Region, cancel: CancelToken | None) -> Iterator[Part]:
    """What a region shows of a map: pixels block by block where it is smooth, else all its cells."""
    if score_map.smooth:
        for block in row_blocks(region, cancel):
            rows, columns = np.arange(block.y, block.bottom + 1), np.arange(block.x, block.right + 1)
            yield Part(sample(score_map, block), rows, columns)
        return
    place = score_map.place
    rows = _edges(region.y, region.height, place.y, place.cell_height, score_map.values.shape[0])
    columns = _edges(region.x, region.width, place.x, place.cell_width, score_map.values.shape[1])
    # Cells without a pixel of their own must not stand between neighbours, so they are left out.
    cells = score_map.values[np.ix_(np.diff(rows) > 0, np.diff(columns) > 0)]
    if cells.size:
        yield Part(np.where(np.isnan(cells), np.float32(-1.0), cells), np.unique(rows), np.unique(columns))


def _edges(start: int, count: int, origin: float, cell: float, cells: int) -> Ints:
    """First pixel of each of ``cells`` cells along an axis, by its centre, and the end of the last one."""
    return start + np.searchsorted(_axis(start, count, origin, cell), np.arange(cells + 1))
