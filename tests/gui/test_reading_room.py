"""Reading a study: results on turned images, the study's table, priors, protocols, and what a decision remembers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage

from pathview.geometry import Turn
from pathview.gui.main_window import MainWindow
from pathview.gui.preferences import LayoutChoice
from pathview.gui.theme import THEMES
from pathview.gui.viewer.canvas import Canvas
from pathview.gui.viewer.furniture import Corners
from pathview.gui.viewer.picture import BREAST_BGRA, GRAPHICS_BGRA, OUTLINE_BGRA
from pathview.results.findings import Finding
from pathview.review.records.case import ResultRow
from tests.gui.studies import (
    FOUR,
    TURNS,
    as_kept,
    canvas_of,
    click,
    drag,
    drawn,
    hung_titles,
    keep_result,
    move,
    open_folder,
    orientation,
    settled,
    stored_pixels,
    with_protocols,
    with_results,
    write_four,
    write_view,
)
from tests.images.test_graphics import add_overlay
from tests.makers import dicom_dataset

KEY = Qt.Key
TITLES = ["R CC", "L CC", "R MLO", "L MLO"]
TURNED = Turn(True, True, False)


@pytest.fixture
def window(make_window, tiny_models) -> MainWindow:
    with_protocols(tiny_models)
    return make_window()


@pytest.fixture
def four(qtbot, window: MainWindow, tmp_path: Path) -> MainWindow:
    """A four-view study, stored turned."""
    open_folder(qtbot, window, write_four(tmp_path / "study", TURNED))
    return window


def two_spots(path: Path, sure: float = 0.9, unsure: float = 0.6) -> np.ndarray:
    """A map with the image's spot, and a smaller and less sure place in its upper left corner as stored."""
    stored = stored_pixels(path)
    values = np.where(stored == 4000, sure, 0.1).astype(np.float32)
    values[10:16, 10:16] = unsure
    return values


def path_of(window: MainWindow, title: str) -> Path:
    return next(image.path for image in window.desk.state.images if image.title == title)


def findings_of(window: MainWindow, title: str) -> tuple[Finding, ...] | None:
    image = next(image for image in window.desk.state.images if image.title == title)
    return window.desk.state.view_of(image.id).findings


def keep_two_spots(qtbot, window: MainWindow, titles: list[str] = TITLES) -> None:
    def keep() -> None:
        for title in titles:
            keep_result(window, title, two_spots(path_of(window, title)))

    with_results(qtbot, window, keep)


def pixels_of(image: QImage) -> np.ndarray:
    """uint8 [rows, columns, 4], BGRA."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 4].reshape(image.height(), image.width(), 4).copy()


def box_of(canvas: Canvas, bgra: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of all pixels of one colour that a canvas paints."""
    canvas.corners = Corners()
    found = (pixels_of(canvas.grab().toImage())[..., :3] == bgra[:3]).all(axis=2)
    if not found.any():
        return None
    rows, columns = np.nonzero(found)
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def on_screen(canvas: Canvas, shown: np.ndarray) -> tuple[float, float, float, float]:
    """Where the true part of a shown mask stands on the widget; nothing of the turn is asked."""
    rows, columns = np.nonzero(shown)
    view, ratio = canvas.current_view(), canvas.devicePixelRatioF()
    xs = [(x - view.x) * view.scale / ratio for x in (columns.min(), columns.max() + 1)]
    ys = [(y - view.y) * view.scale / ratio for y in (rows.min(), rows.max() + 1)]
    return xs[0], ys[0], xs[1], ys[1]


# maps on turned images


@pytest.mark.parametrize("turn", TURNS)
def test_that_the_outline_encloses_the_spot_however_the_image_is_stored(
    qtbot, window: MainWindow, tmp_path: Path, turn: Turn
) -> None:
    views = [("R", "CC"), ("L", "MLO")]
    open_folder(qtbot, window, write_four(tmp_path / "study", turn, views))

    def keep() -> None:
        for side, view in views:
            keep_result(window, f"{side} {view}")

    with_results(qtbot, window, keep)
    for side, view in views:
        canvas = canvas_of(window, f"{side} {view}")
        canvas.show_findings((), None)
        wanted = on_screen(canvas, drawn(side, view) == 4000)
        found = box_of(canvas, OUTLINE_BGRA)
        assert found is not None
        reach = 4 + canvas.current_view().scale  # the line is two pixels wide, and lies around
        assert found == pytest.approx(wanted, abs=reach)
        (only,) = findings_of(window, f"{side} {view}")
        shown = drawn(side, view)
        assert (as_kept(shown, turn)[int(only.centroid[1]), int(only.centroid[0])]) == 4000


