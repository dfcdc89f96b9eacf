from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score, roc_auc_score, roc_curve

from pathview.results.statistics import (
    kappa,
    mcnemar_p,
    patient_draws,
    patient_tables,
    patient_weights,
    percentile_interval,
    roc_areas,
    roc_points,
)

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


def table(pairs, size: int = 4) -> np.ndarray:
    found = np.zeros((size, size))
    for one, other in pairs:
        found[one, other] += 1
    return found


@given(PAIRS, st.sampled_from(["none", "linear", "quadratic"]))
def test_that_kappa_is_scikit_learns(pairs, weighting) -> None:
    first, second = map(list, zip(*pairs, strict=True))
    assume(len({*first, *second}) > 1)
    expected = cohen_kappa_score(first, second, labels=[0, 1, 2, 3], weights=None if weighting == "none" else weighting)
    assert kappa(table(pairs)[None], weighting)[0] == pytest.approx(expected, abs=1e-9)


def test_that_kappa_of_one_value_only_is_not_defined() -> None:
    tables = np.zeros((3, 2, 2))
    tables[0, 0, 0] = 5  # both say the same of everything
    tables[1, 0, 1] = 5  # each keeps to one value, but not to the same
    assert np.isnan(kappa(tables)[[0, 2]]).all()
    assert kappa(tables)[1] == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), min_size=2, max_size=40))
def test_that_areas_are_scikit_learns_ties_and_weights_included(entries) -> None:
    positive, scores, weights = (np.array(column) for column in zip(*entries, strict=True))
    known = {bool(p) for p, w in zip(positive, weights, strict=True) if w}
    found = roc_areas(positive, scores.astype(float), weights[None].astype(float))[0]
    if len(known) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(positive, scores, sample_weight=weights))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_that_curves_are_scikit_learns(entries) -> None:
    positive, scores = (np.array(column) for column in zip(*entries, strict=True))
    assume(len(set(positive.tolist())) == 2)
    x, y, _ = roc_curve(positive, scores, drop_intermediate=False)
    assert roc_points(positive, scores.astype(float)) == pytest.approx(np.stack([x, y], axis=-1))


@given(st.integers(0, 60), st.integers(0, 60))
def test_that_mcnemars_test_is_the_exact_one_of_two_sides(better: int, worse: int) -> None:
    assume(better + worse)
    assert mcnemar_p(better, worse) == pytest.approx(binomtest(better, better + worse).pvalue)


def test_that_a_draw_takes_all_of_a_patient_or_nothing() -> None:
    patients = np.array(["a", "b", "a", "c", "a"])
    for drawn in patient_draws(patients, 50, seed=1):
        counts = np.bincount(drawn, minlength=5)
        assert counts[0] == counts[2] == counts[4]
        assert counts[[0, 1, 3]].sum() == 3
    weights = np.concatenate(list(patient_weights(patients, 50, seed=1)))
    assert weights.shape == (50, 5)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_that_tables_of_draws_are_those_of_drawn_patients() -> None:
    """Drawing kinds of patients and drawing patients: the same means and the same spread of each cell."""
    rng = np.random.default_rng(0)
    patients = np.array([f"p{i}" for i in rng.integers(0, 30, 90)])
    cells = rng.integers(0, 4, 90)
    quick = patient_tables(patients, cells, 4, 20_000, seed=0)
    plain = np.array([np.bincount(cells[drawn], minlength=4) for drawn in patient_draws(patients, 20_000, seed=1)])
    assert quick.mean(axis=0) == pytest.approx(plain.mean(axis=0), rel=0.01)
    assert np.cov(quick.T) == pytest.approx(np.cov(plain.T), rel=0.08, abs=0.5)


@given(st.integers(2, 12), st.integers(1, 5))
def test_that_more_images_of_the_same_patients_narrow_nothing(patients: int, times: int) -> None:
    """An image copied within its patient changes no share and no spread."""
    names = np.array([f"p{i}" for i in range(patients)])
    cells = np.arange(patients) % 2
    once = patient_tables(names, cells, 2, 500, seed=0)
    often = patient_tables(np.repeat(names, times), np.repeat(cells, times), 2, 500, seed=0)
    assert (often == once * times).all()


def test_that_an_interval_is_the_middle_of_what_was_drawn() -> None:
    assert percentile_interval(np.arange(1001.0)) == pytest.approx((25.0, 975.0))
    assert percentile_interval([1.0, 2.0], level=0.0) == (1.5, 1.5)
