"""The overview map: a whole slide in a corner, with what the screen shows of it; a click goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from pathview.gui.viewer.furniture import INK, OUTLINE, SHADOW
from pathview.gui.viewer.picture import Bgra, Compositor, Overlay, Tone
from pathview.gui.viewer.picture_item import as_image
from pathview.gui.viewer.view import View

if TYPE_CHECKING:
    from pathview.gui.viewer.canvas import Canvas

_SIDE = 190
"""Logical pixels of its longer side."""
_EDGE = 12
_LEAST_MARK = 5.0


class OverviewMap:
    """Shown for images that are read part by part, while the screen does not show all of one."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._compositor: Compositor | None = None
        self._pixels: Bgra | None = None

    def rect(self, canvas: Canvas) -> QRectF | None:
        """Where it lies on the widget; None while it is not shown."""
        data = canvas.data
        if data is None or not data.partial:
            return None
        view, size = canvas.current_view(), data.size
        if view.width / view.scale >= size.width and view.height / view.scale >= size.height:
            return None
        factor = _SIDE / max(size.width, size.height)
        width, height = size.width * factor, size.height * factor
        area = canvas.viewport().rect()
        return QRectF(area.width() - _EDGE - width, area.height() - _EDGE - height, width, height)

    def paint(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw the map, its frame, and what the screen shows."""
        rect, data = self.rect(canvas), canvas.data
        if rect is None or data is None:
            return
        ratio = canvas.devicePixelRatioF()
        if self._compositor is None or self._compositor.data is not data:
            self._compositor = Compositor(data, canvas.tiled)
        scale = rect.width() * ratio / data.size.width
        view = View(0, 0, scale, max(1, round(rect.width() * ratio)), max(1, round(rect.height() * ratio)))
        overlay = Overlay(heat=canvas.overlay.heat, colormap=canvas.overlay.colormap, opacity=canvas.overlay.opacity)
        self._pixels = self._compositor.compose(view, Tone(None, canvas.tone.invert), overlay)
        painter.drawImage(rect.topLeft(), as_image(self._pixels, ratio))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width in ((SHADOW, 3), (INK, 1)):
            painter.setPen(QPen(color, width))
            painter.drawRect(rect)
        shown = self._mark(canvas, rect, data.size.width)
        for color, width in ((SHADOW, 4), (OUTLINE, 2)):
            painter.setPen(QPen(color, width))
            painter.drawRect(shown)

    def _mark(self, canvas: Canvas, rect: QRectF, whole_width: int) -> QRectF:
        view, factor = canvas.current_view(), rect.width() / whole_width
        width = max(_LEAST_MARK, view.width / view.scale * factor)
        height = max(_LEAST_MARK, view.height / view.scale * factor)
        mark = QRectF(rect.left() + view.x * factor, rect.top() + view.y * factor, width, height)
        return mark.intersected(rect.adjusted(-1, -1, 1, 1))

    def shown_at(self, canvas: Canvas, position: QPointF) -> QPointF | None:
        """The shown point that a place on the map stands for; None beside it."""
        rect, data = self.rect(canvas), canvas.data
        if rect is None or data is None or not rect.contains(position):
            return None
        factor = data.size.width / rect.width()
        return QPointF((position.x() - rect.left()) * factor, (position.y() - rect.top()) * factor)
