"""Dealing truths out anew among patients: what is learnt from them, or agrees with them, is not of the image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pathview.errors import DataError


def givers(patients: npt.NDArray[np.str_], rng: np.random.Generator) -> list[int]:
    """For each image, the image of another patient whose truth it gets: each patient gives to one other, at random.

    Args:
        patients: of each image, [n].
        rng: draws who gives to whom, then one of the giver's images each time.

    Raises:
        DataError: there is one patient only.
    """
    order = rng.permutation(np.unique(patients))
    if len(order) < 2:
        raise DataError("Outlines can be dealt out anew among two training patients or more.")
    given = dict(zip(order, np.roll(order, 1), strict=True))
    return [int(rng.choice(np.flatnonzero(patients == given[name]))) for name in patients]
