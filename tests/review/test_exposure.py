"""What a list showed cannot be unseen: moves, modes, closing and arbitration, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pathview.errors import ReadingError, UnconfirmedError
from pathview.review.cases.study_records import Studies
from pathview.review.protocol import ReadingProtocol
from pathview.review.reading.reading import Assessment
from pathview.review.reading.worklist_query import WorklistQuery
from pathview.review.records.modes import UNTIL_CALLED
from pathview.review.sql.verifying import verify_store
from pathview.review.store import Store
from tests.review.reading_makers import CANARIES, a_case, a_protocol, a_read_case, canaries_in, canary_result

FIRST = Assessment({"birads": "2"})
KEPT = Assessment(keep=True)
Rows = Callable[[str], list[tuple]]


@pytest.fixture
def ada(store: Store) -> ReadingProtocol:
    return a_protocol(store, "Ada")


@pytest.fixture
def bea(store: Store) -> ReadingProtocol:
    return a_protocol(store, "Bea")


@pytest.fixture
def case_id(store: Store) -> int:
    return a_read_case(store)


def move(store: Store, case_id: int, name: str, **how: bool) -> None:
    store.worklists.move([case_id], store.worklists.named(name).id, "chief", **how)


def set_mode(store: Store, mode: str, **how: bool) -> None:
    store.worklists.set_mode(store.worklists.named("Mammograms").id, mode, "chief", **how)


def told(store: Store, protocol: ReadingProtocol, case_id: int) -> set[str]:
    """What a list, the case itself and the study's records tell of the model."""
    records = Studies(store.database).records(protocol.reader)
    listed = store.worklists.page(WorklistQuery(), protocol.reader)
    return canaries_in([listed, protocol.case(case_id), records.cases])


def decide(protocol: ReadingProtocol, case_id: int, category: str) -> None:
    protocol.assess(case_id, Assessment({"birads": category}))
    protocol.assess(case_id, KEPT)


def moved(store: Store, case_id: int, back: bool, **how: bool) -> None:
    move(store, case_id, "Mammograms" if back else "Tissue", **how)


def changed(store: Store, _: int, back: bool, **how: bool) -> None:
    set_mode(store, "second_read" if back else "assisted", **how)


@pytest.mark.parametrize("there", [moved, changed])
def test_that_a_case_that_is_read_is_shown_only_where_that_is_asked_for(
    store: Store, ada: ReadingProtocol, bea: ReadingProtocol, case_id: int, there, rows: Rows
) -> None:
    ada.assess(case_id, FIRST)
    bea.open(case_id)
    before = rows("SELECT count(*) FROM audit")
    with pytest.raises(UnconfirmedError, match=r"1 reader \(Bea\) has not locked an assessment of 1 case .*--unblind"):
        there(store, case_id, back=False)
    assert rows("SELECT count(*) FROM audit") == before
    assert told(store, bea, case_id) == set()
    there(store, case_id, back=False, unblind=True)
    assert told(store, bea, case_id) == set(CANARIES)
    assert ("chief", "reveal") in rows("SELECT actor, action FROM audit")
    there(store, case_id, back=True)
    assert told(store, bea, case_id) == set()
    for reader, unblinded in ((bea, True), (a_protocol(store, "Cleo"), True)):
        context = reader.assess(case_id, FIRST).context
        assert (context["unblinded"], context["others_shown"]) == (unblinded, True)
    final = ada.assess(case_id, KEPT)
    assert final.context["unblinded"] is False  # she had locked hers before
    assert verify_store(store.database).ok


@pytest.mark.parametrize("there", [moved, changed])
def test_that_what_a_list_showed_before_anybody_began_counts_as_seen(
    store: Store, ada: ReadingProtocol, case_id: int, there
) -> None:
    there(store, case_id, back=False)
    assert told(store, ada, case_id) == set(CANARIES)  # looking leaves no trace of its own
    there(store, case_id, back=True)
    assert store.worklists.row(case_id, "Ada").was_open
    assert told(store, ada, case_id) == set()
    assert ada.assess(case_id, FIRST).context["unblinded"] is True


def test_that_a_case_of_which_nothing_was_known_was_not_shown(store: Store, ada: ReadingProtocol) -> None:
    case_id = a_case(store)
    ada.open(case_id)
    moved(store, case_id, back=False)
    moved(store, case_id, back=True)
    store.save_result(store.case(case_id).images[0].id, canary_result(), "analyst")
    assert not store.worklists.row(case_id, "Ada").was_open
    assert ada.assess(case_id, FIRST).context["unblinded"] is False


def test_that_a_list_that_was_closed_and_opened_again_has_been_seen(
    store: Store, ada: ReadingProtocol, bea: ReadingProtocol, case_id: int
) -> None:
    ada.assess(case_id, FIRST)
    home = store.worklists.named("Mammograms").id
    store.worklists.close(home, "chief")
    assert told(store, bea, case_id) == set(CANARIES)
    store.worklists.reopen(home, "chief")
    assert told(store, bea, case_id) == set()
    assert bea.assess(case_id, FIRST).context["unblinded"] is True
    assert ada.assess(case_id, KEPT).context["unblinded"] is False


