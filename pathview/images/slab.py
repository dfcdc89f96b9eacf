"""Slabs of a multi-frame image (tomosynthesis): one frame, or several combined, at the resolution of a screen.

The jobs here run in the child that opens images, which keeps decoded frames between them.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.digest import version_of
from pathview.images.formats import open_image
from pathview.images.intensity import GrayScale
from pathview.images.render import resized
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.settings import Settings

SlabMode = Literal["MIP", "average"]
Codes16 = npt.NDArray[np.uint16]
"""[rows, columns], as shown (turned): stored codes less the scale's lowest."""


@dataclass(frozen=True)
class Slab:
    """Frames combined."""

    pixels: Codes16
    scale: GrayScale
    """Of the centre frame; its window or LUT is the frame's own."""
    center: int
    """0-based."""
    frames: tuple[int, int]
    """First and last frame used, 0-based, both included."""
    downsample: float
    """Level-0 pixels a pixel: the wanted one or finer, a power of two."""


@dataclass(frozen=True)
class _Frame:
    pixels: Codes16
    scale: GrayScale


@dataclass(frozen=True)
class _Key:
    path: Path
    version: tuple[int, int]
    """See :func:`pathview.images.digest.version_of`."""
    frame: int
    downsample: int


class FrameCache:
    """Decoded frames within a number of bytes; full-size ones go first, then those that were used longest ago.

    A cine runs on coarse frames: were they dropped in favour of the full-size ones they are made from, the
    second round would decode everything again.
    """

    def __init__(self) -> None:
        """An empty one."""
        self._full: OrderedDict[_Key, _Frame] = OrderedDict()
        self._coarse: OrderedDict[_Key, _Frame] = OrderedDict()
        self.bytes = 0

    def get(self, key: _Key) -> _Frame | None:
        """A kept frame."""
        part = self._part(key)
        if key in part:
            part.move_to_end(key)
        return part.get(key)

    def put(self, key: _Key, frame: _Frame, limit: int) -> None:
        """Keep a frame, and no more than ``limit`` bytes in all."""
        part = self._part(key)
        if key in part:
            self.bytes -= part.pop(key).pixels.nbytes
        part[key] = frame
        self.bytes += frame.pixels.nbytes
        while self.bytes > limit:
            _, dropped = (self._full or self._coarse).popitem(last=False)
            self.bytes -= dropped.pixels.nbytes

    def clear(self) -> None:
        """Forget all."""
        self._full.clear()
        self._coarse.clear()
        self.bytes = 0

    def _part(self, key: _Key) -> OrderedDict[_Key, _Frame]:
        return self._full if key.downsample == 1 else self._coarse


CACHE = FrameCache()
"""This process's frames."""


