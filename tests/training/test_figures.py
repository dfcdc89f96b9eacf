from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from pathview.training.data.samples import Sample
from pathview.training.measures.evaluate import Reached, estimates
from pathview.training.measures.figures import (
    arrays_of,
    cell_of,
    curves,
    matrix,
    peer,
    predictions,
    rows_of,
    subgroups,
    table,
    worst_errors,
)
from pathview.training.measures.predictions import Scored, ScoredClasses


def scored(skill: float = 1.0, n: int = 400, patients: int = 40, seed: int = 0) -> Scored:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    scores = np.clip(0.5 + 0.2 * skill * (labels - 0.5) + rng.normal(0, 0.2, n), 0, 1)
    return Scored(np.array([f"p{i % patients}" for i in range(n)]), labels, scores, scores >= 0.5)


def samples_for(found: Scored | ScoredClasses, **columns: list[str]) -> list[Sample]:
    return [
        Sample(Path(f"/data/{i}.png"), str(patient), int(label), (), {name: v[i] for name, v in columns.items()})
        for i, (patient, label) in enumerate(zip(found.patients, found.labels, strict=True))
    ]


def five() -> Scored:
    labels, scores = np.array([0, 0, 1, 1, 1]), np.array([0.2, 0.97, 0.4, 0.05, 0.9])
    return Scored(np.array(["a", "b", "c", "d", "e"]), labels, scores, scores >= 0.5)


def test_that_cells_hold_their_images_the_surest_first() -> None:
    rows = predictions(five(), samples_for(five()), "test")
    assert matrix(rows, 2) == ((1, 1), (2, 1))
    assert [row.file.name for row in cell_of(rows, 1, 0)] == ["3.png", "2.png"]
    assert [row.file.name for row in cell_of(rows, 0, 1)] == ["1.png"]
    for label in (0, 1):
        for called in (0, 1):
            assert len(cell_of(rows, label, called)) == matrix(rows, 2)[label][called]


def test_that_the_worst_errors_are_the_surest_ones() -> None:
    rows = predictions(five(), samples_for(five()), "test")
    assert [row.file.name for row in worst_errors(rows, 0.5)] == ["1.png", "3.png", "2.png"]
    assert all(row.wrong for row in worst_errors(rows, 0.5))
    assert len(worst_errors(rows, 0.5, count=1)) == 1


def test_that_the_worst_outlines_are_those_of_the_smallest_dice() -> None:
    one = five()
    outlined = Scored(one.patients, one.labels, one.scores, one.called, np.array([1.0, 0, 3, 2, 5]), np.full(5, 10.0))
    rows = predictions(outlined, samples_for(outlined), "test")
    assert [row.dice for row in worst_errors(rows, 0.5, 2)] == [0.0, 0.2]
    assert all(len(row.scores) == 1 for row in rows)


def test_that_the_worst_of_many_classes_gave_the_truth_the_least() -> None:
    probabilities = np.array([[0.5, 0.4, 0.1], [0.9, 0.06, 0.04], [0.1, 0.8, 0.1]])
    found = ScoredClasses(np.array(["a", "b", "c"]), np.array([1, 2, 1]), probabilities, ("x", "y", "z"))
    rows = predictions(found, samples_for(found), "test")
    assert [row.file.name for row in worst_errors(rows, 0.5)] == ["1.png", "0.png"]
    assert matrix(rows, 3) == ((0, 0, 0), (1, 1, 0), (1, 0, 0))


@pytest.mark.parametrize("part", ["validation", "test"])
def test_that_predictions_are_read_as_they_were_written(tmp_path: Path, part: str) -> None:
    for found, classes in (
        (five(), ("benign", "malignant")),
        (
            ScoredClasses(np.array(["a, b"]), np.array([2]), np.array([[0.1, 0.3, 0.6]]), ("x", "y", "z")),
            ("x", "y", "z"),
        ),
    ):
        rows = predictions(found, samples_for(found), part)
        with (tmp_path / "rows.csv").open("w", newline="") as file:
            csv.writer(file).writerows(table(rows, classes))
        with (tmp_path / "rows.csv").open(newline="") as file:
            assert rows_of(list(csv.DictReader(file)), classes) == rows
        patients, labels, scores = arrays_of(rows)
        assert patients.tolist() == found.patients.tolist()
        assert labels.tolist() == found.labels.tolist()
        assert scores.sum(axis=1) == pytest.approx(1)


def test_that_curves_begin_and_end_where_they_must_and_are_thinned() -> None:
    found = curves(scored(n=4000), ("no", "yes"))["yes"]
    assert found.roc[0] == (0.0, 0.0)
    assert found.roc[-1] == (1.0, 1.0)
    assert len(found.roc) <= 400
    assert found.precision_recall[0][0] == 0.0
    assert found.precision_recall[-1] == (1.0, 0.5)
    data = scored(n=4000)
    assert found.average_precision == pytest.approx(average_precision_score(data.labels, data.scores))
    assert found.share == 0.5
    x, y = np.array(found.roc).T
    assert np.trapezoid(y, x) == pytest.approx(data.metrics()["auc"], abs=0.01)


