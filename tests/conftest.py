"""What all tests share: a home of their own, real data where it is, tiny models, and images made to measure."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis

from pathview.settings import Settings
from tests import makers

hypothesis.settings.register_profile("pathview", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("pathview")


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks' graphs are kept by hash, so all tests can share them."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, graphs: Path) -> Path:
    """A user's folder that is no one's."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "cache").mkdir()
    (folder / "cache" / "graphs").symlink_to(graphs)
    monkeypatch.setenv("PATHVIEW_HOME", str(folder))
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings with that folder."""
    return Settings()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real images; skips where there is none."""
    folder = Path(os.environ.get("PATHVIEW_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "INDEX.md").is_file():
        pytest.skip("no real images here (PATHVIEW_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def tiny_unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmentation model of a few thousand random weights."""
    return makers.write_random_model(tmp_path_factory.mktemp("unet"), makers.tiny_unet_recipe())


@pytest.fixture(scope="session")
def tiny_cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patch classifier of random weights."""
    return makers.write_random_model(tmp_path_factory.mktemp("cnn"), makers.tiny_cnn_recipe())


@pytest.fixture
def tiny_models(home: Path, tiny_unet: Path, tiny_cnn: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose user models are the tiny ones, and that have no bundled ones."""
    resources = home / "resources"
    resources.mkdir()
    for name in ("forms", "icons", "styles", "templates"):
        (resources / name).symlink_to(Settings().resources / name)
    models = home / "models"
    models.mkdir()
    for folder in (tiny_unet, tiny_cnn):
        (models / folder.name).symlink_to(folder)
    monkeypatch.setenv("PATHVIEW_RESOURCES", str(resources))
    return Settings()


@pytest.fixture(autouse=True)
def no_strange_logs(caplog: pytest.LogCaptureFixture):
    """An unexpected warning in our own log fails the test."""
    yield
    ours = [r for r in caplog.get_records("call") if r.name.startswith("pathview") and r.levelno >= logging.WARNING]
    expected = getattr(caplog, "expected", ())
    strange = [record.getMessage() for record in ours if record.getMessage() not in expected]
    assert not strange


@pytest.fixture(autouse=True)
def no_leaked_threads():
    """A thread of ours that outlives its test fails it."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.name.startswith("pathview") and t.is_alive()]
    for thread in left:
        thread.join(5)
    assert not [thread.name for thread in left if thread.is_alive()]


@pytest.fixture
def store(tmp_path: Path):
    """An empty store in a file of its own."""
    from pathview.review.sql.database import Database
    from pathview.review.store import Store

    found = Store(Database(tmp_path / "study.sqlite"))
    yield found
    found.close()


@pytest.fixture
def maker(store):
    """Makes reader studies in it."""
    from tests.review.study_makers import StudyMaker

    return StudyMaker(store.studies._db)
