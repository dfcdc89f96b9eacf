"""Which tiles of a map a reader should look at: nearest to the decision, surest, or drawn at random.

A tile is what the network was asked about: a cell of a map of patches, or the field around a cell of a finer map.
Tiles beside each other that the model doubts alike are one place, shown by one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size
from pathview.results.result import ScoreMap

TileOrder = Literal["uncertain", "surest positive", "surest negative", "random"]
TILE_ORDERS: tuple[TileOrder, ...] = ("uncertain", "surest positive", "surest negative", "random")
LIMIT = 40
"""Places without an answer that are listed, where no other number is asked for."""
EXTENT = 10
"""Tiles that one place is wide and high at most: a hundred neighbours are one place, a whole tumour is several."""
_CONTEXT = 1.0
"""Tiles of surroundings at each side."""
_LEAST_BAND = 0.05
"""Half width of the not-sure band, in probability, where the limits leave none."""
_STEPS = 8
"""Beyond so many half widths of the band, all doubt is alike."""

Ints = npt.NDArray[np.intp]
Field = tuple[float, float]
"""Width and height of what the network sees at once, level-0 pixels."""


@dataclass(frozen=True)
class TileRegion:
    """One place to look at, by the tile that stands for it."""

    tile: Region
    """Level-0 pixels; may reach beyond the image's edge, where the network saw its mirror image."""
    context: Region
    """Three tiles wide and high about the same middle, moved into the image."""
    probability: float
    """The model's, of this tile."""
    count: int
    """About how many tiles the place has, this one among them."""

    def as_json(self) -> dict[str, Any]:
        """One line of ``pathview cases regions``; a region is [x, y, width, height]."""
        boxes = {"region": self.tile, "context": self.context}
        sides = {name: [box.x, box.y, box.width, box.height] for name, box in boxes.items()}
        return {**sides, "probability": round(self.probability, 6), "count": self.count}


def field_of(score_map: ScoreMap, settings: Mapping[str, Any]) -> Field | None:
    """What the network saw around each cell of a finer map; None where cells are its tiles.

    Args:
        score_map: a result's probability map.
        settings: of the result's provenance.
    """
    stride, taken = settings.get("stride"), settings.get("input")
    if not stride or not taken:
        return None
    place = score_map.place
    return place.cell_width / stride * taken[1], place.cell_height / stride * taken[0]


def uncertain_regions(
    score_map: ScoreMap,
    lower: float,
    upper: float,
    threshold: float,
    order: TileOrder = "uncertain",
    seed: int = 0,
    limit: int | None = LIMIT,
    answered: Iterable[Region] = (),
    size: Size | None = None,
    field: Field | None = None,
    extent: int = EXTENT,
) -> tuple[TileRegion, ...]:
    """Places of a map of cells, in an order that is the same each time.

    Args:
        score_map: probabilities [rows, columns], NaN where nothing was analysed; a smooth one has no tiles.
        lower: from which a tile is not sure, as a probability.
        upper: up to which it is.
        threshold: from which a tile is called positive: the decision that doubt is measured from.
        order: ``uncertain``: nearest to the decision first, the distance counted in half widths of the band on its
            side. ``surest positive`` and ``surest negative``: of the tiles called so. ``random``: single tiles, each
            as likely as any other, so that shares among them mean something.
        seed: of the random order.
        limit: places without an answer, at most; None: all.
        answered: tiles that have an answer. Their places stand where they would without one, shown by that tile, and
            are not counted against the limit.
        size: level 0 of the image; None: as far as the map goes.
        field: see :func:`field_of`.
        extent: tiles that one place is wide and high at most.
    """
    flat = score_map.values.ravel()
    wanted = ~np.isnan(flat)
    if order in ("surest positive", "surest negative"):
        wanted &= (flat >= np.float32(threshold)) == (order == "surest positive")
    cells = np.flatnonzero(wanted)
    if score_map.smooth or not cells.size:
        return ()
    distance = _distance(flat[cells].astype(np.float64), lower, upper, threshold)
    tiles = _Tiles(score_map, size or _size_of(score_map), field)
    if order == "random":
        ranked = np.random.default_rng(seed).permutation(cells)
        groups = np.arange(len(cells), dtype=np.intp)
    else:
        key = np.abs(distance) if order == "uncertain" else np.abs(flat[cells] - np.float32(order == "surest positive"))
        sorting = np.lexsort((cells, key))
        ranked = cells[sorting]
        groups = _groups(cells, distance, score_map.values.shape, tiles.cells_across(extent))[sorting]
    return tuple(_listed(tiles, ranked, groups, tiles.cells_of(answered), limit))


