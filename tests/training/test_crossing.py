"""Cross-validation: each learning patient is judged once, by a model that neither learnt from nor chose by them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pathview.errors import DataError
from pathview.jobs import Cancelled, Progress, never, no_progress
from pathview.models.training_state import epochs_kept
from pathview.settings import Settings
from pathview.training.learning import beside
from pathview.training.learning.forecast import forecast
from pathview.training.learning.running import RunOptions
from pathview.training.measures.folds import (
    CrossValidation,
    FoldScores,
    Said,
    Way,
    cross_validation,
    folds_of,
    model_way,
)
from pathview.training.measures.predictions import Scored, ScoredClasses
from pathview.training.runs.chosen import chosen
from pathview.training.runs.locked_split import fold_split, lock_split, split_of
from pathview.training.runs.plan import RecipePlan, SplitPlan
from pathview.training.runs.run_folder import FOLDS, SPLIT, RunFolder
from pathview.training.runs.run_log import present
from pathview.training.runs.steering import ask, go_on
from tests.makers import tiny_cnn_recipe, write_random_model
from tests.training.runs import PLAIN, collected, fold_scores, plan_of, row, save_table, write_table
from tests.training.trainings import cancel, copy_of, kinds, on_sentence, train, write_untrained_outlines

FOLDS_ASKED, EPOCHS = 3, 2
BESIDE = {"majority": "the commonest class", "mean_std_rgb": "colour alone"}
SCRATCH = RunOptions(from_scratch=True)
SOME_WAY = Way(split_sha256="", folds_sha256="", recipe_sha256="", seed=0, initial="")
KILLED = """
import os, signal, sys
from pathlib import Path
from pathview.jobs import never
from pathview.settings import Settings
from pathview.training.runs.run_folder import RunFolder
from pathview.training.learning.running import RunOptions, run_training

def progress(step):
    if step.early is not None and step.early.sentence.startswith("Fold 2 of 3, epoch 1"):
        os.kill(os.getpid(), signal.SIGKILL)

run_training(RunFolder(Path(sys.argv[1])), RunOptions(), Settings(), progress, never())
"""


def split_run(folder: Path, recipe: Path, level: str, **changes: object) -> RunFolder:
    """A run of fourteen patients with folds, before its training."""
    save_table(folder / "data", write_table(folder / "data", patients=14, images=2))
    run = RunFolder(folder / "run")
    planned = RecipePlan(name=str(recipe), level=level, changes=changes)
    collected(run, plan_of(folder / "data" / "labels.csv", recipe=planned, split=SplitPlan(folds=FOLDS_ASKED)))
    lock_split(run)
    return run


@pytest.fixture(scope="module")
def quick_begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = tiny_cnn_recipe(
        network={"name": "mobilenet", "options": {"layer": "conv_pw_2_relu", "dense": [8], "dropout": 0.2}},
        input={"height": 50, "width": 50, "channels": 3, "fit": "stretch", "overlap": 0.0},
        training={"loss": "binary-crossentropy", "learning_rate": 1e-3, "batch": 4, "initial": "imagenet"},
    )
    model = write_random_model(tmp_path_factory.mktemp("models"), recipe)
    return split_run(tmp_path_factory.mktemp("quick"), model, "quick").path


@pytest.fixture(scope="module")
def gradient_begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = {"height": 50, "width": 50, "channels": 3, "fit": "stretch", "overlap": 0.0}
    model = write_random_model(tmp_path_factory.mktemp("models"), tiny_cnn_recipe(input=shape))
    changes = {"training.epochs": EPOCHS, "training.batch": 4}
    return split_run(tmp_path_factory.mktemp("gradient"), model, "exact", **changes).path


@pytest.fixture(scope="module")
def whole(gradient_begun: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run by gradient that ran through."""
    run = copy_of(gradient_begun, tmp_path_factory.mktemp("whole") / "run")
    train(run)
    return run


@pytest.fixture
def quick(quick_begun: Path, tmp_path: Path) -> RunFolder:
    return copy_of(quick_begun, tmp_path / "run")


@pytest.fixture
def gradient(gradient_begun: Path, tmp_path: Path) -> RunFolder:
    return copy_of(gradient_begun, tmp_path / "run")


def said_by(run: RunFolder) -> bytes:
    return (run.path / FOLDS).read_bytes()


