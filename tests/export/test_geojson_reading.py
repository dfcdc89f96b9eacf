"""Annotations out of GeoJSON: what PathView wrote comes back, QuPath's are taken, and bad files are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pathview import cli
from pathview.errors import DataError
from pathview.export.geojson import write_geojson
from pathview.export.geojson_reading import ReadMarks, read_geojson
from pathview.results.annotation import Mark
from pathview.review.records.case import NewImage
from pathview.review.sql.database import Database
from pathview.review.store import Store

RING = [[10, 10], [50, 10], [50, 40], [10, 10]]
MARKS = (
    Mark("region", (), rings=((((0, 0), (90, 0), (90, 90), (0, 90)), ((30, 30), (60, 30), (60, 60))),), label="stroma"),
    Mark("region", (), rings=((((0, 0), (9, 0), (9, 9)),), (((20, 0), (30, 0), (30, 9)),))),
    Mark("point", ((3.5, 4.25),), frame=2, properties={"margin": "spiculated"}),
    Mark("ruler", ((0.3, 0.1), (3, 4))),
    Mark("angle", ((0, 0), (3, 4), (7, 1))),
    Mark("rectangle", ((1.1, 2.2), (3.3, 5.5)), label="mass"),
    Mark("ellipse", ((0.7, 0.2), (20.1, 10.9))),
    Mark("polygon", ((1.01, 1.02), (30.3, 4.04), (7.07, 28.8))),
    Mark("freehand", ((1.01, 1.02), (30.3, 4.04), (17.07, 28.8), (2, 9))),
)


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "cases.sqlite"


@pytest.fixture
def store(store_path: Path):
    found = Store(Database(store_path))
    image = NewImage(store_path.with_name("1.svs"), {"size": [100, 100], "frames": 3})
    found.add_case("a", "a", "histology", [image], "Dr A")
    yield found
    found.close()


def image_of(store: Store):
    (image,) = store.case(1).images
    return image


def read(store: Store, path: Path, content: Any) -> ReadMarks:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_geojson(path, image_of(store), store.labels.all())


def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "id": "any", "geometry": geometry, "properties": properties}


POLYGON = {"type": "Polygon", "coordinates": [RING]}


def test_that_what_was_written_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    store.marks.add_all(image_of(store).id, MARKS, "Dr A", "test")
    (stored,) = store.marks.of_case(1).values()
    write_geojson(tmp_path / "out.geojson", stored, store.labels.all())
    found = read_geojson(tmp_path / "out.geojson", image_of(store), store.labels.all())
    assert found.labels == found.left_out == ()
    for before, after in zip(MARKS, found.marks, strict=True):
        assert (after.kind, after.frame, after.label, after.properties) == (
            before.kind,
            before.frame,
            before.label,
            before.properties,
        )
        assert after.id != before.id
        assert after.area_px == pytest.approx(before.area_px)
        if before.kind != "ellipse":
            assert after.points == before.points
    assert np.allclose(found.marks[6].points, MARKS[6].points)
    assert found.beside(one.mark for one in stored).marks == ()


@pytest.mark.parametrize("wrap", ["collection", "list", "one"])
def test_that_a_file_of_qupath_is_taken(store: Store, tmp_path: Path, wrap: str) -> None:
    one = feature(
        {**POLYGON, "plane": {"c": -1, "z": 1, "t": 0}},
        objectType="annotation",
        name="Core 7",
        isLocked=True,
        classification={"name": "Immune: CD8", "color": [1, 20, 255]},
    )
    content = {"collection": {"type": "FeatureCollection", "features": [one]}, "list": [one], "one": one}[wrap]
    found = read(store, tmp_path / "q.geojson", content)
    (mark,) = found.marks
    assert mark.kind == "polygon"
    assert mark.points == ((10, 10), (50, 10), (50, 40))
    assert mark.frame == 1
    assert mark.properties == {"name": "Core 7"}
    assert mark.label == "Immune: CD8"
    assert [(label.name, label.color) for label in found.labels] == [("Immune: CD8", "#0114ff")]


def test_that_older_colours_and_several_names_are_taken_and_known_labels_are_not_made_again(
    store: Store, tmp_path: Path
) -> None:
    features = [
        feature(POLYGON, classification={"name": "Tumour", "colorRGB": -65536}),
        feature(POLYGON, classification={"names": ["a", "b"], "colorRGB": -65536}),
        feature(POLYGON, classification=None),
    ]
    found = read(store, tmp_path / "q.geojson", features)
    assert [mark.label for mark in found.marks] == ["tumour", "a: b", ""]
    assert [(label.name, label.color) for label in found.labels] == [("a: b", "#ff0000")]


def test_that_what_is_no_mark_is_left_out_and_told(store: Store, tmp_path: Path) -> None:
    features = [
        feature({"type": "LineString", "coordinates": [[1, 1], [2, 2], [3, 1], [9, 9]]}),
        feature({"type": "MultiPoint", "coordinates": [[1, 1], [2, 2]]}),
        feature({**POLYGON, "plane": {"z": 3}}),
        feature({"type": "Polygon", "coordinates": [[[1, 1], [2, 2], [3, 3], [1, 1]]]}),
        feature(POLYGON),
    ]
    found = read(store, tmp_path / "q.geojson", features)
    assert len(found.marks) == 1
    assert len(found.left_out) == 4
    assert "Annotation 3 of q.geojson was left out: the image has no frame 4." in found.left_out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no GeoJSON file"),
        ("{", "no GeoJSON file"),
        ("[" * 100_000, "no GeoJSON file"),
        ("7", "no GeoJSON file"),
        ({"type": "FeatureCollection"}, "no GeoJSON file"),
        ([7], "Annotation 1"),
        ([feature({"type": "Polygon"})], "Annotation 1"),
        ([feature({"type": "Polygon", "coordinates": [[["a", "b"], [1, 2], [2, 3], [1, 1]]]})], "Annotation 1"),
        ([feature({"type": "Polygon", "coordinates": [[[1, 1]]]})], "Annotation 1"),
        ([feature({"type": "Curve", "coordinates": [1, 2]})], "Annotation 1"),
        ([feature(None)], "Annotation 1"),
        ([feature({"type": "Point", "coordinates": [1, float("nan")]})], "Annotation 1"),
        ([feature({"type": "Point", "coordinates": [1, 1e999]})], "Annotation 1"),
        ([feature(POLYGON, classification={"name": "x", "color": "red"})], "Annotation 1"),
        ([feature(POLYGON, classification=7)], "Annotation 1"),
        ([feature({"type": "Point", "coordinates": [5000, 5000]})], "outside of the image"),
    ],
)
def test_that_a_bad_file_gets_one_sentence(store: Store, tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(DataError, match=words) as refused:
        read(store, tmp_path / "q.geojson", content)
    assert str(refused.value).count("\n") == 0
    assert "q.geojson" in str(refused.value)


def test_that_the_command_line_puts_a_file_on_an_image_once(store: Store, store_path: Path, capsys) -> None:
    source = store_path.with_name("q.geojson")
    source.write_text(json.dumps([feature(POLYGON, classification={"name": "new one", "color": [1, 2, 3]})]))
    store.close()
    call = ["cases", "import", "1", str(source), "--store", str(store_path), "--reader", "Dr B"]
    assert cli.run(call, lambda _: 0) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"image": 1, "annotations": 1, "already_there": 0, "left_out": 0, "labels": ["new one"]}
    assert cli.run(call, lambda _: 0) == 0
    assert json.loads(capsys.readouterr().out)["already_there"] == 1
    opened = Store(Database(store_path))
    ((mark,),) = opened.marks.of_case(1).values()
    opened.close()
    assert (mark.reader, mark.mark.label) == ("Dr B", "new one")
    source.write_text("no")
    assert cli.run(call, lambda _: 0) == 1
    assert "q.geojson is no GeoJSON file of annotations." in capsys.readouterr().err
