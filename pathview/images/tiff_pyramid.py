"""Colour TIFFs too large to be held whole, or with levels, through tifffile: OME-TIFF, SubIFDs, BigTIFF, any codec.

Only the tiles (or strips) that a region needs are read and decoded. Files that OpenSlide reads as well stay with it.
"""

from __future__ import annotations

import logging
import re
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.errors import ImageError
from pathview.geometry import Region, Size, SpacingMm
from pathview.images.color_profile import usable
from pathview.images.damage import DamagedPart, Rgb8
from pathview.images.intensity import GrayScale
from pathview.images.raster import RASTER_FAILURES, TiffStack, check_bytes, open_tiff, over_white, tiff_spacing
from pathview.images.slide import (
    NO_MPP,
    PLAUSIBLE_MPP_UM,
    check_region,
    checked_levels,
    left_out,
    levels_of,
    plausible_power,
)
from pathview.images.source import FlatImage, ImageInfo, Pixels, level_shape
from pathview.settings import Settings

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its messages hold names of files
_JPEG = (6, 7, 34892, 33007)
"""Compressions whose tables stand apart from the tiles, as tifffile has them."""
_RGB, _YCBCR, _BLACK_IS_ZERO = 2, 6, 1
_ICC_TAG = 34675
_CACHE_BYTES = 96 * 2**20
"""Decoded file tiles that are kept: a row of large tiles under a row of the viewer's."""
_BESIDE = ("label", "macro", "thumbnail", "overview")
_UM = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4}


def open_any_tiff(path: Path, settings: Settings) -> FlatImage | TiffStack | TiffPyramid:
    """Open a TIFF that OpenSlide does not read: by its tiles where it is a large or many-levelled colour image.

    Raises:
        ImageError: unreadable, cut off, of a kind that cannot be shown, or larger than the settings allow.
    """
    return open_tiff_pyramid(path, settings) or open_tiff(path, settings)


def open_tiff_pyramid(path: Path, settings: Settings) -> TiffPyramid | None:
    """Open a colour TIFF by its tiles; None for one that is grey, small and flat, or of other colours.

    Raises:
        ImageError: unreadable, or its tiles are larger than the settings allow.
    """
    import tifffile

    try:
        tiff = tifffile.TiffFile(path)
        try:
            made = _pyramid(path, tiff, settings)
        except BaseException:
            tiff.close()
            raise
    except RASTER_FAILURES as error:
        raise ImageError(f"{path.name} is damaged or not a TIFF that PathView reads; save it again.") from error
    if made is None:
        tiff.close()
    return made


def associated_reader(path: Path, settings: Settings, name: str) -> Callable[[], Rgb8] | None:
    """What reads the picture of a name beside a TIFF's main image, or None where there is none."""
    import tifffile

    def read() -> Rgb8:
        try:
            with tifffile.TiffFile(path) as tiff:
                series = _beside(tiff)[name]
                check_region(
                    path, series.keyframe.imagelength, series.keyframe.imagewidth, settings.slide_region_pixels
                )
                return _as_rgb(np.asarray(series.asarray(level=0)))
        except RASTER_FAILURES as error:
            raise ImageError(f"The picture {name!r} of {path.name} is damaged or too large to be shown.") from error

    try:
        with tifffile.TiffFile(path) as tiff:
            return read if name in _beside(tiff) else None
    except RASTER_FAILURES:
        return None


@dataclass(frozen=True)
class _TiffLevel:
    """One resolution: a page of RGB, or three pages of one colour each."""

    pages: tuple[Any, ...]
    tile: Size
    """Of the file's own tiles, or strips."""
    columns: int
    """Tiles in a row."""
    planes: int
    """How many runs of tiles a page has: 3 where its colours are stored one after another."""


