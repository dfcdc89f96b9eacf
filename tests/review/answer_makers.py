"""A made result of a mosaic, for tests of what readers say of its tiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from pathview.analysis.uncertainty import judge_patches
from pathview.geometry import GridPlace, Size
from pathview.models.recipe import DecisionSpec
from pathview.results.mask import measure
from pathview.results.result import AnalysisResult, Flag, Provenance, ScoreMap

DECISION = DecisionSpec(rule="margin", lower=0.35, upper=0.65, share=(0.2, 0.5))
VALUES = [[0.9, 0.52, 0.1, 0.48], [0.05, 0.2, 0.3, np.nan]]


def mosaic_result(values: Any = VALUES, flags: tuple[Flag, ...] = (), **settings: Any) -> AnalysisResult:
    """Tiles of 50 x 50 pixels, judged by :data:`DECISION`."""
    score_map = ScoreMap(np.array(values, np.float32), GridPlace(0, 0, 50, 50), smooth=False)
    size = Size(50 * score_map.values.shape[1], 50 * score_map.values.shape[0])
    verdict = judge_patches(score_map, DECISION, 0.5)
    return AnalysisResult(
        recipe="tiny-cnn",
        task="classification",
        score=verdict.score,
        score_name=verdict.name,
        lower=verdict.lower,
        upper=verdict.upper,
        label=verdict.label,
        flags=flags,
        threshold=0.5,
        probability=score_map,
        size=size,
        spacing=None,
        mask=measure(score_map, 0.5, size, None),
        provenance=Provenance(
            image_sha256="pixels",
            recipe="tiny-cnn",
            recipe_sha256="recipe",
            weights_sha256="weights",
            app_version="0",
            runtime="none",
            device="cpu",
            precision="float32",
            created="2026-01-01T00:00:00+00:00",
            settings={"frame": 0, "stride": None, "input": [50, 50], **settings},
        ),
        seconds=0.1,
    )
