from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy

from pathview.errors import StoreError
from pathview.geometry import Region
from pathview.results.regions import TileRegion
from pathview.review.records.case import NewImage
from pathview.review.sql.database import Database
from pathview.review.store import Store
from tests.review.answer_makers import mosaic_result

TILE = TileRegion(Region(50, 0, 50, 50), Region(0, 0, 150, 150), 0.52, 7)
OTHER = TileRegion(Region(0, 0, 50, 50), Region(0, 0, 150, 150), 0.48, 1)


@pytest.fixture
def store(database: Database) -> Store:
    """Two mosaics of one case each, analysed."""
    found = Store(database)
    for name in ("a", "b"):
        info = {"kind": "histology", "patient_key": f"patient {name}"}
        found.add_case(name, name, "histology", [NewImage(Path("/data") / name, info, "f")], "r")
        found.save_result(found.case(found.find(name).case.id).images[0].id, mosaic_result(), "r")
    return found


def audits(rows) -> list[tuple]:
    return rows("SELECT action, actor, case_id FROM audit WHERE action LIKE '%answer%' ORDER BY id")


def table(rows) -> list[tuple]:
    return rows("SELECT x, y, value FROM answers ORDER BY id")


def test_that_an_answer_says_who_when_and_of_which_model(store: Store) -> None:
    kept = store.answers.add(1, 1, TILE, "positive", "Dr A")
    assert store.answers.of_image(1) == (kept,)
    assert (kept.region, kept.value, kept.reader) == (TILE.tile, "positive", "Dr A")
    assert (kept.probability, kept.place_count, kept.weights_sha256) == (0.52, 7, "weights")
    assert kept.created.tzinfo is not None
    assert kept.as_json()["region"] == [50, 0, 50, 50]
    assert store.answers.of_image(2) == ()


def test_that_a_later_answer_stands_and_both_are_kept(store: Store, rows) -> None:
    store.answers.add(1, 1, TILE, "positive", "Dr A")
    other = store.answers.add(1, 1, OTHER, "skip", "Dr A")
    last = store.answers.add(1, 1, TILE, "negative", "Dr B")
    assert store.answers.of_image(1) == (other, last)
    assert table(rows) == [(50, 0, "positive"), (0, 0, "skip"), (50, 0, "negative")]
    assert audits(rows) == [("answer", "Dr A", 1), ("answer", "Dr A", 1), ("answer", "Dr B", 1)]


def test_that_an_answer_that_is_taken_back_stays_in_the_table(store: Store, rows) -> None:
    store.answers.add(1, 1, TILE, "positive", "Dr A")
    back = store.answers.withdraw(1, TILE.tile, "Dr A")
    assert back.value is None
    assert store.answers.of_image(1) == ()
    assert table(rows) == [(50, 0, "positive"), (50, 0, None)]
    assert [row[0] for row in audits(rows)] == ["answer", "withdraw_answer"]
    with pytest.raises(StoreError, match="No answer stands"):
        store.answers.withdraw(1, TILE.tile, "Dr A")
    assert store.answers.add(1, 1, TILE, "negative", "Dr A") == store.answers.of_image(1)[0]


@pytest.mark.parametrize("change", ["UPDATE answers SET value = 'negative'", "DELETE FROM answers"])
def test_that_the_database_refuses_to_change_an_answer(store: Store, rows, change: str) -> None:
    store.answers.add(1, 1, TILE, "positive", "Dr A")
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
        rows(change)
    assert [answer.value for answer in store.answers.of_image(1)] == ["positive"]


def test_that_an_answer_needs_its_image_its_result_and_a_word(store: Store, rows) -> None:
    for image_id, result_id in ((99, 1), (1, 99), (1, 2)):
        with pytest.raises(StoreError, match="no result"):
            store.answers.add(image_id, result_id, TILE, "positive", "r")
    with pytest.raises(StoreError, match="An answer is one of"):
        store.answers.add(1, 1, TILE, "perhaps", "r")
    assert audits(rows) == []


def test_that_an_answer_and_its_audit_row_are_one(store: Store, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of power")

    with monkeypatch.context() as patched:
        patched.setattr("pathview.review.sql.audit.record", fail)
        with pytest.raises(RuntimeError):
            store.answers.add(1, 1, TILE, "positive", "r")
    assert store.answers.of_image(1) == ()


def test_that_answers_outlive_the_program_and_an_analysis(store: Store, place: Path | str) -> None:
    kept = store.answers.add(1, 1, TILE, "positive", "Dr A")
    store.save_result(1, mosaic_result(), "r")
    store.close()
    again = Store(Database(place))
    assert again.answers.of_case(1) == {1: (kept,)}
    again.close()


def test_that_labels_come_with_what_they_were_cut_by(store: Store) -> None:
    first = store.answers.add(1, 1, TILE, "positive", "Dr A")
    second = store.answers.add(2, 2, OTHER, "cant_tell", "Dr A")
    images = store.answers.labelled()
    assert [image.patient_key for image in images] == ["patient a", "patient b"]
    assert [[label.answer for label in image.labels] for image in images] == [[first], [second]]
    label = images[0].labels[0]
    assert (label.recipe, label.image_sha256, label.settings["input"]) == ("tiny-cnn", "pixels", [50, 50])
    assert [image.image.id for image in store.answers.labelled([2])] == [2]
    with pytest.raises(StoreError, match="no case 9"):
        store.answers.labelled([9])
