"""Backups of a store: made, listed, checked, and put back with what was there kept."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pathview.errors import StoreError
from pathview.review.sql import audit
from pathview.review.sql.backups import (
    Backup,
    backup_if_due,
    backup_now,
    backups_of,
    check_backup,
    contents_of,
    restore,
)
from pathview.review.sql.database import Database
from pathview.review.sql.verifying import verify_store
from pathview.review.store import Store
from tests.review import first_version
from tests.review.filled import a_case, content, fill


@pytest.fixture
def backed(path: Path) -> Backup:
    """A store with a backup, and a decision made since."""
    database = Database(path)
    fill(database)
    made = backup_now(database)
    Store(database).decide(1, "negative", "since the backup", "Dr B")
    database.close()
    (found,) = backups_of(path)
    assert found.path == made
    return found


def test_that_a_backup_tells_how_much_it_holds_as_of_then(backed: Backup, path: Path) -> None:
    with sqlite3.connect(path) as now:
        now.execute("UPDATE cases SET decision = NULL WHERE id = 1")
        cases, decided = now.execute("SELECT count(*), count(decision) FROM cases").fetchone()
    held = contents_of(backed)
    assert held is not None
    assert (held.cases, held.decided) == (cases, decided + 1)  # one was taken back since
    assert contents_of(backed) is held
    backed.path.write_bytes(b"no store")
    (found,) = backups_of(path, check=False)
    assert contents_of(found) is None
    assert not list(backed.path.parent.glob("*-shm"))


def damage(path: Path) -> None:
    """Letters of a note change on the disk."""
    stored = path.read_bytes()
    assert b"Notiz 3" in stored
    path.write_bytes(stored.replace(b"Notiz 3", b"Notiz 4"))


def test_that_backups_are_listed_with_date_size_and_whether_they_are_whole(path: Path, backed: Backup) -> None:
    assert backed.problems == ()
    assert backed.size_bytes == backed.path.stat().st_size
    assert timedelta() <= datetime.now(UTC) - backed.made < timedelta(minutes=10)
    damage(backed.path)
    (found,) = backups_of(path)
    assert found.problems == ("Row 4 of decisions was changed.",)
    assert backups_of(path, check=False)[0].problems is None
    assert {file.suffix for file in backed.path.parent.iterdir()} == {".sqlite"}


def test_that_a_damaged_store_is_restored_and_kept(path: Path, backed: Backup) -> None:
    damage(path)
    damaged = path.read_bytes()
    database = Database(path)
    assert verify_store(database).problems == ("Row 4 of decisions was changed.",)
    with pytest.raises(StoreError, match=r"damaged .*restore a backup: `pathview store backups` lists them"):
        Store(database).case(4)
    database.close()
    done = restore(path, backed.name, "Dr A")
    assert done.check.ok
    assert path.with_name(done.aside).read_bytes() == damaged
    database = Database(path)
    assert [row.value for row in Store(database).case(1).decisions] == ["positive"]
    with database.reading() as session:
        (row,) = audit.newest(session, limit=1)
    found = verify_store(database)
    database.close()
    assert (row.actor, row.action, row.detail) == ("Dr A", "restore", {"backup": backed.name, "aside": done.aside})
    assert (found.problems, found.notices) == ((), ())


def test_that_a_store_that_cannot_even_be_opened_is_restored(path: Path, backed: Backup) -> None:
    path.write_bytes(b"this is no database" * 300)
    with pytest.raises(StoreError, match="damaged; restore a backup"):
        Database(path)
    done = restore(path, backed.name, "Dr A")
    assert path.with_name(done.aside).read_bytes().startswith(b"this is no database")
    assert done.check.problems == ()
    path.unlink()
    assert restore(path, backed.name, "Dr A").aside == ""


def test_that_the_log_of_a_killed_store_goes_aside_with_it(path: Path, backed: Backup) -> None:
    """A write-ahead log beside another file than its own would be written into it."""
    database = Database(path)
    Store(database).decide(2, "positive", "in the log alone", "Dr B")
    names = [path.name, f"{path.name}-wal", f"{path.name}.head"]
    left = {name: path.with_name(name).read_bytes() for name in names}
    before = content(database)
    database.close()
    for name, bytes_left in left.items():
        path.with_name(name).write_bytes(bytes_left)
    done = restore(path, backed.name, "Dr A")
    assert done.check.ok
    aside = Database(path.with_name(done.aside))
    now = content(aside)
    aside.close()
    assert now["decisions"] == before["decisions"]
    assert any("in the log alone" in row[8] + repr(row) for row in now["decisions"])


def test_that_a_backup_that_is_not_whole_is_not_restored(path: Path, backed: Backup) -> None:
    damage(backed.path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not whole, so nothing was restored"):
        restore(path, backed.name, "Dr A")
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*damaged*"))


@pytest.mark.parametrize("name", ["", "cases.sqlite", "../cases.sqlite", "cases-20200101T000000.sqlite"])
def test_that_only_a_backup_is_restored(path: Path, backed: Backup, name: str) -> None:
    with pytest.raises(StoreError, match="no backup"):
        restore(path, name, "Dr A")


def test_that_a_store_in_use_is_not_restored(path: Path, backed: Backup) -> None:
    database = Database(path, reader="Dr Busy")
    with pytest.raises(StoreError, match=r"in use by process .* of Dr Busy on .* since"):
        restore(path, backed.name, "Dr A")
    database.close()
    assert restore(path, backed.name, "Dr A").check.ok


def test_that_a_damaged_store_does_not_push_out_whole_backups(path: Path, backed: Backup) -> None:
    damage(path)
    database = Database(path)
    with pytest.raises(StoreError, match=r"damaged \(Row 4 of decisions was changed\)"):
        backup_now(database)
    database.close()
    assert [found.name for found in backups_of(path)] == [backed.name]


def test_that_the_last_seven_days_are_kept_whatever_the_clock_says(path: Path) -> None:
    database = Database(path)
    a_case(Store(database))
    folder = path.parent / "backups"
    for day in range(1, 10):
        made = backup_if_due(database)
        assert made is not None
        then = datetime.now(UTC) - timedelta(days=20 - day)
        older = folder / f"cases-{then:%Y%m%dT%H%M%S}.sqlite"
        made.rename(older)
        os.utime(older, (then.timestamp(), then.timestamp()))
    newest = backup_if_due(database)
    assert newest is not None
    assert backup_if_due(database) is None
    assert len(backups_of(path)) == 7
    backup_now(database)
    assert len(backups_of(path)) == 8  # another one of today pushes no day out
    for each in backups_of(path, check=False):  # as if the clock had been ahead then
        os.utime(each.path, (datetime.now(UTC).timestamp() + 1e6,) * 2)
    assert backup_if_due(database) is not None
    database.close()


def test_that_the_copy_before_a_migration_is_a_backup_too(path: Path) -> None:
    first_version.make(path)
    Database(path).close()
    (before,) = backups_of(path)
    assert before.name.startswith("cases-before-")
    assert before.problems == ()
    done = restore(path, before.name, "Dr A")
    assert done.check.ok
    connection = sqlite3.connect(path.with_name(before.name))
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET rootpage = 9999 WHERE name = 'images'")
    connection.commit()
    connection.close()
    assert check_backup(before.path)


def test_that_another_stores_backups_are_not_its_own(path: Path, backed: Backup) -> None:
    assert backups_of(path.with_name("other.sqlite")) == ()
    assert backups_of(path.with_name("[c]ases.sqlite")) == ()