def test_that_a_case_taken_out_of_a_closed_list_has_been_seen(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    other = store.worklists.create("Study", "second_read", "mammography", "chief")
    store.worklists.close(store.worklists.named("Mammograms").id, "chief")
    store.worklists.move([case_id], other.id, "chief")
    assert ada.assess(case_id, FIRST).context["unblinded"] is True


def test_that_moves_between_lists_that_hide_ask_nothing_and_mark_nothing(
    store: Store, ada: ReadingProtocol, bea: ReadingProtocol, case_id: int
) -> None:
    other = store.worklists.create("Study", "blind", "mammography", "chief")
    ada.assess(case_id, FIRST)
    bea.open(case_id)
    store.worklists.move([case_id], other.id, "chief")
    move(store, case_id, "Mammograms")
    assert bea.assess(case_id, FIRST).context["unblinded"] is False


def test_that_a_case_that_all_have_read_moves_freely(
    store: Store, ada: ReadingProtocol, bea: ReadingProtocol, case_id: int
) -> None:
    for reader in (ada, bea):
        reader.assess(case_id, FIRST)
    moved(store, case_id, back=False)
    assert told(store, bea, case_id) == set(CANARIES)


def test_that_arbitration_asks_while_a_reader_has_not_read(
    store: Store, ada: ReadingProtocol, bea: ReadingProtocol, case_id: int
) -> None:
    cleo, home = a_protocol(store, "Cleo"), store.worklists.named("Mammograms")
    decide(ada, case_id, "2")
    decide(bea, case_id, "5")
    cleo.open(case_id)
    with pytest.raises(UnconfirmedError, match=r"1 reader \(Cleo\) has not read 1 case of the 1 .*--anyway"):
        store.worklists.send_to_arbitration(home.id, "chief")
    assert store.worklists.row(case_id, "Ada").worklist_id == home.id
    target, sent = store.worklists.send_to_arbitration(home.id, "chief", anyway=True)
    assert target is not None
    assert sent == (case_id,)
    assert told(store, cleo, case_id) == told(store, a_protocol(store, "Dora"), case_id) == set()
    assert cleo.case(case_id).decisions == ()
    assert store.worklists.row(case_id, "Cleo").hidden == UNTIL_CALLED
    with pytest.raises(ReadingError, match="until it is assigned to you"):
        cleo.assess(case_id, FIRST)
    assert told(store, ada, case_id) == told(store, bea, case_id) == set(CANARIES)
    move(store, case_id, "Mammograms")
    assert cleo.assess(case_id, FIRST).context["unblinded"] is False  # nothing was shown to her there


def test_that_an_arbiter_sees_a_case_from_when_it_is_theirs(
    store: Store, ada: ReadingProtocol, bea: ReadingProtocol, case_id: int, rows: Rows
) -> None:
    decide(ada, case_id, "2")
    decide(bea, case_id, "5")
    store.worklists.send_to_arbitration(store.worklists.named("Mammograms").id, "chief")
    store.worklists.assign([case_id], "Dora", "chief", new=True)
    dora = a_protocol(store, "Dora")
    assert told(store, dora, case_id) == set(CANARIES)
    assert {row.reader for row in dora.case(case_id).decisions} == {"Ada", "Bea"}
    assert ("Dora", "reveal") in rows("SELECT actor, action FROM audit")
    store.worklists.assign([case_id], None, "chief")
    move(store, case_id, "Mammograms")
    assert told(store, dora, case_id) == set()
    assert dora.assess(case_id, FIRST).context["unblinded"] is True


def test_that_who_was_to_read_a_case_is_not_its_arbiter(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    store.worklists.assign([case_id], "Ada", "chief", new=True)
    set_mode(store, "arbitration")
    assert store.worklists.row(case_id, "Ada").assigned_to is None
    assert told(store, ada, case_id) == set()


def test_that_a_list_of_arbitration_is_ordered_by_the_model_only_where_nothing_is_veiled(
    store: Store, case_id: int
) -> None:
    set_mode(store, "arbitration")
    home = store.worklists.named("Mammograms").id
    assert "score" not in store.worklists.orders(home)
    assert "score" not in store.worklists.orders(None)
    set_mode(store, "assisted")
    set_mode(store, "arbitration")
    assert "score" in store.worklists.orders(home)
    assert told(store, a_protocol(store, "Zoe"), case_id) == set(CANARIES)  # everybody could see it before


def test_that_the_case_that_was_opened_last_is_found_where_the_list_has_it(
    store: Store, ada: ReadingProtocol, bea: ReadingProtocol, case_id: int
) -> None:
    other = a_read_case(store, "other")
    lists = store.worklists
    assert lists.last_opened(WorklistQuery(), "Ada") is None
    for each in (other, case_id):
        ada.open(each)
    bea.open(other)
    assert (lists.last_opened(WorklistQuery(), "Ada"), lists.last_opened(WorklistQuery(), "Bea")) == (case_id, other)
    assert lists.last_opened(WorklistQuery(lists.named("Tissue").id), "Ada") is None
    assert lists.last_opened(WorklistQuery(search="other"), "Ada") is None
