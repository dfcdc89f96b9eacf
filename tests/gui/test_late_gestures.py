"""Gestures on shapes of very many corners: worked out beside the window, in order, and never lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import shapely
from PySide6.QtCore import QPointF, Qt

from pathview.gui.deeds import Pairs
from pathview.gui.late_gestures import Gesture, LateGestures
from pathview.gui.main_window import MainWindow
from pathview.gui.viewer.canvas import Canvas
from pathview.jobs import checkpoint
from pathview.results import annotation_edit
from pathview.results.annotation import Mark
from pathview.results.annotation_shapes import with_shape
from pathview.review.sql.database import Database
from pathview.review.store import Store
from tests.gui.reading import store_of
from tests.gui.studies import click, drag, open_folder, settled, write_view

KEY = Qt.Key
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


class Gate:
    """Holds up what brush and smooth work out until it is opened, and says in which threads they did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.threads: list[str] = []
        for name in ("painted", "smoothed", "split"):
            monkeypatch.setattr(annotation_edit, name, self._held(getattr(annotation_edit, name)))

    def _held(self, work):
        def held(*args):
            self.threads.append(threading.current_thread().name)
            assert self.opened.wait(60)
            return work(*args)

        return held


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch):
    gate = Gate(monkeypatch)
    yield gate
    gate.opened.set()


