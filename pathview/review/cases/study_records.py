"""A reader study as the store has it: cases, what readers assessed, what the model said, what turned out to be true.

What the asking reader may not know yet never gets into these records, so that no figure, list or file made of them
can tell it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Row, RowMapping, Select, Table, and_, func, or_, select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, never, no_progress
from pathview.review.reading.listed import LOCKED, is_called, steps_in
from pathview.review.reading.worklist import Worklist, worklist_row
from pathview.review.records.case import CaseLabel, DecisionValue, ImageRow, ResultRow, summary, worry
from pathview.review.records.modes import Mode, Stage, sight_of
from pathview.review.records.study import counting
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.reading_tables import TruthTable, WorklistTable
from pathview.review.sql.seals import require_whole
from pathview.review.sql.tables import AuditTable, CaseTable, DecisionTable, ImageTable, ResultTable

_CHUNK = 500
"""Cases whose results are read at once."""
RULE = (
    "Of a list that hides the model, only the asking reader's own assessments and times are told, and nothing of the "
    "model, of other readers or of the truth, until the list is closed or, in a second read, this reader has decided "
    "every case of it; of arbitration, has read or is to arbitrate every case of it."
)
"""The rule as the screen and the files state it: counts with and without one case would tell that case."""


@dataclass(frozen=True)
class ModelWord:
    """What the model says of a case, as :func:`pathview.review.records.case.summary` puts its images together."""

    label: CaseLabel
    score: float | None
    """Of the image that decided the label, in its recipe's own unit."""
    position: float | None
    """See :attr:`pathview.review.records.case.CaseRow.position`: rises with the score, comparable between recipes."""
    recipe: str
    weights_sha256: str
    threshold: float | None
    made: datetime


@dataclass(frozen=True)
class Assessed:
    """One reader's assessment of one case at one stage, the one that stands."""

    case_id: int
    reader: str
    stage: Stage
    value: DecisionValue
    mode: Mode
    """The worklist's when it was made."""
    form: str
    answers: Mapping[str, Any]
    reason: str
    seconds: float | None
    created: datetime
    times: int = 1
    """How often this reader assessed the case at this stage; after the first time others' decisions may be known."""
    unblinded: bool = False
    """Whether the model's result had been shown to the reader before their first assessment."""
    others_shown: bool = False
    """Whether the reader may have known what others decided."""
    model: ModelWord | None = None
    """What the model had said by then; None: nothing, or it is hidden."""


@dataclass(frozen=True)
class StudyCase:
    """A case of the study."""

    id: int
    title: str
    patient_key: str | None
    worklist: str
    mode: Mode
    """The worklist's now."""
    assessed: tuple[Assessed, ...] = ()
    model: ModelWord | None = None
    """What the model says of it now; None: nothing, or it is hidden."""
    truth: str | None = None
    """positive or negative; None: not known, or hidden."""
    truth_source: str = ""
    hidden: str = ""
    """Why model, truth and other readers are left out, in a sentence; empty where they are not."""

    @property
    def patient(self) -> str:
        """The patient's key; a case of no known patient stands for itself."""
        return self.patient_key or f"case {self.id}"


@dataclass(frozen=True)
class StudyRecords:
    """All cases of some worklists, as one reader may know them."""

    asker: str
    worklists: tuple[Worklist, ...]
    cases: tuple[StudyCase, ...]
    audit_head: Mapping[str, Any]
    """Number and hash of the newest row of the audit trail when they were read; none: it is empty."""

    @property
    def hidden(self) -> tuple[str, ...]:
        """Why parts of lists are left out, a sentence for each list."""
        return tuple(dict.fromkeys(case.hidden for case in self.cases if case.hidden))

    @property
    def readers(self) -> tuple[str, ...]:
        """Who assessed any of the cases."""
        return tuple(sorted({one.reader for case in self.cases for one in case.assessed}))

    def only(self, readers: Sequence[str]) -> StudyRecords:
        """The same cases with the assessments of some readers alone."""
        kept = [replace(case, assessed=tuple(o for o in case.assessed if o.reader in readers)) for case in self.cases]
        return replace(self, cases=tuple(kept))


