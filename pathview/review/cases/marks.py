"""What readers drew on images, kept: a change and its audit row are one, and nothing is ever deleted.

The table has each mark as it is. An audit row says what a change found, so that each form a mark ever had can be
told, and the digest of what it left, so that a table changed by other hands is found out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.results.annotation import Mark, MarkKind
from pathview.results.annotation_history import Change, Step
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.mark_trail import Version, packed, versions_of
from pathview.review.sql.seals import DamagedError
from pathview.review.sql.tables import AuditTable, ImageTable, LabelTable, MarkTable

_AT_ONCE = 500
"""Marks that are looked up in one statement; databases bound the number of its values."""


@dataclass(frozen=True)
class StoredMark:
    """A mark as the store has it."""

    mark: Mark
    image_id: int
    reader: str
    """Who drew it."""
    created: datetime
    changed: datetime
    """When it was drawn, changed or brought back last."""


class Marks:
    """The marks of one store."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        self._db = database

    def add(self, image_id: int, mark: Mark, reader: str) -> StoredMark:
        """Keep a new mark.

        Raises:
            StoreError: there is no such image or label, the mark is not finished or there already, or the store
                cannot be written.
        """
        with self._db.transaction() as session:
            return _stored(_add(session, image_id, mark, reader, {}))

    def add_all(self, image_id: int, marks: Sequence[Mark], reader: str, source: str) -> int:
        """Keep many new marks of one image, all or none, under one audit row; how many there were.

        Args:
            image_id: of the image.
            marks: any number.
            reader: who brought them.
            source: where they are from, in words that name no patient.

        Raises:
            StoreError: as of :meth:`add`; nothing was written.
        """
        with self._db.transaction() as session:
            case_id = _case_of(session, image_id)
            _check(session, marks)
            now = datetime.now(UTC)
            session.add_all(MarkTable(**_values(image_id, mark, reader, now)) for mark in marks)
            digests = "".join(mark.digest() for mark in marks).encode()
            detail = {"image": image_id, "marks": len(marks), "source": source, "created": now.isoformat()}
            audit.record(
                session, reader, "add_marks", case_id, detail | {"sha256": hashlib.sha256(digests).hexdigest()}
            )
            return len(marks)

    def change(self, mark: Mark, reader: str) -> StoredMark:
        """Give the mark of this id another form, label or properties; what was before stays in the audit trail.

        Raises:
            StoreError: there is no such mark or label, the mark was removed or is not finished, or the store cannot
                be written.
        """
        with self._db.transaction() as session:
            return _stored(_change(session, mark, reader, {}))

    def remove(self, mark_id: str, reader: str) -> None:
        """Show a mark no more; its row stays, with the time.

        Raises:
            StoreError: there is no such mark, it was removed, or the store cannot be written.
        """
        with self._db.transaction() as session:
            _remove(session, mark_id, reader, {})

    def restore(self, mark_id: str, reader: str) -> StoredMark:
        """Bring a removed mark back as it was.

        Raises:
            StoreError: there is no such mark, it was not removed, or the store cannot be written.
        """
        with self._db.transaction() as session:
            return _stored(_restore(session, mark_id, None, reader, {}))

    def apply(self, step: Step, reader: str) -> None:
        """Keep a gesture, an undone or redone one too: all of its changes or none, an audit row each.

        Raises:
            StoreError: a mark is not as the step expects it (somebody else changed it since), or any change is
                refused; nothing was written.
        """
        about = {"gesture": step.name}
        with self._db.transaction() as session:
            for change in step.changes:
                _expect(session, change)
                if change.after is None:
                    _remove(session, change.mark_id, reader, about)
                elif change.operation == "add":
                    _add(session, change.image_id, change.after, reader, about)
                elif change.operation == "restore":
                    _restore(session, change.mark_id, change.after, reader, about)
                else:
                    _change(session, change.after, reader, about)

    def of_case(self, case_id: int, reader: str | None = None) -> Mapping[int, tuple[StoredMark, ...]]:
        """The marks of a case that were not removed, in the order they were drawn, by the id of their image.

        Args:
            case_id: of the case.
            reader: only what this reader drew; None: all.
        """
        statement = (
            select(MarkTable)
            .join(ImageTable, ImageTable.id == MarkTable.image_id)
            .where(ImageTable.case_id == case_id, MarkTable.removed.is_(None))
            .order_by(MarkTable.id)
        )
        if reader is not None:
            statement = statement.where(MarkTable.reader == reader)
        found: dict[int, list[StoredMark]] = {}
        with self._db.reading() as session:
            for row in session.scalars(statement):
                found.setdefault(row.image_id, []).append(_stored(row))
        return {image_id: tuple(marks) for image_id, marks in found.items()}

    def note_export(self, image_id: int, count: int, form: str, reader: str) -> None:
        """Keep in the audit trail that the marks of an image are written out, before they are.

        Raises:
            StoreError: there is no such image, or the store cannot be written.
        """
        with self._db.transaction() as session:
            detail = {"what": "annotations", "image": image_id, "format": form, "marks": count}
            audit.record(session, reader, "export", _case_of(session, image_id), detail)

    def trails(self, case_id: int) -> Mapping[str, tuple[Version, ...]]:
        """Every form that each mark of a case had, the oldest first, rebuilt from the audit trail; by id."""
        with self._db.reading() as session:
            return {row.uuid: versions for row, versions in _trails(session, case_id)}


