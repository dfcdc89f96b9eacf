"""Cases with a result whose every part is a canary, and a walk that finds what is left of it in records."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pathview.geometry import GridPlace, Size, SpacingMm
from pathview.results.mask import MaskStats
from pathview.results.result import AnalysisResult, Flag, NotAnalysed, Provenance, ScoreMap
from pathview.review.protocol import ReadingProtocol
from pathview.review.records.case import NewImage
from pathview.review.store import Store
from pathview.settings import Settings

SCORE = 0.7351
RECIPE = "canary-recipe"
LAYER = "canary_layer"
REASON = "A canary reason."
WEIGHTS = "c" * 64
CANARIES = (str(SCORE), RECIPE, LAYER, "canary reason", WEIGHTS)


def a_case(store: Store, key: str = "a", worklist: str = "Mammograms", **info: Any) -> int:
    """A mammogram that was never analysed."""
    images = [NewImage(Path(f"/data/{key}.dcm"), {"kind": "mammogram", "size": [12, 12], **info}, f"print-{key}")]
    return store.add_case(f"study {key}", f"study {key}", "mammogram", images, "adder", worklist)


def a_read_case(store: Store, key: str = "a", worklist: str = "Mammograms", **info: Any) -> int:
    """A mammogram with the canary result."""
    case_id = a_case(store, key, worklist, **info)
    store.save_result(store.case(case_id).images[0].id, canary_result(), "analyst")
    return case_id


def canary_result() -> AnalysisResult:
    """A result that cannot be overlooked."""
    values = np.full((3, 4), SCORE, np.float32)
    return AnalysisResult(
        recipe=RECIPE,
        task="segmentation",
        score=SCORE,
        score_name="canary score",
        lower=0.4,
        upper=0.6,
        label="positive",
        flags=(Flag("canary", REASON),),
        threshold=0.5,
        probability=ScoreMap(values, GridPlace(0, 0, 3, 4)),
        size=Size(12, 12),
        spacing=SpacingMm(0.1, 0.1),
        mask=MaskStats(0.5, 77, 0.77, ()),
        provenance=Provenance("i" * 64, RECIPE, "r" * 64, WEIGHTS, "0", "t", "CPU", "float32", "now", {"layers": []}),
        seconds=1.0,
        heatmaps={LAYER: ScoreMap(values, GridPlace(0, 0, 1, 1))},
    )


def canary_failure() -> NotAnalysed:
    """An analysis that did not come to a result."""
    return NotAnalysed(REASON, RECIPE)


def a_protocol(store: Store, reader: str = "Ada") -> ReadingProtocol:
    """A reader with the program's own forms."""
    return ReadingProtocol(store, reader, Settings())


def values_in(found: Any) -> Iterator[Any]:
    """Everything that can be reached from a record, properties too."""
    if isinstance(found, Mapping):
        for key, value in found.items():
            yield from values_in(key)
            yield from values_in(value)
    elif isinstance(found, list | tuple | set | frozenset):
        for value in found:
            yield from values_in(value)
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            yield from values_in(getattr(found, field.name))
        for name, value in vars(type(found)).items():
            if isinstance(value, property):
                yield from values_in(getattr(found, name))
    elif hasattr(found, "model_dump"):
        yield from values_in(found.model_dump())
    else:
        yield found


def canaries_in(found: Any) -> set[str]:
    """Which canaries a record or a text still holds."""
    text = found if isinstance(found, str) else "\n".join(map(repr, values_in(found)))
    return {canary for canary in CANARIES if canary in text}
