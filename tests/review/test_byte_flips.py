"""A byte of the store changes on the disk: it is told, or what the store says is unchanged."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from pathview.errors import StoreError
from pathview.review.sql.database import Database
from pathview.review.sql.verifying import verify_store
from pathview.review.store import Store
from tests.review.filled import content, fill

FLIPS = int(os.environ.get("PATHVIEW_TEST_FLIPS", "25"))
FILES = ("cases.sqlite", "cases.sqlite-wal", "cases.sqlite.head")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that was closed: one file, with pages that are free again."""
    folder = tmp_path_factory.mktemp("closed")
    database = Database(folder / "cases.sqlite")
    fill(database, 30)
    with database.transaction() as session:
        session.connection().exec_driver_sql("CREATE TABLE scratch AS SELECT data FROM maps")
    with database.transaction() as session:
        session.connection().exec_driver_sql("DROP TABLE scratch")
    database.close()
    assert not (folder / "cases.sqlite-wal").exists()
    return folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store as a kill leaves it: what was done last stands in the write-ahead log."""
    folder, copy = tmp_path_factory.mktemp("running"), tmp_path_factory.mktemp("killed")
    database = Database(folder / "cases.sqlite")
    fill(database, 3)
    database.close()
    database = Database(folder / "cases.sqlite")
    Store(database).decide(1, "negative", "the last", "Dr Z")
    for name in FILES:
        shutil.copyfile(folder / name, copy / name)
    database.close()
    assert (copy / "cases.sqlite-wal").stat().st_size > 0
    return copy


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("state", ["closed", "killed"])
def test_that_no_changed_byte_goes_unnoticed(
    name: str, state: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    original: Path = request.getfixturevalue(state)
    if not (original / name).exists():
        assert (state, name) == ("closed", "cases.sqlite-wal")
        return
    whole = _content(_copied(original, tmp_path / "whole"))
    random_bytes, told = random.Random(f"{state} {name}"), 0
    flips = FLIPS if name == "cases.sqlite" else max(FLIPS // 4, 10)
    for number in range(flips):
        path = _copied(original, tmp_path / str(number))
        where = _flip(path.with_name(name), random_bytes)
        sentence = _told(path)
        told += sentence is not None
        if sentence is None:
            assert _content(path) == whole, f"byte {where} of {name} changed the store unnoticed"
        shutil.rmtree(path.parent)
    if (state, name) == ("closed", "cases.sqlite"):
        assert told > flips / 4  # the rest lies in pages and parts of pages that hold nothing


def test_that_the_check_sees_what_sqlites_own_does_not(closed: Path, tmp_path: Path) -> None:
    """A changed letter of a note is a whole file to SQLite."""
    path = _copied(closed, tmp_path / "copy")
    stored = path.read_bytes()
    assert stored.count("Notiz 3: größer".encode()) == 1
    path.write_bytes(stored.replace("Notiz 3: größer".encode(), "Notiz 9: größer".encode()))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert _told(path) == "Row 4 of decisions was changed."


def _copied(original: Path, folder: Path) -> Path:
    shutil.copytree(original, folder)
    return folder / "cases.sqlite"


def _flip(path: Path, numbers: random.Random) -> int:
    stored = bytearray(path.read_bytes())
    where = numbers.randrange(len(stored))
    stored[where] ^= numbers.randrange(1, 256)
    path.write_bytes(stored)
    return where


def _told(path: Path) -> str | None:
    """The first sentence that opening or checking says, or None."""
    try:
        database = Database(path)
    except StoreError as error:
        return str(error)
    try:
        return next(iter(verify_store(database).problems), None)
    except StoreError as error:
        return str(error)
    finally:
        database.close()


def _content(path: Path) -> dict[str, list[tuple]]:
    database = Database(path, writable=False)
    try:
        found = content(database)
    finally:
        database.close()
    found["audit"] = [row for row in found["audit"] if "head_missing" not in row[3]]
    return found
