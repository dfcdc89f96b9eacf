from __future__ import annotations

import threading

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pathview.errors import AnnotationError
from pathview.geometry import GridPlace, Region, Size
from pathview.results.annotation import Mark
from pathview.results.annotation_pixels import MOST_CORNERS, between, component_of, outlined, wand
from pathview.results.annotation_shapes import inside, shape_of, with_shape
from pathview.results.findings import findings
from pathview.results.mask import full_mask
from pathview.results.measurement import inside_of
from pathview.results.result import ScoreMap

PIXELS = GridPlace(0, 0, 1, 1)


def edges(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(mask.shape[1] + 1), np.arange(mask.shape[0] + 1)


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_that_an_outline_holds_exactly_the_pixels_that_are_set(mask: np.ndarray) -> None:
    shape = outlined(mask, *edges(mask))
    assert shape.is_valid
    assert shape.area == mask.sum()
    if mask.any():
        mark = with_shape(Mark("region", ()), shape)
        assert np.array_equal(inside_of(mark, Region(0, 0, mask.shape[1], mask.shape[0])), mask)


def test_that_an_outline_has_corners_only_where_it_turns() -> None:
    mask = np.ones((200, 300), bool)
    mask[50:60, 70:90] = False
    found = outlined(mask, *edges(mask))
    assert len(shapely.get_coordinates(shapely.normalize(found.simplify(0)))) == 10
    mark = with_shape(Mark("region", ()), found)
    assert len(list(mark.corners)) == 8


def test_that_noise_is_refused_in_one_sentence() -> None:
    noise = np.random.default_rng(0).random((600, 600)) > 0.5
    with pytest.raises(AnnotationError, match=r"^The outline would have [\d,]+ corners; take less"):
        outlined(noise, *edges(noise))
    assert MOST_CORNERS < 600 * 600


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32])
def test_that_the_wand_takes_what_hangs_together_and_is_about_as_bright(kind) -> None:
    pixels = np.zeros((20, 30), kind)
    pixels[5:15, 5:12] = 100
    pixels[8:10, 7:9] = 120
    pixels[5:15, 20:25] = 100  # as bright, elsewhere
    pixels[15, 12] = 100  # touches at a corner only
    found = wand(pixels, PIXELS, (6.5, 6.5), tolerance=10)
    assert found.area_px == 66
    assert len(found.rings) == 1
    assert len(found.rings[0]) == 2
    assert wand(pixels, PIXELS, (6.5, 6.5), tolerance=20).area_px == 70
    assert wand(pixels, PIXELS, (7.1, 8.9), tolerance=0).area_px == 4


def test_that_codes_beyond_eight_bits_are_told_apart() -> None:
    pixels = np.full((4, 4), 60_000, np.uint16)
    pixels[2:] = 60_001
    assert wand(pixels, PIXELS, (1, 1), tolerance=0).area_px == 8
    assert wand(pixels, PIXELS, (1, 1), tolerance=1).area_px == 16


def test_that_each_channel_of_a_colour_counts() -> None:
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:, 5:, 2] = 50
    assert wand(pixels, PIXELS, (1, 1), tolerance=49).area_px == 50
    assert wand(pixels, PIXELS, (1, 1), tolerance=50).area_px == 100


def test_that_the_wand_is_placed_by_the_level_that_it_looks_at() -> None:
    pixels = np.zeros((20, 30), np.uint8)
    pixels[2:4, 3:7] = 1
    found = wand(pixels, GridPlace(1000, 2000, 4, 8), (1000 + 3.5 * 4, 2000 + 2.5 * 8), 0, frame=5)
    assert shape_of(found).bounds == (1012, 2016, 1028, 2032)
    assert found.frame == 5


def test_that_blur_takes_noise_away() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.normal(1000, 60, (80, 80))
    pixels[20:60, 20:60] += 800
    noisy = np.clip(pixels, 0, 4095).astype(np.uint16)
    found = wand(noisy, PIXELS, (40, 40), tolerance=400, blur=2.0)
    true = shapely.box(20, 20, 60, 60)
    overlap = shape_of(found).intersection(true).area / shape_of(found).union(true).area
    assert overlap > 0.93


@pytest.mark.parametrize("seed", [(-0.1, 5), (5, 20), (30, 5)])
def test_that_a_wand_beyond_the_image_is_refused(seed) -> None:
    with pytest.raises(AnnotationError, match="beyond the image"):
        wand(np.zeros((20, 30), np.uint8), PIXELS, seed, 1)


