from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk

from pathview.results.mask import overlap
from pathview.results.statistics import patient_draws, percentile_interval
from pathview.training.measures.evaluate import by_groups, color_baseline, intervals, report, shortcomings
from pathview.training.measures.predictions import Scored

RNG = np.random.default_rng(0)


def scored(n: int = 400, patients: int = 20, skill: float = 1.0) -> Scored:
    labels = RNG.integers(0, 2, n)
    scores = np.clip(0.5 + 0.2 * skill * (labels - 0.5) + RNG.normal(0, 0.2, n), 0, 1)
    return Scored(np.array([f"p{i % patients}" for i in range(n)]), labels, scores, scores >= 0.5)


def test_that_figures_are_scikit_learns() -> None:
    data = scored()
    found = data.metrics()
    assert found["auc"] == pytest.approx(sk.roc_auc_score(data.labels, data.scores))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(data.labels, data.called))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(data.labels, data.called))
    assert found["sensitivity"] == pytest.approx(sk.recall_score(data.labels, data.called))
    assert found["specificity"] == pytest.approx(sk.recall_score(1 - data.labels, ~data.called))
    assert found["precision"] == pytest.approx(sk.precision_score(data.labels, data.called))
    assert found["f1"] == pytest.approx(sk.f1_score(data.labels, data.called))
    assert sum(data.confusion().values()) == 400


def test_that_figures_which_the_truth_does_not_allow_are_left_out() -> None:
    data = scored()
    only = data.take(np.flatnonzero(data.labels == 1))
    assert set(only.metrics()) == {"sensitivity"}


def test_that_intervals_are_drawn_by_patient() -> None:
    """Patients who are wholly right or wholly wrong: images are many, patients few, so the interval is wide."""
    patients = np.repeat([f"p{i}" for i in range(8)], 200)
    labels = np.tile([0, 1], 800)
    right = np.repeat([True, False] * 4, 200)
    called = np.where(right, labels == 1, labels == 0)
    low, high = intervals(Scored(patients, labels, called.astype(float), called))["accuracy"]
    assert low <= 0.25
    assert high >= 0.75


def test_that_intervals_hold_the_figure_and_repeat() -> None:
    data = scored(skill=2.0)
    spans = intervals(data, runs=200)
    assert spans == intervals(data, runs=200)
    for name, value in data.metrics().items():
        assert spans[name][0] <= value <= spans[name][1]


def test_that_overlap_of_masks_is_dice_and_iou() -> None:
    a, b = np.zeros((2, 4, 4), bool)
    assert (overlap(a, b).dice, overlap(a, b).iou) == (1.0, 1.0)
    a[0, :2], b[0, 1:3] = True, True
    assert (overlap(a, b).dice, overlap(a, b).iou) == pytest.approx((0.5, 1 / 3))


def test_that_the_colour_baseline_leaves_each_patient_out() -> None:
    patients = np.repeat(["a", "b", "c"], 40)
    labels = np.tile([0, 1], 60)
    features = RNG.normal(0, 1, (120, 6)) + 3 * labels[:, None]
    found = color_baseline(None, features, labels, patients)
    assert found is not None
    assert sk.roc_auc_score(labels, found[:, 1]) > 0.95
    assert color_baseline(None, features[:40], np.ones(40, int), patients[:40]) is None


def test_that_pooled_dice_takes_all_pixels_together() -> None:
    truth = np.zeros((2, 8, 8), np.bool_)
    predicted = np.zeros((2, 8, 8), np.bool_)
    truth[0, :, :], predicted[0, :, :] = True, True  # a large lesion, found
    truth[1, 0, 0], predicted[1, 7, 7] = True, True  # a small one, missed
    overlaps = np.array([overlap(p, t) for p, t in zip(predicted, truth, strict=True)])
    nothing = np.zeros(2)
    two = Scored(np.array(["a", "b"]), np.array([1, 1]), nothing, nothing > 1, overlaps[:, 0], overlaps[:, 1])
    found = two.metrics()
    assert found["dice"] == pytest.approx(0.5)
    assert found["iou"] == pytest.approx(0.5)
    flat = 2 * (truth & predicted).sum() / (truth.sum() + predicted.sum())
    assert found["pooled_dice"] == pytest.approx(flat)


def test_that_groups_have_their_own_figures() -> None:
    data = scored(200)
    names = ["40" if i % 3 else "400" for i in range(200)]
    groups = by_groups(data, names)
    assert {name: group["n_images"] for name, group in groups.items()} == {"40": 133, "400": 67}
    own = data.take(np.flatnonzero(np.array(names) == "400"))
    assert groups["400"]["metrics"]["auc"] == pytest.approx(own.metrics()["auc"], abs=1e-4)


def test_that_a_report_says_why_there_is_no_interval() -> None:
    data = scored(200, patients=2)
    printed = report("m", data, {})
    assert set(printed["intervals"].values()) == {None}
    assert printed["no_interval"] == dict.fromkeys(printed["metrics"], "too few patients")
    assert "no_interval" not in report("m", scored(), {})


def test_that_few_patients_and_a_baseline_not_beaten_are_told() -> None:
    def figures(patients: int, own: float, base: float) -> dict:
        return {
            "n_patients": patients,
            "metrics": {"accuracy": own},
            "baselines": {"majority": {"accuracy": 0.5}, "mean_std_rgb": {"accuracy": base}},
        }

    assert shortcomings(figures(20, 0.9, 0.8)) == []
    assert shortcomings(figures(1, 0.9, 0.8)) == ["It was tested on 1 patient only."]
    (sentence,) = shortcomings(figures(20, 0.65, 0.74))
    assert "colour alone (accuracy 0.65, 0.74)" in sentence


@pytest.mark.parametrize("outlines", [False, True])
def test_that_intervals_of_all_draws_at_once_are_those_of_each_draw(outlines: bool) -> None:
    data = scored(60, patients=6)
    if outlines:
        data = replace(data, common=RNG.integers(0, 5, 60).astype(float), total=RNG.integers(0, 2, 60) * 12.0)
    drawn = [data.take(indices).metrics() for indices in patient_draws(data.patients, 50, 0)]
    for name, (low, high) in intervals(data, runs=50).items():
        values = [metrics[name] for metrics in drawn if name in metrics]
        assert (low, high) == pytest.approx(percentile_interval(values))
