"""What all tables share: UTC times, and rows that are sealed as they are written and checked as they are loaded.

Seals are written and checked by the mapper, so rows are added and changed through their objects; a bulk UPDATE
would go past them and is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Connection, DateTime, String, Table, TypeDecorator, event, func, select
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Mapper,
    ORMExecuteState,
    Session,
    mapped_column,
    object_mapper,
    object_session,
)
from sqlalchemy.orm.attributes import instance_state

from pathview.review.sql.seals import SEAL, DamagedError, require_whole, seal_of


class UtcDateTime(TypeDecorator[datetime]):
    """UTC in and UTC out: SQLite itself forgets the zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Drop the zone after turning to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone has no place in the store")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Put the zone back."""
        return value.replace(tzinfo=UTC) if value is not None else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """As SQLAlchemy's own, but what is no time is damage."""
        process = super().result_processor(dialect, coltype)
        assert process is not None  # this class has a process_result_value

        def checked(value: Any) -> Any:
            try:
                return process(value)
            except (ValueError, TypeError, AttributeError) as error:
                raise DamagedError("a time that is none") from error

        return checked


class Base(DeclarativeBase):
    """Base of all tables."""


class Sealed(Base):
    """Base of the tables whose rows carry a seal: all but the audit trail, which is chained."""

    __abstract__ = True
    id: Mapped[int]
    seal: Mapped[str] = mapped_column(String(32), sort_order=1000)
    """See :mod:`pathview.review.sql.seals`."""


class SealedSession(Session):
    """A session that lets no bulk change go past the seals."""


@event.listens_for(Sealed, "before_insert", propagate=True)
def _seal_new(mapper: Mapper[Any], connection: Connection, row: Sealed) -> None:
    _fill_defaults(mapper, row)
    if row.id is None:
        row.id = _next_id(mapper, connection, row)
    _seal(mapper, row)


@event.listens_for(Sealed, "before_update", propagate=True)
def _seal_changed(mapper: Mapper[Any], connection: Connection, row: Sealed) -> None:
    _seal(mapper, row)


@event.listens_for(Sealed, "load", propagate=True)
def _check_loaded(row: Sealed, context: Any) -> None:
    _check(row)


@event.listens_for(Sealed, "refresh", propagate=True)
def _check_refreshed(row: Sealed, context: Any, names: Any) -> None:
    if not instance_state(row).modified:
        _check(row)


@event.listens_for(SealedSession, "do_orm_execute")
def _refuse_bulk_changes(state: ORMExecuteState) -> None:
    given = state.parameters if isinstance(state.parameters, list) else [state.parameters or {}]
    if state.is_update or (state.is_insert and not all(SEAL in values for values in given)):
        raise RuntimeError("Rows are sealed: change them through their objects, or add them by seals.seal_rows.")


def _seal(mapper: Mapper[Any], row: Sealed) -> None:
    table = _table(mapper)
    row.seal = seal_of(table, {column.key: getattr(row, column.key) for column in table.columns})


def _check(row: Sealed) -> None:
    """Check a row of which all columns were loaded; lists that select some do without."""
    table, values = _table(object_mapper(row)), row.__dict__
    if all(column.key in values for column in table.columns):
        require_whole(table, values)


def _fill_defaults(mapper: Mapper[Any], row: Sealed) -> None:
    """Give the values that SQLAlchemy would fill in after the row was sealed."""
    for column in _table(mapper).columns:
        default: Any = column.default
        if default is not None and getattr(row, column.key) is None:
            setattr(row, column.key, default.arg(None) if default.is_callable else default.arg)


def _next_id(mapper: Mapper[Any], connection: Connection, row: Sealed) -> int:
    """The next number of the table: sealed with the row, and safe since there is one writer at a time."""
    session = object_session(row)
    assert session is not None  # a row is inserted by one
    table = _table(mapper)
    key = ("last id", table.name)
    if key not in session.info:
        session.info[key] = connection.execute(select(func.max(table.c.id))).scalar() or 0
    session.info[key] += 1
    return cast("int", session.info[key])


def _table(mapper: Mapper[Any]) -> Table:
    return cast("Table", mapper.local_table)
