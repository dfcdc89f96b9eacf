"""The sitting: who reads, and the store that they read in, with its backups."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QDialog, QMessageBox, QPushButton, QWidget

from pathview.errors import DamagedStoreError
from pathview.gui.desk import Desk
from pathview.gui.dialogs.backups import BackupsDialog
from pathview.gui.dialogs.reader import ReaderDialog
from pathview.gui.preferences import Preferences
from pathview.settings import login_name

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.sql.backups import Backup, Restored

_BUSY = "Something is being analysed or opened; let it end or cancel it (Esc), then restore."


class Sitting(QObject):
    """Asks for a reader and for backups; never on its own but where the store cannot be opened."""

    said = Signal(str)
    """A sentence for the banner."""
    renewed = Signal()
    """Another reader, or another state of the store: all that is shown must be read anew."""
    ended = Signal()
    """The store cannot be opened, and the reader leaves it so."""

    def __init__(self, desk: Desk, preferences: Preferences, window: QWidget) -> None:
        """Follow the desk."""
        super().__init__(window)
        self._desk, self._preferences, self._window = desk, preferences, window
        self.button = QPushButton("")
        """Says who reads; a click changes it."""
        self.button.setFlat(True)
        self.button.setObjectName("reader")
        self.button.clicked.connect(self.ask_reader)
        self._why = ""
        self._wanted = False
        self._news = ""
        """What stays in the banner until the first case is on the desk again."""
        self.asking = False
        """Whether the reader is asked for their name for the first time: nothing is opened in another one's."""
        reading, keeper = desk.reading, desk.keeper
        reading.reader_known.connect(self._show_reader)
        reading.reader_changed.connect(self._on_reader)
        reading.changed.connect(self._tell_again)
        keeper.said.connect(self.said)
        keeper.listed.connect(self._on_backups)
        keeper.restored.connect(self._on_restored)
        desk.start_failed.connect(self._on_failure)

    # who reads

    @Slot(str)
    def _show_reader(self, name: str) -> None:
        self.button.setText(f"Reading: {name}")
        self.button.setAccessibleName(f"Reading: {name}")
        self.button.setToolTip("Another reader... (Ctrl+Shift+R)")

    @Slot()
    def ask_reader(self) -> None:
        """Ask who reads from now on."""
        self._desk.reading.ask_names(self._ask)

    def ask_first(self) -> None:
        """Ask who reads, where nobody ever said so on this machine."""
        if not self._preferences.reader:
            self.asking = True
            self.ask_reader()

    def _ask(self, names: Sequence[str], current: str) -> None:
        dialog = ReaderDialog(names, current, self._window)
        dialog.finished.connect(partial(self._take, dialog, current))
        dialog.open()

    def _take(self, dialog: ReaderDialog, current: str, _: int) -> None:
        name = dialog.name
        dialog.deleteLater()
        self._preferences.reader = name
        first, self.asking = self.asking, False
        if name != current:
            self._desk.reading.be(name)
        elif first:
            self.renewed.emit()

    @Slot(str)
    def _on_reader(self, name: str) -> None:
        self._preferences.reader = name
        self._show_reader(name)
        self.renewed.emit()

    # backups

    def ask_restore(self) -> None:
        """List the backups, to put one back."""
        if self._desk.analysing or self._desk.intake.adding:
            self.said.emit(_BUSY)
            return
        self._wanted, self._why = True, ""
        self._desk.keeper.list_backups()

    @Slot(object)
    def _on_failure(self, error: Exception) -> None:
        """Without a store nothing can be kept, so nothing is begun; one that is damaged may have a backup."""
        path = self._desk.keeper.path
        if path is not None and path.exists() and isinstance(error, DamagedStoreError):
            self._wanted, self._why = True, str(error)
            self._desk.keeper.list_backups()
            return
        QMessageBox.critical(self._window, "PathView", str(error))
        self.ended.emit()

    @Slot(object)
    def _on_backups(self, backups: Sequence[Backup]) -> None:
        if not self._wanted:
            return
        self._wanted = False
        dialog = BackupsDialog(backups, self._why, self._window)
        dialog.chosen.connect(self._restore)
        dialog.finished.connect(self._on_closed)
        dialog.open()

    @Slot(str)
    def _restore(self, name: str) -> None:
        self._desk.reading.leave()
        self._desk.keeper.restore(name, self._preferences.reader or login_name())

    @Slot(int)
    def _on_closed(self, result: int) -> None:
        if self._why and result != QDialog.DialogCode.Accepted:
            self.ended.emit()

    @Slot()
    def _tell_again(self) -> None:
        """Opening a case hides what the banner said."""
        if self._news and self._desk.reading.now is not None:
            self.said.emit(self._news)
            self._news = ""

    @Slot(object)
    def _on_restored(self, done: Restored) -> None:
        started, self._why = not self._why, ""
        aside = f" What was there is kept as {done.aside}." if done.aside else ""
        self._news = f"Restored: {done.name}.{aside}"
        self.said.emit(self._news)
        if not started:
            self._desk.start()
        self.renewed.emit()