def _distance(values: npt.NDArray[np.float64], lower: float, upper: float, threshold: float) -> npt.NDArray[np.float64]:
    """How far values lie from the decision, in half widths of the band on their side; negative below it."""
    above = values - threshold
    width = np.where(above >= 0, max(upper - threshold, _LEAST_BAND), max(threshold - lower, _LEAST_BAND))
    return np.asarray(above / width)


def _groups(
    cells: Ints, distance: npt.NDArray[np.float64], shape: tuple[int, ...], across: tuple[int, int]
) -> npt.NDArray[np.intp]:
    """A number for each cell, equal for cells of one place: neighbours (8) of like doubt, cut where they go on too far.

    All of the not-sure band is alike; beyond it, every half width of the band is a step.
    """
    steps = np.zeros(shape, np.int8)
    level = np.sign(distance) * np.minimum(np.floor(np.abs(distance)), _STEPS)
    steps.ravel()[cells] = level.astype(np.int8) + np.int8(_STEPS + 1)
    numbers = np.zeros(shape, np.intp)
    first = 0
    for step in np.unique(steps[steps > 0]):
        alike = (steps == step).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(alike, None, 8, cv2.CV_32S)
        there = np.nonzero(labels)
        part = labels[there]
        blocks_across = -(-stats[:, cv2.CC_STAT_WIDTH] // across[1])
        blocks = blocks_across * -(-stats[:, cv2.CC_STAT_HEIGHT] // across[0])
        starts = first + np.cumsum(blocks) - blocks
        down = (there[0] - stats[part, cv2.CC_STAT_TOP]) // across[0]
        right = (there[1] - stats[part, cv2.CC_STAT_LEFT]) // across[1]
        numbers[there] = starts[part] + down * blocks_across[part] + right
        first += int(blocks.sum())
    return numbers.ravel()[cells]


def _listed(
    tiles: _Tiles, ranked: Ints, groups: Ints, answered: frozenset[int], limit: int | None
) -> Iterator[TileRegion]:
    """The places by their best tile."""
    counts = np.bincount(groups)
    best = np.full(len(counts), len(groups), np.intp)
    best[groups[::-1]] = np.arange(len(groups) - 1, -1, -1)  # the first of each is written last
    known: dict[int, int] = {}
    if answered:
        for place in np.flatnonzero(np.isin(ranked, list(answered))).tolist():
            known.setdefault(int(groups[place]), int(ranked[place]))
    open_places = 0
    for group in groups[np.sort(best[counts > 0])].tolist():
        if group not in known:
            if limit is not None and open_places >= limit:
                return
            open_places += 1
        yield tiles.region(known.get(group, int(ranked[best[group]])), int(counts[group]))


class _Tiles:
    """Cells of a map, by their number row by row, as tiles of the image."""

    def __init__(self, score_map: ScoreMap, size: Size, field: Field | None) -> None:
        self._map = score_map
        self._size = size
        self._field = field or (score_map.place.cell_width, score_map.place.cell_height)

    def region(self, cell: int, cells: int) -> TileRegion:
        """The tile of a cell, for a place of so many cells."""
        tile = self._tile(cell)
        share = self._map.place.cell_area_px / (self._field[0] * self._field[1])
        probability = float(self._map.values.ravel()[cell])
        return TileRegion(tile, tile.square_around(_CONTEXT, self._size), probability, max(1, round(cells * share)))

    def _tile(self, cell: int) -> Region:
        row, column = divmod(cell, self._map.values.shape[1])
        x, y = self._map.place.to_level0(column + 0.5, row + 0.5)
        left, top = round(x - self._field[0] / 2), round(y - self._field[1] / 2)
        return Region(left, top, round(x + self._field[0] / 2) - left, round(y + self._field[1] / 2) - top)

    def cells_of(self, regions: Iterable[Region]) -> frozenset[int]:
        """The cells of those regions that are tiles of this map; another model's tiles are left out."""
        rows, columns = self._map.values.shape
        found = set()
        for region in regions:
            column, row = self._map.place.to_grid(region.x + region.width / 2, region.y + region.height / 2)
            cell = int(row) * columns + int(column)
            if 0 <= row < rows and 0 <= column < columns and self._tile(cell) == region:
                found.add(cell)
        return frozenset(found)

    def cells_across(self, tiles: int) -> tuple[int, int]:
        """Cells (down, across) that so many tiles take."""
        place = self._map.place
        down, across = self._field[1] / place.cell_height, self._field[0] / place.cell_width
        return max(1, round(tiles * down)), max(1, round(tiles * across))


def _size_of(score_map: ScoreMap) -> Size:
    rows, columns = score_map.values.shape
    right, bottom = score_map.place.to_level0(columns, rows)
    return Size(max(1, round(right)), max(1, round(bottom)))
