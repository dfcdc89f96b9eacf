"""InceptionV3 (Szegedy 2015) on pooled features: seed 1's better network."""

from __future__ import annotations

from itertools import count
from typing import Any

from pathview.models.networks.base import HeadOptions, InputShape, as_imagenet, image_input, renamed, with_head

BACKBONE = ("conv_", "norm_")
_NUMBERED = {
    "Conv2D": "conv",
    "BatchNormalization": "norm",
    "Activation": "relu",
    "AveragePooling2D": "average_pool",
    "MaxPooling2D": "max_pool",
    "Concatenate": "concat",
}


def build(options: HeadOptions, shape: InputShape, classes: int) -> Any:
    """An untrained ``keras.Model``: [n, h, w, 1 or 3] in 0..1 to [n, classes] in 0..1.

    Convolutions are ``conv_1`` to ``conv_94`` in Keras' own order, which its weight files follow; the joints
    ``mixed0`` to ``mixed10`` keep their names.
    """
    import keras

    inputs, pixels = image_input(shape)
    scaled = as_imagenet(pixels, shape.channels, "-1..1")
    base = keras.applications.InceptionV3(include_top=False, weights=None, input_tensor=scaled)
    inner = {id(layer) for layer in base.layers}
    numbers = {kind: count(1) for kind in _NUMBERED}

    def name_of(layer: Any, _: int) -> str:
        kind = type(layer).__name__
        if id(layer) not in inner or kind not in _NUMBERED or layer.name.startswith(("mixed", "grey", "blue")):
            return str(layer.name)
        return f"{_NUMBERED[kind]}_{next(numbers[kind])}"

    return renamed(with_head(inputs, base.output, options, classes, "inception_v3"), name_of)
