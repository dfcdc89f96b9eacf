from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pathview.errors import DataError
from pathview.jobs import Cancelled, never, no_progress
from pathview.settings import Settings
from pathview.training.preparing.advice import advise
from pathview.training.preparing.confounding import by_chance, colour_finding, guess_area
from pathview.training.preparing.health import check_health, examine, require_healthy
from pathview.training.preparing.sizes import odd_sizes
from pathview.training.runs.chosen import chosen
from pathview.training.runs.locked_split import lock_split, split_of
from pathview.training.runs.plan import Override, Question, Split, SplitPlan
from pathview.training.runs.run_folder import RunFolder
from tests.training.runs import (
    CLASSES,
    PLAIN,
    collected,
    examined,
    plan_of,
    row,
    save_table,
    tissue,
    write_picture,
    write_table,
)

ROWS = tuple(row(patient, sha256=f"{10 * patient + k:064x}") for patient in range(40) for k in range(2))


def changed(which, **changes: object):
    """The rows, those that ``which`` says with changes; a change that is a function gets the row."""
    return tuple(
        one.model_copy(update={name: value(one) if callable(value) else value for name, value in changes.items()})
        if which(one)
        else one
        for one in ROWS
    )


def number_of(one) -> int:
    return int(one.patient[1:])


def test_that_sound_data_have_no_red_or_amber_finding() -> None:
    health = examined(PLAIN, ROWS, split_of(PLAIN, ROWS))
    assert [finding.code for finding in health.findings if finding.level != "ok"] == []
    assert not health.blocked
    assert {"usable", "patients", "classes", "balance", "copies", "shared_patients", "mean_colour", "advice"} == {
        finding.code for finding in health.findings
    }
    require_healthy(health)


TWICE = changed(lambda one: one is ROWS[0], group="g")
FAULTS = {
    "one_class": changed(lambda _: True, label="benign"),
    "no_patient": changed(lambda one: number_of(one) < 3, patient=""),
    "few_patients": changed(lambda one: one.label == "malignant", patient="P1"),
    "labels_disagree": (*TWICE, TWICE[0].model_copy(update={"file": Path("/x.png"), "label": "malignant"})),
    "unreadable": changed(lambda one: number_of(one) < 4, problem="It is empty.", sha256=""),
    "mask_size": changed(lambda one: number_of(one) < 4, problem="The mask m.png is 4 x 4 pixels, its image 5 x 5."),
    "scanner_confounding": changed(lambda _: True, scanner=lambda one: f"scanner of the {one.label}"),
    "magnification_confounding": changed(lambda _: True, magnification=lambda one: str(20 * len(one.label))),
    "source_confounding": changed(lambda one: one.label == "malignant", source="another folder"),
    "size_confounding": changed(lambda one: one.label == "malignant", width=51),
}


@pytest.mark.parametrize("code", FAULTS)
def test_that_a_planted_fault_is_red_and_blocks_with_its_sentence(code: str) -> None:
    health = examined(PLAIN, FAULTS[code])
    assert [finding.code for finding in health.findings if finding.level == "red"] == [code]
    with pytest.raises(DataError) as caught:
        require_healthy(health)
    assert str(caught.value) == health.findings[0].sentence


AMBER = {
    "few_patients": ROWS[:12],
    "imbalance": tuple(one for one in ROWS if one.label == "benign" or number_of(one) < 20),
    "unreadable": changed(lambda one: one.file == ROWS[0].file, problem="It is empty.", sha256=""),
    "exact_copies": (*TWICE, TWICE[0].model_copy(update={"file": Path("/x.png")})),
    "copies_across_patients": changed(lambda one: one.patient in ("P0", "P2"), group="g"),
    "near_labels_disagree": changed(lambda one: one.patient in ("P0", "P1"), group="g"),
    "patient_spelling": changed(lambda one: one is ROWS[8], patient="p-004"),
    "odd_size": changed(lambda one: one is ROWS[8], width=20_000, height=20_000),
    "published_parts_leak": changed(lambda one: number_of(one) == 5, part=lambda one: f"is first: {one is ROWS[10]}"),
    "density_confounding": changed(lambda _: True, density=lambda one: "D" if one.label == "malignant" else "A"),
    "mean_colour": changed(lambda one: one.label == "malignant", color=(200.0, 100.0, 180.0, 20.0, 20.0, 20.0)),
}  # fmt: skip


@pytest.mark.parametrize("code", AMBER)
def test_that_a_weakness_is_amber_and_does_not_block(code: str) -> None:
    health = examined(PLAIN, AMBER[code])
    found = health.found(code)
    assert found is not None
    assert found.level == "amber"
    assert not health.blocked


