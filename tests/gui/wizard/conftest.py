"""Wizards over runs whose model is there, ended with their threads when the test ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from shiboken6 import isValid

from pathview.gui.wizard.frame import TrainingWizard
from pathview.jobs import never, no_progress
from pathview.models.weights import read_manifest, write_manifest
from pathview.settings import Settings
from pathview.training.judging.result import make_result
from pathview.training.runs.run_folder import RunFolder
from tests.gui.wizard.finished_runs import a_handle, wizard_on
from tests.training.test_result import write_run


@pytest.fixture(scope="session")
def looked_at(tmp_path_factory: pytest.TempPathFactory, tiny_cnn: Path, graphs: Path) -> Path:
    """A run whose result was made once."""
    folder = tmp_path_factory.mktemp("looked")
    (folder / "home" / "cache").mkdir(parents=True)
    (folder / "home" / "cache" / "graphs").symlink_to(graphs)
    run = write_run(folder, tiny_cnn)
    make_result(run, "ada", Settings(data_dir=folder / "home"), no_progress, never())
    return run.path


@pytest.fixture
def seen(looked_at: Path, tmp_path: Path) -> RunFolder:
    """A copy of that run, for tests that change it."""
    return RunFolder(Path(shutil.copytree(looked_at, tmp_path / "seen")))


@pytest.fixture
def fresh(seen: RunFolder) -> RunFolder:
    """A run whose model is not the one that is present."""
    manifest = read_manifest(seen.model)
    write_manifest(seen.model, manifest.model_copy(update={"created": "2026-02-02T00:00:00+00:00"}))
    return seen


@pytest.fixture
def open_wizard(qtbot, tiny_models: Settings, tmp_path: Path):
    """Wizards on a run at a page, with their session."""
    made: list[TrainingWizard] = []
    handle = a_handle(tiny_models, tmp_path)

    def make(folder: RunFolder, page: str, wait: bool = True) -> TrainingWizard:
        wizard = wizard_on(folder, page, handle, tiny_models)
        made.append(wizard)
        wizard.resize(1180, 760)
        wizard.show()
        if wait:
            quiet(qtbot, wizard)
        return wizard

    yield make
    for wizard in made:
        if isValid(wizard):
            wizard.end()
    handle.close()


def quiet(qtbot, wizard: TrainingWizard) -> None:
    """Wait until nothing runs any more."""
    run = wizard.run
    qtbot.waitUntil(
        lambda: not (run.jobs.busy or run.pictures.busy or run.aside.busy or run._keeping.busy), timeout=120_000
    )
