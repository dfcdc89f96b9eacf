"""Worklists on both databases: what is in them, in which order, who sees what of it, and how they are changed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import select

from pathview.errors import StoreError
from pathview.review.cases import deciding
from pathview.review.cases.rows import analysed
from pathview.review.cases.summarising import refresh
from pathview.review.protocol import ReadingProtocol
from pathview.review.reading import exposure
from pathview.review.reading.listed import DECIDED, seen_by, steps_in, was_open, words_of
from pathview.review.reading.reading import Assessment
from pathview.review.reading.worklist_query import BY_MODEL, ORDERS, STATES, WorklistQuery
from pathview.review.records.case import CaseRow, NewImage
from pathview.review.sql.base import SealedSession
from pathview.review.sql.database import Database
from pathview.review.sql.reading_tables import EVERYBODY, ReadingTable
from pathview.review.sql.tables import CaseTable, ImageTable
from pathview.review.sql.verifying import verify_store
from pathview.review.store import Store
from pathview.settings import Settings
from tests.review import first_version
from tests.review.test_store import a_result

READERS = ("Dr A", "dr a", "Ärztin|B.3")
"""Names that a careless comparison would take for each other or for something else."""
NAMES = {"assisted": "Shown", "second_read": "First without", "blind": "Study", "arbitration": "Third opinion"}
Audit = Callable[[str], list[tuple]]


def add(store: Store, number: int, worklist: str, kind: str = "other", date: str | None = "2024-01-05") -> int:
    info = {"kind": kind, "size": [4, 4], "patient_key": f"patient{number % 7}", "study_date": date}
    image = NewImage(Path(f"/data/{number}.png"), info)
    return store.add_case(f"file {number}", f"Case {number:03}", kind, [image], "tests", worklist)


@pytest.fixture
def say(store: Store, settings: Settings) -> Callable[[str, int, str | None], None]:
    """A reader's next assessment of a case; None only opens it."""

    def call(reader: str, case_id: int, value: str | None) -> None:
        protocol = ReadingProtocol(store, reader, settings)
        opened = protocol.open(case_id)
        if value is not None:
            reason = "looked again" if opened.first is not None else ""
            protocol.assess(case_id, Assessment(value=value, reason=reason))

    return call


@pytest.fixture
def filled(store: Store) -> Store:
    """A list of each mode and 40 cases that three readers did all sorts of things with, in one transaction."""
    rng = random.Random(5)
    homes = {mode: store.worklists.create(name, mode, "simple", "tests").id for mode, name in NAMES.items()}
    with store.database.transaction() as session:
        for number in range(40):
            mode = rng.choice(tuple(homes))
            read_in = "second_read" if mode == "arbitration" else mode
            case = CaseTable(
                key=f"file {number}",
                title=f"Case {rng.randrange(1000):03}",
                kind=rng.choice(["other", "histology"]),
                patient_key=f"patient{number % 7}",
                study_date=rng.choice([None, "2023-05-01", "2024-01-05", "2025-11-30"]),
                worklist_id=homes[read_in],
                assigned_to=rng.choice([*READERS, None]),
                created=datetime.now(UTC),
                images=[ImageTable(place=0, path=f"/data/{number}.png", info={"kind": "other", "size": [4, 4]})],
            )
            session.add(case)
            if number % 5:
                case.images[0].results = [analysed(a_result(rng.choice([0.1, 0.1, 3.0, 6.0, 9.0, 20.0, 80.0])))]
            session.flush()
            refresh(case)
            for reader in READERS if number % 3 else ():
                for value in rng.choice([(), (None,), ("positive",), ("negative",), ("positive", "positive")]):
                    if value is None:
                        deciding.begun(session, case.id, reader)
                    else:
                        deciding.assess(session, case, reader, Assessment(value=value))
            case.worklist_id = homes[mode]
            if number % 4 == 0:
                exposure.count_as_seen(session, [case], "tests", "tests")
    return store


def everything(store: Store, query: WorklistQuery, reader: str, page: int = 7) -> list[CaseRow]:
    """All pages in turn."""
    found: list[CaseRow] = []
    while rows := store.worklists.page(query, reader, page, len(found)):
        found += rows
    return found


