from __future__ import annotations

import numpy as np
import pytest

from pathview.errors import DataError
from pathview.jobs import Cancelled, never, no_progress
from pathview.training.judging.challenge import label_shuffle, likeness_verdict, shuffle_verdict, similarity
from pathview.training.judging.learning_curve import Features, HeadTask, learning_curve, shuffled


def features(patients: int, images: int, skill: float, seed: int, mixed: bool = False) -> Features:
    """Images of patients who are alike within themselves; ``skill``: how far apart the classes are."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"s{seed}p{i}" for i in range(patients)], images)
    labels = np.arange(patients * images) % 2 if mixed else np.repeat(np.arange(patients) % 2, images)
    own = np.repeat(rng.normal(0, 1, (patients, 8)), images, axis=0)
    values = own + rng.normal(0, 0.3, (len(names), 8))
    values[:, 0] += skill * (labels - 0.5)
    return Features(values.astype(np.float32), labels.astype(np.intp), names)


def task(skill: float, train: int = 40, mixed: bool = False) -> HeadTask:
    return HeadTask(features(train, 4, skill, 1, mixed), features(40, 4, skill, 2, mixed), ("no", "yes"), 0.1)


def test_that_the_curve_takes_whole_patients_in_growing_shares() -> None:
    found = learning_curve(task(2.0), no_progress, never())
    assert [point.patients for point in found.points] == [4, 10, 20, 30, 40]
    assert [point.images for point in found.points] == [16, 40, 80, 120, 160]
    assert found.points[-1].value.value > found.points[0].value.value
    for point in found.points:
        assert point.value.low < point.value.value < point.value.high


def test_that_more_patients_are_said_to_help_only_where_they_did() -> None:
    flat = learning_curve(task(8.0, train=200), no_progress, never(), (0.5, 1.0))
    assert flat.gain is not None
    assert flat.gain.low <= 0
    assert "cannot be said" in flat.sentence
    hard = HeadTask(_hard(40, 3), _hard(400, 4), ("no", "yes"), 0.001)
    rising = learning_curve(hard, no_progress, never(), (0.5, 1.0))
    assert rising.gain is not None
    assert rising.gain.low > 0
    assert "did help" in rising.sentence


def _hard(patients: int, seed: int) -> Features:
    """More numbers than patients: the head needs every one of them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(patients) % 2
    values = rng.normal(0, 1, (patients, 200)) + 0.12 * (2 * labels[:, None] - 1)
    names = np.array([f"s{seed}p{i}" for i in range(patients)])
    return Features(values.astype(np.float32), labels.astype(np.intp), names)


def test_that_shares_which_are_the_same_patients_are_one_point() -> None:
    found = learning_curve(task(2.0, train=6), no_progress, never())
    assert [point.patients for point in found.points] == sorted({point.patients for point in found.points})
    assert found.points[-1].patients == 6


def test_that_the_curve_repeats() -> None:
    one, other = (learning_curve(task(1.0), no_progress, never(), (0.5, 1.0)) for _ in range(2))
    assert one == other


def test_that_validation_patients_of_one_class_are_refused() -> None:
    whole = features(10, 2, 1.0, 1)
    only = whole.take(np.flatnonzero(whole.labels == 1))
    with pytest.raises(DataError, match="of one class"):
        HeadTask(whole, only, ("no", "yes"))


def test_that_a_curve_can_be_cancelled() -> None:
    token = never()
    token.set()
    with pytest.raises(Cancelled):
        learning_curve(task(1.0), no_progress, token)


def test_that_labels_are_shuffled_among_patients_where_these_are_of_one_class() -> None:
    rng = np.random.default_rng(0)
    found = shuffled(features(40, 4, 1.0, 1), rng)
    assert all(len(set(found.labels[found.patients == name].tolist())) == 1 for name in np.unique(found.patients))
    assert found.labels.sum() == 80
    assert (found.labels != features(40, 4, 1.0, 1).labels).any()
    mixed = shuffled(features(40, 4, 1.0, 1, mixed=True), rng)
    assert mixed.labels.sum() == 80
    assert any(len(set(mixed.labels[mixed.patients == name].tolist())) == 2 for name in np.unique(mixed.patients))


@pytest.mark.parametrize("mixed", [False, True])
def test_that_a_head_which_learns_falls_to_chance_on_shuffled_labels(mixed: bool) -> None:
    found = label_shuffle(task(4.0, mixed=mixed), no_progress, never())
    assert found.passed
    assert found.numbers["true"] > 0.9
    assert found.numbers["low"] <= 0.5 <= found.numbers["high"]
    assert "falls to chance" in found.sentence


def test_that_features_which_say_nothing_are_no_better_than_shuffled_labels() -> None:
    found = label_shuffle(task(0.0), no_progress, never())
    assert found.passed is False
    assert "no more than shuffled" in found.sentence


def test_that_a_way_for_the_truth_to_leak_past_the_labels_is_found() -> None:
    """What a pipeline gives that scores well whatever it is taught: the sentence says so."""
    found = shuffle_verdict(0.95, [0.8 + 0.005 * i for i in range(19)])
    assert found.passed is False
    assert "Even with shuffled labels" in found.sentence


def test_that_a_leak_through_the_fit_itself_is_found() -> None:
    """A head that was fitted on the validation images too keeps its figure when the training labels are shuffled."""

    class Leaking(HeadTask):
        def probabilities(self, train: Features) -> np.ndarray:
            both = Features(
                np.concatenate([train.values, *[self.validation.values] * 5]),
                np.concatenate([train.labels, *[self.validation.labels] * 5]),
                np.concatenate([train.patients, *[self.validation.patients] * 5]),
            )
            return super().probabilities(both)

    clean = task(4.0)
    leaking = Leaking(clean.train, clean.validation, clean.classes, clean.cost)
    assert label_shuffle(leaking, no_progress, never()).passed is False


def test_that_like_maps_are_told_from_unlike_ones() -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((3, 8, 8)).astype(np.float32)
    assert similarity(maps, maps**2) == pytest.approx(1.0)
    assert abs(similarity(maps, rng.random((3, 8, 8)).astype(np.float32))) < 0.3
    assert similarity(maps, np.zeros_like(maps)) == 0.0
    assert np.isnan(similarity(np.zeros_like(maps), maps))
    coarse = np.kron(maps, np.ones((1, 2, 2), np.float32))
    assert similarity(coarse, maps) > 0.8


def test_that_maps_which_do_not_change_with_the_weights_fail() -> None:
    alike = likeness_verdict({"last layer": 0.99, "upper half": 0.95, "all": 0.9})
    assert alike.passed is False
    assert "do not rely on them" in alike.sentence
    assert likeness_verdict({"last layer": 0.6, "all": 0.1}).passed is True
    assert likeness_verdict({"all": float("nan")}).passed is None
