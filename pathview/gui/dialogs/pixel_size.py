"""How large a pixel of an image is, where its file does not tell: the reader states it."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from pathview.gui.dialogs.calibration import plain_buttons

_BUTTON = QDialogButtonBox.StandardButton
_WORDS = (
    "The file of this image states no pixel size. With the one that you state, lengths and areas are given in "
    "millimetres, marked as estimated. It is kept with the case; no analysis is started by it."
)
_TISSUE = ("micrometres", 1.0, (0.01, 500.0), "A scanner's pixel at 40 × is about 0.25 µm, at 20 × about 0.5 µm.")
_BREAST = ("millimetres", 1000.0, (0.001, 2.0), "Detectors' pixels are mostly between 0.05 and 0.1 mm.")
"""The unit to write in, micrometres in one of it, what can be, and what is usual."""


class PixelSizeDialog(QDialog):
    """One field, in the unit that readers of such images use; what cannot be is refused beside it."""

    def __init__(self, kind: str, stated_um: float | None, parent: QWidget | None = None) -> None:
        """``kind`` of the image; ``stated_um``: what was stated before, micrometres."""
        super().__init__(parent)
        self.setWindowTitle("State the pixel size")
        unit, self._factor, self._limits, usual = _TISSUE if kind == "histology" else _BREAST
        words = QLabel(_WORDS)
        words.setWordWrap(True)
        self.field = QLineEdit(f"{stated_um / self._factor:g}" if stated_um is not None else "")
        self.field.setAccessibleName(f"Pixel size in {unit}")
        self.field.selectAll()
        label = QLabel(f"&One pixel of the image, in {unit}:")
        label.setBuddy(self.field)
        aside = QLabel(usual)
        aside.setObjectName("dim")
        aside.setWordWrap(True)
        self._refusal = "A pixel is a number of {} between {:g} and {:g}.".format(unit, *self._limits)
        self._problem = QLabel("")
        self._problem.setObjectName("problem")
        self._problem.setWordWrap(True)
        self._buttons = QDialogButtonBox(_BUTTON.Save | _BUTTON.Cancel)
        plain_buttons(self._buttons)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self.field.textChanged.connect(self._show_state)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        for widget in (words, label, self.field, aside, self._problem, self._buttons):
            layout.addWidget(widget)
        self.setMinimumWidth(420)
        self._show_state()

    @property
    def um(self) -> float | None:
        """What is written, in micrometres; None: it can be no pixel's size."""
        try:
            size = float(self.field.text().strip().replace(",", "."))
        except ValueError:
            return None
        return size * self._factor if self._limits[0] <= size <= self._limits[1] else None

    @Slot()
    def _show_state(self) -> None:
        self._buttons.button(_BUTTON.Save).setEnabled(self.um is not None)
        refused = self.um is None and bool(self.field.text().strip())
        self._problem.setText(self._refusal if refused else "")
