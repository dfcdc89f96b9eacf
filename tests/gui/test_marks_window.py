"""Rulers, angles and regions drawn in the window: kept in stored pixels, shown again, moved, removed, refused."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QDialogButtonBox

from pathview.errors import StoreError
from pathview.geometry import Turn
from pathview.gui.dialogs.pixel_size import PixelSizeDialog
from pathview.gui.main_window import MainWindow
from pathview.gui.viewer.canvas import Canvas
from pathview.results.annotation import Mark
from pathview.review.cases.marks import Marks
from tests.gui.studies import (
    SPACING,
    canvas_of,
    click,
    double_click,
    drag,
    move,
    open_folder,
    press,
    release,
    settled,
    stored_pixels,
    wheel,
    with_protocols,
    write_four,
    write_view,
)

KEY = Qt.Key
TURNED = Turn(True, False, True)
"""Stored quite otherwise than it hangs."""
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def make_reader(make_window, tiny_models):
    with_protocols(tiny_models)
    return make_window


@pytest.fixture
def window(qtbot, make_reader, tmp_path: Path) -> MainWindow:
    """A four-view study, each image stored turned."""
    window = make_reader()
    open_folder(qtbot, window, write_four(tmp_path / "study", TURNED))
    return window


def at(canvas: Canvas, x: float, y: float) -> QPointF:
    """The whole screen pixel nearest to a stored point."""
    return QPointF(canvas.to_screen(x, y).toPoint())


def near(points, wanted, canvas: Canvas) -> bool:
    """Whether points are the wanted ones, up to the screen pixel that the mouse hit."""
    reach = 1.01 * canvas.stored_a_px()
    return len(points) == len(wanted) and all(math.dist(*pair) <= reach for pair in zip(points, wanted, strict=True))


def stored(window: MainWindow) -> dict[str, list[Mark]]:
    """What the store has, by title."""
    detail = window.desk.state.detail
    found = window.desk._handle.get().cases.marks.of_case(detail.case.id)
    return {image.title: [one.mark for one in found[image.id]] for image in detail.images if image.id in found}


def shown(canvas: Canvas) -> list[tuple[str, tuple[str, ...]]]:
    """Kind and words of what is drawn."""
    return [(one.mark.kind, one.lines) for one in canvas.drawing._marks]


def draw_all(qtbot, window: MainWindow, canvas: Canvas) -> dict[str, tuple[tuple[float, float], ...]]:
    """One of each tool, by keys and mouse; the stored points that were meant."""
    ruler = ((20.0, 20.0), (60.0, 50.0))
    angle = ((80.0, 30.0), (80.0, 60.0), (110.0, 60.0))
    ellipse = ((40.0, 25.0), (80.0, 45.0))
    polygon = ((20.0, 60.0), (50.0, 60.0), (50.0, 90.0), (25.0, 95.0))
    qtbot.keyClick(window, KEY.Key_D)
    drag(canvas, *(at(canvas, *point) for point in ruler))
    qtbot.keyClick(window, KEY.Key_D, SHIFT)
    for point in angle:
        click(canvas, at(canvas, *point))
    qtbot.keyClick(window, KEY.Key_E, SHIFT)
    drag(canvas, *(at(canvas, *point) for point in ellipse))
    qtbot.keyClick(window, KEY.Key_P, SHIFT)
    for point in polygon[:-1]:
        click(canvas, at(canvas, *point))
    double_click(canvas, at(canvas, *polygon[-1]))
    qtbot.keyClick(window, KEY.Key_Z)
    settled(qtbot, window)
    return {"ruler": ruler, "angle": angle, "ellipse": ellipse, "polygon": polygon}


def test_that_what_is_drawn_on_a_turned_image_is_kept_in_stored_pixels(qtbot, window: MainWindow) -> None:
    canvas = canvas_of(window, "L MLO")
    meant = draw_all(qtbot, window, canvas)
    marks = stored(window)
    assert list(marks) == ["L MLO"]
    assert [mark.kind for mark in marks["L MLO"]] == list(meant)
    for mark in marks["L MLO"]:
        assert near(mark.points, meant[mark.kind], canvas), mark.kind
    lines = dict(shown(canvas))
    ruler = marks["L MLO"][0]
    length = math.dist(*ruler.points) * SPACING
    assert lines["ruler"][0].startswith(f"{length:.1f} mm")
    assert lines["angle"][0].startswith("90") or lines["angle"][0].startswith(("89", "91"))
    assert window.desk.state.image.title == "L MLO"  # drawing on an image makes it active
    assert not window.viewer.box.single  # a double click that closes a shape does not show one image


def test_that_values_in_regions_are_numpys(qtbot, window: MainWindow) -> None:
    canvas = canvas_of(window, "R CC")
    draw_all(qtbot, window, canvas)
    codes = stored_pixels(canvas.data.info.path).astype(float)
    y, x = np.mgrid[0 : codes.shape[0], 0 : codes.shape[1]] + 0.5
    by_kind = {mark.kind: mark for mark in stored(window)["R CC"]}
    (x0, y0), (x1, y1) = by_kind["ellipse"].points
    inside = {"ellipse": ((2 * x - x0 - x1) / (x1 - x0)) ** 2 + ((2 * y - y0 - y1) / (y1 - y0)) ** 2 <= 1}
    corners = by_kind["polygon"].points
    crossings = np.zeros(codes.shape, int)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        if ay != by:
            crossings += ((ay <= y) != (by <= y)) & (x > ax + (y - ay) / (by - ay) * (bx - ax))
    inside["polygon"] = crossings % 2 == 1
    lines = dict(shown(canvas))
    for kind, mask in inside.items():
        values = codes[mask]
        assert values.std() > 0
        told = re.findall(r"[\d.,]+", " ".join(lines[kind][:2]))
        numbers = [float(number.replace(",", "")) for number in told]
        wanted = (values.mean(), values.std(), values.min(), values.max())
        assert numbers[:4] == pytest.approx(wanted, rel=5e-3, abs=0.5)
        assert numbers[4] == values.size


def test_that_marks_come_back_with_their_case_and_in_a_new_window(
    qtbot, window: MainWindow, make_reader, tmp_path: Path
) -> None:
    draw_all(qtbot, window, canvas_of(window, "L CC"))
    kept = stored(window)
    words = shown(canvas_of(window, "L CC"))
    case = window.desk.case_id
    open_folder(qtbot, window, write_view(tmp_path / "other.dcm", "R", "CC", PatientID="other"))
    assert window.desk.case_id != case
    assert shown(window.viewer.canvas) == []
    window.worklist.choose(case)
    settled(qtbot, window)
    assert shown(canvas_of(window, "L CC")) == words
    window.close()
    later = make_reader()
    later.worklist.choose(case)
    settled(qtbot, later)
    assert stored(later) == kept
    assert shown(canvas_of(later, "L CC")) == words
    assert [one.mark for one in canvas_of(later, "L CC").drawing._marks] == kept["L CC"]
    assert shown(canvas_of(later, "R CC")) == []


def test_that_marks_are_shown_when_they_come_before_the_picture(qtbot, window: MainWindow, monkeypatch) -> None:
    canvas = canvas_of(window, "L CC")
    qtbot.keyClick(window, KEY.Key_D)
    drag(canvas, at(canvas, 30, 30), at(canvas, 70, 70))
    settled(qtbot, window)
    words = shown(canvas)
    assert len(words) == 1
    case = window.desk.case_id
    window.desk._cache._pictures.clear()
    window.desk._cache._bytes = 0
    runner = window.desk._reading
    submit, waiting = runner.submit, []
    monkeypatch.setattr(runner, "submit", lambda *given: waiting.append(given) or submit(lambda *_: None))
    window.desk.open_case(case)
    settled(qtbot, window)
    assert canvas_of(window, "L CC").data is None
    monkeypatch.setattr(runner, "submit", submit)
    for given in waiting:
        submit(*given)
    settled(qtbot, window)
    assert canvas_of(window, "L CC").data is not None
    assert shown(canvas_of(window, "L CC")) == words


def test_that_a_mark_is_moved_and_its_corner_dragged(qtbot, window: MainWindow) -> None:
    canvas = canvas_of(window, "R MLO")
    draw_all(qtbot, window, canvas)
    ruler = stored(window)["R MLO"][0]
    (x0, y0), (x1, y1) = ruler.points
    on_line = at(canvas, (2 * x0 + x1) / 3, (2 * y0 + y1) / 3)
    wanted = canvas.stored_at(on_line + QPointF(30, -18))
    grip = canvas.stored_at(on_line)
    drag(canvas, on_line, on_line + QPointF(30, -18))
    settled(qtbot, window)
    dx, dy = wanted[0] - grip[0], wanted[1] - grip[1]
    moved = stored(window)["R MLO"][0]
    assert moved.id == ruler.id
    assert near(moved.points, [(x + dx, y + dy) for x, y in ruler.points], canvas)
    view = canvas.current_view()
    end = at(canvas, *moved.points[1])
    drag(canvas, end, end + QPointF(25, 25))
    settled(qtbot, window)
    longer = stored(window)["R MLO"][0]
    assert longer.points[0] == moved.points[0]
    assert near(longer.points[1:], [canvas.stored_at(end + QPointF(25, 25))], canvas)
    assert canvas.current_view() == view  # the image was not dragged along
    length = math.dist(*longer.points) * SPACING
    assert shown(canvas)[0][1][0].startswith(f"{length:.1f} mm")


def test_that_marks_lie_on_the_image_when_it_is_moved(qtbot, window: MainWindow) -> None:
    canvas = canvas_of(window, "R CC")
    qtbot.keyClick(window, KEY.Key_D)
    drag(canvas, at(canvas, 30, 30), at(canvas, 90, 30))
    qtbot.keyClick(window, KEY.Key_Z)
    settled(qtbot, window)
    (mark,) = stored(window)["R CC"]

    def is_drawn(x: float, y: float) -> bool:
        place = canvas.to_screen(x, y).toPoint()
        image = canvas.grab().toImage()
        around = [image.pixelColor(place.x() + dx, place.y() + dy) for dx in range(-2, 3) for dy in range(-2, 3)]
        return any(color.blue() > color.red() + 80 for color in around)

    third = [p + (q - p) / 3 for p, q in zip(*mark.points, strict=True)]
    assert is_drawn(*third)
    assert not is_drawn(third[0], third[1] + 20)
    wheel(canvas, 2, canvas.to_screen(*third))
    assert is_drawn(*third)
    before = canvas.to_screen(*third)
    drag(canvas, QPointF(20, canvas.height() - 40), QPointF(50, canvas.height() - 80))
    assert canvas.to_screen(*third) - before == QPointF(30, -40)
    assert is_drawn(*third)


def test_that_a_chosen_mark_is_removed_and_stays_away(qtbot, window: MainWindow) -> None:
    canvas = canvas_of(window, "R CC")
    draw_all(qtbot, window, canvas)
    qtbot.keyClick(window, KEY.Key_Delete)
    settled(qtbot, window)
    assert len(stored(window)["R CC"]) == 4  # nothing is chosen
    first, last = stored(window)["R CC"][0].points
    click(canvas, at(canvas, *first))
    qtbot.keyClick(window, KEY.Key_Delete)
    settled(qtbot, window)
    assert [mark.kind for mark in stored(window)["R CC"]] == ["angle", "ellipse", "polygon"]
    assert [kind for kind, _ in shown(canvas)] == ["angle", "ellipse", "polygon"]
    window.desk.open_case(window.desk.case_id)
    settled(qtbot, window)
    assert [kind for kind, _ in shown(canvas_of(window, "R CC"))] == ["angle", "ellipse", "polygon"]
    assert last


def test_that_a_ruler_is_refused_without_a_pixel_size(qtbot, make_reader, tmp_path: Path) -> None:
    window = make_reader()
    open_folder(qtbot, window, write_view(tmp_path / "bare.dcm", "L", "CC", TURNED, ImagerPixelSpacing=None))
    window.banner.hide()
    canvas = window.viewer.canvas
    view = canvas.current_view()
    qtbot.keyClick(window, KEY.Key_D)
    drag(canvas, at(canvas, 30, 30), at(canvas, 60, 60))
    settled(qtbot, window)
    assert "bare.dcm" in window.banner.text
    assert "no pixel size" in window.banner.text
    assert stored(window) == {}
    assert canvas.current_view() == view
    qtbot.keyClick(window, KEY.Key_E, SHIFT)
    drag(canvas, at(canvas, 30, 30), at(canvas, 60, 60))
    settled(qtbot, window)
    ((kind, lines),) = shown(canvas)
    assert kind == "ellipse"
    assert lines[2].endswith(" px")


def test_that_a_stated_pixel_size_is_measured_with_in_a_first_read_and_analyses_nothing(
    qtbot, reading_window, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = reading_window()
    open_folder(qtbot, window, write_view(tmp_path / "bare.dcm", "L", "CC", TURNED, ImagerPixelSpacing=None))
    assert window.desk.reading.hidden
    asked: list[PixelSizeDialog] = []

    def state(dialog: PixelSizeDialog) -> bool:
        asked.append(dialog)
        dialog.field.setText("0,2")
        return True

    monkeypatch.setattr(PixelSizeDialog, "exec", state)
    qtbot.keyClick(window, KEY.Key_D)
    canvas = window.viewer.canvas
    drag(canvas, at(canvas, 30, 30), at(canvas, 60, 30))
    assert "no pixel size" in window.banner.text
    way = window.banner._way
    assert way.isVisible()
    assert "pixel size" in way.text()
    qtbot.mouseClick(way, Qt.MouseButton.LeftButton)
    settled(qtbot, window)
    assert len(asked) == 1
    assert window.desk.state.picture.info.mpp_um == pytest.approx(200)
    assert window.desk.state.result is None  # nothing was analysed for it
    drag(canvas, at(canvas, 30, 30), at(canvas, 60, 30))
    settled(qtbot, window)
    ((kind, lines),) = shown(canvas)
    length = math.dist(*stored(window)["L CC"][0].points) * 0.2
    assert (kind, lines[0]) == ("ruler", f"{length:.1f} mm estimated")
    window.actions_by_id["pixel_size"].trigger()  # a slip can be mended
    assert asked[1].windowTitle() == asked[0].windowTitle()


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "3000", "a"])
def test_that_what_can_be_no_pixels_size_is_refused_where_it_is_written(qtbot, text: str) -> None:
    dialog = PixelSizeDialog("histology", None)
    qtbot.addWidget(dialog)
    dialog.field.setText(text)
    save = dialog._buttons.button(QDialogButtonBox.StandardButton.Save)
    assert not save.isEnabled()
    assert bool(dialog._problem.text()) is bool(text)
    dialog.field.setText("0.25")
    assert save.isEnabled()
    assert dialog.um == 0.25
    assert not dialog._problem.text()


def test_that_a_pixel_size_that_the_file_tells_is_not_asked_for(qtbot, window: MainWindow) -> None:
    window.actions_by_id["pixel_size"].trigger()
    assert "states its pixel size" in window.banner.text
    assert not window.banner._way.isVisible()


def test_that_escape_drops_a_shape_then_the_tool(qtbot, window: MainWindow) -> None:
    canvas = canvas_of(window, "R CC")
    qtbot.keyClick(window, KEY.Key_P, SHIFT)
    for point in ((30, 30), (60, 30), (60, 60)):
        click(canvas, at(canvas, *point))
    assert canvas.drawing._tool.preview is not None
    qtbot.keyClick(window, KEY.Key_Escape)
    assert canvas.drawing._tool.preview is None
    assert window.actions_by_id["tool_polygon"].isChecked()
    qtbot.keyClick(window, KEY.Key_Escape)
    assert window.actions_by_id["tool_look"].isChecked()
    settled(qtbot, window)
    assert stored(window) == {}


@pytest.fixture
def broken_store(monkeypatch):
    """Called, no mark can be written any more."""

    def fail(*_: object) -> None:
        raise StoreError("The case store cases.sqlite cannot be written: the disk is full.")

    def breaks() -> None:
        monkeypatch.setattr(Marks, "apply", fail)

    return breaks


def test_that_a_mark_that_cannot_be_kept_is_told_and_not_shown(qtbot, window: MainWindow, broken_store) -> None:
    canvas = canvas_of(window, "R CC")
    broken_store()
    qtbot.keyClick(window, KEY.Key_D)
    drag(canvas, at(canvas, 30, 30), at(canvas, 70, 70))
    settled(qtbot, window)
    assert "cannot be written" in window.banner.text
    assert shown(canvas) == []
    assert stored(window) == {}


def test_that_a_mark_that_cannot_be_moved_or_removed_is_shown_where_it_is(
    qtbot, window: MainWindow, broken_store
) -> None:
    canvas = canvas_of(window, "R CC")
    draw_all(qtbot, window, canvas)
    before, words = stored(window), shown(canvas)
    broken_store()
    (x0, y0), (x1, y1) = before["R CC"][0].points
    on_line = at(canvas, (2 * x0 + x1) / 3, (2 * y0 + y1) / 3)
    drag(canvas, on_line, on_line + QPointF(40, 5))
    settled(qtbot, window)
    assert "cannot be written" in window.banner.text
    assert [one.mark for one in canvas.drawing._marks] == before["R CC"]
    assert shown(canvas) == words
    window.banner.hide()
    click(canvas, on_line)
    qtbot.keyClick(window, KEY.Key_Delete)
    settled(qtbot, window)
    assert "cannot be written" in window.banner.text
    assert shown(canvas) == words


def test_that_a_mark_is_not_called_saved_before_it_is(qtbot, window: MainWindow, monkeypatch) -> None:
    canvas = canvas_of(window, "R CC")
    seen: list[list[tuple[str, tuple[str, ...]]]] = []
    apply = Marks.apply

    def note(*given: object) -> object:
        seen.append(shown(canvas))
        return apply(*given)

    monkeypatch.setattr(Marks, "apply", note)
    qtbot.keyClick(window, KEY.Key_D)
    drag(canvas, at(canvas, 30, 30), at(canvas, 70, 30))
    settled(qtbot, window)
    assert seen == [[("ruler", ("saving ...",))]]
    assert "mm" in shown(canvas)[0][1][0]


def test_that_a_mark_on_the_prior_is_kept_and_comes_back_beside_the_case(qtbot, make_reader, tmp_path: Path) -> None:
    window = make_reader()
    write_four(tmp_path / "now", StudyDate="20260102")
    write_four(tmp_path / "before", TURNED, StudyDate="20240102")
    open_folder(qtbot, window, tmp_path / "before", tmp_path / "now")
    open_step(qtbot, window, "now", "CC, current over prior")
    prior = window.viewer.box.tiles[2].canvas
    assert prior.data.info.path.parent.name == "before"
    qtbot.keyClick(window, KEY.Key_D)
    drag(prior, at(prior, 30, 30), at(prior, 70, 30))
    qtbot.keyClick(window, KEY.Key_Z)
    settled(qtbot, window)
    words = shown(prior)
    assert "mm" in words[0][1][0]
    open_step(qtbot, window, "before", "CC, both sides")
    assert shown(window.viewer.box.tiles[0].canvas) == words
    open_step(qtbot, window, "now", "CC, current over prior")
    assert shown(window.viewer.box.tiles[2].canvas) == words
    assert shown(window.viewer.box.tiles[0].canvas) == []
    window.desk.hang_prior(None)
    settled(qtbot, window)
    window.desk.hang_prior(window.desk.state.priors[0].id)
    settled(qtbot, window)
    open_step(qtbot, window, "now", "CC, current over prior")
    assert shown(window.viewer.box.tiles[2].canvas) == words


def open_step(qtbot, window: MainWindow, case: str, step: str) -> None:
    """A case by its name, at a step by its."""
    rows = {row.title: row.id for row in window.worklist.model.rows}
    window.worklist.choose(rows[case])
    settled(qtbot, window)
    window.desk.room.choose_step([one.title for one in window.desk.state.steps].index(step))
    settled(qtbot, window)


def test_that_a_mark_pressed_but_not_moved_stays_as_it_was(qtbot, window: MainWindow) -> None:
    canvas = canvas_of(window, "R CC")
    draw_all(qtbot, window, canvas)
    before = stored(window)
    handle = at(canvas, *before["R CC"][0].points[0])
    press(canvas, handle)
    move(canvas, handle + QPointF(2, 1))
    release(canvas, handle + QPointF(2, 1))
    settled(qtbot, window)
    assert stored(window) == before
    assert canvas.drawing.selected == before["R CC"][0].id
    assert replace(before["R CC"][0], id="x") != before["R CC"][0]
