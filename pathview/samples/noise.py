"""Random fields that phantoms are textured with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]


def power_law(shape: tuple[int, int], beta: float, rng: np.random.Generator) -> Field:
    """A Gaussian field with a power spectrum falling as 1 / f ** beta, mean 0 and deviation 1.

    Mammographic parenchyma has beta near 3 (Burgess 1999).

    Args:
        shape: (rows, columns).
        beta: exponent of the power spectrum.
        rng: where chance comes from.
    """
    rows, columns = shape
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.standard_normal(shape))
    field = np.fft.irfft2(white * frequency ** (-beta / 2), s=shape)
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def smooth_step(values: npt.NDArray[np.floating], low: float, high: float) -> Field:
    """0 below ``low``, 1 above ``high``, and a smooth rise between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