def test_that_nobody_is_judged_who_was_learnt_from_or_chosen_by(quick: RunFolder, monkeypatch) -> None:
    learnt_from: list[tuple[set[str | None], set[str | None]]] = []
    judged: list[set[str | None]] = []
    learn, evaluate = beside.learn, beside.evaluate_samples

    def learning(request, parts, *rest):
        learnt_from.append(({one.patient for one in parts.train}, {one.patient for one in parts.validation}))
        return learn(request, parts, *rest)

    def evaluating(network, name, samples, reference, *rest):
        judged.append({one.patient for one in samples})
        assert {one.patient for one in reference} == learnt_from[-1][0]
        return evaluate(network, name, samples, reference, *rest)

    monkeypatch.setattr(beside, "learn", learning)
    monkeypatch.setattr(beside, "evaluate_samples", evaluating)
    found = train(quick, options=SCRATCH).folds
    assert found is not None
    split = quick.split()
    learning_patients = {*split.patients("train"), *split.patients("validation")}
    assert len(judged) == FOLDS_ASKED
    for own, (trained, chosen_by) in zip(judged, learnt_from, strict=True):
        assert trained
        assert chosen_by
        assert not own & (trained | chosen_by)
        assert not trained & chosen_by
        assert own | trained | chosen_by == learning_patients
    assert sorted(patient for own in judged for patient in own) == sorted(learning_patients)
    assert found.patients == len(learning_patients)
    assert not learning_patients & set(split.patients("test"))


def test_that_patients_who_may_be_one_stay_on_one_side_of_every_fold() -> None:
    rows = [row(number, group=f"g{number // 2}" if number < 16 else "") for number in range(40)]
    rows += [row(100, patient="P-39", label=rows[39].label)]  # P39, spelt otherwise
    plan = PLAIN.model_copy(update={"split": SplitPlan(folds=4)})
    split = split_of(plan, rows)
    twins = [(f"P{number}", f"P{number + 1}") for number in range(0, 16, 2)] + [("P39", "P-39")]
    for fold in range(4):
        part = fold_split(split, plan, rows, fold).part_of()
        assert set(part) == set(split.folds)
        for one, other in twins:
            assert part.get(one) == part.get(other)
        labels = {one.patient: one.label for one in rows}
        for name in ("train", "validation", "test"):
            assert len({labels[patient] for patient, own in part.items() if own == name}) == 2


def test_that_a_fold_without_validation_has_none_to_choose_by() -> None:
    rows = [row(number) for number in range(6)]
    plan = PLAIN.model_copy(update={"split": SplitPlan(train=0.6, validation=0.0, folds=2)})
    split = split_of(plan, rows)
    for fold in range(2):
        who = fold_split(split, plan, rows, fold)
        assert not who.validation
        assert len(who.train) + len(who.test) == len(split.folds)


def test_that_quick_folds_follow_the_model_and_give_the_same_numbers_twice(quick: RunFolder) -> None:
    ran = train(quick, options=SCRATCH)
    assert ran.folds is not None
    assert folds_of(quick) == (ran.folds, "")
    assert kinds(quick) == ["started", "finished", *["fold", "fold_done"] * FOLDS_ASKED, "folds_done"]
    first = said_by(quick)
    assert train(quick, options=RunOptions(anew=True, from_scratch=True)).manifest.sha256 == ran.manifest.sha256
    assert said_by(quick) == first
    with pytest.raises(DataError, match="is trained already"):
        train(quick, options=RunOptions(resume=True))


def test_that_pooled_figures_are_those_of_all_judged_images(whole: RunFolder) -> None:
    found, _ = folds_of(whole)
    assert found is not None
    kept = [FoldScores.model_validate_json(path.read_bytes()) for path in sorted(whole.folds.glob("*/scores.json"))]
    labels = [label for one in kept for label in one.labels]
    scores = [score for one in kept for (score,) in one.model.scores]
    assert found.metrics["auc"].value == pytest.approx(roc_auc_score(labels, scores))
    assert found.metrics["auc"].low <= found.metrics["auc"].value <= found.metrics["auc"].high
    assert [one.name for one in found.baselines] == ["majority", "mean_std_rgb"]
    assert [one.images for one in found.folds] == [len(one.labels) for one in kept]
    assert all(one.epochs == EPOCHS for one in found.folds)
    assert found.way == model_way(whole)
    low, high = min(one.patients for one in found.folds), max(one.patients for one in found.folds)
    sizes = f"{low} to {high}" if low < high else f"{low}"
    assert found.sentence.startswith(f"Across 3 folds of {sizes} patients, none of whom is a test patient: AUC 0.")
    assert found.hardest is not None
    assert f"; against {BESIDE[found.hardest.name]} {found.hardest.difference.difference:+.2f} (" in found.sentence
    assert "not of that model" in found.about
    summary = found.summary()
    assert summary["n_patients"] == len(whole.split().folds)
    assert set(summary["differences"]) == {"majority", "mean_std_rgb"}
    assert not (whole.folds / "1" / "state").exists()


