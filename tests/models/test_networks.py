from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathview.errors import RecipeError
from pathview.models import keras_backend
from pathview.models.keras_backend import KerasNetwork, build, parameter_counts
from pathview.models.recipe import Recipe, load_recipe
from pathview.settings import Settings
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe

RECIPES = Settings().resources / "recipes"


PAPERS = {
    "zf-unet-224": (31_466_753, 31_454_721),
    "zf-unet-224-black-box": (31_466_753, 31_454_721),
    "idc-cnn": (2_010_946, 2_010_946),
    "crop-resnet50": (23_591_810, 4_098),
    "vgg19-tuned": (139_578_434, 139_578_434),
    "vgg19-tuned-blocks": (139_578_434, 119_545_856 + 8_194),  # the seed leaves out the new head of 8,194
    "vgg19-tuned-blocks-fc1": (139_578_434, 16_781_312 + 8_194),
    "vgg19-tuned-blocks-fc2": (139_578_434, 102_764_544 + 8_194),
    "vgg19-tuned-fc1": (139_578_434, 36_813_890),  # misprinted as 36,813,544
    "vgg19-tuned-fc2": (139_578_434, 122_797_122),
    "separable-cnn": (30_020_930, 27_691_266),
}
"""Parameters in all and those that learn, as the five papers print them."""


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_that_parameter_counts_are_the_recipes_and_the_papers(path: Path) -> None:
    recipe = load_recipe(path)
    counts = parameter_counts(recipe)
    assert (recipe.network.parameters, recipe.network.trainable_parameters) == counts
    assert PAPERS.get(recipe.name, counts) == counts


def test_that_every_paper_has_its_recipes() -> None:
    names = {path.stem for path in RECIPES.glob("*.toml")}
    assert set(PAPERS) <= names
    for paper in ("breakhis-", "zf-unet-", "vgg19-", "idc-cnn", "densenet121-"):
        assert any(name.startswith(paper) for name in names), paper


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_that_every_network_is_one_flat_graph(path: Path) -> None:
    """A model inside a model breaks Grad-CAM (tensorflow#44462); and weights are kept by unique names."""
    recipe = load_recipe(path)
    if recipe.network.name == "vgg19-dense" and path.stem != "vgg19-tuned":
        pytest.skip("the same network as vgg19-tuned")
    model = build(recipe)
    assert not any(hasattr(layer, "layers") for layer in model.layers)
    assert [layer.name for layer in model.layers][-1] == "scores"
    assert len({weight.path for weight in model.weights}) == len(model.weights)
    first = [weight.path for weight in model.weights]
    assert [weight.path for weight in build(recipe).weights] == first


def test_that_a_layer_that_is_not_there_is_named() -> None:
    recipe = load_recipe(RECIPES / "densenet121-tuned.toml")
    for change, words in (
        ({"train_from": "conv9"}, "trains from the layer 'conv9'"),
        ({"frozen": ("block7",)}, "freezes layers named block7"),
    ):
        wrong = recipe.model_copy(update={"training": recipe.training.model_copy(update=change)})
        with pytest.raises(RecipeError, match=words):
            build(wrong)
    cut = {"options": {**recipe.network.options, "layer": "nowhere"}}
    with pytest.raises(RecipeError, match="no layer 'nowhere'"):
        build(recipe.model_copy(update={"network": recipe.network.model_copy(update=cut)}))


def test_that_the_convolutional_vgg19_is_the_dense_one_at_224(tmp_path: Path) -> None:
    """Seed 3: at n = 0 both forms are the same numbers, and mean and largest value of one place agree."""
    import keras

    options = {"layer": "fc2", "pooling": "max"}
    size = {"height": 224, "width": 224, "channels": 3}
    convolutional = build(changed(load_recipe(RECIPES / "vgg19-svm.toml"), options, size))
    average = build(changed(load_recipe(RECIPES / "vgg19-svm.toml"), {**options, "pooling": "mean"}, size))
    dense = build(load_recipe(RECIPES / "vgg19-tuned.toml"))
    for layer in dense.layers:
        if layer.weights and layer.name != "logits":
            for other in (convolutional, average):
                target = other.get_layer(layer.name)
                given = layer.get_weights()
                target.set_weights([array.reshape(w.shape) for array, w in zip(given, target.weights, strict=True)])
    image = np.random.default_rng(0).random((1, 224, 224, 3)).astype(np.float32)
    expected = np.asarray(keras.Model(dense.inputs[0], dense.get_layer("fc2").output)(image))
    assert expected.max() > 0
    for model in (convolutional, average):
        found = np.asarray(keras.Model(model.inputs[0], model.get_layer("pooled").output)(image))
        assert found == pytest.approx(expected, abs=1e-4 * float(expected.max()))