@pytest.mark.parametrize("turn", TURNS)
def test_that_the_readout_tells_stored_places_and_values(qtbot, window: MainWindow, tmp_path: Path, turn: Turn) -> None:
    shown = np.arange(150 * 110, dtype=np.uint16).reshape(150, 110) % 4096
    path = write_view(tmp_path / "a.dcm", "R", "MLO", turn, shown, ImagerPixelSpacing=[0.2, 0.1])
    open_folder(qtbot, window, path)
    canvas, stored = window.viewer.canvas, stored_pixels(path)
    number = as_kept(np.arange(shown.size).reshape(shown.shape), turn)
    for row, column in ((31, 17), (100, 80)):
        view, ratio = canvas.current_view(), canvas.devicePixelRatioF()
        at = QPointF(column + 0.5 - view.x, row + 0.5 - view.y) * view.scale / ratio
        move(canvas, at)
        ((y, x),) = np.argwhere(number == row * 110 + column)
        text = window.viewer._readout.text()
        assert f"x {x}  y {y} px" in text
        assert f"value {stored[y, x]}" in text
        across, down = (float(part) for part in text.split("px")[1].split("mm")[0].split(","))
        assert across == pytest.approx((x + 0.5) * 0.1, abs=0.06)
        assert down == pytest.approx((y + 0.5) * 0.2, abs=0.12)


def test_that_a_click_on_a_finding_selects_it_in_the_table(qtbot, four: MainWindow) -> None:
    keep_two_spots(qtbot, four)
    canvas = canvas_of(four, "L CC")
    sure, unsure = findings_of(four, "L CC")
    for one in (unsure, sure):
        click(canvas, canvas.to_screen(*one.centroid))
        settled(qtbot, four)
        assert four.desk.state.finding == (four.desk.state.active, one.number)
        assert four.desk.state.image.title == "L CC"
        words = four.study.table.currentIndex().data()
        assert words.strip().startswith(f"{one.number}:")
        assert canvas.finding == one
    row = titles(four).index("L CC")
    assert four.study.table.currentIndex().row() == row + 1  # number 1 is the first below its view
    click(canvas, canvas.to_screen(1, 1))
    assert four.desk.state.finding is None
    assert four.study.table.currentIndex().data().strip() == "L CC"


def titles(window: MainWindow) -> list[str]:
    return [line.words[0].strip() for line in window.study.model.lines]


def choose_row(qtbot, window: MainWindow, view: str, number: int | None = None) -> None:
    """Click on a row of the table: a view's, or that of a finding on it."""
    table = window.study.table
    index = window.study.model.index(titles(window).index(view) + (number or 0), 0)
    table.scrollTo(index)
    place = table.visualRect(index).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    settled(qtbot, window)


def test_that_a_row_of_the_table_jumps_to_its_finding(qtbot, four: MainWindow) -> None:
    keep_two_spots(qtbot, four)
    canvas = canvas_of(four, "L MLO")
    scale = canvas.current_view().scale
    choose_row(qtbot, four, "L MLO", 1)
    assert four.desk.state.image.title == "L MLO"
    (sure, unsure) = findings_of(four, "L MLO")
    assert canvas.finding == sure
    assert canvas.current_view().scale >= scale
    assert_in_the_middle(canvas, sure)
    choose_row(qtbot, four, "L MLO", 2)
    assert_in_the_middle(canvas, unsure)
    choose_row(qtbot, four, "R CC")
    assert four.desk.state.image.title == "R CC"
    qtbot.keyClick(four, KEY.Key_W)
    settled(qtbot, four)
    assert_in_the_middle(canvas_of(four, "R CC"), findings_of(four, "R CC")[0])


