from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from pathview.geometry import GridPlace, Region, Size, SpacingMm, Turn

TURNS = [Turn(*flags) for flags in product((False, True), repeat=3)]
STORED = Size(7, 4)


@pytest.mark.parametrize("turn", TURNS)
def test_that_arrays_and_points_turn_alike(turn: Turn) -> None:
    stored = np.arange(28).reshape(4, 7)
    shown = turn.array(stored)
    assert turn.size(STORED).shape == shown.shape
    for row, column in product(range(4), range(7)):
        x, y = turn.to_shown(column + 0.5, row + 0.5, STORED)
        assert shown[int(y), int(x)] == stored[row, column]
        assert turn.to_stored(x, y, STORED) == (column + 0.5, row + 0.5)


@pytest.mark.parametrize("turn", TURNS)
def test_that_regions_turn_and_come_back(turn: Turn) -> None:
    region = Region(1, 2, 3, 2)
    marked = np.zeros((4, 7), bool)
    marked[2:4, 1:4] = True
    shown = turn.region_to_shown(region, STORED)
    rows, columns = np.nonzero(turn.array(marked))
    assert (shown.x, shown.y) == (columns.min(), rows.min())
    assert (shown.right - 1, shown.bottom - 1) == (columns.max(), rows.max())
    assert turn.region_to_stored(shown, STORED) == region


@pytest.mark.parametrize("turn", TURNS)
def test_that_a_grid_keeps_its_place(turn: Turn) -> None:
    values = np.arange(6).reshape(2, 3)
    place = GridPlace(0.5, 1.0, 2.0, 1.25)
    shown = turn.array(values)
    shown_place = turn.place(place, values.shape, STORED)
    for row, column in product(range(2), range(3)):
        x, y = turn.to_shown(*place.to_level0(column + 0.5, row + 0.5), STORED)
        j, i = shown_place.to_grid(x, y)
        assert shown[int(i), int(j)] == values[row, column]


def test_that_spacing_turns_with_the_axes() -> None:
    assert Turn(transpose=True).spacing(SpacingMm(1.0, 2.0)) == SpacingMm(2.0, 1.0)
    assert Turn(mirror_x=True).spacing(SpacingMm(1.0, 2.0)) == SpacingMm(1.0, 2.0)


@pytest.mark.parametrize("turn", TURNS)
def test_that_a_quarter_turns_what_is_shown_clockwise(turn: Turn) -> None:
    stored = np.arange(28).reshape(4, 7)
    assert np.array_equal(turn.quarter().array(stored), np.rot90(turn.array(stored), -1))


@pytest.mark.parametrize("turn", TURNS)
def test_that_the_inverse_brings_back(turn: Turn) -> None:
    stored = np.arange(28).reshape(4, 7)
    assert np.array_equal(turn.inverse().array(turn.array(stored)), stored)
