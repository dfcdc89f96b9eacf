"""The comparisons of an agreement page that need no truth, a section each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pathview.results import statistics
from pathview.results.statistics import Float, Weighting
from pathview.review.agreement.figures import Axis, Crossed, Figure, Mask, OfTables, Section
from pathview.review.agreement.scales import Scale
from pathview.review.cases.study_records import Assessed, ModelWord, StudyCase, StudyRecords
from pathview.review.records.modes import MODE_NAMES, Stage

CALLS = ("negative", "can't tell", "positive")
"""What a reader says, in the order of suspicion."""
MODEL_CALLS = ("negative", "not sure", "positive", "not analysed")
READER_CODES = {"negative": 0, "cant_tell": 1, "positive": 2}
MODEL_CODES = {"negative": 0, "not_sure": 1, "positive": 2, "not_analysed": 3}
NOT_ANALYSED = MODEL_CODES["not_analysed"]
NO_CASE = "There is no such case."
_NO_KAPPA = "Kappa is not defined: there is no case, or both used one and the same value only."


class Readings:
    """Records of a study by reader and stage."""

    def __init__(self, records: StudyRecords) -> None:
        """Sort them."""
        self.cases: Mapping[int, StudyCase] = {case.id: case for case in records.cases}
        self._found: dict[tuple[str, Stage], dict[int, Assessed]] = {}
        for case in records.cases:
            for one in case.assessed:
                self._found.setdefault((one.reader, one.stage), {})[case.id] = one

    def of(self, reader: str, stage: Stage) -> Mapping[int, Assessed]:
        """A reader's assessments at a stage, by case."""
        return self._found.get((reader, stage), {})

    def seen(self, found: Mapping[int, Assessed]) -> list[StudyCase]:
        """Those cases of some assessments of which model, truth and others may be told."""
        return [self.cases[case_id] for case_id in found if not self.cases[case_id].hidden]


def reader_axis(title: str, found: Mapping[int, Assessed], cases: Sequence[StudyCase]) -> Axis:
    """What a reader said of cases."""
    return Axis(title, CALLS, np.array([READER_CODES[found[case.id].value] for case in cases], np.intp))


def model_axis(words: Sequence[ModelWord | None], title: str = "the model") -> Axis:
    """What the model said of cases; nothing is "not analysed"."""
    codes = [MODEL_CODES[word.label] if word is not None else NOT_ANALYSED for word in words]
    return Axis(title, MODEL_CALLS, np.array(codes, np.intp))


def first_final(readings: Readings, reader: str, scales: Sequence[Scale]) -> Section | None:
    """A reader's first against their final assessments; None: no case has both."""
    first, final = readings.of(reader, "first"), readings.of(reader, "final")
    cases = [readings.cases[case_id] for case_id in first if case_id in final]
    if not cases:
        return None
    crossed = Crossed(cases, reader_axis("first", first, cases), reader_axis("final", final, cases))
    title = f"{reader}: first against final"
    figures = (
        *_agreements(crossed),
        crossed.figure("changed", "Changed after the first", _disagreement, "share", NO_CASE, None, ~_alike(crossed)),
        *_on_scales(cases, first, final, scales),
    )
    notices = (_unblinded_told(first[case.id] for case in cases),)
    return Section(
        "first_against_final", title, figures, (crossed.cross_table("first_final", title),), notices=_told(notices)
    )


def with_model(readings: Readings, reader: str, stage: Stage) -> Section | None:
    """A reader at a stage against the model's newest result; None: there is no case of which it may be told."""
    found = readings.of(reader, stage)
    cases = readings.seen(found)
    if not cases:
        return None
    title = f"{reader}, {stage}, against the model"
    words = [case.model for case in cases]
    table = Crossed(cases, reader_axis(reader, found, cases), model_axis(words)).cross_table("reader_model", title)
    ran = [case for case in cases if case.model is not None and case.model.label != "not_analysed"]
    notices = [_modes_told(found[case.id] for case in cases), _unblinded_told(found[case.id] for case in cases)]
    if len(ran) < len(cases):
        notices.append(
            f"{_cases(len(cases) - len(ran))} not analysed: left out of the figures, and never counted as negative."
        )
    anew = sum(one.model not in (None, case.model) for case in cases for one in [found[case.id]])
    if anew:
        notices.append(f"{_cases(anew)} analysed anew after the assessment; the newest result is compared.")
    figures: tuple[Figure, ...] = ()
    if ran:
        model = model_axis([case.model for case in ran])
        crossed = Crossed(ran, reader_axis(reader, found, ran), Axis(model.title, MODEL_CALLS[:3], model.codes))
        figures = _agreements(crossed)
        notices.append(_undecided_told(crossed, reader, "the model"))
    return Section("reader_against_model", title, figures, (table,), notices=_told(notices))


def between(readings: Readings, one: str, other: str, stage: Stage, scales: Sequence[Scale]) -> Section | None:
    """Two readers at a stage, on the cases that neither read knowing the other's decision; None: there is none."""
    first, second = readings.of(one, stage), readings.of(other, stage)
    common = [case for case in readings.seen(first) if case.id in second]
    cases = [case for case in common if not (first[case.id].others_shown or second[case.id].others_shown)]
    if not common:
        return None
    title = f"{one} against {other}: {stage} against {stage}"
    left_out = (
        f"{_cases(len(common) - len(cases))} left out: one of the two may have known the other's decision (an assisted "
        "read, or a decision that was made again)."
        if len(cases) < len(common)
        else ""
    )
    if not cases:
        return Section("reader_against_reader", title, notices=(left_out,))
    crossed = Crossed(cases, reader_axis(one, first, cases), reader_axis(other, second, cases))
    notices = (left_out, _modes_told(first[case.id] for case in cases), _undecided_told(crossed, one, other))
    figures = (*_agreements(crossed), *_on_scales(cases, first, second, scales))
    table = crossed.cross_table("readers", title)
    return Section("reader_against_reader", title, figures, (table,), notices=_told(notices))


