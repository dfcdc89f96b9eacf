"""The tiles of a picture that is read part by part: which a view lacks, and how they are laid over the overview.

No Qt here. Tiles are kept turned as the picture hangs; their keys are those of the stored image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pathview.geometry import Region
from pathview.gui.viewer.view import View, warp
from pathview.images.pyramid import Patch, PictureData

if TYPE_CHECKING:  # the window starts without OpenSlide
    from pathview.images.tiles import TileKey

CACHE_BYTES = 512 * 2**20


class TiledPicture:
    """A bounded cache of tiles, and what of it a view shows."""

    def __init__(self, data: PictureData, limit_bytes: int = CACHE_BYTES) -> None:
        """No tiles yet."""
        from pathview.images.tiles import TileCache, top_level

        self._size = data.info.size
        self._turn = data.info.turn
        self._cache = TileCache(limit_bytes)
        self._top = top_level(self._size)
        self.version = 0
        """Another one whenever other tiles are here."""

    @property
    def nbytes(self) -> int:
        """Bytes of the tiles."""
        return self._cache.nbytes

    def clear(self) -> None:
        """Forget all tiles: they are to look otherwise."""
        self._cache.clear()
        self.version += 1

    def add(self, tiles: Mapping[TileKey, npt.NDArray[np.uint8]]) -> None:
        """Take tiles as they are stored."""
        for key, pixels in tiles.items():
            self._cache.put(key, self._turn.array(pixels))
        self.version += 1

    def missing(self, view: View, motion: tuple[float, float] = (0.0, 0.0)) -> list[TileKey]:
        """The tiles that a view lacks, the most urgent first; ``motion``: how far it will have moved, shown pixels."""
        from pathview.images.tiles import keys_for

        region = self._stored(view)
        rect = (float(region.x), float(region.y), float(region.width), float(region.height))
        return self._cache.missing(keys_for(rect, view.scale, self._size, self._turn_motion(motion)))

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

    def lay_over(self, cut: npt.NDArray[Any], view: View) -> npt.NDArray[Any]:
        """The screen's pixels with the finest tiles that are here, coarse ones until then."""
        from pathview.images.tiles import keys_for, level_for_scale

        region = self._stored(view)
        rect = (float(region.x), float(region.y), float(region.width), float(region.height))
        level = level_for_scale(view.scale, self._size)
        visible = [key for key in keys_for(rect, view.scale, self._size) if key.level == level]
        found = dict(one for key in visible if (one := self._cache.best(key, self._top)) is not None)
        for key in sorted(found, key=lambda key: -key.level):
            shown = self._turn.region_to_shown(key.region(self._size), self._size)
            lay(cut, Patch(shown, found[key]), view)
        return cut

    def _stored(self, view: View) -> Region:
        """What the screen shows, in stored pixels."""
        shown = Region(
            int(np.floor(view.x)),
            int(np.floor(view.y)),
            int(np.ceil(view.width / view.scale)) + 1,
            int(np.ceil(view.height / view.scale)) + 1,
        )
        return self._turn.region_to_stored(shown, self._size)

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
