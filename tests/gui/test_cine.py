"""Frames of a tomosynthesis series: by wheel, keys and slider, as a slab, as a film, each with its own window."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import BreastTomosynthesisImageStorage
from PySide6.QtCore import Qt

from pathview.geometry import Turn
from pathview.gui.main_window import MainWindow
from pathview.gui.viewer.canvas import Canvas
from pathview.images.slab import CACHE
from pathview.results.annotation import Mark
from tests.gui.reading import store_of
from tests.gui.studies import (
    as_kept,
    canvas_of,
    click,
    drag,
    drawn,
    hung_titles,
    middle,
    move,
    open_folder,
    settled,
    wheel,
    with_protocols,
    write_view,
)

KEY = Qt.Key
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
FRAMES = 7
TURNED = Turn(True, False, True)
STUDY = {"StudyInstanceUID": "1.2.3.4"}


def frame_group(number: int) -> Dataset:
    """A window of its own for each frame."""
    group, voi = Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = 1000 + 100 * number, 2000
    voi.WindowCenterWidthExplanation = f"FRAME {number + 1}"
    group.FrameVOILUTSequence = [voi]
    return group


def planes(rows: int = 150, columns: int = 110) -> np.ndarray:
    """Frames as they hang: each with a bright bar at its own height, brighter from frame to frame."""
    stack = np.stack([drawn("R", "CC", rows, columns) // 4] * FRAMES)
    for number in range(FRAMES):
        stack[number, 20 + 15 * number : 25 + 15 * number, columns // 2 :] = 2000 + 200 * number
    return stack


@pytest.fixture
def window(make_window, tiny_models) -> MainWindow:
    with_protocols(tiny_models)
    CACHE.clear()
    return make_window()


def write_tomo(path: Path, stack: np.ndarray, **tags) -> Path:
    return write_view(
        path,
        "R",
        "CC",
        TURNED,
        stack,
        SOPClassUID=BreastTomosynthesisImageStorage,
        PerFrameFunctionalGroupsSequence=[frame_group(number) for number in range(FRAMES)],
        **STUDY,
        **tags,
    )


@pytest.fixture
def pair(qtbot, window: MainWindow, tmp_path: Path) -> MainWindow:
    """A right CC beside its tomosynthesis, which is active."""
    write_view(tmp_path / "s" / "flat.dcm", "R", "CC", **STUDY)
    write_tomo(tmp_path / "s" / "tomo.dcm", planes())
    open_folder(qtbot, window, tmp_path / "s")
    go_to_tomosynthesis(qtbot, window)
    return window


def go_to_tomosynthesis(qtbot, window: MainWindow) -> None:
    titles = [step.title for step in window.desk.state.steps]
    window.desk.room.choose_step(titles.index("R CC: 2D, tomosynthesis"))
    settled(qtbot, window)
    assert hung_titles(window) == [["R CC", "R CC, tomosynthesis"]]
    click(tomo(window))
    settled(qtbot, window)


def tomo(window: MainWindow) -> Canvas:
    return canvas_of(window, "R CC, tomosynthesis")


def shown_codes(canvas: Canvas) -> np.ndarray:
    """Codes as they hang."""
    assert canvas.data.levels[0].downsample == 1
    return canvas.data.levels[0].pixels + canvas.data.scale.low


def test_that_a_series_opens_in_its_middle_and_goes_on_by_wheel_keys_and_slider(qtbot, pair: MainWindow) -> None:
    canvas, stack, cine = tomo(pair), planes(), pair.viewer.cine
    assert cine.isVisible()
    assert np.array_equal(shown_codes(canvas), stack[3])
    view = canvas.current_view()
    for act, wanted in (
        (lambda: qtbot.keyClick(pair, KEY.Key_Down, CONTROL), 4),
        (lambda: qtbot.keyClick(pair, KEY.Key_Up, CONTROL), 3),
        (lambda: wheel(canvas, -1, control=True), 4),
        (lambda: wheel(canvas, 2, control=True), 3),
        (lambda: cine._slider.setValue(0), 0),
        (lambda: qtbot.keyClick(pair, KEY.Key_Up, CONTROL), 0),
        (lambda: cine._slider.setValue(6), 6),
        (lambda: wheel(canvas, -1, control=True), 6),
    ):
        act()
        settled(qtbot, pair)
        assert canvas.data.frame == wanted
        assert np.array_equal(shown_codes(canvas), stack[wanted])
        assert f"frame {wanted + 1} of {FRAMES}" in cine._words.text()
    assert canvas.current_view() == view
    assert pair.desk.state.step.title == "R CC: 2D, tomosynthesis"


def test_that_each_frame_has_its_own_window(qtbot, pair: MainWindow) -> None:
    canvas = tomo(pair)
    for frame in (0, 5):
        pair.viewer.cine._slider.setValue(frame)
        settled(qtbot, pair)
        assert canvas.data.scale.voi.center == 1000 + 100 * frame
        assert canvas.tone.voi is None  # the file's own
        assert pair.viewer._tone.text() == f"FRAME {frame + 1}"


def test_that_a_slab_combines_frames(qtbot, pair: MainWindow) -> None:
    canvas, stack, cine = tomo(pair), planes(), pair.viewer.cine
    assert not cine._mode.isEnabled()
    for _ in range(2):
        qtbot.keyClick(pair, KEY.Key_Right, CONTROL)
    settled(qtbot, pair)
    assert cine._thickness.value() == 3
    assert np.array_equal(shown_codes(canvas), stack[2:5].max(axis=0))
    cine._mode.setCurrentText("average")
    settled(qtbot, pair)
    assert np.abs(shown_codes(canvas).astype(float) - stack[2:5].mean(axis=0)).max() <= 0.5
    qtbot.keyClick(pair, KEY.Key_Down, CONTROL)
    settled(qtbot, pair)
    assert np.abs(shown_codes(canvas).astype(float) - stack[3:6].mean(axis=0)).max() <= 0.5
    for _ in range(5):
        qtbot.keyClick(pair, KEY.Key_Left, CONTROL)
    settled(qtbot, pair)
    assert cine._thickness.value() == 1
    assert np.array_equal(shown_codes(canvas), stack[4])


def test_that_a_film_goes_on_and_around_and_stops(qtbot, pair: MainWindow) -> None:
    cine, seen = pair.viewer.cine, []
    pair.desk.room.frame_changed.connect(lambda _: seen.append(tomo(pair).data.frame))
    qtbot.keyClick(pair, KEY.Key_Y)
    assert cine.playing
    qtbot.waitUntil(lambda: len(seen) >= 9, timeout=20_000)
    qtbot.keyClick(pair, KEY.Key_Y)
    assert not cine.playing
    settled(qtbot, pair)
    last, count = tomo(pair).data.frame, len(seen)
    assert seen[:4] == [4, 5, 6, 0]
    assert all((b - a) % FRAMES in (0, 1) for a, b in pairwise(seen))
    with qtbot.assertNotEmitted(pair.desk.room.frame_changed, wait=250):
        pass
    assert (tomo(pair).data.frame, len(seen)) == (last, count)


def large(qtbot, window: MainWindow, folder: Path) -> Canvas:
    """A series that is larger than its tile, so that a film shows it coarser."""
    write_view(folder / "flat.dcm", "R", "CC", **STUDY)
    write_tomo(folder / "tomo.dcm", planes(2400, 1800), ImagerPixelSpacing=[0.02, 0.02])
    open_folder(qtbot, window, folder)
    go_to_tomosynthesis(qtbot, window)
    return tomo(window)


@pytest.mark.parametrize("ended_by", ["the key", "another image", "another step"])
def test_that_after_a_film_the_frame_is_whole_again(qtbot, window: MainWindow, tmp_path: Path, ended_by: str) -> None:
    canvas = large(qtbot, window, tmp_path / "s")
    seen: list[float] = []
    window.desk.room.frame_changed.connect(lambda _: canvas.data and seen.append(canvas.data.levels[0].downsample))
    qtbot.keyClick(window, KEY.Key_Y)
    qtbot.waitUntil(lambda: len(seen) >= 2, timeout=30_000)
    assert max(seen) > 1
    if ended_by == "the key":
        qtbot.keyClick(window, KEY.Key_Y)
    elif ended_by == "another image":
        click(canvas_of(window, "R CC"))
    else:
        qtbot.keyClick(window, KEY.Key_S, Qt.KeyboardModifier.ShiftModifier)
        settled(qtbot, window)
        qtbot.keyClick(window, KEY.Key_S)
    settled(qtbot, window)
    assert not window.viewer.cine.playing
    shown = tomo(window).data
    assert shown.levels[0].downsample == 1
    assert np.array_equal(shown.levels[0].pixels + shown.scale.low, planes(2400, 1800)[shown.frame])


def test_that_the_wheel_goes_through_the_frames_under_the_mouse(qtbot, pair: MainWindow) -> None:
    click(canvas_of(pair, "R CC"))
    settled(qtbot, pair)
    step = pair.desk.state.step_index
    wheel(tomo(pair), -1, control=True)
    settled(qtbot, pair)
    assert pair.desk.state.step_index == step
    assert tomo(pair).data.frame == 4


def test_that_frames_stay_where_they_were_while_another_image_is_active(qtbot, pair: MainWindow) -> None:
    pair.viewer.cine._slider.setValue(5)
    settled(qtbot, pair)
    click(canvas_of(pair, "R CC"))
    settled(qtbot, pair)
    assert tomo(pair).data.frame == 5
    assert np.array_equal(shown_codes(canvas_of(pair, "R CC")), drawn("R", "CC"))
    qtbot.keyClick(pair, KEY.Key_Down, CONTROL)
    settled(qtbot, pair)
    assert np.array_equal(shown_codes(canvas_of(pair, "R CC")), drawn("R", "CC"))
    click(tomo(pair))
    settled(qtbot, pair)
    assert pair.viewer.cine._slider.value() == 5


def test_that_the_bar_tells_how_the_frames_of_the_active_image_are_combined(qtbot, pair: MainWindow) -> None:
    cine, stack = pair.viewer.cine, planes()
    cine._thickness.setValue(3)
    cine._mode.setCurrentText("average")
    settled(qtbot, pair)
    click(canvas_of(pair, "R CC"))
    settled(qtbot, pair)
    assert not cine.isEnabled()
    click(tomo(pair))
    settled(qtbot, pair)
    assert np.abs(shown_codes(tomo(pair)).astype(float) - stack[2:5].mean(axis=0)).max() <= 0.5
    assert (cine._thickness.value(), cine._mode.currentText()) == (3, "average")
    pair.desk.open_case(pair.desk.case_id)
    settled(qtbot, pair)
    go_to_tomosynthesis(qtbot, pair)
    assert np.array_equal(shown_codes(tomo(pair)), stack[3])
    assert cine._thickness.value() == 1


def test_that_marks_belong_to_their_frame(qtbot, pair: MainWindow) -> None:
    canvas, cine = tomo(pair), pair.viewer.cine
    cine._slider.setValue(2)
    settled(qtbot, pair)
    qtbot.keyClick(pair, KEY.Key_D)
    drag(canvas, middle(canvas), middle(canvas) + (canvas.to_screen(40, 40) - canvas.to_screen(10, 10)))
    qtbot.keyClick(pair, KEY.Key_Z)
    settled(qtbot, pair)
    (one,) = canvas.drawing._marks
    assert one.mark.frame == 2
    cine._slider.setValue(3)
    settled(qtbot, pair)
    assert canvas.drawing._marks == ()
    pair.desk.open_case(pair.desk.case_id)
    settled(qtbot, pair)
    go_to_tomosynthesis(qtbot, pair)
    assert tomo(pair).drawing._marks == ()
    cine._slider.setValue(2)
    settled(qtbot, pair)
    assert [drawn_.mark for drawn_ in tomo(pair).drawing._marks] == [one.mark]
    assert "mm" in tomo(pair).drawing._marks[0].lines[0]


def test_that_a_region_is_measured_on_the_frame_that_is_shown(qtbot, pair: MainWindow) -> None:
    canvas, kept = tomo(pair), as_kept(planes(), TURNED)
    pair.viewer.cine._slider.setValue(1)
    settled(qtbot, pair)
    qtbot.keyClick(pair, KEY.Key_E, Qt.KeyboardModifier.ShiftModifier)
    info = canvas.data.info
    corners = [info.turn.to_stored(x, y, info.size) for x, y in ((60, 30), (100, 60))]  # about this frame's bar
    drag(canvas, *(canvas.to_screen(*corner) for corner in corners))
    settled(qtbot, pair)
    (one,) = canvas.drawing._marks
    (x0, y0), (x1, y1) = one.mark.points
    y, x = np.mgrid[0 : kept.shape[1], 0 : kept.shape[2]] + 0.5
    inside = ((2 * x - x0 - x1) / (x1 - x0)) ** 2 + ((2 * y - y0 - y1) / (y1 - y0)) ** 2 <= 1
    values = kept[1][inside]
    assert one.lines[0].startswith(f"mean {values.mean():.0f} ")
    assert values.mean() != pytest.approx(kept[3][inside].mean(), abs=1)


def test_that_the_readout_is_of_the_frame_that_is_shown(qtbot, pair: MainWindow) -> None:
    canvas, kept = tomo(pair), as_kept(planes(), TURNED)
    ((y, x), *_) = np.argwhere(kept[5] == 3000)
    assert kept[3][y, x] != 3000
    pair.viewer.cine._slider.setValue(5)
    settled(qtbot, pair)
    move(canvas, canvas.to_screen(x + 0.5, y + 0.5))
    assert f"x {x}  y {y} px" in pair.viewer._readout.text()
    assert "value 3000" in pair.viewer._readout.text()


def test_that_the_frames_between_two_outlines_are_outlined_in_one_step(qtbot, pair: MainWindow) -> None:
    pair.viewer.cine._slider.setValue(0)
    settled(qtbot, pair)
    canvas, image_id, marks = tomo(pair), pair.desk.state.active, store_of(pair).marks
    first = Mark("rectangle", ((20.0, 20.0), (40.0, 40.0)), frame=0, label="mass")
    last = Mark("ellipse", ((40.0, 60.0), (80.0, 100.0)), frame=4, label="mass")
    for mark in (first, last, Mark("rectangle", ((1.0, 1.0), (9.0, 9.0)), frame=1)):
        marks.add(image_id, mark, "Dr Test")
    pair.desk.marks.open(pair.desk.case_id)
    settled(qtbot, pair)
    pair.actions_by_id["fill_between"].trigger()
    assert "Choose the outline on one of the two frames first" in pair.banner.text
    canvas.drawing.choose([first.id])
    qtbot.keyClick(pair, KEY.Key_I, SHIFT)
    settled(qtbot, pair)
    made = [one.mark for one in marks.of_case(pair.desk.case_id)[image_id]][3:]
    assert [(mark.frame, mark.label) for mark in made] == [(1, "mass"), (2, "mass"), (3, "mass")]
    assert {mark.properties["interpolated"] for mark in made} == {"between frames 1 and 5"}
    assert all(400 < mark.area_px < 400 * math.pi for mark in made)
    pair.desk.marks.undo()
    settled(qtbot, pair)
    assert len(marks.of_case(pair.desk.case_id)[image_id]) == 3
