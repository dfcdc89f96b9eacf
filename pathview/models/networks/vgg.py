"""VGG16 and VGG19 (Simonyan and Zisserman 2014): pooled features (seed 1), or their own dense layers (seed 3)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pathview.models.networks.base import HeadOptions, InputShape, Options, Scores, as_imagenet, image_input, with_head

BACKBONE = ("block",)
DENSE = ("fc1", "fc2")


class DenseVggOptions(Options):
    """VGG19 with its two dense layers of 4096."""

    scores: Scores = "softmax"
    width: int = Field(4096, ge=1)


def build(options: HeadOptions, shape: InputShape, classes: int) -> Any:
    """VGG16, an untrained ``keras.Model``: [n, h, w, 1 or 3] in 0..1 to [n, classes] in 0..1."""
    inputs, pixels = image_input(shape)
    x = blocks(as_imagenet(pixels, shape.channels, "bgr means"), 16)
    return with_head(inputs, x, options, classes, "vgg16")


def build_dense(options: DenseVggOptions, shape: InputShape, classes: int) -> Any:
    """VGG19 as seed 3 fine-tunes it: flattened, ``fc1``, ``fc2``, scores; 224 x 224 pixels.

    139,578,434 parameters with two classes.
    """
    import keras
    from keras import layers

    inputs, pixels = image_input(shape)
    x = blocks(as_imagenet(pixels, shape.channels, "bgr means"), 19)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(options.width, activation="relu", name="fc1")(x)
    x = layers.Dense(options.width, activation="relu", name="fc2")(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    scores = layers.Activation(options.scores, dtype="float32", name="scores")(logits)
    return keras.Model(inputs, scores, name="vgg19_dense")


def build_convolutional(options: HeadOptions, shape: InputShape, classes: int) -> Any:
    """VGG19 for images larger than 224 x 224: ``fc1`` and ``fc2`` slide over the map as convolutions (seed 3).

    At 224 + 320 n pixels a side they give maps of 1 + 10 n; at n = 0 they are the dense layers themselves.
    """
    from keras import layers

    inputs, pixels = image_input(shape)
    x = blocks(as_imagenet(pixels, shape.channels, "bgr means"), 19)
    if options.layer in ("", *DENSE):
        x = layers.Conv2D(4096, 7, activation="relu", name="fc1")(x)
    if options.layer in ("", "fc2"):
        x = layers.Conv2D(4096, 1, activation="relu", name="fc2")(x)
    return with_head(inputs, x, options, classes, "vgg19_convolutional")


def blocks(x: Any, depth: int, last: int = 5) -> Any:
    """The convolution blocks up to number ``last``, under Keras' own layer names."""
    from keras import layers

    deep = {16: 3, 19: 4}[depth]
    for block, (width, count) in enumerate(((64, 2), (128, 2), (256, deep), (512, deep), (512, deep)), start=1):
        if block > last:
            break
        for step in range(1, count + 1):
            name = f"block{block}_conv{step}"
            x = layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return x
