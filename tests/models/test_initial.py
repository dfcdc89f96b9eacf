from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathview.errors import ModelError
from pathview.models import keras_backend
from pathview.models.initial import start_from
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


IMAGES = np.random.default_rng(5).random((2, 96, 96, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "made", "scaled"),
    [
        ("vgg16", "VGG16", "vgg16"),
        ("resnet50", "ResNet50", "resnet50"),
        ("inception-v3", "InceptionV3", "inception_v3"),
        ("densenet121", "DenseNet121", "densenet"),
        ("mobilenet", "MobileNet", "mobilenet"),
    ],
)
def test_that_a_network_with_keras_weights_gives_keras_features(
    name: str, made: str, scaled: str, tmp_path: Path
) -> None:
    """The same numbers through Keras' own network and preprocessing, by a file of the kind that Keras publishes."""
    keras_backend.start()
    import h5py
    import keras
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    keras.utils.set_random_seed(1)
    theirs = getattr(keras.applications, made)(include_top=False, weights=None, input_shape=(96, 96, 3), pooling="avg")
    path = tmp_path / "keras.h5"
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, theirs)
    network = {"name": name, "options": {}}
    recipe = Recipe.model_validate(
        {**tiny_cnn_recipe().model_dump(), "network": network, "input": {"height": 96, "width": 96, "channels": 3}}
    )
    model = keras_backend.build(recipe)
    assert start_from(model, recipe, path) == []
    prepared = getattr(keras.applications, scaled).preprocess_input(IMAGES * 255)
    expected = np.asarray(theirs(prepared, training=False))
    features = keras.Model(model.inputs[0], model.get_layer("pooled").output)
    found = np.asarray(features(IMAGES, training=False))
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3 * float(np.abs(expected).max()))


def test_that_weights_without_a_top_leave_the_dense_layers_and_say_so(tmp_path: Path) -> None:
    keras_backend.start()
    import h5py
    import keras
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    options = {"name": "vgg19-dense", "options": {"width": 32}}
    recipe = Recipe.model_validate(
        {**tiny_cnn_recipe().model_dump(), "network": options, "input": {"height": 32, "width": 32, "channels": 3}}
    )
    path = tmp_path / "notop.h5"
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, keras.applications.VGG19(include_top=False, weights=None))
    assert start_from(keras_backend.build(recipe), recipe, path) == ["fc1", "fc2"]
