"""The viewer's tiles: which ones a view needs, how they are loaded in the child, and a bounded cache of them.

A virtual pyramid lies over every image: tiles of 512 pixels on levels that halve (level k: 2**k level-0 pixels a
pixel), whatever levels the file has. Nothing here knows the window.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size
from pathview.images.damage import damaged_notice
from pathview.images.stain import Channel, shown_channel
from pathview.images.tile_grid import TILE_PX, tile_region, top_level
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.settings import Settings

if TYPE_CHECKING:  # the window knows tiles without the libraries that read slides
    from pathview.images.tile_reader import TileReader

Rgb8 = npt.NDArray[np.uint8]
_THREADS = 2
_SHARP = 1.05
"""How much coarser than the screen a level may be: less than an eye can tell, a quarter of the tiles at the step."""


class TileKey(NamedTuple):
    """A tile of the virtual pyramid: its level, and its column and row there, counted from 0."""

    level: int
    column: int
    row: int

    @property
    def parent(self) -> TileKey:
        """The tile of the next coarser level that holds it."""
        return TileKey(self.level + 1, self.column // 2, self.row // 2)

    def region(self, size: Size) -> Region:
        """The level-0 pixels of an image that it covers."""
        return tile_region(self.level, self.column, self.row, size)


@dataclass(frozen=True)
class Look:
    """How tiles are shown."""

    icc: bool = True
    """Whether the file's colour profile is applied."""
    channel: Channel = ""
    """One stain alone, in its own colour on white; empty: the colours of the slide."""


class Tiles(dict[TileKey, Rgb8]):
    """Loaded tiles in the order in which they were asked for: uint8 [rows, columns, 3] RGB each.

    A tile's pixels cover ``key.region(size)``; those at the right and lower edge are smaller than 512 pixels.
    """

    damaged: frozenset[TileKey] = frozenset()
    """Those of which a part cannot be decoded; it is grey and crossed."""
    notice: str = ""
    """A sentence for the reader, given once an opened slide: that parts of it are damaged."""


