"""How marks are drawn and changed by mouse and keys: small state machines that know neither canvas nor Qt.

Coordinates are stored level-0 pixels, ``tolerance`` how many of them are as good as the same place (a few screen
pixels). A canvas that reports the second press of a double click as a press, too, is fine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, Protocol

from pathview.results.annotation import Mark, MarkKind, Point

ToolName = Literal[
    "point",
    "ruler",
    "angle",
    "rectangle",
    "ellipse",
    "polygon",
    "freehand",
    "brush",
    "eraser",
    "wand",
    "split",
]
_STEP = 0.3
"""Of the tolerance: how far a line drawn by hand goes from point to point."""


class Tool(Protocol):
    """Draws one mark after another. What returns a mark has finished it, and starts afresh."""

    @property
    def begun(self) -> Mark | None:
        """What is fixed so far; None: nothing."""
        ...

    def resume(self, mark: Mark) -> None:
        """Go on with what was begun before."""
        ...

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
    def begun(self) -> Mark | None:
        """See :class:`Tool`."""
        return self._mark if self._mark.points else None

    def resume(self, mark: Mark) -> None:
        """See :class:`Tool`."""
        self._mark, self._cursor = mark, None

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
    """A ruler (drag, or click twice), or a rectangle or an ellipse (drag from corner to corner)."""

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


class Spot(_Drawing):
    """One click."""

    def press(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        self._add((x, y))
        return self._finish()


class Freehand(_Drawing):
    """Drag along an outline; it is closed where the button goes up."""

    def __init__(self, kind: MarkKind = "freehand") -> None:
        """Nothing drawn yet."""
        super().__init__(kind)
        self._down = False

    def press(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        self._down = True
        self._add((x, y))
        return None

    def move(self, x: float, y: float, tolerance: float) -> None:
        """See :class:`Tool`."""
        super().move(x, y, tolerance)
        if self._down and not _near(self._mark.points[-1], (x, y), _STEP * tolerance):
            self._add((x, y))

    def release(self, x: float, y: float, tolerance: float) -> Mark | None:
        """See :class:`Tool`."""
        if not self._down:
            return None
        self.move(x, y, tolerance)
        return self._finish()

    def enter(self) -> Mark | None:
        """See :class:`Tool`."""
        return self._finish() if self._mark.points else None

    def backspace(self) -> bool:
        """See :class:`Tool`."""
        return False

    def escape(self) -> bool:
        """See :class:`Tool`."""
        self._down = False
        return super().escape()

    def _finish(self) -> Mark | None:
        self._down = False
        return super()._finish()


class Trail(Freehand):
    """Drag along a line that stays open and is no mark itself: of a brush, of a cut. A click is one place."""

    def __init__(self) -> None:
        """Nothing drawn yet."""
        super().__init__("ruler")

    def _finish(self) -> Mark | None:
        mark = self._mark
        super()._finish()
        return mark


TOOLS: dict[ToolName, Callable[[], Tool]] = {
    "point": lambda: Spot("point"),
    "ruler": lambda: TwoPoints("ruler", clicks=True),
    "angle": Angle,
    "rectangle": lambda: TwoPoints("rectangle", clicks=False),
    "ellipse": lambda: TwoPoints("ellipse", clicks=False),
    "polygon": Polygon,
    "freehand": Freehand,
    "brush": Trail,
    "eraser": Trail,
    "wand": lambda: Spot("point"),
    "split": Trail,
}
"""How what is drawn is drawn; what becomes of it: :data:`pathview.gui.deeds.DEEDS`."""


def _near(one: Point, other: Point, tolerance: float) -> bool:
    return math.dist(one, other) <= tolerance
