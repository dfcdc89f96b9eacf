"""Random changes of training images: one composed affine map, then grey or colour.

One ``cv2.warpAffine`` for rotation, shift, zoom and flips resamples once and is 9 times faster than
Keras' layers one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathview.models.recipe import AugmentationSpec

Float = npt.NDArray[np.float32]
_DARKEST = np.float32(1 / 255)
_STYLE_FLOOR = np.float32(0.02)


def affine(spec: AugmentationSpec, shape: tuple[int, int], out: tuple[int, int], rng: np.random.Generator) -> Float:
    """A random map from an image of ``shape`` (rows, columns) to a tile of ``out``: float32 [2, 3].

    Centre goes to centre, then rotation, zoom, flips and a shift by shares of the tile's sides.
    """
    angle = np.deg2rad(rng.uniform(-spec.rotation_deg, spec.rotation_deg))
    scale = 1.0 + rng.uniform(-spec.zoom, spec.zoom)
    flip_x = -1.0 if spec.flip_horizontal and rng.random() < 0.5 else 1.0
    flip_y = -1.0 if spec.flip_vertical and rng.random() < 0.5 else 1.0
    shift = rng.uniform(-spec.shift, spec.shift, 2) * (out[1], out[0])
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[flip_x * cos, -flip_x * sin], [flip_y * sin, flip_y * cos]])
    middle_in = np.array([shape[1] - 1, shape[0] - 1]) / 2
    middle_out = np.array([out[1] - 1, out[0] - 1]) / 2 + shift
    return np.column_stack([matrix, middle_out - matrix @ middle_in]).astype(np.float32)


def warp(pixels: npt.NDArray[np.uint8], matrix: Float, out: tuple[int, int], border: int) -> npt.NDArray[np.uint8]:
    """Pixels [rows, columns, channels] or [rows, columns] through an affine map, linear between pixels."""
    size = (out[1], out[0])
    warped = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.uint8).reshape(*out, *pixels.shape[2:])


@dataclass(frozen=True)
class Style:
    """Mean and standard deviation of a patch's optical density, a colour each: float32 [channels]."""

    mean: Float
    deviation: Float


def _density(image: Float) -> Float:
    """Optical densities of an image of 0..1. OpenCV takes logarithms three times as fast as NumPy."""
    return np.asarray(-cv2.log(np.maximum(image, _DARKEST)), np.float32).reshape(image.shape)


def _light(density: Float) -> Float:
    """The image of optical densities."""
    return np.asarray(cv2.exp(-density), np.float32).reshape(density.shape)


def _style(density: Float) -> Style:
    mean, deviation = cv2.meanStdDev(density)
    return Style(mean.ravel().astype(np.float32), deviation.ravel().astype(np.float32) + _STYLE_FLOOR)


def style_of(image: Float) -> Style:
    """The style of an image [rows, columns, channels], 0..1."""
    return _style(_density(image))


def restyled(image: Float, donor: Style, share: float) -> Float:
    """An image whose optical densities move by ``share`` towards a donor's statistics (after Reinhard 2001).

    Slides differ in stain more than classes do; mixing styles between patients keeps a network from
    taking one for the other.
    """
    density = _density(image)
    own = _style(density)
    mean = own.mean + np.float32(share) * (donor.mean - own.mean)
    factor = (own.deviation + np.float32(share) * (donor.deviation - own.deviation)) / own.deviation
    moved = density * factor + (mean - own.mean * factor)
    return _light(np.maximum(moved, 0))


def recolored(image: Float, spec: AugmentationSpec, rng: np.random.Generator) -> Float:
    """Random gamma, contrast, brightness, stain and noise of an image [rows, columns, channels], 0..1."""
    if spec.gamma:
        image = image ** np.float32(np.exp(rng.uniform(-spec.gamma, spec.gamma)))
    if spec.stain:
        change = np.exp(rng.uniform(-spec.stain, spec.stain, image.shape[-1])).astype(np.float32)
        image = _light(_density(image) * change)
    if spec.contrast:
        image = image * np.float32(1.0 + rng.uniform(-spec.contrast, spec.contrast))
    if spec.brightness:
        image = image + np.float32(rng.uniform(-spec.brightness, spec.brightness))
    if spec.noise:
        sigma = np.float32(rng.uniform(0, spec.noise))
        image = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.clip(image, 0.0, 1.0), np.float32)


def augmented(
    pixels: npt.NDArray[np.uint8],
    mask: npt.NDArray[np.uint8] | None,
    out: tuple[int, int],
    spec: AugmentationSpec,
    rng: np.random.Generator,
    donor: Style | None = None,
) -> tuple[Float, Float | None]:
    """One training pair.

    Args:
        pixels: uint8 [rows, columns, channels] at the recipe's scale.
        mask: uint8 [rows, columns] of 0 and 255, or None.
        out: (rows, columns) of the tile.
        spec: what may change.
        rng: where chance comes from.
        donor: another image's style, taken on with the recipe's chance.

    Returns:
        float32 tile [*out, channels] in 0..1 and mask [*out, 1] of 0 and 1. Beyond the image lies
        black for outlined images (air) and its own mirror image for tissue.
    """
    matrix = affine(spec, pixels.shape[:2], out, rng)
    border = cv2.BORDER_CONSTANT if mask is not None else cv2.BORDER_REFLECT_101
    image = warp(pixels, matrix, out, border).astype(np.float32) / np.float32(255)
    if donor is not None and rng.random() < spec.style:
        image = restyled(image, donor, rng.random())
    image = recolored(image, spec, rng)
    if mask is None:
        return image, None
    truth = warp(mask, matrix, out, cv2.BORDER_CONSTANT) > 127
    return image, truth[..., None].astype(np.float32)
