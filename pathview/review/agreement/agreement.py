"""Agreement of readers with themselves, with the model, with each other and with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import combinations
from typing import Any

from pathview import __version__
from pathview.errors import DataError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, never, no_progress
from pathview.review.agreement.figures import INTERVALS, Section
from pathview.review.agreement.scales import Scale
from pathview.review.agreement.sections import Readings, between, first_final, times, with_model
from pathview.review.agreement.truth import (
    Rater,
    against_truth,
    changes,
    difference,
    model_rater,
    reader_rater,
    roc,
)
from pathview.review.cases.study_records import RULE, StudyCase, StudyRecords
from pathview.review.records.modes import STAGES, Stage
from pathview.settings import INVESTIGATIONAL

FEW = 5
"""Patients below which a study says little."""
NOTHING = "There is no assessment here yet: a case counts once a reader has locked or decided it."
NO_TRUTH = "The truth of none of these cases is known, so there is no sensitivity, no ROC curve and no better or worse."

Step = Callable[[], Section | None]


@dataclass(frozen=True)
class Agreement:
    """All figures of some readers on some worklists."""

    records: StudyRecords
    """What they were made of: the cases of the lists, with the assessments of the readers that were asked for."""
    readers: tuple[str, ...]
    sections: tuple[Section, ...]
    notices: tuple[str, ...]
    """What must be known beside all of them, a sentence each."""

    @property
    def cases(self) -> tuple[StudyCase, ...]:
        """Those that any of the readers assessed."""
        return tuple(case for case in self.records.cases if case.assessed)

    @property
    def dates(self) -> tuple[datetime, datetime] | None:
        """The first and the last assessment; None without any."""
        found = [one.created for case in self.records.cases for one in case.assessed]
        return (min(found), max(found)) if found else None

    def as_json(self) -> dict[str, Any]:
        """The object that ``pathview agreement`` prints."""
        dates = self.dates
        listed = Counter(case.worklist for case in self.records.cases)
        return {
            "notice": INVESTIGATIONAL,
            "app_version": __version__,
            "asked_by": self.records.asker,
            "worklists": [
                {
                    "name": one.name,
                    "mode": one.mode,
                    "form": one.form,
                    "closed": one.closed,
                    "n_listed": listed[one.name],
                }
                for one in self.records.worklists
                if listed[one.name]
            ],
            "readers": self.readers,
            "from": dates[0].isoformat() if dates else None,
            "to": dates[1].isoformat() if dates else None,
            "n_listed": len(self.records.cases),
            "n_cases": len(self.cases),
            "n_patients": len({case.patient for case in self.cases}),
            "n_truth": sum(case.truth is not None for case in self.cases),
            "intervals": INTERVALS,
            "blinding": RULE,
            "audit_head": dict(self.records.audit_head),
            "notices": self.notices,
            "sections": [section.as_json() for section in self.sections],
        }


def measure_agreement(
    records: StudyRecords,
    readers: Sequence[str] = (),
    scales: Sequence[Scale] = (),
    progress: ProgressSink = no_progress,
    cancel: CancelToken | None = None,
) -> Agreement:
    """Every comparison that the records allow.

    Args:
        records: of the store.
        readers: whom to compare; none: everybody who assessed any of the cases.
        scales: the ordered fields of the forms.
        progress: told about each comparison.
        cancel: asked between them.

    Raises:
        DataError: there is no assessment of a reader that may be told.
        Cancelled: the user cancelled.
    """
    token = cancel or never()
    chosen = tuple(dict.fromkeys(readers)) or records.readers
    strange = [reader for reader in chosen if reader not in records.readers]
    if strange:
        raise DataError(_strange(strange[0], records))
    records = records.only(chosen)
    steps = list(_steps(Readings(records), chosen, scales, lambda: checkpoint(token)))
    sections = []
    for index, step in enumerate(steps):
        checkpoint(token)
        progress(Progress(index, len(steps), "comparing"))
        section = step()
        if section is not None:
            sections.append(section)
    return Agreement(records, chosen, tuple(sections), tuple(_notices(records)))


def _strange(reader: str, records: StudyRecords) -> str:
    told = f"There is no assessment of {reader} here that may be told"
    known = f"; there are some of {', '.join(records.readers)}." if records.readers else "."
    return " ".join([f"{told}{known}", *records.hidden])


def _steps(
    readings: Readings, readers: Sequence[str], scales: Sequence[Scale], pause: Callable[[], None]
) -> Iterator[Step]:
    """What is compared, in the order of the page."""
    for reader in readers:
        yield partial(first_final, readings, reader, scales)
        yield partial(changes, readings, reader)
    for reader in readers:
        yield from (partial(with_model, readings, reader, stage) for stage in STAGES)
    for one, other in combinations(readers, 2):
        yield from (partial(between, readings, one, other, stage, scales) for stage in ("first", "final"))
    raters = {(reader, stage): reader_rater(readings, reader, stage, scales) for reader in readers for stage in STAGES}
    model = model_rater(readings)
    known = [rater for rater in (*raters.values(), model) if rater is not None]
    yield from (partial(against_truth, readings, rater) for rater in known)
    for rater, less in _compared(readers, raters, model):
        yield partial(difference, readings, rater, less, pause)
    yield partial(roc, readings, known, pause)
    yield from (partial(times, readings, reader) for reader in readers)


def _compared(
    readers: Sequence[str], raters: Mapping[tuple[str, Stage], Rater | None], model: Rater | None
) -> Iterator[tuple[Rater, Rater]]:
    """The pairs whose difference is told: each reader's final against their first, and both against the model."""
    for reader in readers:
        first, final = raters[reader, "first"], raters[reader, "final"]
        pairs = ((final, first), (first, model), (final, model))
        yield from ((one, other) for one, other in pairs if one is not None and other is not None)


def _notices(records: StudyRecords) -> Iterator[str]:
    yield from records.hidden
    cases = [case for case in records.cases if case.assessed]
    if not cases:
        yield NOTHING
        return
    unnamed = sum(case.patient_key is None for case in cases)
    if unnamed:
        yield (
            f"Of {unnamed:,} cases no patient is known: each counts as a patient of its own, so intervals may be too "
            "narrow."
        )
    patients = len({case.patient for case in cases})
    if patients < FEW:
        yield f"Only {patients} patient{'s' if patients != 1 else ''}: too few to say much."
    told = [case for case in cases if not case.hidden]
    if told and not any(case.truth for case in told):
        yield NO_TRUTH
    elif unknown := sum(case.truth is None for case in told):
        yield f"The truth of {unknown:,} of {len(told):,} cases is not known; they are not among figures of truth."
