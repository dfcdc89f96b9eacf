"""Runs with a finished tiny model, and the wizard over them; everything runs in this process."""

from __future__ import annotations

from pathlib import Path

from pathview.compute.engine import LocalEngine
from pathview.gui.session_handle import SessionHandle
from pathview.gui.theme import THEMES
from pathview.gui.wizard.frame import TrainingWizard
from pathview.gui.wizard.state import Place, Run, read_known
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.session import Session
from pathview.settings import Settings
from pathview.training.runs.run_folder import RunFolder


def a_handle(settings: Settings, folder: Path) -> SessionHandle:
    """A session of Dr Test."""

    def build() -> Session:
        store = Store(Database(folder / "cases.sqlite"))
        return Session(settings, LocalEngine(), LocalEngine(), store, reader="Dr Test")

    return SessionHandle(build)


def wizard_on(folder: RunFolder, page: str, handle: SessionHandle, settings: Settings) -> TrainingWizard:
    """The wizard, continued at a page."""
    run = Run(handle, settings, folder.plan(), folder, read_known(folder), Place(page=page))
    wizard = TrainingWizard(run, THEMES["dark"])
    wizard.complete()
    run.setParent(wizard)
    return wizard
