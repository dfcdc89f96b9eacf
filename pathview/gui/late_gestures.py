"""Gestures that take a while to work out: in a thread, one after the other, each on what the one before left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from PySide6.QtCore import QObject, Signal

from pathview.gui.deeds import Pairs
from pathview.gui.job_runner import JobRunner
from pathview.gui.viewer.drawing import Stroke
from pathview.results.annotation import Mark

_STOP = "  (Esc stops it)"
_CLOSE_S = 120.0
"""So long the window's closing waits for what was drawn."""
_CHOSEN_AFTER = ("brush", "wand", "copy of a finding")
"""Gestures whose new region is chosen, so that the next one goes on with it."""


@dataclass(frozen=True)
class Gesture:
    """What the reader did, before it is known what comes of it."""

    image_id: int
    name: str
    """As menus say it."""
    marks: tuple[Mark, ...]
    """What it is done to, as it was then."""
    deed: Callable[[Sequence[Mark]], Pairs]
    """Gets these marks as they are when it is its turn; those that are gone by then are left out."""
    stroke: Stroke | None = None
    """What was drawn, to be shown meanwhile."""
    cancel: Event | None = None
    """Stops the deed; None: it is of what was drawn, which must not be lost."""

    def made(self, pairs: Pairs) -> tuple[str, ...]:
        """Ids of the new regions that are chosen once they are there."""
        new = [after.id for before, after in pairs if before is None and after is not None]
        return tuple(new) if self.name in _CHOSEN_AFTER else ()


class LateGestures(QObject):
    """A queue of gestures. Its thread starts with the first one."""

    changed = Signal(int)
    """Image id: other gestures wait there."""
    emptied = Signal()
    """None waits any more."""

    def __init__(self, parent: QObject) -> None:
        """None yet."""
        super().__init__(parent)
        self._runner: JobRunner | None = None
        self._waiting: list[Gesture] = []
        # Of the thread alone, while anything waits: what the gestures before left.
        self._forms: dict[str, Mark | None] = {}
        self._followed: tuple[tuple[str, ...], tuple[Mark, ...]] | None = None

    def __bool__(self) -> bool:
        """Whether any waits."""
        return bool(self._waiting)

    def strokes(self, image_id: int) -> tuple[Stroke, ...]:
        """What was drawn on an image and is being worked out."""
        return tuple(one.stroke for one in self._waiting if one.image_id == image_id and one.stroke is not None)

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """What stands beside marks meanwhile, by their id."""
        return {
            mark.id: (f"{one.name} ...{_STOP if one.cancel else ''}",) for one in self._waiting for mark in one.marks
        }

    def cancel(self) -> bool:
        """Stop what can be; whether anything was."""
        stopped = [one.cancel for one in self._waiting if one.cancel is not None and not one.cancel.is_set()]
        for event in stopped:
            event.set()
        return bool(stopped)

    def add(self, gesture: Gesture, done: Callable[[Pairs], None], failed: Callable[[Exception], None]) -> None:
        """Work a gesture out when it is its turn.

        Args:
            gesture: of which other gestures may wait before it.
            done: gets the marks before and after.
            failed: gets why nothing comes of it.
        """
        if self._runner is None:
            self._runner = JobRunner("drawing", self)
        self._waiting.append(gesture)
        self.changed.emit(gesture.image_id)

        def ended() -> None:
            self._waiting.remove(gesture)
            if not self._waiting:
                self._forms, self._followed = {}, None
                self.emptied.emit()
            self.changed.emit(gesture.image_id)

        self._runner.submit(lambda *_: self._work_out(gesture), done, failed, ended=ended)

    def close(self) -> None:
        """Work out what waits, and have it kept, before this returns."""
        if self._runner is not None:
            self._runner.finish(_CLOSE_S)
            self._runner = None

    def _work_out(self, gesture: Gesture) -> Pairs:
        ids = tuple(mark.id for mark in gesture.marks)
        marks: Sequence[Any] = [self._forms.get(mark.id, mark) for mark in gesture.marks]
        fresh = gesture.stroke is not None and gesture.stroke.fresh
        if self._followed is not None and self._followed[0] == ids and not fresh:
            marks = [self._forms.get(mark.id, mark) for mark in self._followed[1]]
        pairs = gesture.deed([mark for mark in marks if mark is not None])
        for before, after in pairs:
            self._forms[(before or after).id] = after  # type: ignore[union-attr]
        if new := gesture.made(pairs):
            self._followed = ids, tuple(after for _, after in pairs if after is not None and after.id in new)
        return pairs
