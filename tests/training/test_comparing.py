from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pathview.errors import DataError
from pathview.training.measures.comparing import Comparison, figures_of, paired
from pathview.training.measures.predictions import Scored, ScoredClasses


def scored(patients, labels, scores, common=None, total=None) -> Scored:
    return Scored(
        np.array([f"p{number}" for number in patients]),
        np.array(labels, np.intp),
        np.array(scores, np.float64),
        np.array(scores, np.float64) >= 0.5,
        common,
        total,
    )


def two_models(gain: float, count: int = 60, images: int = 3, seed: int = 3) -> tuple[Scored, Scored]:
    """A new and a present model that err on the same patients; the new one by ``gain`` less."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(count), images)
    labels = np.repeat(np.arange(count) % 2, images)
    hard = np.repeat(rng.normal(0, 1, count), images)
    noise = rng.normal(0, 0.3, len(patients))
    present = labels * 0.8 + hard + noise
    return scored(patients, labels, present + gain * labels), scored(patients, labels, present)


def a_comparison(new: Scored, present: Scored, margin: float | None = None) -> Comparison:
    return Comparison(
        new_sha256="a" * 64, against="tiny, version 1", decides=paired(new, present, "auc"), margin=margin
    )


def test_that_the_figures_are_scikit_learns_and_the_interval_holds_the_difference() -> None:
    new, present = two_models(1.0)
    found = paired(new, present, "auc")
    assert found.new == pytest.approx(roc_auc_score(new.labels, new.scores))
    assert found.present == pytest.approx(roc_auc_score(present.labels, present.scores))
    assert found.low < found.difference < found.high
    assert (found.patients, found.images) == (60, 180)


def test_that_the_interval_is_that_of_plain_draws_of_patients() -> None:
    new, present = two_models(0.6, count=30, images=2)
    rng = np.random.default_rng(8)
    names = np.unique(new.patients)
    drawn = []
    for _ in range(1500):
        rows = np.concatenate([np.flatnonzero(new.patients == name) for name in rng.choice(names, len(names))])
        labels = new.labels[rows]
        drawn.append(roc_auc_score(labels, new.scores[rows]) - roc_auc_score(labels, present.scores[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    found = paired(new, present, "auc")
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)


def test_that_pairing_sees_what_two_separate_intervals_would_not() -> None:
    new, present = two_models(0.35)
    found = paired(new, present, "auc")
    assert found.low > 0
    alone = [paired(one, replace(one, scores=np.zeros(180)), "auc") for one in (new, present)]
    assert alone[0].low < alone[1].high  # each alone: the intervals overlap


def test_that_copies_of_images_do_not_narrow_the_interval() -> None:
    new, present = two_models(0.4, count=24, images=1)
    often = np.repeat(np.arange(24), 20)
    wide = paired(new, present, "auc")
    same = paired(new.take(often), present.take(often), "auc")
    assert same.high - same.low == pytest.approx(wide.high - wide.low, rel=0.15)


def test_that_a_model_against_itself_is_not_better() -> None:
    new, _ = two_models(1.0)
    found = a_comparison(new, new)
    assert (found.decides.low, found.decides.high) == (0.0, 0.0)
    assert found.verdict == "not_shown"
    assert not found.promotes
    assert "that it is better is not shown" in found.sentence


def test_that_a_better_model_is_promoted_and_a_worse_one_is_not() -> None:
    new, present = two_models(1.0)
    assert a_comparison(new, present).verdict == "better"
    assert a_comparison(present, new).verdict == "not_shown"


def test_that_not_inferior_holds_only_where_it_was_asked_for() -> None:
    rng = np.random.default_rng(1)
    present = two_models(3.0)[1]
    new = replace(present, scores=present.scores + rng.normal(0, 1e-3, 180))
    assert a_comparison(new, present).verdict == "not_shown"
    found = a_comparison(new, present, margin=0.05)
    assert found.verdict == "not_inferior"
    assert "at most 0.05 worse, which was the margin asked for" in found.sentence


def test_that_four_patients_tell_nothing_however_large_the_difference() -> None:
    labels = [0, 1] * 4
    patients = np.repeat(np.arange(4), 2)
    found = a_comparison(scored(patients, labels, labels), scored(patients, labels, [1 - one for one in labels]))
    assert found.decides.difference == 1.0
    assert found.verdict == "too_few"
    assert not found.promotes


def test_that_draws_without_both_classes_leave_no_interval() -> None:
    patients, labels = range(6), [1, 0, 0, 0, 0, 0]
    found = paired(scored(patients, labels, [0.9, 0.1, 0.2, 0.3, 0.4, 0.5]), scored(patients, labels, [0.5] * 6), "auc")
    assert found.low is None  # a third of the draws misses the one positive
    assert found.difference == 0.5


def test_that_dice_decides_of_outlines() -> None:
    count = 40
    rng = np.random.default_rng(2)
    total = np.full(count, 200.0)
    dice = rng.uniform(0.3, 0.7, count)
    present = scored(range(count), [1] * count, dice, 100 * dice, total)
    new = scored(range(count), [1] * count, dice, 100 * (dice + 0.1), total)
    assert figures_of(new) == ("dice",)
    found = paired(new, present, "dice")
    assert found.difference == pytest.approx(0.1)
    assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_that_many_classes_are_compared_by_the_mean_of_each_against_the_rest() -> None:
    rng = np.random.default_rng(5)
    labels = np.arange(90) % 3
    patients = np.array([f"p{number}" for number in np.arange(90) // 3])
    chances = rng.random((90, 3))
    better = chances + 2 * np.eye(3)[labels]
    models = [
        ScoredClasses(patients, labels, rows / rows.sum(axis=1, keepdims=True), ("a", "b", "c"))
        for rows in (better, chances)
    ]
    found = paired(*models, "auc")
    assert found.new == pytest.approx(models[0].metrics()["auc"])
    assert found.present == pytest.approx(models[1].metrics()["auc"])
    assert found.low > 0


def test_that_models_on_other_images_or_one_class_are_not_compared() -> None:
    new, present = two_models(1.0)
    with pytest.raises(DataError, match="not measured on the same images"):
        paired(new, present.take(np.arange(100)), "auc")
    one = np.flatnonzero(new.labels == 1)
    with pytest.raises(DataError, match="both classes are needed"):
        paired(new.take(one), present.take(one), "auc")
