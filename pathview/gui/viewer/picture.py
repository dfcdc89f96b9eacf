"""What the canvas paints, as arrays: cut to the view, brought to its size, then coloured. No Qt here.

Only the visible part is ever touched, at the resolution of the screen. Each stage is kept until what it
depends on changes: dragging a window looks codes up again, moving the threshold only redraws the outline.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size
from pathview.gui.viewer.tiled import TiledPicture
from pathview.gui.viewer.view import View, linear, squares, warp
from pathview.images.intensity import Voi
from pathview.images.pyramid import Patch, PictureData, halvings
from pathview.images.render import heat_tables
from pathview.results.result import Place, ScoreMap

if TYPE_CHECKING:  # the window starts without DICOM's library
    from pathview.images.graphics import Graphics

Bgra = npt.NDArray[np.uint8]
OUTLINE_BGRA = (71, 209, 255, 255)
_FILL_OPACITY = 0.35
_LINE = np.ones((5, 5), np.uint8)
BREAST_BGRA = (214, 170, 96, 255)
GRAPHICS_BGRA = (170, 230, 120, 255)
_GRAPHICS_FROM = 40
"""How much of 255 of a shrunk overlay plane is drawn, so that thin lines stay."""
SURROUND_BGRA = (0, 0, 0, 255)
"""The canvas beyond the image."""


@dataclass(frozen=True)
class Tone:
    """How codes become grey."""

    voi: Voi | None = None
    """None: the file's first choice."""
    invert: bool = False


@dataclass(frozen=True)
class Overlay:
    """What lies over the image."""

    probability: ScoreMap | None = None
    threshold: float = 0.5
    mask: bool = True
    fill: bool = False
    """Fill the mask, beside its outline."""
    heat: ScoreMap | None = None
    colormap: str = "inferno"
    opacity: float = 0.6
    places: tuple[Place, ...] = ()
    """Squares to draw with their scores, in shown pixels."""
    breast: ScoreMap | None = None
    """Where the breast was found, to outline it."""
    graphics: Graphics | None = None
    """The file's own overlays and shutter."""


class _Same:
    """A key that equals only keys for the very same object, and keeps it alive so that no other takes its id."""

    def __init__(self, thing: object) -> None:
        self._thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._thing is self._thing

    def __hash__(self) -> int:
        return id(self._thing)


