"""The reading protocol on the command line: what it tells and refuses, with a result that cannot be overlooked."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from pathview import cli
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.settings import Settings
from tests.makers import breast_pixels, write_dicom
from tests.review.reading_makers import CANARIES, canaries_in, canary_result

TELLING = (
    ("cases", "list"), ("cases", "list", "--order", "newest"), ("cases", "list", "--order", "name"),
    ("cases", "list", "--order", "random"), ("cases", "list", "--worklist", "Mammograms"),
    ("cases", "show", 1), ("cases", "read", 1), ("cases", "tiles", 1), ("cases", "answers", 1),
    ("cases", "answers", 1, "--score"), ("cases", "answer", 1, "0,0,4,4", "positive"),
    ("cases", "export-labels", "--out", "labels"), ("cases", "export-labels", "--out", "labels", "--case", 1),
    ("cases", "list", "--order", "score"), ("cases", "list", "--order", "uncertain"),
    ("worklists", "list"), ("audit", "list"), ("audit", "list", "--case", 1), ("agreement",), ("store", "verify"),
)  # fmt: skip
"""Every verb that reads a store."""
WRITING = {
    "open", "analyse", "cases decide", "cases withdraw", "cases truth", "cases replay", "cases export", "readers list",
    "readers add", "worklists create", "worklists mode", "worklists rename", "worklists move", "worklists assign",
    "worklists close", "worklists arbitrate", "worklists import", "store backup", "store backups", "store restore",
    "audit verify", "cases import", "dataset collect", "models drift", "models import", "models promote",
    "models register", "models rollback", "models silent",
}  # fmt: skip
"""Those that tell nothing of results, or have a test of their own."""


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tiny_models: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command on the test's store as the reader Ada."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "Ada")

    def call(*arguments: object, store: bool = True) -> Said:
        given = [str(argument) for argument in arguments] + (["--store", str(tmp_path / "s.sqlite")] if store else [])
        code = cli.run(given, lambda _: 0)
        return Said(code, *capsys.readouterr())

    return call


@pytest.fixture
def mammogram(tmp_path: Path) -> Path:
    return write_dicom(tmp_path / "m.dcm", breast_pixels(300, 220), ImagerPixelSpacing=[0.1, 0.1], ImageLaterality="L")


@pytest.fixture
def kept(run, mammogram: Path, tmp_path: Path) -> float:
    """Case 1 is a mammogram in a second read, its newest result the canary; the score of the one before."""
    assert run("analyse", mammogram).code == 0
    store = Store(Database(tmp_path / "s.sqlite"))
    image = store.case(1).images[0]
    store.save_result(image.id, canary_result(), "analyst")
    store.close()
    return image.result.score


def verbs(command: object, before: tuple[str, ...] = ()) -> set[str]:
    """All verbs that work on a store."""
    if hasattr(command, "commands"):
        return set().union(*(verbs(each, (*before, name)) for name, each in command.commands.items()))
    return {" ".join(before)} if any("--store" in option.opts for option in command.params) else set()


def test_that_every_verb_on_a_store_was_thought_of() -> None:
    telling = {" ".join(verb[: 1 if len(verb) == 1 else 2]) for verb in TELLING}
    assert verbs(typer.main.get_command(cli.app)) == telling | WRITING


@pytest.mark.usefixtures("kept")
def test_that_no_verb_tells_the_model_before_the_lock(run, home: Path) -> None:
    for verb in TELLING:
        said = run(*verb)
        assert canaries_in(said.out + said.err) == set(), verb
        assert "Traceback" not in said.err
    assert canaries_in(b"".join(path.read_bytes() for path in home.glob("*.log")).decode()) == set()
    assert not Path("labels").exists()


@pytest.mark.usefixtures("kept")
def test_that_all_is_told_after_the_lock(run) -> None:
    assert run("cases", "decide", 1, "negative").code == 0
    assert canaries_in(run("cases", "show", 1).out) == set(CANARIES)
    (row,) = run("cases", "list").lines
    assert (row["score"], row["state"], row["hidden"]) == (0.7351, "first_locked", "")
    assert canaries_in(run("cases", "show", 1, "--reader", "Bea").out) == set()


@pytest.mark.usefixtures("kept")
def test_that_orders_by_the_model_are_refused_in_a_sentence(run) -> None:
    for order in ("score", "uncertain"):
        said = run("cases", "list", "--order", order)
        assert (said.code, said.out) == (1, "")
        assert "hidden in the worklist Mammograms" in said.err
        assert run("cases", "list", "--order", order, "--worklist", "Tissue").code == 0
    assert run("cases", "list", "--worklist", "None such").code == 1


def test_that_analyse_with_a_store_tells_only_that_it_ran(run, mammogram: Path, tmp_path: Path) -> None:
    said = run("analyse", mammogram, "--out", tmp_path / "o", "--explain", "pool3")
    (line,) = said.lines
    told = {key: value for key, value in line.items() if value is not None}
    assert told == {"path": str(mammogram), "recipe": "tiny-unet", "status": "analysed", "hidden": line["hidden"]}
    assert "hidden until you lock" in line["hidden"]
    assert "Nothing is written of it" in said.err
    assert not (tmp_path / "o").exists()
    assert run("analyse", mammogram, store=False).lines[0]["score"] is not None


def test_that_a_reveal_tells_all_and_is_kept(run, mammogram: Path, tmp_path: Path) -> None:
    said = run("analyse", mammogram, "--out", tmp_path / "o", "--reveal")
    (line,) = said.lines
    assert line["score"] is not None
    assert Path(line["files"]["mask"]).is_file()
    assert "reveal" in [row["action"] for row in run("audit", "list").lines]
    assert run("cases", "show", 1).lines[0]["score"] is None  # the veil stays
    locked = run("cases", "decide", 1, "negative").lines[0]
    assert (locked["stage"], locked["context"]["unblinded"]) == ("first", True)


@pytest.mark.usefixtures("kept")
def test_that_why_a_hidden_case_was_not_analysed_is_hidden_too(run, tmp_path: Path) -> None:
    ct = write_dicom(tmp_path / "ct.dcm", breast_pixels(), Modality="MG", BitsAllocated=16)
    said = run("analyse", ct, "--recipe", "tiny-cnn")
    (line,) = said.lines
    assert (said.code, line["status"], line["reason"]) == (1, "not_analysed", None)
    assert "hidden until you lock" in line["hidden"]


@pytest.mark.usefixtures("kept")
def test_that_deciding_goes_from_the_lock_to_the_final_decision(run) -> None:
    opened = run("cases", "read", 1).lines[0]
    assert (opened["stage"], opened["form"]["name"], opened["state"]) == ("first", "mammography", "in_reading")
    first = run("cases", "decide", 1, "--set", "birads=4a", "--set", "density=c", "--note", "spiculated").lines[0]
    assert (first["stage"], first["value"], first["mode"]) == ("first", "positive", "second_read")
    assert first["answers"] == {"birads": "4A", "density": "c"}
    said = run("cases", "decide", 1, "--set", "birads=2")
    assert (said.code, said.out) == (1, "")
    assert "Say why you change" in said.err
    assert (
        "first assessment unchanged"
        in run("cases", "decide", 1, "--change", "--set", "birads=4A", "--set", "density=c", "--reason", "x").err
    )
    final = run("cases", "decide", 1, "--set", "birads=2", "--reason", "The mask lies on the nipple.").lines[0]
    assert (final["stage"], final["value"], final["reason"]) == ("final", "negative", "The mask lies on the nipple.")
    replay = run("cases", "replay", final["id"]).lines[0]
    assert replay["images"][0]["result"]["score"] == 0.7351
    assert run("cases", "replay", first["id"]).lines[0]["images"][0]["result"] is None
    assert run("cases", "show", 1).lines[0]["state"] == "decided"
    assert run("cases", "withdraw", 1).lines[0]["value"] is None
    assert run("cases", "withdraw", 1).code == 1


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("decide", 1), "Nothing is filled in yet"),
        (("decide", 1, "--set", "birads=9"), "BI-RADS category is one of 0, 1, 2"),
        (("decide", 1, "--set", "colour=red"), "has no field 'colour'"),
        (("decide", 1, "positive", "--set", "birads=1"), "these answers are negative, not positive"),
        (("decide", 9, "positive"), "no case 9"),
        (("withdraw", 1), "no decision of Ada"),
        (("replay", 7), "no decision 7"),
        (("truth", 1, "positive"), "where it is known from"),
        (("truth", 1, "perhaps", "--source", "x"), "positive or negative"),
        (("truth", "--csv", "gone.csv"), "gone.csv cannot be read"),
        (("show", 1, "--reader", " "), "1 to 80 letters"),
    ],
)
def test_that_what_the_protocol_refuses_is_one_sentence(run, arguments: tuple, told: str) -> None:
    said = run("cases", *arguments)
    assert (said.code, said.out) == (1, "")
    assert told in said.err
    assert said.err.count("pathview:") == 1


@pytest.mark.usefixtures("kept")
def test_that_wrong_usage_is_told_as_such(run) -> None:
    for arguments in (
        ("truth",),
        ("truth", 1),
        ("truth", 1, "positive", "--csv", "x.csv"),
        ("decide", 1, "--set", "a"),
    ):
        assert run("cases", *arguments).code == 2


@pytest.mark.usefixtures("kept")
def test_that_truths_are_kept_and_told_to_nobody_who_reads(run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,value,source\nm.dcm,positive,stereotaxy 2024\n")
    assert run("cases", "truth", "--csv", "t.csv").lines[0]["case_id"] == 1
    assert run("cases", "truth", 1, "positive", "--source", "stereotaxy").lines[0]["value"] == "positive"
    for verb in TELLING:
        said = run(*verb)
        assert "stereotaxy" not in said.out + said.err, verb
        if verb[:2] != ("cases", "read"):  # its form has the word
            assert "positive" not in said.out, verb


def test_that_readers_are_added_and_listed(run) -> None:
    assert run("readers", "add", "Bea").lines[0]["name"] == "Bea"
    assert [line["name"] for line in run("readers", "list").lines] == ["Bea"]
    assert run("readers", "add", "").code == 1


@pytest.mark.usefixtures("kept")
def test_that_the_log_holds_no_result(run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "pathview"):
        run("cases", "read", 1)
        run("cases", "decide", 1, "positive")
    assert canaries_in(caplog.text) == set()


@pytest.fixture
def own(kept: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's store as the reader's own."""
    monkeypatch.setenv("PATHVIEW_STORE", str(tmp_path / "s.sqlite"))
    return tmp_path / "s.sqlite"


