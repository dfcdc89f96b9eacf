"""What a reader draws on an image: one record for every kind of mark, and its form as JSON.

Points are stored level-0 pixels, origin at the outer corner of the top left pixel, so that pixel (column, row)
has its centre at (column + 0.5, row + 0.5). Nothing here depends on how an image is turned to be looked at.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

import numpy as np

from pathview.errors import AnnotationError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MarkKind = Literal["point", "ruler", "angle", "rectangle", "ellipse", "polygon", "freehand", "region"]
Point = tuple[float, float]
Ring = tuple[Point, ...]
"""Corners of a closed line in order; the first is not repeated at the end."""
Rings = tuple[tuple[Ring, ...], ...]
"""Parts of a region, each its outline and then its holes."""

_WITH_INSIDE = ("rectangle", "ellipse", "polygon", "freehand", "region")
_NEEDED = {"point": 1, "ruler": 2, "angle": 3, "rectangle": 2, "ellipse": 2, "polygon": 3, "freehand": 3}
_ELLIPSE_SIDES = 128
"""The line of an ellipse as a polygon: off by less than 1/3000 of its half axes."""
_LEAST_AREA_PX = 1e-3
"""What is less is a line, but for rounding."""


@dataclass(frozen=True)
class Mark:
    """What a reader drew on one frame of an image.

    ``points``, stored level-0 (x, y): of a point its place; of a ruler its 2 ends; of an angle 3, the vertex in the
    middle; of a rectangle 2 opposite corners; of an ellipse 2 opposite corners of the rectangle around it; of a
    polygon its 3 or more corners in order, its inside by the even-odd rule; of a freehand outline, which is closed
    from its last point to its first, the same as of a polygon. While it is drawn there may be fewer. A region has
    none: it is its ``rings``.
    """

    __pydantic_config__ = {"extra": "forbid", "allow_inf_nan": False}

    kind: MarkKind
    points: tuple[Point, ...]
    id: str = field(default_factory=lambda: str(uuid4()))
    frame: int = 0
    rings: Rings = ()
    """Of a region: parts that do not overlap, each its outline and then its holes."""
    label: str = ""
    """Name of a label, or empty."""
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Words of the reader's own by name, and where a copy was taken from."""

    @property
    def is_region(self) -> bool:
        """Whether it has an inside."""
        return self.kind in _WITH_INSIDE

    @property
    def corners(self) -> Iterator[Point]:
        """Every point of it: of a region those of all its rings."""
        yield from self.points
        for part in self.rings:
            for ring in part:
                yield from ring

    @property
    def measurable(self) -> bool:
        """Whether there is anything to measure: points enough, and a length, two arms or an area."""
        points, needed = self.points, _NEEDED.get(self.kind, 0)
        if not all(math.isfinite(value) for point in self.corners for value in point):
            return False
        if len(points) < needed or (len(points) > needed and self.kind not in ("polygon", "freehand")):
            return False
        if self.kind == "ruler":
            return points[0] != points[1]
        if self.kind == "angle":
            return points[1] not in (points[0], points[2])
        return self.kind == "point" or self.area_px > _LEAST_AREA_PX

    @property
    def area_px(self) -> float:
        """Level-0 pixels inside; 0 of what has no inside."""
        if self.kind in ("rectangle", "ellipse"):
            (x0, y0), (x1, y1) = self.points
            return (math.pi / 4 if self.kind == "ellipse" else 1.0) * abs((x1 - x0) * (y1 - y0))
        if not self.is_region:
            return 0.0
        from pathview.results.annotation_shapes import shape_of  # Shapely takes a moment: the window starts without

        return float(shape_of(self).area)

    def as_json(self) -> dict[str, Any]:
        """All of it, also of an unfinished one; :meth:`from_json` reads it."""
        return {"id": self.id, "kind": self.kind, "frame": self.frame} | self.content()

    def content(self) -> dict[str, Any]:
        """What can be changed of it, as the store and the audit trail write it."""
        return {
            "points": [[float(x), float(y)] for x, y in self.points],
            "rings": [[[[float(x), float(y)] for x, y in ring] for ring in part] for part in self.rings],
            "label": self.label,
            "properties": dict(self.properties),
        }

    @staticmethod
    def from_json(data: Any) -> Mark:
        """A mark, finished or not, from what :meth:`as_json` wrote.

        Raises:
            AnnotationError: it is anything else: a field is missing, unknown or of another type, a number is not
                finite, or a ring has fewer than three corners.
        """
        from pydantic import ValidationError

        try:
            # As text, since there an array may be a tuple while all else is taken strictly.
            mark = _adapter().validate_json(json.dumps(data), strict=True)
            UUID(mark.id)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "all of it"
            raise AnnotationError(f"An annotation cannot be read: {where}: {first['msg']}.") from error
        except (TypeError, ValueError) as error:
            raise AnnotationError(f"An annotation cannot be read: {error}.") from error
        if mark.frame < 0 or any(not part or min(map(len, part)) < 3 for part in mark.rings):
            raise AnnotationError(f"The annotation {mark.id} cannot be read: it is no shape on a frame of an image.")
        if bool(mark.rings) and mark.kind != "region":
            raise AnnotationError(f"The annotation {mark.id} cannot be read: a {mark.kind} has no rings.")
        return mark

    def digest(self) -> str:
        """SHA-256 of all but its label, which may be given another name: hexadecimal digits."""
        content = {name: value for name, value in self.as_json().items() if name != "label"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def chains(mark: Mark) -> list[Sequence[Point]]:
    """The lines of a mark as chains of points, as they are drawn: closed ones end where they start.

    Returns:
        Of a region one chain for each ring; of an ellipse a chain of 128 sides; of a point its place; else one
        chain, empty where nothing was drawn yet.
    """
    points = mark.points
    if mark.kind == "region":
        return [(*ring, ring[0]) for part in mark.rings for ring in part]
    if mark.kind in ("rectangle", "ellipse") and len(points) == 2:
        (x0, y0), (x1, y1) = points
        if mark.kind == "rectangle":
            return [((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))]
        turn = np.linspace(0, 2 * np.pi, _ELLIPSE_SIDES + 1)
        xs = (x0 + x1) / 2 + (x1 - x0) / 2 * np.cos(turn)
        ys = (y0 + y1) / 2 + (y1 - y0) / 2 * np.sin(turn)
        return [list(zip(xs.tolist(), ys.tolist(), strict=True))]
    closed = mark.kind in ("polygon", "freehand") and len(points) > 2
    return [(*points, points[0]) if closed else points]


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Mark]:
    from pydantic import TypeAdapter

    return TypeAdapter(Mark)
