"""A temperature is kept with its limits, and everything that shows a score shows the calibrated one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.analysis.predict import positive_score, probabilities
from pathview.analysis.uncertainty import label_of
from pathview.cli import run as run_command
from pathview.errors import DataError, ModelError
from pathview.jobs import never, no_progress
from pathview.models.recipe import Recipe
from pathview.models.temperature import tempered, tempered_limit
from pathview.models.weights import MANIFEST, Manifest, read_manifest, write_manifest
from pathview.settings import Settings
from pathview.training.judging.chooser import Choice, choosers, suggested, validation_scores
from pathview.training.judging.choosing import keep_choice, read_operating
from pathview.training.judging.result import make_result, predictions_at, read_predictions
from pathview.training.learning.fitting import calibrated
from pathview.training.measures.calibration import conformal_band, conformal_limits
from pathview.training.measures.scoring import class_probabilities
from pathview.training.measures.tempering import cross_fitted, tempering_of
from pathview.training.publishing.reference import SCORE, write_reference
from pathview.training.runs.run_folder import RunFolder
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe, write_patch_folder
from tests.training.test_result import write_outlined_run, write_run

RNG = np.random.default_rng(3)


def at(recipe: Recipe, temperature: float) -> Recipe:
    return recipe.model_copy(update={"decision": recipe.decision.model_copy(update={"temperature": temperature})})


def patients(count: int = 40, images: int = 5) -> np.ndarray:
    return np.repeat([f"p{i}" for i in range(count)], images)


def too_sure(temperature: float, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of two classes that are right once they are at ``temperature``, and truths."""
    true = RNG.uniform(0.05, 0.95, n)
    labels = (RNG.random(n) < true).astype(np.intp)
    return tempered(np.stack([1 - true, true], axis=1), 1 / temperature), labels


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory, tiny_cnn: Path, graphs: Path) -> Path:
    folder = tmp_path_factory.mktemp("looked")
    (folder / "home" / "cache").mkdir(parents=True)
    (folder / "home" / "cache" / "graphs").symlink_to(graphs)
    run = write_run(folder, tiny_cnn)
    make_result(run, "ada", Settings(data_dir=folder / "home"), no_progress, never())
    return run.path


@pytest.fixture
def seen(looked_at: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(looked_at, tmp_path / "seen")))


def keep(run: RunFolder, choice: Choice, settings: Settings) -> None:
    keep_choice(run, choice, "ada", settings, no_progress, never())


@pytest.mark.parametrize("temperature", [0.4, 1.7, 6.0])
def test_that_a_temperature_divides_the_logits_of_softmax_and_sigmoid(temperature: float) -> None:
    logits = RNG.normal(0, 2, (50, 4))
    found = tempered(softmax(logits, axis=1), temperature)
    assert found == pytest.approx(softmax(logits / temperature, axis=1))
    positive = RNG.uniform(0.01, 0.99, 50)
    two = tempered(np.stack([1 - positive, positive], axis=1), temperature)
    assert two[:, 1] == pytest.approx(expit(logit(positive) / temperature))
    assert tempered(tempered(softmax(logits, axis=1), 3.0), 1 / 3.0) == pytest.approx(softmax(logits, axis=1))


@pytest.mark.parametrize("temperature", [0.4, 1.7, 6.0])
def test_that_a_limit_carried_over_calls_the_same_images(temperature: float) -> None:
    ends = [0, 1 - 2**-24, 1] if temperature > 1 else [0.001, 0.998, 0.999]  # surer than sure cannot be told apart
    scores = np.float32([*ends, *RNG.uniform(0.01, 0.99, 400)]).astype(np.float64)
    moved = tempered(np.stack([1 - scores, scores], axis=1), temperature)[:, 1]
    ordered = np.unique(scores)
    for limit in (0.0, *(ordered[1:] + ordered[:-1]) / 2, float(np.nextafter(1.0, 2.0))):
        assert ((scores >= limit) == (moved >= tempered_limit(limit, temperature))).all()
    limits = conformal_limits(np.stack([1 - scores, scores], 1), (scores > 0.4).astype(int), np.arange(403), 0.9)
    for limit in conformal_band(limits):
        assert ((scores >= limit) == (moved >= tempered_limit(limit, temperature))).all()