class Compositor:
    """Composes the visible part of one picture."""

    def __init__(self, data: PictureData, tiled: TiledPicture | None = None) -> None:
        """For one frame of one image; ``tiled``: finer pixels of one that is read part by part."""
        self.data = data
        self.tiled = tiled
        self._stages: dict[str, tuple[Hashable, Any]] = {}

    def compose(self, view: View, tone: Tone, overlay: Overlay) -> Bgra:
        """The screen's pixels: uint8 [height, width, 4] in BGRA order, ready for a 32-bit QImage."""
        below: Hashable = (view, self._version, tone)
        pixels: Bgra = self._kept("toned", below, lambda: self._toned(view, tone))
        if overlay.graphics is not None:
            graphics = overlay.graphics
            below = (below, _Same(graphics))
            pixels = self._kept("graphics", below, lambda: self._with_graphics(pixels, view, graphics))
        if overlay.heat is not None:
            below = (below, _Same(overlay.heat), overlay.colormap, overlay.opacity)
            pixels = self._kept("heated", below, lambda: self._heated(pixels, view, overlay))
        if overlay.breast is None and (overlay.probability is None or not overlay.mask):
            return pixels
        canvas = pixels.copy()
        if overlay.breast is not None:
            self._outline(canvas, view, "breast", overlay.breast, 0.5, BREAST_BGRA)
        if overlay.probability is not None and overlay.mask:
            inside = self._outline(canvas, view, "mask", overlay.probability, overlay.threshold, OUTLINE_BGRA)
            if overlay.fill:
                _tint(canvas, inside)
        return canvas

    @property
    def _version(self) -> int:
        return self.tiled.version if self.tiled is not None else 0

    def _kept(self, stage: str, key: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make`` made for this key, made anew when the key changed."""
        if stage not in self._stages or self._stages[stage][0] != key:
            self._stages[stage] = (key, make())
        return self._stages[stage][1]

    def _toned(self, view: View, tone: Tone) -> Bgra:
        cut = self._kept("cut", (view, self._version), lambda: self._cut(view))
        scale = self.data.scale
        if scale is None:
            canvas = np.asarray(cv2.cvtColor(cut, cv2.COLOR_RGB2BGRA))
            if tone.invert:
                canvas[..., :3] = 255 - canvas[..., :3]
        else:
            table = scale.table(tone.voi, tone.invert)
            full = np.full(65536, table[-1], np.uint8)
            full[: len(table)] = table
            canvas = np.asarray(cv2.cvtColor(cv2.LUT(cut, full), cv2.COLOR_GRAY2BGRA))
        _fill_outside(canvas.view(np.uint32)[..., 0], Region.whole(self.data.size), view, _packed(SURROUND_BGRA))
        return canvas

    def _cut(self, view: View) -> npt.NDArray[np.generic]:
        if self.tiled is not None:
            return self.tiled.cut(view, self.data.levels[0])
        return warp(_level_for(self.data.levels, view), view)

    def _heated(self, below: Bgra, view: View, overlay: Overlay) -> Bgra:
        heat = overlay.heat
        assert heat is not None
        values = self._kept("heat", (view, _Same(heat)), lambda: map_on_screen(heat, view, self.data.size))
        add, keep = heat_tables(overlay.colormap, overlay.opacity)
        index = cv2.convertScaleAbs(np.maximum(values, 0), alpha=255.0)
        shade = cv2.cvtColor(cv2.LUT(index, keep), cv2.COLOR_GRAY2BGRA)
        glow = cv2.cvtColor(cv2.applyColorMap(index, np.ascontiguousarray(add[:, None, ::-1])), cv2.COLOR_BGR2BGRA)
        return np.asarray(cv2.add(cv2.multiply(below, shade, scale=1 / 255), glow))

    def _with_graphics(self, below: Bgra, view: View, graphics: Graphics) -> Bgra:
        """The shutter hides, the overlay planes draw over it."""
        canvas = below.copy()
        whole = Region.whole(self.data.size)
        if graphics.shutter is not None:
            hidden = np.asarray(warp(Patch(whole, graphics.shutter), view), np.uint8) > 0
            gray = graphics.shutter_gray
            canvas.view(np.uint32)[..., 0][hidden] = _packed((gray, gray, gray, 255))
        if graphics.overlay is not None:
            plane = graphics.overlay
            levels = self._kept("planes", _Same(plane), lambda: halvings(plane * np.uint8(255), whole))
            drawn = np.asarray(warp(_level_for(levels, view), view), np.uint8) >= _GRAPHICS_FROM
            canvas.view(np.uint32)[..., 0][drawn] = _packed(GRAPHICS_BGRA)
        _fill_outside(canvas.view(np.uint32)[..., 0], whole, view, _packed(SURROUND_BGRA))
        return canvas

    def _outline(
        self, canvas: Bgra, view: View, stage: str, score_map: ScoreMap, threshold: float, color: tuple[int, ...]
    ) -> npt.NDArray[np.uint8]:
        """Draw the line around what reaches a threshold; what lies inside, on the screen."""
        key = (view, _Same(score_map))
        values = self._kept(f"{stage} map", key, lambda: map_on_screen(score_map, view, self.data.size))
        inside, outline = self._kept(stage, (key, threshold), lambda: _outlined(values, threshold))
        canvas.view(np.uint32).ravel()[outline] = _packed(color)
        return np.asarray(inside)


def _outlined(values: npt.NDArray[np.float32], threshold: float) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]:
    """The mask on the screen, and the places of a line two pixels wide around it."""
    inside = (values >= np.float32(threshold)).view(np.uint8)
    return inside, np.flatnonzero(cv2.dilate(inside, _LINE) != inside)


def _level_for(levels: Sequence[Patch], view: View) -> Patch:
    """The coarsest level that is as fine as the screen."""
    finest = max(1.0, 1 / view.scale)
    fitting = [level for level in levels if level.downsample <= finest * 1.01]
    return fitting[-1] if fitting else levels[0]


def _packed(bgra: tuple[int, ...]) -> np.uint32:
    """A colour as one number, which numpy writes several times faster than four."""
    return np.uint32(int.from_bytes(bytes(bgra), sys.byteorder))


def map_on_screen(score_map: ScoreMap, view: View, size: Size) -> npt.NDArray[np.float32]:
    """A map at the screen's pixels: float32 [height, width], -1 where there is none and beyond the image."""
    place = score_map.place
    values = np.where(np.isnan(score_map.values), np.float32(-1), score_map.values).astype(np.float32)
    patch_view = replace(view, x=view.x - place.x, y=view.y - place.y)
    bring = linear if score_map.smooth else squares
    warped = np.asarray(bring(values, patch_view, place.cell_width, place.cell_height), np.float32)
    if score_map.smooth:  # the outermost half cells are held constant, and nothing lies beyond them
        rows, columns = score_map.values.shape
        covered = Region(
            round(place.x), round(place.y), round(columns * place.cell_width), round(rows * place.cell_height)
        )
        _fill_outside(warped, covered, view, -1)
    _fill_outside(warped, Region.whole(size), view, -1)  # the last cells may reach over the edge
    return warped


def _fill_outside(pixels: npt.NDArray[Any], region: Region, view: View, value: Any) -> None:
    """Set the screen's pixels beyond a level-0 region to one value."""
    x0, x1 = (round((x - view.x) * view.scale) for x in (region.x, region.right))
    y0, y1 = (round((y - view.y) * view.scale) for y in (region.y, region.bottom))
    pixels[: max(0, y0)] = value
    pixels[max(0, y1) :] = value
    pixels[:, : max(0, x0)] = value
    pixels[:, max(0, x1) :] = value


def _tint(canvas: Bgra, inside: npt.NDArray[np.uint8]) -> None:
    x, y, width, height = cv2.boundingRect(inside)
    part = np.s_[y : y + height, x : x + width]
    plain = np.full((height, width, 4), OUTLINE_BGRA, np.uint8)
    target = canvas[part]
    target[...] = cv2.copyTo(
        cv2.addWeighted(plain, _FILL_OPACITY, target, 1 - _FILL_OPACITY, 0), inside[part], target.copy()
    )
