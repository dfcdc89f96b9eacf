"""The audit trail: one row for each thing done, written in the transaction that does it.

Triggers refuse to change or delete a row. Each row holds a hash of its content and of the hash before it, so what was
changed behind the triggers' back is found (:mod:`pathview.review.sql.verifying`). The sequence counts, not the clock:
a clock that was set back stands in the rows as it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview import __version__
from pathview.review.sql.base import Sealed
from pathview.review.sql.head import Head
from pathview.review.sql.seals import canonical, moment
from pathview.review.sql.tables import AnswerTable, AuditTable, DecisionTable, SilentTable

BEGINNING = "0" * 64
"""What stands for the hash before the first row."""
NAMED: Mapping[str, type[Sealed]] = {"decision": DecisionTable, "answer": AnswerTable, "silent": SilentTable}
"""Rows that are never changed; an audit row that names one by id holds its seal too."""
_HEAD = "audit head"


def record(session: Session, actor: str, action: str, case_id: int | None, detail: Mapping[str, Any]) -> None:
    """Add a row to the open transaction."""
    head = head_written(session) or last_row(session)
    row = AuditTable(
        id=head.number + 1 if head else 1,
        created=datetime.now(UTC),
        actor=actor,
        action=action,
        case_id=case_id,
        detail=json.loads(json.dumps({**detail, **_seals_of(session, detail)})),
        app_version=__version__,
        previous=head.hash if head else BEGINNING,
    )
    row.hash = hash_of(vars(row))
    session.add(row)
    session.info[_HEAD] = Head(row.id, row.hash)


def head_written(session: Session) -> Head | None:
    """The last row that this session added, or None."""
    found: Head | None = session.info.get(_HEAD)
    return found


def last_row(session: Session) -> Head | None:
    """The last row of the table, or None."""
    end = select(AuditTable.id, AuditTable.hash).order_by(AuditTable.id.desc()).limit(1)
    with session.no_autoflush:
        found = session.execute(end).one_or_none()
    return Head(*found) if found is not None else None


def hash_of(row: Mapping[str, Any]) -> str:
    """The SHA-256 of a row by the names of its columns: of all its content and the hash before it."""
    names = ("id", "actor", "action", "case_id", "detail", "app_version", "previous")
    content = {name: row[name] for name in names} | {"created": moment(row["created"])}
    return hashlib.sha256(canonical(content)).hexdigest()


def _seals_of(session: Session, detail: Mapping[str, Any]) -> dict[str, str]:
    """The seals of the rows that a detail names: they say what was decided, beside where it stands."""
    rows = ((name, session.get(table, detail[name])) for name, table in NAMED.items() if name in detail)
    return {f"{name}_seal": row.seal for name, row in rows if row is not None}


@dataclass(frozen=True)
class AuditRow:
    """One row of the trail as it stands."""

    number: int
    created: datetime
    actor: str
    action: str
    case_id: int | None
    detail: Mapping[str, Any]
    """As recorded: under :meth:`pathview.review.protocol.ReadingProtocol.audit_detail` it goes to readers."""
    app_version: str


def newest(session: Session, case_id: int | None = None, limit: int = 1000) -> list[AuditRow]:
    """The last rows of the trail, of one case or of all, the oldest of them first."""
    wanted = select(AuditTable).order_by(AuditTable.id.desc()).limit(limit)
    if case_id is not None:
        wanted = wanted.where(AuditTable.case_id == case_id)
    return [
        AuditRow(row.id, row.created, row.actor, row.action, row.case_id, row.detail, row.app_version)
        for row in reversed(session.scalars(wanted).all())
    ]
