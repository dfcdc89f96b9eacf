from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pathview.training.data.split import Fractions, split_by_patient, strata_of

PATIENTS = st.dictionaries(st.text("abcdef0123456789", min_size=1, max_size=4), st.sampled_from("AB"), max_size=60)


@given(PATIENTS, st.integers(0, 1000))
def test_that_no_patient_is_in_two_parts_and_none_is_lost(strata: dict, seed: int) -> None:
    split = split_by_patient(strata, seed=seed)
    parts = [set(split.train), set(split.validation), set(split.test)]
    assert set().union(*parts) == set(strata)
    assert sum(map(len, parts)) == len(strata)


@given(PATIENTS, st.integers(0, 1000))
def test_that_the_same_seed_gives_the_same_split_in_any_order(strata: dict, seed: int) -> None:
    turned = dict(reversed(strata.items()))
    assert split_by_patient(strata, seed=seed) == split_by_patient(turned, seed=seed)


def test_that_each_part_sees_each_kind_of_patient_where_there_are_three() -> None:
    strata = {f"m{i}": "mixed" for i in range(3)} | {f"p{i}": "pos" for i in range(10)} | {"n": "neg"}
    for seed in range(20):
        split = split_by_patient(strata, seed=seed)
        for part in (split.train, split.validation, split.test):
            assert any(key.startswith("m") for key in part)
            assert any(key.startswith("p") for key in part)
        assert "n" in split.train


def test_that_fractions_are_met() -> None:
    split = split_by_patient({str(i): "x" for i in range(200)}, Fractions(0.5, 0.2, 0.3), 1)
    assert (len(split.train), len(split.validation), len(split.test)) == (100, 40, 60)


def test_that_seeds_differ() -> None:
    strata = {str(i): "x" for i in range(30)}
    assert len({split_by_patient(strata, seed=seed).test for seed in range(10)}) > 5


def test_that_strata_are_the_sets_of_a_patients_labels() -> None:
    assert strata_of([("a", 0), ("a", 1), ("b", 1), ("b", 1)]) == {"a": ("0", "1"), "b": ("1",)}
