"""What all networks share. Keras is imported inside the build functions only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pathview.errors import RecipeError
from pathview.models.networks.vlad import vlad_layer

Scores = Literal["softmax", "sigmoid"]
Pooling = Literal["mean", "max", "vlad"]
Colors = Literal["-1..1", "bgr means", "rgb means"]
"""How the networks of ``keras.applications`` want their pixels: see :func:`as_imagenet`."""

_MEANS = (0.485, 0.456, 0.406)
_DEVIATIONS = (0.229, 0.224, 0.225)
_CAFFE_MEANS = (103.939, 116.779, 123.68)


class Options(BaseModel):
    """Options of one network; frozen, and unknown ones are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HeadOptions(Options):
    """The classifier that stands on a backbone's pooled features."""

    layer: str = ""
    """Where the backbone is cut off: the layer whose map is pooled; empty: its last."""
    pooling: Pooling = "mean"
    """``vlad``: see :mod:`pathview.models.networks.vlad`."""
    clusters: int = Field(64, ge=2, le=1024)
    """Centres of a VLAD."""
    dense: tuple[int, ...] = ()
    """Widths of the dense ReLU layers between the pooled features and the scores."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Before each dense layer and before the scores."""
    l2: float = Field(0.0, ge=0)
    """Weight of the squared kernels of the head in the loss."""
    scores: Scores = "softmax"


@dataclass(frozen=True)
class InputShape:
    """Rows, columns and channels that a network sees; None where any number will do."""

    height: int | None
    width: int | None
    channels: int
    per_image: bool = False
    """Whether each image is brought to mean 0 and deviation 1 first."""
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    """Of each channel over the training images; where given, they are taken out first."""


def image_input(shape: InputShape) -> tuple[Any, Any]:
    """The graph's input, [n, rows, columns, channels] in 0..1, and its pixels as the shape normalises them."""
    import keras
    from keras import layers

    inputs = keras.Input((shape.height, shape.width, shape.channels), name="image")
    if shape.per_image:
        whole = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, name="image_normalised")
        return inputs, whole(inputs)
    if shape.means:
        scale = [1 / deviation for deviation in shape.deviations]
        offset = [-mean / deviation for mean, deviation in zip(shape.means, shape.deviations, strict=True)]
        return inputs, layers.Rescaling(scale, offset, name="feature_wise")(inputs)
    return inputs, inputs


def as_imagenet(inputs: Any, channels: int, colors: Colors) -> Any:
    """Pixels of 0..1 as a network's ImageNet weights expect them (``keras.applications``' preprocessing).

    ``-1..1``: MobileNet, InceptionV3. ``bgr means``: VGG, ResNet50: 0..255, blue first, ImageNet's means
    taken off. ``rgb means``: DenseNet: means taken off, divided by the deviations. Grey is repeated.
    """
    from keras import layers

    grey = [inputs] * 3 if channels == 1 else None
    rgb = layers.Concatenate(name="grey_as_rgb")(grey) if grey else inputs
    if colors == "-1..1":
        return layers.Rescaling(2.0, -1.0, name="to_minus_one_to_one")(rgb)
    if colors == "rgb means":
        scale = [1 / deviation for deviation in _DEVIATIONS]
        offset = [-mean / deviation for mean, deviation in zip(_MEANS, _DEVIATIONS, strict=True)]
        return layers.Rescaling(scale, offset, name="less_means")(rgb)
    parts = [rgb[..., i : i + 1] for i in (2, 1, 0)]
    blue_first = layers.Concatenate(name="blue_first")(parts)
    return layers.Rescaling(255.0, [-mean for mean in _CAFFE_MEANS], name="less_means")(blue_first)


def with_head(inputs: Any, features: Any, options: HeadOptions, classes: int, name: str) -> Any:
    """Pool a backbone's map, and put dense layers, ``logits`` and ``scores`` on top.

    Raises:
        RecipeError: the options cut the backbone off at a layer that it does not have, or the scores of more than
            two classes would not be probabilities.
    """
    import keras
    from keras import layers

    if options.scores == "sigmoid" and classes > 2:
        raise RecipeError(
            f"Separate sigmoids are no probabilities of {classes} classes; give {name} scores = 'softmax'."
        )
    x = _pooled(_cut_off(inputs, features, options.layer, name), options)
    kernel = keras.regularizers.L2(options.l2) if options.l2 else None
    for step, width in enumerate(options.dense, start=1):
        if options.dropout:
            x = layers.Dropout(options.dropout, name=f"head_dropout{step}")(x)
        x = layers.Dense(width, activation="relu", kernel_regularizer=kernel, name=f"head_dense{step}")(x)
    if options.dropout:
        x = layers.Dropout(options.dropout, name="head_dropout")(x)
    logits = layers.Dense(classes, kernel_regularizer=kernel, dtype="float32", name="logits")(x)
    scores = layers.Activation(options.scores, dtype="float32", name="scores")(logits)
    return keras.Model(inputs, scores, name=name)


def _cut_off(inputs: Any, features: Any, layer: str, name: str) -> Any:
    import keras

    if not layer:
        return features
    known = {entry.name: entry for entry in keras.Model(inputs, features).layers}
    if layer not in known or len(known[layer].output.shape) != 4:
        raise RecipeError(f"The network {name} has no layer {layer!r} with a map that could be pooled.")
    return known[layer].output


def _pooled(features: Any, options: HeadOptions) -> Any:
    from keras import layers

    if options.pooling == "vlad":
        return vlad_layer()(options.clusters, name="pooled")(features)
    kind = layers.GlobalMaxPooling2D if options.pooling == "max" else layers.GlobalAveragePooling2D
    return kind(name="pooled")(features)


def renamed(model: Any, name_of: Callable[[Any, int], str]) -> Any:
    """A copy of a flat graph whose layers have names that do not depend on what was built before.

    Keras numbers nameless layers through the life of a process; weights are kept by name.
    """
    import keras

    names = {layer.name: name_of(layer, index) for index, layer in enumerate(model.layers)}

    def copied(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "name": names[layer.name]})

    return keras.models.clone_model(model, clone_function=copied)
