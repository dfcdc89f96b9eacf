from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QMessageBox

from pathview.gui.actions import ACTIONS, MENUS, conflict
from pathview.gui.panels.notices import KeyboardHelp
from pathview.gui.panels.worklist import CaseRole
from pathview.settings import INVESTIGATIONAL
from tests.gui.conftest import idle, result_of, titles
from tests.makers import breast_pixels, write_dicom

KEY = Qt.Key


def mnemonic(text: str) -> str:
    """The letter of a menu's text that chooses it; an escaped "&" is none."""
    found = re.findall(r"&(.)", text.replace("&&", ""))
    assert len(found) == 1, text
    return found[0].lower()


def test_that_every_menu_and_entry_has_a_letter_of_its_own(make_window, tmp_path: Path) -> None:
    window = make_window()
    for number in range(3):
        window.preferences.add_recent([tmp_path / f"a & b {number}"])
    window.opening._recent.fill(window.preferences.recent())
    menus = [action.menu() for action in window.menuBar().actions()]
    titles = [mnemonic(menu.title()) for menu in menus]
    assert len(titles) == len(set(titles)) == len(MENUS)
    walked = 0
    while menus:
        menu = menus.pop()
        letters = [mnemonic(action.text()) for action in menu.actions()]
        assert len(letters) == len(set(letters)), menu.title()
        menus += [action.menu() for action in menu.actions() if action.menu()]
        walked += len(letters)
    assert walked == len(ACTIONS) + 1 + 3  # with the menu of what was opened lately
    taken = {key for spec in ACTIONS for key in spec.keys}
    assert not taken & {f"Alt+{letter.upper()}" for letter in titles}
    assert conflict("fit", "Alt+F") == "Alt+F opens the menu File."
    assert not conflict("fit", "Alt+Z")


def test_that_an_entry_that_cannot_be_used_says_why_and_looks_so(qtbot, reading_window, mammogram: Path) -> None:
    window = reading_window()
    window.open_paths([mammogram])
    idle(qtbot, window)
    (view,) = [action.menu() for action in window.menuBar().actions() if action.text() == "&View"]
    heat, fit = window.actions_by_id["heat"], window.actions_by_id["fit"]
    assert view.toolTipsVisible()
    assert not heat.isEnabled()
    assert heat.toolTip() == window.desk.reading.hidden != ""
    view.popup(QPoint(0, 0))
    qtbot.waitUntil(view.isVisible, timeout=5000)
    image = view.grab().toImage()
    brightest = {}
    for action in (heat, fit):
        place = view.actionGeometry(action)
        pixels = [
            image.pixelColor(x, y)
            for x in range(place.left(), place.right())
            for y in range(place.top(), place.bottom())
        ]
        brightest[action] = max(color.lightnessF() for color in pixels)
    view.close()
    assert brightest[heat] < 0.7 * brightest[fit]


def test_that_a_notice_lies_over_the_picture_and_moves_nothing(qtbot, opened) -> None:
    canvas = opened.viewer.canvas
    opened.banner.hide()
    before = (canvas.size(), canvas.mapTo(opened, QPoint(0, 0)), canvas.current_view())
    opened.banner.say("A notice of many words. " * 40)
    shown, line = opened.banner, opened.banner.fontMetrics().height()
    qtbot.waitUntil(lambda: shown.isVisible() and shown.height() > 3 * line, timeout=5000)  # as high as its words
    assert (canvas.size(), canvas.mapTo(opened, QPoint(0, 0)), canvas.current_view()) == before
    assert shown.width() == opened.viewer.width()
    bar = opened.viewer.bar
    assert bar.isHidden() or shown.mapTo(opened, QPoint(0, 0)).y() >= bar.mapTo(opened, QPoint(0, bar.height())).y()
    assert opened.childAt(shown.mapTo(opened, shown.rect().center())) in (shown, *shown.children())


def test_that_a_newcomer_is_told_what_to_do(make_window) -> None:
    window = make_window()
    assert window.empty.isVisible()
    assert window.empty.title.text() == "Open images to begin"
    assert "onto this window" in window.empty.words.text()
    assert INVESTIGATIONAL in window.windowTitle()
    told = [label.text() for label in window.findChildren(QLabel) if label.isVisible()]
    assert [words for words in told if INVESTIGATIONAL in words] == [INVESTIGATIONAL]  # once, in the line below
    assert not window.decision._heading.isVisible()
    assert "stands here" in " ".join(told)


