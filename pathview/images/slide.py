"""Whole slides through OpenSlide: regions are read when asked for, at any of the file's levels."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openslide
from PIL import ImageCms

from pathview.errors import ImageError
from pathview.geometry import Region, Size, SpacingMm
from pathview.images.color_profile import BROKEN, usable
from pathview.images.damage import DamagedPart, Rgb8
from pathview.images.intensity import GrayScale
from pathview.images.source import ImageInfo, ImageSource, Level, Pixels, level_shape
from pathview.jobs import CancelToken, ProgressSink, no_progress
from pathview.settings import Settings

NO_MPP = "The slide states no pixel size (mpp), so lengths and areas are in pixels."
PLAUSIBLE_MPP_UM = (0.02, 50.0)
_PLAUSIBLE_POWER = (0.5, 200.0)
_FAILURES = (openslide.OpenSlideError, OSError, ValueError)
_OPAQUE = 0xFF000000
GENERIC = "generic-tiff"
TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_VENDORS = {
    "aperio": "Aperio SVS",
    "hamamatsu": "Hamamatsu",
    "leica": "Leica SCN",
    "mirax": "MIRAX",
    "philips": "Philips TIFF",
    "sakura": "Sakura",
    "trestle": "Trestle",
    "ventana": "Ventana",
    GENERIC: "Tiled TIFF",
    "dicom": "DICOM WSI",
    "zeiss": "Zeiss CZI",
}


def is_slide(path: Path) -> bool:
    """Whether OpenSlide knows the file as a slide."""
    return openslide.OpenSlide.detect_format(str(path)) is not None


def open_slide(path: Path, settings: Settings) -> ImageSource:
    """Open a whole slide; a TIFF of which OpenSlide sees less than there is, or nothing, is read by tifffile.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        handle = openslide.OpenSlide(str(path))
        image = SlideImage(path, handle, settings)
    except _FAILURES as error:
        if _is_tiff(path):
            from pathview.images.tiff_pyramid import open_any_tiff

            return open_any_tiff(path, settings)
        raise ImageError(f"{path.name} is not a slide that can be read, or is damaged; copy it again.") from error
    if image.vendor == GENERIC and (other := _better(image, settings)) is not None:
        image.close()
        return other
    return image


