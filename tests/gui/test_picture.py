from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pathview.geometry import GridPlace, Region, Size, Turn
from pathview.gui.viewer.picture import OUTLINE_BGRA, SURROUND_BGRA, Compositor, Overlay, Tone, map_on_screen
from pathview.gui.viewer.tiled import TiledPicture
from pathview.gui.viewer.view import View, linear
from pathview.images.intensity import Window
from pathview.images.pyramid import Patch, PictureData
from pathview.images.raster import flat_image
from pathview.images.tiles import TileKey
from pathview.results.result import ScoreMap

RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 256, (90, 120)).astype(np.uint8)


def compositor(pixels: np.ndarray, partial: bool = False) -> Compositor:
    image = flat_image(Path("x"), "x", pixels)
    shown = image.pixels.astype(np.uint16) if image.pixels.ndim == 2 else image.pixels
    levels = [Patch(Region.whole(image.info.size), shown)]
    while max(levels[-1].pixels.shape[:2]) > 16:
        rows, columns = levels[-1].pixels.shape[:2]
        half = cv2.resize(levels[-1].pixels, ((columns + 1) // 2, (rows + 1) // 2), interpolation=cv2.INTER_AREA)
        levels.append(Patch(levels[0].region, half))
    return Compositor(PictureData(image.info, image.scale, 0, tuple(levels[-1:] if partial else levels), partial))


def test_that_one_to_one_shows_every_pixel_as_it_is() -> None:
    found = compositor(CODES).compose(View(10, 20, 1.0, 50, 40), Tone(), Overlay())
    assert np.array_equal(found[..., 0], CODES[20:60, 10:60])
    assert np.array_equal(found[..., 0], found[..., 2])


def test_that_large_zoom_shows_pixels_as_squares() -> None:
    found = compositor(CODES).compose(View(10, 20, 8.0, 80, 80), Tone(), Overlay())[..., 0]
    assert np.array_equal(found, np.kron(CODES[20:30, 10:20], np.ones((8, 8), np.uint8)))


def test_that_a_small_view_is_a_mean_and_not_a_pick() -> None:
    board = np.indices((128, 128)).sum(0) % 2 * 255
    found = compositor(board.astype(np.uint8)).compose(View(0, 0, 0.25, 32, 32), Tone(), Overlay())[..., 0]
    assert found.min() >= 120
    assert found.max() <= 135


def test_that_nothing_of_the_image_is_painted_beyond_its_edge() -> None:
    found = compositor(CODES).compose(View(-20, -10, 1.0, 160, 110), Tone(), Overlay())
    assert np.array_equal(found[10:100, 20:140, 0], CODES)
    outside = np.ones((110, 160), bool)
    outside[10:100, 20:140] = False
    assert (found[outside] == SURROUND_BGRA).all()


def test_that_colour_stays_colour_and_can_be_inverted() -> None:
    pixels = RNG.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    painter = compositor(pixels)
    view = View(0, 0, 1.0, 50, 40)
    assert np.array_equal(painter.compose(view, Tone(), Overlay())[..., 2::-1], pixels)
    assert np.array_equal(painter.compose(view, Tone(invert=True), Overlay())[..., 2::-1], 255 - pixels)


def test_that_a_window_changes_grey_at_once() -> None:
    painter = compositor(CODES)
    view = View(0, 0, 1.0, 120, 90)
    dark = painter.compose(view, Tone(Window(250, 10)), Overlay())
    bright = painter.compose(view, Tone(Window(5, 10)), Overlay())
    assert dark[..., 0].mean() < 20
    assert bright[..., 0].mean() > 230


MAP = ScoreMap(np.pad(np.ones((3, 4), np.float32), 3), GridPlace(0, 0, 12, 10), smooth=False)


def test_that_the_outline_runs_around_the_mask() -> None:
    found = compositor(CODES).compose(View(0, 0, 1.0, 120, 90), Tone(), Overlay(MAP, 0.5))
    line = (found == OUTLINE_BGRA).all(axis=2)
    rows, columns = np.nonzero(line)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (28, 61, 34, 85)
    assert not line[30:60, 36:84].any()


def test_that_the_screens_mask_is_the_exact_one_up_to_a_pixel() -> None:
    from pathview.results.mask import full_mask

    values = cv2.GaussianBlur(RNG.random((9, 10)).astype(np.float32), (0, 0), 1)
    score_map = ScoreMap(values, GridPlace(0, 0, 12, 10))
    exact = full_mask(score_map, 0.5, Size(120, 90)) > 0
    screen = map_on_screen(score_map, View(0, 0, 1.0, 120, 90), Size(120, 90)) >= 0.5
    assert np.mean(exact != screen) < 0.01


@pytest.mark.parametrize("smooth", [True, False])
def test_that_cells_that_reach_beyond_the_image_are_cut_at_its_edge(smooth: bool) -> None:
    values = np.ones((3, 4), np.float32)
    score_map = ScoreMap(values, GridPlace(0, 0, 40, 40), smooth=smooth)
    screen = map_on_screen(score_map, View(0, 0, 1.0, 200, 200), Size(120, 90))
    assert (screen[:90, :120] == 1).all()
    assert (screen[90:] == -1).all()
    assert (screen[:, 120:] == -1).all()


def test_that_heat_leaves_gaps_alone_and_little_heat_lets_the_image_through() -> None:
    values = np.array([[0.0, 1.0, np.nan]], np.float32)
    heat = ScoreMap(values, GridPlace(0, 0, 40, 90), smooth=False)
    plain = compositor(CODES).compose(View(0, 0, 1.0, 120, 90), Tone(), Overlay())
    hot = compositor(CODES).compose(View(0, 0, 1.0, 120, 90), Tone(), Overlay(heat=heat))
    assert np.array_equal(hot[:, :40], plain[:, :40])
    assert np.array_equal(hot[:, 80:], plain[:, 80:])
    assert not np.array_equal(hot[:, 40:80], plain[:, 40:80])


def test_that_a_new_threshold_never_shows_an_old_mask() -> None:
    painter = compositor(CODES)
    view = View(0, 0, 1.0, 120, 90)
    first = painter.compose(view, Tone(), Overlay(MAP, 0.5))
    gone = painter.compose(view, Tone(), Overlay(ScoreMap(MAP.values * 0.4, MAP.place, False), 0.5))
    again = painter.compose(view, Tone(), Overlay(MAP, 0.5))
    assert not (gone == OUTLINE_BGRA).all(axis=2).any()
    assert np.array_equal(first, again)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("cell", [1.0, 3.7, 8.0])
@pytest.mark.parametrize("scale", [0.31, 0.5, 0.9, 1.0, 1.7, 2.75, 5.5])
@pytest.mark.parametrize("corner", [(-40.3, -7.9), (0.0, 0.0), (11.7, 20.2), (95.1, 31.6), (4000.0, -9000.0)])
def test_that_cells_are_interpolated_where_they_lie(
    corner: tuple[float, float], scale: float, cell: float, dtype: type
) -> None:
    cells = (np.arange(90)[:, None] + np.arange(120)[None]).astype(dtype)
    view = View(corner[0] * cell, corner[1] * cell, scale / cell, 67, 41)
    x = np.clip(corner[0] + (np.arange(67) + 0.5) / scale - 0.5, 0, 119)
    y = np.clip(corner[1] + (np.arange(41) + 0.5) / scale - 0.5, 0, 89)
    # A screen pixel is 1 / scale cells, of which a thirty-second may be missed each way; bytes are rounded twice.
    rounded = {np.uint8: 1.0, np.uint16: 0.51, np.float32: 1e-3}[dtype]
    missed = 2 / 32 / scale + rounded
    np.testing.assert_allclose(linear(cells, view, cell, cell), y[:, None] + x[None], rtol=0, atol=missed)


@pytest.mark.parametrize("turn", [Turn(), Turn().quarter(), Turn(mirror_x=True)])
def test_that_tiles_are_asked_for_and_shown_where_they_belong_however_the_image_is_turned(turn: Turn) -> None:
    pixels = RNG.integers(0, 256, (900, 1300, 3)).astype(np.uint8)
    info = replace(flat_image(Path("x"), "x", pixels).info, turn=turn)
    shown = turn.array(pixels)
    whole = Region.whole(info.shown_size)
    overview = cv2.resize(shown, (whole.width // 8, whole.height // 8), interpolation=cv2.INTER_AREA)
    data = PictureData(info, None, 0, (Patch(whole, overview),), True)
    tiled = TiledPicture(data)
    painter = Compositor(data, tiled)
    view = View(300, 200, 1.0, 400, 300)
    wanted = tiled.missing(view)
    before = painter.compose(view, Tone(), Overlay()).copy()
    tiled.add({key: _cut(pixels, key) for key in wanted})
    assert tiled.missing(view) == []
    found = painter.compose(view, Tone(), Overlay())
    assert np.array_equal(found[..., 2::-1], shown[200:500, 300:700])
    assert not np.array_equal(before, found)
    middle = turn.to_stored(500.5, 350.5, info.size)
    assert np.array_equal(tiled.value_at(int(middle[0]), int(middle[1])), shown[350, 500])
    tiled.clear()
    assert tiled.missing(view) == wanted


def _cut(pixels: np.ndarray, key: TileKey) -> np.ndarray:
    region = key.region(Size(pixels.shape[1], pixels.shape[0]))
    cut = pixels[region.y : region.bottom, region.x : region.right]
    size = region.size.scaled(1 / (1 << key.level))
    return cv2.resize(cut, (size.width, size.height), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("scale", [0.31, 0.77, 1.0, 3.3])
def test_that_a_view_far_from_the_image_is_all_surround(scale: float) -> None:
    found = compositor(CODES).compose(View(5000, -8000, scale, 30, 20), Tone(), Overlay(MAP, 0.5, heat=MAP))
    assert (found == SURROUND_BGRA).all()
