from __future__ import annotations

import numpy as np
import pytest

from pathview.models import keras_backend
from pathview.models.keras_backend import KerasNetwork, build, parameter_counts
from pathview.models.recipe import load_recipe
from pathview.settings import Settings
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe

RECIPES = Settings().resources / "recipes"


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("zf-unet-224", (31_466_753, 31_454_721)),
        ("idc-cnn", (2_010_946, 2_010_946)),
        ("lesion-zf-unet", (1_972_337, 1_969_329)),
        ("lesion-unet", (2_587_873, 2_572_385)),
    ],
)
def test_that_parameter_counts_are_the_papers_and_the_recipes(name: str, counts: tuple[int, int]) -> None:
    recipe = load_recipe(RECIPES / f"{name}.toml")
    assert parameter_counts(recipe) == counts
    assert (recipe.network.parameters, recipe.network.trainable_parameters) == counts


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


def test_that_heat_changes_when_the_weights_do(cnn: KerasNetwork) -> None:
    other = build(tiny_cnn_recipe())
    rng = np.random.default_rng(9)
    values = {weight.path: rng.normal(0, 0.2, weight.shape).astype(np.float32) for weight in other.weights}
    keras_backend.set_weights(other, values)
    before = cnn.gradcam(IMAGES, ["conv3"])["conv3"].ravel()
    after = KerasNetwork(other, tiny_cnn_recipe()).gradcam(IMAGES, ["conv3"])["conv3"].ravel()
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.9


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
