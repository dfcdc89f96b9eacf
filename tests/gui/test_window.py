from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QMessageBox

from pathview.gui.actions import ACTIONS
from pathview.gui.panels.notices import KeyboardHelp
from pathview.gui.panels.worklist import CaseRole
from pathview.results.mask import measure
from pathview.results.result import NotAnalysed
from pathview.review.case import ResultRow
from pathview.settings import INVESTIGATIONAL, Settings
from tests.gui.conftest import idle
from tests.makers import breast_pixels, tiny_cascade_recipe, write_dicom, write_random_model

KEY = Qt.Key


def titles(window) -> list[str]:
    model = window.worklist.model
    return [model.index(row).data() for row in range(model.rowCount())]


def result_of(window) -> ResultRow:
    result = window.desk.state.result
    assert result is not None
    return result


def test_that_a_newcomer_is_told_what_to_do(make_window) -> None:
    window = make_window()
    assert window._stack.currentWidget() is window.empty
    assert INVESTIGATIONAL in window.windowTitle()


def test_that_opened_images_stand_in_the_worklist_and_are_shown(opened) -> None:
    assert sorted(titles(opened)) == ["9001", "m1.dcm"]
    state = opened.desk.state
    assert state.picture is not None
    assert state.picture.info.path.name == "m1.dcm"
    assert opened.viewer.canvas.data is state.picture
    assert "Not analysed yet" in opened.ai._label.text()


def test_that_analysis_shows_score_mask_and_area(qtbot, opened) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    state, result = opened.desk.state, result_of(opened)
    assert result.status == "analysed"
    assert state.probability is not None
    assert state.area_px == result.mask["area_px"]
    assert state.places == result.mask["components"]
    assert f"{result.mask['area_px']:,} px" in opened.ai._area.text()
    assert "mm²" in opened.ai._area.text()


def test_that_the_slider_moves_mask_and_area_without_the_network(qtbot, opened, monkeypatch) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    monkeypatch.setattr("pathview.session.analyse_path", None)
    state = opened.desk.state
    values = state.probability.values
    threshold = round(float(np.median(values)), 3)
    opened.ai._threshold.setValue(round(threshold * 1000))
    idle(qtbot, opened)
    expected = measure(state.probability, threshold, state.picture.info.size, None)
    assert opened.desk.state.area_px == expected.area_px
    assert opened.desk.state.places == len(expected.components)
    assert opened.viewer.canvas.overlay.threshold == threshold
    opened.actions_by_id["threshold_up"].trigger()
    assert opened.desk.state.threshold == pytest.approx(threshold + 0.02)


def test_that_a_heat_map_is_made_when_asked_for_and_kept(qtbot, opened) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    assert opened.desk.state.heatmaps == {}
    opened.actions_by_id["heat"].setChecked(True)
    idle(qtbot, opened)
    state = opened.desk.state
    assert state.layer in state.heatmaps
    assert opened.viewer.canvas.overlay.heat is state.heatmaps[state.layer]
    opened.ai._layer.setCurrentText("pool2")
    opened.ai._layer.textActivated.emit("pool2")
    idle(qtbot, opened)
    assert "pool2" in opened.desk.state.heatmaps
    kept = opened.desk._handle.get().cases.case(1).images[0].result.layers
    assert set(kept) == {state.layer, "pool2"}


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
    assert opened.decision._buttons["positive"].isChecked()
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
    opened._decide("negative")
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
    opened._decide("positive")
    idle(qtbot, opened)
    store = opened.desk._handle.get().cases
    assert store.case(first).decisions == ()
    assert opened.desk.state.detail.case.id != first
    assert opened.desk.state.detail.decisions == ()
    assert opened.decision.isEnabled()


def test_that_a_decision_that_ends_late_cannot_be_undone_on_the_next_case(qtbot, opened) -> None:
    opened._decide("negative")
    qtbot.keyClick(opened, KEY.Key_PageDown)
    idle(qtbot, opened)
    assert not opened.desk.undoable


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


def test_that_the_layer_named_is_the_layer_shown(qtbot, make_window, tmp_path: Path) -> None:
    window = make_window()
    for name in "ab":
        write_dicom(tmp_path / f"{name}.dcm", breast_pixels())
    window.open_paths([tmp_path / "a.dcm", tmp_path / "b.dcm"])
    idle(qtbot, window)
    window.desk.analyse([1, 2])
    idle(qtbot, window)
    window.actions_by_id["heat"].setChecked(True)
    idle(qtbot, window)
    window.desk.show(layer="down1_conv1")
    idle(qtbot, window)
    window.worklist.step(1)
    idle(qtbot, window)
    assert window.desk.state.layer in window.desk.state.heatmaps
    assert window.ai.layer == window.desk.state.layer


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


