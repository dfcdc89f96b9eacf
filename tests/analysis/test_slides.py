"""Slides tile by tile: only tissue, resumed to the bit, nothing unreadable called negative, memory bounded."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pathview.analysis import slide_fine, slide_look, slide_run
from pathview.analysis.looks import OutlineLook, WindowLook
from pathview.analysis.pipeline import AnalysisRequest, Models, look_at
from pathview.analysis.slide_look import SlideLook
from pathview.analysis.slide_run import Watch, time_words
from pathview.analysis.slide_tiles import CellReader, cell_grid
from pathview.errors import ImageError, NotAnalysable
from pathview.geometry import Region, Size
from pathview.images.source import FlatImage, Level
from pathview.images.stain import normalised
from pathview.images.stain_sample import stains_of
from pathview.jobs import Cancelled, Progress, never, no_progress
from pathview.models.recipe import Recipe
from pathview.results.mask import measure
from pathview.results.tile_files import read_tiles
from pathview.results.tile_table import TileTable
from pathview.settings import Settings
from tests.analysis.slides import After, DarkNetwork, MadeSlide, said
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe

CELL = 200
"""Level-0 pixels of a tile of 50 pixels at 4 µm on a slide of 1 µm."""


@pytest.fixture
def slide(tmp_path: Path) -> MadeSlide:
    return MadeSlide(tmp_path / "Smith John.svs")


@pytest.fixture
def network() -> DarkNetwork:
    return DarkNetwork(tiny_cnn_recipe())


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches and blocks on a small slide."""
    monkeypatch.setattr(slide_run, "PATCH_BATCH", 4)
    monkeypatch.setattr(slide_run, "BLOCK_PX", 100)


def outlining() -> DarkNetwork:
    recipe = tiny_unet_recipe(
        kinds=["histology"],
        modalities=["SM"],
        default_for=[],
        input={"height": 64, "width": 64, "channels": 3, "mpp_um": 4.0, "overlap": 0.25},
        decision={"rule": "mask-sum", "lower": 10.0, "upper": 1e6},
    )
    return DarkNetwork(recipe)


def whole(slide: MadeSlide) -> FlatImage:
    """The same pixels in memory at the recipe's own scale."""
    pixels = slide.read_region(Region.whole(slide.size), 1)
    size = Size(pixels.shape[1], pixels.shape[0])
    info = replace(slide.info.with_mpp(4.0), size=size, levels=(Level(size, 1.0),), modality=None)
    return FlatImage(info, pixels)


def test_that_only_tissue_is_analysed_and_its_amount_told(slide: MadeSlide, network: DarkNetwork) -> None:
    found = said(slide, network)
    values = found.probability.values
    assert values.shape == (6, 8)
    assert (found.probability.place.cell_width, found.probability.smooth) == (CELL, False)
    rows, columns = np.nonzero(np.isfinite(values))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 4, 1, 5)
    tiles = found.provenance.settings["tiles"]
    assert tiles == {"analysed": 25, "skipped": 23, "unreadable": 0, "resumed": 0}
    assert found.score_name == "share of tissue tiles at 0.5 or more"
    assert found.score == np.mean(values[np.isfinite(values)] >= 0.5)
    sentence = next(flag.sentence for flag in found.flags if flag.code == "glass_left_out")
    assert sentence.startswith("25 of 48 tiles, 0.7")
    assert found.provenance.settings["tissue"]["area_mm2"] == pytest.approx(0.72, rel=0.1)
    assert "mask" not in found.provenance.settings
    assert found.mask == measure(found.probability, 0.5, found.size, found.spacing)


def test_that_a_tiles_probability_is_that_of_its_own_pixels(slide: MadeSlide, network: DarkNetwork) -> None:
    found = said(slide, network)
    pixels = slide.read_region(Region(2 * CELL, 3 * CELL, CELL, CELL), 1)
    assert found.probability.values[3, 2] == pytest.approx(1 - pixels.mean() / 255, abs=1e-4)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("stride", [None, 20])
