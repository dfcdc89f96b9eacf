"""Words of the assessment panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QLabel

from pathview.gui.theme import LABEL_WORDS
from pathview.review.records.case import DecisionRow

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.reading.reading import OpenedReading


def label(text: str, name: str) -> QLabel:
    """Words in a line of their own."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    return label


def escaped(text: str) -> str:
    """Text as rich text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def own_latest(now: OpenedReading) -> DecisionRow | None:
    """The newest thing that this reader, or of an assisted list anybody, decided."""
    rows = [row for row in now.detail.decisions if row.stage != "first"]
    own = [row for row in rows if row.reader == now.reading.reader]
    return own[-1] if own else rows[-1] if rows and now.worklist.mode == "assisted" else None


def state_words(latest: DecisionRow | None, now: OpenedReading) -> str:
    """How far the case is, in a line."""
    if latest is None:
        if now.stage == "first":
            return "Not locked yet."
        return "Your first read is locked." if now.first is not None else "Not decided yet."
    when = f"{latest.created.astimezone():%Y-%m-%d %H:%M}"
    if latest.value is None:
        return f"Withdrawn by {latest.reader}, {when}."
    kept = {True: "first read kept, ", False: "first read changed, ", None: ""}[latest.context.get("kept")]
    return f"Saved: {kept}{LABEL_WORDS[latest.value]}, {latest.reader}, {when}."
