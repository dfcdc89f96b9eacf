"""The light box: what hangs where, turned how, at which size, and what is done to all of it together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QImage

from pathview.geometry import Turn
from pathview.gui.dialogs.calibration import screen_key
from pathview.gui.main_window import MainWindow
from pathview.gui.viewer.canvas import Canvas
from pathview.gui.viewer.picture import Overlay, Tone, View
from pathview.images.intensity import Window
from tests.gui.studies import (
    FOUR,
    RIGHT,
    SPACING,
    TURNS,
    as_kept,
    canvas_of,
    click,
    double_click,
    drag,
    drawn,
    hung_titles,
    middle,
    move,
    open_folder,
    orientation,
    settled,
    stored_pixels,
    tile_of,
    wheel,
    with_protocols,
    write_four,
    write_view,
)

KEY = Qt.Key
TITLES = ["R CC", "L CC", "R MLO", "L MLO"]
WINDOWS = {
    "WindowCenter": [2000, 1000],
    "WindowWidth": [4000, 1500],
    "WindowCenterWidthExplanation": ["NORMAL", "SOFT"],
}


@pytest.fixture
def window(make_window, tiny_models) -> MainWindow:
    with_protocols(tiny_models)
    return make_window()


@pytest.fixture
def four(qtbot, window: MainWindow, tmp_path: Path) -> MainWindow:
    """A window on a four-view study."""
    open_folder(qtbot, window, write_four(tmp_path / "study", **WINDOWS))
    return window


def picture_of(canvas: Canvas) -> QImage:
    return canvas.grab().toImage()


def at_depth(canvas: Canvas, depth_mm: float, height_mm: float) -> QPointF:
    """Where the place so far from the chest wall, and so far below the middle, stands on the widget."""
    data = canvas.data
    spacing, size = data.spacing, data.size
    x, y = depth_mm / spacing.column, size.height / 2 + height_mm / spacing.row
    x = size.width - x if data.info.chest_wall == "right" else x
    return canvas.to_screen(*data.info.turn.to_stored(x, y, data.info.size))


def stands(canvas: Canvas, depth_mm: float, height_mm: float) -> tuple[float, float]:
    """The same, from the middle of the tile, towards the air and down."""
    at = at_depth(canvas, depth_mm, height_mm) - QPointF(canvas.viewport().width(), canvas.viewport().height()) / 2
    return (-at.x() if canvas.data.info.chest_wall == "right" else at.x(), at.y())


def px_a_mm(canvas: Canvas) -> float:
    """Screen pixels a millimetre."""
    return (stands(canvas, 10, 0)[0] - stands(canvas, 0, 0)[0]) / 10


def looks_at(canvas: Canvas) -> tuple[float, float]:
    """The stored point in the middle of the tile."""
    return canvas.stored_at(QPointF(canvas.viewport().width(), canvas.viewport().height()) / 2)


# what hangs where


def test_that_four_views_hang_back_to_back_cc_over_mlo(four: MainWindow) -> None:
    assert hung_titles(four) == [["R CC", "L CC"], ["R MLO", "L MLO"]]
    for title in TITLES:
        canvas = canvas_of(four, title)
        edge = canvas.viewport().width() if title[0] == "R" else 0
        assert at_depth(canvas, 0, 0).x() == pytest.approx(edge, abs=1), title
        assert stands(canvas, 0, 0)[1] == pytest.approx(0, abs=1), title
    sizes = {(tile.width(), tile.height()) for tile in four.viewer.box.tiles}
    assert max(w for w, _ in sizes) - min(w for w, _ in sizes) <= 2
    assert max(h for _, h in sizes) - min(h for _, h in sizes) <= 2


def test_that_a_study_looks_the_same_however_it_is_stored(qtbot, window: MainWindow, tmp_path: Path) -> None:
    folders = [write_four(tmp_path / f"stored {number}", turn) for number, turn in enumerate(TURNS)]
    open_folder(qtbot, window, *folders)
    found: dict[Turn, dict[str, QImage]] = {}
    for row, turn in enumerate(TURNS):
        window.worklist.choose(window.worklist.model.index(row).data(Qt.ItemDataRole.UserRole).id)
        settled(qtbot, window)
        assert {window.desk.state.view_of(i.id).picture.info.turn for i in window.desk.state.hung} == {turn}
        found[turn] = {title: picture_of(canvas_of(window, title)) for title in TITLES}
        for side, view in FOUR:
            canvas, shown = canvas_of(window, f"{side} {view}"), drawn(side, view)
            whole = View(0, 0, 1.0, shown.shape[1], shown.shape[0])
            gray = canvas.data.scale.table(None, False)[shown - canvas.data.scale.low]
            assert np.array_equal(canvas.compositor.compose(whole, Tone(), Overlay())[..., 0], gray)
    stored = found[TURNS[0]]
    assert TURNS[0] == Turn()
    for title in TITLES:
        assert stored[title] != stored["L MLO" if title != "L MLO" else "R CC"]
        assert all(pictures[title] == stored[title] for pictures in found.values()), title


def test_that_images_of_other_spacing_and_size_hang_at_one_size(qtbot, window: MainWindow, tmp_path: Path) -> None:
    study = {"StudyInstanceUID": "1.2.9"}
    folder = tmp_path / "mixed"
    spacings = {("R", "CC"): 0.2, ("L", "CC"): 0.1, ("R", "MLO"): 0.4, ("L", "MLO"): 0.2}
    sizes = {("R", "CC"): (150, 110), ("L", "CC"): (300, 220), ("R", "MLO"): (75, 50), ("L", "MLO"): (200, 160)}
    for side, view in FOUR:
        spacing = spacings[side, view]
        write_view(
            folder / f"{side}{view}.dcm",
            side,
            view,
            shown=drawn(side, view, *sizes[side, view]),
            ImagerPixelSpacing=[spacing, spacing],
            **study,
        )
    open_folder(qtbot, window, folder)
    canvases = [canvas_of(window, title) for title in TITLES]
    scales = [px_a_mm(canvas) for canvas in canvases]
    assert scales == pytest.approx([scales[0]] * 4, rel=0.005)
    for canvas in canvases:  # and all of each is seen
        height = canvas.data.size.height * canvas.data.spacing.row
        assert abs(stands(canvas, 0, height / 2)[1]) <= canvas.viewport().height() / 2 + 1
        assert stands(canvas, 0, 0)[0] == pytest.approx(-canvas.viewport().width() / 2, abs=1)
    qtbot.keyClick(window, KEY.Key_F)
    settled(qtbot, window)
    fitted = [px_a_mm(canvas) for canvas in canvases]
    assert max(fitted) > 1.3 * min(fitted)
    assert min(fitted) == pytest.approx(scales[0], rel=0.005)
    for canvas in canvases:
        share = canvas.data.size.height * canvas.data.spacing.row * px_a_mm(canvas) / canvas.viewport().height()
        across = canvas.data.size.width * canvas.data.spacing.column * px_a_mm(canvas) / canvas.viewport().width()
        assert max(share, across) == pytest.approx(0.97, abs=0.01)
        assert stands(canvas, 0, 0)[0] == pytest.approx(-canvas.viewport().width() / 2, abs=1)
    qtbot.keyClick(window, KEY.Key_E)
    settled(qtbot, window)
    assert [px_a_mm(canvas) for canvas in canvases] == pytest.approx(scales, rel=0.005)


@pytest.mark.parametrize("gone", FOUR)
def test_that_a_missing_view_leaves_its_place_empty_and_named(
    qtbot, window: MainWindow, tmp_path: Path, gone: tuple[str, str]
) -> None:
    open_folder(qtbot, window, write_four(tmp_path / "part", views=[view for view in FOUR if view != gone]))
    wanted: list[list[str | None]] = [["R CC", "L CC"], ["R MLO", "L MLO"]]
    name = " ".join(gone)
    assert hung_titles(window) == [[None if title == name else title for title in row] for row in wanted]
    (empty,) = [tile for tile in window.viewer.box.tiles if tile.image_id is None]
    assert empty.canvas.message == f"{name}: no image"
    assert empty.canvas.data is None
    blank = picture_of(empty.canvas)
    empty.canvas.message = ""
    empty.canvas.redraw()
    assert picture_of(empty.canvas) != blank  # the words are painted
    click(empty.canvas)
    double_click(empty.canvas)
    settled(qtbot, window)
    assert window.desk.state.image.title != name


def test_that_keys_step_through_the_hanging_and_around(qtbot, four: MainWindow) -> None:
    state = four.desk.state
    titles = [step.title for step in state.steps]
    assert titles[:3] == ["All four views", "CC, both sides", "MLO, both sides"]
    qtbot.keyClick(four, KEY.Key_S)
    settled(qtbot, four)
    assert hung_titles(four) == [["R CC", "L CC"]]
    assert "CC, both sides" in four.viewer.bar._words.text()
    qtbot.keyClick(four, KEY.Key_S)
    settled(qtbot, four)
    assert hung_titles(four) == [["R MLO", "L MLO"]]
    assert all(tile.canvas.data is not None for tile in four.viewer.box.tiles)
    qtbot.keyClick(four, KEY.Key_S, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(four, KEY.Key_S, Qt.KeyboardModifier.ShiftModifier)
    settled(qtbot, four)
    assert hung_titles(four) == [["R CC", "L CC"], ["R MLO", "L MLO"]]
    qtbot.keyClick(four, KEY.Key_S, Qt.KeyboardModifier.ShiftModifier)
    settled(qtbot, four)
    assert four.desk.state.step.title == titles[-1]
    four.viewer.bar._on.click()
    settled(qtbot, four)
    assert four.desk.state.step_index == 0


def test_that_a_click_makes_an_image_active_and_keys_follow(qtbot, four: MainWindow) -> None:
    assert four.desk.state.image.title == "R CC"
    click(canvas_of(four, "L MLO"))
    assert four.desk.state.image.title == "L MLO"
    active = [tile for tile in four.viewer.box.tiles if tile.property("active")]
    assert active == [tile_of(four, "L MLO")]
    assert four.viewer.canvas is canvas_of(four, "L MLO")
    qtbot.keyClick(four, KEY.Key_BracketRight)
    assert four.desk.state.image.title == "R CC"
    qtbot.keyClick(four, KEY.Key_BracketLeft)
    assert four.viewer.canvas is canvas_of(four, "L MLO")


def test_that_a_double_click_shows_one_image_and_all_again(qtbot, four: MainWindow) -> None:
    double_click(canvas_of(four, "L CC"))
    settled(qtbot, four)
    assert hung_titles(four) == [["L CC"]]
    assert four.actions_by_id["single"].isChecked()
    large = px_a_mm(four.viewer.canvas)
    assert stands(four.viewer.canvas, 0, 0)[0] == pytest.approx(-four.viewer.canvas.viewport().width() / 2, abs=1)
    qtbot.keyClick(four, KEY.Key_BracketRight)  # the next image of the case, still alone
    settled(qtbot, four)
    assert hung_titles(four) == [["R MLO"]]
    double_click(canvas_of(four, "R MLO"))
    settled(qtbot, four)
    assert hung_titles(four) == [["R CC", "L CC"], ["R MLO", "L MLO"]]
    assert not four.actions_by_id["single"].isChecked()
    assert large > 1.5 * px_a_mm(canvas_of(four, "L CC"))
    qtbot.keyClick(four, KEY.Key_T)
    settled(qtbot, four)
    assert hung_titles(four) == [["R MLO"]]


# moved together


def mixed_pair(qtbot, window: MainWindow, folder: Path) -> tuple[Canvas, Canvas]:
    """A right CC and a left one of half its pixel size, stored the other way round."""
    study = {"StudyInstanceUID": "1.2.8"}
    write_view(folder / "r.dcm", "R", "CC", **study)
    fine = {"ImagerPixelSpacing": [SPACING / 2, SPACING / 2], **study}
    write_view(folder / "l.dcm", "L", "CC", Turn(True, True, False), drawn("L", "CC", 280, 240), **fine)
    open_folder(qtbot, window, folder)
    qtbot.keyClick(window, KEY.Key_S)
    settled(qtbot, window)
    assert hung_titles(window) == [["R CC", "L CC"]]
    return canvas_of(window, "R CC"), canvas_of(window, "L CC")


@pytest.mark.parametrize("moved", ["R", "L"])
def test_that_linked_images_move_as_in_a_mirror_and_in_millimetres(
    qtbot, window: MainWindow, tmp_path: Path, moved: str
) -> None:
    right, left = mixed_pair(qtbot, window, tmp_path / "pair")
    hand, other = (right, left) if moved == "R" else (left, right)
    before = stands(hand, 12, 5)
    start = middle(hand)
    towards_air = QPointF(-30 if moved == "R" else 30, 0)
    drag(hand, start, start + towards_air + QPointF(0, 17))
    after = stands(hand, 12, 5)
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((30, 17), abs=0.6)
    assert stands(other, 12, 5) == pytest.approx(after, abs=1.2)
    scale = px_a_mm(hand)
    wheel(hand, 2, start + QPointF(25, -40))
    assert px_a_mm(hand) == pytest.approx(scale * 1.25**2, rel=0.01)
    for depth, height in ((0, 0), (12, 5), (20, -14)):
        assert stands(other, depth, height) == pytest.approx(stands(hand, depth, height), abs=1.5)
    assert right.current_view().scale == pytest.approx(2 * left.current_view().scale, rel=0.01)


def test_that_unlinked_images_stay_where_they_are(qtbot, window: MainWindow, tmp_path: Path) -> None:
    right, left = mixed_pair(qtbot, window, tmp_path / "pair")
    qtbot.keyClick(window, KEY.Key_L, Qt.KeyboardModifier.ControlModifier)
    assert not window.viewer.box.linked
    kept = left.current_view()
    drag(right, middle(right), middle(right) + QPointF(40, 10))
    wheel(right, 3)
    assert left.current_view() == kept
    assert px_a_mm(right) > 1.5 * px_a_mm(left)
    window.actions_by_id["linked"].setChecked(True)
    wheel(right, 1)
    assert stands(left, 9, 3) == pytest.approx(stands(right, 9, 3), abs=1.5)


def test_that_images_without_a_pixel_size_are_not_moved_with_those_that_have_one(
    qtbot, window: MainWindow, tmp_path: Path
) -> None:
    study = {"StudyInstanceUID": "1.2.7"}
    write_view(tmp_path / "s" / "r.dcm", "R", "CC", **study)
    write_view(tmp_path / "s" / "l.dcm", "L", "CC", ImagerPixelSpacing=None, **study)
    open_folder(qtbot, window, tmp_path / "s")
    left = canvas_of(window, "L CC")
    kept = left.current_view()
    wheel(canvas_of(window, "R CC"), 2)
    assert left.current_view() == kept


def test_that_changing_how_images_are_linked_or_named_leaves_them_where_they_are(qtbot, four: MainWindow) -> None:
    canvas = canvas_of(four, "R CC")
    wheel(canvas, 4, QPointF(60, 40))
    settled(qtbot, four)
    kept = canvas.current_view()
    qtbot.keyClick(four, KEY.Key_X)
    settled(qtbot, four)
    assert canvas.current_view() == kept
    qtbot.keyClick(four, KEY.Key_L, Qt.KeyboardModifier.ControlModifier)
    settled(qtbot, four)
    assert canvas.current_view() == kept
    qtbot.keyClick(four, KEY.Key_1)
    settled(qtbot, four)
    qtbot.keyClick(four, KEY.Key_X)
    settled(qtbot, four)
    assert four.viewer.box.mode == "one"


# grey


def test_that_the_window_is_dragged_for_all_that_are_linked(qtbot, four: MainWindow) -> None:
    canvases = [canvas_of(four, title) for title in TITLES]
    start = middle(canvases[1])
    drag(canvases[1], start, start + QPointF(40, -30), button=RIGHT)
    voi = [canvas.tone.voi for canvas in canvases]
    assert all(isinstance(one, Window) for one in voi)
    assert voi[1].width > 4000
    assert voi[1].center < 2000  # up is brighter
    assert [(v.center, v.width) for v in voi] == [pytest.approx((voi[1].center, voi[1].width), rel=0.01)] * 4
    qtbot.keyClick(four, KEY.Key_R)
    assert [canvas.tone.voi for canvas in canvases] == [None] * 4
    four.actions_by_id["linked"].setChecked(False)
    start = middle(canvases[2])
    drag(canvases[2], start, start + QPointF(40, 0), button=RIGHT)
    assert [canvas.tone.voi is None for canvas in canvases] == [True, True, False, True]


def test_that_a_windows_name_finds_each_images_own(qtbot, window: MainWindow, tmp_path: Path) -> None:
    study = {"StudyInstanceUID": "1.2.6", "WindowCenterWidthExplanation": ["NORMAL", "SOFT"]}
    for side, centers in (("R", [2000, 1000]), ("L", [2400, 1300])):
        write_view(tmp_path / "s" / f"{side}.dcm", side, "CC", WindowCenter=centers, WindowWidth=[4000, 1500], **study)
    write_view(tmp_path / "s" / "m.dcm", "R", "MLO", WindowCenter=1500, WindowWidth=3000, StudyInstanceUID="1.2.6")
    open_folder(qtbot, window, tmp_path / "s")
    qtbot.keyClick(window, KEY.Key_V)
    assert window.viewer._tone.text() == "SOFT"
    assert canvas_of(window, "R CC").tone.voi.center == 1000
    assert canvas_of(window, "L CC").tone.voi.center == 1300
    assert canvas_of(window, "R MLO").tone.voi is None  # its file has no such window
    window.viewer._fill_menu()
    chosen = [action for action in window.viewer._menu.actions() if action.isChecked()]
    assert [action.text() for action in chosen] == ["&2  SOFT"]
    window.viewer._menu.actions()[0].trigger()
    assert canvas_of(window, "L CC").tone.voi.center == 2400
    qtbot.keyClick(window, KEY.Key_V, Qt.KeyboardModifier.ShiftModifier)
    assert window.viewer._tone.text() == "Darker"


def test_that_all_that_hangs_is_inverted(qtbot, four: MainWindow) -> None:
    def brightness() -> list[int]:
        found = []
        for title in TITLES:
            canvas = canvas_of(four, title)
            image, point = picture_of(canvas), at_depth(canvas, 0.9 * 110 * SPACING, -0.3 * 150 * SPACING)
            found.append(image.pixelColor(point.toPoint()).value())
        return found

    assert max(brightness()) < 40
    qtbot.keyClick(four, KEY.Key_I)
    assert min(brightness()) > 200
    qtbot.keyClick(four, KEY.Key_I)
    assert max(brightness()) < 40


def test_that_each_unlinked_image_is_inverted_on_its_own(qtbot, four: MainWindow) -> None:
    four.actions_by_id["linked"].setChecked(False)
    qtbot.keyClick(four, KEY.Key_I)
    assert canvas_of(four, "R CC").tone.invert
    click(canvas_of(four, "L CC"))
    assert not four.actions_by_id["invert"].isChecked()
    qtbot.keyClick(four, KEY.Key_I)
    assert canvas_of(four, "L CC").tone.invert
    assert canvas_of(four, "R CC").tone.invert
    click(canvas_of(four, "R CC"))
    qtbot.keyClick(four, KEY.Key_I)
    assert not canvas_of(four, "R CC").tone.invert
    assert canvas_of(four, "L CC").tone.invert


# sizes


def test_that_a_quadrant_key_goes_through_the_breast_and_back(qtbot, four: MainWindow) -> None:
    canvas = canvas_of(four, "R CC")
    home = canvas.current_view()
    breast = canvas.data.breast.region
    seen = []
    for _ in range(4):
        qtbot.keyClick(four, KEY.Key_Q)
        settled(qtbot, four)
        assert canvas.current_view().scale > 1.5 * home.scale
        seen.append(looks_at(canvas))
        twin = canvas_of(four, "L CC")
        assert stands(twin, 8, 4) == pytest.approx(stands(canvas, 8, 4), abs=1.5)
    x, y = breast.x + breast.width / 2, breast.y + breast.height / 2
    assert [(px > x, py > y) for px, py in seen] == [(False, False), (True, False), (False, True), (True, True)]
    for place, py in seen:
        assert breast.holds(place, py)
    qtbot.keyClick(four, KEY.Key_Q)
    settled(qtbot, four)
    assert canvas.current_view() == home
    qtbot.keyClick(four, KEY.Key_Q, Qt.KeyboardModifier.ShiftModifier)
    assert looks_at(canvas) == pytest.approx(seen[3], abs=1)
    qtbot.keyClick(four, KEY.Key_Q, Qt.KeyboardModifier.ShiftModifier)
    assert looks_at(canvas) == pytest.approx(seen[2], abs=1)


def test_that_every_place_of_the_breast_lies_in_a_quadrant(qtbot, four: MainWindow) -> None:
    canvas = canvas_of(four, "L MLO")
    click(canvas)
    breast = canvas.data.breast.region
    covered = np.zeros((canvas.data.info.size.height, canvas.data.info.size.width), bool)
    for _ in range(4):
        qtbot.keyClick(four, KEY.Key_Q)
        view = canvas.current_view()
        x0, y0 = max(0, int(np.ceil(view.x))), max(0, int(np.ceil(view.y)))
        covered[y0 : int(view.y + view.height / view.scale), x0 : int(view.x + view.width / view.scale)] = True
    assert covered[breast.y : breast.bottom, breast.x : breast.right].all()


def test_that_one_to_one_is_a_screen_pixel_for_each_of_the_image(qtbot, four: MainWindow) -> None:
    qtbot.keyClick(four, KEY.Key_1)
    settled(qtbot, four)
    for title in TITLES:
        canvas = canvas_of(four, title)
        assert canvas.current_view().scale == pytest.approx(1.0, rel=1e-3)
        assert stands(canvas, 0, 0)[0] == pytest.approx(-canvas.viewport().width() / 2, abs=1)
    assert four.viewer._zoom.text().startswith("100 %")
    qtbot.keyClick(four, KEY.Key_Plus)
    assert four.viewer._zoom.text().startswith("125 %")
    qtbot.keyClick(four, KEY.Key_Minus)
    assert four.viewer._zoom.text().startswith("100 %")


def test_that_life_size_waits_for_a_calibration(qtbot, four: MainWindow) -> None:
    qtbot.keyClick(four, KEY.Key_2)
    settled(qtbot, four)
    assert "not calibrated" in four.banner.text
    assert four.viewer.box.mode == "same"
    four.preferences.set_pixels_per_mm(screen_key(four.viewer.screen()), 4.0)
    qtbot.keyClick(four, KEY.Key_2)
    settled(qtbot, four)
    for title in TITLES:
        assert px_a_mm(canvas_of(four, title)) == pytest.approx(4.0, rel=1e-3)
    assert "1.00 × life size" in four.viewer._zoom.text()


def test_that_life_size_of_an_image_without_spacing_is_refused(qtbot, window: MainWindow, tmp_path: Path) -> None:
    window.preferences.set_pixels_per_mm(screen_key(window.viewer.screen()), 4.0)
    open_folder(qtbot, window, write_view(tmp_path / "a.dcm", "R", "CC", ImagerPixelSpacing=None))
    window.banner.hide()
    qtbot.keyClick(window, KEY.Key_2)
    assert "no pixel spacing" in window.banner.text


def test_that_resizing_keeps_what_the_reader_looked_at(qtbot, four: MainWindow) -> None:
    canvas = canvas_of(four, "R MLO")
    other = canvas_of(four, "L CC")
    wheel(canvas, 5, QPointF(90, 60))
    settled(qtbot, four)
    at, scale, there = looks_at(canvas), canvas.current_view().scale, looks_at(other)
    size = canvas.viewport().size()
    four.resize(1150, 700)
    qtbot.waitUntil(lambda: canvas.viewport().size() != size, timeout=10_000)
    settled(qtbot, four)
    assert looks_at(canvas) == pytest.approx(at, abs=1)
    assert looks_at(other) == pytest.approx(there, abs=1)
    assert canvas.current_view().scale == pytest.approx(scale, rel=0.01)


def test_that_resizing_lays_out_anew_what_nobody_moved(qtbot, four: MainWindow) -> None:
    canvas = canvas_of(four, "R MLO")
    size, scale = canvas.viewport().size(), px_a_mm(canvas)
    four.resize(1150, 650)
    qtbot.waitUntil(lambda: canvas.viewport().size() != size, timeout=10_000)
    settled(qtbot, four)
    assert px_a_mm(canvas) < 0.9 * scale
    for title in TITLES:
        one = canvas_of(four, title)
        assert stands(one, 0, 0)[0] == pytest.approx(-one.viewport().width() / 2, abs=1)
        assert px_a_mm(one) == pytest.approx(px_a_mm(canvas), rel=0.005)


def test_that_the_readout_is_of_the_image_under_the_mouse(qtbot, four: MainWindow) -> None:
    assert four.desk.state.image.title == "R CC"
    other = canvas_of(four, "L MLO")
    stored = stored_pixels(other.data.info.path)
    row, column = 60, 33  # the spot
    assert stored[row, column] == 4000
    assert stored_pixels(canvas_of(four, "R CC").data.info.path)[row, column] != 4000
    move(other, other.to_screen(column + 0.5, row + 0.5))
    assert f"x {column}  y {row} px" in four.viewer._readout.text()
    assert "value 4000" in four.viewer._readout.text()


def test_that_stored_and_shown_agree_on_what_was_written() -> None:
    shown = np.arange(12, dtype=np.uint16).reshape(3, 4)
    for turn in TURNS:
        assert np.array_equal(turn.array(as_kept(shown, turn)), shown)
    assert orientation("L", "CC", Turn(True, True, False)) == ["R", "P"]


def test_that_what_has_come_before_a_step_hangs_does_not_keep_the_step_before(four: MainWindow) -> None:
    viewer, state = four.viewer, four.desk.state
    following = replace(state, step_index=state.step_index + 1)
    assert following.step is not state.step
    viewer.show_picture(following, following.hung[0].id)
    viewer.hang(following, four.desk.room.protocols)
    assert {tile.image_id for tile in viewer.box.tiles} == {slot.image_id for slot in following.step.slots}
