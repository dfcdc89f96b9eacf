"""Ways to bring images in: dialogs, the recent menu, and files that are dropped on the window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction, QDropEvent
from PySide6.QtWidgets import QFileDialog, QWidget

from pathview.gui.preferences import Preferences
from pathview.gui.recent import RecentMenu
from pathview.images.formats import SUFFIXES


class Opening(QObject):
    """Says which paths to add, and remembers them."""

    asked = Signal(object)
    """A list of paths."""

    def __init__(self, window: QWidget, before: QAction, preferences: Preferences) -> None:
        """The recent menu stands before an action."""
        super().__init__(window)
        self._window = window
        self._preferences = preferences
        self._recent = RecentMenu(before, window)
        self._recent.fill(preferences.recent())
        self._recent.chosen.connect(self.open_path)

    def open(self, paths: Sequence[Path]) -> None:
        """Remember paths and ask for them."""
        self._preferences.add_recent(list(paths))
        self._recent.fill(self._preferences.recent())
        self.asked.emit(list(paths))

    @Slot(str)
    def open_path(self, path: str) -> None:
        """Open one path."""
        self.open([Path(path)])

    @Slot()
    def ask_files(self) -> None:
        """Let the reader choose files."""
        endings = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
        names, _ = QFileDialog.getOpenFileNames(self._window, "Open images", "", f"Images ({endings});;All files (*)")
        if names:
            self.open([Path(name) for name in names])

    @Slot()
    def ask_folder(self) -> None:
        """Let the reader choose a folder."""
        name = QFileDialog.getExistingDirectory(self._window, "Open a folder of images")
        if name:
            self.open([Path(name)])

    @Slot()
    def ask_table(self) -> None:
        """Let the reader choose a table that names images."""
        name, _ = QFileDialog.getOpenFileName(self._window, "Import a table", "", "Tables (*.csv);;All files (*)")
        if name:
            self.asked.emit([Path(name)])

    def drop(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.open(paths)
