"""One place of the light box."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from pathview.gui.viewer.canvas import Canvas


class Tile(QFrame):
    """A canvas in a frame, and whose image it shows."""

    def __init__(self, parent: QWidget) -> None:
        """Empty."""
        super().__init__(parent)
        self.setObjectName("tile")
        self.canvas = Canvas()
        self.image_id: int | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.addWidget(self.canvas)

    def mark_active(self, active: bool) -> None:
        """Show by its frame whether keys and panels are about this image."""
        if self.property("active") != active:
            self.setProperty("active", active)
            self.style().unpolish(self)
            self.style().polish(self)
