"""What readers answered about tiles, kept: an answer and its audit row are one, and no row is ever changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.geometry import Region
from pathview.results.regions import TileRegion
from pathview.review.cases import rows
from pathview.review.records.answered import ANSWERS, Answer, AnswerValue, LabelledImage, TileLabel, standing
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.tables import AnswerTable, CaseTable, ImageTable, ResultTable


class Answers:
    """The answers of one store."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def add(self, image_id: int, result_id: int, tile: TileRegion, value: AnswerValue, reader: str) -> Answer:
        """Keep an answer; one that stood on the same tile stands no more, and stays in the table.

        Args:
            image_id: of the image.
            result_id: of the result of that image that the tile was shown from.
            tile: what was shown, level-0 pixels as stored.
            value: what the reader says of it.
            reader: who.

        Raises:
            StoreError: there is no such image or result, or the store cannot be written.
        """
        if value not in ANSWERS:
            raise StoreError(f"An answer is one of {', '.join(ANSWERS)}.")
        with self._db.transaction() as session:
            result = session.get(ResultTable, result_id)
            if result is None or result.image_id != image_id:
                raise StoreError(f"There is no result {result_id} of image {image_id} in the store.")
            row = _row(image_id, result_id, tile.tile, value, reader)
            row.probability, row.place_count = tile.probability, tile.count
            row.weights_sha256 = result.provenance.get("weights_sha256", "")
            return _kept(session, row, "answer", {"value": value, "probability": tile.probability})

    def withdraw(self, image_id: int, region: Region, reader: str) -> Answer:
        """Take back the answer that stands on a tile; it stays in the table, and a row says that it was taken back.

        Raises:
            StoreError: no answer stands there, or the store cannot be written.
        """
        with self._db.transaction() as session:
            of_image = _answers(session, select(AnswerTable).where(AnswerTable.image_id == image_id))
            before = next((answer for answer in standing(of_image) if answer.region == region), None)
            if before is None:
                raise StoreError(f"No answer stands on this tile of image {image_id}.")
            row = _row(image_id, before.result_id, region, None, reader)
            row.probability, row.place_count = before.probability, before.place_count
            row.weights_sha256 = before.weights_sha256
            return _kept(session, row, "withdraw_answer", {"withdrawn": before.id, "value": before.value})

    def of_image(self, image_id: int, reader: str | None = None) -> tuple[Answer, ...]:
        """The answers that stand on an image, the oldest first; ``reader``: as if only they had answered."""
        statement = select(AnswerTable).where(AnswerTable.image_id == image_id)
        if reader is not None:
            statement = statement.where(AnswerTable.reader == reader)
        with self._db.reading() as session:
            return standing(_answers(session, statement))

    def of_case(self, case_id: int) -> Mapping[int, tuple[Answer, ...]]:
        """The answers that stand on each image of a case, by the image's id; images without one are left out."""
        statement = select(AnswerTable).join(ImageTable).where(ImageTable.case_id == case_id)
        with self._db.reading() as session:
            return _by_image(_answers(session, statement))

    def labelled(self, case_ids: Sequence[int] = ()) -> tuple[LabelledImage, ...]:
        """All images with answers, in the order in which they were added.

        Args:
            case_ids: only of these cases; none: of all.

        Raises:
            StoreError: there is no such case.
        """
        statement = select(AnswerTable)
        with self._db.reading() as session:
            for case_id in case_ids:
                if session.get(CaseTable, case_id) is None:
                    raise StoreError(f"There is no case {case_id} in the store.")
            if case_ids:
                statement = statement.join(ImageTable).where(ImageTable.case_id.in_(case_ids))
            found = _by_image(_answers(session, statement))
            return tuple(_labelled(session, image_id, answers) for image_id, answers in sorted(found.items()))


def _row(image_id: int, result_id: int, region: Region, value: AnswerValue | None, reader: str) -> AnswerTable:
    return AnswerTable(
        image_id=image_id,
        result_id=result_id,
        x=region.x,
        y=region.y,
        width=region.width,
        height=region.height,
        value=value,
        reader=reader,
        created=datetime.now(UTC),
    )


def _kept(session: Session, row: AnswerTable, action: str, detail: Mapping[str, Any]) -> Answer:
    """Add a row and its audit row."""
    session.add(row)
    session.flush()
    about = {"answer": row.id, "image": row.image_id, "result": row.result_id}
    where = {"region": [row.x, row.y, row.width, row.height]}
    case_id = session.get_one(ImageTable, row.image_id).case_id
    audit.record(session, row.reader, action, case_id, {**about, **where, **detail})
    return _answer(row)


def _answers(session: Session, statement: Select[Any]) -> list[Answer]:
    return [_answer(row) for row in session.scalars(statement.order_by(AnswerTable.id))]


def _by_image(answers: Iterable[Answer]) -> dict[int, tuple[Answer, ...]]:
    found: dict[int, list[Answer]] = {}
    for answer in standing(answers):
        found.setdefault(answer.image_id, []).append(answer)
    return {image_id: tuple(some) for image_id, some in found.items()}


def _labelled(session: Session, image_id: int, answers: Sequence[Answer]) -> LabelledImage:
    image = session.get_one(ImageTable, image_id)
    labels = []
    for answer in answers:
        result = session.get_one(ResultTable, answer.result_id)
        made_with: Mapping[str, Any] = result.provenance
        sha, settings = made_with.get("image_sha256", ""), made_with.get("settings", {})
        labels.append(TileLabel(answer, result.recipe, sha, settings))
    row = rows.image_row(image, with_layers=False)
    return LabelledImage(row, image.info.get("patient_key") or image.case.patient_key, tuple(labels))


def _answer(row: AnswerTable) -> Answer:
    return Answer(
        id=row.id,
        image_id=row.image_id,
        result_id=row.result_id,
        region=Region(row.x, row.y, row.width, row.height),
        value=cast("AnswerValue | None", row.value),
        reader=row.reader,
        created=row.created,
        probability=row.probability,
        weights_sha256=row.weights_sha256,
        place_count=row.place_count,
    )
