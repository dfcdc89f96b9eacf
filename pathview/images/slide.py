"""Whole slides through OpenSlide: regions are read when asked for, at any of the file's levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide

from pathview.errors import ImageError
from pathview.geometry import Region, Size, SpacingMm
from pathview.images.intensity import GrayScale
from pathview.images.source import ImageInfo, Level, Pixels, level_shape
from pathview.settings import Settings

_VENDORS = {
    "aperio": "Aperio SVS",
    "hamamatsu": "Hamamatsu",
    "leica": "Leica SCN",
    "mirax": "MIRAX",
    "philips": "Philips TIFF",
    "sakura": "Sakura",
    "trestle": "Trestle",
    "ventana": "Ventana",
    "generic-tiff": "Tiled TIFF",
    "dicom": "DICOM WSI",
    "zeiss": "Zeiss CZI",
}


def is_slide(path: Path) -> bool:
    """Whether OpenSlide knows the file as a slide."""
    return openslide.OpenSlide.detect_format(str(path)) is not None


def open_slide(path: Path, settings: Settings) -> SlideImage:
    """Open a whole slide.

    Raises:
        ImageError: OpenSlide cannot read it.
    """
    try:
        return SlideImage(path, openslide.OpenSlide(str(path)), settings)
    except (openslide.OpenSlideError, OSError, ValueError) as error:
        raise ImageError(f"{path.name} is not a slide that can be read, or is damaged; copy it again.") from error


class SlideImage:
    """One slide. A read that fails kills OpenSlide's handle for good, so the next read reopens it."""

    def __init__(self, path: Path, handle: openslide.OpenSlide, settings: Settings) -> None:
        self._path = path
        self._handle: openslide.OpenSlide | None = handle
        self._limit = settings.slide_region_pixels
        self.info = _info(path, handle)

    def read_region(self, region: Region, level: int = 0, frame: int = 0) -> Pixels:
        """See :class:`pathview.images.source.ImageSource`; transparent places are white."""
        rows, columns = level_shape(region, self.info.levels[level].downsample)
        if rows * columns > self._limit:
            raise ImageError(
                f"A region of {columns} x {rows} pixels of {self._path.name} is too large to read at once; zoom in."
            )
        try:
            if self._handle is None:
                self._handle = openslide.OpenSlide(str(self._path))
            tile = self._handle.read_region((region.x, region.y), level, (columns, rows))
        except (openslide.OpenSlideError, OSError) as error:
            self._handle = None
            raise ImageError(f"A part of {self._path.name} is damaged and cannot be shown.") from error
        rgba = np.asarray(tile)
        if rgba[..., 3].min() == 255:
            return np.ascontiguousarray(rgba[..., :3])
        alpha = rgba[..., 3:].astype(np.uint16)
        return ((rgba[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)

    def gray_scale(self, frame: int = 0) -> GrayScale | None:
        """Slides are RGB."""
        return None

    def close(self) -> None:
        """Let the file go."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def _info(path: Path, handle: openslide.OpenSlide) -> ImageInfo:
    levels = tuple(
        Level(Size(*size), downsample)
        for size, downsample in zip(handle.level_dimensions, handle.level_downsamples, strict=True)
    )
    spacing = _spacing(handle)
    vendor = handle.properties.get(openslide.PROPERTY_NAME_VENDOR, "")
    notices = () if spacing else ("The slide states no pixel size (mpp), so lengths and areas are in pixels.",)
    return ImageInfo(
        path=path,
        format=_VENDORS.get(vendor, vendor or "slide"),
        size=levels[0].size,
        levels=levels,
        frames=1,
        bits=8,
        photometric="RGB",
        kind="histology",
        modality="SM",
        spacing=spacing,
        spacing_source="slide header" if spacing else None,
        notices=notices,
    )


def _spacing(handle: openslide.OpenSlide) -> SpacingMm | None:
    try:
        column = float(handle.properties[openslide.PROPERTY_NAME_MPP_X])
        row = float(handle.properties[openslide.PROPERTY_NAME_MPP_Y])
    except (KeyError, ValueError):
        return None
    return SpacingMm(row / 1000, column / 1000) if row > 0 and column > 0 else None
