from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from pathview.errors import StoreError
from pathview.jobs import Cancelled
from pathview.review.cases.study_records import Studies, StudyCase
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.review.worklists import Worklists
from tests.review.study_makers import StudyMaker


@pytest.fixture
def maker(database: Database) -> StudyMaker:
    return StudyMaker(database)


@pytest.fixture
def studies(database: Database) -> Studies:
    return Studies(database)


def only(cases: tuple[StudyCase, ...]) -> StudyCase:
    (found,) = cases
    return found


def test_that_the_newest_row_of_a_reader_and_stage_stands(maker: StudyMaker, studies: Studies) -> None:
    case = maker.case(maker.worklist("Study"), "p1")
    maker.say(case, "Ada", "first", "negative", seconds=12.5, answers={"birads": "2"})
    maker.say(case, "Ada", "final", "positive", reason="The model is right.")
    maker.say(case, "Ada", "final", "negative", reason="No, it is not.")
    maker.say(case, "Bob", "final", "positive")
    maker.say(case, "Bob", "final", None)
    found = only(studies.records("Ada", ["Study"]).cases)
    assert [(one.reader, one.stage, one.value, one.times) for one in found.assessed] == [
        ("Ada", "first", "negative", 1),
        ("Ada", "final", "negative", 2),
    ]
    assert (found.assessed[0].seconds, found.assessed[0].answers) == (12.5, {"birads": "2"})
    assert found.assessed[1].reason == "No, it is not."
    assert studies.readers() == ("Ada", "Bob")


def test_that_the_newest_truth_stands_unless_it_was_taken_back(maker: StudyMaker, studies: Studies) -> None:
    home = maker.worklist("Study")
    changed, withdrawn = maker.case(home, truth="negative"), maker.case(home, truth="positive")
    maker.truth(changed, "positive", "follow-up of two years")
    maker.truth(withdrawn, None)
    one, other = studies.records("Ada", [home]).cases
    assert (one.truth, one.truth_source) == ("positive", "follow-up of two years")
    assert (other.truth, other.truth_source) == (None, "")


def test_that_a_decision_keeps_the_result_that_it_was_made_on(maker: StudyMaker, studies: Studies) -> None:
    case = maker.case(maker.worklist("Study"))
    maker.say(case, "Ada", "first", "negative")  # nothing had been analysed
    then = maker.analyse(case, "negative", recipe="old")
    maker.analyse(case, "not_sure", recipe="between")
    maker.say(case, "Ada", "final", "negative", results=[then])
    maker.say(case, "Bob", "final", "negative")  # says not what it was made on: what was there
    maker.analyse(case, "positive", recipe="new")
    found = only(studies.records("Ada").cases)
    words = [(one.reader, one.model.recipe if one.model else None) for one in found.assessed]
    assert words == [("Ada", None), ("Ada", "old"), ("Bob", "between")]
    assert found.model is not None
    assert (found.model.label, found.model.recipe, found.model.score) == ("positive", "new", 0.9)
    assert found.model.weights_sha256.startswith("new")
    assert found.model.position == pytest.approx(2 / 3 + 0.3 / 0.4 / 3)


def test_that_it_is_known_whether_a_decision_saw_others(maker: StudyMaker, studies: Studies) -> None:
    home = maker.worklist("Study")
    again, blind, told = (maker.case(home) for _ in range(3))
    for _ in range(2):
        maker.say(again, "Ada", "final", "positive")
        maker.say(blind, "Ada", "final", "positive", mode="blind")
    maker.say(again, "Bob", "first", "positive")
    maker.say(again, "Bob", "final", "positive")
    maker.say(again, "Cleo", "final", "positive", mode="assisted")
    maker.say(told, "Ada", "final", "positive", context={"others_shown": True, "unblinded": True})
    found = [one for case in studies.records("Ada", [home]).cases for one in case.assessed]
    assert [(one.reader, one.stage, one.others_shown) for one in found] == [
        ("Ada", "final", True),
        ("Bob", "first", False),
        ("Bob", "final", False),
        ("Cleo", "final", True),
        ("Ada", "final", False),
        ("Ada", "final", True),
    ]
    assert [one.unblinded for one in found] == [False] * 5 + [True]


def test_that_cases_sent_to_arbitration_still_count(maker: StudyMaker, studies: Studies, database: Database) -> None:
    """Without them all readers would agree."""
    lists = Worklists(database)
    home = lists.create("Study", "assisted", "simple", "Ada")
    other = lists.create("Other", "assisted", "simple", "Ada")
    court = lists.create("Court", "arbitration", "simple", "Ada")
    cases = [maker.case(name) for name in ("Study", "Study", "Study", "Other")]
    lists.move(cases[:1], court.id, "Ada")
    lists.move(cases[1:2], other.id, "Ada")
    lists.move(cases[3:], court.id, "Ada")
    records = studies.records("Ada", ["Study"])
    assert [(case.id, case.worklist) for case in records.cases] == [(cases[0], "Court"), (cases[2], "Study")]
    assert [one.name for one in records.worklists] == ["Court", "Study"]
    assert [case.id for case in studies.records("Ada", ["Other"]).cases] == [cases[1], cases[3]]
    assert home.closed is None


