"""From pixels to regions: the magic wand, a component of a model's mask, and outlines between two frames.

Outlines run along the edges of pixels, so that a region holds exactly the pixels that it was made of; a region with
fewer corners comes from :func:`pathview.results.annotation_edit.smoothed` afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import shapely

from pathview.errors import AnnotationError
from pathview.geometry import GridPlace, Region, Size
from pathview.jobs import CancelToken
from pathview.results.annotation import Mark, Point
from pathview.results.annotation_shapes import inside, with_shape
from pathview.results.findings import Finding
from pathview.results.mask import parts
from pathview.results.result import ScoreMap

Bools = npt.NDArray[np.bool_]

MOST_CORNERS = 100_000
"""Of an outline that is made of pixels; more is noise, and would take long to draw and to keep."""
_MOST_PIXELS = 2**26
"""Of a component that is looked at pixel by pixel; a larger one is looked at in coarser steps."""
_BETWEEN_SIDE = 1024
"""Cells along the longer side when outlines between two frames are sought."""


def outlined(mask: Bools, xs: npt.NDArray[Any], ys: npt.NDArray[Any]) -> shapely.Geometry:
    """The cells of a grid that are set, as polygons with holes along the cells' edges.

    Args:
        mask: bool [rows, columns].
        xs: [columns + 1], stored level-0 x of the cells' edges, rising.
        ys: [rows + 1], y of the edges.

    Returns:
        Polygons; cells that touch at a corner only are parts of their own.

    Raises:
        AnnotationError: the outline has too many corners.
    """
    padded = np.pad(mask, 1)
    above, below = padded[:-1, 1:-1], padded[1:, 1:-1]
    left, right = padded[1:-1, :-1].T, padded[1:-1, 1:].T
    # Runs of edges of one kind: where a kind ends, another line starts or crosses, so lines meet at ends only.
    across = [_runs(there & ~other) for there, other in ((above, below), (below, above))]
    down = [_runs(there & ~other) for there, other in ((left, right), (right, left))]
    lines = sum(len(runs) for runs in (*across, *down))
    if lines > MOST_CORNERS:
        raise AnnotationError(f"The outline would have {lines:,} corners; take less, or what is less noisy.")
    if not lines:
        return shapely.MultiPolygon()
    ends = [np.stack([xs[runs[:, 1:]], np.repeat(ys[runs[:, :1]], 2, axis=1)], axis=-1) for runs in across]
    ends += [np.stack([np.repeat(xs[runs[:, :1]], 2, axis=1), ys[runs[:, 1:]]], axis=-1) for runs in down]
    faces = shapely.get_parts(shapely.polygonize(shapely.linestrings(np.concatenate(ends).astype(float))))
    middles = shapely.get_coordinates(shapely.point_on_surface(faces))
    rows, columns = np.searchsorted(ys, middles[:, 1]) - 1, np.searchsorted(xs, middles[:, 0]) - 1
    return shapely.multipolygons(faces[mask[rows, columns]])


def _runs(edges: Bools) -> npt.NDArray[np.intp]:
    """Where edges follow each other: [n, 3] of line, start and end."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    lines, starts = np.nonzero(steps == 1)
    return np.stack([lines, starts, np.nonzero(steps == -1)[1]], axis=1)


