"""No way of reading a case tells what the model or another reader said before it may: a canary is looked for in all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pathview.errors import ReadingError
from pathview.geometry import Region
from pathview.results.regions import TileRegion
from pathview.results.result import ResultKept
from pathview.review.protocol import ReadingProtocol
from pathview.review.reading.reading import Assessment
from pathview.review.reading.veil import ResultHidden
from pathview.review.reading.worklist_query import ORDERS, WorklistQuery
from pathview.review.records.case import Order
from pathview.review.sql import audit
from pathview.review.store import Store
from tests.review.reading_makers import (
    CANARIES,
    LAYER,
    a_protocol,
    a_read_case,
    canaries_in,
    canary_failure,
    canary_result,
)

FIRST = Assessment({"birads": "2"})
SAFE: tuple[Order, ...] = ("newest", "date", "name", "random")


@pytest.fixture
def case_id(store: Store) -> int:
    return a_read_case(store)


@pytest.fixture
def ada(store: Store) -> ReadingProtocol:
    return a_protocol(store)


def set_mode(store: Store, mode: str) -> None:
    store.worklists.set_mode(store.worklists.named("Mammograms").id, mode, "chief")


def everything(store: Store, protocol: ReadingProtocol, case_id: int) -> Iterator[Any]:
    """All that a reader can be given of a case."""
    reader = protocol.reader
    yield protocol.case(case_id)
    yield protocol.case(case_id).as_json()
    yield protocol.open(case_id)
    yield protocol.look(case_id)
    yield protocol.priors(case_id)
    yield from (protocol.replay(row.id) for row in protocol.case(case_id).decisions)
    for order in store.worklists.orders(None):
        yield store.worklists.page(WorklistQuery(order=order), reader)
    yield store.worklists.counts(WorklistQuery(), reader)
    with store.database.reading() as session:
        trail = audit.newest(session, None, 1000)
    yield [protocol.audit_detail(row.actor, row.case_id, row.detail) for row in trail]


def told(store: Store, protocol: ReadingProtocol, case_id: int) -> set[str]:
    return set().union(*(canaries_in(found) for found in everything(store, protocol, case_id)))


def test_that_nothing_of_the_model_is_told_before_the_lock_and_all_after(
    store: Store, ada: ReadingProtocol, case_id: int
) -> None:
    assert told(store, ada, case_id) == set()
    ada.assess(case_id, FIRST)
    assert told(store, ada, case_id) == set(CANARIES)


def test_that_leaving_coming_back_and_a_second_window_tell_nothing(store: Store, case_id: int) -> None:
    for _ in range(2):
        assert told(store, a_protocol(store), case_id) == set()
    a_protocol(store).save_draft(case_id, {"note": "begun"})
    assert told(store, a_protocol(store), case_id) == set()


def test_that_one_readers_lock_reveals_nothing_to_another(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    ada.assess(case_id, FIRST)
    bea = a_protocol(store, "Bea")
    assert told(store, bea, case_id) == set()
    assert bea.case(case_id).decisions == ()
    bea.assess(case_id, FIRST)
    assert {row.reader for row in bea.case(case_id).decisions} == {"Bea"}  # not yet: her decision is still open
    bea.assess(case_id, Assessment(keep=True))
    assert {row.reader for row in bea.case(case_id).decisions} == {"Ada", "Bea"}


def test_that_blind_never_tells_and_assisted_always(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    set_mode(store, "blind")
    ada.assess(case_id, FIRST)
    assert told(store, ada, case_id) == set()
    a_protocol(store, "Bea").assess(case_id, FIRST)
    assert {row.reader for row in ada.case(case_id).decisions} == {"Ada"}
    set_mode(store, "assisted")
    assert told(store, a_protocol(store, "Chief"), case_id) == set(CANARIES)


def test_that_maps_and_tiles_are_refused(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    image = store.case(case_id).images[0]
    for refused in (
        lambda: ada.map(image.result.id),
        lambda: ada.map(image.result.id, LAYER),
        lambda: ada.answers(image.id),
        lambda: ada.labelled([case_id]),
        lambda: ada.require_model(case_id),
    ):
        with pytest.raises(ReadingError, match="hidden until you lock"):
            refused()
    ada.assess(case_id, FIRST)
    assert ada.map(image.result.id, LAYER).values.shape == (3, 4)
    assert ada.answers(image.id) == ()


def test_that_orders_and_filters_by_the_model_are_refused(store: Store, case_id: int) -> None:
    mammograms = store.worklists.named("Mammograms").id
    for worklist_id in (None, mammograms):
        assert store.worklists.orders(worklist_id) == SAFE
        for query in (WorklistQuery(worklist_id, order="score"), WorklistQuery(worklist_id, label="positive")):
            with pytest.raises(Exception, match="hidden"):
                store.worklists.page(query, "Ada")
    assert store.worklists.orders(store.worklists.named("Tissue").id) == ORDERS


def test_that_the_order_of_hidden_cases_does_not_follow_the_model(store: Store, ada: ReadingProtocol) -> None:
    low, high = a_read_case(store, "low"), a_read_case(store, "high")
    before = [row.id for row in store.worklists.page(WorklistQuery(order="random"), "Ada")]
    store.save_result(store.case(low).images[0].id, canary_failure(), "analyst")
    assert [row.id for row in store.worklists.page(WorklistQuery(order="random"), "Ada")] == before
    assert {low, high} == set(before)


def test_that_a_hidden_case_tells_that_the_analysis_ran_and_no_more(
    store: Store, ada: ReadingProtocol, case_id: int
) -> None:
    row = ada.case(case_id).case
    assert (row.ran, row.label, row.score, row.position, row.flags) == (True, None, None, None, 0)
    assert "until you lock" in row.hidden
    assert ada.outcome(case_id, canary_result()) == ResultHidden("analysed", "canary-recipe", row.hidden)
    assert ada.outcome(case_id, canary_failure()) == ResultHidden("not_analysed", "canary-recipe", row.hidden)
    kept = ada.outcome(case_id, ResultKept("The file has gone. Its earlier result stays.", "canary-recipe"))
    assert kept == ResultKept("The file has gone. Its earlier result stays.", "")
    ada.assess(case_id, FIRST)
    assert ada.case(case_id).case.hidden == ""


def test_that_a_prior_is_hidden_by_its_own_list_and_by_the_case_beside_it(store: Store, ada: ReadingProtocol) -> None:
    current = a_read_case(store, "now", patient_key="p", study_date="2024-01-01")
    prior = a_read_case(store, "then", "Other images", patient_key="p", study_date="2022-01-01")
    hidden = a_read_case(store, "before", patient_key="p", study_date="2020-01-01")
    assert canaries_in(ada.case(prior)) == set(CANARIES)
    assert [row.id for row in ada.priors(current)] == [prior, hidden]
    assert (
        canaries_in([ada.priors(current), ada.case(prior, beside=current), ada.case(hidden, beside=current)]) == set()
    )
    ada.assess(current, FIRST)
    assert [row.score is None for row in ada.priors(current)] == [False, True]
    assert canaries_in(ada.case(prior, beside=current)) == set(CANARIES)
    assert canaries_in(ada.case(hidden, beside=current)) == set()


def test_that_what_others_drew_and_answered_is_their_judgement(
    store: Store, ada: ReadingProtocol, case_id: int
) -> None:
    from pathview.results.annotation import Mark

    image = store.case(case_id).images[0]
    for reader in ("Ada", "Bea"):
        store.marks.add(image.id, Mark("ruler", ((0.0, 0.0), (3.0, 4.0))), reader)
    assert [mark.reader for mark in ada.marks(case_id)[image.id]] == ["Ada"]
    ada.assess(case_id, FIRST)
    tile = TileRegion(Region(0, 0, 3, 4), Region(0, 0, 12, 12), 0.7, 1)
    store.answers.add(image.id, image.result.id, tile, "positive", "Bea")
    assert ada.answers(image.id) == ()
    assert ada.labelled() == ((), 1)
    ada.assess(case_id, Assessment(keep=True))
    assert [mark.reader for mark in ada.marks(case_id)[image.id]] == ["Ada", "Bea"]
    assert [answer.reader for answer in ada.answers(image.id)] == ["Bea"]
    assert len(ada.labelled()[0]) == 1


def test_that_the_trail_tells_no_reader_what_another_decided(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    a_protocol(store, "Bea").assess(case_id, Assessment({"birads": "5"}))
    store.truths.add(case_id, "positive", "biopsy", "chief")

    def trail() -> list[dict[str, Any]]:
        with store.database.reading() as session:
            rows = audit.newest(session, case_id, 100)
        return [ada.audit_detail(row.actor, row.case_id, row.detail) for row in rows]

    assert "positive" not in repr(trail())
    ada.assess(case_id, FIRST)
    assert "negative" in repr(trail())
    assert "positive" not in repr(trail())
    ada.assess(case_id, Assessment(keep=True))
    assert "positive" in repr(trail())
