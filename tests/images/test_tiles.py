from __future__ import annotations

import math
import os
import signal
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pathview.compute.worker import Worker
from pathview.errors import ImageError, WorkerDied
from pathview.geometry import Size
from pathview.images import tile_reader
from pathview.images.damage import DAMAGED_GRAY
from pathview.images.tiff_pyramid import TiffPyramid
from pathview.images.tile_reader import TileReader
from pathview.images.tiles import (
    Look,
    TileCache,
    TileKey,
    Tiles,
    keys_for,
    level_for_scale,
    load_tiles,
    tile_region,
    top_level,
)
from pathview.jobs import Cancelled, Progress, never, no_progress
from pathview.settings import Settings
from tests.images.slides import halved, spoil_tile, tissue_pixels, write_ome, write_pyramid
from tests.images.test_color_profile import matrix_profile

PIXELS = tissue_pixels(1500, 2600)
SIZE = Size(2600, 1500)


@pytest.fixture(autouse=True)
def nothing_open():
    """Slides stay open for the next tiles; here each test has its own."""
    yield
    while tile_reader._READERS:
        tile_reader._READERS.popitem()[1].close()


def loaded(path: Path, keys: list[TileKey], look: Look | None = None, settings: Settings | None = None) -> Tiles:
    return load_tiles(path, settings or Settings(), None, keys, look or Look(), no_progress, never())


def all_keys(size: Size) -> list[TileKey]:
    keys = []
    for level in range(top_level(size) + 1):
        side = 512 << level
        columns, rows = math.ceil(size.width / side), math.ceil(size.height / side)
        keys += [TileKey(level, column, row) for row in range(rows) for column in range(columns)]
    return keys


def put_together(tiles: Tiles, level: int) -> np.ndarray:
    mine = {key: pixels for key, pixels in tiles.items() if key.level == level}
    rows, columns = 1 + max(key.row for key in mine), 1 + max(key.column for key in mine)
    return np.vstack([np.hstack([mine[TileKey(level, c, r)] for c in range(columns)]) for r in range(rows)])


LAYOUTS = {
    "pyramid": lambda folder: write_pyramid(folder / "slide.tif", PIXELS),
    "one level": lambda folder: write_pyramid(folder / "one.tif", PIXELS, levels=1),
    "sub levels": lambda folder: write_ome(folder / "slide.ome.tif", PIXELS),
    "by four": lambda folder: write_by_four(folder / "four.tif", compression="deflate"),
    "by four, not for OpenSlide": lambda folder: write_by_four(folder / "odd.tif"),
    "flat": lambda folder: write_flat(folder / "flat.png"),
}


def write_by_four(path: Path, **more: str) -> Path:
    import tifffile

    options = {"tile": (240, 240), "photometric": "rgb", "metadata": None, **more}
    with tifffile.TiffWriter(path) as writer:
        writer.write(PIXELS, resolution=(20000, 20000), resolutionunit="CENTIMETER", **options)
        writer.write(halved(PIXELS, 2), subfiletype=1, **options)
    return path


def write_flat(path: Path) -> Path:
    Image.fromarray(PIXELS).save(path, compress_level=1)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_that_tiles_of_any_file_make_the_image_at_every_level(tmp_path: Path, layout: str) -> None:
    tiles = loaded(LAYOUTS[layout](tmp_path), all_keys(SIZE))
    assert list(tiles) == all_keys(SIZE)
    assert (tiles.damaged, tiles.notice) == (frozenset(), "")
    assert np.array_equal(put_together(tiles, 0), PIXELS)
    for level in range(1, top_level(SIZE) + 1):
        shown = put_together(tiles, level)
        wanted = cv2.resize(PIXELS, (shown.shape[1], shown.shape[0]), interpolation=cv2.INTER_AREA)
        assert np.abs(shown.astype(int) - wanted).mean() < 2.5  # half a pixel of a coarse level at the edges
        assert shown.shape[:2] == SIZE.scaled(1 / 2**level).shape


