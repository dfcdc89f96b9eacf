"""Windows on a store whose lists are as they come: mammograms in a second read, by the mammography form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QWidget

from pathview.compute.engine import LocalEngine
from pathview.gui.desk import Desk
from pathview.gui.main_window import MainWindow
from pathview.gui.preferences import Preferences
from pathview.gui.session_handle import SessionHandle
from pathview.review.records.case import DecisionRow
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.session import Session
from pathview.settings import Settings
from tests.gui.conftest import idle

CONTROL = Qt.KeyboardModifier.ControlModifier
LOCK = (Qt.Key.Key_Return, CONTROL)
Windows = Callable[..., MainWindow]


def make_reading_window(qtbot, settings: Settings, folder: Path, reader: str, writable: bool = True) -> MainWindow:
    """A window of a reader on the store ``cases.sqlite`` in a folder, made where there is none."""

    def build() -> Session:
        store = Store(Database(folder / "cases.sqlite", writable=writable, reader=reader))
        return Session(settings, LocalEngine(), LocalEngine(), store, reader=reader)

    preferences = Preferences(QSettings(str(folder / f"{reader}.ini"), QSettings.Format.IniFormat))
    window = MainWindow(Desk(SessionHandle(build, folder / "cases.sqlite")), preferences, settings)
    qtbot.addWidget(window)
    window.resize(1400, 900)
    window.show()
    window.activateWindow()
    window.desk.start()
    window.refresh()
    idle(qtbot, window)
    return window


def press(qtbot, window: QWidget, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """A key goes to what has the focus in a window."""
    qtbot.keyClick(window.focusWidget() or window, key, modifier)


def type_words(qtbot, window: QWidget, words: str) -> None:
    """Letters go to what has the focus in a window, each to what has it then."""
    for letter in words:
        qtbot.keyClicks(window.focusWidget() or window, letter)


def fill_in(qtbot, window: MainWindow, keys: str) -> None:
    """Go to the form, and answer question after question, a key each."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=5000)  # keys of actions work in the active window only
    press(qtbot, window, Qt.Key.Key_F2)
    type_words(qtbot, window, keys)


def lock(qtbot, window: MainWindow, keys: str = "5CL4") -> None:
    """Fill in and lock a first read."""
    fill_in(qtbot, window, keys)
    press(qtbot, window, *LOCK)
    idle(qtbot, window)


def store_of(window: MainWindow) -> Store:
    """Its store, without any veil."""
    return window.desk._handle.get().cases


def decisions_of(window: MainWindow, case_id: int) -> tuple[DecisionRow, ...]:
    """What the store has of a case, of all readers."""
    return store_of(window).case(case_id).decisions
