from __future__ import annotations

import threading
import tracemalloc

import cv2
import numpy as np
import pytest

from pathview.geometry import GridPlace, Region, Size, SpacingMm
from pathview.jobs import Cancelled
from pathview.results import mask as mask_module
from pathview.results.mask import AREA_STEPS, area_curve, full_mask, mask_region, measure, sample
from pathview.results.result import ScoreMap

SIZE = Size(610, 430)


def random_map(seed: int = 0, smooth: bool = True) -> ScoreMap:
    rng = np.random.default_rng(seed)
    values = cv2.GaussianBlur(rng.random((30, 40)).astype(np.float32), (0, 0), 2)
    values = (values - values.min()) / (values.max() - values.min())
    return ScoreMap(values.astype(np.float32), GridPlace(20.0, 10.0, 14.5, 13.7), smooth)


def test_that_a_part_is_sampled_as_in_the_whole() -> None:
    score_map = random_map()
    everything = sample(score_map, Region.whole(SIZE))
    for region in (Region(100, 50, 77, 33), Region(0, 0, 10, 10), Region(590, 400, 20, 30)):
        part = sample(score_map, region)
        assert np.array_equal(part, everything[region.y : region.bottom, region.x : region.right])


def test_that_sampling_meets_the_cells_centres_and_knows_its_end() -> None:
    score_map = ScoreMap(np.array([[0.0, 1.0]], np.float32), GridPlace(0, 0, 10, 10))
    values = sample(score_map, Region(0, 0, 30, 1))[0]
    assert values[4:6].tolist() == pytest.approx([0.0, 0.05])
    assert values[9:11].mean() == pytest.approx(0.5)
    assert (values[20:] == -1).all()


def test_that_patches_hold_for_whole_cells_and_gaps_are_never_mask() -> None:
    score_map = ScoreMap(np.array([[0.9, np.nan]], np.float32), GridPlace(0, 0, 5, 5), smooth=False)
    assert full_mask(score_map, 0.0, Size(10, 5)).mean() == 127.5
    assert measure(score_map, 0.5, Size(10, 5), None).area_px == 25


@pytest.mark.parametrize("smooth", [True, False])
def test_that_curve_measure_and_mask_tell_the_same_area(smooth: bool) -> None:
    score_map = random_map(3, smooth)
    curve = area_curve(score_map, SIZE)
    for step in (0, 1, 137, 500, 777, 1000):
        threshold = step / AREA_STEPS
        mask = full_mask(score_map, threshold, SIZE)
        stats = measure(score_map, threshold, SIZE, SpacingMm(0.1, 0.2))
        assert curve[step] == stats.area_px == np.count_nonzero(mask), step
        assert stats.area_mm2 == pytest.approx(stats.area_px * 0.02)
        assert len(stats.components) == cv2.connectedComponents(mask, connectivity=8)[0] - 1


def test_that_components_tell_place_area_and_peak() -> None:
    values = np.zeros((10, 10), np.float32)
    values[2:4, 1:3] = 0.8
    values[7, 7] = 0.6
    stats = measure(ScoreMap(values, GridPlace(0, 0, 10, 10), False), 0.5, Size(100, 100), None)
    first, second = stats.components
    assert (first.region, first.area_px, first.peak) == (Region(10, 20, 20, 20), 400, pytest.approx(0.8))
    assert first.centroid == pytest.approx((20.0, 30.0))
    assert second.area_px == 100
    assert stats.area_mm2 is None


def test_that_an_empty_mask_is_empty_everywhere() -> None:
    score_map = ScoreMap(np.full((4, 4), 0.2, np.float32), GridPlace(0, 0, 10, 10))
    assert mask_region(score_map, 0.5, Size(40, 40)).size.pixels == 0
    assert measure(score_map, 0.5, Size(40, 40), SpacingMm(1, 1)).area_mm2 == 0.0
    assert full_mask(score_map, 0.5, Size(40, 40)).max() == 0


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_that_components_are_those_of_the_whole_mask(
    smooth: bool, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the blocks are in which they are found."""
    monkeypatch.setattr(mask_module, "_BLOCK_PIXELS", 7 * SIZE.width)
    for seed in range(3):
        score_map = random_map(seed, smooth)
        whole = sample(score_map, Region.whole(SIZE))
        mask = (whole >= threshold).astype(np.uint8)
        count, labels, stats, centres = cv2.connectedComponentsWithStats(mask, None, 8)
        expected = {tuple(stats[i]): (whole[labels == i].max(), centres[i] + 0.5) for i in range(1, count)}
        found = measure(score_map, threshold, SIZE, None).components
        assert len(found) == len(expected) == count - 1
        assert [c.area_px for c in found] == sorted((c.area_px for c in found), reverse=True)
        for component in found:
            box = component.region
            peak, centre = expected[(box.x, box.y, box.width, box.height, component.area_px)]
            assert component.peak == peak
            assert component.centroid == pytest.approx(tuple(centre))


def test_that_cells_are_counted_by_the_pixels_whose_centres_they_hold() -> None:
    """Cells without a pixel of their own, and parts of cells beyond the image, count for nothing."""
    values = np.zeros((6, 7), np.float32)
    values[::2, ::3] = 1.0
    for cell in (0.4, 0.9, 1.7):
        score_map = ScoreMap(values, GridPlace(-0.6, 0.3, cell, 2 * cell), smooth=False)
        size = Size(5, 6)
        mask = full_mask(score_map, 0.5, size)
        stats = measure(score_map, 0.5, size, None)
        assert stats.area_px == area_curve(score_map, size)[500] == np.count_nonzero(mask)
        assert len(stats.components) == cv2.connectedComponents(mask, connectivity=8)[0] - 1


def test_that_a_whole_slides_patches_are_measured_without_its_pixels() -> None:
    size = Size(46_000, 33_000)
    values = np.full((83, 115), 0.1, np.float32)
    values[10:12, 20:23] = 0.9
    values[82, 114] = 0.8
    score_map = ScoreMap(values, GridPlace(0, 0, 400, 400), smooth=False)
    tracemalloc.start()
    stats = measure(score_map, 0.5, size, SpacingMm(0.00025, 0.00025))
    curve = area_curve(score_map, size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6
    assert [c.area_px for c in stats.components] == [6 * 400 * 400, 400 * 200]
    assert stats.components[0].region == Region(8000, 4000, 1200, 800)
    assert stats.components[1].centroid == (45_800.0, 32_900.0)
    assert curve[500] == stats.area_px
    assert curve[0] == size.pixels


def test_that_a_smooth_map_is_measured_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_module, "_BLOCK_PIXELS", 2**17)
    size = Size(4000, 3000)
    score_map = ScoreMap(np.full((30, 40), 0.9, np.float32), GridPlace(0, 0, 100, 100))
    tracemalloc.start()
    stats = measure(score_map, 0.5, size, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [c.region for c in stats.components] == [Region.whole(size)]
    assert peak < size.pixels


def test_that_counting_areas_stops_when_cancelled() -> None:
    cancel = threading.Event()
    area_curve(random_map(), SIZE, cancel)
    cancel.set()
    with pytest.raises(Cancelled):
        area_curve(random_map(), SIZE, cancel)
