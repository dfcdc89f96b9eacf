"""Which of very many marks a view shows, and their lines no finer than its pixels: ready to be painted in one go.

Coordinates are stored level-0 pixels. The index is for one thread.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely

from pathview.results.annotation import Mark, Point, chains
from pathview.results.annotation_shapes import Bounds, Coordinates, hit

Ints = npt.NDArray[np.intp]

DOT_PX = 3.0
"""Marks that are smaller than this on the screen, both ways, are shown as dots."""
_OFF_PX = 0.5
"""How far a line may be off on the screen."""
_REBUILD = 512
"""Marks added or taken away until the tree is built anew."""


@dataclass(frozen=True)
class Outlines:
    """Lines and dots of many marks of one label. The arrays are the index's own: not to be changed."""

    points: Coordinates
    """float64 [n, 2], line after line."""
    connect: npt.NDArray[np.bool_]
    """[n], whether a line goes on to the next point."""
    dots: Coordinates
    """float64 [m, 2], the middles of marks that are too small for a line, and points."""


@dataclass
class _Lines:
    """Simplified lines of the marks of one label for one zoom, made when they are first seen."""

    points: Coordinates = field(default_factory=lambda: np.empty((0, 2)))
    connect: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    owner: Ints = field(default_factory=lambda: np.empty(0, np.intp))
    """[n], the slot whose line a point is of."""
    start: Ints = field(default_factory=lambda: np.empty(0, np.intp))
    """By slot; -1: not made yet."""
    count: Ints = field(default_factory=lambda: np.empty(0, np.intp))

    def make(self, slots: Ints, lines: npt.NDArray[np.object_], tolerance: float) -> None:
        """Make those of some slots that are not made yet; ``lines`` are those of all slots."""
        new = len(lines) - len(self.start)
        self.start = np.concatenate([self.start, np.full(new, -1, np.intp)])
        self.count = np.concatenate([self.count, np.zeros(new, np.intp)])
        missing = slots[self.start[slots] < 0]
        if not len(missing):
            return
        simple = shapely.simplify(lines[missing], tolerance, preserve_topology=False)
        parts, part_of = shapely.get_parts(simple, return_index=True)
        points, line_of = shapely.get_coordinates(parts, return_index=True)
        counts = np.bincount(part_of[line_of], minlength=len(missing))
        self.start[missing] = len(self.points) + np.cumsum(counts) - counts
        self.count[missing] = counts
        self.points = np.concatenate([self.points, points])
        self.connect = np.concatenate([self.connect, np.append(line_of[1:] == line_of[:-1], False)])
        self.owner = np.concatenate([self.owner, missing[part_of[line_of]]])

    def of(self, slots: Ints) -> tuple[Coordinates, npt.NDArray[np.bool_]]:
        """Points and connections of some slots that were made."""
        count = self.count[slots]
        total = int(count.sum())
        if total == len(self.points):
            return self.points, self.connect
        if 2 * total > len(self.points):  # most of them: looking at each point is the quicker way
            wanted = np.zeros(len(self.start), bool)
            wanted[slots] = True
            taken = np.flatnonzero(wanted.take(self.owner))
        else:
            taken = np.repeat(self.start[slots] - np.cumsum(count) + count, count) + np.arange(total)
        return self.points.take(taken, axis=0), self.connect.take(taken)


