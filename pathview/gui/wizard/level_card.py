"""One level of training as a card: what it does, for whom it is, how long it takes here."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QLabel, QRadioButton, QVBoxLayout

from pathview.gui.wizard.base_page import dim
from pathview.gui.wizard.parts import wrapped


class LevelCard(QFrame):
    """Chosen by a click anywhere, or as a radio button by keys."""

    chosen = Signal()

    def __init__(self, title: str, words: str) -> None:
        """Not chosen."""
        super().__init__()
        self.setObjectName("card")
        self.radio = QRadioButton(title)
        self.radio.setAccessibleDescription(words)
        self.radio.setObjectName("name")
        self.radio.toggled.connect(self._mark)
        self.radio.clicked.connect(self.chosen)
        self.advised = QLabel("Advised for these data")
        self.advised.setObjectName("key")
        self.time = wrapped("")
        self.time.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(5)
        layout.addWidget(self.radio)
        layout.addWidget(self.advised)
        layout.addWidget(dim(words))
        layout.addStretch(1)
        layout.addWidget(self.time)

    def set_advised(self, on: bool) -> None:
        """Whether the advice is this level."""
        self.advised.setText("Advised for these data" if on else " ")

    def _mark(self, on: bool) -> None:
        self.setProperty("chosen", on)
        self.style().unpolish(self)
        self.style().polish(self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose it."""
        if self.isEnabled() and self.radio.isEnabled():
            self.radio.setFocus()
            self.radio.click()
        super().mousePressEvent(event)
