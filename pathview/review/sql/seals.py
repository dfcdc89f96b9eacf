"""Seals: a short hash of each row's content, so that no change that this program did not make goes unnoticed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, Column, Float, Table
from sqlalchemy.types import TypeEngine

SEAL = "seal"
"""Name of the column."""
_BYTES = 16
_AS_THEY_ARE = frozenset({str, bool, type(None)})
_BINARY = (bytes, memoryview)
_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=repr)


class DamagedError(Exception):
    """Something in the database is not as it was written; the store says so in a sentence."""


def seal_of(table: Table, values: Mapping[str, Any]) -> str:
    """The seal of a row: 32 hexadecimal digits over all columns but itself.

    Args:
        table: as the program or a migration knows it.
        values: of all its columns, as they are written or were read.
    """
    content = {name: _plain(kind, values[name]) for name, kind in _columns(table)}
    return hashlib.blake2b(canonical(content), digest_size=_BYTES).hexdigest()


def canonical(content: Mapping[str, Any]) -> bytes:
    """One way to write a mapping of what JSON can hold; ``repr`` for what it cannot, so that damage has a hash too."""
    return _WRITER.encode(content).encode()


def moment(time: datetime) -> str:
    """A time as it is hashed: UTC, without a zone as SQLite gives it back."""
    return (time.astimezone(UTC) if time.tzinfo is not None else time).replace(tzinfo=None).isoformat()


def require_whole(table: Table, values: Mapping[str, Any]) -> None:
    """Refuse a row that is not as it was written.

    Raises:
        DamagedError: the seal is another one.
    """
    if seal_of(table, values) != values[SEAL]:
        raise DamagedError(f"row {values['id']} of {table.name}")


def seal_rows(table: Table, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with their seals, for a bulk insert; every column must be named, ``id`` too."""
    return [{**row, SEAL: seal_of(table, row)} for row in rows]


@lru_cache(maxsize=256)
def _columns(table: Table) -> tuple[tuple[str, TypeEngine[Any]], ...]:
    columns: list[Column[Any]] = sorted(table.columns, key=lambda column: column.name)
    return tuple((column.name, column.type) for column in columns if column.name != SEAL)


def _plain(kind: TypeEngine[Any], value: Any) -> Any:
    """A value as it comes back from either database, so that it has one seal before and after."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(kind, JSON):
        return json.loads(json.dumps(value))
    if isinstance(value, _BINARY):
        return hashlib.blake2b(value, digest_size=_BYTES).hexdigest()
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(kind, Float):
        return None if math.isnan(value) else float(value) + 0.0  # SQLite knows neither NaN nor -0.0
    if isinstance(value, float) and not value.is_integer():
        return value
    return int(value)


def schema_digest(definitions: Sequence[str]) -> str:
    """A hash of tables, indexes and triggers, see :meth:`pathview.review.sql.place.Place.schema`."""
    return hashlib.sha256("\n".join(definitions).encode()).hexdigest()
