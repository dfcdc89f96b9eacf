from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest
import sqlalchemy

from pathview.errors import StoreError
from pathview.results.annotation import Mark
from pathview.results.annotation_edit import painted, split
from pathview.results.annotation_history import Change, History, Step
from pathview.review.cases.labels import Labels
from pathview.review.cases.marks import Marks
from pathview.review.records.case import NewImage
from pathview.review.sql.database import Database
from pathview.review.sql.mark_trail import versions_of
from pathview.review.sql.tables import AuditTable, MarkTable
from pathview.review.store import Store

RULER = Mark("ruler", ((0.1, 2.7), (1e3 / 3, -4.0)))
ROI = Mark("polygon", ((0, 0), (9, 0), (9, 9)), frame=31)
REGION = Mark(
    "region", (), rings=((((0, 0), (90, 0), (90, 90), (0, 90)), ((30, 30), (60, 30), (60, 60))),), label="stroma"
)


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


@pytest.fixture
def audits(rows):
    """What the trail says of marks: (action, actor, case, detail as text), the oldest first."""

    def read() -> list[tuple]:
        found = rows("SELECT action, actor, case_id, detail FROM audit WHERE action LIKE '%mark%' ORDER BY id")
        return [(*row[:3], row[3] if isinstance(row[3], str) else json.dumps(row[3])) for row in found]

    return read


def test_that_marks_come_back_as_they_were_drawn(marks: Marks, images: list[int]) -> None:
    drawn = [marks.add(images[0], RULER, "Dr A"), marks.add(images[0], ROI, "Dr B")]
    other = marks.add(images[1], Mark("angle", ((1, 2), (3, 4), (5, 6))), "Dr A")
    marks.add(images[2], Mark("ellipse", ((1, 2), (3, 4))), "Dr A")
    assert marks.of_case(1) == {images[0]: tuple(drawn), images[1]: (other,)}
    assert [stored.mark for stored in marks.of_case(1)[images[0]]] == [RULER, ROI]
    assert [stored.reader for stored in drawn] == ["Dr A", "Dr B"]
    assert marks.of_case(9) == {}


def test_that_marks_outlive_the_program(marks: Marks, images: list[int], database: Database, place: Path | str) -> None:
    stored = marks.add(images[0], RULER, "r")
    database.close()
    again = Database(place)
    assert Marks(again).of_case(1) == {images[0]: (stored,)}
    again.close()


def test_that_a_changed_mark_leaves_its_old_form_in_the_trail(marks: Marks, images: list[int], audits) -> None:
    first = marks.add(images[0], RULER, "Dr A")
    wanted = replace(RULER, points=((5, 5), (6, 7)), label="mass", properties={"margin": "sharp"})
    changed = marks.change(wanted, "Dr B")
    assert changed.mark == wanted
    assert (changed.reader, changed.created) == ("Dr A", first.created)
    assert changed.changed >= first.changed
    assert marks.of_case(1)[images[0]] == (changed,)
    _, (action, actor, case_id, detail) = audits()
    assert (action, actor, case_id) == ("change_mark", "Dr B", 1)
    assert "333.3333333333333" in detail
    assert RULER.id in detail


def test_that_a_region_with_holes_comes_back_as_it_was_drawn(marks: Marks, images: list[int]) -> None:
    stored = marks.add(images[0], REGION, "r")
    assert marks.of_case(1) == {images[0]: (stored,)}
    assert stored.mark == REGION
    brushed = painted(REGION, [(50, 50), (100, 3)], 7)
    marks.change(brushed, "r")
    assert marks.of_case(1)[images[0]][0].mark == brushed


def test_that_only_one_readers_marks_are_asked_for(marks: Marks, images: list[int]) -> None:
    mine, hers = marks.add(images[0], RULER, "Dr A"), marks.add(images[1], ROI, "Dr B")
    assert marks.of_case(1, "Dr A") == {images[0]: (mine,)}
    assert marks.of_case(1, "Dr B") == {images[1]: (hers,)}
    assert marks.of_case(1, "Dr C") == {}


