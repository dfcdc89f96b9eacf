"""The item that paints the visible part of a canvas' picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage, QPainter

from pathview.gui.viewer.picture import Bgra

if TYPE_CHECKING:
    from pathview.gui.viewer.canvas import Canvas


def as_image(pixels: Bgra, ratio: float) -> QImage:
    """Composed pixels as an image of Qt's that borrows them: they must be kept while it is drawn."""
    height, width = pixels.shape[:2]
    image = QImage(pixels.data, width, height, width * 4, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    return image


class PictureItem(pg.GraphicsObject):  # type: ignore[misc]
    """Its own size is the image's, as shown."""

    def __init__(self, canvas: Canvas) -> None:
        """Of one canvas."""
        super().__init__()
        self._canvas = canvas
        self._pixels: Bgra | None = None

    def boundingRect(self) -> QRectF:
        """The whole image."""
        size = self._canvas.size_px
        return QRectF(0, 0, size.width, size.height) if size else QRectF(0, 0, 1, 1)

    def paint(self, painter: QPainter, *_: Any) -> None:
        """Compose what is visible and draw it pixel by pixel."""
        canvas = self._canvas
        if canvas.compositor is None:
            return
        self._pixels = canvas.compositor.compose(canvas.current_view(), canvas.tone, canvas.overlay)
        painter.save()
        painter.resetTransform()
        painter.drawImage(QPointF(0, 0), as_image(self._pixels, canvas.devicePixelRatioF()))
        painter.restore()