def key_of(case: CaseTable, order: str, decided: bool) -> tuple:
    """The plain rule of an order, the right way round."""
    return {
        "uncertain": (decided, case.rank, case.doubt, case.id),
        "score": (case.position is None, -(case.position or 0), -case.id),
        "newest": (-case.id,),
        "date": (case.study_date is None, [-ord(sign) for sign in case.study_date or ""], -case.id),
        "name": (case.title, case.id),
        "random": (case.shuffle, case.id),
    }[order]


def test_that_each_order_is_paged_as_its_rule_says(filled: Store) -> None:
    for worklist in filled.worklists.all():
        if worklist.hides_model:
            filled.worklists.close(worklist.id, "tests")
    with filled.database.reading() as session:
        cases = {case.id: case for case in session.scalars(select(CaseTable))}
    for order, reader in product(ORDERS, READERS):
        rows = everything(filled, WorklistQuery(order=order), reader)
        decided = {row.id: row.state == "decided" for row in rows}
        expected = sorted(cases, key=lambda each: key_of(cases[each], order, decided[each]))
        assert [row.id for row in rows] == expected, order
        back = [row.id for row in everything(filled, WorklistQuery(order=order, reverse=True), reader)]
        last = {each for each in cases if key_of(cases[each], order, decided[each])[0] is True}
        turned = expected[::-1]
        assert back == [i for i in turned if i not in last] + [i for i in turned if i in last], order


def test_that_the_states_part_the_list_as_its_lines_say(filled: Store) -> None:
    seen = set()
    for reader in (*READERS, "nobody yet"):
        rows = everything(filled, WorklistQuery(order="name"), reader)
        counts = filled.worklists.counts(WorklistQuery(), reader)
        assert counts.total == len(rows) == 40
        for state in STATES:
            wanted = [row.id for row in rows if row.state == state]
            query = WorklistQuery(order="name", state=state)
            assert [row.id for row in everything(filled, query, reader)] == wanted
            assert counts.states[state] == len(wanted) == filled.worklists.counts(query, reader).total
            seen |= {state} if wanted else set()
    assert seen == set(STATES)


def test_that_a_line_is_what_the_protocol_shows_of_the_case(filled: Store, settings: Settings) -> None:
    hidden = 0
    for reader in READERS:
        protocol = ReadingProtocol(filled, reader, settings)
        for row in everything(filled, WorklistQuery(), reader):
            assert row == protocol.case(row.id).case == filled.worklists.row(row.id, reader)
            hidden += bool(row.hidden)
    assert hidden > 10


def test_that_nothing_of_a_hidden_model_gets_into_a_line(filled: Store) -> None:
    study = filled.worklists.named("Study")
    rows = everything(filled, WorklistQuery(study.id), "Dr A")
    assert rows
    assert {(row.label, row.score, row.position, row.flags) for row in rows} == {(None, None, None, 0)}
    assert all(row.hidden for row in rows)
    assert "arbitration" not in {row.state for row in rows}  # what others decided is not told either


@pytest.mark.parametrize("name", ["First without", "Study", None])
def test_that_a_list_that_hides_the_model_is_not_sorted_or_filtered_by_it(filled: Store, name: str | None) -> None:
    lists = filled.worklists
    worklist_id = lists.named(name).id if name else None
    assert lists.orders(worklist_id) == ("newest", "date", "name", "random")
    queries = [WorklistQuery(worklist_id, order=order) for order in BY_MODEL]
    for query in [*queries, WorklistQuery(worklist_id, label="positive")]:
        for ask in (lists.page, lists.counts, lambda q, r: lists.following(q, r, 1)):
            with pytest.raises(StoreError, match="would tell what the model says, which is hidden in the worklist"):
                ask(query, "Dr A")


def test_that_the_order_by_the_model_comes_back_when_no_list_with_cases_hides_it(filled: Store) -> None:
    lists = filled.worklists
    assert lists.orders(lists.named("Shown").id) == ORDERS
    for name in ("First without", "Study", "Third opinion"):
        lists.close(lists.named(name).id, "tests")
    assert lists.named("Mammograms").hides_model  # but there is no case in it
    assert lists.orders(None) == ORDERS
    found = lists.page(WorklistQuery(label="positive", order="score"), "Dr A")
    assert {row.label for row in found} == {"positive"}


