"""From an image to what a network sees: the one preparation that analysis and training share."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace, Region, Size
from pathview.images.render import display_pixels, fitted
from pathview.images.source import ImageInfo, ImageSource
from pathview.models.recipe import InputSpec, Recipe

Gray8 = npt.NDArray[np.uint8]
_OVERVIEW_SIDE = 256
_MAX_WORKING_PIXELS = 64 * 2**20
_LEVEL_WIDTH, _BETWEEN = 10, 0.05
"""Grey levels that count as one, and the share of others up to which an image has no greys."""


@dataclass(frozen=True)
class Working:
    """An image at the scale of a recipe.

    ``pixels``: uint8 [rows, columns, channels], as the viewer shows the image at first (grey after the
    file's own VOI, or RGB); ``place``: where its pixels lie on level 0; ``breast_found``: False where the
    recipe wants the breast and none stands out, so that this is the whole image.
    """

    pixels: npt.NDArray[np.uint8]
    place: GridPlace
    breast_found: bool = True


def check_fits(info: ImageInfo, recipe: Recipe, frame: int = 0) -> None:
    """Refuse an image that the recipe was not made for, and a frame that the image does not have.

    Raises:
        NotAnalysable: with the reason.
    """
    if info.modality is not None and recipe.modalities and info.modality not in recipe.modalities:
        raise NotAnalysable(
            f"the image's modality is {info.modality}; {recipe.name} reads {' and '.join(recipe.modalities)}"
        )
    if info.for_processing:
        raise NotAnalysable(f"it is a For Processing image; {recipe.name} was made for images For Presentation")
    if info.is_color and (recipe.input.channels == 1 or set(recipe.kinds) == {"mammogram"}):
        raise NotAnalysable(f"it is a colour image; {recipe.name} reads grey mammograms")
    if recipe.input.channels == 3 and not info.is_color and "mammogram" not in recipe.kinds:
        raise NotAnalysable(f"it is a grey image; {recipe.name} reads stained tissue in colour")
    if not 0 <= frame < info.frames:
        raise NotAnalysable(f"it has {info.frames} frame{'s' if info.frames > 1 else ''}, numbered from 0")


def working_scale(info: ImageInfo, spec: InputSpec, crop: Region) -> tuple[float, float]:
    """Working pixels a level-0 pixel, across and down.

    Raises:
        NotAnalysable: the recipe needs a pixel size that the image does not state.
    """
    across, down = spec.width / crop.width, spec.height / crop.height
    if spec.fit == "stretch":
        return across, down
    if spec.fit == "inside":
        return min(across, down), min(across, down)
    if spec.mpp_um is None or (info.mpp_um is None and info.size == Size(spec.width, spec.height)):
        return 1.0, 1.0
    if info.mpp_um is not None:
        return info.mpp_um / spec.mpp_um, info.mpp_um / spec.mpp_um
    raise NotAnalysable(
        f"the file states no pixel size and the recipe needs {spec.mpp_um:g} µm a pixel; "
        "state it in the window, or with --mpp on the command line"
    )


def prepare(source: ImageSource, recipe: Recipe, frame: int = 0, region: Region | None = None) -> Working:
    """Bring an image, or a region of it, to the recipe's crop, scale and channels.

    Raises:
        NotAnalysable: the image does not fit the recipe.
        ImageError: the pixels cannot be read.
    """
    info = source.info
    check_fits(info, recipe, frame)
    breast = breast_region(source, frame) if recipe.input.crop == "breast" and region is None else None
    crop = region or breast or Region.whole(info.size)
    across, down = working_scale(info, recipe.input, crop)
    size = Size(max(1, round(crop.width * across)), max(1, round(crop.height * down)))
    if size.pixels > _MAX_WORKING_PIXELS:
        raise NotAnalysable(f"at the recipe's scale it would be {size.width} x {size.height} pixels; analyse a region")
    if max(size.width, size.height) < min(recipe.input.width, recipe.input.height) * 0.5:
        shown = f"{size.width} x {size.height}"
        needed = f"{recipe.input.width} x {recipe.input.height}"
        raise NotAnalysable(f"it is too small: {shown} pixels at the recipe's scale, and the network reads {needed}")
    pixels = display_pixels(source, crop, size, frame)
    if recipe.input.equalise:
        pixels = equalised(pixels)
    if recipe.input.channels == 1 or pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], recipe.input.channels, axis=2)
    place = GridPlace(crop.x, crop.y, crop.width / size.width, crop.height / size.height)
    return Working(
        pixels, place, breast_found=breast is not None or region is not None or recipe.input.crop != "breast"
    )


def equalised(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Histogram equalisation of a grey image [rows, columns], or of the luminance of an RGB one."""
    if pixels.ndim == 2:
        return np.asarray(cv2.equalizeHist(pixels), np.uint8)
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    luma[..., 0] = cv2.equalizeHist(np.ascontiguousarray(luma[..., 0]))
    return np.asarray(cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB), np.uint8)


def breast_region(source: ImageSource, frame: int = 0) -> Region | None:
    """The bounding box of the breast in level-0 pixels; None where nothing stands out.

    The darker of the left and right borders is air; the breast is the largest part that is clearly
    brighter. Markers and labels are smaller parts, so they are left out.

    Raises:
        NotAnalysable: it is black and white, so it is no X-ray image.
    """
    gray = overview(source, frame)
    if is_black_and_white(gray):
        raise NotAnalysable("it is black and white without greys: a mask or a drawing, not a mammogram")
    mask = breast_mask(gray)
    if mask is None:
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    whole = source.info.size
    fx, fy = whole.width / gray.shape[1], whole.height / gray.shape[0]
    left, top = int(columns[0] * fx), int(rows[0] * fy)
    right, bottom = int(np.ceil((columns[-1] + 1) * fx)), int(np.ceil((rows[-1] + 1) * fy))
    return Region(left, top, right - left, bottom - top).clipped(source.info.size)


def overview(source: ImageSource, frame: int = 0) -> Gray8:
    """The whole image small and grey, uint8 [rows, columns], as :func:`breast_mask` reads it."""
    whole = source.info.size
    pixels = display_pixels(source, Region.whole(whole), fitted(whole, _OVERVIEW_SIDE), frame)
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def is_black_and_white(gray: Gray8) -> bool:
    """Whether a small grey overview [rows, columns] has two levels and nearly nothing between them."""
    low, high = int(gray.min()), int(gray.max())
    between = (gray > low + _LEVEL_WIDTH) & (gray < high - _LEVEL_WIDTH)
    return high - low > 4 * _LEVEL_WIDTH and float(between.mean()) < _BETWEEN


def breast_mask(gray: Gray8) -> npt.NDArray[np.bool_] | None:
    """Which pixels of a small grey overview [rows, columns] are breast, or None where nothing stands out."""
    smooth = cv2.GaussianBlur(gray, (5, 5), 0).astype(np.float32)
    strip = max(1, gray.shape[1] // 50)
    borders = [smooth[:, :strip].ravel(), smooth[:, -strip:].ravel()]
    air = min(borders, key=lambda border: float(np.median(border)))
    level = float(np.median(air))
    noise = float(np.median(np.abs(air - level)))
    bright = float(np.percentile(smooth, 99.5))
    threshold = level + max(4 * noise, 0.06 * (bright - level), 2.0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((smooth > threshold).astype(np.uint8), None, 8)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < 0.03 * gray.size:
        return None
    return np.asarray(labels == largest)
