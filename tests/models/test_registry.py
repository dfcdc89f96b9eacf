from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pathview.errors import ModelError
from pathview.models.catalogue import Catalogue
from pathview.models.registry import HISTORY, Event, Registry, now
from pathview.models.weights import CARD, MANIFEST, SEEN, WEIGHTS
from pathview.settings import Settings
from tests.makers import tiny_cnn_recipe
from tests.model_makers import write_numbers_model


def an_event(action: str, version: int, **more) -> Event:
    return Event(action=action, version=version, who="Dr A", at=now(), sentence=f"{action}.", **more)


@pytest.fixture
def bare(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation without any model."""
    resources = home / "resources"
    resources.mkdir()
    monkeypatch.setenv("PATHVIEW_RESOURCES", str(resources))
    return Settings()


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (MANIFEST, WEIGHTS, SEEN)}


def test_that_a_version_is_present_only_once_it_was_promoted(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    one = registry.register(write_numbers_model(tmp_path / "one"), "Dr A", "trained")
    assert Catalogue(bare).models() == ()
    registry.record("tiny-cnn", an_event("promoted", 1))
    found = Catalogue(bare).model("tiny-cnn")
    assert (found.version, found.folder, found.weights) == (1, one.folder, "trained")
    assert found.as_json()["version"] == 1


def test_that_going_back_brings_the_exact_bytes(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    before = content(write_numbers_model(tmp_path / "one", 1))
    for number in (1, 2):
        registry.register(write_numbers_model(tmp_path / str(number), number), "Dr A", "trained")
        registry.record("tiny-cnn", an_event("promoted", number))
    assert content(registry.present("tiny-cnn").folder) != before
    assert registry.before("tiny-cnn") == 1
    registry.record("tiny-cnn", an_event("rolled_back", 1))
    present = Catalogue(bare).model("tiny-cnn")
    assert content(present.folder) == before
    assert present.version == 1
    assert registry.before("tiny-cnn") == 2


def test_that_a_withdrawn_version_is_present_no_longer_and_can_come_back(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    version = registry.register(write_numbers_model(tmp_path / "one"), "Dr A", "trained")
    assert registry.before("tiny-cnn") is None
    registry.record("tiny-cnn", an_event("promoted", 1))
    assert registry.before("tiny-cnn") == 0
    (version.folder / WEIGHTS).write_bytes(b"damaged since")
    registry.record("tiny-cnn", an_event("withdrawn", 1))
    assert registry.present("tiny-cnn") is None
    assert Catalogue(bare).models() == ()
    assert registry.chosen("tiny-cnn") == (0, 1, 0)
    assert registry.before("tiny-cnn") == 1


def test_that_there_is_no_way_back_behind_what_was_there_before_versions(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    registry.register(write_numbers_model(tmp_path / "one"), "Dr A", "bundled")
    registry.record("tiny-cnn", an_event("promoted", 1))
    assert registry.chosen("tiny-cnn") == (1,)
    assert registry.before("tiny-cnn") is None


def test_that_changes_of_all_models_have_one_order(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    for name in ("b-net", "a-net"):
        folder = write_numbers_model(tmp_path / name, recipe=tiny_cnn_recipe(name=name))
        registry.register(folder, "Dr A", "trained", title=f"On {name}")
        registry.record(name, an_event("promoted", 1, default_for=("histology",)))
    registry.record("b-net", an_event("silent", 1, beside="a-net"))
    assert [(name, event.turn) for name, event in registry.turns()] == [("b-net", 1), ("a-net", 2)]
    assert {model.name: model.default_for for model in Catalogue(bare).models()} == {
        "a-net": ("histology",), "b-net": ()}  # fmt: skip
    path = bare.versions_dir / "a-net" / HISTORY
    path.write_text(path.read_text().replace("Dr A", "Dr B"))
    default = Catalogue(bare).default_for("histology")
    assert default is not None
    assert default.words == "b-net, version 1 (On b-net)"  # what a changed history claims does not count


def test_that_the_same_model_twice_is_one_version(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    folder = write_numbers_model(tmp_path / "one")
    assert registry.register(folder, "Dr A", "trained").number == 1
    assert registry.register(folder, "Dr B", "trained").number == 1
    assert len(registry.events("tiny-cnn")) == 1


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS, SEEN])
def test_that_a_version_with_a_changed_file_is_neither_promoted_nor_gone_back_to(
    bare: Settings, tmp_path: Path, name: str
) -> None:
    registry = Registry(bare)
    version = registry.register(write_numbers_model(tmp_path / "one"), "Dr A", "trained")
    path = version.folder / name
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(ModelError, match=f"{name} of version 1 of tiny-cnn is not the one that was registered"):
        registry.record("tiny-cnn", an_event("promoted", 1))
    assert registry.present("tiny-cnn") is None


def test_that_a_present_version_with_another_manifest_is_told_and_not_used(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    version = registry.register(write_numbers_model(tmp_path / "one"), "Dr A", "trained")
    registry.record("tiny-cnn", an_event("promoted", 1))
    other = write_numbers_model(tmp_path / "two", 2)
    for name in (MANIFEST, WEIGHTS):
        shutil.copyfile(other / name, version.folder / name)
    found = Catalogue(bare).found()
    assert found.models == ()
    assert "not the one that was registered" in found.damaged[0].reason


def test_that_a_changed_history_names_no_present_model(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    for number in (1, 2):
        registry.register(write_numbers_model(tmp_path / str(number), number), "Dr A", "trained")
    registry.record("tiny-cnn", an_event("promoted", 1))
    path = bare.versions_dir / "tiny-cnn" / HISTORY
    lines = path.read_text().splitlines()
    forged = json.loads(lines[-1])
    forged["record"]["version"] = 2
    for text in (json.dumps(forged), ""):
        path.write_text("\n".join([*lines[:1], *([text] if text else []), lines[-1]]) + "\n")
        with pytest.raises(ModelError, match=r"history.jsonl of tiny-cnn is damaged or was changed at line 2"):
            registry.present("tiny-cnn")
        assert [one.name for one in Catalogue(bare).found().damaged] == ["tiny-cnn"]


def test_that_a_line_that_a_crash_cut_off_was_never_written(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    registry.register(write_numbers_model(tmp_path / "one"), "Dr A", "trained")
    path = bare.versions_dir / "tiny-cnn" / HISTORY
    whole = path.read_bytes()
    registry.record("tiny-cnn", an_event("promoted", 1))
    path.write_bytes(path.read_bytes()[:-20])
    assert registry.present("tiny-cnn") is None
    registry.record("tiny-cnn", an_event("silent", 1, beside="lesion-unet"))
    assert path.read_bytes().startswith(whole)
    assert [event.action for event in registry.events("tiny-cnn")] == ["registered", "silent"]


def test_that_a_folder_left_by_a_crash_is_no_version_and_in_nobodys_way(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    left = bare.versions_dir / "tiny-cnn" / "0001"
    left.mkdir(parents=True)
    (left / WEIGHTS).write_bytes(b"half")
    version = registry.register(write_numbers_model(tmp_path / "one"), "Dr A", "trained")
    assert version.folder == left
    version.check()


def test_that_the_card_tells_all_that_was_done_with_its_version(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    version = registry.register(write_numbers_model(tmp_path / "one"), "Dr A", "trained", "trained on ten patients.")
    for _ in range(2):
        registry.record("tiny-cnn", an_event("promoted", 1))
    card = (version.folder / CARD).read_text()
    assert card.startswith("# Tiny, seed 1\n")
    assert card.count("## Version 1") == 1
    assert card.count("Dr A: trained on ten patients.") == 1
    assert card.count("Dr A: promoted.") == 2


def test_that_silent_mode_ends_with_its_end_and_with_a_promotion(bare: Settings, tmp_path: Path) -> None:
    registry = Registry(bare)
    for number in (1, 2):
        registry.register(write_numbers_model(tmp_path / str(number), number), "Dr A", "trained")
        registry.record("tiny-cnn", an_event("silent", number, beside="other"))
    assert [version.number for version in registry.silent("other")] == [1, 2]
    assert registry.silent("tiny-cnn") == ()
    registry.record("tiny-cnn", an_event("promoted", 1))
    registry.record("tiny-cnn", an_event("silent_ended", 2))
    assert registry.silent("other") == ()
