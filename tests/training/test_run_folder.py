from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pathview.errors import DataError, OutputError
from pathview.settings import Settings
from pathview.training.runs.plan import Correction, DatasetRow, Plan, Question, Source, SplitPlan, TrainingEvent
from pathview.training.runs.run_folder import (
    EVENTS,
    PLAN,
    RunFolder,
    existing_run,
    is_disk_full,
    named_run,
    new_run,
    runs,
)
from tests.training.runs import row


def test_that_a_plan_comes_back_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan(
        title="Ducts",
        question=Question(task="segment_and_decide", classes=("benign", "malignant"), costly="equal"),
        sources=(Source(path=tmp_path, where={"type": "DM"}), Source(kind="answers", case_ids=(1, 2))),
        split=SplitPlan(folds=5, seed=3),
    ).with_correction(Correction(file=tmp_path / "a.png", leave_out=True, who="Dr A"))
    run = RunFolder(tmp_path / "run")
    run.write_plan(plan)
    assert run.plan() == plan
    assert [path.name for path in run.path.iterdir()] == [PLAN]


@pytest.mark.parametrize("content", ["", "{", '{"format": 2}', '{"no": 1}', '{"title": 7}'])
def test_that_a_damaged_plan_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / PLAN).write_text(content)
    with pytest.raises(DataError, match=r"plan\.json of the training .* is damaged"):
        RunFolder(tmp_path).plan()


def test_that_what_is_not_there_yet_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no plan\.json yet"):
        RunFolder(tmp_path).plan()
    with pytest.raises(DataError, match="collect its data first"):
        RunFolder(tmp_path).rows()
    assert RunFolder(tmp_path).events() == ()


def test_that_rows_come_back_with_commas_blanks_and_several_masks(tmp_path: Path) -> None:
    rows = (
        row(1, label="ductal, in situ", masks=(Path("/m/a b.png"), Path("/m/c.png")), outlined=0.25, scanner='X "2"'),
        DatasetRow(file=Path("/data/broken.png"), problem="broken.png is empty."),
    )
    run = RunFolder(tmp_path)
    run.write_rows(rows)
    assert run.rows() == rows


def test_that_a_damaged_table_is_one_sentence(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_rows([row(1)])
    table = tmp_path / "dataset.csv"
    table.write_text(table.read_text().replace(",50,50,", ",fifty,50,"))
    with pytest.raises(DataError, match="is damaged; collect the data again"):
        run.rows()


def test_that_a_line_which_a_crash_cut_off_is_not_there_and_the_next_one_is_whole(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.append(EVENTS, TrainingEvent(kind="epoch", epoch=1))
    with (tmp_path / EVENTS).open("a") as file:
        file.write('{"kind": "epo')
    assert [event.epoch for event in run.events()] == [1]
    run.append(EVENTS, TrainingEvent(kind="epoch", epoch=2))
    assert [event.epoch for event in run.events()] == [1, 2]


def test_that_a_full_disk_leaves_the_old_plan_and_nothing_beside_it(tmp_path: Path, monkeypatch) -> None:
    run = RunFolder(tmp_path)
    run.write_plan(Plan(title="old"))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        run.write_plan(Plan(title="new"))
    assert is_disk_full(caught.value)
    assert run.plan().title == "old"
    assert [path.name for path in tmp_path.iterdir()] == [PLAN]


def test_that_runs_of_one_title_get_folders_of_their_own_and_are_found(settings: Settings) -> None:
    first, second = (new_run(settings, Plan(title="Ducts & lobules")) for _ in range(2))
    assert (first.name, second.name) == ("ducts-lobules", "ducts-lobules-2")
    assert {run.name for run in runs(settings)} == {first.name, second.name}
    assert named_run("ducts-lobules", settings) == existing_run("ducts-lobules", settings) == first


def test_that_a_name_of_no_training_is_told_with_those_like_it(settings: Settings) -> None:
    with pytest.raises(DataError, match=r"^There is no training cdd; none is here yet\. The window begins one"):
        existing_run("cdd", settings)
    for title in ("CDD lesions", "Ducts"):
        new_run(settings, Plan(title=title))
    with pytest.raises(DataError, match="There is no training cdd-lesion; those that are here: cdd-lesions\\."):
        existing_run("cdd-lesion", settings)
    with pytest.raises(
        DataError, match=r"no training xyz; those that are here: (cdd-lesions, ducts|ducts, cdd-lesions)"
    ):
        existing_run("xyz", settings)


@pytest.mark.parametrize(("train", "validation"), [(0.9, 0.1), (1.0, 0.0), (0.0, 0.5)])
def test_that_fractions_leave_a_test_part(train: float, validation: float) -> None:
    with pytest.raises(ValueError, match="must leave a part"):
        SplitPlan(train=train, validation=validation)