def changed(recipe: Recipe, options: dict, size: dict) -> Recipe:
    network = recipe.network.model_copy(update={"options": options})
    return recipe.model_copy(update={"network": network, "input": recipe.input.model_copy(update=size)})


@pytest.fixture(scope="module")
def cnn() -> KerasNetwork:
    keras_backend.start()
    import keras

    keras.utils.set_random_seed(3)
    return KerasNetwork(build(tiny_cnn_recipe()), tiny_cnn_recipe())


@pytest.fixture(scope="module")
def unet() -> KerasNetwork:
    keras_backend.start()
    import keras

    keras.utils.set_random_seed(3)
    return KerasNetwork(build(tiny_unet_recipe()), tiny_unet_recipe())


IMAGES = np.random.default_rng(0).random((3, 50, 50, 3)).astype(np.float32)


def test_that_compiled_prediction_equals_a_plain_call(cnn: KerasNetwork) -> None:
    plain = np.asarray(cnn._model(IMAGES, training=False))
    assert cnn.predict(IMAGES) == pytest.approx(plain, abs=1e-6)
    assert cnn.predict(IMAGES[:1]) == pytest.approx(plain[:1], abs=1e-6)


def slow_gradcam(network: KerasNetwork, images: np.ndarray, layer: str) -> np.ndarray:
    """Grad-CAM by finite differences of the rest of the network: no autodiff shared with the code under test."""
    import keras

    model = network._model
    head = keras.Model(model.inputs[0], model.get_layer(layer).output)
    names = [entry.name for entry in model.layers]
    rest_in = keras.Input(model.get_layer(layer).output.shape[1:])
    x = rest_in
    for name in names[names.index(layer) + 1 : names.index("logits") + 1]:
        x = model.get_layer(name)(x)
    rest = keras.Model(rest_in, x)
    activations = np.asarray(head(images), np.float64)
    base = np.asarray(rest(activations, training=False), np.float64)[:, -1]
    weights = np.zeros((len(images), activations.shape[-1]))
    area = activations.shape[1] * activations.shape[2]
    for channel in range(activations.shape[-1]):
        moved = activations.copy()
        moved[..., channel] += 1e-3  # all pixels at once: the derivative is the sum over pixels
        changed = np.asarray(rest(moved, training=False), np.float64)[:, -1]
        weights[:, channel] = (changed - base) / 1e-3 / area
    return np.maximum((activations * weights[:, None, None]).sum(-1), 0)


def test_that_gradcam_meets_finite_differences(cnn: KerasNetwork) -> None:
    found = cnn.gradcam(IMAGES, ["conv4"])["conv4"]
    slow = slow_gradcam(cnn, IMAGES, "conv4")
    assert slow.max() > 0
    assert np.corrcoef(found.ravel(), slow.ravel())[0, 1] > 0.99


def test_that_several_layers_in_one_pass_equal_one_by_one(cnn: KerasNetwork) -> None:
    layers = cnn.explainable_layers()
    assert layers == ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4")
    together = cnn.gradcam(IMAGES, layers)
    for layer in layers:
        alone = cnn.gradcam(IMAGES, [layer])[layer]
        assert together[layer] == pytest.approx(alone, rel=1e-4, abs=1e-6), layer
        assert together[layer].shape[0] == 3


def test_that_any_layer_with_a_map_can_be_explained() -> None:
    recipe = load_recipe(RECIPES / "breakhis-inception-v3-head.toml")
    network = KerasNetwork(build(recipe), recipe)
    assert "mixed10" in network.explainable_layers()  # a joint that the recipe offers first
    assert network.can_explain("relu_40")
    assert network.can_explain("mixed3")
    for layer in ("image", "pooled", "head_dense1", "logits", "scores", "no_such_layer"):
        assert not network.can_explain(layer), layer


def test_that_the_unet_takes_and_gives_its_own_size(unet: KerasNetwork) -> None:
    images = np.random.default_rng(1).random((2, 64, 64, 1)).astype(np.float32)
    scores = unet.predict(images)
    assert scores.shape == (2, 64, 64, 1)
    assert scores.min() >= 0
    assert scores.max() <= 1
    layers = unet.explainable_layers()
    assert "logits" not in layers
    maps = unet.gradcam(images, ["pool5", "up1_conv2"])
    assert maps["pool5"].shape == (2, 2, 2)
    assert maps["up1_conv2"].shape == (2, 64, 64)
