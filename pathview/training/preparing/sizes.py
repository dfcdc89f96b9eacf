"""Images whose size is far from that of all others: a whole slide among patches, a thumbnail among mammograms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pathview.training.runs.plan import DatasetRow

_FAR = 8.0
"""Times the side of the middle image; mammograms of all makers lie within 3 of each other."""


def odd_sizes(rows: Sequence[DatasetRow]) -> tuple[list[DatasetRow], str]:
    """Rows whose image is far larger or smaller than the middle one, the oddest first, and a sentence about them.

    Args:
        rows: those without a width are left out.
    """
    known = [row for row in rows if row.width and row.height]
    if not known:
        return [], ""
    sides = np.sqrt([float(row.width) * row.height for row in known])
    middle = known[int(np.argsort(sides, kind="stable")[(len(known) - 1) // 2])]
    apart = np.abs(np.log(sides / np.sqrt(float(middle.width) * middle.height)))
    order = np.argsort(-apart, kind="stable")
    far = [known[i] for i in order if apart[i] > np.log(_FAR)]
    if not far:
        return [], ""
    first = f"{far[0].width} x {far[0].height} pixels"
    others = f"the others about {middle.width} x {middle.height}"
    if len(far) == 1:
        return far, f"1 image is {first}, {others}: look whether it belongs here."
    some = f"{len(far):,} images are far from the size of the others, one is {first}"
    return far, f"{some}, {others}: look whether they belong here."
