"""How long a case was looked at: counted only while it is on the screen and the window is the active one."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QEvent, QObject
from PySide6.QtWidgets import QWidget


class CaseClock(QObject):
    """Seconds of one case at a time."""

    def __init__(self, window: QWidget) -> None:
        """Follow whether a window is the active one."""
        super().__init__(window)
        self._window = window
        self._since = QElapsedTimer()
        self._milliseconds = 0
        self._running = False
        window.installEventFilter(self)

    @property
    def seconds(self) -> float:
        """How long until now."""
        going = self._since.elapsed() if self._since.isValid() else 0
        return (self._milliseconds + going) / 1000

    def start(self, seconds: float = 0.0) -> None:
        """A case has come on the screen, which was looked at for so long before."""
        self._milliseconds = round(seconds * 1000)
        self._running = True
        self._since.invalidate()
        if self._window.isActiveWindow():
            self._since.start()

    def stop(self) -> None:
        """The case has gone from the screen."""
        self._hold()
        self._running = False

    def _hold(self) -> None:
        if self._since.isValid():
            self._milliseconds += self._since.elapsed()
            self._since.invalidate()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Count only while the window is active."""
        if event.type() == QEvent.Type.WindowDeactivate:
            self._hold()
        elif event.type() == QEvent.Type.WindowActivate and self._running and not self._since.isValid():
            self._since.start()
        return False
