"""Small widgets that draw one thing each: a score against its limits, a histogram, a colour bar."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from pathview.gui.theme import Theme, label_color
from pathview.images.render import colors
from pathview.results.result import score_words
from pathview.review.records.case import ResultRow, position_of


class ScoreBand(QWidget):
    """Where a score stands: thirds for negative, not sure and positive, with the limits named."""

    def __init__(self, theme: Theme) -> None:
        """Empty until :meth:`show_result`."""
        super().__init__()
        self.theme = theme
        self._result: ResultRow | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Two lines of text and the band."""
        return QSize(260, 63)

    def show_result(self, result: ResultRow | None) -> None:
        """Draw another result."""
        self._result = result if result is not None and result.score is not None else None
        found = self._result
        words = (
            f"Score {score_words(found.score)}, {found.label}" if found is not None and found.score is not None else ""
        )
        self.setAccessibleName(words)
        self.update()

    def paintEvent(self, event: Any) -> None:
        """Draw band, limits and marker."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(8, 16, self.width() - 16, 12)
        third = area.width() / 3
        for number, label in enumerate(("negative", "not_sure", "positive")):
            color = QColor(label_color(self.theme, label))
            color.setAlpha(235 if self._result is not None and self._result.label == label else 90)
            painter.fillRect(QRectF(area.left() + number * third + 1, area.top(), third - 2, area.height()), color)
        painter.setPen(QColor(self.theme.dim))
        result = self._result
        below = area.bottom() + 16
        for number, word in enumerate(("negative", "not sure", "positive")):
            box = QRectF(area.left() + number * third, below - 1, third, 18)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, word)
        if result is None or result.score is None or result.lower is None or result.upper is None:
            return
        for number, limit in ((1, result.lower), (2, result.upper)):
            box = QRectF(area.left() + number * third - 40, area.bottom() + 1, 80, 14)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, score_words(limit))
        x = area.left() + area.width() * position_of(result.score, result.lower, result.upper)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.theme.text))
        painter.drawPolygon(QPolygonF([QPointF(x - 7, 4), QPointF(x + 7, 4), QPointF(x, 15)]))


class MapHistogram(QWidget):
    """How much of the map lies at each probability (counts on a root scale), with the threshold's line."""

    BINS = 100

    def __init__(self, theme: Theme) -> None:
        """Empty until :meth:`show_map`."""
        super().__init__()
        self.theme = theme
        self._heights: npt.NDArray[np.float64] = np.zeros(self.BINS)
        self._threshold = 0.5
        self.setFixedHeight(54)
        self.setAccessibleName("Histogram of the probability map")

    def show_map(self, values: npt.NDArray[np.float32] | None) -> None:
        """Take the values of another map, or None."""
        self._heights = np.zeros(self.BINS)
        if values is not None:
            counts, _ = np.histogram(values[~np.isnan(values)], self.BINS, (0.0, 1.0))
            root = np.sqrt(np.sqrt(counts))
            self._heights = root / max(1.0, root.max())
        self.update()

    def show_threshold(self, threshold: float) -> None:
        """Move the line."""
        self._threshold = threshold
        self.update()

    def paintEvent(self, event: Any) -> None:
        """Draw bars and line; bars from the threshold on are bright."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self.theme.field))
        width, height = self.width() / self.BINS, self.height() - 4
        for number, share in enumerate(self._heights):
            inside = (number + 0.5) / self.BINS >= self._threshold
            color = QColor(self.theme.not_sure if inside else self.theme.dim)
            bar, left = share * height, round(number * width)
            painter.fillRect(QRectF(left, self.height() - bar, round((number + 1) * width) - left, bar), color)
        painter.setPen(QPen(QColor(self.theme.text), 2))
        x = self._threshold * self.width()
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))


class ColorBar(QWidget):
    """A colour map from low to high, with words at its ends."""

    def __init__(self, theme: Theme, colormap: str) -> None:
        """Draw one colour map."""
        super().__init__()
        self.theme = theme
        self.setFixedHeight(30)
        self.set_colormap(colormap)

    def set_colormap(self, colormap: str) -> None:
        """Draw another one."""
        self._table = colors(colormap)
        self.setAccessibleName(f"Colour bar {colormap}")
        self.update()

    def paintEvent(self, event: Any) -> None:
        """Draw the ramp and its words."""
        painter = QPainter(self)
        image = QImage(self._table.data, 256, 1, 256 * 3, QImage.Format.Format_RGB888)
        painter.drawImage(QRectF(0, 0, self.width(), 12), image)
        painter.setPen(QColor(self.theme.dim))
        row = QRectF(0, 13, self.width(), 16)
        painter.drawText(row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "little attention")
        painter.drawText(row, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, "most in this image")
