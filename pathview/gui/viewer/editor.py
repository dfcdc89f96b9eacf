"""Choosing, dragging and removing marks that exist already: no canvas and no Qt here.

Coordinates are stored level-0 pixels, ``tolerance`` as of :mod:`pathview.gui.viewer.tools`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pathview.results.annotation import Mark, Point

if TYPE_CHECKING:  # Shapely takes a moment: the window starts without
    from pathview.results.annotation_index import MarkIndex


@dataclass(frozen=True)
class Hit:
    """What lies under the mouse."""

    mark_id: str
    handle: int | None
    """Index into :func:`handles`; None: the line."""


class Editor:
    """Chooses marks, drags and removes them."""

    def __init__(self) -> None:
        """No marks yet."""
        self._marks: dict[str, Mark] = {}
        self._index: MarkIndex | None = None
        self._hit: Hit | None = None
        self._from: Point = (0.0, 0.0)
        self.chosen: tuple[str, ...] = ()
        """Ids of the marks that show their handles, the last one chosen last."""
        self.preview: Mark | None = None
        """The mark that is being dragged as it would become, to be shown in place of the one with its id."""

    @property
    def selected(self) -> str | None:
        """The last one chosen."""
        return self.chosen[-1] if self.chosen else None

    def set_marks(self, marks: Sequence[Mark], index: MarkIndex | None = None) -> None:
        """The marks of the frame that is shown, the topmost last. A drag goes on if its mark is still there.

        Args:
            marks: all of them.
            index: of the same, where there are very many.
        """
        self._marks = {mark.id: mark for mark in marks}
        self._index = index
        self.chosen = tuple(one for one in self.chosen if one in self._marks)
        if self._hit is not None and self._hit.mark_id not in self._marks:
            self._stop()

    def choose(self, ids: Sequence[str]) -> None:
        """Choose these and no others; what is not there is left out."""
        self._stop()
        self.chosen = tuple(one for one in ids if one in self._marks)

    def hit(self, x: float, y: float, tolerance: float) -> Hit | None:
        """The handle, or else the line, under a place: a chosen mark's first, then the topmost."""
        for mark in self._candidates(x, y, tolerance):
            on_line = _distance(mark, (x, y)) <= tolerance
            if on_line or mark.id in self.chosen:  # an ellipse's corners are off its line, and seen only then
                away = [math.dist((x, y), handle) for handle in handles(mark)]
                if away and min(away) <= tolerance:
                    return Hit(mark.id, away.index(min(away)))
            if on_line:
                return Hit(mark.id, None)
        return None

    def _candidates(self, x: float, y: float, tolerance: float) -> Iterator[Mark]:
        yield from (self._marks[one] for one in reversed(self.chosen))
        ids: Sequence[str] = tuple(self._marks)
        if self._index is not None:
            ids = self._index.ids_in((x - tolerance, y - tolerance, x + tolerance, y + tolerance))
        yield from (self._marks[one] for one in reversed(ids) if one in self._marks)

    def press(self, x: float, y: float, tolerance: float, more: bool = False) -> bool:
        """Choose what is there and be ready to drag it; whether there was a mark (else the press is the canvas's).

        ``more``: beside those that are chosen already, or no longer if it is one of them.
        """
        self._stop()
        hit = self.hit(x, y, tolerance)
        if more:
            if hit is None:
                return False
            others = tuple(one for one in self.chosen if one != hit.mark_id)
            self.chosen = others if hit.mark_id in self.chosen else (*others, hit.mark_id)
            return True
        self._hit, self._from = hit, (x, y)
        if hit is None:
            self.chosen = ()
        elif hit.mark_id not in self.chosen:
            self.chosen = (hit.mark_id,)
        return hit is not None

    def move(self, x: float, y: float, tolerance: float) -> bool:
        """Drag; whether a drag is on. It starts once the mouse is ``tolerance`` away from the press."""
        mark = self._marks.get(self._hit.mark_id) if self._hit else None
        if mark is None or self._hit is None:
            return False
        if self.preview is not None or math.dist(self._from, (x, y)) > tolerance:
            self.preview = dragged(mark, self._hit.handle, x - self._from[0], y - self._from[1])
        return True

    def release(self, x: float, y: float, tolerance: float) -> Mark | None:
        """End a drag; the mark as it is now (the same id), or None where it stays as it was."""
        self.move(x, y, tolerance)
        changed = self.preview
        self._stop()
        if changed is None or not changed.measurable or changed == self._marks.get(changed.id):
            return None
        return changed

    def escape(self) -> bool:
        """Let a drag go, the mark stays as it was; else the choice. Whether there was either."""
        if self.preview is not None:
            self._stop()
            return True
        was = self.chosen
        self.chosen = ()
        return bool(was)

    def delete(self) -> tuple[str, ...]:
        """Choose nothing any more; what was chosen, to be removed from the store."""
        removed, self.chosen = self.chosen, ()
        self._stop()
        return removed

    def _stop(self) -> None:
        self._hit = None
        self.preview = None


def handles(mark: Mark) -> tuple[Point, ...]:
    """Where a mark can be taken hold of: its points; of a box or an ellipse four corners; none of what a hand drew."""
    if mark.kind in ("freehand", "region"):
        return ()
    if mark.kind not in ("rectangle", "ellipse") or len(mark.points) < 2:
        return mark.points
    (x0, y0), (x1, y1) = mark.points[:2]
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def dragged(mark: Mark, handle: int | None, dx: float, dy: float) -> Mark:
    """A mark with one handle moved, or (None) all of it."""
    if handle is None:
        moved = tuple((x + dx, y + dy) for x, y in mark.points)
        rings = tuple(tuple(tuple((x + dx, y + dy) for x, y in ring) for ring in part) for part in mark.rings)
        return replace(mark, points=moved, rings=rings)
    held = handles(mark)
    place = (held[handle][0] + dx, held[handle][1] + dy)
    if mark.kind in ("rectangle", "ellipse"):
        return replace(mark, points=(held[(handle + 2) % 4], place))
    return replace(mark, points=(*mark.points[:handle], place, *mark.points[handle + 1 :]))


def _distance(mark: Mark, point: Point) -> float:
    from pathview.results.annotation_shapes import distance

    return distance(mark, point)
