"""From an image to what a network sees: the one preparation that analysis and training share."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace, Region, Size
from pathview.images.breast import Bools, Breast, breast_on, is_black_and_white, overview
from pathview.images.render import display_pixels
from pathview.images.source import ImageInfo, ImageSource
from pathview.images.stain import Stains, normalised
from pathview.images.stain_sample import stains_of
from pathview.models.recipe import InputSpec, Recipe

_MAX_WORKING_PIXELS = 64 * 2**20


@dataclass(frozen=True)
class Working:
    """An image at the scale of a recipe.

    ``pixels``: uint8 [rows, columns, channels], as the viewer shows the image at first (grey after the
    file's own VOI, or RGB); ``place``: where its pixels lie on level 0; ``breast_found``: False where the
    recipe wants the breast and none stands out, so that this is the whole image; ``inside``: bool [rows, columns]
    of what may be marked, the widened breast mask, or None where all of it may; ``stain_reason``: why the stains were
    not normalised though the recipe asks for it, to be put after "because"; empty where all is as asked.
    """

    pixels: npt.NDArray[np.uint8]
    place: GridPlace
    breast_found: bool = True
    inside: Bools | None = None
    stain_reason: str = ""

    def within(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """A map [rows, columns, ...] of this image, NaN (not analysed) outside the breast.

        Not 0: no threshold, however low, then marks the air, and no sum, share or largest value counts it.
        """
        if self.inside is None:
            return values
        shape = (*self.inside.shape, *(1,) * (values.ndim - 2))
        return np.where(self.inside.reshape(shape), values, np.float32(np.nan))


def check_fits(info: ImageInfo, recipe: Recipe, frame: int = 0) -> None:
    """Refuse an image that the recipe was not made for, and a frame that the image does not have.

    Raises:
        NotAnalysable: with the reason.
    """
    if info.modality is not None and recipe.modalities and info.modality not in recipe.modalities:
        raise NotAnalysable(
            f"the image's modality is {info.modality}; {recipe.name} reads {' and '.join(recipe.modalities)}"
        )
    if reason := _other_kind_of_view(info, recipe):
        raise NotAnalysable(reason)
    if info.is_color and (recipe.input.channels == 1 or set(recipe.kinds) == {"mammogram"}):
        raise NotAnalysable(f"it is a colour image; {recipe.name} reads grey mammograms")
    if recipe.input.channels == 3 and not info.is_color and "mammogram" not in recipe.kinds:
        raise NotAnalysable(f"it is a grey image; {recipe.name} reads stained tissue in colour")
    if not 0 <= frame < info.frames:
        raise NotAnalysable(f"it has {info.frames} frame{'s' if info.frames > 1 else ''}, numbered from 0")


def _other_kind_of_view(info: ImageInfo, recipe: Recipe) -> str | None:
    """Why the way in which a mammogram was taken is none that the recipe reads."""
    spec = recipe.input
    if info.for_processing and not spec.for_processing:
        return f"it is a For Processing image; {recipe.name} was made for images For Presentation"
    refused = [modifier for modifier in info.modifiers if modifier in spec.modifiers_refused]
    if refused:
        shown = "image" if "specimen" in refused else "view"
        return f"it is a {' and '.join(refused)} {shown}; {recipe.name} reads whole views"
    if info.acquisition not in spec.acquisitions:
        return f"it is a {info.acquisition} image; {recipe.name} reads {' and '.join(spec.acquisitions)}"
    return None


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


def prepare(
    source: ImageSource, recipe: Recipe, frame: int = 0, region: Region | None = None, stains: Stains | None = None
) -> Working:
    """Bring an image, or a region of it, to the recipe's crop, scale, stain and channels.

    Args:
        source: the image.
        recipe: what it is prepared for.
        frame: counted from 0.
        region: whole level-0 pixels; None: all of it.
        stains: of the slide, where they were found before; else they are found here if the recipe asks for them.

    Raises:
        NotAnalysable: the image does not fit the recipe.
        ImageError: the pixels cannot be read.
    """
    info = source.info
    check_fits(info, recipe, frame)
    wanted = region is None and (recipe.input.crop == "breast" or recipe.input.within_breast)
    breast = _breast(source, frame) if wanted else None
    cut = breast.region if breast is not None and recipe.input.crop == "breast" else None
    crop = region or cut or Region.whole(info.size)
    across, down = working_scale(info, recipe.input, crop)
    size = Size(max(1, round(crop.width * across)), max(1, round(crop.height * down)))
    if size.pixels > _MAX_WORKING_PIXELS:
        raise NotAnalysable(f"at the recipe's scale it would be {size.width} x {size.height} pixels; analyse a region")
    if max(size.width, size.height) < min(recipe.input.width, recipe.input.height) * 0.5:
        shown = f"{size.width} x {size.height}"
        needed = f"{recipe.input.width} x {recipe.input.height}"
        raise NotAnalysable(f"it is too small: {shown} pixels at the recipe's scale, and the network reads {needed}")
    pixels, stain_reason = normalised_as(recipe.input, source, display_pixels(source, crop, size, frame), stains)
    if recipe.input.equalise:
        pixels = equalised(pixels)
    if recipe.input.channels == 1 or pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], recipe.input.channels, axis=2)
    place = GridPlace(crop.x, crop.y, crop.width / size.width, crop.height / size.height)
    marked = breast if recipe.input.within_breast else None
    inside = None if marked is None else marked.on(place, (size.height, size.width))
    return Working(pixels, place, breast is not None or not wanted, inside, stain_reason)


def normalised_as(
    spec: InputSpec, source: ImageSource, pixels: npt.NDArray[np.uint8], stains: Stains | None = None
) -> tuple[npt.NDArray[np.uint8], str]:
    """Pixels [..., rows, columns, 3] of a slide with the stain that a recipe asks for.

    Returns:
        The pixels, and why they stay as they are though the recipe asks for more (empty otherwise).

    Raises:
        ImageError: the slide cannot be read to find its stains.
    """
    if not spec.stain:
        return pixels, ""
    stains, reason = (stains, "") if stains is not None else stains_of(source)
    return normalised(pixels, stains), reason


def _breast(source: ImageSource, frame: int) -> Breast | None:
    """The breast, or None where nothing stands out.

    Raises:
        NotAnalysable: it is black and white, so it is no X-ray image.
    """
    gray = overview(source, frame)
    if is_black_and_white(gray):
        raise NotAnalysable("it is black and white without greys: a mask or a drawing, not a mammogram")
    return breast_on(gray, source.info.size)


def equalised(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Histogram equalisation of a grey image [rows, columns], or of the luminance of an RGB one."""
    if pixels.ndim == 2:
        return np.asarray(cv2.equalizeHist(pixels), np.uint8)
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    luma[..., 0] = cv2.equalizeHist(np.ascontiguousarray(luma[..., 0]))
    return np.asarray(cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB), np.uint8)
