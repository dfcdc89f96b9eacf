"""What is kept between sittings. Each value is checked when it is read: a broken one counts as none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args

from PySide6.QtCore import QObject, QSettings, Signal

from pathview.gui import theme as themes
from pathview.gui.actions import ACTIONS, Keys, portable

_RECENT = 6
_LONGEST_NAME = 80
Gesture = Literal["pan", "window", "zoom", "scroll", "magnify", "none"]
DRAGS: tuple[Gesture, ...] = get_args(Gesture)
WHEELS: tuple[Gesture, ...] = ("zoom", "scroll", "none")
PIXELS_PER_MM = (1.5, 20.0)
"""Beyond these no monitor lies: 38 to 508 pixels an inch."""


@dataclass(frozen=True)
class MouseMap:
    """What each button does when dragged, and the wheel when turned."""

    left: Gesture = "pan"
    right: Gesture = "window"
    middle: Gesture = "zoom"
    wheel: Gesture = "zoom"
    ctrl_wheel: Gesture = "scroll"

    def problem(self) -> str:
        """Why it cannot be used, in a sentence; nothing if it can."""
        drags = (self.left, self.right, self.middle)
        if "pan" not in drags:
            return "One button has to move the image."
        return "" if "window" in drags else "One button has to change the window."

    def words(self) -> str:
        """What the mouse does, in a sentence."""
        parts = [
            f"{name} {_DOES[what]}"
            for name, what in (
                ("left drag", self.left),
                ("right drag", self.right),
                ("middle drag", self.middle),
                ("wheel", self.wheel),
                ("Ctrl + wheel", self.ctrl_wheel),
            )
            if what != "none"
        ]
        return f"Mouse: {', '.join(parts)}, double click shows one image or all."


_DOES: dict[Gesture, str] = {
    "pan": "moves the image",
    "window": "changes the window",
    "zoom": "zooms",
    "scroll": "goes to the next image or frame",
    "magnify": "magnifies",
}


@dataclass(frozen=True)
class LayoutChoice:
    """How images are laid out and moved."""

    linked: bool = True
    """Zoom and pan move all images that hang together."""
    corner_texts: bool = True
    same_size: bool = True
    """One millimetre is equally long in all images of a layout."""
    start_protocol: str = ""
    """The hanging that a case opens with; empty: chosen by its images."""
    wheel_reversed: bool = False
    """The wheel turned towards the reader zooms in and goes back."""


class Preferences(QObject):
    """What is kept between sittings, in Qt's own settings file."""

    changed = Signal(str)
    """Which of ``mouse``, ``keys``, ``layout`` and ``monitors`` is new."""

    def __init__(self, store: QSettings) -> None:
        """Kept in ``store``."""
        super().__init__()
        self.store = store

    @property
    def theme(self) -> themes.ThemeName:
        """The theme's name."""
        return "light" if self.store.value("theme") == "light" else "dark"

    def recent(self) -> list[str]:
        """Paths that were opened lately, newest first; opening tells of those that have gone."""
        value = self.store.value("recent") or []
        return ([value] if isinstance(value, str) else list(value))[:_RECENT]

    def add_recent(self, paths: list[Path]) -> None:
        """Remember what was opened."""
        new = [str(path) for path in paths]
        self.store.setValue("recent", [*new, *(p for p in self.recent() if p not in new)][:_RECENT])

    @property
    def reader(self) -> str:
        """Who read last; empty: nobody said so yet."""
        return " ".join(str(self.store.value("reader") or "").split())[:_LONGEST_NAME]

    @reader.setter
    def reader(self, name: str) -> None:
        self.store.setValue("reader", name)

    @property
    def worklist(self) -> int | None:
        """Id of the list that was shown last; None: all cases."""
        value = str(self.store.value("worklist") or "")
        return int(value) if value.isascii() and value.isdigit() else None

    @worklist.setter
    def worklist(self, worklist_id: int | None) -> None:
        self.store.setValue("worklist", "" if worklist_id is None else str(worklist_id))

    @property
    def mouse(self) -> MouseMap:
        """What the mouse does."""
        found: dict[str, Gesture] = {}
        for field in fields(MouseMap):
            value = self.store.value(f"mouse/{field.name}")
            if value in (WHEELS if "wheel" in field.name else DRAGS):
                found[field.name] = cast("Gesture", value)
        mouse = MouseMap(**found)
        return MouseMap() if mouse.problem() else mouse

    @mouse.setter
    def mouse(self, mouse: MouseMap) -> None:
        if problem := mouse.problem():
            raise ValueError(problem)
        if mouse != self.mouse:
            self._keep_fields("mouse", mouse)

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """Keys by action, only of actions whose keys differ from the table's; empty: the action has none."""
        known, kept = {spec.id for spec in ACTIONS}, {}
        for action, keys in self._kept("keys").items():
            if action in known and isinstance(keys, list):
                kept[action] = tuple(key for key in map(portable, keys) if key)
        return kept

    @keys.setter
    def keys(self, keys: Keys) -> None:
        table = {spec.id: tuple(map(portable, spec.keys)) for spec in ACTIONS}
        wanted = {action: tuple(map(portable, own)) for action, own in keys.items()}
        differing = {action: own for action, own in wanted.items() if action in table and own != table[action]}
        if differing != self.keys:
            self._keep("keys", differing)

    @property
    def layout(self) -> LayoutChoice:
        """How images are laid out."""
        found: dict[str, Any] = {}
        for field in fields(LayoutChoice):
            value = self.store.value(f"layout/{field.name}")
            if isinstance(field.default, bool):
                value = {"true": True, "false": False}.get(str(value).lower())  # an ini file has no booleans
            if value is not None:
                found[field.name] = value if isinstance(value, bool) else str(value)
        return LayoutChoice(**found)

    @layout.setter
    def layout(self, layout: LayoutChoice) -> None:
        if layout != self.layout:
            self._keep_fields("layout", layout)

    def pixels_per_mm(self, screen_key: str) -> float | None:
        """What was measured on a screen, in logical pixels a millimetre; None: it was not."""
        value = self._kept("monitors").get(screen_key)
        if isinstance(value, float | int) and PIXELS_PER_MM[0] <= value <= PIXELS_PER_MM[1]:
            return float(value)
        return None

    def set_pixels_per_mm(self, screen_key: str, value: float | None) -> None:
        """Keep, or forget, what was measured on a screen.

        Raises:
            ValueError: no monitor is like that.
        """
        if value is not None and not PIXELS_PER_MM[0] <= value <= PIXELS_PER_MM[1]:
            raise ValueError(f"{value:.3g} pixels a millimetre is not possible.")
        if value != self.pixels_per_mm(screen_key):
            others = {key: kept for key, kept in self._kept("monitors").items() if key != screen_key}
            self._keep("monitors", others if value is None else {**others, screen_key: value})

    def _kept(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads(str(self.store.value(name) or "{}"))
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def _keep(self, name: str, value: Mapping[str, Any]) -> None:
        self.store.setValue(name, json.dumps(value))
        self.changed.emit(name)

    def _keep_fields(self, name: str, value: MouseMap | LayoutChoice) -> None:
        for field in fields(value):
            self.store.setValue(f"{name}/{field.name}", getattr(value, field.name))
        self.changed.emit(name)
