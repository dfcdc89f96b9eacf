"""Slides and mosaics in the window: tiles, looks, magnification, rotation, the gallery, a tile's layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from pathview.errors import StoreError
from pathview.geometry import GridPlace
from pathview.gui.tile_layers import chosen_layers, heated
from pathview.results.result import ScoreMap
from tests.gui.conftest import idle
from tests.makers import write_patch_folder

RNG = np.random.default_rng(3)


@pytest.fixture
def pixels() -> np.ndarray:
    """A pink slide of 1600 x 1200 with a blue quarter at the lower right."""
    image = np.full((1200, 1600, 3), (235, 190, 215), np.uint8)
    image[600:, 800:] = (90, 70, 160)
    return (image - RNG.integers(0, 12, image.shape)).astype(np.uint8)


@pytest.fixture
def slide(tmp_path: Path, pixels: np.ndarray) -> Path:
    path = tmp_path / "tissue.tif"
    per_cm = (10_000 / 0.5, 10_000 / 0.5)
    with tifffile.TiffWriter(path) as tiff:
        options = {"tile": (256, 256), "photometric": "rgb", "resolution": per_cm, "resolutionunit": "CENTIMETER"}
        tiff.write(pixels, subifds=0, **options)
    return path


@pytest.fixture
def at_slide(qtbot, make_window, slide: Path):
    window = make_window()
    window.open_paths([slide])
    idle(qtbot, window)
    return window


def shown_rgb(window, x: float, y: float) -> np.ndarray:
    canvas = window.viewer.canvas
    screen = canvas.to_screen(x, y)
    color = canvas.grab().toImage().pixelColor(screen.toPoint())
    return np.array([color.red(), color.green(), color.blue()])


def test_that_a_slide_is_shown_by_its_tiles(qtbot, at_slide, pixels: np.ndarray) -> None:
    canvas = at_slide.viewer.canvas
    assert canvas.data.partial
    canvas.zoom(1 / canvas.current_view().scale)
    idle(qtbot, at_slide)
    canvas.center_on(QPointF(900.0, 650.0))
    idle(qtbot, at_slide)
    assert canvas.tiled.missing(canvas.current_view()) == []
    assert np.array_equal(canvas.tiled.value_at(900, 650), pixels[650, 900])
    assert np.abs(shown_rgb(at_slide, 900.5, 650.5) - pixels[650, 900].astype(int)).max() <= 12  # the noise's reach
    at_slide.viewer._show_place(900.5, 650.5)
    assert "RGB " + " ".join(map(str, pixels[650, 900])) in at_slide.viewer._readout.text()


def test_that_a_stain_is_shown_alone_and_given_back(qtbot, at_slide) -> None:
    canvas = at_slide.viewer.canvas
    before = canvas.tiled.value_at(1000, 900)
    at_slide.actions_by_id["stain_e"].trigger()
    idle(qtbot, at_slide)
    canvas.zoom(1 / canvas.current_view().scale)
    idle(qtbot, at_slide)
    canvas.center_on(QPointF(1000.0, 900.0))
    idle(qtbot, at_slide)
    alone = canvas.tiled.value_at(1000, 900)
    at_slide.actions_by_id["stain_all"].trigger()
    idle(qtbot, at_slide)
    assert not np.array_equal(alone, canvas.tiled.value_at(1000, 900))
    assert before is None or np.array_equal(before, canvas.tiled.value_at(1000, 900))


def test_that_magnification_follows_the_pixel_size_and_is_refused_without(
    qtbot, at_slide, make_window, tmp_path: Path
) -> None:
    at_slide.actions_by_id["magnify_10"].trigger()
    assert at_slide.viewer.canvas.current_view().scale == pytest.approx(0.5, rel=1e-3)
    assert at_slide.viewer._zoom.text().startswith("10 ×")
    at_slide.close()
    bare = tmp_path / "bare.png"
    tifffile.imwrite(tmp_path / "bare.tif", np.full((300, 300, 3), 200, np.uint8), photometric="rgb")
    assert not bare.exists()
    window = make_window()
    window.open_paths([tmp_path / "bare.tif"])
    idle(qtbot, window)
    scale = window.viewer.canvas.current_view().scale
    window.actions_by_id["magnify_10"].trigger()
    assert "pixel size" in window.banner.text
    assert window.viewer.canvas.current_view().scale == pytest.approx(scale)


def test_that_rotating_turns_the_picture_and_keeps_stored_places(qtbot, at_slide, pixels: np.ndarray) -> None:
    at_slide.actions_by_id["rotate"].trigger()
    idle(qtbot, at_slide)
    canvas = at_slide.viewer.canvas
    assert (canvas.data.size.width, canvas.data.size.height) == (1200, 1600)
    assert np.abs(shown_rgb(at_slide, 1000, 700).astype(int) - pixels[700, 1000]).max() < 25
    x, y = canvas.stored_at(canvas.to_screen(1400, 1000))
    assert (x, y) == (pytest.approx(1400), pytest.approx(1000))
    for _ in range(3):
        at_slide.actions_by_id["rotate"].trigger()
    assert canvas.data.size.width == 1600


def test_that_a_click_on_the_map_goes_there(qtbot, at_slide) -> None:
    canvas = at_slide.viewer.canvas
    assert canvas.map.rect(canvas) is None
    canvas.zoom(4.0)
    rect = canvas.map.rect(canvas)
    place = QPoint(round(rect.left() + rect.width() * 0.8), round(rect.top() + rect.height() * 0.75))
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    middle = canvas.shown_at(QPointF(canvas.viewport().width() / 2, canvas.viewport().height() / 2))
    assert middle.x() == pytest.approx(0.8 * 1600, abs=15)
    assert middle.y() == pytest.approx(0.75 * 1200, abs=15)


def test_that_the_tissue_is_outlined_on_request(qtbot, at_slide) -> None:
    assert at_slide.desk.state.overlay.breast is None
    at_slide.actions_by_id["breast"].setChecked(True)
    idle(qtbot, at_slide)
    assert at_slide.desk.state.overlay.breast is not None


def test_that_a_slide_without_a_label_says_so(at_slide) -> None:
    at_slide.actions_by_id["label"].trigger()
    assert "no label" in at_slide.banner.text


@pytest.fixture
def at_mosaic(qtbot, make_window, tmp_path: Path):
    window = make_window()
    window.open_paths([write_patch_folder(tmp_path / "9001")])
    idle(qtbot, window)
    window.actions_by_id["analyse_case"].trigger()
    idle(qtbot, window)
    window.actions_by_id["gallery"].setChecked(True)
    qtbot.waitUntil(lambda: not window.tiles.busy and not window.desk.busy, timeout=30_000)
    return window


def settled(qtbot, window) -> None:
    qtbot.waitUntil(lambda: not window.tiles.busy and not window.desk.busy, timeout=30_000)


def test_that_tiles_are_answered_by_one_key_each_and_the_map_follows(qtbot, at_mosaic) -> None:
    cards = at_mosaic.gallery.model.cards
    assert cards
    tile = at_mosaic.gallery.current.tile
    called = at_mosaic.gallery.current.probability >= at_mosaic.desk.state.threshold
    key = Qt.Key.Key_N if called else Qt.Key.Key_P
    at_mosaic.gallery.grid.setFocus()
    QTest.keyClick(at_mosaic.gallery.grid, key)
    settled(qtbot, at_mosaic)
    session = at_mosaic.desk._handle.get()
    answers = session.answering.answers_of(at_mosaic.desk.state.active)
    assert [(answer.region, answer.value) for answer in answers] == [(tile, "negative" if called else "positive")]
    assert at_mosaic.desk.state.detail.decisions == ()
    followed = at_mosaic.desk.state.overlay.probability
    assert not np.array_equal(followed.values, at_mosaic.desk.state.probability.values, equal_nan=True)
    QTest.keyClick(at_mosaic.gallery.grid, Qt.Key.Key_U)
    settled(qtbot, at_mosaic)
    assert session.answering.answers_of(at_mosaic.desk.state.active) == ()


def test_that_an_answer_that_cannot_be_saved_leaves_the_one_that_stands(qtbot, at_mosaic, monkeypatch) -> None:
    gallery, first = at_mosaic.gallery, at_mosaic.gallery.current
    gallery.grid.setFocus()
    QTest.keyClick(gallery.grid, Qt.Key.Key_P)
    settled(qtbot, at_mosaic)

    def refuses(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr("pathview.review.cases.answers.Answers.add", refuses)
    gallery.answered.emit(gallery.image_id, first, "negative")
    settled(qtbot, at_mosaic)
    assert at_mosaic.banner.text == "The disk is full."
    card = gallery.model.cards[gallery.model.row_of(first.tile)]
    assert (card.value, card.saving) == ("positive", 0)


def test_that_given_classes_are_counted_and_a_cell_shows_its_tiles(qtbot, at_mosaic) -> None:
    assert at_mosaic.confusion.isVisible()
    total = sum(int(cell.text().split()[0].replace(",", "")) for row in at_mosaic.confusion._cells for cell in row)
    assert total == 11
    at_mosaic.confusion.cell_chosen.emit(1, 0)
    settled(qtbot, at_mosaic)
    at_mosaic.confusion.cell_chosen.emit(1, 1)
    settled(qtbot, at_mosaic)
    assert at_mosaic.gallery._heading.text() == "Given positive, predicted positive"


def test_that_a_training_set_is_written_from_the_answers(qtbot, at_mosaic, tmp_path: Path) -> None:
    at_mosaic.gallery.grid.setFocus()
    for _ in range(2):
        QTest.keyClick(at_mosaic.gallery.grid, Qt.Key.Key_P)
        settled(qtbot, at_mosaic)
    at_mosaic.tiles.write_training_set(tmp_path / "out")
    settled(qtbot, at_mosaic)
    assert "training set is written" in at_mosaic.banner.text
    assert (tmp_path / "out" / "labels.csv").is_file()


def test_that_a_growing_map_lies_over_the_slide_until_the_result_is_there(qtbot, at_mosaic) -> None:
    room, image = at_mosaic.desk.room, at_mosaic.desk.state.active
    growing = ScoreMap(np.array([[0.2, np.nan]], np.float32), GridPlace(0, 0, 100, 150), False)
    room.grow(image, growing)
    assert at_mosaic.viewer.canvas.overlay.heat is growing
    at_mosaic.desk._growing.follow(False)
    assert at_mosaic.viewer.canvas.overlay.heat is None


def test_that_a_tiles_layers_are_shown_side_by_side(qtbot, at_mosaic) -> None:
    with qtbot.waitSignal(at_mosaic.desk.tile_explained, timeout=60_000) as shown:
        at_mosaic.desk.explain_tile(75.0, 75.0)
    pictures = shown.args[0]
    assert list(pictures) == ["tile", "pool1", "pool2"]
    assert all(picture.shape == pictures["tile"].shape for picture in pictures.values())


def test_that_pooling_layers_are_chosen_and_heat_covers_what_is_hot() -> None:
    assert chosen_layers(["conv1", "pool1", "conv2", "pool2"]) == ("pool1", "pool2")
    assert chosen_layers([f"conv{n}" for n in range(9)]) == tuple(f"conv{n}" for n in range(3, 9))
    gray = np.full((40, 40, 3), 100, np.uint8)
    heat = ScoreMap(np.array([[0, 0], [0, 1]], np.float32), GridPlace(0, 0, 20, 20))
    found = heated(gray, heat, "inferno")
    assert np.array_equal(found[2, 2], gray[2, 2])
    assert not np.array_equal(found[38, 38], gray[38, 38])