def _better(image: SlideImage, settings: Settings) -> ImageSource | None:
    """The same file by tifffile, where that reads more of it: pixels at all, more levels, or the pixel size."""
    info = image.info
    try:
        image.read_region(Region(info.size.width // 2, info.size.height // 2, 1, 1), len(info.levels) - 1)
    except ImageError:
        return _by_tifffile(info.path, settings)
    if len(info.levels) > 1 and info.spacing is not None:
        return None
    other = _by_tifffile(info.path, settings)
    more = other is not None and (
        len(other.info.levels) > len(info.levels) or (other.info.spacing is not None and info.spacing is None)
    )
    return other if more else None


def _is_tiff(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in TIFF_MAGICS
    except OSError:
        return False


def _by_tifffile(path: Path, settings: Settings) -> ImageSource | None:
    """What tifffile makes of the tiles of a file; None where it cannot read them."""
    from pathview.images.tiff_pyramid import open_tiff_pyramid

    try:
        return open_tiff_pyramid(path, settings)
    except ImageError:
        return None


class SlideImage:
    """One slide; several threads may read at once.

    A read that fails kills OpenSlide's handle for good, so the slide is opened anew, and the reads of other threads
    that failed along are done again.
    """

    def __init__(self, path: Path, handle: openslide.OpenSlide, settings: Settings) -> None:
        """Take over an open handle.

        Raises:
            OpenSlideError, ValueError: it has no level that can be used.
        """
        self._path = path
        self._handle: openslide.OpenSlide | None = handle
        self._lock = threading.Lock()
        self._limit = settings.slide_region_pixels
        self.vendor = str(handle.properties.get(openslide.PROPERTY_NAME_VENDOR, ""))
        sizes = [Size(*size) for size in handle.level_dimensions]
        self._file_levels = checked_levels(sizes)
        """The file's number of each of our levels."""
        self.icc, notices = _profile_of(handle)
        notices += left_out(len(sizes) - len(self._file_levels), len(sizes))
        self.info = _info(path, handle, self.vendor, [sizes[i] for i in self._file_levels], notices, bool(self.icc))

    def read_region(self, region: Region, level: int = 0, frame: int = 0) -> Pixels:
        """See :class:`pathview.images.source.ImageSource`; transparent places are white.

        Raises:
            DamagedPart: this part cannot be decoded.
            ImageError: the region is too large, or the file is no longer there.
        """
        rows, columns = level_shape(region, self.info.levels[level].downsample)
        check_region(self._path, rows, columns, self._limit)
        where = ((region.x, region.y), self._file_levels[level], (columns, rows))
        try:
            tile = self._opened().read_region(*where)
        except _FAILURES:
            tile = self._read_anew(where)
        return _over_white(np.asarray(tile))

    def gray_scale(self, frame: int = 0) -> GrayScale | None:
        """Slides are RGB."""
        return None

    def close(self) -> None:
        """Let the file go."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    def _opened(self) -> openslide.OpenSlide:
        handle = self._handle
        if handle is None:
            with self._lock:
                handle = self._handle = self._handle or self._reopened()
        return handle

    def _read_anew(self, where: tuple[tuple[int, int], int, tuple[int, int]]) -> Any:
        """A read once more, with a handle that no other thread has until it proved sound.

        The one that failed is only let go, not closed: another thread may be in the middle of a read with it.
        """
        with self._lock:
            fresh = self._reopened()
            try:
                tile = fresh.read_region(*where)
            except _FAILURES as error:
                self._handle = None
                raise DamagedPart(f"A part of {self._path.name} is damaged and cannot be shown.") from error
            self._handle = fresh
            return tile

    def _reopened(self) -> openslide.OpenSlide:
        try:
            return openslide.OpenSlide(str(self._path))
        except _FAILURES as error:
            raise ImageError(
                f"{self._path.name} can no longer be read: it, or the folder beside it, was moved or changed."
            ) from error


def read_associated(
    path: Path,
    settings: Settings,
    name: str,
    progress: ProgressSink = no_progress,
    cancel: CancelToken | None = None,
) -> Rgb8:
    """A picture beside a slide, uint8 [rows, columns, 3] RGB (may be run as a job).

    Labels and macro images often show a patient's name: read one only when a person asked to see it, and keep it
    nowhere.

    Args:
        path: the slide.
        settings: limits.
        name: one of :attr:`ImageInfo.associated`.
        progress: not used.
        cancel: not used.

    Raises:
        ImageError: there is none of that name, or it cannot be read.
    """
    damaged = ImageError(f"The picture {name!r} of {path.name} is damaged or too large to be shown.")
    try:
        if openslide.OpenSlide.detect_format(str(path)) is not None:
            with openslide.OpenSlide(str(path)) as handle:
                if name in tuple(handle.associated_images):  # to ask the mapping itself would read the picture
                    return _associated(handle, name, settings.slide_region_pixels)
        from pathview.images.tiff_pyramid import associated_reader

        reader: Callable[[], Rgb8] | None = associated_reader(path, settings, name)
    except _FAILURES as error:
        raise damaged from error
    if reader is None:
        raise ImageError(f"{path.name} holds no picture named {name!r}.")
    return reader()


def _over_white(rgba: Rgb8) -> Rgb8:
    """Pixels [rows, columns, 4] as they look before white: [rows, columns, 3]."""
    if rgba.view("<u4").min() >= _OPAQUE:
        return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8)
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)


def _associated(handle: openslide.OpenSlide, name: str, limit: int) -> Rgb8:
    sides = [int(handle.properties.get(f"openslide.associated.{name}.{side}", 0)) for side in ("width", "height")]
    if sides[0] * sides[1] > limit:
        raise ValueError("too large")
    return np.asarray(handle.associated_images[name].convert("RGB"))


def checked_levels(sizes: Sequence[Size]) -> list[int]:
    """The numbers of the levels that can be used: each smaller than the one before, and of the first one's shape.

    Args:
        sizes: of all levels of a file, the largest first.

    Raises:
        ValueError: the first one is no image.
    """
    whole = sizes[0] if sizes else Size(0, 0)
    if whole.width < 1 or whole.height < 1:
        raise ValueError("no level 0")
    kept = [0]
    for number, size in enumerate(sizes[1:], 1):
        before = sizes[kept[-1]]
        smaller = 0 < size.width <= before.width and 0 < size.height <= before.height and size != before
        if smaller and _same_shape(whole, size):
            kept.append(number)
    return kept


def _same_shape(whole: Size, size: Size) -> bool:
    """Whether both sides were reduced alike, but for rounding and padding to a whole pixel or two."""
    across, down = whole.width / size.width, whole.height / size.height
    downsample = (across + down) / 2
    rounding = 2 * downsample
    return (
        abs(size.width * downsample - whole.width) <= 0.02 * whole.width + rounding
        and abs(size.height * downsample - whole.height) <= 0.02 * whole.height + rounding
    )


def left_out(count: int, of: int) -> tuple[str, ...]:
    """What is said of levels that :func:`checked_levels` does not keep."""
    return (f"{count} of the slide's {of} levels do not fit the others and are not used.",) if count else ()


def check_region(path: Path, rows: int, columns: int, limit: int) -> None:
    """Refuse what is too large to be read at once.

    Raises:
        ImageError: it is.
    """
    if rows * columns > limit:
        raise ImageError(f"A region of {columns} x {rows} pixels of {path.name} is too large to read at once; zoom in.")


def levels_of(sizes: Sequence[Size]) -> tuple[Level, ...]:
    """Levels by their sizes; a downsample is the mean of both sides', as OpenSlide has it."""
    whole = sizes[0]
    return tuple(Level(size, (whole.width / size.width + whole.height / size.height) / 2) for size in sizes)


def _profile_of(handle: openslide.OpenSlide) -> tuple[bytes | None, tuple[str, ...]]:
    """A slide's colour profile (OpenSlide 4), and a notice where it is broken."""
    try:
        profile = handle.color_profile
    except ImageCms.PyCMSError:
        return None, (BROKEN,)
    return usable(None if profile is None else profile.tobytes())


def _info(
    path: Path,
    handle: openslide.OpenSlide,
    vendor: str,
    sizes: Sequence[Size],
    notices: tuple[str, ...],
    has_profile: bool,
) -> ImageInfo:
    spacing = _spacing(handle)
    return ImageInfo(
        path=path,
        format=_VENDORS.get(vendor, vendor or "slide"),
        size=sizes[0],
        levels=levels_of(sizes),
        frames=1,
        bits=8,
        photometric="RGB",
        kind="histology",
        modality="SM",
        spacing=spacing,
        spacing_source="slide header" if spacing else None,
        notices=notices if spacing else (NO_MPP, *notices),
        objective_power=_power(handle),
        icc_profile=has_profile,
        associated=tuple(sorted(handle.associated_images)),
    )


def _spacing(handle: openslide.OpenSlide) -> SpacingMm | None:
    """The slide's pixel size; none where it is that of a printer (72 dpi), as some writers of TIFFs put it."""
    try:
        column = float(handle.properties[openslide.PROPERTY_NAME_MPP_X])
        row = float(handle.properties[openslide.PROPERTY_NAME_MPP_Y])
    except (KeyError, ValueError):
        return None
    low, high = PLAUSIBLE_MPP_UM
    return SpacingMm(row / 1000, column / 1000) if low <= row <= high and low <= column <= high else None


def _power(handle: openslide.OpenSlide) -> float | None:
    return plausible_power(handle.properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER))


def plausible_power(text: str | None) -> float | None:
    """The magnification of an objective, if a text states one."""
    try:
        power = float(text or 0)
    except ValueError:
        return None
    low, high = _PLAUSIBLE_POWER
    return power if low <= power <= high else None
