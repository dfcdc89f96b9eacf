"""A four-view mammogram study of a phantom, as DICOM For Presentation, with the outlines of its findings.

The image model is plain: a compressed breast whose thickness falls off at the skin, fat and
fibroglandular tissue with a power-law texture, a pectoral muscle in the oblique views, masses with
irregular borders and clusters of calcifications. Lengths are in millimetres; nothing here is meant to
pass for a patient, and every image says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from pathview.samples.noise import Field, power_law, smooth_step

SPACING_MM = 0.1
ROWS, COLUMNS = 2294, 1914
BITS = 12
AIR, WHITE = 60, 4000
WINDOW = (2050, 3900)
"""Centre and width that the files recommend."""

Laterality = Literal["L", "R"]
View = Literal["CC", "MLO"]


@dataclass(frozen=True)
class Mass:
    """A mass: centre as shares of the breast's depth (from the chest wall) and height, and its radius."""

    depth: float
    height: float
    radius_mm: float
    contrast: float = 0.34
    roughness: float = 0.12


@dataclass(frozen=True)
class Cluster:
    """A cluster of calcifications, placed like a mass."""

    depth: float
    height: float
    radius_mm: float
    count: int = 18


@dataclass(frozen=True)
class PhantomView:
    """What one image shows."""

    laterality: Laterality
    view: View
    masses: tuple[Mass, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    seed: int = 0
    density: float = 0.3
    """How much of the breast is fibroglandular."""


@dataclass(frozen=True)
class PhantomImage:
    """One image and its truth."""

    view: PhantomView
    pixels: npt.NDArray[np.uint16]
    """[rows, columns] of 12 bits."""
    truth: npt.NDArray[np.uint8]
    """[rows, columns], 255 inside findings."""


_PROFILES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "CC": ((0.0, 0.06, 0.16, 0.33, 0.5, 0.67, 0.84, 0.94, 1.0), (0.0, 0.0, 0.41, 0.59, 0.64, 0.59, 0.41, 0.0, 0.0)),
    "MLO": ((0.0, 0.15, 0.3, 0.45, 0.6, 0.72, 0.84, 0.95, 1.0), (0.46, 0.44, 0.5, 0.62, 0.67, 0.62, 0.46, 0.0, 0.0)),
}
"""Depth of the breast at heights, as shares of the image's width and height."""

STUDY: tuple[PhantomView, ...] = (
    PhantomView("R", "CC", (Mass(0.52, 0.42, 9.0),), (), 11),
    PhantomView("L", "CC", (Mass(0.58, 0.56, 6.5),), (Cluster(0.45, 0.62, 4.0),), 12),
    PhantomView("R", "MLO", (Mass(0.52, 0.52, 9.0),), (), 13),
    PhantomView("L", "MLO", (Mass(0.55, 0.62, 6.5),), (Cluster(0.42, 0.68, 4.0),), 14),
)
"""Each breast has a mass that both its views show; the left one calcifications behind it too."""


def draw(view: PhantomView) -> PhantomImage:
    """Draw one view; the same view gives the same pixels.

    The chest wall lies at the left border of left breasts and at the right border of right ones.
    """
    rng = np.random.default_rng(view.seed)
    inside = _outline(view)
    depth_mm = _distance_mm(inside)
    thickness = smooth_step(depth_mm, 0.0, 16.0)
    image = 0.05 + 0.06 * thickness + 0.24 * _glandular(view, depth_mm, rng) * thickness
    image += 0.05 * np.exp(-(((depth_mm - 1.0) / 0.8) ** 2))  # the skin's own line
    image += 0.012 * power_law((ROWS, COLUMNS), 2.2, rng) * thickness
    truth = np.zeros((ROWS, COLUMNS), np.uint8)
    for mass in view.masses:
        shape = _mass(mass, rng)
        image += mass.contrast * shape * thickness
        truth[shape > 0.5] = 255
    for cluster in view.clusters:
        image += _cluster(cluster, truth, rng)
    if view.view == "MLO":
        image = np.maximum(image, _pectoral(rng))
    image += 0.012 * rng.standard_normal(image.shape, dtype=np.float32) * np.sqrt(np.maximum(image, 0))
    codes = np.where(inside, AIR + np.clip(image, 0, 1) * (WHITE - AIR), AIR)
    truth[~inside] = 0
    pixels = codes.astype(np.uint16)
    if view.laterality == "R":
        pixels, truth = pixels[:, ::-1].copy(), truth[:, ::-1].copy()
    return PhantomImage(view, _labelled(pixels, view), truth)


