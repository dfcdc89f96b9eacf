"""What a slide's run does on its way: batches beside each other, and which cells are glass."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from pathview.analysis import slide_run
from pathview.analysis.predict import GLASS_GRAY, is_glass
from pathview.analysis.slide_run import glass_of, lanes_of
from pathview.jobs import Cancelled
from pathview.results.tile_files import read_tiles
from pathview.settings import Settings
from tests.analysis.slides import After, DarkNetwork, MadeSlide, said
from tests.makers import tiny_cnn_recipe

PATIENCE_S = 20


@pytest.fixture
def slide(tmp_path: Path) -> MadeSlide:
    return MadeSlide(tmp_path / "a.svs")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> DarkNetwork:
    """For the slide's 25 tiles in four batches."""
    monkeypatch.setattr(slide_run, "PATCH_BATCH", 7)
    monkeypatch.setattr(slide_run, "BLOCK_PX", 100)
    return DarkNetwork(tiny_cnn_recipe())


def test_that_batches_run_beside_each_other_to_the_very_same_numbers(
    slide: MadeSlide, network: DarkNetwork, settings: Settings
) -> None:
    alone, meeting = said(slide, network), threading.Barrier(2)

    def together(images: np.ndarray) -> np.ndarray:
        meeting.wait(PATIENCE_S)
        return network.predict(images)

    network.lanes = (together, together)
    cancel = After(10**6)
    found = said(slide, network, settings, cancel.sink)
    assert np.array_equal(found.probability.values, alone.probability.values, equal_nan=True)
    told = [step.message.split(" of ")[0].split()[-1] for step in cancel.steps if " of 25" in step.message]
    assert told == ["0", "7", "14", "21", "25"]
    numbers = [tile.number for tile in read_tiles(next(settings.slides_dir.glob("*.sqlite")))]
    assert len(numbers) == 25


def test_that_a_batch_that_fails_keeps_those_that_ran_beside_it(
    slide: MadeSlide, network: DarkNetwork, settings: Settings
) -> None:
    alone, meeting, turns = said(slide, network), threading.Barrier(2), iter(range(9))

    def together(images: np.ndarray) -> np.ndarray:
        turn = next(turns)
        if turn < 2:
            meeting.wait(PATIENCE_S)
        if turn == 0:
            raise MemoryError
        return network.predict(images)

    network.lanes = (together, together)
    with pytest.raises(MemoryError):
        said(slide, network, settings)
    kept = read_tiles(next(settings.slides_dir.glob("*.sqlite")))
    assert len(kept) >= 7
    found = said(slide, DarkNetwork(network.recipe), settings)
    assert found.provenance.settings["tiles"]["resumed"] == len(kept)
    assert np.array_equal(found.probability.values, alone.probability.values, equal_nan=True)


def test_that_cancelling_keeps_what_runs_and_begins_no_more(
    slide: MadeSlide, network: DarkNetwork, settings: Settings
) -> None:
    network.lanes, cancel = (network.predict, network.predict), After(7)
    with pytest.raises(Cancelled):
        said(slide, network, settings, cancel.sink, cancel)
    assert network.images == len(read_tiles(next(settings.slides_dir.glob("*.sqlite")))) == 21


def test_that_large_tiles_are_computed_one_batch_at_a_time() -> None:
    for side, lanes in ((50, 2), (224, 1)):
        network = DarkNetwork(tiny_cnn_recipe(input={"height": side, "width": side, "channels": 3, "mpp_um": 4.0}))
        network.lanes = (network.predict, network.predict)
        assert len(lanes_of(network)) == lanes


def test_that_glass_is_told_of_all_cells_as_of_one() -> None:
    rng = np.random.default_rng(0)
    dark = np.concatenate([np.arange(110, 140), [0, 1, 25, 500, 2000, 2500], np.full(20, 125)])
    cells = np.full((len(dark), 50, 50, 3), GLASS_GRAY + 1, np.uint8)
    for cell, count in zip(cells.reshape(len(dark), 2500, 3), dark, strict=True):
        cell[rng.permutation(2500)[:count], rng.integers(0, 3)] = GLASS_GRAY
    cells[-1, :, :] = GLASS_GRAY + 1
    cells[-1, ::5, :12] = 0  # 120 dark pixels, all of them in the rows that are looked at first
    cells[-2, :, :] = GLASS_GRAY + 1
    cells[-2, 1:4] = 0  # 150 in rows that are not
    found = glass_of(cells)
    assert found.tolist() == [is_glass(cell) for cell in cells]
    assert found[-1]
    assert not found[-2]
    assert 0 < found.sum() < len(found)
    assert not glass_of(np.zeros((3, 50, 50, 3), np.uint8)).any()
