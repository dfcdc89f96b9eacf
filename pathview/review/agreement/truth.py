"""The comparisons of an agreement page with what turned out to be true."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pathview.results.statistics import Float, Indices, mcnemar_p, quotient, roc_points
from pathview.review.agreement.figures import (
    Axis,
    Crossed,
    Curve,
    Figure,
    OfTables,
    OperatingPoint,
    Section,
    area_figure,
)
from pathview.review.agreement.scales import Scale, suspicion
from pathview.review.agreement.sections import (
    CALLS,
    MODEL_CALLS,
    NO_CASE,
    NOT_ANALYSED,
    READER_CODES,
    Readings,
    model_axis,
    reader_axis,
)
from pathview.review.cases.study_records import StudyCase
from pathview.review.records.modes import Stage

MODEL = "The model"
TRUTHS = ("negative", "positive")
EFFECTS = ("kept right", "kept wrong", "mended", "spoiled", "can't tell before or after")
_CANT_TELL = 4
_CURVE_POINTS = 500
_NO_CHANGE = "No decision went from right to wrong or back."
_NO_TRUTH = "No such case is known to be {}."
RECALLED = "Recalled: not sure and can't tell count as called back, as a reader or a clinic would look again."
DECIDED = "Decided: cases at not sure or can't tell are left out; neither is ever counted as negative."


@dataclass(frozen=True)
class Rater:
    """A reader at a stage, or the model, on the cases whose truth is known."""

    name: str
    codes: Mapping[int, int]
    """By case: negative 0, undecided 1, positive 2."""
    ratings: Mapping[int, float]
    """By case: suspicion, for a ROC curve; cases without one are not in it."""
    scale: str = ""
    """What the ratings are."""


def changes(readings: Readings, reader: str) -> Section | None:
    """What became of a reader's first assessments of cases whose truth is known; None: there is none."""
    first, final = readings.of(reader, "first"), readings.of(reader, "final")
    cases = [case for case in _known(readings.seen(first)) if case.id in final]
    if not cases:
        return None
    title = f"{reader}: changes for the better and the worse"
    truth = truth_axis(cases)
    axes = reader_axis("first", first, cases), reader_axis("final", final, cases)
    effect = _effects(truth.codes, axes[0].codes, axes[1].codes)
    model = model_axis([final[case.id].model for case in cases], "what the model had said by then")
    table = Crossed(cases, Axis("what became of it", EFFECTS, effect), model).cross_table("changes", title)
    decided = Crossed(cases, Axis("", EFFECTS, effect))
    counted = effect != _CANT_TELL
    figures = (
        decided.figure("mended", "Changed for the better", _share_of(2), "share", NO_CASE, counted, effect == 2),
        decided.figure("spoiled", "Changed for the worse", _share_of(3), "share", NO_CASE, counted, effect == 3),
        decided.figure("net_change", "Better less worse", _net, "share", NO_CASE, counted),
        _mcnemar(decided, effect),
    )
    notice = f"Shares of the {int(counted.sum()):,} cases that were decided both times; the others are in the last row."
    return Section("changes", title, figures, (table,), notices=(notice,))


def _effects(truth: Indices, first: Indices, final: Indices) -> Indices:
    """An index of :data:`EFFECTS` for each case."""
    right, still = first == 2 * truth, final == 2 * truth
    effect = np.select([right & still, ~right & ~still, ~right & still], [0, 1, 2], 3)
    return np.asarray(np.where((first == 1) | (final == 1), _CANT_TELL, effect), np.intp)


def _share_of(effect: int) -> OfTables:
    return lambda tables: quotient(tables[..., effect], tables[..., :_CANT_TELL].sum(axis=-1))


def _net(tables: Float) -> Float:
    return quotient(tables[..., 2] - tables[..., 3], tables[..., :_CANT_TELL].sum(axis=-1))


