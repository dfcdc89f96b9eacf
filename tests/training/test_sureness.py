"""More than two classes: the most probable one is called where it is probable enough, in choosing and in analysing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.analysis.uncertainty import class_flags, class_words
from pathview.cli import run as run_command
from pathview.errors import DataError
from pathview.jobs import never, no_progress
from pathview.models.recipe import Recipe
from pathview.models.weights import read_manifest
from pathview.settings import Settings
from pathview.training.judging.chooser import suggested, validation_scores
from pathview.training.judging.choosing import keep_choice, read_operating
from pathview.training.judging.result import make_result, read_predictions
from pathview.training.measures.assess import EvaluateRequest, evaluate_model
from pathview.training.measures.sureness import ClassScores
from pathview.training.runs.locked_uses import uses_of_test
from pathview.training.runs.run_folder import RunFolder
from tests.makers import tiny_cnn_recipe
from tests.training.three_classes import CLASSES, three_recipe, write_three_run


def scores(n: int = 300, patients: int = 30) -> ClassScores:
    """The surer the likelier right."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, n)
    probabilities = rng.dirichlet(np.ones(3), n) + rng.uniform(0, 2, (n, 1)) * np.eye(3)[labels]
    whose = np.array([f"p{i % patients}" for i in range(n)])
    return ClassScores(whose, labels, probabilities / probabilities.sum(axis=1, keepdims=True), CLASSES)


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("three")
    run = write_three_run(folder)
    make_result(run, "ada", Settings(data_dir=folder / "home"), no_progress, never())
    return run.path


@pytest.fixture
def seen(looked_at: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(looked_at, tmp_path / "seen")))


def test_that_the_figures_are_of_the_sure_images_and_the_rest_is_review_load() -> None:
    data = scores()
    found = data.at(0.6)
    sure = data.highest >= 0.6
    called = data.probabilities.argmax(axis=1)
    assert found.reviewed.value == pytest.approx(1 - sure.mean())
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx((called == data.labels)[sure].mean())
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert found.accuracy.value > found.everything.value > found.commonest
    matrix = np.array(found.confusion)
    assert matrix[:, :3].tolist() == confusion_matrix(data.labels[sure], called[sure]).tolist()
    assert matrix[:, 3].tolist() == np.bincount(data.labels[~sure]).tolist()
    of_ulcers = sure & (data.labels == 2)
    assert found.sensitivity["ulcer"] is not None
    assert found.sensitivity["ulcer"].value == pytest.approx((called == 2)[of_ulcers].mean())


def test_that_nothing_is_sure_above_one_and_everything_from_zero_on() -> None:
    data = scores()
    everything, nothing = data.at(0.0), data.at(1.0)
    assert everything.reviewed.value == 0
    assert everything.accuracy == everything.everything
    assert nothing.accuracy is None
    assert set(nothing.sensitivity.values()) == {None}
    assert "none is sure" in nothing.sentence


def test_that_intervals_of_many_classes_are_drawn_by_patient() -> None:
    data = scores(300, 30)
    alike = ClassScores(data.patients, data.labels, data.probabilities, CLASSES)
    alone = ClassScores(np.arange(300).astype(str), data.labels, data.probabilities, CLASSES)
    wrong = np.array([name in {f"p{i}" for i in range(10)} for name in data.patients])
    labels = np.where(wrong, (data.probabilities.argmax(1) + 1) % 3, data.probabilities.argmax(1))
    spans = [ClassScores(one.patients, labels, data.probabilities, CLASSES).at(0).everything for one in (alike, alone)]
    assert spans[0].high - spans[0].low > 2 * (spans[1].high - spans[1].low)


def test_that_the_suggested_limit_is_the_smallest_that_is_right_often_enough() -> None:
    data = scores()
    least = data.suggested(0.95)
    found = data.at(least)
    assert found.accuracy is not None
    assert found.accuracy.value >= 0.95
    lower = data.at(float(data.steps[np.flatnonzero(data.steps < least)[-1]]))
    assert lower.accuracy is not None
    assert lower.accuracy.value < 0.95
    assert data.suggested(0.0) == 0.0
    assert data.at(data.of_load(0.3)).reviewed.value == pytest.approx(0.3, abs=0.01)
    assert data.of_load(0.0) == 0.0


