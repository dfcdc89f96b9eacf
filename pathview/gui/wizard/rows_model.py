"""Lines of text for a table view, however many there are: only what is in view is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class RowsModel(QAbstractTableModel):
    """Cells as they are given."""

    def __init__(self, parent: QObject | None = None) -> None:
        """Empty."""
        super().__init__(parent)
        self.header: Sequence[str] = ()
        self.lines: Sequence[Sequence[str]] = ()

    def show_lines(self, header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """Show other lines."""
        self.beginResetModel()
        self.header, self.lines = header, lines
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Lines that there are."""
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Columns that there are."""
        return 0 if parent.isValid() else len(self.header)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A cell's words, which are its tip too."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self.lines[index.row()][index.column()]
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A column's name."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.header[section]
        return None


class RowsView(QTableView):
    """A quiet table that is read, not written; arrows walk through it, Tab leaves it."""

    def __init__(self, title: str) -> None:
        """Empty; ``title`` is for screen readers."""
        super().__init__()
        self.rows = RowsModel(self)
        self.setModel(self.rows)
        self.setAccessibleName(title)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 10)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeader().setResizeContentsPrecision(50)

    def show_lines(self, header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """Show other lines; columns as wide as the first lines need, the last takes what room is left."""
        self.rows.show_lines(header, lines)
        head = self.horizontalHeader()
        head.setStretchLastSection(True)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.resizeColumnsToContents()
        most = max(160, self.viewport().width() // 2)
        for column in range(len(header) - 1):
            self.setColumnWidth(column, min(most, self.columnWidth(column) + 12))
