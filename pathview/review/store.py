"""The store: what is known of cases, and the only way to change it. A change and its audit row are one."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, selectinload

from pathview.errors import StoreError
from pathview.geometry import GridPlace
from pathview.results.result import AnalysisResult, NotAnalysed, Outcome, ScoreMap
from pathview.review import audit
from pathview.review.case import (
    CaseDetail,
    CaseRow,
    DecisionRow,
    DecisionValue,
    ImageRow,
    NewImage,
    Order,
    ResultRow,
    summary,
)
from pathview.review.database import Database
from pathview.review.tables import CaseTable, DecisionTable, ImageTable, MapTable, ResultTable

PROBABILITY = ""
"""Layer name under which the probability map is kept."""
_RANKS = {"not_sure": 0, "not_analysed": 1, None: 2, "positive": 3, "negative": 4}
_DECIDED_RANK = 5


class Store:
    """Cases of one reader's desk."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def add_case(self, key: str, title: str, kind: str, images: Sequence[NewImage], actor: str) -> int:
        """Put images into the case that has this key, made where there is none; the id of their case.

        An image that the store has already stays in its case; what its header says is brought up to date.
        Another file at the same path is another image.
        """
        with self._db.transaction() as session:
            rows = session.scalars(select(ImageTable).where(_paths(images)))
            known = {(row.path, row.fingerprint): row for row in rows}
            for image in images:
                if (row := known.get((str(image.path), image.fingerprint))) is not None:
                    row.info = dict(image.info)
            new = [image for image in images if (str(image.path), image.fingerprint) not in known]
            if not new:
                return known[str(images[0].path), images[0].fingerprint].case_id
            case = session.scalar(select(CaseTable).where(CaseTable.key == key))
            if case is None:
                patient = next((i.info.get("patient_key") for i in images if i.info.get("patient_key")), None)
                case = CaseTable(key=key, title=title, kind=kind, patient_key=patient, created=datetime.now(UTC))
                session.add(case)
                session.flush()
            first = len(case.images)
            for place, image in enumerate(new, start=first):
                values = {"path": str(image.path), "fingerprint": image.fingerprint, "info": dict(image.info)}
                session.add(ImageTable(case_id=case.id, place=place, **values))
            session.flush()
            session.expire(case, ["images"])
            _refresh(case)
            audit.record(session, actor, "add", case.id, {"images": len(new)})
            return case.id

    def worklist(
        self, order: Order = "uncertain", limit: int = 200, offset: int = 0, search: str = ""
    ) -> list[CaseRow]:
        """A page of cases in an order, sorted and cut by the database."""
        statement = _searched(select(CaseTable), search).order_by(*_ordering(order)).limit(limit).offset(offset)
        with self._db.reading() as session:
            cases = session.scalars(statement).all()
            counted = (
                select(ImageTable.case_id, func.count())
                .where(ImageTable.case_id.in_([case.id for case in cases]))
                .group_by(ImageTable.case_id)
            )
            counts = {case_id: count for case_id, count in session.execute(counted)}  # noqa: C416 (rows, not tuples)
            return [_case_row(case, counts.get(case.id, 0)) for case in cases]

    def new_case_ids(self) -> list[int]:
        """Cases that were never analysed, oldest first."""
        with self._db.reading() as session:
            return list(session.scalars(select(CaseTable.id).where(CaseTable.state == "new").order_by(CaseTable.id)))

    def count(self, search: str = "") -> int:
        """How many cases there are."""
        with self._db.reading() as session:
            return session.scalar(_searched(select(func.count()).select_from(CaseTable), search)) or 0

    def case(self, case_id: int) -> CaseDetail:
        """A case with its images, newest results and decisions.

        Raises:
            StoreError: there is none.
        """
        with self._db.reading() as session:
            case = _existing(session, case_id)
            images = tuple(_image_row(image) for image in case.images)
            decisions = tuple(_decision_row(row) for row in case.decisions)
            return CaseDetail(_case_row(case, len(images)), images, decisions, case.patient_key)

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
            row = _not_analysed(outcome) if isinstance(outcome, NotAnalysed) else _analysed(outcome)
            row.image_id = image_id
            session.add(row)
            session.flush()
            case = _existing(session, image.case_id)
            session.expire(image, ["results"])
            _refresh(case)
            detail = {"image": image_id, "result": row.id, "status": row.status, "recipe": row.recipe}
            audit.record(session, actor, "analyse", case.id, detail | {"weights": row.provenance.get("weights_sha256")})
            return row.id

    def add_maps(self, result_id: int, maps: Mapping[str, ScoreMap]) -> None:
        """Keep further heat maps of a result."""
        with self._db.transaction() as session:
            known = set(session.scalars(select(MapTable.layer).where(MapTable.result_id == result_id)))
            for layer, heat in maps.items():
                if layer not in known:
                    row = _map_row(layer, heat)
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
            values = np.frombuffer(zlib.decompress(row.data), "<f4").reshape(row.rows, row.columns)
            return ScoreMap(values.astype(np.float32), GridPlace(*row.place), row.smooth)

    def decide(
        self,
        case_id: int,
        value: DecisionValue | None,
        note: str,
        reader: str,
        context: Mapping[str, Any] | None = None,
    ) -> DecisionRow:
        """Record a decision, or withdraw the last one (``value`` None), with its audit row."""
        with self._db.transaction() as session:
            case = _existing(session, case_id)
            row = DecisionTable(
                case_id=case_id,
                value=value,
                note=note,
                reader=reader,
                context=dict(context or {}),
                created=datetime.now(UTC),
            )
            session.add(row)
            session.flush()
            case.decision = value
            _refresh(case)
            detail = {"decision": row.id, "value": value, "note_length": len(note)}
            audit.record(session, reader, "decide" if value else "undo", case_id, detail)
            return _decision_row(row)

    def backup_if_due(self) -> Path | None:
        """Make the day's backup if there is none yet."""
        return self._db.backup_if_due()

    def close(self) -> None:
        """Let the file go."""
        self._db.close()


