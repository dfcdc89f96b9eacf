"""``pathview dataset``: from files and the store to a checked, locked split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from pathview import cli
from pathview.settings import Settings
from pathview.training.runs.plan import Plan
from pathview.training.runs.run_folder import RunFolder, training_dir
from tests.lists import make_assisted
from tests.makers import write_patch_folder
from tests.training.runs import save_table, write_table


class Said(NamedTuple):
    code: int
    lines: list[dict]
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def call(*arguments: object) -> Said:
        code = cli.run([str(argument) for argument in arguments], lambda _: 0)
        captured = capsys.readouterr()
        return Said(code, [json.loads(line) for line in captured.out.splitlines()], captured.err)

    return call


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return save_table(tmp_path / "data", write_table(tmp_path / "data"))


def test_that_data_are_collected_corrected_split_and_checked(run, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    found = run("dataset", "collect", folder, "--data", table, "--classes", "benign,malignant")
    assert found.code == 0
    assert (found.lines[0]["images"], found.lines[0]["patients"]) == (36, 12)
    image = table.parent / "p0-0.png"
    said = run("dataset", "correct", folder, image, "--leave-out", "--reader", "Dr A")
    assert said.lines == [{"run": str(folder), "file": str(image), "label": None, "left_out": True}]
    split = run("dataset", "split", folder, "--seed", 3, "--folds", 2)
    assert (split.code, split.lines[0]["shared_patients"], split.lines[0]["seed"]) == (0, 0, 3)
    assert sum(split.lines[0]["images"].values()) == 35
    again = run("dataset", "split", folder)
    assert again.lines[0]["sha256"] == split.lines[0]["sha256"]
    health = run("dataset", "health", folder)
    assert (health.code, health.lines[0]["blocked"]) == (0, False)
    assert "Shared patients: 0" in health.err
    assert run("dataset", "collect", folder).lines[0]["images"] == 36
    assert RunFolder(folder).plan().corrections[0].who == "Dr A"


def test_that_a_run_can_be_named_and_lies_with_the_users_trainings(run, table: Path, settings: Settings) -> None:
    assert run("dataset", "collect", "ducts", "--data", table, "--classes", "benign,malignant").code == 0
    assert RunFolder(training_dir(settings) / "ducts").plan().title == "ducts"


def test_that_a_red_finding_ends_with_status_1(run, tmp_path: Path) -> None:
    lines = write_table(tmp_path / "data", patients=4)
    table = save_table(tmp_path / "data", [line | {"label": "benign"} for line in lines])
    run("dataset", "collect", tmp_path / "run", "--data", table, "--classes", "benign,malignant")
    health = run("dataset", "health", tmp_path / "run")
    assert (health.code, health.lines[0]["blocked"]) == (1, True)
    assert health.lines[0]["findings"][0]["code"] == "one_class"
    assert "There is only 'benign'" in health.err


def test_that_no_patient_is_refused_until_somebody_signs(run, tmp_path: Path) -> None:
    lines = write_table(tmp_path / "data")
    table = save_table(tmp_path / "data", [line | {"patient": ""} for line in lines])
    folder = tmp_path / "run"
    run("dataset", "collect", folder, "--data", table, "--classes", "benign,malignant")
    refused = run("dataset", "split", folder)
    assert refused.code == 1
    assert "36 of 36 images name no patient" in refused.err
    signed = run("dataset", "split", folder, "--override-by", "Dr A", "--override-because", "one slide each")
    assert (signed.lines[0]["by"], signed.lines[0]["override"]["who"]) == ("image", "Dr A")
    pattern = run("dataset", "collect", folder, "--data", table, "--patient-pattern", r"(p\d+)-")
    assert pattern.lines[0]["patients"] == 12
    assert run("dataset", "split", folder).lines[0]["by"] == "patient"


def test_that_answers_and_decisions_of_the_store_are_collected(run, tiny_models: Settings, tmp_path: Path) -> None:
    store = make_assisted(tmp_path / "cases.sqlite")
    folders = [write_patch_folder(tmp_path / name, patient=f"{name}_idx5") for name in ("9001", "9002")]
    assert run("analyse", *folders, "--store", store).code == 0
    for case in (1, 2):
        for number, tile in enumerate(run("cases", "tiles", case, "--order", "random", "--store", store).lines[:4]):
            region = ",".join(str(side) for side in tile["region"])
            run("cases", "answer", case, region, ("positive", "negative")[number % 2], "--store", store)
        assert run("cases", "decide", case, ("positive", "negative")[case - 1], "--store", store).code == 0
    answers = run("dataset", "collect", tmp_path / "a", "--answers", "--store", store)
    assert answers.code == 0
    assert (answers.lines[0]["patients"], answers.lines[0]["classes"]) == (2, {"negative": 4, "positive": 4})
    decisions = run("dataset", "collect", tmp_path / "d", "--decisions", "--store", store)
    assert decisions.lines[0]["classes"] == {"negative": 1, "positive": 1}
    drawn = run("dataset", "collect", tmp_path / "m", "--annotations", "--task", "segmentation", "--store", store)
    assert drawn.lines[0]["classes"] == {"not outlined": 1}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("collect", "RUN"), "There is nothing to collect yet"),
        (("collect", "RUN", "--data", "nowhere"), "The data set nowhere does not exist"),
        (("split", "RUN"), "There is no training "),
        (("health", "RUN"), "There is no training "),
        (("correct", "RUN", "a.png", "--leave-out"), "There is no training "),
    ],
)
def test_that_what_cannot_be_done_is_one_sentence(run, tmp_path: Path, arguments, sentence: str) -> None:
    said = run("dataset", *(tmp_path / "run" if part == "RUN" else part for part in arguments))
    assert said.code == 1
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert said.lines == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("collect", "RUN", "--task", "guess"),
        ("collect", "RUN", "--classes", "a,a"),
        ("split", "RUN", "--override-by", "Dr A"),
        ("split", "RUN", "--train", "0.9", "--validation", "0.1"),
        ("split", "RUN", "--folds", "1"),
        ("correct", "RUN", "a.png", "--label", "unheard"),
    ],
)
def test_that_wrong_usage_is_told_as_such(run, tmp_path: Path, arguments) -> None:
    RunFolder(tmp_path / "run").write_plan(Plan())
    said = run("dataset", *(tmp_path / "run" if part == "RUN" else part for part in arguments))
    assert said.code == 2
