from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, recall_score, roc_auc_score

from pathview.errors import DataError
from pathview.jobs import Cancelled
from pathview.review.agreement.agreement import Agreement, measure_agreement
from pathview.review.agreement.figures import Figure, Section
from pathview.review.agreement.scales import Scale, scales_of, suspicion
from pathview.review.cases.study_records import Assessed, ModelWord, Studies, StudyCase, StudyRecords
from pathview.review.records.forms import find_forms
from pathview.review.records.modes import Mode, Stage
from pathview.review.sql.database import Database
from pathview.settings import Settings
from tests.review.study_makers import POSITION, START, StudyMaker

P, N, C = "positive", "negative", "cant_tell"
BIRADS = Scale("mammography", "birads", "BI-RADS category", ("1", "2", "3", "4A", "4B", "4C", "5", "6"), True)
DENSITY = Scale("mammography", "density", "Breast composition", ("a", "b", "c", "d"))
SURE = Scale("histology", "confidence", "Confidence", ("1", "2", "3", "4", "5"))


def assessed(case_id: int, reader: str, stage: Stage, value: str, mode: Mode = "second_read", **more) -> Assessed:
    words = {"form": "simple", "answers": {}, "reason": "", "seconds": None, "created": START, **more}
    return Assessed(case_id, reader, stage, value, mode, **words)  # type: ignore[arg-type]


def word(label: str | None, position: float | None = None) -> ModelWord | None:
    if label is None:
        return None
    at = None if label == "not_analysed" else POSITION[label] if position is None else position
    return ModelWord(label, at, at, "tiny", "w" * 64, 0.5, START)  # type: ignore[arg-type]


def study(cases: Iterable[StudyCase]) -> StudyRecords:
    return StudyRecords("Ada", (), tuple(cases), {})


def case(
    number: int,
    said: Sequence[tuple[str, Stage, str]],
    model: str | None = None,
    truth: str | None = None,
    patient: str | None = "",
    mode: Mode = "second_read",
) -> StudyCase:
    own = tuple(assessed(number, *one, mode=mode) for one in said)
    patient_key = f"p{number}" if patient == "" else patient
    return StudyCase(number, f"Study {number}", patient_key, "Study", mode, own, word(model), truth)


def second_reads(rows: Iterable[tuple[str, str]], **words) -> list[StudyCase]:
    """Cases of Ada's by first and final."""
    return [case(i, [("Ada", "first", one), ("Ada", "final", two)], **words) for i, (one, two) in enumerate(rows)]


def section(found: Agreement, name: str, title: str = "") -> Section:
    (one,) = [each for each in found.sections if each.name == name and title in each.title]
    return one


def figure(one: Section, name: str) -> Figure:
    (found,) = [each for each in one.figures if each.name == name]
    return found


def counts(one: Section) -> list[list[int]]:
    return [[len(cell) for cell in row] for row in one.tables[0].cells]


def test_that_first_against_final_is_counted_and_its_kappa_is_scikit_learns() -> None:
    pairs = [(P, P)] * 8 + [(N, N)] * 10 + [(P, N)] * 2 + [(N, P)] * 3 + [(C, P)] * 2 + [(C, C)] * 1
    one = section(measure_agreement(study(second_reads(pairs))), "first_against_final")
    assert counts(one) == [[10, 0, 3], [0, 1, 2], [2, 0, 8]]
    assert one.tables[0].cells[1][2] == (23, 24)
    first, final = zip(*pairs, strict=True)
    assert figure(one, "kappa").value == pytest.approx(cohen_kappa_score(first, final))
    decided = [(a, b) for a, b in pairs if C not in (a, b)]
    assert figure(one, "kappa_decided").value == pytest.approx(cohen_kappa_score(*zip(*decided, strict=True)))
    assert figure(one, "kappa_decided").cases == tuple(range(23))
    assert figure(one, "agreement").value == pytest.approx(19 / 26)
    changed = figure(one, "changed")
    assert changed.value == pytest.approx(7 / 26)
    assert changed.behind == (18, 19, 20, 21, 22, 23, 24), "the number opens those that it counts"
    assert len(changed.cases) == 26
    kappa = figure(one, "kappa")
    assert kappa.low is not None
    assert kappa.low < kappa.value < kappa.high


def test_that_a_kappa_that_is_not_defined_says_so() -> None:
    one = section(measure_agreement(study(second_reads([(P, P)] * 6))), "first_against_final")
    found = figure(one, "kappa")
    assert (found.value, found.low, found.words) == (None, None, "not defined")
    assert found.why == "Kappa is not defined: there is no case, or both used one and the same value only."
    assert len(found.cases) == 6
    sure = figure(one, "agreement")
    assert (sure.value, sure.low) == (1.0, None)
    assert sure.why == "Every draw of patients gives the same, so there is no interval."


