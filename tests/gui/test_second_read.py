"""The reading protocol by keyboard: first without the model, locked, then with it, kept or changed with a reason."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication

from pathview.gui.panels.worklist_model import hidden_words
from pathview.gui.reading_flow import OF_THE_MODEL
from pathview.results.annotation import Mark
from tests.gui.conftest import idle
from tests.gui.reading import CONTROL, LOCK, decisions_of, fill_in, lock, press, store_of, type_words
from tests.gui.studies import keep_result
from tests.makers import breast_pixels, write_dicom

KEY = Qt.Key


@pytest.fixture
def reading(qtbot, reading_window, tmp_path: Path):
    """A reader with two mammograms, the first one analysed and on the screen."""
    window = reading_window()
    window.worklist.filters._wish("order", "name")
    for name in ("a", "b"):
        write_dicom(tmp_path / f"{name}.dcm", breast_pixels(300, 220), ImagerPixelSpacing=[0.1, 0.1])
    window.open_paths([tmp_path / "a.dcm", tmp_path / "b.dcm"])
    idle(qtbot, window)
    keep_result(window, "a.dcm", score=12.0)
    window.desk.reload_case()
    window.refresh()
    idle(qtbot, window)
    return window


def test_that_the_whole_protocol_goes_by_keyboard(qtbot, reading) -> None:
    case_id = reading.desk.case_id
    assert reading.decision._heading.text() == "First read, without the model"
    fill_in(qtbot, reading, "3CL4")
    type_words(qtbot, reading, "a mass")  # the focus went on to the note
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    (first,) = decisions_of(reading, case_id)
    assert (first.stage, first.mode, first.value, first.note) == ("first", "second_read", "positive", "a mass")
    assert first.answers == {"birads": "3", "density": "c", "laterality": "left", "confidence": "4"}
    assert reading.desk.state.result.score == 12.0
    before = reading.desk.state.threshold
    press(qtbot, reading, KEY.Key_Comma)
    idle(qtbot, reading)
    assert reading.desk.state.threshold < before
    press(qtbot, reading, KEY.Key_K, CONTROL)  # change
    type_words(qtbot, reading, "A")
    press(qtbot, reading, *LOCK)
    assert "Say why" in reading.decision._problem.text()
    type_words(qtbot, reading, "spiculated")  # the focus is where the reason is missing
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    final = decisions_of(reading, case_id)[-1]
    assert (final.stage, final.answers["birads"], final.reason) == ("final", "4A", "spiculated")
    assert final.context["threshold"] == pytest.approx(before - 0.02)
    assert reading.decision._final.text().startswith("<b>Changed to</b>")
    press(qtbot, reading, KEY.Key_PageDown)
    idle(qtbot, reading)
    assert reading.desk.case_id != case_id
    assert reading.decision.form.answers == {}


def test_that_k_keeps_the_first_read_and_is_the_case_before_again_after_that(qtbot, reading) -> None:
    case_id = reading.desk.case_id
    keys = [action.toString() for action in reading.actions_by_id["previous_case"].shortcuts()]
    assert "K" in keys
    lock(qtbot, reading)
    assert [key.toString() for key in reading.actions_by_id["keep_first"].shortcuts()] == ["K"]
    reading.worklist.list.setFocus()
    press(qtbot, reading, KEY.Key_K)
    idle(qtbot, reading)
    assert reading.desk.case_id == case_id
    final = decisions_of(reading, case_id)[-1]
    assert (final.stage, final.value, final.context["kept"]) == ("final", "positive", True)
    assert [action.toString() for action in reading.actions_by_id["previous_case"].shortcuts()] == keys
    assert "<b>Kept</b>" in reading.decision._final.text()


def test_that_undo_takes_back_the_final_decision_only(qtbot, reading) -> None:
    case_id = reading.desk.case_id
    lock(qtbot, reading)
    press(qtbot, reading, KEY.Key_U)
    idle(qtbot, reading)
    assert [row.stage for row in decisions_of(reading, case_id)] == ["first"]
    assert "Undo ends" in reading.banner.text
    press(qtbot, reading, KEY.Key_K)
    idle(qtbot, reading)
    press(qtbot, reading, KEY.Key_U)
    idle(qtbot, reading)
    rows = decisions_of(reading, case_id)
    assert [(row.stage, row.value) for row in rows] == [("first", "positive"), ("final", "positive"), ("final", None)]
    assert reading.desk.state.result is not None  # what was seen stays seen
    assert not reading.decision._choice.isHidden()


def test_that_the_models_actions_say_why_they_cannot_be_used(qtbot, reading) -> None:
    for name in OF_THE_MODEL:
        assert not reading.actions_by_id[name].isEnabled()
        assert "hidden until you lock" in reading.actions_by_id[name].toolTip()
    assert "until you lock" in reading.ai._hidden.text()
    assert "An analysis has run." in reading.ai._hidden.text()
    lock(qtbot, reading)
    assert all(reading.actions_by_id[name].isEnabled() for name in OF_THE_MODEL)
    assert reading.actions_by_id["mask"].toolTip() == "Show the mask (M)"
    assert reading.ai._hidden.isHidden()


def test_that_a_first_read_that_is_not_filled_in_is_not_locked(qtbot, reading) -> None:
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    assert reading.decision._problem.text() == "BI-RADS category is not filled in."
    assert decisions_of(reading, reading.desk.case_id) == ()
    fill_in(qtbot, reading, "2")
    assert reading.decision._problem.text() == ""


def test_that_what_was_begun_is_on_the_disk_before_the_reader_leaves_and_comes_back(qtbot, reading) -> None:
    case_id = reading.desk.case_id
    fill_in(qtbot, reading, "2B")
    protocol = reading.desk._handle.get().protocol
    qtbot.waitUntil(lambda: bool(protocol.draft(case_id)), timeout=5000)
    assert protocol.draft(case_id)["answers"] == {"birads": "2", "density": "b"}
    reading.decision.note.setPlainText("benign calcification")
    press(qtbot, reading, KEY.Key_PageDown)  # at once, not half a second later
    idle(qtbot, reading)
    assert protocol.draft(case_id)["note"] == "benign calcification"
    assert reading.decision.form.answers == {}
    press(qtbot, reading, KEY.Key_PageUp)
    idle(qtbot, reading)
    assert reading.decision.form.answers == {"birads": "2", "density": "b"}
    assert reading.decision.note.toPlainText() == "benign calcification"


def test_that_a_change_that_was_begun_comes_back_in_another_sitting(qtbot, reading, reading_window) -> None:
    case_id = reading.desk.case_id
    lock(qtbot, reading)
    press(qtbot, reading, KEY.Key_K, CONTROL)
    type_words(qtbot, reading, "1")
    reading.decision.reason.setFocus()
    type_words(qtbot, reading, "only a cyst")
    reading.close()
    later = reading_window()
    later.worklist.choose(case_id)
    idle(qtbot, later)
    assert later.decision.reason.text() == "only a cyst"
    assert later.decision.form.answers["birads"] == "1"
    assert later.decision._first.text().startswith("<b>Your first read:</b> BI-RADS 5")
    assert later.desk.state.result is not None


def test_that_a_decision_that_cannot_be_saved_is_not_shown_as_saved(qtbot, reading, monkeypatch) -> None:
    from pathview.errors import StoreError

    def full(*_, **__):
        raise StoreError("The disk is full.")

    monkeypatch.setattr("pathview.review.protocol.ReadingProtocol.assess", full)
    lock(qtbot, reading)
    assert reading.banner.text == "The disk is full."
    assert reading.desk.state.result is None
    assert reading.decision._state.text() == "Not locked yet."
    assert reading.decision.form.answers["birads"] == "5"


def test_that_time_counts_only_while_the_window_is_active(qtbot, reading) -> None:
    clock = reading.flow._clock
    QApplication.sendEvent(reading, QEvent(QEvent.Type.WindowDeactivate))
    stopped = clock.seconds
    assert not clock._since.isValid()
    assert clock.seconds == stopped
    QApplication.sendEvent(reading, QEvent(QEvent.Type.WindowActivate))
    assert clock._since.isValid()


def test_that_the_time_before_a_case_was_left_counts_too(qtbot, reading) -> None:
    case_id = reading.desk.case_id
    reading.flow._clock.start(30.0)
    press(qtbot, reading, KEY.Key_PageDown)
    idle(qtbot, reading)
    press(qtbot, reading, KEY.Key_PageUp)
    idle(qtbot, reading)
    lock(qtbot, reading)
    reading.actions_by_id["keep_first"].trigger()
    idle(qtbot, reading)
    first, final = decisions_of(reading, case_id)
    assert first.seconds >= 30.0
    assert final.seconds < 30.0


def test_that_what_was_seen_is_shown_again_with_its_threshold_and_grey(qtbot, reading) -> None:
    lock(qtbot, reading)
    reading.ai._threshold.setValue(300)
    reading.actions_by_id["invert"].setChecked(True)
    reading.actions_by_id["keep_first"].trigger()
    idle(qtbot, reading)
    keep_result(reading, "a.dcm", score=1.0)  # a newer result, which the decision was not made on
    reading.desk.reload_case()
    idle(qtbot, reading)
    reading.ai._threshold.setValue(800)
    reading.actions_by_id["invert"].setChecked(False)
    idle(qtbot, reading)
    assert reading.desk.state.result.score == 1.0
    count = len(decisions_of(reading, reading.desk.case_id))
    press(qtbot, reading, KEY.Key_H, CONTROL)
    idle(qtbot, reading)
    assert reading.banner.text.startswith("A replay: as Dr Test saw it on ")
    assert reading.desk.state.result.score == 12.0
    assert reading.desk.state.threshold == pytest.approx(0.3)
    assert reading.viewer.canvas.tone.invert
    assert not reading.ai._threshold.isEnabled()
    reading.actions_by_id["undo_decision"].trigger()
    press(qtbot, reading, KEY.Key_K)
    idle(qtbot, reading)
    press(qtbot, reading, KEY.Key_Escape)
    idle(qtbot, reading)
    assert len(decisions_of(reading, reading.desk.case_id)) == count
    assert reading.desk.state.result.score == 1.0
    assert reading.desk.state.threshold == pytest.approx(0.8)
    assert reading.ai._threshold.isEnabled()
    assert not reading.viewer.canvas.tone.invert
    assert reading.banner.text == ""


def test_that_a_replay_shows_the_marks_as_they_were(qtbot, reading) -> None:
    active, marks = reading.desk.state.active, store_of(reading).marks
    moved, removed, later = (Mark("point", ((10.0 * n, 20.0),)) for n in (1, 2, 3))
    for mark in (moved, removed):
        marks.add(active, mark, "Dr Test")
    lock(qtbot, reading)
    marks.change(replace(moved, points=((50.0, 50.0),)), "Dr Test")
    marks.remove(removed.id, "Dr Test")
    marks.add(active, later, "Dr Test")
    reading.desk.marks.open(reading.desk.case_id)
    idle(qtbot, reading)

    def shown() -> list[Mark]:
        return [one.mark for one in reading.desk.marks.of(active)]

    now = shown()
    assert [mark.id for mark in now] == [moved.id, later.id]
    press(qtbot, reading, KEY.Key_H, CONTROL)
    idle(qtbot, reading)
    assert shown() == [moved, removed]
    press(qtbot, reading, KEY.Key_Escape)
    idle(qtbot, reading)
    assert shown() == now


def test_that_a_first_read_is_replayed_without_the_model(qtbot, reading) -> None:
    lock(qtbot, reading)
    press(qtbot, reading, KEY.Key_H, CONTROL)
    idle(qtbot, reading)
    assert "without the model" in reading.banner.text
    assert reading.desk.state.result is None
    press(qtbot, reading, KEY.Key_Escape)
    idle(qtbot, reading)
    assert reading.desk.state.result is not None


def test_that_a_replay_that_is_left_for_another_case_leaves_nothing_of_it(qtbot, reading) -> None:
    lock(qtbot, reading)
    reading.actions_by_id["mask"].setChecked(False)
    reading.actions_by_id["keep_first"].trigger()
    idle(qtbot, reading)
    reading.actions_by_id["mask"].setChecked(True)
    press(qtbot, reading, KEY.Key_H, CONTROL)
    idle(qtbot, reading)
    assert not reading.desk.state.mask
    press(qtbot, reading, KEY.Key_PageDown)
    idle(qtbot, reading)
    assert reading.desk.state.mask
    assert reading.decision.form.isEnabled()
    fill_in(qtbot, reading, "2")
    assert reading.decision.form.answers == {"birads": "2"}


def test_that_a_blind_list_never_shows_the_model(qtbot, reading) -> None:
    lists = store_of(reading).worklists
    lists.set_mode(lists.named("Mammograms").id, "blind", "x")
    reading.worklist.choose(2)
    idle(qtbot, reading)
    reading.worklist.choose(1)
    idle(qtbot, reading)
    assert reading.decision._heading.text() == "Your assessment, read blind"
    fill_in(qtbot, reading, "1AN3")
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    (only,) = decisions_of(reading, 1)
    assert (only.stage, only.mode, only.value) == ("final", "blind", "negative")
    assert reading.desk.state.result is None
    assert not reading.actions_by_id["heat"].isEnabled()


def test_that_a_closed_list_shows_all_and_takes_nothing(qtbot, reading) -> None:
    lists = store_of(reading).worklists
    lists.close(lists.named("Mammograms").id, "x")
    reading.desk.open_case(1)
    idle(qtbot, reading)
    assert reading.desk.state.result is not None
    assert "is closed" in reading.decision._hint.text()
    assert not reading.decision.form.isEnabled()
    fill_in(qtbot, reading, "1")
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    assert decisions_of(reading, 1) == ()


def test_that_two_readers_stand_side_by_side_and_a_third_decides(qtbot, reading, reading_window) -> None:
    lock(qtbot, reading)
    press(qtbot, reading, KEY.Key_K)
    idle(qtbot, reading)
    reading.close()
    second = reading_window("Dr Other")
    second.worklist.choose(1)
    idle(qtbot, second)
    assert second.decision.history.isHidden()  # what the first one said is not told yet
    lock(qtbot, second, "1AN3")
    assert [row.reader for row in second.desk.reading.now.detail.decisions] == ["Dr Other"]
    press(qtbot, second, KEY.Key_K)
    idle(qtbot, second)
    assert {row.reader for row in second.desk.reading.now.detail.decisions} == {"Dr Test", "Dr Other"}
    second.lists.show_list_of(second.desk.reading.now.worklist.id)
    second.worklist.filters.choose_list(second.desk.reading.now.worklist.id)
    idle(qtbot, second)
    second.actions_by_id["arbitration"].trigger()
    idle(qtbot, second)
    second.close()
    third = reading_window("Dr Arbiter")
    third.worklist.choose(1)
    idle(qtbot, third)
    assert third.desk.reading.now.detail.decisions == ()
    assert "until it is assigned to you" in third.desk.reading.hidden
    told = third.ai._hidden.text()
    assert "Not yours to arbitrate" in told
    assert "until it is assigned to you" in told
    assert "Lock it" not in told  # the steps of a second read
    assert hidden_words(third.desk.state.detail.case) == "to be assigned"
    third.lists.assign_to_me()
    idle(qtbot, third)
    words = [label.text() for label in third.decision.sides.findChildren(type(third.decision._state))]
    assert {"Dr Test", "Dr Other", "5", "1", "left", "none"} <= set(words)
    fill_in(qtbot, third, "BCL5")
    press(qtbot, third, *LOCK)
    idle(qtbot, third)
    last = decisions_of(third, 1)[-1]
    assert (last.stage, last.reader, last.answers["birads"]) == ("arbitration", "Dr Arbiter", "4B")


def test_that_an_uncertain_form_locks_by_ctrl_return_and_never_by_one_letter(qtbot, reading) -> None:
    lists = store_of(reading).worklists
    lists.set_form(lists.named("Mammograms").id, "simple", "x")
    reading.desk.open_case(2)
    idle(qtbot, reading)
    reading.worklist.list.setFocus()
    press(qtbot, reading, KEY.Key_P)
    idle(qtbot, reading)
    assert decisions_of(reading, 2) == ()
    assert reading.decision.form.answers == {"assessment": "positive"}
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    assert [row.stage for row in decisions_of(reading, 2)] == ["first"]


def test_that_keys_with_several_meanings_decide_nothing(qtbot, reading) -> None:
    assert not reading.actions_by_id["decide_positive"].isEnabled()
    assert "several answers" in reading.actions_by_id["decide_positive"].toolTip()
    press(qtbot, reading, KEY.Key_P)
    assert reading.decision.form.answers == {}


def test_that_a_draft_keeps_what_others_put_into_it(qtbot, reading) -> None:
    reading.desk.reading.keep_in_draft("shapes", [[1, 2]])
    fill_in(qtbot, reading, "2")
    reading.desk.reading.flush()
    idle(qtbot, reading)
    assert json.loads(json.dumps(reading.desk._handle.get().protocol.draft(1)))["shapes"] == [[1, 2]]


REAL = os.environ.get("PATHVIEW_TEST_DATA")


@pytest.mark.skipif(not REAL, reason="no real images")
def test_that_the_protocol_goes_by_keyboard_on_real_mammograms(qtbot, reading_window, tmp_path: Path) -> None:
    found = sorted((Path(REAL) / "mammograms" / "dicom").glob("*.dcm"))
    folder = tmp_path / "real"
    folder.mkdir()
    for path in found[:2]:
        shutil.copy(path, folder)
    window = reading_window()
    window.open_paths([folder / found[0].name])
    idle(qtbot, window)
    window.desk.analyse([window.desk.case_id])
    idle(qtbot, window)
    assert window.desk.state.result is None
    lock(qtbot, window, "1BN5")
    assert window.desk.state.result is not None
    press(qtbot, window, KEY.Key_Period)
    press(qtbot, window, KEY.Key_K, CONTROL)
    type_words(qtbot, window, "3")
    press(qtbot, window, *LOCK)
    type_words(qtbot, window, "a second look")
    press(qtbot, window, *LOCK)
    idle(qtbot, window)
    first, final = decisions_of(window, window.desk.case_id)
    assert (first.answers["birads"], final.answers["birads"]) == ("1", "3")


def test_that_a_key_of_another_question_is_told_and_does_nothing_else(qtbot, reading) -> None:
    fill_in(qtbot, reading, "4")
    panel = reading.decision
    assert panel._problem.text() == "4A or 4B or 4C? Press A, B or C."
    assert panel.form.answers == {}
    case_before = reading.desk.case_id
    type_words(qtbot, reading, "BR")
    assert panel.form.answers == {"birads": "4B"}
    assert panel._problem.text() == "R is no answer to Breast composition: A, B, C or D."
    assert reading.desk.case_id == case_before


def test_that_a_first_read_with_gaps_is_asked_about_once(qtbot, reading) -> None:
    fill_in(qtbot, reading, "4C")
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    assert decisions_of(reading, 1) == ()
    words = reading.decision._problem.text()
    assert words.startswith("Breast composition, Side of the finding, Confidence: not filled in.")
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    (first,) = decisions_of(reading, 1)
    assert first.stage == "first"


def test_that_an_accidental_space_after_locking_or_changing_decides_nothing(qtbot, reading) -> None:
    lock(qtbot, reading)
    press(qtbot, reading, KEY.Key_Space)
    idle(qtbot, reading)
    assert [row.stage for row in decisions_of(reading, 1)] == ["first"]

    press(qtbot, reading, KEY.Key_K, Qt.KeyboardModifier.ControlModifier)
    type_words(qtbot, reading, "2")
    reading.decision.reason.setText("satellite mass")
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    press(qtbot, reading, KEY.Key_Space)
    idle(qtbot, reading)
    last = decisions_of(reading, 1)[-1]
    assert (last.answers["birads"], last.reason) == ("2", "satellite mass")
    assert reading.decision._keep.text() == "Keep"


def test_that_every_change_needs_a_reason_of_its_own(qtbot, reading) -> None:
    lock(qtbot, reading)
    reading.actions_by_id["change_first"].trigger()
    type_words(qtbot, reading, "2")
    reading.decision.reason.setText("satellite mass")
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    before = len(decisions_of(reading, 1))

    reading.actions_by_id["change_first"].trigger()
    type_words(qtbot, reading, "3")
    assert reading.decision.reason.text() == ""
    press(qtbot, reading, *LOCK)
    idle(qtbot, reading)
    assert len(decisions_of(reading, 1)) == before
    assert "why" in reading.decision._problem.text()
    reading.decision.keep()
    idle(qtbot, reading)
    assert decisions_of(reading, 1)[-1].reason == ""


def test_that_a_low_window_scrolls_what_is_said_and_what_is_answered(qtbot, reading) -> None:
    lock(qtbot, reading)
    press(qtbot, reading, KEY.Key_K, CONTROL)
    idle(qtbot, reading)
    reading.resize(1400, 560)
    decision = reading.decision
    outer = decision.parentWidget().parentWidget()
    qtbot.waitUntil(lambda: reading.height() == 560 and outer.verticalScrollBar().maximum() > 0, timeout=10_000)
    assert decision.height() >= decision.heightForWidth(decision.width())  # nothing in it is squeezed
    ai = reading.ai.parentWidget().parentWidget()
    assert ai.height() >= 150
    reading.resize(1400, 1000)
    qtbot.waitUntil(lambda: reading.height() == 1000 and outer.verticalScrollBar().maximum() == 0, timeout=10_000)
