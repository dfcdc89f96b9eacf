from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QFont, QImage, QPainter

from pathview.geometry import Region, SpacingMm, Turn
from pathview.gui.job_runner import JobRunner
from pathview.gui.viewer import marks as marks_module
from pathview.gui.viewer.editor import Editor, Hit
from pathview.gui.viewer.marks import Drawn, paint_marks
from pathview.gui.viewer.measurer import Measurer, as_stored
from pathview.gui.viewer.tools import TOOLS, Tool
from pathview.images.pyramid import Patch, PictureData
from pathview.images.raster import flat_image
from pathview.results.annotation import Mark, MarkKind
from pathview.results.annotation_shapes import distance
from pathview.results.measurement import region_stats

TOL = 3.0
SQUARE = ((10, 10), (50, 10), (50, 50), (10, 50))


def drawn(kind: MarkKind, steps: str) -> tuple[list[Mark], Tool]:
    """Marks of steps such as ``"p10,20 m30,40 r30,40 d e b x"``: press, move, release, double click, enter ..."""
    tool, found = TOOLS[kind](), []
    for step in steps.split():
        if step in "ebx":
            done = {"e": tool.enter, "b": tool.backspace, "x": tool.escape}[step]()
        else:
            act = {"p": tool.press, "m": tool.move, "r": tool.release, "d": tool.double_click}[step[0]]
            done = act(*(float(part) for part in step[1:].split(",")), TOL)
        if isinstance(done, Mark):
            found.append(done)
    return found, tool


@pytest.mark.parametrize(
    ("kind", "steps", "points"),
    [
        ("ruler", "p1,2 m9,9 r30,40", ((1, 2), (30, 40))),
        ("ruler", "p1,2 r1,2 m9,9 p30,40 r30,40", ((1, 2), (30, 40))),
        ("ruler", "p1,2 r2,2 d2,2 r2,2 m9,9 p30,40", ((1, 2), (30, 40))),
        ("ruler", "p1,2 r1,2 p1,2 m9,9 r30,40", ((1, 2), (30, 40))),
        ("angle", "p1,2 r1,2 p30,2 r30,2 p30,40", ((1, 2), (30, 2), (30, 40))),
        ("angle", "p1,2 p1,2 d1,2 p30,2 p31,2 p30,40", ((1, 2), (30, 2), (30, 40))),
        ("ellipse", "p30,40 m9,9 r1,2", ((30, 40), (1, 2))),
        ("polygon", "p0,0 p40,0 p40,40 d40,40", ((0, 0), (40, 0), (40, 40))),
        ("polygon", "p0,0 p40,0 p40,40 p40,41 d40,41", ((0, 0), (40, 0), (40, 40))),
        ("polygon", "p0,0 p40,0 p40,40 m9,9 e", ((0, 0), (40, 0), (40, 40))),
        ("polygon", "p0,0 p40,0 p40,40 p1,1", ((0, 0), (40, 0), (40, 40))),
        ("polygon", "p0,0 p40,0 p90,90 b p40,40 e", ((0, 0), (40, 0), (40, 40))),
    ],
)
def test_that_a_tool_finishes_what_was_drawn_and_starts_afresh(kind: MarkKind, steps: str, points) -> None:
    (mark,), tool = drawn(kind, steps)
    assert (mark.kind, mark.points) == (kind, points)
    assert tool.preview is None
    (first, second), _ = drawn(kind, f"{steps} {steps}")
    assert first.points == second.points
    assert first.id != second.id


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        ("ruler", "p1,2 m30,40 x r30,40"),
        ("angle", "p1,2 p30,2 x p30,40 x"),
        ("ellipse", "p1,2 r1,2"),
        ("ellipse", "p1,2 r40,2"),
        ("polygon", "p0,0 p40,0 e"),
        ("polygon", "p0,0 p40,0 p80,0 e"),
        ("polygon", "p0,0 d0,0"),
        ("polygon", "e b"),
        ("polygon", "p0,0 p40,0 p40,40 x e"),
    ],
)
def test_that_what_has_no_extent_or_was_escaped_is_dropped(kind: MarkKind, steps: str) -> None:
    found, tool = drawn(kind, steps)
    assert found == []
    assert tool.preview is None


