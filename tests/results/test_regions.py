from __future__ import annotations

import numpy as np
import pytest

from pathview.geometry import GridPlace, Region, Size
from pathview.results.regions import TILE_ORDERS, TileRegion, field_of, uncertain_regions
from pathview.results.result import ScoreMap

NAN = np.nan


def map_of(values, cell: float = 50.0, smooth: bool = False) -> ScoreMap:
    return ScoreMap(np.array(values, np.float32), GridPlace(0, 0, cell, cell), smooth)


def listed(score_map: ScoreMap, order="uncertain", **options) -> tuple[TileRegion, ...]:
    return uncertain_regions(score_map, 0.35, 0.65, 0.5, order, **options)


def probabilities(regions) -> list[float]:
    return [round(region.probability, 3) for region in regions]


def test_that_the_tiles_nearest_to_the_decision_come_first() -> None:
    found = listed(map_of([[0.9, NAN, 0.52], [NAN, NAN, NAN], [0.05, NAN, 0.4]]))
    assert probabilities(found) == [0.52, 0.4, 0.9, 0.05]
    assert found[0].tile == Region(100, 0, 50, 50)
    assert [region.count for region in found] == [1] * 4


def test_that_nearness_is_counted_by_the_band_of_each_side() -> None:
    score_map = map_of([[0.3, NAN, 0.58]])
    assert probabilities(uncertain_regions(score_map, 0.0, 0.6, 0.5)) == [0.3, 0.58]


def test_that_a_hundred_uncertain_neighbours_are_one_place() -> None:
    values = np.full((20, 20), NAN, np.float32)
    values[3:13, 4:14] = np.random.default_rng(1).uniform(0.36, 0.64, (10, 10))
    values[7, 8] = 0.5
    (found,) = listed(map_of(values))
    assert found.count == 100
    assert found.tile == Region(400, 350, 50, 50)


def test_that_a_place_ends_where_its_extent_does() -> None:
    found = listed(map_of(np.full((3, 25), 0.5)), extent=10)
    assert sorted(region.count for region in found) == [15, 30, 30]


def test_that_neighbours_of_other_doubt_are_another_place() -> None:
    found = listed(map_of([[0.5, 0.5, 0.98, 0.98, 0.01]]))
    assert [(region.count, round(region.probability, 2)) for region in found] == [(2, 0.5), (2, 0.98), (1, 0.01)]


def test_that_the_surest_are_of_the_class_that_the_model_calls() -> None:
    score_map = map_of([[0.9, NAN, 0.6], [NAN, NAN, NAN], [0.02, NAN, 0.4]])
    assert probabilities(listed(score_map, "surest positive")) == [0.9, 0.6]
    assert probabilities(listed(score_map, "surest negative")) == [0.02, 0.4]
    assert listed(map_of([[0.1]]), "surest positive") == ()


def test_that_a_random_sample_is_of_single_tiles_and_the_same_each_time() -> None:
    score_map = map_of(np.linspace(0, 1, 400).reshape(20, 20))
    first = listed(score_map, "random", seed=3, limit=30)
    assert first == listed(score_map, "random", seed=3, limit=30)
    assert first != listed(score_map, "random", seed=4, limit=30)
    assert listed(score_map, "random", seed=3, limit=40)[:30] == first
    assert {region.count for region in first} == {1}
    assert len({region.tile for region in first}) == 30
    everything = listed(score_map, "random", limit=None)
    assert sorted(probabilities(everything)) == pytest.approx(sorted(score_map.values.ravel().tolist()), abs=1e-3)


@pytest.mark.parametrize("order", TILE_ORDERS)
def test_that_the_order_of_equal_tiles_is_stable(order) -> None:
    score_map = map_of(np.tile([[0.5, NAN]], (8, 10)))
    assert listed(score_map, order) == listed(score_map, order)


def test_that_answered_places_stay_where_they_were_and_do_not_count() -> None:
    score_map = map_of([[0.5, NAN, 0.51, NAN, 0.52, NAN, 0.53]])
    before = listed(score_map, limit=2)
    after = listed(score_map, limit=2, answered=[before[0].tile, Region(7, 7, 3, 3), Region(900, 0, 50, 50)])
    assert after[:2] == before
    assert probabilities(after) == [0.5, 0.51, 0.52]


def test_that_a_place_is_shown_by_the_tile_that_was_answered() -> None:
    score_map = map_of([[0.5, 0.55, NAN, 0.52]])
    answered = Region(50, 0, 50, 50)
    found = listed(score_map, answered=[answered])
    assert [(region.tile, region.count) for region in found] == [(answered, 2), (Region(150, 0, 50, 50), 1)]


def test_that_the_context_is_three_tiles_wide_and_inside_the_image() -> None:
    score_map = map_of(np.where(np.eye(5), 0.5, NAN))
    contexts = {region.tile.x: region.context for region in listed(score_map, extent=1)}
    assert contexts[100] == Region(50, 50, 150, 150)
    assert contexts[0] == Region(0, 0, 150, 150)
    assert contexts[200] == Region(100, 100, 150, 150)
    small = listed(map_of([[0.5]]), size=Size(30, 20))[0]
    assert small.context == Region(0, 0, 30, 20)


def test_that_tiles_of_a_finer_map_are_the_networks_fields() -> None:
    fine = ScoreMap(np.full((40, 40), 0.5, np.float32), GridPlace(100, 60, 8.0, 8.0), smooth=False)
    field = field_of(fine, {"stride": 4, "input": [50, 50]})
    assert field == (100.0, 100.0)
    found = listed(fine, field=field, extent=2, limit=None)
    assert {(region.tile.width, region.tile.height) for region in found} == {(100, 100)}
    assert found[0].tile == Region(54, 14, 100, 100)
    assert found[0].count == 4
    again = listed(fine, field=field, extent=2, limit=None, answered=[found[0].tile])
    assert again == found
    assert field_of(fine, {"stride": None, "input": [50, 50]}) is None


def test_that_a_smooth_or_empty_map_has_no_tiles() -> None:
    assert listed(map_of([[0.5]], smooth=True)) == ()
    assert listed(map_of([[NAN]])) == ()