def test_that_a_finding_is_pointed_out_on_the_active_view_alone(qtbot, four: MainWindow) -> None:
    keep_two_spots(qtbot, four)
    choose_row(qtbot, four, "L MLO", 2)
    click(canvas_of(four, "R CC"), QPointF(2, 2))
    settled(qtbot, four)
    assert four.desk.state.finding is None
    assert canvas_of(four, "L MLO").finding is None
    assert four.study.table.currentIndex().data().strip() == "R CC"
    choose_row(qtbot, four, "L MLO", 2)
    qtbot.keyClick(four, KEY.Key_S)
    settled(qtbot, four)
    assert hung_titles(four) == [["R CC", "L CC"]]
    assert four.desk.state.finding is None
    assert four.study.table.currentIndex().data().strip() == four.desk.state.image.title


def test_that_the_row_of_a_view_leaves_none_of_its_findings_pointed_out(qtbot, four: MainWindow) -> None:
    keep_two_spots(qtbot, four)
    choose_row(qtbot, four, "L MLO", 1)
    choose_row(qtbot, four, "L MLO")
    assert four.desk.state.finding is None
    assert canvas_of(four, "L MLO").finding is None
    assert four.study.table.currentIndex().data().strip() == "L MLO"
    drag(canvas_of(four, "L MLO"), QPointF(40, 40), QPointF(60, 60))
    assert four.study.table.currentIndex().data().strip() == "L MLO"


def test_that_a_finding_stays_pointed_out_while_its_view_is_moved(qtbot, four: MainWindow) -> None:
    keep_two_spots(qtbot, four)
    choose_row(qtbot, four, "L MLO", 1)
    chosen = four.desk.state.finding
    drag(canvas_of(four, "L MLO"), QPointF(40, 40), QPointF(60, 60))
    assert chosen is not None
    assert four.desk.state.finding == chosen


@pytest.mark.parametrize(("by", "view", "number"), [(1, "R MLO", 1), (-1, "L CC", 2)])
def test_that_the_next_finding_is_counted_from_the_active_view(
    qtbot, four: MainWindow, by: int, view: str, number: int
) -> None:
    keep_two_spots(qtbot, four)
    order = [image.title for image in four.desk.state.detail.images]
    assert order == TITLES
    click(canvas_of(four, "R MLO"), QPointF(2, 2))
    four.desk.room.next_finding(by)
    settled(qtbot, four)
    assert (four.desk.state.image.title, four.desk.state.finding[1]) == (view, number)


def assert_in_the_middle(canvas: Canvas, finding: Finding) -> None:
    region = finding.region
    at = canvas.to_screen(region.x + region.width / 2, region.y + region.height / 2)
    assert (at.x(), at.y()) == pytest.approx((canvas.viewport().width() / 2, canvas.viewport().height() / 2), abs=2)


def test_that_a_finding_of_another_step_is_jumped_to(qtbot, window: MainWindow, tmp_path: Path) -> None:
    folder = write_four(tmp_path / "study")
    uid = pydicom.dcmread(folder / "RCC.dcm").StudyInstanceUID
    write_view(folder / "RML.dcm", "R", "ML", shown=drawn("R", "CC"), StudyInstanceUID=uid)
    open_folder(qtbot, window, folder)
    assert not any("R ML" in row for row in hung_titles(window))
    with_results(qtbot, window, lambda: keep_result(window, "R ML"))
    choose_row(qtbot, window, "R ML", 1)
    assert window.desk.state.image.title == "R ML"
    canvas = canvas_of(window, "R ML")
    assert canvas.data is not None
    assert_in_the_middle(canvas, findings_of(window, "R ML")[0])


