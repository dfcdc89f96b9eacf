"""Indexes of very many marks: built in a thread, then kept up to date in the window's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from pathview.gui.job_runner import JobRunner
from pathview.results.annotation import Mark

if TYPE_CHECKING:  # Shapely takes a moment: the window starts without
    from pathview.results.annotation_index import MarkIndex

MANY = 100
"""Marks of one frame from which they are painted by an index, and measured only where they are chosen."""
_BY_HAND = 200
"""Changes from which an index is built anew rather than changed."""


class _Held:
    """An index and the marks that are in it."""

    def __init__(self, marks: Mapping[str, Mark], index: MarkIndex) -> None:
        self.marks = dict(marks)
        self.index = index
        self.changes = 0

    def update(self, marks: Mapping[str, Mark]) -> bool:
        """Take the marks as they are now; False: too much has changed since it was built."""
        other = [mark for key, mark in marks.items() if self.marks.get(key) is not mark]
        gone = self.marks.keys() - marks.keys()
        self.changes += len(other) + len(gone)
        if self.changes > _BY_HAND:
            return False
        for key in gone:
            self.index.remove(key)
        self.index.put(*other)
        self.marks = dict(marks)
        return True


class MarkIndexes(QObject):
    """One index an image, of the frame that is shown."""

    ready = Signal(int)
    """Image id: its index was built."""

    def __init__(self, runner: JobRunner, parent: QObject) -> None:
        """``runner`` builds."""
        super().__init__(parent)
        self._runner = runner
        self._held: dict[int, _Held] = {}
        self._building: set[int] = set()

    def of(self, image_id: int, marks: Mapping[str, Mark]) -> MarkIndex | None:
        """The index of an image's marks as they are now; None where they are few.

        While one is built, the one before is given, or an empty one.
        """
        if len(marks) < MANY:
            self._held.pop(image_id, None)
            return None
        held = self._held.get(image_id)
        if held is None or (not held.update(marks) and image_id not in self._building):
            self._build(image_id, dict(marks))
        return held.index if held is not None else _empty()

    def clear(self) -> None:
        """Another case."""
        self._held.clear()
        self._building.clear()

    def _build(self, image_id: int, marks: dict[str, Mark]) -> None:
        if image_id in self._building:
            return
        self._building.add(image_id)

        def work(*_: Any) -> MarkIndex:
            from pathview.results.annotation_index import MarkIndex

            return MarkIndex(marks.values())

        def done(index: MarkIndex) -> None:
            if image_id in self._building:
                self._building.discard(image_id)
                self._held[image_id] = _Held(marks, index)
                self.ready.emit(image_id)

        self._runner.submit(work, done)


def _empty() -> MarkIndex:
    from pathview.results.annotation_index import MarkIndex

    return MarkIndex()
