from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
import shapely.geometry

from pathview import cli
from pathview.errors import OutputError
from pathview.export.geojson import feature_collection, write_geojson
from pathview.results.annotation import Mark
from pathview.review.records.case import NewImage
from pathview.review.sql.database import Database
from pathview.review.store import Store

HOLED = Mark(
    "region",
    (),
    rings=((((0, 0), (90, 0), (90, 90), (0, 90)), ((30, 30), (60, 30), (60, 60))), (((200, 0), (220, 0), (220, 9)),)),
    label="stroma",
    properties={"copied from": "model m, result 1, finding 2, threshold 0.5"},
)
MARKS = (
    HOLED,
    Mark("point", ((3.5, 4.25),), frame=7),
    Mark("ruler", ((0, 0), (3, 4))),
    Mark("rectangle", ((1, 2), (3, 5)), label="mass"),
    Mark("ellipse", ((0, 0), (20, 10))),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cases.sqlite"


@pytest.fixture
def store(path: Path):
    found = Store(Database(path))
    case_id = found.add_case("a", "a", "histology", [NewImage(path.with_name("1.svs"), {})], "Dr A")
    (image,) = found.case(case_id).images
    found.marks.add_all(image.id, MARKS, "Dr A", "test")
    yield found
    found.close()


def test_that_each_mark_is_a_feature_as_qupath_takes_it(store: Store) -> None:
    (marks,) = store.marks.of_case(1).values()
    features = feature_collection(marks, store.labels.all())["features"]
    assert [UUID(feature["id"]) for feature in features] == [UUID(mark.id) for mark in MARKS]
    assert {feature["properties"]["objectType"] for feature in features} == {"annotation"}
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
    assert [shape.geom_type for shape in shapes] == ["MultiPolygon", "Point", "LineString", "Polygon", "Polygon"]
    assert all(shape.is_valid for shape in shapes)
    assert shapes[0].area == HOLED.area_px
    assert shapes[3].bounds == (1, 2, 3, 5)
    assert (shapes[1].x, shapes[1].y) == (3.5, 4.25)
    assert features[1]["geometry"]["plane"] == {"c": -1, "z": 7, "t": 0}
    assert "plane" not in features[0]["geometry"]


def test_that_a_label_is_a_classification_with_its_colour(store: Store) -> None:
    store.labels.recolor("mass", "#010203", "r")
    (marks,) = store.marks.of_case(1).values()
    features = feature_collection(marks, store.labels.all())["features"]
    assert features[3]["properties"]["classification"] == {"name": "mass", "color": [1, 2, 3]}
    assert "classification" not in features[1]["properties"]
    metadata = features[0]["properties"]["metadata"]
    assert (metadata["kind"], metadata["reader"]) == ("region", "Dr A")
    assert metadata["copied from"] == HOLED.properties["copied from"]
    assert all(isinstance(value, str) for value in metadata.values())


def test_that_a_file_that_cannot_be_written_leaves_nothing(store: Store, tmp_path: Path) -> None:
    (marks,) = store.marks.of_case(1).values()
    with pytest.raises(OutputError, match=r"cannot be written to marks\.geojson"):
        write_geojson(tmp_path / "nowhere" / "marks.geojson", marks, ())
    (tmp_path / "marks.geojson").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_geojson(tmp_path / "marks.geojson", marks, ())
    assert not list(tmp_path.glob("*.partial"))


def test_that_the_command_line_writes_what_a_reader_may_see_and_audits_it(store: Store, path: Path, capsys) -> None:
    store.close()
    out = path.with_name("marks.geojson")
    asked = ["cases", "export", "1", "--out", str(out), "--store", str(path), "--reader", "Dr A"]
    assert cli.run(asked, lambda _: 0) == 0
    assert json.loads(capsys.readouterr().out)["annotations"] == len(MARKS)
    assert len(json.loads(out.read_text(encoding="utf-8"))["features"]) == len(MARKS)
    assert cli.run([*asked, "--format", "shapefile"], lambda _: 0) == 2
    assert cli.run([*asked[:2], "7", *asked[3:]], lambda _: 0) == 1
    assert "no case 7" in capsys.readouterr().err


def test_that_another_readers_marks_are_not_exported_where_they_are_hidden(path: Path, capsys) -> None:
    found = Store(Database(path))
    case_id = found.add_case("b", "b", "mammogram", [NewImage(path.with_name("1.dcm"), {})], "Dr A")
    (image,) = found.case(case_id).images
    found.marks.add(image.id, MARKS[2], "Dr A")
    found.marks.add(image.id, MARKS[3], "Dr B")
    found.close()
    out = path.with_name("marks.geojson")
    asked = ["cases", "export", str(case_id), "--out", str(out), "--store", str(path), "--reader", "Dr B"]
    assert cli.run(asked, lambda _: 0) == 0
    assert MARKS[2].id not in out.read_text(encoding="utf-8")
    assert [feature["id"] for feature in json.loads(out.read_text(encoding="utf-8"))["features"]] == [MARKS[3].id]
