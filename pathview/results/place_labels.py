"""Where the scores of a cascade's places are written, so that no two make one number."""

from __future__ import annotations

from collections.abc import Sequence


def apart(labels: Sequence[tuple[float, float, float]], height: float) -> list[tuple[float, float]]:
    """Upper left corners of labels that do not overlap.

    Args:
        labels: left, top and width that each would like, in the picture's pixels, y downwards.
        height: of every label.

    Returns:
        For each its (left, top): as it would like, or as far below that as others before it ask for.
    """
    placed: list[tuple[float, float, float]] = []
    for left, top, width in labels:
        y = top
        while below := [
            other_y + height
            for other_x, other_y, other_width in placed
            if left < other_x + other_width and other_x < left + width and abs(y - other_y) < height
        ]:
            y = max(below)
        placed.append((left, y, width))
    return [(left, y) for left, y, _ in placed]
