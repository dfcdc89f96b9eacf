from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathview.geometry import Region, SpacingMm
from pathview.images.intensity import GrayScale, Lut
from pathview.jobs import Cancelled
from pathview.results.annotation import Mark
from pathview.results.measurement import RegionStats, inside_of, measure_mark, refusal, region_stats, spacing_words

OBLONG = SpacingMm(row=0.2, column=0.1)
FINE = SpacingMm.from_mpp(0.25)
POINT = st.tuples(st.floats(-3, 33), st.floats(-3, 33))
STAR = tuple((50 + 40 * math.sin(0.8 * math.pi * i), 50 - 40 * math.cos(0.8 * math.pi * i)) for i in range(5))


def polygon(*points: tuple[float, float]) -> Mark:
    return Mark("polygon", points)


def test_that_a_ruler_measures_pixels_that_are_not_square() -> None:
    along, down = Mark("ruler", ((10, 10), (40, 10))), Mark("ruler", ((10, 10), (10, 40)))
    slanted = Mark("ruler", ((0, 0), (30, 20)))
    lengths = [measure_mark(mark, OBLONG, "calibrated").length_mm for mark in (along, down, slanted)]
    assert lengths == pytest.approx([3.0, 6.0, 5.0])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("calibrated", "calibrated"),
        ("slide header", "calibrated"),
        ("at the detector", "at the detector"),
        ("file header", "estimated"),
        ("data set", "estimated"),
        ("user", "estimated"),
        (None, "estimated"),
    ],
)
def test_that_lengths_and_areas_say_how_far_the_spacing_can_be_trusted(source, words: str) -> None:
    assert spacing_words(source) == words
    assert measure_mark(Mark("ruler", ((0, 0), (123, 0))), OBLONG, source).lines == (f"12.3 mm {words}",)
    assert measure_mark(Mark("ellipse", ((0, 0), (20, 10))), OBLONG, source).lines == (f"area 3.14 mm² {words}",)


def test_that_a_ruler_without_a_pixel_size_is_refused_in_one_sentence() -> None:
    found = measure_mark(Mark("ruler", ((0, 0), (123, 0))), None, None, "left.png")
    assert found.length_mm is None
    assert found.lines == ("length not known",)
    assert found.refused == refusal("ruler", None, "left.png")
    assert found.refused == (
        "left.png states no pixel size, so lengths cannot be measured; it can be stated in the menu Tools."
    )
    assert refusal("ruler", OBLONG) is None
    assert refusal("angle", None) is None
    assert refusal("polygon", None) is None


def test_that_a_region_without_a_pixel_size_has_its_area_in_pixels_only() -> None:
    found = measure_mark(polygon((0, 0), (100, 0), (100, 50)), None, None)
    assert (found.area_px, found.area_mm2, found.lines) == (2500, None, ("area 2,500 px",))


@pytest.mark.parametrize(
    ("points", "spacing", "degrees"),
    [
        (((10, 0), (0, 0), (0, 7)), None, 90),
        (((10, 0), (0, 0), (-3, 0)), None, 180),
        (((10, 0), (0, 0), (20, 0)), OBLONG, 0),
        (((10, 0), (0, 0), (10, 10)), None, 45),
        (((10, 0), (0, 0), (20, 10)), OBLONG, 45),
    ],
)
def test_that_an_angle_is_that_of_the_breast_not_of_the_pixels(points, spacing, degrees: float) -> None:
    found = measure_mark(Mark("angle", points), spacing, "at the detector")
    assert found.angle_deg == pytest.approx(degrees)
    assert found.lines == (f"{degrees:.1f}°",)


