"""Which way of training suits a data set: by its size, and by how much it is like what the base model knows.

Seed 1 tells four cases apart; seed 3's rule is the same along size: small sets take a linear classifier on features of
a network that stays as it is, large ones take fine-tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pathview.training.runs.chosen import patients_named, unit_of
from pathview.training.runs.plan import DatasetRow, Finding, Number, RecipeLevel

LARGE_IMAGES = 1000
"""Seed 3's small sets have 120 and 130 images, its large ones 4,800 and 5,221; seed 1's, called large, 7,909."""
LARGE_PATIENTS = 50
"""Images of one patient are alike, so images alone do not make a set large (seed 1's has 82 patients)."""


@dataclass(frozen=True)
class Advice:
    """What to begin with."""

    case: int
    """1 to 4, as seed 1 numbers them."""
    large: bool
    alike: bool
    level: RecipeLevel
    sentence: str


def advise(rows: Sequence[DatasetRow], base_kinds: Sequence[str] = (), outlines: bool = False) -> Advice:
    """Advice for a data set.

    Args:
        rows: that the training uses.
        base_kinds: the kinds of image that the base model knows; none: it knows photographs (ImageNet) or nothing.
        outlines: whether the question is about outlines, which no linear classifier draws.
    """
    patients = len({unit_of(row) for row in rows})
    large = len(rows) >= LARGE_IMAGES and patients >= LARGE_PATIENTS
    kinds = [row.kind for row in rows if row.kind]
    alike = bool(kinds) and max(set(kinds), key=kinds.count) in base_kinds
    named, without = len(patients_named(rows)), sum(not row.patient for row in rows)
    of = f" of {named:,} patient{'s' if named != 1 else ''}" if named else ""
    nameless = f" ({without:,} without a patient)" if without else ""
    size = f"{len(rows):,} images{of}{nameless} are {'many' if large else 'few'}"
    like = "images like these" if alike else "images of another kind"
    case = {(False, True): 1, (True, True): 2, (False, False): 3, (True, False): 4}[large, alike]
    way = _OUTLINES if outlines else _WAYS[case]
    level: RecipeLevel = "thorough" if large or outlines else "quick"
    return Advice(case, large, alike, level, f"{size}, and the model that training begins from knows {like}: {way}")


_WAYS = {
    1: "train a linear classifier on the last layer's features (quick); fine-tuning would learn these few by heart.",
    2: "fine-tune the whole network (thorough); there is enough for it.",
    3: "train a linear classifier on the features of an earlier layer (quick); its last layers fit that other kind.",
    4: "fine-tune the whole network from pretrained weights (thorough); that is better than starting from nothing.",
}
_OUTLINES = (
    "outlines take fine-tuning (thorough), from a model that outlines already where there is one; strong augmentation "
    "stands in for images that are missing."
)


def finding(rows: Sequence[DatasetRow], base_kinds: Sequence[str] = (), outlines: bool = False) -> Finding:
    """The advice as a finding of the health check."""
    found = advise(rows, base_kinds, outlines)
    numbers: dict[str, Number] = {
        "case": found.case, "level": found.level, "images": len(rows), "large": found.large, "alike": found.alike,
    }  # fmt: skip
    return Finding(level="ok", code="advice", sentence=found.sentence, numbers=numbers)
