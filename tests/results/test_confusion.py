from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathview.geometry import GridPlace, Region
from pathview.images.patches import open_patches
from pathview.jobs import never, no_progress
from pathview.results.confusion import called, confusion, given_classes, load_given, tiles_of
from pathview.results.result import ScoreMap
from pathview.settings import Settings
from tests.makers import write_patch, write_patch_folder

CLASSES = ("negative", "idc")


@pytest.fixture
def mosaic(tmp_path: Path):
    """3 x 4 places, the last one empty, class 1 in the right half, one small patch at the border."""
    folder = write_patch_folder(tmp_path / "m")
    write_patch(folder / "1", 101 + 50 * 3, 51 + 50 * 2, 1, size=(20, 30))
    return open_patches(folder, Settings())


def test_that_given_classes_lie_on_the_tiles_of_the_map(mosaic) -> None:
    given = given_classes(mosaic)
    assert given.labels.tolist() == [0, 0, 1, 1] * 3
    values = np.arange(12, dtype=np.float32).reshape(3, 4) / 12
    found = given.probabilities(ScoreMap(values, GridPlace(0, 0, 50, 50), smooth=False))
    assert np.array_equal(found, values.ravel())
    finer = ScoreMap(np.kron(values, np.ones((2, 2), np.float32)), GridPlace(0, 0, 25, 25), smooth=False)
    assert np.array_equal(given.probabilities(finer), values.ravel())


def test_that_counts_follow_the_threshold(mosaic) -> None:
    given = given_classes(mosaic)
    values = np.array([[0.1, 0.6, 0.7, 0.9], [0.2, 0.3, 0.4, 0.8], [0.1, np.nan, 0.5, 0.5]], np.float32)
    probabilities = given.probabilities(ScoreMap(values, GridPlace(0, 0, 50, 50), smooth=False))
    half = confusion(given.labels, called(probabilities, 0.5), CLASSES)
    assert half.matrix == ((4, 1), (1, 5))
    assert half.not_analysed == 1
    assert half.accuracy == pytest.approx(9 / 11)
    assert half.majority == pytest.approx(6 / 11)
    high = confusion(given.labels, called(probabilities, 0.75), CLASSES)
    assert high.matrix == ((5, 0), (4, 2))
    assert high.as_json()["baselines"] == {"majority": pytest.approx(6 / 11)}


def test_that_the_tiles_of_a_cell_are_the_surest_first(mosaic) -> None:
    given = given_classes(mosaic)
    values = np.array([[0.1, 0.6, 0.7, 0.9], [0.9, 0.3, 0.4, 0.8], [0.1, np.nan, 0.1, 0.5]], np.float32)
    probabilities = given.probabilities(ScoreMap(values, GridPlace(0, 0, 50, 50), smooth=False))
    wrongly_positive = tiles_of(given, probabilities, 0.5, 0, 1)
    assert [round(tile.probability, 1) for tile in wrongly_positive] == [0.9, 0.6]
    assert [tile.tile for tile in wrongly_positive] == [Region(0, 50, 50, 50), Region(50, 0, 50, 50)]
    missed = tiles_of(given, probabilities, 0.5, 1, 0)
    assert [tile.tile for tile in missed] == [Region(100, 100, 50, 50), Region(100, 50, 50, 50)]
    assert all(tile.context.x >= 0 and tile.context.right <= given.size.width for tile in missed)


def test_that_many_classes_are_counted_too() -> None:
    found = confusion(np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1]), ("a", "b", "c"))
    assert found.matrix == ((1, 0, 0), (0, 0, 1), (0, 1, 1))
    nothing = confusion(np.array([0, 1]), np.array([-1, -1]), CLASSES)
    assert (nothing.total, nothing.accuracy, nothing.majority) == (0, None, None)


def test_that_only_a_mosaic_has_given_classes(mosaic, tmp_path: Path) -> None:
    found = load_given(mosaic.info.path, Settings(), no_progress, never())
    assert found is not None
    assert len(found.labels) == 12
    assert load_given(write_patch(tmp_path, 0, 0, 1), Settings(), no_progress, never()) is None