def load_slab(
    path: Path,
    settings: Settings,
    center: int,
    thickness: int,
    mode: SlabMode,
    downsample: float,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Slab:
    """Combine ``thickness`` frames about ``center`` (0-based), less at the ends of the image (a job).

    ``MIP`` takes the brightest: the largest value, or the smallest where small values are bright. Places
    without an image (pixel padding) count in neither mode unless no frame has one. Codes are combined; where
    frames differ in their rescale, or there is a modality LUT, the values after it are, and are told in the
    centre frame's codes. Windows are not applied before. Coarser than level 0, frames are shrunk before they are
    combined.

    Raises:
        ImageError: the image cannot be opened or decoded, or is not grey.
    """
    source = _source(path, settings, version_of(path))
    if source.info.is_color:
        raise ImageError(f"{path.name} is a colour image; frames are combined in grey images only.")
    center = min(max(0, center), source.info.frames - 1)
    first, last = frames_of(center, thickness, source.info.frames)
    coarser = _power_of_two(downsample)
    frames = []
    for index in range(first, last + 1):
        checkpoint(cancel)
        frames.append(_frame(source, settings, index, coarser))
        progress(Progress(index + 1 - first, last + 1 - first, "reading frames"))
    chosen = frames[center - first]
    pixels = chosen.pixels if len(frames) == 1 else _combined(frames, chosen.scale, mode)
    return Slab(pixels, chosen.scale, center, (first, last), float(coarser))


def frames_of(center: int, thickness: int, count: int) -> tuple[int, int]:
    """First and last frame, 0-based, of a slab of ``thickness`` frames about one of ``count``; less at the ends."""
    thickness = max(1, thickness)
    first = center - thickness // 2
    return max(0, first), min(count, first + thickness) - 1


def _combined(frames: list[_Frame], scale: GrayScale, mode: SlabMode) -> Codes16:
    """Frames as one, in the codes of ``scale``."""
    stacks = [frame.pixels for frame in frames]
    valid = [_valid(frame) for frame in frames]
    if scale.modality is None and all(_same_values(frame.scale, scale) for frame in frames):
        smallest = scale.inverse != (scale.slope < 0)
        return np.asarray(np.rint(_mixed(stacks, valid, mode, smallest)), np.uint16)
    tables = [frame.scale.values(np.arange(frame.scale.low, frame.scale.high + 1)) for frame in frames]
    values = [np.take(table, stack, mode="clip") for table, stack in zip(tables, stacks, strict=True)]
    mixed = _mixed(values, valid, mode, smallest=scale.inverse)
    codes = _codes_of(mixed, scale)
    nowhere = ~np.logical_or.reduce([np.broadcast_to(True if v is None else v, codes.shape) for v in valid])
    codes[nowhere] = frames[0].pixels[nowhere]
    return codes


def _mixed(
    stacks: list[npt.NDArray[Any]], valid: list[npt.NDArray[np.bool_] | None], mode: SlabMode, smallest: bool
) -> npt.NDArray[Any]:
    """The extreme or the mean over those that are valid; where none is, the first one's."""
    if all(mask is None for mask in valid):
        if mode == "average":
            total = np.zeros(stacks[0].shape, np.float32 if stacks[0].dtype.kind == "u" else np.float64)
            for stack in stacks:
                total += stack
            return np.asarray(total / len(stacks))
        result = stacks[0].copy()
        for stack in stacks[1:]:
            (np.minimum if smallest else np.maximum)(result, stack, out=result)
        return result
    masks = [np.ones(stacks[0].shape, bool) if mask is None else mask for mask in valid]
    seen = np.add.reduce([mask.astype(np.uint16) for mask in masks])
    if mode == "average":
        sums = np.add.reduce([np.where(m, s, 0).astype(np.float64) for s, m in zip(stacks, masks, strict=True)])
        mixed = sums / np.maximum(seen, 1)
    else:
        worst = np.inf if smallest else -np.inf
        levels = [np.where(m, s, worst) for s, m in zip(stacks, masks, strict=True)]
        mixed = (np.minimum if smallest else np.maximum).reduce(levels)
    return np.where(seen > 0, mixed, stacks[0])


def _codes_of(values: npt.NDArray[Any], scale: GrayScale) -> Codes16:
    """The codes (less the lowest) whose values after the modality step are nearest."""
    table = scale.values(np.arange(scale.low, scale.high + 1))
    order = np.argsort(table, kind="stable")
    ascending = table[order]
    right = np.clip(np.searchsorted(ascending, values), 1, len(ascending) - 1)
    nearer_left = values - ascending[right - 1] <= ascending[right] - values
    return np.asarray(order[right - nearer_left], np.uint16)


def _same_values(one: GrayScale, other: GrayScale) -> bool:
    return (one.slope, one.intercept, one.modality) == (other.slope, other.intercept, other.modality)


def _valid(frame: _Frame) -> npt.NDArray[np.bool_] | None:
    """Where a frame holds an image; None: everywhere."""
    padding = _shown_padding(frame.scale)
    if padding is None:
        return None
    return (frame.pixels < padding[0]) | (frame.pixels > padding[1])


def _shown_padding(scale: GrayScale) -> tuple[int, int] | None:
    """The padding range less the scale's lowest code; None where no code can be padding."""
    if scale.padding is None or scale.padding[0] > scale.high or scale.padding[1] < scale.low:
        return None
    first, last = scale.padding
    return max(first, scale.low) - scale.low, min(last, scale.high) - scale.low


def _frame(source: ImageSource, settings: Settings, index: int, downsample: int) -> _Frame:
    """A frame as shown, coarser by ``downsample``; from the cache where it is there."""
    key = _Key(source.info.path, version_of(source.info.path), index, downsample)
    kept = CACHE.get(key)
    if kept is not None:
        return kept
    if downsample > 1:
        fine = _frame(source, settings, index, 1)
        made = _Frame(_shrunk(fine, downsample), fine.scale)
    else:
        scale = source.gray_scale(index)
        if scale is None:
            raise ImageError(f"{source.info.path.name} is a colour image; frames are combined in grey images only.")
        pixels = source.info.turn.array(source.read_region(Region.whole(source.info.size), 0, index))
        made = _Frame(_from_lowest(pixels, scale), scale)
    CACHE.put(key, made, settings.frame_cache_bytes)
    return made


def _from_lowest(pixels: npt.NDArray[Any], scale: GrayScale) -> Codes16:
    if pixels.dtype == np.uint16 and scale.low == 0:
        return np.ascontiguousarray(pixels)
    return (np.clip(pixels.astype(np.int32), scale.low, scale.high) - scale.low).astype(np.uint16)


def _shrunk(frame: _Frame, downsample: int) -> Codes16:
    """Averaged over areas; padding is left out of the averages, and stays where it has the larger share."""
    size = Size(frame.pixels.shape[1], frame.pixels.shape[0]).scaled(1 / downsample)
    valid = _valid(frame)
    if valid is None or valid.all():
        return np.asarray(resized(frame.pixels, size), np.uint16)
    padding = _shown_padding(frame.scale)
    assert padding is not None
    share = resized(valid.astype(np.float32), size)
    total = resized(np.where(valid, frame.pixels, 0).astype(np.float32), size)
    mean = np.rint(total / np.maximum(share, 1e-6))
    inside = _beside(mean, padding, frame.scale.high - frame.scale.low)
    return np.where(share >= 0.5, inside, padding[0]).astype(np.uint16)


def _beside(codes: npt.NDArray[np.floating], padding: tuple[int, int], top: int) -> npt.NDArray[np.floating]:
    """Averages that fall into the padding range by chance, moved out of it."""
    first, last = padding
    return np.where((codes >= first) & (codes <= last), last + 1 if last < top else first - 1, codes)


def _power_of_two(downsample: float) -> int:
    """The largest power of two that is not coarser; 1 for what is finer than level 0."""
    return 1 << int(math.log2(max(1.0, downsample)) + 1e-9)


@lru_cache(maxsize=1)
def _source(path: Path, settings: Settings, version: tuple[int, int]) -> ImageSource:
    """The opened image, kept for the next slab; ``version`` makes a changed file a new entry."""
    return open_image(path, settings)
