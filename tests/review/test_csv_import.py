"""Cases out of a table: every line is taken or told, and a table can be taken again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.compute.engine import LocalEngine
from pathview.csv_cells import ASSUMED
from pathview.errors import DataError, StoreError
from pathview.jobs import Cancelled, Progress
from pathview.review.reading.worklist_query import WorklistQuery
from pathview.review.store import Store
from pathview.session import Session
from pathview.settings import Settings


@pytest.fixture
def work(store: Store, settings: Settings) -> Session:
    return Session(settings, LocalEngine(), LocalEngine(), store, "chief")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of different content, and one that is cut off."""
    found = tmp_path / "pictures"
    (found / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.png", "sub/b.png", "c ü.png")):
        Image.fromarray(np.full((30, 30), 40 * number + 20, np.uint8)).save(found / name)
    whole = (found / "a.png").read_bytes()
    (found / "cut.png").write_bytes(whole[: len(whole) // 2])
    return found


def table(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "cases.csv"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def rows(store: Store) -> dict[str, tuple]:
    lists = {each.id: each.name for each in store.worklists.all()}
    found = store.worklists.page(WorklistQuery(), "nobody")
    return {row.title: (lists[row.worklist_id], row.assigned_to) for row in found}


def test_that_each_column_comes_to_the_case(work: Session, store: Store, folder: Path) -> None:
    store.worklists.create("Study", "blind", "simple", "chief")
    path = table(
        folder,
        "path,worklist,assigned_to,title,truth,truth_source",
        "a.png,Study,Dr A,First,positive,pathology",
        'sub/b.png,,,"Second, with a comma",,',
        f'"{folder / "c ü.png"}",Samples,,,NEGATIVE,"two years, followed"',
    )
    done = work.import_csv(path, "Tissue", new_readers=True)
    assert (done.lines, done.left_out, done.problems, len(done.case_ids)) == (3, 0, (), 3)
    assert rows(store) == {
        "First": ("Study", "Dr A"),
        "Second, with a comma": ("Tissue", None),
        "c ü.png": ("Samples", None),
    }
    truths = [store.truths.of_case(each) for each in done.case_ids]
    assert [truth and (truth.value, truth.source, truth.reader) for truth in truths] == [
        ("positive", "pathology", "chief"),
        None,
        ("negative", "two years, followed", "chief"),
    ]


def test_that_a_table_can_be_taken_again_and_changes_what_differs(work: Session, store: Store, folder: Path) -> None:
    lines = ["path;title;truth;truth_source", "a.png;First;positive;pathology", "sub/b.png;;;"]
    first = work.import_csv(table(folder, *lines))
    before = store.truths.of_case(first.case_ids[0])
    again = work.import_csv(table(folder, *lines, "c ü.png;Third;;"))
    assert again.case_ids[:2] == first.case_ids
    assert len(again.case_ids) == 3
    assert store.truths.of_case(first.case_ids[0]) == before
    work.import_csv(table(folder, "path;title;worklist", "a.png;Renamed;Samples"))
    assert rows(store)["Renamed"] == ("Samples", None)
    assert len(rows(store)) == 3


def test_that_each_line_that_cannot_be_taken_is_told_with_its_number(work: Session, store: Store, folder: Path) -> None:
    closed = store.worklists.create("Closed", "blind", "simple", "chief")
    store.worklists.close(closed.id, "chief")
    path = table(
        folder,
        "Path,worklist,truth,truth_source,assigned_to,colour",
        "a.png,,,,,red",
        ",Samples,,,,",
        "missing.png,,,,,",
        "",
        "sub/b.png,Nowhere,,,,",
        "sub/b.png,Closed,,,,",
        "sub/b.png,,perhaps,guess,,",
        "sub/b.png,,positive,,,",
        f"sub/b.png,,,,{'x' * 81},",
        "sub/b.png,,,,,red,too much",
        "cut.png,,,,,",
        "c ü.png,,,,",
    )
    done = work.import_csv(path)
    assert (done.lines, done.left_out) == (11, 8)
    told = dict(each.split(": ", 1) for each in done.problems if each.startswith("Line "))
    assert "no worklist 'Nowhere'" in told["Line 6 is left out"]
    assert told["Line 3 is left out"] == "it names no path."
    assert told["Line 4 is left out"] == "there is no missing.png."
    assert told["Line 7 is left out"] == "the worklist Closed is closed."
    assert "'perhaps', not positive or negative" in told["Line 8 is left out"]
    assert "come together" in told["Line 9 is left out"]
    assert "name of a reader" in told["Line 10 is left out"]
    assert told["Line 11 is left out"] == "it has 7 cells, and the table 6 columns."
    assert "cut.png" in told["Line 12"]  # a case that says why it cannot be read, so that it is not missed
    assert len(told) == 9
    assert done.problems[0] == "Columns that are not known were left out: 'colour'."
    assert set(rows(store)) == {"a.png", "cut.png", "c ü.png"}


def test_that_other_letters_and_open_quotation_marks_cost_their_own_lines(
    work: Session, store: Store, folder: Path
) -> None:
    path = table(folder, "path,title", "a.png,First", "sub/b.png,Zwölf", "c ü.png,Third")
    path.write_bytes(path.read_bytes().replace("Zwölf".encode(), "Zwölf".encode("cp1252")))
    done = work.import_csv(path)
    assert done.problems == ("Line 3 is left out: it is not in UTF-8.",)
    assert set(rows(store)) == {"First", "Third"}
    done = work.import_csv(
        table(folder, "path,title", '"a.png"x,First', "sub/b.png,Second", '"c ü.png,Third', "a.png,")
    )
    assert done.problems == (
        "Line 2 is left out: its quotation marks do not match.",
        "Line 4 is left out: its quotation marks do not match, and with it those to line 5.",
    )
    assert set(rows(store)) == {"First", "Second", "Third"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_that_a_table_is_read_as_spreadsheets_save_it(work: Session, store: Store, folder: Path, encoding: str) -> None:
    separator = "\t" if encoding == "utf-16" else ";"
    lines = ["path;title", "a.png;Zwölf à 5 €", "c ü.png;Third"]
    done = work.import_csv(table(folder, *(line.replace(";", separator) for line in lines), encoding=encoding))
    assert set(rows(store)) == {"Zwölf à 5 €", "Third"}
    assert done.left_out == 0
    assert done.problems == ((ASSUMED.format("cases.csv"),) if encoding == "cp1252" else ())


NO_TABLES = (
    b"",
    b"file,worklist\na.png,",
    b"p\x00a\x00t\x00h\x00",
    b"\xff\xfep\x00a\x00t\x00h",
    b'"path\n',
)


@pytest.mark.parametrize("content", NO_TABLES)
def test_that_what_is_no_table_of_cases_is_one_sentence(work: Session, folder: Path, content: bytes) -> None:
    path = folder / "cases.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cases\.csv is no table of cases"):
        work.import_csv(path)
    with pytest.raises(DataError, match=r"none\.csv cannot be read"):
        work.import_csv(folder / "none.csv")


def test_that_what_was_taken_before_it_was_cancelled_stays(work: Session, store: Store, folder: Path) -> None:
    path = table(folder, "path,title", "a.png,First", "sub/b.png,Second", "c ü.png,Third")
    steps: list[Progress] = []

    class AfterTwo:
        def is_set(self) -> bool:
            return len(steps) == 2

    with pytest.raises(Cancelled):
        work.import_csv(path, progress=steps.append, cancel=AfterTwo())
    assert set(rows(store)) == {"First", "Second"}
    assert [(step.done, step.total) for step in steps] == [(0, 3), (1, 3)]


def test_that_a_folder_of_several_cases_keeps_their_own_titles(work: Session, store: Store, folder: Path) -> None:
    done = work.import_csv(table(folder, "path,title,assigned_to", "sub,One,Dr A", ".,Several,Dr B"), new_readers=True)
    assert rows(store)["One"][1] == "Dr B"
    assert len(rows(store)) == 4
    assert any("holds 4 cases, so its title was not given to any" in each for each in done.problems)


def test_that_a_reader_who_is_not_known_may_be_mistyped(work: Session, store: Store, folder: Path) -> None:
    store.readers.add("Dr A", "chief")
    done = work.import_csv(table(folder, "path,assigned_to", "a.png,Dr A", "sub/b.png,Dr Aa"))
    assert (done.left_out, len(done.case_ids)) == (1, 1)
    assert done.problems[0].startswith("Line 3 is left out: The store knows no reader 'Dr Aa'")
    assert [reader.name for reader in store.readers.all() if reader.name.startswith("Dr A")] == ["Dr A"]


def test_that_cells_that_were_marked_as_text_are_read_as_they_were(work: Session, store: Store, folder: Path) -> None:
    work.import_csv(table(folder, "path,title", "a.png,'=1+2", "sub/b.png,'plain"))
    assert set(rows(store)) == {"=1+2", "'plain"}


def test_that_nothing_is_added_to_a_closed_list_and_it_is_said_at_once(
    work: Session, store: Store, folder: Path
) -> None:
    store.worklists.close(store.worklists.named("Samples").id, "chief")
    with pytest.raises(StoreError, match="The worklist Samples is closed; choose another one"):
        work.add([folder / "a.png"], worklist="Samples")
    assert rows(store) == {}