def test_that_a_run_that_was_cancelled_goes_on_to_the_very_same_numbers(
    stride: int | None, slide: MadeSlide, network: DarkNetwork, settings: Settings
) -> None:
    uninterrupted = said(slide, network, stride=stride)
    images = network.images
    for tiles in (4, 12):
        cancel = After(tiles)
        with pytest.raises(Cancelled):
            said(slide, network, settings, cancel.sink, cancel, stride=stride)
    network.images = 0
    resumed = said(slide, network, settings, stride=stride)
    assert network.images < images
    assert np.array_equal(resumed.probability.values, uninterrupted.probability.values, equal_nan=True)
    assert (resumed.score, resumed.label, resumed.flags) == (
        uninterrupted.score,
        uninterrupted.label,
        uninterrupted.flags,
    )
    assert resumed.provenance.settings["tiles"]["resumed"] > 0


@pytest.mark.usefixtures("small_batches")
def test_that_a_run_that_died_in_a_batch_keeps_the_ones_before(
    slide: MadeSlide, network: DarkNetwork, settings: Settings
) -> None:
    def die(call: int) -> None:
        if call == 3:
            raise KeyboardInterrupt

    network.before = die
    with pytest.raises(KeyboardInterrupt):
        said(slide, network, settings)
    table = next(settings.slides_dir.glob("*.sqlite"))
    assert len(read_tiles(table)) == 12
    assert sum(tile.probability is not None for tile in read_tiles(table)) == 12
    fresh = DarkNetwork(network.recipe)
    found = said(slide, fresh, settings)
    assert found.provenance.settings["tiles"]["resumed"] == 12
    alone = said(slide, DarkNetwork(network.recipe))
    assert np.array_equal(found.probability.values, alone.probability.values, equal_nan=True)


def test_that_a_finished_run_is_taken_over_only_where_all_is_the_same(
    slide: MadeSlide, network: DarkNetwork, settings: Settings
) -> None:
    said(slide, network, settings)
    for change, images in (
        ({}, 0),
        ({"resume": False}, 25),
        ({"stride": 25}, None),
    ):
        network.images = 0
        said(slide, network, settings, **change)
        assert images is None or network.images == images
    other = DarkNetwork(tiny_cnn_recipe(title="Another"))
    said(slide, other, settings)
    assert other.images == 25
    slower = DarkNetwork(network.recipe, runtime="another")
    said(slide, slower, settings)
    assert slower.images == 25


def test_that_no_file_holds_the_images_name(slide: MadeSlide, network: DarkNetwork, settings: Settings) -> None:
    said(slide, network, settings)
    files = list(settings.slides_dir.iterdir())
    assert files
    for file in files:
        assert "smith" not in file.name.lower()
        assert b"smith" not in file.read_bytes().lower()


def test_that_a_damaged_table_is_begun_anew(slide: MadeSlide, network: DarkNetwork, settings: Settings) -> None:
    first = said(slide, network, settings)
    table = next(settings.slides_dir.glob("*.sqlite"))
    for damage in (b"no table at all", table.read_bytes()[:5000], b""):
        table.write_bytes(damage)
        again = said(slide, network, settings)
        assert np.array_equal(first.probability.values, again.probability.values, equal_nan=True)
        assert again.provenance.settings["tiles"]["resumed"] == 0


def test_that_one_slide_is_not_analysed_twice_at_once(
    slide: MadeSlide, network: DarkNetwork, settings: Settings
) -> None:
    said(slide, network, settings)
    path = next(settings.slides_dir.glob("*.sqlite"))
    table = TileTable(path, {}, resume=False)
    try:
        with pytest.raises(NotAnalysable, match=r"^Smith John\.svs is not analysed: PathView is at it already"):
            said(slide, network, settings)
    finally:
        table.close()