@pytest.mark.parametrize(
    ("mark", "spacing", "line"),
    [
        (Mark("ruler", ((0, 0), (5, 0))), OBLONG, "0.5 mm"),
        (Mark("ruler", ((0, 0), (10, 0))), FINE, "2.5 µm"),
        (Mark("ruler", ((0, 0), (1000, 0))), FINE, "250 µm"),
        (Mark("ruler", ((0, 0), (5000, 0))), FINE, "1.25 mm"),
        (polygon((0, 0), (400, 0), (400, 100), (0, 100)), FINE, "area 2,500 µm²"),
        (polygon((0, 0), (100, 0), (100, 100), (0, 100)), OBLONG, "area 2.0 cm²"),
        (polygon((0, 0), (100, 0), (100, 10), (0, 10)), OBLONG, "area 20.0 mm²"),
    ],
)
def test_that_units_are_no_finer_than_the_pixels(mark: Mark, spacing: SpacingMm, line: str) -> None:
    assert measure_mark(mark, spacing, "calibrated").lines == (f"{line} calibrated",)


@pytest.mark.parametrize(
    ("mark", "area"),
    [
        (polygon((0, 0), (10, 0), (10, 10), (0, 10)), 100),
        (polygon((0, 10), (10, 10), (10, 0), (0, 0)), 100),
        (polygon((0, 0), (10, 10), (10, 0), (0, 10)), 50),
        (polygon((0, 0), (20, 0), (20, 20), (10, 5), (0, 20)), 250),
        (Mark("ellipse", ((20, 0), (0, 10))), math.pi * 50),
        (Mark("ruler", ((0, 0), (9, 9))), 0),
    ],
)
def test_that_areas_are_exact_also_where_sides_cross(mark: Mark, area: float) -> None:
    assert mark.area_px == pytest.approx(area)


def test_that_the_area_of_a_star_agrees_with_its_pixels() -> None:
    fine = polygon(*((x * 20, y * 20) for x, y in STAR))
    counted = inside_of(fine, Region(0, 0, 2000, 2000)).sum() / 400
    assert polygon(*STAR).area_px == pytest.approx(counted, rel=1e-3)
    assert not inside_of(polygon(*STAR), Region(49, 49, 2, 2)).any()  # crossed twice: outside


@given(st.lists(POINT, min_size=3, max_size=7))
def test_that_a_pixel_is_inside_where_its_centre_is(points) -> None:
    """Against the textbook's ray to the left, one centre at a time."""
    found = inside_of(polygon(*points), Region(2, 1, 25, 28))
    for row in range(28):
        for column in range(25):
            x, y, crossed = column + 2.5, row + 1.5, 0
            for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True):
                if (y0 <= y) != (y1 <= y):
                    crossed += x0 + (y - y0) / (y1 - y0) * (x1 - x0) <= x
            assert found[row, column] == (crossed % 2 == 1)


def test_that_neighbouring_polygons_share_no_pixel_and_miss_none() -> None:
    whole = Region(0, 0, 30, 30)
    left, right = polygon((0, 0), (15.5, 0), (12.5, 30), (0, 30)), polygon((15.5, 0), (30, 0), (30, 30), (12.5, 30))
    assert (inside_of(left, whole) ^ inside_of(right, whole)).all()


def test_that_an_ellipse_is_filled_by_its_equation() -> None:
    x, y = np.meshgrid(np.arange(30) + 0.5, np.arange(40) + 0.5)
    expected = ((x - 14) / 11) ** 2 + ((y - 19) / 16) ** 2 <= 1
    for corners in (((3, 3), (25, 35)), ((25, 3), (3, 35))):
        assert np.array_equal(inside_of(Mark("ellipse", corners), Region(0, 0, 30, 40)), expected)


def test_that_values_are_those_after_the_modality_step_without_padding() -> None:
    codes = np.arange(100, dtype=np.uint16).reshape(10, 10)
    scale = GrayScale(0, 4095, slope=2.0, intercept=-10.0, padding=(0, 11))
    found = region_stats(polygon((0, 0), (4, 0), (4, 4), (0, 4)), codes, scale)
    values = np.array([12, 13, 20, 21, 22, 23, 30, 31, 32, 33]) * 2.0 - 10
    assert found.n == 10
    assert (found.mean, found.sd) == pytest.approx((values.mean(), values.std()))
    assert (found.low, found.high) == (14, 56)
    assert found.lines == ("mean 37.4  SD 14.5", "14 to 56  n 10")


