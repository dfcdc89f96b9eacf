from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy

from pathview.errors import StoreError
from pathview.results.measurement import Mark
from pathview.review.case import NewImage
from pathview.review.database import Database
from pathview.review.marks import Marks
from pathview.review.store import Store
from pathview.review.tables import MarkTable

RULER = Mark("ruler", ((0.1, 2.7), (1e3 / 3, -4.0)))
ROI = Mark("polygon", ((0, 0), (9, 0), (9, 9)), frame=31)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cases.sqlite"


@pytest.fixture
def database(path: Path):
    found = Database(path)
    yield found
    found.close()


@pytest.fixture
def marks(database: Database) -> Marks:
    return Marks(database)


@pytest.fixture
def images(database: Database) -> list[int]:
    """Two images of case 1 and one of case 2."""
    store = Store(database)
    for key, names in (("a", ("1.dcm", "2.dcm")), ("b", ("3.dcm",))):
        store.add_case(key, key, "mammogram", [NewImage(Path("/data") / name, {}) for name in names], "r")
    return [image.id for case in (1, 2) for image in store.case(case).images]


def audits(path: Path) -> list[tuple]:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT action, actor, case_id, detail FROM audit WHERE action LIKE '%mark' ")
        rows = found.fetchall()
    connection.close()
    return rows


def test_that_marks_come_back_as_they_were_drawn(marks: Marks, images: list[int]) -> None:
    drawn = [marks.add(images[0], RULER, "Dr A"), marks.add(images[0], ROI, "Dr B")]
    other = marks.add(images[1], Mark("angle", ((1, 2), (3, 4), (5, 6))), "Dr A")
    marks.add(images[2], Mark("ellipse", ((1, 2), (3, 4))), "Dr A")
    assert marks.of_case(1) == {images[0]: tuple(drawn), images[1]: (other,)}
    assert [stored.mark for stored in marks.of_case(1)[images[0]]] == [RULER, ROI]
    assert [stored.reader for stored in drawn] == ["Dr A", "Dr B"]
    assert marks.of_case(9) == {}


def test_that_marks_outlive_the_program(marks: Marks, images: list[int], database: Database, path: Path) -> None:
    stored = marks.add(images[0], RULER, "r")
    database.close()
    again = Database(path)
    assert Marks(again).of_case(1) == {images[0]: (stored,)}
    again.close()


def test_that_a_moved_mark_leaves_its_old_place_in_the_trail(marks: Marks, images: list[int], path: Path) -> None:
    first = marks.add(images[0], RULER, "Dr A")
    moved = marks.move(RULER.id, ((5, 5), (6, 7)), "Dr B")
    assert moved.mark.points == ((5, 5), (6, 7))
    assert (moved.reader, moved.created) == ("Dr A", first.created)
    assert moved.changed >= first.changed
    assert marks.of_case(1)[images[0]] == (moved,)
    (_, _, _, drawn), (action, actor, case_id, detail) = audits(path)
    assert (action, actor, case_id) == ("move_mark", "Dr B", 1)
    assert "333.3333333333333" in drawn
    assert "333.3333333333333" in detail
    assert RULER.id in detail


def test_that_a_removed_mark_is_kept_and_can_come_back(marks: Marks, images: list[int], path: Path) -> None:
    marks.add(images[0], RULER, "r")
    marks.remove(RULER.id, "r")
    assert marks.of_case(1) == {}
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*), count(removed) FROM marks").fetchone() == (1, 1)
    connection.close()
    assert marks.restore(RULER.id, "r").mark == RULER
    assert marks.of_case(1)[images[0]][0].mark == RULER
    assert [row[0] for row in audits(path)] == ["mark", "remove_mark", "restore_mark"]


def test_that_a_mark_that_is_not_there_is_told_and_leaves_no_trail(marks: Marks, images: list[int], path: Path) -> None:
    with pytest.raises(StoreError, match="no image 99"):
        marks.add(99, RULER, "r")
    for change in (
        lambda: marks.move(RULER.id, RULER.points, "r"),
        lambda: marks.remove(RULER.id, "r"),
        lambda: marks.restore(RULER.id, "r"),
    ):
        with pytest.raises(StoreError, match=r"no .*measurement"):
            change()
    assert audits(path) == []
    marks.add(images[0], RULER, "r")
    with pytest.raises(StoreError, match="no removed measurement"):
        marks.restore(RULER.id, "r")
    marks.remove(RULER.id, "r")
    with pytest.raises(StoreError, match="no measurement"):
        marks.move(RULER.id, RULER.points, "r")
    with pytest.raises(StoreError, match="no measurement"):
        marks.remove(RULER.id, "r")


def test_that_a_mark_and_its_audit_row_are_one(marks: Marks, images: list[int], path: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of power")

    with monkeypatch.context() as patched:
        patched.setattr("pathview.review.audit.record", fail)
        with pytest.raises(RuntimeError):
            marks.add(images[0], RULER, "r")
    assert marks.of_case(1) == {}
    assert marks.add(images[0], RULER, "r").mark == RULER


def test_that_the_migration_makes_the_table_that_the_program_knows(database: Database) -> None:
    with database.reading() as session:
        inspector = sqlalchemy.inspect(session.connection())
        columns = {column["name"]: column["nullable"] for column in inspector.get_columns("marks")}
        indexed = [index["column_names"] for index in inspector.get_indexes("marks")]
    assert columns == {column.name: column.nullable for column in MarkTable.__table__.columns}
    assert ["image_id"] in indexed
