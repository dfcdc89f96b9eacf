"""The store: what is known of cases, and the only way to change it. A change and its audit row are one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, selectinload

from pathview.errors import StoreError
from pathview.results.result import NotAnalysed, Outcome, ScoreMap
from pathview.review.cases import deciding, rows
from pathview.review.cases.answers import Answers
from pathview.review.cases.labels import Labels
from pathview.review.cases.marks import Marks
from pathview.review.cases.rows import PROBABILITY
from pathview.review.cases.silent import SilentResults
from pathview.review.cases.study_records import Studies
from pathview.review.cases.summarising import refresh
from pathview.review.reading.readers import Readers
from pathview.review.reading.reading import Assessment
from pathview.review.reading.truths import Truths
from pathview.review.reading.worklist import home_of
from pathview.review.reading.worklist_pages import stored_rows
from pathview.review.records.case import CaseDetail, CaseRow, DecisionRow, DecisionValue, NewImage
from pathview.review.sql import audit
from pathview.review.sql.backups import backup_if_due
from pathview.review.sql.database import Database
from pathview.review.sql.tables import CaseTable, ImageTable, MapTable
from pathview.review.worklists import Worklists


class Store:
    """Cases of one reader's desk."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database
        self.readers = Readers(database)
        """Who reads."""
        self.truths = Truths(database)
        """What cases turned out to be."""
        self.marks = Marks(database)
        """What readers drew."""
        self.labels = Labels(database)
        """What marks may be called."""
        self.answers = Answers(database)
        """What readers said of tiles."""
        self.silent = SilentResults(database)
        """What models in silent mode said."""
        self.studies = Studies(database)
        """Assessments, results and truths side by side."""
        self.worklists = Worklists(database)
        """Which cases are read together; pages of them."""

    @property
    def database(self) -> Database:
        """Where all of it is kept."""
        return self._db

    def add_case(
        self, key: str, title: str, kind: str, images: Sequence[NewImage], actor: str, worklist: str | None = None
    ) -> int:
        """Put images into the case that has this key, made where there is none; the id of their case.

        A new case comes to the worklist of this name; None: to that of its kind.

        An image that the store has already stays in its case; what its header says is brought up to date.
        Another file at the same path is another image.
        """
        with self._db.transaction() as session:
            found = session.scalars(select(ImageTable).where(_paths(images)))
            known = {(row.path, row.fingerprint): row for row in found}
            new, touched = [], set()
            for image in images:
                row = known.get((str(image.path), image.fingerprint))
                if row is None:
                    new.append(image)
                    continue
                row.info = dict(image.info)
                _complete(row.case, image)
                touched.add(row.case_id)
            if new:
                home = home_of(session, kind, worklist)
                case_id = _put(session, CaseTable(key=key, title=title, kind=kind, worklist_id=home.id), new)
                audit.record(session, actor, "add", case_id, {"images": len(new)})
            else:
                case_id = known[str(images[0].path), images[0].fingerprint].case_id
            for each in touched | {case_id}:
                refresh(existing_case(session, each))
            return case_id

    def find(self, key: str) -> CaseDetail | None:
        """The case of a key, or None."""
        with self._db.reading() as session:
            case_id = session.scalar(select(CaseTable.id).where(CaseTable.key == key))
        return self.case(case_id) if case_id is not None else None

    def priors(self, case_id: int) -> tuple[CaseRow, ...]:
        """Earlier mammograms of the same patient, the newest first; those without a date last.

        Raises:
            StoreError: there is no such case.
        """
        with self._db.reading() as session:
            case = session.get(CaseTable, case_id)
            if case is None:
                raise StoreError(f"There is no case {case_id} in the store.")
            if case.patient_key is None or case.kind != "mammogram":
                return ()
            statement = (
                select(CaseTable.id)
                .where(CaseTable.patient_key == case.patient_key, CaseTable.id != case_id, CaseTable.kind == case.kind)
                .order_by(CaseTable.study_date.desc().nulls_last(), CaseTable.id.desc())
            )
            if case.study_date is not None:
                statement = statement.where(or_(CaseTable.study_date.is_(None), CaseTable.study_date < case.study_date))
            return tuple(stored_rows(session, session.scalars(statement).all()))

    def new_case_ids(self) -> list[int]:
        """Cases with an image that was never analysed, oldest first."""
        waiting = select(ImageTable.case_id).where(~ImageTable.results.any())
        with self._db.reading() as session:
            return list(session.scalars(select(CaseTable.id).where(CaseTable.id.in_(waiting)).order_by(CaseTable.id)))

    def case(self, case_id: int) -> CaseDetail:
        """A case with its images, newest results and decisions.

        Raises:
            StoreError: there is none.
        """
        with self._db.reading() as session:
            case = existing_case(session, case_id)
            images = tuple(rows.image_row(image) for image in case.images)
            decisions = tuple(rows.decision_row(row) for row in case.decisions)
            return CaseDetail(rows.case_row(case, len(images)), images, decisions, case.patient_key)

    def set_title(self, case_id: int, title: str, actor: str) -> None:
        """Call a case otherwise; what it was called before stays in the audit trail.

        Raises:
            StoreError: there is no such case.
        """
        with self._db.transaction() as session:
            case = existing_case(session, case_id)
            if case.title != title:
                audit.record(session, actor, "set_title", case_id, {"from": case.title, "to": title})
                case.title = title

    def set_pixel_size(self, image_id: int, mpp_um: float, actor: str) -> None:
        """Keep a pixel size that the reader stated."""
        with self._db.transaction() as session:
            image = session.get_one(ImageTable, image_id)
            image.mpp_um = mpp_um
            audit.record(session, actor, "state_pixel_size", image.case_id, {"image": image_id, "mpp_um": mpp_um})

    def save_result(self, image_id: int, outcome: Outcome, actor: str) -> int:
        """Keep the outcome of an analysis with its maps; its id."""
        with self._db.transaction() as session:
            image = session.get_one(ImageTable, image_id)
            row = rows.not_analysed(outcome) if isinstance(outcome, NotAnalysed) else rows.analysed(outcome)
            row.image_id = image_id
            session.add(row)
            session.flush()
            case = existing_case(session, image.case_id)
            session.expire(image, ["results"])
            refresh(case)
            detail = {"image": image_id, "result": row.id, "status": row.status, "recipe": row.recipe}
            audit.record(session, actor, "analyse", case.id, detail | {"weights": row.provenance.get("weights_sha256")})
            return row.id

    def add_maps(self, result_id: int, maps: Mapping[str, ScoreMap]) -> None:
        """Keep further heat maps of a result."""
        with self._db.transaction() as session:
            known = set(session.scalars(select(MapTable.layer).where(MapTable.result_id == result_id)))
            for layer, heat in maps.items():
                if layer not in known:
                    row = rows.map_row(layer, heat)
                    row.result_id = result_id
                    session.add(row)

    def map(self, result_id: int, layer: str = PROBABILITY) -> ScoreMap:
        """A stored map.

        Raises:
            StoreError: the result has no such map.
        """
        with self._db.reading() as session:
            row = session.scalar(select(MapTable).where(MapTable.result_id == result_id, MapTable.layer == layer))
            if row is None:
                raise StoreError(f"Result {result_id} has no map {layer or 'probability'!r}.")
            return rows.score_map(row)

    def decide(
        self,
        case_id: int,
        value: DecisionValue | None,
        note: str,
        reader: str,
        context: Mapping[str, Any] | None = None,
    ) -> DecisionRow:
        """Record a value alone as an assessment, or withdraw a reader's decision (``value`` None).

        See :mod:`pathview.review.cases.deciding`: in a second read the first one is locked.

        Raises:
            ReadingError: the protocol does not allow it.
        """
        with self._db.transaction() as session:
            case = existing_case(session, case_id)
            if value is None:
                row = deciding.withdraw(session, case, reader, note)
            else:
                row = deciding.assess(session, case, reader, Assessment(value=value, note=note), context=context)
            return rows.decision_row(row)

    def backup_if_due(self) -> Path | None:
        """Make the day's backup if there is none yet; see :func:`pathview.review.sql.backups.backup_if_due`."""
        return backup_if_due(self._db)

    def close(self) -> None:
        """Let the file go."""
        self._db.close()