def wand(
    pixels: npt.NDArray[Any], place: GridPlace, seed: Point, tolerance: float, blur: float = 0.0, frame: int = 0
) -> Mark:
    """The pixels that hang together with one (4 neighbours) and are about as bright, as a region.

    Args:
        pixels: codes of any type [rows, columns], or RGB [rows, columns, 3], as stored (not turned).
        place: where they lie on level 0; they may be of any level, or a part of one.
        seed: stored level-0 (x, y).
        tolerance: by how much a pixel may differ from the seed's, in each channel, limits included.
        blur: standard deviation in pixels of ``pixels`` by which they are smoothed before, against noise.
        frame: that they are of.

    Raises:
        AnnotationError: the seed lies beyond the pixels, or the outline has too many corners.
    """
    column, row = (int(np.floor(value)) for value in place.to_grid(*seed))
    rows, columns = pixels.shape[:2]
    if not (0 <= row < rows and 0 <= column < columns):
        raise AnnotationError("The wand was set beyond the image.")
    values = np.ascontiguousarray(pixels, np.uint8 if pixels.dtype == np.uint8 and not blur else np.float32)
    if blur > 0:
        values = cv2.GaussianBlur(values, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
    found = np.zeros((rows + 2, columns + 2), np.uint8)
    limits = (float(tolerance),) * 3
    flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | 1 << 8
    cv2.floodFill(values, found, (column, row), 0, limits, limits, flags)
    xs = place.x + np.arange(columns + 1) * place.cell_width
    ys = place.y + np.arange(rows + 1) * place.cell_height
    return with_shape(Mark("region", (), frame=frame), outlined(found[1:-1, 1:-1] == 1, xs, ys))


def component_of(
    probability: ScoreMap,
    threshold: float,
    size: Size,
    finding: Finding,
    model: str,
    result_id: int,
    frame: int = 0,
    cancel: CancelToken | None = None,
) -> Mark:
    """A place that a model marked, copied as a region of the reader's own.

    It holds the very pixels that the finding counts (of a place of more than 64 million pixels: in coarser steps).
    Its property ``copied from`` says where it is from.

    Args:
        probability: a result's map.
        threshold: that the finding was made with.
        size: level 0 of the image.
        finding: one of :func:`pathview.results.findings.findings` of this map and threshold.
        model: name of the recipe.
        result_id: of the result in the store.
        frame: that was analysed.
        cancel: asked between blocks of rows.

    Raises:
        AnnotationError: the map has no such place, or its outline has too many corners.
        Cancelled: after the user cancelled.
    """
    step = int(np.ceil(np.sqrt(finding.region.size.pixels / _MOST_PIXELS)))
    mask, xs, ys = _mask_in(probability, threshold, finding.region, max(1, step), cancel)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), None, 8, cv2.CV_32S)
    if len(stats) < 2:
        raise AnnotationError(f"The result has no finding {finding.number} at this threshold.")
    # Of several in its box the finding is the one that fills the box, since it gave the box its sides.
    label = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_WIDTH] * stats[1:, cv2.CC_STAT_HEIGHT]))
    words = f"model {model}, result {result_id}, finding {finding.number}, threshold {threshold:g}"
    mark = Mark("region", (), frame=frame, properties={"copied from": words})
    return with_shape(mark, outlined(labels == label, xs, ys))


def _mask_in(
    probability: ScoreMap, threshold: float, region: Region, step: int, cancel: CancelToken | None
) -> tuple[Bools, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What reaches a threshold inside a region, with the level-0 edges of its columns and rows."""
    place = probability.place
    if step > 1:
        coarse = GridPlace(place.x / step, place.y / step, place.cell_width / step, place.cell_height / step)
        probability = replace(probability, place=coarse)
        left, top = region.x // step, region.y // step
        region = Region(left, top, -(-region.right // step) - left, -(-region.bottom // step) - top)
    found = list(parts(probability, region, cancel))
    if not found:
        return np.zeros((1, 1), bool), np.arange(2), np.arange(2)
    mask = np.concatenate([part.values >= threshold for part in found])
    ys = np.concatenate([found[0].row_edges[:1], *(part.row_edges[1:] for part in found)])
    return mask, found[0].column_edges * step, ys * step


def between(first: Mark, last: Mark, frame: int) -> Mark:
    """An outline on a frame between two: their signed distances, mixed, with their middles moved onto one another.

    Args:
        first: with an inside.
        last: the same on another frame.
        frame: between theirs.

    Returns:
        A new region with the label and properties of the first, exact to 1/1024 of the longer side of both.

    Raises:
        AnnotationError: one has no inside, the frame is not between theirs, or nothing lies between them.
    """
    if not min(first.frame, last.frame) < frame < max(first.frame, last.frame):
        raise AnnotationError("Choose a frame between the two outlines.")
    share = (frame - first.frame) / (last.frame - first.frame)
    shapes = [inside(first), inside(last)]
    middles = [shapely.get_coordinates(shape.centroid)[0] for shape in shapes]
    middle = (1 - share) * middles[0] + share * middles[1]
    moved = [
        shapely.transform(shape, lambda points, by=middle - own: points + by)
        for shape, own in zip(shapes, middles, strict=True)
    ]
    left, top, right, bottom = shapely.total_bounds(moved)
    cell = max(right - left, bottom - top) / _BETWEEN_SIDE
    xs, ys = np.arange(left - 2 * cell, right + 3 * cell, cell), np.arange(top - 2 * cell, bottom + 3 * cell, cell)
    one, other = (_signed_distance(shape, xs, ys) for shape in moved)
    found = outlined((1 - share) * one + share * other > 0, xs, ys)
    new = Mark("region", (), frame=frame, label=first.label, properties=first.properties)
    return with_shape(new, shapely.simplify(found, cell))


def _signed_distance(
    shape: shapely.Geometry, xs: npt.NDArray[np.float64], ys: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Cells to the outline at the middle of each cell, positive inside: float32 [rows, columns]."""
    shapely.prepare(shape)
    middles = np.meshgrid((xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2)
    mask = shapely.contains_xy(shape, *middles).astype(np.uint8)
    away = [cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in (mask, 1 - mask)]
    return np.asarray(away[0] - away[1], np.float32)
