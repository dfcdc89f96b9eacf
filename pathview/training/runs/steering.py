"""One training at a time in a run's folder, and what anybody may ask of it: pause, go on, stop with the best epoch.

What is asked is a word in a file, so that window and command line, and the child that trains, are one to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from filelock import FileLock, Timeout

from pathview.errors import DataError, OutputError
from pathview.jobs import CancelToken, checkpoint
from pathview.training.runs.run_folder import ASKED, LOCK, RunFolder

Wish = Literal["pause", "stop"]
_LOOK_EVERY_S = 0.25


def ask(run: RunFolder, wish: Wish) -> None:
    """Ask the training to pause after this batch, or to stop and keep its best epoch.

    Raises:
        OutputError: the folder cannot be written.
    """
    run.write_text(ASKED, wish)


def go_on(run: RunFolder) -> None:
    """Take back what was asked; a paused training goes on.

    Raises:
        OutputError: the folder cannot be written.
    """
    run.remove(ASKED)


def asked(run: RunFolder) -> Wish | None:
    """What the training is asked for at present."""
    try:
        word = (run.path / ASKED).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return word if word in ("pause", "stop") else None  # type: ignore[return-value]


def is_training(run: RunFolder) -> bool:
    """Whether some process trains in this folder now."""
    if not (run.path / LOCK).exists():
        return False
    lock = FileLock(run.path / LOCK, timeout=0)
    try:
        with lock:
            return False
    except (Timeout, OSError):
        return True


@contextmanager
def alone(run: RunFolder) -> Iterator[None]:
    """Keep other trainings out of the folder; the system lets go of it however the process ends.

    Raises:
        DataError: another process trains there.
        OutputError: the folder cannot be written.
    """
    lock = FileLock(run.path / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise DataError(f"{run.name} is being trained already, here or in another window.") from error
    except OSError as error:
        raise OutputError(f"{run.name} cannot be trained in its folder: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


class Steering:
    """Asked before each batch: waits through a pause, and says whether to stop."""

    def __init__(self, run: RunFolder, paused: Callable[[bool], None], cancel: CancelToken) -> None:
        """``paused`` is told when a pause begins (True) and ends (False); ``cancel`` ends one too.

        What was asked before holds; see :func:`go_on`.
        """
        self._run = run
        self._paused = paused
        self._cancel = cancel
        self._looked = 0.0

    def __call__(self) -> bool:
        """Whether to stop and keep the best epoch.

        Raises:
            Cancelled: while it waited.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY_S:
            return False
        self._looked = now
        wish = asked(self._run)
        if wish == "pause":
            self._paused(True)
            while (wish := asked(self._run)) == "pause":
                checkpoint(self._cancel)
                time.sleep(_LOOK_EVERY_S / 2)
            self._paused(False)
        return wish == "stop"