@pytest.mark.parametrize("task", ["patches", "outline"])
def test_that_a_damaged_tile_is_counted_and_keeps_a_slide_from_being_negative(
    task: str, slide: MadeSlide, network: DarkNetwork
) -> None:
    recipe = network.recipe if task == "patches" else outlining().recipe
    limits = {"lower": 0.4, "upper": 0.6, "share": [0.9, 0.99], "rule": "margin", "threshold": 0.99}
    if task == "outline":
        limits = {"lower": 1e9, "upper": 1e9, "rule": "mask-sum"}
    network = DarkNetwork(Recipe.model_validate(recipe.model_dump() | {"decision": limits}))
    assert said(slide, network).label == "negative"
    slide.damaged = (Region(2 * CELL + 10, 3 * CELL + 10, 5, 5),)  # in the overview too
    found = said(slide, network)
    assert found.label == "not_sure"
    tiles = found.provenance.settings["tiles"]
    assert tiles["unreadable"] == 1 if task == "patches" else tiles["unreadable"] >= 1
    sentence = next(flag.sentence for flag in found.flags if flag.code == "unreadable_tiles")
    assert "cannot be read, so it is not called negative." in sentence
    if task == "patches":
        assert np.isnan(found.probability.values[3, 2])
        assert np.isfinite(found.probability.values).sum() == 24


def test_that_damaged_tiles_are_tried_again(slide: MadeSlide, network: DarkNetwork, settings: Settings) -> None:
    slide.damaged = (Region(2 * CELL + 10, 3 * CELL + 10, 5, 5),)
    assert said(slide, network, settings).provenance.settings["tiles"]["unreadable"] == 1
    slide.damaged = ()
    found = said(slide, network, settings)
    assert found.provenance.settings["tiles"] == {"analysed": 25, "skipped": 23, "unreadable": 0, "resumed": 24}


def test_that_nothing_readable_is_no_result(slide: MadeSlide, network: DarkNetwork) -> None:
    slide.damaged = (Region(0, 0, 1100, 900),)
    with pytest.raises(NotAnalysable, match=r"is not analysed: none of its \d+ tiles of tissue can be read"):
        said(slide, network)


@pytest.mark.usefixtures("small_batches")
def test_that_a_file_that_has_gone_ends_the_run_and_keeps_what_is_done(
    slide: MadeSlide, network: DarkNetwork, settings: Settings
) -> None:
    def unplug(call: int) -> None:
        if call == 2:
            slide.path.unlink()
            slide.damaged = (Region.whole(slide.size),)

    network.before = unplug
    with pytest.raises(ImageError, match=r"Smith John\.svs cannot be read any more; what was analysed is kept"):
        said(slide, network, settings)
    tiles = read_tiles(next(settings.slides_dir.glob("*.sqlite")))
    assert tiles
    assert {tile.status for tile in tiles} == {"analysed"}


def test_that_a_slide_without_tissue_is_not_analysed(tmp_path: Path, network: DarkNetwork) -> None:
    empty = MadeSlide(tmp_path / "a.svs", tissue=Region(0, 0, 0, 0))
    with pytest.raises(NotAnalysable, match=r"^a\.svs is not analysed: it shows no tissue, only empty glass\.$"):
        said(empty, network)


def test_that_a_slide_without_pixel_size_says_what_is_needed(tmp_path: Path, network: DarkNetwork) -> None:
    unknown = MadeSlide(tmp_path / "a.svs", mpp_um=None)
    with pytest.raises(NotAnalysable, match="the file states no pixel size and the recipe needs 4 µm a pixel"):
        said(unknown, network)
    recipe = tiny_cnn_recipe(input=tiny_cnn_recipe().input.model_dump() | {"mpp_um": None})
    found = said(unknown, DarkNetwork(recipe))
    assert found.probability.values.shape == (24, 32)
    assert found.provenance.settings["tissue"]["area_mm2"] is None


def test_that_a_slide_of_one_level_gives_what_one_of_many_does(tmp_path: Path, network: DarkNetwork) -> None:
    many = said(MadeSlide(tmp_path / "a.svs"), network)
    one = said(MadeSlide(tmp_path / "b.svs", downsamples=(1,)), network)
    assert np.array_equal(np.isnan(one.probability.values), np.isnan(many.probability.values))
    assert np.nanmax(np.abs(one.probability.values - many.probability.values)) < 0.05


