"""What the use cases ask of whatever computes."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, Protocol

from pathview.errors import PathViewError
from pathview.jobs import Cancelled, CancelToken, ProgressSink, never, no_progress

NO_MEMORY = "There is not enough memory for this; close other programs or use a smaller image."


class Engine(Protocol):
    """Runs one job at a time."""

    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> Any:
        """Call ``function(*args, progress, cancel)`` and return what it returns.

        ``function`` must be defined at the top of a module and its arguments and result must pickle.

        Raises:
            PathViewError: what the function raised, as it raised it.
            Cancelled: the user cancelled.
            WorkerDied: the process that ran it ended.
            JobFailed: the function has a bug.
        """
        ...

    def close(self) -> None:
        """End whatever was started."""
        ...


class JobFailed(Exception):
    """A bug inside a job: ``str(error)`` names its type, ``trace`` its frames, without the values."""

    def __init__(self, kind: str, trace: str = "") -> None:
        super().__init__(kind)
        self.trace = trace


class LocalEngine:
    """Runs jobs in this process: the command line's and the tests' engine."""

    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> Any:
        """See :class:`Engine`."""
        try:
            return function(*args, progress, cancel or never())
        except (PathViewError, Cancelled, JobFailed):
            raise
        except MemoryError as error:
            raise PathViewError(NO_MEMORY) from error
        except Exception as error:
            raise JobFailed(type(error).__name__, "".join(traceback.format_tb(error.__traceback__))) from error

    def close(self) -> None:
        """Nothing was started."""