def test_that_one_patient_gives_no_interval() -> None:
    found = measure_agreement(study(second_reads([(P, P), (N, N), (P, N)], patient="p")))
    kappa = figure(section(found, "first_against_final"), "kappa")
    assert (kappa.low, kappa.why) == (None, "All cases are of one patient, so there is no interval.")
    assert "Only 1 patient: too few to say much." in found.notices


def test_that_more_cases_of_the_same_patients_do_not_narrow_an_interval() -> None:
    """Each patient's cases are alike: ten of them say no more than one."""
    pairs = [(P, P), (N, N), (P, N), (N, N), (P, P), (N, P), (P, P), (N, N)]
    once = [case(i, [("Ada", "first", a), ("Ada", "final", b)]) for i, (a, b) in enumerate(pairs)]
    often = [
        case(100 * i + copy, [("Ada", "first", a), ("Ada", "final", b)], patient=f"p{i}")
        for i, (a, b) in enumerate(pairs)
        for copy in range(10)
    ]
    strangers = [
        case(100 * i + copy, [("Ada", "first", a), ("Ada", "final", b)], patient=None)
        for i, (a, b) in enumerate(pairs)
        for copy in range(10)
    ]
    spans = []
    for cases in (once, often, strangers):
        found = measure_agreement(study(cases))
        kappa = figure(section(found, "first_against_final"), "kappa")
        spans.append((kappa.low, kappa.high))
        assert any("no patient is known" in notice for notice in found.notices) == (cases is strangers)
    assert spans[0] == spans[1]
    assert spans[2][1] - spans[2][0] < (spans[0][1] - spans[0][0]) / 2


def test_that_changes_are_for_the_better_or_the_worse() -> None:
    rows = (
        [(N, P, P)] * 6  # first, final, truth: mended
        + [(P, N, P)] * 1  # spoiled
        + [(P, P, P)] * 4
        + [(P, P, N)] * 2  # kept wrong
        + [(C, P, P)] * 1
        + [(N, P, None)] * 5
    )
    cases = [
        case(i, [("Ada", "first", a), ("Ada", "final", b)], truth=truth, model=P)
        for i, (a, b, truth) in enumerate(rows)
    ]
    one = section(measure_agreement(study(cases)), "changes")
    assert dict(zip(one.tables[0].rows, map(sum, counts(one)), strict=True)) == {
        "kept right": 4,
        "kept wrong": 2,
        "mended": 6,
        "spoiled": 1,
        "can't tell before or after": 1,
    }
    assert one.tables[0].cells[3][3] == (6,), "what the model said by then is not known, which is not negative"
    mended = figure(one, "mended")
    assert mended.value == pytest.approx(6 / 13)
    assert (mended.behind, len(mended.cases)) == ((0, 1, 2, 3, 4, 5), 13)
    assert figure(one, "net_change").value == pytest.approx(5 / 13)
    p = figure(one, "mcnemar_p")
    assert p.value == pytest.approx(2 * (1 + 7) / 2**7)  # P(at most 1 of 7 heads), twice
    assert p.cases == (0, 1, 2, 3, 4, 5, 6)


def test_that_the_change_table_takes_the_model_of_that_time() -> None:
    then = assessed(1, "Ada", "final", P, model=word(P))
    records = study(
        [StudyCase(1, "", "p", "Study", "second_read", (assessed(1, "Ada", "first", N), then), word(N), truth=P)]
    )
    found = measure_agreement(records)
    assert section(found, "changes").tables[0].cells[2] == ((), (), (1,), ())
    with_model = section(found, "reader_against_model", "final")
    assert counts(with_model)[2] == [1, 0, 0, 0]
    assert "1 case was analysed anew after the assessment; the newest result is compared." in with_model.notices


def test_that_what_the_model_did_not_analyse_is_never_negative() -> None:
    said = [(N, N), (N, "not_analysed"), (N, None), (P, P), (P, "not_sure"), (C, P)]
    cases = [case(i, [("Ada", "final", value)], model=model) for i, (value, model) in enumerate(said)]
    one = section(measure_agreement(study(cases)), "reader_against_model")
    assert one.tables[0].columns == ("negative", "not sure", "positive", "not analysed")
    assert counts(one) == [[1, 0, 0, 2], [0, 0, 1, 0], [0, 1, 1, 0]]
    assert figure(one, "agreement").value == pytest.approx(2 / 4)
    assert figure(one, "agreement_decided").cases == (0, 3)
    assert any(notice.startswith("2 cases were not analysed: left out") for notice in one.notices)
    assert any("Left at can't tell by Ada: 1; at not sure by the model: 1." in notice for notice in one.notices)


