"""From a finished run to the model that analyses images, with networks that are told what to see."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pathview.errors import DataError, ModelError, StoreError
from pathview.jobs import never, no_progress
from pathview.models.catalogue import Catalogue
from pathview.models.recipe import Recipe
from pathview.models.registry import Registry
from pathview.models.weights import CARD, MANIFEST, SEEN, WEIGHTS, Manifest, read_manifest
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.verifying import verify_audit
from pathview.settings import Settings
from pathview.training.measures.comparing import Comparison
from pathview.training.publishing import contest as contests
from pathview.training.publishing.contest import contest, request_for
from pathview.training.publishing.promoting import Promoting, override_holds
from pathview.training.runs.locked_uses import uses_of_test
from pathview.training.runs.plan import Override
from pathview.training.runs.run_folder import RunFolder
from tests.makers import tiny_cnn_recipe
from tests.model_makers import write_numbers_model
from tests.training.runs import CLASSES, reddish_run

RECIPE = tiny_cnn_recipe(classes=list(CLASSES))


@dataclass
class Reddish:
    """A network that sees how red an image is, as far as ``eyes`` goes; the rest is chance."""

    recipe: Recipe
    eyes: float
    weights_sha256: str = ""
    runtime: str = "none"
    device: str = "none"
    precision: str = "float32"

    def predict(self, images: np.ndarray) -> np.ndarray:
        red = images[..., 0].mean(axis=(1, 2))
        chance = np.sin(1e4 * images[..., 1].mean(axis=(1, 2))) / 2 + 0.5
        score = self.eyes * red + (1 - self.eyes) * chance
        return np.stack([1 - score, score], axis=-1).astype(np.float32)


@pytest.fixture
def bare(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation without any model."""
    (home / "resources").mkdir()
    monkeypatch.setenv("PATHVIEW_RESOURCES", str(home / "resources"))
    return Settings()


