"""The reading protocol: the one way in which a reader gets to see cases and says what they think of them.

Whatever it gives is under the veil (:mod:`pathview.review.reading.veil`): where the mode of a case's list hides the
model from this reader, nothing of the model is in the records. That holds on the command line and after coming back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import FormError, ReadingError, StoreError
from pathview.results.result import Outcome, ScoreMap
from pathview.review.cases import deciding, rows
from pathview.review.cases.deciding import begun, reading_of
from pathview.review.cases.marks import StoredMark
from pathview.review.cases.replay import Replay, replayed
from pathview.review.cases.rows import PROBABILITY
from pathview.review.reading import drafts, veil
from pathview.review.reading.listed import is_called
from pathview.review.reading.reading import Assessment, OpenedReading, Reading, reading_row, sight_for, stage_for
from pathview.review.reading.worklist import Worklist, worklist_row
from pathview.review.records.answered import Answer, LabelledImage
from pathview.review.records.case import CaseDetail, CaseRow, DecisionRow, ImageRow
from pathview.review.records.forms import SIMPLE, Form, Forms, find_forms
from pathview.review.records.modes import Sight
from pathview.review.sql import audit
from pathview.review.sql.reading_tables import ReadingTable, WorklistTable
from pathview.review.sql.tables import CaseTable, DecisionTable, ImageTable, ResultTable
from pathview.review.store import Store, existing_case
from pathview.settings import Settings

_AT_ONCE = 1000
"""Ids in one query; databases have a limit."""


class ReadingProtocol:
    """One reader at one store."""

    def __init__(self, store: Store, reader: str, settings: Settings) -> None:
        """``settings`` say where the forms lie."""
        self._store = store
        self._db = store.database
        self._settings = settings
        self.reader = reader

    @property
    def forms(self) -> Forms:
        """The assessment forms of this installation."""
        return find_forms(self._settings)

    # what may be seen

    def sight(self, case_id: int) -> Sight:
        """What this reader may see of a case.

        Raises:
            StoreError: there is no such case.
        """
        with self._looking(case_id) as (_, _, _, sight):
            return sight

    def require_model(self, case_id: int) -> Sight:
        """What this reader may see of a case, the model's result with it.

        Raises:
            ReadingError: it is hidden.
            StoreError: there is no such case.
        """
        sight = self.sight(case_id)
        if not sight.model:
            raise ReadingError(sight.hidden)
        return sight

    def case(self, case_id: int, beside: int | None = None) -> CaseDetail:
        """A case as this reader may see it.

        Args:
            case_id: of the case.
            beside: the case that it hangs beside as an earlier study: what is hidden there is hidden here too.

        Raises:
            StoreError: there is no such case.
        """
        other = self.sight(beside) if beside is not None and beside != case_id else None
        with self._looking(case_id) as (_, case, reading, sight):
            return self._veiled(case, reading, veil.together(sight, other) if other is not None else sight)

    def pictures(self, case_id: int) -> tuple[ImageRow, ...]:
        """The images of a case in their order, with nothing of what a model or a reader says of them.

        What can be read of them before the case is opened; none where there is no such case.
        """
        columns = ImageTable.id, ImageTable.path, ImageTable.info, ImageTable.mpp_um, ImageTable.fingerprint
        own = select(*columns).where(ImageTable.case_id == case_id).order_by(ImageTable.place)
        with self._db.reading() as session:
            return tuple(
                ImageRow(row.id, case_id, Path(row.path), row.info, row.mpp_um, None, row.fingerprint)
                for row in session.execute(own)
            )

    def priors(self, case_id: int) -> tuple[CaseRow, ...]:
        """Earlier studies of the same woman, see :meth:`Store.priors`, under this case's veil and their own."""
        return tuple(self.rows(self._store.priors(case_id), self.sight(case_id)))

    def rows(self, found: Sequence[CaseRow], beside: Sight | None = None) -> list[CaseRow]:
        """Lines of a list, as the store has them, as this reader may see them."""
        with self._db.reading() as session:
            homes = {row.id: worklist_row(row) for row in session.scalars(select(WorklistTable))}
            readings = self._readings(session, [row.id for row in found])
        seen = []
        for row in found:
            reading = readings.get(row.id)
            called = row.assigned_to == self.reader or row.was_open
            sight = sight_for(homes[row.worklist_id], reading, called)
            sight = veil.together(sight, beside) if beside is not None else sight
            seen.append(veil.veiled_row(row, reading, sight))
        return seen

    def require_image(self, image_id: int) -> Sight:
        """As :meth:`require_model`, of an image's case."""
        with self._db.reading() as session:
            case_id = session.scalar(select(ImageTable.case_id).where(ImageTable.id == image_id))
        if case_id is None:
            raise StoreError(f"There is no image {image_id} in the store.")
        return self.require_model(case_id)

    def require_result(self, result_id: int) -> Sight:
        """As :meth:`require_model`, of the case of a result's image."""
        with self._db.reading() as session:
            image_id = session.scalar(select(ResultTable.image_id).where(ResultTable.id == result_id))
        if image_id is None:
            raise StoreError(f"There is no result {result_id} in the store.")
        return self.require_image(image_id)

    def map(self, result_id: int, layer: str = PROBABILITY) -> ScoreMap:
        """A stored map of a result.

        Raises:
            ReadingError: the model is hidden from this reader.
            StoreError: there is no such map.
        """
        self.require_result(result_id)
        return self._store.map(result_id, layer)

    def marks(self, case_id: int) -> Mapping[int, tuple[StoredMark, ...]]:
        """The marks of a case by image, without those of others where their judgement is hidden."""
        sight, found = self.sight(case_id), self._store.marks.of_case(case_id)
        if sight.others:
            return found
        own = {key: tuple(mark for mark in marks if mark.reader == self.reader) for key, marks in found.items()}
        return {key: marks for key, marks in own.items() if marks}

    def answers(self, image_id: int) -> tuple[Answer, ...]:
        """What stands on an image's tiles, without what others said where that is hidden.

        Raises:
            ReadingError: the model is hidden from this reader; tiles are chosen by what it said.
        """
        sight = self.require_image(image_id)
        return self._store.answers.of_image(image_id, None if sight.others else self.reader)

    def labelled(self, case_ids: Sequence[int] = ()) -> tuple[tuple[LabelledImage, ...], int]:
        """Images with answers for a training set, and how many were left out since the model is hidden there.

        Raises:
            ReadingError: a case that is named is hidden.
        """
        for case_id in case_ids:
            self.require_model(case_id)
        found = self._store.answers.labelled(case_ids)
        sights = {case_id: self.sight(case_id) for case_id in {one.image.case_id for one in found}}
        seen = [_told(one, sights[one.image.case_id], self.reader) for one in found]
        kept = tuple(one for one in seen if one.labels)
        return kept, len(found) - len(kept)

    def outcome(self, case_id: int, outcome: Outcome) -> Outcome | veil.ResultHidden:
        """What may be told of an analysis that was just kept."""
        return veil.veiled_outcome(outcome, self.sight(case_id))

    def audit_detail(self, actor: str, case_id: int | None, detail: Mapping[str, Any]) -> dict[str, Any]:
        """The detail of an audit row as this reader may see it."""
        if case_id is None:
            return dict(detail)
        return veil.veiled_audit(detail, actor == self.reader, self.sight(case_id))

    # reading

    def form_of(self, case_id: int) -> Form:
        """The form of a case's list.

        Raises:
            FormError: neither it nor the simple one can be used.
        """
        with self._looking(case_id) as (_, case, _, _):
            return self._form(worklist_row(case.worklist))[0]

    def open(self, case_id: int) -> OpenedReading:
        """Begin to read a case, or go on; it stands in the audit trail.

        Raises:
            StoreError: there is no such case.
        """
        with self._db.transaction() as session:
            case = existing_case(session, case_id)
            row = begun(session, case_id, self.reader)
            home = worklist_row(case.worklist)
            sight = deciding.sight_of_case(case, home, row)
            if sight.model:
                row.revealed = row.revealed or datetime.now(UTC)
            stage = stage_for(home, reading_row(row))
            detail = {"mode": home.mode, "stage": stage, "model_shown": sight.model}
            audit.record(session, self.reader, "open", case_id, detail)
            return self._opened(session, case, row)

    def look(self, case_id: int) -> OpenedReading:
        """A case that this reader has opened, as it is now; nothing is written.

        Raises:
            ReadingError: they have never opened it.
            StoreError: there is no such case.
        """
        with self._looking(case_id) as (session, case, _, _):
            row = reading_of(session, case_id, self.reader)
            if row is None:
                raise ReadingError(f"{self.reader} has not opened case {case_id} yet.")
            return self._opened(session, case, row)

    def assess(
        self,
        case_id: int,
        assessment: Assessment,
        context: Mapping[str, Any] | None = None,
        seconds: float | None = None,
    ) -> DecisionRow:
        """Lock the first assessment or decide, as the list's mode has it; committed when this returns.

        See :func:`pathview.review.cases.deciding.assess`.

        Raises:
            ReadingError: the protocol does not allow it, or something is missing or wrong.
            FormError: the list's form cannot be used.
        """
        with self._db.transaction() as session:
            case = existing_case(session, case_id)
            form = self._form(worklist_row(case.worklist))[0] if assessment.answers else None
            row = deciding.assess(session, case, self.reader, assessment, form, context, seconds)
            return rows.decision_row(row)

    def withdraw(self, case_id: int, note: str = "") -> DecisionRow:
        """Take back this reader's decision; committed when this returns.

        Raises:
            ReadingError: none stands, it is a locked first assessment, or the list is closed.
        """
        with self._db.transaction() as session:
            row = deciding.withdraw(session, existing_case(session, case_id), self.reader, note)
            return rows.decision_row(row)

    def reveal(self, case_id: int, why: str) -> None:
        """Show what is hidden after all, for the record: from now on this reading counts as unblinded.

        The veil stays in the lists and in the window. Nothing is written where the model is shown anyway.
        """
        with self._db.transaction() as session:
            case = existing_case(session, case_id)
            row = begun(session, case_id, self.reader)
            if not deciding.sight_of_case(case, worklist_row(case.worklist), row).model:
                deciding.reveal(session, row, why)

    def save_draft(self, case_id: int, content: Mapping[str, Any]) -> None:
        """Keep what was begun (JSON; empty: nothing); see :data:`pathview.review.reading.drafts.ASSESSMENT`."""
        with self._db.transaction() as session:
            existing_case(session, case_id)
            drafts.save(session, case_id, self.reader, content)

    def draft(self, case_id: int) -> Mapping[str, Any]:
        """What was begun; empty: nothing."""
        with self._db.reading() as session:
            return drafts.of(session, case_id, self.reader)

    def replay(self, decision_id: int) -> Replay:
        """What was seen when a decision was made.

        Raises:
            ReadingError: it is another reader's, and hidden.
            StoreError: there is no such decision.
        """
        with self._db.reading() as session:
            row = session.get(DecisionTable, decision_id)
            if row is None:
                raise StoreError(f"There is no decision {decision_id} in the store.")
            sight = self._sight(session, existing_case(session, row.case_id))[1]
            if row.reader != self.reader and not sight.others:
                raise ReadingError("What other readers decided is hidden until you have decided.")
            return replayed(session, row, sight)

    # within

    @contextmanager
    def _looking(self, case_id: int) -> Iterator[tuple[Session, CaseTable, Reading | None, Sight]]:
        """A case with how far this reader is, in one look at the store."""
        with self._db.reading() as session:
            case = existing_case(session, case_id)
            yield session, case, *self._sight(session, case)

    def _sight(self, session: Session, case: CaseTable) -> tuple[Reading | None, Sight]:
        row = reading_of(session, case.id, self.reader)
        reading = reading_row(row) if row is not None else None
        called = is_called(self.reader, case.assigned_to, case.seen)
        return reading, sight_for(worklist_row(case.worklist), reading, called)

    def _opened(self, session: Session, case: CaseTable, row: ReadingTable) -> OpenedReading:
        home, reading = worklist_row(case.worklist), reading_row(row)
        sight = deciding.sight_of_case(case, home, row)
        form, problems = self._form(home)
        seen = self._veiled(case, reading, sight)
        draft = drafts.of(session, case.id, self.reader)
        return OpenedReading(seen, home, form, reading, sight, draft, stage_for(home, reading), problems)

    def _veiled(self, case: CaseTable, reading: Reading | None, sight: Sight) -> CaseDetail:
        images = tuple(rows.image_row(image) for image in case.images)
        decisions = tuple(rows.decision_row(row) for row in case.decisions)
        detail = CaseDetail(rows.case_row(case, len(images)), images, decisions, case.patient_key)
        return veil.veiled_case(detail, reading, sight, self.reader)

    def _readings(self, session: Session, case_ids: Sequence[int]) -> dict[int, Reading]:
        found: dict[int, Reading] = {}
        for some in _parts(case_ids):
            own = select(ReadingTable).where(ReadingTable.reader == self.reader, ReadingTable.case_id.in_(some))
            found |= {row.case_id: reading_row(row) for row in session.scalars(own)}
        return found

    def _form(self, home: Worklist) -> tuple[Form, tuple[str, ...]]:
        """The form of a list; the simple one, and why, where the list's cannot be used."""
        forms = self.forms
        try:
            return forms.form(home.form), ()
        except FormError as error:
            told = f"{error} The list {home.name} is read by the form {SIMPLE!r} until then."
            return forms.form(SIMPLE), (*forms.problems, told)


def _told(image: LabelledImage, sight: Sight, reader: str) -> LabelledImage:
    """An image with those of its answers that a reader may know of."""
    seen = (one for one in image.labels if sight.model and (sight.others or one.answer.reader == reader))
    return replace(image, labels=tuple(seen))


def _parts(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
