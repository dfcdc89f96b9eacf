"""Starting and ending the window."""

from __future__ import annotations

import faulthandler
import logging
import signal
import sys
import threading
import traceback
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QMessageBox

from pathview.gui.desk import Desk
from pathview.gui.garbage import Garbage
from pathview.gui.main_window import MainWindow
from pathview.gui.preferences import Preferences
from pathview.gui.session_handle import SessionHandle
from pathview.images.pseudonym import pseudonym
from pathview.settings import APP_NAME, Settings, login_name

if TYPE_CHECKING:  # imported by the first job, after the window is painted
    from pathview.session import Session, WindowRequest

log = logging.getLogger("pathview")
_LOG_BYTES = 2**20
_CRASHED = "PathView ended unexpectedly the last time. What was saved is here; {} in its data folder says what failed."


def run(request: WindowRequest | None = None) -> int:
    """Open the window and stay in it; the exit status."""
    settings = Settings()
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName(APP_NAME)
    application.setOrganizationName(APP_NAME)
    application.setWindowIcon(QIcon(str(settings.resources / "icons" / "pathview.svg")))
    try:
        _log_to_file(settings)
    except OSError as error:
        QMessageBox.critical(None, APP_NAME, f"{settings.data_dir} cannot be written: {error.strerror}.")
        return 1
    crashes = Crashes(settings)
    window = build_window(settings, request)
    _catch_bugs(window)
    garbage = Garbage(window)
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: window.close())
    wake = QTimer(window)  # lets Python see the signal
    wake.start(500)
    wake.timeout.connect(_idle)
    window.show()
    QTimer.singleShot(0, window.desk.start)
    if crashes.before:
        window.desk.said.emit(_CRASHED.format(crashes.before.name))
    if request is None:  # whoever starts it with images or in a script is not asked
        window.sitting.ask_first()
    status = application.exec()
    garbage.close()
    crashes.close()
    return 1 if window.failed else status


def build_window(settings: Settings, request: WindowRequest | None = None) -> MainWindow:
    """The window; its store is opened, and its children are started, by the first jobs."""
    pseudonym("start", "x")  # makes the installation's secret before the children look for it
    preferences = Preferences(QSettings(str(settings.data_dir / "window.ini"), QSettings.Format.IniFormat))
    store = (request.store if request is not None else None) or settings.store_place
    handle = SessionHandle(partial(open_session, settings, store, preferences.reader), store)
    window = MainWindow(Desk(handle), preferences, settings)
    if request is not None and request.paths:
        window.desk.intake.add(list(request.paths), request.worklist)
        if request.analyse:
            window.desk.intake.added.connect(window.desk.analyse_new)
    window.refresh()
    return window


def open_session(settings: Settings, store: Path | str | None, reader: str = "") -> Session:
    """The window's session: three children, not yet started, and a store; ``reader`` empty: the login name.

    Raises:
        StoreError: the store cannot be opened.
    """
    from pathview.compute.worker import Worker
    from pathview.review.sql.database import Database
    from pathview.review.store import Store
    from pathview.session import Session

    name = reader or login_name()
    opened = Store(Database(store or settings.store_place, reader=name))
    grace = settings.cancel_grace_s
    children = Worker("analysis", grace), Worker("reading", grace)
    return Session(settings, *children, opened, name, trainer=Worker("training", grace))


def _idle() -> None:
    """Nothing; being called is what matters."""


def _log_to_file(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(settings.log_path, maxBytes=_LOG_BYTES, backupCount=2, encoding="utf-8")
    handler.setFormatter(_PrivateFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)


class Crashes:
    """Where native code that fails leaves the program's frames; they name no image and nobody."""

    def __init__(self, settings: Settings) -> None:
        """Watch from now on."""
        path = settings.data_dir / "crash.log"
        self.before: Path | None = None
        """What the last window left that ended so."""
        if path.exists() and path.stat().st_size:
            self.before = path.replace(path.with_suffix(".before.log"))
        self._file = path.open("w", encoding="utf-8")
        faulthandler.enable(self._file)

    def close(self) -> None:
        """The program ends as it should."""
        faulthandler.disable()
        self._file.close()


class _PrivateFormatter(logging.Formatter):
    """Errors by type and place in the program only: their messages may name files."""

    def formatException(self, ei: Any) -> str:
        return "".join(traceback.format_tb(ei[2])) + str(ei[0].__name__)


def _catch_bugs(window: MainWindow) -> None:
    """Bugs in slots and threads go to the log and the banner; Qt would only print them."""

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.close()
            return
        log.error("a bug", exc_info=(kind, error, trace))
        window.desk.said.emit(
            f"PathView has a bug here ({kind.__name__}); it was logged. Nothing that was saved is lost."
        )

    sys.excepthook = told
    threading.excepthook = lambda args: told(args.exc_type, args.exc_value or Exception(), args.exc_traceback)
