"""Which model analyses images where nobody names one, after promotions over models of other names and ways back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pathview.errors import ModelError
from pathview.models.catalogue import Catalogue
from pathview.models.registry import Event, now
from pathview.models.weights import CARD, WEIGHTS
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.verifying import verify_audit
from pathview.settings import Settings
from pathview.training.publishing.promoting import Promoting, override_holds
from pathview.training.runs.plan import Override
from tests.makers import tiny_cnn_recipe
from tests.model_makers import write_numbers_model
from tests.training.runs import CLASSES

SO = Override(who="Dr A", why="so")


@pytest.fixture
def bare(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation without any model."""
    (home / "resources").mkdir()
    monkeypatch.setenv("PATHVIEW_RESOURCES", str(home / "resources"))
    return Settings()


@pytest.fixture
def promoting(bare: Settings) -> Promoting:
    return Promoting(bare, "Dr A")


@pytest.fixture
def theirs(bare: Settings, tmp_path: Path) -> Path:
    """A model that analyses histology, and was there before versions were kept."""
    recipe = tiny_cnn_recipe(name="theirs", classes=list(CLASSES))
    return write_numbers_model(bare.data_dir / "models" / "theirs", 7, recipe)


def ours(promoting: Promoting, folder: Path, seed: int, name: str = "ours", title: str = "", **changes):
    """A registered version of a model that no recipe makes the default of anything."""
    recipe = tiny_cnn_recipe(name=name, default_for=[], classes=list(CLASSES), **changes)
    return promoting.register(write_numbers_model(folder / f"{name}-{seed}", seed, recipe), title=title)


def default(settings: Settings) -> tuple[str, int | None]:
    model = Catalogue(settings).default_for("histology")
    assert model is not None
    assert [one.name for one in Catalogue(settings).models() if "histology" in one.as_json()["default_for"]] == [
        model.name
    ]
    return model.name, model.version


def test_that_a_promoted_model_analyses_what_its_rival_did_and_going_back_gives_it_back(
    promoting: Promoting, bare: Settings, theirs: Path, tmp_path: Path
) -> None:
    version = ours(promoting, tmp_path, 1)
    assert default(bare) == ("theirs", None)
    assert promoting.use(version.manifest().recipe, promoted=True) == "it analyses histology images in place of theirs"
    event = promoting.promote(version, None, SO)
    assert event.default_for == ("histology",)
    assert event.sentence.endswith("It analyses histology images in place of theirs.")
    assert override_holds(version, event)
    assert default(bare) == ("ours", 1)
    assert promoting.after("ours") == ("theirs analyses histology images again",)
    event = promoting.roll_back("ours", why="it was a trial")
    assert event.sentence == (
        "withdrawn: no version of ours is used, and theirs analyses histology images again: it was a trial."
    )
    assert event.sentence in (version.folder / CARD).read_text()
    assert default(bare) == ("theirs", None)
    assert Catalogue(bare).found().named("ours") is None
    assert theirs.is_dir()
    event = promoting.roll_back("ours")
    assert event.sentence == "present again. It analyses histology images again."
    assert default(bare) == ("ours", 1)


def test_that_going_back_in_any_order_gives_back_what_was_before(
    promoting: Promoting, bare: Settings, theirs: Path, tmp_path: Path
) -> None:
    promoting.promote(ours(promoting, tmp_path, 1), None, SO)
    promoting.promote(ours(promoting, tmp_path, 2, "third"), None, SO)
    back = tiny_cnn_recipe(name="theirs", classes=list(CLASSES))
    retrained = promoting.register(write_numbers_model(tmp_path / "back", 8, back))
    promoting.promote(retrained, None, SO)
    assert default(bare) == ("theirs", 2)
    promoting.roll_back("third")
    assert default(bare) == ("theirs", 2)  # it took the place of it, and keeps it
    promoting.roll_back("theirs")
    assert default(bare) == ("ours", 1)
    promoting.roll_back("ours")
    assert default(bare) == ("theirs", 1)
    with pytest.raises(ModelError, match="theirs was there before versions were kept: go back to version 1"):
        promoting.roll_back("theirs", 0)


