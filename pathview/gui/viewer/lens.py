"""The magnifying glass: a circle that follows the mouse and shows what lies under it larger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen

from pathview.gui.viewer.furniture import INK, SHADOW, shadowed
from pathview.gui.viewer.picture import Bgra, Compositor
from pathview.gui.viewer.picture_item import as_image
from pathview.gui.viewer.view import View

if TYPE_CHECKING:
    from pathview.gui.viewer.canvas import Canvas

_RADIUS = 150
_TIMES = 2.5
_LEAST = 1.0
"""Device pixels an image pixel: the glass shows every pixel of the image."""


class Lens:
    """On while it is switched on, or while its mouse button is held."""

    def __init__(self) -> None:
        """Off."""
        self.on = False
        self._at: QPointF | None = None
        self._held = False
        self._compositor: Compositor | None = None
        self._pixels: Bgra | None = None

    @property
    def shown(self) -> bool:
        """Whether it follows the mouse."""
        return self.on or self._held

    def switch(self, on: bool) -> None:
        """On or off until switched again."""
        self.on = on
        if not on:
            self.leave()

    def follow(self, position: QPointF) -> None:
        """Show what lies under a point of the widget."""
        self._held = not self.on
        self._at = position

    def leave(self) -> None:
        """The mouse has gone, or its button was let go."""
        self._held = False
        self._at = None

    def forget(self) -> None:
        """The canvas shows another picture."""
        self._compositor = None

    def paint(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw the glass."""
        data = canvas.data
        if not self.shown or self._at is None or data is None:
            return
        if self._compositor is None or self._compositor.data is not data:
            self._compositor = Compositor(data, canvas.tiled)
        ratio = canvas.devicePixelRatioF()
        middle = canvas.shown_at(self._at)
        scale = max(_LEAST, _TIMES * canvas.current_view().scale)
        side = round(2 * _RADIUS * ratio)
        view = View(middle.x() - side / scale / 2, middle.y() - side / scale / 2, scale, side, side)
        self._pixels = self._compositor.compose(view, canvas.tone, canvas.overlay)
        circle = QRectF(self._at.x() - _RADIUS, self._at.y() - _RADIUS, 2 * _RADIUS, 2 * _RADIUS)
        path = QPainterPath()
        path.addEllipse(circle)
        painter.save()
        painter.setClipPath(path)
        painter.drawImage(circle.topLeft(), as_image(self._pixels, ratio))
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width in ((SHADOW, 5), (INK, 2)):
            painter.setPen(QPen(color, width))
            painter.drawEllipse(circle)
        shadowed(painter, QPointF(circle.center().x() - 18, circle.bottom() - 12), f"{100 * scale:.0f} %")
