"""What is particular about a store on a PostgreSQL server."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pathview.errors import StoreError
from pathview.review.sql.backups import backup_if_due, backup_now
from pathview.review.sql.database import Database
from pathview.review.sql.verifying import verify_store
from pathview.review.store import Store
from tests.review.filled import a_case
from tests.review.postgres import Cluster

SECRET = "s3cr3t-w0rd"


@pytest.fixture
def url(cluster: Cluster):
    found = cluster.new_database()
    yield found
    cluster.drop(found)


def test_that_several_windows_write_to_one_trail(url: str) -> None:
    """Two processes decide at once; the trail is one chain and nothing is missing."""
    first = Store(Database(url))
    for number in range(4):
        a_case(first, f"c{number}")
    program = textwrap.dedent("""
        import sys
        from pathview.review.sql.database import Database
        from pathview.review.store import Store
        store = Store(Database(sys.argv[1]))
        for number in range(20):
            store.decide(number % 4 + 1, "positive", "", sys.argv[2])
        store.close()
    """)
    others = [subprocess.Popen([sys.executable, "-c", program, url, f"Dr {n}"]) for n in range(2)]
    for number in range(20):
        first.decide(number % 4 + 1, "negative", "", "Dr Here")
    assert [other.wait() for other in others] == [0, 0]
    assert sum(len(first.case(number).decisions) for number in range(1, 5)) == 60
    found = verify_store(first.database)
    first.close()
    assert (found.problems, found.notices) == ((), ())


def test_that_two_windows_may_open_an_empty_database_at_once(url: str) -> None:
    program = "import sys; from pathview.review.sql.database import Database; Database(sys.argv[1]).close()"
    both = [subprocess.Popen([sys.executable, "-c", program, url]) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    database = Database(url)
    with database.reading() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM audit").scalar() == 1
    database.close()


def test_that_a_reader_waits_for_no_writer_and_cannot_write(url: str) -> None:
    store = Store(Database(url))
    case_id = a_case(store)
    beside = Store(Database(url, writable=False))
    with store.database.transaction():
        assert beside.case(case_id).case.title == "a.svs"
    with pytest.raises(StoreError, match="may only be read"):
        a_case(beside, "b")
    beside.close()
    store.close()


def test_that_backups_are_the_servers_own(url: str, tmp_path: Path) -> None:
    database = Database(url)
    assert backup_if_due(database) is None
    for make in (lambda: backup_now(database), lambda: database.backup(tmp_path / "b.sqlite")):
        with pytest.raises(StoreError, match="are the server's own"):
            make()
    database.close()


def test_that_an_empty_database_cannot_be_read(url: str) -> None:
    with pytest.raises(StoreError, match="There is no case store"):
        Database(url, writable=False)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("postgresql://nobody:{secret}@127.0.0.1:{port}/postgres", "refused the name or the password for postgres on"),
        (
            "postgresql://postgres:{secret}@127.0.0.1:{port}/postgres",
            "refused the name or the password for postgres on",
        ),
        ("postgresql://postgres:{password}@127.0.0.1:{port}/nothing", "There is no database nothing on 127.0.0.1"),
        ("postgresql://postgres:{secret}@127.0.0.1:1/cases", "cases on 127.0.0.1 does not answer"),
        ("postgresql://postgres:{secret}@no-such-host.invalid/cases", "does not answer; check the address"),
        ("mysql://root:{secret}@host/cases", "at an address like postgresql"),
        ("postgresql://host", "at an address like postgresql"),
        ("postgresql://host:port/cases", "address is not understood"),
    ],
)
def test_that_what_keeps_a_server_from_answering_is_told(cluster: Cluster, address: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence) as told:
        Database(address.format(secret=SECRET, password=cluster.password, port=cluster.port))
    assert SECRET not in str(told.value)
    assert cluster.password not in str(told.value)


def test_that_a_lost_connection_is_told_and_the_next_try_connects(cluster: Cluster, url: str) -> None:
    store = Store(Database(url))
    case_id = a_case(store)
    name = url.rsplit("/", 1)[1]

    def cut() -> None:
        with store.database.transaction() as session:
            session.connection()
            cluster.run_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            session.connection().exec_driver_sql("SELECT 1")

    with pytest.raises(StoreError, match=r"connection to .* was lost; look whether the last step is there"):
        cut()
    store.decide(case_id, "positive", "", "Dr A")
    assert verify_store(store.database).ok
    store.close()


def test_that_a_writer_that_waits_too_long_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Database(url)
    monkeypatch.setattr("pathview.review.sql.server._OPTIONS", "-c lock_timeout=50")
    second = Store(Database(url))
    with first.transaction() as session:
        session.connection()
        with pytest.raises(StoreError, match="busy; try again"):
            a_case(second)
    assert a_case(second) == 1
    second.close()
    first.close()


def test_that_the_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'pathview\[postgres\]'"):
        Database("postgresql://a@127.0.0.1/cases")
