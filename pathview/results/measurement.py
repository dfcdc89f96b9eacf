"""Rulers, angles and regions that readers draw: their lengths, areas and angles, and the values inside.

Points are stored level-0 pixels, origin at the outer corner of the top left pixel, so that pixel (column, row)
has its centre at (column + 0.5, row + 0.5). Nothing here depends on how an image is turned to be looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size, SpacingMm
from pathview.images.intensity import Codes, GrayScale
from pathview.images.source import SpacingSource
from pathview.jobs import CancelToken
from pathview.results.mask import row_blocks

MarkKind = Literal["ruler", "angle", "ellipse", "polygon"]
Point = tuple[float, float]
SpacingWords = Literal["calibrated", "at the detector", "estimated"]

_WORDS: dict[SpacingSource, SpacingWords] = {
    "calibrated": "calibrated",
    "slide header": "calibrated",
    "at the detector": "at the detector",
    "file header": "estimated",
    "data set": "estimated",
    "user": "estimated",
}
_FINE_MM = 0.01
"""Pixels smaller than this are a microscope's: lengths below a millimetre then read best in µm."""
_LEAST_AREA_PX = 1e-3
"""What is less is a line, but for rounding."""
COLOR_REFUSAL = "no mean or SD: a colour image"


@dataclass(frozen=True)
class Mark:
    """What a reader drew on one frame of an image.

    ``points``, stored level-0 (x, y): of a ruler its 2 ends; of an angle 3, the vertex in the middle; of an
    ellipse 2 opposite corners of the rectangle around it; of a polygon its 3 or more corners in order, its inside
    by the even-odd rule. While it is drawn there may be fewer.
    """

    kind: MarkKind
    points: tuple[Point, ...]
    id: str = field(default_factory=lambda: str(uuid4()))
    frame: int = 0

    @property
    def is_region(self) -> bool:
        """Whether it has an inside."""
        return self.kind in ("ellipse", "polygon")

    @property
    def measurable(self) -> bool:
        """Whether there is anything to measure: points enough, and a length, two arms or an area."""
        points = self.points
        if not all(math.isfinite(value) for point in points for value in point):
            return False
        if self.kind == "ruler":
            return len(points) == 2 and points[0] != points[1]
        if self.kind == "angle":
            return len(points) == 3 and points[1] not in (points[0], points[2])
        return len(points) >= (2 if self.kind == "ellipse" else 3) and area_px(self) > _LEAST_AREA_PX


@dataclass(frozen=True)
class Measured:
    """What a mark measures; None where it is no such thing, or the pixel size is not known."""

    lines: tuple[str, ...]
    """What stands beside it."""
    length_mm: float | None = None
    area_mm2: float | None = None
    area_px: float | None = None
    angle_deg: float | None = None
    refused: str | None = None
    """Why there is no measure: one sentence for the reader."""


