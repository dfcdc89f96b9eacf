"""The stages of a reading: what may be said when, and what the store keeps of it; on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pathview.errors import ReadingError, StoreError
from pathview.review.protocol import ReadingProtocol
from pathview.review.reading.reading import Assessment
from pathview.review.store import Store
from pathview.settings import Settings
from tests.review.reading_makers import RECIPE, WEIGHTS, a_case, a_protocol, a_read_case, canary_result

FIRST = Assessment({"birads": "2", "confidence": "3"}, note="dense")
CHANGED = Assessment({"birads": "4A"}, reason="The mask pointed at it.")


def actions(store: Store, rows, actor: str = "Ada") -> list[str]:
    return [action for who, action in rows("SELECT actor, action FROM audit ORDER BY id") if who == actor]


def set_mode(store: Store, mode: str, name: str = "Mammograms") -> None:
    store.worklists.set_mode(store.worklists.named(name).id, mode, "chief")


@pytest.fixture
def case_id(store: Store) -> int:
    return a_read_case(store)


@pytest.fixture
def ada(store: Store) -> ReadingProtocol:
    return a_protocol(store)


def test_that_a_second_read_is_locked_revealed_and_kept(store: Store, ada: ReadingProtocol, case_id: int, rows) -> None:
    opened = ada.open(case_id)
    assert (opened.stage, opened.sight.model, opened.form.name, opened.first) == ("first", False, "mammography", None)
    first = ada.assess(case_id, FIRST, {"mask_shown": False}, seconds=40.0)
    assert (first.stage, first.mode, first.form, first.value) == ("first", "second_read", "mammography", "negative")
    assert (first.answers, first.note, first.seconds) == (FIRST.answers, "dense", 40.0)
    opened = ada.open(case_id)
    assert (opened.stage, opened.sight.model, opened.first) == ("final", True, first)
    final = ada.assess(case_id, Assessment(keep=True, reason="It marks the vessel."), seconds=12.0)
    assert (final.stage, final.value, final.answers) == ("final", "negative", FIRST.answers)
    assert (final.reason, final.context["kept"]) == ("It marks the vessel.", True)
    assert ada.open(case_id).decision == final
    assert actions(store, rows) == ["open", "lock", "reveal", "open", "decide", "open"]
    reading = ada.open(case_id).reading
    assert (reading.first, reading.final, reading.seconds) == ("negative", "negative", 52.0)
    assert store.case(case_id).case.decision == "negative"


def test_that_changing_needs_a_reason_and_keeping_does_not(ada: ReadingProtocol, case_id: int) -> None:
    ada.assess(case_id, FIRST)
    with pytest.raises(ReadingError, match="Say why you change"):
        ada.assess(case_id, Assessment({"birads": "4A"}, reason="  "))
    with pytest.raises(ReadingError, match="differs from your first assessment"):
        ada.assess(case_id, Assessment({"birads": "4A"}, keep=True, reason="x"))
    with pytest.raises(ReadingError, match="first assessment unchanged"):
        ada.assess(case_id, Assessment(FIRST.answers, keep=False, reason="x"))
    assert [row.stage for row in ada.case(case_id).decisions] == ["first"]
    changed = ada.assess(case_id, CHANGED)
    assert (changed.value, changed.context["kept"]) == ("positive", False)
    kept = ada.assess(case_id, Assessment(keep=True))
    assert (kept.value, kept.context["kept"]) == ("negative", True)


def test_that_other_answers_of_the_same_value_are_a_change_too(ada: ReadingProtocol, case_id: int) -> None:
    ada.assess(case_id, FIRST)
    with pytest.raises(ReadingError, match="Say why"):
        ada.assess(case_id, Assessment({"birads": "1", "confidence": "3"}))
    assert ada.assess(case_id, Assessment(value="negative")).answers == FIRST.answers


def test_that_nothing_is_locked_twice(store: Store, case_id: int) -> None:
    here, there = a_protocol(store), a_protocol(store)
    assert here.open(case_id).stage == there.open(case_id).stage == "first"
    here.assess(case_id, Assessment({"birads": "2"}, stage="first"))
    with pytest.raises(ReadingError, match="read on elsewhere"):
        there.assess(case_id, Assessment({"birads": "5"}, stage="first"))
    assert [row.value for row in here.case(case_id).decisions] == ["negative"]


def test_that_the_database_itself_refuses_a_second_lock(store: Store, case_id: int, rows) -> None:
    a_protocol(store).assess(case_id, FIRST)
    (columns,) = rows("SELECT * FROM decisions WHERE stage = 'first'")
    again = (
        "INSERT INTO decisions (case_id, value, stage, mode, form, answers, reason, note, reader, context, created, "
        "seal) SELECT case_id, 'positive', stage, mode, form, answers, reason, note, reader, context, created, seal "
        "FROM decisions WHERE stage = 'first'"
    )
    with pytest.raises(Exception, match=r"(?i)unique"):
        rows(again)
    assert rows("SELECT * FROM decisions WHERE stage = 'first'") == [columns]


def test_that_a_first_assessment_is_never_taken_back(ada: ReadingProtocol, case_id: int) -> None:
    with pytest.raises(ReadingError, match="no decision of Ada"):
        ada.withdraw(case_id)
    ada.assess(case_id, FIRST)
    with pytest.raises(ReadingError, match="cannot be taken back"):
        ada.withdraw(case_id)
    ada.assess(case_id, CHANGED)
    assert ada.withdraw(case_id).value is None
    opened = ada.open(case_id)
    assert (opened.stage, opened.decision, opened.first.value) == ("final", None, "negative")
    assert (opened.detail.case.state, opened.detail.case.decision) == ("first_locked", None)
    with pytest.raises(ReadingError, match="cannot be taken back"):
        ada.withdraw(case_id)


def test_that_a_wrong_form_keeps_nothing(ada: ReadingProtocol, case_id: int) -> None:
    for wrong, told in (
        (Assessment(), "Nothing is filled in yet"),
        (Assessment({"birads": "7"}), "BI-RADS category is one of"),
        (Assessment({"density": "a"}), "BI-RADS category is not filled in"),
        (Assessment({"birads": "2"}, value="positive"), "these answers are negative, not positive"),
    ):
        with pytest.raises(ReadingError, match=told):
            ada.assess(case_id, wrong)
    assert ada.case(case_id).decisions == ()
    with pytest.raises(StoreError, match="no case 99"):
        ada.assess(99, FIRST)


def test_that_a_value_alone_is_an_assessment_of_the_simple_form(ada: ReadingProtocol, case_id: int) -> None:
    row = ada.assess(case_id, Assessment(value="cant_tell"))
    assert (row.stage, row.form, row.answers, row.value) == ("first", "simple", {}, "cant_tell")
    final = ada.assess(case_id, Assessment({"birads": "5"}, reason="Seen with the mask."))
    assert (final.stage, final.form, final.value) == ("final", "mammography", "positive")


@pytest.mark.parametrize("mode", ["assisted", "blind"])
def test_that_other_modes_have_one_assessment(store: Store, ada: ReadingProtocol, case_id: int, mode: str) -> None:
    set_mode(store, mode)
    assert ada.open(case_id).stage == "final"
    row = ada.assess(case_id, FIRST)
    assert (row.stage, row.mode) == ("final", mode)
    assert row.context["model_shown"] is (mode == "assisted")
    assert row.context["unblinded"] is False
    assert ada.open(case_id).sight.model is (mode == "assisted")
    assert ada.assess(case_id, Assessment({"birads": "5"})).value == "positive"


def test_that_a_closed_list_shows_all_and_takes_nothing(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    store.worklists.close(store.worklists.named("Mammograms").id, "chief")
    opened = ada.open(case_id)
    assert (opened.stage, opened.sight.model) == (None, True)
    with pytest.raises(ReadingError, match="list Mammograms is closed"):
        ada.assess(case_id, FIRST)
    with pytest.raises(ReadingError, match="is closed"):
        ada.withdraw(case_id)


def test_that_two_readers_who_differ_are_arbitrated(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    bea, chief = a_protocol(store, "Bea"), a_protocol(store, "Chief")
    for reader, category in ((ada, "2"), (bea, "5")):
        reader.assess(case_id, Assessment({"birads": category}))
        assert reader.case(case_id).case.state == "first_locked"
        reader.assess(case_id, Assessment(keep=True))
    assert store.case(case_id).case.state == "arbitration"
    assert ada.case(case_id).case.state == bea.case(case_id).case.state == "arbitration"
    set_mode(store, "arbitration")
    assert chief.open(case_id).detail.decisions == ()
    with pytest.raises(ReadingError, match="until it is assigned to you to arbitrate"):
        chief.assess(case_id, Assessment(value="positive"))
    store.worklists.assign([case_id], "Chief", "Chief")
    opened = chief.open(case_id)
    assert opened.stage == "arbitration"
    assert [(row.reader, row.value) for row in opened.detail.decisions if row.stage == "final"] == [
        ("Ada", "negative"), ("Bea", "positive"),
    ]  # fmt: skip
    assert chief.assess(case_id, Assessment(value="positive")).stage == "arbitration"
    assert (store.case(case_id).case.state, store.case(case_id).case.decision) == ("decided", "positive")
    chief.withdraw(case_id)
    assert store.case(case_id).case.state == "arbitration"


def test_that_readers_who_agree_leave_nothing_to_arbitrate(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    for reader in (ada, a_protocol(store, "Bea")):
        reader.assess(case_id, FIRST)
        reader.assess(case_id, Assessment(keep=True))
    assert store.case(case_id).case.state == "decided"


def test_that_a_withdrawn_decision_leaves_the_other_readers(store: Store, case_id: int) -> None:
    set_mode(store, "assisted")
    store.decide(case_id, "positive", "", "Ada")
    store.decide(case_id, "negative", "", "Bea")
    assert (store.case(case_id).case.state, store.case(case_id).case.decision) == ("arbitration", "negative")
    store.decide(case_id, None, "", "Bea")
    assert (store.case(case_id).case.state, store.case(case_id).case.decision) == ("decided", "positive")


def test_that_the_context_says_what_an_assessment_was_made_on(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    first = ada.assess(case_id, FIRST, {"image": 1, "results": [99], "model_shown": True})
    assert (first.context["results"], first.context["weights"], first.context["model_shown"]) == ([], {}, False)
    result = store.case(case_id).images[0].result
    final = ada.assess(case_id, CHANGED, {"image": 1, "threshold": 0.3})
    assert (final.context["results"], final.context["weights"]) == ([result.id], {str(result.id): WEIGHTS})
    assert final.context["threshold"] == 0.3
    assert (first.context["unblinded"], final.context["unblinded"]) == (False, False)


def test_that_what_was_seen_is_brought_back(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    image = store.case(case_id).images[0]
    first = ada.assess(case_id, FIRST, {"image": image.id, "images_shown": [image.id], "window": {"center": 2000}})
    seen = {"image": image.id, "images_shown": [image.id], "thresholds": {str(image.result.id): 0.3}}
    final = ada.assess(case_id, CHANGED, {**seen, "mask_shown": True, "heat_shown": "conv4"})
    store.save_result(image.id, canary_result(), "analyst")
    assert ada.case(case_id).images[0].result.id != image.result.id
    replay = ada.replay(final.id)
    assert (replay.image.result.id, replay.threshold) == (image.result.id, 0.3)
    assert replay.overlays == {"mask_shown": True, "heat_shown": "conv4"}
    before = ada.replay(first.id)
    assert (before.image.result, before.threshold, before.window) == (None, None, {"center": 2000})
    with pytest.raises(StoreError, match="no decision 99"):
        ada.replay(99)


def test_that_anothers_screen_is_shown_after_ones_own_decision(
    store: Store, ada: ReadingProtocol, case_id: int
) -> None:
    theirs = a_protocol(store, "Bea").assess(case_id, FIRST)
    for said in (FIRST, Assessment(keep=True)):
        with pytest.raises(ReadingError, match="until you have decided"):
            ada.replay(theirs.id)
        ada.assess(case_id, said)
    assert ada.replay(theirs.id).decision.value == "negative"


def test_that_a_revealed_reading_counts_as_unblinded(store: Store, ada: ReadingProtocol, case_id: int, rows) -> None:
    ada.reveal(case_id, "asked for")
    assert not ada.sight(case_id).model
    assert ada.assess(case_id, FIRST).context["unblinded"] is True
    assert ada.open(case_id).reading.unblinded
    assert actions(store, rows)[:2] == ["reveal", "lock"]


def test_that_a_case_looked_at_before_its_list_hid_the_model_is_unblinded(
    store: Store, ada: ReadingProtocol, case_id: int
) -> None:
    set_mode(store, "assisted")
    ada.open(case_id)
    set_mode(store, "second_read")
    assert ada.assess(case_id, FIRST).context["unblinded"] is True


def test_that_what_was_decided_with_the_model_shown_stays_shown(
    store: Store, ada: ReadingProtocol, case_id: int
) -> None:
    set_mode(store, "assisted")
    ada.open(case_id)
    ada.assess(case_id, Assessment(value="positive"))
    set_mode(store, "second_read")
    opened = ada.open(case_id)
    assert (opened.stage, opened.sight.model) == ("final", True)
    assert not a_protocol(store, "Bea").sight(case_id).model


def test_that_what_was_decided_blind_is_not_revealed_by_another_mode(
    store: Store, ada: ReadingProtocol, case_id: int
) -> None:
    set_mode(store, "blind")
    ada.open(case_id)
    ada.assess(case_id, FIRST)
    set_mode(store, "second_read")
    assert (ada.open(case_id).stage, ada.sight(case_id).model) == ("first", False)


def test_that_drafts_are_each_readers_own_and_go_with_the_assessment(
    store: Store, ada: ReadingProtocol, case_id: int
) -> None:
    ada.save_draft(case_id, {"answers": {"birads": "3"}, "note": "begun", "shapes": [[1, 2]]})
    assert a_protocol(store, "Bea").open(case_id).draft == {}
    assert ada.open(case_id).draft["note"] == "begun"
    with pytest.raises(ReadingError):
        ada.assess(case_id, Assessment({"birads": "9"}))
    assert ada.draft(case_id)["note"] == "begun"
    ada.assess(case_id, FIRST)
    assert ada.draft(case_id) == {"shapes": [[1, 2]]}  # unfinished drawing is not lost by locking
    ada.save_draft(case_id, {})
    assert ada.draft(case_id) == {}


def test_that_a_list_whose_form_has_gone_is_read_by_the_simple_one_and_told(
    store: Store, ada: ReadingProtocol, case_id: int
) -> None:
    store.worklists.set_form(store.worklists.named("Mammograms").id, "gone", "chief")
    opened = ada.open(case_id)
    assert opened.form.name == "simple"
    assert "no assessment form 'gone'" in opened.problems[0]
    assert ada.assess(case_id, Assessment({"assessment": "negative"})).form == "simple"


def test_that_states_are_the_readers_own(store: Store, ada: ReadingProtocol) -> None:
    case_id = a_case(store, "new")
    assert ada.case(case_id).case.state == "new"
    store.save_result(store.case(case_id).images[0].id, canary_result(), "analyst")
    assert ada.case(case_id).case.state == "analysed"
    ada.open(case_id)
    assert (ada.case(case_id).case.state, a_protocol(store, "Bea").case(case_id).case.state) == (
        "in_reading", "analysed",
    )  # fmt: skip
    ada.assess(case_id, FIRST)
    assert ada.case(case_id).case.state == "first_locked"
    ada.assess(case_id, Assessment(keep=True))
    assert ada.case(case_id).case.state == "decided"
    assert a_protocol(store, "Bea").case(case_id).case.state == "analysed"


def test_that_whoever_reads_is_known_and_names_are_plain(store: Store, ada: ReadingProtocol, case_id: int) -> None:
    ada.open(case_id)
    store.readers.add("  Bea   B. ", "chief")
    store.readers.add("Bea B.", "chief")
    assert [reader.name for reader in store.readers.all()] == ["Ada", "Bea B."]
    for wrong in ("", "  ", "x" * 81, "a\x00b"):
        with pytest.raises(StoreError, match="1 to 80 letters"):
            store.readers.add(wrong, "chief")


def test_that_pictures_are_told_ahead_without_the_model(ada: ReadingProtocol, case_id: int) -> None:
    ahead, case = ada.pictures(case_id), ada.case(case_id)
    assert ahead == tuple(replace(image, result=None) for image in case.images)
    assert ada.pictures(case_id + 100) == ()


def test_that_the_model_is_named_in_no_draft_or_form_by_the_program(ada: ReadingProtocol, case_id: int) -> None:
    opened = ada.open(case_id)
    assert (opened.draft, RECIPE in repr(opened.form)) == ({}, False)
    assert all("default" not in field for field in opened.form.model_dump()["fields"])


def test_that_a_protocol_of_any_settings_needs_no_form_for_a_value(store: Store, case_id: int, tmp_path) -> None:
    bare = ReadingProtocol(store, "Ada", Settings(data_dir=tmp_path, resources=tmp_path))
    assert bare.assess(case_id, Assessment(value="negative")).stage == "first"