def times(readings: Readings, reader: str) -> Section | None:
    """Time a case by stage and mode, and of final ones by whether the first was changed; None: no time is known."""
    first = readings.of(reader, "first")
    groups: dict[tuple[str, str], list[Assessed]] = {}
    for stage in ("first", "final", "arbitration"):
        for case_id, one in readings.of(reader, stage).items():
            if one.seconds is None:
                continue
            groups.setdefault((f"time_{stage}_{one.mode}", f"{stage.capitalize()}, {MODE_NAMES[one.mode]}"), []).append(
                one
            )
            if stage == "final" and case_id in first:
                kept = "kept" if first[case_id].value == one.value else "changed"
                groups.setdefault((f"time_final_{kept}", f"Final, first one {kept}"), []).append(one)
    if not groups:
        return None
    figures = tuple(_time(*words, found) for words, found in groups.items())
    return Section("time_a_case", f"{reader}: time a case", figures, notices=("Median, and the quartiles beside it.",))


def _time(name: str, title: str, found: Sequence[Assessed]) -> Figure:
    low, median, high = np.percentile([one.seconds or 0.0 for one in found], (25, 50, 75)).tolist()
    return Figure(name, title, median, low, high, tuple(one.case_id for one in found), "seconds")


def _agreements(crossed: Crossed) -> tuple[Figure, ...]:
    """Agreement and kappa over the three values, and over the cases that both decided."""
    decided = (crossed.codes[0] != 1) & (crossed.codes[1] != 1)
    alike = _alike(crossed)

    def both(of: OfTables) -> OfTables:
        return lambda tables: of(tables[..., ::2, ::2])

    return (
        crossed.figure("agreement", "Agreement, three values", _agreement, "share", NO_CASE, None, alike),
        crossed.figure("kappa", "Kappa, three values", statistics.kappa, "index", _NO_KAPPA),
        crossed.figure(
            "agreement_decided", "Agreement, both decided", both(_agreement), "share", NO_CASE, decided, alike
        ),
        crossed.figure("kappa_decided", "Kappa, both decided", both(statistics.kappa), "index", _NO_KAPPA, decided),
    )


def _agreement(tables: Float) -> Float:
    return statistics.quotient(np.trace(tables, axis1=-2, axis2=-1), tables.sum(axis=(-2, -1)))


def _disagreement(tables: Float) -> Float:
    return 1 - _agreement(tables)


def _alike(crossed: Crossed) -> Mask:
    return np.asarray(crossed.codes[0] == crossed.codes[1], np.bool_)


def _on_scales(
    cases: Sequence[StudyCase],
    first: Mapping[int, Assessed],
    second: Mapping[int, Assessed],
    scales: Sequence[Scale],
) -> list[Figure]:
    """Weighted kappa for each ordered field of a form that both assessments of a case were made by."""
    figures: list[Figure] = []
    for scale in scales:
        levels = [(case, scale.level(first[case.id]), scale.level(second[case.id])) for case in cases]
        known = [(case, one, other) for case, one, other in levels if one is not None and other is not None]
        if not known:
            continue
        axes = [Axis("", scale.levels, np.array([row[i] for row in known], np.intp)) for i in (1, 2)]
        crossed = Crossed([case for case, *_ in known], *axes)
        figures += [_weighted(crossed, scale, "linear"), _weighted(crossed, scale, "quadratic")]
    return figures


def _weighted(crossed: Crossed, scale: Scale, weighting: Weighting) -> Figure:
    name = f"kappa_{weighting}_{scale.form}_{scale.field}"
    title = f"{scale.title} ({scale.form}), {weighting} kappa"
    return crossed.figure(name, title, lambda t: statistics.kappa(t, weighting), "index", _NO_KAPPA)


def _cases(count: int) -> str:
    """``1 case was``, ``12 cases were``."""
    return "1 case was" if count == 1 else f"{count:,} cases were"


def _told(notices: Iterable[str]) -> tuple[str, ...]:
    return tuple(filter(None, notices))


def _unblinded_told(found: Iterable[Assessed]) -> str:
    """That some first assessments were none without the model."""
    count = sum(one.unblinded and one.stage == "first" for one in found)
    what = "first assessment was" if count == 1 else "first assessments were"
    return f"{count:,} {what} made after the model's result had been shown." if count else ""


def _modes_told(found: Iterable[Assessed]) -> str:
    """In which modes assessments were made."""
    counts = Counter(MODE_NAMES[one.mode] for one in found)
    return "Read as: " + ", ".join(f"{mode} {count:,}" for mode, count in sorted(counts.items())) + "."


def _undecided_told(crossed: Crossed, one: str, other: str) -> str:
    """How many cases the figures of decided ones leave out."""
    first, second = ((codes == 1).sum() for codes in crossed.codes)
    if not first and not second:
        return ""
    return (
        f"Left at {crossed.axes[0].names[1]} by {one}: {first:,}; at {crossed.axes[1].names[1]} by {other}: "
        f"{second:,}. They count among the three values, and never as negative."
    )
