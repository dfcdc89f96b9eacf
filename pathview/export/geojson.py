"""Marks as GeoJSON that QuPath opens: one feature a mark, in level-0 pixels, with its label as classification."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import shapely.geometry

from pathview.errors import OutputError
from pathview.results.annotation_shapes import shape_of
from pathview.review.cases.labels import Label
from pathview.review.cases.marks import StoredMark
from pathview.settings import INVESTIGATIONAL

_NO_COLOR = (128, 128, 128)
"""Of a label that has none: QuPath takes no classification without a colour."""


def write_geojson(path: Path, marks: Iterable[StoredMark], labels: Iterable[Label]) -> int:
    """Write marks of one image; how many there were. A file that is there is replaced once the new one is whole.

    Raises:
        OutputError: the file cannot be written.
    """
    found = feature_collection(marks, labels)
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(json.dumps(found) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"The annotations cannot be written to {path.name}: {error.strerror}.") from error
    return len(found["features"])


def feature_collection(marks: Iterable[StoredMark], labels: Iterable[Label]) -> dict[str, Any]:
    """Marks of one image as GeoJSON: stored level-0 pixels, origin at the outer corner of the top left one.

    An ellipse is a polygon of 128 sides. Kind, reader, time and the reader's own properties are its metadata.
    """
    colors = {label.name: label.rgb for label in labels}
    features = [_feature(stored, colors) for stored in marks]
    return {"type": "FeatureCollection", "note": INVESTIGATIONAL, "features": features}


def _feature(stored: StoredMark, colors: Mapping[str, tuple[int, int, int]]) -> dict[str, Any]:
    mark = stored.mark
    geometry = dict(shapely.geometry.mapping(shape_of(mark)))
    if mark.frame:
        geometry["plane"] = {"c": -1, "z": mark.frame, "t": 0}
    about = {"kind": mark.kind, "reader": stored.reader, "changed": stored.changed.isoformat()}
    properties: dict[str, Any] = {"objectType": "annotation", "metadata": {**mark.properties, **about}}
    if mark.label:
        color = colors.get(mark.label, _NO_COLOR)
        properties["classification"] = {"name": mark.label, "color": list(color)}
    return {"type": "Feature", "id": mark.id, "geometry": geometry, "properties": properties}
