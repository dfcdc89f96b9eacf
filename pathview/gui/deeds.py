"""What becomes of what was drawn: for each tool, the marks before and after. No Qt here, and no store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pathview.errors import AnnotationError
from pathview.gui.viewer.editor import dragged
from pathview.gui.viewer.tools import ToolName
from pathview.jobs import CancelToken
from pathview.results.annotation import Mark

Pair = tuple[Mark | None, Mark | None]
"""A mark before and after; None: it was not there, or is no more."""
Pairs = tuple[Pair, ...]

_FREEHAND_PX = 0.4
"""Screen pixels by which a line drawn by hand may be off, to have fewer points."""
_SMOOTH_PX = 8.0
"""Radius on the screen of the round that smooths an outline."""


BETWEEN = "frames between"
"""Name of the gesture that makes outlines on the frames between two."""
_LATE = 1_500
"""Corners from which a gesture is worked out in a thread; it would take some 10 ms."""
_COSTS: dict[str, int] = {
    **dict.fromkeys(("brush", "eraser", "split", "merge", "freehand", "polygon"), 1),
    "smooth": 30,
    BETWEEN: _LATE,
}
"""How dear a corner is; other gestures only put down what was drawn."""


@dataclass(frozen=True)
class Hand:
    """What a tool is used on."""

    chosen: tuple[Mark, ...] = ()
    """Marks of the image and frame, the last one chosen last."""
    fresh: bool = False
    """Whether a region of its own is meant."""
    radius: float = 0.0
    """Of brush and eraser, stored pixels."""
    px: float = 1.0
    """Stored pixels a logical screen pixel."""
    frame: int = 0
    label: str = ""
    """Of new marks."""

    def new(self, mark: Mark) -> Mark:
        """A mark that is not there yet, of this frame and label."""
        return replace(mark, frame=self.frame, label=self.label)

    @property
    def regions(self) -> tuple[Mark, ...]:
        """The chosen marks that have an inside."""
        return tuple(mark for mark in self.chosen if mark.is_region)


def add(drawn: Mark, hand: Hand) -> Pairs:
    """A new mark, as it was drawn."""
    return ((None, hand.new(drawn)),)


def add_outline(drawn: Mark, hand: Hand) -> Pairs:
    """A new outline, without the points that nobody could see."""
    from pathview.results.annotation_edit import simplified_line

    simple = replace(drawn, points=simplified_line(drawn.points, _FREEHAND_PX * hand.px))
    return add(simple if simple.measurable else drawn, hand)


def stroke_on(tool: ToolName, drawn: Mark, hand: Hand) -> Callable[[Sequence[Mark]], Pairs]:
    """What a tool does to marks as they are once it is its turn."""
    return lambda marks: DEEDS[tool](drawn, replace(hand, chosen=tuple(marks)))


def paint(drawn: Mark, hand: Hand) -> Pairs:
    """A stroke of the brush, on the chosen region or as a new one."""
    from pathview.results.annotation_edit import painted

    into = hand.regions[-1] if hand.regions and not hand.fresh else None
    found = painted(into, drawn.points, hand.radius)
    return ((into, found if into is not None else hand.new(found)),)


def erase(drawn: Mark, hand: Hand) -> Pairs:
    """A stroke of the eraser, on the chosen outlines.

    Raises:
        AnnotationError: there is none.
    """
    from pathview.results.annotation_edit import erased

    marks = hand.regions
    if not marks:
        raise AnnotationError("Begin on an outline, or choose one first, to erase some of it.")
    return tuple((mark, erased(mark, drawn.points, hand.radius)) for mark in marks)


def cut(drawn: Mark, hand: Hand) -> Pairs:
    """A cut through the chosen outlines: those that the line crosses.

    Raises:
        AnnotationError: none is chosen, or the line crosses none.
    """
    from pathview.results.annotation_edit import split

    if not hand.regions:
        raise AnnotationError("Choose the outline that is to be split, then draw a line across it.")
    pairs: list[Pair] = []
    refused: AnnotationError | None = None
    for mark in hand.regions:
        try:
            first, *others = split(mark, drawn.points)
        except AnnotationError as error:
            refused = error
            continue
        pairs += [(mark, first), *((None, other) for other in others)]
    if not pairs and refused is not None:
        raise refused
    return tuple(pairs)


def merge(chosen: Sequence[Mark]) -> Pairs:
    """The chosen outlines as one, which is the first of them.

    Raises:
        AnnotationError: there are fewer than two, or one has no inside.
    """
    from pathview.results.annotation_edit import merged

    whole = merged(chosen)
    return ((chosen[0], whole), *((mark, None) for mark in chosen[1:]))


def smooth(chosen: Sequence[Mark], px: float, cancel: CancelToken | None = None) -> Pairs:
    """The chosen outlines, rounded.

    Args:
        chosen: marks.
        px: stored pixels a logical screen pixel.
        cancel: see :func:`pathview.results.annotation_edit.smoothed`.

    Raises:
        AnnotationError: none is chosen, or one has no inside.
        Cancelled: it was asked to stop.
    """
    from pathview.results.annotation_edit import smoothed

    if not chosen:
        raise AnnotationError("Choose the outline that is to be smoothed.")
    return tuple((mark, smoothed(mark, _SMOOTH_PX * px, cancel)) for mark in chosen)


def move(now: Sequence[Mark], before: Mark, after: Mark) -> Pairs:
    """A mark that was dragged; a region that has another form by now is moved by as much.

    Raises:
        AnnotationError: it is gone, or another kind of mark has another form.
    """
    if tuple(now) == (before,):
        return ((before, after),)
    if not now or before.kind != "region" or now[0].kind != "region":
        raise AnnotationError("This annotation has changed since; it was not moved.")
    (x0, y0), (x1, y1) = next(before.corners), next(after.corners)
    return ((now[0], dragged(now[0], None, x1 - x0, y1 - y0)),)


def partner(chosen: Mark, marks: Iterable[Mark]) -> Mark | None:
    """The outline to go on from: of the same label on the nearest other frame, there the one nearest in place."""
    from pathview.results.annotation_shapes import inside

    others = [mark for mark in marks if mark.is_region and mark.frame != chosen.frame and mark.label == chosen.label]
    least = min((abs(mark.frame - chosen.frame) for mark in others), default=0)
    near = [mark for mark in others if abs(mark.frame - chosen.frame) == least]
    middle = inside(chosen).centroid
    return min(near, key=lambda mark: float(inside(mark).centroid.distance(middle)), default=None)


def fill_between(marks: Sequence[Mark]) -> Pairs:
    """New outlines on all frames between two.

    Raises:
        AnnotationError: one of the two is gone, their frames follow on one another, or nothing lies between.
    """
    from pathview.results.annotation_pixels import between

    if len(marks) < 2:
        raise AnnotationError("One of the two outlines is gone; nothing was made.")
    first, last = sorted(marks, key=lambda mark: mark.frame)
    frames = range(first.frame + 1, last.frame)
    if not frames:
        raise AnnotationError("There is no frame between this outline and the nearest one of its label.")
    words = {"interpolated": f"between frames {first.frame + 1} and {last.frame + 1}"}
    made = [between(first, last, frame) for frame in frames]
    return tuple((None, replace(mark, properties={**mark.properties, **words})) for mark in made)


def takes_long(name: str, marks: Sequence[Mark], drawn: Mark | None) -> bool:
    """Whether a gesture of this name is not worked out at once."""
    corners = sum(1 for mark in (*marks, *((drawn,) if drawn is not None else ())) for _ in mark.corners)
    return corners * _COSTS.get(name, 0) > _LATE


DEEDS: dict[ToolName, Callable[[Mark, Hand], Pairs]] = {
    "point": add,
    "ruler": add,
    "angle": add,
    "rectangle": add,
    "ellipse": add,
    "polygon": add,
    "freehand": add_outline,
    "brush": paint,
    "eraser": erase,
    "split": cut,
}
"""By tool; the wand looks at pixels, which takes a job: :mod:`pathview.gui.annotating`."""