def test_that_one_place_calibrates_what_a_classifier_gives() -> None:
    recipe = tiny_cnn_recipe()
    outputs = softmax(RNG.normal(0, 1, (30, 2)), axis=1).astype(np.float32)
    assert probabilities(recipe, outputs) is outputs
    found = probabilities(at(recipe, 2.0), outputs)
    assert found.dtype == np.float32
    assert positive_score(found) == pytest.approx(tempered(outputs, 2.0)[:, 1], abs=1e-6)
    sigmoids = RNG.random((30, 2)).astype(np.float32)  # of two separate sigmoids the score is what is scaled
    score = positive_score(sigmoids).astype(np.float64)
    assert class_probabilities(probabilities(at(recipe, 2.0), sigmoids))[:, 1] == pytest.approx(
        expit(logit(score) / 2), abs=1e-6
    )
    windows = outputs.reshape(2, 3, 5, 2)
    assert positive_score(probabilities(at(recipe, 2.0), windows)).ravel() == pytest.approx(found[:, 1])


def test_that_an_old_manifest_means_no_temperature_and_keeps_its_hash(tiny_cnn: Path) -> None:
    values = json.loads((tiny_cnn / MANIFEST).read_text())
    del values["recipe"]["decision"]["temperature"], values["recipe"]["decision"]["least"]
    old = Manifest.model_validate_json(json.dumps(values))
    assert old.recipe.decision.temperature == 1
    assert old.recipe == read_manifest(tiny_cnn).recipe
    assert "temperature" not in old.recipe.model_dump_json(exclude={"decision": {"temperature"}})
    assert at(old.recipe, 1.5).digest != old.recipe.digest
    assert at(at(old.recipe, 1.5), 1.0).digest == old.recipe.digest


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), 1000.0])
def test_that_an_impossible_temperature_is_refused(tiny_cnn: Path, tmp_path: Path, temperature: float) -> None:
    folder = Path(shutil.copytree(tiny_cnn, tmp_path / "model"))
    values = json.loads((folder / MANIFEST).read_text())
    values["recipe"]["decision"]["temperature"] = temperature
    (folder / MANIFEST).write_text(json.dumps(values))
    with pytest.raises(ModelError, match="damaged"):
        read_manifest(folder)


def test_that_a_model_that_outlines_has_no_temperature() -> None:
    with pytest.raises(ValueError, match="a temperature is a classifier's"):
        Recipe.model_validate(at(tiny_unet_recipe(), 2.0).model_dump())


def test_that_cross_fitting_scores_nobody_at_a_temperature_fitted_on_her() -> None:
    given, labels = too_sure(3.0)
    whose = patients()
    found = cross_fitted(given, labels, whose)
    other = labels.copy()
    other[whose == "p7"] = 1 - other[whose == "p7"]
    changed = cross_fitted(given, other, whose)
    assert found is not None
    assert changed is not None
    assert (found[whose == "p7"] == changed[whose == "p7"]).all()
    assert (found != changed).any()
    assert cross_fitted(given, labels, np.repeat("one", 200)) is None


def test_that_a_temperature_is_said_to_help_only_where_it_does() -> None:
    found = tempering_of(*too_sure(3.0), patients())
    assert found is not None
    assert found.helps
    assert found.after.ece < found.before.ece
    assert "It helps" in found.sentence
    assert f"temperature {found.temperature:.2f}" in found.offer
    right = tempering_of(*too_sure(1.0), patients())
    assert right is not None
    assert not right.helps
    assert "It helps" not in right.sentence
    sure = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert tempering_of(sure, np.array([0, 1]), np.array(["a", "b"])) is None  # all right: no temperature to find


def test_that_limits_and_temperature_are_kept_together_and_decide_the_same(seen: RunFolder, settings: Settings) -> None:
    raw = suggested(seen)
    choice = suggested(seen, calibrate=True)
    assert choice.temperature != 1
    for name in ("threshold", "lower", "upper"):
        assert getattr(choice, name) == tempered_limit(getattr(raw, name), choice.temperature)
    assert choice.at_temperature(1).threshold == pytest.approx(raw.threshold)
    before, after = validation_scores(seen), validation_scores(seen, choice.temperature)
    assert not np.allclose(before.scores, after.scores)
    labels = [
        [label_of(score, one.lower, one.upper) for score in scores.scores]
        for one, scores in ((raw, before), (choice, after))
    ]
    assert labels[0] == labels[1]
    keep(seen, choice, settings)
    decision, kept = read_manifest(seen.model).recipe.decision, read_operating(seen)
    assert (decision.temperature, decision.threshold) == (choice.temperature, choice.threshold)
    assert kept.calibration is not None
    assert kept.calibration.temperature == choice.temperature
    assert kept.tempering is not None
    keep(seen, raw, settings)
    assert read_manifest(seen.model).recipe.decision.temperature == 1
    other = read_operating(seen)
    assert (other.test.missed, other.test.recalled) == (kept.test.missed, kept.test.recalled)