def test_that_the_preview_follows_the_mouse_and_becomes_the_mark() -> None:
    _, tool = drawn("polygon", "p0,0 p40,0 m20,20")
    preview = tool.preview
    assert preview is not None
    assert preview.points == ((0, 0), (40, 0), (20, 20))
    tool.press(20, 20, TOL)
    assert tool.enter() == preview
    assert tool.preview is None


def test_that_escape_and_backspace_say_whether_there_was_anything() -> None:
    _, tool = drawn("polygon", "p0,0 p40,0")
    assert [tool.backspace(), tool.backspace(), tool.backspace(), tool.escape()] == [True, True, False, False]
    tool.press(0, 0, TOL)
    assert [tool.escape(), tool.escape()] == [True, False]


@pytest.fixture
def editor() -> Editor:
    found = Editor()
    ellipse = Mark("ellipse", ((100, 100), (200, 160)), "ellipse")
    found.set_marks([Mark("ruler", ((0, 0), (40, 0)), "ruler"), ellipse, Mark("polygon", SQUARE, "polygon")])
    return found


@pytest.mark.parametrize(
    ("at", "hit"),
    [
        ((20, 2), Hit("ruler", None)),
        ((41, 1), Hit("ruler", 1)),
        ((30, 12), Hit("polygon", None)),
        ((10, 30), Hit("polygon", None)),
        ((51, 51), Hit("polygon", 2)),
        ((150, 102), Hit("ellipse", None)),
        ((150, 130), None),
        ((100, 100), None),
        ((30, 30), None),
    ],
)
def test_that_lines_and_handles_are_hit_within_the_tolerance(editor: Editor, at, hit: Hit | None) -> None:
    assert editor.hit(*at, TOL) == hit


def test_that_the_selected_mark_and_its_corners_come_first(editor: Editor) -> None:
    assert editor.press(150, 100, TOL)
    assert editor.release(150, 100, TOL) is None
    assert editor.selected == "ellipse"
    assert editor.hit(199, 101, TOL) == Hit("ellipse", 1)
    editor.set_marks([Mark("ruler", ((0, 0), (40, 0)), "one"), Mark("ruler", ((0, 0), (40, 0)), "two")])
    assert editor.selected is None
    assert editor.hit(20, 0, TOL) == Hit("two", None)
    editor.choose(["one"])
    assert editor.hit(20, 0, TOL) == Hit("one", None)


def test_that_a_handle_and_a_whole_mark_are_dragged_and_keep_their_id(editor: Editor) -> None:
    editor.press(51, 51, TOL)
    assert editor.move(60, 70, TOL)
    assert editor.preview is not None
    assert editor.preview.id == "polygon"
    changed = editor.release(61, 71, TOL)
    assert changed == Mark("polygon", ((10, 10), (50, 10), (60, 70), (10, 50)), "polygon")
    assert editor.preview is None
    editor.press(20, 0, TOL)
    assert editor.release(25, 10, TOL) == Mark("ruler", ((5, 10), (45, 10)), "ruler")


def test_that_a_corner_of_an_ellipse_leaves_the_opposite_one(editor: Editor) -> None:
    editor.press(150, 100, TOL)
    editor.release(150, 100, TOL)
    editor.press(200, 100, TOL)
    changed = editor.release(220, 90, TOL)
    assert changed is not None
    assert changed.points == ((100, 160), (220, 90))


def test_that_a_click_a_flat_shape_or_escape_changes_nothing(editor: Editor) -> None:
    editor.press(20, 0, TOL)
    assert editor.release(22, 1, TOL) is None
    editor.press(40, 0, TOL)
    assert editor.release(0, 0, TOL) is None
    editor.press(20, 0, TOL)
    editor.move(30, 30, TOL)
    assert editor.escape()
    assert editor.release(30, 30, TOL) is None
    assert editor.selected == "ruler"
    assert editor.escape()
    assert not editor.escape()