def test_that_a_slide_without_coarse_levels_gets_them_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tile_reader, "_MADE_SIDE", 700)
    path = write_pyramid(tmp_path / "one.tif", PIXELS, levels=1)
    steps: list[Progress] = []
    tiles = load_tiles(path, Settings(), None, [TileKey(3, 0, 0)], Look(), steps.append, never())
    assert steps[0].message == "the slide has no overview; one is made"
    wanted = cv2.resize(PIXELS, (325, 188), interpolation=cv2.INTER_AREA)
    assert np.abs(tiles[TileKey(3, 0, 0)].astype(int) - wanted).mean() < 2.5
    steps.clear()
    monkeypatch.setattr(TileReader, "_read", None)  # all that is coarser comes from memory now
    again = load_tiles(path, Settings(), None, [TileKey(2, 1, 0), TileKey(3, 0, 0)], Look(), steps.append, never())
    assert {step.message for step in steps} == {"reading tiles"}
    assert np.array_equal(again[TileKey(3, 0, 0)], tiles[TileKey(3, 0, 0)])


def test_that_making_levels_goes_on_where_it_was_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_reader, "_MADE_SIDE", 1400)
    path = write_pyramid(tmp_path / "one.tif", PIXELS, levels=1)
    stop = threading.Event()

    def enough(step: Progress) -> None:
        if step.done == 2:
            stop.set()

    with pytest.raises(Cancelled):
        load_tiles(path, Settings(), None, [TileKey(3, 0, 0)], Look(), enough, stop)
    left = len(next(iter(tile_reader._READERS.values())).pending)
    assert 0 < left <= 4
    steps: list[Progress] = []
    load_tiles(path, Settings(), None, [TileKey(3, 0, 0)], Look(), steps.append, never())
    assert sum(step.message.startswith("the slide") for step in steps) == left


def test_that_a_large_tile_is_read_in_parts(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "one.tif", PIXELS, levels=1)
    whole = loaded(path, [TileKey(3, 0, 0)])[TileKey(3, 0, 0)]
    parts = loaded(path, [TileKey(3, 0, 0)], settings=Settings(slide_region_pixels=500_000))[TileKey(3, 0, 0)]
    assert parts.shape == whole.shape
    assert np.abs(parts.astype(int) - whole).mean() < 3


@pytest.mark.parametrize("write", [write_pyramid, write_ome])
def test_that_a_damaged_tile_is_crossed_and_told_once(tmp_path: Path, write) -> None:
    path = write(tmp_path / "slide.tif", PIXELS)
    spoil_tile(path, 12)  # the second one in the second row, at 256, 256
    tiles = loaded(path, all_keys(SIZE))
    assert tiles.damaged == {TileKey(0, 0, 0)}
    assert tiles.notice.startswith("Parts of slide.tif are damaged")
    assert tiles[TileKey(0, 0, 0)][260, 500].tolist() == [DAMAGED_GRAY] * 3
    assert np.array_equal(tiles[TileKey(0, 0, 0)][:256], PIXELS[:256, :512])
    assert np.array_equal(tiles[TileKey(0, 1, 0)], PIXELS[:512, 512:1024])
    again = loaded(path, [TileKey(0, 0, 0), TileKey(0, 1, 1)])
    assert again.damaged == {TileKey(0, 0, 0)}
    assert again.notice == ""


def test_that_a_plain_tiff_is_read_without_openslide_and_the_real_slide_is_too_in_time(
    tmp_path: Path, data_dir: Path
) -> None:
    plain = TileReader(write_pyramid(tmp_path / "slide.tif", PIXELS, compression="jpeg"), Settings())
    assert isinstance(plain._pixels, TiffPyramid)
    plain.close()
    real = TileReader(data_dir / "slides" / "cmu-1-small-region.svs", Settings())
    assert real._pixels is real._source
    by_openslide, _ = real.tile(0, 2, 3)
    real.begin()
    real.begin()
    assert isinstance(real._pixels, TiffPyramid)
    assert np.abs(real.tile(0, 2, 3)[0].astype(int) - by_openslide).max() <= 2
    real.close()


