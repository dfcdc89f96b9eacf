"""Stains: what haematoxylin and eosin each contribute to a colour, and slides brought to one laboratory's colours.

Light is absorbed by stains one after another, so that in optical density (minus the logarithm of the transmitted
share) colours are sums: ``OD = concentrations @ vectors`` (Beer-Lambert).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

Rgb8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Channel = Literal["", "haematoxylin", "eosin", "residual"]
CHANNELS: tuple[Channel, ...] = ("haematoxylin", "eosin", "residual")
HAEMATOXYLIN = (0.650, 0.704, 0.286)
EOSIN = (0.072, 0.990, 0.105)
"""Optical densities of red, green and blue for one stain alone: A. Ruifrok, D. Johnston, Anal. Quant. Cytol. Histol.
23, 291-299, 2001. The residual is what neither explains: the direction at right angles to both."""

_LIGHT = 240.0
"""Grey of the lamp through empty glass where none is seen, and the numbers below: M. Macenko et al., ISBI 2009,
1107-1110."""
LIGHT_UNSEEN = (_LIGHT, _LIGHT, _LIGHT)
"""What the light is taken for, rather than measured, where no glass is among the pixels."""
_TRANSPARENT = 0.15
"""Mean optical density up to which a pixel shows glass. (That of each colour, as some have it, would leave out eosin
alone, which hardly absorbs red.)"""
_EXTREME = 1.0
"""Percentile of the angles that is taken for a pure stain; single pixels would decide otherwise."""
_MOST = 99.0
"""Percentile of a stain's concentrations that is taken for its largest."""
_BRIGHT, _COLOURLESS, _GLASS_SHARE = 205, 25, 0.02
"""Grey from which, and difference of the colours up to which, a pixel may be glass; share from which it is believed."""
_LEAST_PIXELS, _LEAST_SHARE = 200, 0.002
_LEAST_ANGLE_DEG = 8.0
"""Angle between two stains below which there is but one; haematoxylin and eosin lie 20 to 45 degrees apart."""
_AT_MOST = 200_000
"""Pixels from which the stains are found; more do not change them."""


@dataclass(frozen=True)
class Stains:
    """The two stains of a slide.

    ``vectors``: optical densities of red, green and blue for haematoxylin and for eosin, each of length 1;
    ``most``: the largest concentration (99th percentile) of each; ``light``: the grey of red, green and blue of the
    lamp through empty glass.
    """

    vectors: tuple[tuple[float, float, float], tuple[float, float, float]]
    most: tuple[float, float]
    light: tuple[float, float, float] = LIGHT_UNSEEN


REFERENCE = Stains(((0.5626, 0.7201, 0.4062), (0.2159, 0.8012, 0.5581)), (1.9705, 1.0308))
"""Of the slide that implementations of Macenko's method bring others to (M. Veta's, and those after it)."""


def shown_channel(pixels: Rgb8, channel: Channel) -> Rgb8:
    """One stain alone, in its own colour on white, as if the others had been left out of the slide.

    Args:
        pixels: uint8 [rows, columns, 3] RGB.
        channel: which; empty: the pixels as they are.

    Returns:
        uint8 [rows, columns, 3]. The residual is shown in grey, where it adds density.
    """
    if not channel:
        return pixels
    weights, colors = _tables(channel)
    parts = cv2.LUT(pixels, weights)
    amount = cv2.transform(parts, np.ones((1, 3), np.float32))
    level = cv2.cvtColor(cv2.multiply(amount, 1.0, dtype=cv2.CV_8U), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.LUT(level, colors), np.uint8)


@lru_cache
def _tables(channel: Channel) -> tuple[npt.NDArray[np.float32], Rgb8]:
    """What each grey of red, green and blue adds to a stain, and the stain's colour: [256, 1, 3] each.

    The amount is scaled so that 255 is the most that a pixel can hold of it beside none of the others.
    """
    number = CHANNELS.index(channel)
    vectors = _with_residual(np.array([HAEMATOXYLIN, EOSIN]))
    density = -np.log(np.maximum(np.arange(256), 1) / 255.0)
    top = density[0] / vectors[number].max() / 2
    weights = density[:, None] * np.linalg.inv(vectors)[:, number] * (255 / top)
    shown = vectors[number] if channel != "residual" else np.full(3, 3**-0.5)
    colors = np.rint(255 * np.exp(-np.arange(256)[:, None] / 255 * top * shown))
    return weights.astype(np.float32)[:, None], colors.astype(np.uint8)[:, None]


