"""What the store knows that a model can learn: answers on tiles, decisions on images, outlines that were drawn.

Read through the reading protocol, so that nothing hidden from a reader is learnt from by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from pathview.results.annotation import Mark
from pathview.review.records.answered import LabelledImage
from pathview.review.records.case import CaseDetail, ImageRow
from pathview.review.sql.tables import CaseTable

if TYPE_CHECKING:
    from pathview.review.protocol import ReadingProtocol
    from pathview.review.store import Store
    from pathview.training.runs.plan import Plan, Source


@dataclass(frozen=True)
class DecidedImage:
    """An image, and what its case was decided to be."""

    image: ImageRow
    patient_key: str | None
    positive: bool


@dataclass(frozen=True)
class MarkedImage:
    """An image, and what was drawn on it; nothing where its case was decided negative."""

    image: ImageRow
    patient_key: str | None
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class StoreLabels:
    """What one source of the store gives; it can be sent to a child."""

    answers: tuple[LabelledImage, ...] = ()
    decisions: tuple[DecidedImage, ...] = ()
    annotations: tuple[MarkedImage, ...] = ()
    notices: tuple[str, ...] = ()


def labels_by_source(plan: Plan, store: Store, protocol: ReadingProtocol) -> dict[int, StoreLabels]:
    """What the store gives for each of a plan's sources that is of the store, by the source's index.

    Raises:
        ReadingError, StoreError: as of :func:`labels_of`.
    """
    of_store = ((index, source) for index, source in enumerate(plan.sources) if source.kind != "files")
    return {index: labels_of(source, store, protocol) for index, source in of_store}


def labels_of(source: Source, store: Store, protocol: ReadingProtocol) -> StoreLabels:
    """Read one source of the store.

    Args:
        source: of the kind ``answers``, ``decisions`` or ``annotations``.
        store: where it is.
        protocol: the reader's, who sees what is not hidden from them.

    Raises:
        ReadingError: a case that is named is hidden.
        StoreError: a case that is named does not exist.
    """
    if source.kind == "answers":
        answers, hidden = protocol.labelled(source.case_ids)
        told = (f"{hidden:,} images with answers were left out: what the model said of them is hidden from you.",)
        return StoreLabels(answers=answers, notices=told if hidden else ())
    cases = [protocol.case(case_id) for case_id in source.case_ids or _all(store)]
    if source.kind == "decisions":
        return _decided(cases)
    return _annotated(cases, protocol, source.mark_labels)


def _all(store: Store) -> list[int]:
    with store.database.reading() as session:
        return list(session.scalars(select(CaseTable.id).order_by(CaseTable.id)))


def _decided(cases: Sequence[CaseDetail]) -> StoreLabels:
    """Labels of images; a positive decision on several images does not say which of them shows it."""
    found: list[DecidedImage] = []
    several = disagree = 0
    for case in cases:
        values = _values(case)
        if len(values) > 1:
            disagree += 1
        elif values == {"positive"} and len(case.images) > 1:
            several += 1
        elif values:
            found += [DecidedImage(image, case.patient_key, values == {"positive"}) for image in case.images]
    notices = []
    if several:
        notices.append(
            f"{several} positive cases of several images were left out: a decision does not say which image shows it; "
            "annotations do."
        )
    if disagree:
        notices.append(f"{disagree} cases that readers decided differently were left out.")
    return StoreLabels(decisions=tuple(found), notices=tuple(notices))


def _values(case: CaseDetail) -> set[str]:
    """The arbitration's word, else the last one of each reader: positive or negative."""
    arbitrated = [decision for decision in case.decisions if decision.stage == "arbitration"]
    said = arbitrated or [decision for decision in case.decisions if decision.stage == "final"]
    last = {decision.reader: decision.value for decision in said}
    return {value for value in last.values() if value in ("positive", "negative")}


def _annotated(cases: Sequence[CaseDetail], protocol: ReadingProtocol, labels: Sequence[str]) -> StoreLabels:
    return StoreLabels(annotations=tuple(one for case in cases for one in _marked(case, protocol, labels)))


def _marked(case: CaseDetail, protocol: ReadingProtocol, labels: Sequence[str]) -> Iterator[MarkedImage]:
    found = protocol.marks(case.case.id)
    negative = _values(case) == {"negative"}
    for image in case.images:
        marks = [stored.mark for stored in found.get(image.id, ()) if stored.mark.is_region]
        wanted = tuple(mark for mark in marks if mark.frame == 0 and (not labels or mark.label in labels))
        if wanted or negative:
            yield MarkedImage(image, case.patient_key, wanted)
