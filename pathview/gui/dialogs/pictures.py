"""Pictures that are shown only when a person asks, and kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

Rgb8 = npt.NDArray[np.uint8]
_SIDE, _SMALL = 420, 240


class PicturesDialog(QDialog):
    """Some named pictures side by side."""

    def __init__(
        self, title: str, pictures: Mapping[str, Rgb8], note: str, parent: QWidget | None = None, side: int = 0
    ) -> None:
        """Show them.

        Args:
            title: of the window.
            pictures: uint8 [rows, columns, 3] RGB each, by name.
            note: what must be known beside them.
            parent: whose window it is.
            side: of each in points; 0: as there is room.
        """
        super().__init__(parent)
        self.setWindowTitle(title)
        row = QHBoxLayout()
        side = side or (_SIDE if len(pictures) < 4 else _SMALL)
        for name, pixels in pictures.items():
            column = QVBoxLayout()
            heading = QLabel(name)
            heading.setObjectName("heading")
            shown = QLabel()
            shown.setAccessibleName(name)
            shown.setPixmap(_pixmap(pixels, side))
            column.addWidget(heading)
            column.addWidget(shown, 1, Qt.AlignmentFlag.AlignTop)
            row.addLayout(column)
        words = QLabel(note)
        words.setObjectName("dim")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())  # the style's own is dark on dark
        buttons.rejected.connect(self.reject)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        layout = QVBoxLayout(self)
        layout.addLayout(row, 1)
        layout.addWidget(words)
        layout.addWidget(buttons)


def _pixmap(pixels: Rgb8, side: int) -> QPixmap:
    kept = np.ascontiguousarray(pixels)
    rows, columns = kept.shape[:2]
    image = QImage(kept.data, columns, rows, columns * 3, QImage.Format.Format_RGB888).copy()
    keep = Qt.AspectRatioMode.KeepAspectRatio
    return QPixmap.fromImage(image).scaled(side, side, keep, Qt.TransformationMode.SmoothTransformation)
