"""A reader study as tables for statistics programs: every assessment, every number, and the cases behind each."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pathview import __version__
from pathview.csv_cells import safe_row
from pathview.errors import OutputError
from pathview.review.agreement.agreement import Agreement
from pathview.review.agreement.figures import Section
from pathview.review.cases.study_records import Assessed, StudyCase
from pathview.settings import INVESTIGATIONAL

READINGS, NUMBERS, CASES, ABOUT = "readings.csv", "numbers.csv", "number_cases.csv", "agreement.json"
FILES: Mapping[str, str] = {
    READINGS: "a row for each case, reader and stage; where left_out gives a reason, model and truth are not told",
    NUMBERS: "a row for each number of the report, and for each cell of its tables",
    CASES: "the ids of the cases behind each number of numbers.csv; counted: whether a share counts the case",
}


def write_study(folder: Path, found: Agreement) -> tuple[Path, ...]:
    """Write the tables, and beside them an object with all figures and where they come from.

    Raises:
        OutputError: they cannot be written.
    """
    about = {**found.as_json(), "written": datetime.now(UTC).isoformat(), "files": FILES}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / READINGS, readings_table(found))
        _write(folder / NUMBERS, _numbers_table(found))
        _write(folder / CASES, _cases_table(found))
        (folder / ABOUT).write_text(json.dumps(about, indent=1, default=str) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"The study cannot be written to {folder}: {error.strerror}.") from error
    return tuple(folder / name for name in (READINGS, NUMBERS, CASES, ABOUT))


def _write(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(map(safe_row, rows))


def readings_table(found: Agreement) -> Iterator[Sequence[object]]:
    """Column names, then a row for each case, reader and stage."""
    cases = found.cases
    answered = sorted({name for case in cases for one in case.assessed for name in one.answers})
    rows = (_row(case, one, answered) for case in cases for one in case.assessed)
    first = next(rows, None)
    if first is None:
        return
    yield tuple(first)
    yield tuple(first.values())
    yield from (tuple(row.values()) for row in rows)


def _row(case: StudyCase, one: Assessed, answered: Sequence[str]) -> dict[str, object]:
    answers = {f"answer_{name}": _plain(one.answers.get(name)) for name in answered}
    ending = {"app_version": __version__, "notice": INVESTIGATIONAL}
    return {**_reading(case, one), **answers, **_known(case, one), **ending}


def _reading(case: StudyCase, one: Assessed) -> dict[str, object]:
    return {
        "case": case.id,
        "patient": case.patient_key or "",
        "worklist": case.worklist,
        "mode": one.mode,
        "reader": one.reader,
        "stage": one.stage,
        "value": one.value,
        "form": one.form,
        "reason": one.reason,
        "seconds": "" if one.seconds is None else one.seconds,
        "time_utc": _utc(one.created),
        "times_assessed": one.times,
        "model_shown_before": int(one.unblinded),
    }


def _known(case: StudyCase, one: Assessed) -> dict[str, object]:
    """What is known beside the assessment: the model's result by then, or its first one after; and the truth."""
    word = one.model or case.model
    label = "" if case.hidden else "not_analysed"
    return {
        "model_recipe": word.recipe if word else "",
        "model_weights_sha256": word.weights_sha256 if word else "",
        "model_score": "" if word is None or word.score is None else word.score,
        "model_label": word.label if word else label,
        "model_threshold": "" if word is None or word.threshold is None else word.threshold,
        "model_time_utc": _utc(word.made) if word else "",
        "truth": case.truth or "",
        "truth_source": case.truth_source,
        "left_out": case.hidden,
    }


def _plain(answer: Any) -> object:
    if isinstance(answer, list | tuple):
        return "; ".join(map(str, answer))
    return "" if answer is None else answer


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _numbers_table(found: Agreement) -> Iterator[Sequence[object]]:
    yield "section", "number", "value", "low", "high", "unit", "cases", "why", "notice"
    for section in found.sections:
        for figure in section.figures:
            values = (figure.value, figure.low, figure.high)
            told = ["" if value is None else value for value in values]
            yield (
                section.title,
                figure.title,
                *told,
                figure.unit,
                len(figure.cases),
                figure.why,
                INVESTIGATIONAL,
            )
        for name, ids in _cells(section):
            yield section.title, name, len(ids), "", "", "cases", len(ids), "", INVESTIGATIONAL


def _cases_table(found: Agreement) -> Iterator[Sequence[object]]:
    yield "section", "number", "case", "counted"
    for section in found.sections:
        for figure in section.figures:
            counted = None if figure.counted is None else frozenset(figure.counted)
            for case_id in figure.cases:
                yield section.title, figure.title, case_id, "" if counted is None else int(case_id in counted)
        for name, ids in _cells(section):
            yield from ((section.title, name, case_id, "") for case_id in ids)


def _cells(section: Section) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each cell of a section's tables in words, with its cases."""
    for table in section.tables:
        for row, cells in zip(table.rows, table.cells, strict=True):
            for column, ids in zip(table.columns, cells, strict=True):
                yield f"{table.row_title} {row}, {table.column_title} {column}", ids
