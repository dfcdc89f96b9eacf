"""``pathview render``: an image as the viewer shows it, as a PNG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from pathview.errors import ImageError, OutputError
from pathview.export.pictures import png_note
from pathview.geometry import AS_STORED, Region
from pathview.images.formats import open_image
from pathview.images.intensity import Voi, Window
from pathview.images.render import display_pixels, fitted
from pathview.images.source import ImageSource
from pathview.settings import Settings


@dataclass(frozen=True)
class RenderRequest:
    """What to render; None: as the viewer shows it at first."""

    path: Path
    out: Path
    side: int | None = None
    """Longer side of the picture; never enlarged."""
    window: tuple[float, ...] | None = None
    """(centre, width)."""
    voi: int | None = None
    """Number of the file's VOI LUT or window, from 0."""
    frame: int = 0
    region: tuple[float, ...] | None = None
    """(x, y, width, height) in stored pixels."""
    as_stored: bool = False
    """Whether to leave a mammogram as it is stored, not turned to hang."""


def render_png(request: RenderRequest, settings: Settings) -> dict[str, Any]:
    """Write the PNG; says what was written.

    Raises:
        ImageError: the image cannot be read, or has no such frame, VOI or region.
        OutputError: the PNG cannot be written.
    """
    if request.out.exists() and request.path.exists() and request.out.samefile(request.path):
        raise OutputError(f"{request.out.name} is the image itself; write the picture to another file.")
    source = open_image(request.path, settings)
    try:
        region = _region(request, source)
        if not request.frame < source.info.frames:
            raise ImageError(f"{request.path.name} has {source.info.frames} frames, numbered from 0.")
        voi = _voi(request, source)
        turn = AS_STORED if request.as_stored else source.info.turn
        pixels = turn.array(display_pixels(source, region, fitted(region.size, request.side), request.frame, voi))
    finally:
        source.close()
    try:
        Image.fromarray(pixels).save(request.out, format="PNG", pnginfo=png_note())
    except OSError as error:
        raise OutputError(f"{request.out} cannot be written: {error.strerror or 'unknown error'}.") from error
    return {
        "path": str(request.path),
        "out": str(request.out),
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "region": [region.x, region.y, region.width, region.height],
        "turn": vars(turn),
        "voi": voi.name if voi else None,
    }


def _region(request: RenderRequest, source: ImageSource) -> Region:
    if request.region is None:
        return Region.whole(source.info.size)
    region = Region(*(int(value) for value in request.region)).clipped(source.info.size)
    if region.width < 1 or region.height < 1:
        raise ImageError(f"The region lies outside of {request.path.name}.")
    return region


def _voi(request: RenderRequest, source: ImageSource) -> Voi | None:
    scale = source.gray_scale(request.frame)
    if scale is None:
        if request.window or request.voi is not None:
            raise ImageError(f"{request.path.name} is a colour image; it has no window.")
        return None
    if request.window is not None:
        if request.window[1] <= 0:
            raise ImageError("A window's width must be above 0.")
        return Window(request.window[0], request.window[1])
    if request.voi is None:
        return scale.voi
    if request.voi >= len(scale.options):
        raise ImageError(f"{request.path.name} has {len(scale.options)} VOI LUTs and windows, numbered from 0.")
    return scale.options[request.voi]
