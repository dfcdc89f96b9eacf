from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathview.errors import AnnotationError
from pathview.geometry import Region, SpacingMm
from pathview.images.intensity import GrayScale
from pathview.results.annotation import Mark
from pathview.results.annotation_shapes import (
    contains,
    distance,
    hit,
    shape_of,
    with_shape,
)
from pathview.results.measurement import inside_of, measure_mark, region_stats

SQUARE = ((10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0))
HOLE = ((15.0, 15.0), (25.0, 15.0), (25.0, 25.0), (15.0, 25.0))
FAR = ((50.0, 50.0), (60.0, 50.0), (60.0, 55.0))
REGION = Mark("region", (), rings=((SQUARE, HOLE), (FAR,)))
KINDS = (
    Mark("point", ((3.25, 4.5),)),
    Mark("ruler", ((0, 0), (3, 4))),
    Mark("angle", ((1, 0), (0, 0), (0, 1)), frame=7),
    Mark("rectangle", ((8, 9), (2, 3)), label="mass"),
    Mark("ellipse", ((0, 0), (20, 10))),
    Mark("polygon", SQUARE, properties={"margin": "spiculated"}),
    Mark("freehand", FAR),
    REGION,
)
COORDINATE = st.floats(-1e6, 1e6)
RING = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=6).map(tuple)


@pytest.mark.parametrize("mark", KINDS, ids=lambda mark: mark.kind)
def test_that_a_mark_of_each_kind_comes_back_from_json(mark: Mark) -> None:
    assert mark.measurable
    again = Mark.from_json(json.loads(json.dumps(mark.as_json())))
    assert again == mark
    assert again.digest() == mark.digest()
    assert hash(again) == hash(mark)


@given(st.lists(st.lists(RING, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple), st.text(), st.text())
def test_that_any_region_comes_back_from_json_to_the_last_bit(rings, name: str, value: str) -> None:
    mark = Mark("region", (), rings=rings, label=name, properties={name: value})
    assert Mark.from_json(json.loads(json.dumps(mark.as_json()))) == mark


def test_that_an_unfinished_shape_is_kept_too() -> None:
    begun = Mark("polygon", ((1, 2), (3, 4)))
    assert not begun.measurable
    assert Mark.from_json(begun.as_json()) == begun
    assert Mark.from_json(Mark("region", ()).as_json()).rings == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "circle"},
        {"points": [[1, 2, 3]]},
        {"points": [["1", "2"]]},
        {"points": [[1, math.nan]]},
        {"points": [[1, math.inf]]},
        {"points": 5},
        {"id": "7"},
        {"id": None},
        {"frame": -1},
        {"frame": 1.5},
        {"label": 3},
        {"properties": {"a": 1}},
        {"rings": [[[[0, 0], [1, 1]]]]},
        {"rings": [[]]},
        {"rings": [[[[0, 0], [1, 1], [1, 0]]]], "kind": "polygon"},
        {"color": "#ffffff"},
    ],
    ids=str,
)
def test_that_what_is_no_mark_is_told_in_one_sentence(changes: dict) -> None:
    with pytest.raises(
        AnnotationError, match=r"^An annotation cannot be read|^The annotation .* cannot be read"
    ) as told:
        Mark.from_json(REGION.as_json() | changes)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("data", [None, [], "mark", {}, {"kind": "ruler"}])
def test_that_something_else_is_no_mark(data) -> None:
    with pytest.raises(AnnotationError, match="cannot be read"):
        Mark.from_json(data)


def test_that_the_digest_is_of_the_shape_and_not_of_the_labels_name() -> None:
    first, renamed = Mark("ruler", ((0, 0), (1, 1)), "a", label="x"), Mark("ruler", ((0, 0), (1, 1)), "a", label="y")
    assert first.digest() == renamed.digest()
    assert first.digest() != Mark("ruler", ((0, 0), (1, 1.0000001)), "a", label="x").digest()