def marks_at(session: Session, case_id: int, entry: AuditTable) -> dict[int, tuple[StoredMark, ...]]:
    """The marks of a case as they were when an audit row was written, by the id of their image.

    Raises:
        DamagedError: a form is not the one that the trail speaks of.
    """
    found: dict[int, list[StoredMark]] = {}
    for row, versions in _trails(session, case_id):
        last = next((one for one in reversed(versions) if one.came_before(entry)), None)
        if last is None or last.mark is None:
            continue
        if not last.genuine:
            raise DamagedError(f"an earlier form of the annotation {row.uuid}")
        stored = StoredMark(last.mark, row.image_id, row.reader, row.created, last.since)
        found.setdefault(row.image_id, []).append(stored)
    return {image_id: tuple(marks) for image_id, marks in found.items()}


def _trails(session: Session, case_id: int) -> Iterator[tuple[MarkTable, tuple[Version, ...]]]:
    entries: dict[str, list[AuditTable]] = {}
    for entry in session.scalars(select(AuditTable).where(AuditTable.case_id == case_id).order_by(AuditTable.id)):
        if "mark" in entry.detail:
            entries.setdefault(entry.detail["mark"], []).append(entry)
    there = select(MarkTable).join(ImageTable, ImageTable.id == MarkTable.image_id).where(ImageTable.case_id == case_id)
    for row in session.scalars(there.order_by(MarkTable.id)):
        own = entries.get(row.uuid, ())
        yield row, versions_of(_mark(row), row.removed is not None, row.reader, row.created, own)


def _add(session: Session, image_id: int, mark: Mark, reader: str, about: Mapping[str, Any]) -> MarkTable:
    case_id = _case_of(session, image_id)
    _check(session, (mark,))
    row = MarkTable(**_values(image_id, mark, reader, datetime.now(UTC)))
    session.add(row)
    _record(session, reader, "mark", row, case_id, {"kind": mark.kind, **about})
    return row


def _change(session: Session, mark: Mark, reader: str, about: Mapping[str, Any]) -> MarkTable:
    row = _existing(session, mark.id, removed=False)
    before = packed(_mark(row))
    _write(session, row, mark)
    _record(session, reader, "change_mark", row, _case_of(session, row.image_id), {"before": before, **about})
    return row


def _remove(session: Session, mark_id: str, reader: str, about: Mapping[str, Any]) -> None:
    row = _existing(session, mark_id, removed=False)
    row.removed = datetime.now(UTC)
    _record(session, reader, "remove_mark", row, _case_of(session, row.image_id), about)


