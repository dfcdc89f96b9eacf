"""The outlines of very many marks, painted tile by tile and kept, so that panning lays pictures side by side.

Tiles are squares of device pixels of the whole image as it hangs, at the view's scale.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QRegion

from pathview.geometry import Size, Turn
from pathview.gui.viewer.mark_lines import Points, Projection
from pathview.gui.viewer.marks import INK, Colors
from pathview.gui.viewer.view import View

if TYPE_CHECKING:  # Shapely takes a moment: the window starts without
    from pathview.results.annotation_index import MarkIndex

Key = tuple[int, int]
"""Column and row of a tile."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

_SIDE = 128
_BUDGET_S = 0.004
"""For painting tiles in one frame; what is left is painted in the next ones."""
_KEPT = 1600
"""Tiles: 100 MB."""
_LINE, _DOT = 1.5, 3.0
_REACH = 3
"""Device pixels by which a line is wider than itself: a tile shows what lies so far beside it, too."""


@dataclass(frozen=True)
class Outlined:
    """What is painted: the marks of one frame on one picture."""

    marks: MarkIndex
    turn: Turn
    size: Size
    """Of the image as it is stored."""
    colors: Colors
    without: Collection[str] = ()
    """Ids of marks that are painted in another way."""

    def on_screen(self, x: float, y: float, scale: float) -> Projection:
        """To device pixels beside a shown point."""

        def placed(column: float, row: float) -> QPointF:
            shown = self.turn.to_shown(column, row, self.size)
            return QPointF((shown[0] - x) * scale, (shown[1] - y) * scale)

        return Projection(placed)


class OutlineTiles:
    """The painted tiles of one picture at one scale."""

    def __init__(self) -> None:
        """Nothing painted yet."""
        self._scale = 1.0
        self._tiles: dict[Key, QImage] = {}
        self._before: tuple[float, dict[Key, QImage]] = (1.0, {})
        """Those of the scale before, stretched into the places of tiles that are not painted yet."""

    def clear(self) -> None:
        """Other marks altogether."""
        self._tiles, self._before = {}, (1.0, {})

    def forget(self, boxes: Iterable[Box], turn: Turn, size: Size) -> None:
        """Other marks in these boxes (stored pixels)."""
        self._before = (1.0, {})
        for left, top, right, bottom in boxes:
            (x0, y0), (x1, y1) = turn.to_shown(left, top, size), turn.to_shown(right, bottom, size)
            for key in self._keys((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))):
                self._tiles.pop(key, None)

    def paint(self, painter: QPainter, view: View, ratio: float, what: Outlined) -> bool:
        """Lay the tiles of a view, painting those that are missing as far as time allows.

        Args:
            painter: in logical pixels of the screen.
            view: what the screen shows.
            ratio: device pixels a logical pixel.
            what: the marks.

        Returns:
            Whether all was laid; else paint again.
        """
        if view.scale != self._scale:
            self._before = (self._scale, self._tiles) if self._tiles else self._before
            self._scale, self._tiles = view.scale, {}
        wanted = self._keys((view.x, view.y, view.x + view.width / view.scale, view.y + view.height / view.scale))
        missing = [key for key in wanted if key not in self._tiles]
        ends = time.perf_counter() + _BUDGET_S
        for number, key in enumerate(missing):
            if number and time.perf_counter() > ends:
                break
            self._tiles[key] = _painted(key, view.scale, what)
        painter.save()
        painter.scale(1 / ratio, 1 / ratio)
        origin = QPoint(round(view.x * view.scale), round(view.y * view.scale))
        left = [key for key in missing if key not in self._tiles]
        for key in wanted:
            if key in self._tiles:
                painter.drawImage(_corner(key) - origin, self._tiles[key])
        if left:
            self._stretch(painter, left, origin)
        painter.restore()
        self._let_go(wanted)
        return not left

    def _stretch(self, painter: QPainter, missing: Iterable[Key], origin: QPoint) -> None:
        """Lay what was painted at another scale where tiles are missing."""
        scale, tiles = self._before
        region = QRegion()
        for key in missing:
            region += QRect(_corner(key) - origin, QPoint(_SIDE, _SIDE) + _corner(key) - origin)
        painter.setClipRegion(region)
        side = _SIDE * self._scale / scale
        for (column, row), image in tiles.items():
            painter.drawImage(QRectF(column * side - origin.x(), row * side - origin.y(), side, side), image)

    def _let_go(self, wanted: Collection[Key]) -> None:
        if len(self._tiles) > max(_KEPT, 2 * len(wanted)):
            self._tiles = {key: self._tiles[key] for key in wanted if key in self._tiles}

    def _keys(self, shown: Box) -> list[Key]:
        """The tiles that a shown rectangle touches."""
        side, margin = _SIDE / self._scale, _REACH / self._scale
        left, top, right, bottom = (
            math.floor(edge / side)
            for edge in (shown[0] - margin, shown[1] - margin, shown[2] + margin, shown[3] + margin)
        )
        return [(column, row) for row in range(top, bottom + 1) for column in range(left, right + 1)]


def _corner(key: Key) -> QPoint:
    return QPoint(key[0] * _SIDE, key[1] * _SIDE)


def _painted(key: Key, scale: float, what: Outlined) -> QImage:
    """One tile."""
    side, margin = _SIDE / scale, _REACH / scale
    x, y = key[0] * side, key[1] * side
    one = what.turn.to_stored(x - margin, y - margin, what.size)
    other = what.turn.to_stored(x + side + margin, y + side + margin, what.size)
    box = (min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1]))
    image = QImage(_SIDE, _SIDE, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    found = what.marks.query(box, 1 / scale, what.without)
    if not found:
        return image
    screen = what.on_screen(x, y, scale)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for label, outlines in found.items():
        color = what.colors.get(label, INK)
        if len(outlines.points):
            _draw_lines(painter, screen.of(outlines.points), outlines.connect, color)
        if len(outlines.dots):
            _draw_dots(painter, screen.of(outlines.dots), color)
    painter.end()
    return image


def _draw_lines(painter: QPainter, points: Points, connect: np.ndarray, color: QColor) -> None:
    painter.setPen(QPen(color, _LINE))
    path = pg.arrayToQPath(points[:, 0], points[:, 1], connect=connect.astype(np.int32), finiteCheck=False)
    painter.drawPath(path)


def _draw_dots(painter: QPainter, points: Points, color: QColor) -> None:
    """All dots as one path of lines without a length: the ends of the pen are round."""
    painter.setPen(QPen(color, _DOT, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    ends = np.repeat(points, 2, axis=0)
    ends[1::2, 0] += 0.01
    painter.drawPath(pg.arrayToQPath(ends[:, 0], ends[:, 1], connect="pairs", finiteCheck=False))
