"""ZF-UNET-224 (seed 2, after Ronneberger 2015): six levels of double 3x3 convolutions.

With width 32, three channels and batch normalisation it has 31,466,753 parameters, 31,454,721 of
them trainable, as in the seed. Width 8 with one channel has 1,972,337.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pathview.models.networks.base import InputShape, Options, image_input

LEVELS = 6


class ZfUnetOptions(Options):
    """Filters of the first level, doubled at each further one; dropout after the last double layer."""

    width: int = Field(32, ge=1, le=128)
    batch_norm: bool = True
    dropout: float = Field(0.2, ge=0, lt=1)


def build(options: ZfUnetOptions, shape: InputShape, classes: int) -> Any:
    """An untrained ``keras.Model``: [n, h, w, channels] in 0..1 to [n, h, w, classes] in 0..1.

    Height and width must be multiples of 32.
    """
    import keras
    from keras import layers

    def double_conv(x: Any, filters: int, name: str) -> Any:
        for step in (1, 2):
            x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv{step}")(x)
            if options.batch_norm:
                x = layers.BatchNormalization(name=f"{name}_bn{step}")(x)
            x = layers.Activation("relu", name=f"{name}_relu{step}")(x)
        return x

    inputs, pixels = image_input(shape)
    x, skips = pixels, []
    for level in range(LEVELS - 1):
        x = double_conv(x, options.width * 2**level, f"down{level + 1}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"pool{level + 1}")(x)
    x = double_conv(x, options.width * 2 ** (LEVELS - 1), "bottom")
    for level in reversed(range(LEVELS - 1)):
        x = layers.UpSampling2D(2, name=f"up{level + 1}_scale")(x)
        x = layers.Concatenate(name=f"up{level + 1}_join")([x, skips[level]])
        x = double_conv(x, options.width * 2**level, f"up{level + 1}")
    if options.dropout:
        x = layers.SpatialDropout2D(options.dropout, name="up1_dropout")(x)
    logits = layers.Conv2D(classes, 1, dtype="float32", name="logits")(x)
    scores = layers.Activation("sigmoid", dtype="float32", name="scores")(logits)
    return keras.Model(inputs, scores, name="zf_unet")
