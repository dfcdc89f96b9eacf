"""What becomes of what was drawn: for each tool, the marks before and after. No Qt here, and no store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pathview.errors import AnnotationError
from pathview.gui.viewer.tools import ToolName
from pathview.results.annotation import Mark

Pair = tuple[Mark | None, Mark | None]
"""A mark before and after; None: it was not there, or is no more."""
Pairs = tuple[Pair, ...]

_FREEHAND_PX = 0.4
"""Screen pixels by which a line drawn by hand may be off, to have fewer points."""
_SMOOTH_PX = 8.0
"""Radius on the screen of the round that smooths an outline."""


@dataclass(frozen=True)
class Hand:
    """What a tool is used on."""

    chosen: tuple[Mark, ...] = ()
    """Marks of the image and frame, the last one chosen last."""
    under: Mark | None = None
    """The mark under the place where the stroke began."""
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


def paint(drawn: Mark, hand: Hand) -> Pairs:
    """A stroke of the brush, on the chosen region or as a new one."""
    from pathview.results.annotation_edit import painted

    into = hand.regions[-1] if hand.regions and not hand.fresh else None
    found = painted(into, drawn.points, hand.radius)
    return ((into, found if into is not None else hand.new(found)),)


def erase(drawn: Mark, hand: Hand) -> Pairs:
    """A stroke of the eraser, on the chosen outlines or the one where it began.

    Raises:
        AnnotationError: there is none.
    """
    from pathview.results.annotation_edit import erased

    under = (hand.under,) if hand.under is not None and hand.under.is_region else ()
    marks = hand.regions or under
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


def smooth(chosen: Sequence[Mark], px: float) -> Pairs:
    """The chosen outlines, rounded.

    Args:
        chosen: marks.
        px: stored pixels a logical screen pixel.

    Raises:
        AnnotationError: none is chosen, or one has no inside.
    """
    from pathview.results.annotation_edit import smoothed

    if not chosen:
        raise AnnotationError("Choose the outline that is to be smoothed.")
    return tuple((mark, smoothed(mark, _SMOOTH_PX * px)) for mark in chosen)


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