def _with_residual(vectors: Floats) -> Floats:
    """Two stains [2, 3] and the direction at right angles to them: [3, 3], each of length 1."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    residual = np.cross(unit[0], unit[1])
    return np.vstack([unit, residual / np.linalg.norm(residual)])


def estimate(pixels: Rgb8) -> tuple[Stains | None, str]:
    """The stains of a slide from a sample of its pixels, glass among them or not (Macenko et al. 2009).

    Args:
        pixels: uint8 [..., 3] RGB.

    Returns:
        The stains and ""; or None and the reason, to be put after "because".
    """
    colors = pixels.reshape(-1, 3)
    if len(colors) > _AT_MOST:
        colors = colors[:: -(-len(colors) // _AT_MOST)]
    light = _light(colors)
    density = -np.log((colors + 1.0) / light)
    stained = density[density.mean(axis=1) > _TRANSPARENT]
    if len(stained) < max(_LEAST_PIXELS, _LEAST_SHARE * len(colors)):
        return None, "there is hardly any stained tissue"
    plane = np.linalg.eigh(stained.T @ stained)[1][:, [2, 1]]  # through the origin: no stain, no density
    plane *= np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    across = stained @ plane
    angles = np.arctan2(across[:, 1], across[:, 0])
    low, high = np.percentile(angles, [_EXTREME, 100 - _EXTREME])
    if np.degrees(high - low) < _LEAST_ANGLE_DEG:
        return None, "only one stain can be told"
    ends = np.stack([plane @ [np.cos(angle), np.sin(angle)] for angle in (low, high)])
    if (ends < -0.1).any():
        return None, "its colours are not those of two stains"
    vectors = ends if ends[0, 0] > ends[1, 0] else ends[::-1]  # haematoxylin absorbs more of the red
    amounts = stained @ np.linalg.pinv(vectors)
    most = np.percentile(amounts, _MOST, axis=0)
    if (most <= 0.05).any():
        return None, "only one stain can be told"
    red, green, blue = (float(grey) for grey in light)
    return Stains(_pair(vectors), (float(most[0]), float(most[1])), (red, green, blue)), ""


def _pair(vectors: Floats) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    one, other = ((float(v[0]), float(v[1]), float(v[2])) for v in vectors)
    return one, other


def _light(colors: Rgb8) -> Floats:
    """The colour of glass [3], where the sample holds some: a camera's lamp is often green or yellow."""
    top, low = colors.max(axis=1).astype(np.int16), colors.min(axis=1)
    bright = (top >= _BRIGHT) & (top - low < _COLOURLESS)
    if np.count_nonzero(bright) < max(1, _GLASS_SHARE * len(colors)):
        return np.full(3, _LIGHT)
    glass = colors[bright]
    brightness = glass.sum(axis=1, dtype=np.int32)
    clear = glass[brightness >= np.percentile(brightness, 90)]  # the palest tissue is bright too
    return np.asarray(np.median(clear, axis=0), np.float64)


def normalised(pixels: Rgb8, stains: Stains | None, reference: Stains = REFERENCE) -> Rgb8:
    """Pixels as if the slide had been stained and scanned like the reference.

    Args:
        pixels: uint8 [..., rows, columns, 3] RGB.
        stains: of the slide; None (see :func:`estimate`): the pixels stay as they are.
        reference: what to bring them to.
    """
    if stains is None:
        return pixels
    scale = np.array(reference.most) / np.array(stains.most)
    change = np.linalg.pinv(np.array(stains.vectors)) @ (scale[:, None] * np.array(reference.vectors))
    table = (-np.log((np.arange(256)[:, None] + 1.0) / np.array(stains.light))).astype(np.float32)[:, None]
    flat = np.ascontiguousarray(pixels).reshape(-1, pixels.shape[-2], 3)
    density = cv2.transform(cv2.LUT(flat, table), (-change.T).astype(np.float32))
    return np.asarray(cv2.multiply(cv2.exp(density), float(_LIGHT), dtype=cv2.CV_8U)).reshape(pixels.shape)
