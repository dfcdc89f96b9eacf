"""Pictures that are shown only when a person asks, and kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

Rgb8 = npt.NDArray[np.uint8]
_SIDE = 420


class PicturesDialog(QDialog):
    """Some named pictures side by side."""

    def __init__(
        self, title: str, pictures: Mapping[str, npt.NDArray[np.uint8]], parent: QWidget | None = None
    ) -> None:
        """``pictures``: uint8 [rows, columns, 3] RGB each."""
        super().__init__(parent)
        self.setWindowTitle(title)
        row = QHBoxLayout()
        for name, pixels in pictures.items():
            column = QVBoxLayout()
            words = QLabel(name)
            words.setObjectName("heading")
            shown = QLabel()
            shown.setAccessibleName(name)
            shown.setPixmap(_pixmap(pixels))
            column.addWidget(words)
            column.addWidget(shown, 1, Qt.AlignmentFlag.AlignTop)
            row.addLayout(column)
        note = QLabel("It may carry a name: it is shown here only, and kept nowhere.")
        note.setObjectName("dim")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(row, 1)
        layout.addWidget(note)
        layout.addWidget(buttons)


def _pixmap(pixels: Rgb8) -> QPixmap:
    kept = np.ascontiguousarray(pixels)
    rows, columns = kept.shape[:2]
    image = QImage(kept.data, columns, rows, columns * 3, QImage.Format.Format_RGB888).copy()
    keep = Qt.AspectRatioMode.KeepAspectRatio
    return QPixmap.fromImage(image).scaled(_SIDE, _SIDE, keep, Qt.TransformationMode.SmoothTransformation)