def test_that_the_scanners_own_guess_is_measured_on_other_patients() -> None:
    rows = changed(lambda _: True, scanner=lambda one: f"S{(number_of(one) % 2) if number_of(one) < 30 else 0}")
    found = examined(PLAIN, rows).found("scanner_confounding")
    assert found is not None
    assert (found.level, found.numbers["values"]) == ("amber", 2)
    assert 0.7 <= found.numbers["auc"] < 0.9
    assert found.numbers["p"] < 0.05


def test_that_a_scanner_for_each_patient_or_by_chance_gives_nothing_away() -> None:
    each = changed(lambda _: True, scanner=lambda one: one.patient)
    chance = changed(lambda _: True, scanner=lambda one: f"S{number_of(one) // 2 % 2}")
    for rows in (each, chance):
        found = examined(PLAIN, rows).found("scanner_free")
        assert found is not None
        assert found.level == "ok"


def test_that_a_guess_below_chance_is_told_in_words_and_not_as_an_area() -> None:
    one_of_each = changed(lambda _: True, scanner=lambda one: f"S{number_of(one) // 2}")
    found = examined(PLAIN, one_of_each).found("scanner_free")
    assert found is not None
    assert found.numbers["auc"] == 0
    assert found.sentence == (
        "The scanner does not tell the label (guessed by it, other patients come out no better than by chance)."
    )
    rows = tuple(row(number) for number in range(24))
    (colour,) = colour_finding(rows, [CLASSES[number // 2 % 2] for number in range(24)])
    assert colour.numbers["auc"] < 0.5
    assert colour.sentence.endswith("below 0.5 it tells nothing of them, so that the baseline is chance.")


def test_that_large_numbers_have_their_thousands_apart() -> None:
    rows = tuple(row(patient, sha256=f"{2000 * patient + k:064x}") for patient in range(30) for k in range(40))
    health = examined(PLAIN, rows)
    assert health.found("usable").sentence == "All 1,200 images can be read."
    assert "600 images of 15 patients" in health.found("classes").sentence
    assert health.found("advice").sentence.startswith("1,200 images of 30 patients are few")


def test_that_the_guess_of_a_value_is_the_area_of_the_others_shares() -> None:
    patients = np.arange(60)
    values = np.random.default_rng(0).integers(0, 3, 60)
    positive = np.random.default_rng(1).random(60) < np.array([0.1, 0.5, 0.9])[values]
    slow = []
    for i in range(60):
        others = patients != i
        prior = positive[others].mean()
        same = others & (values == values[i])
        slow.append((positive[same].sum() + prior) / (same.sum() + 1) - prior)
    area = guess_area(patients, values, positive)
    assert area == pytest.approx(roc_auc_score(positive, np.round(slow, 12)))
    assert by_chance(patients, values, positive, area, 0) < 0.01
    assert by_chance(patients, values[::-1].copy(), positive, 0.5, 0) > 0.05


def test_that_an_override_is_told_with_name_and_reason() -> None:
    plan = PLAIN.model_copy(update={"split": SplitPlan(override=Override(who="Dr A", why="one slide each"))})
    found = examined(plan, changed(lambda one: number_of(one) < 3, patient="")).found("no_patient")
    assert found is not None
    assert found.level == "amber"
    assert "as Dr A decided (one slide each)" in found.sentence


def test_that_a_patient_in_two_parts_and_a_changed_split_are_red() -> None:
    split = split_of(PLAIN, ROWS)
    kept, test = split.patients("train")[0], split.patients("test")[0]
    rows = changed(lambda one: one.patient in (kept, test), group="same picture")
    health = examined(PLAIN, rows, split)
    assert health.found("shared_patients").level == "red"
    moved = Split.model_validate(split.model_dump() | {"parts": split.parts | {test: "train"}})
    assert examined(PLAIN, ROWS, moved).found("split_changed").level == "red"


def test_that_a_test_part_without_a_class_is_red() -> None:
    split = split_of(PLAIN, ROWS)
    parts = {patient: "train" if int(patient[1:]) % 2 else part for patient, part in split.parts.items()}
    health = examined(PLAIN, ROWS, Split.model_validate(split.model_dump() | {"parts": parts}))
    assert health.found("class_missing_in_test").level == "red"
    assert "no image of 'malignant'" in health.found("class_missing_in_test").sentence


def test_that_outlines_alone_are_judged_by_outlines() -> None:
    plan = PLAIN.model_copy(update={"question": Question(task="segmentation", classes=CLASSES)})
    rows = tuple(one.model_copy(update={"label": "", "outlined": 0.1}) for one in ROWS)
    health = examined(plan, rows)
    assert (health.found("no_negatives").level, health.blocked) == ("amber", False)
    empty = tuple(one.model_copy(update={"outlined": 0.0}) for one in rows)
    assert examined(plan, empty).found("one_class").level == "red"


def test_that_images_without_a_patient_are_counted_as_no_patients() -> None:
    nameless = tuple(one.model_copy(update={"patient": ""}) for one in ROWS)
    findings = {one.code: one for one in examined(PLAIN, nameless).findings}
    assert findings["no_patient"].level == "red"
    assert (
        findings["classes"].sentence
        == "benign: 40 images of no named patient; malignant: 40 images of no named patient."
    )
    assert "few_patients" not in findings
    assert findings["advice"].sentence.startswith("80 images (80 without a patient) are few, and the model")
    some = tuple(one.model_copy(update={"patient": ""}) if one is ROWS[0] else one for one in ROWS)
    sentence = next(one.sentence for one in examined(PLAIN, some).findings if one.code == "classes")
    assert sentence == "benign: 40 images of 20 patients, 1 of no named patient; malignant: 40 images of 20 patients."


def test_that_an_image_far_larger_than_the_others_is_shown() -> None:
    one = changed(lambda one: one is ROWS[8], width=20_000, height=20_000)
    found = next(finding for finding in examined(PLAIN, one).findings if finding.code == "odd_size")
    assert found.sentence == (
        f"1 image is 20000 x 20000 pixels, the others about {ROWS[0].width} x {ROWS[0].height}: look whether it "
        "belongs here."
    )
    assert found.files == (ROWS[8].file,)
    sizes = changed(lambda one: number_of(one) % 2 == 0, width=3 * ROWS[0].width, height=3 * ROWS[0].height)
    assert odd_sizes(sizes) == ([], "")


def test_that_a_class_of_few_test_patients_is_told() -> None:
    split = split_of(PLAIN, ROWS)
    benign = next(unit for unit in split.patients("test") if int(unit[1:]) % 2 == 0)
    of = {one.patient: one.label for one in ROWS}
    rows = changed(
        lambda one: split.parts[one.patient] == "test" and one.patient != benign and of[one.patient] == of[benign],
        label=next(label for label in CLASSES if label != of[benign]),
    )
    sentences = [one.sentence for one in examined(PLAIN, rows, split).findings if one.code == "few_of_class_in_test"]
    assert sentences == [
        f"Only 1 of the {len(split.patients('test'))} test patients has images of {of[benign]!r}: figures that need "
        "them will have no interval."
    ]
    assert not [one for one in examined(PLAIN, ROWS, split).findings if one.code == "few_of_class_in_test"]


def test_that_nothing_usable_is_red_and_not_a_crash() -> None:
    broken = tuple(one.model_copy(update={"problem": "It is empty.", "sha256": ""}) for one in ROWS)
    assert examined(PLAIN, broken).blocked
    assert examined(PLAIN, ()).blocked


@pytest.mark.parametrize(
    ("patients", "images", "kinds", "case", "level"),
    [(10, 20, ("histology",), 1, "quick"), (60, 20, ("histology",), 2, "thorough"),
     (10, 200, (), 3, "quick"), (60, 20, ("mammogram",), 4, "thorough")],
)  # fmt: skip
def test_that_advice_follows_size_and_resemblance(patients, images, kinds, case: int, level: str) -> None:
    rows = [row(p, sha256=f"{1000 * p + k:064x}") for p in range(patients) for k in range(images)]
    found = advise(rows, kinds)
    assert (found.case, found.level) == (case, level)


def test_that_faults_in_files_are_found_from_the_files_to_the_findings(tmp_path: Path) -> None:
    lines = write_table(tmp_path / "data")
    copy = np.ascontiguousarray(tissue(0)[:, ::-1])
    write_picture(tmp_path / "data" / "mirrored.png", copy)
    write_picture(tmp_path / "data" / "twice.png", tissue(101))
    (tmp_path / "data" / "broken.png").write_bytes(b"\x89PNG\r\n")
    lines += [
        {"file": "mirrored.png", "patient": "P2", "label": "benign"},
        {"file": "twice.png", "patient": "P1", "label": "benign"},
        {"file": "broken.png", "patient": "P3", "label": "benign"},
    ]
    run = RunFolder(tmp_path / "run")
    found = collected(run, plan_of(save_table(tmp_path / "data", lines)))
    assert (found.images, found.unusable, found.copies, found.alike) == (39, 1, 1, 1)
    split = lock_split(run)
    assert split.parts["P0"] == split.parts["P2"]
    health = check_health(run, Settings(), no_progress, never())
    assert run.health() == health
    levels = {finding.code: finding.level for finding in health.findings}
    assert levels["labels_disagree"] == "red"
    assert levels["copies_across_patients"] == levels["exact_copies"] == levels["unreadable"] == "amber"
    assert levels["shared_patients"] == "ok"
    assert len(chosen(run.plan(), run.rows())) == 38


def test_that_the_check_can_be_cancelled() -> None:
    token = never()
    token.set()
    with pytest.raises(Cancelled):
        examine(PLAIN, ROWS, None, (), no_progress, token)


def test_that_a_table_without_colours_is_examined_all_the_same() -> None:
    rows = changed(lambda one: one is ROWS[0], color=())
    assert examined(PLAIN, rows, split_of(PLAIN, rows)).found("mean_colour") is None