def test_that_readers_are_compared_only_where_neither_knew_the_other() -> None:
    def pair(number: int, mode: Mode, others_shown: bool) -> StudyCase:
        own = (
            assessed(number, "Ada", "final", P, mode),
            assessed(number, "Bob", "final", N, mode, others_shown=others_shown),
        )
        return StudyCase(number, "", f"p{number}", "Study", mode, own)

    cases = [pair(1, "second_read", False), pair(2, "second_read", True), pair(3, "blind", False)]
    one = section(measure_agreement(study([*cases, pair(4, "assisted", True)])), "reader_against_reader")
    assert one.tables[0].cells[2][0] == (1, 3)
    assert one.notices[0].startswith("2 cases were left out: one of the two may have known the other's decision")
    assert "Read as: blind 1, second read 1." in one.notices
    alone = section(measure_agreement(study([pair(4, "assisted", True)])), "reader_against_reader")
    assert alone.figures == alone.tables == ()


def test_that_first_is_compared_with_first_and_final_with_final() -> None:
    own = [("Ada", "first", P), ("Ada", "final", N), ("Bob", "first", P), ("Bob", "final", P)]
    found = measure_agreement(study([case(1, own)]))  # type: ignore[arg-type]
    assert counts(section(found, "reader_against_reader", "first against first"))[2] == [0, 0, 1]
    assert counts(section(found, "reader_against_reader", "final against final"))[0] == [0, 0, 1]


TRUTH_ROWS = (
    # said finally, truth, model
    *[(P, P, P)] * 12,
    *[(P, P, N)] * 3,
    *[(N, P, P)] * 4,
    *[(C, P, P)] * 1,
    *[(N, N, N)] * 15,
    *[(P, N, N)] * 4,
    *[(C, N, "not_sure")] * 3,
    *[(N, N, "not_analysed")] * 2,
    *[(N, None, P)] * 5,
)


def truth_study() -> StudyRecords:
    return study(
        case(i, [("Ada", "final", said)], model=model, truth=truth) for i, (said, truth, model) in enumerate(TRUTH_ROWS)
    )


def test_that_sensitivity_and_specificity_are_scikit_learns() -> None:
    one = section(measure_agreement(truth_study()), "against_truth", "Ada, final")
    known = [(said, truth == P) for said, truth, _ in TRUTH_ROWS if truth]
    decided = [(said == P, truth) for said, truth in known if said != C]
    called, truth = zip(*decided, strict=True)
    assert figure(one, "sensitivity_decided").value == pytest.approx(recall_score(truth, called))
    assert figure(one, "specificity_decided").value == pytest.approx(recall_score(truth, called, pos_label=False))
    recalled, truth = zip(*[(said != N, truth) for said, truth in known], strict=True)
    assert figure(one, "sensitivity_recalled").value == pytest.approx(recall_score(truth, recalled))
    assert figure(one, "specificity_recalled").value == pytest.approx(recall_score(truth, recalled, pos_label=False))
    assert counts(one) == [[17, 3, 4], [4, 1, 15]]
    for name in ("sensitivity_decided", "specificity_decided", "sensitivity_recalled", "specificity_recalled"):
        share = figure(one, name)
        assert share.counted is not None
        assert set(share.counted) <= set(share.cases)
        assert share.value == pytest.approx(len(share.counted) / len(share.cases))
    assert len(figure(one, "sensitivity_decided").cases) == 19
    assert len(figure(one, "sensitivity_recalled").cases) == 20


def test_that_the_model_at_its_threshold_is_told_without_what_it_did_not_analyse() -> None:
    one = section(measure_agreement(truth_study()), "against_truth", "The model")
    assert counts(one) == [[19, 3, 0], [3, 0, 17]]
    assert figure(one, "sensitivity_decided").value == pytest.approx(17 / 20)
    assert figure(one, "specificity_recalled").value == pytest.approx(19 / 22)


