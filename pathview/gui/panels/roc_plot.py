"""ROC curves and the points where readers and model stand beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyqtgraph as pg
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QVBoxLayout, QWidget

if TYPE_CHECKING:  # the window is painted before the store and its libraries are loaded
    from pathview.review.agreement.figures import Section

_DARK = 128
_LIGHTER = 170
"""Per cent; the colours are made for white paper."""


class RocPlot(QWidget):
    """False positives to the right, sensitivity upwards, both from 0 to 1."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__()
        self.plot = pg.PlotWidget()
        self.plot.setAccessibleName("ROC curves")
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(False, False)
        self.plot.hideButtons()
        self.plot.setLabel("bottom", "1 - specificity")
        self.plot.setLabel("left", "sensitivity")
        self.plot.setRange(xRange=(0, 1), yRange=(0, 1), padding=0.02)
        self._legend = self.plot.addLegend(offset=(-10, -10))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self.setMinimumHeight(280)

    def show_section(self, section: Section, colors: Mapping[str, str]) -> None:
        """Draw a section's curves and points; ``colors`` by rater, as #rrggbb."""
        back = self.palette().color(QPalette.ColorRole.Window)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        dark = back.lightness() < _DARK
        self.plot.clear()
        self._legend.clear()
        self.plot.setBackground(back)
        for side in ("bottom", "left"):
            self.plot.getAxis(side).setPen(text)
            self.plot.getAxis(side).setTextPen(text)
        self._legend.setLabelTextColor(text)
        self.plot.plot([0, 1], [0, 1], pen=pg.mkPen(QColor(text.red(), text.green(), text.blue(), 90)))
        drawn = {curve.title for curve in section.curves}
        for curve in section.curves:
            x, y = zip(*curve.points, strict=True)
            self.plot.plot(x, y, pen=pg.mkPen(_shade(colors[curve.title], dark), width=2), name=curve.title)
        for point in section.points:
            brush = _shade(colors[point.title], dark)
            self.plot.plot(
                [point.false_positives],
                [point.sensitivity],
                pen=None,
                symbol="o",
                symbolBrush=brush,
                symbolPen=pg.mkPen(back),
                symbolSize=11,
                name=None if point.title in drawn else point.title,
            )


def _shade(color: str, dark: bool) -> QColor:
    return QColor(color).lighter(_LIGHTER) if dark else QColor(color)
