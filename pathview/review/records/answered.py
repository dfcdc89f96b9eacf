"""What a reader's answers about tiles make of a map and of its score. The model's own stay beside them, unchanged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, cast

import numpy as np

from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace, Region, Size
from pathview.results.regions import LIMIT, TileOrder, TileRegion, field_of, uncertain_regions
from pathview.results.result import Flag, Label, ScoreMap
from pathview.review.records.case import ImageRow, ResultRow

AnswerValue = Literal["positive", "negative", "cant_tell", "skip"]
ANSWERS: tuple[AnswerValue, ...] = ("positive", "negative", "cant_tell", "skip")
ANSWER_WORDS: Mapping[AnswerValue, str] = {
    "positive": "positive",
    "negative": "negative",
    "cant_tell": "can't tell",
    "skip": "skipped",
}
_VALUES = {"positive": np.float32(1.0), "negative": np.float32(0.0)}
_COVERED = 0.5
"""Share of a cell that an answer's region must have for it to speak for the cell."""
_BAND = 0.15
"""Half width of the not-sure band around the threshold where the recipe has gone."""


@dataclass(frozen=True)
class Answer:
    """What a reader said of one tile; a later answer on the same tile takes its place."""

    id: int
    image_id: int
    result_id: int
    """The result that the tile was shown from."""
    region: Region
    """Level-0 pixels, as stored."""
    value: AnswerValue | None
    """None: the answer before was taken back."""
    reader: str
    created: datetime
    probability: float
    """The model's, of this tile."""
    weights_sha256: str
    place_count: int
    """Tiles of the place that it stood for; the answer is about this one alone."""

    def as_json(self) -> dict[str, Any]:
        """One line of ``pathview cases answers``."""
        region = self.region
        return {**vars(self), "region": [region.x, region.y, region.width, region.height]}


@dataclass(frozen=True)
class TileLabel:
    """An answer with what its tile was cut out by."""

    answer: Answer
    recipe: str
    image_sha256: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the result's provenance."""


@dataclass(frozen=True)
class LabelledImage:
    """An image and the answers that stand on it."""

    image: ImageRow
    patient_key: str | None
    labels: tuple[TileLabel, ...]


@dataclass(frozen=True)
class Reviewed:
    """An image's score with a reader's answers, beside the model's own."""

    model_score: float
    """As the analysis found it; never overwritten."""
    model_label: Label
    before: float
    """By the same rule at this threshold, without answers: the model's own at the result's threshold."""
    score: float
    label: Label
    name: str
    """What the score is, in a few words."""
    answers: int
    """That say positive or negative."""
    changed: int
    """Cells that are called otherwise than by the model."""

    def as_json(self) -> dict[str, Any]:
        """The field ``reviewed`` of ``pathview cases answers --score``."""
        return dict(vars(self))


