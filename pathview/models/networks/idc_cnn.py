"""The patch CNN of seed 4: four 3x3 convolutions, two poolings, two dense layers of 128.

2,010,946 parameters for 50x50 RGB patches and two outputs. The seed's two sigmoid outputs are not
normalised; its decision is the larger one. More than two classes get a softmax.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pathview.models.networks.base import InputShape, Options, image_input


class IdcCnnOptions(Options):
    """Dropout before the first dense layer and after each."""

    dropout: float = Field(0.5, ge=0, lt=1)
    dense: int = Field(128, ge=1)


def build(options: IdcCnnOptions, shape: InputShape, classes: int) -> Any:
    """An untrained ``keras.Model``: [n, h, w, channels] in 0..1 to [n, classes] in 0..1."""
    import keras
    from keras import layers

    inputs, pixels = image_input(shape)
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(pixels)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = layers.Conv2D(128, 3, activation="relu", name="conv3")(x)
    x = layers.Conv2D(256, 3, activation="relu", name="conv4")(x)
    x = layers.Flatten(name="flatten")(x)
    for step in (1, 2):
        x = layers.Dropout(options.dropout, name=f"dropout{step}")(x)
        x = layers.Dense(options.dense, activation="relu", name=f"dense{step}")(x)
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    scores = layers.Activation("sigmoid" if classes <= 2 else "softmax", dtype="float32", name="scores")(logits)
    return keras.Model(inputs, scores, name="idc_cnn")