def test_that_a_scale_between_levels_keeps_cells_on_whole_pixels(tmp_path: Path, network: DarkNetwork) -> None:
    slide = MadeSlide(tmp_path / "a.svs", mpp_um=0.499, size=Size(3333, 2222), tissue=Region(0, 0, 3333, 2222))
    grid = cell_grid(slide.info, network.recipe)
    assert (grid.level, grid.step) == (1, Size(100, 100))
    assert grid.place.cell_width * 0.499 == pytest.approx(200, rel=0.01)
    found = said(slide, network)
    assert np.isfinite(found.probability.values).all()
    edges = [grid.cell_region(number) for number in range(grid.shape[0] * grid.shape[1])]
    assert sum(region.size.pixels for region in edges) == slide.size.pixels
    boxes = grid.cell_boxes(np.arange(len(edges)))
    assert [Region(*box) for box in boxes.tolist()] == edges


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("stride", [10, 20])
def test_that_a_fine_map_equals_that_of_the_whole_image(
    stride: int, slide: MadeSlide, network: DarkNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slide_fine, "BLOCK_PX", 100)
    found = said(slide, network, stride=stride)
    look = WindowLook(whole(slide), network, 0, stride)
    expected = look.probability(no_progress, never())
    assert found.probability.values.shape == expected.values.shape
    assert found.probability.place.cell_width == 4 * expected.place.cell_width
    both = np.isfinite(found.probability.values) & np.isfinite(expected.values)
    assert both.sum() > 0.9 * np.isfinite(expected.values).sum()
    assert np.abs(found.probability.values - expected.values)[both].max() < 2e-3
    assert found.score == said(slide, network).score


def test_that_a_stride_without_sense_is_refused(
    slide: MadeSlide, network: DarkNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotAnalysable, match="a stride of 51 leaves gaps"):
        said(slide, network, stride=51)
    monkeypatch.setattr(slide_fine, "MAP_CELLS", 100)
    with pytest.raises(NotAnalysable, match=r"a stride of 10 asks for a map of \d+ x \d+ cells"):
        said(slide, network, stride=10)
    with pytest.raises(NotAnalysable, match="outlines and has no stride"):
        said(slide, outlining(), stride=10)


@pytest.mark.parametrize("cancelled_at", [None, 5])
def test_that_an_outline_has_no_seams_and_is_resumed(
    cancelled_at: int | None, slide: MadeSlide, settings: Settings
) -> None:
    network = outlining()
    if cancelled_at is not None:
        cancel = After(cancelled_at)
        with pytest.raises(Cancelled):
            said(slide, network, settings, cancel.sink, cancel)
    found = said(slide, network, settings).probability
    expected = OutlineLook(whole(slide), network, 0).probability(no_progress, never())
    assert found.values.shape == expected.values.shape
    seen = np.isfinite(found.values)
    assert seen[30:220, 60:270].all()
    assert not seen.all()
    assert np.abs(found.values - expected.values)[seen].max() < 1e-5
    alone = said(slide, network).probability
    assert np.array_equal(found.values, alone.values, equal_nan=True)