class TiffPyramid:
    """A colour TIFF read tile by tile; several threads may read at once."""

    def __init__(
        self, tiff: Any, levels: tuple[_TiffLevel, ...], info: ImageInfo, icc: bytes | None, limit: int
    ) -> None:
        """Take over an open file; it is closed with :meth:`close`, or when nothing refers to this any more."""
        self._closed = weakref.finalize(self, tiff.close)
        self._levels = levels
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], Rgb8] = OrderedDict()
        self._kept_bytes = 0
        self.info = info
        self.icc = icc

    def read_region(self, region: Region, level: int = 0, frame: int = 0) -> Pixels:
        """See :class:`pathview.images.source.ImageSource`; tiles that the file leaves out are white.

        Raises:
            DamagedPart: a tile of it cannot be decoded.
            ImageError: the region is too large.
        """
        of, plan = self.info.levels[level], self._levels[level]
        rows, columns = level_shape(region, of.downsample)
        rows, columns = min(rows, of.size.height), min(columns, of.size.width)
        check_region(self.info.path, rows, columns, self._limit)
        left = min(round(region.x / of.downsample), of.size.width - columns)
        top = min(round(region.y / of.downsample), of.size.height - rows)
        pixels = np.full((rows, columns, 3), 255, np.uint8)
        for row in range(top // plan.tile.height, -(-(top + rows) // plan.tile.height)):
            for column in range(left // plan.tile.width, -(-(left + columns) // plan.tile.width)):
                tile = self._tile(level, row * plan.columns + column)
                if tile is not None:
                    _lay(pixels, tile, column * plan.tile.width - left, row * plan.tile.height - top)
        return pixels

    def gray_scale(self, frame: int = 0) -> GrayScale | None:
        """It is RGB."""
        return None

    def close(self) -> None:
        """Let the file go."""
        self._closed()
        self._kept.clear()
        self._kept_bytes = 0

    def _tile(self, level: int, number: int) -> Rgb8 | None:
        """A decoded tile of the file, uint8 [rows, columns, 3]; None where the file leaves it out."""
        with self._lock:
            if (level, number) in self._kept:
                self._kept.move_to_end((level, number))
                return self._kept[level, number]
        try:
            tile = self._decoded(self._levels[level], number)
        except RASTER_FAILURES as error:
            raise DamagedPart(f"A part of {self.info.path.name} is damaged and cannot be shown.") from error
        if tile is not None:
            with self._lock:
                if (level, number) not in self._kept:
                    self._kept_bytes += tile.nbytes
                self._kept[level, number] = tile
                while self._kept_bytes > _CACHE_BYTES and len(self._kept) > 1:
                    self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return tile

    def _decoded(self, plan: _TiffLevel, number: int) -> Rgb8 | None:
        step = len(plan.pages[0].dataoffsets) // plan.planes
        parts = [self._segment(page, number + plane * step) for page in plan.pages for plane in range(plan.planes)]
        if any(part is None for part in parts):
            return None
        return _as_rgb(np.concatenate([part for part in parts if part is not None], axis=-1))

    def _segment(self, page: Any, index: int) -> npt.NDArray[Any] | None:
        """Decoded samples [rows, columns, samples] of a file's tile or strip."""
        offset, size = page.dataoffsets[index], page.databytecounts[index]
        if size == 0:
            return None
        file = page.parent.filehandle
        with self._lock:
            file.seek(offset)
            data = file.read(size)
        if len(data) < size:
            raise EOFError
        tables = {}
        if page.keyframe.compression in _JPEG:
            tables = {"jpegtables": page.jpegtables, "jpegheader": page.keyframe.jpegheader}
        decoded = page.keyframe.decode(data, index, **tables)[0]
        return None if decoded is None else np.asarray(decoded[0])


def _pyramid(path: Path, tiff: Any, settings: Settings) -> TiffPyramid | None:
    series = tiff.series[0]
    found = [_level_of(level) for level in series.levels]
    if found[0] is None:
        return None
    sizes = [Size(level.keyframe.imagewidth, level.keyframe.imagelength) for level in series.levels]
    used = [number for number in checked_levels(sizes) if found[number] is not None]
    if len(used) == 1 and sizes[0].pixels <= settings.slide_region_pixels:
        return None
    for number in used:
        page = series.levels[number].keyframe
        check_bytes(path, int(np.prod(page.chunks)) * page.dtype.itemsize * 2, settings)
    icc, notices = usable(series.keyframe.tags.valueof(_ICC_TAG))
    notices += left_out(len(sizes) - len(used), len(sizes))
    info = _info(path, tiff, [sizes[number] for number in used], icc, notices)
    levels = tuple(level for number in used if (level := found[number]) is not None)
    return TiffPyramid(tiff, levels, info, icc, settings.slide_region_pixels)


def _level_of(series: Any) -> _TiffLevel | None:
    """How the tiles of one resolution lie; None where its samples are not red, green and blue of 8 or 16 bit."""
    page = series.keyframe
    pages = tuple(series.pages[i] for i in range(len(series.pages)))
    if page.dtype is None or page.dtype.kind != "u" or page.dtype.itemsize > 2 or page.imagedepth > 1:
        return None
    photometric = int(page.photometric)
    samples = page.samplesperpixel
    in_one = len(pages) == 1 and samples in (3, 4)
    colours = photometric == _RGB or (photometric == _YCBCR and page.compression in _JPEG)
    apart = len(pages) == 3 and samples == 1 and photometric == _BLACK_IS_ZERO and "C" in series.axes
    if not ((in_one and colours) or (apart and page.dtype.itemsize == 1)):
        return None
    tile = Size(page.tilewidth, page.tilelength) if page.is_tiled else Size(page.imagewidth, page.rowsperstrip)
    planes = samples if page.planarconfig == 2 else 1
    return _TiffLevel(pages, tile, -(-page.imagewidth // tile.width), planes)


def _as_rgb(samples: npt.NDArray[Any]) -> Rgb8:
    """Samples [rows, columns, 1, 3 or 4] of 8 or 16 bit as uint8 [rows, columns, 3]."""
    if samples.ndim == 2:
        samples = samples[..., None]
    if samples.shape[2] == 4:
        samples = over_white(samples)
    if samples.dtype != np.uint8:
        samples = (samples >> 8).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(samples, (*samples.shape[:2], 3)))


def _lay(pixels: Rgb8, tile: Rgb8, x: int, y: int) -> None:
    """Copy what of a tile at (x, y) falls on an image."""
    rows, columns = pixels.shape[:2]
    left, right = max(0, x), min(columns, x + tile.shape[1])
    top, bottom = max(0, y), min(rows, y + tile.shape[0])
    if right > left and bottom > top:
        pixels[top:bottom, left:right] = tile[top - y : bottom - y, left - x : right - x]


def _beside(tiff: Any) -> dict[str, Any]:
    """The series beside the main image that are pictures of the glass, by a plain name."""
    found = {}
    for series in tiff.series[1:]:
        for name in _BESIDE:
            if name in str(series.name).lower():
                found[name] = series
    return found


def _info(path: Path, tiff: Any, sizes: list[Size], icc: bytes | None, notices: tuple[str, ...]) -> ImageInfo:
    page = tiff.series[0].keyframe
    described = (tiff.ome_metadata if tiff.is_ome else page.description) or ""
    spacing = _described_spacing(described) or tiff_spacing(page)
    return ImageInfo(
        path=path,
        format="OME-TIFF" if tiff.is_ome else "TIFF",
        size=sizes[0],
        levels=levels_of(sizes),
        frames=1,
        bits=8,
        photometric="RGB",
        kind="histology",
        spacing=spacing,
        spacing_source="file header" if spacing else None,
        notices=notices if spacing else (NO_MPP, *notices),
        objective_power=_described_power(described),
        icc_profile=icc is not None,
        associated=tuple(sorted(_beside(tiff))),
    )


def _described_spacing(text: str) -> SpacingMm | None:
    """The pixel size of OME-XML (``PhysicalSizeX``, of the first image), or of an Aperio description (``MPP``)."""
    sizes = [_ome_um(text, "Y"), _ome_um(text, "X")]
    if None in sizes and (found := re.search(r"\|\s*MPP\s*=\s*([\d.]+)", text)):
        sizes = [_number(found[1])] * 2
    low, high = PLAUSIBLE_MPP_UM
    row, column = sizes
    if row is None or column is None or not (low <= row <= high and low <= column <= high):
        return None
    return SpacingMm(row / 1000, column / 1000)


def _ome_um(text: str, axis: str) -> float | None:
    found = re.search(rf"""\bPhysicalSize{axis}\s*=\s*["']([^"']+)["']""", text)
    if found is None:
        return None
    unit = re.search(rf"""\bPhysicalSize{axis}Unit\s*=\s*["']([^"']+)["']""", text)
    size, factor = _number(found[1]), _UM.get(unit[1] if unit else "µm")
    return None if size is None or factor is None else size * factor


def _described_power(text: str) -> float | None:
    found = re.search(r"""\bNominalMagnification\s*=\s*["']([^"']+)["']|\|\s*AppMag\s*=\s*([\d.]+)""", text)
    return plausible_power(found[1] or found[2]) if found else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
