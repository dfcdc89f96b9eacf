"""What readers draw, measured: lengths, areas and angles, and the values inside.

Coordinates are stored level-0 pixels, see :mod:`pathview.results.annotation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size, SpacingMm
from pathview.images.intensity import Codes, GrayScale
from pathview.images.source import SpacingSource
from pathview.jobs import CancelToken
from pathview.results.annotation import Mark, MarkKind, Point, chains
from pathview.results.mask import row_blocks

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
COLOR_REFUSAL = "no mean or SD: a colour image"


@dataclass(frozen=True)
class Measured:
    """What a mark measures; None where it is no such thing, or the pixel size is not known."""

    lines: tuple[str, ...]
    """What stands beside it."""
    length_mm: float | None = None
    area_mm2: float | None = None
    area_px: float | None = None
    perimeter_mm: float | None = None
    perimeter_px: float | None = None
    """Of all outlines, those of holes too; in pixels only where they are square."""
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
        mean, sd = number_words(self.mean, fixed=True), number_words(self.sd, fixed=True)
        return (f"mean {mean}  SD {sd}", f"{low} to {high}  n {self.n:,}")


def spacing_words(source: SpacingSource | None) -> SpacingWords:
    """How far a pixel size can be trusted, as readers say it; *estimated* where nobody said whence it comes."""
    return _WORDS[source] if source is not None else "estimated"


def refusal(kind: MarkKind, spacing: SpacingMm | None, name: str = "The image") -> str | None:
    """Why a tool cannot measure on an image of this pixel size, as one sentence; None where it can."""
    if kind != "ruler" or spacing is not None:
        return None
    return f"{name} states no pixel size, so lengths cannot be measured; it can be stated in the menu Tools."


def measure_mark(
    mark: Mark, spacing: SpacingMm | None, source: SpacingSource | None, name: str = "The image"
) -> Measured:
    """Place, length, angle, or area and perimeter of a mark.

    Args:
        mark: in stored pixels; one that is not ``measurable`` has no lines.
        spacing: of the stored image; None where it is not known. Angles then take pixels for square.
        source: where the spacing comes from.
        name: of the image, for the sentence of a refusal.
    """
    if not mark.measurable:
        return Measured(())
    if mark.kind == "point":
        ((x, y),) = mark.points
        return Measured((f"x {x:.1f}  y {y:.1f}",))
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
    pixels = mark.area_px
    if spacing is None:
        around = _perimeter(mark, 1.0, 1.0)
        return Measured((f"area {pixels:,.0f} px",), area_px=pixels, perimeter_px=around)
    area = pixels * spacing.pixel_area_mm2
    return Measured(
        (f"area {area_words(area, spacing)} {words}",),
        area_mm2=area,
        area_px=pixels,
        perimeter_mm=_perimeter(mark, spacing.column, spacing.row),
        perimeter_px=_perimeter(mark, 1.0, 1.0) if spacing.column == spacing.row else None,
    )


def _perimeter(mark: Mark, column: float, row: float) -> float:
    """Length of the lines around a mark, of pixels this wide and high."""
    steps = [np.diff(np.array(chain), axis=0) for chain in chains(mark)]
    return float(sum(np.hypot(step[:, 0] * column, step[:, 1] * row).sum() for step in steps))


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


def number_words(value: float, fixed: bool = False) -> str:
    """A pixel value to three digits, whole from 100 up; ``fixed``: 16.0 beside 15.8, not 16."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:#.3g}".rstrip(".") if fixed and value else f"{value:.3g}"


def region_stats(
    mark: Mark, codes: Codes, scale: GrayScale, first: int = 0, cancel: CancelToken | None = None
) -> RegionStats:
    """Mean, standard deviation, extremes and number of the values inside a region.

    Args:
        mark: one with an inside, in stored pixels; what lies beyond the image is left out.
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
    """Whether each pixel's centre lies inside a mark: bool [rows, columns] of a region.

    A centre on the line itself counts as inside at left and top sides, and everywhere at an ellipse's.
    """
    y = np.arange(region.y, region.bottom) + 0.5
    if mark.kind == "ellipse":
        (x0, y0), (x1, y1) = mark.points
        x = np.arange(region.x, region.right) + 0.5
        across = ((2 * x - x0 - x1) / (x1 - x0)) ** 2
        down = ((2 * y - y0 - y1) / (y1 - y0)) ** 2
        return np.asarray(across[None, :] + down[:, None] <= 1)
    # A side that crosses a row's middle turns inside to outside, or back, for all centres to its right.
    turns = np.zeros((region.height, region.width + 1), np.uint8)
    for chain in chains(mark):
        rows, at = _crossings(np.array(chain), y)
        columns = np.clip(np.ceil(at - 0.5) - region.x, 0, region.width).astype(np.intp)
        np.bitwise_xor.at(turns, (rows, columns), 1)
    return np.asarray(np.bitwise_xor.accumulate(turns, axis=1)[:, :-1].astype(bool))


def _crossings(chain: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Where a closed line's sides cross heights: indices of the heights, and x, one entry a crossing."""
    starts, ends = chain[:-1], chain[1:]
    heights, sides = np.nonzero((starts[:, 1] <= y[:, None]) != (ends[:, 1] <= y[:, None]))
    (x0, y0), (x1, y1) = starts[sides].T, ends[sides].T
    return heights, x0 + (y[heights] - y0) / (y1 - y0) * (x1 - x0)


def _around(mark: Mark, size: Size) -> Region:
    """The pixels that a mark can touch, cut to the image."""
    xs, ys = zip(*mark.corners, strict=True)
    left, top = math.floor(min(xs)), math.floor(min(ys))
    return Region(left, top, math.ceil(max(xs)) - left, math.ceil(max(ys)) - top).clipped(size)


def _angle(points: tuple[Point, ...], spacing: SpacingMm | None) -> float:
    """Degrees, 0 to 180, between the two arms, in millimetres so that pixels need not be square."""
    column, row = (spacing.column, spacing.row) if spacing else (1.0, 1.0)
    first, vertex, last = points
    ax, ay = (first[0] - vertex[0]) * column, (first[1] - vertex[1]) * row
    bx, by = (last[0] - vertex[0]) * column, (last[1] - vertex[1]) * row
    return math.degrees(math.atan2(abs(ax * by - ay * bx), ax * bx + ay * by))