@dataclass(frozen=True)
class RegionStats:
    """Values after the modality step of the pixels whose centre lies inside a region, padding left out."""

    n: int
    mean: float = math.nan
    sd: float = math.nan
    """Of these pixels themselves (divided by n)."""
    low: float = math.nan
    high: float = math.nan

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands beside the region."""
        if not self.n:
            return ("no pixel of the image inside",)
        low, high = number_words(self.low), number_words(self.high)
        return (f"mean {number_words(self.mean)}  SD {number_words(self.sd)}", f"{low} to {high}  n {self.n:,}")


def spacing_words(source: SpacingSource | None) -> SpacingWords:
    """How far a pixel size can be trusted, as readers say it; *estimated* where nobody said whence it comes."""
    return _WORDS[source] if source is not None else "estimated"


def refusal(kind: MarkKind, spacing: SpacingMm | None, name: str = "The image") -> str | None:
    """Why a tool cannot measure on an image of this pixel size, as one sentence; None where it can."""
    if kind != "ruler" or spacing is not None:
        return None
    return f"{name} states no pixel size, so lengths cannot be measured; state it in the model panel."


def measure_mark(
    mark: Mark, spacing: SpacingMm | None, source: SpacingSource | None, name: str = "The image"
) -> Measured:
    """Length, angle or area of a mark.

    Args:
        mark: in stored pixels; one that is not ``measurable`` has no lines.
        spacing: of the stored image; None where it is not known. Angles then take pixels for square.
        source: where the spacing comes from.
        name: of the image, for the sentence of a refusal.
    """
    if not mark.measurable:
        return Measured(())
    if mark.kind == "angle":
        degrees = _angle(mark.points, spacing)
        return Measured((f"{degrees:.1f}°",), angle_deg=degrees)
    words = spacing_words(source)
    if mark.kind == "ruler":
        if spacing is None:
            return Measured(("length not known",), refused=refusal("ruler", None, name))
        (x0, y0), (x1, y1) = mark.points
        length = math.hypot((x1 - x0) * spacing.column, (y1 - y0) * spacing.row)
        return Measured((f"{length_words(length, spacing)} {words}",), length_mm=length)
    pixels = area_px(mark)
    if spacing is None:
        return Measured((f"area {pixels:,.0f} px",), area_px=pixels)
    area = pixels * spacing.pixel_area_mm2
    return Measured((f"area {area_words(area, spacing)} {words}",), area_mm2=area, area_px=pixels)


def length_words(millimetres: float, spacing: SpacingMm) -> str:
    """A length no finer than pixels of this spacing can tell."""
    if max(spacing.row, spacing.column) >= _FINE_MM:
        return f"{millimetres:.1f} mm"
    if millimetres >= 1:
        return f"{millimetres:.2f} mm"
    micrometres = millimetres * 1000
    return f"{micrometres:.0f} µm" if micrometres >= 10 else f"{micrometres:.1f} µm"


def area_words(square_mm: float, spacing: SpacingMm) -> str:
    """An area in the unit that reads best: cm², mm² or µm² (the last only of microscope images)."""
    if square_mm >= 100:
        return f"{square_mm / 100:.1f} cm²"
    if square_mm < 0.01 and max(spacing.row, spacing.column) < _FINE_MM:
        return f"{square_mm * 1e6:,.0f} µm²"
    return f"{square_mm:.1f} mm²" if square_mm >= 10 else f"{square_mm:.2f} mm²"


def number_words(value: float) -> str:
    """A pixel value to three digits, whole from 100 up."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def area_px(mark: Mark) -> float:
    """Area inside an ellipse or polygon in level-0 pixels; 0 of others."""
    if mark.kind == "ellipse":
        (x0, y0), (x1, y1) = mark.points
        return math.pi / 4 * abs((x1 - x0) * (y1 - y0))
    return _even_odd_area(np.array(mark.points)) if mark.kind == "polygon" else 0.0


def region_stats(
    mark: Mark, codes: Codes, scale: GrayScale, first: int = 0, cancel: CancelToken | None = None
) -> RegionStats:
    """Mean, standard deviation, extremes and number of the values inside a region.

    Args:
        mark: an ellipse or a polygon in stored pixels; what lies beyond the image is left out.
        codes: of any integer type, [rows, columns], level 0 as stored. Colour images have no values.
        scale: how codes become values after the modality step; its padding is left out.
        first: what to add to ``codes`` to have stored codes: the scale's lowest for the pixels of a picture.
        cancel: is asked between blocks of rows.

    Raises:
        ValueError: the mark has no inside, or the image is in colour.
        Cancelled: the job was cancelled.
    """
    if not mark.is_region or codes.ndim != 2:
        raise ValueError(f"no values inside a {mark.kind} on pixels of {codes.ndim} dimensions")
    counts = np.zeros(scale.high - scale.low + 1, np.int64)
    for block in row_blocks(_around(mark, Size(codes.shape[1], codes.shape[0])), cancel):
        inside = codes[block.y : block.bottom, block.x : block.right][inside_of(mark, block)]
        index = np.clip(inside.astype(np.int64) + (first - scale.low), 0, len(counts) - 1)
        counts += np.bincount(index, minlength=len(counts))
    if scale.padding is not None:
        low, high = (min(max(code, scale.low), scale.high + 1) - scale.low for code in scale.padding)
        counts[low : high + 1] = 0
    return _stats(counts, scale)


def _stats(counts: npt.NDArray[np.int64], scale: GrayScale) -> RegionStats:
    (found,) = np.nonzero(counts)
    if found.size == 0:
        return RegionStats(0)
    weights, values = counts[found], scale.values(found + scale.low)
    n = int(weights.sum())
    mean = float(weights @ values) / n
    sd = math.sqrt(float(weights @ (values - mean) ** 2) / n)
    return RegionStats(n, mean, sd, float(values.min()), float(values.max()))


