"""How marks are drawn and changed by mouse and keys: small state machines that know neither canvas nor Qt.

Coordinates are stored level-0 pixels, ``tolerance`` how many of them are as good as the same place (a few screen
pixels). A canvas that reports the second press of a double click as a press, too, is fine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from pathview.results.measurement import Mark, MarkKind, Point

_ELLIPSE_SIDES = 128
"""The line of an ellipse as a polygon: off by less than 1/3000 of its half axes."""


class Tool(Protocol):
    """Draws one mark after another. What returns a mark has finished it, and starts afresh."""

    @property
    def preview(self) -> Mark | None:
        """What is drawn so far, the cursor's place its last point; may be too short to measure."""
        ...

    def press(self, x: float, y: float, tolerance: float) -> Mark | None:
        """The left button went down."""
        ...

    def move(self, x: float, y: float, tolerance: float) -> None:
        """The mouse moved, a button down or not."""
        ...

    def release(self, x: float, y: float, tolerance: float) -> Mark | None:
        """The left button went up."""
        ...

    def double_click(self, x: float, y: float, tolerance: float) -> Mark | None:
        """The left button went down for the second time in short."""
        ...

    def enter(self) -> Mark | None:
        """Finish, where the tool takes any number of points."""
        ...

    def backspace(self) -> bool:
        """Take the last point back; whether there was one."""
        ...

    def escape(self) -> bool:
        """Drop what is drawn so far; whether there was anything."""
        ...


