from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pathview.errors import AnnotationError
from pathview.jobs import Cancelled
from pathview.results.annotation import Mark
from pathview.results.annotation_edit import (
    AREA_KEPT,
    BRUSH_TOLERANCE,
    erased,
    filled,
    merged,
    painted,
    simplified_line,
    smoothed,
    split,
)
from pathview.results.annotation_shapes import GRID_PX, shape_of, with_shape

BOX = Mark("rectangle", ((0, 0), (100, 100)), label="mass", properties={"side": "left"}, frame=3)
RING = Mark("region", (), rings=((((0, 0), (90, 0), (90, 90), (0, 90)), ((30, 30), (60, 30), (60, 60), (30, 60))),))
PLACE = st.tuples(st.floats(-50, 150), st.floats(-50, 150))
PATH = st.lists(PLACE, min_size=1, max_size=12)


def stairs(step: float) -> Mark:
    """A disc of radius 60 that is made of squares."""
    cells = [
        shapely.box(x * step, y * step, (x + 1) * step, (y + 1) * step)
        for x in range(-20, 20)
        for y in range(-20, 20)
        if math.hypot((x + 0.5) * step, (y + 0.5) * step) < 60
    ]
    disc = shapely.union_all(cells)
    return Mark("region", (), rings=((tuple(disc.exterior.coords)[:-1],),))


def test_that_a_brush_paints_a_round_stroke_of_its_radius() -> None:
    dab = painted(None, [(50, 50)], 10)
    assert dab.area_px == pytest.approx(math.pi * 100, rel=0.03)
    line = painted(None, [(0, 0), (40, 0), (100, 0)], 10)
    assert line.area_px == pytest.approx(2000 + math.pi * 100, rel=0.03)
    true = shapely.LineString([(0, 0), (100, 0)]).buffer(10, quad_segs=64)
    assert shape_of(line).hausdorff_distance(true) <= BRUSH_TOLERANCE * 10 + GRID_PX


def test_that_painting_adds_to_a_shape_and_keeps_what_it_is() -> None:
    more = painted(BOX, [(100, 50)], 20)
    assert (more.id, more.label, more.properties, more.frame) == (BOX.id, "mass", BOX.properties, 3)
    assert more.kind == "region"
    assert more.area_px == pytest.approx(10_000 + math.pi * 200, rel=0.003)
    assert len(painted(BOX, [(200, 50)], 20).rings) == 2


def test_that_painting_over_what_is_covered_changes_nothing() -> None:
    assert painted(BOX, [(40, 40), (60, 60)], 10) is BOX


def test_that_the_eraser_cuts_holes_and_takes_the_rest_away() -> None:
    holed = erased(BOX, [(50, 50)], 10)
    assert holed is not None
    assert len(holed.rings[0]) == 2
    assert (holed.id, holed.label, holed.frame) == (BOX.id, "mass", 3)
    cut = erased(BOX, [(50, -20), (50, 120)], 5)
    assert cut is not None
    assert len(cut.rings) == 2
    assert erased(BOX, [(300, 300)], 10) is BOX
    assert erased(BOX, [(50, 50)], 200) is None


@given(PATH, st.floats(1, 40))
def test_that_what_is_painted_and_erased_the_same_way_leaves_a_shape_without_it(path, radius: float) -> None:
    added = painted(BOX, path, radius)
    left = erased(added, path, radius)
    straight = erased(BOX, path, radius)
    assert (left is None) == (straight is None)
    if left is not None and straight is not None:
        assert left.area_px == pytest.approx(straight.area_px, abs=GRID_PX * 1000)
    assert shape_of(added).is_valid
    assert added.area_px >= BOX.area_px - GRID_PX * 400


@given(st.lists(st.tuples(st.booleans(), PATH, st.floats(2, 30)), min_size=1, max_size=8))
def test_that_any_sequence_of_strokes_leaves_valid_outlines_on_the_grid(strokes) -> None:
    mark: Mark | None = BOX
    for adds, path, radius in strokes:
        mark = painted(mark, path, radius) if adds or mark is None else erased(mark, path, radius)
    if mark is None or mark is BOX:
        return
    assert shape_of(mark).is_valid
    assert mark.measurable
    assert all((value / GRID_PX).is_integer() for point in mark.corners for value in point)
    again = Mark.from_json(mark.as_json())
    again = with_shape(again, shape_of(again))
    assert again.area_px == pytest.approx(mark.area_px, abs=GRID_PX * 400)  # a sliver may close where lines touch


