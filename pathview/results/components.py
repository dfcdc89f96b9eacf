"""Connected parts of a mask that is looked at part by part, so that level 0 is never held at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import Region

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Values of a map over a rectangle of level 0, its cells as high and wide as the edges tell."""

    values: npt.NDArray[np.float32]
    """[rows, columns]; -1 where nothing was analysed."""
    row_edges: Ints
    """Level-0 row at which each row of cells starts, and at which the last one ends."""
    column_edges: Ints

    @property
    def areas(self) -> Ints:
        """Level-0 pixels of each cell, [rows, columns]."""
        return np.outer(np.diff(self.row_edges), np.diff(self.column_edges))


@dataclass(frozen=True)
class Component:
    """One connected part (8 neighbours) of a mask, in level-0 pixels."""

    region: Region
    area_px: int
    peak: float
    """Largest probability inside."""
    centroid: tuple[float, float]
    """(x, y)."""

    def joined(self, other: Component) -> Component:
        """Both as one."""
        left, top = min(self.region.x, other.region.x), min(self.region.y, other.region.y)
        right, bottom = max(self.region.right, other.region.right), max(self.region.bottom, other.region.bottom)
        area = self.area_px + other.area_px
        x, y = (
            (mine * self.area_px + its * other.area_px) / area
            for mine, its in zip(self.centroid, other.centroid, strict=True)
        )
        return Component(Region(left, top, right - left, bottom - top), area, max(self.peak, other.peak), (x, y))


def components_of(parts: Iterable[Part], threshold: float) -> tuple[Component, ...]:
    """Components of what reaches the threshold, largest first.

    Args:
        parts: rectangles from top to bottom that share their columns and leave no row out.
        threshold: on the values.
    """
    pieces: list[Component] = []
    owners: list[int] = []
    above: Ints | None = None
    for part in parts:
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            (part.values >= threshold).astype(np.uint8), None, 8, cv2.CV_32S
        )
        numbers = np.concatenate([[-1], np.arange(count - 1) + len(pieces)])
        pieces += [_piece(part, labels, stats[label], label) for label in range(1, count)]
        owners += range(len(owners), len(pieces))
        if above is not None:
            _link(owners, above, numbers[labels[0]])
        above = numbers[labels[-1]]
    found: dict[int, Component] = {}
    for number, piece in enumerate(pieces):
        owner = _owner(owners, number)
        found[owner] = found[owner].joined(piece) if owner in found else piece
    return tuple(sorted(found.values(), key=lambda component: -component.area_px))


def _piece(part: Part, labels: npt.NDArray[np.int32], stats: npt.NDArray[np.int32], label: int) -> Component:
    """One labelled component of a part."""
    column, row, columns, rows = (int(v) for v in stats[:4])
    box = np.s_[row : row + rows, column : column + columns]
    ys, xs = part.row_edges[row : row + rows + 1], part.column_edges[column : column + columns + 1]
    own = labels[box] == label
    heights, widths = np.diff(ys), np.diff(xs)
    row_areas, column_areas = own @ widths * heights, heights @ own * widths
    area = int(row_areas.sum())
    # The mean of a cell's pixel centres is the middle between its edges.
    centroid = (float(_middles(xs) @ column_areas) / area, float(_middles(ys) @ row_areas) / area)
    region = Region(int(xs[0]), int(ys[0]), int(xs[-1] - xs[0]), int(ys[-1] - ys[0]))
    return Component(region, area, float(part.values[box][own].max()), centroid)


def _middles(edges: Ints) -> npt.NDArray[np.float64]:
    return (edges[:-1] + edges[1:]) / 2.0


def _link(owners: list[int], above: Ints, below: Ints) -> None:
    """Give pieces that touch across two neighbouring rows one owner; -1 is no piece."""
    width = above.size
    for shift in (-1, 0, 1):
        upper = above[max(0, shift) : width + min(0, shift)]
        lower = below[max(0, -shift) : width - max(0, shift)]
        both = (upper >= 0) & (lower >= 0)
        for first, second in set(zip(upper[both].tolist(), lower[both].tolist(), strict=True)):
            owners[_owner(owners, second)] = _owner(owners, first)


def _owner(owners: list[int], number: int) -> int:
    while owners[number] != number:
        owners[number] = owners[owners[number]]
        number = owners[number]
    return number
