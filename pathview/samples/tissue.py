"""A stained-tissue phantom as a folder of IDC-style patches at 4 um a pixel, with the class of each patch.

Fat, pink fibrous stroma, a few ducts and one region of crowded dark nuclei that stands for a tumour.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from pathview.samples.noise import Field, power_law, smooth_step

PATCH = 50
GRID = (18, 26)
"""Rows and columns of patches."""
PATIENT = "phantom"
_EOSIN = np.array([0.10, 0.62, 0.28], np.float32)
_HAEMATOXYLIN = np.array([0.78, 0.86, 0.38], np.float32)
"""Optical densities of the two stains in red, green and blue, roughly Ruifrok 2001 with the colours of H&E."""


@dataclass(frozen=True)
class TissuePhantom:
    """The whole section and its truth."""

    pixels: npt.NDArray[np.uint8]
    """[rows, columns, 3]."""
    tumour: npt.NDArray[np.bool_]
    """[rows, columns]."""
    tissue: npt.NDArray[np.bool_]
    """[rows, columns]; elsewhere is glass."""


def draw_tissue(seed: int = 5) -> TissuePhantom:
    """Draw the section; the same seed gives the same pixels."""
    rng = np.random.default_rng(seed)
    shape = (GRID[0] * PATCH, GRID[1] * PATCH)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    u, v = x / shape[1], y / shape[0]
    wobble = 0.06 * power_law(shape, 3.5, rng)
    tissue = ((u - 0.5) / 0.47) ** 2 + ((v - 0.55) / 0.40) ** 2 < 1 + wobble
    tumour = tissue & (((u - 0.64) / 0.17) ** 2 + ((v - 0.5) / 0.23) ** 2 < 1 + 2 * wobble)
    stroma = 0.45 + 0.25 * _fibres(shape, rng)
    fat = _fat(shape, rng) * smooth_step(power_law(shape, 3.2, rng), -0.1, 0.5) * ~tumour
    eosin = stroma * (1 - 0.95 * fat) * tissue
    nuclei = _nuclei(shape, np.where(tumour, 0.055, 0.0035) * (1 - fat) * tissue, rng)
    ducts = _ducts(shape, tissue & ~tumour, rng)
    haematoxylin = 0.75 * nuclei + ducts + 0.16 * tumour
    density = eosin[..., None] * _EOSIN + haematoxylin[..., None] * _HAEMATOXYLIN * tissue[..., None]
    light = 0.955 * np.exp(-density) + 0.006 * rng.standard_normal((*shape, 1), dtype=np.float32)
    pixels = np.clip(light * 255, 0, 255).astype(np.uint8)
    return TissuePhantom(_labelled(pixels), np.asarray(tumour), np.asarray(tissue))


def write_patches(phantom: TissuePhantom, folder: Path) -> None:
    """Write the patches that hold tissue, or the phantom's label, into ``0`` and ``1``."""
    for row in range(GRID[0]):
        for column in range(GRID[1]):
            part = np.s_[row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH]
            if phantom.tissue[part].mean() < 0.2 and phantom.pixels[part].min() > 200:
                continue
            label = int(phantom.tumour[part].mean() > 0.5)
            target = folder / str(label)
            target.mkdir(parents=True, exist_ok=True)
            name = f"{PATIENT}_x{column * PATCH + 1}_y{row * PATCH + 1}_class{label}.png"
            Image.fromarray(phantom.pixels[part]).save(target / name)


def _fibres(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Wavy strands: noise stretched along a slowly turning direction."""
    base = power_law((shape[0], shape[1] // 6 + 1), 1.6, rng)
    stretched = cv2.resize(base, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    shift = 26 * power_law(shape, 3.6, rng)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return np.asarray(cv2.remap(stretched, x, y + shift, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32)


def _fat(shape: tuple[int, int], rng: np.random.Generator) -> Field:
    """Round empty cells of 60 to 100 um with thin walls between: 1 inside a cell."""
    cells = np.zeros(shape, np.uint8)
    for _ in range(shape[0] * shape[1] // 300):
        center = (int(rng.integers(0, shape[1])), int(rng.integers(0, shape[0])))
        cv2.circle(cells, center, int(rng.integers(7, 12)), 255, -1, cv2.LINE_AA)
        cv2.circle(cells, center, 12, 0, 1, cv2.LINE_AA)
    return np.asarray(cells / 255, np.float32)


def _nuclei(shape: tuple[int, int], chance: npt.NDArray[np.floating], rng: np.random.Generator) -> Field:
    """Dark dots of 8 to 12 um; ``chance`` is their number a pixel."""
    seeds = (rng.random(shape) < chance).astype(np.float32)
    dots = cv2.GaussianBlur(seeds * rng.uniform(4, 10, shape).astype(np.float32), (0, 0), 0.9)
    return np.clip(np.asarray(dots, np.float32), 0, 1.3)


def _ducts(shape: tuple[int, int], where: npt.NDArray[np.bool_], rng: np.random.Generator) -> Field:
    """Rings of nuclei around an open lumen."""
    canvas = np.zeros(shape, np.float32)
    for _ in range(22):
        center = (int(rng.integers(0, shape[1])), int(rng.integers(0, shape[0])))
        if where[center[1], center[0]]:
            axes = (int(rng.integers(8, 20)), int(rng.integers(8, 20)))
            cv2.ellipse(canvas, center, axes, float(rng.uniform(0, 180)), 0, 360, 0.8, 4, cv2.LINE_AA)
    return np.asarray(canvas * (0.6 + 0.5 * rng.random(shape)), np.float32)


def _labelled(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    canvas = pixels.copy()
    cv2.putText(canvas, "PHANTOM: not a patient", (60, 75), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (70, 70, 90), 3, cv2.LINE_AA)
    return canvas