def test_that_a_press_beside_all_marks_is_the_canvases_own(editor: Editor) -> None:
    editor.press(20, 0, TOL)
    assert not editor.press(300, 300, TOL)
    assert editor.selected is None
    assert not editor.move(310, 310, TOL)
    assert editor.delete() == ()


def test_that_delete_names_the_selected_mark_once(editor: Editor) -> None:
    editor.press(20, 0, TOL)
    assert editor.delete() == ("ruler",)
    assert editor.delete() == ()


def test_that_a_mark_that_vanishes_ends_its_drag(editor: Editor) -> None:
    editor.press(20, 0, TOL)
    editor.move(30, 30, TOL)
    editor.set_marks([])
    assert editor.preview is None
    assert editor.release(40, 40, TOL) is None


def test_that_the_distance_is_to_the_line_not_to_its_ends() -> None:
    assert distance(Mark("ruler", ((0, 0), (100, 0))), (50, 7)) == pytest.approx(7)
    assert distance(Mark("ruler", ((0, 0), (100, 0))), (103, 4)) == pytest.approx(5)
    assert distance(Mark("polygon", ((0, 0), (100, 0), (0, 100))), (0, 50)) == pytest.approx(0)
    assert distance(Mark("ellipse", ((0, 0), (200, 100))), (100, 90)) == pytest.approx(10, abs=0.1)


def painted(marks: list[Drawn], monkeypatch, **options) -> tuple[QImage, list[QRectF]]:
    """A picture of marks, four stored pixels a screen pixel, and where their labels stand."""
    rects: list[QRectF] = []
    paint_label = marks_module._paint_label

    def note(painter, rect, lines, ink) -> None:
        rects.append(rect)
        paint_label(painter, rect, lines, ink)

    monkeypatch.setattr(marks_module, "_paint_label", note)
    image = QImage(600, 400, QImage.Format.Format_RGB32)
    image.fill(QColor(0, 0, 0))
    painter = QPainter(image)
    font = QFont()
    font.setPixelSize(13)
    painter.setFont(font)
    paint_marks(painter, marks, lambda x, y: QPointF(x / 4, y / 4), **options)
    painter.end()
    return image, rects


def test_that_labels_neither_collide_nor_cover_the_middle_nor_leave_the_picture(qapp, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    lines = ("mean 1234  SD 56", "0 to 4095  n 12,345", "area 1.2 cm² at the detector")
    found = [
        Drawn(Mark("ellipse", ((x, y), (x + 260, y + 200))), lines)
        for x, y in rng.uniform((0, 0), (2200, 1400), (6, 2))
    ]
    found += [Drawn(Mark("ruler", ((2380, 20), (2300, 300))), ("18.2 mm at the detector",))]
    _, rects = painted(found, monkeypatch)
    assert len(rects) == 7
    for index, (rect, shown) in enumerate(zip(rects, found, strict=True)):
        (x0, y0), (x1, y1) = shown.mark.points
        assert not rect.contains(QPointF((x0 + x1) / 8, (y0 + y1) / 8))
        assert QRectF(0, 0, 600, 400).contains(rect)
        assert not any(rect.intersects(other) for other in rects[:index])


@pytest.mark.parametrize(
    "mark", [Mark(kind, SQUARE[:n]) for kind in TOOLS for n in range(3 if kind == "ellipse" else 5)]
)
def test_that_whatever_is_half_drawn_can_be_painted(qapp, monkeypatch, mark: Mark) -> None:
    image, _ = painted([], monkeypatch, preview=Drawn(mark, ("…",)))
    assert not image.isNull()


def test_that_a_dragged_mark_is_shown_in_place_of_the_stored_one(qapp, monkeypatch) -> None:
    stored = Mark("ruler", ((400, 400), (800, 400)))
    moved = replace(stored, points=((400, 1200), (800, 1200)))
    image, rects = painted([Drawn(stored, ("10 mm",))], monkeypatch, preview=Drawn(moved, ("10 mm",)))
    assert len(rects) == 1
    assert image.pixelColor(150, 100).lightness() == 0
    assert image.pixelColor(150, 300).lightness() > 150


@pytest.fixture
def runner(qtbot):
    found = JobRunner("measure")
    yield found
    found.close()


def picture(pixels: np.ndarray, turn: Turn, spacing: SpacingMm | None = None) -> PictureData:
    image = flat_image(Path("x"), "x", pixels)
    info = replace(image.info, turn=turn, spacing=spacing, spacing_source="at the detector" if spacing else None)
    shown = turn.array(image.pixels.astype(np.uint16) if pixels.ndim == 2 else image.pixels)
    return PictureData(info, image.scale, 0, (Patch(Region.whole(info.shown_size), shown),), False)


@pytest.mark.parametrize("turn", [Turn(t, x, y) for t in (False, True) for x in (False, True) for y in (False, True)])
def test_that_values_are_those_of_the_stored_pixels_however_they_hang(qtbot, runner: JobRunner, turn: Turn) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (40, 60)).astype(np.uint8)
    data = picture(codes, turn, SpacingMm(0.1, 0.1))
    assert np.array_equal(as_stored(data.levels[0].pixels, turn), codes)
    mark = Mark("polygon", ((5, 3), (50, 10), (20, 36)))
    measurer, heard = Measurer(runner), []
    measurer.measured.connect(lambda *answer: heard.append(answer))
    measurer.measure(mark, data)
    qtbot.waitUntil(lambda: len(heard) == 2)
    area = "area 6.90 mm² at the detector"
    assert heard[0] == (mark.id, ("mean …  SD …", "… to …  n …", area))
    assert data.scale is not None
    assert heard[1] == (mark.id, (*region_stats(mark, codes, data.scale).lines, area))