def test_that_what_was_never_analysed_has_no_word(maker: StudyMaker, studies: Studies) -> None:
    home = maker.worklist("Study")
    maker.case(home)
    maker.case(home, model="not_analysed")
    one, other = studies.records("Ada", [home]).cases
    assert one.model is None
    assert other.model is not None
    assert (other.model.label, other.model.score) == ("not_analysed", None)


def hidden(studies: Studies, asker: str, worklist: str) -> bool:
    """Whether nothing but the asker's own is told of a list; half of it would be a leak."""
    records = studies.records(asker, [worklist])
    told = [
        case.model is not None or case.truth is not None or any(one.reader != asker for one in case.assessed)
        for case in records.cases
    ]
    words = [one.model for case in records.cases for one in case.assessed if case.hidden]
    assert not any(words)
    assert all(told) or not any(told)
    assert all(bool(case.hidden) != all(told) for case in records.cases)
    return not any(told)


def two_readers(maker: StudyMaker, mode: str) -> tuple[str, list[int]]:
    """A list of three cases that Bob has read; Ada has read all but the last."""
    home = maker.worklist("Study", mode, closed=False)
    cases = [maker.case(home, f"p{i}", "positive", "negative") for i in range(3)]
    for case in cases:
        maker.read(case, "Bob", "negative", "positive", mode=mode)
    for case in cases[:2]:
        maker.read(case, "Ada", "negative", "positive", mode=mode)
    return home, cases


def test_that_a_second_read_hides_all_of_a_list_until_its_reader_has_decided_each_case(
    maker: StudyMaker, studies: Studies
) -> None:
    home, cases = two_readers(maker, "second_read")
    assert hidden(studies, "Ada", home)
    assert not hidden(studies, "Bob", home)
    assert hidden(studies, "A stranger", home)
    own = [one.reader for case in studies.records("Ada", [home]).cases for one in case.assessed]
    assert own == ["Ada"] * 4
    maker.say(cases[2], "Ada", "first", "positive")
    assert hidden(studies, "Ada", home), "a locked first assessment is no decision"
    maker.say(cases[2], "Ada", "final", "positive")
    assert not hidden(studies, "Ada", home)
    maker.say(cases[2], "Ada", "final", None)
    assert hidden(studies, "Ada", home), "withdrawn, so to be decided again"
    maker.close(home)
    assert not hidden(studies, "Ada", home)
    assert not hidden(studies, "A stranger", home)


def test_that_a_blind_list_is_hidden_until_it_is_closed(maker: StudyMaker, studies: Studies) -> None:
    home, _ = two_readers(maker, "blind")
    assert hidden(studies, "Bob", home), "even to one who has decided every case"
    (sentence,) = studies.records("Bob", [home]).hidden
    assert "until it is closed, only Bob's own" in sentence
    maker.close(home)
    assert not hidden(studies, "Bob", home)


def test_that_an_assisted_list_hides_nothing(maker: StudyMaker, studies: Studies) -> None:
    home, _ = two_readers(maker, "assisted")
    assert not hidden(studies, "Ada", home)
    assert studies.records("Ada", [home]).hidden == ()


def test_that_one_hidden_list_hides_no_other(maker: StudyMaker, studies: Studies) -> None:
    two_readers(maker, "second_read")
    shown = maker.worklist("Shown", "assisted")
    case = maker.case(shown, model="negative", truth="negative")
    cases = {case.id: case for case in studies.records("Ada").cases}
    assert cases[case].model is not None
    assert sum(bool(case.hidden) for case in cases.values()) == 3


def test_that_a_list_of_no_such_name_is_told(maker: StudyMaker, studies: Studies) -> None:
    maker.worklist("Study")
    with pytest.raises(StoreError, match=r"no worklist 'Stuyd'; there are: .*Study"):
        studies.records("Ada", ["Stuyd"])


def test_that_reading_can_be_cancelled(maker: StudyMaker, studies: Studies) -> None:
    maker.case(maker.worklist("Study"))
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        studies.records("Ada", cancel=cancel)


def test_that_an_export_is_in_the_audit_trail(maker: StudyMaker, studies: Studies, rows) -> None:
    studies.note_export("Ada", {"cases": 3})
    assert rows("SELECT actor, action FROM audit ORDER BY id")[-1] == ("Ada", "export")
    head = studies.records("Ada").audit_head
    assert (head["number"], head["hash"]) == rows("SELECT id, hash FROM audit ORDER BY id")[-1]


def test_that_no_study_is_made_of_a_changed_decision(path: Path) -> None:
    store = Store(Database(path))
    maker = StudyMaker(store.studies._db)
    case = maker.case(maker.worklist("Study"))
    maker.say(case, "Ada", "final", "negative")
    with sqlite3.connect(path) as plain:
        plain.execute("DROP TRIGGER decisions_no_update")
        plain.execute("UPDATE decisions SET value = 'positive'")
    plain.close()
    with pytest.raises(StoreError, match="damaged"):
        store.studies.records("Ada")
    store.close()
