from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathview.analysis.tiles import Blender, overlapping_grid, pad


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([16, 32, 64]), st.sampled_from([0.0, 0.25, 0.5]))
def test_that_tiles_cover_all_of_the_image(rows: int, columns: int, side: int, overlap: float) -> None:
    grid = overlapping_grid((rows, columns), (side, side), overlap)
    covered = np.zeros(grid.padded, int)
    for row, column in grid.origins:
        covered[row : row + side, column : column + side] += 1
        assert row + side <= grid.padded[0]
        assert column + side <= grid.padded[1]
    assert covered.min() >= 1
    assert pad(np.ones((rows, columns, 1), np.uint8), grid).shape == (*grid.padded, 1)


def test_that_neighbours_overlap_by_at_least_the_share() -> None:
    grid = overlapping_grid((500, 64), (64, 64), 0.25)
    assert max(np.diff(grid.rows)) <= 48


@given(st.integers(20, 200), st.integers(20, 200))
def test_that_blending_equal_tiles_changes_nothing(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows * 1000 + columns)
    picture = rng.random((rows, columns)).astype(np.float32)
    grid = overlapping_grid((rows, columns), (32, 32), 0.25)
    padded = np.zeros(grid.padded, np.float32)
    top, left = grid.padding
    padded[top : top + rows, left : left + columns] = picture
    blender = Blender(grid, (rows, columns), 1)
    for row, column in grid.origins:
        blender.add((row, column), padded[row : row + 32, column : column + 32, None])
    assert blender.result()[..., 0] == pytest.approx(picture, abs=1e-5)


def test_that_a_quarter_overlap_leaves_no_seams() -> None:
    """Tiles whose answers differ by a constant each, as a network's do at its borders, join smoothly."""
    grid = overlapping_grid((32, 200), (32, 32), 0.25)
    blender = Blender(grid, (32, 200), 1)
    for number, origin in enumerate(grid.origins):
        blender.add(origin, np.full((32, 32, 1), number % 2, np.float32))
    steps = np.abs(np.diff(blender.result()[16, :, 0]))
    assert steps.max() < 0.35
    bare = overlapping_grid((32, 192), (32, 32), 0.0)
    hard = Blender(bare, (32, 192), 1)
    for number, origin in enumerate(bare.origins):
        hard.add(origin, np.full((32, 32, 1), number % 2, np.float32))
    assert np.abs(np.diff(hard.result()[16, :, 0])).max() == pytest.approx(1.0)
