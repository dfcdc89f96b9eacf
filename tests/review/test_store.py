from __future__ import annotations

import os
import sqlite3
import stat
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy

from pathview.errors import StoreError
from pathview.geometry import GridPlace, Region, Size, SpacingMm
from pathview.results.mask import MaskStats
from pathview.results.result import AnalysisResult, Flag, NotAnalysed, Place, Provenance, ScoreMap, Stage
from pathview.review.reading.worklist_query import WorklistQuery
from pathview.review.records.case import CaseRow, NewImage, Order, position_of
from pathview.review.sql.base import Base
from pathview.review.sql.database import Database
from pathview.review.sql.verifying import verify_store
from pathview.review.store import Store
from tests.review import first_version


def a_case(store: Store, key: str = "a", images: int = 1) -> int:
    new = [NewImage(Path(f"/data/{key}{i}.dcm"), {"kind": "mammogram", "size": [4, 4]}) for i in range(images)]
    return store.add_case(f"file {key}", f"{key}.dcm", "mammogram", new, "reader", "Other images")


def a_result(score: float = 5.0, lower: float = 2.0, upper: float = 10.0, flags: int = 1) -> AnalysisResult:
    label = "positive" if score >= upper else "negative" if score < lower else "not_sure"
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    values[0, 0] = np.nan
    return AnalysisResult(
        recipe="tiny",
        task="segmentation",
        score=score,
        score_name="sum",
        lower=lower,
        upper=upper,
        label=label,
        flags=tuple(Flag(f"f{i}", "Because.") for i in range(flags)),
        threshold=0.5,
        probability=ScoreMap(values, GridPlace(1.5, 2, 3, 4)),
        size=Size(12, 12),
        spacing=SpacingMm(0.1, 0.1),
        mask=MaskStats(0.5, 10, 0.1, ()),
        provenance=Provenance("i" * 64, "tiny", "r" * 64, "w" * 64, "0", "t", "CPU", "float32", "now", {"layers": []}),
        seconds=1.0,
        heatmaps={"conv4": ScoreMap(values * 0.5, GridPlace(0, 0, 1, 1), smooth=False)},
    )


def image_id(store: Store, case_id: int, index: int = 0) -> int:
    return store.case(case_id).images[index].id


def test_that_a_case_is_added_once_and_images_join_it(store: Store) -> None:
    first = a_case(store, images=1)
    assert a_case(store, images=3) == first
    assert len(store.case(first).images) == 3
    assert sum(store.worklists.sizes().values()) == 1


def test_that_an_image_stays_in_its_case_whatever_its_key(store: Store) -> None:
    first = a_case(store, "a")
    image = NewImage(Path("/data/a0.dcm"), {"kind": "mammogram", "size": [8, 8]})
    assert store.add_case("study other", "other", "mammogram", [image], "r") == first
    assert sum(store.worklists.sizes().values()) == 1
    assert store.case(first).images[0].info["size"] == [8, 8]


def test_that_a_result_and_its_maps_come_back_as_they_were(store: Store) -> None:
    case_id = a_case(store)
    result = a_result()
    result_id = store.save_result(image_id(store, case_id), result, "reader")
    stored = store.case(case_id).images[0].result
    assert stored is not None
    assert (stored.id, stored.score, stored.label) == (result_id, 5.0, "not_sure")
    assert stored.flags == (("f0", "Because."),)
    assert stored.layers == ("conv4",)
    assert stored.provenance["weights_sha256"] == "w" * 64
    probability = store.map(result_id)
    assert np.array_equal(probability.values, result.probability.values, equal_nan=True)
    assert (probability.place, probability.smooth) == (result.probability.place, True)
    assert not store.map(result_id, "conv4").smooth
    with pytest.raises(StoreError, match="no map"):
        store.map(result_id, "conv9")


def test_that_a_new_layer_is_kept_beside_the_others(store: Store) -> None:
    case_id = a_case(store)
    result_id = store.save_result(image_id(store, case_id), a_result(), "reader")
    store.add_maps(result_id, {"pool2": a_result().probability})
    result = store.case(case_id).images[0].result
    assert result is not None
    assert result.layers == ("conv4", "pool2")


def test_that_a_case_is_only_negative_when_every_image_ran(store: Store) -> None:
    case_id = a_case(store, images=2)
    store.save_result(image_id(store, case_id, 0), a_result(0.1), "r")
    assert store.case(case_id).case.label == "not_analysed"
    store.save_result(image_id(store, case_id, 1), NotAnalysed("It is cut off.", "tiny"), "r")
    assert store.case(case_id).case.label == "not_analysed"
    store.save_result(image_id(store, case_id, 1), a_result(0.2), "r")
    assert store.case(case_id).case.label == "negative"
    store.save_result(image_id(store, case_id, 0), a_result(50), "r")
    assert store.case(case_id).case.label == "positive"


