"""From a probability map and a threshold to a mask, its components and its area.

The map is small and the image large, so the mask at the image's stored size is computed only where
the map can reach the threshold, with the same numbers as if it were computed everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size, SpacingMm

if TYPE_CHECKING:
    from pathview.results.result import ScoreMap

Mask = npt.NDArray[np.uint8]
_BLOCK_ROWS = 512
AREA_STEPS = 1000
"""Thresholds 0, 1/1000 ... 1 for which :func:`area_curve` knows the area."""


@dataclass(frozen=True)
class Component:
    """One connected part (8 neighbours) of a mask, in level-0 pixels."""

    region: Region
    area_px: int
    peak: float
    """Largest probability inside."""
    centroid: tuple[float, float]
    """(x, y)."""


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
    for block in _blocks(region):
        part = sample(score_map, block) >= threshold
        mask[block.y : block.bottom, block.x : block.right] = part.view(np.uint8) * np.uint8(255)
    return mask


def measure(score_map: ScoreMap, threshold: float, size: Size, spacing: SpacingMm | None) -> MaskStats:
    """Area and components of the mask at the image's stored size."""
    region = mask_region(score_map, threshold, size)
    if region.width == 0 or region.height == 0:
        return MaskStats(threshold, 0, 0.0 if spacing else None, ())
    values = np.concatenate([sample(score_map, block) for block in _blocks(region)])
    count, labels, stats, centroids = cv2.connectedComponentsWithStats((values >= threshold).astype(np.uint8), None, 8)
    components = []
    for index in range(1, count):
        x, y, width, height, area = (int(v) for v in stats[index])
        part = np.s_[y : y + height, x : x + width]
        peak = float(values[part][labels[part] == index].max())
        centroid = (float(centroids[index][0]) + region.x + 0.5, float(centroids[index][1]) + region.y + 0.5)
        components.append(Component(Region(region.x + x, region.y + y, width, height), area, peak, centroid))
    components.sort(key=lambda component: -component.area_px)
    area = sum(component.area_px for component in components)
    return MaskStats(threshold, area, area * spacing.pixel_area_mm2 if spacing else None, tuple(components))


def area_curve(score_map: ScoreMap, size: Size) -> npt.NDArray[np.int64]:
    """Mask area in level-0 pixels at thresholds 0, 1/1000 ... 1: int64 [1001].

    Exact at those thresholds, so that a slider in steps of 1/1000 reads the same area as
    :func:`measure` without touching the image.
    """
    steps = (np.arange(AREA_STEPS + 1) / AREA_STEPS).astype(np.float32)
    counts = np.zeros(AREA_STEPS + 2, np.int64)
    for block in _blocks(Region.whole(size)):
        values = sample(score_map, block)
        above = values[values >= steps[1]]  # nearly all pixels are below: they need no search
        counts[1] += np.count_nonzero(values >= 0) - above.size
        counts += np.bincount(np.searchsorted(steps, above, side="right"), minlength=AREA_STEPS + 2)
    return counts[::-1].cumsum()[::-1][1:]


def dice_and_iou(predicted: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Overlap of two masks of one shape; 1 where both are empty."""
    common = int((predicted & truth).sum())
    total = int(predicted.sum()) + int(truth.sum())
    if total == 0:
        return 1.0, 1.0
    return 2 * common / total, common / (total - common)


def _blocks(region: Region) -> Iterator[Region]:
    for y in range(region.y, region.bottom, _BLOCK_ROWS):
        yield Region(region.x, y, region.width, min(_BLOCK_ROWS, region.bottom - y))