def test_that_an_analysis_and_an_evaluation_say_the_calibrated_score(
    seen: RunFolder, settings: Settings, tmp_path: Path
) -> None:
    patches = write_patch_folder(tmp_path / "patches")
    choice = suggested(seen, calibrate=True)
    before = analyse_path(patches, AnalysisRequest(seen.model), settings, no_progress, never())
    rows = read_predictions(seen)
    keep(seen, choice, settings)
    after = analyse_path(patches, AnalysisRequest(seen.model), settings, no_progress, never())
    known = ~np.isnan(before.probability.values)
    flat = before.probability.values[known].astype(np.float64)
    expected = tempered(np.stack([1 - flat, flat], 1), choice.temperature)[:, 1]
    assert after.probability.values[known] == pytest.approx(expected, abs=1e-6)
    assert after.provenance.recipe_sha256 != before.provenance.recipe_sha256
    assert after.provenance.weights_sha256 == before.provenance.weights_sha256
    assert after.provenance.settings["temperature"] == choice.temperature
    assert "temperature" not in before.provenance.settings
    result = make_result(seen, "ada", settings, no_progress, never())
    assert result.temperature == choice.temperature
    again = read_predictions(seen)
    for one, other in zip(rows, again, strict=True):
        assert tempered(np.array(one.scores), choice.temperature) == pytest.approx(np.array(other.scores), abs=1e-6)
    for one, other in zip(rows, predictions_at(seen, 1), strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-6)
    assert choosers(seen)["validation"].calibrating() == pytest.approx(choice.temperature, rel=1e-3)


def test_that_drift_is_measured_on_the_models_scale(seen: RunFolder, settings: Settings) -> None:
    plain = write_reference(seen, settings, no_progress, never())
    choice = Choice(threshold=0.5, lower=0.4, upper=0.6, temperature=3.0)
    keep(seen, choice, settings)
    found = write_reference(seen, settings, no_progress, never())
    assert len(found.values[SCORE]) == len(plain.values[SCORE])
    assert np.ptp(found.values[SCORE]) < np.ptp(plain.values[SCORE])  # less sure of everybody


def test_that_new_weights_begin_without_the_temperature_of_the_old_ones(settings: Settings) -> None:
    recipe = at(tiny_cnn_recipe(), 2.5)
    found = calibrated(None, recipe, (), settings, no_progress, never())
    assert found == tiny_cnn_recipe()


def test_that_nothing_is_calibrated_of_a_model_that_outlines(
    tmp_path: Path, tiny_unet: Path, settings: Settings
) -> None:
    run = write_outlined_run(tmp_path, tiny_unet)
    make_result(run, "ada", settings, no_progress, never())
    with pytest.raises(DataError, match="nothing to calibrate"):
        suggested(run, calibrate=True)
    choice = suggested(run).model_copy(update={"temperature": 2.0})
    with pytest.raises(DataError, match="only a classifier has a temperature"):
        keep(run, choice, settings)


def test_that_the_prevalence_begins_with_what_there_is_for_histology(seen: RunFolder) -> None:
    share = validation_scores(seen).positive.mean()
    assert suggested(seen).prevalence == pytest.approx(share)
    manifest = read_manifest(seen.model)
    recipe = manifest.recipe.model_copy(update={"kinds": ("mammogram",)})
    write_manifest(seen.model, manifest.model_copy(update={"recipe": recipe}))
    assert suggested(seen).prevalence == 0.006


def test_that_the_command_line_calibrates(seen: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*arguments: str) -> tuple[dict, str]:
        assert run_command(["threshold", *arguments, "--run", str(seen.path)], lambda _: 0) == 0
        output = capsys.readouterr()
        return json.loads(output.out), output.err

    plain, said = command()
    offered, _ = command("--calibrate")
    assert "Calibrate the score (temperature" in said
    assert plain["temperature"] == 1
    assert offered["temperature"] == plain["tempering"]["temperature"]
    assert offered["sensitivity"] == plain["sensitivity"]
    kept, _ = command("--calibrate", "--keep")
    assert read_manifest(seen.model).recipe.decision.temperature == kept["choice"]["temperature"]
    command("--no-calibrate", "--keep")
    assert read_manifest(seen.model).recipe.decision.temperature == 1
