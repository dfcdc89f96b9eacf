"""Words of the reader's own beside an annotation, by name."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.dialogs.calibration import plain_buttons

_BUTTON = QDialogButtonBox.StandardButton
_SPARE = 4
"""Empty rows to write in."""


class PropertiesDialog(QDialog):
    """A table of names and words; a row without a name is none."""

    def __init__(self, properties: Mapping[str, str], parent: QWidget | None = None) -> None:
        """``properties`` as they are."""
        super().__init__(parent)
        self.setWindowTitle("Properties of the annotation")
        self.table = QTableWidget(len(properties) + _SPARE, 2)
        self.table.setAccessibleName("Properties")
        self.table.setHorizontalHeaderLabels(["Name", "Words"])
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setColumnWidth(0, 150)
        for row, pair in enumerate(properties.items()):
            for column, words in enumerate(pair):
                self.table.setItem(row, column, QTableWidgetItem(words))
        buttons = QDialogButtonBox(_BUTTON.Save | _BUTTON.Cancel)
        plain_buttons(buttons)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.table)
        layout.addWidget(buttons)
        self.resize(460, 300)

    @property
    def properties(self) -> dict[str, str]:
        """What is written."""
        rows = [(self._text(row, 0), self._text(row, 1)) for row in range(self.table.rowCount())]
        return {name: words for name, words in rows if name}

    def _text(self, row: int, column: int) -> str:
        item = self.table.item(row, column)
        return item.text().strip() if item is not None else ""
