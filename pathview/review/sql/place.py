"""Where a store can be: what a SQLite file and a PostgreSQL server have in common."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from pathview.errors import StoreError
from pathview.review.sql.head import HeadFile
from pathview.review.sql.seals import DamagedError


class Place(Protocol):
    """One place of a store."""

    name: str
    """For sentences; holds no password."""
    writable: bool
    head: HeadFile | None
    """Where the audit trail's head is kept; None: nowhere."""

    def open(self) -> Engine:
        """Connect; transactions that are not marked ``reading`` begin as the only writer.

        Raises:
            StoreError: in use, or there is none to read.
            OSError: it cannot be made.
        """

    def release(self) -> None:
        """Let others write."""

    def hold_as(self, reader: str) -> None:
        """Say who has the store."""

    def migrating(self, engine: Engine) -> AbstractContextManager[Connection]:
        """A transaction of the only writer, in which the schema is changed."""

    def problems(self, connection: Connection) -> list[str]:
        """What the database itself finds wrong, a sentence each."""

    def schema(self, connection: Connection) -> list[str]:
        """Tables, indexes and triggers as they are defined, in a stable order."""

    def told(self, error: Exception) -> StoreError:
        """An error of the database with its sentence."""

    def damaged(self, what: str) -> str:
        """The sentence about a store that is not as it was written."""


def whole_json(content: str | bytes) -> Any:
    """A JSON column's value.

    Raises:
        DamagedError: it is none.
    """
    try:
        return json.loads(content)
    except (ValueError, TypeError) as error:
        raise DamagedError("a field that cannot be read") from error