def test_that_every_form_of_a_mark_is_rebuilt_from_the_trail(marks: Marks, images: list[int], audits) -> None:
    forms: list[Mark] = [replace(RULER, kind="region", points=(), rings=REGION.rings)]
    marks.add(images[0], forms[0], "r")
    for number in range(1, 30):
        forms.append(painted(forms[-1], [(30 * number, 9 * number), (40 * number, 1)], 11 + number))
        marks.change(forms[-1], f"r{number}")
    marks.remove(RULER.id, "r")
    marks.restore(RULER.id, "r")
    versions = marks.trails(1)[RULER.id]
    assert [version.mark for version in versions] == [*forms, None, forms[-1]]
    assert [version.reader for version in versions[:3]] == ["r", "r1", "r2"]
    assert all(version.genuine for version in versions)
    assert len(audits()[29][3]) < len(json.dumps(forms[28].as_json()))


def test_that_a_mark_changed_behind_the_programs_back_is_not_genuine() -> None:
    when = datetime(2030, 1, 1, tzinfo=UTC)
    entry = AuditTable(action="mark", actor="r", created=when, detail={"sha256": RULER.digest()})
    (version,) = versions_of(replace(RULER, frame=1), False, "r", when, [entry])
    assert not version.genuine


def test_that_a_renamed_label_leaves_the_history_genuine(marks: Marks, images: list[int], database: Database) -> None:
    marks.add(images[0], replace(RULER, label="mass"), "r")
    marks.change(replace(RULER, label="mass", points=((0, 0), (1, 1))), "r")
    Labels(database).rename("mass", "tumor mass", "r")
    assert all(version.genuine for version in marks.trails(1)[RULER.id])


def test_that_many_marks_come_in_one_piece_under_one_audit_row(marks: Marks, images: list[int], audits) -> None:
    many = [Mark("point", ((n, n / 3),), label="mass") for n in range(1200)]
    assert marks.add_all(images[0], many, "Dr A", "nuclei.geojson") == 1200
    assert [stored.mark for stored in marks.of_case(1)[images[0]]] == many
    (row,) = audits()
    assert row[:3] == ("add_marks", "Dr A", 1)
    assert json.loads(row[3])["marks"] == 1200
    (version,) = marks.trails(1)[many[7].id]
    assert (version.mark, version.reader, version.action) == (many[7], "Dr A", "add_marks")


@pytest.mark.parametrize("bad", ["twice", "stored", "unfinished", "label"])
def test_that_of_many_marks_all_or_none_come(bad: str, marks: Marks, images: list[int], audits) -> None:
    marks.add(images[1], ROI, "r")
    before = audits()
    added = {
        "twice": RULER,
        "stored": ROI,
        "unfinished": Mark("polygon", ((1, 1),)),
        "label": Mark("point", ((1, 1),), label="unheard of"),
    }
    with pytest.raises(StoreError, match=r"same id|not finished|no label"):
        marks.add_all(images[0], [RULER, Mark("point", ((1, 1),)), added[bad]], "r", "test")
    assert images[0] not in marks.of_case(1)
    assert audits() == before


def test_that_a_mark_that_is_not_finished_or_has_no_label_is_refused(marks: Marks, images: list[int]) -> None:
    marks.add(images[0], RULER, "r")
    with pytest.raises(StoreError, match="ruler is not finished"):
        marks.change(replace(RULER, points=((1, 1), (1, 1))), "r")
    with pytest.raises(StoreError, match="no label 'unheard of'"):
        marks.change(replace(RULER, label="unheard of"), "r")
    with pytest.raises(StoreError, match="same id"):
        marks.add(images[1], RULER, "r")
    assert [stored.mark for stored in marks.of_case(1)[images[0]]] == [RULER]


