"""Pictures for a viewer: an image's pixels at halving resolutions, ready to be cut and shown at any zoom.

The functions here run in the process that opens images; what they return is plain arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size, SpacingMm, Turn
from pathview.images.breast import Breast, find_breast
from pathview.images.captions import Captions, captions_of
from pathview.images.digest import version_of
from pathview.images.formats import open_image
from pathview.images.intensity import GrayScale
from pathview.images.render import resized
from pathview.images.source import ImageInfo, ImageSource, level_for
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.settings import Settings

Shown = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""uint16 [rows, columns]: stored codes less the scale's lowest; or uint8 [rows, columns, 3] RGB. Turned as it hangs."""
_SMALLEST_SIDE = 512
_EARLY = 2
"""Halvings of the picture that is shown while the whole is still on its way."""
_OVERVIEW_SIDE = 2048


@dataclass(frozen=True)
class Patch:
    """Pixels that cover a region of level 0, as shown."""

    region: Region
    pixels: Shown

    @property
    def downsample(self) -> float:
        """Level-0 pixels a pixel."""
        return float(self.region.width / self.pixels.shape[1])


@dataclass(frozen=True)
class PictureData:
    """What a viewer needs of one frame, in shown coordinates (see :class:`pathview.geometry.Turn`)."""

    info: ImageInfo
    scale: GrayScale | None
    frame: int
    levels: tuple[Patch, ...]
    """Whole images, finest first. Level 0 itself unless ``partial``."""
    partial: bool
    """Whether finer pixels than ``levels`` have to be read region by region; never for grey, which is held whole."""
    captions: Captions = field(default_factory=Captions)
    breast: Breast | None = None
    """Where the breast is on a mammogram, in stored pixels; None where none was found or looked for."""

    @property
    def misplaced(self) -> bool:
        """Whether the breast lies at the other edge than where the file says that the chest wall is."""
        wall = self.info.chest_wall
        if self.breast is None or wall is None:
            return False
        mask = self.info.turn.array(self.breast.mask)
        strip = max(1, mask.shape[1] // 40)
        left, right = float(mask[:, :strip].mean()), float(mask[:, -strip:].mean())
        here, there = (left, right) if wall == "left" else (right, left)
        return there > 0.1 and here < there / 4

    @property
    def size(self) -> Size:
        """Level 0 as shown."""
        return self.info.shown_size

    @property
    def spacing(self) -> SpacingMm | None:
        """Pixel spacing as shown."""
        return self.info.turn.spacing(self.info.spacing) if self.info.spacing is not None else None

    def quarter_turned(self) -> PictureData:
        """The same, turned by a quarter, clockwise."""
        info = replace(self.info, turn=self.info.turn.quarter())
        whole = Region.whole(info.shown_size)
        quarter = Turn().quarter()
        levels = tuple(Patch(whole, quarter.array(patch.pixels)) for patch in self.levels)
        return replace(self, info=info, levels=levels)

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels."""
        return sum(patch.pixels.nbytes for patch in self.levels)


def load_picture(
    path: Path,
    settings: Settings,
    mpp_um: float | None,
    frame: int | None,
    progress: ProgressSink,
    cancel: CancelToken,
) -> PictureData:
    """Open an image and make its picture (a job for the engine).

    Args:
        path: the file or folder.
        settings: limits.
        mpp_um: a pixel size that the user stated.
        frame: 0-based; None: the middle one.
        progress: gets a first step, and one with a coarse picture (``early``) as soon as a large one is decoded.
        cancel: is asked between reading and shrinking.

    Raises:
        ImageError: it cannot be opened or decoded.
    """
    progress(Progress(0, 2, "opening"))
    source = open_image(path, settings, mpp_um)
    try:
        checkpoint(cancel)
        if not is_partial(source.info, settings):
            return _whole(source, source.info.frames // 2 if frame is None else frame, progress, cancel)
    finally:
        source.close()
    return _overview(_source(path, settings, mpp_um, version_of(path)), settings, cancel)


def is_partial(info: ImageInfo, settings: Settings) -> bool:
    """Whether finer pixels are read tile by tile: of tissue, which has several looks, and of what is large."""
    return info.is_color and (info.kind == "histology" or info.size.pixels > settings.slide_region_pixels)


def halvings(pixels: Shown, whole: Region) -> tuple[Patch, ...]:
    """An image of level 0 or coarser and its halves, down to a size that any screen shows at once."""
    levels = [Patch(whole, pixels)]
    while max(levels[-1].pixels.shape[:2]) > _SMALLEST_SIDE:
        rows, columns = levels[-1].pixels.shape[:2]
        half = resized(levels[-1].pixels, Size((columns + 1) // 2, (rows + 1) // 2))
        levels.append(Patch(whole, half))
    return tuple(levels)


def _whole(source: ImageSource, frame: int, progress: ProgressSink, cancel: CancelToken) -> PictureData:
    info = source.info
    scale = source.gray_scale(frame)
    pixels = source.read_region(Region.whole(info.size), 0, frame)
    checkpoint(cancel)
    shown = _shown(info.turn.array(pixels), scale)
    levels = halvings(shown, Region.whole(info.shown_size))
    picture = PictureData(info, scale, frame, levels, False, captions_of(source))
    if len(levels) > _EARLY + 1:
        progress(Progress(1, 2, "decoded", replace(picture, levels=levels[_EARLY:])))
    return replace(picture, breast=find_breast(source, frame)) if info.kind == "mammogram" else picture


def _overview(source: ImageSource, settings: Settings, cancel: CancelToken) -> PictureData:
    whole = Region.whole(source.info.size)
    overview = source.info.size.scaled(min(1.0, _OVERVIEW_SIDE / max(whole.width, whole.height)))
    level = level_for(source.info, whole.width / overview.width)
    first = _shown(resized(read_blocks(source, whole, level, settings, cancel), overview), None)
    return PictureData(source.info, None, 0, (Patch(whole, first),), True, captions_of(source))


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
    source = _source(path, settings, mpp_um, version_of(path))
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
