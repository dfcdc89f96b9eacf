"""The intake: images on their way into the worklist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from pathview.gui.job_runner import JobRunner
from pathview.gui.session_handle import SessionHandle
from pathview.jobs import CancelToken, ProgressSink

if TYPE_CHECKING:  # the session is imported by the first job, after the window is painted
    from pathview.review.intake import Added


class Intake(QObject):
    """Puts images into the store; they are opened in a thread of its own."""

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

    def add(self, paths: Sequence[Path], worklist: str | None = None) -> None:
        """Put images, and those that tables (csv) name, into the list of this name; None: into that of their kind."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Added:
            from pathview.review.intake import Added

            session = self._handle.get()
            tables = [path for path in paths if path.suffix.lower() == ".csv" and path.is_file()]
            found = session.add([path for path in paths if path not in tables], progress, cancel, worklist)
            for table in tables:
                taken = session.import_csv(table, worklist, progress, cancel)
                found = Added((*found.case_ids, *taken.case_ids), (*found.problems, *taken.problems))
            return found

        self._add(work)

    def add_samples(self) -> None:
        """Draw the phantoms and put them into the worklist."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Added:
            from pathview.demo import SAMPLES, make_cases

            session = self._handle.get()
            folder = session.settings.data_dir / "demo"
            cases = session.opener.run(make_cases, folder, progress=progress, cancel=cancel)
            return session.add(cases, progress, cancel, SAMPLES)

        self._add(work)

    def _add(self, work: Callable[[ProgressSink, CancelToken], Added]) -> None:
        self.asked.emit()
        self._adding.submit(work, self.added.emit, self.failed.emit, self.progressed.emit, self.ended.emit)
