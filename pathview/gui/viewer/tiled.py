"""The tiles of a picture that is read part by part: which a view lacks, and how they are laid over the overview.

No Qt here. Tiles are kept turned as the picture hangs; their keys are those of the stored image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pathview.geometry import Region
from pathview.gui.viewer.view import View, warp
from pathview.images.pyramid import Patch, PictureData

if TYPE_CHECKING:  # the window starts without OpenSlide
    from pathview.images.tiles import TileKey

CACHE_BYTES = 512 * 2**20


@dataclass(frozen=True)
class _Laid:
    """The tiles of a view laid together."""

    patch: Patch
    places: Mapping[TileKey, Region]
    """Where each lies, as shown."""
    missing: set[TileKey]
    """Those in whose place something coarser stands."""

    def take(self, key: TileKey, pixels: npt.NDArray[np.uint8]) -> bool:
        """Put a tile into its place; False where it is a coarser one that would stand in for a missing one."""
        place = self.places.get(key)
        if place is None:
            return not self.missing or key.level <= next(iter(self.missing)).level
        side = round(self.patch.downsample)
        x, y = (place.x - self.patch.region.x) // side, (place.y - self.patch.region.y) // side
        part = self.patch.pixels[y : y + pixels.shape[0], x : x + pixels.shape[1]]
        part[...] = pixels[: part.shape[0], : part.shape[1]]
        self.missing.discard(key)
        return True


class TiledPicture:
    """A bounded cache of tiles, and what of it a view shows."""

    def __init__(self, data: PictureData, limit_bytes: int = CACHE_BYTES) -> None:
        """No tiles yet."""
        from pathview.images.tiles import TileCache, top_level

        self._size = data.info.size
        self._turn = data.info.turn
        self._cache = TileCache(limit_bytes)
        self._top = top_level(self._size)
        self._laid: _Laid | None = None
        self.version = 0
        """Another one whenever other tiles are here."""

    def clear(self) -> None:
        """Forget all tiles: they are to look otherwise."""
        self._cache.clear()
        self._laid = None
        self.version += 1

    def add(self, tiles: Mapping[TileKey, npt.NDArray[np.uint8]]) -> None:
        """Take tiles as they are stored."""
        for key, pixels in tiles.items():
            turned = self._turn.array(pixels)
            self._cache.put(key, turned)
            if self._laid is not None and not self._laid.take(key, turned):
                self._laid = None
        self.version += 1

    def missing(self, view: View, motion: tuple[float, float] = (0.0, 0.0)) -> list[TileKey]:
        """The tiles that a view lacks, the most urgent first; ``motion``: how far it will have moved, shown pixels."""
        from pathview.images.tiles import keys_for

        return self._cache.missing(keys_for(self._rect(view), view.scale, self._size, self._turn_motion(motion)))

    def value_at(self, x: int, y: int) -> npt.NDArray[np.uint8] | None:
        """The RGB of a stored pixel as it is shown, where its tile of level 0 is here."""
        from pathview.images.tiles import TILE_PX, TileKey

        key = TileKey(0, x // TILE_PX, y // TILE_PX)
        pixels = self._cache.get(key)
        if pixels is None:
            return None
        region = self._turn.region_to_shown(key.region(self._size), self._size)
        shown_x, shown_y = self._turn.to_shown(x + 0.5, y + 0.5, self._size)
        return np.asarray(pixels[int(shown_y) - region.y, int(shown_x) - region.x])

    def cut(self, view: View, overview: Patch) -> npt.NDArray[Any]:
        """The screen's pixels, from the finest tiles that are here, coarse ones and the overview until then.

        The tiles are laid together once and kept, so that panning over the same ones is one warp a frame.
        """
        from pathview.images.tiles import covering, level_for_scale

        level = level_for_scale(view.scale, self._size)
        visible = covering(self._rect(view), level, self._size)
        if not visible:
            return warp(overview, view)
        if self._laid is None or self._laid.places.keys() != set(visible):
            self._laid = self._lay_together(visible, level, overview)
        return warp(self._laid.patch, view)

    def _lay_together(self, keys: list[TileKey], level: int, overview: Patch) -> _Laid:
        """The tiles of one level as one patch."""
        places = {key: self._turn.region_to_shown(key.region(self._size), self._size) for key in keys}
        left, top = min(place.x for place in places.values()), min(place.y for place in places.values())
        right, bottom = max(place.right for place in places.values()), max(place.bottom for place in places.values())
        whole = Region(left, top, right - left, bottom - top)
        side = 1 << level
        screen = View(left, top, 1 / side, -(-whole.width // side), -(-whole.height // side))
        missing = [key for key in keys if key not in self._cache]
        if missing:
            canvas = np.ascontiguousarray(warp(overview, screen))
            coarse = dict(found for key in missing if (found := self._cache.best(key, self._top)) is not None)
            for key in sorted(coarse, key=lambda key: -key.level):
                lay(canvas, Patch(self._turn.region_to_shown(key.region(self._size), self._size), coarse[key]), screen)
        else:
            canvas = np.zeros((screen.height, screen.width, 3), np.uint8)
        laid = _Laid(Patch(Region(left, top, screen.width * side, screen.height * side), canvas), places, set(missing))
        for key in keys:
            pixels = self._cache.get(key)
            if pixels is not None:
                laid.take(key, pixels)
        return laid

    def _rect(self, view: View) -> tuple[float, float, float, float]:
        """What the screen shows, in stored pixels: x, y, width, height."""
        shown = Region(
            int(np.floor(view.x)),
            int(np.floor(view.y)),
            int(np.ceil(view.width / view.scale)) + 1,
            int(np.ceil(view.height / view.scale)) + 1,
        )
        region = self._turn.region_to_stored(shown, self._size)
        return float(region.x), float(region.y), float(region.width), float(region.height)

    def _turn_motion(self, motion: tuple[float, float]) -> tuple[float, float]:
        x0, y0 = self._turn.to_stored(0.0, 0.0, self._size)
        x1, y1 = self._turn.to_stored(*motion, self._size)
        return x1 - x0, y1 - y0


def lay(cut: npt.NDArray[Any], patch: Patch, view: View) -> None:
    """Lay a patch over the screen's pixels, where it has any."""
    x0, x1 = ((x - view.x) * view.scale for x in (patch.region.x, patch.region.right))
    y0, y1 = ((y - view.y) * view.scale for y in (patch.region.y, patch.region.bottom))
    left, right = max(0, round(x0)), min(view.width, round(x1))
    top, bottom = max(0, round(y0)), min(view.height, round(y1))
    if right > left and bottom > top:
        part = replace(
            view, x=view.x + left / view.scale, y=view.y + top / view.scale, width=right - left, height=bottom - top
        )
        cut[top:bottom, left:right] = warp(patch, part)
