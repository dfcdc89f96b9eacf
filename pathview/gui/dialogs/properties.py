"""Words of the reader's own beside an annotation, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.dialogs.calibration import plain_buttons

_BUTTON = QDialogButtonBox.StandardButton
_SPARE = 4
"""Empty rows to write in."""


_HELP = (
    "What you write here is kept with this annotation and goes into its exports, for example "
    '"side" - "left" or "seen by" - "Dr Lee". A row is a name and its words; an empty row is left out.'
)


class PropertiesDialog(QDialog):
    """A table of names and words; what is half a row, or a name twice, is refused beside it."""

    def __init__(self, properties: Mapping[str, str], parent: QWidget | None = None) -> None:
        """``properties`` as they are."""
        super().__init__(parent)
        self.setWindowTitle("Properties of the annotation")
        self._given = dict(properties)
        self.table = QTableWidget(len(properties) + _SPARE, 2)
        self.table.setAccessibleName("Properties")
        self.table.setHorizontalHeaderLabels(["Name", "Words"])
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setColumnWidth(0, 150)
        for row, pair in enumerate(properties.items()):
            for column, words in enumerate(pair):
                self.table.setItem(row, column, QTableWidgetItem(words))
        aside = QLabel(_HELP)
        aside.setObjectName("dim")
        aside.setWordWrap(True)
        self.problem = QLabel("")
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.buttons = QDialogButtonBox(_BUTTON.Save | _BUTTON.Cancel)
        plain_buttons(self.buttons)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.table.itemChanged.connect(self._show_problem)
        layout = QVBoxLayout(self)
        for widget in (aside, self.table, self.problem, self.buttons):
            layout.addWidget(widget)
        self.resize(480, 360)

    @property
    def properties(self) -> dict[str, str]:
        """What is written."""
        return {name: words for name, words in self._rows if name}

    @property
    def _rows(self) -> list[tuple[str, str]]:
        return [(self._text(row, 0), self._text(row, 1)) for row in range(self.table.rowCount())]

    @Slot()
    def _show_problem(self) -> None:
        """Say what cannot be saved, and why."""
        self.problem.setText(_problem(self._rows, self._given))
        self.buttons.button(_BUTTON.Save).setEnabled(not self.problem.text())

    def _text(self, row: int, column: int) -> str:
        item = self.table.item(row, column)
        return item.text().strip() if item is not None else ""


def _problem(rows: Sequence[tuple[str, str]], given: Mapping[str, str]) -> str:
    """Why rows cannot be saved; what was ``given`` without words, by a file for one, may stay so."""
    names: set[str] = set()
    for number, (name, words) in enumerate(rows, start=1):
        if words and not name:
            return f"Row {number} has words and no name: give it one, or empty it."
        if name and not words and given.get(name) != "":
            return f'"{name}" has no words: write them, or empty the name.'
        if name in names:
            return f'"{name}" stands twice: each name can be used once.'
        names |= {name} - {""}
    return ""
