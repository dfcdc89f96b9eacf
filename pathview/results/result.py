"""The result of one analysis: frozen, complete, and never silent about what did not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pathview.geometry import AS_STORED, GridPlace, Region, Size, SpacingMm, Turn
from pathview.results.mask import MaskStats

Label = Literal["positive", "negative", "not_sure"]
Status = Literal["analysed", "not_analysed"]
FloatMap = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Flag:
    """One reason to look: a stable code for programs and one sentence for people."""

    code: str
    sentence: str


@dataclass(frozen=True)
class ScoreMap:
    """A map over an image.

    ``values``: float32 [rows, columns], NaN where nothing was analysed; a probability map is 0..1, a
    heat map 0..1 of its own largest value. ``place`` says where its cells lie on level 0. ``smooth``:
    whether values hold at the cells' centres and are interpolated between (a network's pixels), or
    hold for whole cells (patches).
    """

    values: FloatMap
    place: GridPlace
    smooth: bool = True

    def turned(self, turn: Turn, stored: Size) -> ScoreMap:
        """The map as it lies over the turned image of this stored size; the same object each time."""
        if turn == AS_STORED:
            return self
        kept: dict[Any, ScoreMap] = self.__dict__.setdefault("_turned", {})
        if (turn, stored) not in kept:
            place = turn.place(self.place, (self.values.shape[0], self.values.shape[1]), stored)
            kept[turn, stored] = replace(self, values=turn.array(self.values), place=place)
        return kept[turn, stored]

    @cached_property
    def blank(self) -> bool:
        """Whether it is 0 wherever something was analysed."""
        return not (self.values > 0).any()


@dataclass(frozen=True)
class Provenance:
    """What a result was made from and with."""

    image_sha256: str
    recipe: str
    recipe_sha256: str
    weights_sha256: str
    app_version: str
    runtime: str
    device: str
    precision: str
    created: str
    """UTC, ISO 8601."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else decided the numbers: frame, stated pixel size, the size the score was summed at."""


@dataclass(frozen=True)
class Place:
    """A part of the image that a cascade's classifier was asked about."""

    region: Region
    """Level-0 pixels."""
    score: float


@dataclass(frozen=True)
class Stage:
    """One step of a cascade: what this model alone says of the image."""

    recipe: str
    weights_sha256: str
    score: float | None
    """None where it had nothing to look at."""
    score_name: str
    lower: float
    upper: float
    label: Label | None
    places: tuple[Place, ...] = ()
    """Of a classifier, the surest first."""

    def as_json(self) -> dict[str, Any]:
        """One entry of ``stages`` of ``pathview analyse``; a region is [x, y, width, height]."""
        places = [
            {"region": [p.region.x, p.region.y, p.region.width, p.region.height], "score": p.score} for p in self.places
        ]
        return {**vars(self), "places": places}


@dataclass(frozen=True)
class AnalysisResult:
    """One image, one model."""

    recipe: str
    task: str
    score: float
    """Sum of the map (mask-sum), probability (one patch) or share of positive patches (many)."""
    score_name: str
    """What the score is, in a few words."""
    lower: float
    upper: float
    """The limits of the not-sure band, in the score's own unit."""
    label: Label
    flags: tuple[Flag, ...]
    threshold: float
    """The recipe's threshold on the probability map, or the one that was asked for."""
    probability: ScoreMap
    size: Size
    """Level 0 of the image."""
    spacing: SpacingMm | None
    mask: MaskStats
    """At ``threshold``."""
    provenance: Provenance
    seconds: float
    heatmaps: Mapping[str, ScoreMap] = field(default_factory=dict)
    """By layer name."""
    stages: tuple[Stage, ...] = ()
    """Of a cascade, first to last; none for a single network."""


@dataclass(frozen=True)
class NotAnalysed:
    """An image without a result, and the one sentence that says why."""

    reason: str
    recipe: str


@dataclass(frozen=True)
class ResultKept(NotAnalysed):
    """An image that can no longer be read; the result that it has stays its newest, and nothing is saved."""


Outcome = AnalysisResult | NotAnalysed


def score_words(score: float | None) -> str:
    """A score as people read it: three digits, large ones in full; a dash where there is none."""
    if score is None:
        return "-"
    return f"{score:,.0f}" if abs(score) >= 1000 else f"{score:.3g}"
