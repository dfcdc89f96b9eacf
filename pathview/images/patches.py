"""A folder of IDC patches (Janowczyk & Madabhushi 2016; seed 4) shown as one mosaic of its slide.

Files are named ``<patient>_x<X>_y<Y>_class<C>.png``: X and Y are the patch's place in pixels of the
slide reduced to 4 um a pixel (a 40x scan reduced 16:1, Cruz-Roa et al. 2014), C is 1 for invasive
ductal carcinoma. The mosaic's level 0 is the bounding box of its patches at that size.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np
from PIL import Image

from pathview.errors import ImageError
from pathview.geometry import Region, Size, SpacingMm
from pathview.images.raster import RASTER_FAILURES
from pathview.images.source import FlatImage, ImageInfo, Level, Pixels
from pathview.settings import Settings

NAME = re.compile(r"^(?P<patient>.+?)_x(?P<x>\d+)_y(?P<y>\d+)_class(?P<cls>[01])\.png$", re.IGNORECASE)
_INDEX_SUFFIX = re.compile(r"_idx\d+$", re.IGNORECASE)
IDC_MPP_UM = 4.0
PATCH_PX = 50
BACKGROUND = 245
"""Grey of places without a patch: near the slide's glass, yet not its white."""
_MAX_SIDE_PX = 60_000
_MAX_TILE_PX = 512
_SCAN_FACTORS = (8, 16)
"""How much coarser a mosaic is than its full scan at 20x and at 40x."""
_MIN_SCALED_TILES = 3
"""With fewer, a wide lattice says more about gaps between the patches than about the scan."""


@dataclass(frozen=True)
class Named:
    """What a patch's file name says."""

    path: Path
    patient: str
    x: int
    y: int
    label: int


@dataclass(frozen=True)
class Patch:
    """One patch: its corner in the mosaic, its size and the class that its name gives."""

    x: int
    y: int
    width: int
    height: int
    label: int
    path: Path

    @property
    def region(self) -> Region:
        """Its rectangle in the mosaic."""
        return Region(self.x, self.y, self.width, self.height)


def parse_name(path: Path) -> tuple[str, int, int, int] | None:
    """(patient, x, y, class) of a patch's file name, or None for any other file."""
    match = NAME.match(path.name)
    if match is None:
        return None
    patient = _INDEX_SUFFIX.sub("", match["patient"])
    return patient, int(match["x"]), int(match["y"]), int(match["cls"])


def patch_files(folder: Path) -> list[Path]:
    """Files of a patch folder: those in it, and those in its class folders ``0`` and ``1``."""
    folders = [folder, *(folder / name for name in ("0", "1"))]
    return sorted(file for place in folders if place.is_dir() for file in place.iterdir() if file.is_file())


def is_patch_folder(folder: Path) -> bool:
    """Whether a folder holds patches of one slide, beside whatever else."""
    return any(parse_name(file) for file in patch_files(folder))


def open_patches(folder: Path, settings: Settings) -> PatchMosaic:
    """Open a patch folder as one mosaic.

    Raises:
        ImageError: no patches, patches of several patients, or places too far apart for one slide.
    """
    files = patch_files(folder)
    named = [Named(file, *parsed) for file in files if (parsed := parse_name(file))]
    patients = sorted({patch.patient for patch in named})
    if not named:
        raise ImageError(f"The folder {folder.name} holds no patches named <patient>_x<X>_y<Y>_class<C>.png.")
    if len(patients) > 1:
        raise ImageError(f"The folder {folder.name} holds patches of {len(patients)} patients; open one at a time.")
    notices = _disagreements(folder, len(files), named)
    tiles = {(patch.x, patch.y): (patch, tile) for patch in named if (tile := _decoded(patch.path)) is not None}
    unreadable = len({(patch.x, patch.y) for patch in named}) - len(tiles)
    if not tiles:
        raise ImageError(f"None of the {len(named)} patches in {folder.name} can be read.")
    if unreadable:
        notices.append(
            f"{unreadable} of {len(named)} patches cannot be read (damaged, or above {_MAX_TILE_PX} pixels a side); "
            "their places stay empty."
        )
    side = _usual_side(list(tiles.values()))
    placed, size = _placed(list(tiles.values()), side)
    if max(size.width, size.height) > _MAX_SIDE_PX or size.pixels * 3 > settings.max_image_bytes:
        raise ImageError(f"The patches in {folder.name} lie {size.width} x {size.height} pixels apart: not one slide.")
    pixels, patches = _painted(placed, size)
    if crossing := len(placed) - len(patches):
        notices.append(f"{crossing} of {len(named)} patches overlap others and are left out.")
    return PatchMosaic(_info(folder, patients[0], size, tuple(notices)), pixels, None, patches, side)


