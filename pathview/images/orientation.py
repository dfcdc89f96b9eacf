"""How a mammogram hangs: from patient directions to the turn of the display and the side of the chest wall.

Both breasts hang back to back, a right breast with its chest wall at the right edge of the shown image, a left one
at the left edge. Down is the feet, and in views from above or below the medial side. A direction is named by the
letters of Patient Orientation (PS3.3 C.7.6.1.1.1): A anterior, P posterior, L left, R right, H head, F feet.
Neither file name nor pixels are asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pathview.geometry import Turn

ChestWall = Literal["left", "right"]

VIEWS_FROM_ABOVE = frozenset({"CC", "FB", "XCCL", "XCCM"})
VIEWS_FROM_THE_SIDE = frozenset({"MLO", "ML", "LM", "LMO", "SIO", "ISO"})
MAMMOGRAPHY_VIEWS = VIEWS_FROM_ABOVE | VIEWS_FROM_THE_SIDE

_AXES = ("LR", "PA", "HF")
"""The letters of the patient's x, y and z axis, the positive direction first (PS3.3 C.7.6.2.1.1)."""
_LEAST_COSINE = 0.05
_TOLERANCE = 0.05


def chest_wall(laterality: str) -> ChestWall:
    """The edge of the shown image at which the chest wall lies."""
    return "right" if laterality == "R" else "left"


def turn_of(directions: Sequence[str], laterality: str, view: str) -> Turn | None:
    """The turn that lets a view hang as readers expect.

    Args:
        directions: where stored rows run to (x increasing), and where stored columns run to (y increasing), each one
            to three letters in falling weight, as in Patient Orientation.
        laterality: ``L`` or ``R``.
        view: one of :data:`MAMMOGRAPHY_VIEWS`.

    Returns:
        None where the directions cannot be those of such a view.
    """
    if len(directions) != 2 or not all(_possible(direction) for direction in directions):
        return None
    across = [direction[0] not in "AP" for direction in directions]
    if across[0] == across[1]:
        return None
    transpose = across[0]
    forward, upright = (directions[1], directions[0]) if transpose else (directions[0], directions[1])
    from_above = view in VIEWS_FROM_ABOVE
    downward = next((letter for letter in upright if letter in ("LR" if from_above else "HF")), None)
    if downward is None:
        return None
    to_the_right = "P" if laterality == "R" else "A"
    medial = "L" if laterality == "R" else "R"
    return Turn(
        transpose=transpose,
        mirror_x=forward[0] != to_the_right,
        mirror_y=downward != (medial if from_above else "F"),
    )


def directions_of(cosines: Sequence[float]) -> tuple[str, str] | None:
    """The letters of Image Orientation (Patient): six direction cosines, of the rows and of the columns.

    Returns:
        None where these are no two perpendicular unit vectors.
    """
    if len(cosines) != 6 or not all(math.isfinite(cosine) for cosine in cosines):
        return None
    row, column = cosines[:3], cosines[3:]
    if any(abs(math.hypot(*vector) - 1) > _TOLERANCE for vector in (row, column)):
        return None
    if abs(sum(a * b for a, b in zip(row, column, strict=True))) > _TOLERANCE:
        return None
    return _letters(row), _letters(column)


def _letters(vector: Sequence[float]) -> str:
    """The letters of one direction in falling weight."""
    weighed = sorted(zip(vector, _AXES, strict=True), key=lambda part: -abs(part[0]))
    return "".join(axis[0] if cosine > 0 else axis[1] for cosine, axis in weighed if abs(cosine) > _LEAST_COSINE)


def _possible(direction: str) -> bool:
    """Whether these are letters of directions, none twice and no two opposite ones."""
    axes = [axis for letter in direction for axis in _AXES if letter in axis]
    return 1 <= len(direction) == len(axes) == len(set(axes))
