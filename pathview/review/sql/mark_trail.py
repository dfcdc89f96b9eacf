"""The forms that a mark had, in the audit trail: packed small, and told again."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pathview.results.annotation import Mark
from pathview.review.sql.tables import AuditTable

_PLAIN = 400
"""Characters up to which a form stands in an audit row as it is; a longer one is compressed."""


@dataclass(frozen=True)
class Version:
    """A form that a mark had from a time on."""

    mark: Mark | None
    """None: removed."""
    reader: str
    since: datetime
    action: str
    """Of the audit trail."""
    sha256: str | None
    """Of the form, as the trail has it; None where it has none (several marks were added at once)."""
    number: int | None = None
    """Of the audit row; None where several marks were added at once."""

    def came_before(self, entry: AuditTable) -> bool:
        """Whether the mark had this form when an audit row was written; the sequence counts, where there is one."""
        return self.since <= entry.created if self.number is None else self.number < entry.id

    @property
    def genuine(self) -> bool:
        """Whether the form is the one that the trail speaks of."""
        return self.mark is None or self.sha256 is None or self.mark.digest() == self.sha256


def packed(mark: Mark) -> dict[str, Any]:
    """A form of a mark for an audit row: as JSON, or where that is long, compressed with its digest."""
    plain = mark.as_json()
    words = json.dumps(plain)
    if len(words) <= _PLAIN:
        return plain
    return {"sha256": mark.digest(), "zlib": base64.b64encode(zlib.compress(words.encode(), 9)).decode()}


def unpacked(form: Mapping[str, Any]) -> Mark:
    """What :func:`packed` made.

    Raises:
        AnnotationError: it is no mark.
    """
    plain = json.loads(zlib.decompress(base64.b64decode(form["zlib"]))) if "zlib" in form else form
    return Mark.from_json(plain)


def versions_of(
    now: Mark, removed: bool, reader: str, created: datetime, entries: Sequence[AuditTable]
) -> tuple[Version, ...]:
    """The forms of a mark, told backwards from what it is.

    Args:
        now: the mark as the table has it.
        removed: whether it is removed.
        reader: who drew it.
        created: when it came.
        entries: audit rows of this mark, the oldest first.
    """
    found: list[Version] = []
    form = now
    for entry in reversed(entries):
        shown = None if entry.action == "remove_mark" else form
        found.append(Version(shown, entry.actor, entry.created, entry.action, entry.detail.get("sha256"), entry.id))
        if "before" in entry.detail:
            form = unpacked(entry.detail["before"])
        elif entry.action == "move_mark":  # as stores of earlier versions have it
            form = replace(form, points=tuple((x, y) for x, y in entry.detail["from"]))
    if not any(entry.action == "mark" for entry in entries):
        found.append(Version(form, reader, created, "add_marks", None))
    return tuple(reversed(found))