class MarkIndex:
    """The marks of one frame, found by where they are.

    A mark has a slot, which is never another mark's; a tree finds slots by their boxes. What came since the tree was
    built is looked at one by one.
    """

    def __init__(self, marks: Iterable[Mark] = (), zooms: Iterable[float] = ()) -> None:
        """For 10,000 marks this takes tenths of a second: not for the thread that paints.

        Args:
            marks: in the order in which they came.
            zooms: stored pixels a pixel of the screen for which the lines of all marks are made at once; others are
                made when they are first asked for, which for thousands of marks in one view is felt.
        """
        self._start(list(marks))
        for downsample in zooms:
            self.query((-np.inf, -np.inf, np.inf, np.inf), downsample)

    def _start(self, marks: Collection[Mark]) -> None:
        self._marks: list[Mark | None] = []
        self._slots: dict[str, int] = {}
        self._labels: dict[str, int] = {}
        self._made: dict[tuple[int, int], _Lines] = {}
        self._lines = np.empty(0, object)
        self._boxes = np.empty((0, 4))
        self._label_of = np.empty(0, np.intp)
        self._alive = np.empty(0, bool)
        self._append(marks)
        self._build()

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, *marks: Mark) -> None:
        """Add marks, or take their new form; what has no points yet is left out."""
        for mark in marks:
            self.remove(mark.id)
        self._append(marks)
        self._maybe_build()

    def remove(self, mark_id: str) -> None:
        """Show a mark no more; it need not be there."""
        slot = self._slots.pop(mark_id, None)
        if slot is not None:
            self._marks[slot] = None
            self._alive[slot] = False

    def query(self, view: Bounds, downsample: float, without: Collection[str] = ()) -> Mapping[str, Outlines]:
        """What a view shows, by label.

        Args:
            view: the part of the image that is shown: left, top, right, bottom.
            downsample: stored pixels a pixel of the screen.
            without: ids of marks that are painted in another way: chosen or being dragged.
        """
        slots = self._slots_in(view)
        if without:
            slots = np.setdiff1d(slots, [self._slots[one] for one in without if one in self._slots])
        left, top, right, bottom = self._boxes[slots].T
        small = np.maximum(right - left, bottom - top) < DOT_PX * downsample
        large = slots[~small]
        zoom = math.floor(math.log2(downsample * _OFF_PX))
        middles = np.stack([left + right, top + bottom], axis=1)[small] / 2
        codes, dot_codes = self._label_of[large], self._label_of[slots[small]]
        found = {}
        for label, code in self._labels.items():
            own, dots = large[codes == code], middles[dot_codes == code]
            if len(own) or len(dots):
                lines = self._made.setdefault((zoom, code), _Lines())
                lines.make(own, self._lines, 2.0**zoom)
                found[label] = Outlines(*lines.of(own), dots)
        return found

    def ids_in(self, view: Bounds) -> tuple[str, ...]:
        """Ids of the marks whose box a view touches, in the order in which they came."""
        return tuple(mark.id for slot in self._slots_in(view) if (mark := self._marks[slot]) is not None)

    def at(self, point: Point, tolerance: float) -> Mark | None:
        """The mark under a place, see :func:`pathview.results.annotation_shapes.hit`."""
        x, y = point
        slots = self._slots_in((x - tolerance, y - tolerance, x + tolerance, y + tolerance))
        return hit((mark for slot in slots if (mark := self._marks[slot]) is not None), point, tolerance)

    def _slots_in(self, view: Bounds) -> Ints:
        left, top, right, bottom = view
        inside = self._tree_slots[self._tree.query(shapely.box(*view))]
        newer = self._boxes[self._tree_end :]
        touched = (newer[:, 0] <= right) & (newer[:, 2] >= left) & (newer[:, 1] <= bottom) & (newer[:, 3] >= top)
        found = np.concatenate([np.sort(inside), np.flatnonzero(touched) + self._tree_end])
        return np.asarray(found[self._alive[found]])

    def _append(self, marks: Collection[Mark]) -> None:
        drawn = [mark for mark in marks if any(True for _ in mark.corners)]
        if not drawn:
            return
        lines = np.array([_line(mark) for mark in drawn], object)
        first = len(self._marks)
        self._slots |= {mark.id: first + number for number, mark in enumerate(drawn)}
        self._marks += drawn
        codes = [self._labels.setdefault(mark.label, len(self._labels)) for mark in drawn]
        self._lines = np.concatenate([self._lines, lines])
        self._boxes = np.concatenate([self._boxes, shapely.bounds(lines)])
        self._label_of = np.concatenate([self._label_of, np.array(codes, np.intp)])
        self._alive = np.concatenate([self._alive, np.ones(len(drawn), bool)])

    def _maybe_build(self) -> None:
        if len(self._marks) - self._tree_end <= _REBUILD:
            return
        if 2 * len(self._slots) < len(self._marks):  # more gone than there: start afresh
            self._start([mark for mark in self._marks if mark is not None])
        else:
            self._build()

    def _build(self) -> None:
        self._tree_slots: Ints = np.flatnonzero(self._alive)
        self._tree_end = len(self._marks)
        self._tree = shapely.STRtree(self._lines[self._tree_slots])


def _line(mark: Mark) -> shapely.Geometry:
    """The lines of a mark as they are drawn; of a single place that place."""
    drawn = chains(mark)
    lines = [shapely.LineString(chain) for chain in drawn if len(chain) > 1]
    if not lines:
        return shapely.Point(drawn[0][0])
    return lines[0] if len(lines) == 1 else shapely.MultiLineString(lines)
