"""Backups of the store, to put one back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QMessageBox,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.dialogs.calibration import plain_buttons

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.sql.backups import Backup

_BUTTON = QDialogButtonBox.StandardButton
_SIZE = QSize(720, 380)
_NUMBERS, _FILE = (1, 2, 3), 4
_MB = 1e6


class BackupsDialog(QDialog):
    """A line for each backup; restoring is confirmed once, since going on without what came after is a real loss."""

    chosen = Signal(str)
    """Name of the backup that the reader wants back."""

    def __init__(self, backups: Sequence[Backup], why: str = "", parent: QWidget | None = None) -> None:
        """``why``: what is wrong with the store, in a sentence; empty: nothing."""
        super().__init__(parent)
        self.setWindowTitle("Restore a backup")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        words = QLabel(
            "The store is put back as it was when the backup was made. What is there now is put aside in a file "
            "of its own beside it, and never deleted."
        )
        words.setWordWrap(True)
        words.setObjectName("dim")
        problem = QLabel(why)
        problem.setObjectName("problem")
        problem.setWordWrap(True)
        problem.setVisible(bool(why))
        none = QLabel("There is no backup yet. One is made each day, and before each new version's first start.")
        none.setWordWrap(True)
        none.setVisible(not backups)
        self.rows = QTreeWidget()
        self.rows.setHeaderLabels(["Made", "Cases", "Decided", "Size", "File"])
        self.rows.setRootIsDecorated(False)
        self.rows.setAccessibleName("Backups, the newest first")
        self.rows.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.rows.setVisible(bool(backups))
        for backup in backups:
            made = f"{backup.made.astimezone():%A, %d %B %Y  %H:%M}"
            held = backup.contents
            counts = [f"{held.cases:,}", f"{held.decided:,}"] if held is not None else ["unknown", "unknown"]
            item = QTreeWidgetItem([made, *counts, f"{backup.size_bytes / _MB:.1f} MB", backup.name])
            for column in _NUMBERS:
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.rows.addTopLevelItem(item)
        if (newest := self.rows.topLevelItem(0)) is not None:
            self.rows.setCurrentItem(newest)
        self._buttons = QDialogButtonBox(_BUTTON.Ok | _BUTTON.Cancel)
        plain_buttons(self._buttons)
        self._buttons.button(_BUTTON.Ok).setText("Restore ...")
        self._buttons.button(_BUTTON.Ok).setEnabled(bool(backups))
        self._buttons.accepted.connect(self._ask)
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for part in (problem, words, none):
            layout.addWidget(part)
        layout.addWidget(self.rows, 1)
        layout.addStretch(0 if backups else 1)
        layout.addWidget(self._buttons)
        self.resize(_SIZE)

    @Slot()
    def _ask(self) -> None:
        """Have it confirmed, then say which."""
        item = self.rows.currentItem()
        if item is not None and self._confirmed(item.text(0), item.text(1), item.text(2)):
            self.chosen.emit(item.text(_FILE))
            self.accept()

    def _confirmed(self, made: str, cases: str, decided: str) -> bool:
        box = QMessageBox(self)
        box.setWindowTitle("Restore a backup")
        box.setText(f"Go back to the store of {made}?")
        box.setInformativeText(
            f"It holds {cases} cases, {decided} of them decided. PathView goes on without anything that was saved "
            "since then. It stays in the file that is put aside."
        )
        yes = box.addButton("Restore", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole))
        box.exec()
        return box.clickedButton() is yes