def test_that_an_empty_list_says_what_to_do_next_and_not_how_to_begin(qtbot, opened) -> None:
    opened.desk.clear()
    opened.lists.current = None
    opened.worklist.filters.search.setText("nothing like it")
    idle(qtbot, opened)
    assert opened.empty.isVisible()
    assert opened.empty.title.text() == "No case is open"
    assert "choose another list" in opened.empty.words.text()
    opened.worklist.filters.search.setText("")
    idle(qtbot, opened)
    assert not opened.empty.isVisible()
    assert opened.desk.state.picture is not None


def test_that_opened_images_stand_in_the_worklist_and_are_shown(opened) -> None:
    assert sorted(titles(opened)) == ["9001", "m1.dcm"]
    state = opened.desk.state
    assert state.picture is not None
    assert state.picture.info.path.name == "m1.dcm"
    assert opened.viewer.canvas.data is state.picture
    assert "Not analysed yet" in opened.ai._label.text()


def test_that_a_replaced_file_is_not_shown_under_its_old_result(qtbot, opened, mammogram: Path) -> None:
    write_dicom(mammogram, breast_pixels(80, 60), PatientID="another")
    opened.worklist.choose(2)
    idle(qtbot, opened)
    opened.worklist.choose(1)
    idle(qtbot, opened)
    assert opened.desk.state.picture is None
    assert "another file" in opened.viewer.canvas.message


def test_that_a_backup_that_fails_is_told_and_the_window_goes_on(qtbot, make_window, tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("in the way")
    window = make_window()
    idle(qtbot, window)
    assert "backups" in window.banner.text
    assert window.isVisible()
    assert not window.failed


def test_that_a_window_opened_on_an_image_shows_it_and_not_the_stores_first_case(
    qtbot, opened, make_window, tmp_path: Path
) -> None:
    opened.close()
    image = write_dicom(tmp_path / "asked.dcm", breast_pixels())
    window = make_window(paths=[image])
    idle(qtbot, window)
    assert window.desk.state.detail.case.title == "asked.dcm"


def test_that_adding_does_not_take_the_reader_away_from_a_case(qtbot, opened, tmp_path: Path) -> None:
    opened.open_paths([write_dicom(tmp_path / "late.dcm", breast_pixels())])
    opened.worklist.step(1)
    chosen = opened.desk.case_id
    idle(qtbot, opened)
    assert "late.dcm" in titles(opened)
    assert opened.desk.case_id == chosen


def test_that_keys_step_through_cases_and_images(qtbot, make_window, tmp_path: Path) -> None:
    window = make_window()
    study = {"StudyInstanceUID": "1.2.3"}
    folder = tmp_path / "s"
    folder.mkdir()
    for name, view in (("a", "CC"), ("b", "MLO")):
        write_dicom(folder / f"{name}.dcm", breast_pixels(), ImageLaterality="L", ViewPosition=view, **study)
    window.open_paths([folder])
    idle(qtbot, window)
    assert titles(window) == ["s"]
    assert window.desk.state.image.title == "L CC"
    assert window.study.isVisible()
    qtbot.keyClick(window, KEY.Key_BracketRight)
    idle(qtbot, window)
    assert window.desk.state.image.title == "L MLO"
    assert window.desk.state.picture.info.view == "MLO"


def test_that_an_unreadable_file_is_not_analysed_and_the_window_goes_on(qtbot, opened, tmp_path: Path) -> None:
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"\0" * 128 + b"DICM" + b"x" * 50)
    (tmp_path / "notes.txt").write_text("no image")
    opened.open_paths([bad, tmp_path / "notes.txt"])
    idle(qtbot, opened)
    assert "bad.dcm" in opened.banner.text
    assert sorted(titles(opened)) == ["9001", "bad.dcm", "m1.dcm"]
    assert opened.ai._label.text() == "Not analysed"
    assert "bad.dcm" in opened.viewer.canvas.message
    assert opened.worklist.list.currentIndex().data(CaseRole).title == "bad.dcm"
    opened.worklist.step(1)
    idle(qtbot, opened)
    assert opened.desk.state.picture is not None


def test_that_a_file_that_vanished_is_told(qtbot, opened, mammogram: Path, mosaic: Path) -> None:
    opened.worklist.choose(2)
    idle(qtbot, opened)
    mammogram.unlink()
    opened.worklist.choose(1)
    idle(qtbot, opened)
    assert "does not exist" in opened.viewer.canvas.message
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    assert result_of(opened).status == "not_analysed"
    assert "does not exist" in opened.ai._reasons.text()


def test_that_files_can_be_dropped(qtbot, make_window, mosaic: Path) -> None:
    window = make_window()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(mosaic))])
    event = QDropEvent(
        QPointF(10, 10), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)
    idle(qtbot, window)
    assert titles(window) == ["9001"]
    assert window.preferences.recent() == [str(mosaic)]


