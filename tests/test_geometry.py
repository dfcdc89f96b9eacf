from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathview.geometry import GridPlace, Region, Size, SpacingMm, format_length, round_length


def test_that_a_region_is_clipped_to_the_image() -> None:
    assert Region(-5, 2, 20, 20).clipped(Size(10, 8)) == Region(0, 2, 10, 6)
    assert Region(50, 50, 5, 5).clipped(Size(10, 8)).size.pixels == 0


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(0.01, 100), st.floats(0.01, 100))
def test_that_grid_and_level0_points_map_back(x: float, y: float, width: float, height: float) -> None:
    place = GridPlace(x, y, width, height)
    assert place.to_grid(*place.to_level0(3.25, 7.5)) == pytest.approx((3.25, 7.5), abs=1e-4)


@given(st.floats(1e-5, 1e5))
def test_that_a_round_length_is_round_and_not_longer(length: float) -> None:
    found = round_length(length)
    assert found <= length * (1 + 1e-9)
    assert found > length / 2.5 - 1e-12
    assert f"{found:.0e}"[0] in "125"


@pytest.mark.parametrize(("mm", "words"), [(50, "5 cm"), (2, "2 mm"), (0.2, "200 µm"), (0.005, "5 µm")])
def test_that_lengths_read_in_their_unit(mm: float, words: str) -> None:
    assert format_length(mm) == words


def test_that_mpp_and_spacing_agree() -> None:
    assert SpacingMm.from_mpp(4.0).mpp_um == pytest.approx(4.0)
    assert SpacingMm(0.1, 0.2).pixel_area_mm2 == pytest.approx(0.02)
