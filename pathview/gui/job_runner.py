"""One thread that runs jobs one after another and reports to the window's thread by signals.

A Python thread, not a QThread: a QThread that is collected while it runs aborts the program, and what
its slots raise is only printed. Handlers are always called in the window's thread, and not at all after
a job was cancelled.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, Signal, Slot

from pathview.errors import PathViewError
from pathview.jobs import Cancelled, CancelToken, Progress, ProgressSink

log = logging.getLogger(__name__)
Work = Callable[[ProgressSink, CancelToken], Any]


class Job:
    """One piece of work and who wants to hear of it."""

    def __init__(
        self,
        work: Work,
        done: Callable[[Any], None] | None,
        failed: Callable[[Exception], None] | None,
        progress: Callable[[Progress], None] | None,
        ended: Callable[[], None] | None,
    ) -> None:
        """See :meth:`JobRunner.submit`."""
        self.work = work
        self.done = done
        self.failed = failed
        self.progress = progress
        self.ended = ended
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        """Stop it at its next checkpoint; its handlers (but ``ended``) are not called any more."""
        self.cancelled.set()


class JobRunner(QObject):
    """Runs jobs in the order in which they are submitted."""

    _reported = Signal(object, object)
    _finished = Signal(object, object, object)
    became_busy = Signal(bool)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        """Start the thread."""
        super().__init__(parent)
        self._queue: queue.Queue[Job | None] = queue.Queue()
        self._waiting: list[Job] = []
        self._reported.connect(self._on_report, Qt.ConnectionType.QueuedConnection)
        self._finished.connect(self._on_finish, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._live, name=f"pathview-{name}", daemon=True)
        self._thread.start()

    def submit(
        self,
        work: Work,
        done: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
        progress: Callable[[Progress], None] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> Job:
        """Queue ``work(progress, cancel)``.

        Args:
            work: runs in this runner's thread.
            done: gets its result.
            failed: gets the error it raised: a known one, or a bug that was logged.
            progress: gets its steps.
            ended: is called last in every case, cancelled or not.
        """
        job = Job(work, done, failed, progress, ended)
        self._waiting.append(job)
        if len(self._waiting) == 1:
            self.became_busy.emit(True)
        self._queue.put(job)
        return job

    def cancel_all(self) -> None:
        """Cancel the running job and those that wait."""
        for job in self._waiting:
            job.cancel()

    @property
    def busy(self) -> bool:
        """Whether something runs or waits."""
        return bool(self._waiting)

    def close(self, timeout_s: float = 5.0, finish: bool = False) -> None:
        """End the thread, after cancelling everything or (``finish``) doing everything that waits."""
        if not finish:
            self.cancel_all()
        self._queue.put(None)
        self._thread.join(timeout_s)

    def finish(self, timeout_s: float) -> None:
        """End the thread after everything that waits, and call all handlers before this returns."""
        self.close(timeout_s, finish=True)
        QCoreApplication.sendPostedEvents(self, QEvent.Type.MetaCall)

    def _live(self) -> None:
        while (job := self._queue.get()) is not None:
            result: Any = None
            error: BaseException | None = None
            try:
                if job.cancelled.is_set():
                    raise Cancelled
                result = job.work(_Sink(self, job), job.cancelled)
            except (Cancelled, PathViewError) as known:
                error = known
            except Exception as bug:  # the outer edge of this thread
                log.exception("a job failed")
                error = bug
            self._finished.emit(job, result, error)

    @Slot(object, object)
    def _on_report(self, job: Job, step: Progress) -> None:
        if job.progress is not None and not job.cancelled.is_set():
            job.progress(step)

    @Slot(object, object, object)
    def _on_finish(self, job: Job, result: Any, error: Exception | None) -> None:
        self._waiting.remove(job)
        if not job.cancelled.is_set():
            if error is None and job.done is not None:
                job.done(result)
            elif error is not None and not isinstance(error, Cancelled) and job.failed is not None:
                job.failed(error)
        if job.ended is not None:
            job.ended()
        if not self._waiting:
            self.became_busy.emit(False)

    def report(self, job: Job, step: Progress) -> None:
        """Pass a step on to the window's thread (called in the runner's)."""
        self._reported.emit(job, step)


class _Sink:
    """A progress sink that crosses over to the window's thread."""

    def __init__(self, runner: JobRunner, job: Job) -> None:
        self._runner = runner
        self._job = job

    def __call__(self, step: Progress) -> None:
        self._runner.report(self._job, step)
