"""What readers say of tiles, on the command line, from the mosaic to the training set."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from pathview import cli
from pathview.settings import Settings
from tests.lists import make_assisted
from tests.makers import breast_pixels, write_dicom, write_patch_folder


class Said(NamedTuple):
    code: int
    lines: list[dict]
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tiny_models: Settings):
    def call(*arguments: object) -> Said:
        code = cli.run([str(argument) for argument in arguments], lambda _: 0)
        captured = capsys.readouterr()
        return Said(code, [json.loads(line) for line in captured.out.splitlines()], captured.err)

    return call


@pytest.fixture
def store(run, tmp_path: Path) -> Path:
    """Case 1 and 2 are mosaics, case 3 a mammogram."""
    path = make_assisted(tmp_path / "cases.sqlite")
    folders = [write_patch_folder(tmp_path / name, patient=f"{name}_idx5") for name in ("9001", "9002")]
    mammogram = write_dicom(tmp_path / "m.dcm", breast_pixels(300, 220), ImagerPixelSpacing=[0.1, 0.1])
    assert run("analyse", *folders, mammogram, "--store", path).code == 0
    return path


def region_of(line: dict) -> str:
    return ",".join(str(side) for side in line["region"])


def test_that_tiles_are_listed_answered_and_taken_back(run, store: Path) -> None:
    tiles = run("cases", "tiles", 1, "--store", store, "--order", "random", "--limit", 5).lines
    assert len(tiles) == 5
    assert set(tiles[0]) == {"image", "region", "context", "probability", "count", "answer"}
    asked = ("cases", "answer", 1, region_of(tiles[0]))
    said = run(*asked, "positive", "--reader", "Dr A", "--store", store)
    assert said.code == 0
    assert (said.lines[0]["value"], said.lines[0]["reader"]) == ("positive", "Dr A")
    (line,) = run("cases", "answers", 1, "--store", store).lines
    assert (line["region"], line["value"]) == (tiles[0]["region"], "positive")
    assert len(line["weights_sha256"]) == 64
    listed = run("cases", "tiles", 1, "--store", store, "--order", "random", "--limit", 5).lines
    assert [tile["answer"] for tile in listed] == ["positive", None, None, None, None, None]
    assert run(*asked, "withdraw", "--store", store).lines[0]["value"] is None
    assert run("cases", "answers", 1, "--store", store).lines == []
    assert "No answer stands" in run(*asked, "withdraw", "--store", store).err


def test_that_the_score_with_the_answers_stands_beside_the_models(run, store: Path) -> None:
    before = run("cases", "show", 1, "--store", store).lines[0]["images"][0]["result"]
    for tile in run("cases", "tiles", 1, "--order", "random", "--store", store).lines:
        run("cases", "answer", 1, region_of(tile), "positive", "--store", store)
    (line,) = run("cases", "answers", 1, "--score", "--store", store).lines
    found = line["reviewed"]
    assert (found["model_score"], found["model_label"]) == (before["score"], before["label"])
    assert (found["score"], found["label"], found["answers"]) == (1.0, "positive", 11)
    assert run("cases", "show", 1, "--store", store).lines[0]["images"][0]["result"]["score"] == before["score"]
    assert run("cases", "answers", 3, "--score", "--store", store).lines[0]["reviewed"] is None


def test_that_answers_become_a_training_set_that_evaluate_reads(run, store: Path, tmp_path: Path) -> None:
    for case in (1, 2):
        for number, tile in enumerate(run("cases", "tiles", case, "--order", "random", "--store", store).lines[:6]):
            value = ("positive", "negative", "cant_tell")[number % 3]
            run("cases", "answer", case, region_of(tile), value, "--store", store)
    out = tmp_path / "labels"
    exported = run("cases", "export-labels", "--out", out, "--store", store)
    assert exported.code == 0
    assert exported.lines == [{"out": str(out), "tiles": {"negative": 4, "positive": 4}, "patients": 2}]
    assert "4 answers (can't tell, skipped)" in exported.err
    report = run("evaluate", "--model", "tiny-cnn", "--data", out)
    assert report.code == 0
    assert (report.lines[0]["n_images"], report.lines[0]["n_patients"]) == (8, 2)
    only = tmp_path / "only"
    assert run("cases", "export-labels", "--out", only, "--case", 2, "--store", store).lines[0]["patients"] == 1
    with (only / "labels.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tiles", 3), "not classified tile by tile"),
        (("tiles", 9), "no case 9"),
        (("tiles", 1, "--image", 3), "Name one of the images of case 1"),
        (("answer", 1, "7,7,50,50", "positive"), "has no tile there"),
        (("answer", 3, "7,7,50,50", "positive"), "not classified tile by tile"),
        (("export-labels", "--out", "x"), "no tile was answered"),
        (("export-labels", "--out", "x", "--case", 9), "no case 9"),
    ],
)
def test_that_what_cannot_be_done_is_one_sentence(run, store: Path, arguments, sentence: str) -> None:
    said = run("cases", *arguments, "--store", store)
    assert (said.code, said.lines) == (1, [])
    assert sentence in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("tiles", 1, "--order", "colour"),
        ("answer", 1, "1,2,3", "positive"),
        ("answer", 1, "1,2,3,4", "perhaps"),
        ("export-labels",),
    ],
)
def test_that_wrong_usage_is_told_as_such(run, arguments) -> None:
    assert run("cases", *arguments).code == 2