def _paths(images: Sequence[NewImage]) -> ColumnElement[bool]:
    return ImageTable.path.in_([str(image.path) for image in images])


def _searched(statement: Select[Any], search: str) -> Select[Any]:
    return statement.where(CaseTable.title.icontains(search, autoescape=True)) if search else statement


def _ordering(order: Order) -> tuple[Any, ...]:
    return {
        "uncertain": (CaseTable.rank, CaseTable.doubt, CaseTable.id),
        "score": (CaseTable.position.desc().nulls_last(), CaseTable.id),
        "newest": (CaseTable.id.desc(),),
        "name": (CaseTable.title, CaseTable.id),
    }[order]


def _existing(session: Session, case_id: int) -> CaseTable:
    images = selectinload(CaseTable.images)
    case = session.get(CaseTable, case_id, options=[images, images.selectinload(ImageTable.results)])
    if case is None:
        raise StoreError(f"There is no case {case_id} in the store.")
    return case


def _refresh(case: CaseTable) -> None:
    """Bring the columns that the worklist sorts by up to date with images, results and decision."""
    newest = [_result_row(image.results[-1]) if image.results else None for image in case.images]
    case.label, case.score, case.position, case.flags = summary(newest)
    case.doubt = abs(case.position - 0.5) if case.position is not None else 1.0
    case.state = "decided" if case.decision else "analysed" if any(newest) else "new"
    case.rank = _DECIDED_RANK if case.decision else _RANKS[case.label]


def _case_row(case: CaseTable, images: int) -> CaseRow:
    return CaseRow(
        id=case.id,
        title=case.title,
        kind=case.kind,
        state=cast("Any", case.state),
        label=cast("Any", case.label),
        score=case.score,
        position=case.position,
        flags=case.flags,
        images=images,
        decision=cast("Any", case.decision),
        created=case.created,
    )


def _image_row(image: ImageTable) -> ImageRow:
    result = _result_row(image.results[-1], with_layers=True) if image.results else None
    return ImageRow(image.id, image.case_id, Path(image.path), image.info, image.mpp_um, result, image.fingerprint)


def _result_row(row: ResultTable, with_layers: bool = False) -> ResultRow:
    return ResultRow(
        id=row.id,
        image_id=row.image_id,
        status=cast("Any", row.status),
        recipe=row.recipe,
        created=row.created,
        reason=row.reason,
        score=row.score,
        score_name=row.score_name,
        lower=row.lower,
        upper=row.upper,
        label=row.label,
        threshold=row.threshold,
        flags=tuple((code, sentence) for code, sentence in row.flags),
        stages=tuple(row.stages),
        mask=row.mask,
        layers=_layers(row) if with_layers else (),
        provenance=row.provenance,
        seconds=row.seconds,
    )


def _layers(row: ResultTable) -> tuple[str, ...]:
    session = Session.object_session(row)
    if session is None:
        return ()
    names = session.scalars(
        select(MapTable.layer).where(MapTable.result_id == row.id, MapTable.layer != PROBABILITY).order_by(MapTable.id)
    )
    return tuple(names)


def _decision_row(row: DecisionTable) -> DecisionRow:
    return DecisionRow(row.id, row.case_id, cast("Any", row.value), row.note, row.reader, row.created, row.context)


def _not_analysed(outcome: NotAnalysed) -> ResultTable:
    return ResultTable(
        status="not_analysed",
        recipe=outcome.recipe,
        reason=outcome.reason,
        flags=[],
        mask={},
        provenance={},
        created=datetime.now(UTC),
    )


def _analysed(result: AnalysisResult) -> ResultTable:
    provenance = result.provenance
    return ResultTable(
        status="analysed",
        recipe=result.recipe,
        task=result.task,
        score=result.score,
        score_name=result.score_name,
        lower=result.lower,
        upper=result.upper,
        label=result.label,
        threshold=result.threshold,
        flags=[[flag.code, flag.sentence] for flag in result.flags],
        stages=[stage.as_json() for stage in result.stages],
        mask={
            "area_px": result.mask.area_px,
            "area_mm2": result.mask.area_mm2,
            "components": len(result.mask.components),
        },
        provenance={**vars(provenance), "settings": dict(provenance.settings)},
        seconds=result.seconds,
        created=datetime.now(UTC),
        maps=[_map_row(PROBABILITY, result.probability)]
        + [_map_row(layer, heat) for layer, heat in result.heatmaps.items()],
    )


def _map_row(layer: str, score_map: ScoreMap) -> MapTable:
    place = score_map.place
    values = np.ascontiguousarray(score_map.values, "<f4")
    return MapTable(
        layer=layer,
        rows=values.shape[0],
        columns=values.shape[1],
        place=[place.x, place.y, place.cell_width, place.cell_height],
        smooth=score_map.smooth,
        data=zlib.compress(values.tobytes(), 1),
    )
