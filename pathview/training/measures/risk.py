"""How much of a lesion an outline misses of new patients: conformal risk control (Angelopoulos 2022), by patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.training.measures.calibration import Float
from pathview.training.measures.scoring import Outlined, predicted_mask
from pathview.training.runs.plan import Fields

LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Thresholds of a pixel's probability that are tried."""
MOST_MISSED = 0.1
_WORST = 1.0
"""Nobody's share can be larger."""


class OutlineRisk(Fields):
    """What share of a lesion's pixels is missed at a threshold, found on the validation patients."""

    wished: float
    """The largest mean share missed that is wished for."""
    threshold: float | None
    """The largest one that keeps it for new patients like these; None: there is none, or too few patients to tell."""
    missed: dict[str, float]
    """By threshold: mean share over these patients."""
    own: float
    """The model's threshold."""
    patients: int
    """With an outlined lesion."""

    @property
    def sentence(self) -> str:
        """For the reader."""
        least = int(np.ceil(_WORST / self.wished - 1))
        wished = f"{100 * self.wished:.0f} % of a lesion's pixels on average"
        beside = f"the model's own, {self.own:g}, missed {100 * self.missed[f'{self.own:g}']:.0f} % on these"
        if self.patients < least:
            told = f"{self.patients:,} patient{'s' if self.patients != 1 else ''}"
            return f"Up to which threshold at most {wished} are missed cannot be told of {told}."
        if self.threshold is None:
            return f"No threshold of a pixel keeps what is missed of new patients to {wished}; {beside}."
        return (
            f"Of new patients like these a threshold of {self.threshold:g} for a pixel misses at most {wished} "
            f"(conformal risk control on {self.patients:,} validation patients); {beside}."
        )


def controlled(missed: Mapping[float, Float], wished: float) -> float | None:
    """The largest threshold whose mean loss is at most ``wished`` for a new patient like these.

    Args:
        missed: by threshold each patient's share missed, [patients], 0..1; it grows with the threshold.
        wished: 0..1.
    """
    found = None
    for level in sorted(missed):
        losses = missed[level]
        if (losses.sum() + _WORST) / (len(losses) + 1) > wished + 1e-12:
            break
        found = level
    return found


def risk_of(
    found: Sequence[Outlined], patients: npt.NDArray[Any], own: float, wished: float = MOST_MISSED
) -> OutlineRisk | None:
    """The risk of outlines over validation images; None where no lesion is outlined.

    Args:
        found: the images.
        patients: a key for each.
        own: the model's threshold.
        wished: the largest mean share missed, 0..1.
    """
    lesions = [(one, patients[i]) for i, one in enumerate(found) if one.truth.any()]
    if not lesions:
        return None
    names, inverse = np.unique([name for _, name in lesions], return_inverse=True)
    counts = np.bincount(inverse)
    missed: dict[float, Float] = {}
    for level in sorted({*LEVELS, own}):
        shares = [1 - float(predicted_mask(one, level)[one.truth].mean()) for one, _ in lesions]
        missed[level] = np.bincount(inverse, shares) / counts
    return OutlineRisk(
        wished=wished,
        threshold=controlled(missed, wished),
        missed={f"{level:g}": float(losses.mean()) for level, losses in missed.items()},
        own=own,
        patients=len(names),
    )
