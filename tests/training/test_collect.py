from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathview.errors import DataError
from pathview.images.digest import fingerprint
from pathview.jobs import never, no_progress
from pathview.results.annotation import Mark
from pathview.review.records.case import ImageRow
from pathview.settings import Settings
from pathview.training.preparing.collect import CollectRequest, collect, suggested_classes
from pathview.training.preparing.store_labels import DecidedImage, MarkedImage, StoreLabels
from pathview.training.runs.chosen import chosen, corrected, dataset_of
from pathview.training.runs.plan import Correction, Plan, Question, Source
from pathview.training.runs.run_folder import RunFolder
from tests.makers import write_patch_folder
from tests.training.runs import CLASSES, collected, plan_of, save_table, tissue, write_picture, write_table

OUTLINES = Question(task="segmentation", classes=CLASSES)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def image_row(path: Path, number: int = 1) -> ImageRow:
    return ImageRow(number, number, path, {}, None, None, fingerprint(path))


def test_that_a_table_becomes_rows_with_what_it_tells(run: RunFolder, tmp_path: Path) -> None:
    lines = write_table(tmp_path / "data", patients=4, images=2)
    for number, line in enumerate(lines):
        line |= {"Scanner": f"S{number % 2}", "magnification": "40", "density": "C"}
    found = collected(run, plan_of(save_table(tmp_path / "data", lines)))
    assert (found.images, found.patients, found.scanners, found.unusable) == (8, 4, 2, 0)
    assert found.classes == {"benign": 4, "malignant": 4}
    first = run.rows()[0]
    assert (first.patient, first.label, first.scanner, first.magnification) == ("P0", "benign", "S0", "40")
    assert (first.width, first.height, first.kind, first.density, first.source) == (60, 60, "histology", "C", "table")
    assert first.file == tmp_path / "data" / "p0-0.png"
    assert (len(first.sha256), len(first.phash), len(first.color)) == (64, 16, 6)


def test_that_unreadable_missing_and_unlabelled_images_are_rows_with_a_problem(run: RunFolder, tmp_path: Path) -> None:
    lines = write_table(tmp_path, patients=2, images=2)
    (tmp_path / "p0-0.png").write_bytes(b"\x89PNG broken")
    lines += [{"file": "gone.png", "patient": "P9", "label": "benign"}]
    lines[2]["label"] = ""
    found = collected(run, plan_of(save_table(tmp_path, lines)))
    assert (found.images, found.unusable) == (5, 3)
    problems = {row.file.name: row.problem for row in run.rows() if row.problem}
    assert problems["gone.png"] == "gone.png does not exist."
    assert problems["p1-0.png"] == "It has no class."
    assert "p0-0.png" in problems["p0-0.png"]


def test_that_idc_patches_and_class_folders_are_collected_together(run: RunFolder, tmp_path: Path) -> None:
    for patient in ("1", "2"):
        write_patch_folder(tmp_path / "idc" / patient, patient=f"{patient}_idx5")
    write_picture(tmp_path / "own" / "benign" / "w7" / "a.png", tissue(1))
    write_picture(tmp_path / "own" / "malignant" / "w8" / "b.png", tissue(2))
    pattern = Source(path=tmp_path / "own", patient_pattern=r"/(w\d+)/")
    plan = Plan(question=Question(classes=CLASSES), sources=(Source(path=tmp_path / "idc"), pattern))
    found = collected(run, plan)
    assert (found.images, found.patients) == (24, 4)
    assert {(row.patient, row.source) for row in run.rows()} == {
        ("1", "IDC patches"),
        ("2", "IDC patches"),
        ("w7", "folders by class"),
        ("w8", "folders by class"),
    }


def test_that_images_with_masks_are_measured_and_wrong_masks_told(run: RunFolder, tmp_path: Path) -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[:30, :30] = 255
    for name, marks in (("a", mask), ("b", mask * 0), ("c", mask[:50])):
        write_picture(tmp_path / "set" / "images" / f"{name}.png", tissue(ord(name)))
        write_picture(tmp_path / "set" / "masks" / f"{name}.png", marks)
    found = collected(run, plan_of(tmp_path / "set", question=OUTLINES))
    assert found.classes == {"outlined": 1, "not outlined": 1}
    assert [row.outlined for row in run.rows()] == [0.25, 0.0, None]
    assert run.rows()[2].problem == "The mask c.png is 60 x 50 pixels, its image 60 x 60."


def test_that_one_file_in_two_sources_counts_once_and_contradictions_are_told(run: RunFolder, tmp_path: Path) -> None:
    lines = write_table(tmp_path, patients=2, images=1)
    one = save_table(tmp_path, lines)
    other = tmp_path / "second.csv"
    other.write_text("file,patient,label\np0-0.png,P0,benign\np1-0.png,P1,benign\n")
    found = collected(run, plan_of(one, other))
    assert (found.images, found.unusable) == (2, 1)
    assert "2 images are in two sources" in found.notices[0]
    assert run.rows()[1].problem == "Two sources call it 'malignant' and 'benign'."


