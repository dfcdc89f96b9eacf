from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathview.images.intensity import GrayScale, Lut, Window, to_gray8


def test_that_linear_windows_follow_the_standards_pseudo_code() -> None:
    window = Window(2048, 4096)
    values = np.array([-1.0, 0.0, 2047.5, 4095.0, 5000.0])
    assert window.apply(values) == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-9)


def test_that_linear_exact_and_sigmoid_differ_from_linear() -> None:
    values = np.array([100.0, 150.0, 200.0])
    assert Window(150, 100, "LINEAR_EXACT").apply(values) == pytest.approx([0, 0.5, 1])
    assert Window(150, 100, "SIGMOID").apply(values) == pytest.approx(1 / (1 + np.exp([2.0, 0, -2.0])))


def test_that_a_window_of_width_one_is_a_threshold() -> None:
    assert Window(10, 1).apply(np.array([9.4, 9.5, 9.6])).tolist() == [0, 0, 1]


@given(st.floats(-5000, 5000), st.floats(1, 5000), st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]))
def test_that_every_window_rises_and_stays_in_range(center: float, width: float, function: str) -> None:
    found = Window(center, width, function).apply(np.linspace(-9000, 9000, 500))
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_that_padding_stays_black_under_inversion_and_monochrome1() -> None:
    pixels = np.array([[0, 30, 31, 4095]], np.uint16)
    for inverse in (False, True):
        for invert in (False, True):
            scale = GrayScale(0, 4095, options=(Window(2048, 4096),), inverse=inverse, padding=(0, 30))
            gray = to_gray8(pixels, scale, invert=invert)
            assert gray[0, :2].tolist() == [0, 0]
            assert (gray[0, 3] == 255) == (inverse == invert)


def test_that_a_lut_of_8_bit_entries_and_more_than_256_of_them_reaches_white() -> None:
    lut = Lut(100, tuple(min(255, i // 2) for i in range(600)), 8)
    scale = GrayScale(0, 4095, options=(lut,))
    gray = to_gray8(np.array([[0, 100, 300, 699, 4095]], np.uint16), scale)
    assert gray.tolist() == [[0, 0, 100, 255, 255]]


def test_that_rescale_comes_before_the_window() -> None:
    scale = GrayScale(0, 255, slope=2.0, intercept=-100.0, options=(Window(0, 200, "LINEAR_EXACT"),))
    assert to_gray8(np.array([[0, 50, 100]], np.uint8), scale).tolist() == [[0, 127, 255]]


def test_that_a_modality_lut_takes_the_place_of_rescale() -> None:
    scale = GrayScale(0, 3, slope=100, modality=Lut(0, (0, 10, 20, 30), 16), options=(Window(15, 30, "LINEAR_EXACT"),))
    assert to_gray8(np.array([[0, 1, 2, 3]], np.uint8), scale).tolist() == [[0, 85, 170, 255]]


def test_that_signed_codes_are_looked_up() -> None:
    scale = GrayScale(-2048, 2047, options=(Window(0, 4096, "LINEAR_EXACT"),))
    assert to_gray8(np.array([[-2048, 0, 2047]], np.int16), scale)[0].tolist() == [0, 127, 254]


def test_that_codes_beyond_the_headers_bits_take_the_nearest_end() -> None:
    scale = GrayScale(0, 4095, options=(Window(2048, 4096),))
    assert to_gray8(np.array([[65535]], np.uint16), scale)[0, 0] == 255


def test_that_a_file_without_a_window_shows_its_pixels_range_without_padding() -> None:
    pixels = np.array([[0, 1000, 2000]], np.uint16)
    scale = GrayScale(0, 4095, padding=(0, 0)).with_range_of(pixels)
    assert scale.data_range == (1000, 2000)
    assert to_gray8(pixels, scale).tolist() == [[0, 0, 255]]
