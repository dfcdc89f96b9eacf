"""The session, opened in the background: the window is painted before the store and its libraries are loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pathview.errors import StoreError

if TYPE_CHECKING:
    from pathview.session import Session


class SessionHandle:
    """Opens the session once, in the first thread that asks; others wait for it. Never asked by the window's own."""

    def __init__(self, build: Callable[[], Session], place: Path | str | None = None) -> None:
        """``build`` may take a second: it imports the store and the analysis; ``place`` is where the store is."""
        self.place = place
        self._build = build
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._error: StoreError | None = None

    def get(self) -> Session:
        """The session.

        Raises:
            StoreError: it could not be opened; the same error for everyone who asks.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._session is None:
                try:
                    self._session = self._build()
                except StoreError as error:
                    self._error = error
                    raise
            return self._session

    @property
    def opened(self) -> Session | None:
        """The session, if it is open."""
        return self._session

    def forget_failure(self) -> None:
        """Let it be opened once more: what kept it from being opened was mended."""
        with self._lock:
            self._error = None

    def close(self) -> None:
        """Close the session if it was opened."""
        if self._session is not None:
            self._session.close()
