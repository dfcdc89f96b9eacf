"""The intake: the worklist's rows, and images on their way into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from pathview.gui.job_runner import JobRunner
from pathview.gui.session_handle import SessionHandle
from pathview.jobs import CancelToken, ProgressSink
from pathview.review.case import CaseRow, Order

if TYPE_CHECKING:  # the session is imported by the first job, after the window is painted
    from pathview.session import Added


class Intake(QObject):
    """Asks the store for rows and puts images into it; images are opened in a thread of its own."""

    worklist_ready = Signal(object, int)
    """First page of rows, and how many cases there are."""
    page_ready = Signal(object)
    asked = Signal()
    """Images are to be added."""
    added = Signal(object)
    """An :class:`Added`."""
    progressed = Signal(object)
    """A :class:`Progress`."""
    failed = Signal(object)
    ended = Signal()
    """Nothing is being added any more, finished or not."""

    def __init__(self, handle: SessionHandle, store: JobRunner, parent: QObject) -> None:
        """``store`` runs what reads the database."""
        super().__init__(parent)
        self._handle = handle
        self._store = store
        self._adding = JobRunner("adding", self)

    @property
    def adding(self) -> bool:
        """Whether images are being added."""
        return self._adding.busy

    def close(self) -> None:
        """Cancel what runs and end the thread."""
        self._adding.close()

    def cancel(self) -> None:
        """Stop adding; what was added stays."""
        self._adding.cancel_all()

    def load_worklist(self, order: Order, search: str, limit: int) -> None:
        """Ask for the first page."""

        def work(*_: Any) -> tuple[list[CaseRow], int]:
            cases = self._handle.get().cases
            return cases.worklist(order, limit, 0, search), cases.count(search)

        self._store.submit(work, lambda found: self.worklist_ready.emit(*found), self.failed.emit)

    def load_page(self, order: Order, search: str, limit: int, offset: int) -> None:
        """Ask for a further page."""

        def work(*_: Any) -> list[CaseRow]:
            return self._handle.get().cases.worklist(order, limit, offset, search)

        self._store.submit(work, self.page_ready.emit, self.failed.emit)

    def add(self, paths: Sequence[Path]) -> None:
        """Put images into the worklist."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Added:
            return self._handle.get().add(paths, progress, cancel)

        self._add(work)

    def add_samples(self) -> None:
        """Draw the phantoms and put them into the worklist."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Added:
            from pathview.demo import make_cases

            session = self._handle.get()
            folder = session.settings.data_dir / "demo"
            cases = session.opener.run(make_cases, folder, progress=progress, cancel=cancel)
            return session.add(cases, progress, cancel)

        self._add(work)

    def _add(self, work: Callable[[ProgressSink, CancelToken], Added]) -> None:
        self.asked.emit()
        self._adding.submit(work, self.added.emit, self.failed.emit, self.progressed.emit, self.ended.emit)
