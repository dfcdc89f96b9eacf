"""The grey scales that a reader can choose for an image: those of its file, and a few made from its first one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pathview.images.intensity import GrayScale, Voi, Window

_FUNCTIONS = {"LINEAR": "", "LINEAR_EXACT": " (linear exact)", "SIGMOID": " (sigmoid)"}
_FULL = "Full range"
_STEP = 1.5
_SHIFT = 0.15
_LONGEST_NAME = 48


@dataclass(frozen=True)
class Choice:
    """One line of the menu."""

    name: str
    """Not twice in a menu."""
    voi: Voi


def voi_choices(scale: GrayScale) -> tuple[Choice, ...]:
    """Every VOI LUT and window of the file in its order, then presets made from its first; no grey scale twice.

    Presets: the full range, softer and harder (width times and divided by 1.5), brighter and darker (centre
    moved by 15 % of the width). A file that begins with a LUT, which has no width, has them made from its
    full range. The full range is that of the pixels where ``scale.data_range`` is known, else of the codes
    that the file can hold.
    """
    options = [choice.voi for choice in _once(Choice("", voi) for voi in scale.options)]
    own = [Choice(name, voi) for name, voi in zip(_names(options), options, strict=True)]
    if not own:
        own = [Choice(_name_without_options(scale), scale.full_window())]
    first = own[0].voi
    made = _made(first if isinstance(first, Window) else scale.full_window(), scale)
    return tuple(_once([*own, *made]))


def _made(base: Window, scale: GrayScale) -> list[Choice]:
    brighter = _SHIFT * base.width * (1 if scale.inverse else -1)
    return [
        Choice(_FULL, scale.full_window()),
        Choice("Softer", replace(base, width=base.width * _STEP, explanation="softer")),
        Choice("Harder", replace(base, width=max(1.0, base.width / _STEP), explanation="harder")),
        Choice("Brighter", replace(base, center=base.center + brighter, explanation="brighter")),
        Choice("Darker", replace(base, center=base.center - brighter, explanation="darker")),
    ]


def _name_without_options(scale: GrayScale) -> str:
    return "As stored" if scale.data_range == (scale.low, scale.high) else _FULL


def _names(options: list[Voi]) -> Iterator[str]:
    """A name for each; where two would be the same, windows tell their numbers and LUTs their place."""
    plain = [_name(voi) for voi in options]
    often = Counter(name.casefold() for name in plain)
    taken: set[str] = {name.lower() for name in (_FULL, "Softer", "Harder", "Brighter", "Darker")}
    for number, (voi, name) in enumerate(zip(options, plain, strict=True), start=1):
        if often[name.casefold()] > 1 or name.lower() in taken:
            name = f"{name} {_numbers(voi)}" if isinstance(voi, Window) and voi.explanation else f"{name} {number}"
        if name.lower() in taken:
            name = f"{name} {number}"
        taken.add(name.lower())
        yield name


def _name(voi: Voi) -> str:
    """Its explanation, else what it is; and its function where that is not the usual one."""
    told = " ".join("".join(c if c.isprintable() else " " for c in voi.explanation).split())[:_LONGEST_NAME]
    if isinstance(voi, Window):
        return (told or f"Window {_numbers(voi)}") + _FUNCTIONS[voi.function]
    return told or "Look-up table"


def _numbers(window: Window) -> str:
    return f"{window.center:g}/{window.width:g}"


def _once(choices: Iterable[Choice]) -> Iterator[Choice]:
    """The first of those that show the same, whatever they are called."""
    seen: set[Voi] = set()
    for choice in choices:
        what = replace(choice.voi, explanation="")
        if what not in seen:
            seen.add(what)
            yield choice