def test_that_letters_typed_into_the_note_decide_nothing(qtbot, opened) -> None:
    opened.decision.note.setFocus()
    qtbot.keyClicks(opened.decision.note, "pnc positive")
    idle(qtbot, opened)
    assert opened.decision.note.toPlainText() == "pnc positive"
    opened.actions_by_id["cancel"].trigger()
    assert not opened.decision.note.hasFocus()
    assert opened.desk.state.detail.decisions == ()


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
    assert window.viewer.strip.isVisible()
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


def test_that_nothing_is_called_negative_without_a_picture(qtbot, opened, mammogram: Path) -> None:
    case_id = opened.desk.state.detail.case.id
    mammogram.unlink()
    opened.worklist.choose(2)
    idle(qtbot, opened)
    opened.worklist.choose(case_id)
    idle(qtbot, opened)
    store = opened.desk._handle.get().cases
    enabled = {name: button.isEnabled() for name, button in opened.decision._buttons.items()}
    assert enabled == {"positive": False, "cant_tell": True, "negative": False}
    qtbot.keyClick(opened, KEY.Key_N)
    idle(qtbot, opened)
    assert "no picture" in opened.banner.text
    assert store.case(case_id).decisions == ()
    qtbot.keyClick(opened, KEY.Key_C)
    idle(qtbot, opened)
    assert store.case(case_id).case.decision == "cant_tell"


def test_that_an_empty_heat_map_says_so(qtbot, opened) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    opened.actions_by_id["heat"].setChecked(True)
    idle(qtbot, opened)
    state = opened.desk.state
    blank = replace(state.heatmaps[state.layer], values=np.zeros((4, 4), np.float32))
    opened.desk.show(heatmaps={state.layer: blank})
    assert "empty" in opened.ai._heat_words.text()
    opened.desk.show(heatmaps={state.layer: replace(blank, values=np.eye(4, dtype=np.float32))})
    assert "attention" in opened.ai._heat_words.text()


def test_that_only_the_case_that_waits_says_analysing(qtbot, opened) -> None:
    first, second = 1, 2
    assert opened.desk.case_id == first
    opened.desk.analyse([first])
    assert opened.ai._label.text() == "Analysing ..."
    opened.worklist.choose(second)
    qtbot.waitUntil(lambda: not opened.desk.opening, timeout=20_000)
    assert not opened.desk.awaiting_result
    idle(qtbot, opened)
    opened.worklist.choose(first)
    idle(qtbot, opened)
    before = opened.ai._label.text()
    assert before != "Analysing ..."
    opened.actions_by_id["analyse_case"].trigger()
    assert opened.ai._label.text() == "Analysing again ..."
    idle(qtbot, opened)
    assert opened.ai._label.text() == before


