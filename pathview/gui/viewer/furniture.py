"""What stands around a picture: words in the corners, the scale bar, a cascade's squares, findings, the glass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen

from pathview.geometry import Region, SpacingMm, format_length, round_length
from pathview.gui.viewer.picture import OUTLINE_BGRA
from pathview.results.place_labels import apart
from pathview.results.result import Place, score_words

OUTLINE = QColor(*OUTLINE_BGRA[2::-1])
INK = QColor(235, 238, 243)
SHADOW = QColor(0, 0, 0, 170)
BACKDROP = QColor(0, 0, 0, 150)
PLATE = QColor(0, 0, 0, 180)
"""Under single figures, which are read on white too: 4.5 to 1 and more."""
WARNING = QColor(255, 209, 71)
_BAR_SHARE = 0.18
_LINE = 17
_EDGE = 10
ToScreen = Callable[[Region], QRectF]


@dataclass(frozen=True)
class Corners:
    """Words beside a picture, on the side of the air. Lines of a corner stand below each other."""

    top: tuple[str, ...] = ()
    """The view's name first."""
    bottom: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What must not be overlooked: a phantom, raw values."""
    right: bool = False
    """Whether the air, and so the words, are on the right."""


def prepare(painter: QPainter, font: QFont) -> None:
    """Screen pixels, smooth lines, the furniture's font."""
    painter.resetTransform()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    small = QFont(font)
    small.setPixelSize(12)
    painter.setFont(small)


def draw_message(painter: QPainter, rect: QRectF, text: str) -> None:
    """A sentence in the middle of an empty place."""
    painter.setPen(INK)
    flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
    painter.drawText(rect.adjusted(30, 0, -30, 0), flags, text)


def draw_corners(painter: QPainter, rect: QRectF, corners: Corners, above_bar: float) -> None:
    """The words, each line on a shade, since some pictures have text burnt in at the same place.

    ``above_bar``: how far the lower lines stay from the bottom, where the scale bar is.
    """
    y = rect.top() + _EDGE
    bold = QFont(painter.font())
    bold.setBold(True)
    bold.setPixelSize(14)
    plain = QFont(painter.font())
    for number, line in enumerate(corners.top):
        painter.setFont(bold if number == 0 else plain)
        y = _line(painter, rect, y, line, corners.right, INK)
    painter.setFont(bold)
    for line in corners.warnings:
        y = _line(painter, rect, y, line, corners.right, WARNING)
    painter.setFont(plain)
    y = rect.bottom() - above_bar - _LINE * len(corners.bottom)
    for line in corners.bottom:
        y = _line(painter, rect, y, line, corners.right, INK)


def _line(painter: QPainter, rect: QRectF, y: float, text: str, right: bool, color: QColor) -> float:
    """One line; where the next one starts."""
    metrics = painter.fontMetrics()
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, int(rect.width()) - 2 * _EDGE)
    width = metrics.horizontalAdvance(shown)
    x = rect.right() - _EDGE - width if right else rect.left() + _EDGE
    painter.fillRect(QRectF(x - 3, y, width + 6, metrics.height() + 1), BACKDROP)
    painter.setPen(color)
    painter.drawText(QPointF(x, y + metrics.ascent()), shown)
    return y + metrics.height() + 2


def draw_scale_bar(painter: QPainter, rect: QRectF, spacing: SpacingMm | None, per_px: float, right: bool) -> None:
    """A bar of a round length; ``per_px``: logical screen pixels an image pixel."""
    y = rect.bottom() - 14
    if spacing is None:
        words = "pixel size not known"
        x = rect.right() - _EDGE - painter.fontMetrics().horizontalAdvance(words) if right else rect.left() + _EDGE
        shadowed(painter, QPointF(x, y + 4), words)
        return
    mm_a_screen_px = spacing.column / per_px
    length = round_length(rect.width() * _BAR_SHARE * mm_a_screen_px)
    pixels = length / mm_a_screen_px
    x = rect.right() - _EDGE - pixels if right else rect.left() + _EDGE
    for color, width in ((SHADOW, 5), (INK, 2)):
        painter.setPen(QPen(color, width))
        painter.drawLine(QPointF(x, y), QPointF(x + pixels, y))
        for end in (x, x + pixels):
            painter.drawLine(QPointF(end, y - 5), QPointF(end, y + 5))
    shadowed(painter, QPointF(x, y - 9), format_length(length))


def draw_places(painter: QPainter, places: Sequence[Place], to_screen: ToScreen) -> None:
    """A cascade's places as dashed squares, each with its score."""
    labels = []
    for place in places:
        square = to_screen(place.region)
        _dashed(painter, square, OUTLINE, 1.5)
        labels.append((square.left(), square.top(), score_words(place.score)))
    metrics = painter.fontMetrics()
    widths = [metrics.horizontalAdvance(text) + 8 for _, _, text in labels]
    spots = apart([(x, y, width) for (x, y, _), width in zip(labels, widths, strict=True)], metrics.height())
    for (x, y), (_, _, text), width in zip(spots, labels, widths, strict=True):
        painter.fillRect(QRectF(x, y, width, metrics.height()), BACKDROP)
        shadowed(painter, QPointF(x + 4, y + metrics.ascent()), text)


def draw_numbers(painter: QPainter, numbered: Sequence[tuple[int, Region]], to_screen: ToScreen) -> None:
    """Each finding's number at its upper right corner, as the study's table lists it, on a plate: tissue is light."""
    metrics = painter.fontMetrics()
    for number, region in numbered:
        box, text = to_screen(region), str(number)
        plate = QRectF(box.right() + 1, box.top() - 7, metrics.horizontalAdvance(text) + 5, metrics.height() - 1)
        painter.fillRect(plate, PLATE)
        painter.setPen(INK)
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)


def draw_finding(painter: QPainter, rect: QRectF) -> None:
    """Brackets around the finding that is chosen."""
    rect = rect.adjusted(-10, -10, 10, 10)
    arm = min(18.0, rect.width() / 3, rect.height() / 3)
    path = QPainterPath()
    for x, dx in ((rect.left(), arm), (rect.right(), -arm)):
        for y, dy in ((rect.top(), arm), (rect.bottom(), -arm)):
            path.moveTo(x, y + dy)
            path.lineTo(x, y)
            path.lineTo(x + dx, y)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for color, width in ((SHADOW, 5.0), (INK, 2.0)):
        painter.setPen(QPen(color, width))
        painter.drawPath(path)


def _dashed(painter: QPainter, rect: QRectF, color: QColor, width: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for ink, style in ((SHADOW, Qt.PenStyle.SolidLine), (color, Qt.PenStyle.DashLine)):
        painter.setPen(QPen(ink, width, style))
        painter.drawRect(rect)


def shadowed(painter: QPainter, at: QPointF, text: str) -> None:
    """Text that is read on bright and on dark."""
    painter.setPen(SHADOW)
    for dx, dy in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        painter.drawText(at + QPointF(dx, dy), text)
    painter.setPen(INK)
    painter.drawText(at, text)
