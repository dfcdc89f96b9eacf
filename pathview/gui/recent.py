"""The menu of what was opened lately."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from pathview.gui.actions import by_digit


class RecentMenu(QMenu):
    """One entry a path."""

    chosen = Signal(str)

    def __init__(self, before: QAction, parent: QWidget) -> None:
        """Stands in the menu of ``before``, above it."""
        super().__init__("Open &recent", parent)
        owner = next(owner for owner in before.associatedObjects() if isinstance(owner, QMenu))
        owner.insertMenu(before, self)
        self.triggered.connect(self._on_triggered)

    def fill(self, paths: list[str]) -> None:
        """Offer these paths."""
        self.clear()
        for number, path in enumerate(paths, start=1):
            self.addAction(by_digit(number, path)).setData(path)
        self.setEnabled(bool(paths))

    @Slot(QAction)
    def _on_triggered(self, action: QAction) -> None:
        self.chosen.emit(action.data())