def test_that_a_limit_on_the_most_probable_class_is_of_more_than_two() -> None:
    with pytest.raises(ValueError, match="of more than two classes"):
        Recipe.model_validate(tiny_cnn_recipe().model_dump() | {"decision": three_recipe(least=0.5).decision})


def test_that_what_no_class_is_sure_of_is_not_sure_whatever_the_last_one_says() -> None:
    recipe = three_recipe(least=0.5)
    unsure, sure = np.float32([[0.45, 0.35, 0.2]]), np.float32([[0.9, 0.05, 0.05]])
    (flag,) = class_flags(unsure, recipe)
    assert flag.code == "no_class_sure"
    assert "normal, has 0.45, less than 0.50" in flag.sentence
    assert class_flags(sure, recipe) == []
    assert class_flags(unsure, three_recipe()) == []
    (many,) = class_flags(np.concatenate([unsure, sure, sure]), recipe)
    assert many.code == "patches_of_no_class"
    assert many.sentence.startswith("Of 1 of 3 patches")
    assert class_words(unsure, recipe) == " of ulcer; normal is likelier (0.45)"
    assert class_words(np.float32([[0.1, 0.2, 0.7]]), recipe) == " of ulcer"
    assert class_words(np.float32([[0.4, 0.6]]), tiny_cnn_recipe()) == ""


def test_that_choosing_of_three_classes_is_kept_and_tested_once(seen: RunFolder, settings: Settings) -> None:
    choice = suggested(seen, coverage=0.5).model_copy(update={"least": 0.5, "temperature": 1.5})
    before = read_manifest(seen.model).recipe.decision
    found = keep_choice(seen, choice, "ada", settings, no_progress, never())
    decision = read_manifest(seen.model).recipe.decision
    assert (decision.least, decision.temperature) == (0.5, 1.5)
    assert (decision.threshold, decision.lower, decision.upper) == (before.threshold, before.lower, before.upper)
    assert [use.purpose for use in uses_of_test(seen)] == ["result", "threshold"]
    assert read_operating(seen) == found
    assert found.test is None
    assert found.test_sure is not None
    assert np.sum(found.test_sure.confusion) == sum(row.part == "test" for row in read_predictions(seen))
    assert found.tested == (found.test_sure.sentence,)
    assert found.calibration is not None
    assert set(found.calibration.coverage.by_class) == set(CLASSES)
    with pytest.raises(DataError, match="3 classes apart"):
        validation_scores(seen)


def test_that_an_analysis_leaves_to_the_reader_what_no_class_is_sure_of(
    seen: RunFolder, settings: Settings, tmp_path: Path
) -> None:
    path = read_predictions(seen)[0].file
    before = analyse_path(path, AnalysisRequest(seen.model), settings, no_progress, never())
    assert not any(flag.code == "no_class_sure" for flag in before.flags)
    choice = suggested(seen).model_copy(update={"least": 1.0})
    keep_choice(seen, choice, "ada", settings, no_progress, never())
    after = analyse_path(path, AnalysisRequest(seen.model), settings, no_progress, never())
    assert after.label == "not_sure"
    assert any(flag.code == "no_class_sure" for flag in after.flags)
    assert after.score == before.score
    rows = "\n".join(f"{row.file},{row.patient},{CLASSES[row.label]}" for row in read_predictions(seen))
    (table := tmp_path / "table.csv").write_text(f"file,patient,label\n{rows}\n")
    found = evaluate_model(EvaluateRequest(seen.model, table, "all"), settings, no_progress, never()).report
    assert found["not_sure"] == found["n_images"] == len(read_predictions(seen))
    assert "of ulcer" in after.score_name


def test_that_the_command_line_sets_what_is_sure_enough(seen: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*arguments: str) -> dict:
        assert run_command(["threshold", *arguments, "--run", str(seen.path)], lambda _: 0) == 0
        return json.loads(capsys.readouterr().out)

    offered = command("--least", "0.4")
    assert offered["least"] == 0.4
    assert len(offered["confusion"]) == 3
    kept = command("--least", "0.4", "--keep")
    assert kept["test_sure"]["least"] == 0.4
    assert read_manifest(seen.model).recipe.decision.least == 0.4
