"""``pathview store`` and ``pathview audit``."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import sys
from pathlib import Path

import pytest

from pathview import cli
from pathview.review.records.case import NewImage
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.session import WindowRequest
from tests.review.filled import fill


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a store with something in every table."""
    found = tmp_path / "cases.sqlite"
    database = Database(found)
    fill(database)
    database.close()
    return found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Run a command; its exit status, the objects it printed, and what it said."""
    opened: list[WindowRequest] = []

    def call(*arguments: object) -> tuple[int, list[dict], str]:
        code = cli.run([str(argument) for argument in arguments], lambda request: opened.append(request) or 0)
        captured = capsys.readouterr()
        return code, [json.loads(line) for line in captured.out.splitlines()], captured.err

    call.opened = opened
    return call


def test_that_a_whole_store_is_verified(run, path: Path) -> None:
    for verb in ("store", "audit"):
        code, (found,), said = run(verb, "verify", "--store", path)
        assert (code, said) == (0, "")
        assert (found["ok"], found["problems"], found["notices"]) == (True, [], [])
        assert found["rows"] > 10


def test_that_a_changed_row_is_an_object_with_a_sentence_and_status_1(run, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE cases SET title = 'other' WHERE id = 1")
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET actor = 'x' WHERE id = 3")
    connection.close()
    code, (found,), _ = run("audit", "verify", "--store", path)
    assert (code, found["ok"], found["problems"]) == (1, False, ["Audit row 3 was changed."])
    code, (found,), _ = run("store", "verify", "--store", path)
    assert code == 1
    assert found["problems"] == [
        "Row 1 of cases was changed.",
        "The store's tables, indexes or triggers are not those that PathView made.",
        "Audit row 3 was changed.",
    ]


def test_that_a_store_that_cannot_be_opened_names_the_way_to_restore(run, path: Path) -> None:
    _, (made,), _ = run("store", "backup", "--store", path)
    path.write_bytes(b"no database" * 500)
    code, printed, said = run("store", "verify", "--store", path)
    assert (code, printed) == (1, [])
    assert said == (
        "pathview: The case store cases.sqlite is damaged; restore a backup: `pathview store backups` lists them.\n"
    )
    _, (listed,), _ = run("store", "backups", "--store", path)
    assert (listed["name"], listed["whole"]) == (made["name"], True)
    code, (done,), said = run("store", "restore", listed["name"], "--yes", "--reader", "Dr A", "--store", path)
    assert (code, done["ok"], done["restored"]) == (0, True, listed["name"])
    assert done["aside"] in said
    assert (path.parent / done["aside"]).read_bytes() == b"no database" * 500
    code, rows, _ = run("audit", "list", "--limit", 1, "--store", path)
    assert (code, rows[0]["actor"], rows[0]["action"]) == (0, "Dr A", "restore")


def test_that_a_restore_says_what_it_puts_aside_and_takes_a_yes(
    run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (made,), _ = run("store", "backup", "--store", path)
    store = Store(Database(path))
    before = len(store.new_case_ids())
    store.add_case("late", "late.png", "other", [NewImage(Path("/data/late.png"), {"kind": "other"})], "Dr A")
    store.close()
    code, printed, said = run("store", "restore", made["name"], "--store", path)
    assert (code, printed) == (1, [])
    assert re.search(r"store of 7 cases and 6 decisions is put aside for one of 6 cases and 6 decisions", said), said
    assert "takes --yes" in said
    for typed, code in (("n\n", 1), ("y\n", 0)):
        asked = io.StringIO(typed)
        monkeypatch.setattr(asked, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", asked)
        assert run("store", "restore", made["name"], "--store", path)[0] == code
    store = Store(Database(path))
    assert len(store.new_case_ids()) == before
    store.close()


def test_that_verifying_and_backing_up_work_beside_the_window(run, path: Path) -> None:
    window = Store(Database(path))
    assert run("store", "verify", "--store", path)[0] == 0
    code, (made,), _ = run("store", "backup", "--store", path)
    assert (code, (path.parent / "backups" / made["name"]).exists()) == (0, True)
    code, printed, said = run("store", "restore", made["name"], "--yes", "--store", path)
    assert (code, printed) == (1, [])
    assert "in use by process" in said
    window.close()


def test_that_the_trail_is_listed_by_case_and_count(run, path: Path) -> None:
    code, rows, _ = run("audit", "list", "--store", path)
    assert code == 0
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0]["action"] == "migrate"
    assert {row["case_id"] for row in run("audit", "list", "--case", 2, "--store", path)[1]} == {2}
    assert [row["number"] for row in run("audit", "list", "--limit", 2, "--store", path)[1]] == [
        len(rows) - 1,
        len(rows),
    ]


def test_that_the_trail_does_not_tell_a_reader_what_is_hidden(run, path: Path) -> None:
    store = Store(Database(path.with_name("blind.sqlite")))
    image = NewImage(Path("/data/m.dcm"), {"kind": "mammogram"})
    case_id = store.add_case("m", "m.dcm", "mammogram", [image], "Dr A")
    store.decide(case_id, "positive", "", "Dr A")
    store.close()
    for reader, seen in (("Dr A", True), ("Dr B", False)):
        rows = run("audit", "list", "--case", case_id, "--reader", reader, "--store", path.with_name("blind.sqlite"))[1]
        assert ("positive" in json.dumps(rows)) == seen
        assert "lock" in [row["action"] for row in rows]


def test_that_backups_of_a_server_are_its_own(run) -> None:
    for verb in (["backups"], ["restore", "x"]):
        code, printed, said = run("store", *verb, "--store", "postgresql://a:secret@127.0.0.1:1/cases")
        assert (code, printed) == (1, [])
        assert "are the server's own" in said
    code, _, said = run("cases", "list", "--store", "postgresql://a:secret@127.0.0.1:1/cases")
    assert (code, said) == (
        1, "pathview: The server of cases on 127.0.0.1 does not answer; check the address and the network.\n",
    )  # fmt: skip


def test_that_the_environment_names_the_store(run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHVIEW_STORE", str(path))
    assert len(run("cases", "list")[1]) == 6
    monkeypatch.setenv("PATHVIEW_STORE", "postgresql://a:secret@127.0.0.1:1/cases")
    code, _, said = run("cases", "list")
    assert code == 1
    assert "does not answer" in said
    assert "secret" not in said
    run("open", path, "--store", "postgresql://a@host/cases")
    assert run.opened[-1].store == "postgresql://a@host/cases"
