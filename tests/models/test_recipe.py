from __future__ import annotations

from pathlib import Path

import pytest

from pathview.errors import ModelError, RecipeError
from pathview.models.catalogue import Catalogue, require_weights
from pathview.models.recipe import load_recipe
from pathview.settings import Settings
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe

BUNDLED = sorted((Settings().resources / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_that_bundled_recipes_are_valid_and_named_like_their_file(path: Path) -> None:
    assert load_recipe(path).name == path.stem


def edited(tmp_path: Path, old: str, new: str) -> Path:
    text = (Settings().resources / "recipes" / "zf-unet-224.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "edited.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "zf-unet"', 'name = "resnext"', "no network 'resnext'"),
        ("width = 32", "widht = 32", "widht"),
        ("width = 224", "width = -1", "input.width"),
        ('rule = "mask-sum"', 'rule = "margin"', "does not belong"),
        ("upper = 100.0", "upper = 1e-9", "lower limit must not be above"),
        ("[input]", "[inputs]", "input"),
        ("batch = 16", "batch = = 16", "TOML"),
        ("height = 224", "height = 224\nmpp_um = 4.0", "not both"),
    ],
)
def test_that_a_wrong_recipe_names_file_and_field(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=words) as error:
        load_recipe(edited(tmp_path, old, new))
    assert "edited.toml" in str(error.value)


def test_that_equal_recipes_have_equal_digests_and_changes_show() -> None:
    assert tiny_unet_recipe().digest == tiny_unet_recipe().digest != tiny_unet_recipe(title="Other").digest


def test_that_a_users_model_comes_before_a_bundled_recipe(tiny_models: Settings) -> None:
    models = {model.name: model for model in Catalogue(tiny_models).models()}
    assert set(models) == {"tiny-unet", "tiny-cnn"}
    assert models["tiny-cnn"].weights == "trained"
    default = Catalogue(tiny_models).default_for("histology")
    assert default is not None
    assert default.name == "tiny-cnn"


def test_that_an_unknown_model_is_told_with_those_that_there_are(tiny_models: Settings) -> None:
    with pytest.raises(RecipeError, match="tiny-cnn, tiny-unet"):
        Catalogue(tiny_models).model("nope")


def test_that_a_recipe_without_weights_cannot_analyse(settings: Settings) -> None:
    with pytest.raises(ModelError, match="no weights yet"):
        require_weights(Catalogue(settings).model("zf-unet-224"))


def test_that_a_recipe_for_patches_has_its_own_limits() -> None:
    assert tiny_cnn_recipe().decision.share == (0.1, 0.3)


def test_that_one_damaged_model_or_recipe_leaves_the_others(tiny_models: Settings) -> None:
    broken = tiny_models.data_dir / "models" / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    (tiny_models.data_dir / "recipes").mkdir(exist_ok=True)
    (tiny_models.data_dir / "recipes" / "odd.toml").write_text("name = ")
    found = Catalogue(tiny_models).found()
    assert {entry.name for entry in found.damaged} == {"broken", "odd"}
    assert {model.name for model in found.models} >= {"tiny-unet", "tiny-cnn"}
    with pytest.raises(RecipeError, match=r"damaged manifest\.json"):
        Catalogue(tiny_models).model("broken")
