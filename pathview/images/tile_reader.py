"""Tiles of any image at halving resolutions, whatever levels its file has. Runs in the process that opens images."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.color_profile import transform_of
from pathview.images.damage import read_sparing
from pathview.images.digest import version_of
from pathview.images.formats import open_image
from pathview.images.intensity import to_gray8
from pathview.images.quick_slide import quick_slide
from pathview.images.render import resized
from pathview.images.slide import GENERIC, SlideImage
from pathview.images.source import FlatImage, ImageSource, level_for
from pathview.images.tiff_pyramid import TiffPyramid, open_tiff_pyramid
from pathview.images.tile_grid import TILE_PX, tile_region, top_level
from pathview.settings import Settings

Rgb8 = npt.NDArray[np.uint8]
_MADE_SIDE = 8192
"""Longer side, at most, of the level that is made where a file lacks coarse ones: 200 MB."""
_SPLIT_AT_MOST = 64
"""Damaged tiles of which the sound quarters are looked for; a slide with more is cut off."""
_OPEN_AT_MOST = 3
_COMPARED_PX, _SAME = 16, 2.0
"""Side of the middle of the coarsest level that two readers are compared by, and the mean difference that is none."""


class TileReader:
    """One open image; several threads may ask for tiles where :attr:`concurrent` says so."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Open an image.

        Raises:
            ImageError: it cannot be opened.
        """
        self._source: ImageSource = open_image(path, settings)
        self._pixels = _directly(self._source, settings) or self._source
        """What tiles are read from: the image itself, or a quicker reader of the same pixels."""
        self._settings, self._jobs = settings, 0
        self.size = self._source.info.size
        self.concurrent = isinstance(self._source, (SlideImage, TiffPyramid, FlatImage))
        self.transform = transform_of(self._source)
        self.damaged_told = False
        """Whether it was said that parts are damaged."""
        self._damaged = 0
        self._lock = threading.Lock()
        self._limit = settings.slide_region_pixels
        self._halves: dict[int, Rgb8] = {}
        """Whole levels that were made: from an image in memory, or above :attr:`_made`."""
        self._made, self._pending = self._lacking()

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels that it holds."""
        held = {id(pixels): pixels.nbytes for pixels in self._halves.values()}
        if isinstance(self._source, FlatImage):
            held[id(self._source.pixels)] = self._source.pixels.nbytes
        return sum(held.values())

    @property
    def pending(self) -> list[tuple[int, int, int]]:
        """(level, column, row) of the tiles that have to be read before levels can be made that the file lacks."""
        return [(self._made, column, row) for column, row in sorted(self._pending)]

    def needs_made(self, level: int) -> bool:
        """Whether :attr:`pending` tiles have to be read before one of this level."""
        return bool(self._pending) and level > self._made

    def tile(self, level: int, column: int, row: int) -> tuple[Rgb8, bool]:
        """A tile as stored (no colour profile applied), and whether a part of it is damaged.

        Returns:
            uint8 [rows, columns, 3] RGB: the tile's region divided by ``2 ** level``, rounded, at least 1.

        Raises:
            ImageError: the file can no longer be read.
        """
        region = tile_region(level, column, row, self.size)
        shape = region.size.scaled(1 / (1 << level))
        if isinstance(self._source, FlatImage) or (level >= self._made and not self._pending):
            return self._cut(level, column, row, shape), False
        pixels, damaged = self._read(region, 1 << level)
        made = np.ascontiguousarray(resized(pixels, shape))
        if level == self._made:
            self._keep(column, row, made)
        return made, damaged

    def begin(self) -> None:
        """To be called before each job's first tile.

        The second time, a quicker reader of a scanner's own format is looked for: proving that its pixels are the same
        takes some reads, which the first view need not wait for.
        """
        self._jobs += 1
        if self._jobs == 2 and self._pixels is self._source:
            self._pixels = quick_slide(self._source, self._settings) or self._source

    def close(self) -> None:
        """Let the file and all pixels go."""
        if self._pixels is not self._source:
            self._pixels.close()
        self._source.close()
        self._halves.clear()

    def _lacking(self) -> tuple[int, set[tuple[int, int]]]:
        """The level to make from the file's coarsest, with the tiles it consists of; none where the file has it."""
        info = self._source.info
        coarsest = info.levels[-1]
        if isinstance(self._source, FlatImage) or max(coarsest.size.shape) <= _MADE_SIDE:
            return top_level(info.size) + 1, set()
        level = next(k for k in range(64) if max(info.size.shape) <= _MADE_SIDE << k)
        side = TILE_PX << level
        columns, rows = -(-info.size.width // side), -(-info.size.height // side)
        return level, {(column, row) for column in range(columns) for row in range(rows)}

    def _keep(self, column: int, row: int, pixels: Rgb8) -> None:
        """Lay a tile into the level that is being made."""
        with self._lock:
            if (column, row) not in self._pending:
                return
            if self._made not in self._halves:
                shape = self.size.scaled(1 / (1 << self._made)).shape
                self._halves[self._made] = np.full((*shape, 3), 255, np.uint8)
            y, x = row * TILE_PX, column * TILE_PX
            target = self._halves[self._made][y : y + pixels.shape[0], x : x + pixels.shape[1]]
            target[...] = pixels[: target.shape[0], : target.shape[1]]
            self._pending.discard((column, row))

    def _cut(self, level: int, column: int, row: int, shape: Size) -> Rgb8:
        """A tile of a level that is held whole."""
        whole = self._whole(level)
        y, x = row * TILE_PX, column * TILE_PX
        return whole[y : y + shape.height, x : x + shape.width].copy()

    def _whole(self, level: int) -> Rgb8:
        """A level that is held whole, made by halving the one below."""
        with self._lock:
            first = 0 if isinstance(self._source, FlatImage) else self._made
            for k in range(first, level + 1):
                if k not in self._halves:
                    self._halves[k] = _half(self._halves[k - 1]) if k > first else self._shown()
            return self._halves[level]

    def _shown(self) -> Rgb8:
        """An image in memory as RGB; the very same pixels where they are RGB."""
        assert isinstance(self._source, FlatImage)
        return _rgb(self._source, np.asarray(self._source.pixels))

    def _read(self, region: Region, downsample: int) -> tuple[Rgb8, bool]:
        """A region at the file's level for a downsample, in blocks that are not too large."""
        level = level_for(self._source.info, downsample)
        of = self._source.info.levels[level]
        if region.size.pixels / of.downsample**2 * 2 <= self._limit:
            return self._read_part(region, level)
        half = Size(-(-region.width // 2), -(-region.height // 2))
        shape = region.size.scaled(1 / downsample)
        pixels, any_damaged = np.empty((*shape.shape, 3), np.uint8), False
        for y in (0, half.height):
            for x in (0, half.width):
                part = Region(region.x + x, region.y + y, half.width, half.height).clipped(
                    Size(region.right, region.bottom)
                )
                left, right = (round(v * shape.width / region.width) for v in (x, x + part.width))
                top, bottom = (round(v * shape.height / region.height) for v in (y, y + part.height))
                if right > left and bottom > top:
                    read, damaged = self._read(part, downsample)
                    pixels[top:bottom, left:right] = resized(read, Size(right - left, bottom - top))
                    any_damaged |= damaged
        return pixels, any_damaged

    def _read_part(self, region: Region, level: int) -> tuple[Rgb8, bool]:
        if not self._source.info.is_color:
            return _rgb(self._source, self._source.read_region(region, level)), False
        pixels, damaged = read_sparing(self._pixels, region, level, split=self._damaged < _SPLIT_AT_MOST)
        self._damaged += damaged
        return pixels, damaged


def _directly(source: ImageSource, settings: Settings) -> ImageSource | None:
    """A plain TIFF that OpenSlide has opened, read without it, or None where that does not give the same.

    OpenSlide has libtiff make each tile red, green, blue and alpha: the same pixels take three to five times as long.
    """
    if not isinstance(source, SlideImage) or source.vendor != GENERIC:
        return None
    try:
        direct = open_tiff_pyramid(source.info.path, settings)
    except ImageError:
        return None
    if direct is None:
        return None
    if [level.size for level in direct.info.levels] == [level.size for level in source.info.levels]:
        size, coarsest = source.info.size, source.info.levels[-1]
        side = round(_COMPARED_PX * coarsest.downsample)
        x, y = (round(v / coarsest.downsample / 2) * coarsest.downsample for v in (size.width, size.height))
        middle = Region(round(x), round(y), side, side).clipped(size)
        level = len(source.info.levels) - 1
        one, two = (read_sparing(reader, middle, level, split=False) for reader in (source, direct))
        if not (one[1] or two[1]) and np.abs(one[0].astype(np.int16) - two[0]).mean() <= _SAME:
            return direct
    direct.close()
    return None


def _half(pixels: Rgb8) -> Rgb8:
    """Exactly half as fine: an odd last row or column is doubled first, so that nothing is shifted."""
    rows, columns = pixels.shape[:2]
    if rows % 2 or columns % 2:
        pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, rows % 2, 0, columns % 2, cv2.BORDER_REPLICATE))
    return np.asarray(cv2.resize(pixels, ((columns + 1) // 2, (rows + 1) // 2), interpolation=cv2.INTER_AREA))


def _rgb(source: ImageSource, pixels: npt.NDArray[np.integer]) -> Rgb8:
    scale = source.gray_scale()
    gray = to_gray8(pixels, scale, None, False) if scale is not None else pixels
    return np.asarray(gray if gray.ndim == 3 else cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8)


def reader_of(path: Path, settings: Settings) -> TileReader:
    """The reader of an image, kept for the next tiles; a changed file is opened anew.

    At most three are kept, and of those that hold pixels only as many as :attr:`Settings.frame_cache_bytes` allow.

    Raises:
        ImageError: it cannot be opened.
    """
    key = (path, settings, version_of(path))
    kept = _READERS.pop(key, None)
    if kept is None:
        kept = TileReader(path, settings)
    _READERS[key] = kept
    while len(_READERS) > _OPEN_AT_MOST or (
        len(_READERS) > 1 and sum(reader.nbytes for reader in _READERS.values()) > settings.frame_cache_bytes
    ):
        _READERS.popitem(last=False)[1].close()
    return kept


_READERS: OrderedDict[tuple[Path, Settings, tuple[int, int]], TileReader] = OrderedDict()
