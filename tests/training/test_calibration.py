from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import brier_score_loss

from pathview.errors import DataError
from pathview.training.measures.calibration import (
    conformal_band,
    conformal_limits,
    conformal_sets,
    coverage_of,
    fit_temperature,
    patient_mean,
    reliability,
    tempered,
)


def two(positive: np.ndarray) -> np.ndarray:
    return np.stack([1 - positive, positive], axis=1)


def honest(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels that come true as often as these say."""
    logits = rng.normal(0, 2, n)
    return logits, (rng.random(n) < expit(logits)).astype(np.intp)


def names(n: int) -> np.ndarray:
    return np.array([f"p{i}" for i in range(n)])


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_that_the_temperature_is_recovered(true: float) -> None:
    logits, labels = honest(20_000, np.random.default_rng(1))
    assert fit_temperature(two(expit(logits * true)), labels) == pytest.approx(true, rel=0.05)


def test_that_a_temperature_of_many_classes_is_recovered() -> None:
    rng = np.random.default_rng(2)
    right = np.exp(rng.normal(0, 1.5, (8000, 4)))
    right /= right.sum(axis=1, keepdims=True)
    labels = (right.cumsum(axis=1) > rng.random((8000, 1))).argmax(axis=1)
    too_sure = right**2 / (right**2).sum(axis=1, keepdims=True)
    assert fit_temperature(too_sure, labels) == pytest.approx(2.0, rel=0.1)
    assert tempered(too_sure, 2.0) == pytest.approx(right, abs=1e-3)  # shares below 1e-7 count as that


def test_that_scores_without_an_error_are_left_as_they_are() -> None:
    assert fit_temperature(two(np.array([0.1, 0.9])), np.array([0, 1])) == 1.0


def test_that_tempering_keeps_the_order_and_takes_saturated_scores() -> None:
    scores = np.array([0.0, 0.2, 0.6, 1.0])
    found = tempered(two(scores), 2.5)[:, 1]
    assert (np.diff(found) > 0).all()
    assert np.isfinite(found).all()


def test_that_calibrating_lowers_the_error_of_probabilities_that_were_too_sure() -> None:
    logits, labels = honest(20_000, np.random.default_rng(3))
    given = two(expit(logits * 3))
    before, after = reliability(given, labels), reliability(tempered(given, 3.0), labels)
    assert before.ece > 0.08
    assert after.ece < 0.02
    assert after.brier < before.brier


def test_that_brier_and_points_are_those_of_the_definition() -> None:
    scores, labels = np.array([0.05, 0.08, 0.95, 1.0]), np.array([0, 1, 1, 1])
    found = reliability(two(scores), labels)
    assert found.brier == pytest.approx(brier_score_loss(labels, scores))
    assert [(point.said, point.found, point.images) for point in found.points] == [
        (pytest.approx(0.065), 0.5, 2),
        (pytest.approx(0.975), 1.0, 2),
    ]
    assert found.ece == pytest.approx(0.5 * abs(0.065 - 0.5) + 0.5 * 0.025)


def test_that_each_class_reaches_the_coverage_that_was_wished_for() -> None:
    """Over many draws of 19 patients a class the coverage is exactly 18 of 20."""
    rng = np.random.default_rng(4)
    held: list[np.ndarray] = []
    for _ in range(400):
        labels = np.repeat([0, 1], 19)
        scores = expit(rng.normal(3 * labels - 1.0, 1))
        limits = conformal_limits(two(scores), labels, names(38), 0.9)
        new = np.repeat([0, 1], 200)
        sets = conformal_sets(two(expit(rng.normal(3 * new - 1.0, 1))), limits)
        held.append(sets[np.arange(400), new].reshape(2, 200).mean(axis=1))
    assert np.mean(held, axis=0) == pytest.approx([0.9, 0.9], abs=0.012)


def test_that_patients_with_many_images_do_not_drown_the_others() -> None:
    """One patient in four is hard and has a single image, the others have fifty: by images the hard ones are lost."""
    rng = np.random.default_rng(5)
    held, naive = [], []
    for _ in range(300):
        hard = np.arange(40) % 4 == 0
        counts = np.where(hard, 1, 50)
        patients, doubt = np.repeat(names(40), counts), np.repeat(np.where(hard, 0.8, 0.2), counts)
        doubt = doubt + rng.uniform(-0.1, 0.1, len(doubt))
        labels = np.ones(len(doubt), np.intp)
        new = np.concatenate([0.8 + rng.uniform(-0.1, 0.1, 50), 0.2 + rng.uniform(-0.1, 0.1, 150)])  # one a patient
        for units, found in ((patients, held), (names(len(doubt)), naive)):
            limits = conformal_limits(two(1 - doubt), labels, units, 0.9)
            found.append((new <= limits[1]).mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)
    assert np.mean(naive) < 0.8


def test_that_too_few_patients_leave_a_class_in_every_set() -> None:
    labels = np.array([0] * 20 + [1] * 3)
    limits = conformal_limits(two(np.linspace(0.01, 0.99, 23)), labels, names(23), 0.9)
    assert np.isfinite(limits[0])
    assert limits[1] == float("inf")
    assert conformal_sets(two(np.array([0.0])), limits)[0, 1]
    lower, upper = conformal_band(limits)
    assert lower == 0.0
    assert limits[0] < upper < np.nextafter(np.float32(limits[0]), np.float32(1))


@pytest.mark.parametrize("coverage", [0.0, 1.0])
def test_that_an_impossible_coverage_is_refused(coverage: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        conformal_limits(two(np.array([0.5])), np.array([1]), names(1), coverage)


def test_that_the_band_holds_just_the_images_without_one_answer() -> None:
    rng = np.random.default_rng(6)
    for shift in (0.5, 6.0):  # sets of both classes between them, and of none
        labels = np.repeat([0, 1], 100)
        scores = expit(rng.normal(shift * (labels - 0.5), 1))
        limits = conformal_limits(two(scores), labels, names(200), 0.9)
        lower, upper = conformal_band(limits)
        new = rng.random(500)
        sure = conformal_sets(two(new), limits).sum(axis=1) == 1
        assert 0 < sure.sum() < 500
        assert (((new < lower) | (new >= upper)) == sure).all()


def test_that_the_coverage_is_told_by_class_and_with_its_interval() -> None:
    sets = np.array([[True, False]] * 8 + [[True, True]] * 2)
    labels = np.array([0] * 6 + [1] * 4)
    found = coverage_of(sets, labels, names(10), ("benign", "malignant"), 0.9)
    assert found.reached is not None
    assert found.reached.value == pytest.approx(0.8)
    assert found.reached.low < 0.8 < found.reached.high
    assert found.by_class["malignant"] is not None
    assert found.by_class["malignant"].value == 0.5
    assert found.answered is not None
    assert found.answered.value == pytest.approx(0.8)
    assert "90 % wished for, 80 % reached" in found.sentence
    assert "'malignant'" not in found.sentence  # 2 of 4 patients allow 90 %
    nothing = coverage_of(sets[:0], labels[:0], names(0), ("benign", "malignant"), 0.9)
    assert nothing.reached is None
    assert "no image" in nothing.sentence


def test_that_patients_weigh_the_same_whatever_their_images() -> None:
    found = patient_mean(np.array([True] * 9 + [False]), np.array(["a"] * 9 + ["b"]))
    assert found is not None
    assert found.value == 0.5


def test_that_nobody_missed_is_no_certainty() -> None:
    found = patient_mean(np.ones(5, np.bool_), names(5))
    assert found is not None
    assert found.value == found.high == 1.0
    assert 0.4 < found.low < 0.75
