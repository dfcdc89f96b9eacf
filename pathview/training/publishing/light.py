"""The lamp through empty glass: of which images it was measured, and where it cannot be compared.

A patch is cut out of tissue, so that the palest of it stands for glass; a slide has glass beside its tissue. So the
light of the one is not held against that of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pathview.images.source import ImageSource
from pathview.images.stain import LIGHT_UNSEEN, Stains

LIGHT, SLIDE_LIGHT = "light", "light of slides"
"""Of patches, mosaics of them and single images; of slides."""
_KINDS = {LIGHT: "patches or single images", SLIDE_LIGHT: "slides"}


def light_of(stains: Stains, source_is_slide: bool) -> dict[str, float]:
    """The grey of the lamp under the name of its kind; nothing where no glass was among the pixels."""
    if stains.light == LIGHT_UNSEEN:
        return {}
    return {SLIDE_LIGHT if source_is_slide else LIGHT: sum(stains.light) / 3}


def is_slide(source: ImageSource) -> bool:
    """Whether an image is a slide, which has coarser levels beside its own."""
    return len(source.info.levels) > 1


def measured(values: Mapping[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    """Without the light of patients whose glass was not seen, for which references once had a number."""
    seen = tuple(value for value in values.get(LIGHT, ()) if value != LIGHT_UNSEEN[0])
    return {name: seen if name == LIGHT else found for name, found in values.items()}


def why_not_compared(then: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]) -> str:
    """Why the light of training and of now cannot be compared; empty: it can, or neither has any."""
    before, after = ([name for name in _KINDS if side.get(name)] for side in (then, now))
    if set(before) & set(after) or not (before or after):
        return ""
    if before and after:
        return f"it was trained on {_KINDS[before[0]]}, and the newest images are {_KINDS[after[0]]}"
    return "the newest images show none" if before else "the images that it was trained on show none"