def test_that_a_long_stroke_stays_small() -> None:
    path = [(100 * math.cos(a / 50), 100 * math.sin(a / 50)) for a in range(1000)]
    assert sum(1 for _ in painted(None, path, 10).corners) < 250


def test_that_lines_have_no_inside_to_paint_on() -> None:
    ruler = Mark("ruler", ((0, 0), (1, 1)))
    for change in (
        lambda: painted(ruler, [(0, 0)], 5),
        lambda: erased(ruler, [(0, 0)], 5),
        lambda: merged([BOX, Mark("ruler", ((0, 0), (1, 1)), frame=3)]),
        lambda: split(ruler, [(0, 0), (1, 1)]),
        lambda: smoothed(ruler, 3),
    ):
        with pytest.raises(AnnotationError, match="ruler has no inside"):
            change()


def test_that_a_brush_without_a_place_or_a_radius_is_refused() -> None:
    for path, radius in (([], 5), ([(0, 0)], 0), ([(0, 0)], math.nan)):
        with pytest.raises(AnnotationError, match="a place and a radius"):
            painted(None, path, radius)


def test_that_merging_is_the_union_under_the_first_ones_name() -> None:
    other = Mark("rectangle", ((50, 0), (150, 100)), label="other", frame=3)
    both = merged([BOX, other])
    assert (both.id, both.label, both.frame) == (BOX.id, "mass", 3)
    assert both.area_px == 15_000
    apart = merged([BOX, Mark("ellipse", ((300, 300), (400, 400)), frame=3)])
    assert len(apart.rings) == 2


def test_that_shapes_on_different_frames_and_single_ones_are_not_merged() -> None:
    with pytest.raises(AnnotationError, match="different frames"):
        merged([BOX, RING])
    with pytest.raises(AnnotationError, match="two or more"):
        merged([BOX])


def test_that_a_line_splits_a_shape_and_the_largest_piece_keeps_its_id() -> None:
    pieces = split(BOX, [(30, -5), (30, 105)])
    assert [piece.area_px for piece in pieces] == [7000, 3000]
    assert pieces[0].id == BOX.id != pieces[1].id
    assert {(piece.label, piece.frame, piece.properties["side"]) for piece in pieces} == {("mass", 3, "left")}


def test_that_a_shape_with_a_hole_is_split_through_it() -> None:
    pieces = split(RING, [(-5, 45), (95, 45)])
    assert [piece.area_px for piece in pieces] == [3600, 3600]
    assert all(len(part) == 1 for piece in pieces for part in piece.rings)


def test_that_parts_that_the_line_leaves_whole_stay_with_the_largest_piece() -> None:
    both = merged([BOX, Mark("rectangle", ((200, 0), (210, 10)), frame=3)])
    first, second = split(both, [(30, -5), (30, 105)])
    assert (first.area_px, second.area_px) == (7100, 3000)


@pytest.mark.parametrize("line", [[(50, -5), (50, 50)], [(-5, -5), (200, -5)], [(10, 10), (20, 20)], [(5, 5)], []])
def test_that_a_line_that_does_not_cross_splits_nothing(line) -> None:
    with pytest.raises(AnnotationError, match="does not cut the region"):
        split(BOX, line)


def test_that_a_line_that_grazes_a_corner_leaves_no_piece_that_nobody_sees() -> None:
    with pytest.raises(AnnotationError, match="does not cut the region"):
        split(BOX, [(-1, 0.9), (0.9, -1)])  # cuts off less than a pixel
    with pytest.raises(AnnotationError, match="does not cut the region"):
        split(BOX, [(-5, 0.004), (105, 0.004)])
    first, second = split(BOX, [(-1, 3), (3, -1)])
    assert first.area_px + second.area_px == pytest.approx(BOX.area_px)
    assert second.area_px >= 1
    grazed = split(BOX, [(-1, 0.9), (0.9, -1), (50, -1), (50, 105)])  # the corner, then through the middle
    assert [piece.area_px for piece in grazed] == pytest.approx([5000, 5000], abs=1)