def _restore(session: Session, mark_id: str, form: Mark | None, reader: str, about: Mapping[str, Any]) -> MarkTable:
    """Bring a mark back as it was, or in the form that a step says it had."""
    row = _existing(session, mark_id, removed=True)
    before = packed(_mark(row))
    row.removed = None
    changed = form is not None and form != _mark(row)
    _write(session, row, form or _mark(row))
    detail = {"before": before, **about} if changed else about
    _record(session, reader, "restore_mark", row, _case_of(session, row.image_id), detail)
    return row


def _expect(session: Session, change: Change) -> None:
    """Refuse a change of what is no longer as it was."""
    row = session.scalar(select(MarkTable).where(MarkTable.uuid == change.mark_id))
    now = None if row is None or row.removed is not None else _mark(row)
    if now != change.before:
        raise StoreError("Somebody else has changed this annotation since; nothing was written. Open the case again.")


def _check(session: Session, marks: Sequence[Mark]) -> None:
    """Refuse marks that are not finished, have a label that is not there, or an id that is taken."""
    ids = [mark.id for mark in marks]
    for mark in marks:
        _check_form(mark)
    taken = len(ids) - len(set(ids))
    for first in range(0, len(ids), _AT_ONCE):
        same = select(MarkTable.id).where(MarkTable.uuid.in_(ids[first : first + _AT_ONCE])).limit(1)
        taken += session.scalar(same) is not None
    if taken:
        raise StoreError("There is an annotation of the same id in the store already; nothing was written.")
    _check_labels(session, {mark.label for mark in marks})


def _check_form(mark: Mark) -> None:
    if not mark.measurable:
        raise StoreError(f"The {mark.kind} is not finished, so it was not kept.")


def _check_labels(session: Session, wanted: set[str]) -> None:
    names = wanted - {""}
    missing = names - set(session.scalars(select(LabelTable.name))) if names else set()
    if missing:
        raise StoreError(f"There is no label {min(missing)!r}; make it first.")


def _existing(session: Session, mark_id: str, removed: bool) -> MarkTable:
    row = session.scalar(select(MarkTable).where(MarkTable.uuid == mark_id))
    if row is None or (row.removed is not None) != removed:
        raise StoreError(f"There is no {'removed ' if removed else ''}measurement {mark_id} in the store.")
    return row


def _case_of(session: Session, image_id: int) -> int:
    case_id = session.scalar(select(ImageTable.case_id).where(ImageTable.id == image_id))
    if case_id is None:
        raise StoreError(f"There is no image {image_id} in the store.")
    return case_id


def _record(
    session: Session, reader: str, action: str, row: MarkTable, case_id: int, detail: Mapping[str, Any]
) -> None:
    about = {"mark": row.uuid, "image": row.image_id, "frame": row.frame, "sha256": _mark(row).digest()}
    audit.record(session, reader, action, case_id, about | dict(detail))


def _values(image_id: int, mark: Mark, reader: str, now: datetime) -> dict[str, Any]:
    who = {"uuid": mark.id, "image_id": image_id, "reader": reader, "created": now, "changed": now}
    return who | {"kind": mark.kind, "frame": mark.frame} | mark.content()


def _write(session: Session, row: MarkTable, mark: Mark) -> None:
    _check_form(mark)
    _check_labels(session, {mark.label})
    row.kind, row.frame, row.changed = mark.kind, mark.frame, datetime.now(UTC)
    for name, value in mark.content().items():
        setattr(row, name, value)


def _mark(row: MarkTable) -> Mark:
    points: Any = tuple(map(tuple, row.points))
    rings: Any = tuple(tuple(tuple(map(tuple, ring)) for ring in part) for part in row.rings)
    return Mark(cast("MarkKind", row.kind), points, row.uuid, row.frame, rings, row.label, row.properties)


def _stored(row: MarkTable) -> StoredMark:
    return StoredMark(_mark(row), row.image_id, row.reader, row.created, row.changed)