def test_that_next_and_previous_walk_the_list_and_end_with_it(filled: Store) -> None:
    shown = filled.worklists.named("Shown").id
    for order, reverse in product(ORDERS, (False, True)):
        query = WorklistQuery(shown, order=order, reverse=reverse)
        ids = [row.id for row in everything(filled, query, "Dr A")]
        follow = filled.worklists.following
        assert [follow(query, "Dr A", each) for each in ids] == [*ids[1:], None]
        assert [follow(query, "Dr A", each, -1) for each in ids] == [None, *ids[:-1]]
        assert follow(query, "Dr A", ids[1], 4) == ids[5]
        assert follow(query, "Dr A", ids[-1], -3) == ids[-4]


def test_that_a_case_stands_where_its_page_has_it(filled: Store) -> None:
    shown = filled.worklists.named("Shown").id
    for order, reverse, state in product(ORDERS, (False, True), (None, "analysed", "decided")):
        query = WorklistQuery(shown, order=order, reverse=reverse, state=state)
        ids = [row.id for row in everything(filled, query, "Dr A")]
        assert ids
        assert [filled.worklists.place(query, "Dr A", each) for each in ids] == list(range(len(ids)))
    elsewhere = everything(filled, WorklistQuery(filled.worklists.named("Study").id), "Dr A")[0]
    assert filled.worklists.place(WorklistQuery(shown), "Dr A", elsewhere.id) is None


def test_that_a_case_keeps_its_neighbours_when_it_leaves_the_list(store: Store, say) -> None:
    shown = store.worklists.create("Shown", "assisted", "simple", "tests").id
    for number in range(6):
        image = store.case(add(store, number, "Shown")).images[0]
        store.save_result(image.id, a_result(3.0 + number), "tests")
    for query in (
        WorklistQuery(shown, order="uncertain"),
        WorklistQuery(shown, order="uncertain", state="analysed"),
        WorklistQuery(shown, order="name", state="analysed"),
    ):
        rows = [row for row in everything(store, query, "Dr A") if row.state == "analysed"]
        say("Dr A", rows[1].id, "negative")
        assert store.worklists.following(query, "Dr A", rows[1].id, 1, rows[1].state) == rows[2].id
        assert store.worklists.following(query, "Dr A", rows[1].id, -1, rows[1].state) == rows[0].id


def test_that_who_has_decided_is_asked_of_the_reader(store: Store, say) -> None:
    home = store.worklists.create("Mine", "second_read", "simple", "tests").id
    first, second = (add(store, number, "Mine") for number in (1, 2))
    for value in ("positive", "positive"):
        say("Dr A", first, value)
    say("Dr B", second, "negative")
    states = {
        reader: {row.id: row.state for row in store.worklists.page(WorklistQuery(home), reader)}
        for reader in ("Dr A", "Dr B", "Dr C")
    }
    assert states["Dr A"] == {first: "decided", second: "new"}
    assert states["Dr B"] == {first: "new", second: "first_locked"}
    assert states["Dr C"] == {first: "new", second: "new"}


def test_that_search_finds_all_words_in_title_patient_and_date(store: Store) -> None:
    for number, date in ((1, "2024-01-05"), (2, "2025-03-01"), (12, None)):
        add(store, number, "Other images", date=date)
    store.set_title(2, "Übersicht 100 % GROß_", "tests")

    def found(search: str) -> list[int]:
        query = WorklistQuery(search=search, order="name", worklist_id=store.worklists.named("Other images").id)
        assert store.worklists.counts(query, "r").total == len(store.worklists.page(query, "r"))
        return sorted(row.id for row in store.worklists.page(query, "r"))

    assert found("CASE") == [1, 3]
    assert found("  case 2024-01 ") == [1]
    assert found("patient2") == [2]
    assert found("übersicht gross_") == [2]
    assert found("%") == [2]
    assert found("2024-01-05 2025") == []
    assert found("") == [1, 2, 3]


def test_that_filters_of_assignment_and_kind_hold(filled: Store) -> None:
    rows = everything(filled, WorklistQuery(), "Dr A")

    def ids(**wanted: str) -> set[int]:
        return {row.id for row in everything(filled, WorklistQuery(**wanted), "Dr A")}

    assert ids(assigned="me") == {row.id for row in rows if row.assigned_to == "Dr A"}
    assert ids(assigned="nobody") == {row.id for row in rows if row.assigned_to is None}
    assert ids(assigned_to="dr a") == {row.id for row in rows if row.assigned_to == "dr a"} != set()
    assert ids(kind="histology", assigned="nobody") < ids(kind="histology") < ids()