def test_that_not_sure_comes_first_and_other_orders_are_sorted_too(store: Store) -> None:
    scores = {"sure_neg": 0.1, "edge": 9.9, "middle": 6.0, "sure_pos": 80.0}
    ids = {}
    for key, score in scores.items():
        ids[key] = a_case(store, key)
        store.save_result(image_id(store, ids[key]), a_result(score), "r")
    ids["new"] = a_case(store, "new")
    ids["broken"] = a_case(store, "broken")
    store.save_result(image_id(store, ids["broken"]), NotAnalysed("Cut off.", ""), "r")

    def page(order: Order) -> list[CaseRow]:
        home = store.worklists.named("Other images")
        return store.worklists.page(WorklistQuery(home.id, order=order), "r")

    titles = [row.title.removesuffix(".dcm") for row in page("uncertain")]
    assert titles == ["middle", "edge", "broken", "new", "sure_pos", "sure_neg"]
    by_score = [row.title.removesuffix(".dcm") for row in page("score")]
    assert by_score[:4] == ["sure_pos", "edge", "middle", "sure_neg"]
    assert [row.title for row in page("name")] == sorted(row.title for row in page("name"))
    store.decide(ids["middle"], "negative", "", "r")
    assert page("uncertain")[-1].id == ids["middle"]


def test_that_pages_and_search_are_cut_by_the_database(store: Store) -> None:
    for number in range(25):
        a_case(store, f"case{number:02}")
    pages = [store.worklists.page(WorklistQuery(order="name"), "r", 10, offset) for offset in (0, 10, 20)]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert len({row.id for page in pages for row in page}) == 25
    assert [row.title for row in store.worklists.page(WorklistQuery(search="CASE07"), "r")] == ["case07.dcm"]
    assert store.worklists.counts(WorklistQuery(search="%"), "r").total == 0


def test_that_a_decision_and_its_audit_row_are_one(store: Store, rows) -> None:
    case_id = a_case(store)
    store.decide(case_id, "positive", "a note", "Dr A", {"threshold": 0.4})
    store.decide(case_id, None, "", "Dr A")
    detail = store.case(case_id)
    assert [decision.value for decision in detail.decisions] == ["positive", None]
    assert detail.decisions[0].context["threshold"] == 0.4
    assert (detail.case.state, detail.case.decision) == ("new", None)
    trail = rows("SELECT actor, action, case_id FROM audit ORDER BY id")
    assert trail[-2:] == [("Dr A", "decide", case_id), ("Dr A", "undo", case_id)]


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_that_the_audit_trail_cannot_be_changed(store: Store, rows, statement: str) -> None:
    a_case(store)
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
        rows(statement)


