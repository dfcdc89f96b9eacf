from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pathview.errors import ModelError
from pathview.models import keras_backend
from pathview.models.initial import read_layers, start_from
from pathview.models.recipe import Recipe
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    network = {"name": "mobilenet-unet", "options": {"width": 4}}
    return Recipe.model_validate({**tiny_unet_recipe().model_dump(), "network": network})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MobileNet down to a layer that the U-Net does not reach, as Keras itself writes it."""
    keras_backend.start()
    import keras

    keras.utils.set_random_seed(7)
    whole = keras.applications.MobileNet(input_shape=(64, 64, 3), include_top=False, weights=None)
    part = keras.Model(whole.inputs[0], whole.get_layer("conv_pw_12_relu").output)
    for layer in part.layers:
        layer.set_weights([array + 0.01 * number for number, array in enumerate(layer.get_weights())])
    path = tmp_path_factory.mktemp("weights") / "backbone.weights.h5"
    part.save_weights(path)
    return path


def test_that_the_backbone_gets_the_files_numbers_and_nothing_else_changes(recipe: Recipe, weights: Path) -> None:
    import keras

    whole = keras.applications.MobileNet(input_shape=(64, 64, 3), include_top=False, weights=None)
    part = keras.Model(whole.inputs[0], whole.get_layer("conv_pw_12_relu").output)
    part.load_weights(weights)
    model = keras_backend.build(recipe)
    way_up = model.get_layer("up4_conv1").get_weights()[0].copy()
    start_from(model, recipe, weights)
    names = [layer.name for layer in part.layers if layer.weights and "_12" not in layer.name]
    assert len(names) == 46
    for name in names:
        for mine, given in zip(model.get_layer(name).get_weights(), part.get_layer(name).get_weights(), strict=True):
            assert np.array_equal(mine, given), name
    assert np.array_equal(model.get_layer("up4_conv1").get_weights()[0], way_up)


def test_that_a_network_without_a_backbone_says_so(weights: Path) -> None:
    recipe = tiny_cnn_recipe()
    with pytest.raises(ModelError, match="idc-cnn has no part"):
        start_from(keras_backend.build(recipe), recipe, weights)


def test_that_another_networks_weights_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    keras_backend.build(tiny_cnn_recipe()).save_weights(path)
    with pytest.raises(ModelError, match=r"other\.weights\.h5 does not fit mobilenet-unet"):
        start_from(keras_backend.build(recipe), recipe, path)


def linked(path: Path) -> None:
    with h5py.File(path, "w") as file:
        variables = file.create_group("layers/conv2d/vars")
        variables["0"] = h5py.ExternalLink("/etc/hostname", "/x")


def huge(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars").create_dataset("0", (2**20, 2**11), "f4", chunks=True)


def not_finite(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars")["0"] = np.array([np.nan], np.float32)


def words(path: Path) -> None:
    path.write_text("no weights")


def empty(path: Path) -> None:
    h5py.File(path, "w").close()


@pytest.mark.parametrize("damage", [linked, huge, not_finite, words, empty])
def test_that_damaged_files_are_one_sentence(damage, tmp_path: Path) -> None:
    path = tmp_path / "bad.weights.h5"
    damage(path)
    with pytest.raises(ModelError, match=r"bad\.weights\.h5"):
        read_layers(path)
