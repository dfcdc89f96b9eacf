"""Flat raster files: PNG, JPEG, BMP, PGM/PPM through Pillow, imagecodecs and OpenCV; TIFF through tifffile.

The slow imports stand where they are needed: the window imports this module before it is painted.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pathview.errors import ImageError
from pathview.geometry import Region, Size, SpacingMm
from pathview.images.intensity import GrayScale
from pathview.images.source import DECODE_FAILURES, FlatImage, ImageInfo, Level, Pixels
from pathview.settings import Settings

Image.MAX_IMAGE_PIXELS = None  # our own limit, in bytes, is checked before anything is decoded
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

RASTER_FAILURES = (*DECODE_FAILURES, cv2.error)

_PLAUSIBLE_MPP = (0.05, 20.0)
_ICC_TAG = 34675
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _YCBCR = 0, 1, 2, 3, 4, 6
_TIFF_COLORS = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _YCBCR)
"""Photometric interpretations (TIFF 6.0, tag 262) that come out as grey or RGB; not CMYK, Lab and the like."""


def open_raster(path: Path, settings: Settings) -> FlatImage:
    """Open a PNG, JPEG, BMP, PGM or PPM image, decoded whole.

    Raises:
        ImageError: unreadable, cut off, or larger than the settings allow.
    """
    try:
        data = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                check_bytes(path, image.width * image.height * 4, settings)
                name = str(image.format)
                made = flat_image(path, "Netpbm" if name == "PPM" else name, _decode(data, image))
                return with_profile(made, image.info.get("icc_profile"))
    except RASTER_FAILURES as error:
        raise ImageError(f"{path.name} is damaged or not an image that PathView reads; save it again.") from error


def _decode(data: bytes, image: Image.Image) -> Pixels:
    if image.format == "PNG" and data[24] == 16:
        import imagecodecs

        return np.asarray(imagecodecs.png_decode(data))
    if image.format == "PPM":
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise ValueError("cut off")
        return np.asarray(pixels if pixels.ndim == 2 else pixels[..., ::-1])
    if image.mode in ("L", "I;16", "I;16B"):
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def open_tiff(path: Path, settings: Settings) -> FlatImage | TiffStack:
    """Open a TIFF: one page, a stack of equal pages (frames), or the levels of a pyramid.

    Raises:
        ImageError: unreadable, cut off, of a kind that cannot be shown, or larger than the settings allow.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            axes, shape = series.axes, series.shape
            page = series.keyframe
            check_bytes(path, page.imagewidth * page.imagelength * page.samplesperpixel * 2, settings)
            _check_colors(path, page)
            frames = int(np.prod([n for axis, n in zip(axes, shape, strict=True) if axis not in "YXS"] or [1]))
            inverse = _photometric(page) == _WHITE_IS_ZERO
            first = _plane(series.pages[0].asarray() if frames > 1 else series.asarray(), axes, _color_map(page))
            image = flat_image(path, "TIFF", first, tiff_spacing(page), frames, inverse)
            image = with_profile(image, page.tags.valueof(_ICC_TAG))
    except RASTER_FAILURES as error:
        raise ImageError(f"{path.name} is damaged or not a TIFF that PathView reads; save it again.") from error
    return TiffStack(image, path, inverse) if frames > 1 else image


class TiffStack:
    """A TIFF of several equal pages; the page read last is kept."""

    def __init__(self, first: FlatImage, path: Path, inverse: bool) -> None:
        self.info = first.info
        self._image = first
        self._path = path
        self._inverse = inverse
        self._frame = 0

    def read_region(self, region: Region, level: int = 0, frame: int = 0) -> Pixels:
        """See :class:`pathview.images.source.ImageSource`."""
        self._load(frame)
        return self._image.read_region(region)

    def gray_scale(self, frame: int = 0) -> GrayScale | None:
        """See :class:`pathview.images.source.ImageSource`."""
        self._load(frame)
        return self._image.scale

    def close(self) -> None:
        """Nothing is held open between reads."""

    def _load(self, frame: int) -> None:
        if frame == self._frame:
            return
        import tifffile

        try:
            with tifffile.TiffFile(self._path) as tiff:
                page = tiff.series[0].pages[frame]
                plane = _plane(page.asarray(), "", _color_map(page.keyframe))
                self._image = flat_image(self._path, self.info.format, plane, inverse=self._inverse)
        except RASTER_FAILURES as error:
            raise ImageError(f"Page {frame + 1} of {self._path.name} is damaged.") from error
        self._frame = frame


