"""What is on the desk now: the case, its image, its result, and how it is shown. Only the desk changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.gui.viewer.picture import Overlay
from pathview.images.pyramid import PictureData
from pathview.results.mask import AREA_STEPS
from pathview.results.result import ScoreMap
from pathview.review.case import CaseDetail, ImageRow, ResultRow


@dataclass(frozen=True)
class CaseState:
    """One moment; a change makes a new one."""

    detail: CaseDetail | None = None
    index: int = 0
    """Of the image that is shown."""
    picture: PictureData | None = None
    problem: str | None = None
    """Why there is no picture."""
    probability: ScoreMap | None = None
    heatmaps: dict[str, ScoreMap] = field(default_factory=dict)
    areas: npt.NDArray[np.int64] | None = None
    """See :func:`pathview.results.mask.area_curve`; None while it is being made."""
    places: int | None = None
    """Components of the mask; None while they are being counted."""
    threshold: float = 0.5
    mask: bool = True
    fill: bool = False
    heat: bool = False
    layer: str = ""
    colormap: str = "inferno"
    opacity: float = 0.6

    @property
    def image(self) -> ImageRow | None:
        """The image that is shown."""
        return self.detail.images[self.index] if self.detail is not None and self.detail.images else None

    @property
    def result(self) -> ResultRow | None:
        """Its newest result."""
        return self.image.result if self.image is not None else None

    @property
    def area_px(self) -> int | None:
        """The mask's area at the threshold, or None while it is not known."""
        return int(self.areas[round(self.threshold * AREA_STEPS)]) if self.areas is not None else None

    @property
    def overlay(self) -> Overlay:
        """What lies over the picture."""
        return Overlay(
            probability=self.probability,
            threshold=self.threshold,
            mask=self.mask,
            fill=self.fill,
            heat=self.heatmaps.get(self.layer) if self.heat else None,
            colormap=self.colormap,
            opacity=self.opacity,
            places=self.result.places if self.result is not None and self.mask else (),
        )

    def with_result_of(self, detail: CaseDetail) -> CaseState:
        """The same image with a new result: its maps are to be loaded again.

        The threshold is the one that the reader decided at, where that was on this result, else the result's own.
        """
        fresh = replace(self, detail=detail, probability=None, heatmaps={}, areas=None, places=None)
        result = fresh.result
        threshold = result.threshold if result is not None and result.threshold is not None else 0.5
        decided = _decided_on(detail, result) if result is not None else {}
        return replace(fresh, threshold=float(decided.get("threshold", threshold)))

    def context(self) -> dict[str, Any]:
        """What a decision was made on, for the store."""
        return {
            "image": self.image.id if self.image is not None else None,
            "threshold": self.threshold,
            "mask_shown": self.mask,
            "heat_shown": self.layer if self.heat else None,
        }


def _decided_on(detail: CaseDetail, result: ResultRow) -> Mapping[str, Any]:
    """What was on the screen when the decision that stands was made on this result; empty where it was not."""
    latest = detail.decisions[-1] if detail.decisions else None
    if latest is None or latest.value is None or latest.context.get("image") != result.image_id:
        return {}
    return latest.context if result.id in latest.context.get("results", ()) else {}