def test_that_brackets_and_numbers_stand_on_the_finding(qtbot, four: MainWindow) -> None:
    keep_two_spots(qtbot, four)
    canvas = canvas_of(four, "R CC")
    canvas.corners = Corners()
    before = pixels_of(canvas.grab().toImage()).astype(int)
    four.desk.room.point_out(four.desk.state.active, 1)
    canvas.corners = Corners()
    after = pixels_of(canvas.grab().toImage()).astype(int)
    rows, columns = np.nonzero(np.abs(after - before).sum(axis=2) > 60)
    left, top, right, bottom = on_screen(canvas, drawn("R", "CC") == 4000)
    wanted = (left - 10, top - 10, right + 10, bottom + 10)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == pytest.approx(wanted, abs=8)


# threshold and counts


def test_that_views_of_a_recipe_have_one_threshold_and_their_counts_follow(qtbot, four: MainWindow) -> None:
    def keep() -> None:
        for title in TITLES[:3]:
            keep_result(four, title, two_spots(path_of(four, title)))
        keep_result(four, "L MLO", two_spots(path_of(four, "L MLO")), recipe="another")

    with_results(qtbot, four, keep)
    assert [len(findings_of(four, title)) for title in TITLES] == [2, 2, 2, 2]
    four.ai._threshold.setValue(700)
    settled(qtbot, four)
    assert [canvas_of(four, title).overlay.threshold for title in TITLES] == [0.7, 0.7, 0.7, 0.5]
    assert [len(findings_of(four, title)) for title in TITLES] == [1, 1, 1, 2]
    rows = titles(four)
    assert [sum(row.startswith(f"{n}:") for row in rows) for n in (1, 2)] == [4, 1]
    assert "1" in four.ai._area.text()
    click(canvas_of(four, "L MLO"))
    settled(qtbot, four)
    assert four.ai._threshold.value() == 500
    assert four.desk.state.places == 2
    four.ai._threshold.setValue(950)
    settled(qtbot, four)
    assert [len(findings_of(four, title)) for title in TITLES] == [1, 1, 1, 0]
    click(canvas_of(four, "L CC"))
    settled(qtbot, four)
    assert four.ai._threshold.value() == 700


def test_that_a_moved_threshold_is_kept_for_views_of_later_steps(qtbot, four: MainWindow) -> None:
    keep_two_spots(qtbot, four)
    qtbot.keyClick(four, KEY.Key_S)
    settled(qtbot, four)
    four.ai._threshold.setValue(650)
    settled(qtbot, four)
    qtbot.keyClick(four, KEY.Key_S)
    settled(qtbot, four)
    assert hung_titles(four) == [["R MLO", "L MLO"]]
    assert canvas_of(four, "L MLO").overlay.threshold == 0.65
    assert len(findings_of(four, "L MLO")) == 1


# the study's table


def test_that_the_table_has_study_breasts_and_views_and_flags_a_disagreement(qtbot, four: MainWindow) -> None:
    def keep() -> None:
        for title, score in zip(TITLES, (1.0, 12.0, 1.5, 1.0), strict=True):
            keep_result(four, title, score=score)

    assert not four.study._flags.isVisible()
    with_results(qtbot, four, keep)
    found = [(line.words[0].strip(), line.words[1]) for line in four.study.model.lines if ":" not in line.words[0]]
    assert found == [
        ("Study", "positive"),
        ("Right breast", "negative"),
        ("R CC", "negative"),
        ("R MLO", "negative"),
        ("Left breast", "positive"),
        ("L CC", "positive"),
        ("L MLO", "negative"),
    ]
    assert four.study._flags.isVisible()
    assert "left breast disagree" in four.study._flags.text()
    assert "right breast" not in four.study._flags.text()
    with_results(qtbot, four, lambda: keep_result(four, "L MLO", score=14.0))
    assert not four.study._flags.isVisible()


@pytest.mark.parametrize("theme", THEMES)
def test_that_the_tables_words_have_their_states_colours(qtbot, four: MainWindow, theme: str) -> None:
    with_results(qtbot, four, lambda: keep_result(four, "L CC", score=12.0))
    table = four.study.table
    if four.theme_name != theme:
        four.switch_theme()
    index = four.study.model.index(titles(four).index("L CC"), 1)
    table.scrollTo(index)
    pixels = pixels_of(table.viewport().grab(table.visualRect(index)).toImage())[..., 2::-1].astype(int)
    wanted = QColor(THEMES[theme].positive).getRgb()[:3]
    assert (np.abs(pixels - wanted).max(axis=2) < 40).any()
    assert "positive" in index.data()


