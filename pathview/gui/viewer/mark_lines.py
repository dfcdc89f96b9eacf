"""The line of a mark on the screen, no finer than its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

from pathview.results.annotation import Mark, chains

ToScreen = Callable[[float, float], QPointF]
Points = npt.NDArray[np.float64]
"""float64 [n, 2]: x and y."""

_MANY = 300
"""Corners from which a line is simplified for the screen."""
_OFF_PX = 0.5
_KEPT = "_drawn"
"""Where a mark's simplified lines are kept beside its fields, which they follow from."""
_TICK = 5.0
_CROSS = 7.0
_ARC = 22.0


def line_path(mark: Mark, to_screen: ToScreen) -> QPainterPath:
    """The line of a mark; a point is a cross, a ruler has ticks at its ends, an angle an arc at its vertex.

    Args:
        mark: finished or not.
        to_screen: from stored level-0 (x, y) to the painter's coordinates; turns by quarters, shifts and scales.
    """
    path = QPainterPath()
    if mark.kind == "point" and mark.points:
        _add_cross(path, to_screen(*mark.points[0]))
        return path
    if mark.kind == "ellipse" and len(mark.points) == 2:
        path.addEllipse(QRectF(*(to_screen(*point) for point in mark.points)).normalized())
        return path
    screen = Projection(to_screen)
    for chain in _lines(mark, screen.scale):
        if len(chain):
            placed = screen.of(chain)
            path.addPath(pg.arrayToQPath(placed[:, 0], placed[:, 1], connect="all", finiteCheck=False))
    points = [to_screen(*point) for point in mark.points[:3]]
    if mark.kind == "ruler" and len(mark.points) == 2:
        _add_ticks(path, *points)
    if mark.kind == "angle" and len(points) == 3:
        _add_arc(path, *points)
    return path


class Projection:
    """From stored pixels to the screen, for many points at once."""

    def __init__(self, to_screen: ToScreen) -> None:
        """The same as ``to_screen``."""
        origin, right, down = to_screen(0.0, 0.0), to_screen(1.0, 0.0), to_screen(0.0, 1.0)
        self._origin = np.array([origin.x(), origin.y()])
        across, along = right - origin, down - origin
        self._matrix = np.array([[across.x(), across.y()], [along.x(), along.y()]])

    @property
    def scale(self) -> float:
        """Screen pixels a stored pixel."""
        return float(np.abs(self._matrix[0]).sum())

    def of(self, points: Points) -> Points:
        """Points on the screen."""
        return np.asarray(points @ self._matrix + self._origin)


def _lines(mark: Mark, scale: float) -> list[Points]:
    """The chains of a mark; long ones as fine as half a screen pixel."""
    found = [np.array(chain, float).reshape(-1, 2) for chain in chains(mark)]
    if sum(map(len, found)) < _MANY or scale <= 0:
        return found
    zoom = math.floor(math.log2(_OFF_PX / scale))
    kept: tuple[int, list[Points]] | None = mark.__dict__.get(_KEPT)
    if kept is None or kept[0] != zoom:
        import shapely  # takes a moment: the window starts without

        lines = [shapely.simplify(shapely.LineString(chain), 2.0**zoom, preserve_topology=False) for chain in found]
        kept = mark.__dict__[_KEPT] = (zoom, [shapely.get_coordinates(line) for line in lines])
    return kept[1]


def _add_cross(path: QPainterPath, middle: QPointF) -> None:
    for arm in (QPointF(_CROSS, 0), QPointF(0, _CROSS)):
        path.moveTo(middle - arm)
        path.lineTo(middle + arm)


def _add_ticks(path: QPainterPath, first: QPointF, last: QPointF) -> None:
    along = unit(last - first)
    tick = QPointF(-along.y(), along.x()) * _TICK
    for end in (first, last):
        path.moveTo(end - tick)
        path.lineTo(end + tick)


def _add_arc(path: QPainterPath, first: QPointF, vertex: QPointF, last: QPointF) -> None:
    arms = (first - vertex, last - vertex)
    radius = min(_ARC, *(math.hypot(arm.x(), arm.y()) / 2 for arm in arms))
    start, end = (math.degrees(math.atan2(-arm.y(), arm.x())) for arm in arms)
    sweep = (end - start + 180) % 360 - 180
    square = QRectF(vertex.x() - radius, vertex.y() - radius, 2 * radius, 2 * radius)
    path.arcMoveTo(square, start)
    path.arcTo(square, start, sweep)


def unit(way: QPointF) -> QPointF:
    """A vector of length 1; to the right where there is no direction."""
    length = math.hypot(way.x(), way.y())
    return way / length if length > 0 else QPointF(1, 0)