@given(PLACE, PLACE)
def test_that_splitting_and_merging_keeps_the_area(start, end) -> None:
    try:
        pieces = split(RING, [start, end])
    except AnnotationError:
        return
    assert sum(piece.area_px for piece in pieces) == pytest.approx(RING.area_px, abs=40)
    assert merged(pieces).area_px == pytest.approx(RING.area_px, abs=40)


def test_that_holes_are_filled() -> None:
    assert filled(RING).area_px == 8100


@pytest.mark.parametrize("step", [3.0, 6.0])
@pytest.mark.parametrize("radius", [2.0, 8.0, 50.0])
def test_that_smoothing_takes_the_stairs_and_keeps_the_area(step: float, radius: float) -> None:
    rough = stairs(step)
    smooth = smoothed(rough, radius)
    assert abs(smooth.area_px - rough.area_px) <= AREA_KEPT * rough.area_px
    if radius == 8:
        circle = math.sqrt(4 * math.pi * rough.area_px)
        assert shape_of(rough).length > 1.2 * circle
        assert shape_of(smooth).length < 1.04 * circle


def test_that_smoothing_keeps_parts_and_holes_that_are_smaller_than_its_radius() -> None:
    speck = Mark("rectangle", ((200, 200), (203, 203)))
    both = merged([RING, speck])
    smooth = smoothed(both, 40)
    assert [len(part) for part in smooth.rings] == [len(part) for part in both.rings] == [1, 2] or [
        len(part) for part in smooth.rings
    ] == [2, 1]
    assert smooth.area_px == pytest.approx(both.area_px, rel=2 * AREA_KEPT)


def test_that_smoothing_does_not_cut_a_neck() -> None:
    neck = Mark("rectangle", ((90, 45), (210, 55)), frame=3)
    dumbbell = merged([BOX, neck, Mark("rectangle", ((200, 0), (300, 100)), frame=3)])
    assert len(smoothed(dumbbell, 30).rings) == 1


def saw(teeth: int) -> Mark:
    """A round of 400 pixels whose outline goes in and out by 20 at every corner."""
    turn = np.linspace(0, 2 * np.pi, 2 * teeth, endpoint=False)
    out = 400 + 20 * (np.arange(2 * teeth) % 2)
    around = np.column_stack((500 + out * np.cos(turn), 500 + out * np.sin(turn)))
    return with_shape(Mark("region", ()), shapely.Polygon(around))


def test_that_a_saw_of_thousands_of_teeth_becomes_round() -> None:
    rough = saw(1500)
    smooth = smoothed(rough, 8)
    assert shape_of(smooth).is_valid
    assert [len(part) for part in smooth.rings] == [1]
    assert abs(smooth.area_px - rough.area_px) <= AREA_KEPT * rough.area_px
    assert shape_of(smooth).length < 1.05 * math.sqrt(4 * math.pi * rough.area_px) < 0.1 * shape_of(rough).length


def test_that_smoothing_stops_when_it_is_asked_to() -> None:
    asked: list[None] = []

    class Third:
        def is_set(self) -> bool:
            asked.append(None)
            return len(asked) >= 3

    with pytest.raises(Cancelled):
        smoothed(saw(3000), 8, Third())
    assert len(asked) == 3


def test_that_smoothing_without_a_radius_is_refused() -> None:
    with pytest.raises(AnnotationError, match="radius"):
        smoothed(BOX, 0)


def test_that_a_line_drawn_by_hand_loses_points_and_not_its_ends() -> None:
    line = [(x, 0.2 * math.sin(x)) for x in range(100)] + [(99.0, 50.0)]
    simple = simplified_line(line, 0.5)
    assert simple[0] == line[0]
    assert simple[-1] == line[-1]
    assert len(simple) == 3
    assert simplified_line([(1, 1), (2, 2)], 5) == ((1, 1), (2, 2))
