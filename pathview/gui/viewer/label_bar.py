"""Below the light box: the size of the tool in hand, the label of what is chosen or drawn next, and its properties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QColorDialog, QHBoxLayout, QInputDialog, QLabel, QMenu, QPushButton, QWidget

from pathview.gui.actions import by_digit

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.cases.labels import Label

_CHIP = 12
_FIRST_COLOR = "#f28e2b"
_NO_LABEL = "No label"


class LabelBar(QWidget):
    """Asks for labels and properties."""

    label_chosen = Signal(str)
    """Name of a label; empty: none."""
    label_made = Signal(str, str)
    """Name and colour (#rrggbb)."""
    label_recolored = Signal(str, str)
    label_renamed = Signal(str, str)
    """Name before and after."""
    properties_asked = Signal()

    def __init__(self) -> None:
        """No labels."""
        super().__init__()
        self._labels: tuple[Label, ...] = ()
        self._name = ""
        self._size = QLabel("")
        self._size.setObjectName("readout")
        self.button = _flat(QPushButton(_NO_LABEL), "Label", "Of the chosen annotations and of the next ones (Shift+L)")
        self._properties = _flat(QPushButton("Properties..."), "Properties", "Of the chosen annotation (Shift+N)")
        self._properties.hide()
        self._properties.clicked.connect(self.properties_asked)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self.fill)
        self.button.setMenu(self.menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self._size, self._properties, self.button):
            layout.addWidget(part)

    def show_labels(self, labels: Sequence[Label], name: str, chosen: bool) -> None:
        """Show a label, and what there is to choose from; ``chosen``: it is that of a mark that is chosen."""
        self._labels, self._name = tuple(labels), name
        color = next((label.color for label in labels if label.name == name), "")
        self.button.setText(name or _NO_LABEL)
        self.button.setIcon(_chip(color) if color else QIcon())
        self._properties.setVisible(chosen)

    def show_size(self, words: str) -> None:
        """Show how large the tool in hand is."""
        self._size.setText(words)

    @Slot()
    def open_menu(self) -> None:
        """Let the reader choose by one key: a digit, or 0 for no label."""
        self.button.showMenu()

    @Slot()
    def fill(self) -> None:
        """Write the menu anew."""
        self.menu.clear()
        for number, label in enumerate(self._labels, start=1):
            action = self.menu.addAction(_chip(label.color), by_digit(number, label.name, " " * 5))
            action.setData(label.name)
            action.triggered.connect(self._on_label)
        nothing = self.menu.addAction(f"&0  {_NO_LABEL}")
        nothing.setData("")
        nothing.triggered.connect(self._on_label)
        self.menu.addSeparator()
        self.menu.addAction("&New label...").triggered.connect(self._ask_label)
        if self._name:
            name = self._name.replace("&", "&&")
            self.menu.addAction(f"&Colour of {name}...").triggered.connect(self._ask_color)
            self.menu.addAction(f"&Rename {name}...").triggered.connect(self._ask_name)

    @Slot()
    def _on_label(self) -> None:
        self.label_chosen.emit(str(self.sender().data()))  # type: ignore[attr-defined]

    @Slot()
    def _ask_label(self) -> None:
        name, sure = QInputDialog.getText(self, "New label", "Name")
        if sure and name.strip():
            color = QColorDialog.getColor(QColor(_FIRST_COLOR), self, f"Colour of {name.strip()}")
            if color.isValid():
                self.label_made.emit(name, color.name())

    @Slot()
    def _ask_name(self) -> None:
        before = self._name
        name, sure = QInputDialog.getText(
            self, "Rename", f"New name of {before}, on all annotations that have it", text=before
        )
        if sure and name.strip():
            self.label_renamed.emit(before, name)

    @Slot()
    def _ask_color(self) -> None:
        before = next((label.color for label in self._labels if label.name == self._name), _FIRST_COLOR)
        color = QColorDialog.getColor(QColor(before), self, f"Colour of {self._name}")
        if color.isValid():
            self.label_recolored.emit(self._name, color.name())


def _flat(button: QPushButton, name: str, tip: str) -> QPushButton:
    button.setFlat(True)
    button.setObjectName("tone")
    button.setAccessibleName(name)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button


def _chip(color: str) -> QIcon:
    """A round of a colour."""
    pixmap = QPixmap(_CHIP, _CHIP)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    painter.drawEllipse(0, 0, _CHIP, _CHIP)
    painter.end()
    return QIcon(pixmap)
