"""Each augmentation of the papers against another implementation of it: SciPy's, or plain NumPy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

from pathview.models.recipe import AugmentationSpec
from pathview.training.learning.augment import affine, augmented, warp

SHAPE, OUT = (61, 83), (49, 57)
RNG = np.random.default_rng(7)


def smooth(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A picture without sharp edges, so that two ways of interpolating agree: uint8 [rows, columns, 3]."""
    noise = ndimage.gaussian_filter(RNG.random((*shape, 3)), (3, 3, 0))
    return ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)


def referenced(pixels: np.ndarray, matrix: np.ndarray, out: tuple[int, int], mode: str) -> np.ndarray:
    """The same map by SciPy, which wants it backwards and rows first."""
    forward = np.vstack([matrix.astype(np.float64), [0, 0, 1]])
    back = np.linalg.inv(forward)
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    back = swap @ back @ swap
    layers = [
        ndimage.affine_transform(pixels[..., i].astype(float), back[:2, :2], back[:2, 2], out, order=1, mode=mode)
        for i in range(pixels.shape[2])
    ]
    return np.stack(layers, axis=-1)


@pytest.mark.parametrize(
    "spec",
    [
        AugmentationSpec(rotation_deg=50),
        AugmentationSpec(shift=0.5),
        AugmentationSpec(zoom=0.5),
        AugmentationSpec(flip_horizontal=True, flip_vertical=True),
        AugmentationSpec(rotation_deg=180, shift=0.2, zoom=0.3, flip_horizontal=True, flip_vertical=True),
    ],
    ids=["rotation", "shift", "zoom", "flips", "all"],
)
@pytest.mark.parametrize(("border", "mode"), [(cv2.BORDER_CONSTANT, "constant"), (cv2.BORDER_REFLECT_101, "mirror")])
def test_that_the_affine_map_agrees_with_scipys(spec: AugmentationSpec, border: int, mode: str) -> None:
    for seed in range(8):
        pixels = smooth()
        matrix = affine(spec, SHAPE, OUT, np.random.default_rng(seed))
        found = warp(pixels, matrix, OUT, border).astype(float)
        expected = referenced(pixels, matrix, OUT, mode)
        difference = np.abs(found - expected)
        if mode == "constant":  # SciPy leaves the half pixel at the border black, OpenCV blends it
            inside = referenced(np.full_like(pixels, 255), matrix, OUT, mode)[..., 0] > 254
            difference = difference[ndimage.binary_erosion(inside, iterations=2)]
        assert difference.mean() < 0.6
        assert np.percentile(difference, 99.5) < 4


def test_that_angles_scales_and_shifts_are_drawn_evenly_between_their_limits() -> None:
    spec = AugmentationSpec(rotation_deg=50, zoom=0.5, shift=0.25, flip_horizontal=True)
    angles, scales, shifts, flips = [], [], [], []
    middle = np.array([(SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2, 1])
    for seed in range(3000):
        matrix = affine(spec, SHAPE, OUT, np.random.default_rng(seed)).astype(float)
        flips.append(np.linalg.det(matrix[:, :2]) < 0)
        turned = matrix[:, :2] * np.array([[-1.0 if flips[-1] else 1.0], [1.0]])
        angles.append(np.degrees(np.arctan2(turned[1, 0], turned[0, 0])))
        scales.append(np.sqrt(np.linalg.det(turned)))
        shifts.append(((matrix @ middle) - [(OUT[1] - 1) / 2, (OUT[0] - 1) / 2]) / [OUT[1], OUT[0]])
    for values, low, high in ((angles, -50, 50), (scales, 0.5, 1.5), (np.ravel(shifts), -0.25, 0.25)):
        values = np.asarray(values)
        assert low - 1e-3 <= values.min() < low + 0.02 * (high - low)
        assert high + 1e-3 >= values.max() > high - 0.02 * (high - low)
        assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
        assert np.std(values) == pytest.approx((high - low) / np.sqrt(12), rel=0.05)
    assert np.mean(flips) == pytest.approx(0.5, abs=0.05)


def test_that_outline_and_image_of_an_augmented_pair_are_the_same_map() -> None:
    spec = AugmentationSpec(rotation_deg=180, shift=0.1, zoom=0.3, flip_horizontal=True, flip_vertical=True)
    pixels = smooth()
    mask = ((pixels[..., 0] > 140) * 255).astype(np.uint8)
    for seed in range(8):
        _, truth = augmented(pixels, mask, OUT, spec, np.random.default_rng(seed))
        matrix = affine(spec, SHAPE, OUT, np.random.default_rng(seed))
        expected = referenced(mask[..., None], matrix, OUT, "constant") > 127
        assert truth is not None
        assert np.mean((truth > 0.5) != expected) < 0.01
