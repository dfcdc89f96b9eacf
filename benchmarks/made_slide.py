"""A 40,000 x 40,000 JPEG pyramid of real tissue, written tile by tile: nothing of it is ever held whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile

from benchmarks.common import data_dir

SIDE, TILE, MPP_UM = 40_000, 512, 0.25
_COARSEST = 6
_QUALITY = 75
_GLASS = 242


class Tissue:
    """Square pieces of real tissue, and which one lies where; glass around an ellipse of them."""

    def __init__(self, seed: int = 0) -> None:
        self._pieces = _pieces()
        count = -(-SIDE // TILE)
        rng = np.random.default_rng(seed)
        y, x = (np.mgrid[0:count, 0:count] + 0.5) / count - 0.5
        inside = (x / 0.38) ** 2 + (y / 0.32) ** 2 < 1 + 0.3 * np.sin(9 * np.arctan2(y, x))
        self._at = np.where(inside, rng.integers(1, len(self._pieces), (count, count)), 0)
        self._small = {
            k: [cv2.resize(p, (TILE >> k,) * 2, interpolation=cv2.INTER_AREA) for p in self._pieces]
            for k in range(_COARSEST + 1)
        }
        self._encoded: dict[int, bytes] = {}

    def level(self, k: int) -> Iterator[bytes]:
        """The encoded tiles of level ``k``, row by row."""
        count = -(-(SIDE >> k) // TILE)
        for row in range(count):
            for column in range(count):
                yield self._tile(k, row, column)

    def _tile(self, k: int, row: int, column: int) -> bytes:
        here = self._at[row << k : (row + 1) << k, column << k : (column + 1) << k]
        if k == 0:
            number = int(here[0, 0])
            if number not in self._encoded:
                self._encoded[number] = _jpeg(self._small[0][number])
            return self._encoded[number]
        pixels = np.full((TILE, TILE, 3), _GLASS, np.uint8)
        side = TILE >> k
        for (y, x), number in np.ndenumerate(here):
            pixels[y * side : (y + 1) * side, x * side : (x + 1) * side] = self._small[k][number]
        return _jpeg(pixels)


def _pieces() -> list[np.ndarray]:
    """Glass, then pieces of the region of BCSS and of the Aperio slide, turned in all ways; or made ones."""
    folder = data_dir()
    glass = np.full((TILE, TILE, 3), _GLASS, np.uint8)
    if folder is None:
        from tests.images.slides import tissue_pixels

        images = [tissue_pixels(2560, 3584)]
    else:
        import openslide

        slide = openslide.OpenSlide(str(folder / "slides" / "cmu-1-small-region.svs"))
        images = [
            cv2.imread(str(folder / "histology" / "bcss" / "1008_image.jpg"))[..., ::-1],
            np.asarray(slide.read_region((300, 300), 0, (1024, 2560)).convert("RGB")),
        ]
    found = [glass]
    for image in images:
        for y in range(0, image.shape[0] - TILE + 1, TILE):
            for x in range(0, image.shape[1] - TILE + 1, TILE):
                piece = np.ascontiguousarray(image[y : y + TILE, x : x + TILE])
                found += [np.ascontiguousarray(np.rot90(piece, turns)) for turns in range(4)]
    return found


def _jpeg(pixels: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(pixels, level=_QUALITY, colorspace="RGB", outcolorspace="YCBCR", subsampling="420")


def write_slide(path: Path) -> Path:
    """Write it (a quarter of a gigabyte, half a minute); needs some 300 MB of memory."""
    tissue = Tissue()
    unit = (10_000 / MPP_UM,) * 2
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for k in range(_COARSEST + 1):
            side = SIDE >> k
            writer.write(
                tissue.level(k),
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                compression="jpeg",
                photometric="ycbcr",
                subsampling=(2, 2),
                subfiletype=int(k > 0),
                resolution=(unit[0] / 2**k, unit[1] / 2**k),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
    return path
