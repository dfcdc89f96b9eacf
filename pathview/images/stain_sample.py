"""A sample of a slide's tissue, from which its stains are found."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pathview.geometry import Region
from pathview.images.damage import read_sparing
from pathview.images.patches import PatchMosaic
from pathview.images.source import FlatImage, ImageSource, level_for
from pathview.images.stain import Stains, estimate
from pathview.images.tissue import Tissue, find_tissue
from pathview.jobs import CancelToken, checkpoint, never

Rgb8 = npt.NDArray[np.uint8]
_PLACES = 32
_SIDE = 256
_MPP_UM, _DOWNSAMPLE = 2.0, 4.0
"""Pixel size at which places are read, or the downsample where the slide states none: coarser pixels mix the stains."""


def stains_of(
    source: ImageSource, tissue: Tissue | None = None, cancel: CancelToken | None = None
) -> tuple[Stains | None, str]:
    """The stains of a slide, a mosaic or a camera image, from its tissue.

    Args:
        source: a colour image.
        tissue: where it has been found before.
        cancel: is asked between places.

    Returns:
        See :func:`pathview.images.stain.estimate`.

    Raises:
        ImageError: the file can no longer be read.
        Cancelled: at a checkpoint after the user cancelled.
    """
    if not source.info.is_color:
        return None, "it is a grey image"
    if isinstance(source, PatchMosaic) and source.patches:  # what lies between its patches is no glass
        return estimate(np.concatenate([source.read_patch(patch).reshape(-1, 3) for patch in source.patches]))
    if isinstance(source, FlatImage) and source.pixels.size <= 64 * _PLACES * _SIDE**2:
        return estimate(np.asarray(source.pixels, np.uint8))
    places = sample_tissue(source, tissue or find_tissue(source, cancel), cancel)
    return estimate(np.concatenate(places)) if places else (None, "there is hardly any stained tissue")


def sample_tissue(source: ImageSource, tissue: Tissue, cancel: CancelToken | None = None) -> list[Rgb8]:
    """Pixels uint8 [n, 3] of up to 32 places spread evenly over the tissue, the same ones every time."""
    info = source.info
    downsample = max(1.0, _MPP_UM / info.mpp_um) if info.mpp_um else _DOWNSAMPLE
    level = level_for(info, downsample)
    side = round(_SIDE * info.levels[level].downsample)
    cells = np.argwhere(tissue.mask)
    chosen = cells[np.unique(np.linspace(0, len(cells) - 1, _PLACES).round().astype(int))] if len(cells) else cells
    found = []
    for row, column in chosen:
        checkpoint(cancel or never())
        x, y = tissue.place.to_level0(column + 0.5, row + 0.5)
        region = Region(round(x - side / 2), round(y - side / 2), side, side).clipped(info.size)
        pixels, damaged = read_sparing(source, region, level)
        if not damaged:
            found.append(pixels.reshape(-1, 3))
    return found