def test_that_epochs_of_folds_are_told_apart_from_those_of_the_model(whole: RunFolder) -> None:
    events = present(whole.events())
    assert [event.epoch for event in events if event.kind == "epoch"] == [1, 2]
    told = [event for event in events if event.kind == "fold_epoch"]
    assert [(event.numbers["fold"], event.epoch) for event in told] == [(f, e) for f in (1, 2, 3) for e in (1, 2)]
    assert told[2].sentence.startswith("Fold 2 of 3, epoch 1 of 2: loss ")


def test_that_a_kill_in_the_second_fold_costs_one_epoch_of_it_at_most(gradient: RunFolder, whole: RunFolder) -> None:
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(gradient.path)], cwd=Path(__file__).parents[2], check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert len(epochs_kept(gradient.folds / "2" / "state")) == 1
    assert folds_of(gradient)[0] is None
    before = (gradient.folds / "1" / "scores.json").stat().st_mtime_ns
    with pytest.raises(DataError, match="is trained, but not its folds"):
        train(gradient)
    ran = train(gradient, options=RunOptions(resume=True))
    assert said_by(gradient) == said_by(whole)
    assert (gradient.folds / "1" / "scores.json").stat().st_mtime_ns == before
    assert (ran.manifest.epochs, ran.ended) == (EPOCHS, "whole")
    assert any(event.sentence.startswith("Fold 2 of 3 goes on after epoch 1") for event in gradient.events())


def test_that_a_cancelled_fold_goes_on_to_the_same_figures(gradient: RunFolder, whole: RunFolder) -> None:
    with pytest.raises(Cancelled):
        train(gradient, on_sentence("Fold 2 of 3, epoch 1", cancel))
    assert kinds(gradient)[-1] == "paused"
    assert "the model is there" in gradient.events()[-1].sentence
    train(gradient, options=RunOptions(resume=True))
    assert said_by(gradient) == said_by(whole)


def test_that_a_pause_in_a_fold_loses_nothing(gradient: RunFolder, whole: RunFolder) -> None:
    begin = on_sentence("Fold 1 of 3, epoch 1", lambda: ask(gradient, "pause"))
    end = on_sentence("Paused", lambda: go_on(gradient))

    def sink(step: Progress) -> None:
        begin(step)
        end(step)

    train(gradient, sink)
    assert said_by(gradient) == said_by(whole)
    assert any(event.sentence == "Fold 1 of 3 goes on." for event in gradient.events())


def test_that_stop_leaves_the_folds_out_and_they_can_be_gone_on_with(gradient: RunFolder, whole: RunFolder) -> None:
    ran = train(gradient, on_sentence("Fold 2 of 3:", lambda: ask(gradient, "stop")))
    assert ran.folds is None
    assert kinds(gradient)[-1] == "folds_left_out"
    assert gradient.model.exists()
    assert folds_of(gradient) == (None, "The 3 folds are not trained yet: go on with the training.")
    train(gradient, options=RunOptions(resume=True))
    assert said_by(gradient) == said_by(whole)


def test_that_stop_need_not_wait_for_the_end_of_a_quick_fold(quick: RunFolder) -> None:
    train(quick, on_sentence("Fold 1 of 3:", lambda: ask(quick, "stop")), SCRATCH)
    assert kinds(quick)[-2:] == ["fold", "folds_left_out"]


def test_that_stopping_the_model_leaves_the_folds_out_too(gradient: RunFolder) -> None:
    ran = train(gradient, on_sentence("epoch 1 of 2", lambda: ask(gradient, "stop")))
    assert (ran.ended, ran.folds) == ("stopped", None)
    assert kinds(gradient)[-2:] == ["stopped", "folds_left_out"]