def test_that_a_later_version_is_compared_with_what_analyses_images_and_can_be_withdrawn_at_once(
    promoting: Promoting, bare: Settings, theirs: Path, tmp_path: Path
) -> None:
    promoting.promote(ours(promoting, tmp_path, 1), None, SO)
    two = ours(promoting, tmp_path, 2, title="More patients")
    rival = promoting.rival(two.manifest().recipe)
    assert rival is not None
    assert (rival.name, rival.version) == ("ours", 1)
    promoting.promote(two, None, SO)
    assert default(bare) == ("ours", 2)
    assert Catalogue(bare).model("ours").words == "ours, version 2 (More patients)"
    promoting.roll_back("ours")
    assert default(bare) == ("ours", 1)
    promoting.roll_back("ours", 0)
    assert default(bare) == ("theirs", None)
    with pytest.raises(ModelError, match="No version of ours is present"):
        promoting.roll_back("ours", 0)
    rival = promoting.rival(two.manifest().recipe)
    assert rival is not None
    assert rival.name == "theirs"


def test_that_a_model_of_another_question_takes_no_place_and_says_so(
    promoting: Promoting, bare: Settings, theirs: Path, tmp_path: Path
) -> None:
    training = tiny_cnn_recipe().training.model_dump() | {"loss": "categorical-crossentropy"}
    recipe = tiny_cnn_recipe(name="ours", default_for=[], classes=["a", "b", "c"], training=training)
    version = promoting.register(write_numbers_model(tmp_path / "three", 1, recipe))
    assert promoting.rival(recipe) is None
    event = promoting.promote(version, None, SO)
    assert event.default_for == ()
    assert event.sentence.endswith(
        "It is used only where somebody chooses it by name; theirs analyses histology images."
    )
    assert default(bare) == ("theirs", None)
    promoting.roll_back("ours")
    assert promoting.after("ours") == ()
    assert default(bare) == ("theirs", None)


def test_that_a_published_version_that_is_not_the_default_can_still_become_it(
    promoting: Promoting, bare: Settings, theirs: Path, tmp_path: Path
) -> None:
    version = ours(promoting, tmp_path, 1)
    before = Event(action="promoted", version=1, who="Dr A", at=now(), sentence="promoted.")
    promoting.registry.record("ours", before)  # as was kept before promotions claimed anything
    recipe = version.manifest().recipe
    assert default(bare) == ("theirs", None)
    assert promoting.use(recipe) == (
        "it is used only where somebody chooses it by name; theirs analyses histology images"
    )
    promoting.run_silently(version)
    promoting.promote(version, None, SO)
    assert default(bare) == ("ours", 1)
    assert promoting.registry.silent("theirs") == ()
    with pytest.raises(ModelError, match="is present already"):
        promoting.promote(version, None, SO)


def test_that_the_first_model_of_a_kind_analyses_it_until_it_is_withdrawn(
    promoting: Promoting, bare: Settings, tmp_path: Path
) -> None:
    version = ours(promoting, tmp_path, 1)
    assert promoting.use(version.manifest().recipe, promoted=True) == "it analyses histology images"
    promoting.promote(version, None, SO)
    assert default(bare) == ("ours", 1)
    assert promoting.after("ours") == ("no model analyses histology images any more",)
    promoting.roll_back("ours")
    assert Catalogue(bare).default_for("histology") is None


def test_that_a_withdrawal_stands_in_the_audit_trail_and_needs_no_whole_version(
    bare: Settings, theirs: Path, tmp_path: Path
) -> None:
    database = Database(tmp_path / "cases.sqlite")
    chief = Promoting(bare, "Dr A", database)
    version = ours(chief, tmp_path, 1)
    chief.promote(version, None, SO)
    (version.folder / WEIGHTS).write_bytes(b"damaged since")
    chief.roll_back("ours", why="its file is damaged")
    with database.reading() as session:
        row = audit.newest(session)[-1]
    assert (row.actor, row.action) == ("Dr A", "model_withdrawn")
    assert row.detail["sentence"].endswith("its file is damaged.")
    assert verify_audit(database).ok
    database.close()
    assert default(bare) == ("theirs", None)
