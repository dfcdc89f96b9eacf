"""ResNet50 (He 2015) on pooled features: seed 2's classifier of cropped masses.

With two classes and no dense layer the head has 4,098 parameters, all that the seed trains.
"""

from __future__ import annotations

from typing import Any

from pathview.models.networks.base import HeadOptions, InputShape, as_imagenet, image_input, with_head

BACKBONE = ("conv1_", "conv2_", "conv3_", "conv4_", "conv5_")


def build(options: HeadOptions, shape: InputShape, classes: int) -> Any:
    """An untrained ``keras.Model``: [n, h, w, 1 or 3] in 0..1 to [n, classes] in 0..1."""
    import keras

    inputs, pixels = image_input(shape)
    scaled = as_imagenet(pixels, shape.channels, "bgr means")
    base = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=scaled)
    return with_head(inputs, base.output, options, classes, "resnet50")