def rough(corners: int = 3000) -> Mark:
    """A region with very many corners around (60, 70)."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = 30 + 4 * (np.arange(corners) % 2)
    outline = shapely.Polygon(np.c_[60 + radius * np.cos(turn), 70 + radius * np.sin(turn)])
    return with_shape(Mark("region", ()), outline)


@pytest.fixture
def window(qtbot, make_window, tmp_path: Path) -> MainWindow:
    """One view with a region of very many corners on it, which is chosen; the brush in hand."""
    window = make_window()
    open_folder(qtbot, window, write_view(tmp_path / "view.dcm", "L", "CC"))
    mark = rough()
    store_of(window).marks.add(window.desk.state.active, mark, "Dr Test")
    reopen(qtbot, window)
    canvas(window).drawing.choose([mark.id])
    settled(qtbot, window)
    qtbot.keyClick(window, KEY.Key_B, SHIFT)
    return window


def reopen(qtbot, window: MainWindow) -> None:
    window.desk.open_case(window.desk.case_id)
    settled(qtbot, window)


def canvas(window: MainWindow) -> Canvas:
    return window.viewer.canvas


def at(window: MainWindow, x: float, y: float) -> QPointF:
    return QPointF(canvas(window).to_screen(x, y).toPoint())


def stroke(window: MainWindow, *places: tuple[float, float]) -> None:
    drag(canvas(window), *(at(window, *place) for place in places))


def kept(window: MainWindow) -> dict[str, Mark]:
    found = store_of(window).marks.of_case(window.desk.case_id)
    return {one.mark.id: one.mark for one in found.get(window.desk.state.active, ())}


def shown(window: MainWindow) -> dict[str, Mark]:
    return {one.mark.id: one.mark for one in canvas(window).drawing._marks}


def undo(qtbot, window: MainWindow) -> None:
    window.desk.marks.undo()
    settled(qtbot, window)


def test_that_a_stroke_on_a_huge_region_is_seen_at_once_and_worked_out_beside_the_window(
    qtbot, window: MainWindow, gate: Gate
) -> None:
    (before,) = kept(window).values()
    stroke(window, (60, 70), (105, 70))
    qtbot.waitUntil(lambda: bool(gate.threads))
    assert gate.threads == ["pathview-drawing"]
    (waiting,) = canvas(window).drawing._waiting
    assert waiting.tool == "brush"
    assert waiting.radius == window.viewer.box.drawings.radius
    assert canvas(window).drawing._marks[0].lines == ("brush ...",)
    assert kept(window) == shown(window) == {before.id: before}
    gate.opened.set()
    settled(qtbot, window)
    (after,) = kept(window).values()
    assert after.id == before.id
    assert after.area_px > before.area_px
    assert shown(window) == kept(window)
    assert canvas(window).drawing._waiting == ()
    assert any("detector" in line for line in canvas(window).drawing._marks[0].lines)
    undo(qtbot, window)
    assert kept(window) == shown(window) == {before.id: before}
    assert window.desk.marks.history.undo_name is None


def test_that_what_is_seen_meanwhile_is_painted_where_it_was_drawn(qtbot, window: MainWindow, gate: Gate) -> None:
    qtbot.keyClick(window, KEY.Key_Z)
    place = at(window, 105, 20).toPoint()
    empty = canvas(window).viewport().grab().toImage().pixelColor(place)
    qtbot.keyClick(window, KEY.Key_B, SHIFT)
    stroke(window, (60, 70), (105, 20))
    qtbot.keyClick(window, KEY.Key_Z)
    painted = canvas(window).viewport().grab().toImage().pixelColor(place)
    assert painted.lightness() > empty.lightness() + 20
    gate.opened.set()  # before the window is closed, which waits for what is worked out


def test_that_gestures_keep_their_order_however_long_one_takes(qtbot, window: MainWindow, gate: Gate) -> None:
    (before,) = kept(window).values()
    stroke(window, (60, 70), (105, 70))
    stroke(window, (60, 70), (60, 125))
    qtbot.keyClick(window, KEY.Key_O, SHIFT)
    click(canvas(window), at(window, 20, 20))
    assert kept(window) == {before.id: before}
    gate.opened.set()
    settled(qtbot, window)
    both = kept(window)
    assert [mark.kind for mark in both.values()] == ["region", "point"]
    box = shapely.MultiPolygon([(part[0], part[1:]) for part in both[before.id].rings]).bounds
    assert box[2] > 100
    assert box[3] > 120
    names = []
    while window.desk.marks.history.undo_name:
        names.append(window.desk.marks.history.undo_name)
        undo(qtbot, window)
    assert names == ["point", "brush", "brush"]
    assert kept(window) == {before.id: before}


def test_that_an_undo_waits_for_what_was_drawn_before_it(qtbot, window: MainWindow, gate: Gate) -> None:
    (before,) = kept(window).values()
    stroke(window, (60, 70), (105, 70))
    stroke(window, (60, 70), (60, 125))
    window.desk.marks.undo()
    window.desk.marks.undo()
    gate.opened.set()
    settled(qtbot, window)
    assert kept(window) == shown(window) == {before.id: before}
    assert window.desk.marks.history.redo_name == "brush"


def test_that_strokes_after_a_new_region_go_on_with_it_before_it_is_there(
    qtbot, window: MainWindow, gate: Gate, monkeypatch
) -> None:
    monkeypatch.setattr("pathview.gui.deeds._LATE", 0)
    canvas(window).drawing.choose([])
    stroke(window, (10, 10), (20, 10))
    stroke(window, (20, 10), (20, 20))
    gate.opened.set()
    settled(qtbot, window)
    assert len(kept(window)) == 2
    assert window.annotating.chosen[0].area_px == min(mark.area_px for mark in kept(window).values())


def test_that_nothing_is_lost_when_the_window_is_closed_meanwhile(
    qtbot, window: MainWindow, gate: Gate, monkeypatch, tmp_path: Path
) -> None:
    (before,) = kept(window).values()
    case_id = window.desk.case_id
    finish = LateGestures.close

    def close(late: LateGestures) -> None:
        gate.opened.set()
        finish(late)

    monkeypatch.setattr(LateGestures, "close", close)
    stroke(window, (60, 70), (105, 70))
    stroke(window, (60, 70), (60, 125))
    assert kept(window) == {before.id: before}
    window.close()
    store = Store(Database(tmp_path / "cases.sqlite"))
    ((after,),) = store.marks.of_case(case_id).values()
    store.close()
    box = shapely.MultiPolygon([(part[0], part[1:]) for part in after.mark.rings]).bounds
    assert box[2] > 100
    assert box[3] > 120


def test_that_nothing_is_lost_when_the_case_is_read_anew_meanwhile(qtbot, window: MainWindow, gate: Gate) -> None:
    (before,) = kept(window).values()
    stroke(window, (60, 70), (105, 70))
    window.desk.marks.open(window.desk.case_id)
    qtbot.waitUntil(lambda: not window.desk.busy)
    gate.opened.set()
    settled(qtbot, window)
    (after,) = kept(window).values()
    assert after.area_px > before.area_px
    assert shown(window) == kept(window)
    undo(qtbot, window)
    assert kept(window) == {before.id: before}


def test_that_what_cannot_be_done_is_said_and_leaves_no_step(qtbot, window: MainWindow, gate: Gate) -> None:
    gate.opened.set()
    (before,) = kept(window).values()
    qtbot.keyClick(window, KEY.Key_C, SHIFT)
    stroke(window, (10, 10), (20, 10))
    settled(qtbot, window)
    assert "does not cut the region" in window.banner.text
    assert kept(window) == shown(window) == {before.id: before}
    assert window.desk.marks.history.undo_name is None
    assert any("detector" in line for line in canvas(window).drawing._marks[0].lines)


def test_that_a_region_that_was_painted_on_meanwhile_is_still_moved(qtbot, window: MainWindow, gate: Gate) -> None:
    (before,) = kept(window).values()
    stroke(window, (60, 70), (105, 70))
    shift = [(x + 3.0, y - 2.0) for x, y in before.rings[0][0]]
    window.annotating._on_moved(Mark("region", (), before.id, rings=((tuple(shift),),)))
    gate.opened.set()
    settled(qtbot, window)
    (after,) = kept(window).values()
    painted = annotation_edit.merged([before, Mark("region", (), rings=after.rings)])
    assert painted.area_px > after.area_px
    assert min(y for _, y in after.corners) == pytest.approx(min(y for _, y in before.corners) - 2)
    assert max(x for x, _ in after.corners) > max(x for x, _ in before.corners) + 3.5


def test_that_smoothing_is_never_done_in_the_windows_thread(qtbot, window: MainWindow, gate: Gate) -> None:
    gate.opened.set()
    (before,) = kept(window).values()
    window.annotating.smooth()
    settled(qtbot, window)
    (after,) = kept(window).values()
    assert gate.threads == ["pathview-drawing"]
    assert len(list(after.corners)) < len(list(before.corners))
    assert window.desk.marks.history.undo_name == "smooth"


def test_that_what_can_be_asked_for_again_is_stopped_and_what_was_drawn_is_not(qtbot, qapp) -> None:
    late, stop, seen = LateGestures(qapp), threading.Event(), []

    def endless(_: Sequence[Mark]) -> Pairs:
        stop.wait()
        checkpoint(stop)
        return ()

    mark = Mark("rectangle", ((0, 0), (9, 9)))
    late.add(Gesture(1, "smooth", (mark,), endless, cancel=stop), seen.append, seen.append)
    assert late.words == {mark.id: ("smooth ...  (Esc stops it)",)}
    late.add(Gesture(1, "brush", (mark,), lambda marks: tuple((one, one) for one in marks)), seen.append, seen.append)
    assert late.cancel()
    assert not late.cancel()
    qtbot.waitUntil(lambda: not late, timeout=10_000)
    assert seen == [((mark, mark),)]
    late.close()
