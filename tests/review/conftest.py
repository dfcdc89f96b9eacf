"""The same tests on both databases: a SQLite file, and a PostgreSQL server that the test run starts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy

from pathview.review.sql.database import Database
from pathview.review.store import Store
from tests.review.postgres import Cluster, programs


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server; skips where none is installed."""
    folder = programs()
    if folder is None:
        pytest.skip("no PostgreSQL here (Debian's package postgresql)")
    found = Cluster(folder)
    yield found
    found.stop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a SQLite store, for what only a file has."""
    return tmp_path / "cases.sqlite"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_place(request: pytest.FixtureRequest) -> Iterator[Path | str]:
    """Where a store is to be, on each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("path")
        return
    server: Cluster = request.getfixturevalue("cluster")
    url = server.new_database()
    yield url
    server.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Iterator[Path | str]:
    """Where a store without cases is, on each database; a copy, since migrations take half a second."""
    if request.param == "sqlite":
        path: Path = request.getfixturevalue("path")
        for file in request.getfixturevalue("migrated_file").iterdir():
            shutil.copyfile(file, path.with_name(file.name))
        yield path
        return
    server: Cluster = request.getfixturevalue("cluster")
    url = server.new_database(request.getfixturevalue("migrated_server"))
    yield url
    server.drop(url)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store without cases."""
    folder = tmp_path_factory.mktemp("migrated")
    Database(folder / "cases.sqlite").close()
    return folder


@pytest.fixture(scope="session")
def migrated_server(cluster: Cluster) -> str:
    """The name of a database with a store without cases."""
    url = cluster.new_database()
    Database(url).close()
    return url.rsplit("/", 1)[1]


@pytest.fixture
def database(place: Path | str) -> Iterator[Database]:
    """An open store on each database."""
    found = Database(place)
    yield found
    found.close()


@pytest.fixture
def store(database: Database) -> Store:
    """Cases on each database."""
    return Store(database)


@pytest.fixture
def file_store(path: Path) -> Iterator[Store]:
    """Cases in a SQLite file."""
    found = Store(Database(path))
    yield found
    found.close()


@pytest.fixture
def rows_of() -> Callable[[Path | str, str], list[tuple]]:
    """Runs plain SQL on a store, beside the program."""

    def run(place: Path | str, statement: str) -> list[tuple]:
        url = place if isinstance(place, str) else sqlalchemy.URL.create("sqlite", database=str(place))
        engine = sqlalchemy.create_engine(url)
        try:
            with engine.begin() as connection:
                found = connection.execute(sqlalchemy.text(statement))
                return [tuple(row) for row in found] if found.returns_rows else []
        finally:
            engine.dispose()

    return run


@pytest.fixture
def rows(place: Path | str, rows_of: Callable[[Path | str, str], list[tuple]]) -> Callable[[str], list[tuple]]:
    """The same on the test's store, on each database."""
    return partial(rows_of, place)
