from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from pathview.errors import DataError
from pathview.training.runs.locked_split import lock_split, require_locked, split_of
from pathview.training.runs.plan import Correction, Override, SplitPlan
from pathview.training.runs.run_folder import SPLIT, RunFolder
from tests.training.runs import PLAIN, row

ROWS = tuple(row(number) for number in range(20))


def plan_with(**changes: object):
    return PLAIN.model_copy(update={"split": SplitPlan.model_validate(changes)})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    found = RunFolder(tmp_path)
    found.write_plan(PLAIN)
    found.write_rows(ROWS)
    return found


def test_that_every_part_sees_every_class_and_no_patient_is_shared() -> None:
    rows = [*ROWS, *(row(number, sha256=f"{number + 100:064x}") for number in range(20))]
    split = split_of(PLAIN, rows)
    labels = defaultdict(set)
    for one in rows:
        labels[split.parts[one.patient]].add(one.label)
    assert all(labels[part] == {"benign", "malignant"} for part in ("train", "validation", "test"))
    assert split.images == {"train": 24, "validation": 8, "test": 8}
    assert (split.shared_patients, split.moved, split.by) == (0, 0, "patient")


def test_that_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    first, again, other = (split_of(plan_with(seed=seed), ROWS) for seed in (1, 1, 2))
    assert (first.parts, first.sha256) == (again.parts, again.sha256)
    assert first.parts != other.parts
    assert split_of(plan_with(seed=1), ROWS[::-1]).sha256 == first.sha256


@pytest.mark.parametrize("seed", range(8))
def test_that_patients_with_nearly_the_same_image_or_one_spelling_stay_on_one_side(seed: int) -> None:
    rows = [*ROWS, row(30, patient="P1", group="g"), row(31, patient="P2", group="g"), row(32, patient="p 5")]
    split = split_of(plan_with(seed=seed), rows)
    assert split.parts["P1"] == split.parts["P2"]
    assert split.parts["P5"] == split.parts["p 5"]
    assert split.moved == 2


def test_that_images_without_a_patient_are_refused_unless_somebody_overrules() -> None:
    rows = [*ROWS, row(0xA << 240, patient=""), row(0xB << 240, patient="")]
    with pytest.raises(DataError, match="2 of 22 images name no patient"):
        split_of(PLAIN, rows)
    split = split_of(plan_with(override=Override(who="Dr A", why="one slide each")), rows)
    assert (split.by, split.override.who) == ("image", "Dr A")
    assert len(split.parts) == 22
    assert split_of(plan_with(override=Override(who="Dr A", why="x")), ROWS).override is None


def test_that_folds_hold_each_learning_patient_once_and_each_class() -> None:
    split = split_of(plan_with(folds=3), ROWS)
    assert set(split.folds) == {*split.patients("train"), *split.patients("validation")}
    kinds = defaultdict(set)
    for patient, fold in split.folds.items():
        kinds[fold].add(int(patient[1:]) % 2)
    assert kinds == {0: {0, 1}, 1: {0, 1}, 2: {0, 1}}


@pytest.mark.parametrize(("rows", "plan", "sentence"), [
    (ROWS[:1], PLAIN, "too few to train and to test on"),
    ([], PLAIN, "too few to train and to test on"),
    (ROWS[:8], plan_with(folds=10), "cannot make 10 folds"),
])  # fmt: skip
def test_that_too_few_patients_are_refused(rows, plan, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        split_of(plan, rows)


def test_that_a_split_stays_until_something_changes_and_is_locked_once_training_has_begun(run: RunFolder) -> None:
    first = lock_split(run)
    assert lock_split(run) == first == run.split()
    changed = PLAIN.with_correction(Correction(file=ROWS[0].file, label="malignant"))
    assert lock_split(run, changed).sha256 != first.sha256
    assert run.plan() == changed
    run.state.mkdir()
    assert lock_split(run) == run.split()
    with pytest.raises(DataError, match="training has begun on it"):
        lock_split(run, changed.model_copy(update={"split": SplitPlan(seed=9)}))
    assert run.plan() == changed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: [*rows, row(50)], "1 patients came to the data"),
        (lambda rows: rows[1:], "are not those that were split"),
        (lambda rows: [rows[0].model_copy(update={"label": "malignant"}), *rows[1:]], "are not those that"),
        (lambda rows: [one.model_copy(update={"outlined": 0.5}) for one in rows], "locked test patients"),
    ],
)
def test_that_data_which_changed_after_the_lock_are_refused(change, sentence: str) -> None:
    split = split_of(PLAIN, ROWS)
    require_locked(split, ROWS)
    with pytest.raises(DataError, match=sentence):
        require_locked(split, change(list(ROWS)))


def test_that_a_patient_moved_by_hand_in_the_manifest_is_found(run: RunFolder) -> None:
    lock_split(run)
    content = json.loads((run.path / SPLIT).read_text())
    moved = next(patient for patient, part in content["parts"].items() if part == "test")
    content["parts"][moved] = "train"
    (run.path / SPLIT).write_text(json.dumps(content))
    with pytest.raises(DataError, match="locked test patients"):
        require_locked(run.split(), ROWS)
