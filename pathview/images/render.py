"""An image as the viewer shows it, at any size; and heat in colour. No Qt here."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size
from pathview.images.intensity import Voi, to_gray8
from pathview.images.source import ImageSource, level_for

Rgb8 = npt.NDArray[np.uint8]
_FULL_HEAT = 0.4
COLORMAPS = {
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "cividis": cv2.COLORMAP_CIVIDIS,
}
"""Maps whose lightness rises evenly; a rainbow would draw edges that are not there."""


def display_pixels(
    source: ImageSource,
    region: Region,
    size: Size,
    frame: int = 0,
    voi: Voi | None = None,
    invert: bool = False,
) -> Rgb8:
    """A region at a size: uint8 [rows, columns] grey or [rows, columns, 3] RGB.

    ``voi`` None: what the viewer shows at first. Shrinking averages stored codes over areas before
    they become grey.
    """
    level = level_for(source.info, max(region.width / size.width, region.height / size.height))
    pixels = resized(source.read_region(region, level, frame), size)
    scale = source.gray_scale(frame)
    if scale is not None:
        return to_gray8(pixels, scale, voi, invert)
    colour = pixels.astype(np.uint8, copy=False)
    return np.asarray(255 - colour if invert else colour)


def resized(pixels: npt.NDArray[Any], size: Size) -> npt.NDArray[Any]:
    """Pixels at another size: averaged over areas when shrinking, linear when enlarging."""
    rows, columns = pixels.shape[:2]
    if (columns, rows) == (size.width, size.height):
        return pixels
    shrinking = size.width < columns or size.height < rows
    mode = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), (size.width, size.height), interpolation=mode))


def fitted(size: Size, side: int | None) -> Size:
    """A size whose longer side is ``side`` (never enlarged), or the size itself."""
    longest = max(size.width, size.height)
    return size if side is None or side >= longest else size.scaled(side / longest)


def colors(name: str) -> Rgb8:
    """A colour map as uint8 [256, 3] RGB."""
    ramp = np.arange(256, dtype=np.uint8)[None]
    return np.ascontiguousarray(cv2.applyColorMap(ramp, COLORMAPS[name])[0, :, ::-1])


def under_heat(pixels: Rgb8, heat: npt.NDArray[np.float32], colormap: str, opacity: float) -> Rgb8:
    """A picture uint8 [rows, columns, 3] RGB under heat of 0..1 [rows, columns]; NaN is none."""
    add, keep = heat_tables(colormap, opacity)
    index = (np.clip(np.nan_to_num(heat), 0, 1) * 255).astype(np.uint8)
    mixed = pixels * (keep[index][..., None] / 255.0) + add[index]
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def heat_tables(name: str, opacity: float) -> tuple[Rgb8, npt.NDArray[np.uint8]]:
    """How heat is laid over an image: ``image * keep / 255 + add``, by a heat of 0..255.

    Returns:
        ``add`` uint8 [256, 3] RGB and ``keep`` uint8 [256]. Where there is little heat the image shows
        through; from 40 % of the largest heat on, the colour has its full opacity.
    """
    share = np.minimum(np.arange(256) / 255 / _FULL_HEAT, 1.0) * opacity
    add = np.rint(colors(name) * share[:, None]).astype(np.uint8)
    return add, np.rint(255 * (1 - share)).astype(np.uint8)