def _grid() -> tuple[Field, Field]:
    """Depth from the chest wall and height, as shares of the image's width and height."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float32)
    return x / COLUMNS, y / ROWS


def _outline(view: PhantomView) -> npt.NDArray[np.bool_]:
    """Which pixels are breast: depth as a smooth function of height, and a nipple."""
    heights, depths = _PROFILES[view.view]
    squared = PchipInterpolator(heights, np.square(depths))(np.arange(ROWS) / ROWS)  # round where it ends
    border = np.sqrt(np.maximum(squared, 0)) * COLUMNS
    inside = np.arange(COLUMNS)[None, :] < border[:, None]
    row = int(heights[int(np.argmax(depths))] * ROWS)
    nipple = np.zeros(inside.shape, np.uint8)
    cv2.circle(nipple, (int(border[row]) + 8, row), 38, 1, -1)
    return np.asarray(inside | (nipple > 0))


def _distance_mm(inside: npt.NDArray[np.bool_]) -> Field:
    """Distance of each pixel from the skin; the chest wall and the image's edge are no skin."""
    padded = np.pad(inside.astype(np.uint8), ((400, 400), (400, 0)), mode="edge")
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[400:-400, 400:] * SPACING_MM, np.float32)


def _glandular(view: PhantomView, depth_mm: Field, rng: np.random.Generator) -> Field:
    """Share of fibroglandular tissue, 0 to about 1: a fan towards the nipple, broken up by power-law noise."""
    x, y = _grid()
    middle = 0.5 if view.view == "CC" else 0.6
    fan = np.exp(-(((y - middle) / (0.10 + 0.16 * (0.66 - x))) ** 2)) * smooth_step(x, 0.05, 0.35)
    texture = 0.55 * power_law((ROWS, COLUMNS), 3.0, rng) + 0.3 * power_law((ROWS, COLUMNS), 2.2, rng)
    strands = np.exp(-9 * np.abs(power_law((ROWS, COLUMNS), 2.9, rng)))
    tissue = np.sqrt(fan) * np.clip(view.density - 0.25 + 0.4 * texture, 0, None) + 0.4 * strands * (0.25 + fan)
    return np.asarray(np.clip(tissue, 0, 1.3) * smooth_step(depth_mm, 2.0, 18.0), np.float32)


def _mass(mass: Mass, rng: np.random.Generator) -> Field:
    """1 inside, 0 outside, a soft irregular border between."""
    x, y = _grid()
    dx, dy = (x - mass.depth * 0.66) * COLUMNS * SPACING_MM, (y - mass.height) * ROWS * SPACING_MM
    angle = np.arctan2(dy, dx)
    radius = np.full_like(angle, mass.radius_mm)
    for lobes in range(2, 12):
        radius += (
            mass.radius_mm
            * mass.roughness
            / np.sqrt(lobes)
            * rng.normal()
            * np.cos(lobes * angle + rng.uniform(0, 6.28))
        )
    return smooth_step(radius - np.hypot(dx, dy), -1.8, 1.8)


def _cluster(cluster: Cluster, truth: npt.NDArray[np.uint8], rng: np.random.Generator) -> Field:
    """Bright points; their convex hull, a little widened, is added to ``truth``."""
    canvas = np.zeros((ROWS, COLUMNS), np.float32)
    center = np.array([cluster.depth * 0.66 * COLUMNS, cluster.height * ROWS])
    spread = cluster.radius_mm / SPACING_MM
    points = []
    for _ in range(cluster.count):
        angle, reach = rng.uniform(0, 2 * np.pi), spread * np.sqrt(rng.uniform())
        point = center + reach * np.array([np.cos(angle), np.sin(angle)])
        points.append(point)
        radius = int(rng.integers(1, 4))
        cv2.circle(canvas, (int(point[0]), int(point[1])), radius, float(rng.uniform(0.25, 0.5)), -1)
    hull = cv2.convexHull(np.array(points, np.int32))
    outline = np.zeros_like(truth)
    cv2.fillConvexPoly(outline, hull, 255)
    truth |= cv2.dilate(outline, np.ones((15, 15), np.uint8))
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 1.0), np.float32)


def _pectoral(rng: np.random.Generator) -> Field:
    """The muscle of an oblique view: a bright triangle at the upper chest wall."""
    x, y = _grid()
    depth = 0.27 - 0.50 * y**1.1 - x + 0.008 * np.sin(y * 9 + rng.uniform(0, 6))
    fibres = 0.012 * power_law((ROWS, COLUMNS), 2.6, rng)
    return np.asarray(smooth_step(depth, 0.0, 0.02) * (0.17 + fibres), np.float32)


def _labelled(pixels: npt.NDArray[np.uint16], view: PhantomView) -> npt.NDArray[np.uint16]:
    """The image with the words that no one may miss, in the air beside the breast."""
    words = np.zeros(pixels.shape, np.uint8)
    lines = ("PHANTOM", "not a patient", f"{view.laterality} {view.view}")
    for number, line in enumerate(lines):
        scale = 2.6 if number != 1 else 1.5
        width = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, scale, 4)[0][0]
        left = 60 if view.laterality == "R" else COLUMNS - width - 60
        cv2.putText(words, line, (left, 320 + 110 * number), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 4, cv2.LINE_AA)
    return np.maximum(pixels, words.astype(np.uint16) * 10)


def draw_study(views: Sequence[PhantomView] = STUDY) -> list[PhantomImage]:
    """All views of a study."""
    return [draw(view) for view in views]