def test_that_a_slide_cut_off_shows_what_is_there(tmp_path: Path) -> None:
    import tifffile

    path = write_pyramid(tmp_path / "slide.tif", PIXELS)
    with tifffile.TiffFile(path) as tiff:
        offsets = tiff.pages[0].dataoffsets
        sizes = tiff.pages[0].databytecounts
    data = bytearray(path.read_bytes())
    for offset, size in zip(offsets[30:], sizes[30:], strict=True):
        data[offset : offset + size] = b"\0" * size
    path.write_bytes(data)
    tiles = loaded(path, [key for key in all_keys(SIZE) if key.level == 0])
    assert TileKey(0, 0, 0) not in tiles.damaged
    assert {TileKey(0, 0, 2), TileKey(0, 5, 2)} <= tiles.damaged


def test_that_a_slide_that_went_away_says_so(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "slide.tif", PIXELS)
    loaded(path, [TileKey(0, 0, 0)])
    path.unlink()
    with pytest.raises(ImageError, match=r"slide.tif does not exist"):
        loaded(path, [TileKey(0, 1, 0)])


def test_that_tiles_beyond_the_image_are_left_out(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "slide.tif", PIXELS)
    odd = [TileKey(0, 6, 0), TileKey(-1, 0, 0), TileKey(9, 0, 0), TileKey(0, -1, 0), TileKey(0, 5, 2), TileKey(0, 5, 2)]
    assert [(key, pixels.shape) for key, pixels in loaded(path, odd).items()] == [(TileKey(0, 5, 2), (476, 40, 3))]


def test_that_profiles_and_channels_are_shown_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(PIXELS).save(path, icc_profile=matrix_profile(), compress_level=1)
    key = TileKey(1, 1, 0)
    plain = loaded(path, [key], Look(icc=False))[key]
    assert np.abs(loaded(path, [key])[key].astype(int) - plain).max() > 5
    stained = loaded(path, [key], Look(False, "haematoxylin"))[key]
    assert stained.shape == plain.shape
    assert not np.array_equal(stained, plain)


def test_that_few_images_stay_open_and_large_ones_alone(tmp_path: Path) -> None:
    paths = []
    for number in range(5):
        paths.append(write_flat(tmp_path / f"{number}.png"))
        loaded(paths[-1], [TileKey(0, 0, 0)])
    assert [path for path, *_ in tile_reader._READERS] == paths[-3:]
    small = Settings(frame_cache_bytes=1000)
    loaded(paths[0], [TileKey(0, 0, 0)], settings=small)
    loaded(paths[1], [TileKey(0, 0, 0)], settings=small)
    assert [path for path, *_ in tile_reader._READERS] == [paths[1]]


def test_that_tiles_come_from_a_child_and_an_aborting_reader_dies_there(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "slide.tif", PIXELS)
    spoil_tile(path, 12)
    worker = Worker("reading")
    try:
        tiles = worker.run(load_tiles, path, Settings(), None, all_keys(SIZE)[:4], Look())
        assert (list(tiles), tiles.damaged) == (all_keys(SIZE)[:4], {TileKey(0, 0, 0)})
        assert tiles.notice.startswith("Parts of")
        with pytest.raises(WorkerDied, match="signal"):
            worker.run(abort)
        assert np.array_equal(
            worker.run(load_tiles, path, Settings(), None, [TileKey(0, 1, 0)], Look())[TileKey(0, 1, 0)],
            PIXELS[:512, 512:1024],
        )
    finally:
        worker.close()


def abort(progress, cancel) -> None:
    os.kill(os.getpid(), signal.SIGABRT)


SIZES = st.builds(Size, st.integers(1, 200_000), st.integers(1, 200_000))


@given(SIZES)
def test_that_the_top_level_is_one_tile_and_the_one_below_is_not(size: Size) -> None:
    top = top_level(size)
    assert tile_region(top, 0, 0, size).size == size
    assert top == 0 or tile_region(top - 1, 0, 0, size).size != size