def test_that_one_row_is_current_and_it_is_the_active_image(qtbot, four: MainWindow) -> None:
    click(canvas_of(four, "R MLO"))
    assert four.study.table.currentIndex().data().strip() == "R MLO"
    qtbot.keyClick(four.study.table, KEY.Key_Up)
    settled(qtbot, four)
    assert four.desk.state.image.title == "R CC"
    assert four.viewer.canvas is canvas_of(four, "R CC")


def test_that_what_the_table_says_of_a_place_does_not_depend_on_what_hangs(
    qtbot, window: MainWindow, tmp_path: Path
) -> None:
    y, x = np.mgrid[0:150, 0:140]
    inside = (x >= 30) & (((x - 30) / 70) ** 2 + ((y - 75) / 60) ** 2 < 1)  # away from the image's own edge
    spot = np.hypot(x - 60, y - 75) < 8
    low = np.where(inside & spot, 4000, np.where(inside, 1300, 0)).astype(np.uint16)
    for side, view in FOUR:
        shown = low[:, ::-1] if side == "R" else low
        write_view(tmp_path / "study" / f"{side}{view}.dcm", side, view, shown=shown, StudyInstanceUID="1.2.3")
    open_folder(qtbot, window, tmp_path / "study")
    with_results(qtbot, window, lambda: keep_result(window, "L MLO"))
    all_hung = [line.words[0] for line in window.study.model.lines]
    assert "6 mm from wall" in all_hung[-1]  # 12 from the edge of the image
    qtbot.keyClick(window, KEY.Key_S)
    settled(qtbot, window)
    assert hung_titles(window) == [["R CC", "L CC"]]
    with_results(qtbot, window, lambda: keep_result(window, "L MLO"))
    assert [line.words[0] for line in window.study.model.lines] == all_hung


# priors and protocols


@pytest.fixture
def with_priors(qtbot, window: MainWindow, tmp_path: Path) -> MainWindow:
    """A study with two earlier ones; each of another size so that they can be told apart."""
    for name, date in (("first", "20220102"), ("second", "20240102"), ("now", "20260102")):
        write_four(tmp_path / name, TURNED, StudyDate=date)
    open_folder(qtbot, window, *(tmp_path / name for name in ("first", "second", "now")))
    choose_case(qtbot, window, "now")
    return window


def choose_case(qtbot, window: MainWindow, name: str) -> None:
    window.worklist.choose({row.title: row.id for row in window.worklist.model.rows}[name])
    settled(qtbot, window)


def folders(window: MainWindow) -> list[str]:
    """From which studies the tiles' images are."""
    state = window.desk.state
    return [state.image_of(tile.image_id).path.parent.name for tile in window.viewer.box.tiles if tile.image_id]


def go_to_step(qtbot, window: MainWindow, title: str) -> None:
    window.desk.room.choose_step([step.title for step in window.desk.state.steps].index(title))
    settled(qtbot, window)


def test_that_the_newest_prior_hangs_and_others_are_offered(qtbot, with_priors: MainWindow) -> None:
    window = with_priors
    combo = window.viewer.bar._prior
    offered = [combo.itemText(number) for number in range(combo.count())]
    assert offered == ["No prior beside it", "prior of 2024-01-02", "prior of 2022-01-02"]
    assert combo.currentIndex() == 1
    go_to_step(qtbot, window, "CC, current over prior")
    assert folders(window) == ["now", "now", "second", "second"]
    assert hung_titles(window) == [["R CC", "L CC"], ["R CC", "L CC"]]
    assert window.viewer.box.tiles[2].canvas.corners.top[0] == "R CC  ·  prior of 2024-01-02"
    assert window.viewer.box.tiles[0].canvas.corners.top[0] == "R CC"
    combo.setCurrentIndex(2)
    combo.activated.emit(2)
    settled(qtbot, window)
    assert window.desk.state.step.title == "CC, current over prior"
    assert folders(window) == ["now", "now", "first", "first"]
    assert all(tile.canvas.data is not None for tile in window.viewer.box.tiles)
    assert window.viewer.box.tiles[3].canvas.corners.top[0] == "L CC  ·  prior of 2022-01-02"
    combo.setCurrentIndex(0)
    combo.activated.emit(0)
    settled(qtbot, window)
    assert set(folders(window)) == {"now"}
    assert not any("prior" in step.title for step in window.desk.state.steps)
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    settled(qtbot, window)
    assert any("prior" in step.title for step in window.desk.state.steps)