def test_that_a_list_that_is_none_is_told(store: Store) -> None:
    with pytest.raises(StoreError, match="no worklist 99"):
        store.worklists.page(WorklistQuery(99), "r")
    with pytest.raises(StoreError, match="no case 7"):
        store.worklists.following(WorklistQuery(), "r", 7)
    with pytest.raises(StoreError, match="no case 7"):
        store.worklists.row(7, "r")
    with pytest.raises(StoreError, match="no worklist 'none'"):
        store.worklists.named("none")


def test_that_a_list_is_made_and_changed_with_what_it_was_before(store: Store, rows: Audit) -> None:
    lists = store.worklists
    made = lists.create("  Reader   study ", "blind", "mammography", "Dr A")
    assert (made.name, made.mode, made.form, made.closed) == ("Reader study", "blind", "mammography", None)
    lists.set_mode(made.id, "second_read", "Dr A")
    lists.set_mode(made.id, "second_read", "Dr A")
    lists.set_form(made.id, "simple", "Dr B")
    lists.rename(made.id, "Second study", "Dr B")
    closed = lists.close(made.id, "Dr B")
    assert closed.closed is not None
    assert lists.close(made.id, "Dr B") == closed
    assert lists.reopen(made.id, "Dr B") == replace(closed, closed=None)
    assert lists.named("Second study") in lists.all()
    told = rows("SELECT actor, action FROM audit WHERE action LIKE '%worklist' ORDER BY id")
    assert told == [("Dr A", "create_worklist"), ("Dr A", "change_worklist")] + [("Dr B", "change_worklist")] * 4
    details = [row[0] for row in rows("SELECT detail FROM audit WHERE action = 'change_worklist' ORDER BY id")]
    assert (json.loads(details[0]) if isinstance(details[0], str) else details[0]) == {
        "worklist": "Reader study",
        "field": "mode",
        "from": "blind",
        "to": "second_read",
    }


def test_that_a_change_that_cannot_be_is_one_sentence_and_changes_nothing(store: Store, rows: Audit) -> None:
    lists = store.worklists
    tissue = lists.named("Tissue")
    before = rows("SELECT count(*) FROM audit")
    for refused, change in (
        ("a worklist 'Tissue' already", lambda: lists.create("Tissue", "blind", "simple", "r")),
        ("name of a worklist is 1 to 80", lambda: lists.create(" ", "blind", "simple", "r")),
        ("name of a worklist is 1 to 80", lambda: lists.create("x" * 81, "blind", "simple", "r")),
        ("name of a worklist is 1 to 80", lambda: lists.rename(tissue.id, "a\0b", "r")),
        ("a worklist 'Samples' already", lambda: lists.rename(tissue.id, "Samples", "r")),
        ("no reading mode 'open'", lambda: lists.set_mode(tissue.id, "open", "r")),
        ("no worklist 99", lambda: lists.set_mode(99, "blind", "r")),
        ("no worklist 99", lambda: lists.close(99, "r")),
        ("no worklist 99", lambda: lists.send_to_arbitration(99, "r")),
    ):
        with pytest.raises(StoreError, match=refused):
            change()
    assert rows("SELECT count(*) FROM audit") == before
    lists.close(tissue.id, "r")
    with pytest.raises(StoreError, match="Tissue is closed"):
        lists.set_mode(tissue.id, "blind", "r")
    with pytest.raises(StoreError, match="Tissue is closed"):
        lists.set_form(tissue.id, "simple", "r")


def test_that_cases_move_together_or_not_at_all(store: Store, rows: Audit) -> None:
    lists = store.worklists
    ids = [add(store, number, "Other images") for number in range(4)]
    tissue, samples = lists.named("Tissue"), lists.named("Samples")
    assert lists.move([*ids, ids[0]], tissue.id, "Dr A") == 4
    assert lists.move(ids[:2], tissue.id, "Dr A") == 0
    with pytest.raises(StoreError, match="no case 99"):
        lists.move([ids[0], 99], samples.id, "Dr A")
    lists.close(samples.id, "Dr A")
    with pytest.raises(StoreError, match="Samples is closed"):
        lists.move(ids, samples.id, "Dr A")
    assert lists.sizes() == {tissue.id: 4}
    assert [row[0] for row in rows("SELECT case_id FROM audit WHERE action = 'move' ORDER BY id")] == ids


