"""The power fails in the middle of deciding: of what was not synced, any part may be gone. No decision may be."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pathview.review.sql.database import Database
from pathview.review.sql.verifying import verify_store
from pathview.review.store import Store
from tests.review.filled import a_case

CUTS = int(os.environ.get("PATHVIEW_TEST_CUTS", "30"))
DECISIONS = 60
CASES = 6
PROGRAM = textwrap.dedent("""
    import os, sys
    import sqlalchemy
    from pathlib import Path
    from pathview.review.sql import sqlite_file
    from pathview.review.sql.database import Database
    from pathview.review.store import Store

    folder, sqlite_file.SYNCHRONOUS = Path(sys.argv[1]), sys.argv[2]

    @sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
    def often(connection, _):
        connection.execute("PRAGMA wal_autocheckpoint = 40")

    store = Store(Database(folder / "cases.sqlite"))
    said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(int(sys.argv[3])):
        row = store.decide(number % int(sys.argv[4]) + 1, "positive", "x" * 300, f"Dr {number % 3}")
        os.write(said, b"%d\\n" % row.id)
    os._exit(0)
""")


@dataclass(frozen=True)
class Step:
    """One thing that was done to a file."""

    operation: str
    name: str
    offset: int
    data: bytes


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that writes down what a process does to files."""
    compiler = shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no gcc here, or no Linux")
    library = tmp_path_factory.mktemp("shim") / "write_log.so"
    source = Path(__file__).with_name("write_log.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


def decided(folder: Path, shim: Path, synchronous: str) -> tuple[dict[str, bytes], list[Step]]:
    """What a store's folder held before a process decided in it, and what it did to the files."""
    folder.mkdir()
    store = Store(Database(folder / "cases.sqlite"))
    for number in range(CASES):
        a_case(store, f"case {number}")
    store.close()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    log = folder.with_name(f"{folder.name}.log")
    environment = {**os.environ, "LD_PRELOAD": str(shim), "WRITE_LOG": str(log), "WRITE_LOG_FOLDER": str(folder)}
    arguments = [str(folder), synchronous, str(DECISIONS), str(CASES)]
    subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=True, env=environment)
    return before, list(_steps(log.read_bytes()))


def test_that_no_acknowledged_decision_is_lost_to_a_power_cut(tmp_path: Path, shim: Path) -> None:
    before, steps = decided(tmp_path / "full", shim, "FULL")
    names = {(step.operation, step.name) for step in steps}
    assert {("S", "cases.sqlite"), ("S", "cases.sqlite-wal"), ("S", "cases.sqlite.head")} <= names
    numbers = random.Random("full")
    for cut in _cuts(steps, numbers):
        folder = _rebuilt(tmp_path / "cut", before, steps[:cut], numbers)
        assert not _lost(folder, steps[:cut]), f"lost at step {cut}"
        database = Database(folder / "cases.sqlite")
        found = verify_store(database)
        database.close()
        assert (found.problems, found.notices) == ((), ()), f"damaged at step {cut}"
        shutil.rmtree(folder)


def test_that_the_power_cut_would_show_a_loss(tmp_path: Path, shim: Path) -> None:
    """With one sync less a commit the same test sees decisions go: it can fail."""
    before, steps = decided(tmp_path / "normal", shim, "NORMAL")
    numbers = random.Random("normal")
    lost = 0
    for cut in _cuts(steps, numbers):
        folder = _rebuilt(tmp_path / "cut", before, steps[:cut], numbers)
        lost += bool(_lost(folder, steps[:cut]))
        shutil.rmtree(folder)
    assert lost > CUTS / 4


def _cuts(steps: list[Step], numbers: random.Random) -> list[int]:
    first = next(index for index, step in enumerate(steps) if step.name == "said")
    return [numbers.randrange(first + 1, len(steps) + 1) for _ in range(CUTS)]


def _steps(log: bytes) -> Iterator[Step]:
    at = 0
    while at < len(log):
        operation, length = struct.unpack_from("<cH", log, at)
        at += 3
        path = log[at : at + length].decode()
        at += length
        offset, size = struct.unpack_from("<QQ", log, at)
        at += 16
        yield Step(operation.decode(), Path(path).name, offset, log[at : at + size])
        at += size


def _rebuilt(folder: Path, before: dict[str, bytes], steps: list[Step], numbers: random.Random) -> Path:
    """A folder as the disk has it: what was synced, and of the rest nothing or any of the writes."""
    synced = dict(before)
    pending: dict[str, list[Step]] = {}
    for step in steps:
        if step.operation == "S":
            synced[step.name] = _applied(synced.get(step.name, b""), pending.pop(step.name, []))
        elif step.operation == "U":
            synced.pop(step.name, None)
            pending.pop(step.name, None)
        else:
            assert step.operation in "WT"
            pending.setdefault(step.name, []).append(step)
    share = numbers.choice((0.0, 0.5, 0.9))
    for name, writes in pending.items():
        kept = [step for step in writes if numbers.random() < share]
        synced[name] = _applied(synced.get(name, b""), kept)
    folder.mkdir()
    for name, content in synced.items():
        if name.startswith("cases.sqlite") and not name.endswith(("-shm", ".lock", ".holder")):
            (folder / name).write_bytes(content)
    return folder


def _applied(content: bytes, steps: list[Step]) -> bytes:
    changed = bytearray(content)
    for step in steps:
        end = step.offset + len(step.data)
        if step.operation == "T":
            changed = changed[: step.offset].ljust(step.offset, b"\0")
        else:
            changed = changed.ljust(end, b"\0") if len(changed) < end else changed
            changed[step.offset : end] = step.data
    return bytes(changed)


def _lost(folder: Path, steps: list[Step]) -> set[int]:
    """Decisions that were acknowledged and are not there."""
    said = b"".join(step.data for step in steps if step.name == "said")
    connection = sqlite3.connect(folder / "cases.sqlite")
    try:
        kept = {row[0] for row in connection.execute("SELECT id FROM decisions")}
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()
    return {int(number) for number in said.split()} - kept
