"""Whether a model outlines what it sees or a usual place: its outlines beside lesions of other patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathview.images.breast import breast_mask
from pathview.training.data.dealing import givers
from pathview.training.measures.scoring import Outlined, patients_of, predicted_mask

SHUFFLES = 19
"""So that beating all of them happens by chance once in twenty times."""
_SIDE = 128
"""Masks are brought to so many pixels a side, whatever the size of their image."""
_FEWEST = 4
"""Patients, so that there are enough ways to deal."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class DealtOutlines:
    """Mean Dice over validation images with a lesion."""

    own: float
    """With the lesion that is there."""
    shuffled: tuple[float, ...]
    """With another patient's, each time dealt out anew; none where there are too few patients."""
    whole: float
    """Of the whole breast (or image) with the lesion that is there."""
    patients: int


def deal_outlines(found: Sequence[Outlined], threshold: float, seed: int, shuffles: int = SHUFFLES) -> DealtOutlines:
    """Compare outlines with their own lesions and with lesions dealt out anew among the patients.

    Another patient's lesion counts as it lies or mirrored, whichever agrees better: breasts are left or right.

    Args:
        found: scored images of known truth; those without a lesion are left out.
        threshold: of the model's outlines.
        seed: of the dealing.
        shuffles: how often.
    """
    lesions = [one for one in found if one.truth.any()]
    names = patients_of([one.sample for one in lesions]) if lesions else np.zeros(0, np.str_)
    patients = np.unique(names)
    if len(patients) < _FEWEST:
        return DealtOutlines(0.0, (), 0.0, len(patients))
    outlines = [_small(predicted_mask(one, threshold)) for one in lesions]
    truths = [_small(one.truth) for one in lesions]
    rng = np.random.default_rng([seed, 3])
    shuffled = []
    for _ in range(shuffles):
        others = givers(names, rng)
        dices = [
            max(_dice(mask, truths[other]), _dice(mask, truths[other][:, ::-1]))
            for mask, other in zip(outlines, others, strict=True)
        ]
        shuffled.append(float(np.mean(dices)))
    whole = [_dice(_small(_breast(one)), truth) for one, truth in zip(lesions, truths, strict=True)]
    own = [_dice(mask, truth) for mask, truth in zip(outlines, truths, strict=True)]
    return DealtOutlines(float(np.mean(own)), tuple(shuffled), float(np.mean(whole)), len(patients))


def _small(mask: Bools) -> Bools:
    """Which small pixels are touched: a small lesion stays."""
    shares = cv2.resize(mask.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(shares > 0)


def _breast(one: Outlined) -> Bools:
    found = breast_mask(one.gray)
    return np.ones(one.truth.shape, np.bool_) if found is None else np.asarray(found, np.bool_)


def _dice(one: Bools, other: Bools) -> float:
    total = int(one.sum() + other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0
