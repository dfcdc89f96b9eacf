"""What the window says outside its panels: the banner, the empty state, the keyboard help."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.actions import ACTIONS
from pathview.settings import INVESTIGATIONAL


class Banner(QWidget):
    """One line above the canvas; stays until it is closed or replaced."""

    def __init__(self) -> None:
        """Hidden."""
        super().__init__()
        self.setObjectName("banner")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._words = QLabel("")
        self._words.setWordWrap(True)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QPushButton("Close")
        close.setFlat(True)
        close.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 6, 8, 6)
        layout.addWidget(self._words, 1)
        layout.addWidget(close)
        self.hide()

    def say(self, text: str) -> None:
        """Show a sentence."""
        self._words.setText(text)
        self.setAccessibleName(text)
        self.show()

    @property
    def text(self) -> str:
        """What is shown, or nothing while hidden."""
        return "" if self.isHidden() else self._words.text()


class EmptyState(QWidget):
    """What a newcomer sees: what the program is for and what to do first."""

    open_files = Signal()
    open_folder = Signal()
    open_recent = Signal(str)
    open_samples = Signal()

    def __init__(self) -> None:
        """Shown while there is no case."""
        super().__init__()
        title = QLabel("Drop images here")
        title.setObjectName("title")
        words = QLabel(
            "DICOM mammograms, whole slides, camera images, or a folder of 50 × 50 patches.\n"
            "They are added to the worklist on the left; nothing leaves this computer."
        )
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words.setObjectName("dim")
        files = QPushButton("Open images...")
        files.setObjectName("primary")
        folder = QPushButton("Open folder...")
        files.clicked.connect(self.open_files)
        folder.clicked.connect(self.open_folder)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(files)
        row.addWidget(folder)
        row.addStretch(1)
        steps = QLabel(
            "1.  Open images.    2.  Analyse (A).    3.  Look where the model is not sure.    4.  Decide: P, N or C."
        )
        steps.setAlignment(Qt.AlignmentFlag.AlignCenter)
        samples = QPushButton("No images at hand? Open sample phantoms")
        samples.setFlat(True)
        samples.clicked.connect(self.open_samples)
        self._recent = QVBoxLayout()
        self._recent.setAlignment(Qt.AlignmentFlag.AlignCenter)
        notice = QLabel(f"{INVESTIGATIONAL}.")
        notice.setObjectName("dim")
        layout = QVBoxLayout(self)
        layout.addStretch(3)
        for widget in (title, words):
            layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addSpacing(10)
        layout.addLayout(row)
        layout.addSpacing(18)
        layout.addWidget(steps, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(samples, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addSpacing(18)
        layout.addLayout(self._recent)
        layout.addStretch(4)
        layout.addWidget(notice, 0, Qt.AlignmentFlag.AlignCenter)

    def show_recent(self, paths: list[str]) -> None:
        """Offer what was opened lately."""
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for path in paths:
            button = QPushButton(_shortened(path))
            button.setFlat(True)
            button.setToolTip(path)
            button.setProperty("path", path)
            button.clicked.connect(self._on_recent)
            self._recent.addWidget(button)

    def _on_recent(self) -> None:
        self.open_recent.emit(str(self.sender().property("path")))


_COLUMNS = (("File", "Case"), ("Analysis", "Help"), ("View",))
"""Menus of the keyboard's help, side by side."""


class KeyboardHelp(QDialog):
    """All keys, made from the table of actions."""

    def __init__(self, parent: QWidget) -> None:
        """Fill from the table."""
        super().__init__(parent)
        self.setWindowTitle("Keyboard")
        self.resize(1120, 470)
        inside = QWidget()
        columns = QHBoxLayout(inside)
        columns.setSpacing(36)
        for names in _COLUMNS:
            grid = QGridLayout()
            grid.setHorizontalSpacing(18)
            grid.setVerticalSpacing(6)
            for name in names:
                heading = QLabel(name)
                heading.setObjectName("heading")
                grid.addWidget(heading, grid.rowCount(), 0, 1, 2)
                for spec in ACTIONS:
                    if spec.menu == name and spec.keys:
                        row = grid.rowCount()
                        keys = QLabel("  or  ".join(_key_words(key) for key in spec.keys))
                        keys.setObjectName("key")
                        grid.addWidget(keys, row, 0)
                        grid.addWidget(QLabel(spec.text.rstrip(".")), row, 1)
            grid.setRowStretch(grid.rowCount(), 1)
            columns.addLayout(grid)
        mouse = QLabel("Mouse: drag to pan, right drag for the window, wheel to zoom, double click to fit.")
        mouse.setWordWrap(True)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())  # the style's own is dark on dark
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll, 1)
        layout.addWidget(mouse)
        layout.addWidget(buttons)


def _key_words(key: str) -> str:
    return {"PgDown": "Page down", "PgUp": "Page up", ",": ", (comma)", ".": ". (full stop)"}.get(key, key)


def _shortened(path: str) -> str:
    return path if len(path) <= 60 else f"...{path[-57:]}"
