"""What the pages after the training share: they show what it left in its folder, or say what has to come first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractSpinBox, QLineEdit, QVBoxLayout, QWidget

from pathview.gui.job_runner import Work
from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import BasePage
from pathview.gui.wizard.finished import NOT_TRAINED, Finished, read_finished
from pathview.gui.wizard.parts import wrapped
from pathview.gui.wizard.state import Run
from pathview.jobs import CancelToken, ProgressSink

_READING = "Reading what the training left ..."


class FinishedPage(BasePage):
    """Reads the folder each time it is gone to; a page fills :attr:`inner`, and says in :meth:`wants` what it lacks."""

    def __init__(self, run: Run, theme: Theme) -> None:
        """Nothing is known yet."""
        super().__init__(run, theme)
        self.finished = Finished()
        self._read = False
        self.empty = wrapped(_READING, "dim")
        """What is said while there is nothing to show."""
        self.content = QWidget()
        self.inner = QVBoxLayout(self.content)
        self.inner.setContentsMargins(0, 0, 0, 0)
        self.inner.setSpacing(10)
        self._waiting = QWidget()
        self.offer = QVBoxLayout(self._waiting)
        """Below the words of an empty page: what can be done."""
        self.offer.setContentsMargins(0, 0, 0, 0)
        self.offer.addWidget(self.empty)
        self.content.hide()  # not a stack: that is as large as its larger part
        self.body.addWidget(self._waiting, 1)
        self.body.addWidget(self.content, 1)

    def enter(self) -> None:
        """Read the folder anew."""
        self.reread()

    def reread(self) -> None:
        """Read the folder, and show what is there."""
        folder, settings = self.run.made, self.run.settings
        self.run.fetch(lambda *_: read_finished(folder, settings), self.take)

    def take(self, finished: Finished) -> None:
        """Show what was read."""
        self.finished, self._read = finished, True
        self.run.doubt("challenge", finished.doubt)
        lacking = self.wants()
        self.empty.setText(lacking)
        self._waiting.setVisible(bool(lacking))
        self.content.setVisible(not lacking)
        self.show_finished()
        self.tell()

    def wants(self) -> str:
        """What has to come first, in a sentence or two; empty: the content can be shown."""
        return "" if self.finished.trained else NOT_TRAINED

    def show_finished(self) -> None:
        """Show :attr:`finished`."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter in a field is for the field; elsewhere it goes on."""
        typing = isinstance(self.focusWidget(), (QLineEdit, QAbstractSpinBox))
        if typing and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
        else:
            super().keyPressEvent(event)

    def problem(self) -> str:
        """Nothing goes on from a training that left no model."""
        if not self._read:
            return _READING
        return "" if self.finished.trained else NOT_TRAINED

    def by_reader(self, function: Callable[..., Any], *args: Any) -> Work:
        """A job of the child that is told who asks: ``function(*args, who, settings, progress, cancel)``."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            session = self.run.handle.get()
            return session.training_engine.run(
                function, *args, session.reader, session.settings, progress=progress, cancel=cancel
            )

        return work
