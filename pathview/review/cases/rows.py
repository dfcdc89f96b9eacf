"""Rows of the tables as records of the program, and the other way."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.geometry import GridPlace
from pathview.results.result import AnalysisResult, NotAnalysed, ScoreMap
from pathview.review.reading.listed import was_open
from pathview.review.records.case import CaseRow, DecisionRow, ImageRow, ResultRow
from pathview.review.sql.tables import CaseTable, DecisionTable, ImageTable, MapTable, ResultTable

PROBABILITY = ""
"""Layer name under which the probability map is kept."""


def case_row(case: CaseTable, images: int) -> CaseRow:
    """A line of the worklist; ``images`` is how many the case has."""
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
        study_date=case.study_date,
        worklist_id=case.worklist_id,
        mode=cast("Any", case.worklist.mode),
        assigned_to=case.assigned_to,
        ran=case.label is not None,
        was_open=was_open(case.seen),
    )


def image_row(image: ImageTable, with_layers: bool = True) -> ImageRow:
    """An image with its newest result; the names of heat maps cost a query."""
    result = result_row(image.results[-1], with_layers) if image.results else None
    return ImageRow(image.id, image.case_id, Path(image.path), image.info, image.mpp_um, result, image.fingerprint)


def result_row(row: ResultTable, with_layers: bool = True) -> ResultRow:
    """A result as a record; the names of heat maps cost a query."""
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


def decision_row(row: DecisionTable) -> DecisionRow:
    """A decision as it was made."""
    return DecisionRow(
        id=row.id,
        case_id=row.case_id,
        value=cast("Any", row.value),
        note=row.note,
        reader=row.reader,
        created=row.created,
        context=row.context,
        stage=cast("Any", row.stage),
        mode=cast("Any", row.mode),
        form=row.form,
        answers=row.answers,
        reason=row.reason,
        seconds=row.seconds,
    )


def not_analysed(outcome: NotAnalysed) -> ResultTable:
    """A new row for an image without a result."""
    return ResultTable(
        status="not_analysed",
        recipe=outcome.recipe,
        reason=outcome.reason,
        flags=[],
        mask={},
        provenance={},
        created=datetime.now(UTC),
    )


def analysed(result: AnalysisResult) -> ResultTable:
    """A new row for a result, its maps with it."""
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
        maps=[map_row(PROBABILITY, result.probability)]
        + [map_row(layer, heat) for layer, heat in result.heatmaps.items()],
    )


def map_row(layer: str, score_map: ScoreMap) -> MapTable:
    """A new row for a map of a layer."""
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


def score_map(row: MapTable) -> ScoreMap:
    """A stored map."""
    values = np.frombuffer(zlib.decompress(row.data), "<f4").reshape(row.rows, row.columns)
    return ScoreMap(values.astype(np.float32), GridPlace(*row.place), row.smooth)