def test_that_differences_are_paired_on_the_cases_of_both() -> None:
    one = section(measure_agreement(truth_study()), "difference", "Ada, final, less the model")
    # the two negatives that the model did not analyse are left out of both
    assert figure(one, "sensitivity_recalled_difference").value == pytest.approx(16 / 20 - 17 / 20)
    assert figure(one, "specificity_recalled_difference").value == pytest.approx(15 / 22 - 19 / 22)
    assert figure(one, "sensitivity_decided_difference").value == pytest.approx(15 / 19 - 16 / 19)
    specificity = figure(one, "specificity_decided_difference")
    assert specificity.value == pytest.approx(15 / 19 - 19 / 19)
    assert specificity.low is not None
    assert specificity.low < specificity.value < specificity.high


def test_that_one_truth_only_gives_no_specificity_and_no_curve() -> None:
    cases = [case(i, [("Ada", "final", P)], model=P, truth=P) for i in range(4)]
    found = measure_agreement(study(cases))
    specificity = figure(section(found, "against_truth", "Ada"), "specificity_decided")
    assert (specificity.value, specificity.cases) == (None, ())
    assert specificity.why == "No such case is known to be negative."
    curves = section(found, "roc")
    assert curves.curves == curves.points == ()
    assert figure(curves, "auc/The model").why == "All cases are known to be the same, so there is no curve."


@given(st.integers(0, 10_000))
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
def test_that_areas_under_curves_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random(40) < 0.5
    truth[:2] = True, False
    positions = np.round(np.clip(0.5 + 0.3 * (truth - 0.5) + rng.normal(0, 0.25, 40), 0, 1), 2)
    levels = np.clip(np.round(3.5 + 2 * (truth - 0.5) + rng.normal(0, 1.5, 40)), 0, 7).astype(int)
    cases = [
        StudyCase(
            i,
            "",
            f"p{i // 2}",
            "Study",
            "blind",
            (
                assessed(
                    i, "Ada", "final", P, "blind", form="mammography", answers={"birads": BIRADS.levels[levels[i]]}
                ),
            ),
            word(P, positions[i]),
            P if truth[i] else N,
        )
        for i in range(40)
    ]
    found = measure_agreement(study(cases), scales=[BIRADS, DENSITY])
    curves = section(found, "roc")
    areas = [roc_auc_score(truth, positions), roc_auc_score(truth, levels)]
    assert figure(curves, "auc/The model").value == pytest.approx(areas[0])
    assert figure(curves, "auc/Ada, final").value == pytest.approx(areas[1])
    assert "BI-RADS" in figure(curves, "auc/Ada, final").title
    assert figure(section(found, "difference"), "auc_difference").value == pytest.approx(areas[1] - areas[0])
    for curve, area in zip(curves.curves, reversed(areas), strict=True):
        x, y = np.array(curve.points).T
        assert np.trapezoid(y, x) == pytest.approx(area)


def graded(number: int, reader: str, birads: str, density: str) -> Assessed:
    answers = {"birads": birads, "density": density}
    return assessed(number, reader, "first", P, form="mammography", answers=answers)


def test_that_ordered_fields_have_weighted_kappas() -> None:
    ada = ["1", "2", "2", "4A", "5", "3", "0", "2"]
    bob = ["1", "1", "3", "4C", "5", "3", "4A", "2"]
    cases = [
        StudyCase(i, "", f"p{i}", "Study", "second_read", (graded(i, "Ada", a, "b"), graded(i, "Bob", b, "c")))
        for i, (a, b) in enumerate(zip(ada, bob, strict=True))
    ]
    one = section(measure_agreement(study(cases), scales=[BIRADS, DENSITY]), "reader_against_reader")
    placed = [(a, b) for a, b in zip(ada, bob, strict=True) if a != "0"]
    first, second = ([BIRADS.levels.index(x) for x in column] for column in zip(*placed, strict=True))
    for weighting in ("linear", "quadratic"):
        expected = cohen_kappa_score(first, second, weights=weighting, labels=list(range(8)))
        found = figure(one, f"kappa_{weighting}_mammography_birads")
        assert found.value == pytest.approx(expected)
        assert found.cases == (0, 1, 2, 3, 4, 5, 7), "BI-RADS 0 has no place in the order"
    assert figure(one, "kappa_linear_mammography_density").value == pytest.approx(0)


def test_that_confidence_is_counted_downwards_for_negative() -> None:
    def sure(value: str, confidence: str | None) -> float | None:
        return suspicion(
            assessed(1, "Ada", "final", value, form="histology", answers={"confidence": confidence}), [SURE]
        )

    assert [sure(N, "5"), sure(N, "1"), sure(C, None), sure(P, "1"), sure(P, "5")] == [-5, -1, 0, 1, 5]
    assert sure(P, None) is None
    assert suspicion(assessed(1, "Ada", "final", P), [SURE]) is None