def flat_image(
    path: Path,
    format_name: str,
    pixels: Pixels,
    spacing: SpacingMm | None = None,
    frames: int = 1,
    inverse: bool = False,
) -> FlatImage:
    """An image held whole: grey of 8 or 16 bit, or RGB of 8 (16-bit colour is reduced to 8).

    RGB whose three channels are equal is grey; transparency is laid over white. ``inverse``: small
    grey codes are bright.

    Raises:
        ImageError: pixels of another type, or of more than four channels.
    """
    _check_pixels(path, pixels)
    bits = pixels.dtype.itemsize * 8
    pixels = _simplified(pixels)
    size = Size(pixels.shape[1], pixels.shape[0])
    gray = pixels.ndim == 2
    scale = None
    if gray:
        top = 2**bits - 1
        scale = GrayScale(0, top, inverse=inverse, data_range=(0, top))
        scale = scale.with_range_of(pixels) if bits > 8 else scale
    info = ImageInfo(
        path=path,
        format=format_name,
        size=size,
        levels=(Level(size, 1.0),),
        frames=frames,
        bits=bits,
        photometric=("MONOCHROME1" if inverse else "MONOCHROME2") if gray else "RGB",
        kind="mammogram" if gray else "histology",
        spacing=spacing,
        spacing_source="file header" if spacing else None,
    )
    return FlatImage(info, np.ascontiguousarray(pixels), scale)


def with_profile(image: FlatImage, profile: bytes | None) -> FlatImage:
    """An image with the colour profile of its file, if it is in colour and the profile can be used."""
    if not profile or not image.info.is_color:
        return image
    from pathview.images.color_profile import usable

    image.icc, notices = usable(profile)
    image.info = replace(image.info, icc_profile=image.icc is not None, notices=image.info.notices + notices)
    return image


def _simplified(pixels: Pixels) -> Pixels:
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        pixels = over_white(pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2:
        return pixels
    if np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2]):
        return pixels[..., 0]
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def over_white(pixels: Pixels) -> Pixels:
    """Pixels [rows, columns, 2 or 4] without their last channel, the opacity, as they look before white."""
    top = np.iinfo(pixels.dtype).max
    alpha = pixels[..., -1:].astype(np.float32) / top
    mixed = pixels[..., :-1] * alpha + top * (1 - alpha)
    return np.rint(mixed).astype(pixels.dtype)


def _plane(pixels: np.ndarray[Any, Any], axes: str, color_map: Pixels | None) -> Pixels:
    """One page as [rows, columns] or [rows, columns, samples]; indices into a colour map become RGB."""
    if axes.endswith("SYX") or (not axes and pixels.ndim == 3 and pixels.shape[0] in (3, 4)):
        pixels = np.moveaxis(pixels, -3, -1)
    pixels = pixels.squeeze()
    if color_map is not None:
        return np.take(color_map, pixels, axis=0)
    return pixels.astype(np.uint8) * 255 if pixels.dtype.kind == "b" else pixels


def _photometric(page: Any) -> int:
    # tifffile takes a missing tag for 0, which would turn the image's polarity.
    return int(page.tags.valueof("PhotometricInterpretation", _BLACK_IS_ZERO))


def _color_map(page: Any) -> Pixels | None:
    """The colours of a colour-mapped page, uint8 [codes, 3] RGB; None for any other page."""
    if _photometric(page) != _PALETTE:
        return None
    colors = np.asarray(page.colormap)
    # Some writers store 8-bit colours where TIFF wants 16 bit; libtiff tells them apart in the same way.
    return (colors if colors.max() < 256 else colors >> 8).astype(np.uint8).T


def tiff_spacing(page: Any) -> SpacingMm | None:
    """Pixel size of the resolution tags, where it is that of a microscope and not of a printer."""
    unit_um = {2: 25400.0, 3: 10000.0}.get(int(page.tags.valueof("ResolutionUnit") or 1))
    if unit_um is None:
        return None
    sizes = []
    for tag in ("YResolution", "XResolution"):
        over, under = page.tags.valueof(tag) or (0, 1)
        sizes.append(unit_um * under / over if over else 0.0)
    low, high = _PLAUSIBLE_MPP
    if all(low <= size <= high for size in sizes):
        return SpacingMm(sizes[0] / 1000, sizes[1] / 1000)
    return None


def _check_colors(path: Path, page: Any) -> None:
    if _photometric(page) not in _TIFF_COLORS:
        name = getattr(page.photometric, "name", page.photometric)
        raise ImageError(f"{path.name} is stored in {name} colours, which cannot be shown; save it as grey or RGB.")


def _check_pixels(path: Path, pixels: Pixels) -> None:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels > 4 or pixels.dtype.kind != "u" or pixels.dtype.itemsize > 2:
        shape = " x ".join(str(side) for side in pixels.shape)
        raise ImageError(
            f"{path.name} holds {shape} pixels of type {pixels.dtype}, which cannot be shown; "
            "save it as grey or RGB of 8 or 16 bit."
        )


def check_bytes(path: Path, size: int, settings: Settings) -> None:
    """Refuse what needs more memory than the settings allow.

    Raises:
        ImageError: ``size`` bytes are too many.
    """
    if size > settings.max_image_bytes:
        limit = settings.max_image_bytes / 2**30
        raise ImageError(f"{path.name} needs {size / 2**30:.1f} GiB of memory; the limit is {limit:.0f} GiB.")