def test_that_the_window_can_be_dragged_inverted_and_reset(qtbot, opened) -> None:
    canvas = opened.viewer.canvas
    assert "NORMAL" in opened.viewer._tone.text()
    opened.actions_by_id["next_voi"].trigger()
    assert "SOFT" in opened.viewer._tone.text()
    before = canvas.tone.voi
    canvas.drag_window(50, -20)
    assert canvas.tone.voi != before
    opened.actions_by_id["invert"].setChecked(True)
    assert "inverted" in opened.viewer._tone.text()
    opened.actions_by_id["reset_window"].trigger()
    assert canvas.tone.voi is None


def test_that_the_readout_tells_pixels_millimetres_and_value(opened) -> None:
    opened.viewer._show_place(20.4, 150.7)
    text = opened.viewer._readout.text()
    assert "x 20  y 150 px" in text
    assert "2.04, 15.07 mm" in text
    assert f"value {int(breast_pixels(300, 220)[150, 20])}" in text
    opened.viewer._show_place(-5, 10)
    assert opened.viewer._readout.text() == ""


def test_that_zoom_keeps_the_point_under_the_cursor(opened) -> None:
    canvas = opened.viewer.canvas
    point = QPointF(60, 120)
    before = canvas.box.mapViewToScene(point)
    canvas.zoom(2.5, point)
    after = canvas.box.mapViewToScene(point)
    assert (after - before).manhattanLength() < 1.5
    canvas.one_to_one()
    assert canvas.current_view().scale == pytest.approx(1.0, rel=1e-3)


def test_that_the_theme_switches_and_is_kept(opened) -> None:
    assert opened.theme_name == "dark"
    opened.actions_by_id["theme"].trigger()
    assert opened.theme_name == opened.preferences.theme == "light"


def test_that_the_keyboard_help_names_every_key(opened) -> None:
    words = [label.text() for label in KeyboardHelp(opened).findChildren(QLabel)]
    for spec in ACTIONS:
        if spec.keys:
            assert spec.text.replace("&", "").rstrip(".") in words


def test_that_no_key_means_two_things() -> None:
    keys = [key for spec in ACTIONS for key in spec.keys]
    assert len(keys) == len(set(keys))


def test_that_a_store_in_use_is_told_and_ends_the_window(qtbot, make_window, monkeypatch) -> None:
    make_window()
    said = []
    monkeypatch.setattr(QMessageBox, "critical", lambda *arguments: said.append(arguments[-1]))
    second = make_window()
    qtbot.waitUntil(lambda: bool(said), timeout=10_000)
    assert "in use by process" in said[0]
    assert second.failed


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_that_a_killed_child_costs_one_result_and_nothing_else(qtbot, make_window, mammogram, mosaic) -> None:
    window = make_window(children=True)
    window.open_paths([mammogram, mosaic])
    idle(qtbot, window)
    window.decision.note.setPlainText("kept")
    window.decide("negative")
    idle(qtbot, window)
    engine = window.desk._handle.get().engine

    def kill(step) -> None:
        if engine.pid is not None and not killed:
            killed.append(engine.pid)
            os.kill(engine.pid, signal.SIGKILL)

    killed: list[int] = []
    window.desk.progressed.connect(kill)
    window.desk.analyse([1, 2])
    idle(qtbot, window)
    assert killed
    store = window.desk._handle.get().cases
    first, second = (store.case(case_id) for case_id in (1, 2))
    assert first.images[0].result.status == "not_analysed"
    assert "ended unexpectedly" in first.images[0].result.reason
    assert second.images[0].result.status == "analysed"
    assert first.decisions[-1].note == "kept"


def test_that_a_bug_in_a_job_is_said_and_logged(qtbot, opened, monkeypatch, caplog) -> None:
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("pathview.review.protocol.ReadingProtocol.assess", broken)
    caplog.expected = ("a job failed",)
    opened.decide("positive")
    idle(qtbot, opened)
    assert "has a bug" in opened.banner.text
    assert opened.desk.state.detail.decisions == ()


def test_that_the_canvas_paints_image_and_outline(qtbot, opened) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    values = opened.desk.state.probability.values
    opened.desk.show(threshold=round(float(np.nanmedian(values)), 3), mask=True)
    with_mask = opened.viewer.canvas.grab().toImage()
    opened.actions_by_id["mask"].setChecked(False)
    without = opened.viewer.canvas.grab().toImage()
    assert with_mask != without
    center = without.pixelColor(QPoint(without.width() // 2, without.height() // 2))
    assert center.value() > 20