def test_that_folds_of_another_way_are_stale(whole: RunFolder, tmp_path: Path) -> None:
    run = copy_of(whole.path, tmp_path / "run")
    found = run.read(FOLDS, CrossValidation)
    for change in ({"seed": 5}, {"split_sha256": "0" * 64}, {"folds_sha256": "0" * 64}, {"recipe_sha256": "0" * 64}):
        run.write(FOLDS, found.model_copy(update={"way": found.way.model_copy(update=change)}))
        assert folds_of(run)[0] is None
        assert "another split, recipe or seed" in folds_of(run)[1]
    (run.path / FOLDS).write_text("{")
    assert "is damaged" in folds_of(run)[1]
    run.write_plan(run.plan().model_copy(update={"seed": 5}))
    with pytest.raises(DataError, match="these would not be its folds"):
        train(run, options=RunOptions(resume=True))


def test_that_training_anew_forgets_the_folds_before(whole: RunFolder, tmp_path: Path) -> None:
    run = copy_of(whole.path, tmp_path / "run")
    with pytest.raises(Cancelled):
        train(run, on_sentence("epoch 1 of 2", cancel), RunOptions(anew=True))
    assert not run.has(FOLDS)
    assert not run.folds.exists()


def test_that_a_fold_that_cannot_be_trained_is_told_and_the_others_count(quick: RunFolder, monkeypatch) -> None:
    learn = beside.learn

    def failing(request, *rest):
        if request.folder.name == "2":
            raise DataError("The training patients have no image of class number 1.")
        return learn(request, *rest)

    monkeypatch.setattr(beside, "learn", failing)
    found = train(quick, options=SCRATCH).folds
    assert found is not None
    left = sum(fold == 1 for fold in quick.split().folds.values())
    assert found.patients == len(quick.split().folds) - left
    assert found.folds[1].patients == 0
    assert f"Fold 2 could not be trained, so its {left} patients are not among these figures" in found.notices[0]
    assert found.sentence.startswith("Across 2 folds")


def test_that_where_no_fold_can_be_trained_the_model_is_there(quick: RunFolder, monkeypatch) -> None:
    def failing(request, *rest):
        raise DataError("There is nothing to learn from.")

    monkeypatch.setattr(beside, "learn", failing)
    with pytest.raises(DataError, match="The model is there, but not one of its folds"):
        train(quick, options=SCRATCH)
    assert quick.model.exists()
    assert kinds(quick)[-1] == "failed"


def test_that_an_image_that_cannot_be_read_is_told(quick: RunFolder) -> None:
    learning = quick.split().folds
    broken = next(one for one in chosen(quick.plan(), quick.rows()) if one.patient in learning)
    whole_file = broken.file.read_bytes()
    try:
        broken.file.write_bytes(b"no picture any more")
        found = train(quick, options=SCRATCH).folds
    finally:
        broken.file.write_bytes(whole_file)
    assert found is not None
    assert any(broken.file.name in notice for notice in found.notices)
    assert found.images == sum(one.patient in learning for one in quick.rows()) - 1


def test_that_a_fold_of_one_class_counts_in_the_pooled_figures_alone() -> None:
    folds = [
        fold_scores(1, ["a", "b"], [1, 1], [0.9, 0.8], 0.0),
        fold_scores(2, ["c", "d", "e"], [0, 0, 1], [0.1, 0.2, 0.7], 1.0),
    ]
    found = cross_validation(SOME_WAY, folds, ("benign", "malignant"), outlines=False)
    assert "auc" not in found.folds[0].metrics
    assert found.metrics["auc"].value == 1.0
    assert found.notices == (
        "The judged patients of fold 1 are of one class: it has no AUC of its own, and counts in the pooled figures "
        "alone.",
    )
    assert found.baselines[0].metrics["auc"].value == 0.5  # though the commonest class changed from fold to fold
    assert found.baselines[0].metrics["accuracy"].value == 0.2
    assert found.sentence.startswith("Across 2 folds of 2 to 3 patients")


