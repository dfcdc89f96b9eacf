"""Seed 3's own network: VGG19's first three blocks, then two blocks of depthwise separable convolutions.

30,020,930 parameters with two classes at 224 x 224. The 2,329,664 that do not learn in the seed are VGG19's
2,325,568 and the 4,096 moving statistics of batch normalisation.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pathview.models.networks.base import InputShape, Options, Scores, as_imagenet, image_input
from pathview.models.networks.vgg import blocks

BACKBONE = ("block1_", "block2_", "block3_")


class SeparableCnnOptions(Options):
    """Dropout after each of the two dense layers."""

    dropout: float = Field(0.5, ge=0, lt=1)
    scores: Scores = "softmax"


def build(options: SeparableCnnOptions, shape: InputShape, classes: int) -> Any:
    """An untrained ``keras.Model``: [n, h, w, 1 or 3] in 0..1 to [n, classes] in 0..1."""
    import keras
    from keras import layers

    inputs, pixels = image_input(shape)
    x = blocks(as_imagenet(pixels, shape.channels, "bgr means"), 19, last=3)
    for block in (4, 5):
        for step in (1, 2, 3):
            name = f"block{block}_sepconv{step}"
            x = layers.SeparableConv2D(512, 3, padding="same", activation="relu", name=name)(x)
            if step < 3:
                x = layers.BatchNormalization(name=f"block{block}_conv{step}_bn")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for step, width in ((1, 1024), (2, 512)):
        x = layers.Dense(width, activation="relu", name=f"fc{step}")(x)
        x = layers.Dropout(options.dropout, name=f"dropout{step}")(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    scores = layers.Activation(options.scores, dtype="float32", name="scores")(logits)
    return keras.Model(inputs, scores, name="separable_cnn")
