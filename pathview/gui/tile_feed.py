"""Reading the tiles that a slide's view lacks, a few at a time, always for the newest view."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from pathview.gui.job_runner import JobRunner
from pathview.gui.session_handle import SessionHandle
from pathview.jobs import CancelToken, ProgressSink
from pathview.review.records.case import ImageRow

if TYPE_CHECKING:  # the window starts without OpenSlide
    from pathview.images.stain import Channel
    from pathview.images.tiles import TileKey, Tiles

_AT_ONCE = 6
"""Tiles a job: few, so that a view that has moved on waits for few."""


class TileFeed(QObject):
    """One job at a time; what was wished before is forgotten when something else is."""

    loaded = Signal(int, object)
    """Image id and :class:`pathview.images.tiles.Tiles`."""
    failed = Signal(object)
    """The error; what is on the screen stays."""

    def __init__(self, handle: SessionHandle, parent: QObject | None = None) -> None:
        """Nothing is wanted."""
        super().__init__(parent)
        self._handle = handle
        self._runner = JobRunner("tiles", self)
        self._image: ImageRow | None = None
        self._keys: list[TileKey] = []
        self._look: tuple[bool, Channel] = (True, "")

    @property
    def busy(self) -> bool:
        """Whether tiles are being read."""
        return self._runner.busy

    def close(self) -> None:
        """Cancel and end the thread."""
        self.drop()
        self._runner.close()

    def drop(self) -> None:
        """Nothing is wanted any more."""
        self._keys = []
        self._runner.cancel_all()

    def want(self, image: ImageRow, keys: Sequence[TileKey], icc: bool, channel: Channel) -> None:
        """Read these tiles of an image, in this order, instead of those that were wanted before."""
        other = self._image is None or self._image.id != image.id or self._look != (icc, channel)
        self._image, self._keys, self._look = image, list(keys), (icc, channel)
        if other:
            self._runner.cancel_all()
        if self._keys and (other or not self._runner.busy):
            self._next()

    def _next(self) -> None:
        image, look = self._image, self._look
        keys, self._keys = self._keys[:_AT_ONCE], self._keys[_AT_ONCE:]
        if image is None or not keys:
            return

        def work(_: ProgressSink, cancel: CancelToken) -> Any:
            from pathview.images.tiles import Look, load_tiles

            session = self._handle.get()
            return session.opener.run(
                load_tiles, image.path, session.settings, image.mpp_um, keys, Look(*look), cancel=cancel
            )

        self._runner.submit(work, partial(self._take, image.id), self._fail)

    def _take(self, image_id: int, tiles: Tiles) -> None:
        self.loaded.emit(image_id, tiles)
        self._next()

    def _fail(self, error: Exception) -> None:
        self._keys = []
        self.failed.emit(error)
