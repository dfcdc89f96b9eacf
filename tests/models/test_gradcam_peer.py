"""Grad-CAM held to tf-keras-vis, and to Adebayo's sanity check (2018): random weights must change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from pathview.models import keras_backend
from pathview.models.keras_backend import KerasNetwork, build, load_network
from pathview.models.recipe import load_recipe
from pathview.samples.mammogram import STUDY, WHITE, draw
from pathview.samples.tissue import PATCH, draw_tissue
from pathview.settings import Settings

RESOURCES = Settings().resources
FROM_TOP = ("logits", "dense2", "dense1", "conv4", "conv3", "conv2", "conv1")
DRAWS = 8


@pytest.fixture(params=["drawn", "real"])
def patches(request: pytest.FixtureRequest) -> np.ndarray:
    """Eight patches, float32 [n, 50, 50, 3], 0..1: of the phantom's tumour and its rim, or of real tumours."""
    if request.param == "real":
        found = sorted(request.getfixturevalue("data_dir").glob("idc/*/1/*.png"))
        pixels = np.stack([np.asarray(Image.open(path)) for path in found[:: len(found) // 8][:8]])
    else:
        section = draw_tissue().pixels
        corners = [(row, column) for row in (300, 450) for column in (600, 700, 800, 900)]
        pixels = np.stack([section[y : y + PATCH, x : x + PATCH] for y, x in corners])
    return (pixels / 255).astype(np.float32)


def peers_gradcam(network: KerasNetwork, images: np.ndarray, layer: str, score: Callable[[Any], Any]) -> np.ndarray:
    """The map of tf-keras-vis at the layer's own resolution."""
    import keras
    from tf_keras_vis.gradcam import Gradcam

    model = network._model
    to_logits = keras.Model(model.inputs[0], model.get_layer("logits").output)
    return np.asarray(
        Gradcam(to_logits)(
            score, images, layer, seek_penultimate_conv_layer=False, expand_cam=False, normalize_cam=False
        )
    )


def score_of_class(logits: Any) -> Any:
    return logits[:, -1]


def score_of_mask(logits: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(logits * tf.stop_gradient(tf.sigmoid(logits)), axis=(1, 2, 3))


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's; 0 where one of them is the same everywhere, as of a map where nothing speaks for the class."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1]) if first.std() and second.std() else 0.0


def bring_to_scale(network: KerasNetwork, images: np.ndarray) -> None:
    """Untrained normalisations let the maps of a deep network shrink to nothing; here they take those of the images."""
    for layer in network._model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0
    network._model(images, training=True)


def assert_same(found: np.ndarray, expected: np.ndarray, layer: str) -> None:
    """Correlated over 0.99 in each image that has heat, and of one scale."""
    assert found.shape == expected.shape
    warm = expected.max(axis=(1, 2)) > 0
    assert warm.any(), layer
    for ours, theirs in zip(found[warm], expected[warm], strict=True):
        assert correlation(ours, theirs) > 0.99, layer
    assert found == pytest.approx(expected, rel=0, abs=1e-3 * float(expected.max())), layer


def test_that_gradcam_of_the_patch_cnn_is_the_peers(patches: np.ndarray) -> None:
    network = load_network(RESOURCES / "models" / "idc-patches")
    layers = network.explainable_layers()
    found = network.gradcam(patches, layers)
    for layer in layers:
        assert_same(found[layer], peers_gradcam(network, patches, layer, score_of_class), layer)


def test_that_gradcam_of_pooled_features_is_the_peers(patches: np.ndarray) -> None:
    keras_backend.start()
    import keras

    keras.utils.set_random_seed(5)
    recipe = load_recipe(RESOURCES / "recipes" / "mobilenet-idc.toml")
    network = KerasNetwork(build(recipe), recipe)
    images = np.stack([cv2.resize(patch, (96, 96)) for patch in patches])
    bring_to_scale(network, images)
    layers = ("conv1", "conv_dw_4", "conv_pw_6_relu", "conv_pw_11", "conv_pw_12_relu")
    found = network.gradcam(images, layers)
    for layer in layers:
        assert_same(found[layer], peers_gradcam(network, images, layer, score_of_class), layer)


def test_that_gradcam_of_the_unet_is_the_peers_whatever_is_asked_together() -> None:
    """Which layers are asked for decides which joins of the way up are taken apart; ``up4_join`` is one itself."""
    network = load_network(RESOURCES / "models" / "lesion-unet")
    image = cv2.resize(draw(STUDY[0]).pixels.astype(np.float32) / WHITE, (384, 384), interpolation=cv2.INTER_AREA)
    images = image[None, ..., None]
    for layers in (("conv_pw_5_relu",), ("conv_pw_11",), ("conv_pw_11", "up4_join", "up2_conv2")):
        found = network.gradcam(images, layers)
        for layer in layers:
            assert_same(found[layer], peers_gradcam(network, images, layer, score_of_mask), layer)


def test_that_heat_is_lost_as_weights_are_drawn_anew_from_the_top(patches: np.ndarray) -> None:
    """The first three steps leave the explained activations as they were: only the gradient can change the map."""
    network = load_network(RESOURCES / "models" / "idc-patches")
    learnt = keras_backend.get_weights(network._model)
    before = network.gradcam(patches, ["conv4"])["conv4"]
    correlations = np.zeros((DRAWS, len(FROM_TOP)))
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        keras_backend.set_weights(network._model, learnt)
        for step, layer in enumerate(FROM_TOP):
            for weight in network._model.get_layer(layer).weights:
                weight.assign(rng.normal(0, learnt[weight.path].std(), weight.shape))
            correlations[seed, step] = correlation(before, network.gradcam(patches, ["conv4"])["conv4"])
    assert correlations.mean(axis=0).max() < 0.5
