from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace, Region
from pathview.results.regions import TileRegion
from pathview.results.result import AnalysisResult, Flag, ScoreMap
from pathview.review.records.answered import Answer, agreement, answered_map, reviewed, standing, tile_regions
from pathview.review.records.case import ImageRow, ResultRow
from tests.review.answer_makers import mosaic_result

NAN = np.nan


def answer(column: int, row: int, value, number: int = 1, side: int = 50) -> Answer:
    region = Region(column * 50, row * 50, side, side)
    return Answer(number, 1, 1, region, value, "r", datetime.now(UTC), 0.5, "w", 1)


def row_of(result: AnalysisResult) -> ResultRow:
    return ResultRow(
        id=1,
        image_id=1,
        status="analysed",
        recipe=result.recipe,
        created=datetime.now(UTC),
        score=result.score,
        score_name=result.score_name,
        lower=result.lower,
        upper=result.upper,
        label=result.label,
        threshold=result.threshold,
        flags=tuple((flag.code, flag.sentence) for flag in result.flags),
        provenance={"settings": dict(result.provenance.settings)},
    )


def test_that_the_last_answer_on_a_tile_stands() -> None:
    history = [answer(0, 0, "positive", 1), answer(1, 0, "skip", 2), answer(0, 0, "negative", 3)]
    assert [one.id for one in standing(history)] == [2, 3]
    assert [one.id for one in standing([*history, answer(1, 0, None, 4)])] == [3]


def test_that_the_map_follows_and_the_models_own_stays() -> None:
    own = mosaic_result().probability
    before = own.values.copy()
    answers = [answer(0, 0, "negative"), answer(1, 0, "positive"), answer(2, 0, "cant_tell"), answer(3, 0, "skip")]
    found = answered_map(own, [*answers, answer(3, 1, "positive")])
    assert found.values[0].tolist() == pytest.approx([0.0, 1.0, 0.1, 0.48])
    assert np.isnan(found.values[1, 3]), "what was not analysed stays so"
    assert np.array_equal(own.values, before, equal_nan=True)


def test_that_an_answer_holds_for_the_cells_of_a_finer_map_but_not_for_much_larger_ones() -> None:
    fine = ScoreMap(np.full((8, 8), 0.5, np.float32), GridPlace(0, 0, 25, 25), smooth=False)
    found = answered_map(fine, [answer(1, 0, "positive")]).values
    assert np.argwhere(found == 1).tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
    coarse = ScoreMap(np.full((2, 2), 0.5, np.float32), GridPlace(0, 0, 100, 100), smooth=False)
    assert np.array_equal(answered_map(coarse, [answer(0, 0, "positive", side=60)]).values, coarse.values)
    moved = ScoreMap(np.full((2, 2), 0.5, np.float32), GridPlace(1000, 1000, 50, 50), smooth=False)
    assert np.array_equal(answered_map(moved, [answer(0, 0, "positive")]).values, moved.values)


def test_that_the_score_follows_by_the_recipes_rule_beside_the_models_own() -> None:
    result = mosaic_result()
    row = row_of(result)
    assert (result.score, result.label) == (pytest.approx(2 / 7), "not_sure")
    found = reviewed(row, result.probability, [answer(0, 0, "negative"), answer(1, 0, "negative")])
    assert found is not None
    assert (found.model_score, found.model_label) == (result.score, "not_sure")
    assert (found.before, found.score, found.label) == (result.score, 0.0, "negative")
    assert (found.answers, found.changed) == (2, 2)
    more = reviewed(row, result.probability, [answer(2, 0, "positive"), answer(3, 0, "positive")])
    assert more is not None
    assert (more.score, more.label) == (pytest.approx(4 / 7), "positive")
    unsure = reviewed(row, result.probability, [answer(0, 0, "skip"), answer(1, 0, "cant_tell")])
    assert unsure is not None
    assert (unsure.score, unsure.label, unsure.answers, unsure.changed) == (result.score, "not_sure", 0, 0)


def test_that_another_threshold_is_another_share() -> None:
    result = mosaic_result()
    found = reviewed(row_of(result), result.probability, [answer(2, 1, "positive")], threshold=0.4)
    assert found is not None
    assert (found.before, found.score) == (pytest.approx(3 / 7), pytest.approx(4 / 7))
    assert found.model_score == result.score


def test_that_answers_do_not_make_negative_what_was_not_seen_whole() -> None:
    result = mosaic_result(flags=(Flag("unreadable_parts", "Parts could not be read."),))
    found = reviewed(row_of(result), result.probability, [answer(0, 0, "negative"), answer(1, 0, "negative")])
    assert found is not None
    assert (found.score, found.label) == (0.0, "not_sure")


def test_that_one_tile_is_judged_by_its_probability() -> None:
    result = mosaic_result([[0.5]])
    found = reviewed(row_of(result), result.probability, [answer(0, 0, "positive")])
    assert found is not None
    assert (result.label, found.score, found.label) == ("not_sure", 1.0, "positive")


def test_that_the_score_of_a_finer_map_is_moved_from_the_models_own() -> None:
    result = mosaic_result(np.full((4, 4), 0.1), stride=25)
    row = replace(row_of(result), score=0.25)
    found = reviewed(row, result.probability, [answer(0, 0, "positive")])
    assert found is not None
    assert (found.before, found.score) == (0.25, pytest.approx(0.25 + 1 / 16))


def test_that_an_outline_or_a_cascade_is_not_reviewed_by_tiles() -> None:
    result = mosaic_result()
    assert reviewed(row_of(result), replace(result.probability, smooth=True), []) is None
    assert reviewed(replace(row_of(result), stages=({"places": []},)), result.probability, []) is None
    assert reviewed(replace(row_of(result), status="not_analysed"), result.probability, []) is None


def test_that_agreement_counts_answers_against_the_models_class() -> None:
    tiles = [TileRegion(Region(50 * i, 0, 50, 50), Region(0, 0, 150, 150), p, 1) for i, p in enumerate((0.9, 0.5, 0.2))]
    said = {tiles[0].tile: "positive", tiles[1].tile: "negative", tiles[2].tile: "skip"}
    assert agreement(tiles, said, 0.5) == (1, 2)
    assert agreement(tiles, said, 0.6) == (2, 2)


def test_that_tiles_to_look_at_come_from_the_result_and_its_recipes_band() -> None:
    result = mosaic_result()
    image = ImageRow(1, 1, Path("/data/m"), {"size": [200, 100]}, None, row_of(result))
    found = tile_regions(image, result.probability, (0.35, 0.65), [])
    assert [round(region.probability, 2) for region in found] == [0.52, 0.48, 0.3, 0.9, 0.1, 0.05]
    assert found[2].count == 2, "0.2 stands beside 0.3"
    assert all(region.context.bottom <= 100 for region in found)
    assert tile_regions(image, result.probability, None, [])[0].probability == pytest.approx(0.52)
    with pytest.raises(NotAnalysable, match="analyse it first"):
        tile_regions(replace(image, result=None), None, None, [])
    with pytest.raises(NotAnalysable, match="not classified tile by tile"):
        tile_regions(image, replace(result.probability, smooth=True), None, [])
