"""Maps at other resolutions: a finer grid that takes over a coarser one's cells, and halvings of a large map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pathview.geometry import GridPlace
from pathview.results.result import FloatMap, ScoreMap

LARGE_CELLS = 4 * 2**20
"""From so many cells on a map is shown by its halvings."""


def resampled(behind: ScoreMap, grid: GridPlace, shape: tuple[int, int]) -> FloatMap:
    """What a map of cells has at the middle of each of a finer grid's cells, or next to it at the image's edge.

    Returns:
        float32 of ``shape`` (rows, columns).
    """
    x = grid.x + (np.arange(shape[1]) + 0.5) * grid.cell_width
    y = grid.y + (np.arange(shape[0]) + 0.5) * grid.cell_height
    columns = np.clip((x - behind.place.x) // behind.place.cell_width, 0, behind.values.shape[1] - 1).astype(np.intp)
    rows = np.clip((y - behind.place.y) // behind.place.cell_height, 0, behind.values.shape[0] - 1).astype(np.intp)
    return behind.values[np.ix_(rows, columns)].copy()


def reduced(values: FloatMap, factor: int) -> FloatMap:
    """Means over ``factor`` x ``factor`` cells of what was analysed there; NaN where nothing was.

    Args:
        values: float32 [rows, columns], NaN where nothing was analysed.
        factor: 1 or more; blocks at the lower and right edge may hold fewer cells.

    Returns:
        float32 [rows / factor, columns / factor], rounded up.
    """
    if factor == 1:
        return values
    below, right = -values.shape[0] % factor, -values.shape[1] % factor
    padded = np.pad(values, ((0, below), (0, right)), constant_values=np.nan)
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    known = ~np.isnan(blocks)
    count: npt.NDArray[np.intp] = known.sum(axis=(1, 3))
    total = np.where(known, blocks, np.float32(0)).sum(axis=(1, 3), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def halvings(score_map: ScoreMap, large: int = LARGE_CELLS) -> tuple[ScoreMap, ...]:
    """A map and its halves by mean, the finest first, down to one of at most ``large`` cells.

    A map that is not larger than that is alone. What was not analysed counts in no mean.
    """
    levels = [score_map]
    while levels[-1].values.size > large:
        last = levels[-1]
        place = replace(last.place, cell_width=2 * last.place.cell_width, cell_height=2 * last.place.cell_height)
        levels.append(ScoreMap(reduced(last.values, 2), place, last.smooth))
    return tuple(levels)