def test_that_the_forms_say_which_fields_are_ordered() -> None:
    scales = scales_of(find_forms(Settings()).by_name.values())
    assert {(one.form, one.field) for one in scales if one.suspicion} == {("mammography", "birads")}
    assert [one.levels for one in scales if (one.form, one.field) == ("mammography", "birads")] == [BIRADS.levels]
    assert ("histology", "confidence") in {(one.form, one.field) for one in scales}
    assert not [one for one in scales if one.form == "simple" or one.field == "laterality"]


def test_that_time_is_told_by_stage_mode_and_change() -> None:
    cases = [
        StudyCase(
            i,
            "",
            f"p{i}",
            "Study",
            "second_read",
            (
                assessed(i, "Ada", "first", N, seconds=seconds),
                assessed(i, "Ada", "final", final, seconds=seconds / 2),
            ),
        )
        for i, (seconds, final) in enumerate([(10.0, N), (20.0, N), (30.0, N), (40.0, P), (100.0, P)])
    ]
    one = section(measure_agreement(study(cases)), "time_a_case")
    first = figure(one, "time_first_second_read")
    assert (first.low, first.value, first.high, first.words) == (20.0, 30.0, 40.0, "30 s")
    assert figure(one, "time_final_kept").value == 10.0
    assert figure(one, "time_final_changed").value == 35.0
    assert figure(one, "time_final_changed").cases == (3, 4)


def test_that_a_first_assessment_with_the_model_shown_is_told() -> None:
    own = (assessed(1, "Ada", "first", P, unblinded=True), assessed(1, "Ada", "final", P, unblinded=True))
    found = measure_agreement(study([StudyCase(1, "", "p1", "Study", "second_read", own, word(P))]))
    told = "1 first assessment was made after the model's result had been shown."
    saying = [one.title for one in found.sections if told in one.notices]
    assert saying == ["Ada: first against final", "Ada, first, against the model"]


def test_that_hidden_cases_are_in_no_comparison_but_the_readers_own() -> None:
    own = (assessed(1, "Ada", "first", P), assessed(1, "Ada", "final", N))
    hidden = StudyCase(1, "", "p1", "Study", "second_read", own, hidden="The list Study hides the model.")
    shown = case(2, [("Ada", "first", P), ("Ada", "final", P), ("Bob", "final", P)], model=P, truth=P)
    found = measure_agreement(study([hidden, shown]))
    assert figure(section(found, "first_against_final"), "agreement").cases == (1, 2)
    for one in found.sections:
        behind = {i for f in one.figures for i in f.cases} | {
            i for t in one.tables for r in t.cells for c in r for i in c
        }
        assert (1 in behind) == (one.name == "first_against_final"), one.title
    assert "The list Study hides the model." in found.notices


def test_that_a_study_without_anything_says_what_is_missing() -> None:
    found = measure_agreement(study([StudyCase(1, "", None, "Study", "blind")]))
    assert found.sections == ()
    assert found.notices == ("There is no assessment here yet: a case counts once a reader has locked or decided it.",)
    found = measure_agreement(study([case(1, [("Ada", "final", P)])]))
    assert any(notice.startswith("The truth of none of these cases is known") for notice in found.notices)
    with pytest.raises(DataError, match=r"no assessment of Eve here that may be told; there are some of Ada\."):
        measure_agreement(study([case(1, [("Ada", "final", P)])]), ["Eve"])


def test_that_it_can_be_cancelled() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        measure_agreement(truth_study(), cancel=cancel)


def test_that_figures_of_a_store_are_those_of_its_rows(path: Path) -> None:
    """Nothing between the tables and the page changes a count."""
    database = Database(path)
    maker = StudyMaker(database)
    home = maker.worklist("Study")
    for index in range(12):
        case_id = maker.case(home, f"p{index // 2}", (P, N, "not_sure")[index % 3], (P, N)[index % 2])
        maker.read(case_id, "Ada", (P, N)[index // 6], (P, N)[index % 2])
    found = measure_agreement(Studies(database).records("Ada", [home]))
    database.close()
    assert counts(section(found, "first_against_final")) == [[3, 0, 3], [0, 0, 0], [3, 0, 3]]
    assert figure(section(found, "changes"), "mended").value == pytest.approx(0.5)
    assert counts(section(found, "reader_against_model", "final")) == [[2, 2, 2, 0], [0, 0, 0, 0], [2, 2, 2, 0]]
    assert found.as_json()["n_patients"] == 6
