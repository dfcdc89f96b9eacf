from __future__ import annotations

import numpy as np
import pytest

from pathview.errors import DataError
from pathview.training.measures.operating import Scores, by_woman, scores_of, unit_of


def women(positive: list[float], negative: list[float]) -> Scores:
    scores = np.array(positive + negative)
    names = np.array([f"w{i}" for i in range(len(scores))])
    return Scores(names, np.arange(len(scores)) < len(positive), scores, "women")


def hand_made() -> Scores:
    """8 of 10 found and 20 of 100 recalled at 0.5; in the band 0.3 to 0.6: 2 of those who have it, 30 of the others."""
    return women([0.1, 0.4, 0.55] + [0.9] * 7, [0.1] * 60 + [0.4] * 20 + [0.55] * 10 + [0.8] * 10)


def test_that_1000_women_are_counted_as_by_hand() -> None:
    found = hand_made().at(0.5, prevalence=0.01)
    assert found.sensitivity.value == pytest.approx(0.8)
    assert found.specificity.value == pytest.approx(0.8)
    assert found.missed.value == pytest.approx(1000 * 0.01 * 0.2)
    assert found.recalled.value == pytest.approx(1000 * (0.01 * 0.8 + 0.99 * 0.2))
    assert found.patients == 110
    assert found.missed.low < 2 < found.missed.high < 6
    assert found.sentence.startswith("Of 1,000 women, 10 of whom have it: 2.0 (")
    assert "206 (" in found.sentence


def test_that_the_band_is_counted_as_by_hand() -> None:
    found = hand_made().band(0.3, 0.6, prevalence=0.01)
    assert found.missed.value == pytest.approx(1000 * 0.01 * 0.1)
    assert found.reviewed.value == pytest.approx(1000 * (0.01 * 0.2 + 0.99 * 0.3))
    assert found.wrongly_called.value == pytest.approx(1000 * 0.99 * 0.1)
    assert "299 (" in found.sentence


def test_that_a_threshold_calls_the_score_that_it_is() -> None:
    found = women([0.5, 0.5], [0.5, 0.2]).at(0.5, 0.5)
    assert (found.sensitivity.value, found.specificity.value) == (1.0, 0.5)


def test_that_none_missed_of_few_is_not_told_as_certain() -> None:
    found = women([0.9] * 8, [0.1] * 50 + [0.7] * 10).at(0.5, 0.1)
    assert found.missed.value == 0
    assert 10 < found.missed.high < 40  # 8 women rule out a third missed, not a tenth
    assert found.sensitivity.low < 0.9


def test_that_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(150):
        found = women(rng.normal(1, 1, 40).tolist(), rng.normal(-1, 1, 200).tolist()).at(0.0, 0.02)
        truth = 1000 * (0.02 * 0.8413 + 0.98 * 0.1587)
        held += found.recalled.low <= truth <= found.recalled.high
    assert 134 <= held <= 149


def test_that_a_woman_is_called_by_her_highest_image() -> None:
    patients = np.array(["a", "a", "b", "b", "c"])
    found = by_woman(patients, np.array([False, True, False, False, True]), np.array([0.9, 0.2, 0.1, 0.3, 0.4]))
    assert found.positive.tolist() == [True, False, True]
    assert found.scores.tolist() == [0.9, 0.3, 0.4]


def test_that_images_of_one_patient_are_drawn_together() -> None:
    """Forty images of four patients: the interval is that of four patients, not of forty images."""
    patients = np.repeat([f"p{i}" for i in range(8)], 10)
    positive = np.arange(80) < 40
    scores = np.repeat([0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1], 10)
    by_patient = Scores(patients, positive, scores).at(0.5, 0.5)
    by_image = Scores(np.arange(80), positive, scores).at(0.5, 0.5)
    assert by_patient.sensitivity.value == by_image.sensitivity.value == 0.5
    width = by_patient.sensitivity.high - by_patient.sensitivity.low
    assert width > 2 * (by_image.sensitivity.high - by_image.sensitivity.low)


def test_that_women_are_counted_where_there_are_women_of_both_kinds() -> None:
    patients = np.repeat(["a", "b", "c", "d"], 2)
    apart = np.array([True, False, True, True, False, False, False, False])
    mixed = np.tile([True, False], 4)  # patches of slides: every woman has both
    assert unit_of((patients, apart)) == "women"
    assert unit_of((patients, apart), (patients, mixed)) == "images"
    assert scores_of(patients, apart, [0.1] * 8, "women").unit == "women"
    assert len(scores_of(patients, mixed, [0.1] * 8, "images").scores) == 8


def test_that_the_dearer_error_moves_the_suggested_threshold() -> None:
    rng = np.random.default_rng(1)
    scores = women(rng.normal(1, 1, 400).tolist(), rng.normal(-1, 1, 400).tolist())
    missed, equal, recalled = (scores.suggested_threshold(costly) for costly in ("missed", "equal", "recalled"))
    assert missed < equal < recalled
    assert equal == pytest.approx(0.0, abs=0.35)
    assert missed == pytest.approx(-np.log(5) / 2, abs=0.4)  # where the likelihood ratio is 1 / 5
    assert scores.at(missed, 0.5).sensitivity.value > 0.93


def test_that_a_clean_gap_is_cut_in_its_middle() -> None:
    assert women([0.8, 0.9], [0.1, 0.2]).suggested_threshold("equal") == pytest.approx(0.5)


def test_that_the_suggested_band_keeps_both_errors_down() -> None:
    rng = np.random.default_rng(2)
    scores = women(rng.normal(1, 1, 300).tolist(), rng.normal(-1, 1, 300).tolist())
    lower, upper = scores.suggested_band(missed=0.02, recalled=0.1)
    found = scores.band(lower, upper, 0.5)
    assert found.missed.value / 500 <= 0.02
    assert found.wrongly_called.value / 500 <= 0.1
    tighter = scores.band(scores.candidates[np.searchsorted(scores.candidates, lower) + 3], upper, 0.5)
    assert tighter.missed.value / 500 > 0.02 - 4 / 300
    assert tighter.reviewed.value < found.reviewed.value


def test_that_scores_that_tell_all_apart_need_no_band() -> None:
    scores = women([0.8, 0.9], [0.1, 0.2])
    lower, upper = scores.suggested_band()
    assert lower == upper
    assert scores.band(lower, upper, 0.01).reviewed.value == 0


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, 6.0])
def test_that_an_impossible_prevalence_is_refused(prevalence: float) -> None:
    with pytest.raises(DataError, match="prevalence"):
        hand_made().at(0.5, prevalence)


def test_that_a_band_upside_down_and_one_truth_alone_are_refused() -> None:
    with pytest.raises(DataError, match="above the upper"):
        hand_made().band(0.6, 0.3, 0.01)
    with pytest.raises(DataError, match="All women here are positive"):
        women([0.5], [])
