from __future__ import annotations

from pathlib import Path

import pytest

from pathview.errors import DataError, StoreError
from pathview.review.store import Store
from tests.review.reading_makers import a_case


@pytest.fixture
def cases(store: Store, tmp_path: Path) -> list[int]:
    return [a_case(store, str(number), patient_key="p" if number else "q") for number in range(3)]


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "truths.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_that_the_newest_truth_stands_and_the_trail_holds_no_value(store: Store, cases: list[int], rows) -> None:
    store.truths.add(cases[0], "negative", "follow-up of 2 years", "chief")
    store.truths.add(cases[0], "positive", " biopsy ", "chief")
    found = store.truths.of_case(cases[0])
    assert (found.value, found.source, found.reader) == ("positive", "biopsy", "chief")
    assert store.truths.of_case(cases[1]) is None
    details = [str(detail) for action, detail in rows("SELECT action, detail FROM audit") if action == "truth"]
    assert len(details) == 2
    assert not any("positive" in detail or "negative" in detail for detail in details)
    store.truths.add(cases[0], None, "entered for another woman", "chief")
    assert store.truths.of_case(cases[0]) is None


def test_that_a_truth_needs_a_case_a_value_and_a_source(store: Store, cases: list[int]) -> None:
    with pytest.raises(DataError, match="where it is known from"):
        store.truths.add(cases[0], "positive", " ", "chief")
    with pytest.raises(DataError, match="positive or negative"):
        store.truths.add(cases[0], "maybe", "biopsy", "chief")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="no case 99"):
        store.truths.add(99, "positive", "biopsy", "chief")


def test_that_a_table_names_cases_paths_and_patients(store: Store, cases: list[int], tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "case,path,patient,value,source\n"
        f"{cases[0]},,,positive,biopsy\n"
        ",/data/1.dcm,,NEGATIVE,follow-up\n"
        ',,p,positive,"pathology, 2024"\n',
    )
    kept = store.truths.read_csv(path, "chief")
    assert [(one.case_id, one.value) for one in kept] == [
        (cases[0], "positive"), (cases[1], "negative"), (cases[1], "positive"), (cases[2], "positive"),
    ]  # fmt: skip
    assert store.truths.of_case(cases[2]).source == "pathology, 2024"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("case,value,source\n1,positive,x\n2,perhaps,x\n", "Line 3 of truths.csv: A truth is"),
        ("case,value,source\n1,positive,x\n77,positive,x\n", "Line 3 of truths.csv: There is no case 77"),
        ("case,value,source\n1,positive,x\nno,positive,x\n", "Line 3 of truths.csv: The column case holds"),
        ("case,value,source\n1,positive,x\n,positive,x\n", "Line 3 of truths.csv: It names no case"),
        ("case,value,source\n1,positive,x\n1,positive\n", "Line 3 of truths.csv: Say where"),
        ("patient,value,source\nnobody,positive,x\n", "Line 2 of truths.csv: The store has no case of this patient"),
        ("case,value\n1,positive\n", "needs the columns value, source"),
        ("", "needs the columns value, source"),
    ],
)
def test_that_a_wrong_line_is_named_and_nothing_is_kept(
    store: Store, cases: list[int], tmp_path: Path, rows, text: str, told: str
) -> None:
    with pytest.raises(DataError, match=told):
        store.truths.read_csv(table(tmp_path, text), "chief")
    assert rows("SELECT * FROM truths") == []


def test_that_a_table_that_cannot_be_read_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        store.truths.read_csv(tmp_path / "gone.csv", "chief")
    path = tmp_path / "binary.csv"
    path.write_bytes(b"case,value,source\n\xff\xfe,1,2\n")
    with pytest.raises(DataError, match="no table"):
        store.truths.read_csv(path, "chief")
