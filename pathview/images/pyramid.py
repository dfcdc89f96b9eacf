"""Pictures for a viewer: an image's pixels at halving resolutions, ready to be cut and shown at any zoom.

The functions here run in the process that opens images; what they return is plain arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size
from pathview.images.formats import open_image
from pathview.images.intensity import GrayScale
from pathview.images.render import resized
from pathview.images.source import ImageInfo, ImageSource, level_for
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.settings import Settings

Shown = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""uint16 [rows, columns]: stored codes less the scale's lowest; or uint8 [rows, columns, 3] RGB."""
_SMALLEST_SIDE = 512
_OVERVIEW_SIDE = 2048


@dataclass(frozen=True)
class Patch:
    """Pixels that cover a region of level 0."""

    region: Region
    pixels: Shown

    @property
    def downsample(self) -> float:
        """Level-0 pixels a pixel."""
        return float(self.region.width / self.pixels.shape[1])


@dataclass(frozen=True)
class PictureData:
    """What a viewer needs of one frame."""

    info: ImageInfo
    scale: GrayScale | None
    frame: int
    levels: tuple[Patch, ...]
    """Whole images, finest first. Level 0 itself unless ``partial``."""
    partial: bool
    """Whether finer pixels than ``levels`` have to be read region by region; never for grey, which is held whole."""


def load_picture(
    path: Path, settings: Settings, mpp_um: float | None, frame: int, progress: ProgressSink, cancel: CancelToken
) -> PictureData:
    """Open an image and make its picture (a job for the engine).

    Raises:
        ImageError: it cannot be opened or decoded.
    """
    progress(Progress(0, 2, "opening"))
    source = _source(path, settings, mpp_um, _version(path))
    checkpoint(cancel)
    whole = Region.whole(source.info.size)
    scale = source.gray_scale(frame)
    checkpoint(cancel)
    if scale is None and (len(source.info.levels) > 1 or whole.size.pixels > settings.slide_region_pixels):
        overview = source.info.size.scaled(min(1.0, _OVERVIEW_SIDE / max(whole.width, whole.height)))
        level = level_for(source.info, whole.width / overview.width)
        first = _shown(resized(read_blocks(source, whole, level, settings, cancel), overview), None)
        return PictureData(source.info, None, frame, (Patch(whole, first),), True)
    pixels = source.read_region(whole, 0, frame)
    checkpoint(cancel)
    levels = [Patch(whole, _shown(pixels, scale))]
    while max(levels[-1].pixels.shape[:2]) > _SMALLEST_SIDE:
        rows, columns = levels[-1].pixels.shape[:2]
        half = resized(levels[-1].pixels, Size((columns + 1) // 2, (rows + 1) // 2))
        levels.append(Patch(whole, half))
    return PictureData(source.info, scale, frame, tuple(levels), False)


def load_region(
    path: Path,
    settings: Settings,
    mpp_um: float | None,
    region: Region,
    downsample: float,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Patch:
    """Read a region of a large image, not coarser than ``downsample`` where the file allows (a job).

    Raises:
        ImageError: it cannot be decoded.
    """
    source = _source(path, settings, mpp_um, _version(path))
    checkpoint(cancel)
    region = region.clipped(source.info.size)
    level = level_for(source.info, downsample)
    pixels = read_blocks(source, region, level, settings, cancel)
    wanted = region.size.scaled(1 / downsample)
    if pixels.shape[1] > 1.5 * wanted.width:
        pixels = resized(pixels, wanted)
    return Patch(region, _shown(pixels, None))


def read_blocks(
    source: ImageSource, region: Region, level: int, settings: Settings, cancel: CancelToken
) -> npt.NDArray[np.uint8]:
    """A region of a colour image at a level, read in strips so that no single read is too large."""
    downsample = source.info.levels[level].downsample
    rows = max(1, int(settings.slide_region_pixels * downsample**2 / max(1, region.width) / 2))
    strips = []
    for y in range(region.y, region.bottom, rows):
        checkpoint(cancel)
        strip = Region(region.x, y, region.width, min(rows, region.bottom - y))
        strips.append(source.read_region(strip, level))
    return np.concatenate(strips).astype(np.uint8, copy=False)


def _shown(pixels: npt.NDArray[np.integer], scale: GrayScale | None) -> Shown:
    if scale is None:
        rgb = pixels if pixels.ndim == 3 else cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_GRAY2RGB)
        return np.ascontiguousarray(rgb, np.uint8)
    if pixels.dtype == np.uint16 and scale.low == 0:
        return np.ascontiguousarray(pixels)
    return (np.clip(pixels.astype(np.int32), scale.low, scale.high) - scale.low).astype(np.uint16)


@lru_cache(maxsize=2)
def _source(path: Path, settings: Settings, mpp_um: float | None, version: tuple[int, int]) -> ImageSource:
    """The opened image, kept for the next region; ``version`` makes a changed file a new entry."""
    return open_image(path, settings, mpp_um)


def _version(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