def test_that_a_missing_pixel_size_is_asked_for_and_used(qtbot, make_window, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "camera.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8)).save(path)
    window = make_window()
    window.open_paths([path])
    idle(qtbot, window)
    window.actions_by_id["analyse_case"].trigger()
    idle(qtbot, window)
    assert window.ai._size_row.isVisible()
    box = window.ai._pixel_size
    room = box.lineEdit().width()  # without its arrows, a styled box leaves the text a single pixel
    assert room > box.fontMetrics().horizontalAdvance(box.text())
    window.ai._pixel_size.setValue(1.5)
    window.ai._state_size.click()
    idle(qtbot, window)
    assert result_of(window).status == "analysed"
    assert window.desk.state.picture.info.mpp_um == pytest.approx(1.5)
    assert result_of(window).provenance["settings"]["mpp_um"] == 1.5
    assert window.ai._size_row.isVisible()  # a slip can be mended
    window.ai._pixel_size.setValue(2.5)
    window.ai._state_size.click()
    idle(qtbot, window)
    assert result_of(window).provenance["settings"]["mpp_um"] == 2.5


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
    assert window._preferences.recent() == [str(mosaic)]


def test_that_all_new_cases_are_analysed_with_progress(qtbot, opened) -> None:
    steps = []
    opened.desk.progressed.connect(steps.append)
    opened.actions_by_id["analyse_all"].trigger()
    idle(qtbot, opened)
    assert all(row.state == "analysed" for row in opened.desk._handle.get().cases.worklist())
    assert any(step is not None for step in steps)
    assert steps[-1] is None
    assert not opened.progress.isVisible()


def test_that_cancel_keeps_what_was_finished(qtbot, opened) -> None:
    finished = []
    opened.desk.case_saved.connect(finished.append)
    opened.desk.case_saved.connect(lambda _: opened.desk.cancel())
    opened.desk.analyse([1, 2] * 20)
    idle(qtbot, opened)
    assert 1 <= len(finished) < 40
    assert opened.desk._handle.get().cases.case(finished[0]).images[0].result is not None


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
    assert opened.theme_name == opened._preferences.theme == "light"


def test_that_the_keyboard_help_names_every_key(opened) -> None:
    from PySide6.QtWidgets import QLabel

    words = [label.text() for label in KeyboardHelp(opened).findChildren(QLabel)]
    for spec in ACTIONS:
        if spec.keys:
            assert spec.text.rstrip(".") in words


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
    window.desk.decide("negative", "kept")
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

    monkeypatch.setattr("pathview.review.store.Store.decide", broken)
    caplog.expected = ("a job failed",)
    opened.desk.decide("positive", "")
    idle(qtbot, opened)
    assert "has a bug" in opened.banner.text
    assert opened.desk.state.detail.decisions == ()


def test_that_the_canvas_paints_image_and_outline(qtbot, opened) -> None:
    opened.actions_by_id["analyse_case"].trigger()
    idle(qtbot, opened)
    values = opened.desk.state.probability.values
    opened.desk.show(threshold=round(float(np.median(values)), 3), mask=True)
    with_mask = opened.viewer.canvas.grab().toImage()
    opened.actions_by_id["mask"].setChecked(False)
    without = opened.viewer.canvas.grab().toImage()
    assert with_mask != without
    center = without.pixelColor(QPoint(without.width() // 2, without.height() // 2))
    assert center.value() > 20


def test_that_a_case_is_analysed_with_the_model_that_is_chosen(
    qtbot, make_window, mammogram: Path, mosaic: Path, tiny_models: Settings, tiny_unet: Path
) -> None:
    other = tiny_models.data_dir / "models" / "other-unet"
    shutil.copytree(tiny_unet, other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["recipe"] |= {"name": "other-unet", "title": "Another U-Net", "default_for": []}
    (other / "manifest.json").write_text(json.dumps(manifest))
    recipes = tiny_models.data_dir / "recipes"
    recipes.mkdir()
    (recipes / "untrained.toml").write_text(
        (Path(__file__).parents[2] / "resources" / "recipes" / "zf-unet-224.toml").read_text()
    )
    window = make_window()
    window.open_paths([mammogram, mosaic])
    idle(qtbot, window)
    choice = window.ai.choice
    words = [choice.itemText(index) for index in range(choice.count())]
    assert words == ["Tiny U-Net (default)", "Another U-Net", "ZF-UNET-224, full width: not trained yet"]
    assert [choice.model().item(index).isEnabled() for index in range(3)] == [True, True, False]
    window.actions_by_id["analyse_case"].trigger()
    idle(qtbot, window)
    assert result_of(window).recipe == "tiny-unet"
    assert not window.ai._analyse.isVisible()
    choice.setCurrentIndex(1)
    choice.activated.emit(1)
    assert window.ai._analyse.text().startswith("Analyse with this model")
    assert "(tiny-unet)" in window.ai._label.text()  # whose verdict still stands there
    window.ai._analyse.click()
    idle(qtbot, window)
    assert result_of(window).recipe == "other-unet"
    window.worklist.choose(2)
    idle(qtbot, window)
    assert [choice.itemText(index) for index in range(choice.count())] == ["Tiny CNN (default)"]
    window.actions_by_id["analyse_case"].trigger()  # the choice was for mammograms
    idle(qtbot, window)
    assert result_of(window).recipe == "tiny-cnn"


def test_that_a_comma_is_a_decimal_point(qtbot, opened) -> None:
    box = opened.ai._pixel_size
    box.selectAll()
    qtbot.keyClicks(box, "0,26")
    box.interpretText()
    assert box.value() == pytest.approx(0.26)


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
    opened._decide("positive")
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


def test_that_both_scores_of_a_cascade_are_shown(qtbot, make_window, mammogram: Path, tiny_models: Settings) -> None:
    write_random_model(tiny_models.data_dir / "models", tiny_cascade_recipe())
    window = make_window()
    window.open_paths([mammogram])
    idle(qtbot, window)
    window.desk.choose_model("mammogram", "tiny-cascade")
    window.desk.analyse([1])
    idle(qtbot, window)
    result = result_of(window)
    assert result.status == "analysed", result.reason
    words = window.ai._stages.text().splitlines()
    assert [line.split(":")[0] for line in words] == ["tiny-unet", "tiny-cascade"]
    assert window.ai._stages.isVisible()
    assert window.viewer.canvas.overlay.places == result.places
    window.desk.show(mask=False)
    assert not window.viewer.canvas.overlay.places
    window.desk.choose_model("mammogram", "tiny-unet")
    window.desk.analyse([1])
    idle(qtbot, window)
    assert not window.ai._stages.isVisible()


def test_that_a_fine_map_is_made_where_it_is_asked_for(qtbot, opened) -> None:
    opened.worklist.choose(2)
    idle(qtbot, opened)
    shapes = []
    for fine in (False, True, False):
        opened.actions_by_id["fine_map"].setChecked(fine)
        opened.actions_by_id["analyse_case"].trigger()
        idle(qtbot, opened)
        shapes.append(opened.desk.state.probability.values.shape)
    assert shapes[0] == shapes[2] == (3, 4)
    assert shapes[1][0] > 30
