"""A real window on tiny models, its jobs run in this process (or in children where a test asks for them)."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QMessageBox

from pathview.compute.engine import LocalEngine
from pathview.compute.worker import Worker
from pathview.gui.desk import Desk
from pathview.gui.garbage import collect_due
from pathview.gui.main_window import MainWindow
from pathview.gui.preferences import Preferences
from pathview.gui.session_handle import SessionHandle
from pathview.review.records.case import ResultRow
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.session import Session
from pathview.settings import Settings
from tests.lists import assisted
from tests.makers import breast_pixels, write_dicom, write_patch_folder


@pytest.fixture(autouse=True)
def no_message_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """A box that nobody closes would keep a test for ever."""

    def refuse(_: object, title: str, words: str) -> None:
        raise AssertionError(f"{title}: {words}")

    monkeypatch.setattr(QMessageBox, "critical", refuse)


@pytest.fixture(scope="package")
def no_collector() -> Iterator[None]:
    """Garbage is collected in the window's thread, here between tests; see :mod:`pathview.gui.garbage`.

    Of the window's tests alone: networks that later ones leave behind are gigabytes.
    """
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture(autouse=True)
def collected(no_collector: None) -> Iterator[None]:
    """Qt objects of a test are not freed by a thread of a later one."""
    yield
    collect_due()


@pytest.fixture
def make_window(qtbot, tiny_models: Settings, tmp_path: Path):
    """Windows that are closed, with their threads, when the test ends."""
    windows: list[MainWindow] = []

    def make(children: bool = False, paths: Sequence[Path] = ()) -> MainWindow:
        def build() -> Session:
            engines = (Worker("analysis", 0.5), Worker("reading", 0.5)) if children else (LocalEngine(), LocalEngine())
            store = assisted(Store(Database(tmp_path / "cases.sqlite")))
            return Session(tiny_models, *engines, store, reader="Dr Test")

        preferences = Preferences(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
        window = MainWindow(Desk(SessionHandle(build)), preferences, tiny_models)
        windows.append(window)
        qtbot.addWidget(window)
        window.resize(1400, 850)
        window.show()
        if paths:
            window.desk.intake.add(paths)
        window.desk.start()
        window.refresh()
        qtbot.waitUntil(lambda: not window.desk._store.busy, timeout=20_000)
        return window

    yield make
    for window in windows:
        window.close()


@pytest.fixture
def mammogram(tmp_path: Path) -> Path:
    return write_dicom(
        tmp_path / "m1.dcm",
        breast_pixels(300, 220),
        ImagerPixelSpacing=[0.1, 0.1],
        WindowCenter=[2000, 1000],
        WindowWidth=[4000, 1500],
        WindowCenterWidthExplanation=["NORMAL", "SOFT"],
    )


@pytest.fixture
def mosaic(tmp_path: Path) -> Path:
    return write_patch_folder(tmp_path / "9001")


def idle(qtbot, window: MainWindow) -> None:
    """Wait until nothing runs and nothing is due."""
    qtbot.waitUntil(lambda: not window.desk.busy and not window.desk.marks.late, timeout=60_000)


@pytest.fixture
def opened(qtbot, make_window, mammogram: Path, mosaic: Path):
    """A window with a mammogram and a mosaic, the mammogram shown."""
    window = make_window()
    window.open_paths([mammogram, mosaic])
    idle(qtbot, window)
    return window


def titles(window) -> list[str]:
    model = window.worklist.model
    return [model.index(row).data() for row in range(model.rowCount())]


def result_of(window) -> ResultRow:
    result = window.desk.state.result
    assert result is not None
    return result


@pytest.fixture
def reading_window(qtbot, tiny_models: Settings, tmp_path: Path):
    """Windows on lists as they come, closed when the test ends; ``make(reader)``."""
    from tests.gui.reading import make_reading_window

    windows: list[MainWindow] = []
    forms = tiny_models.resources / "forms"
    if not forms.exists():
        forms.symlink_to(Path(__file__).parents[2] / "resources" / "forms")

    def make(reader: str = "Dr Test", writable: bool = True) -> MainWindow:
        windows.append(make_reading_window(qtbot, tiny_models, tmp_path, reader, writable))
        return windows[-1]

    yield make
    for window in windows:
        window.close()
