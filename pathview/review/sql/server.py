"""A store on a PostgreSQL server, for several readers at once: one of them writes at a time, as with a SQLite file."""

from __future__ import annotations

from contextlib import AbstractContextManager

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from pathview.errors import StoreError
from pathview.review.sql.head import HeadFile
from pathview.review.sql.place import whole_json

BACKUPS = "Backups of a store on a PostgreSQL server are the server's own (pg_dump, or its archive of changes)."
_SCHEMES = ("postgresql", "postgresql+psycopg", "postgres")
_WRITER = 0x50617468
"""The advisory lock that a transaction takes before it writes, so that the audit trail stays one chain."""
_OPTIONS = "-c synchronous_commit=on -c timezone=UTC -c lock_timeout=5000"
_DISK_FULL, _READ_ONLY, _LOCKED = "53100", "25006", ("55P03", "40001", "40P01")


class PostgresServer:
    """One database on a server."""

    def __init__(self, url: str, writable: bool = True) -> None:
        """Read the address; nothing is opened yet.

        Raises:
            StoreError: it is none of a PostgreSQL database.
        """
        self.url, self.writable = _parsed(url), writable
        self.name = f"{self.url.database} on {self.url.host or 'this machine'}"
        self.head: HeadFile | None = None

    def open(self) -> Engine:
        """An engine that connects when it is first used.

        Raises:
            StoreError: the driver is not installed.
        """
        try:
            engine = create_engine(
                self.url,
                pool_pre_ping=True,
                json_deserializer=whole_json,
                connect_args={"connect_timeout": 10, "application_name": "PathView", "options": _OPTIONS},
            )
        except ModuleNotFoundError as error:
            raise StoreError(
                "A store on a PostgreSQL server needs psycopg: install it by `pip install 'pathview[postgres]'`."
            ) from error

        @event.listens_for(engine, "begin")
        def _begun(connection: Connection) -> None:
            if connection.get_execution_options().get("reading") or not self.writable:
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            else:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_WRITER})"))

        return engine

    def release(self) -> None:
        """Nothing is held between transactions."""

    def hold_as(self, reader: str) -> None:
        """Nothing is held between transactions."""

    def migrating(self, engine: Engine) -> AbstractContextManager[Connection]:
        """A transaction in which the schema is changed."""
        return engine.begin()

    def problems(self, connection: Connection) -> list[str]:
        """None: pages and references are the server's own care."""
        return []

    def schema(self, connection: Connection) -> list[str]:
        """Columns and triggers."""
        columns = (
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
            "WHERE table_schema = current_schema() ORDER BY 1, 2"
        )
        triggers = (
            "SELECT c.relname, t.tgname, t.tgtype, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2"
        )
        return [repr(tuple(row)) for query in (columns, triggers) for row in connection.execute(text(query))]

    def told(self, error: Exception) -> StoreError:
        """An error of the database with its sentence."""
        return StoreError(self._sentence(error))

    def _sentence(self, error: Exception) -> str:
        cause = getattr(error, "orig", error)
        state, words = getattr(cause, "sqlstate", None), str(cause).lower()
        if state == _DISK_FULL:
            return f"The server's disk is full: nothing was written to {self.name}."
        if state == _READ_ONLY or "permission denied" in words:
            return f"The case store {self.name} may only be read with this name; ask the server's administrator."
        if state in _LOCKED:
            return f"The case store {self.name} is busy; try again in a moment."
        if "password" in words or "authentication" in words or ("role" in words and "does not exist" in words):
            return f"The server refused the name or the password for {self.name}."
        if "database" in words and "does not exist" in words:
            return f"There is no database {self.name}; the server's administrator can make it."
        if getattr(error, "connection_invalidated", False) or (state or "").startswith(("57P", "08")):
            return (
                f"The connection to {self.name} was lost; look whether the last step is there and do it again if not."
            )
        if state is None:
            return f"The server of {self.name} does not answer; check the address and the network."
        return f"The case store {self.name} refused a change; nothing was written."

    def damaged(self, what: str) -> str:
        """The sentence about a store that is not as it was written."""
        where = f" ({what})" if what else ""
        return f"The case store {self.name} is damaged{where}; restore one of the server's own backups."


def is_url(place: object) -> bool:
    """Whether a store's place is an address rather than a file."""
    return isinstance(place, str) and "://" in place


def _parsed(url: str) -> URL:
    try:
        found = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            "The store's address is not understood; it looks like postgresql://NAME@HOST/DATABASE."
        ) from error
    if found.drivername not in _SCHEMES or not found.database:
        raise StoreError("A store is a file, or a database at an address like postgresql://NAME@HOST/DATABASE.")
    return found.set(drivername="postgresql+psycopg")