def test_that_a_modality_table_and_codes_below_zero_are_understood() -> None:
    codes = np.array([[-2, -1], [0, 1]], np.int16)
    whole = polygon((0, 0), (2, 0), (2, 2), (0, 2))
    scale = GrayScale(-2, 3, modality=Lut(-2, (100, 200, 300, 400), 16))
    assert region_stats(whole, codes, scale).mean == 250
    picture = (codes + 2).astype(np.uint16)
    assert region_stats(whole, picture, scale, first=-2) == region_stats(whole, codes, scale)


def test_that_a_region_beyond_the_image_has_what_lies_inside_or_says_so() -> None:
    codes = np.full((6, 8), 7, np.uint16)
    assert region_stats(Mark("ellipse", ((-50, -50), (50, 50))), codes, GrayScale(0, 255)).n == 48
    for corners in (((20, 20), (30, 30)), ((-9, -9), (-2, -2)), ((3.1, 3.1), (3.2, 3.2))):
        found = region_stats(Mark("ellipse", corners), codes, GrayScale(0, 255))
        assert (found.n, found.lines) == (0, ("no pixel of the image inside",))


def test_that_a_large_region_is_counted_in_blocks_and_can_be_cancelled(monkeypatch) -> None:
    codes = np.random.default_rng(0).integers(0, 4096, (300, 200)).astype(np.uint16)
    mark = polygon((3, 2), (190, 30), (150, 280), (20, 250))
    at_once = region_stats(mark, codes, GrayScale(0, 4095))
    monkeypatch.setattr("pathview.results.mask._BLOCK_PIXELS", 1000)
    assert region_stats(mark, codes, GrayScale(0, 4095)) == at_once
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        region_stats(mark, codes, GrayScale(0, 4095), cancel=cancel)


def test_that_colour_and_lines_have_no_values() -> None:
    with pytest.raises(ValueError, match="no values"):
        region_stats(Mark("ellipse", ((0, 0), (5, 5))), np.zeros((9, 9, 3), np.uint8), GrayScale(0, 255))
    with pytest.raises(ValueError, match="no values"):
        region_stats(Mark("ruler", ((0, 0), (5, 5))), np.zeros((9, 9), np.uint8), GrayScale(0, 255))


@pytest.mark.parametrize(
    "mark",
    [
        Mark("ruler", ((1, 1),)),
        Mark("ruler", ((1, 1), (1, 1))),
        Mark("ruler", ((1, 1), (math.nan, 1))),
        Mark("angle", ((1, 1), (1, 1), (2, 2))),
        Mark("ellipse", ((1, 1), (9, 1))),
        polygon((0, 0), (5, 5)),
        polygon((0, 0), (1, 1 / 3), (3, 1)),
    ],
)
def test_that_what_has_no_extent_is_not_measured(mark: Mark) -> None:
    assert not mark.measurable
    assert measure_mark(mark, OBLONG, "calibrated").lines == ()


def test_that_numbers_are_short() -> None:
    assert RegionStats(4, 16.0, 15.96, 1, 31).lines == ("mean 16.0  SD 16.0", "1 to 31  n 4")
    assert RegionStats(4, 7.0, 0.0, 7, 7).lines == ("mean 7.00  SD 0", "7 to 7  n 4")
    assert RegionStats(4, 99.96, 15.8, 7, 200).lines[0] == "mean 100  SD 15.8"
    assert RegionStats(12345, 1234.4, 56.2, -0.5, 4095).lines == ("mean 1234  SD 56.2", "-0.5 to 4095  n 12,345")
