"""From stored codes to grey on the screen: one look-up table over all codes a file can hold.

The order is DICOM's (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2): modality LUT or rescale, then one VOI LUT
or one window (alternatives, never both), then polarity once; padding stays black whatever is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.integer[Any]]
Gray8 = npt.NDArray[np.uint8]
WindowFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class Window:
    """A VOI window in units after the modality step (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: WindowFunction = "LINEAR"
    explanation: str = ""

    @property
    def name(self) -> str:
        """What readers call it."""
        return f"{self.explanation} {self.function} {self.center:g}/{self.width:g}".strip()

    def apply(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Map values of any shape to 0..1.

        Formulas: PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.2 (LINEAR_EXACT), C.11.2.1.3.1 (SIGMOID).
        """
        if self.function == "SIGMOID":
            exponent = np.clip(-4.0 * (values - self.center) / self.width, -700, 700)
            return np.asarray(1.0 / (1.0 + np.exp(exponent)))
        if self.function == "LINEAR_EXACT":
            return np.asarray(np.clip((values - self.center) / self.width + 0.5, 0.0, 1.0))
        if self.width <= 1:
            return np.where(values <= self.center - 0.5, 0.0, 1.0)
        return np.asarray(np.clip((values - (self.center - 0.5)) / (self.width - 1.0) + 0.5, 0.0, 1.0))


@dataclass(frozen=True)
class Lut:
    """A DICOM look-up table (PS3.3 C.11.1.1, C.11.2.1.1): ``entries[0]`` is for value ``first`` and below."""

    first: int
    entries: tuple[int, ...]
    bits: int
    explanation: str = ""

    @property
    def name(self) -> str:
        """What readers call it."""
        return f"LUT {self.explanation}".strip()

    def lookup(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Entries for values of any shape; values outside the table take its nearest end."""
        table = np.asarray(self.entries, dtype=np.float64)
        index = np.clip(np.rint(values) - self.first, 0, len(table) - 1).astype(np.intp)
        return np.asarray(table[index])

    def apply(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Map values of any shape to 0..1: an entry's upper eight bits are its grey of 255, as in dcmtk."""
        return np.asarray(np.minimum(self.lookup(values) * (256.0 / 255.0) / 2.0**self.bits, 1.0))


Voi = Window | Lut


@dataclass(frozen=True)
class GrayScale:
    """How one frame's stored codes become grey."""

    low: int
    """Smallest code that the file can hold."""
    high: int
    """Largest code that the file can hold."""
    slope: float = 1.0
    intercept: float = 0.0
    modality: Lut | None = None
    """Modality LUT; where present it takes the place of slope and intercept."""
    options: tuple[Voi, ...] = ()
    """Every VOI LUT and window that the file offers, in the order of preference."""
    inverse: bool = False
    """Whether small values are bright (MONOCHROME1, or an inverse presentation LUT shape)."""
    padding: tuple[int, int] | None = None
    """First and last stored code that stand for "no image here"."""
    data_range: tuple[int, int] | None = field(default=None, compare=False)
    """Smallest and largest code in the pixels, padding left out; for the window of a file without one."""

    @property
    def voi(self) -> Voi:
        """What is shown at first: the file's first choice, else a window over the pixels' range."""
        return self.options[0] if self.options else self.full_window()

    def full_window(self) -> Window:
        """A window from the darkest to the brightest pixel."""
        low, high = self.data_range or (self.low, self.high)
        ends = self.values(np.array([low, high]))
        width = float(abs(ends[1] - ends[0])) or 1.0
        return Window(float(ends.mean()), width, "LINEAR_EXACT", "full range")

    def values(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Values after the modality step for stored codes of any shape."""
        numbers = codes.astype(np.float64)
        if self.modality is not None:
            return self.modality.lookup(numbers)
        return numbers * self.slope + self.intercept

    def unit_table(self, voi: Voi | None = None, invert: bool = False) -> npt.NDArray[np.float32]:
        """float32 [high - low + 1], 0 black to 1 white; entry i is for code ``low + i``."""
        codes = np.arange(self.low, self.high + 1)
        unit = (voi or self.voi).apply(self.values(codes))
        if self.inverse != invert:
            unit = 1.0 - unit
        if self.padding is not None:
            first, last = (min(max(code, self.low), self.high + 1) - self.low for code in self.padding)
            unit[first : last + 1] = 0.0
        return unit.astype(np.float32)

    def table(self, voi: Voi | None = None, invert: bool = False) -> Gray8:
        """uint8 [high - low + 1]; entry i is the grey of code ``low + i``.

        Grey values are cut, not rounded, as dcmtk does: the two then agree level by level.
        """
        return _table8(replace(self), voi or self.voi, invert)

    def with_range_of(self, pixels: Codes) -> GrayScale:
        """The same scale, knowing the range of these pixels (padding left out)."""
        kept = pixels
        if self.padding is not None:
            kept = pixels[(pixels < self.padding[0]) | (pixels > self.padding[1])]
        if kept.size == 0:
            return self
        return replace(self, data_range=(int(kept.min()), int(kept.max())))


@lru_cache(maxsize=64)
def _table8(scale: GrayScale, voi: Voi, invert: bool) -> Gray8:
    table = np.floor(scale.unit_table(voi, invert).astype(np.float64) * 255.0 + 1e-4).astype(np.uint8)
    table.flags.writeable = False
    return np.asarray(table)


def to_gray8(pixels: Codes, scale: GrayScale, voi: Voi | None = None, invert: bool = False) -> Gray8:
    """Stored codes [rows, columns] as uint8 grey of the same shape."""
    return apply_table(pixels, scale, scale.table(voi, invert))


def apply_table(pixels: Codes, scale: GrayScale, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Look every code up; codes that the header does not allow take the nearest end."""
    if scale.low == 0 and pixels.dtype.kind == "u":
        return np.take(table, pixels, mode="clip")
    return np.take(table, pixels.astype(np.int64) - scale.low, mode="clip")
