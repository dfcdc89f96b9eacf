from __future__ import annotations

import cv2
import numpy as np
import pytest

from pathview.models.recipe import AugmentationSpec
from pathview.training.learning.augment import affine, augmented, recolored, restyled, style_of

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
NONE = AugmentationSpec()
ALL = AugmentationSpec(
    rotation_deg=90, shift=0.2, zoom=0.3, flip_horizontal=True, flip_vertical=True, gamma=0.4, brightness=0.1,
    contrast=0.2, noise=0.05, stain=0.2, style=1.0,
)  # fmt: skip


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_that_nothing_changes_without_augmentation() -> None:
    image, mask = augmented(IMAGE, IMAGE[..., 0], (40, 60), NONE, rng())
    assert image == pytest.approx(IMAGE / 255, abs=1e-6)
    assert mask is not None
    assert np.array_equal(mask[..., 0], (IMAGE[..., 0] > 127).astype(np.float32))


@pytest.mark.parametrize("spec", [AugmentationSpec(flip_horizontal=True), AugmentationSpec(flip_vertical=True)])
def test_that_flips_are_exact(spec: AugmentationSpec) -> None:
    turned = IMAGE[:, ::-1] if spec.flip_horizontal else IMAGE[::-1]
    seen = {augmented(IMAGE, None, (40, 60), spec, rng(seed))[0].tobytes() for seed in range(12)}
    wanted = {(picture.astype(np.float32) / np.float32(255)).tobytes() for picture in (IMAGE, turned)}
    assert seen == wanted


def test_that_rotation_agrees_with_opencvs_own() -> None:
    matrix = affine(AugmentationSpec(rotation_deg=30), (41, 41), (41, 41), rng(4))
    angle = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    assert abs(angle) <= 30
    assert matrix == pytest.approx(cv2.getRotationMatrix2D((20, 20), -angle, 1.0), abs=1e-4)


def test_that_zoom_and_shift_stay_within_their_bounds() -> None:
    spec = AugmentationSpec(zoom=0.25, shift=0.1)
    for seed in range(50):
        matrix = affine(spec, (100, 80), (100, 80), rng(seed))
        assert 0.75 <= matrix[0, 0] <= 1.25
        middle = matrix @ np.array([39.5, 49.5, 1.0])
        assert abs(middle[0] - 39.5) <= 8.001
        assert abs(middle[1] - 49.5) <= 10.001


def test_that_image_and_mask_move_together() -> None:
    square = np.zeros((64, 64), np.uint8)
    square[20:40, 30:50] = 255
    for seed in range(20):
        image, mask = augmented(
            square[..., None], square, (64, 64), AugmentationSpec(rotation_deg=40, zoom=0.2), rng(seed)
        )
        assert mask is not None
        assert np.mean((image > 0.5) != (mask > 0.5)) < 0.01


def test_that_everything_stays_between_0_and_1_and_repeats_with_its_seed() -> None:
    donor = style_of(np.full((10, 10, 3), 0.3, np.float32))
    for seed in range(10):
        first, _ = augmented(IMAGE, None, (32, 32), ALL, rng(seed), donor)
        again, _ = augmented(IMAGE, None, (32, 32), ALL, rng(seed), donor)
        assert np.array_equal(first, again)
        assert first.shape == (32, 32, 3)
        assert first.min() >= 0
        assert first.max() <= 1


def test_that_a_style_taken_whole_is_the_donors() -> None:
    image = rng().uniform(0.3, 0.9, (30, 30, 3)).astype(np.float32)
    donor = style_of(rng(1).uniform(0.4, 0.8, (30, 30, 3)).astype(np.float32))
    moved = style_of(restyled(image, donor, 1.0))
    assert moved.mean == pytest.approx(donor.mean, abs=0.02)
    assert restyled(image, donor, 0.0) == pytest.approx(image, abs=1e-5)


def test_that_recolouring_changes_grey_not_places() -> None:
    image = IMAGE.astype(np.float32) / 255
    changed = recolored(image, AugmentationSpec(gamma=0.4, contrast=0.2, brightness=0.1), rng(3))
    assert changed.shape == image.shape
    order = np.argsort(image[..., 0].ravel(), kind="stable")
    assert (np.diff(changed[..., 0].ravel()[order]) >= -1e-6).all()