@dataclass(frozen=True)
class _Decided:
    """An assessment, and the results that it names as those it was made on."""

    assessed: Assessed
    results: frozenset[int]


class Studies:
    """Reads studies out of the store."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def worklists(self) -> tuple[Worklist, ...]:
        """All lists, by name."""
        with self._db.reading() as session:
            return tuple(map(worklist_row, session.scalars(select(WorklistTable).order_by(WorklistTable.name))))

    def readers(self) -> tuple[str, ...]:
        """Everybody who assessed any case, by name."""
        with self._db.reading() as session:
            return tuple(session.scalars(select(DecisionTable.reader).distinct().order_by(DecisionTable.reader)))

    def records(
        self,
        asker: str,
        worklists: Sequence[str] = (),
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> StudyRecords:
        """The cases of worklists, all of one moment.

        Args:
            asker: the reader who asks; what they may not know yet is left out.
            worklists: names; none: all lists.
            progress: told about each few hundred cases.
            cancel: asked between them.

        Raises:
            StoreError: there is no list of such a name.
        """
        token = cancel or never()
        with self._db.reading() as session:
            lists, ids = _chosen(session, worklists)
            by_list = {one.id: one for one in lists}
            columns = (
                CaseTable.id, CaseTable.title, CaseTable.patient_key, CaseTable.worklist_id, CaseTable.assigned_to,
                CaseTable.seen,
            )  # fmt: skip
            statement = select(*columns).where(CaseTable.id.in_(ids)).order_by(CaseTable.id)
            cases = cast("Sequence[Row[Any]]", session.execute(statement).all())

            def pause(done: int) -> None:
                checkpoint(token)
                progress(Progress(done, 0, "reading assessments"))

            decisions = _decisions(session, ids, pause)
            sealed = _sealed(asker, lists, cases, decisions)
            truths = _truths(session, ids)
            found: list[StudyCase] = []
            for start in range(0, len(cases), _CHUNK):
                checkpoint(token)
                progress(Progress(start, len(cases), "reading cases"))
                chunk = cases[start : start + _CHUNK]
                results = _Results(session, [row.id for row in chunk if row.worklist_id not in sealed])
                for row in chunk:
                    home = by_list[row.worklist_id]
                    said = decisions.get(row.id, [])
                    if home.id in sealed:
                        own = tuple(one.assessed for one in said if one.assessed.reader == asker)
                        found.append(_hidden_case(row, home, own, sealed[home.id]))
                    else:
                        found.append(_open_case(row, home, said, results, truths.get(row.id)))
            return StudyRecords(asker, lists, tuple(found), _audit_head(session))

    def note_export(self, actor: str, detail: Mapping[str, Any]) -> None:
        """Keep in the audit trail that a study was written out."""
        with self._db.transaction() as session:
            audit.record(session, actor, "export", None, {"what": "agreement", **detail})


def _chosen(session: Session, names: Sequence[str]) -> tuple[tuple[Worklist, ...], Select[Any]]:
    """The lists of some names (none: all), and the ids of their cases.

    Cases that were sent from one of them to arbitration are among them: without those on which readers differ, all
    others would agree.
    """
    known = tuple(map(worklist_row, session.scalars(select(WorklistTable).order_by(WorklistTable.name))))
    missing = sorted(set(names) - {one.name for one in known})
    if missing:
        raise StoreError(f"There is no worklist {missing[0]!r}; there are: {', '.join(one.name for one in known)}.")
    if not names:
        return known, select(CaseTable.id)
    own = [one for one in known if one.name in names]
    courts = [one for one in known if one.mode == "arbitration" and one not in own]
    moved = select(AuditTable.case_id).where(
        AuditTable.action == "move",
        AuditTable.detail["from"].as_string().in_(names),
        AuditTable.detail["worklist"].as_string().in_([one.name for one in courts]),
    )
    sent = and_(CaseTable.worklist_id.in_([one.id for one in courts]), CaseTable.id.in_(moved))
    ids = select(CaseTable.id).where(or_(CaseTable.worklist_id.in_([one.id for one in own]), sent))
    used = set(session.scalars(select(CaseTable.worklist_id).where(CaseTable.id.in_(ids)).distinct()))
    return tuple(one for one in known if one in own or one.id in used), ids


def _decisions(session: Session, ids: Select[Any], pause: Callable[[int], None]) -> dict[int, list[_Decided]]:
    """The rows that stand, by case: of each reader and stage the newest, unless it withdraws."""
    newest = (
        select(func.max(DecisionTable.id).label("id"), func.count(DecisionTable.value).label("times"))
        .where(DecisionTable.case_id.in_(ids))
        .group_by(DecisionTable.case_id, DecisionTable.reader, DecisionTable.stage)
        .subquery()
    )
    table = DecisionTable.__table__
    statement = (
        select(table, newest.c.times)
        .join(newest, newest.c.id == table.c.id)
        .where(table.c.value.is_not(None))
        .order_by(table.c.id)
    )
    found: dict[int, list[_Decided]] = defaultdict(list)
    for index, row in enumerate(session.execute(statement).mappings()):
        if index % _CHUNK == 0:
            pause(index)
        require_whole(cast("Table", table), dict(row))
        found[row["case_id"]].append(_decided(row, table.c.keys()))
    return found


def _decided(row: RowMapping, columns: Sequence[str]) -> _Decided:
    context: Mapping[str, Any] = row["context"] or {}
    shown = context.get("others_shown")
    if shown is None:  # a decision of an older version
        shown = (
            row["stage"] != "first" and row["mode"] != "blind" and (row["mode"] != "second_read" or row["times"] > 1)
        )
    one = Assessed(
        **{each.name: row[each.name] for each in fields(Assessed) if each.name in columns},
        times=row["times"],
        unblinded=bool(context.get("unblinded")),
        others_shown=bool(shown),
    )
    return _Decided(one, frozenset(context.get("results") or ()))


def _sealed(
    asker: str, lists: Sequence[Worklist], cases: Sequence[Row[Any]], decisions: Mapping[int, Sequence[_Decided]]
) -> dict[int, str]:
    """The lists of which the asking reader may know their own part alone, and why."""
    courts = {one.id for one in lists if one.mode == "arbitration"}
    unfinished = {
        case.worklist_id
        for case in cases
        if not (_read_by(asker, case) if case.worklist_id in courts else _decided_by(asker, decisions.get(case.id, ())))
    }
    sealed = {}
    for one in lists:
        done = one.id not in unfinished
        sight = sight_of(one.mode, locked=done, decided=done, closed=one.closed is not None)
        if not (sight.model and sight.others):
            verb = "has read, or is to arbitrate," if one.mode == "arbitration" else "has decided"
            until = "it is closed" if one.mode == "blind" else f"it is closed or {asker} {verb} every case of it"
            sealed[one.id] = (
                f"The list {one.name} hides the model: until {until}, only {asker}'s own assessments and times are "
                "told of it, and nothing of the model, of other readers or of the truth."
            )
    return sealed


def _decided_by(reader: str, said: Sequence[_Decided]) -> bool:
    return any((one.assessed.reader, one.assessed.stage) == (reader, "final") for one in said)


def _read_by(reader: str, case: Row[Any]) -> bool:
    """Whether a reader may see a case of a list of arbitration."""
    return steps_in(case.seen).get(reader, 0) >= LOCKED or is_called(reader, case.assigned_to, case.seen)


def _truths(session: Session, ids: Select[Any]) -> dict[int, tuple[str, str]]:
    """What cases turned out to be, and where that is known from: the newest row, unless it takes it back."""
    newest = select(func.max(TruthTable.id)).where(TruthTable.case_id.in_(ids)).group_by(TruthTable.case_id)
    table = TruthTable.__table__
    found = {}
    for row in session.execute(select(table).where(table.c.id.in_(newest))).mappings():
        require_whole(cast("Table", table), dict(row))
        if row["value"] is not None:
            found[row["case_id"]] = (row["value"], row["source"])
    return found


def _hidden_case(row: Row[Any], home: Worklist, own: tuple[Assessed, ...], why: str) -> StudyCase:
    return StudyCase(row.id, row.title, row.patient_key, home.name, home.mode, own, hidden=why)


def _open_case(
    row: Row[Any],
    home: Worklist,
    said: Sequence[_Decided],
    results: _Results,
    truth: tuple[str, str] | None,
) -> StudyCase:
    assessed = tuple(
        replace(one.assessed, model=results.word_at(row.id, one.assessed.created, one.results)) for one in said
    )
    value, source = truth or (None, "")
    model = results.word(row.id)
    return StudyCase(row.id, row.title, row.patient_key, home.name, home.mode, assessed, model, value, source)


class _Results:
    """The results of some cases' images, of every time."""

    def __init__(self, session: Session, case_ids: Sequence[int]) -> None:
        self._images: dict[int, list[ImageRow]] = defaultdict(list)
        self._results: dict[int, list[ResultRow]] = defaultdict(list)
        images = select(ImageTable.id, ImageTable.case_id, ImageTable.info)
        for row in session.execute(images.where(ImageTable.case_id.in_(case_ids)).order_by(ImageTable.place)):
            self._images[row.case_id].append(ImageRow(row.id, row.case_id, Path(), row.info, None, None))
        for result in _result_rows(session, case_ids):
            self._results[result.image_id].append(result)

    def word(self, case_id: int) -> ModelWord | None:
        """What the newest results come to."""
        return self._word(case_id, {image.id: self._results[image.id][-1:] for image in self._images[case_id]})

    def word_at(self, case_id: int, when: datetime, named: frozenset[int]) -> ModelWord | None:
        """What those results came to that a decision was made on: those it names, else those that were there."""
        stood = {
            image.id: [r for r in self._results[image.id] if (r.id in named if named else r.created <= when)]
            for image in self._images[case_id]
        }
        return self._word(case_id, stood)

    def _word(self, case_id: int, results: Mapping[int, Sequence[ResultRow]]) -> ModelWord | None:
        newest = {image_id: rows[-1] for image_id, rows in results.items() if rows}
        images = [replace(image, result=newest.get(image.id)) for image in self._images[case_id]]
        counted = [image.result for image in counting(images)] if images else []
        label, score, position, _ = summary(counted)
        if label is None:
            return None
        known = [result for result in counted if result is not None]
        deciding = max((r for r in known if r.status == "analysed"), key=worry, default=known[-1])
        sha = str(deciding.provenance.get("weights_sha256") or "")
        return ModelWord(label, score, position, deciding.recipe, sha, deciding.threshold, deciding.created)


def _result_rows(session: Session, case_ids: Sequence[int]) -> Iterable[ResultRow]:
    names = ("id", "image_id", "status", "recipe", "created", "score", "lower", "upper", "label", "threshold")
    columns = [getattr(ResultTable, name) for name in names]
    sha = ResultTable.provenance["weights_sha256"].as_string().label("sha")
    statement = (
        select(*columns, sha)
        .join(ImageTable, ImageTable.id == ResultTable.image_id)
        .where(ImageTable.case_id.in_(case_ids))
        .order_by(ResultTable.id)
    )
    for row in session.execute(statement):
        values = {name: getattr(row, name) for name in names}
        yield ResultRow(**values, provenance={"weights_sha256": row.sha})


def _audit_head(session: Session) -> dict[str, Any]:
    """Number and hash of the newest row of the audit trail."""
    head = audit.last_row(session)
    return {"number": head.number, "hash": head.hash} if head is not None else {}