@pytest.fixture(scope="module")
def collected_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a locked split of 48 patients; malignant is red."""
    return reddish_run(tmp_path_factory.mktemp("run")).path


@pytest.fixture
def run(collected_run: Path) -> RunFolder:
    found = RunFolder(collected_run)
    found.remove("test-uses.jsonl")
    return found


@pytest.fixture
def promoting(bare: Settings) -> Promoting:
    return Promoting(bare, "Dr A")


def registered(promoting: Promoting, folder: Path, seed: int):
    return promoting.register(write_numbers_model(folder / f"model-{seed}", seed, RECIPE))


def compared(
    promoting: Promoting, version, run: RunFolder, eyes: dict[int, float], monkeypatch: pytest.MonkeyPatch, **more
) -> Comparison:
    """The contest of a version and the present model, each seeing as well as ``eyes`` says by its number."""

    def opened(folder: Path, _: Settings) -> Reddish:
        return Reddish(read_manifest(folder).recipe, eyes[int(folder.name)])

    monkeypatch.setattr(contests, "open_network", opened)
    request = request_for(version.folder, promoting.rival(RECIPE), run.path, "Dr A", **more)
    return contest(request, promoting.settings, no_progress, never())


def test_that_the_first_model_has_the_best_plain_baseline_to_beat(
    promoting: Promoting, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registered(promoting, tmp_path, 1)
    found = compared(promoting, version, run, {1: 0.0}, monkeypatch)
    assert found.against == "the plain baseline colour alone"  # which sees red
    assert found.decides.present > 0.95
    with pytest.raises(ModelError, match=r"Version 1 of tiny-cnn is not promoted\. Against the plain baseline"):
        promoting.promote(version, found)
    assert Catalogue(promoting.settings).found().named("tiny-cnn") is None


def test_that_a_better_model_takes_the_place_of_the_present_one_and_a_worse_one_does_not(
    promoting: Promoting, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = (registered(promoting, tmp_path, seed) for seed in (1, 2, 3))
    promoting.promote(one, None, Override(who="Dr A", why="there is none yet"))
    eyes = {1: 0.02, 2: 1.0, 3: 0.02}
    better = compared(promoting, two, run, eyes, monkeypatch)
    assert better.against == "tiny-cnn, version 1"
    assert better.verdict == "better"
    promoting.promote(two, better)
    assert Catalogue(promoting.settings).model("tiny-cnn").version == 2
    assert f"promoted. {better.sentence}" in (two.folder / CARD).read_text()
    worse = compared(promoting, three, run, eyes, monkeypatch)
    assert worse.verdict == "not_shown"
    with pytest.raises(ModelError, match="that it is better is not shown"):
        promoting.promote(three, worse)
    assert Catalogue(promoting.settings).model("tiny-cnn").version == 2


def test_that_a_comparison_counts_as_a_look_at_the_test_patients(
    promoting: Promoting, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registered(promoting, tmp_path, 1)
    found = [compared(promoting, version, run, {1: 1.0}, monkeypatch) for _ in range(2)][-1]
    assert [(use.who, use.purpose, use.model) for use in uses_of_test(run)] == [
        ("Dr A", "comparison", found.new_sha256)
    ] * 2
    assert any("looked at twice" in notice for notice in found.notices)
    assert found.split_sha256 == run.split().test_sha256


def test_that_a_model_of_its_authors_own_columns_is_compared_on_all_locked_patients(
    promoting: Promoting, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = RECIPE.training.model_copy(update={"validate_where": {"type": "DM"}, "split": "random"})
    folder = write_numbers_model(tmp_path / "present", 1, RECIPE.model_copy(update={"training": theirs}))
    promoting.promote(promoting.register(folder), None, Override(who="Dr A", why="first"))
    found = compared(promoting, registered(promoting, tmp_path, 2), run, {1: 0.5, 2: 1.0}, monkeypatch)
    assert found.decides.patients == len(run.split().patients("test"))


def test_that_patients_whom_one_of_the_models_was_trained_on_are_left_out(
    promoting: Promoting, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = run.split().patients("test")[:2]
    rows = [row for row in run.rows() if row.patient in known]
    digests = [hashlib.sha256(row.file.read_bytes()).hexdigest()[:12] for row in rows[:1]]
    folder = write_numbers_model(tmp_path / "present", 1, RECIPE)
    (folder / SEEN).write_text(json.dumps({"train": digests, "validation": [], "test": []}))
    promoting.promote(promoting.register(folder), None, Override(who="Dr A", why="first"))
    version = registered(promoting, tmp_path, 2)
    found = compared(promoting, version, run, {1: 0.5, 2: 1.0}, monkeypatch)
    assert found.decides.patients == len(run.split().patients("test")) - 1
    assert found.notices[0].startswith("1 test patient is left out")
    (folder / SEEN).write_text(json.dumps({"train": [], "validation": [], "test": []}))


def test_that_a_model_of_another_question_is_not_compared(
    promoting: Promoting, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tiny_cnn_recipe(classes=["a", "b", "c"], training=RECIPE.training.model_dump() | {
        "loss": "categorical-crossentropy"})  # fmt: skip
    promoting.promote(
        promoting.register(write_numbers_model(tmp_path / "other", 1, other)), None, Override(who="A", why="b")
    )
    version = registered(promoting, tmp_path, 2)
    with pytest.raises(DataError, match="tiny-cnn, version 1 answers another question"):
        compared(promoting, version, run, {1: 1.0, 2: 1.0}, monkeypatch)


def test_that_an_override_is_signed_and_stands_on_the_card_and_in_the_audit_trail(
    promoting: Promoting, bare: Settings, tmp_path: Path
) -> None:
    database = Database(tmp_path / "cases.sqlite")
    chief = Promoting(bare, "Dr A", database)
    version = registered(chief, tmp_path, 1)
    event = chief.promote(version, None, Override(who="Dr Chief", why="the old scanner has gone"))
    assert override_holds(version, event)
    card = (version.folder / CARD).read_text()
    assert '**promoted by override** of Dr Chief: "the old scanner has gone"' in card
    with database.reading() as session:
        rows = [(row.actor, row.action, row.detail) for row in audit.newest(session)]
    assert [action for _, action, _ in rows][-2:] == ["model_registered", "model_promoted"]
    detail = rows[-1][2]
    assert detail["override"] == "the old scanner has gone"
    assert detail["signature"] == event.signature
    assert verify_audit(database).ok
    database.close()
    forged = event.model_copy(update={"override": "it is better"})
    assert not override_holds(version, forged)


def test_that_a_promotion_that_fails_leaves_no_audit_row(bare: Settings, tmp_path: Path) -> None:
    database = Database(tmp_path / "cases.sqlite")
    chief = Promoting(bare, "Dr A", database)
    version = registered(chief, tmp_path, 1)
    (version.folder / WEIGHTS).write_bytes(b"other")
    with database.reading() as session:
        before = len(audit.newest(session))
    with pytest.raises(ModelError, match="not the one that was registered"):
        chief.promote(version, None, Override(who="Dr A", why="in a hurry"))
    with database.reading() as session:
        assert len(audit.newest(session)) == before
    database.close()
    assert Registry(bare).present("tiny-cnn") is None


def test_that_no_model_is_promoted_where_the_audit_trail_cannot_be_written(bare: Settings, tmp_path: Path) -> None:
    path = tmp_path / "cases.sqlite"
    Database(path).close()
    version = registered(Promoting(bare, "Dr A"), tmp_path, 1)
    database = Database(path, writable=False)
    with pytest.raises(StoreError):
        Promoting(bare, "Dr A", database).promote(version, None, Override(who="Dr A", why="so"))
    database.close()
    assert [event.action for event in Registry(bare).events("tiny-cnn")] == ["registered"]


def test_that_without_comparison_and_override_nothing_is_promoted(promoting: Promoting, tmp_path: Path) -> None:
    version = registered(promoting, tmp_path, 1)
    with pytest.raises(ModelError, match="It was not compared with the present model"):
        promoting.promote(version, None)


def test_that_a_comparison_with_a_model_that_is_no_longer_present_is_refused(
    promoting: Promoting, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [registered(promoting, tmp_path, seed) for seed in (1, 2, 3)]
    override = Override(who="Dr A", why="so")
    promoting.promote(versions[0], None, override)
    found = compared(promoting, versions[2], run, {1: 0.02, 3: 1.0}, monkeypatch)
    promoting.promote(versions[1], None, override)
    with pytest.raises(ModelError, match="comparison is of other models"):
        promoting.promote(versions[2], found)


def test_that_the_model_that_was_there_before_can_be_gone_back_to(bare: Settings, tmp_path: Path) -> None:
    folder = write_numbers_model(bare.data_dir / "models" / "tiny-cnn", 9, RECIPE)
    before = {name: (folder / name).read_bytes() for name in (MANIFEST, WEIGHTS, SEEN)}
    promoting = Promoting(bare, "Dr A")
    new = registered(promoting, tmp_path, 1)
    assert Catalogue(bare).model("tiny-cnn").version == 1  # what was there
    promoting.promote(new, None, Override(who="Dr A", why="so"))
    assert Catalogue(bare).model("tiny-cnn").version == new.number == 2
    promoting.roll_back("tiny-cnn", why="it is slower")
    present = Catalogue(bare).model("tiny-cnn")
    assert {name: (present.folder / name).read_bytes() for name in before} == before
    assert "present again, in place of version 2: it is slower." in (present.folder / CARD).read_text()
    promoting.roll_back("tiny-cnn")
    assert Catalogue(bare).model("tiny-cnn").version == 2


def test_that_there_is_no_way_back_to_what_was_never_present(promoting: Promoting, tmp_path: Path) -> None:
    one, two = (registered(promoting, tmp_path, seed) for seed in (1, 2))
    with pytest.raises(ModelError, match="no earlier version"):
        promoting.roll_back("tiny-cnn")
    with pytest.raises(ModelError, match="no earlier version"):
        promoting.roll_back("tiny-cnn", 0)
    promoting.promote(one, None, Override(who="Dr A", why="so"))
    with pytest.raises(ModelError, match="was never present; promote it"):
        promoting.roll_back("tiny-cnn", two.number)
    with pytest.raises(ModelError, match="is present already"):
        promoting.roll_back("tiny-cnn", one.number)


def test_that_only_what_is_not_shown_runs_silently(promoting: Promoting, tmp_path: Path) -> None:
    one, two = (registered(promoting, tmp_path, seed) for seed in (1, 2))
    with pytest.raises(ModelError, match="no model beside which"):
        promoting.run_silently(one)
    promoting.promote(one, None, Override(who="Dr A", why="so"))
    with pytest.raises(ModelError, match="is present: what it says is shown"):
        promoting.run_silently(one)
    promoting.run_silently(two)
    with pytest.raises(ModelError, match="runs silently already"):
        promoting.run_silently(two)
    assert [version.number for version in promoting.registry.silent("tiny-cnn")] == [2]
    promoting.end_silent(two)
    with pytest.raises(ModelError, match="does not run silently"):
        promoting.end_silent(two)


def test_that_the_registered_manifest_is_the_models_own(promoting: Promoting, tmp_path: Path) -> None:
    version = registered(promoting, tmp_path, 1)
    assert isinstance(version.check(), Manifest)
    assert version.check().recipe == RECIPE
