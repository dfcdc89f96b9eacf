"""Marks as Shapely geometries and back: insides, outlines, distances.

Coordinates are stored level-0 pixels throughout, see :mod:`pathview.results.annotation`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import shapely

from pathview.errors import AnnotationError
from pathview.results.annotation import Mark, Point, Ring, chains

Bounds = tuple[float, float, float, float]
"""Left, top, right, bottom."""
Coordinates = npt.NDArray[np.float64]
"""float64 [n, 2]: x and y."""

GRID_PX = 1 / 16
"""Corners of regions lie on this grid: far finer than a hand draws, and no slivers are left between edits."""
_KEPT = "_shape"
"""Where a mark's geometry is kept beside its fields, which it follows from."""


def shape_of(mark: Mark) -> shapely.Geometry:
    """The geometry of a mark; valid, and made once for each mark.

    A point, a line, or for what has an inside a polygon or several. A polygon or freehand outline that crosses
    itself is its inside by the even-odd rule; an ellipse has 128 sides. What has too few points is empty.
    """
    kept: shapely.Geometry | None = mark.__dict__.get(_KEPT)
    if kept is None:
        kept = mark.__dict__[_KEPT] = _shape_of(mark)
    return kept


def _shape_of(mark: Mark) -> shapely.Geometry:
    if mark.kind == "region":
        return shapely.MultiPolygon([(part[0], part[1:]) for part in mark.rings])
    points = np.array(mark.points, float).reshape(-1, 2)
    if mark.kind == "point":
        return shapely.Point(points[0]) if len(points) else shapely.Point()
    if not mark.is_region:
        return shapely.LineString(points) if len(points) > 1 else shapely.LineString()
    if mark.kind == "rectangle" and len(points) == 2:
        return shapely.box(*points.min(axis=0), *points.max(axis=0))
    corners = np.array(chains(mark)[0]) if len(points) > 1 else points
    return _even_odd(corners)


def _even_odd(corners: Coordinates) -> shapely.Geometry:
    """The inside of a closed line, which may cross or retrace itself."""
    if len(corners) < 3:
        return shapely.Polygon()
    simple = shapely.Polygon(corners)
    if simple.is_valid:
        return simple
    crossings = shapely.union_all(shapely.LinearRing(corners))
    faces = shapely.get_parts(shapely.polygonize([crossings]))
    if not len(faces):
        return shapely.Polygon()
    middles = shapely.get_coordinates(shapely.point_on_surface(faces))
    return shapely.union_all(faces[[_odd(corners, x, y) for x, y in middles]])


def _odd(corners: Coordinates, x: float, y: float) -> bool:
    """Whether a closed line crosses the way from a point to the right an odd number of times."""
    ends = np.roll(corners, -1, axis=0)
    across = (corners[:, 1] <= y) != (ends[:, 1] <= y)
    (x0, y0), (x1, y1) = corners[across].T, ends[across].T
    return bool(np.count_nonzero(x0 + (y - y0) / (y1 - y0) * (x1 - x0) > x) % 2)


def inside(mark: Mark) -> shapely.Geometry:
    """The polygon or polygons of a mark.

    Raises:
        AnnotationError: it has no inside.
    """
    if not mark.is_region:
        raise AnnotationError(f"A {mark.kind} has no inside; choose an outline.")
    return shape_of(mark)


def with_shape(mark: Mark, shape: shapely.Geometry) -> Mark:
    """A mark as the region that a geometry is: the same id, frame, label and properties.

    Its rings are in an order of their own, so that equal shapes give equal rings.

    Args:
        mark: of any kind.
        shape: polygons, on the grid or not; lines and points in it are left out.

    Raises:
        AnnotationError: nothing is left that has an area.
    """
    found = region_or_none(mark, shapely.set_precision(_valid(shape), GRID_PX))
    if found is None:
        raise AnnotationError("Nothing is left of the shape.")
    return found


def region_or_none(mark: Mark, on_grid: shapely.Geometry) -> Mark | None:
    """As :func:`with_shape`, of a valid geometry that is on the grid already; None where no area is left."""
    polygons = polygons_in(shapely.normalize(on_grid))
    if not polygons:
        return None
    rings = tuple(tuple(_ring(line) for line in (part.exterior, *part.interiors)) for part in polygons)
    found = replace(mark, kind="region", points=(), rings=rings)
    found.__dict__[_KEPT] = shapely.MultiPolygon(polygons)
    return found


def _valid(shape: shapely.Geometry) -> shapely.Geometry:
    return shape if shape.is_valid else shapely.make_valid(shape)


def polygons_in(shape: shapely.Geometry) -> list[shapely.Polygon]:
    """The polygons of a geometry, however deep in collections; what has no area is left out."""
    parts = [shape]
    while any(hasattr(part, "geoms") for part in parts):
        parts = [inner for part in parts for inner in getattr(part, "geoms", (part,))]
    return [part for part in parts if isinstance(part, shapely.Polygon) and part.area > 0]


def _ring(line: shapely.LinearRing) -> Ring:
    return tuple(map(tuple, shapely.get_coordinates(line)[:-1].tolist()))


def contains(mark: Mark, point: Point) -> bool:
    """Whether a place lies inside a mark or on its outline; never of a mark without an inside."""
    return mark.is_region and bool(shapely.intersects_xy(shape_of(mark), *point))


def distance(mark: Mark, point: Point) -> float:
    """Stored pixels from a place to the nearest line of a mark, of a point to itself; infinite of an empty mark."""
    found = [shapely.LineString(chain) for chain in chains(mark) if len(chain) > 1]
    found += [shapely.Point(chain[0]) for chain in chains(mark) if len(chain) == 1]
    return min((float(line.distance(shapely.Point(point))) for line in found), default=math.inf)


def hit(marks: Iterable[Mark], point: Point, tolerance: float) -> Mark | None:
    """The mark under a place: the one whose line is nearest within a tolerance, else the smallest around it.

    Args:
        marks: of one frame.
        point: stored level-0 (x, y).
        tolerance: stored pixels.
    """
    candidates = tuple(marks)
    near = [(distance(mark, point), number) for number, mark in enumerate(candidates)]
    if near and min(near)[0] <= tolerance:
        return candidates[min(near)[1]]
    around = [mark for mark in candidates if contains(mark, point)]
    return min(around, key=lambda mark: mark.area_px, default=None)