def test_that_the_file_is_private(file_store: Store, path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("no modes on Windows")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_that_a_second_instance_is_told_who_holds_the_store(file_store: Store, path: Path) -> None:
    with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"):
        Database(path)
    reader = Store(Database(path, writable=False))
    assert reader.worklists.sizes() == {}
    reader.close()


def test_that_the_reader_who_has_the_store_is_named(path: Path) -> None:
    first = Database(path, reader="Dr Early")
    with pytest.raises(StoreError, match=rf"in use by process {os.getpid()} of Dr Early on .+ since \d{{4}}-"):
        Database(path)
    first.hold_as("Dr Late")
    with pytest.raises(StoreError, match="of Dr Late on"):
        Database(path, reader="Dr Early")
    first.close()
    Database(path).close()


def test_that_a_store_of_a_newer_version_is_refused_and_kept(path: Path) -> None:
    Database(path).close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.commit()
    raw.close()
    with pytest.raises(StoreError, match="newer PathView"):
        Database(path)
    assert sqlite3.connect(path).execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


@pytest.mark.parametrize("content", [b"this is no database at all" * 50, b"SQLite format 3\0" + b"\xff" * 5000])
def test_that_a_damaged_store_is_told_and_kept(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged|refused"):
        Database(path)
    assert path.read_bytes() == content


def test_that_a_missing_store_cannot_be_read(path: Path) -> None:
    with pytest.raises(StoreError, match="no case store"):
        Database(path, writable=False)


def test_that_a_full_disk_loses_nothing_decided(file_store: Store, path: Path) -> None:
    case_id = a_case(file_store)
    file_store.decide(case_id, "positive", "kept", "r")
    with file_store._db._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for _ in range(200):
            file_store.decide(case_id, "negative", "x" * 5000, "r")

    with pytest.raises(StoreError, match="disk is full"):
        fill()
    decisions = file_store.case(case_id).decisions
    assert (decisions[0].value, decisions[0].note) == ("positive", "kept")
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_that_the_backup_of_the_day_is_whole(file_store: Store) -> None:
    case_id = a_case(file_store)
    file_store.decide(case_id, "negative", "", "r")
    target = file_store.backup_if_due()
    assert target is not None
    assert file_store.backup_if_due() is None
    copy = Store(Database(target))
    assert copy.case(case_id).decisions[0].value == "negative"
    copy.close()


def test_that_a_failed_backup_is_told_and_the_next_try_makes_it(file_store: Store, path: Path) -> None:
    case_id = a_case(file_store)
    folder = path.parent / "backups"
    folder.write_text("in the way")
    with pytest.raises(StoreError, match="backups"):
        file_store.backup_if_due()
    file_store.decide(case_id, "negative", "", "r")
    folder.unlink()
    assert file_store.backup_if_due() is not None
    assert [file.suffix for file in folder.iterdir()] == [".sqlite"]


@pytest.mark.parametrize("name", ["a#1.sqlite", "a#2.sqlite", "b?c.sqlite", "d%41.sqlite", "e f.sqlite"])
def test_that_any_file_name_is_its_own_store(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32" and "?" in name:
        pytest.skip("no such names there")
    store = Store(Database(tmp_path / name))
    a_case(store, "a")
    store.close()
    assert (tmp_path / name).stat().st_size > 0
    assert {file.name for file in tmp_path.iterdir()} <= {name, f"{name}.lock", f"{name}.holder", f"{name}.head"}


def test_that_another_file_at_a_path_is_another_image(store: Store) -> None:
    first = a_case(store, "a")
    other = NewImage(Path("/data/a0.dcm"), {"kind": "mammogram", "size": [4, 4]}, "f" * 32)
    second = store.add_case("study other", "other", "mammogram", [other], "r")
    assert second != first
    assert len(store.case(first).images) == 1


def test_that_positions_are_thirds_in_any_unit() -> None:
    assert position_of(0, 2, 10) == 0
    assert position_of(2, 2, 10) == pytest.approx(1 / 3)
    assert position_of(6, 2, 10) == pytest.approx(0.5)
    assert position_of(10, 2, 10) == pytest.approx(2 / 3)
    assert 2 / 3 < position_of(20, 2, 10) < position_of(1e6, 2, 10) <= 1
    assert position_of(1.0, 0.4, 0.6) == pytest.approx(1.0)


def test_that_the_stages_of_a_cascade_come_back(store: Store) -> None:
    case_id = a_case(store)
    place = Place(Region(10, 20, 30, 40), 0.875)
    stages = (
        Stage("outlines", "o" * 64, 700.0, "sum", 100.0, 500.0, "positive"),
        Stage("classifies", "c" * 64, 0.875, "probability", 0.35, 0.65, "positive", (place,)),
    )
    store.save_result(image_id(store, case_id), replace(a_result(), stages=stages), "r")
    kept = store.case(case_id).images[0].result
    assert [stage["recipe"] for stage in kept.stages] == ["outlines", "classifies"]
    assert kept.stages[0]["score"] == 700.0
    assert kept.places == (place,)


def test_that_a_store_of_the_first_version_is_brought_up_to_date(empty_place: Path | str, rows_of) -> None:
    place = empty_place
    first_version.make(place)
    with pytest.raises(StoreError, match="of an older version"):
        Database(place, writable=False)
    new = Store(Database(place))
    detail = new.case(1)
    kept = detail.images[0].result
    assert (kept.score, kept.stages, kept.places) == (5.0, (), ())
    assert [decision.value for decision in detail.decisions] == ["negative"]
    new.decide(1, "positive", "", "Dr B")
    new.close()
    database = Database(place)
    found = verify_store(database)
    database.close()
    assert (found.problems, found.notices) == ((), ())
    trail = [row[0] for row in rows_of(place, "SELECT action FROM audit ORDER BY id")]
    assert trail == ["add", "analyse", "decide", "migrate", "lock", "reveal"]


def test_that_the_migrations_make_the_tables_that_the_program_knows(database: Database) -> None:
    with database.reading() as session:
        inspector = sqlalchemy.inspect(session.connection())
        for table in Base.metadata.sorted_tables:
            made = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
            assert made == {column.name: column.nullable for column in table.columns}, table.name
            if database.path is not None:  # a server needs fewer of them
                indexed = {index["name"] for index in inspector.get_indexes(table.name)}
                assert {index.name for index in table.indexes} <= indexed, table.name


def test_that_a_store_is_copied_before_it_is_brought_up_to_date(path: Path) -> None:
    first_version.make(path)
    Database(path).close()
    (before,) = path.parent.glob("cases-before-*.sqlite")
    engine = sqlalchemy.create_engine(f"sqlite:///{before}")
    columns = {column["name"] for column in sqlalchemy.inspect(engine).get_columns("results")}
    engine.dispose()
    assert "score" in columns
    assert "stages" not in columns
