"""Charts of a training and its result: lines, points with intervals, and a quiet line to compare with."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QColor, QFontInfo, QPalette, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

Point = tuple[float, float]
_DARK = 128
_LIGHTER = 165
"""Per cent; the colours are made for white paper."""
_COLORS = ("#1f6fb8", "#b35400", "#0f6b56", "#7a4fa3", "#a3254b", "#5f6875")
"""Told apart by those who see red and green alike, too; a line's style differs beside its colour."""
_STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
_SMALLER = 1
"""Pixels by which the words of a chart are smaller than those around it."""
_LOOKS = (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.StyleChange)
_VEIL = 190
"""How much of what lies under a legend is covered, of 255."""
_LEAST = 170
_LETTERS = 26
"""Of a line in a legend."""


@dataclass(frozen=True)
class Line:
    """One line of a chart, or its points alone."""

    name: str
    points: Sequence[Point]
    spans: Sequence[Point] = ()
    """Low and high end of each point's interval."""
    marked: bool = False
    """Whether its points are drawn too; a single point always is."""


@dataclass(frozen=True)
class Drawing:
    """What a chart shows."""

    lines: Sequence[Line] = ()
    guide: Sequence[Point] = ()
    """A quiet line to compare with: what guessing gives."""
    upright: float | None = None
    """Where a quiet upright line stands."""
    band: Point | None = None
    """From where to where x is shaded."""
    words: str = ""
    """What it comes to, for those who do not see it."""
    range: tuple[Point, Point] | None = ((0.0, 1.0), (0.0, 1.0))
    """Of x and y; None: as the points lie."""
    whole: bool = False
    """Whether x is counted in whole numbers."""
    y: str = ""
    """Name of the upright axis, where it is not always the same."""


