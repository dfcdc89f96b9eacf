"""The one way to decide: an assessment becomes a decision by the rules of the case's list, in one transaction.

In a second read the first assessment is locked and then stays; the final one keeps it, or changes it with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import ReadingError
from pathview.review.cases.summarising import refresh, standing_of
from pathview.review.reading import drafts, exposure, readers
from pathview.review.reading.listed import is_called
from pathview.review.reading.reading import Assessment, reading_row, sight_for
from pathview.review.reading.worklist import Worklist, worklist_row
from pathview.review.records.case import DecisionValue
from pathview.review.records.forms import SIMPLE, Form
from pathview.review.records.modes import Sight, Stage, next_stage
from pathview.review.sql import audit
from pathview.review.sql.reading_tables import ReadingTable
from pathview.review.sql.tables import CaseTable, DecisionTable

_ACTIONS: Mapping[Stage, str] = {"first": "lock", "final": "decide", "arbitration": "arbitrate"}
_WORDS: Mapping[Stage, str] = {
    "first": "a first assessment",
    "final": "a final decision",
    "arbitration": "an arbitration",
}


@dataclass(frozen=True)
class _Judgement:
    """What an assessment comes to."""

    value: DecisionValue
    form: str
    answers: Mapping[str, Any]


def assess(
    session: Session,
    case: CaseTable,
    reader: str,
    assessment: Assessment,
    form: Form | None = None,
    context: Mapping[str, Any] | None = None,
    seconds: float | None = None,
) -> DecisionTable:
    """Lock the first assessment of a case or decide on it, with all that goes with it.

    Args:
        session: with an open transaction.
        case: that is read.
        reader: who says so.
        assessment: what they say.
        form: of the case's list; None: only a value alone can be taken.
        context: what was on the screen, as far as the window knows; what the store knows is added.
        seconds: how long it was there.

    Raises:
        ReadingError: the list is closed, the assessment is locked already, or something is missing or wrong.
    """
    home = require_open(case)
    reading = begun(session, case.id, reader)
    if home.mode == "arbitration" and not (sight := sight_of_case(case, home, reading)).model:
        raise ReadingError(sight.hidden)
    stage = next_stage(home.mode, reading_row(reading).past_first)
    if assessment.stage not in (None, stage):
        raise ReadingError(
            f"This would be {_WORDS[stage]} now, not {_WORDS[assessment.stage]}: the case was read on elsewhere. "
            "Open it again."
        )
    first = first_of(session, case.id, reader) if stage == "final" and home.mode == "second_read" else None
    judgement = _judged(assessment, form) if first is None else _against_first(first, assessment, form)
    row = DecisionTable(
        case_id=case.id,
        value=judgement.value,
        stage=stage,
        mode=home.mode,
        form=judgement.form,
        answers=dict(judgement.answers),
        reason=assessment.reason.strip(),
        note=assessment.note,
        seconds=seconds,
        reader=reader,
        context={**(context or {}), **_made_on(session, case, home, reading)},
        created=datetime.now(UTC),
    )
    if first is not None:
        row.context["kept"] = judgement == _of(first)
    _keep(session, case, reading, row)
    return row


def withdraw(session: Session, case: CaseTable, reader: str, note: str = "") -> DecisionTable:
    """Take back the reader's decision that stands; a first assessment cannot be.

    Raises:
        ReadingError: the list is closed, or no decision of this reader stands.
    """
    home = require_open(case)
    stage: Stage = "arbitration" if home.mode == "arbitration" else "final"
    own = [row for row in standing_of(case.decisions) if row.reader == reader and row.stage == stage]
    if not own:
        locked = first_of(session, case.id, reader) is not None
        raise ReadingError(
            "A locked first assessment cannot be taken back."
            if locked
            else f"There is no decision of {reader} on this case to take back."
        )
    row = DecisionTable(
        case_id=case.id,
        value=None,
        stage=stage,
        mode=home.mode,
        form=own[-1].form,
        answers={},
        reader=reader,
        note=note,
        context={},
        created=datetime.now(UTC),
    )
    _keep(session, case, begun(session, case.id, reader), row)
    return row


def begun(session: Session, case_id: int, reader: str) -> ReadingTable:
    """A reader's reading of a case, begun now where it was not."""
    found = reading_of(session, case_id, reader)
    if found is None:
        readers.know(session, reader)
        seen = exposure.seen_since(session, case_id)
        found = ReadingTable(case_id=case_id, reader=reader, opened=datetime.now(UTC), revealed=seen, seconds=0.0)
        session.add(found)
        session.flush()
    return found


def sight_of_case(case: CaseTable, home: Worklist, reading: ReadingTable) -> Sight:
    """What a reader who has begun a case may see of it."""
    return sight_for(home, reading_row(reading), is_called(reading.reader, case.assigned_to, case.seen))


def reading_of(session: Session, case_id: int, reader: str) -> ReadingTable | None:
    """A reader's reading of a case; None: they have never opened it."""
    return session.scalar(select(ReadingTable).where(ReadingTable.case_id == case_id, ReadingTable.reader == reader))


