"""Marks out of GeoJSON as QuPath writes it, and as :mod:`pathview.export.geojson` does: level-0 pixels of one image."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import shapely
import shapely.geometry

from pathview.errors import AnnotationError, DataError
from pathview.geometry import Size
from pathview.results.annotation import Mark, MarkKind, Point
from pathview.results.annotation_shapes import shape_of, with_shape
from pathview.review.cases.labels import Label
from pathview.review.records.case import ImageRow

_MOST_BYTES = 512 * 2**20
_OWN = ("kind", "reader", "changed")
"""What the export writes beside a reader's own properties."""
_MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, shapely.errors.ShapelyError)
"""What comes of JSON that is not as features are."""
_GREY = (128, 128, 128)


@dataclass(frozen=True)
class ReadMarks:
    """What a file holds."""

    marks: tuple[Mark, ...]
    """Each with an id of its own, so that a file can be read into the store that it came from."""
    labels: tuple[Label, ...]
    """Those of the marks that were not known."""
    left_out: tuple[str, ...]
    """A sentence for each feature that PathView has no mark for."""

    def beside(self, there: Iterable[Mark]) -> ReadMarks:
        """Without the marks that are there already, of the same shape, frame and label."""
        known = {_form(mark) for mark in there}
        return replace(self, marks=tuple(mark for mark in self.marks if _form(mark) not in known))


def read_geojson(path: Path, image: ImageRow, labels: Iterable[Label]) -> ReadMarks:
    """Read the annotations of one image.

    A polygon is kept to the corner; one with holes, or of several parts, lies on a grid of 1/16 pixel afterwards. What
    PathView wrote comes back as the kind of mark that it was.

    Args:
        path: of the file: a collection of features, a list of them, or one.
        image: that they are put on.
        labels: that are known; names that differ in upper and lower case only are the same.

    Raises:
        DataError: the file cannot be read, is no GeoJSON, or is of another image; or the image cannot be read.
    """
    if "size" not in image.info:
        raise DataError(f"{image.title} cannot be read, so nothing can be put on it.")
    size, frames = Size(*image.info["size"]), int(image.info.get("frames") or 1)
    known = {label.name.casefold(): label for label in labels}
    marks: list[Mark] = []
    new: list[Label] = []
    left_out: list[str] = []
    for number, feature in enumerate(_features(path), start=1):
        where = f"Annotation {number} of {path.name}"
        try:
            label = _label(feature)
            mark = _mark(feature, frames)
        except _NoMark as reason:
            left_out.append(f"{where} was left out: {reason}.")
            continue
        except _MALFORMED as error:
            raise DataError(f"{where} cannot be read; nothing was taken of the file.") from error
        if not _meets(mark, size):
            raise DataError(f"{where} lies outside of the image, so the file is of another one; nothing was taken.")
        if label is not None and label.name.casefold() not in known:
            known[label.name.casefold()] = label
            new.append(label)
        name = known[label.name.casefold()].name if label is not None else ""
        marks.append(replace(mark, label=name))
    return ReadMarks(tuple(marks), tuple(new), tuple(left_out))


class _NoMark(Exception):
    """A feature that is well formed, and no mark."""


def _features(path: Path) -> Sequence[Any]:
    refusal = f"{path.name} is no GeoJSON file of annotations."
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path.name} is larger than {_MOST_BYTES // 2**20} MB; export fewer annotations.")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or 'input/output error'}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(refusal) from error
    if isinstance(found, dict):
        found = [found] if found.get("type") == "Feature" else found.get("features")
    if not isinstance(found, list):
        raise DataError(refusal)
    return found


def _mark(feature: Mapping[str, Any], frames: int) -> Mark:
    geometry, about = feature["geometry"], feature.get("properties") or {}
    if feature["type"] != "Feature" or not isinstance(about, dict):
        raise ValueError("no feature")
    frame = int((geometry.get("plane") or {}).get("z", 0))
    if not 0 <= frame < max(frames, 1):
        raise _NoMark(f"the image has no frame {frame + 1}")
    metadata = about.get("metadata") or about.get("measurements") or {}
    words = metadata if isinstance(metadata, dict) else {}
    properties = {str(key): str(value) for key, value in words.items() if key not in _OWN}
    if isinstance(about.get("name"), str) and about["name"]:
        properties["name"] = about["name"]
    shape = shapely.geometry.shape({"type": geometry["type"], "coordinates": geometry["coordinates"]})
    if not all(math.isfinite(value) for value in shapely.get_coordinates(shape).ravel().tolist()):
        raise ValueError("not finite")
    mark = replace(_drawn(shape, words.get("kind")), frame=frame, properties=properties)
    if not mark.measurable:
        raise _NoMark("it has no extent")
    return mark


def _drawn(shape: shapely.Geometry, kind: object) -> Mark:
    """The mark that a geometry is, as the kind that it was where it still is that."""
    if shape.is_empty:
        raise _NoMark("it is empty")
    points: tuple[Point, ...] = tuple((x, y) for x, y in shapely.get_coordinates(shape).tolist())
    if shape.geom_type == "Point":
        return Mark("point", points)
    if shape.geom_type == "LineString":
        kinds: dict[int, MarkKind] = {2: "ruler", 3: "angle"}
        if len(points) == 2 or (len(points) == 3 and kind == "angle"):
            return Mark(kinds[len(points)], points)
        raise _NoMark("PathView keeps no lines of several parts")
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise _NoMark(f"PathView keeps no {shape.geom_type}")
    corners = points[:-1]
    whole = shape.geom_type == "Polygon" and not shape.interiors
    if whole and kind in ("rectangle", "ellipse"):
        left, top, right, bottom = shape.bounds
        box = Mark(kind, ((left, top), (right, bottom)))
        if shapely.equals_exact(shape.normalize(), shape_of(box).normalize(), 1e-6):
            return box
    if whole and kind != "region" and shape.is_valid:
        return Mark("freehand" if kind == "freehand" else "polygon", corners)
    try:
        return with_shape(Mark("region", ()), shape)
    except AnnotationError as error:
        raise _NoMark("it has no extent") from error


def _label(feature: Mapping[str, Any]) -> Label | None:
    """Of a feature; of a classification of several names all of them, as QuPath writes it."""
    classification = (feature.get("properties") or {}).get("classification")
    if not classification:
        return None
    names = classification.get("names") or [classification["name"]]
    name = " ".join(": ".join(map(str, names)).split())
    color = classification.get("color", _GREY)
    if "colorRGB" in classification:
        color = (int(classification["colorRGB"]) & 0xFFFFFF).to_bytes(3, "big")
    red, green, blue = (min(max(int(part), 0), 255) for part in color)
    return Label(name[:80], f"#{red:02x}{green:02x}{blue:02x}") if name else None


def _meets(mark: Mark, size: Size) -> bool:
    """Whether anything of a mark lies on the image, or on its edge."""
    xs, ys = zip(*mark.corners, strict=True)
    return bool(min(xs) <= size.width and min(ys) <= size.height and max(xs) >= 0 and max(ys) >= 0)


def _form(mark: Mark) -> tuple[object, ...]:
    if mark.kind == "region":
        mark = with_shape(mark, shape_of(mark))  # its rings in one order
    return mark.kind, mark.frame, mark.label, tuple((round(x, 4), round(y, 4)) for x, y in mark.corners)
