"""Made slides: tiled pyramids of stained-looking tissue in many layouts, whole and damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

RGB = {"photometric": "rgb"}


def tissue_pixels(rows: int = 1024, columns: int = 2048, seed: int = 3) -> np.ndarray:
    """A pink and purple ellipse on glass, uint8 [rows, columns, 3], smooth enough to be compared after shrinking."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns]
    inside = ((x - columns / 2) / (0.35 * columns)) ** 2 + ((y - rows / 2) / (0.35 * rows)) ** 2 < 1
    blobs = cv2.GaussianBlur(rng.random((rows, columns)).astype(np.float32), (0, 0), 6)
    blobs = (blobs - blobs.min()) / (blobs.max() - blobs.min())
    haematoxylin = np.where(inside, np.clip(blobs * 4 - 1.6, 0, 1.2), 0)[..., None]
    eosin = np.where(inside, 0.25 + 0.4 * blobs, 0)[..., None]
    density = haematoxylin * np.array([0.650, 0.704, 0.286]) + eosin * np.array([0.072, 0.990, 0.105])
    return np.rint(243 * np.exp(-density)).astype(np.uint8)


def halved(pixels: np.ndarray, times: int = 1) -> np.ndarray:
    size = (pixels.shape[1] >> times, pixels.shape[0] >> times)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def write_pyramid(path: Path, pixels: np.ndarray, levels: int = 3, mpp: float | None = 0.5, **options: Any) -> Path:
    """A plain tiled pyramid, as OpenSlide reads it: each level half as fine as the one before."""
    options = {"tile": (256, 256), "metadata": None, "compression": "deflate", **RGB, **options}
    unit = {"resolution": (10000 / mpp,) * 2, "resolutionunit": "CENTIMETER"} if mpp else {}
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, **unit, **options)
        options.pop("extratags", None)
        for k in range(1, levels):
            writer.write(halved(pixels, k), subfiletype=1, **options)
    return path


def write_ome(path: Path, pixels: np.ndarray, levels: int = 3, mpp: float = 0.25, **options: Any) -> Path:
    """An OME-TIFF with its coarser levels in SubIFDs, as Bio-Formats and QuPath write it."""
    options = {"tile": (256, 256), "compression": "deflate", **RGB, **options}
    axes = "YXS" if pixels.shape[-1] == 3 else "CYX" if options["photometric"] != "rgb" else "SYX"
    facts = {"axes": axes, **{f"PhysicalSize{a}{u}": v for a in "XY" for u, v in (("", mpp), ("Unit", "µm"))}}
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as writer:
        writer.write(pixels, subifds=levels - 1, metadata=facts, **options)
        for k in range(1, levels):
            small = halved(pixels, k) if axes == "YXS" else np.stack([halved(plane, k) for plane in pixels])
            writer.write(small, subfiletype=1, **options)
    return path


def spoil_tile(path: Path, number: int, page: int = 0) -> None:
    """Overwrite one tile of a page with what no decoder takes."""
    with tifffile.TiffFile(path) as tiff:
        offset, size = (values[number] for values in (tiff.pages[page].dataoffsets, tiff.pages[page].databytecounts))
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xfe" * size)