def load_tiles(
    path: Path,
    settings: Settings,
    mpp_um: float | None,
    keys: Sequence[TileKey],
    look: Look,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Tiles:
    """Decode tiles of an image (a job for the reading child, where the image stays open for the next ones).

    Args:
        path: the image.
        settings: limits.
        mpp_um: a pixel size that the user stated; tiles do not depend on it.
        keys: in the order in which they are wanted; those beyond the image are left out.
        look: how they are shown.
        progress: a step a tile.
        cancel: is asked between tiles.

    Raises:
        ImageError: the image cannot be opened, or can no longer be read.
        Cancelled: the view has moved on.
    """
    from pathview.images.tile_reader import reader_of

    checkpoint(cancel)
    reader = reader_of(path, settings)
    reader.begin()
    wanted = [key for key in dict.fromkeys(keys) if _exists(key, reader.size)]
    tiles, damaged = Tiles(), set()

    def one(key: TileKey) -> tuple[Rgb8, bool]:
        checkpoint(cancel)
        pixels, broken = reader.tile(*key)
        return looked_at(pixels, look, reader), broken

    with ThreadPoolExecutor(_THREADS if reader.concurrent else 1, "pathview-tiles") as pool:
        try:
            _make_levels(reader, wanted, pool, progress, cancel)
            for number, (key, (pixels, broken)) in enumerate(zip(wanted, pool.map(one, wanted), strict=True), 1):
                tiles[key] = pixels
                if broken:
                    damaged.add(key)
                progress(Progress(number, len(wanted), "reading tiles"))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    tiles.damaged = frozenset(damaged)
    if damaged and not reader.damaged_told:
        reader.damaged_told = True
        tiles.notice = damaged_notice(path.name)
    return tiles


def looked_at(pixels: Rgb8, look: Look, reader: TileReader) -> Rgb8:
    """Stored pixels as they are shown."""
    if look.icc and reader.transform is not None:
        pixels = reader.transform.apply(pixels)
    return shown_channel(pixels, look.channel) if look.channel else pixels


def _make_levels(
    reader: TileReader, keys: Sequence[TileKey], pool: ThreadPoolExecutor, progress: ProgressSink, cancel: CancelToken
) -> None:
    """Read what coarse tiles are made from where the file has none; what was read stays, should it be cancelled."""
    if not any(reader.needs_made(key.level) for key in keys):
        return
    pending = reader.pending

    def read(place: tuple[int, int, int]) -> None:
        checkpoint(cancel)
        reader.tile(*place)

    for number, _ in enumerate(pool.map(read, pending), 1):
        progress(Progress(number, len(pending), "the slide has no overview; one is made"))


def _exists(key: TileKey, size: Size) -> bool:
    if not 0 <= key.level <= top_level(size) or key.column < 0 or key.row < 0:
        return False
    region = key.region(size)
    return region.width > 0 and region.height > 0


def level_for_scale(scale: float, size: Size) -> int:
    """The coarsest level that is as fine as the screen, for ``scale`` screen pixels a level-0 pixel."""
    wanted = math.floor(math.log2(max(1.0, _SHARP / scale)))
    return min(wanted, top_level(size))


def keys_for(
    rect: tuple[float, float, float, float],
    scale: float,
    size: Size,
    motion: tuple[float, float] = (0.0, 0.0),
) -> list[TileKey]:
    """The tiles that a view needs, the most urgent first.

    Args:
        rect: what the screen shows, in level-0 pixels: x, y of its left upper corner, width, height.
        scale: screen pixels a level-0 pixel.
        size: of the image.
        motion: how far, in level-0 pixels, the view will have moved when the tiles come (0, 0: it stands).

    Returns:
        What is visible, from the middle outwards; then the coarser tiles over it, the coarsest first, as stand-ins for
        what the next moves uncover; then what comes into sight along the motion, the nearest first, with its parents.
    """
    level = level_for_scale(scale, size)
    visible = sorted(covering(rect, level, size), key=lambda key: _distance(key, rect, size))
    found = dict.fromkeys(visible)
    for coarser in range(top_level(size), level, -1):
        found.update(dict.fromkeys(covering(rect, coarser, size)))
    if motion != (0.0, 0.0):
        found.update(dict.fromkeys(_ahead(rect, level, size, motion)))
    return list(found)


def _ahead(
    rect: tuple[float, float, float, float], level: int, size: Size, motion: tuple[float, float]
) -> Iterator[TileKey]:
    x, y, width, height = rect
    x, width = min(x, x + motion[0]), width + abs(motion[0])
    y, height = min(y, y + motion[1]), height + abs(motion[1])
    coming = sorted(covering((x, y, width, height), level, size), key=lambda key: _distance(key, rect, size))
    for key in coming:
        if level < top_level(size):
            yield key.parent
        yield key


def covering(rect: tuple[float, float, float, float], level: int, size: Size) -> list[TileKey]:
    """The tiles of a level that a rectangle touches, row by row."""
    side = TILE_PX << level
    x, y, width, height = rect
    left, right = max(0.0, x), min(float(size.width), x + width)
    top, bottom = max(0.0, y), min(float(size.height), y + height)
    if right <= left or bottom <= top:
        return []
    columns = range(int(left // side), math.ceil(right / side))
    rows = range(int(top // side), math.ceil(bottom / side))
    return [TileKey(level, column, row) for row in rows for column in columns]


def _distance(key: TileKey, rect: tuple[float, float, float, float], size: Size) -> float:
    """From a tile's middle to the middle of a view, in level-0 pixels."""
    region = key.region(size)
    x, y, width, height = rect
    return math.hypot(region.x + region.width / 2 - (x + width / 2), region.y + region.height / 2 - (y + height / 2))


class TileCache:
    """Tiles of one image and look, the least recently used given up beyond a number of bytes. For one thread."""

    def __init__(self, limit_bytes: int) -> None:
        """Empty."""
        self._limit = limit_bytes
        self._tiles: OrderedDict[TileKey, npt.NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0

    def __contains__(self, key: TileKey) -> bool:
        return key in self._tiles

    def __len__(self) -> int:
        return len(self._tiles)

    @property
    def nbytes(self) -> int:
        """Bytes that are held; never more than the limit."""
        return self._bytes

    def get(self, key: TileKey) -> npt.NDArray[np.uint8] | None:
        """A tile's pixels, now the most recently used."""
        pixels = self._tiles.get(key)
        if pixels is not None:
            self._tiles.move_to_end(key)
        return pixels

    def put(self, key: TileKey, pixels: npt.NDArray[np.uint8]) -> None:
        """Keep a tile, and give up others for it; one that is larger than the limit is not kept."""
        before = self._tiles.pop(key, None)
        if before is not None:
            self._bytes -= before.nbytes
        if pixels.nbytes > self._limit:
            return
        self._tiles[key] = pixels
        self._bytes += pixels.nbytes
        while self._bytes > self._limit:
            self._bytes -= self._tiles.popitem(last=False)[1].nbytes

    def best(self, key: TileKey, top: int = 64) -> tuple[TileKey, npt.NDArray[np.uint8]] | None:
        """The tile itself, else the nearest coarser one over it that is here.

        Args:
            key: what should be painted.
            top: the image's coarsest level, see :func:`top_level`.
        """
        while key.level <= top:
            pixels = self.get(key)
            if pixels is not None:
                return key, pixels
            key = key.parent
        return None

    def missing(self, keys: Sequence[TileKey]) -> list[TileKey]:
        """Those of ``keys`` that are not here, in the same order."""
        return [key for key in keys if key not in self._tiles]

    def clear(self) -> None:
        """Give up everything."""
        self._tiles.clear()
        self._bytes = 0


__all__ = [
    "TILE_PX",
    "Look",
    "TileCache",
    "TileKey",
    "Tiles",
    "covering",
    "keys_for",
    "level_for_scale",
    "load_tiles",
    "looked_at",
    "tile_region",
    "top_level",
]