def _put(session: Session, wanted: CaseTable, images: Sequence[NewImage]) -> int:
    """Add images to the case that has the wanted one's key, or to the wanted one; its id."""
    case = session.scalar(select(CaseTable).where(CaseTable.key == wanted.key))
    if case is None:
        case = wanted
        case.created = datetime.now(UTC)
        session.add(case)
        session.flush()
    for place, image in enumerate(images, start=len(case.images)):
        values = {"path": str(image.path), "fingerprint": image.fingerprint, "info": dict(image.info)}
        session.add(ImageTable(case_id=case.id, place=place, **values))
        _complete(case, image)
    session.flush()
    session.expire(case, ["images"])
    return case.id


def _complete(case: CaseTable, image: NewImage) -> None:
    """Fill in what an image tells of its study; a store of an older version does not have all of it."""
    for field in ("patient_key", "study_date"):
        if getattr(case, field) is None:
            setattr(case, field, image.info.get(field))


def _paths(images: Sequence[NewImage]) -> ColumnElement[bool]:
    return ImageTable.path.in_([str(image.path) for image in images])


def existing_case(session: Session, case_id: int) -> CaseTable:
    """A case with its images and their results.

    Raises:
        StoreError: there is none.
    """
    images = selectinload(CaseTable.images)
    case = session.get(CaseTable, case_id, options=[images, images.selectinload(ImageTable.results)])
    if case is None:
        raise StoreError(f"There is no case {case_id} in the store.")
    return case
