from __future__ import annotations

from pathlib import Path

import pytest

from pathview.errors import DataError, OutputError
from pathview.training.runs.locked_uses import is_told, log_use, told, uses_of_test
from pathview.training.runs.run_folder import TEST_USES, RunFolder

ONE, OTHER = "a" * 64, "b" * 64


def test_that_each_use_is_counted_and_says_who_and_what_for(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    assert uses_of_test(run) == ()
    assert told(()) == "Nobody has looked at the locked test patients yet."
    log_use(run, "ada", "result", ONE)
    assert told(uses_of_test(run)) == "The locked test patients were looked at once."
    log_use(run, "bea", "threshold", OTHER)
    first, second = uses_of_test(run)
    assert (first.who, first.purpose, first.model, first.number) == ("ada", "result", ONE, 1)
    assert (second.who, second.purpose, second.number) == ("bea", "threshold", 2)
    assert "twice, with 2 models" in told((first, second))
    assert is_told(told((first,)))
    assert is_told(told((first, second)))
    assert not is_told("It was tested on 4 patients only.")


@pytest.mark.parametrize("taken", [0, 1])
def test_that_a_use_taken_out_or_changed_is_missed(tmp_path: Path, taken: int) -> None:
    run = RunFolder(tmp_path)
    for who in ("ada", "bea", "cleo"):
        log_use(run, who, "result", ONE)
    lines = (tmp_path / TEST_USES).read_text().splitlines(keepends=True)
    (tmp_path / TEST_USES).write_text("".join(lines[:taken] + lines[taken + 1 :]))
    with pytest.raises(DataError, match="was changed"):
        uses_of_test(run)
    (tmp_path / TEST_USES).write_text("".join(lines).replace("ada", "eve"))
    with pytest.raises(DataError, match="was changed"):
        log_use(run, "dora", "result", ONE)


def test_that_a_use_cut_off_by_a_crash_does_not_close_the_log(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    log_use(run, "ada", "result", ONE)
    with (tmp_path / TEST_USES).open("ab") as file:
        file.write(b'{"number": 2, "at": "20')
    assert log_use(run, "bea", "result", ONE).number == 2
    assert [use.who for use in uses_of_test(run)] == ["ada", "bea"]


def test_that_nothing_is_looked_at_where_the_use_cannot_be_logged(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="stay closed"):
        log_use(RunFolder(tmp_path / "run"), "ada", "result", ONE)
