"""Who reads: a name, asked once and taken from then on. No password: this tells readers apart, it keeps nobody out."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.dialogs.calibration import plain_buttons

_BUTTON = QDialogButtonBox.StandardButton
_LONGEST = 80
"""As many letters as the store keeps of a name."""
_SIZE = QSize(380, 330)


class ReaderDialog(QDialog):
    """Names to choose from and a field to write one; :attr:`name` is never empty."""

    def __init__(self, names: Sequence[str], current: str, parent: QWidget | None = None) -> None:
        """``names``: readers that the store knows; ``current``: who it is unless another name is taken."""
        super().__init__(parent)
        self.setWindowTitle("Who is reading?")
        self._current = current
        words = QLabel(
            "Your name stands beside what you decide and draw. Each reader has their own first read; "
            "there is no password."
        )
        words.setWordWrap(True)
        words.setObjectName("dim")
        self.field = QLineEdit(current)
        self.field.setMaxLength(_LONGEST)
        self.field.setAccessibleName("Name of the reader")
        self.field.setPlaceholderText("Name")
        self.field.selectAll()
        self.known = QListWidget()
        self.known.setAccessibleName("Known readers")
        for name in names:
            item = QListWidgetItem(name, self.known)
            if name == current:
                self.known.setCurrentItem(item)
        self.known.setVisible(bool(names))
        self._buttons = QDialogButtonBox(_BUTTON.Ok | _BUTTON.Cancel)
        plain_buttons(self._buttons)
        self._buttons.button(_BUTTON.Ok).setText("Take this name")
        self._buttons.button(_BUTTON.Cancel).setText(f"Keep {_short(current)}")
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(words)
        layout.addWidget(self.field)
        layout.addWidget(self.known, 1)
        layout.addWidget(self._buttons)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self.field.textChanged.connect(self._show_state)
        self.known.currentTextChanged.connect(self._take)
        self.known.itemActivated.connect(self.accept)
        self.resize(_SIZE if names else self.sizeHint())
        self.field.setFocus()
        self._show_state()

    @property
    def name(self) -> str:
        """Who reads from now on: what was written, or who it was before."""
        written = " ".join(self.field.text().split())
        return written if written and self.result() == QDialog.DialogCode.Accepted else self._current

    @Slot(str)
    def _take(self, name: str) -> None:
        if name:
            self.field.setText(name)

    @Slot()
    def _show_state(self) -> None:
        self._buttons.button(_BUTTON.Ok).setEnabled(bool(self.field.text().strip()))


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
