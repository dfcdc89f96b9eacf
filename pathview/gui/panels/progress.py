"""The status bar's account of what runs, with the button that stops it."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from pathview.jobs import Progress


class ProgressLine(QWidget):
    """Words, a bar and Cancel; hidden while nothing runs."""

    cancelled = Signal()

    def __init__(self, stop: str = "Cancel (Esc)") -> None:
        """Hidden; ``stop`` is what its button says."""
        super().__init__()
        self._words = QLabel("")
        self._bar = QProgressBar()
        self._bar.setFixedWidth(220)
        self._bar.setTextVisible(False)
        cancel = QPushButton(stop)
        cancel.clicked.connect(self.cancelled)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._words, self._bar, cancel):
            layout.addWidget(widget)
        self.hide()

    @Slot(object)
    def show_step(self, step: Progress | None) -> None:
        """Show a step, or nothing (None)."""
        self.setVisible(step is not None)
        if step is not None:
            self._words.setText(step.message)
            self._bar.setRange(0, 1000 if step.fraction is not None else 0)
            self._bar.setValue(round(1000 * (step.fraction or 0)))