def as_idc_patch(image: FlatImage, patient: str) -> FlatImage:
    """A single patch file as what its name says it is: tissue in colour (also where it is all white)."""
    pixels = image.pixels if image.pixels.ndim == 3 else np.repeat(image.pixels[..., None], 3, axis=2)
    info = replace(
        image.info.with_mpp(IDC_MPP_UM),
        spacing_source="data set",
        patient_key=patient,
        kind="histology",
        photometric="RGB",
    )
    return FlatImage(info, pixels)


def _decoded(path: Path) -> Pixels | None:
    try:
        with Image.open(path) as image:
            if max(image.size) > _MAX_TILE_PX:
                return None
            return np.asarray(image.convert("RGB"))
    except RASTER_FAILURES:
        return None


def _disagreements(folder: Path, file_count: int, named: list[Named]) -> list[str]:
    notices = []
    if foreign := file_count - len(named):
        notices.append(f"{foreign} other files in the folder are left out.")
    if moved := sum(n.path.parent != folder and n.path.parent.name != str(n.label) for n in named):
        notices.append(f"{moved} patches lie in a class folder that disagrees with the class in their name.")
    classes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for patch in named:
        classes[(patch.x, patch.y)].append(patch.label)
    if double := sum(len(labels) > 1 for labels in classes.values()):
        contrary = sum(len(set(labels)) > 1 for labels in classes.values())
        notices.append(f"{double} places have more than one patch ({contrary} with both classes); the last is shown.")
    return notices


def _usual_side(tiles: list[tuple[Named, Pixels]]) -> int:
    """The most common side of the tiles; those at a slide's border are smaller."""
    sides: Counter[int] = Counter(side for _, tile in tiles for side in tile.shape[:2])
    return sides.most_common(1)[0][0]


def _placed(tiles: list[tuple[Named, Pixels]], side: int) -> tuple[list[tuple[Patch, Pixels]], Size]:
    """Patches with their tiles, by row, moved so that the mosaic starts at 0, 0; and the mosaic's size.

    Coordinates of the full scan (a lattice wider than the patches by a scan's factor) are brought down to
    the patches' size.
    """
    left, top = min(named.x for named, _ in tiles), min(named.y for named, _ in tiles)
    lattice = reduce(math.gcd, [v for named, _ in tiles for v in (named.x - left, named.y - top)], 0)
    from_scan = len(tiles) >= _MIN_SCALED_TILES and lattice in [side * factor for factor in _SCAN_FACTORS]
    factor = lattice // side if from_scan else 1
    placed = [
        (Patch((n.x - left) // factor, (n.y - top) // factor, tile.shape[1], tile.shape[0], n.label, n.path), tile)
        for n, tile in sorted(tiles, key=lambda pair: (pair[0].y, pair[0].x))
    ]
    return placed, Size(max(p.x + p.width for p, _ in placed), max(p.y + p.height for p, _ in placed))


def _painted(placed: list[tuple[Patch, Pixels]], size: Size) -> tuple[Pixels, tuple[Patch, ...]]:
    """The mosaic, uint8 [rows, columns, 3], and its patches; one that overlaps an earlier one is left out."""
    pixels = np.full((*size.shape, 3), BACKGROUND, np.uint8)
    taken = np.zeros(size.shape, np.bool_)
    kept = []
    for patch, tile in placed:
        place = np.s_[patch.y : patch.y + patch.height, patch.x : patch.x + patch.width]
        if not taken[place].any():
            taken[place] = True
            pixels[place] = tile
            kept.append(patch)
    return pixels, tuple(kept)


def _info(folder: Path, patient: str, size: Size, notices: tuple[str, ...]) -> ImageInfo:
    return ImageInfo(
        path=folder,
        format="IDC patches",
        size=size,
        levels=(Level(size, 1.0),),
        frames=1,
        bits=8,
        photometric="RGB",
        kind="histology",
        spacing=SpacingMm.from_mpp(IDC_MPP_UM),
        spacing_source="data set",
        patient_key=patient,
        notices=notices,
    )


@dataclass
class PatchMosaic(FlatImage):
    """A patch folder as one image, with the patches that it was put together from."""

    patches: tuple[Patch, ...] = ()
    side: int = PATCH_PX
    """Usual side of a patch in pixels: the step of the mosaic's grid."""

    def read_patch(self, patch: Patch) -> Pixels:
        """Pixels of one patch, uint8 [height, width, 3]."""
        return self.read_region(patch.region)
