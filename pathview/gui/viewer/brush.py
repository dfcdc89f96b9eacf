"""What brush and eraser show while they are used: the circle at the pointer, and where it went."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from pathview.gui.viewer.mark_lines import ToScreen
from pathview.results.annotation import Mark

_INK, _SHADOW = QColor(255, 255, 255, 230), QColor(0, 0, 0, 150)
_COVERED = QColor(255, 255, 255, 70)


def paint_brush(
    painter: QPainter, trail: Mark | None, pointer: QPointF | None, radius: float, to_screen: ToScreen
) -> None:
    """Paint the way so far and the circle.

    Args:
        painter: of the canvas; left as it was.
        trail: the places where the brush was, in stored pixels; None: the button is up.
        pointer: on the screen; None: the mouse is elsewhere.
        radius: logical screen pixels.
        to_screen: from stored level-0 (x, y) to the painter's coordinates.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if trail is not None and trail.points:
        round_pen = QPen(
            _COVERED, 2 * radius, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
        )
        painter.setPen(round_pen)
        places = [to_screen(*point) for point in trail.points]
        painter.drawPolyline(places if len(places) > 1 else [places[0], places[0] + QPointF(0.01, 0)])
    if pointer is not None:
        for ink, width in ((_SHADOW, 3.0), (_INK, 1.2)):
            painter.setPen(QPen(ink, width))
            painter.drawEllipse(pointer, radius, radius)
    painter.restore()
