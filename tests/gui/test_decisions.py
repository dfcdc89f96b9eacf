"""Deciding: one key, saved first, undone until the next case, never by accident."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from pathview.results.result import NotAnalysed
from tests.gui.conftest import idle, result_of, titles
from tests.makers import breast_pixels, write_dicom

KEY = Qt.Key


def test_that_decisions_are_one_key_saved_then_shown_and_undone(qtbot, opened) -> None:
    case_id = opened.desk.state.detail.case.id
    store = opened.desk._handle.get().cases
    opened.decision.note.setPlainText("dense breast")
    opened.worklist.list.setFocus()
    qtbot.keyClick(opened, KEY.Key_P)
    idle(qtbot, opened)
    saved = store.case(case_id).decisions[-1]
    assert (saved.value, saved.note, saved.reader) == ("positive", "dense breast", "Dr Test")
    assert saved.context["threshold"] == 0.5
    assert "Saved: positive" in opened.decision._state.text()
    assert opened.decision.form.buttons["positive"].isChecked()
    qtbot.keyClick(opened, KEY.Key_U)
    idle(qtbot, opened)
    assert store.case(case_id).case.decision is None
    assert "Withdrawn" in opened.decision._state.text()
    qtbot.keyClick(opened, KEY.Key_U)
    assert len(store.case(case_id).decisions) == 2
    assert "Undo ends" in opened.banner.text


def test_that_undo_ends_with_the_next_case(qtbot, opened) -> None:
    qtbot.keyClick(opened, KEY.Key_C)
    idle(qtbot, opened)
    assert opened.desk.undoable
    qtbot.keyClick(opened, KEY.Key_PageDown)
    idle(qtbot, opened)
    qtbot.keyClick(opened, KEY.Key_PageUp)
    idle(qtbot, opened)
    assert not opened.desk.undoable


def test_that_notes_wait_for_their_case_and_saved_ones_come_back(qtbot, opened) -> None:
    note = opened.decision.note
    note.setPlainText("first, saved")
    opened.decide("negative")
    idle(qtbot, opened)
    assert "not saved" not in opened.decision._state.text()
    qtbot.keyClick(opened, KEY.Key_PageDown)
    idle(qtbot, opened)
    assert note.toPlainText() == ""
    note.setPlainText("second, a draft")
    assert "not saved yet" in opened.decision._state.text()
    qtbot.keyClick(opened, KEY.Key_PageUp)
    idle(qtbot, opened)
    assert note.toPlainText() == "first, saved"
    qtbot.keyClick(opened, KEY.Key_PageDown)
    idle(qtbot, opened)
    assert note.toPlainText() == "second, a draft"


def test_that_next_after_a_decision_is_the_case_that_followed(qtbot, make_window, tmp_path: Path) -> None:
    window = make_window()
    for name in "abcd":
        write_dicom(tmp_path / f"{name}.dcm", breast_pixels())
    window.open_paths([tmp_path / f"{name}.dcm" for name in "abcd"])
    idle(qtbot, window)
    seen = []
    for _ in range(3):
        seen.append(window.desk.state.detail.case.title)
        qtbot.keyClick(window, KEY.Key_N)
        idle(qtbot, window)
        qtbot.keyClick(window, KEY.Key_J)
        idle(qtbot, window)
    assert seen == ["a.dcm", "b.dcm", "c.dcm"]
    assert window.desk.state.detail.case.title == "d.dcm"
    qtbot.keyClick(window, KEY.Key_K)
    idle(qtbot, window)
    assert window.desk.state.detail.case.title == "c.dcm"
    assert "3 decided" in window.worklist._count.text()
    window.refresh()  # sorts the decided ones to the end
    idle(qtbot, window)
    assert titles(window) == ["d.dcm", "a.dcm", "b.dcm", "c.dcm"]


def test_that_no_key_decides_the_case_before(qtbot, opened) -> None:
    first = opened.desk.state.detail.case.id
    qtbot.keyClick(opened, KEY.Key_PageDown)
    assert opened.desk.opening
    assert not opened.decision.isEnabled()
    opened.decide("positive")
    idle(qtbot, opened)
    store = opened.desk._handle.get().cases
    assert store.case(first).decisions == ()
    assert opened.desk.state.detail.case.id != first
    assert opened.desk.state.detail.decisions == ()
    assert opened.decision.isEnabled()


def test_that_a_decision_that_ends_late_cannot_be_undone_on_the_next_case(qtbot, opened) -> None:
    opened.decide("negative")
    qtbot.keyClick(opened, KEY.Key_PageDown)
    idle(qtbot, opened)
    assert not opened.desk.undoable


def test_that_letters_typed_into_the_note_decide_nothing(qtbot, opened) -> None:
    opened.decision.note.setFocus()
    qtbot.keyClicks(opened.decision.note, "pnc positive")
    idle(qtbot, opened)
    assert opened.decision.note.toPlainText() == "pnc positive"
    opened.actions_by_id["cancel"].trigger()
    assert not opened.decision.note.hasFocus()
    assert opened.desk.state.detail.decisions == ()


def test_that_nothing_is_called_negative_without_a_picture(qtbot, opened, mammogram: Path) -> None:
    case_id = opened.desk.state.detail.case.id
    mammogram.unlink()
    opened.worklist.choose(2)
    idle(qtbot, opened)
    opened.worklist.choose(case_id)
    idle(qtbot, opened)
    store = opened.desk._handle.get().cases
    enabled = {name: button.isEnabled() for name, button in opened.decision.form.buttons.items()}
    assert enabled == {"positive": False, "cant_tell": True, "negative": False}
    qtbot.keyClick(opened, KEY.Key_N)
    idle(qtbot, opened)
    assert "no picture" in opened.banner.text
    assert store.case(case_id).decisions == ()
    qtbot.keyClick(opened, KEY.Key_C)
    idle(qtbot, opened)
    assert store.case(case_id).case.decision == "cant_tell"


def test_that_next_goes_down_the_list_as_it_stands(qtbot, make_window, tmp_path: Path) -> None:
    window = make_window()
    for name in "abc":
        write_dicom(tmp_path / f"{name}.dcm", breast_pixels())
    window.open_paths([tmp_path / f"{name}.dcm" for name in "abc"])
    idle(qtbot, window)
    store = window.desk._handle.get().cases
    for case_id in (2, 3):  # an analysis brings the other two before the one that is read
        store.save_result(store.case(case_id).images[0].id, NotAnalysed("no", ""), "x")
    window.refresh()
    idle(qtbot, window)
    assert titles(window) == ["b.dcm", "c.dcm", "a.dcm"]
    assert window.worklist.list.currentIndex().data() == "a.dcm"
    qtbot.keyClick(window, KEY.Key_K)
    idle(qtbot, window)
    assert window.desk.state.detail.case.title == "c.dcm"
    qtbot.keyClick(window, KEY.Key_J)
    idle(qtbot, window)
    assert window.desk.state.detail.case.title == "a.dcm"


def test_that_a_case_comes_back_at_the_threshold_it_was_decided_at(qtbot, opened) -> None:
    first = opened.desk.case_id
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    own = result_of(opened).threshold
    opened.ai._threshold.setValue(660)
    opened.decide("positive")
    idle(qtbot, opened)
    opened.worklist.choose(2)
    idle(qtbot, opened)
    opened.worklist.choose(first)
    idle(qtbot, opened)
    assert opened.desk.state.threshold == pytest.approx(0.66)
    assert opened.ai._threshold.value() == 660
    opened.actions_by_id["analyse_case"].trigger()  # another result was not decided on
    idle(qtbot, opened)
    assert opened.desk.state.threshold == own
