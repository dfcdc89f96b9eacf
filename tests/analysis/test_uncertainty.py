from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathview.analysis.predict import positive_score
from pathview.analysis.uncertainty import judge_map, judge_patches, label_of, mask_sum
from pathview.geometry import GridPlace
from pathview.models.recipe import DecisionSpec
from pathview.results.result import ScoreMap
from tests.makers import tiny_unet_recipe

INPUT = tiny_unet_recipe().input
PLACE = GridPlace(0, 0, 1, 1)


def test_that_the_sum_is_taken_at_the_stated_size_and_keeps_tiny_values() -> None:
    values = np.full((64, 64), 1e-9, np.float32)
    assert mask_sum(ScoreMap(values, PLACE), INPUT, 224) == pytest.approx(224 * 224 * 1e-9, rel=1e-4)
    half = ScoreMap(values[:32], PLACE)  # padding below and above adds pixels without probability
    assert mask_sum(half, INPUT, 224) == pytest.approx(224 * 112 * 1e-9, rel=1e-4)


def test_that_seed_2s_limits_give_three_labels() -> None:
    decision = DecisionSpec(rule="mask-sum", lower=1e-4, upper=100.0)
    for value, label in ((1e-12, "negative"), (1e-3, "not_sure"), (0.5, "positive")):
        verdict = judge_map(ScoreMap(np.full((64, 64), value, np.float32), PLACE), INPUT, decision)
        assert verdict.label == label


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_that_every_score_has_exactly_one_label(score: float, a: float, b: float) -> None:
    lower, upper = sorted((a, b))
    label = label_of(score, lower, upper)
    assert (label == "positive") == (score >= upper)
    assert (label == "negative") == (score < lower and score < upper)


def test_that_one_patch_is_judged_by_its_probability_and_many_by_their_share() -> None:
    decision = DecisionSpec(rule="margin", lower=0.4, upper=0.6, share=(0.1, 0.5))
    one = judge_patches(ScoreMap(np.array([[0.55]], np.float32), PLACE), decision, 0.5)
    assert (one.label, one.score) == ("not_sure", pytest.approx(0.55))
    values = np.array([[0.9, 0.1, np.nan, 0.2]], np.float32)
    many = judge_patches(ScoreMap(values, PLACE), decision, 0.5)
    assert (many.label, many.score) == ("not_sure", pytest.approx(1 / 3))
    assert judge_patches(ScoreMap(values, PLACE), decision, 0.05).label == "positive"


@given(st.floats(0, 1), st.floats(0, 1))
def test_that_two_outputs_agree_with_their_arg_max(p0: float, p1: float) -> None:
    score = positive_score(np.array([[p0, p1]], np.float32))[0]
    assert 0 <= score <= 1
    if abs(p1 - p0) > 1e-6:
        assert (score > 0.5) == (p1 > p0)
