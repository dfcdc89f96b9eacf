"""Cases in a plain list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class CasesModel(QAbstractListModel):
    """The cases behind a number; rows are written as they are looked at, since there may be very many."""

    def __init__(self, parent: QObject) -> None:
        """Empty."""
        super().__init__(parent)
        self.ids: tuple[int, ...] = ()
        self._titles: Mapping[int, str] = {}

    def show_cases(self, ids: tuple[int, ...], titles: Mapping[int, str]) -> None:
        """List other cases; ``titles`` by id."""
        self.beginResetModel()
        self.ids, self._titles = ids, titles
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        """How many there are."""
        return 0 if parent.isValid() else len(self.ids)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The case's number and title."""
        if role != Qt.ItemDataRole.DisplayRole or not index.isValid():
            return None
        case_id = self.ids[index.row()]
        return f"{case_id}  ·  {self._titles[case_id]}"
