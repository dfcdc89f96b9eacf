from __future__ import annotations

import json
from pathlib import Path

import pytest

from pathview import cli
from pathview.models.weights import WEIGHTS
from pathview.review.sql.database import Database
from pathview.settings import Settings
from pathview.training.publishing.promoting import Promoting
from tests.makers import tiny_cnn_recipe
from tests.model_makers import write_numbers_model


@pytest.fixture
def bare(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation without any model."""
    (home / "resources").mkdir()
    monkeypatch.setenv("PATHVIEW_RESOURCES", str(home / "resources"))
    return Settings()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """A command of the program: its status, its lines, its words."""

    def call(*arguments: object) -> tuple[int, list[dict], str]:
        status = cli.run([str(argument) for argument in arguments], lambda _: 0)
        captured = capsys.readouterr()
        return status, [json.loads(line) for line in captured.out.splitlines()], captured.err

    return call


@pytest.fixture
def two(bare: Settings, tmp_path: Path) -> Settings:
    """Two versions of a model, none of them present."""
    for seed in (1, 2):
        Promoting(bare, "Dr A").register(write_numbers_model(tmp_path / str(seed), seed))
    return bare


def test_that_versions_are_promoted_by_override_rolled_back_and_told(run, two: Settings) -> None:
    status, _, said = run("models", "promote", "tiny-cnn", "--version", 1)
    assert status == 1
    assert "Version 1 of tiny-cnn is not promoted. It was not compared with the present model." in said
    for number in (1, 2):
        status, lines, _ = run(
            "models", "promote", "tiny-cnn", "--version", number, "--override", "so", "--reader", "Chief"
        )
        assert (status, lines[0]["version"], lines[0]["who"], lines[0]["override"]) == (0, number, "Chief", "so")
    status, lines, _ = run("models", "rollback", "tiny-cnn", "--why", "too slow")
    assert (status, lines[0]["action"]) == (0, "rolled_back")
    status, lines, _ = run("models", "versions", "tiny-cnn")
    assert [(line["version"], line["present"]) for line in lines] == [(1, True), (2, False)]
    assert lines[0]["history"][1]["override_signed"] is True
    _, lines, _ = run("models", "list")
    assert [(line["name"], line["version"]) for line in lines] == [("tiny-cnn", 1)]
    _, lines, _ = run("audit", "list")
    told = [line["action"] for line in lines if line["action"].startswith("model_")]
    assert told == ["model_promoted", "model_promoted", "model_rolled_back"]


def test_that_the_first_published_model_takes_the_place_of_another_and_gives_it_back(
    run, bare: Settings, tmp_path: Path
) -> None:
    write_numbers_model(bare.data_dir / "models" / "tiny-cnn", 1)
    recipe = tiny_cnn_recipe(name="ours", default_for=[])
    Promoting(bare, "Dr A").register(write_numbers_model(tmp_path / "ours", 2, recipe), title="Ward 3")

    def listed() -> list[tuple[str, list[str]]]:
        return [(line["name"], line["default_for"]) for line in run("models", "list")[1]]

    assert listed() == [("tiny-cnn", ["histology"])]
    _, lines, _ = run("models", "promote", "ours", "--override", "a trial")
    assert (lines[0]["title"], lines[0]["default_for"]) == ("Ward 3", ["histology"])
    assert listed() == [("ours", ["histology"]), ("tiny-cnn", [])]
    status, lines, _ = run("models", "rollback", "ours", "--why", "it answers where nothing is")
    assert (status, lines[0]["action"]) == (0, "withdrawn")
    assert lines[0]["sentence"].endswith("tiny-cnn analyses histology images again: it answers where nothing is.")
    assert listed() == [("tiny-cnn", ["histology"])]
    _, lines, _ = run("models", "versions", "ours")
    assert [(line["title"], line["present"]) for line in lines] == [("Ward 3", False)]
    assert run("models", "rollback", "ours", "--to", 0)[0] == 1
    assert run("models", "rollback", "ours", "--to", 1)[0] == 0
    assert listed() == [("ours", ["histology"]), ("tiny-cnn", [])]
    _, lines, _ = run("audit", "list")
    told = [line["action"] for line in lines if line["action"].startswith("model_")]
    assert told == ["model_promoted", "model_withdrawn", "model_rolled_back"]


def test_that_a_model_goes_from_machine_to_machine(
    run, two: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tiny.pathview-model"
    status, lines, said = run("models", "export", "tiny-cnn", file, "--version", 2, "--owner", "Here")
    digits = lines[0]["fingerprint"]
    assert status == 0
    assert digits in said
    monkeypatch.setenv("PATHVIEW_HOME", str(tmp_path / "there"))
    status, _, said = run("models", "import", file)
    assert status == 1
    assert "signed" in said
    assert f"by 'Here' with the key {digits}" in said
    status, lines, said = run("models", "import", file, "--trust", digits)
    assert (status, lines[0]["version"]) == (0, 1)
    assert "not used before it is promoted" in said
    status, lines, _ = run("models", "list")
    assert lines == []
    file.write_bytes(file.read_bytes()[:-40])
    status, _, said = run("models", "import", file)
    assert (status, said.count("\n")) == (1, 1)


def test_that_silent_mode_begins_ends_and_reports_few_patients_as_few(run, two: Settings) -> None:
    run("models", "promote", "tiny-cnn", "--version", 1, "--override", "so")
    status, lines, _ = run("models", "silent", "tiny-cnn", "--version", 2)
    assert (status, lines[0]["beside"]) == (0, "tiny-cnn")
    _, lines, _ = run("models", "versions", "tiny-cnn")
    assert [line["silent_beside"] for line in lines] == [None, "tiny-cnn"]
    status, _, said = run("models", "silent", "tiny-cnn", "--version", 2, "--report")
    assert status == 1
    assert "has silently seen 0 patients" in said
    assert run("models", "silent", "tiny-cnn", "--version", 2, "--end")[0] == 0


def test_that_drift_of_a_model_that_analysed_nothing_is_too_few_to_tell(run, two: Settings) -> None:
    run("models", "promote", "tiny-cnn", "--version", 1, "--override", "so")
    status, lines, said = run("models", "drift", "tiny-cnn")
    assert (status, lines[0]["level"]) == (0, "too_few")
    assert "too few cases to tell" in said


def test_that_verify_finds_a_changed_version_that_is_not_present(run, two: Settings) -> None:
    assert run("models", "verify")[0] == 0
    path = Promoting(two, "Dr A").registry.version("tiny-cnn", 2).folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    status, lines, said = run("models", "verify")
    assert status == 1
    assert [line["weights"] for line in lines if not line["ok"]] == ["version 2"]
    assert "version 2 of tiny-cnn is not the one that was registered" in said


def test_that_models_are_left_alone_while_a_window_has_the_store(run, two: Settings) -> None:
    run("models", "promote", "tiny-cnn", "--version", 1, "--override", "for the test")
    run("models", "promote", "tiny-cnn", "--version", 2, "--override", "for the test")
    window = Database(two.store_place, reader="Dr Early")
    for arguments in (("rollback", "tiny-cnn"), ("silent", "tiny-cnn"), ("promote", "tiny-cnn", "--override", "now")):
        status, lines, said = run("models", *arguments)
        assert (status, lines, said.count("\n")) == (1, [], 1)
        assert "of Dr Early on" in said
        assert "close it there first. Nothing was changed" in said
        assert "Training, Continue a training" in said
    (second,) = [line for line in run("models", "versions", "tiny-cnn")[1] if line["present"]]
    assert second["version"] == 2
    window.close()
    assert run("models", "rollback", "tiny-cnn")[0] == 0


def test_that_what_is_not_there_is_told_in_one_sentence(run, bare: Settings, tmp_path: Path) -> None:
    for arguments in (
        ("versions", "none"),
        ("promote", "none"),
        ("rollback", "none"),
        ("export", "none", tmp_path / "x.pathview-model"),
        ("import", tmp_path / "gone.pathview-model"),
        ("drift", "none"),
        ("register", tmp_path),
    ):
        status, lines, said = run("models", *arguments)
        assert (status, lines, said.count("\n")) == (1, [], 1)
        assert "bug" not in said