def first_of(session: Session, case_id: int, reader: str) -> DecisionTable | None:
    """A reader's locked first assessment of a case."""
    own = (DecisionTable.case_id == case_id, DecisionTable.reader == reader, DecisionTable.stage == "first")
    return session.scalar(select(DecisionTable).where(*own))


def require_open(case: CaseTable) -> Worklist:
    """The list of a case.

    Raises:
        ReadingError: its reading has ended.
    """
    home = worklist_row(case.worklist)
    if home.closed is not None:
        raise ReadingError(f"The list {home.name} is closed; nothing is decided in it any more.")
    return home


def _keep(session: Session, case: CaseTable, reading: ReadingTable, row: DecisionTable) -> None:
    """Add a decision, and all that follows from it."""
    session.add(row)
    session.flush()
    session.expire(case, ["decisions"])
    refresh(case)
    detail = {"decision": row.id, "stage": row.stage, "mode": row.mode, "form": row.form, "value": row.value}
    detail["note_length"] = len(row.note)
    audit.record(session, row.reader, _ACTIONS[cast("Stage", row.stage)] if row.value else "undo", case.id, detail)
    if row.stage == "first":
        reading.locked, reading.first = row.created, row.value
        reveal(session, reading, "the first assessment is locked", row.created)
    else:
        reading.decided, reading.final = (row.created, row.value) if row.value else (None, None)
    if row.value:
        reading.seconds += row.seconds or 0.0
        drafts.clear(session, case.id, row.reader)


def reveal(session: Session, reading: ReadingTable, why: str, now: datetime | None = None) -> None:
    """Keep that the model's result is shown to a reader from now on."""
    detail = {"why": why, "before_lock": reading.locked is None}
    reading.revealed = reading.revealed or now or datetime.now(UTC)
    audit.record(session, reading.reader, "reveal", reading.case_id, detail)


def _judged(assessment: Assessment, form: Form | None) -> _Judgement:
    """What a reader filled in, checked."""
    if not assessment.answers:
        if assessment.value is None:
            raise ReadingError("Nothing is filled in yet: fill in the form, or say positive, negative or can't tell.")
        return _Judgement(assessment.value, SIMPLE, {})
    if form is None:
        raise ReadingError("There is no form that these answers could belong to.")
    problems = form.check(assessment.answers)
    if problems:
        raise ReadingError(" ".join(problems))
    value = form.decision(assessment.answers)
    if assessment.value not in (None, value):
        raise ReadingError(f"By the form {form.title} these answers are {_said(value)}, not {_said(assessment.value)}.")
    return _Judgement(value, form.name, dict(assessment.answers))


def _against_first(first: DecisionTable, assessment: Assessment, form: Form | None) -> _Judgement:
    """The final judgement of a second read: the first one kept, or another one and why."""
    before = _of(first)
    nothing_else = not assessment.answers and assessment.value in (None, before.value)
    if nothing_else and (assessment.keep or (assessment.keep is None and assessment.value is not None)):
        return before
    now = _judged(assessment, form)
    if now == before and assessment.keep is False:
        raise ReadingError("This is your first assessment unchanged: keep it, or say what is different.")
    if now != before and assessment.keep:
        raise ReadingError("This differs from your first assessment: change it and say why, or keep it as it is.")
    if now != before and not assessment.reason.strip():
        raise ReadingError("Say why you change your first assessment; the reason is kept with the decision.")
    return now


def _others_seen(session: Session, case: CaseTable, reading: ReadingTable) -> bool:
    """Whether a reader may have seen others' assessments where everybody could, before they locked their own."""
    since = exposure.seen_since(session, case.id)
    if since is None or (reading.locked is not None and reading.locked < since):
        return False
    return any(row.reader != reading.reader and row.created <= since for row in case.decisions)


def _of(row: DecisionTable) -> _Judgement:
    return _Judgement(cast("DecisionValue", row.value), row.form, row.answers)


def _said(value: DecisionValue | None) -> str:
    return "can't tell" if value == "cant_tell" else str(value)


def _made_on(session: Session, case: CaseTable, home: Worklist, reading: ReadingTable) -> dict[str, Any]:
    """What the store knows of what an assessment was made on: images, and the results if they were shown."""
    now = reading_row(reading)
    sight = sight_of_case(case, home, reading)
    results = [image.results[-1] for image in case.images if image.results] if sight.model else []
    decided_before = any(row.reader == reading.reader and row.stage != "first" for row in case.decisions)
    return {
        "images": {str(image.id): image.fingerprint for image in case.images},
        "results": [result.id for result in results],
        "weights": {str(result.id): result.provenance.get("weights_sha256") for result in results},
        "model_shown": sight.model,
        "others_shown": sight.others
        or (home.mode != "blind" and decided_before)
        or _others_seen(session, case, reading),
        "unblinded": now.unblinded and home.mode in ("second_read", "blind"),
    }
