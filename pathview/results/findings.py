"""The marked places of an image as a list to step through, the surest first, and in words where each lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pathview.geometry import Region, Size, SpacingMm, Turn
from pathview.jobs import CancelToken
from pathview.results.mask import measure
from pathview.results.result import ScoreMap


@dataclass(frozen=True)
class Finding:
    """One connected place of a mask."""

    number: int
    """From 1, the surest first."""
    region: Region
    """Its box, level-0 pixels as stored."""
    centroid: tuple[float, float]
    """(x, y) in level-0 pixels as stored."""
    area_px: int
    area_mm2: float | None
    """None where the pixel size is not known."""
    peak: float
    """Largest probability inside."""


def findings(
    probability: ScoreMap, threshold: float, size: Size, spacing: SpacingMm | None, cancel: CancelToken
) -> tuple[Finding, ...]:
    """What reaches a threshold, place by place: by falling peak, of equal ones the larger first.

    Args:
        probability: a result's map.
        threshold: from which a pixel is marked.
        size: level 0 of the image.
        spacing: of its level-0 pixels.
        cancel: asked between blocks of rows.

    Raises:
        Cancelled: after the user cancelled.
    """
    parts = measure(probability, threshold, size, spacing, cancel).components
    parts = tuple(sorted(parts, key=lambda part: (-part.peak, -part.area_px, part.region.y, part.region.x)))
    pixel = spacing.pixel_area_mm2 if spacing else None
    return tuple(
        Finding(
            number=number,
            region=part.region,
            centroid=part.centroid,
            area_px=part.area_px,
            area_mm2=None if pixel is None else part.area_px * pixel,
            peak=part.peak,
        )
        for number, part in enumerate(parts, start=1)
    )


def place_words(finding: Finding, info: Mapping[str, Any], breast: Region | None = None) -> str:
    """Where a finding lies: ``32 mm from the chest wall``, which is the edge of the breast that was imaged.

    No half or quadrant: those go by the nipple, which nobody has found.

    Args:
        finding: of the image.
        info: what :meth:`pathview.images.source.ImageInfo.as_json` says of the image.
        breast: the breast's box in level-0 pixels as stored; None: the whole image.

    Returns:
        Empty where the file does not tell how the image hangs, or states no pixel size.
    """
    wall, width, height = info.get("chest_wall"), info.get("width"), info.get("height")
    if wall not in ("left", "right") or not width or not height:
        return ""
    stored, turn = Size(width, height), Turn(**info.get("turn", {}))
    x, _ = turn.to_shown(*finding.centroid, stored)
    box = turn.region_to_shown(breast or Region.whole(stored), stored)
    if not info.get("spacing_mm"):
        return ""
    away = x - box.x if wall == "left" else box.right - x
    across = turn.spacing(SpacingMm(*info["spacing_mm"])).column
    return f"{max(0.0, away) * across:.0f} mm from the chest wall"
