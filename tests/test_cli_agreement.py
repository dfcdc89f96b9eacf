from __future__ import annotations

import json
from pathlib import Path

import pytest

from pathview.cli import run
from pathview.review.sql.database import Database
from tests.review.study_makers import StudyMaker

P, N = "positive", "negative"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "study.sqlite"
    database = Database(path)
    maker = StudyMaker(database)
    home = maker.worklist("Study")
    for index in range(6):
        case = maker.case(home, f"p{index}", P, (P, N)[index % 2])
        maker.read(case, "Ada", (P, N)[index % 2], P)
        maker.read(case, "Bob", P, P)
    open_list = maker.worklist("Open", closed=False)
    maker.read(maker.case(open_list, "p9", P, P), "Ada", N, P)
    database.close()
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = run(["agreement", *arguments], lambda _: 0)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_that_one_object_is_printed(store: Path, capsys) -> None:
    status, out, err = told(capsys, "--store", str(store), "--worklist", "Study", "--reader", "Ada", "--reader", "Bob")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert (found["readers"], found["n_cases"], found["files"]) == (["Ada", "Bob"], 6, [])
    assert [one["name"] for one in found["worklists"]] == ["Study"]
    (first,) = [one for one in found["sections"] if one["title"] == "Ada: first against final"]
    agreement = next(figure for figure in first["figures"] if figure["name"] == "agreement")
    assert (agreement["value"], agreement["n"], agreement["counted"]) == (0.5, 6, 3)
    assert len(agreement["interval"]) == 2
    assert first["tables"][0]["counts"] == [[0, 0, 3], [0, 0, 0], [0, 0, 3]]


def test_that_who_asks_decides_what_is_told(store: Path, capsys) -> None:
    for asker, hidden in (("Ada", False), ("A stranger", True)):
        status, out, _ = told(capsys, "--store", str(store), "--worklist", "Open", "--as", asker)
        found = json.loads(out)
        assert status == 0
        assert any("hides the model" in notice for notice in found["notices"]) == hidden
        assert bool(found["sections"]) != hidden


def test_that_report_and_tables_are_written(store: Path, tmp_path: Path, capsys) -> None:
    out_folder = tmp_path / "out"
    status, out, _ = told(capsys, "--store", str(store), "--out", str(out_folder), "--as", "Ada")
    assert status == 0
    assert sorted(json.loads(out)["files"]) == sorted(str(path) for path in out_folder.iterdir())
    assert (out_folder / "report.html").is_file()
    assert (out_folder / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_that_a_wrong_name_is_one_sentence(store: Path, capsys) -> None:
    status, out, err = told(capsys, "--store", str(store), "--worklist", "Nowhere")
    assert (status, out) == (1, "")
    assert err.startswith("pathview: There is no worklist 'Nowhere'; there are: ")
    status, _, err = told(capsys, "--store", str(store), "--reader", "Eve")
    assert status == 1
    assert err.startswith("pathview: There is no assessment of Eve here that may be told; there are some of Ada, Bob.")
    assert err.count("\n") == 1
