"""Which trainings there are, and how far each is: one is chosen to be continued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from pathview.errors import PathViewError
from pathview.gui.dialogs.calibration import plain_buttons
from pathview.gui.job_runner import JobRunner
from pathview.gui.wizard.state import told
from pathview.models.training_state import epochs_kept
from pathview.models.weights import MANIFEST
from pathview.settings import Settings
from pathview.training.runs.run_folder import DATASET, PLAN, RESULT, SPLIT, RunFolder, runs
from pathview.training.runs.steering import is_training

_SIZE = QSize(620, 440)
_NONE = "There is no training yet. Training > New training... begins one."


@dataclass(frozen=True)
class RunLine:
    """One training in the list."""

    folder: RunFolder
    title: str
    state: str
    changed: str
    damaged: bool = False


def run_lines(settings: Settings) -> tuple[RunLine, ...]:
    """All trainings of this installation, the newest first; not in the window's thread."""
    return tuple(_line(folder) for folder in runs(settings))


def _line(folder: RunFolder) -> RunLine:
    when = f"{datetime.fromtimestamp((folder.path / PLAN).stat().st_mtime, UTC).astimezone():%Y-%m-%d %H:%M}"
    try:
        return RunLine(folder, folder.plan().title, state_words(folder), when)
    except PathViewError as error:
        return RunLine(folder, folder.name, str(error), when, damaged=True)


def state_words(folder: RunFolder) -> str:
    """How far a training is, in a few words."""
    if is_training(folder):
        return "being trained now"
    if folder.has(RESULT):
        return "trained and tested"
    if (folder.model / MANIFEST).exists():
        return "trained, not tested yet"
    if done := len(epochs_kept(folder.state)):
        return f"interrupted after epoch {done}; it can go on there"
    if folder.has(SPLIT):
        return "split by patient, not trained yet"
    return "data looked through" if folder.has(DATASET) else "begun"


class ContinueDialog(QDialog):
    """A list; Enter opens."""

    chosen = Signal(object)
    """The :class:`RunFolder` to continue."""

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        """Read what there is, in a thread."""
        super().__init__(parent)
        self.setWindowTitle("Continue a training")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._lines: tuple[RunLine, ...] = ()
        self._runner = JobRunner("trainings", self)
        self.list = QListWidget()
        self.list.setObjectName("pages")
        self.list.setAccessibleName("Trainings, the newest first")
        self._words = QLabel("Reading ...")
        self._words.setObjectName("dim")
        self._words.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
        plain_buttons(buttons)
        self._open = buttons.button(QDialogButtonBox.StandardButton.Open)
        self._open.setText("&Continue")
        self._open.setObjectName("primary")
        self._open.setEnabled(False)
        layout = QVBoxLayout(self)
        layout.addWidget(self.list, 1)
        layout.addWidget(self._words)
        layout.addWidget(buttons)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.list.itemDoubleClicked.connect(self.accept)
        self.list.currentRowChanged.connect(self._show_state)
        self.resize(_SIZE.boundedTo(self.screen().availableSize()))
        self._runner.submit(lambda *_: run_lines(settings), self._fill, lambda error: self._words.setText(told(error)))

    def _fill(self, lines: tuple[RunLine, ...]) -> None:
        self._lines = lines
        self._words.setText("" if lines else _NONE)
        self._words.setVisible(not lines)
        for line in lines:
            item = QListWidgetItem(f"{line.title}\n{line.state}  ·  {line.changed}", self.list)
            item.setToolTip(str(line.folder.path))
        self.list.setCurrentRow(0)
        self.list.setFocus()

    @Slot()
    def _show_state(self) -> None:
        row = self.list.currentRow()
        self._open.setEnabled(0 <= row < len(self._lines) and not self._lines[row].damaged)

    def accept(self) -> None:
        """Continue the chosen one."""
        row = self.list.currentRow()
        if self._open.isEnabled():
            self.chosen.emit(self._lines[row].folder)
            super().accept()

    def done(self, result: int) -> Any:
        """End the thread."""
        self._runner.close()
        super().done(result)