@pytest.mark.parametrize(
    ("mark", "area", "around"),
    [
        (KINDS[3], 36, 24),
        (KINDS[4], math.pi * 50, 48.442),
        (KINDS[5], 400, 80),
        (KINDS[6], 25, 15 + math.sqrt(125)),
        (REGION, 400 - 100 + 25, 80 + 40 + 15 + math.sqrt(125)),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_that_area_and_perimeter_are_measured_in_pixels_and_millimetres(mark: Mark, area: float, around: float) -> None:
    found = measure_mark(mark, SpacingMm(0.5, 0.5), "calibrated")
    assert (found.area_px, found.perimeter_px) == pytest.approx((area, around), rel=1e-3)
    assert (found.area_mm2, found.perimeter_mm) == pytest.approx((area / 4, around / 2), rel=1e-3)
    assert measure_mark(mark, None, None).perimeter_px == pytest.approx(around, rel=1e-3)


def test_that_a_perimeter_in_pixels_is_not_told_where_they_are_oblong() -> None:
    found = measure_mark(KINDS[3], SpacingMm(row=2.0, column=1.0), "calibrated")
    assert (found.perimeter_px, found.perimeter_mm) == (None, 6 * 2 + 6 * 4)


def test_that_a_point_tells_its_place() -> None:
    assert measure_mark(KINDS[0], None, None).lines == ("x 3.2  y 4.5",)


def test_that_values_are_counted_inside_a_rectangle_and_beside_holes() -> None:
    codes = np.zeros((70, 70), np.uint16)
    codes[10:30, 10:30] = 5
    codes[15:25, 15:25] = 9
    scale = GrayScale(0, 4095)
    ring = region_stats(Mark("region", (), rings=((SQUARE, HOLE),)), codes, scale)
    assert (ring.n, ring.low, ring.high) == (300, 5, 5)
    box = region_stats(Mark("rectangle", ((30, 30), (10, 10))), codes, scale)
    assert (box.n, box.mean) == (400, pytest.approx((300 * 5 + 100 * 9) / 400))


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=9))
def test_that_a_line_that_crosses_itself_holds_the_same_pixels_as_a_polygon_and_as_a_region(corners) -> None:
    """The corners lie between the pixels' centres, so that none is on the line itself by intent."""
    mark = Mark("polygon", tuple((x + 0.013 * x * y, y + 0.017 * x) for x, y in corners))
    if not mark.measurable or mark.area_px < 1:  # of a sliver the grid of outlines may leave nothing
        return
    whole = Region(-1, -1, 20, 20)
    region = with_shape(mark, shape_of(mark))
    apart = inside_of(mark, whole) != inside_of(region, whole)
    for row, column in np.argwhere(apart):  # a centre within the grid of the outline may fall on either side
        assert distance(mark, (column - 0.5, row - 0.5)) < 0.1
    assert region.area_px == pytest.approx(mark.area_px, abs=1.5)


def test_that_a_shape_is_made_once_and_travels_with_its_mark() -> None:
    mark = Mark("polygon", SQUARE)
    assert shape_of(mark) is shape_of(mark)
    assert copy.deepcopy(mark) == mark


def test_that_insides_and_lines_are_found() -> None:
    assert contains(REGION, (12, 12))
    assert not contains(REGION, (20, 20))
    assert not contains(KINDS[1], (0, 0))
    assert distance(REGION, (20, 20)) == 5
    assert distance(KINDS[0], (3.25, 6.5)) == 2
    assert distance(Mark("ruler", ()), (0, 0)) == math.inf


def test_that_a_place_hits_the_nearest_line_and_else_the_smallest_shape_around_it() -> None:
    large = Mark("rectangle", ((0, 0), (100, 100)))
    small = Mark("rectangle", ((30, 30), (50, 50)))
    ruler = Mark("ruler", ((20, 0), (20, 100)))
    marks = (small, large, ruler)
    assert hit(marks, (21, 60), 2) is ruler
    assert hit(marks, (40, 40), 2) is small
    assert hit(marks, (80, 80), 2) is large
    assert hit(marks, (150, 80), 2) is None
    assert hit((), (0, 0), 2) is None
