"""Where a view looks, in terms that carry over from one view of a breast to the others. No Qt here.

A pose counts from the chest wall and from the middle of the image's height, in millimetres where the pixel
size is known: the same pose on a right and a left breast shows mirrored places at the same size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pathview.geometry import Region, Size, SpacingMm, Turn
from pathview.gui.viewer.view import View
from pathview.images.pyramid import PictureData

SizeMode = Literal["fit", "same", "one", "true"]
"""Each image fitted; all at the size at which the largest fits; a screen pixel for each of the image; life size."""
MARGIN = 0.97
"""How much of the screen a fitted image takes."""


@dataclass(frozen=True)
class Pose:
    """What the middle of the screen shows, and how large."""

    scale: float
    """Device pixels a unit: a millimetre, or an image pixel where the pixel size is not known."""
    depth: float
    """Units from the chest wall's edge of the image to the middle of the screen."""
    height: float
    """Units from the middle of the image's height to the middle of the screen, down."""


@dataclass(frozen=True)
class Stand:
    """What of an image a pose needs."""

    width: float
    """Units."""
    height: float
    unit_px: float
    """Level-0 pixels a unit."""
    metric: bool
    """Whether a unit is a millimetre."""
    wall_right: bool
    """Whether the chest wall is at the right edge, as shown; left also where nobody knows."""
    walled: bool
    """Whether the file tells where the chest wall is."""

    @classmethod
    def of(cls, data: PictureData) -> Stand:
        """The stand of a picture."""
        spacing, size = data.spacing, data.size
        unit_px = 1 / spacing.column if spacing is not None else 1.0
        wall = data.info.chest_wall
        return cls(
            size.width / unit_px, size.height / unit_px, unit_px, spacing is not None, wall == "right", wall is not None
        )

    @classmethod
    def expected(cls, info: Mapping[str, Any], mpp_um: float | None) -> Stand | None:
        """The stand of an image that is not loaded yet, from what the store knows of it; None: nothing."""
        if "size" not in info:
            return None
        size = Size(*info["size"])
        turn = Turn(**info.get("turn", {}))
        pair = [mpp_um / 1000, mpp_um / 1000] if mpp_um is not None else info.get("spacing_mm")
        unit_px = 1 / turn.spacing(SpacingMm(*pair)).column if pair else 1.0
        shown, wall = turn.size(size), info.get("chest_wall")
        width, height = shown.width / unit_px, shown.height / unit_px
        return cls(width, height, unit_px, bool(pair), wall == "right", wall is not None)

    def pose(self, view: View) -> Pose:
        """The pose of what the screen shows."""
        x = (view.x + view.width / view.scale / 2) / self.unit_px
        y = (view.y + view.height / view.scale / 2) / self.unit_px
        return Pose(view.scale * self.unit_px, self.width - x if self.wall_right else x, y - self.height / 2)

    def view(self, pose: Pose, width: int, height: int) -> View:
        """What a screen of ``width`` x ``height`` device pixels shows in a pose."""
        scale = pose.scale / self.unit_px
        x = (self.width - pose.depth if self.wall_right else pose.depth) * self.unit_px
        y = (pose.height + self.height / 2) * self.unit_px
        return View(x - width / scale / 2, y - height / scale / 2, scale, width, height)

    def fitting_scale(self, width: int, height: int) -> float:
        """Device pixels a unit at which the whole image just fits a screen."""
        return min(width / self.width, height / self.height) * MARGIN

    def home(self, scale: float, width: int) -> Pose:
        """The pose at a scale with the chest wall at the screen's edge; centred where nobody knows it."""
        return Pose(scale, width / scale / 2 if self.walled else self.width / 2, 0.0)


def quadrant(region: Region, number: int) -> Region:
    """Quarter ``number`` (0 to 3, row by row) of a region, a tenth wider so that nothing falls between two."""
    width, height = region.width * 0.55, region.height * 0.55
    x = region.x if number % 2 == 0 else region.right - width
    y = region.y if number < 2 else region.bottom - height
    return Region(round(x), round(y), round(width), round(height))
