"""Changes of marks with an inside: brush, eraser, merge, split, smooth, simplify.

All are pure: a mark goes in, another comes out, with the same id, label and properties where it is the same thing
changed. Lengths are stored level-0 pixels. What comes out lies on a grid of 1/16 pixel
(:data:`pathview.results.annotation_shapes.GRID_PX`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import numpy as np
import shapely
import shapely.ops

from pathview.errors import AnnotationError
from pathview.jobs import CancelToken, checkpoint, never
from pathview.results.annotation import Mark, Point
from pathview.results.annotation_shapes import GRID_PX, Coordinates, inside, polygons_in, region_or_none, with_shape

BRUSH_TOLERANCE = 0.02
"""How far the outline of a stroke may lie from a true one, in radii of the brush."""
AREA_KEPT = 0.02
"""Smoothing changes the area inside each outline and each hole by no more than this share of it."""
_ROUNDNESS = 8
_SOFTER = 4
"""How often a radius that is too large for an outline is halved."""
LEAST_PIECE_PX = 1.0
"""Area of one stored pixel: what a cut leaves of less is no piece."""
_CHAIN, _CHAINS = 32, 64
"""Edges that are widened as one line, and such lines between two looks at whether to stop."""


def stroke(path: Sequence[Point], radius: float) -> shapely.Geometry:
    """What a round brush covers on its way.

    Args:
        path: the pointer's places, one or more.
        radius: of the brush.

    Raises:
        AnnotationError: there is no place, or no radius.
    """
    if not path or not radius > 0:
        raise AnnotationError("A brush needs a place and a radius.")
    places = _placed(path)
    line = shapely.LineString(places) if len(places) > 1 else shapely.Point(places[0])
    tolerance = BRUSH_TOLERANCE * radius
    covered = shapely.simplify(line, tolerance / 2).buffer(radius, quad_segs=_ROUNDNESS)
    return shapely.simplify(covered, tolerance / 2)


def painted(mark: Mark | None, path: Sequence[Point], radius: float) -> Mark:
    """A mark with a brush stroke added; None: a new region, of frame 0 and without a label.

    Raises:
        AnnotationError: the mark has no inside, or there is no stroke.
    """
    covered = stroke(path, radius)
    if mark is None:
        return with_shape(Mark("region", ()), covered)
    before = inside(mark)
    # What is covered already stays as it is, to the corner.
    if before.covers(covered):
        return mark
    return region_or_none(mark, shapely.union(before, covered, grid_size=GRID_PX)) or mark


def erased(mark: Mark, path: Sequence[Point], radius: float) -> Mark | None:
    """A mark without what a brush stroke covers; the same mark where that is nothing of it.

    Returns:
        None where nothing is left: the mark is to be removed.

    Raises:
        AnnotationError: the mark has no inside, or there is no stroke.
    """
    covered, before = stroke(path, radius), inside(mark)
    if not before.intersects(covered):
        return mark
    return region_or_none(mark, shapely.difference(before, covered, grid_size=GRID_PX))


def merged(marks: Sequence[Mark]) -> Mark:
    """All that lies inside any of several marks, as the first of them; the others are to be removed.

    Raises:
        AnnotationError: there are fewer than two, they are on different frames, or one has no inside.
    """
    if len(marks) < 2:
        raise AnnotationError("Choose two or more outlines to merge.")
    if len({mark.frame for mark in marks}) > 1:
        raise AnnotationError("Outlines on different frames cannot be merged.")
    return with_shape(marks[0], shapely.union_all([inside(mark) for mark in marks], grid_size=GRID_PX))


def split(mark: Mark, line: Sequence[Point]) -> tuple[Mark, ...]:
    """A mark cut along a line: the largest piece, with all that the line leaves whole, keeps its id.

    Args:
        mark: with an inside.
        line: two or more points; it has to enter and to leave.

    Returns:
        Two or more, the one with the mark's own id first; the others are new, with its label and properties. Pieces
        smaller than a stored pixel, which nobody would see, are not kept.

    Raises:
        AnnotationError: the mark has no inside, or the line does not cut it.
    """
    whole, fresh = [], []
    cut = shapely.LineString(_placed(line)) if len(line) > 1 else shapely.LineString()
    for polygon in polygons_in(inside(mark)):
        parts = polygons_in(shapely.ops.split(polygon, cut)) if cut.crosses(polygon) else [polygon]
        pieces = [part for part in parts if part.area >= LEAST_PIECE_PX]
        if len(pieces) < 2:
            whole.append(polygon)
        fresh += pieces if len(pieces) > 1 else []
    if not fresh:
        raise AnnotationError("The line does not cut the region from side to side, so nothing was changed.")
    fresh.sort(key=lambda piece: -piece.area)
    first = with_shape(mark, shapely.MultiPolygon([*whole, fresh[0]]))
    return first, *(_another(mark, piece) for piece in fresh[1:])


def _another(mark: Mark, shape: shapely.Geometry) -> Mark:
    return replace(with_shape(mark, shape), id=str(uuid4()))


def filled(mark: Mark) -> Mark:
    """A mark without its holes.

    Raises:
        AnnotationError: it has no inside.
    """
    return with_shape(mark, shapely.union_all([shapely.Polygon(part.exterior) for part in polygons_in(inside(mark))]))


def simplified_line(points: Sequence[Point], tolerance: float) -> tuple[Point, ...]:
    """A line drawn by hand with fewer points, the first and the last among them.

    Args:
        points: two or more, else they are given back.
        tolerance: how far the line may move.
    """
    if len(points) < 3:
        return tuple(points)
    line = shapely.simplify(shapely.LineString(points), tolerance, preserve_topology=False)
    return tuple((x, y) for x, y in shapely.get_coordinates(line).tolist())


def smoothed(mark: Mark, radius: float, cancel: CancelToken | None = None) -> Mark:
    """A mark with rounded outlines: what is narrower than the radius is gone, outwards and inwards.

    The area inside each outline and each hole stays within 2 % (:data:`AREA_KEPT`), and none of them goes, falls
    apart or joins another: where the radius is too large for that, a smaller one is taken, down to a sixteenth; what
    is smaller still stays as it is.

    Args:
        mark: with an inside.
        radius: of the round that runs along the outline.
        cancel: asked every few milliseconds; None: it goes on to its end.

    Raises:
        AnnotationError: it has no inside, or there is no radius.
        Cancelled: it was asked to stop.
    """
    if not radius > 0:
        raise AnnotationError("Smoothing needs a radius.")
    stop = cancel if cancel is not None else never()
    parts = []
    for polygon in polygons_in(inside(mark)):
        holes = [_rounded(shapely.Polygon(hole), radius, stop) for hole in polygon.interiors]
        parts.append(_rounded(shapely.Polygon(polygon.exterior), radius, stop).difference(shapely.union_all(holes)))
    return with_shape(mark, shapely.union_all(parts))


def _rounded(outline: shapely.Polygon, radius: float, cancel: CancelToken) -> shapely.Polygon:
    for halving in range(_SOFTER + 1):
        r = radius / 2**halving
        shape = outline
        for by in (r, -2 * r, r):
            shape = _grown(shape, by, r * BRUSH_TOLERANCE / 4, cancel)
        for _ in range(3):  # grown or shrunk until it holds what the outline held
            by = (outline.area - shape.area) / shape.length if shape.length else 0.0
            shape = _grown(shape, by, r * BRUSH_TOLERANCE / 4, cancel)
        kept = abs(shape.area - outline.area) <= AREA_KEPT * outline.area
        if kept and isinstance(shape, shapely.Polygon) and not shape.interiors:
            return shapely.simplify(shape, r * BRUSH_TOLERANCE)
    return outline


def _grown(shape: shapely.Geometry, by: float, tolerance: float, cancel: CancelToken) -> shapely.Geometry:
    """A shape with all that is nearer to its outline than ``by``; without it, where that is negative.

    As ``shape.buffer(by)`` up to a tolerance. That takes a minute for ten thousand teeth beside one another, since each
    is widened across its neighbours and all is untangled at once; here a few edges at a time are.
    """
    if abs(by) <= tolerance:
        return shape
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_rings(shape)]
    chains = [
        shapely.LineString(ring[start : start + _CHAIN + 1])
        for ring in rings
        for start in range(0, len(ring) - 1, _CHAIN)
    ]
    bands = []
    for start in range(0, len(chains), _CHAINS):
        checkpoint(cancel)
        wide = shapely.buffer(chains[start : start + _CHAINS], abs(by), quad_segs=_ROUNDNESS)
        bands.append(shapely.union_all(shapely.simplify(wide, tolerance)))
    band = shapely.union_all(bands)
    checkpoint(cancel)
    return shapely.simplify(shape.union(band) if by > 0 else shape.difference(band), tolerance)


def _placed(points: Sequence[Point]) -> Coordinates:
    """Points on the grid, float64 [n, 2]."""
    return np.asarray(np.round(np.array(points, float) / GRID_PX) * GRID_PX)
