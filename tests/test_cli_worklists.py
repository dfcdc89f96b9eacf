"""Worklists on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from pathview import cli
from pathview.settings import Settings
from tests.makers import breast_pixels, write_dicom


class Said(NamedTuple):
    code: int
    lines: list[dict]
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], settings: Settings, tmp_path: Path):
    def call(*arguments: object) -> Said:
        code = cli.run(["worklists", *map(str, arguments), "--store", str(tmp_path / "cases.sqlite")], lambda _: 0)
        captured = capsys.readouterr()
        return Said(code, [json.loads(line) for line in captured.out.splitlines()], captured.err)

    return call


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two pictures and a mammogram."""
    for number in range(2):
        Image.fromarray(np.full((30, 30, 3), (200, 90 * number + 20, 150), np.uint8)).save(tmp_path / f"{number}.png")
    write_dicom(tmp_path / "m.dcm", breast_pixels(), PatientID="A")
    path = tmp_path / "cases.csv"
    path.write_text("path\n0.png\n1.png\nm.dcm\n", encoding="utf-8")
    return path


def test_that_a_table_comes_to_the_lists_of_its_kinds(run, table: Path) -> None:
    assert run("create", "Study").code == 0
    done = run("import", table)
    assert (done.code, done.lines) == (0, [{"cases": [1, 2, 3], "lines": 3, "left_out": 0}])
    listed = {line["name"]: line for line in run("list").lines}
    assert {name: line["cases"] for name, line in listed.items()} == {
        "Mammograms": 1, "Tissue": 2, "Other images": 0, "Samples": 0, "Study": 0,
    }  # fmt: skip
    assert (listed["Mammograms"]["mode"], listed["Mammograms"]["form"]) == ("second_read", "mammography")
    assert listed["Tissue"]["states"]["new"] == 2


def test_that_lines_that_were_left_out_are_told_and_the_status_says_so(run, table: Path) -> None:
    table.write_text("path,worklist\n0.png,Samples\nnone.png,\n", encoding="utf-8")
    done = run("import", table)
    assert (done.code, done.lines) == (1, [{"cases": [1], "lines": 2, "left_out": 1}])
    assert "pathview: Line 3 is left out: there is no none.png." in done.err
    refused = run("import", table, "--worklist", "Nowhere")
    assert (refused.code, refused.lines) == (1, [])
    assert "There is no worklist 'Nowhere'; `pathview worklists list` names them." in refused.err


def test_that_a_list_is_made_changed_filled_and_closed(run, table: Path) -> None:
    run("import", table)
    made = run("create", "Study", "--mode", "second-read", "--form", "mammography", "--reader", "chief")
    assert (made.lines[0]["mode"], made.lines[0]["form"], made.lines[0]["cases"]) == ("second_read", "mammography", 0)
    changed = run("mode", "Study", "blind", "--form", "simple").lines[0]
    assert (changed["mode"], changed["form"]) == ("blind", "simple")
    assert run("rename", "Study", "Study one").lines[0]["name"] == "Study one"
    assert run("move", "Study one", 1, 3).lines == [{"worklist": "Study one", "moved": 2}]
    assert run("assign", 1, 3, "--to", "Dr A", "--new").lines == [{"assigned_to": "Dr A", "changed": 2}]
    assert run("assign", 3).lines == [{"assigned_to": None, "changed": 1}]
    assert run("close", "Study one").lines[0]["closed"] is not None
    refused = run("move", "Study one", 2)
    assert (refused.code, refused.lines) == (1, [])
    assert "The worklist Study one is closed; open it again first." in refused.err
    assert run("close", "Study one", "--reopen").lines[0]["closed"] is None


def test_that_differing_decisions_go_to_arbitration(run, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("import", table)
    nothing = run("arbitrate", "Tissue")
    assert (nothing.code, nothing.lines) == (0, [{"worklist": None, "cases": []}])
    assert "No final decisions differ" in nothing.err
    for reader, value in (("Dr A", "positive"), ("Dr B", "negative")):
        store = str(table.parent / "cases.sqlite")
        assert cli.run(["cases", "decide", "2", value, "--reader", reader, "--store", store], lambda _: 0) == 0
    capsys.readouterr()
    assert run("arbitrate", "Tissue").lines == [{"worklist": "Tissue: arbitration", "cases": [2]}]
    listed = {line["name"]: line["states"] for line in run("list", "--reader", "Dr C").lines}
    assert listed["Tissue: arbitration"]["arbitration"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("mode", "None", "blind"), 1, "There is no worklist 'None'"),
        (("mode", "Tissue", "open"), 2, "a mode is one of"),
        (("create", "Tissue"), 1, "There is a worklist 'Tissue' already."),
        (("create", "New", "--form", "none"), 1, "There is no assessment form 'none'"),
        (("mode", "Tissue", "blind", "--form", "none"), 1, "There is no assessment form 'none'"),
        (("move", "Tissue", 9), 1, "There is no case 9 in the store."),
        (("assign", 9, "--to", "Dr A", "--new"), 1, "There is no case 9 in the store."),
        (("assign", 1, "--to", "Dr Tpyo"), 1, "The store knows no reader 'Dr Tpyo'"),
        (("assign", 1, "--to", " "), 1, "The name of a reader is"),
        (("close", "None"), 1, "There is no worklist 'None'"),
        (("arbitrate", "None"), 1, "There is no worklist 'None'"),
        (("import", "none.csv"), 1, "none.csv cannot be read"),
    ],
)
def test_that_what_cannot_be_is_one_sentence(run, arguments: tuple, code: int, sentence: str) -> None:
    run("create", "First")
    before = run("list").lines
    said = run(*arguments)
    assert (said.code, said.lines) == (code, [])
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert run("list").lines == before


def test_that_an_analysis_can_name_its_list(run, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(table.parent / "cases.sqlite")
    run("create", "Study")
    image = str(table.parent / "0.png")
    cli.run(["analyse", image, "--store", store, "--worklist", "Study"], lambda _: 0)
    assert cli.run(["analyse", image, "--store", store, "--worklist", "None"], lambda _: 0) == 1
    assert "There is no worklist 'None'" in capsys.readouterr().err
    assert {line["name"]: line["cases"] for line in run("list").lines}["Study"] == 1
