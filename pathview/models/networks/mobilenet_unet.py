"""A U-Net whose way down is MobileNet v1 (Howard 2017), so that weights learnt on ImageNet can start it.

The way down ends at ``conv_pw_11`` (a sixteenth of the side, 512 channels); the way up has two 3x3
convolutions at each level, as in seed 2's network, and ends at half the side, where logits are brought to
full size. Layers of the way down keep Keras' own names.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pathview.models.networks.base import InputShape, Options, as_imagenet, image_input
from pathview.models.networks.mobilenet import backbone

SKIPS = ("conv_pw_5_relu", "conv_pw_3_relu", "conv_pw_1_relu")
BOTTOM = "conv_pw_11_relu"


class MobileNetUnetOptions(Options):
    """Filters of the last level of the way up (twice and three times as many below it); dropout at its end."""

    width: int = Field(32, ge=4, le=256)
    dropout: float = Field(0.2, ge=0, lt=1)


def build(options: MobileNetUnetOptions, shape: InputShape, classes: int) -> Any:
    """An untrained ``keras.Model``: [n, h, w, 1 or 3] in 0..1 to [n, h, w, classes] in 0..1.

    Height and width must be multiples of 32.
    """
    import keras
    from keras import layers

    def double_conv(x: Any, filters: int, name: str) -> Any:
        for step in (1, 2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv{step}")(x)
            x = layers.BatchNormalization(name=f"{name}_bn{step}")(x)
            x = layers.Activation("relu", name=f"{name}_relu{step}")(x)
        return x

    inputs, pixels = image_input(shape)
    down = backbone(as_imagenet(pixels, shape.channels, "-1..1"))
    x = down.get_layer(BOTTOM).output
    widths = (3 * options.width, 2 * options.width, options.width)
    for level, (skip, width) in enumerate(zip(SKIPS, widths, strict=True)):
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"up{4 - level}_scale")(x)
        x = layers.Concatenate(name=f"up{4 - level}_join")([x, down.get_layer(skip).output])
        x = double_conv(x, width, f"up{4 - level}")
    if options.dropout:
        x = layers.SpatialDropout2D(options.dropout, name="up2_dropout")(x)
    x = layers.Conv2D(classes, 1, dtype="float32", name="half_logits")(x)
    logits = layers.UpSampling2D(2, interpolation="bilinear", dtype="float32", name="logits")(x)
    scores = layers.Activation("sigmoid", dtype="float32", name="scores")(logits)
    return keras.Model(inputs, scores, name="mobilenet_unet")