def smooth_map() -> tuple[ScoreMap, Size]:
    values = np.zeros((12, 16), np.float32)
    values[2:5, 2:6] = 0.9
    values[3, 3] = 0.1
    values[6:11, 8:15] = 0.7
    values[8, 10:13] = 0.2
    return ScoreMap(values, GridPlace(0, 0, 10.5, 9.5)), Size(168, 114)


def cell_map() -> tuple[ScoreMap, Size]:
    scores, size = smooth_map()
    values = scores.values.copy()
    values[5, 7] = 0.95  # hangs on at a corner
    values[11, 15] = np.nan
    return ScoreMap(values, scores.place, smooth=False), size


@pytest.mark.parametrize("made", [smooth_map, cell_map])
@pytest.mark.parametrize("threshold", [0.15, 0.5, 0.65])
def test_that_a_copy_of_a_finding_holds_its_very_pixels(made, threshold: float) -> None:
    scores, size = made()
    places = findings(scores, threshold, size, None, threading.Event())
    copies = [component_of(scores, threshold, size, place, "lesion-unet", 12) for place in places]
    assert [copy.area_px for copy in copies] == [place.area_px for place in places]
    together = np.zeros(size.shape, bool)
    for copy in copies:
        together |= inside_of(copy, Region.whole(size))
    assert np.array_equal(together, full_mask(scores, threshold, size) > 0)


def test_that_a_copy_says_where_it_is_from_and_is_the_readers_own() -> None:
    scores, size = smooth_map()
    place = findings(scores, 0.5, size, None, threading.Event())[1]
    first, second = (component_of(scores, 0.5, size, place, "lesion-unet", 12, frame=4) for _ in range(2))
    assert first.properties == {"copied from": "model lesion-unet, result 12, finding 2, threshold 0.5"}
    assert (first.frame, first.rings) == (4, second.rings)
    assert first.id != second.id


def test_that_a_finding_that_is_not_there_is_told() -> None:
    scores, size = smooth_map()
    place = findings(scores, 0.5, size, None, threading.Event())[0]
    with pytest.raises(AnnotationError, match="no finding 1"):
        component_of(scores, 0.95, size, place, "m", 1)


def test_that_a_very_large_finding_is_copied_in_coarser_steps(monkeypatch) -> None:
    scores, size = smooth_map()
    place = findings(scores, 0.5, size, None, threading.Event())[0]
    monkeypatch.setattr("pathview.results.annotation_pixels._MOST_PIXELS", place.region.size.pixels // 8)
    copy = component_of(scores, 0.5, size, place, "m", 1)
    assert copy.area_px == pytest.approx(place.area_px, rel=0.15)
    assert shape_of(copy).centroid.distance(shapely.Point(place.centroid)) < 2


def test_that_halfway_between_two_discs_lies_a_disc_of_middling_size() -> None:
    small = Mark("ellipse", ((0, 0), (40, 40)), frame=10, label="mass")
    large = Mark("ellipse", ((100, 50), (180, 130)), frame=20)
    middle = between(small, large, 15)
    assert (middle.frame, middle.label, middle.kind) == (15, "mass", "region")
    assert middle.id not in (small.id, large.id)
    assert shape_of(middle).centroid.distance(shapely.Point(80, 55)) < 0.5
    assert middle.area_px == pytest.approx(np.pi * 30**2, rel=0.02)
    assert between(large, small, 18).area_px == pytest.approx(np.pi * 36**2, rel=0.02)


def test_that_a_hole_in_both_is_a_hole_between() -> None:
    ring = shapely.Point(50, 50).buffer(40).difference(shapely.Point(50, 50).buffer(15))
    first, last = (with_shape(Mark("region", (), frame=frame), ring) for frame in (0, 2))
    found = between(first, last, 1)
    assert len(found.rings[0]) == 2
    assert inside(found).symmetric_difference(ring).area < 0.02 * ring.area


@pytest.mark.parametrize("frame", [10, 20, 5, 25])
def test_that_only_frames_between_are_filled(frame: int) -> None:
    small, large = Mark("ellipse", ((0, 0), (4, 4)), frame=10), Mark("ellipse", ((0, 0), (9, 9)), frame=20)
    with pytest.raises(AnnotationError, match="between"):
        between(small, large, frame)
