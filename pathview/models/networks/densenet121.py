"""DenseNet121 (Huang 2017) on pooled features: seed 5's feature extractor and fine-tuned classifier."""

from __future__ import annotations

from typing import Any

from pathview.models.networks.base import HeadOptions, InputShape, as_imagenet, image_input, renamed, with_head

BACKBONE = ("conv1_", "conv2_", "conv3_", "conv4_", "conv5_", "pool2_", "pool3_", "pool4_", "bn")


def build(options: HeadOptions, shape: InputShape, classes: int) -> Any:
    """An untrained ``keras.Model``: [n, h, w, 1 or 3] in 0..1 to [n, classes] in 0..1."""
    import keras

    inputs, pixels = image_input(shape)
    scaled = as_imagenet(pixels, shape.channels, "rgb means")
    base = keras.applications.DenseNet121(include_top=False, weights=None, input_tensor=scaled)
    return renamed(with_head(inputs, base.output, options, classes, "densenet121"), _name_of)


def _name_of(layer: Any, index: int) -> str:
    return f"padding_{index}" if type(layer).__name__ == "ZeroPadding2D" else str(layer.name)