def test_that_each_gesture_and_its_undo_are_kept(marks: Marks, images: list[int], audits) -> None:
    history = History()
    pieces = split(Mark("rectangle", ((0, 0), (90, 90))), [(30, -5), (30, 95)])
    box = replace(pieces[0], kind="rectangle", points=((0, 0), (90, 90)), rings=())

    def kept() -> set[Mark]:
        return {stored.mark for stored in marks.of_case(1).get(images[0], ())}

    def gesture(name: str, *changes: Change) -> None:
        marks.apply(Step(name, changes), "r")
        history.do(name, changes)

    states = [kept()]
    gesture("rectangle", Change(images[0], None, box))
    states.append(kept())
    gesture("split", Change(images[0], box, pieces[0]), Change(images[0], None, pieces[1]))
    states.append(kept())
    gesture("remove", Change(images[0], pieces[0], None), Change(images[0], pieces[1], None))
    states.append(kept())
    assert states == [set(), {box}, set(pieces), set()]
    for wanted in reversed(states[:-1]):
        marks.apply(history.undo(), "r")
        assert kept() == wanted
    for wanted in states[1:]:
        marks.apply(history.redo(), "r")
        assert kept() == wanted
    gestures = [json.loads(row[3])["gesture"] for row in audits()]
    assert [name for name, _ in groupby(gestures)] == [
        *("rectangle", "split", "remove"),
        *("undo remove", "undo split", "undo rectangle"),
        *("redo rectangle", "redo split", "redo remove"),
    ]
    assert all(version.genuine for version in marks.trails(1)[box.id])


def test_that_a_step_that_cannot_be_kept_whole_is_not_kept(marks: Marks, images: list[int], audits) -> None:
    marks.add(images[0], RULER, "Dr A")
    marks.change(replace(RULER, points=((1, 1), (2, 2))), "Dr B")
    before = audits()
    other = Mark("point", ((5, 5),))
    for stale in (Change(images[0], RULER, None), Change(images[0], RULER, replace(RULER, points=((0, 0), (1, 0))))):
        with pytest.raises(StoreError, match="Somebody else has changed this annotation"):
            marks.apply(Step("brush", (Change(images[0], None, other), stale)), "Dr A")
    assert audits() == before
    assert [stored.mark.id for stored in marks.of_case(1)[images[0]]] == [RULER.id]


def test_that_more_than_two_hundred_steps_are_undone_in_the_store(marks: Marks, images: list[int]) -> None:
    history, mark = History(), REGION
    marks.add(images[0], mark, "r")
    for number in range(220):
        if number < 8:
            after = painted(mark, [(100 + 9 * number, 40)], 6)
        else:
            after = replace(mark, properties={"grade": str(number)})
        changes = (Change(images[0], mark, after),)
        marks.apply(Step("brush", changes), "r")
        history.do("brush", changes)
        mark = after
    assert len(history) == 220
    while (step := history.undo()) is not None:
        marks.apply(step, "r")
    assert marks.of_case(1)[images[0]][0].mark == REGION


def test_that_a_removed_mark_is_kept_and_can_come_back(marks: Marks, images: list[int], audits, rows) -> None:
    marks.add(images[0], RULER, "r")
    marks.remove(RULER.id, "r")
    assert marks.of_case(1) == {}
    assert rows("SELECT count(*), count(removed) FROM marks") == [(1, 1)]
    assert marks.restore(RULER.id, "r").mark == RULER
    assert marks.of_case(1)[images[0]][0].mark == RULER
    assert [row[0] for row in audits()] == ["mark", "remove_mark", "restore_mark"]


def test_that_a_mark_that_is_not_there_is_told_and_leaves_no_trail(marks: Marks, images: list[int], audits) -> None:
    with pytest.raises(StoreError, match="no image 99"):
        marks.add(99, RULER, "r")
    for change in (
        lambda: marks.change(RULER, "r"),
        lambda: marks.remove(RULER.id, "r"),
        lambda: marks.restore(RULER.id, "r"),
    ):
        with pytest.raises(StoreError, match=r"no .*measurement"):
            change()
    assert audits() == []
    marks.add(images[0], RULER, "r")
    with pytest.raises(StoreError, match="no removed measurement"):
        marks.restore(RULER.id, "r")
    marks.remove(RULER.id, "r")
    with pytest.raises(StoreError, match="no measurement"):
        marks.change(RULER, "r")
    with pytest.raises(StoreError, match="no measurement"):
        marks.remove(RULER.id, "r")


def test_that_a_mark_and_its_audit_row_are_one(marks: Marks, images: list[int], monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of power")

    with monkeypatch.context() as patched:
        patched.setattr("pathview.review.sql.audit.record", fail)
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