def test_that_images_are_being_read_before_they_are_laid_out(qtbot, with_priors: MainWindow) -> None:
    desk = with_priors.desk
    asked: list[bool] = []
    desk.room.hung.connect(lambda: asked.append(desk._reading.busy))
    desk._cache._pictures.clear()
    desk.room.choose_step(0)
    assert asked == [True]
    settled(qtbot, with_priors)
    assert all(view.picture is not None for view in map(desk.state.view_of, (i.id for i in desk.state.hung)))


def test_that_maps_are_read_when_their_pictures_have_come(
    qtbot, four: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_two_spots(qtbot, four)
    desk, asked = four.desk, []
    read = desk.room.loader.load_maps

    def load_maps(image_id: int, result: ResultRow) -> None:
        asked.append((image_id, desk.state.view_of(image_id).picture is not None))
        read(image_id, result)

    monkeypatch.setattr(desk.room.loader, "load_maps", load_maps)
    desk._cache._pictures.clear()
    desk.room.state = replace(desk.state, views={})
    desk.room.choose_step(0)
    settled(qtbot, four)

    assert sorted(asked) == [(image.id, True) for image in desk.state.images]
    assert all(desk.state.view_of(image.id).probability is not None for image in desk.state.images)


def test_that_the_first_study_has_no_prior(qtbot, with_priors: MainWindow) -> None:
    choose_case(qtbot, with_priors, "first")
    assert with_priors.viewer.bar._no_prior.isVisible()
    assert not with_priors.viewer.bar._prior.isVisible()
    assert with_priors.desk.state.prior is None


def test_that_a_prior_is_not_decided_on_and_not_counted(qtbot, with_priors: MainWindow) -> None:
    window = with_priors
    go_to_step(qtbot, window, "CC, current over prior")
    click(window.viewer.box.tiles[3].canvas)
    settled(qtbot, window)
    prior_id = window.desk.state.prior.case.id
    assert window.desk.state.image.case_id == prior_id
    qtbot.keyClick(window, KEY.Key_N)
    settled(qtbot, window)
    cases = window.desk._handle.get().cases
    assert cases.case(prior_id).decisions == ()
    assert cases.case(window.desk.case_id).decisions[-1].value == "negative"
    assert len([title for title in titles(window) if title in TITLES]) == 4


def test_that_a_prior_chosen_late_never_hangs_beside_another_patient(
    qtbot, with_priors: MainWindow, tmp_path: Path
) -> None:
    window = with_priors
    open_folder(qtbot, window, write_four(tmp_path / "stranger", PatientID="another"))
    stranger = window.desk.case_id
    choose_case(qtbot, window, "now")
    wanted = window.desk.state.priors[1].id
    window.worklist.choose(stranger)
    window.desk.hang_prior(wanted)
    settled(qtbot, window)
    assert window.desk.state.detail.case.id == stranger
    assert window.desk.state.prior is None
    assert set(folders(window)) == {"stranger"}


def test_that_a_protocol_is_chosen_by_hand(qtbot, four: MainWindow) -> None:
    combo = four.viewer.bar._protocol
    names = [combo.itemData(number) for number in range(combo.count())]
    assert four.desk.state.protocol == combo.currentData() == "screening"
    assert {"one-side", "implants", "screening"} <= set(names)
    combo.setCurrentIndex(names.index("one-side"))
    combo.activated.emit(names.index("one-side"))
    settled(qtbot, four)
    assert four.desk.state.protocol == combo.currentData() == "one-side"
    assert all(tile.canvas.data is not None for tile in four.viewer.box.tiles if tile.image_id is not None)


def test_that_a_protocol_chosen_by_hand_stays_when_the_prior_is_changed(qtbot, with_priors: MainWindow) -> None:
    window = with_priors
    window.desk.room.choose_protocol("one-side")
    settled(qtbot, window)
    window.desk.hang_prior(window.desk.state.priors[1].id)
    settled(qtbot, window)
    assert window.desk.state.protocol == "one-side"
    window.desk.hang_prior(None)
    settled(qtbot, window)
    assert window.desk.state.protocol == "one-side"
    choose_case(qtbot, window, "second")  # chosen for that case alone
    assert window.desk.state.protocol == "screening"


def test_that_the_preferred_protocol_is_taken_at_the_next_case(qtbot, with_priors: MainWindow) -> None:
    with_priors.preferences.layout = LayoutChoice(start_protocol="one-side")
    choose_case(qtbot, with_priors, "second")
    assert with_priors.desk.state.protocol == "one-side"
    assert with_priors.viewer.bar._protocol.currentData() == "one-side"
    with_priors.preferences.layout = LayoutChoice(start_protocol="no such")
    choose_case(qtbot, with_priors, "now")
    assert with_priors.desk.state.protocol == "screening"


# decisions


def test_that_a_decision_remembers_what_was_on_the_screen(qtbot, four: MainWindow) -> None:
    keep_two_spots(qtbot, four)
    go_to_step(qtbot, four, "CC, both sides")
    click(canvas_of(four, "L CC"))
    four.ai._threshold.setValue(620)
    four.actions_by_id["mask"].setChecked(False)
    qtbot.keyClick(four, KEY.Key_P)
    settled(qtbot, four)
    detail = four.desk._handle.get().cases.case(four.desk.case_id)
    context = detail.decisions[-1].context
    ids = {image.title: image.id for image in detail.images}
    results = {image.title: str(image.result.id) for image in detail.images}
    assert context["images_shown"] == [ids["R CC"], ids["L CC"]]
    assert context["image"] == ids["L CC"]
    assert context["hanging"] == "CC, both sides"
    assert context["thresholds"] == {results["R CC"]: 0.62, results["L CC"]: 0.62}
    assert context["mask_shown"] is False
    assert sorted(context["results"]) == sorted(int(result) for result in results.values())
    four.desk.open_case(four.desk.case_id)
    settled(qtbot, four)
    assert canvas_of(four, "R CC").overlay.threshold == 0.62


# what is laid over


def test_that_heat_maps_are_made_for_all_that_hangs_and_for_later_steps(
    qtbot, window: MainWindow, tmp_path: Path
) -> None:
    folder = write_four(tmp_path / "study", views=[("R", "CC"), ("L", "CC")])
    uid = pydicom.dcmread(folder / "RCC.dcm").StudyInstanceUID
    write_view(folder / "RML.dcm", "R", "TAN", shown=drawn("R", "CC"), StudyInstanceUID=uid)
    open_folder(qtbot, window, folder)
    qtbot.keyClick(window, KEY.Key_A)
    settled(qtbot, window)
    qtbot.keyClick(window, KEY.Key_H)
    settled(qtbot, window)
    for title in ("R CC", "L CC"):
        assert canvas_of(window, title).overlay.heat is not None, title
    window.desk.room.choose_image(next(i.id for i in window.desk.state.images if i.title == "R TAN"))
    settled(qtbot, window)
    assert canvas_of(window, "R TAN").overlay.heat is not None
    qtbot.keyClick(window, KEY.Key_H)
    assert canvas_of(window, "R TAN").overlay.heat is None


def test_that_the_breast_is_outlined_on_request(qtbot, four: MainWindow) -> None:
    canvas = canvas_of(four, "L MLO")
    assert box_of(canvas, BREAST_BGRA) is None
    qtbot.keyClick(four, KEY.Key_B)
    settled(qtbot, four)
    found = box_of(canvas, BREAST_BGRA)
    assert found is not None
    wanted = on_screen(canvas, drawn("L", "MLO") > 1000)
    assert found[2:] == pytest.approx(wanted[2:], abs=10 + 2 * canvas.current_view().scale)
    assert found[1] == pytest.approx(max(0, wanted[1]), abs=10 + 2 * canvas.current_view().scale)
    qtbot.keyClick(four, KEY.Key_S)
    settled(qtbot, four)
    assert box_of(canvas_of(four, "R CC"), BREAST_BGRA) is not None
    qtbot.keyClick(four, KEY.Key_B)
    assert box_of(canvas_of(four, "R CC"), BREAST_BGRA) is None


def test_that_the_files_own_overlay_lies_on_its_place_of_a_turned_image(
    qtbot, window: MainWindow, tmp_path: Path
) -> None:
    plane = np.zeros((150, 110), np.uint8)
    plane[30:50, 60:90] = 1
    kept = as_kept(drawn("R", "CC"), TURNED)
    dataset = dicom_dataset(
        kept, ImageLaterality="R", ViewPosition="CC", PatientOrientation=orientation("R", "CC", TURNED)
    )
    add_overlay(dataset, as_kept(plane, TURNED))
    pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
    open_folder(qtbot, window, tmp_path / "a.dcm")
    canvas = window.viewer.canvas
    assert box_of(canvas, GRAPHICS_BGRA) is None
    qtbot.keyClick(window, KEY.Key_O)
    settled(qtbot, window)
    assert box_of(canvas, GRAPHICS_BGRA) == pytest.approx(on_screen(canvas, plane), abs=canvas.current_view().scale)
    qtbot.keyClick(window, KEY.Key_O)
    assert box_of(canvas, GRAPHICS_BGRA) is None


# words


def all_words(window: MainWindow) -> str:
    """What stands in the corners of all tiles."""
    corners = [tile.canvas.corners for tile in window.viewer.box.tiles]
    return " | ".join(line for one in corners for line in (*one.top, *one.bottom, *one.warnings))


def test_that_names_are_hidden_and_shown_in_the_corners(qtbot, four: MainWindow) -> None:
    canvas = canvas_of(four, "R CC")
    assert all_words(four).count("Name Canary") == 4
    named = pixels_of(canvas.grab().toImage())
    qtbot.keyClick(four, KEY.Key_X)
    for step in range(len(four.desk.state.steps)):
        four.desk.room.choose_step(step)
        settled(qtbot, four)
        assert "anary" not in all_words(four)
        assert "CANARY" not in all_words(four)
        assert "R CC" in all_words(four) or "MLO" in all_words(four) or "L CC" in all_words(four)
    four.desk.room.choose_step(0)
    settled(qtbot, four)
    assert (pixels_of(canvas.grab().toImage()) != named).any()
    qtbot.keyClick(four, KEY.Key_T)
    settled(qtbot, four)
    assert "anary" not in all_words(four)
    qtbot.keyClick(four, KEY.Key_X)
    assert "Name Canary" in all_words(four)
    assert "ID CANARY-ID-77" in all_words(four)


def test_that_words_stand_on_the_side_of_the_air(four: MainWindow) -> None:
    assert {title: canvas_of(four, title).corners.right for title in TITLES} == {
        "R CC": False,
        "L CC": True,
        "R MLO": False,
        "L MLO": True,
    }


def test_that_raw_values_wear_a_badge_even_when_names_are_hidden(qtbot, window: MainWindow, tmp_path: Path) -> None:
    write_view(tmp_path / "s" / "r.dcm", "R", "CC", PresentationIntentType="FOR PROCESSING", StudyInstanceUID="1.2.3")
    write_view(tmp_path / "s" / "l.dcm", "L", "CC", StudyInstanceUID="1.2.3")
    open_folder(qtbot, window, tmp_path / "s")
    for _ in range(2):
        assert any("FOR PROCESSING" in line for line in canvas_of(window, "R CC").corners.warnings)
        assert canvas_of(window, "L CC").corners.warnings == ()
        with_badge = pixels_of(canvas_of(window, "R CC").grab().toImage())
        yellow = (with_badge[..., 2] > 200) & (with_badge[..., 1] > 160) & (with_badge[..., 0] < 120)
        assert yellow.sum() > 30
        qtbot.keyClick(window, KEY.Key_X)
    assert "raw detector values" in window.banner.text
