"""An open store, wherever it is: transactions, migrations after a backup, errors as sentences."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from pathview.errors import DamagedStoreError, StoreError
from pathview.review.sql import audit
from pathview.review.sql.base import SealedSession
from pathview.review.sql.head import Head
from pathview.review.sql.place import Place
from pathview.review.sql.seals import DamagedError, schema_digest
from pathview.review.sql.server import BACKUPS, PostgresServer, is_url
from pathview.review.sql.sqlite_file import SqliteFile
from pathview.review.sql.tables import AuditTable

PROGRAM = "PathView"
"""Who does in the audit trail what no reader asked for."""
_VERSIONS = Path(__file__).parent / "migrations" / "versions"
log = logging.getLogger(__name__)


class OlderStoreError(StoreError):
    """A store of an older version, which can only be opened to be written."""


class Database:
    """One open store. Reading works beside another instance; a SQLite file is written by one instance only."""

    def __init__(self, place: Path | str | Place, writable: bool = True, reader: str = "") -> None:
        """Open or make the store.

        Args:
            place: path of a SQLite file, or the address of a PostgreSQL database
                (``postgresql://NAME:PASSWORD@HOST/DATABASE``).
            writable: False to read beside whoever writes.
            reader: who opens it, for others who find it locked; empty: the login name.

        Raises:
            StoreError: in use, unreadable, damaged, cut short, or written by a newer version.
        """
        self.place = place_of(place, writable, reader) if isinstance(place, Path | str) else place
        self.writable = self.place.writable
        try:
            self._engine = self.place.open()
            with self._translated():
                migrated = self._migrate()
                if self.writable:
                    self._check_head(migrated)
        except OSError as error:
            self.close()
            raise StoreError(
                f"The case store {self.name} cannot be opened: {error.strerror or 'input/output error'}."
            ) from error
        except StoreError:
            self.close()
            raise

    @property
    def name(self) -> str:
        """What sentences call the store; holds no password."""
        return self.place.name

    @property
    def path(self) -> Path | None:
        """The file; None: the store is on a server."""
        return self.place.path if isinstance(self.place, SqliteFile) else None

    def close(self) -> None:
        """Let store and lock go."""
        if hasattr(self, "_engine"):
            self._engine.dispose()
        self.place.release()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """All or nothing: commits at the end, rolls back on any error.

        Raises:
            StoreError: the disk is full, the store cannot be written, or it is damaged.
        """
        with self._translated(), SealedSession(self._engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
            self._keep_head(audit.head_written(session))

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent look, which waits for no writer.

        Raises:
            StoreError: the store is damaged.
        """
        readers = self._engine.execution_options(reading=True)
        with (
            self._translated(),
            SealedSession(readers, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def hold_as(self, reader: str) -> None:
        """Say who has the store, to others who find it locked."""
        self.place.hold_as(reader)

    def backup(self, target: Path) -> None:
        """Copy the store to a file and check the copy.

        Raises:
            StoreError: the copy cannot be written or is not whole, or the store is on a server.
        """
        if not isinstance(self.place, SqliteFile):
            raise StoreError(BACKUPS)
        with self._translated():
            self.place.copy_to(self._engine, target)

    def problems(self) -> list[str]:
        """What the database itself finds wrong, a sentence each."""
        with self._translated(), self._engine.execution_options(reading=True).connect() as connection:
            return self.place.problems(connection)

    def schema(self) -> str:
        """A hash of tables, indexes and triggers as they are defined."""
        with self._translated(), self._engine.execution_options(reading=True).connect() as connection:
            return schema_digest(self.place.schema(connection))

    def _keep_head(self, head: Head | None) -> None:
        if head is None or self.place.head is None:
            return
        try:
            self.place.head.write(head)
        except OSError as error:  # what was done is committed; the next commit tries again
            log.warning("the head of the audit trail was not kept: %s", error.strerror)

    def _check_head(self, migrated: bool) -> None:
        """Refuse a trail whose end is gone; one without a head gets a row that says so."""
        if self.place.head is None:
            return
        kept = self.place.head.read()
        with self.reading() as session:
            last = audit.last_row(session)
            there = session.scalar(select(AuditTable.hash).where(AuditTable.id == kept.number)) if kept else None
        if kept is not None and there != kept.hash:
            cut = f"its audit trail no longer holds row {kept.number}, the last written"
            raise DamagedStoreError(self.place.damaged(cut))
        if kept is None and last is not None and not migrated:
            with self.transaction() as session:
                audit.record(session, PROGRAM, "head_missing", None, {})
        elif kept != last:
            self._keep_head(last)

    def _migrate(self) -> bool:
        """Bring the schema up to date; Alembic is imported only when there is something to do."""
        revisions = sorted(path.name.split("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py"))
        with self._engine.execution_options(reading=True).connect() as connection:
            current = _revision(connection)
        if current == revisions[-1]:
            return False
        if current is not None and current not in revisions:
            raise StoreError(f"The case store {self.name} was written by a newer PathView; update this one.")
        if not self.writable:
            if current is None:
                raise StoreError(f"There is no case store {self.name} yet; analyse something first.")
            raise OlderStoreError(f"The case store {self.name} is of an older version; open it in the window once.")
        if current is not None and self.path is not None:
            self.backup(self.path.with_name(f"{self.path.stem}-before-{revisions[-1]}.sqlite"))
        with self.place.migrating(self._engine) as connection:
            self._upgrade(connection, revisions[-1])
        return True

    def _upgrade(self, connection: Connection, newest: str) -> None:
        """Run the migrations, unless another window did while this one waited for its turn."""
        if _revision(connection) == newest:
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_VERSIONS.parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        with SealedSession(connection) as session:
            made = {"revision": newest, "schema": schema_digest(self.place.schema(connection))}
            audit.record(session, PROGRAM, "migrate", None, made)
            session.commit()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the database as sentences."""
        try:
            yield
        except DamagedError as error:
            raise DamagedStoreError(self.place.damaged(str(error))) from error
        except UnicodeDecodeError as error:  # SQLite's own words about damage may hold the damage
            raise DamagedStoreError(self.place.damaged("")) from error
        except (DBAPIError, sqlite3.Error) as error:
            raise self.place.told(error) from error


def place_of(place: Path | str, writable: bool = True, reader: str = "") -> Place:
    """The place of a path or an address.

    Raises:
        StoreError: the address is none of a PostgreSQL database.
    """
    if is_url(place):
        return PostgresServer(str(place), writable)
    return SqliteFile(Path(place), writable, reader)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