class _Drawing:
    """What all tools share: points that are fixed, and the cursor after them."""

    def __init__(self, kind: MarkKind) -> None:
        self._start(kind)

    def _start(self, kind: MarkKind) -> None:
        self._mark = Mark(kind, ())
        self._cursor: Point | None = None

    @property
    def preview(self) -> Mark | None:
        """See :class:`Tool`."""
        points = self._mark.points
        if not points:
            return None
        if self._cursor is None or self._cursor == points[-1]:
            return self._mark
        return replace(self._mark, points=(*points, self._cursor))

    def press(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        self._add((x, y))
        return None

    def move(self, x: float, y: float, tolerance: float) -> None:
        """See :class:`Tool`."""
        self._cursor = (x, y)

    def release(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        return None

    def double_click(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        return None

    def enter(self) -> Mark | None:
        """See :class:`Tool`."""
        return None

    def backspace(self) -> bool:
        """See :class:`Tool`."""
        points = self._mark.points
        self._mark = replace(self._mark, points=points[:-1])
        return bool(points)

    def escape(self) -> bool:
        """See :class:`Tool`."""
        drawn = bool(self._mark.points)
        self._start(self._mark.kind)
        return drawn

    def _add(self, point: Point) -> None:
        self._mark = replace(self._mark, points=(*self._mark.points, point))
        self._cursor = point

    def _finish(self) -> Mark | None:
        """The mark, if there is anything to measure; either way the next one may start."""
        mark = self._mark
        self._start(mark.kind)
        return mark if mark.measurable else None


class TwoPoints(_Drawing):
    """A ruler (drag, or click twice) or an ellipse (drag from corner to corner)."""

    def __init__(self, kind: MarkKind, clicks: bool) -> None:
        """``clicks``: whether a first click without a drag waits for a second."""
        super().__init__(kind)
        self._clicks = clicks
        self._down = False

    def press(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        self._down = True
        if not self._mark.points:
            self._add((x, y))
            return None
        self._cursor = (x, y)
        return None if _near(self._mark.points[0], (x, y), tolerance) else self._end((x, y))

    def release(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        if not self._down or not self._mark.points:
            return None
        self._down = False
        if _near(self._mark.points[0], (x, y), tolerance):
            if not self._clicks:
                self.escape()
            return None
        return self._end((x, y))

    def escape(self) -> bool:
        """See :class:`Tool`."""
        self._down = False
        return super().escape()

    def _end(self, point: Point) -> Mark | None:
        self._down = False
        self._add(point)
        return self._finish()


class Angle(_Drawing):
    """Three clicks: end, vertex, end."""

    def __init__(self) -> None:
        """Nothing drawn yet."""
        super().__init__("angle")

    def press(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        if self._mark.points and _near(self._mark.points[-1], (x, y), tolerance):
            return None
        self._add((x, y))
        return self._finish() if len(self._mark.points) == 3 else None


class Polygon(_Drawing):
    """A corner a click; a double click, Enter or a click on the first corner closes."""

    def __init__(self) -> None:
        """Nothing drawn yet."""
        super().__init__("polygon")

    def press(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        points = self._mark.points
        if len(points) >= 3 and _near(points[0], (x, y), tolerance):
            return self._finish()
        if not points or not _near(points[-1], (x, y), tolerance):
            self._add((x, y))
        return None

    def double_click(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        return self._finish() if self._mark.points else None

    def enter(self) -> Mark | None:
        """See :class:`Tool`."""
        return self._finish()


TOOLS: dict[MarkKind, Callable[[], Tool]] = {
    "ruler": lambda: TwoPoints("ruler", clicks=True),
    "angle": Angle,
    "ellipse": lambda: TwoPoints("ellipse", clicks=False),
    "polygon": Polygon,
}


@dataclass(frozen=True)
class Hit:
    """What lies under the mouse."""

    mark_id: str
    handle: int | None
    """Index into :func:`handles`; None: the line."""


class Editor:
    """Selects, drags and removes marks that exist already."""

    def __init__(self) -> None:
        """No marks yet."""
        self._marks: tuple[Mark, ...] = ()
        self._hit: Hit | None = None
        self._from: Point = (0.0, 0.0)
        self.selected: str | None = None
        """Id of the mark that shows its handles."""
        self.preview: Mark | None = None
        """The mark that is being dragged as it would become, to be shown in place of the one with its id."""

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """The marks of the frame that is shown, the topmost last. A drag goes on if its mark is still there."""
        self._marks = tuple(marks)
        ids = {mark.id for mark in self._marks}
        self.selected = self.selected if self.selected in ids else None
        if self._hit is not None and self._hit.mark_id not in ids:
            self._stop()

    def hit(self, x: float, y: float, tolerance: float) -> Hit | None:
        """The handle, or else the line, under a place: the selected mark's first, then the topmost."""
        selected = [mark for mark in self._marks if mark.id == self.selected]
        for mark in (*selected, *reversed(self._marks)):
            on_line = distance(mark, (x, y)) <= tolerance
            if on_line or mark.id == self.selected:  # an ellipse's corners are off its line, and seen only then
                away = [math.dist((x, y), handle) for handle in handles(mark)]
                if min(away) <= tolerance:
                    return Hit(mark.id, away.index(min(away)))
            if on_line:
                return Hit(mark.id, None)
        return None

    def press(self, x: float, y: float, tolerance: float) -> bool:
        """Select what is there and be ready to drag it; whether there was a mark (else the press is the canvas's)."""
        self._stop()
        self._hit = self.hit(x, y, tolerance)
        self._from = (x, y)
        self.selected = self._hit.mark_id if self._hit else None
        return self._hit is not None

    def move(self, x: float, y: float, tolerance: float) -> bool:
        """Drag; whether a drag is on. It starts once the mouse is ``tolerance`` away from the press."""
        mark = self._find(self._hit.mark_id) if self._hit else None
        if mark is None or self._hit is None:
            return False
        if self.preview is not None or not _near(self._from, (x, y), tolerance):
            self.preview = dragged(mark, self._hit.handle, x - self._from[0], y - self._from[1])
        return True

    def release(self, x: float, y: float, tolerance: float) -> Mark | None:
        """End a drag; the mark as it is now (the same id), or None where it stays as it was."""
        self.move(x, y, tolerance)
        changed = self.preview
        self._stop()
        return changed if changed is not None and changed.measurable and changed != self._find(changed.id) else None

    def escape(self) -> bool:
        """Let a drag go, the mark stays as it was; else the selection. Whether there was either."""
        if self.preview is not None:
            self._stop()
            return True
        was = self.selected
        self.selected = None
        return was is not None

    def delete(self) -> str | None:
        """Deselect the selected mark; its id, to be removed from the store."""
        removed, self.selected = self.selected, None
        self._stop()
        return removed

    def _stop(self) -> None:
        self._hit = None
        self.preview = None

    def _find(self, mark_id: str) -> Mark | None:
        return next((mark for mark in self._marks if mark.id == mark_id), None)


def handles(mark: Mark) -> tuple[Point, ...]:
    """Where a mark can be taken hold of: its points; of an ellipse the four corners of the rectangle around it."""
    if mark.kind != "ellipse" or len(mark.points) < 2:
        return mark.points
    (x0, y0), (x1, y1) = mark.points
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def dragged(mark: Mark, handle: int | None, dx: float, dy: float) -> Mark:
    """A mark with one handle moved, or (None) all of it."""
    if handle is None:
        return replace(mark, points=tuple((x + dx, y + dy) for x, y in mark.points))
    held = handles(mark)
    moved = (held[handle][0] + dx, held[handle][1] + dy)
    if mark.kind == "ellipse":
        return replace(mark, points=(held[(handle + 2) % 4], moved))
    return replace(mark, points=(*mark.points[:handle], moved, *mark.points[handle + 1 :]))


def distance(mark: Mark, point: Point) -> float:
    """Stored pixels from a point to a mark's line."""
    ends = np.array(outline(mark))
    starts, along = ends[:-1], np.diff(ends, axis=0)
    offset = np.array(point) - starts
    squares = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip((offset * along).sum(axis=1) / squares, 0.0, 1.0)
    return float(np.hypot(*(offset - share[:, None] * along).T).min())


def outline(mark: Mark) -> list[Point]:
    """A mark's line as a chain of points: closed where it is a region, an ellipse in short sides."""
    if mark.kind == "polygon":
        return [*mark.points, mark.points[0]]
    if mark.kind != "ellipse":
        return list(mark.points)
    (x0, y0), (x1, y1) = mark.points
    turn = np.linspace(0, 2 * np.pi, _ELLIPSE_SIDES + 1)
    xs = (x0 + x1) / 2 + (x1 - x0) / 2 * np.cos(turn)
    ys = (y0 + y1) / 2 + (y1 - y0) / 2 * np.sin(turn)
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def _near(one: Point, other: Point, tolerance: float) -> bool:
    return math.dist(one, other) <= tolerance