def standing(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """Of all that was ever answered, oldest first, what stands now: the last of each tile, none taken back."""
    last: dict[tuple[int, Region], Answer] = {}
    for answer in answers:
        last.pop((answer.image_id, answer.region), None)
        last[answer.image_id, answer.region] = answer
    return tuple(answer for answer in last.values() if answer.value is not None)


def answered_map(score_map: ScoreMap, answers: Iterable[Answer]) -> ScoreMap:
    """The map with 1 where the reader said positive and 0 where negative; a new one, the model's stays.

    An answer holds for the cells whose middle lies in its tile, whichever model showed it, unless they are more than
    twice as large. What was not analysed stays so, and "can't tell" and "skip" leave what the model said.
    """
    values = score_map.values.copy()
    for answer in answers:
        new = _VALUES.get(answer.value or "")
        if new is None or answer.region.size.pixels < _COVERED * score_map.place.cell_area_px:
            continue
        rows, columns = _covered(answer.region, score_map.place)
        part = values[rows, columns]
        part[~np.isnan(part)] = new
    return replace(score_map, values=values)


def _covered(region: Region, place: GridPlace) -> tuple[slice, slice]:
    """Rows and columns of the cells whose middle lies in a region."""
    left, top = place.to_grid(region.x, region.y)
    right, bottom = place.to_grid(region.right, region.bottom)
    first, last = (max(0, math.ceil(v - 0.5)) for v in (top, bottom))
    start, stop = (max(0, math.ceil(v - 0.5)) for v in (left, right))
    return slice(first, last), slice(start, stop)


def reviewed(
    result: ResultRow, score_map: ScoreMap, answers: Sequence[Answer], threshold: float | None = None
) -> Reviewed | None:
    """Share and label with the answers, by the rule and the limits that the result was judged by.

    Of a finer map the model's score is that of its tiles side by side, which the map does not hold: it is moved by as
    much as the answers move the share of the map.

    Args:
        result: of the image; it is only read.
        score_map: its probability map.
        answers: that stand on the image.
        threshold: on the map; None: the result's own.

    Returns:
        None where the result is not of tiles, or there is none.
    """
    if not reviewable(result, score_map):
        return None
    from pathview.analysis.uncertainty import judge_patches, label_beside, label_of  # the window starts without them
    from pathview.models.recipe import DecisionSpec

    lower, upper = cast("float", result.lower), cast("float", result.upper)
    decision = DecisionSpec(rule="margin", lower=lower, upper=upper, share=(lower, upper))
    cut = result.threshold if threshold is None else threshold
    cut = 0.5 if cut is None else cut
    changed = answered_map(score_map, answers)
    before, after = (judge_patches(one, decision, cut) for one in (score_map, changed))
    score, own = after.score, before.score
    if result.provenance.get("settings", {}).get("stride") and cut == result.threshold:
        own = cast("float", result.score)
        score = min(1.0, max(0.0, own + after.score - before.score))
    flags = [Flag(code, sentence) for code, sentence in result.flags]
    called = [np.nan_to_num(one.values, nan=-1.0) >= np.float32(cut) for one in (score_map, changed)]
    return Reviewed(
        model_score=cast("float", result.score),
        model_label=cast("Label", result.label),
        before=own,
        score=score,
        label=label_beside(label_of(score, lower, upper), flags),
        name=(result.score_name if cut == result.threshold else None) or after.name,
        answers=sum(answer.value in _VALUES for answer in answers),
        changed=int((called[0] != called[1]).sum()),
    )


def reviewable(result: ResultRow | None, score_map: ScoreMap | None = None) -> bool:
    """Whether a result is of tiles that were classified one by one."""
    if result is None or result.status != "analysed" or result.stages or None in (result.score, result.lower):
        return False
    return score_map is None or not (score_map.smooth or np.isnan(score_map.values).all())


def agreement(
    regions: Iterable[TileRegion], answers: Mapping[Region, AnswerValue], threshold: float
) -> tuple[int, int]:
    """Of tiles that were answered positive or negative: how many the model calls the same, and how many there are."""
    said = [(region, answers[region.tile]) for region in regions if answers.get(region.tile) in _VALUES]
    same = sum((np.float32(r.probability) >= np.float32(threshold)) == (value == "positive") for r, value in said)
    return int(same), len(said)


def tile_regions(
    image: ImageRow,
    score_map: ScoreMap | None,
    band: tuple[float, float] | None,
    answers: Iterable[Answer],
    order: TileOrder = "uncertain",
    threshold: float | None = None,
    seed: int = 0,
    limit: int | None = LIMIT,
) -> tuple[TileRegion, ...]:
    """The places of an image's newest result to look at; see :func:`pathview.results.regions.uncertain_regions`.

    Args:
        image: with its result.
        score_map: the result's probability map; None where there is none of tiles.
        band: probabilities between which the recipe is not sure of a tile; None: the recipe is not known any more.
        answers: that stand on the image.
        order: of the places.
        threshold: on the map; None: the result's own.
        seed: of the random order.
        limit: places without an answer, at most.

    Raises:
        NotAnalysable: there is no result of tiles.
    """
    result = image.result
    if result is None or result.status != "analysed":
        raise NotAnalysable(f"{image.title} has no result yet; analyse it first.")
    if score_map is None or not reviewable(result, score_map):
        raise NotAnalysable(f"{image.title} was not classified tile by tile, so there are no tiles to look through.")
    cut = result.threshold if threshold is None else threshold
    cut = 0.5 if cut is None else cut
    lower, upper = band or (cut - _BAND, cut + _BAND)
    answered = [answer.region for answer in answers]
    field = field_of(score_map, result.provenance.get("settings", {}))
    stored = image.info.get("size")
    size = Size(*stored) if stored else None
    return uncertain_regions(score_map, lower, upper, cut, order, seed, limit, answered, size, field)
