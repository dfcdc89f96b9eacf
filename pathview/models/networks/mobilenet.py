"""MobileNet v1 (Howard 2017) on pooled features: the light backbone, whose ImageNet weights are small to carry."""

from __future__ import annotations

from typing import Any

from pathview.models.networks.base import HeadOptions, InputShape, as_imagenet, image_input, with_head

BACKBONE = ("conv1", "conv_")
"""How the names of MobileNet's own layers begin."""


def build(options: HeadOptions, shape: InputShape, classes: int) -> Any:
    """An untrained ``keras.Model``: [n, h, w, 1 or 3] in 0..1 to [n, classes] in 0..1."""
    inputs, pixels = image_input(shape)
    down = backbone(as_imagenet(pixels, shape.channels, "-1..1"))
    return with_head(inputs, down.output, options, classes, "mobilenet")


def backbone(pixels: Any) -> Any:
    """MobileNet v1 without its classifier, under Keras' own layer names."""
    import keras

    return keras.applications.MobileNet(input_tensor=pixels, include_top=False, weights=None)