def _mcnemar(crossed: Crossed, effect: Indices) -> Figure:
    """The exact test of as many for the better as for the worse."""
    title = "McNemar's exact p"
    changed = (effect == 2) | (effect == 3)
    better, both = int((effect == 2).sum()), int(changed.sum())
    if not both:
        return Figure("mcnemar_p", title, None, None, None, (), "p", _NO_CHANGE)
    p = mcnemar_p(better, both - better)
    alike = len(np.unique(crossed.patients)) < len(crossed.ids)
    why = "Several cases are of one patient, which the test takes for independent." if alike else ""
    return Figure("mcnemar_p", title, p, None, None, crossed.cases(changed), "p", why)


def truth_axis(cases: Sequence[StudyCase]) -> Axis:
    """What cases turned out to be."""
    return Axis("truth", TRUTHS, np.array([int(case.truth == "positive") for case in cases], np.intp))


def _known(cases: Sequence[StudyCase]) -> list[StudyCase]:
    return [case for case in cases if case.truth in TRUTHS]


def reader_rater(readings: Readings, reader: str, stage: Stage, scales: Sequence[Scale]) -> Rater | None:
    """A reader at a stage, with ratings where all cases were read by one form; None: no truth is known."""
    found = readings.of(reader, stage)
    cases = _known(readings.seen(found))
    if not cases:
        return None
    forms = {found[case.id].form for case in cases}
    rated = {case.id: suspicion(found[case.id], scales) for case in cases} if len(forms) == 1 else {}
    ratings = {case_id: float(value) for case_id, value in rated.items() if value is not None}
    codes = {case.id: READER_CODES[found[case.id].value] for case in cases}
    own = [scale for scale in scales if {scale.form} == forms]
    scale = next((scale.title for scale in own if scale.suspicion), "confidence")
    return Rater(f"{reader}, {stage}", codes, ratings, scale if ratings else "")


def model_rater(readings: Readings) -> Rater | None:
    """The model at its thresholds; None: it saw no case whose truth is known."""
    cases = _known([case for case in readings.cases.values() if not case.hidden])
    words = [(case.id, case.model) for case in cases if case.model is not None and case.model.label != "not_analysed"]
    if not words:
        return None
    codes = {case_id: int(model_axis([word]).codes[0]) for case_id, word in words}
    ratings = {case_id: word.position for case_id, word in words if word.position is not None}
    return Rater(MODEL, codes, ratings, "score")


def against_truth(readings: Readings, rater: Rater) -> Section:
    """Sensitivity and specificity of a rater."""
    cases = [readings.cases[case_id] for case_id in rater.codes]
    crossed = Crossed(cases, truth_axis(cases), _axis(rater, cases))
    title = (
        f"{rater.name}, against the truth".capitalize() if rater.name == MODEL else f"{rater.name}, against the truth"
    )
    truth, said = crossed.codes
    figures = []
    for name, of in _SHARES.items():
        side = name.startswith("sensitivity")
        among = (truth == side) & ((said != 1) | name.endswith("recalled"))
        undefined = _NO_TRUTH.format("positive" if side else "negative")
        right = (said > 0 if name.endswith("recalled") else said == 2) if side else said == 0
        figures.append(crossed.figure(name, _TITLES[name], of, "share", undefined, among, right))
    middle = int((said == 1).sum())
    notices = (DECIDED, RECALLED) if middle else ()
    return Section("against_truth", title, tuple(figures), (crossed.cross_table("truth", title),), notices=notices)


def difference(readings: Readings, one: Rater, other: Rater, pause: Callable[[], None]) -> Section | None:
    """The first rater less the second on the cases of both; None: there is none."""
    cases = [readings.cases[case_id] for case_id in one.codes if case_id in other.codes]
    if not cases:
        return None
    crossed = Crossed(cases, truth_axis(cases), _axis(one, cases), _axis(other, cases))
    truth, first, second = crossed.codes
    figures = []
    for name, of in _SHARES.items():
        side = name.startswith("sensitivity")
        among = (truth == side) & (((first != 1) & (second != 1)) | name.endswith("recalled"))
        undefined = _NO_TRUTH.format("positive" if side else "negative")
        less = _less(of, name.endswith("recalled"))
        figures.append(crossed.figure(f"{name}_difference", _TITLES[name], less, "share", undefined, among))
    rated = [case for case in cases if case.id in one.ratings and case.id in other.ratings]
    if rated:
        ratings = [np.array([rater.ratings[case.id] for case in rated]) for rater in (one, other)]
        figures.append(area_figure("auc_difference", "Area under the ROC curve", rated, ratings, pause))
    title = f"{one.name}, less {other.name.lower() if other.name == MODEL else other.name}: paired differences"
    return Section("difference", title, tuple(figures), notices=(DECIDED, RECALLED))


