"""Pieces of an image at a size: a tile for training as it was analysed, a picture of a place with its surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.pyramid import load_region
from pathview.images.render import display_pixels, fitted, resized
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.settings import Settings

Rgb8 = npt.NDArray[np.uint8]


def cut(source: ImageSource, region: Region, size: Size, frame: int = 0) -> Rgb8:
    """A region at a size: uint8 [rows, columns, 3] RGB.

    Args:
        source: an opened image.
        region: level-0 pixels; what reaches beyond the image is filled with its mirror image, as tiles at an edge are.
        size: of the result in pixels.
        frame: counted from 0.

    Raises:
        ImageError: the region lies outside the image, or its pixels cannot be read.
    """
    inside = region.clipped(source.info.size)
    if not inside.size.pixels:
        raise ImageError(f"A tile lies outside of {source.info.path.name}.")
    across, down = size.width / region.width, size.height / region.height
    left, top = round((inside.x - region.x) * across), round((inside.y - region.y) * down)
    width = min(size.width - left, max(1, round(inside.width * across)))
    height = min(size.height - top, max(1, round(inside.height * down)))
    pixels = display_pixels(source, inside, Size(width, height), frame)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    right, bottom = size.width - width - left, size.height - height - top
    return np.ascontiguousarray(np.pad(pixels, ((top, bottom), (left, right), (0, 0)), mode="symmetric"))


def load_cuts(
    path: Path,
    settings: Settings,
    mpp_um: float | None,
    regions: Sequence[Region],
    side: int,
    progress: ProgressSink,
    cancel: CancelToken,
) -> tuple[Rgb8 | None, ...]:
    """Pictures of regions, each uint8 [rows, columns, 3] with a longer side of ``side`` pixels at most (a job).

    Args:
        path: of a colour image; it stays open for the next job.
        settings: limits.
        mpp_um: a pixel size that the user stated.
        regions: level-0 pixels, inside the image.
        side: in pixels of the pictures; a smaller region is not enlarged.
        progress: gets one step a region.
        cancel: is asked before each.

    Returns:
        None where the pixels are damaged, so that the others are seen all the same.

    Raises:
        Cancelled: between two regions.
    """
    pictures: list[Rgb8 | None] = []
    for index, region in enumerate(regions):
        checkpoint(cancel)
        progress(Progress(index, len(regions), "reading tiles"))
        size = fitted(region.size, side)
        try:
            patch = load_region(path, settings, mpp_um, region, max(1.0, region.width / size.width), progress, cancel)
        except ImageError:
            pictures.append(None)
            continue
        pictures.append(np.ascontiguousarray(resized(patch.pixels, fitted(patch.region.size, side)), np.uint8))
    return tuple(pictures)