def test_that_cases_are_assigned_together_or_not_at_all(store: Store, rows: Audit) -> None:
    lists = store.worklists
    ids = [add(store, number, "Other images") for number in range(3)]
    with pytest.raises(StoreError, match="knows no reader 'Dr A'; choose one that it knows"):
        lists.assign(ids, "Dr A", "chief")
    assert lists.assign(ids, " Dr  A ", "chief", new=True) == 3
    assert lists.assign(ids[:2], "Dr A", "chief") == 0
    assert lists.assign(ids[2:], None, "chief") == 1
    with pytest.raises(StoreError, match="name of a reader"):
        lists.assign(ids, " ", "chief")
    with pytest.raises(StoreError, match="no case 99"):
        lists.assign([ids[0], 99], "Dr A", "chief")
    assert [lists.row(each, "r").assigned_to for each in ids] == ["Dr A", "Dr A", None]
    assert [reader.name for reader in store.readers.all()] == ["Dr A"]
    assert len(rows("SELECT id FROM audit WHERE action = 'assign'")) == 4


def test_that_a_change_that_breaks_off_leaves_neither_case_nor_audit_row(
    store: Store, rows: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [add(store, number, "Other images") for number in range(3)]
    before = rows("SELECT count(*) FROM audit")

    def fail(session: SealedSession, *_: object) -> None:
        raise sqlalchemy.exc.OperationalError("", {}, Exception("database or disk is full"))

    sqlalchemy.event.listen(SealedSession, "after_flush", fail)
    try:
        with pytest.raises(StoreError):
            store.worklists.assign(ids, "Dr A", "chief", new=True)
    finally:
        sqlalchemy.event.remove(SealedSession, "after_flush", fail)
    assert rows("SELECT count(*) FROM audit") == before
    assert {row.assigned_to for row in store.worklists.page(WorklistQuery(), "r")} == {None}


def test_that_cases_on_which_readers_differ_go_to_arbitration(store: Store, say) -> None:
    lists = store.worklists
    home = lists.create("Study", "blind", "simple", "chief")
    same, differing, once, none = (add(store, number, "Study") for number in range(4))
    for case_id, values in ((same, "pp"), (differing, "pn"), (once, "p")):
        for reader, value in zip(("Dr A", "Dr B"), values, strict=False):
            say(reader, case_id, {"p": "positive", "n": "negative"}[value])
    lists.assign([differing], "Dr A", "chief", new=True)
    assert (
        lists.page(WorklistQuery(state="arbitration"), "Dr A") == []
    )  # read blind: not told before the list is closed
    target, moved = lists.send_to_arbitration(home.id, "chief")
    assert target is not None
    assert (target.name, target.mode, target.form, moved) == (
        "Study: arbitration",
        "arbitration",
        "simple",
        (differing,),
    )
    (row,) = lists.page(WorklistQuery(target.id), "Dr C")
    assert (row.id, row.state, row.mode, row.assigned_to) == (differing, "new", "arbitration", None)
    assert lists.counts(WorklistQuery(target.id, state="arbitration"), "Dr C").total == 0
    lists.assign([differing], "Dr C", "chief", new=True)
    (row,) = lists.page(WorklistQuery(target.id, state="arbitration"), "Dr C")
    assert (row.id, row.state, row.assigned_to) == (differing, "arbitration", "Dr C")
    assert {each.id for each in lists.page(WorklistQuery(home.id), "Dr C")} == {same, once, none}
    say("Dr C", differing, "negative")
    assert {lists.row(differing, reader).state for reader in ("Dr A", "Dr B", "Dr C")} == {"decided"}
    assert lists.send_to_arbitration(home.id, "chief") == (None, ())
    with pytest.raises(StoreError, match="is one of arbitration already"):
        lists.send_to_arbitration(target.id, "chief")


def test_that_an_arbitration_list_is_used_again_and_another_one_never(store: Store, say) -> None:
    lists = store.worklists
    home = lists.create("S" * 80, "assisted", "simple", "chief")
    ids = [add(store, number, home.name) for number in range(3)]

    def differ(case_id: int) -> None:
        say("Dr A", case_id, "positive")
        say("Dr B", case_id, "negative")

    for case_id in ids[:2]:
        differ(case_id)
        target, moved = lists.send_to_arbitration(home.id, "chief")
        assert target is not None
        assert (len(target.name), moved) == (80, (case_id,))
    differ(ids[2])
    lists.close(target.id, "chief")
    with pytest.raises(StoreError, match="arbitration is closed"):
        lists.send_to_arbitration(home.id, "chief")
    lists.reopen(target.id, "chief")
    lists.set_mode(target.id, "assisted", "chief")
    with pytest.raises(StoreError, match="not one of arbitration; rename it first"):
        lists.send_to_arbitration(home.id, "chief")
    assert lists.sizes() == {target.id: 2, home.id: 1}


def test_that_the_store_is_whole_after_all_that(filled: Store) -> None:
    assert verify_store(filled.database).ok
    with filled.database.reading() as session:
        for case in session.scalars(select(CaseTable)):
            own = session.scalars(select(ReadingTable.reader).where(ReadingTable.case_id == case.id)).all()
            assert steps_in(case.seen).keys() == set(own) - {EVERYBODY}
            assert was_open(case.seen) is (EVERYBODY in own)
            assert {bytes.fromhex(token.split(".")[0]).decode() for token in case.seen.split("|") if token} == set(own)
            assert case.words.splitlines()[0] == case.title.casefold()


def test_that_lists_know_the_cases_of_an_older_store(empty_place: Path | str) -> None:
    first_version.make(empty_place)
    database = Database(empty_place)
    lists = Store(database).worklists
    assert [lists.row(1, reader).state for reader in ("Dr A", "Dr B")] == ["decided", "new"]
    assert lists.counts(WorklistQuery(search="A.DCM", state="decided"), "Dr A").total == 1
    with database.reading() as session:
        case = session.get_one(CaseTable, 1)
        assert case.rank == 2
        assert case.seen == seen_by([("Dr A", DECIDED)])
        assert case.words == words_of(case.title, case.patient_key, case.study_date)
    database.close()


def test_that_a_damaged_view_does_not_hide_the_others(store: Store, database: Database) -> None:
    views = store.worklists.views
    for name in ("A", "B", "C"):
        views.save(name, WorklistQuery(search=name), "Dr A")
    with database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE saved_views SET query = '{\"search\": \"X\"}' WHERE name = 'B'")
    assert [(view.name, view.query and view.query.search) for view in views.of("Dr A")] == [
        ("A", "A"),
        ("B", None),
        ("C", "C"),
    ]


def test_that_views_are_kept_for_each_reader(store: Store, database: Database) -> None:
    views = store.worklists.views
    mine = WorklistQuery(state="analysed", search="links", order="date", reverse=True)
    views.save(" To   read ", mine, "Dr A")
    views.save("A", WorklistQuery(assigned="me"), "Dr A")
    views.save("A", WorklistQuery(order="random"), "Dr B")
    assert [(view.name, view.query) for view in views.of("Dr A")] == [
        ("A", WorklistQuery(assigned="me")),
        ("To read", mine),
    ]
    views.save("A", mine, "Dr A")
    assert views.of("Dr A")[0].query == mine
    views.delete("A", "Dr A")
    assert [view.name for view in views.of("Dr A")] == ["To read"]
    assert views.of("Dr B")[0].query.order == "random"
    with pytest.raises(StoreError, match="no saved view 'A'"):
        views.delete("A", "Dr A")
    with pytest.raises(StoreError, match="name of a view"):
        views.save("", mine, "Dr A")


def test_that_new_cases_are_shuffled_once(store: Store) -> None:
    ids = [add(store, number, "Other images") for number in range(30)]
    query = WorklistQuery(order="random")
    drawn = [row.id for row in store.worklists.page(query, "Dr A")]
    assert sorted(drawn) == ids != drawn
    store.set_title(ids[0], "renamed", "tests")
    assert [row.id for row in store.worklists.page(query, "Dr B")] == drawn
    assert datetime.now(UTC) >= store.worklists.row(ids[0], "r").created
