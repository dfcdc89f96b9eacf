"""Reading modes: what of the model and of other readers a reader may see of a case, and when.

With a model's marks shown first, readers find fewer of the cancers that the model missed: so the default for
mammograms is a first assessment without it, locked before anything is revealed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["second_read", "assisted", "blind", "arbitration"]
Stage = Literal["first", "final", "arbitration"]

MODES: tuple[Mode, ...] = ("second_read", "assisted", "blind", "arbitration")
STAGES: tuple[Stage, ...] = ("first", "final", "arbitration")
MODE_NAMES: dict[Mode, str] = {
    "second_read": "second read",
    "assisted": "assisted",
    "blind": "blind",
    "arbitration": "arbitration",
}
MODE_WORDS: dict[Mode, str] = {
    "second_read": "Second read: first without the model",
    "assisted": "Assisted: the model is shown",
    "blind": "Blind: the model is never shown",
    "arbitration": "Arbitration: two readers side by side",
}
UNTIL_LOCKED = "The model's result is hidden until you lock your first assessment."
UNTIL_CALLED = (
    "You have not read this case: nothing of the model or of its readers is shown until it is assigned to you to "
    "arbitrate."
)
NEVER_SHOWN = "The model's result is not shown in this list; it is read blind."


@dataclass(frozen=True)
class Sight:
    """What a reader may see of a case."""

    model: bool
    """Scores, labels, flags, maps, reasons, and any order that follows them."""
    others: bool
    """What other readers decided."""
    hidden: str = ""
    """Why the model is not shown, in a sentence; empty where it is."""


def sight_of(mode: Mode, locked: bool, decided: bool, closed: bool, called: bool = False) -> Sight:
    """What a reader may see.

    Args:
        mode: of the case's worklist.
        locked: whether this reader has locked a first assessment of the case.
        decided: whether a final decision of this reader stands.
        closed: whether the worklist's reading has ended.
        called: whether the case is this reader's to arbitrate, or anybody may have seen it before.
    """
    if closed or mode == "assisted":
        return Sight(model=True, others=True)
    if mode == "arbitration":
        known = locked or decided or called
        return Sight(model=known, others=known, hidden="" if known else UNTIL_CALLED)
    if mode == "blind":
        return Sight(model=False, others=False, hidden=NEVER_SHOWN)
    return Sight(model=locked, others=decided, hidden="" if locked else UNTIL_LOCKED)


def next_stage(mode: Mode, locked: bool) -> Stage:
    """What a reader's next assessment of a case is."""
    if mode == "arbitration":
        return "arbitration"
    return "first" if mode == "second_read" and not locked else "final"
