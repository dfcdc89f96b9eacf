"""A large slide made of a real region of tissue: a tiled JPEG pyramid as scanners write it, tissue on glass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

TILE = 256
GLASS = (243, 242, 244)
MPP_UM = 0.25
_FACTOR = 4


def made_slide(path: Path, side: int, tissue: Path | np.ndarray, mpp_um: float = MPP_UM, factor: int = _FACTOR) -> Path:
    """Write a square slide of ``side`` pixels, its levels ``factor`` apart: a round piece of tissue, some 60 % of it.

    Args:
        path: ends in .svs or .tif.
        side: level-0 pixels, a multiple of the tile's.
        tissue: an image file, or uint8 [rows, columns, 3]; it is repeated in mirror images.
        mpp_um: pixel size that the file states.
        factor: from one level to the next.
    """
    import tifffile

    texture = tissue if isinstance(tissue, np.ndarray) else _rgb(tissue)
    mirrored = np.concatenate([texture, texture[::-1]])
    mirrored = np.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    options = {
        "photometric": "rgb",
        "compression": "jpeg",
        "compressionargs": {"level": 85},
        "tile": (TILE, TILE),
        "resolution": (1e4 / mpp_um, 1e4 / mpp_um),
        "resolutionunit": "CENTIMETER",
        "metadata": None,
        "dtype": np.uint8,
    }
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        scale = 1
        while side // scale >= TILE:
            shrunk = _shrunk(mirrored, scale)
            length = side // scale
            note = f"Aperio Image Library v12.0.15\n{length}x{length} |AppMag = 40|MPP = {mpp_um}"
            writer.write(
                _tiles(shrunk, length), shape=(length, length, 3), subfiletype=int(scale > 1), description=note, **options
            )
            scale *= factor
    return path


def _rgb(path: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def _shrunk(texture: np.ndarray, scale: int) -> np.ndarray:
    rows, columns = texture.shape[0] // scale, texture.shape[1] // scale
    return texture if scale == 1 else cv2.resize(texture, (columns, rows), interpolation=cv2.INTER_AREA)


def _tiles(texture: np.ndarray, length: int) -> Iterator[np.ndarray]:
    """Tiles row by row: the texture inside a disc, glass outside."""
    radius = 0.44 * length
    for top in range(0, length, TILE):
        for left in range(0, length, TILE):
            rows, columns = np.arange(top, top + TILE), np.arange(left, left + TILE)
            inside = np.hypot.outer(rows - length / 2, columns - length / 2) < radius
            tile = np.full((TILE, TILE, 3), GLASS, np.uint8)
            if inside.any():
                picked = texture[np.ix_(rows % texture.shape[0], columns % texture.shape[1])]
                tile[inside] = picked[inside]
            yield tile
