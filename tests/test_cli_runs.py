"""``pathview train --run``: the wizard's training from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pathview import cli
from pathview.training.runs.locked_split import lock_split
from pathview.training.runs.locked_uses import uses_of_test
from pathview.training.runs.plan import SplitPlan
from pathview.training.runs.run_folder import RunFolder
from tests.makers import tiny_cnn_recipe, write_random_model
from tests.training.runs import collected, plan_of, save_table, write_table
from tests.training.trainings import write_untrained_outlines


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with its locked split, and no recipe yet."""
    save_table(tmp_path / "data", write_table(tmp_path / "data", patients=20, images=2))
    found = RunFolder(tmp_path / "run")
    collected(found, plan_of(tmp_path / "data" / "labels.csv"))
    lock_split(found)
    return found.path


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = {"height": 50, "width": 50, "channels": 3, "fit": "stretch", "overlap": 0.0}
    return write_random_model(tmp_path_factory.mktemp("models"), tiny_cnn_recipe(input=shape))


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict], str]:
    code = cli.run([str(argument) for argument in arguments], lambda _: 0)
    said = capsys.readouterr()
    return code, [json.loads(line) for line in said.out.splitlines()], said.err


def test_that_a_run_is_chosen_for_estimated_trained_and_evaluated(folder: Path, recipe: Path, capsys) -> None:
    train = ("train", "--run", folder)
    code, _, err = call(capsys, *train)
    assert (code, "No recipe is chosen yet" in err) == (1, True)
    chosen = (*train, "--recipe", recipe, "--level", "thorough", "--epochs", 2)
    code, rows, _ = call(capsys, *chosen, "--set", "batch=8", "--set", "rotation_deg=45", "--list")
    assert code == 0
    values = {row["name"]: row["value"] for row in rows}
    assert (values["training.batch"], values["training.epochs"], values["training.early_stopping"]) == (8, 2, 10)
    assert values["augmentation.rotation_deg"] == 45
    code, found, err = call(capsys, *train, "--estimate")
    assert code == 0
    assert found[0]["seconds"]["low"] <= found[0]["seconds"]["high"]
    assert "About " in err
    code, found, err = call(capsys, *train)
    assert code == 0
    assert found[0]["epochs"] == 2
    assert "epoch 2 of 2: loss" in err
    code, _, err = call(capsys, *train, "--resume")
    assert (code, "is trained already" in err) == (1, True)
    code, result, _ = call(capsys, "evaluate", "--run", folder)
    assert code == 0
    assert "auc" in result[0]["metrics"]


@pytest.mark.parametrize(
    ("more", "code", "sentence"),
    [
        (("--data", "somewhere"), 2, "--run has data"),
        (("--level", "exact", "--set", "wings=2"), 1, "no hyper-parameter 'wings'"),
        (("--level", "exact", "--set", "learning_rate=-1"), 1, "training.learning_rate cannot be -1: above 0"),
        (("--level", "careless"), 2, "quick, thorough or exact"),
        (("--level", "exact", "--trials"), 1, "tells classes apart: its learning curve needs no trials"),
    ],
)
def test_that_a_wrong_wish_is_one_sentence(more, code: int, sentence: str, folder: Path, recipe: Path, capsys) -> None:
    found = call(capsys, "train", "--run", folder, "--recipe", recipe, *more)
    assert found[0] == code
    assert sentence in " ".join(found[2].replace("│", " ").split())
    assert "Traceback" not in found[2]


def test_that_a_folder_that_is_no_run_is_told(tmp_path: Path, capsys) -> None:
    code, _, err = call(capsys, "train", "--run", tmp_path / "nothing")
    assert (code, f"There is no training {tmp_path / 'nothing'}; none is here yet." in err) == (1, True)
    assert not (tmp_path / "nothing").exists()
    code, _, err = call(capsys, "train", "--recipe", "idc-cnn", "--out", tmp_path / "out", "--anew", "--data", tmp_path)
    assert (code, "go with --run" in err) == (2, True)


def test_that_folds_are_trained_after_the_model_and_shown_beside_the_result_or_alone(
    folder: Path, recipe: Path, capsys
) -> None:
    alone = ("evaluate", "--run", folder, "--folds-only")
    assert call(capsys, "dataset", "split", folder, "--folds", 2)[0] == 0
    code, out, err = call(capsys, *alone)
    assert (code, out, "The 2 folds are trained after the model" in err) == (1, [], True)
    chosen = ("--recipe", recipe, "--level", "exact", "--epochs", 1, "--set", "batch=8")
    code, found, err = call(capsys, "train", "--run", folder, *chosen)
    assert code == 0
    assert "Fold 2 of 2, epoch 1 of 1: loss" in err
    assert "none of whom is a test patient" in err
    folds = found[0]["folds"]
    assert [one["fold"] for one in folds["folds"]] == [1, 2]
    code, shown, err = call(capsys, *alone)
    assert (code, shown) == (0, [{"run": str(folder), "folds": folds}])
    assert folds["sentence"] in err
    assert not uses_of_test(RunFolder(folder))
    code, result, _ = call(capsys, "evaluate", "--run", folder)
    assert (code, result[0]["folds"], result[0]["part"]) == (0, folds, "test")
    assert call(capsys, "evaluate", "--model", "idc-cnn", "--data", folder, "--folds-only")[0] == 2


def test_that_trials_are_wanted_after_the_model_and_shown_beside_the_folds_that_are_not_there(
    tmp_path: Path, capsys
) -> None:
    run = write_untrained_outlines(tmp_path, {}, SplitPlan(train=0.25, validation=0.375), trials=False)
    chosen = ("--recipe", run.plan().recipe.name, "--level", "exact", "--epochs", 1, "--set", "batch=4")
    code, found, _ = call(capsys, "train", "--run", run.path, *chosen)
    assert (code, "trials" in found[0]) == (0, False)
    code, found, err = call(capsys, "train", "--run", run.path, "--trials", "--resume")
    assert code == 0
    assert "outlines of other patients, epoch 1 of 1" in err
    assert found[0]["trials"]["learning_curve"][-1]["share"] == 1.0
    code, shown, err = call(capsys, "evaluate", "--run", run.path, "--folds-only")
    assert (code, shown) == (0, [{"run": str(run.path), "trials": found[0]["trials"]}])
    assert "the split was asked for no folds" in err
    assert found[0]["trials"]["sentence"] in err
    assert not uses_of_test(run)


def test_that_a_run_without_folds_says_so(folder: Path, capsys) -> None:
    code, _, err = call(capsys, "evaluate", "--run", folder, "--folds-only")
    assert (code, "the split was asked for no folds" in err) == (1, True)
