"""Whether the score is calibrated by a temperature, and what that does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from pathview.gui.wizard.parts import wrapped

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.judging.chooser import Chooser

_TIP = (
    "The network's logits divided by one number, found on the validation patients (temperature scaling). Limits of two "
    "classes move with the score: the same images reach them"
)


class CalibrateBox(QWidget):
    """A tick, and in words what it does: before and after, and whether it helps."""

    toggled = Signal(bool)

    def __init__(self) -> None:
        """Nothing to calibrate yet."""
        super().__init__()
        self.box = QCheckBox("C&alibrate the score")
        self.box.setToolTip(_TIP)
        self.about = wrapped("", "dim")
        self.figures = wrapped()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (self.box, self.figures, self.about):
            layout.addWidget(part)
        self.box.toggled.connect(self.toggled)

    def show_offer(self, chooser: Chooser, temperature: float | None, kept: bool) -> None:
        """Offer a temperature, or say why there is none; ``kept``: the model has it."""
        found = chooser.tempering
        self.box.setEnabled(temperature is not None)
        told = f" (temperature {temperature:.2f})" if temperature is not None else ""
        self.box.setText(f"C&alibrate the score{told}")
        with QSignalBlocker(self.box):
            self.box.setChecked(kept)
        self.figures.setVisible(found is not None)
        if found is None:
            self.about.setText(f"{chooser.no_tempering} {chooser.about_risk}".strip())
        else:
            error = f"{found.before.ece:.3f} → {found.after.ece:.3f}"
            self.figures.setText(f"Expected calibration error on validation: {error}")
            self.about.setText(found.sentence)
        self.box.setAccessibleDescription(f"{self.figures.text() if found else ''} {self.about.text()}".strip())
