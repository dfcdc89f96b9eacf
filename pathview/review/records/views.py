"""What readers call an image of a study, and the order in which they expect it; read from its info, never its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Side = Literal["R", "L"]
SIDES: tuple[Side, ...] = ("R", "L")
SIDE_WORDS: Mapping[Side, str] = {"R": "right breast", "L": "left breast"}
SPOT = frozenset({"magnification", "spot compression"})
"""Modifiers of views of a part of the breast."""
SPECIAL = SPOT | {"specimen"}
"""Modifiers of views that do not show a whole breast."""
_STANDARD = ("CC", "MLO")


def side_of(info: Mapping[str, Any]) -> Side | None:
    """Which breast; None where the file does not tell, or tells nonsense."""
    found = info.get("laterality")
    return found if found in SIDES else None


def view_of(info: Mapping[str, Any]) -> str:
    """The view's short name, or empty."""
    return str(info.get("view") or "").upper()


def modifiers_of(info: Mapping[str, Any]) -> frozenset[str]:
    """What is particular about the view."""
    return frozenset(info.get("modifiers") or ())


def view_title(info: Mapping[str, Any]) -> str:
    """``R CC``, ``L MLO, magnification``, ``R CC, tomosynthesis``; empty where neither side nor view is known."""
    name = " ".join(part for part in (side_of(info) or "", view_of(info)) if part)
    acquisition = info.get("acquisition") or "2D"
    particular = [*(info.get("modifiers") or ()), *([acquisition] if acquisition != "2D" else [])]
    return ", ".join([name, *particular]) if name else ""


def usual_order(info: Mapping[str, Any]) -> tuple[Any, ...]:
    """To sort by: R CC, L CC, R MLO, L MLO, then other views, then views of a part; unreadable files last."""
    view, side = view_of(info), side_of(info)
    return (
        info.get("kind") == "unreadable",
        bool(SPECIAL & modifiers_of(info)),
        _STANDARD.index(view) if view in _STANDARD else len(_STANDARD),
        view if view not in _STANDARD else "",
        SIDES.index(side) if side else len(SIDES),
        (info.get("acquisition") or "2D") != "2D",
        info.get("acquired") or "",
        info.get("instance_key") or "",
    )
