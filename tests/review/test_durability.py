"""What is acknowledged stays: killed, with a full disk, with a file or folder that cannot be written."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathview.errors import StoreError
from pathview.review.sql.database import Database
from pathview.review.sql.verifying import verify_store
from pathview.review.store import Store
from tests.review.filled import a_case

KILLS = int(os.environ.get("PATHVIEW_TEST_KILLS", "25"))
CASES = 20


def whole(path: Path) -> None:
    """A store that nothing is wrong with."""
    database = Database(path)
    found = verify_store(database)
    database.close()
    assert (found.problems, found.notices) == ((), ())


def test_that_no_acknowledged_decision_is_lost_to_a_kill(path: Path, file_store: Store) -> None:
    """A child decides and prints each number once it is saved; it is killed in the middle, again and again."""
    for number in range(CASES):
        a_case(file_store, f"case {number}")
    file_store.close()
    program = [sys.executable, "-m", "tests.review.forking", str(path), str(CASES)]
    numbers, acknowledged = random.Random(6), []
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as forking:
        assert forking.stdin is not None
        assert forking.stdout is not None
        for _ in range(KILLS):
            forking.stdin.write("\n")
            said = forking.stdout.readline().split()
            while said[0] != "child":
                acknowledged.append(int(said[0]))
                said = forking.stdout.readline().split()
            acknowledged += [int(forking.stdout.readline()) for _ in range(numbers.randrange(6))]
            for _ in range(numbers.randrange(60_000)):  # some moment of the next transaction
                pass
            os.kill(int(said[1]), signal.SIGKILL)
            while (line := forking.stdout.readline().strip()) != "gone":
                acknowledged.append(int(line))
        forking.stdin.close()
    connection = sqlite3.connect(path)
    kept = {row[0] for row in connection.execute("SELECT id FROM decisions")}
    connection.close()
    assert len(acknowledged) > KILLS
    assert set(acknowledged) <= kept
    assert len(kept) <= len(acknowledged) + KILLS  # at most one a kill was saved and not yet said
    whole(path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1.5 MB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(folder)], capture_output=True)
    if made.returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(store: Store, case_id: int) -> list[int]:
    """Decide until it is refused; the ids that were acknowledged."""
    acknowledged: list[int] = []

    def decide() -> None:
        while True:
            row = store.decide(case_id, "negative", "x" * 20_000, f"Dr {len(acknowledged)}")
            acknowledged.append(row.id)

    with pytest.raises(StoreError, match=r"disk is full: nothing was written to cases\.sqlite"):
        decide()
    return acknowledged


def test_that_a_full_disk_is_told_and_loses_nothing(small_disk: Path) -> None:
    path = small_disk / "cases.sqlite"
    store = Store(Database(path))
    case_id = a_case(store)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 300_000)
    acknowledged = fill_up(store, case_id)
    assert {row.id for row in store.case(case_id).decisions} == set(acknowledged)
    with pytest.raises(StoreError, match=r"disk is full|cannot be written"):
        store.backup_if_due()
    ballast.unlink()
    acknowledged.append(store.decide(case_id, "positive", "after", "Dr A").id)
    store.close()
    whole(path)
    again = Store(Database(path))
    assert {row.id for row in again.case(case_id).decisions} == set(acknowledged)
    again.close()


def test_that_a_file_that_may_not_grow_loses_nothing(path: Path) -> None:
    """A limit on the size of files fails a write in its middle, as a failing disk does."""
    store = Store(Database(path))
    case_id = a_case(store)
    store.close()
    program = textwrap.dedent("""
        import resource, signal, sys
        from pathlib import Path
        from pathview.errors import StoreError
        from pathview.review.sql.database import Database
        from pathview.review.store import Store
        store = Store(Database(Path(sys.argv[1])))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))
        try:
            for number in range(2000):
                print(store.decide(int(sys.argv[2]), "positive", "x" * 5000, f"Dr {number}").id, flush=True)
        except StoreError as error:
            print(error, flush=True)
    """)
    done = subprocess.run([sys.executable, "-c", program, str(path), str(case_id)], capture_output=True, text=True)
    *acknowledged, sentence = done.stdout.splitlines()
    assert (done.stderr, done.returncode) == ("", 0)
    assert "nothing was written" in sentence
    again = Store(Database(path))
    assert [row.id for row in again.case(case_id).decisions] == [int(number) for number in acknowledged]
    again.close()
    whole(path)


def test_that_a_file_that_may_only_be_read_is_told(path: Path, file_store: Store) -> None:
    case_id = a_case(file_store)
    file_store.decide(case_id, "positive", "", "Dr A")
    file_store.close()
    before = path.read_bytes()
    read_only(path, path.parent)
    assert refusal(path) == "The case store cases.sqlite cannot be opened: Permission denied."
    assert path.read_bytes() == before


def refusal(path: Path) -> str:
    """What opening a store to write says to a user without privileges."""
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from pathview.errors import StoreError
        from pathview.review.sql.database import Database
        if os.getuid() == 0:
            os.setgid(65534); os.setuid(65534)
        try:
            Database(Path(sys.argv[1]))
        except StoreError as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def read_only(path: Path, folder: Path) -> None:
    """Let nobody write, and everybody read."""
    for each in folder.iterdir():
        each.chmod(0o444)
    folder.chmod(0o555)
    for parent in folder.parents:
        if parent.stat().st_uid == os.getuid() and len(parent.parts) > 2:
            parent.chmod(parent.stat().st_mode | 0o055)


def test_that_a_store_on_a_disk_that_turned_read_only_is_told(small_disk: Path) -> None:
    path = small_disk / "cases.sqlite"
    store = Store(Database(path))
    case_id = a_case(store)
    store.decide(case_id, "positive", "", "Dr A")
    store.close()
    before = path.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreError, match="cannot be opened: Read-only file system"):
        Database(path)
    assert path.read_bytes() == before
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    whole(path)