def test_that_an_image_hidden_in_the_readers_own_store_is_not_told_outside_it(
    run, own: Path, mammogram: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "another name.dcm"
    copy.write_bytes(mammogram.read_bytes())
    for path in (mammogram, copy):
        said = run("analyse", path, "--out", tmp_path / "o", store=False)
        (line,) = said.lines
        assert (said.code, line["status"], line["score"], line["provenance"]) == (0, "analysed", None, None)
        assert "hidden until you lock" in line["hidden"]
    assert not (tmp_path / "o").exists()
    assert run("analyse", copy, "--reveal", store=False).lines[0]["score"] is not None
    assert "reveal" in [row["action"] for row in run("audit", "list").lines]
    assert run("cases", "decide", 1, "negative").lines[0]["context"]["unblinded"] is True
    assert run("analyse", copy, store=False).lines[0]["score"] is not None  # locked: nothing is hidden any more
    assert run("analyse", copy, "--reader", "Bea", store=False).lines[0]["score"] is None


def test_that_a_store_that_is_open_elsewhere_still_hides_what_it_hides(run, own: Path, mammogram: Path) -> None:
    window = Store(Database(own))
    said = run("analyse", mammogram, store=False)
    assert (said.code, said.lines[0]["score"]) == (0, None)
    assert "hidden until you lock" in said.lines[0]["hidden"]
    said = run("analyse", mammogram, "--reveal", store=False)
    assert (said.code, said.lines[0]["score"]) == (0, None)
    assert "could not be kept that you asked for it" in said.err
    assert "in use by" in said.err
    window.close()
    assert "reveal" not in [row["action"] for row in run("audit", "list").lines]


def test_that_a_store_that_cannot_be_read_is_said_and_never_makes_an_analysis_fail(
    run, own: Path, mammogram: Path, tmp_path: Path
) -> None:
    own.write_bytes(b"no database" * 500)
    said = run("analyse", mammogram, store=False)
    assert (said.code, said.lines[0]["status"], said.lines[0]["score"]) == (0, "analysed", None)
    assert "could not be checked" in said.err
    assert "is damaged" in said.err
    assert run("analyse", mammogram, "--reveal", store=False).lines[0]["score"] is not None
    text = tmp_path / "text.dcm"
    text.write_text("no image", encoding="utf-8")
    assert "text.dcm" in run("analyse", text, store=False).lines[0]["reason"]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("verb", [("move", "Tissue", 1), ("mode", "Mammograms", "assisted")])
def test_that_a_case_leaves_the_veil_only_on_request_and_the_record_says_so(run, verb: tuple) -> None:
    run("cases", "read", 1)
    refused = run("worklists", *verb)
    assert (refused.code, refused.out) == (1, "")
    assert "1 reader (Ada) has not locked an assessment of 1 case" in refused.err
    assert "--unblind" in refused.err
    assert run("cases", "list").lines[0]["score"] is None
    assert run("worklists", *verb, "--unblind").code == 0
    assert run("cases", "list").lines[0]["score"] == 0.7351
    back = ("move", "Mammograms", 1) if verb[0] == "move" else ("mode", "Mammograms", "second_read")
    assert run("worklists", *back).code == 0
    assert run("cases", "list").lines[0]["score"] is None
    assert run("cases", "decide", 1, "negative").lines[0]["context"]["unblinded"] is True
    run("cases", "decide", 1, "--keep")
    assert run("agreement", "--out", "report").code == 0
    table = next(path for path in Path("report").glob("*.csv") if "model_shown_before" in path.read_text("utf-8"))
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    assert {row["model_shown_before"] for row in rows} == {"1"}


@pytest.mark.usefixtures("kept")
def test_that_arbitration_asks_and_hides_from_who_has_not_read(run) -> None:
    for reader, value in (("Ada", "negative"), ("Bea", "positive")):
        run("cases", "decide", 1, value, "--reader", reader)
        run("cases", "decide", 1, "--keep", "--reader", reader)
    run("cases", "read", 1, "--reader", "Cleo")
    refused = run("worklists", "arbitrate", "Mammograms")
    assert (refused.code, refused.out) == (1, "")
    assert "1 reader (Cleo) has not read 1 case of the 1" in refused.err
    assert run("worklists", "arbitrate", "Mammograms", "--anyway").lines[0]["cases"] == [1]
    for verb in (("cases", "list"), ("cases", "show", 1), ("agreement",)):
        asker = "--as" if verb == ("agreement",) else "--reader"
        said = run(*verb, asker, "Cleo")
        assert canaries_in(said.out) == set()
        assert "Bea" not in said.out
    run("worklists", "assign", 1, "--to", "Cleo")
    assert canaries_in(run("cases", "show", 1, "--reader", "Cleo").out) == set(CANARIES)