def inside_of(mark: Mark, region: Region) -> npt.NDArray[np.bool_]:
    """Whether each pixel's centre lies inside an ellipse or polygon: bool [rows, columns] of a region.

    A centre on the line itself counts as inside at a polygon's left and top, and everywhere at an ellipse's.
    """
    y = np.arange(region.y, region.bottom) + 0.5
    if mark.kind == "ellipse":
        (x0, y0), (x1, y1) = mark.points
        x = np.arange(region.x, region.right) + 0.5
        across = ((2 * x - x0 - x1) / (x1 - x0)) ** 2
        down = ((2 * y - y0 - y1) / (y1 - y0)) ** 2
        return np.asarray(across[None, :] + down[:, None] <= 1)
    # A side that crosses a row's middle turns inside to outside, or back, for all centres to its right.
    points = np.array(mark.points)
    rows, _, at = _crossings(points, y)
    columns = np.clip(np.ceil(at - 0.5) - region.x, 0, region.width).astype(np.intp)
    turns = np.zeros((region.height, region.width + 1), np.uint8)
    np.bitwise_xor.at(turns, (rows, columns), 1)
    return np.asarray(np.bitwise_xor.accumulate(turns, axis=1)[:, :-1].astype(bool))


def _crossings(
    points: npt.NDArray[Any], y: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Where a polygon's sides cross heights: indices of the heights and of the sides, and x, one entry a crossing."""
    ends = np.roll(points, -1, axis=0)
    heights, sides = np.nonzero((points[:, 1] <= y[:, None]) != (ends[:, 1] <= y[:, None]))
    (x0, y0), (x1, y1) = points[sides].T, ends[sides].T
    return heights, sides, x0 + (y[heights] - y0) / (y1 - y0) * (x1 - x0)


def _even_odd_area(points: npt.NDArray[Any]) -> float:
    """Area [px²] inside a polygon by the even-odd rule, exact also where its sides cross.

    Between the heights of neighbouring corners and crossings no two sides meet, so widths change linearly and
    each slab's area is its height times its width at half height.
    """
    heights = np.unique(np.concatenate([points[:, 1], _meeting_heights(points)]))
    middles = (heights[1:] + heights[:-1]) / 2
    rows, sides, at = _crossings(points, middles)
    x = np.full((len(middles), len(points)), np.inf)
    x[rows, sides] = at
    x.sort(axis=1)
    signs = np.where(np.arange(len(points)) % 2 == 0, -1.0, 1.0)
    widths = np.where(np.isinf(x), 0.0, x * signs).sum(axis=1)
    return max(0.0, float(np.diff(heights) @ widths))


def _meeting_heights(points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Heights at which two sides cross."""
    along = np.roll(points, -1, axis=0) - points
    between = points[None, :, :] - points[:, None, :]
    cross = along[:, None, 0] * along[None, :, 1] - along[:, None, 1] * along[None, :, 0]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        first = (between[..., 0] * along[None, :, 1] - between[..., 1] * along[None, :, 0]) / cross
        second = (between[..., 0] * along[:, None, 1] - between[..., 1] * along[:, None, 0]) / cross
    meet = (cross != 0) & (first > 0) & (first < 1) & (second > 0) & (second < 1)
    rows, _ = np.nonzero(meet)
    return np.asarray(points[rows, 1] + first[meet] * along[rows, 1])


def _around(mark: Mark, size: Size) -> Region:
    """The pixels that a mark can touch, cut to the image."""
    xs, ys = zip(*mark.points, strict=True)
    left, top = math.floor(min(xs)), math.floor(min(ys))
    return Region(left, top, math.ceil(max(xs)) - left, math.ceil(max(ys)) - top).clipped(size)


def _angle(points: tuple[Point, ...], spacing: SpacingMm | None) -> float:
    """Degrees, 0 to 180, between the two arms, in millimetres so that pixels need not be square."""
    column, row = (spacing.column, spacing.row) if spacing else (1.0, 1.0)
    first, vertex, last = points
    ax, ay = (first[0] - vertex[0]) * column, (first[1] - vertex[1]) * row
    bx, by = (last[0] - vertex[0]) * column, (last[1] - vertex[1]) * row
    return math.degrees(math.atan2(abs(ax * by - ay * bx), ax * bx + ay * by))
