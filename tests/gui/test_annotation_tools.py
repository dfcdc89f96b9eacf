"""The tools that draw annotations: what is kept of each, undone, refused, copied, hidden and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog, QInputDialog, QTableWidgetItem

from pathview.errors import StoreError
from pathview.geometry import AS_STORED, Turn
from pathview.gui.dialogs.properties import PropertiesDialog
from pathview.gui.main_window import MainWindow
from pathview.gui.mark_indexes import MANY
from pathview.gui.viewer.canvas import Canvas
from pathview.results.annotation import Mark
from pathview.results.annotation_shapes import contains
from pathview.review.cases.marks import Marks
from tests.gui.conftest import idle
from tests.gui.reading import lock, store_of
from tests.gui.studies import (
    LEFT,
    canvas_of,
    click,
    drag,
    keep_result,
    middle,
    move,
    open_folder,
    press,
    settled,
    stored_pixels,
    wheel,
    with_protocols,
    write_view,
)

KEY = Qt.Key
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
TURNED = Turn(True, False, True)
TOOL_KEYS = {
    "point": KEY.Key_O,
    "rectangle": KEY.Key_R,
    "ellipse": KEY.Key_E,
    "polygon": KEY.Key_P,
    "freehand": KEY.Key_H,
    "brush": KEY.Key_B,
    "eraser": KEY.Key_X,
    "wand": KEY.Key_M,
    "split": KEY.Key_C,
}


@pytest.fixture(params=[AS_STORED, TURNED], ids=["as stored", "turned"])
def window(request, qtbot, make_window, tiny_models, tmp_path: Path) -> MainWindow:
    """One view, stored as it hangs or turned."""
    with_protocols(tiny_models)
    window = make_window()
    open_folder(qtbot, window, write_view(tmp_path / "view.dcm", "L", "CC", request.param))
    return window


@pytest.fixture
def plain(qtbot, make_window, tmp_path: Path) -> MainWindow:
    """One view that is stored turned."""
    window = make_window()
    open_folder(qtbot, window, write_view(tmp_path / "view.dcm", "L", "CC", TURNED))
    return window


def take(qtbot, window: MainWindow, tool: str) -> Canvas:
    """The canvas, with a tool in hand."""
    if tool == "look":
        qtbot.keyClick(window, KEY.Key_Z)
    else:
        qtbot.keyClick(window, TOOL_KEYS[tool], SHIFT)
    assert window.actions_by_id[f"tool_{tool}"].isChecked()
    return window.viewer.canvas


def at(canvas: Canvas, x: float, y: float) -> QPointF:
    """The whole screen pixel nearest to a stored point."""
    return QPointF(canvas.to_screen(x, y).toPoint())


def kept(window: MainWindow) -> list[Mark]:
    """What the store has of the image that is shown."""
    found = store_of(window).marks.of_case(window.desk.case_id)
    return [one.mark for one in found.get(window.desk.state.active, ())]


def shown(window: MainWindow) -> list[Mark]:
    return [one.mark for one in window.viewer.canvas.drawing._marks]


def said(window: MainWindow) -> str:
    return window.banner.text


# each tool


@pytest.mark.parametrize("kind", ["rectangle", "ellipse"])
def test_that_a_box_is_kept_from_corner_to_corner(qtbot, window: MainWindow, kind: str) -> None:
    canvas = take(qtbot, window, kind)
    ends = [at(canvas, 30, 40), at(canvas, 60, 90)]
    drag(canvas, *ends)
    settled(qtbot, window)
    (mark,) = kept(window)
    assert mark.kind == kind
    assert np.allclose(mark.points, [canvas.stored_at(end) for end in ends])
    assert shown(window) == [mark]


def test_that_a_point_is_where_it_was_clicked(qtbot, window: MainWindow) -> None:
    canvas = take(qtbot, window, "point")
    click(canvas, at(canvas, 41, 77))
    settled(qtbot, window)
    (mark,) = kept(window)
    assert (mark.kind, mark.points) == ("point", (canvas.stored_at(at(canvas, 41, 77)),))


def test_that_a_freehand_outline_is_closed_and_holds_what_it_went_around(qtbot, window: MainWindow) -> None:
    canvas = take(qtbot, window, "freehand")
    turn = np.linspace(0, 2 * np.pi, 40)
    drag(canvas, *(at(canvas, 50 + 20 * np.cos(angle), 60 + 30 * np.sin(angle)) for angle in turn))
    settled(qtbot, window)
    (mark,) = kept(window)
    assert mark.kind == "freehand"
    assert mark.area_px == pytest.approx(np.pi * 20 * 30, rel=0.03)
    assert contains(mark, (50, 60))
    assert not contains(mark, (50, 95))


def test_that_the_brush_goes_on_with_its_region_and_shift_begins_another(qtbot, window: MainWindow) -> None:
    canvas = take(qtbot, window, "brush")
    radius = window.viewer.box.drawings.radius * canvas.stored_a_px()
    drag(canvas, at(canvas, 30, 30), at(canvas, 60, 30))
    settled(qtbot, window)
    (first,) = kept(window)
    length = np.hypot(*np.subtract(canvas.stored_at(at(canvas, 60, 30)), canvas.stored_at(at(canvas, 30, 30))))
    assert first.area_px == pytest.approx(np.pi * radius**2 + 2 * radius * length, rel=0.02)
    drag(canvas, at(canvas, 60, 30), at(canvas, 60, 70))
    settled(qtbot, window)
    (more,) = kept(window)
    assert more.id == first.id
    assert more.area_px > 1.5 * first.area_px
    QTest.mouseClick(canvas.viewport(), LEFT, SHIFT, at(canvas, 30, 100).toPoint())
    settled(qtbot, window)
    one, other = kept(window)
    assert one == more
    assert other.area_px == pytest.approx(np.pi * radius**2, rel=0.02)
    assert contains(other, (30, 100))


def test_that_the_eraser_takes_away_and_removes_what_is_wholly_gone(qtbot, window: MainWindow) -> None:
    canvas = take(qtbot, window, "rectangle")
    drag(canvas, at(canvas, 30, 30), at(canvas, 80, 60))
    settled(qtbot, window)
    (box,) = kept(window)
    take(qtbot, window, "eraser")
    click(canvas, at(canvas, 20, 100))
    assert "Begin on an outline" in said(window)
    window.banner.hide()
    drag(canvas, at(canvas, 55, 30), at(canvas, 55, 60))
    settled(qtbot, window)
    (cut,) = kept(window)
    assert cut.id == box.id
    assert len(cut.rings) == 2
    assert not contains(cut, (55, 45))
    qtbot.keyClick(window, KEY.Key_Plus, CONTROL)
    for _ in range(12):
        wheel(canvas, 1, control=True)
    click(canvas, at(canvas, 31, 45))
    click(canvas, at(canvas, 78, 45))
    settled(qtbot, window)
    assert kept(window) == []
    assert shown(window) == []


def test_that_the_wand_takes_what_is_about_as_bright(qtbot, window: MainWindow) -> None:
    canvas = window.viewer.canvas
    codes = stored_pixels(canvas.data.info.path).astype(int)
    row, column = np.unravel_index(codes.argmax(), codes.shape)
    take(qtbot, window, "wand")
    click(canvas, at(canvas, column + 0.5, row + 0.5))
    settled(qtbot, window)
    (mark,) = kept(window)
    low, high = canvas.data.scale.data_range
    tolerance = window.viewer.box.drawings.tolerance * (high - low)
    x, y = canvas.stored_at(at(canvas, column + 0.5, row + 0.5))
    seed = codes[int(y), int(x)]
    ys, xs = np.mgrid[0 : codes.shape[0], 0 : codes.shape[1]]
    inside = np.array([contains(mark, (i + 0.5, j + 0.5)) for i, j in zip(xs.flat, ys.flat, strict=True)])
    assert mark.area_px == inside.sum()
    assert np.abs(codes[inside.reshape(codes.shape)] - seed).max() <= tolerance
    assert canvas.drawing.chosen == (mark.id,)


def test_that_a_region_is_split_merged_and_smoothed(qtbot, window: MainWindow) -> None:
    canvas = take(qtbot, window, "rectangle")
    drag(canvas, at(canvas, 30, 30), at(canvas, 80, 60))
    settled(qtbot, window)
    (box,) = kept(window)
    take(qtbot, window, "split")
    drag(canvas, at(canvas, 55, 20), at(canvas, 55, 80))
    assert "Choose the outline" in said(window)
    take(qtbot, window, "look")
    click(canvas, at(canvas, 40, box.points[0][1]))
    take(qtbot, window, "split")
    drag(canvas, at(canvas, 55, 20), at(canvas, 55, 80))
    settled(qtbot, window)
    one, other = kept(window)
    assert one.id == box.id
    assert one.area_px + other.area_px == pytest.approx(box.area_px, rel=1e-3)
    take(qtbot, window, "look")
    qtbot.keyClick(window, KEY.Key_J, SHIFT)
    assert "two or more" in said(window)
    window.banner.hide()
    settled(qtbot, window)
    click(canvas, at(canvas, 40, box.points[0][1]))
    QTest.mouseClick(canvas.viewport(), LEFT, SHIFT, at(canvas, 70, box.points[0][1]).toPoint())
    assert set(canvas.drawing.chosen) == {one.id, other.id}
    qtbot.keyClick(window, KEY.Key_J, SHIFT)
    settled(qtbot, window)
    (whole,) = kept(window)
    assert whole.area_px == pytest.approx(box.area_px, rel=1e-3)
    qtbot.keyClick(window, KEY.Key_Y, SHIFT)
    settled(qtbot, window)
    (round_,) = kept(window)
    assert round_.id == whole.id
    assert len(list(round_.corners)) > 8
    for _ in range(4):
        qtbot.keyClick(window, KEY.Key_Z, CONTROL)
    settled(qtbot, window)
    assert kept(window) == []
    for _ in range(4):
        qtbot.keyClick(window, KEY.Key_Y, CONTROL)
    settled(qtbot, window)
    assert kept(window) == [round_]


def test_that_a_region_is_dragged_by_its_line_and_a_box_by_its_corner(qtbot, window: MainWindow) -> None:
    canvas = take(qtbot, window, "brush")
    click(canvas, at(canvas, 40, 40))
    settled(qtbot, window)
    take(qtbot, window, "look")
    (before,) = kept(window)
    edge = at(canvas, *before.rings[0][0][0])
    drag(canvas, edge, edge + QPointF(40, 30))
    settled(qtbot, window)
    (after,) = kept(window)
    by = np.subtract(canvas.stored_at(edge + QPointF(40, 30)), canvas.stored_at(edge))
    assert np.allclose(np.subtract(after.rings[0][0], before.rings[0][0]), by)
    take(qtbot, window, "rectangle")
    drag(canvas, at(canvas, 60, 60), at(canvas, 90, 90))
    settled(qtbot, window)
    take(qtbot, window, "look")
    box = kept(window)[1]
    click(canvas, at(canvas, 75, box.points[0][1]))
    drag(canvas, at(canvas, *box.points[1]), at(canvas, 100, 95))
    settled(qtbot, window)
    assert np.allclose(kept(window)[1].points, [box.points[0], canvas.stored_at(at(canvas, 100, 95))])


def test_that_the_wand_on_a_slide_is_kept_in_stored_pixels_however_it_is_rotated(
    qtbot, make_window, tmp_path: Path
) -> None:
    import tifffile

    pixels = np.full((1200, 1600, 3), (235, 190, 215), np.uint8)
    pixels[700:900, 900:1300] = (90, 70, 160)
    with tifffile.TiffWriter(tmp_path / "tissue.tif") as tiff:
        tiff.write(pixels, tile=(256, 256), photometric="rgb")
    window = make_window()
    open_folder(qtbot, window, tmp_path / "tissue.tif")
    canvas = window.viewer.canvas
    window.actions_by_id["rotate"].trigger()
    settled(qtbot, window)
    canvas.zoom(1 / canvas.current_view().scale)
    canvas.center_on(QPointF(*canvas.data.info.turn.to_shown(1100, 800, canvas.data.info.size)))
    settled(qtbot, window)
    take(qtbot, window, "wand")
    click(canvas, at(canvas, 1100, 800))
    settled(qtbot, window)
    (mark,) = kept(window)
    xs, ys = np.array(list(mark.corners)).T
    assert np.allclose((xs.min(), ys.min(), xs.max(), ys.max()), (900, 700, 1300, 900), atol=1.0)


def test_that_the_brush_has_a_size_by_key_and_wheel_and_elsewhere_the_wheel_is_free(qtbot, plain: MainWindow) -> None:
    canvas, drawings = take(qtbot, plain, "brush"), plain.viewer.box.drawings
    before = drawings.radius
    wheel(canvas, 1, control=True)
    larger = drawings.radius
    assert larger > before
    assert f"{2 * larger:.0f} px" in plain.viewer.labels._size.text()
    qtbot.keyClick(plain, KEY.Key_Minus, CONTROL)
    assert drawings.radius == before
    for _ in range(40):
        wheel(canvas, -1, control=True)
    assert 0 < drawings.radius < before
    take(qtbot, plain, "look")
    assert canvas.drawing.wheel(1) is False
    assert plain.viewer.labels._size.text() == ""


# undo


def test_that_two_hundred_gestures_are_undone_and_done_again_in_the_store(qtbot, plain: MainWindow) -> None:
    canvas = take(qtbot, plain, "point")
    for number in range(200):
        click(canvas, at(canvas, 10 + number % 20 * 4, 10 + number // 20 * 10))
    settled(qtbot, plain)
    marks = kept(plain)
    assert len(marks) == 200
    assert plain.actions_by_id["undo"].text() == "&Undo point"
    for _ in range(200):
        qtbot.keyClick(plain, KEY.Key_Z, CONTROL)
    settled(qtbot, plain)
    assert kept(plain) == shown(plain) == []
    assert not plain.actions_by_id["undo"].isEnabled()
    for _ in range(200):
        qtbot.keyClick(plain, KEY.Key_Z, CONTROL | SHIFT)
    settled(qtbot, plain)
    assert kept(plain) == marks
    assert {mark.id: mark for mark in shown(plain)} == {mark.id: mark for mark in marks}
    assert not plain.actions_by_id["redo"].isEnabled()


def test_that_a_refused_gesture_is_told_and_what_stands_is_shown(qtbot, plain: MainWindow, monkeypatch) -> None:
    canvas = take(qtbot, plain, "brush")
    click(canvas, at(canvas, 40, 40))
    settled(qtbot, plain)
    before = kept(plain)

    def fail(*_: object) -> None:
        raise StoreError("The case store cannot be written: the disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(Marks, "apply", fail)
        drag(canvas, at(canvas, 40, 40), at(canvas, 70, 40))
        settled(qtbot, plain)
        assert "the disk is full" in said(plain)
        assert shown(plain) == kept(plain) == before
        plain.banner.hide()
        qtbot.keyClick(plain, KEY.Key_Z, CONTROL)
        settled(qtbot, plain)
        assert "the disk is full" in said(plain)
        assert shown(plain) == before
        assert plain.actions_by_id["undo"].text() == "&Undo brush"
    qtbot.keyClick(plain, KEY.Key_Z, CONTROL)
    settled(qtbot, plain)
    assert kept(plain) == shown(plain) == []


def test_that_a_step_cannot_be_undone_once_somebody_else_changed_its_mark(qtbot, plain: MainWindow) -> None:
    canvas = take(qtbot, plain, "point")
    click(canvas, at(canvas, 40, 40))
    settled(qtbot, plain)
    (mark,) = kept(plain)
    elsewhere = Mark("point", ((9.0, 9.0),), mark.id)
    store_of(plain).marks.change(elsewhere, "Dr Test")
    qtbot.keyClick(plain, KEY.Key_Z, CONTROL)
    settled(qtbot, plain)
    assert "Somebody else" in said(plain)
    assert kept(plain) == shown(plain) == [elsewhere]


# labels and properties


def test_that_labels_colour_what_is_chosen_and_what_comes_next(qtbot, plain: MainWindow) -> None:
    canvas = take(qtbot, plain, "brush")
    click(canvas, at(canvas, 40, 40))
    settled(qtbot, plain)
    bar = plain.viewer.labels
    bar.label_made.emit("clip", "#ff0000")
    settled(qtbot, plain)
    bar.fill()
    action = next(action for action in bar.menu.actions() if action.data() == "clip")
    assert [one.text()[:3] for one in bar.menu.actions()[:2]] == ["&1 ", "&2 "]
    action.trigger()
    settled(qtbot, plain)
    (mark,) = kept(plain)
    assert mark.label == "clip"
    assert bar.button.text() == "clip"
    QTest.mouseClick(canvas.viewport(), LEFT, SHIFT, at(canvas, 80, 80).toPoint())
    settled(qtbot, plain)
    assert [mark.label for mark in kept(plain)] == ["clip", "clip"]
    assert plain.desk.marks.colors["clip"].name() == "#ff0000"
    bar.label_recolored.emit("clip", "#00ff00")
    settled(qtbot, plain)
    assert canvas.drawing._colors["clip"].name() == "#00ff00"
    bar.label_made.emit("CLIP", "#0000ff")
    settled(qtbot, plain)
    assert "There is a label 'clip' already." in said(plain)


def test_that_a_label_is_renamed_on_all_marks_and_steps(qtbot, plain: MainWindow, monkeypatch) -> None:
    bar, labels = plain.viewer.labels, store_of(plain).labels
    bar.label_made.emit("clip", "#ff0000")
    settled(qtbot, plain)
    canvas = take(qtbot, plain, "brush")
    click(canvas, at(canvas, 40, 40))
    settled(qtbot, plain)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("  marker  clip ", True))
    bar.fill()
    next(action for action in bar.menu.actions() if action.text().startswith("&Rename clip")).trigger()
    settled(qtbot, plain)
    assert [mark.label for mark in kept(plain)] == [mark.label for mark in shown(plain)] == ["marker clip"]
    assert canvas.drawing._marks[0].lines[0] == bar.button.text() == "marker clip"
    assert plain.desk.marks.colors["marker clip"].name() == "#ff0000"
    drag(canvas, at(canvas, 40, 40), at(canvas, 60, 40))
    settled(qtbot, plain)
    for _ in range(2):
        qtbot.keyClick(plain, KEY.Key_Z, CONTROL)
    settled(qtbot, plain)
    qtbot.keyClick(plain, KEY.Key_Z, CONTROL | SHIFT)
    settled(qtbot, plain)
    assert [mark.label for mark in kept(plain)] == ["marker clip"]
    bar.label_renamed.emit("marker clip", "Tumour")
    settled(qtbot, plain)
    assert said(plain) == "There is a label 'tumour' already."
    bar.label_renamed.emit("marker clip", "x" * 81)
    settled(qtbot, plain)
    assert "1 to 80 characters" in said(plain)
    assert [mark.label for mark in kept(plain)] == [mark.label for mark in shown(plain)] == ["marker clip"]
    assert "marker clip" in [label.name for label in labels.all()]


def test_that_annotations_come_from_a_file_in_one_step(qtbot, plain: MainWindow, monkeypatch, tmp_path: Path) -> None:
    def feature(x: float) -> dict:
        ring = [[x, 10.25], [x + 9, 10.25], [x + 9, 30.5], [x, 10.25]]
        about = {"objectType": "annotation", "classification": {"name": "core", "color": [1, 2, 3]}}
        return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": about}

    path = tmp_path / "out.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature(10), feature(40)]}))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    plain.actions_by_id["import_marks"].trigger()
    settled(qtbot, plain)
    assert [mark.points[0] for mark in kept(plain)] == [(10, 10.25), (40, 10.25)]
    assert {mark.label for mark in shown(plain)} == {"core"}
    assert plain.desk.marks.colors["core"].name() == "#010203"
    assert said(plain) == "2 annotations taken from out.geojson, 0 were there already, 0 left out."
    plain.actions_by_id["import_marks"].trigger()
    settled(qtbot, plain)
    assert "0 annotations taken from out.geojson, 2 were there already" in said(plain)
    assert plain.actions_by_id["undo"].text() == "&Undo import"
    qtbot.keyClick(plain, KEY.Key_Z, CONTROL)
    settled(qtbot, plain)
    assert kept(plain) == shown(plain) == []
    path.write_text("[7]")
    plain.actions_by_id["import_marks"].trigger()
    settled(qtbot, plain)
    assert said(plain) == "Annotation 1 of out.geojson cannot be read; nothing was taken of the file."


def test_that_properties_are_words_by_name(qtbot, plain: MainWindow, monkeypatch) -> None:
    qtbot.keyClick(plain, KEY.Key_N, SHIFT)
    assert "Choose the annotation first" in said(plain)
    canvas = take(qtbot, plain, "brush")
    click(canvas, at(canvas, 40, 40))
    settled(qtbot, plain)

    def write(dialog: PropertiesDialog) -> bool:
        dialog.table.setItem(0, 0, QTableWidgetItem(" margin "))
        dialog.table.setItem(0, 1, QTableWidgetItem("spiculated"))
        return True

    monkeypatch.setattr(PropertiesDialog, "exec", write)
    qtbot.keyClick(plain, KEY.Key_N, SHIFT)
    settled(qtbot, plain)
    assert kept(plain)[0].properties == {"margin": "spiculated"}
    assert "margin: spiculated" in canvas.drawing._marks[0].lines


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("margin", "sharp"), ("", "words")], "Row 2 has words and no name"),
        ([("margin", "  ")], '"margin" has no words'),
        ([("margin", "sharp"), ("margin", "blurred")], '"margin" stands twice'),
        ([("margin", "sharp"), ("  ", " "), ("from a file", "")], ""),
    ],
)
def test_that_half_a_property_is_refused_where_it_is_written(qtbot, rows, problem: str) -> None:
    dialog = PropertiesDialog({"from a file": ""})
    qtbot.addWidget(dialog)
    for number, pair in enumerate([*rows, *[("", "")] * (dialog.table.rowCount() - len(rows))]):
        for column, words in enumerate(pair):
            dialog.table.setItem(number, column, QTableWidgetItem(words))
    assert dialog.problem.text().startswith(problem)
    assert bool(dialog.problem.text()) is bool(problem)
    assert dialog.buttons.button(QDialogButtonBox.StandardButton.Save).isEnabled() is not bool(problem)


# the model's and others'


def test_that_a_finding_is_copied_and_edited_and_the_models_result_stays(qtbot, plain: MainWindow) -> None:
    keep_result(plain, plain.desk.state.image.title)
    plain.desk.reload_case()
    settled(qtbot, plain)
    qtbot.waitUntil(lambda: bool(plain.desk.state.view.findings), timeout=10_000)
    store, result = store_of(plain), plain.desk.state.result
    before, values = store.map(result.id), plain.desk.state.probability.values.tobytes()
    qtbot.keyClick(plain, KEY.Key_T, SHIFT)
    assert "Point out a finding" in said(plain)
    plain.actions_by_id["next_finding"].trigger()
    qtbot.keyClick(plain, KEY.Key_T, SHIFT)
    settled(qtbot, plain)
    (copy,) = kept(plain)
    codes = stored_pixels(plain.viewer.canvas.data.info.path)
    assert copy.area_px == plain.desk.state.finding_on(plain.desk.state.active).area_px
    assert copy.area_px <= (codes > 3000).sum()
    assert "tiny-unet" in copy.properties["copied from"]
    canvas = take(qtbot, plain, "brush")
    drag(canvas, at(canvas, *next(copy.corners)), middle(canvas))
    settled(qtbot, plain)
    (edited,) = kept(plain)
    assert edited.id == copy.id
    assert edited.area_px > copy.area_px
    assert edited.properties == copy.properties
    after = store.map(result.id)
    assert after.values.tobytes() == before.values.tobytes()
    assert plain.desk.state.probability.values.tobytes() == values
    assert plain.desk.state.result == result


def test_that_neither_findings_nor_others_marks_are_to_be_had_before_the_first_read_is_locked(
    qtbot, reading_window, tmp_path: Path
) -> None:
    window = reading_window()
    open_folder(qtbot, window, write_view(tmp_path / "view.dcm", "L", "CC"))
    keep_result(window, window.desk.state.image.title)
    theirs = Mark("rectangle", ((20.0, 20.0), (60.0, 70.0)))
    store_of(window).marks.add(window.desk.state.active, theirs, "Dr Other")
    window.desk.open_case(window.desk.case_id)
    settled(qtbot, window)
    assert shown(window) == []
    assert not window.actions_by_id["take_finding"].isEnabled()
    window.annotating.take_finding()
    assert said(window) == window.desk.reading.hidden
    canvas = take(qtbot, window, "point")
    click(canvas, at(canvas, 40, 40))
    settled(qtbot, window)
    (mine,) = shown(window)
    assert mine.kind == "point"
    lock(qtbot, window)
    assert window.actions_by_id["take_finding"].isEnabled()


def test_that_what_another_reader_drew_is_seen_and_not_changed(qtbot, plain: MainWindow) -> None:
    theirs = Mark("rectangle", ((20.0, 20.0), (60.0, 70.0)))
    store_of(plain).marks.add(plain.desk.state.active, theirs, "Dr Other")
    plain.desk.open_case(plain.desk.case_id)
    settled(qtbot, plain)
    canvas = plain.viewer.canvas
    assert "drawn by Dr Other" in canvas.drawing._marks[0].lines
    line = at(canvas, 20, 45)
    drag(canvas, line, line + QPointF(40, 40))
    settled(qtbot, plain)
    assert "Dr Other drew this" in said(plain)
    assert kept(plain) == shown(plain) == [theirs]
    plain.banner.hide()
    qtbot.keyClick(plain, KEY.Key_Delete)
    settled(qtbot, plain)
    assert kept(plain) == shown(plain) == [theirs]
    assert "Dr Other drew this" in said(plain)


# very many


def test_that_very_many_marks_are_painted_chosen_moved_and_removed(qtbot, plain: MainWindow) -> None:
    image = plain.desk.state.active
    boxes = [Mark("rectangle", ((4 + x, 4 + y), (8 + x, 8 + y))) for x in range(0, 100, 10) for y in range(0, 140, 10)]
    assert len(boxes) > MANY
    store_of(plain).marks.add_all(image, boxes, "Dr Test", "made")
    plain.desk.open_case(plain.desk.case_id)
    settled(qtbot, plain)
    canvas = plain.viewer.canvas

    def ink_at(x: float, y: float) -> bool:
        place, picture = canvas.to_screen(x, y).toPoint(), canvas.grab().toImage()
        around = [picture.pixelColor(place.x() + dx, place.y() + dy) for dx in range(-2, 3) for dy in range(-2, 3)]
        return any(color.blue() > color.red() + 60 or color.lightness() > 250 for color in around)

    qtbot.waitUntil(lambda: ink_at(6, 4), timeout=5_000)
    qtbot.waitUntil(lambda: ink_at(96, 138), timeout=5_000)
    assert not ink_at(11, 11)
    line = at(canvas, 46, 44)
    drag(canvas, line, line + (canvas.to_screen(48, 47) - canvas.to_screen(46, 44)).toPoint())
    settled(qtbot, plain)
    moved = next(mark for mark in kept(plain) if mark.id == canvas.drawing.selected)
    assert moved.points[0] == pytest.approx((46, 47), abs=1)
    assert canvas.drawing._index is not None
    assert any(words for mark, words in canvas.drawing._marks if mark.id == moved.id)
    qtbot.keyClick(plain, KEY.Key_Delete)
    settled(qtbot, plain)
    assert len(kept(plain)) == len(boxes) - 1
    canvas.grab()
    assert not ink_at(48, 48)
    qtbot.keyClick(plain, KEY.Key_Z, CONTROL)
    settled(qtbot, plain)
    assert {mark.id for mark in kept(plain)} == {box.id for box in boxes}


# unfinished shapes


def test_that_an_unfinished_polygon_comes_back_in_a_new_window(qtbot, make_window, tmp_path: Path) -> None:
    window = make_window()
    open_folder(qtbot, window, write_view(tmp_path / "view.dcm", "L", "CC", TURNED))
    canvas = take(qtbot, window, "polygon")
    corners = [(30, 30), (80, 35), (70, 80)]
    for corner in corners:
        click(canvas, at(canvas, *corner))
    case, begun = window.desk.case_id, canvas.drawing._tool.begun
    protocol = window.desk._handle.get().protocol
    qtbot.waitUntil(lambda: bool(protocol.draft(case).get("shapes")), timeout=5_000)
    assert kept(window) == []
    window.desk.reading.flush = lambda: None  # nothing is written on the way out
    window.close()
    later = make_window()
    later.worklist.choose(case)
    settled(qtbot, later)
    assert later.actions_by_id["tool_polygon"].isChecked()
    drawing = later.viewer.canvas.drawing
    assert drawing._tool.begun == begun
    qtbot.keyClick(later.viewer.canvas.viewport(), KEY.Key_Return)
    settled(qtbot, later)
    (mark,) = kept(later)
    assert mark == begun
    qtbot.waitUntil(lambda: "shapes" not in later.desk._handle.get().protocol.draft(case), timeout=5_000)


def test_that_each_corner_is_kept_at_once_and_by_the_stores_thread(qtbot, make_window, tmp_path: Path) -> None:
    window = make_window()
    open_folder(qtbot, window, write_view(tmp_path / "view.dcm", "L", "CC", TURNED))
    for timer in (window.annotating.sketches._timer, window.desk.reading._timer):
        timer.setInterval(10**6)  # what waits for a pause never comes
    protocol, case = window.desk._handle.get().protocol, window.desk.case_id
    canvas = take(qtbot, window, "polygon")
    for number, corner in enumerate([(30, 30), (80, 35), (70, 80)], start=1):
        click(canvas, at(canvas, *corner))
        assert window.desk._store.busy
        qtbot.waitUntil(lambda: not window.desk._store.busy, timeout=5_000)
        (kept_shape,) = protocol.draft(case)["shapes"]
        assert len(kept_shape["mark"]["points"]) == number
    qtbot.keyClick(canvas.viewport(), KEY.Key_Return)
    settled(qtbot, window)
    assert "shapes" not in protocol.draft(case)
    assert len(kept(window)) == 1


def test_that_an_unfinished_shape_stays_beside_what_was_written_and_goes_when_it_is_dropped(
    qtbot, reading_window, tmp_path: Path
) -> None:
    window = reading_window()
    open_folder(qtbot, window, write_view(tmp_path / "view.dcm", "L", "CC"))
    protocol, case = window.desk._handle.get().protocol, window.desk.case_id
    window.desk.reading.keep_draft({"note": "a dense breast"})
    canvas = take(qtbot, window, "freehand")
    press(canvas, at(canvas, 30, 30))
    move(canvas, at(canvas, 60, 40))
    qtbot.waitUntil(lambda: "shapes" in protocol.draft(case), timeout=5_000)
    assert protocol.draft(case)["note"] == "a dense breast"
    qtbot.keyClick(window, KEY.Key_Escape)
    qtbot.waitUntil(lambda: "shapes" not in protocol.draft(case), timeout=5_000)
    assert protocol.draft(case)["note"] == "a dense breast"
    assert window.actions_by_id["tool_freehand"].isChecked()
    qtbot.keyClick(window, KEY.Key_Escape)
    assert window.actions_by_id["tool_look"].isChecked()
    idle(qtbot, window)


def test_that_an_unfinished_shape_waits_while_other_images_hang(qtbot, make_window, tmp_path: Path) -> None:
    window = make_window()
    for name in ("one", "two"):
        open_folder(qtbot, window, write_view(tmp_path / f"{name}.dcm", "L", "CC", PatientID=name))
    first = window.desk.case_id
    other = next(row.id for row in window.worklist.model.rows if row.id != first)
    canvas = take(qtbot, window, "polygon")
    for corner in ((30, 30), (80, 35), (70, 80)):
        click(canvas, at(canvas, *corner))
    begun = canvas.drawing._tool.begun
    window.worklist.choose(other)
    settled(qtbot, window)
    assert window.viewer.canvas.drawing._tool.begun is None
    window.worklist.choose(first)
    settled(qtbot, window)
    assert window.viewer.canvas.drawing._tool.begun == begun


def test_that_a_draft_that_is_no_shape_is_left_alone(qtbot, plain: MainWindow) -> None:
    case = plain.desk.case_id
    protocol = plain.desk._handle.get().protocol
    protocol.save_draft(case, {"shapes": [{"image": 1, "tool": "chisel", "mark": {}}, 7], "note": "n"})
    plain.desk.open_case(case)
    settled(qtbot, plain)
    assert plain.actions_by_id["tool_look"].isChecked()
    assert canvas_of(plain, plain.desk.state.image.title).drawing._tool is None