@given(SIZES, st.floats(-0.5, 1.2), st.floats(-0.5, 1.2), st.floats(0.001, 16), st.floats(-9e4, 9e4))
def test_that_what_is_visible_comes_first_and_covers_the_view(size, left, top, scale, motion) -> None:
    rect = (left * size.width, top * size.height, 1920 / scale, 1080 / scale)
    keys = keys_for(rect, scale, size, (motion, -motion))
    level = level_for_scale(scale, size)
    assert len(keys) == len(set(keys))
    assert all(0 <= key.level <= top_level(size) and key.region(size).size.pixels for key in keys)
    standing = keys_for(rect, scale, size)
    assert keys[: len(standing)] == standing
    levels = [key.level for key in standing]
    visible = levels.count(level)
    assert levels == [level] * visible + sorted(levels[visible:], reverse=True)
    assert visible <= 5 * 4 * 4 + 20
    for share_x, share_y in ((0, 0), (0.5, 0.5), (0.99, 0.3)):
        x, y = rect[0] + share_x * rect[2], rect[1] + share_y * rect[3]
        if 0 <= x < size.width and 0 <= y < size.height:
            side = 512 << level
            assert TileKey(level, int(x // side), int(y // side)) in standing[:visible]


def test_that_the_middle_comes_first_and_the_way_ahead_last() -> None:
    size = Size(40_000, 40_000)
    keys = keys_for((10_000, 10_000, 1920, 1080), 1.0, size, (2000, 0))
    assert keys[0] == TileKey(0, 21, 20)
    ahead = [key for key in keys if key.level == 0 and key.column * 512 >= 11_920]
    assert len(ahead) == 4 * 3
    assert keys[-1] in ahead
    assert [key.column for key in ahead] == sorted(key.column for key in ahead)
    assert keys_for((50_000, 0, 100, 100), 1.0, size) == []


def test_that_levels_are_as_fine_as_the_screen() -> None:
    size = Size(40_000, 40_000)
    scales = {4.0: 0, 1.0: 0, 0.6: 0, 0.5: 1, 0.27: 1, 0.25: 2, 0.027: 5, 0.0001: 7}
    assert {scale: level_for_scale(scale, size) for scale in scales} == scales


def test_that_the_cache_is_bounded_and_gives_the_nearest_coarser_tile() -> None:
    tile = np.zeros((512, 512, 3), np.uint8)
    cache = TileCache(3 * tile.nbytes)
    fine, coarse, coarsest = TileKey(0, 5, 7), TileKey(2, 1, 1), TileKey(4, 0, 0)
    cache.put(coarsest, tile)
    cache.put(coarse, tile)
    assert cache.best(fine)[0] == coarse
    assert cache.best(TileKey(0, 9, 9))[0] == coarsest
    assert cache.best(fine, top=1) is None
    cache.put(fine, tile)
    assert cache.best(fine)[0] == fine
    assert cache.missing([fine, TileKey(0, 6, 7)]) == [TileKey(0, 6, 7)]
    cache.get(coarsest)
    cache.put(TileKey(0, 6, 7), tile)
    assert cache.nbytes == 3 * tile.nbytes
    assert coarse not in cache  # used the longest ago
    assert cache.best(TileKey(0, 4, 7))[0] == coarsest
    cache.put(TileKey(0, 9, 9), np.zeros((2048, 2048, 3), np.uint8))
    assert TileKey(0, 9, 9) not in cache
    cache.put(fine, tile[:10])
    assert cache.nbytes == 2 * tile.nbytes + tile[:10].nbytes
    cache.clear()
    assert (len(cache), cache.nbytes) == (0, 0)


def test_that_the_real_slide_is_read_by_tiles(data_dir: Path) -> None:
    path = data_dir / "slides" / "cmu-1-small-region.svs"
    tiles = loaded(path, [TileKey(3, 0, 0), TileKey(0, 1, 2)])
    assert [pixels.shape for pixels in tiles.values()] == [(371, 278, 3), (512, 512, 3)]
