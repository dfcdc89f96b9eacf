"""Trainings as the window knows them: begun, continued, and offered where many answers are new."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from pathview.gui.job_runner import JobRunner
from pathview.gui.panels.gallery import GalleryPanel
from pathview.gui.session_handle import SessionHandle
from pathview.gui.theme import THEMES, ThemeName
from pathview.settings import Settings

if TYPE_CHECKING:  # the window starts without the wizard and its libraries
    from pathview.gui.wizard.frame import TrainingWizard
    from pathview.training.runs.plan import Source
    from pathview.training.runs.run_folder import RunFolder

ENOUGH = 20
"""New answers from which fine-tuning is offered."""
_REST_MS = 1500
_FRAME = "pathview.gui.wizard.frame"


class Trainings(QObject):
    """Opens wizards; one for each training at most."""

    failed = Signal(object)
    models_changed = Signal()
    """Another version of a model analyses images from now on."""

    def __init__(
        self,
        handle: SessionHandle,
        settings: Settings,
        gallery: GalleryPanel,
        theme: Callable[[], ThemeName],
        window: QWidget,
    ) -> None:
        """Nothing is open; ``theme`` says which is used."""
        super().__init__(window)
        self._handle, self._settings, self._window, self._theme = handle, settings, window, theme
        self._gallery = gallery
        self._runner = JobRunner("trainings", self)
        self.wizards: list[TrainingWizard] = []
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self.count_answers)
        gallery.answered.connect(self._rest_again)
        gallery.withdrawn.connect(self._rest_again)
        gallery.fine_tuning_asked.connect(self.fine_tune)

    @property
    def busy(self) -> bool:
        """Whether runs are read or answers counted."""
        return self._runner.busy

    # wizards

    @Slot()
    def begin(self) -> None:
        """A new training."""
        self._begin(())

    @Slot()
    def fine_tune(self) -> None:
        """A new training on the gallery's answers."""
        from pathview.training.runs.plan import Source

        self._begin((Source(kind="answers"),))

    def _begin(self, sources: tuple[Source, ...]) -> None:
        def show(*_: Any) -> None:
            from pathview.gui.wizard.state import Run
            from pathview.training.runs.plan import Plan

            title = "Fine-tuning on answers" if sources else "New training"
            self._show(Run(self._handle, self._settings, Plan(title=title, sources=sources)))

        if _FRAME in sys.modules:
            show()
        else:  # for the first time its libraries take seconds to load
            self._window.setCursor(Qt.CursorShape.BusyCursor)
            self._runner.submit(
                lambda *_: importlib.import_module(_FRAME), show, self.failed.emit, None, self._window.unsetCursor
            )

    @Slot()
    def ask_which(self) -> None:
        """Continue one of the trainings that there are."""
        from pathview.gui.wizard.continue_dialog import ContinueDialog

        dialog = ContinueDialog(self._settings, self._window)
        dialog.chosen.connect(self.go_on)
        dialog.open()

    @Slot(object)
    def go_on(self, folder: RunFolder) -> None:
        """Open the wizard on a training, where it was left."""
        for wizard in self.wizards:
            if wizard.run.folder == folder:
                wizard.raise_()
                wizard.activateWindow()
                return

        def work(*_: Any) -> Any:
            importlib.import_module(_FRAME)  # which takes seconds for the first time
            from pathview.gui.wizard.state import place_of, read_known

            return folder.plan(), read_known(folder), place_of(folder)

        def done(found: Any) -> None:
            from pathview.gui.wizard.state import Run

            plan, known, place = found
            self._show(Run(self._handle, self._settings, plan, folder, known, place))

        self._runner.submit(work, done, self.failed.emit)

    def _show(self, run: Any) -> None:
        from pathview.gui.wizard.frame import open_wizard

        wizard = open_wizard(run, THEMES[self._theme()], self._window)
        run.setParent(wizard)
        run.models_changed.connect(self.models_changed)
        self.wizards.append(wizard)
        wizard.closed.connect(lambda: self._forget(wizard))

    def _forget(self, wizard: TrainingWizard) -> None:
        if wizard in self.wizards:
            self.wizards.remove(wizard)
        self._rest_again()

    def set_theme(self, name: ThemeName) -> None:
        """Take other colours."""
        for wizard in self.wizards:
            wizard.set_theme(THEMES[name])

    def close(self) -> None:
        """The window closes: what was planned is kept."""
        for wizard in tuple(self.wizards):
            wizard.end()
        self._rest.stop()
        self._runner.close()

    # new answers

    @Slot()
    def _rest_again(self) -> None:
        self._rest.start()

    @Slot()
    def count_answers(self) -> None:
        """Offer fine-tuning where many answers came since the last training on answers."""
        self._runner.submit(lambda *_: self._handle.get().answering.new_answers(), self._offer, self.failed.emit)

    def _offer(self, count: int) -> None:
        self._gallery.show_new_answers(count if count >= ENOUGH else 0)