def test_that_scores_on_another_scale_are_told() -> None:
    folds = [fold_scores(n, [f"{n}a", f"{n}b"], [0, 1], [0.2, 0.7], 1.0) for n in (1, 2, 3)]
    loose = [one.model_copy(update={"scaled": one.fold == 2}) for one in folds]
    found = cross_validation(SOME_WAY, loose, ("benign", "malignant"), outlines=False)
    assert found.notices[0].startswith("In folds 1 and 3 the patients who choose are of one class")
    assert cross_validation(SOME_WAY, folds, ("benign", "malignant"), outlines=False).notices == ()


def test_that_more_than_two_classes_are_cross_validated_and_a_constant_is_no_skill() -> None:
    rng = np.random.default_rng(1)
    folds = []
    for number in (1, 2):
        labels = np.array([0, 1, 2, 0, 1, 2])
        patients = np.array([f"{number}{n}" for n in range(6)])
        constant = np.tile(np.eye(3)[number], (6, 1))
        scored, plain = (
            ScoredClasses(patients, labels, values, ("x", "y", "z")) for values in (rng.dirichlet([1] * 3, 6), constant)
        )
        folds.append(
            FoldScores(
                fold=number,
                train=4,
                validation=1,
                left_out=6,
                patients=tuple(patients.tolist()),
                labels=tuple(labels.tolist()),
                model=Said.of(scored),
                baselines={"majority": Said.of(plain)},
            )
        )
    found = cross_validation(SOME_WAY, folds, ("x", "y", "z"), outlines=False)
    assert found.images == 12
    assert 0 <= found.metrics["auc"].low <= found.metrics["auc"].high <= 1
    assert found.baselines[0].metrics["auc"].value == pytest.approx(0.5)


def test_that_what_was_said_is_kept_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    patients, labels = np.array(["a", "b", "c"]), np.array([0, 2, 1])
    many = ScoredClasses(patients, labels, rng.random((3, 3)), ("x", "y", "z"))
    outlined = Scored(patients, labels % 2, rng.random(3), rng.random(3) > 0.5, rng.random(3), 1 + rng.random(3))
    for scored, classes in ((many, ("x", "y", "z")), (outlined, ("negative", "positive"))):
        kept = FoldScores(
            fold=1, train=1, validation=1, left_out=3, patients=tuple(patients.tolist()),
            labels=tuple(scored.labels.tolist()), model=Said.of(scored),
        )  # fmt: skip
        again = FoldScores.model_validate_json(kept.model_dump_json())
        assert again == kept
        found = cross_validation(SOME_WAY, [again], classes, outlines=scored is outlined)
        assert {name: one.value for name, one in found.metrics.items()} == scored.metrics()


def test_that_outlines_are_cross_validated_by_dice(tmp_path: Path) -> None:
    changes = {"training.epochs": 1, "training.epoch_pictures": 1}
    run = write_untrained_outlines(tmp_path, changes, SplitPlan(train=0.25, validation=0.375, folds=2), trials=False)
    found = train(run).folds
    assert found is not None
    assert {"dice", "iou"} <= set(found.metrics)
    assert [one.name for one in found.baselines] == ["predict_nothing", "bright_blob"]
    assert found.sentence.startswith("Across 2 folds of ")
    assert ": Dice 0." in found.sentence
    assert ", IoU 0." in found.sentence
    assert not list(run.folds.glob("*/epochs"))


@pytest.mark.parametrize("kind", ["quick", "gradient"])
def test_that_the_time_of_the_folds_is_foretold(kind: str, request: pytest.FixtureRequest) -> None:
    run, options = request.getfixturevalue(kind), RunOptions(from_scratch=kind == "quick")
    found = forecast(run, options, Settings(), no_progress, never())
    run.write(SPLIT, run.split().model_copy(update={"folds": {}}))
    without = forecast(run, options, Settings(), no_progress, never())
    assert (found.folds, without.folds) == (FOLDS_ASKED, 0)
    assert found.seconds.high > without.seconds.high
    assert "its 3 folds included" in found.sentence
    assert "fold" not in without.sentence


def test_that_two_trainings_at_once_are_refused_in_the_folds_too(quick: RunFolder) -> None:
    refused: list[str] = []

    def second() -> None:
        with pytest.raises(DataError) as error:
            train(quick, options=RunOptions(resume=True))
        refused.append(str(error.value))

    train(quick, on_sentence("Fold 2 of 3:", second), SCRATCH)
    assert refused == ["run is being trained already, here or in another window."]