def roc(readings: Readings, raters: Sequence[Rater], pause: Callable[[], None]) -> Section | None:
    """The curves of all raters that have a scale, and where each stands at its own threshold; None: there is none."""
    figures: list[Figure] = []
    curves: list[Curve] = []
    points: list[OperatingPoint] = []
    for rater in raters:
        cases = [readings.cases[case_id] for case_id in rater.codes]
        table = Crossed(cases, truth_axis(cases), _axis(rater, cases)).table
        sensitivity, specificity = (
            float(_SHARES[f"{name}_recalled"](table)) for name in ("sensitivity", "specificity")
        )
        if not np.isnan(sensitivity + specificity):
            points.append(OperatingPoint(rater.name, 1 - specificity, sensitivity))
        rated = [case for case in cases if case.id in rater.ratings]
        if rated:
            ratings = np.array([rater.ratings[case.id] for case in rated])
            title = f"Area under the curve: {rater.name} ({rater.scale})"
            figures.append(area_figure(f"auc/{rater.name}", title, rated, [ratings], pause))
            curves += _curve(rater.name, rated, ratings)
    if not figures and not points:
        return None
    notices = ["Points: not sure and can't tell count as called back."] if points else []
    words = {case.model.recipe + case.model.weights_sha256 for case in readings.cases.values() if case.model}
    if len(words) > 1:
        notices.append(
            f"The results are of {len(words)} models; their scores are compared by their place between each's limits."
        )
    return Section("roc", "ROC curves", tuple(figures), (), tuple(curves), tuple(points), tuple(notices))


def _curve(title: str, cases: Sequence[StudyCase], ratings: Float) -> list[Curve]:
    positive = truth_axis(cases).codes == 1
    if positive.all() or not positive.any():
        return []
    points = roc_points(positive, ratings)
    kept = np.unique(np.linspace(0, len(points) - 1, _CURVE_POINTS).round().astype(np.intp))
    return [Curve(title, tuple((x, y) for x, y in points[kept].tolist()))]


def _axis(rater: Rater, cases: Sequence[StudyCase]) -> Axis:
    names = MODEL_CALLS[:NOT_ANALYSED] if rater.name == MODEL else CALLS
    return Axis(rater.name, names, np.array([rater.codes[case.id] for case in cases], np.intp))


_SHARES: Mapping[str, OfTables] = {
    "sensitivity_decided": lambda t: quotient(t[..., 1, 2], t[..., 1, 0] + t[..., 1, 2]),
    "specificity_decided": lambda t: quotient(t[..., 0, 0], t[..., 0, 0] + t[..., 0, 2]),
    "sensitivity_recalled": lambda t: quotient(t[..., 1, 1] + t[..., 1, 2], t[..., 1, :].sum(axis=-1)),
    "specificity_recalled": lambda t: quotient(t[..., 0, 0], t[..., 0, :].sum(axis=-1)),
}
"""Of tables [..., truth, rater]."""
_TITLES = {
    "sensitivity_decided": "Sensitivity, decided",
    "specificity_decided": "Specificity, decided",
    "sensitivity_recalled": "Sensitivity, recalled",
    "specificity_recalled": "Specificity, recalled",
}


def _less(of: OfTables, undecided: bool) -> OfTables:
    """The first rater's share less the second's, of tables [..., truth, first, second]."""

    def less(tables: Float) -> Float:
        both = tables
        if not undecided:
            both = np.zeros_like(tables)
            both[..., ::2, ::2] = tables[..., ::2, ::2]
        return of(both.sum(axis=-1)) - of(both.sum(axis=-2))

    return less
