"""From an image to what a network sees: the one preparation that analysis and training share."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace, Region, Size
from pathview.images.render import display_pixels
from pathview.images.source import ImageInfo, ImageSource
from pathview.models.recipe import InputSpec, Recipe

Gray8 = npt.NDArray[np.uint8]
_OVERVIEW_SIDE = 256
_MAX_WORKING_PIXELS = 64 * 2**20


@dataclass(frozen=True)
class Working:
    """An image at the scale of a recipe.

    ``pixels``: uint8 [rows, columns, channels], as the viewer shows the image at first (grey after the
    file's own VOI, or RGB); ``place``: where its pixels lie on level 0.
    """

    pixels: npt.NDArray[np.uint8]
    place: GridPlace


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
    if recipe.input.channels == 1 and info.is_color:
        raise NotAnalysable(f"it is a colour image; {recipe.name} reads grey mammograms")
    if recipe.input.channels == 3 and not info.is_color and "mammogram" not in recipe.kinds:
        raise NotAnalysable(f"it is a grey image; {recipe.name} reads stained tissue in colour")
    if not 0 <= frame < info.frames:
        raise NotAnalysable(f"it has {info.frames} frame{'s' if info.frames > 1 else ''}, numbered from 0")


def working_scale(info: ImageInfo, spec: InputSpec, crop: Region) -> float:
    """Working pixels a level-0 pixel.

    Raises:
        NotAnalysable: the recipe needs a pixel size that the image does not state.
    """
    if spec.long_side is not None:
        return spec.long_side / max(crop.width, crop.height)
    if spec.mpp_um is None:
        return 1.0
    if info.mpp_um is not None:
        return info.mpp_um / spec.mpp_um
    if info.size == Size(spec.width, spec.height):
        return 1.0
    raise NotAnalysable(
        f"the file states no pixel size and the recipe needs {spec.mpp_um:g} µm a pixel; "
        "state it in the window, or with --mpp"
    )


def prepare(source: ImageSource, recipe: Recipe, frame: int = 0) -> Working:
    """Bring an image to the recipe's crop, scale and channels.

    Raises:
        NotAnalysable: the image does not fit the recipe.
        ImageError: the pixels cannot be read.
    """
    info = source.info
    check_fits(info, recipe, frame)
    crop = breast_region(source, frame) if recipe.input.crop == "breast" else Region.whole(info.size)
    factor = working_scale(info, recipe.input, crop)
    size = Size(max(1, round(crop.width * factor)), max(1, round(crop.height * factor)))
    if size.pixels > _MAX_WORKING_PIXELS:
        raise NotAnalysable(f"at the recipe's scale it would be {size.width} x {size.height} pixels; analyse a region")
    if max(crop.width, crop.height) * factor < min(recipe.input.width, recipe.input.height) * 0.5:
        field = f"{crop.width * factor:.0f} x {crop.height * factor:.0f}"
        raise NotAnalysable(f"it shows {field} pixels at the recipe's scale, less than half a field of the network")
    pixels = display_pixels(source, crop, size, frame)
    if recipe.input.channels == 1 or pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], recipe.input.channels, axis=2)
    return Working(pixels, GridPlace(crop.x, crop.y, crop.width / size.width, crop.height / size.height))


def breast_region(source: ImageSource, frame: int = 0) -> Region:
    """The bounding box of the breast in level-0 pixels; the whole image where none stands out.

    The darker of the left and right borders is air; the breast is the largest part that is clearly
    brighter. Markers and labels are smaller parts, so they are left out.
    """
    whole = Region.whole(source.info.size)
    size = source.info.size.scaled(min(1.0, _OVERVIEW_SIDE / max(source.info.size.width, source.info.size.height)))
    gray = display_pixels(source, whole, size, frame)
    mask = breast_mask(gray if gray.ndim == 2 else cv2.cvtColor(gray, cv2.COLOR_RGB2GRAY))
    if mask is None:
        return whole
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    fx, fy = whole.width / size.width, whole.height / size.height
    left, top = int(columns[0] * fx), int(rows[0] * fy)
    right, bottom = int(np.ceil((columns[-1] + 1) * fx)), int(np.ceil((rows[-1] + 1) * fy))
    return Region(left, top, right - left, bottom - top).clipped(source.info.size)


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
