"""A patch classifier as a fully convolutional network: all windows of a large image in one pass.

Its dense layers become convolutions (seed 3 does so with VGG19; Long 2015): what windows share is then computed
once. It equals the classifier window by window where no layer looks beyond its window's edge, so only networks of
convolutions and poolings without padding have such a form.
"""

from __future__ import annotations

import math
from typing import Any

_POINTWISE = ("Dropout", "Rescaling", "Activation", "ReLU", "BatchNormalization")
_SLIDING = ("Conv2D", "SeparableConv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D")


def window_stride(model: Any) -> int | None:
    """Pixels between neighbouring windows of a classifier's convolutional form; None where it has none."""
    layers = model.layers[1:]
    kinds = [type(layer).__name__ for layer in layers]
    if kinds.count("Flatten") != 1:
        return None
    head = kinds.index("Flatten")
    sliding = [layer for layer, kind in zip(layers[:head], kinds[:head], strict=True) if kind in _SLIDING]
    plain = all(kind in (*_SLIDING, *_POINTWISE) for kind in kinds[:head])
    on_top = all(kind in ("Dense", *_POINTWISE) for kind in kinds[head + 1 :])
    one_after_the_other = all(layer.input is before.output for before, layer in zip(model.layers, layers, strict=False))
    unpadded = all(layer.padding == "valid" and layer.strides[0] == layer.strides[1] for layer in sliding)
    if not (plain and on_top and one_after_the_other and unpadded):
        return None
    return math.prod(int(layer.strides[0]) for layer in sliding)


def convolutional_form(model: Any) -> Any:
    """The ``keras.Model`` of a classifier's convolutional form, with the same weights.

    It takes [n, rows, columns, channels] of any size to [n, windows down, windows across, classes].

    Raises:
        ValueError: the classifier has no such form (:func:`window_stride` is None).
    """
    import keras

    if window_stride(model) is None:
        raise ValueError(f"{model.name} has no convolutional form")
    x = inputs = keras.Input((None, None, model.input_shape[-1]), name="image")
    window = (1, 1)
    for layer in model.layers[1:]:
        kind = type(layer).__name__
        if kind == "Flatten":
            window = tuple(layer.input.shape[1:3])
            continue
        if kind == "Dense":
            convolution = keras.layers.Conv2D(layer.units, window, activation=layer.activation, name=layer.name)
            window = (1, 1)
        else:
            convolution = type(layer).from_config(layer.get_config())
        x = convolution(x)
    form = keras.Model(inputs, x, name=f"{model.name}_convolutional")
    for layer in form.layers[1:]:
        weights = model.get_layer(layer.name).get_weights()
        layer.set_weights([w.reshape(target.shape) for w, target in zip(weights, layer.weights, strict=True)])
    return form
