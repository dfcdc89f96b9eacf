"""What readers drew on images, kept: a change and its audit row are one, and nothing is ever deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.results.measurement import Mark, Point
from pathview.review import audit
from pathview.review.database import Database
from pathview.review.tables import ImageTable, MarkTable


@dataclass(frozen=True)
class StoredMark:
    """A mark as the store has it."""

    mark: Mark
    image_id: int
    reader: str
    """Who drew it."""
    created: datetime
    changed: datetime
    """When it was drawn, moved or brought back last."""


class Marks:
    """The marks of one store."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def add(self, image_id: int, mark: Mark, reader: str) -> StoredMark:
        """Keep a new mark.

        Raises:
            StoreError: there is no such image, or the store cannot be written.
        """
        with self._db.transaction() as session:
            image = session.get(ImageTable, image_id)
            if image is None:
                raise StoreError(f"There is no image {image_id} in the store.")
            now = datetime.now(UTC)
            row = MarkTable(
                uuid=mark.id,
                image_id=image_id,
                kind=mark.kind,
                points=_listed(mark.points),
                frame=mark.frame,
                reader=reader,
                created=now,
                changed=now,
            )
            session.add(row)
            _record(session, reader, "mark", row, image.case_id, {"kind": mark.kind, "points": row.points})
            return _stored(row)

    def move(self, mark_id: str, points: tuple[Point, ...], reader: str) -> StoredMark:
        """Give a mark other points (stored level-0 pixels); those before stay in the audit trail.

        Raises:
            StoreError: there is no such mark, it was removed, or the store cannot be written.
        """
        with self._db.transaction() as session:
            row = _existing(session, mark_id, removed=False)
            detail = {"from": row.points, "to": _listed(points)}
            row.points, row.changed = _listed(points), datetime.now(UTC)
            _record(session, reader, "move_mark", row, _case_of(session, row), detail)
            return _stored(row)

    def remove(self, mark_id: str, reader: str) -> None:
        """Show a mark no more; its row stays, with the time.

        Raises:
            StoreError: there is no such mark, it was removed, or the store cannot be written.
        """
        with self._db.transaction() as session:
            row = _existing(session, mark_id, removed=False)
            row.removed = datetime.now(UTC)
            _record(session, reader, "remove_mark", row, _case_of(session, row), {"points": row.points})

    def restore(self, mark_id: str, reader: str) -> StoredMark:
        """Bring a removed mark back as it was.

        Raises:
            StoreError: there is no such mark, it was not removed, or the store cannot be written.
        """
        with self._db.transaction() as session:
            row = _existing(session, mark_id, removed=True)
            row.removed, row.changed = None, datetime.now(UTC)
            _record(session, reader, "restore_mark", row, _case_of(session, row), {})
            return _stored(row)

    def of_case(self, case_id: int) -> Mapping[int, tuple[StoredMark, ...]]:
        """The marks of a case that were not removed, in the order they were drawn, by the id of their image."""
        statement = (
            select(MarkTable)
            .join(ImageTable, ImageTable.id == MarkTable.image_id)
            .where(ImageTable.case_id == case_id, MarkTable.removed.is_(None))
            .order_by(MarkTable.id)
        )
        found: dict[int, list[StoredMark]] = {}
        with self._db.reading() as session:
            for row in session.scalars(statement):
                found.setdefault(row.image_id, []).append(_stored(row))
        return {image_id: tuple(marks) for image_id, marks in found.items()}


def _existing(session: Session, mark_id: str, removed: bool) -> MarkTable:
    row = session.scalar(select(MarkTable).where(MarkTable.uuid == mark_id))
    if row is None or (row.removed is not None) != removed:
        raise StoreError(f"There is no {'removed ' if removed else ''}measurement {mark_id} in the store.")
    return row


def _case_of(session: Session, row: MarkTable) -> int:
    return session.get_one(ImageTable, row.image_id).case_id


def _record(
    session: Session, reader: str, action: str, row: MarkTable, case_id: int, detail: Mapping[str, Any]
) -> None:
    about = {"mark": row.uuid, "image": row.image_id, "frame": row.frame}
    audit.record(session, reader, action, case_id, about | dict(detail))


def _listed(points: tuple[Point, ...]) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in points]


def _stored(row: MarkTable) -> StoredMark:
    points = tuple((x, y) for x, y in row.points)
    mark = Mark(cast("Any", row.kind), points, row.uuid, row.frame)
    return StoredMark(mark, row.image_id, row.reader, row.created, row.changed)
