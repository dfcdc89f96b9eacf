"""The rule of a study's results: view, breast, study."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pathview.results.result import NotAnalysed
from pathview.review.records.case import ImageRow, NewImage, ResultRow
from pathview.review.records.study import DISAGREE, RULE, counting, study_rows, study_summary
from pathview.review.store import Store
from tests.review.test_store import a_result

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_result_row(number: int, score: float | None, label: str | None = None) -> ResultRow:
    if score is None:
        return ResultRow(number, number, "not_analysed", "tiny", NOW, reason="It is cut off.")
    found = label or ("positive" if score >= 0.6 else "negative" if score < 0.3 else "not_sure")
    return ResultRow(number, number, "analysed", "tiny", NOW, score=score, lower=0.3, upper=0.6, label=found)


def a_view(number: int, name: str, score: float | str | None = "new", label: str | None = None, **info) -> ImageRow:
    side, view = name.split() if " " in name else (None, name or None)
    whole = {"kind": "mammogram", "laterality": side, "view": view, **info}
    result = None if score == "new" else a_result_row(number, score, label)
    return ImageRow(number, 1, Path(f"/data/{number}.dcm"), whole, None, result)


def four(r_cc=0.1, l_cc=0.1, r_mlo=0.1, l_mlo=0.1) -> list[ImageRow]:
    names = ["R CC", "L CC", "R MLO", "L MLO"]
    return [
        a_view(n, name, score) for n, (name, score) in enumerate(zip(names, (r_cc, l_cc, r_mlo, l_mlo), strict=True))
    ]


def labels(images: list[ImageRow]) -> dict[str, str | None]:
    return {row.title: row.label for row in study_rows(images)}


def flags(images: list[ImageRow]) -> list[str]:
    return [flag.sentence for row in study_rows(images) for flag in row.flags if flag.code == DISAGREE]


def test_that_the_lines_are_the_study_then_each_breast_with_its_views() -> None:
    rows = study_rows(four(r_mlo=0.9))
    assert [(row.kind, row.title) for row in rows] == [
        ("case", "Study"),
        ("breast", "Right breast"),
        ("view", "R CC"),
        ("view", "R MLO"),
        ("breast", "Left breast"),
        ("view", "L CC"),
        ("view", "L MLO"),
    ]
    assert [row.label for row in rows[:2]] == ["positive", "positive"]
    assert rows[1].position == rows[3].position == rows[0].position
    assert rows[4].label == "negative"
    assert "most worrying" in RULE


@pytest.mark.parametrize("missing", ["new", None])
def test_that_a_breast_with_an_unread_view_is_never_negative(missing) -> None:
    found = labels(four(l_mlo=missing))
    assert (found["Left breast"], found["Right breast"], found["Study"]) == ("not_analysed", "negative", "not_analysed")
    assert labels(four(l_mlo=missing, l_cc=0.4))["Left breast"] == "not_sure"


def test_that_nothing_is_said_before_anything_ran() -> None:
    assert set(labels(four("new", "new", "new", "new")).values()) == {None}


def test_that_a_view_that_is_not_sure_for_another_reason_keeps_its_breast_from_being_negative() -> None:
    images = [a_view(0, "R CC", 0.05, "not_sure"), a_view(1, "R MLO", 0.25)]
    rows = study_rows(images)
    assert (rows[0].label, rows[1].label) == ("not_sure", "not_sure")
    assert rows[1].position == pytest.approx(0.25 / 0.3 / 3)
    assert rows[1].score == 0.05


def test_that_views_that_disagree_are_flagged_by_breast() -> None:
    images = four(r_cc=0.9, r_mlo=0.1)
    assert flags(images) == ["The views of the right breast disagree: R CC is positive, R MLO negative; look at both."]
    assert study_summary(images)[0] == "positive"
    assert study_summary(images)[3] == 1
    assert flags(four(r_cc=0.31, r_mlo=0.29)) == []
    assert flags(four(l_cc=0.05, l_mlo=0.5)) != []
    apart = [a_view(0, "L CC", 0.02, "not_sure"), a_view(1, "L MLO", 0.55)]
    assert flags(apart) == [
        "The views of the left breast disagree: L CC and L MLO are both not sure, but far apart; look at both."
    ]
    assert flags(four(r_cc=0.9, r_mlo=None)) == []


def test_that_two_breasts_may_differ() -> None:
    assert flags(four(r_cc=0.9, r_mlo=0.9)) == []


@pytest.mark.parametrize("word", ["magnification", "spot compression", "specimen"])
def test_that_views_of_a_part_do_not_count(word: str) -> None:
    images = [*four(), a_view(9, "R CC", None, modifiers=[word])]
    assert study_summary(images)[0] == "negative"
    row = next(row for row in study_rows(images) if row.image_id == 9)
    assert (row.counts, row.label, row.reason) == (False, "not_analysed", "It is cut off.")
    assert study_summary([*four(), a_view(9, "R CC", 0.9, modifiers=[word])])[0] == "negative"


def test_that_a_breast_seen_in_part_alone_does_not_pass_as_read() -> None:
    images = [a_view(0, "R CC", 0.1), a_view(1, "R MLO", 0.1), a_view(2, "L CC", None, modifiers=["magnification"])]
    found = labels(images)
    assert (found["Left breast"], found["Study"]) == ("not_analysed", "not_analysed")
    alone = [a_view(0, "R CC", None, modifiers=["magnification"])]
    assert study_summary(alone)[0] == "not_analysed"


def test_that_a_raw_image_does_not_count_beside_the_one_to_be_read() -> None:
    raw = a_view(9, "R CC", None, for_processing=True)
    assert study_summary([*four(), raw])[0] == "negative"
    assert study_summary([*four()[1:], raw])[0] == "not_analysed"


def test_that_an_image_of_no_side_counts_for_the_study() -> None:
    unreadable = ImageRow(9, 1, Path("/data/cut.dcm"), {"kind": "unreadable"}, None, a_result_row(9, None))
    found = labels([*four(), unreadable])
    assert (found["Study"], found["Right breast"]) == ("not_analysed", "negative")
    assert study_rows([*four(), a_view(9, "CC", 0.9)])[0].label == "positive"
    assert study_rows([*four(), unreadable])[-1].title == "cut.dcm"


def test_that_a_slide_has_no_breasts() -> None:
    slide = ImageRow(1, 1, Path("/data/a.svs"), {"kind": "histology"}, None, a_result_row(1, 0.5))
    assert [(row.kind, row.title, row.label) for row in study_rows([slide])] == [
        ("case", "Image", "not_sure"),
        ("view", "a.svs", "not_sure"),
    ]
    assert counting([slide]) == (slide,)


def test_that_the_worklist_counts_the_disagreement(store: Store) -> None:
    infos = [{"kind": "mammogram", "laterality": "R", "view": view} for view in ("CC", "MLO")]
    infos.append({"kind": "mammogram", "laterality": "R", "view": "CC", "modifiers": ["magnification"]})
    images = [NewImage(Path(f"/data/{n}.dcm"), info) for n, info in enumerate(infos)]
    case_id = store.add_case("study a", "a", "mammogram", images, "r", "Tissue")  # a list that shows the model
    numbers = [image.id for image in store.case(case_id).images]
    store.save_result(numbers[0], a_result(0.1, flags=0), "r")
    store.save_result(numbers[2], NotAnalysed("It is magnified.", "tiny"), "r")
    assert store.case(case_id).case.label == "not_analysed"
    store.save_result(numbers[1], a_result(0.2, flags=0), "r")
    assert (store.case(case_id).case.label, store.case(case_id).case.flags) == ("negative", 0)
    store.save_result(numbers[1], a_result(80.0, flags=2), "r")
    case = store.case(case_id).case
    assert (case.label, case.flags, case.score) == ("positive", 3, 80.0)
    assert store.worklists.row(case_id, "r").flags == 3