def test_that_a_class_without_images_has_no_curve() -> None:
    probabilities = np.array([[0.5, 0.4, 0.1], [0.2, 0.7, 0.1]])
    found = ScoredClasses(np.array(["a", "b"]), np.array([0, 1]), probabilities, ("x", "y", "z"))
    assert set(curves(found, ("x", "y", "z"))) == {"x", "y"}
    assert curves(five().take(np.array([0, 1])), ("no", "yes")) == {}


def test_that_figures_hold_their_value_and_never_promise_certainty() -> None:
    labels = np.tile([0, 1], 20)
    perfect = Scored(np.array([f"p{i // 4}" for i in range(40)]), labels, labels.astype(float), labels == 1)
    for found in estimates(perfect).values():
        assert found.value == found.high == 1.0
        assert found.low is not None
        assert 0.6 < found.low < 0.95
    for name, found in estimates(scored()).items():
        assert found.span is not None
        low, high = found.span
        assert low <= scored().metrics()[name] <= high
        assert low < high


def few_negatives() -> Scored:
    """Of six patients two have negatives."""
    patients = np.repeat([f"p{i}" for i in range(6)], 10)
    labels = np.where(np.isin(patients, ["p0", "p1"]), np.arange(60) % 2, 1)
    scores = np.clip(0.3 + 0.3 * labels + np.random.default_rng(3).normal(0, 0.2, 60), 0, 1)
    return Scored(patients, labels, scores, scores >= 0.5)


def test_that_a_figure_which_needs_a_class_of_few_patients_has_no_interval() -> None:
    found = estimates(few_negatives())
    with_interval = {name for name, one in found.items() if one.span is not None}
    assert with_interval == {"sensitivity"}
    assert {one.why_not for name, one in found.items() if name != "sensitivity"} == {"few"}
    assert found["specificity"].value == few_negatives().metrics()["specificity"]


def test_that_a_class_of_few_patients_among_many_leaves_no_interval() -> None:
    patients = np.array([f"p{i // 2}" for i in range(20)])
    labels = np.array([0, 1] * 8 + [2] * 4)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    found = estimates(ScoredClasses(patients, labels, probabilities, ("x", "y", "z")))
    assert {one.why_not for one in found.values()} == {"few"}


@pytest.mark.parametrize("called", [True, False])
def test_that_a_constant_answer_has_its_figures_by_definition(called: bool) -> None:
    data = scored()
    constant = Scored(data.patients, data.labels, np.full(400, 0.4), np.full(400, called))
    found = estimates(constant)
    for name, value in {"auc": 0.5, "balanced_accuracy": 0.5, "sensitivity": called, "specificity": not called}.items():
        assert found[name] == Reached(value=float(value), why_not="constant")
    three = ScoredClasses(data.patients, np.arange(400) % 3, np.tile([0.5, 0.3, 0.2], (400, 1)), ("x", "y", "z"))
    assert estimates(three)["auc"] == Reached(value=0.5, why_not="constant")


def test_that_patients_who_are_all_alike_promise_no_certainty() -> None:
    labels, called = np.tile([0, 0, 1, 1], 10), np.tile([False, True, False, True], 10)
    found = estimates(Scored(np.repeat([f"p{i}" for i in range(10)], 4), labels, called.astype(float), called))
    assert found["accuracy"] == Reached(value=0.5, why_not="alike")


def test_that_small_subgroups_are_told_and_not_shown() -> None:
    data = scored(skill=4)
    scanners = ["GE" if int(patient[1:]) < 3 else "Hologic" for patient in data.patients]
    found = subgroups(data, samples_for(data, scanner=scanners, density=[""] * 400))
    assert [(one.column, one.value, one.patients) for one in found] == [
        ("scanner", "GE", 3),
        ("scanner", "Hologic", 37),
    ]
    small, large = found
    assert small.metrics == {}
    assert small.problem == "3 patients: too few for figures."
    assert large.metrics["auc"].value > 0.9
    assert large.problem == ""


def test_that_a_better_model_is_told_from_chance_and_not_from_itself() -> None:
    good, chance = scored(skill=3), scored(skill=0, seed=1)
    found = peer("majority_class", good, chance)
    assert found.better
    assert "it is better" in found.sentence
    assert "majority class" in found.sentence
    own = peer("base", good, good)
    assert not own.better
    assert own.difference is not None
    assert own.difference.difference == 0
    assert "is not shown" in own.sentence


def test_that_a_model_that_is_worse_is_said_to_be() -> None:
    good, chance = scored(skill=3), scored(skill=0, seed=1)
    found = peer("mean_std_rgb", chance, good)
    assert found.worse
    assert found.sentence.endswith("; it is worse.")
    few = peer("mean_std_rgb", scored(skill=0, patients=3, seed=1), scored(skill=3, patients=3))
    assert not few.worse
    assert few.sentence.endswith(
        "; its figure is lower, that it is better is not shown (fewer than 5 patients never show it)."
    )
    assert not peer("majority", good, chance).worse


def test_that_few_patients_show_nothing_however_clear_the_figures() -> None:
    good, bad = scored(skill=5, patients=3), scored(skill=0, patients=3, seed=1)
    assert not peer("base", good, bad).better


def test_that_a_truth_of_one_class_allows_no_comparison() -> None:
    only = five().take(np.array([2, 3, 4]))
    found = peer("base", only, only)
    assert found.difference is None
    assert "cannot be compared" in found.sentence