class Chart(QWidget):
    """Axes with their names, a legend, and lines in the theme's colours. It is looked at, not moved."""

    def __init__(self, title: str, x: str, y: str) -> None:
        """Empty; ``title`` is for screen readers."""
        super().__init__()
        self._title, self._x, self._y = title, x, y
        self._corner: Point = (1.0, 0.0)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(220, _LEAST)
        self.drawing = Drawing()
        self.show_drawing(self.drawing)

    @cached_property
    def plot(self) -> pg.PlotWidget:
        """Made when it is first drawn: it takes longer than all else of a page."""
        plot = pg.PlotWidget()
        plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        plot.setMenuEnabled(False)
        plot.setMouseEnabled(False, False)
        plot.hideButtons()
        plot.setLabel("bottom", self._x)
        plot.setTitle(self._title)
        plot.addLegend(offset=(-8, 8))
        self._layout.addWidget(plot)
        return plot

    @property
    def _legend(self) -> pg.LegendItem:
        return self.plot.plotItem.legend

    def sizeHint(self) -> QSize:
        """Small, so that several fit into a page; it takes what room is left."""
        return QSize(320, _LEAST + 20)

    def place_legend(self, corner: Point) -> None:
        """Where the legend stands: 0..1 from the left and the top."""
        self._corner = corner
        self._redraw()

    def show_drawing(self, drawing: Drawing) -> None:
        """Show something else."""
        self.drawing = drawing
        said = f"{self._title}. {drawing.words}".strip() if drawing.words else self._title
        self.setAccessibleName(said)
        self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in _LOOKS and hasattr(self, "drawing"):
            self._redraw()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what was to be shown meanwhile."""
        super().showEvent(event)
        if self._stale:
            self._draw()

    def _redraw(self) -> None:
        """Draw, once it is seen: a page of charts that nobody looks at costs nothing."""
        self._stale = True
        if self.isVisible():
            self._draw()

    def _draw(self) -> None:
        self._stale = False
        back = self.palette().color(QPalette.ColorRole.Window)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        dark = back.lightness() < _DARK
        self.plot.clear()
        self._legend.clear()
        self.plot.setAccessibleName(self.accessibleName())
        self.plot.setLabel("left", self.drawing.y or self._y)
        self._dress(back, text)
        quiet = pg.mkPen(QColor(text.red(), text.green(), text.blue(), 90))
        if self.drawing.guide:
            x, y = zip(*self.drawing.guide, strict=True)
            self.plot.plot(x, y, pen=quiet)
        if self.drawing.band is not None:
            shade = QColor(text.red(), text.green(), text.blue(), 28)
            region = pg.LinearRegionItem(self.drawing.band, movable=False, brush=shade, pen=pg.mkPen(None))
            self.plot.addItem(region)
        if self.drawing.upright is not None:
            self.plot.addItem(pg.InfiniteLine(self.drawing.upright, angle=90, pen=quiet))
        named = sum(bool(line.name) for line in self.drawing.lines) > 1
        for number, line in enumerate(self.drawing.lines):
            if line.points:
                self._draw_line(number, line, dark, back, named)
        if self.drawing.range is None:
            self.plot.enableAutoRange()
        else:
            x_range, y_range = self.drawing.range
            self.plot.setRange(xRange=x_range, yRange=y_range, padding=0.03)

    def _draw_line(self, number: int, line: Line, dark: bool, back: QColor, named: bool) -> None:
        color = QColor(_COLORS[number % len(_COLORS)])
        shade = color.lighter(_LIGHTER) if dark else color
        x, y = (list(values) for values in zip(*line.points, strict=True))
        if line.spans:
            middle = [(a + b) / 2 for a, b in line.spans]
            height = [b - a for a, b in line.spans]
            self.plot.addItem(pg.ErrorBarItem(x=_array(x), y=_array(middle), height=_array(height), pen=shade))
        marks: dict[str, Any] = {}
        if line.marked or len(line.points) == 1:
            marks = {"symbol": "o", "symbolSize": 8, "symbolBrush": shade, "symbolPen": pg.mkPen(back)}
        pen = pg.mkPen(shade, width=2, style=_STYLES[number % len(_STYLES)])
        self.plot.plot(x, y, pen=pen, name=_in_lines(line.name) if named else None, antialias=True, **marks)

    def _dress(self, back: QColor, text: QColor) -> None:
        self.plot.setBackground(back)
        font = self.font()
        size = max(1, QFontInfo(font).pixelSize() - _SMALLER)
        font.setPixelSize(size)
        for side in ("bottom", "left"):
            axis = self.plot.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(text)
            axis.setTickFont(font)
            axis.label.setFont(font)
            axis.setSIPrefixEnableRanges(())  # without these switching the prefix off has 0.2 told as 200
            axis.enableAutoSIPrefix(False)
        if self.drawing.whole:
            self.plot.getAxis("bottom").setTickSpacing(*_whole_spacing(self.drawing))
        self.plot.plotItem.titleLabel.setText(self._title, color=text.name(), size=f"{size + 1}px")
        corner = self._corner
        self._legend.anchor(corner, corner, offset=(8 if corner[0] < 0.5 else -8, 8 if corner[1] < 0.5 else -8))
        self._legend.setLabelTextSize(f"{size}px")
        self._legend.setLabelTextColor(text)
        self._legend.setBrush(QColor(back.red(), back.green(), back.blue(), _VEIL))


def _in_lines(name: str) -> str:
    """A line's name as the legend has it: where it is long over several lines, so that it is not cut off."""
    return "<br>".join(html.escape(part) for part in textwrap.wrap(name, _LETTERS))


def _array(values: Sequence[float]) -> Any:
    import numpy as np

    return np.asarray(values, np.float64)


def _whole_spacing(drawing: Drawing) -> tuple[float, float]:
    """Distances of large and small ticks, so that no half epoch is named."""
    xs = [x for line in drawing.lines for x, _ in line.points]
    span = max(xs) - min(xs) if xs else 1.0
    step = next((step for step in (1, 2, 5, 10, 20, 50, 100) if span / step <= 10), 200)
    return float(step), float(step)
