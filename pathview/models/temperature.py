"""A classifier's probabilities at a temperature (Guo 2017), and limits carried over to its scale.

The logits of a softmax divided by T are its probabilities to the power of 1 / T, divided by their sum; so nothing but
the probabilities is needed, whatever computed them. Two probabilities p and 1 - p give what a sigmoid's logit divided
by T gives.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
_SMALLEST = 1e-8
"""Less than the step of single precision below 1: a probability that was rounded to 1 or 0 stays beyond all others."""


def tempered(probabilities: npt.NDArray[np.floating], temperature: float) -> Float:
    """Probabilities [..., classes] at a temperature; above 1 they become less sure, below 1 surer.

    Of two classes the order of any scores stays, and so does the most probable class, of however many.
    """
    powers = np.clip(probabilities.astype(np.float64), _SMALLEST, 1 - _SMALLEST) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float64)


def tempered_limit(limit: float, temperature: float) -> float:
    """A limit of the last of two classes' probability, as it is at a temperature: the same scores reach it.

    To go back, the temperature is its inverse. A limit that every probability or none reaches stays.
    """
    if not 0 < limit < 1:
        return limit
    return float(tempered(np.array([1 - limit, limit]), temperature)[1])
