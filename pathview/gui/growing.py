"""The map of a slide while its analysis goes on: looked at each second, laid over the slide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Slot

from pathview.gui.job_runner import JobRunner
from pathview.gui.reading_room import ReadingRoom
from pathview.gui.session_handle import SessionHandle

_EVERY_MS = 1000


class GrowingMap(QObject):
    """Asks only while the tissue on the desk waits for its analysis."""

    def __init__(
        self,
        handle: SessionHandle,
        store: JobRunner,
        room: ReadingRoom,
        awaited: Callable[[], bool],
        parent: QObject | None = None,
    ) -> None:
        """``awaited``: whether the image that is shown waits for its analysis."""
        super().__init__(parent)
        self._handle, self._store, self._room, self._awaited = handle, store, room, awaited
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._look)

    @Slot(bool)
    def follow(self, analysing: bool) -> None:
        """An analysis has begun, or the last one has ended."""
        if analysing:
            self._timer.start()
        else:
            self._timer.stop()
            if self._room.state.active is not None:
                self._room.grow(self._room.state.active, None)

    @Slot()
    def _look(self) -> None:
        image = self._room.state.image
        if image is None or image.info.get("kind") != "histology" or not self._awaited():
            return

        def work(*_: Any) -> Any:
            return self._handle.get().slide_progress(image)

        def done(found: Any) -> None:
            if self._timer.isActive():
                self._room.grow(image.id, found)

        self._store.submit(work, done)