def test_that_decisions_of_the_store_become_labels_unless_the_file_was_replaced(run: RunFolder, tmp_path: Path) -> None:
    files = [write_picture(tmp_path / f"{n}.png", tissue(n)) for n in range(3)]
    rows = [image_row(file, n) for n, file in enumerate(files)]
    write_picture(files[2], tissue(9))
    given = [DecidedImage(rows[0], "k0", True), DecidedImage(rows[1], None, False), DecidedImage(rows[2], "k2", True)]
    plan = Plan(question=Question(classes=CLASSES), sources=(Source(kind="decisions"),))
    labels = {0: StoreLabels(decisions=tuple(given), notices=("told",))}
    found = collect(CollectRequest(run, plan, labels), Settings(), no_progress, never())
    assert found.notices == ("told",)
    assert [(row.patient, row.label, bool(row.problem)) for row in run.rows()] == [
        ("k0", "malignant", False),
        ("", "benign", False),
        ("k2", "malignant", True),
    ]


def test_that_drawn_outlines_become_masks_with_their_holes(run: RunFolder, tmp_path: Path) -> None:
    image = image_row(write_picture(tmp_path / "a.png", tissue(1)))
    empty = image_row(write_picture(tmp_path / "b.png", tissue(2)))
    outline = ((10.0, 10.0), (40.0, 10.0), (40.0, 30.0), (10.0, 30.0))
    hole = ((20.0, 15.0), (30.0, 15.0), (30.0, 25.0), (20.0, 25.0))
    marks = (Mark("region", (), rings=((outline, hole),)),)
    plan = Plan(question=OUTLINES, sources=(Source(kind="annotations"),))
    labels = {0: StoreLabels(annotations=(MarkedImage(image, "k", marks), MarkedImage(empty, "l", ())))}
    collect(CollectRequest(run, plan, labels), Settings(), no_progress, never())
    with_mask, without = run.rows()
    assert with_mask.outlined == pytest.approx((30 * 20 - 10 * 10) / 3600, abs=0.02)
    assert (with_mask.label, without.label, without.outlined) == ("malignant", "benign", 0.0)
    assert all(mask.is_relative_to(run.made) for row in run.rows() for mask in row.masks)


@pytest.mark.parametrize(
    ("source", "question", "sentence"),
    [
        (Source(kind="answers"), None, "were not read; open the store"),
        (Source(path=Path("/nowhere/set")), None, "The data set set does not exist"),
        (Source(path=Path(), patient_pattern="("), None, "is no data set|no regular expression"),
    ],
)
def test_that_a_source_that_gives_nothing_is_one_sentence(run: RunFolder, source, question, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        collected(run, Plan(question=Question(classes=CLASSES), sources=(source,)))
    assert not run.has("dataset.csv")


@pytest.mark.parametrize(("pattern", "sentence"), [("(", "no regular expression"), ("w", "needs parentheses")])
def test_that_a_wrong_pattern_for_patients_is_one_sentence(run, tmp_path: Path, pattern: str, sentence: str) -> None:
    write_picture(tmp_path / "set" / "benign" / "a.png", tissue(1))
    source = Source(path=tmp_path / "set", patient_pattern=pattern)
    with pytest.raises(DataError, match=sentence):
        collected(run, Plan(question=Question(classes=CLASSES), sources=(source,)))


def test_that_corrections_are_in_the_plan_and_the_files_stay(run: RunFolder, tmp_path: Path) -> None:
    table = save_table(tmp_path, write_table(tmp_path, patients=2, images=2))
    before = table.read_bytes()
    plan = plan_of(table)
    collected(run, plan)
    rows = run.rows()
    plan = plan.with_correction(Correction(file=rows[0].file, label="malignant"))
    plan = plan.with_correction(Correction(file=rows[1].file, leave_out=True))
    assert [row.label for row in corrected(plan, rows)] == ["malignant", "malignant", "malignant"]
    assert plan.with_correction(Correction(file=rows[1].file)).corrections == plan.corrections[:1]
    wrong = plan.with_correction(Correction(file=rows[0].file, label="unheard of"))
    with pytest.raises(DataError, match="no class of this question"):
        chosen(wrong, rows)
    assert (table.read_bytes(), run.rows()) == (before, rows)


def test_that_exact_copies_of_one_patient_count_once_and_black_boxes_have_no_outline(run, tmp_path: Path) -> None:
    lines = write_table(tmp_path, patients=2, images=1)
    write_picture(tmp_path / "again.png", tissue(0))
    mask = write_picture(tmp_path / "mask.png", np.full((60, 60), 255, np.uint8))
    lines.append({"file": "again.png", "patient": "P0", "label": "benign"})
    for line in lines:
        line["mask"] = mask.name
    plan = plan_of(save_table(tmp_path, lines), question=replace_task())
    assert collected(run, plan).copies == 1
    used = chosen(plan, run.rows())
    dataset = dataset_of(plan, used)
    assert [(sample.patient, sample.label, len(sample.masks)) for sample in dataset.samples] == [
        ("P0", 0, 0),
        ("P1", 1, 1),
    ]


def replace_task() -> Question:
    return Question(task="segment_and_decide", classes=CLASSES)


def test_that_classes_are_suggested_from_folders_and_tables(tmp_path: Path) -> None:
    for name in ("malignant", "benign"):
        write_picture(tmp_path / "folders" / name / "a.png", tissue(1))
    table = tmp_path / "t.csv"
    table.write_text("file,label\na.png,1\nb.png,0\n")
    assert suggested_classes(tmp_path / "folders") == ("benign", "malignant")
    assert suggested_classes(table) == ("0", "1")
