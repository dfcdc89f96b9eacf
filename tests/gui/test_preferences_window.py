"""What the preferences do in a window: the mouse, the keys, the layout, and what a second window takes over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeySequence

from pathview.gui.dialogs.preferences_dialog import PreferencesDialog
from pathview.gui.main_window import MainWindow
from pathview.gui.preferences import LayoutChoice, MouseMap
from pathview.gui.viewer.canvas import Canvas
from tests.gui.studies import (
    LEFT,
    MIDDLE,
    RIGHT,
    canvas_of,
    drag,
    hung_titles,
    middle,
    move,
    open_folder,
    press,
    release,
    settled,
    wheel,
    with_protocols,
    write_four,
)

KEY = Qt.Key


@pytest.fixture
def make_reader(make_window, tiny_models):
    with_protocols(tiny_models)
    return make_window


@pytest.fixture
def window(qtbot, make_reader, tmp_path: Path) -> MainWindow:
    window = make_reader()
    open_folder(qtbot, window, write_four(tmp_path / "study", WindowCenter=2000, WindowWidth=4000))
    return window


def done_by(canvas: Canvas, button: Qt.MouseButton) -> str:
    """What a drag with a button does, by what changed."""
    view, voi = canvas.current_view(), canvas.tone.voi
    start = middle(canvas)
    drag(canvas, start, start + QPointF(24, -16), button=button)
    now = canvas.current_view()
    if canvas.tone.voi != voi:
        return "window"
    if now.scale != pytest.approx(view.scale):
        return "zoom"
    return "pan" if (now.x, now.y) != pytest.approx((view.x, view.y)) else "none"


def test_that_each_button_does_what_the_preferences_say(qtbot, window: MainWindow) -> None:
    canvas = canvas_of(window, "R CC")
    assert [done_by(canvas, button) for button in (LEFT, MIDDLE, RIGHT)] == ["pan", "zoom", "window"]
    window.preferences.mouse = MouseMap(left="window", middle="none", right="pan", wheel="none")
    assert [done_by(canvas, button) for button in (LEFT, MIDDLE, RIGHT)] == ["window", "none", "pan"]
    view = canvas.current_view()
    wheel(canvas, 2)
    assert canvas.current_view() == view
    window.preferences.mouse = MouseMap(left="zoom", middle="pan", right="window", wheel="scroll", ctrl_wheel="zoom")
    assert [done_by(canvas, button) for button in (LEFT, MIDDLE)] == ["zoom", "pan"]
    scale = canvas.current_view().scale
    wheel(canvas, 1, control=True)
    assert canvas.current_view().scale == pytest.approx(1.25 * scale, rel=1e-3)
    wheel(canvas, -1)
    settled(qtbot, window)
    assert window.desk.state.step_index == 1
    assert hung_titles(window) == [["R CC", "L CC"]]


def test_that_the_mouse_is_the_same_on_every_tile_and_on_later_ones(qtbot, make_reader, tmp_path: Path) -> None:
    window = make_reader()
    window.preferences.mouse = MouseMap(left="window", right="pan")
    open_folder(qtbot, window, write_four(tmp_path / "study", WindowCenter=2000, WindowWidth=4000))
    for title in ("R CC", "L CC", "R MLO", "L MLO"):
        assert done_by(canvas_of(window, title), LEFT) == "window"


def test_that_a_zooming_drag_keeps_what_it_began_on(window: MainWindow) -> None:
    canvas = canvas_of(window, "L CC")
    start = QPointF(70, 90)
    at, scale = canvas.stored_at(start), canvas.current_view().scale
    drag(canvas, start, start + QPointF(0, -50), button=MIDDLE)
    assert canvas.current_view().scale > 1.2 * scale
    assert canvas.stored_at(start) == pytest.approx(at, abs=0.5)


def test_that_a_held_button_magnifies_and_lets_go(window: MainWindow) -> None:
    window.preferences.mouse = MouseMap(middle="magnify")
    canvas = canvas_of(window, "R MLO")
    before = canvas.grab().toImage()
    press(canvas, middle(canvas), MIDDLE)
    assert canvas.grab().toImage() != before
    press_view = canvas.current_view()
    move(canvas, middle(canvas) + QPointF(10, 10))
    release(canvas, middle(canvas) + QPointF(10, 10), MIDDLE)
    assert canvas.current_view() == press_view
    assert not canvas.lens.shown


def test_that_the_wheel_can_be_turned_round(window: MainWindow) -> None:
    canvas = canvas_of(window, "R CC")
    scale = canvas.current_view().scale
    window.preferences.layout = replace(window.preferences.layout, wheel_reversed=True)
    wheel(canvas, 1)
    assert canvas.current_view().scale == pytest.approx(scale / 1.25, rel=1e-3)


def test_that_keys_changed_while_it_runs_work_at_once(qtbot, window: MainWindow) -> None:
    dialog = PreferencesDialog(window.preferences)
    qtbot.addWidget(dialog)
    assert dialog.keys.set_key("single", "Ctrl+J") == ""
    assert dialog.keys.set_key("next_step", "T") == ""  # that "single" had
    dialog.accept()
    qtbot.keyClick(window, KEY.Key_T)
    settled(qtbot, window)
    assert window.desk.state.step_index == 1
    assert not window.viewer.box.single
    qtbot.keyClick(window, KEY.Key_S)
    settled(qtbot, window)
    assert window.desk.state.step_index == 1
    qtbot.keyClick(window, KEY.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert window.viewer.box.single
    assert "(T)" in window.actions_by_id["next_step"].toolTip()
    window.preferences.keys = {}
    qtbot.keyClick(window, KEY.Key_S)
    settled(qtbot, window)
    assert window.desk.state.step_index == 2


def test_that_a_key_that_was_taken_away_does_nothing(qtbot, window: MainWindow) -> None:
    window.preferences.keys = {"decide_positive": ()}
    qtbot.keyClick(window, KEY.Key_P)
    settled(qtbot, window)
    assert window.desk.state.detail.decisions == ()


def test_that_same_size_or_fitted_is_taken_at_once(qtbot, window: MainWindow) -> None:
    assert window.viewer.box.mode == "same"
    window.preferences.layout = LayoutChoice(same_size=False)
    assert window.viewer.box.mode == "fit"
    window.preferences.layout = LayoutChoice(same_size=True)
    assert window.viewer.box.mode == "same"


def test_that_a_second_window_takes_over_what_was_left(qtbot, make_reader, tmp_path: Path) -> None:
    first = make_reader()
    open_folder(qtbot, first, write_four(tmp_path / "study"))
    first.resize(1234, 720)  # this screen has 800 lines, and Qt keeps windows on it
    first._frame.columns.setSizes([300, 900, 0])  # the right panel is folded away
    first._frame.left.setSizes([260, 340])
    qtbot.keyClick(first, KEY.Key_L, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(first, KEY.Key_X)
    settled(qtbot, first)
    sizes = first._frame.left.sizes()
    assert first._frame.columns.sizes()[2] == 0
    first.close()
    second = at_its_own_size(make_reader)
    assert second.height() == 720
    settled(qtbot, second)
    assert second._frame.columns.sizes()[2] == 0
    assert second._frame.left.sizes() == pytest.approx(sizes, abs=3)
    assert sizes[0] < sizes[1]  # which it would not be by itself
    assert not second.viewer.box.linked
    assert not second.actions_by_id["linked"].isChecked()
    assert not second.viewer.corner_texts
    assert not second.actions_by_id["corner_texts"].isChecked()
    corners = [tile.canvas.corners for tile in second.viewer.box.tiles]
    words = [line for one in corners for line in (*one.top, *one.bottom)]
    assert words
    assert not any("anary" in line for line in words)


def at_its_own_size(make_reader) -> MainWindow:
    """A window as it opens; the fixture would give it a size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MainWindow, "resize", lambda *_: None)
        return make_reader()


def test_that_broken_settings_open_a_window_as_new(qtbot, make_reader, tmp_path: Path) -> None:
    (tmp_path / "window.ini").write_text(
        "[General]\ngeometry=wide\nsplitter=7\nleft=@ByteArray(xx)\nkeys={\n"
        "[mouse]\nleft=dance\n[layout]\nlinked=perhaps\nstart_protocol=gone\n"
    )
    window = make_reader()
    open_folder(qtbot, window, write_four(tmp_path / "study"))
    assert hung_titles(window) == [["R CC", "L CC"], ["R MLO", "L MLO"]]
    assert window.viewer.box.linked
    assert done_by(canvas_of(window, "R CC"), LEFT) == "pan"
    shortcuts = window.actions_by_id["next_step"].shortcuts()
    assert shortcuts == [QKeySequence("S")]
