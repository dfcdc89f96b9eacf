"""What stands around a picture is read on bright and on dark."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QFont, QImage, QPainter

from pathview.geometry import Region
from pathview.gui.viewer.furniture import draw_numbers, prepare
from tests.gui.test_reading_room import pixels_of
from tests.gui.test_theme import contrast


@pytest.mark.parametrize("ground", ["#ffffff", "#e6b4cd", "#000000"])
def test_that_a_findings_number_is_read_on_light_tissue_and_on_dark(qapp, ground: str) -> None:
    image = QImage(60, 40, QImage.Format.Format_RGB32)
    image.fill(QColor(ground))
    painter = QPainter(image)
    prepare(painter, QFont())
    draw_numbers(painter, [(1, Region(0, 0, 20, 20))], lambda _: QRectF(5, 12, 20, 20))
    painter.end()
    colors = np.unique(pixels_of(image)[7:16, 27:34, 2::-1].reshape(-1, 3), axis=0)
    ink, plate = colors[colors.sum(axis=1).argmax()], colors[colors.sum(axis=1).argmin()]
    assert contrast(QColor(*map(int, ink)).name(), QColor(*map(int, plate)).name()) >= 4.5
