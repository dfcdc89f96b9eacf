"""A run with a finished tiny model: its result, its thresholds and its challenges, each look counted."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, roc_auc_score

from pathview.cli import run as run_command
from pathview.errors import DataError
from pathview.jobs import Cancelled, never, no_progress
from pathview.models.weights import read_manifest, write_manifest
from pathview.settings import Settings
from pathview.training.judging.challenge import challenge_model, read_challenges
from pathview.training.judging.chooser import Choice, suggested, validation_scores
from pathview.training.judging.choosing import keep_choice, read_operating
from pathview.training.judging.result import make_result, read_predictions, read_result
from pathview.training.measures.figures import arrays_of, cell_of
from pathview.training.runs.locked_split import lock_split
from pathview.training.runs.locked_uses import uses_of_test
from pathview.training.runs.plan import DatasetRow, Plan, Question, SplitPlan
from pathview.training.runs.run_folder import PREDICTIONS, RESULT, TEST_USES, RunFolder
from tests.makers import breast_pixels

PATIENTS, IMAGES = 30, 2


def write_run(folder: Path, model: Path, base: str = "") -> RunFolder:
    """Thirty patients, every other one ill, two patches each, of two scanners, one of which saw few patients."""
    run = RunFolder(folder / "run")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(PATIENTS * IMAGES):
        patient, label = number // IMAGES, number // IMAGES % 2
        color = np.array([170 - 40 * label, 110, 150]) + rng.normal(0, 12, 3)
        pixels = np.clip(color + rng.normal(0, 10, (50, 50, 3)), 0, 255).astype(np.uint8)
        file = folder / "images" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
        scanner = "rare" if patient < 2 else "usual"
        values = {"patient": f"P{patient}", "label": ("negative", "idc")[label], "scanner": scanner}
        rows.append(DatasetRow(file=file, sha256=f"{number:064x}", width=50, height=50, **values))
    question = Question(classes=("negative", "idc"), costly="missed", base=base)
    run.write_plan(Plan(title="Try", question=question, split=SplitPlan(train=0.4, validation=0.3)))
    run.write_rows(rows)
    lock_split(run)
    shutil.copytree(model, run.model)
    return run


def write_outlined_run(folder: Path, model: Path) -> RunFolder:
    """Sixteen patients with a breast each, of every other one with a bright spot that is outlined."""
    run = RunFolder(folder / "run")
    rows = []
    for number in range(16):
        breast = (breast_pixels(96, 80, 4000 - 20 * number) // 17).astype(np.uint8)
        mask = np.where(breast > 200 - number, 255, 0).astype(np.uint8) * np.uint8(number % 2)
        files = [folder / kind / f"{number}.png" for kind in ("images", "masks")]
        for file, pixels in zip(files, (breast, mask), strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
        values = {"patient": f"P{number}", "label": ("benign", "malignant")[number % 2], "masks": (files[1],)}
        rows.append(DatasetRow(file=files[0], sha256=f"{number:064x}", width=80, height=96, **values))
    question = Question(task="segmentation", classes=("benign", "malignant"))
    run.write_plan(Plan(title="Try", question=question, split=SplitPlan(train=0.25, validation=0.375)))
    run.write_rows(rows)
    lock_split(run)
    shutil.copytree(model, run.model)
    return run


@pytest.fixture
def run(tmp_path: Path, tiny_cnn: Path) -> RunFolder:
    return write_run(tmp_path, tiny_cnn)


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory, tiny_cnn: Path, graphs: Path) -> Path:
    """A run whose result was made once."""
    folder = tmp_path_factory.mktemp("looked")
    (folder / "home" / "cache").mkdir(parents=True)
    (folder / "home" / "cache" / "graphs").symlink_to(graphs)
    run = write_run(folder, tiny_cnn)
    make_result(run, "ada", Settings(data_dir=folder / "home"), no_progress, never())
    return run.path


@pytest.fixture
def seen(looked_at: Path, tmp_path: Path) -> RunFolder:
    """A copy of that run, for tests that change it."""
    return RunFolder(Path(shutil.copytree(looked_at, tmp_path / "seen")))


def test_that_the_result_is_of_the_locked_test_patients_and_no_others(seen: RunFolder) -> None:
    result, rows = read_result(seen), read_predictions(seen)
    split = seen.split()
    for part in ("validation", "test"):
        assert {row.patient for row in rows if row.part == part} == set(split.patients(part))
    assert not any(row.part == "train" for row in rows)
    assert result.patients == len(split.patients("test"))
    assert result.images == result.patients * IMAGES
    assert (result.split_sha256, result.sha256) == (split.sha256, read_manifest(seen.model).sha256)


def test_that_the_figures_are_those_of_the_predictions(seen: RunFolder) -> None:
    result = read_result(seen)
    rows = [row for row in read_predictions(seen) if row.part == "test"]
    _, labels, scores = arrays_of(rows)
    assert result.metrics["auc"].value == pytest.approx(roc_auc_score(labels, scores[:, 1]), abs=1e-6)
    called = [row.called for row in rows]
    assert result.confusion == tuple(map(tuple, confusion_matrix(labels, called, labels=[0, 1]).tolist()))
    assert len(cell_of(rows, 1, 0)) == result.confusion[1][0]
    assert {one.name for one in result.baselines} == {"majority", "mean_std_rgb"}
    assert next(one for one in result.baselines if one.name == "mean_std_rgb").metrics["auc"].value > 0.8
    assert result.reliability is not None
    assert sum(point.images for point in result.reliability.points) == result.images
    assert set(result.curves) == {"idc"}
    assert result.learning is not None
    assert result.learning.points[-1].patients == len(seen.split().patients("train"))


def test_that_a_scanner_of_few_patients_has_no_figures(seen: RunFolder) -> None:
    for group in read_result(seen).subgroups:
        assert group.column == "scanner"
        assert bool(group.metrics) == (group.value == "usual")
        assert bool(group.problem) == (group.value == "rare")


def test_that_each_look_is_counted_before_it_is_taken(seen: RunFolder, settings: Settings) -> None:
    assert [(use.who, use.purpose) for use in uses_of_test(seen)] == [("ada", "result")]
    assert read_result(seen).uses == 1
    token = never()
    token.set()
    with pytest.raises(Cancelled):
        make_result(seen, "bea", settings, no_progress, token)
    assert [use.who for use in uses_of_test(seen)] == ["ada", "bea"]
    keep_choice(seen, suggested(seen), "cleo", settings, no_progress, never())
    assert read_operating(seen).uses == 3
    assert "3 times" in " ".join(read_operating(seen).notices)


def test_that_data_changed_after_the_lock_are_refused_before_anything_is_counted(
    run: RunFolder, settings: Settings
) -> None:
    rows = list(run.rows())
    index = next(i for i, row in enumerate(rows) if row.patient in run.split().patients("test"))
    rows[index] = rows[index].model_copy(update={"label": "idc" if rows[index].label == "negative" else "negative"})
    run.write_rows(rows)
    with pytest.raises(DataError, match="not those that were split"):
        make_result(run, "ada", settings, no_progress, never())
    assert not run.has(RESULT)
    assert not run.has(TEST_USES)


def test_that_thresholds_are_chosen_on_validation_patients_without_a_look_at_the_test(seen: RunFolder) -> None:
    before = uses_of_test(seen)
    choice = suggested(seen, prevalence=0.01)
    scores = validation_scores(seen)
    assert len(scores.scores) == len(seen.split().patients("validation"))
    assert scores.unit == "women"
    assert choice.threshold == scores.suggested_threshold("missed")
    assert choice.lower <= choice.upper
    with (seen.path / PREDICTIONS).open(newline="") as file:
        rows = list(csv.reader(file))
    with (seen.path / PREDICTIONS).open("w", newline="") as file:  # as if the test patients had scored otherwise
        csv.writer(file).writerows([*row[:5], "0.5", "0.5", ""] if row[0] == "test" else row for row in rows)
    assert suggested(seen, prevalence=0.01) == choice
    assert suggested(seen, by="conformal").lower <= suggested(seen, by="conformal").upper
    assert uses_of_test(seen) == before


def test_that_a_kept_choice_is_the_models_and_its_weights_stay(seen: RunFolder, settings: Settings) -> None:
    choice = Choice(threshold=0.45, lower=0.4, upper=0.55, prevalence=0.02, coverage=0.8)
    sha256 = read_manifest(seen.model).sha256
    found = keep_choice(seen, choice, "ada", settings, no_progress, never())
    decision = read_manifest(seen.model).recipe.decision
    assert (decision.threshold, decision.lower, decision.upper) == (0.45, 0.4, 0.55)
    assert read_manifest(seen.model).sha256 == sha256
    assert read_operating(seen) == found
    rows = [row for row in read_predictions(seen) if row.part == "test"]
    highest: dict[str, float] = {}
    for row in rows:
        highest[row.patient] = max(highest.get(row.patient, 0.0), row.scores[1])
    ill = {row.patient for row in rows if row.label == 1}
    missed = sum(highest[name] < 0.45 for name in ill) / len(ill)
    assert found.test.missed.value == pytest.approx(1000 * 0.02 * missed)
    assert found.calibration is not None
    assert found.calibration.coverage.wished == 0.8
    assert any("patients only" in notice for notice in found.notices)


def test_that_a_model_refitted_on_its_validation_patients_lets_nobody_choose_on_them(seen: RunFolder) -> None:
    manifest = read_manifest(seen.model)
    training = manifest.recipe.training.model_copy(update={"refit": True})
    recipe = manifest.recipe.model_copy(update={"training": training})
    write_manifest(seen.model, manifest.model_copy(update={"recipe": recipe}))
    with pytest.raises(DataError, match="trained anew on its validation patients"):
        suggested(seen)


def test_that_the_result_of_another_model_is_not_chosen_by(seen: RunFolder) -> None:
    manifest = read_manifest(seen.model)
    write_manifest(seen.model, manifest.model_copy(update={"sha256": "f" * 64}))
    with pytest.raises(DataError, match="another model"):
        validation_scores(seen)


def test_that_a_threshold_that_no_model_can_have_is_refused(seen: RunFolder, settings: Settings) -> None:
    for choice in (Choice(threshold=0.5, lower=0.6, upper=0.4), Choice(threshold=1.5, lower=0.4, upper=0.6)):
        with pytest.raises(DataError):
            keep_choice(seen, choice, "ada", settings, no_progress, never())
    assert len(uses_of_test(seen)) == 1


def test_that_damaged_predictions_are_told_in_a_sentence(seen: RunFolder) -> None:
    text = (seen.path / PREDICTIONS).read_text()
    (seen.path / PREDICTIONS).write_text(text.replace("negative", "neither"))
    with pytest.raises(DataError, match="damaged"):
        read_predictions(seen)


def test_that_the_base_model_stands_beside_on_the_same_images(
    tmp_path: Path, tiny_cnn: Path, tiny_models: Settings
) -> None:
    run = write_run(tmp_path, tiny_cnn, base="tiny-cnn")
    result = make_result(run, "ada", tiny_models, no_progress, never())
    assert result.base is not None
    assert result.base.difference is not None
    assert result.base.difference.difference == 0  # it is the same model
    assert not result.base.better
    other = write_run(tmp_path / "other", tiny_cnn, base="tiny-unet")
    found = make_result(other, "ada", tiny_models, no_progress, never())
    assert found.base is None
    assert any("another question" in notice for notice in found.notices)


def test_that_the_look_at_the_end_of_the_training_counts_once(seen: RunFolder, settings: Settings) -> None:
    manifest = read_manifest(seen.model)
    write_manifest(seen.model, manifest.model_copy(update={"metrics": {"part": "test"}}))
    token = never()
    token.set()
    for _ in range(2):
        with pytest.raises(Cancelled):
            make_result(seen, "bea", settings, no_progress, token)
    assert [use.purpose for use in uses_of_test(seen)] == ["result", "training", "result", "result"]


def test_that_a_model_that_outlines_has_its_own_figures(tmp_path: Path, tiny_unet: Path, settings: Settings) -> None:
    run = write_outlined_run(tmp_path, tiny_unet)
    result = make_result(run, "ada", settings, no_progress, never())
    rows = [row for row in read_predictions(run) if row.part == "test"]
    assert result.metrics["dice"].value == pytest.approx(np.mean([row.dice for row in rows]), abs=1e-6)
    assert {"iou", "sensitivity", "specificity"} <= set(result.metrics)
    assert {one.name for one in result.baselines} == {"predict_nothing", "bright_blob"}
    assert (result.reliability, result.learning) == (None, None)
    assert [row.dice for row in result.worst] == sorted(row.dice or 0.0 for row in rows)
    choice = suggested(run)
    found = keep_choice(run, choice, "ada", settings, no_progress, never())
    assert found.calibration is None
    decision = read_manifest(run.model).recipe.decision
    assert (decision.lower, decision.upper, decision.threshold) == (choice.lower, choice.upper, 0.5)
    with pytest.raises(DataError, match="no conformal sets"):
        suggested(run, by="conformal")
    shuffle, blank, maps = challenge_model(run, settings, no_progress, never()).challenges
    assert shuffle.passed is None
    assert blank.passed is not None
    assert maps.sentence


def test_that_challenges_are_told_and_use_no_test_patient(seen: RunFolder, settings: Settings) -> None:
    found = challenge_model(seen, settings, no_progress, never())
    assert [one.kind for one in found.challenges] == ["label_shuffle", "blank_image", "randomised_weights"]
    assert read_challenges(seen) == found
    assert found.uses == len(uses_of_test(seen)) == 1
    shuffle, blank, maps = found.challenges
    assert abs(shuffle.numbers["shuffled"] - 0.5) < 0.2
    assert set(blank.numbers) == {"black", "grey", "white", "mean colour"}
    assert set(maps.numbers) <= {"last layer", "upper half", "all"}
    assert all(one.sentence.endswith(".") for one in found.challenges)


def test_that_the_command_line_evaluates_challenges_and_sets_the_threshold_of_a_run(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*arguments: str) -> dict:
        assert run_command([*arguments, "--run", str(run.path)], lambda _: 0) == 0
        return json.loads(capsys.readouterr().out)

    printed = command("evaluate")
    assert printed["n_patients"] == len(run.split().patients("test"))
    assert set(printed["confusion"]) == {"tp", "fp", "tn", "fn"}
    assert set(printed["intervals"]) == set(printed["metrics"])
    assert printed["uses"] == 1
    offered = command("threshold", "--prevalence", "0.01")
    assert offered["part"] == "validation"
    assert len(uses_of_test(run)) == 1
    kept = command("threshold", "--threshold", "0.5", "--lower", "0.4", "--upper", "0.6", "--keep")
    assert kept["choice"]["threshold"] == 0.5
    assert kept["uses"] == 2
    assert len(command("challenge")["challenges"]) == 3


@pytest.mark.parametrize("arguments", [["evaluate"], ["evaluate", "--run", "x", "--model", "y"]])
def test_that_evaluate_takes_a_run_or_a_model_with_data(arguments: list[str]) -> None:
    assert run_command(arguments, lambda _: 0) == 2


@pytest.mark.parametrize("verb", ["evaluate", "challenge", "threshold"])
def test_that_a_folder_without_a_training_is_told_in_a_sentence(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([verb, "--run", str(tmp_path)], lambda _: 0) == 1
    assert capsys.readouterr().err.strip().count("\n") == 0