def test_that_rulers_and_colour_are_measured_at_once(qtbot, runner: JobRunner) -> None:
    measurer, heard = Measurer(runner), []
    measurer.measured.connect(lambda _, lines: heard.append(lines))
    color = picture(
        np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8), Turn(), SpacingMm(0.1, 0.1)
    )
    measurer.measure(Mark("ruler", ((0, 0), (10, 0))), color)
    measurer.measure(Mark("polygon", SQUARE), color)
    measurer.measure(Mark("ellipse", SQUARE[:1]), picture(np.zeros((20, 20), np.uint8), Turn()))
    assert heard == [
        ("1.0 mm at the detector",),
        ("no mean or SD: a colour image", "area 16.0 mm² at the detector"),
        (),
    ]
    assert not runner.busy


def test_that_answers_for_an_older_shape_are_dropped(qtbot, runner: JobRunner) -> None:
    gate = threading.Event()
    runner.submit(lambda *_: gate.wait(30))
    data = picture(np.full((60, 60), 9, np.uint8), Turn())
    measurer, heard = Measurer(runner), []
    measurer.measured.connect(lambda _, lines: heard.append(lines))
    mark = Mark("polygon", SQUARE)
    for points in (SQUARE, SQUARE[:3]):
        measurer.measure(replace(mark, points=points), data)
    gone = Mark("polygon", SQUARE)
    measurer.measure(gone, data)
    measurer.forget(gone.id)
    gate.set()
    qtbot.waitUntil(lambda: not runner.busy)
    answers = [lines for lines in heard if "…" not in lines[0]]
    assert answers == [("mean 9.00  SD 0", "9 to 9  n 820", "area 800 px")]
    measurer.measure(mark, data)
    measurer.forget_all()
    qtbot.waitUntil(lambda: not runner.busy)
    assert len([lines for lines in heard if "…" not in lines[0]]) == 1


def test_that_a_count_that_fails_is_told(qtbot, runner: JobRunner, monkeypatch, caplog) -> None:
    caplog.expected = ("a job failed",)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pathview.gui.viewer.measurer.region_stats", fail)
    measurer, heard = Measurer(runner), []
    measurer.measured.connect(lambda _, lines: heard.append(lines))
    measurer.measure(Mark("polygon", SQUARE), picture(np.zeros((60, 60), np.uint8), Turn()))
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert heard[1] == ("mean and SD could not be computed", "area 1,600 px")
