"""The chain of the audit trail and the seals of rows, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import select

from pathview.errors import StoreError
from pathview.review.sql import audit, base, tables
from pathview.review.sql.base import Base, Sealed
from pathview.review.sql.database import Database
from pathview.review.sql.seals import SEAL, canonical, seal_of, seal_rows
from pathview.review.sql.verifying import verify_audit, verify_store
from pathview.review.store import Store
from tests.review.filled import a_case, content, fill

Rows = Callable[[str], list[tuple]]


@pytest.fixture
def unguarded(database: Database, rows: Rows) -> Rows:
    """Runs plain SQL with the triggers gone, as someone would who means to change what stands; then they are back."""

    def run(statement: str) -> list[tuple]:
        server = database.path is None
        names = [
            f"{table}_no_{change}" for table in ("audit", "decisions", "answers") for change in ("update", "delete")
        ]
        made = [] if server else [rows(f"SELECT sql FROM sqlite_master WHERE name = '{name}'")[0][0] for name in names]
        for name in names:
            table = name.split("_no_")[0]
            rows(f"ALTER TABLE {table} DISABLE TRIGGER {name}" if server else f"DROP TRIGGER {name}")
        found = rows(statement)
        for index, name in enumerate(names):
            table = name.split("_no_")[0]
            rows(f"ALTER TABLE {table} ENABLE TRIGGER {name}" if server else made[index])
        return found

    return run


def test_that_a_store_as_it_was_written_is_whole(database: Database) -> None:
    fill(database)
    found = verify_store(database)
    assert (found.problems, found.notices) == ((), ())
    assert found.rows > 50
    assert all(rows for rows in content(database).values())


def test_that_the_trail_is_a_sequence_without_gaps_and_a_chain(database: Database, rows: Rows) -> None:
    fill(database)
    trail = rows("SELECT id, previous, hash FROM audit ORDER BY id")
    assert [row[0] for row in trail] == list(range(1, len(trail) + 1))
    assert [row[1] for row in trail] == [audit.BEGINNING, *(row[2] for row in trail[:-1])]
    assert verify_audit(database).rows == len(trail)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE audit SET actor = 'Dr X' WHERE id = 5", "Audit row 5 was changed."),
        ("UPDATE audit SET created = '2020-01-01 00:00:00' WHERE id = 5", "Audit row 5 was changed."),
        ("UPDATE audit SET case_id = 99 WHERE id = 5", "Audit row 5 was changed."),
        ("DELETE FROM audit WHERE id = 5", "Audit row 5 is missing."),
        ("DELETE FROM audit WHERE id BETWEEN 5 AND 7", "Audit rows 5 to 7 are missing."),
        ("UPDATE decisions SET value = 'negative' WHERE id = 1", "Row 1 of decisions was changed."),
        ("DELETE FROM answers WHERE id = 2", "Answer 2 stands in the audit trail but is not in the store."),
        ("UPDATE cases SET title = 'other' WHERE id = 2", "Row 2 of cases was changed."),
        ("UPDATE images SET mpp_um = 9 WHERE id = 2", "Row 2 of images was changed."),
    ],
)
def test_that_a_change_behind_the_programs_back_is_told(
    database: Database, unguarded: Rows, statement: str, sentence: str
) -> None:
    fill(database)
    unguarded(statement)
    assert sentence in verify_store(database).problems


def test_that_a_decision_swapped_with_its_seal_is_told_by_the_trail(database: Database, unguarded: Rows) -> None:
    """Whoever knows how seals are made can make one; the trail still says what was decided."""
    fill(database)
    table = tables.DecisionTable.__table__
    with database.reading() as session:
        row = dict(session.execute(select(table).where(table.c.id == 1)).mappings().one())
    seal = seal_of(table, {**row, "value": "negative"})
    unguarded(f"UPDATE decisions SET value = 'negative', seal = '{seal}' WHERE id = 1")
    assert verify_store(database).problems == ("Decision 1 is not what the audit trail says was written.",)


def test_that_a_decision_without_a_trail_is_told(database: Database) -> None:
    fill(database)
    with database.transaction() as session:
        session.add(tables.DecisionTable(case_id=1, value="positive", context={}, created=datetime.now(UTC)))
    assert verify_audit(database).problems == ("Decision 7 is in the store but not in the audit trail.",)


def test_that_a_changed_row_is_told_when_it_is_read(database: Database, unguarded: Rows) -> None:
    fill(database)
    unguarded("UPDATE decisions SET note = 'other' WHERE id = 1")
    with pytest.raises(StoreError, match=r"is damaged \(row 1 of decisions\); restore"):
        Store(database).case(1)
    assert Store(database).case(2).case.title == "case 1.svs"


def test_that_a_missing_trigger_is_told(database: Database, rows: Rows) -> None:
    on = " ON decisions" if database.path is None else ""
    rows(f"DROP TRIGGER decisions_no_update{on}")
    assert verify_store(database).problems == (
        "The store's tables, indexes or triggers are not those that PathView made.",
    )


def test_that_a_clock_set_back_leaves_the_order_and_is_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(database)
    case_id = a_case(store)
    now = datetime.now(UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, zone: Any = None) -> datetime:
            return now - timedelta(days=400)

    monkeypatch.setattr("pathview.review.sql.audit.datetime", Clock)
    store.decide(case_id, "positive", "", "Dr A")
    monkeypatch.undo()
    store.decide(case_id, "negative", "", "Dr A")
    found = verify_audit(database)
    assert found.problems == ()
    (notice,) = found.notices
    assert "The clock was set back at row" in notice
    with database.reading() as session:
        trail = audit.newest(session)
    assert [row.action for row in trail][-2:] == ["decide", "decide"]
    assert trail[-2].created < trail[0].created < trail[-1].created
    assert [decision.value for decision in store.case(case_id).decisions] == ["positive", "negative"]


def test_that_threads_that_write_at_once_make_one_chain(database: Database) -> None:
    store = Store(database)
    cases = [a_case(store, f"c{number}") for number in range(4)]
    errors = []

    def decide(case_id: int) -> None:
        try:
            for _ in range(8):
                store.decide(case_id, "positive", "", f"Dr {case_id}")
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=decide, args=(case_id,)) for case_id in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = verify_store(database)
    assert (found.problems, found.notices) == ((), ())
    assert [len(store.case(case_id).decisions) for case_id in cases] == [8] * 4


def test_that_what_is_undone_by_an_error_leaves_no_gap(database: Database) -> None:
    store = Store(database)
    a_case(store)

    def fail() -> None:
        with database.transaction() as session:
            audit.record(session, "r", "nothing", None, {})
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    a_case(store, "b")
    found = verify_store(database)
    assert (found.problems, found.notices) == ((), ())


def test_that_every_table_but_the_trail_is_sealed() -> None:
    unsealed = {table.name for table in Base.metadata.sorted_tables if SEAL not in table.columns}
    assert unsealed == {"audit"}


def test_that_a_bulk_change_cannot_go_past_the_seals(database: Database) -> None:
    a_case(Store(database))
    for statement in (
        sqlalchemy.update(tables.CaseTable).values(title="x"),
        sqlalchemy.insert(tables.LabelTable).values(name="x", color="#ffffff", created=datetime.now(UTC)),
    ):
        with pytest.raises(RuntimeError, match="sealed"), database.transaction() as session:
            session.execute(statement)
    rows = [{"id": 900 + n, "name": f"l{n}", "color": "#ffffff", "created": datetime.now(UTC)} for n in range(3)]
    with database.transaction() as session:
        session.execute(sqlalchemy.insert(tables.LabelTable), seal_rows(tables.LabelTable.__table__, rows))
    assert verify_store(database).ok


@pytest.mark.parametrize("value", [float("nan"), -0.0, 1, 0.1, 1e300, 5.0, float("inf")])
def test_that_a_number_has_one_seal_before_and_after_it_was_kept(database: Database, value: float) -> None:
    case_id = a_case(Store(database))
    with database.transaction() as session:
        image = session.scalars(select(tables.ImageTable).where(tables.ImageTable.case_id == case_id)).one()
        image.mpp_um = value
        image.info = {1: (value if value == value and value != float("inf") else 0, "ä\u2028"), "b": {"z": None}}
    assert verify_store(database).ok
    assert Store(database).case(case_id).images[0].info["b"] == {"z": None}


def test_that_a_time_without_a_zone_is_refused(database: Database) -> None:
    def add() -> None:
        with database.transaction() as session:
            session.add(tables.LabelTable(name="x", color="#000000", created=datetime.now()))

    with pytest.raises(sqlalchemy.exc.StatementError, match="without a zone"):
        add()


def test_that_what_is_hashed_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"a": 1, "b": [2]}) == canonical({"b": [2], "a": 1})
    assert issubclass(tables.CaseTable, Sealed)
    assert not issubclass(tables.AuditTable, base.Sealed)


# what only a file has: the trail's end beside it


def test_that_a_tail_cut_off_is_told_and_the_store_is_not_written_on(path: Path, file_store: Store, rows_of) -> None:
    case_id = a_case(file_store)
    for _ in range(5):
        file_store.decide(case_id, "positive", "", "Dr A")
    file_store.close()
    (last,) = rows_of(path, "SELECT MAX(id) FROM audit")[0]
    rows_of(path, "DROP TRIGGER audit_no_delete")
    rows_of(path, f"DELETE FROM audit WHERE id > {last - 3}")
    with pytest.raises(StoreError, match=rf"no longer holds row {last}.*restore a backup"):
        Database(path)
    beside = Database(path, writable=False)
    assert f"Audit rows {last - 2} to {last} are missing." in verify_audit(beside).problems
    beside.close()


def test_that_a_store_ahead_of_its_head_is_whole(path: Path, file_store: Store) -> None:
    """As after a kill between the commit and the head."""
    case_id = a_case(file_store)
    head = path.with_name("cases.sqlite.head")
    before = head.read_bytes()
    file_store.decide(case_id, "positive", "", "Dr A")
    file_store.close()
    assert head.read_bytes() != before
    head.write_bytes(before)
    database = Database(path)
    assert (verify_audit(database).problems, verify_audit(database).notices) == ((), ())
    database.close()


def test_that_a_head_of_which_half_was_written_leaves_the_one_before(path: Path, file_store: Store) -> None:
    case_id = a_case(file_store)
    file_store.decide(case_id, "positive", "", "Dr A")
    file_store.close()
    head = path.with_name("cases.sqlite.head")
    whole = head.read_bytes()
    newer = 512 if whole[:512].split()[0] < whole[512:].split()[0] else 0
    head.write_bytes(whole[:newer] + whole[newer : newer + 20] + b"\0" * 492 + whole[newer + 512 :])
    database = Database(path)
    assert verify_audit(database).ok
    database.close()


def test_that_a_head_that_is_gone_is_begun_anew_and_stays_noticed(path: Path, file_store: Store) -> None:
    a_case(file_store)
    file_store.close()
    path.with_name("cases.sqlite.head").unlink()
    reader = Database(path, writable=False)
    assert "no file that keeps the trail's end" in verify_audit(reader).notices[0]
    reader.close()
    database = Database(path)
    found = verify_audit(database)
    database.close()
    assert found.ok
    assert "was missing and begun anew" in found.notices[0]
    again = Database(path)
    assert verify_audit(again).rows == found.rows
    again.close()
