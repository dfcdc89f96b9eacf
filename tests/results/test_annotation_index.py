from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pathview.results.annotation import Mark
from pathview.results.annotation_index import DOT_PX, MarkIndex, Outlines
from pathview.results.annotation_shapes import hit, shape_of

EVERYTHING = (-1e6, -1e6, 1e6, 1e6)
LESION = Mark("polygon", tuple((100 + 50 * np.cos(a), 100 + 50 * np.sin(a)) for a in np.linspace(0, 6, 400)))
HOLED = Mark(
    "region",
    (),
    rings=((((0, 0), (90, 0), (90, 90), (0, 90)), ((30, 30), (60, 30), (60, 60))), (((200, 0), (220, 0), (220, 9)),)),
    label="mass",
)


def lines_of(found: Outlines) -> list[np.ndarray]:
    ends = np.flatnonzero(~found.connect) + 1
    return np.split(found.points, ends[:-1]) if len(ends) else []


def touches(mark: Mark, view: tuple[float, float, float, float]) -> bool:
    """Whether the box around a mark meets a view: left, top, right, bottom."""
    (xs, ys), (left, top, right, bottom) = zip(*mark.corners, strict=True), view
    return min(xs) <= right and max(xs) >= left and min(ys) <= bottom and max(ys) >= top


def random_mark(rng: random.Random) -> Mark:
    x, y, size = rng.uniform(0, 1000), rng.uniform(0, 1000), rng.uniform(1, 80)
    kind = rng.choice(("rectangle", "ellipse", "polygon", "ruler", "point"))
    corners = {"polygon": 5, "point": 1}.get(kind, 2)
    points = tuple((x + rng.uniform(0, size), y + rng.uniform(0, size)) for _ in range(corners))
    return Mark(kind, points, label=rng.choice(("", "a", "b")))


def test_that_a_view_gets_lines_and_holes_by_label() -> None:
    found = MarkIndex([LESION, HOLED]).query(EVERYTHING, 1.0)
    assert set(found) == {"", "mass"}
    (lesion,) = lines_of(found[""])
    assert lesion[0] == pytest.approx(lesion[-1])
    rings = lines_of(found["mass"])
    assert [len(ring) for ring in rings] == [5, 4, 4]
    assert len(found["mass"].dots) == 0


@pytest.mark.parametrize("downsample", [0.25, 1.0, 3.0, 8.0])
def test_that_lines_are_off_by_half_a_pixel_of_the_screen_at_most(downsample: float) -> None:
    (line,) = lines_of(MarkIndex([LESION]).query(EVERYTHING, downsample)[""])
    true = shape_of(LESION).exterior
    assert shapely.LineString(line).hausdorff_distance(true) <= 0.5 * downsample
    assert len(line) < 400


def test_that_what_is_too_small_for_a_line_and_points_are_dots() -> None:
    point = Mark("point", ((700, 700),))
    index = MarkIndex([LESION, HOLED, point])
    side = 100.0
    assert index.query(EVERYTHING, side / DOT_PX * 0.99)[""].dots.tolist() == [[700, 700]]
    found = index.query(EVERYTHING, 220 / DOT_PX * 1.01)
    assert not len(found["mass"].points)
    assert found["mass"].dots.tolist() == [[110, 45]]
    assert len(found[""].dots) == 2


def test_that_a_mark_that_is_painted_otherwise_is_left_out() -> None:
    index = MarkIndex([LESION, HOLED])
    assert set(index.query(EVERYTHING, 1, without=(HOLED.id, "unknown"))) == {""}


def test_that_a_view_elsewhere_is_empty() -> None:
    assert MarkIndex([LESION]).query((500, 500, 600, 600), 1) == {}
    assert MarkIndex().query(EVERYTHING, 1) == {}
    assert MarkIndex().at((0, 0), 5) is None


@given(st.integers(0, 2**32), st.integers(1, 60))
@settings(deadline=None, max_examples=40)
def test_that_an_index_that_was_changed_finds_what_a_look_at_all_marks_finds(seed: int, changes: int) -> None:
    rng = random.Random(seed)
    marks = {mark.id: mark for mark in (random_mark(rng) for _ in range(rng.randint(0, 30)))}
    index = MarkIndex(marks.values())
    for _ in range(changes):
        view = (rng.uniform(0, 900), rng.uniform(0, 900), 950.0, 980.0)
        index.query(view, rng.choice((0.5, 2.0, 30.0)))  # lines are made while marks come and go
        if marks and rng.random() < 0.5:
            old = rng.choice(list(marks))
            del marks[old]
            index.remove(old)
        else:
            new = random_mark(rng)
            new = replace(new, id=rng.choice(list(marks))) if marks and rng.random() < 0.4 else new
            marks.pop(new.id, None)
            marks[new.id] = new
            index.put(new)
        touched = [mark.id for mark in marks.values() if touches(mark, view)]
        assert index.ids_in(view) == tuple(touched)
        place = (rng.uniform(0, 1000), rng.uniform(0, 1000))
        assert index.at(place, 4) == hit(marks.values(), place, 4)
    assert len(index) == len(marks)
    fresh = MarkIndex(marks.values()).query(EVERYTHING, 1)
    kept = index.query(EVERYTHING, 1)
    assert set(kept) == set(fresh)
    for label, outlines in fresh.items():
        lines = [sorted(line.tolist() for line in lines_of(found)) for found in (kept[label], outlines)]
        assert lines[0] == lines[1]
        assert np.array_equal(kept[label].dots, outlines.dots)


def test_that_the_tree_is_built_anew_after_many_changes(monkeypatch) -> None:
    monkeypatch.setattr("pathview.results.annotation_index._REBUILD", 5)
    rng = random.Random(3)
    marks = [random_mark(rng) for _ in range(8)]
    index = MarkIndex(marks)
    for number in range(100):
        marks[number % 8] = replace(random_mark(rng), id=marks[number % 8].id)
        index.put(marks[number % 8])
        assert set(index.ids_in(EVERYTHING)) == {mark.id for mark in marks}
    assert sum(len(found.dots) for found in index.query(EVERYTHING, 1e4).values()) == 8


def test_that_lines_can_be_made_before_they_are_asked_for(monkeypatch) -> None:
    rng = random.Random(4)
    marks = [random_mark(rng) for _ in range(20)]
    index = MarkIndex(marks, zooms=(0.5, 2.0))
    wanted = {zoom: MarkIndex(marks).query(EVERYTHING, zoom) for zoom in (0.5, 2.0)}
    monkeypatch.setattr(shapely, "simplify", None)
    for zoom, found in wanted.items():
        for label, outlines in index.query(EVERYTHING, zoom).items():
            assert np.array_equal(outlines.points, found[label].points)


def test_that_what_has_no_points_yet_is_left_out() -> None:
    index = MarkIndex([Mark("polygon", ())])
    index.put(Mark("region", ()))
    assert len(index) == 0
    assert index.query(EVERYTHING, 1) == {}