def test_that_a_large_outline_is_brought_down(slide: MadeSlide, monkeypatch: pytest.MonkeyPatch) -> None:
    full = said(slide, outlining()).probability
    monkeypatch.setattr(slide_fine, "MAP_CELLS", full.values.size // 4)
    small = said(slide, outlining()).probability
    assert small.values.shape == (150, 200)
    assert small.place.cell_width == 2 * full.place.cell_width
    inner = full.values[40:200, 80:240].reshape(80, 2, 80, 2).mean(axis=(1, 3))
    assert np.allclose(small.values[20:100, 40:120], inner, atol=1e-5)


def test_that_memory_stays_bounded_on_a_huge_slide(tmp_path: Path, network: DarkNetwork, settings: Settings) -> None:
    """40 gigapixels, 120 GB as an array; tissue of 8000 x 8000 pixels."""
    huge = MadeSlide(
        tmp_path / "a.svs", Size(200_000, 200_000), Region(60_000, 90_000, 8_000, 8_000), (1, 4, 16, 64, 256), 0.25
    )
    said(huge, DarkNetwork(network.recipe), settings)  # imports and caches
    tracemalloc.start()
    found = said(huge, network, settings, resume=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.provenance.settings["tiles"]["analysed"] >= 100
    assert huge.largest <= 16 * 2**20
    assert peak < 300 * 2**20


def test_that_progress_tells_tiles_and_time() -> None:
    now = [0.0]
    steps: list[Progress] = []
    watch = Watch(12_400, 400, steps.append, clock=lambda: now[0])
    now[0] = 30.0
    watch.step(2_720)
    assert steps[0].message == "400 of 12,400 tiles"
    assert steps[1].message == "3,120 of 12,400 tiles, about 2 min left"
    assert (steps[1].done, steps[1].total) == (3120, 12400)
    words = [time_words(seconds) for seconds in (3, 44, 70, 3400, 3700, 9000)]
    assert words == ["10 s", "40 s", "1 min", "57 min", "1 h", "2 h 30 min"]


def test_that_progress_rises_to_the_end(slide: MadeSlide, network: DarkNetwork, settings: Settings) -> None:
    steps: list[Progress] = []
    said(slide, network, settings, steps.append, stride=20)
    shares = [step.fraction for step in steps if step.fraction is not None]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any("25 of 25 tiles" in step.message for step in steps)


def test_that_small_images_and_other_recipes_keep_their_way(tmp_path: Path, network: DarkNetwork) -> None:
    slide = MadeSlide(tmp_path / "a.svs")
    request = AnalysisRequest(tmp_path)
    assert isinstance(look_at(slide, Models(network), request), SlideLook)
    photograph = whole(slide)
    assert not isinstance(look_at(photograph, Models(network), request), SlideLook)
    stretched = tiny_cnn_recipe(input={"height": 50, "width": 50, "channels": 3, "fit": "stretch"})
    assert not isinstance(look_at(slide, Models(DarkNetwork(stretched)), request), SlideLook)
    narrow = MadeSlide(tmp_path / "b.svs", Size(150, 900), Region(0, 0, 150, 900), (1,))
    assert not isinstance(look_at(narrow, Models(network), request), SlideLook)


def test_that_cells_at_the_edge_are_filled_by_their_mirror_image(tmp_path: Path, network: DarkNetwork) -> None:
    slide = MadeSlide(tmp_path / "a.svs", Size(1000, 1000), Region(0, 0, 1000, 1000), (1, 4))
    recipe = tiny_cnn_recipe(input=tiny_cnn_recipe().input.model_dump() | {"mpp_um": 6.0})
    grid = cell_grid(slide.info, recipe)
    assert grid.shape == (4, 4)
    block = CellReader(slide, grid).read(3, 3, np.ones((1, 1), np.bool_))
    inside = grid.working[0] - 150
    assert 0 < inside < 50
    assert np.array_equal(block.pixels[inside], block.pixels[inside - 1])


def test_that_stains_are_normalised_by_those_of_the_whole_slide(
    slide: MadeSlide, network: DarkNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_cnn_recipe(input=tiny_cnn_recipe().input.model_dump() | {"stain": "macenko"})
    found = said(slide, DarkNetwork(recipe))
    stains, reason = stains_of(slide)
    flags = [flag.sentence for flag in found.flags if flag.code == "stain_not_normalised"]
    assert flags == ([f"Its stains were not normalised, because {reason}."] if reason else [])
    pixels = normalised(slide.read_region(Region(2 * CELL, 3 * CELL, CELL, CELL), 1), stains)
    assert found.probability.values[3, 2] == pytest.approx(1 - pixels.mean() / 255, abs=1e-4)
    monkeypatch.setattr(slide_look, "stains_of", lambda *_: (None, "only one stain can be told"))
    plain = said(slide, DarkNetwork(recipe))
    assert plain.flags[-2].sentence == "Its stains were not normalised, because only one stain can be told."
    assert np.array_equal(plain.probability.values, said(slide, network).probability.values, equal_nan=True)
