"""A U-Net's graph for Grad-CAM: convolutions over joined maps as sums of convolutions, one a map.

The way up reads at each level the map from below, joined to one of the way down. The gradient of a convolution is
taken to all channels that it reads; for a layer below the join, those of the way down are thrown away: a third of the
gradient's time. A convolution is linear: in parts it gives the same map, and each part a gradient of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

import numpy as np


def parted(model: Any, layers: Collection[str]) -> dict[str, Any]:
    """The outputs of a model's layers by name, in a copy of the graph that shares its input, layers and weights.

    Args:
        model: Any ``keras.Model``.
        layers: To which gradients will be taken. Joins are left as they are where each map hangs on these, or none.
    """
    import keras

    outputs: dict[str, Any] = {}
    hanging: set[int] = set()
    parts: dict[int, Any] = {}

    def call(layer: Any, given: Any, *args: Any, **options: Any) -> Any:
        if isinstance(layer, keras.layers.Conv2D) and id(given) in parts:
            given = parts[id(given)]
            output = _conv_of_parts()(layer, name=layer.name)(given)
        else:
            output = layer(given, *args, **options)
        outputs[layer.name] = output  # kept, so that no other gets its id
        hang = {id(tensor) in hanging for tensor in keras.tree.flatten(given)}
        if layer.name in layers or True in hang:
            hanging.add(id(output))
        if isinstance(layer, keras.layers.Concatenate) and layer.name not in layers and len(hang) == 2:
            parts[id(output)] = given
        return output

    keras.models.clone_model(model, input_tensors=model.input, clone_function=lambda layer: layer, call_function=call)
    return outputs


@cache
def _conv_of_parts() -> Any:
    import keras
    from keras import ops

    class ConvOfParts(keras.layers.Layer):  # type: ignore[misc]
        """A convolution's layer for maps that it read joined: a list of [n, rows, columns, channels]."""

        def __init__(self, conv: Any, name: str) -> None:
            super().__init__(name=name)
            self.conv = conv

        def call(self, maps: list[Any]) -> Any:
            ends = np.cumsum([one.shape[-1] for one in maps])[:-1].tolist()
            kernels = ops.split(self.conv.kernel, ends, axis=2)
            y = sum(self.conv.convolution_op(one, kernel) for one, kernel in zip(maps, kernels, strict=True))
            return self.conv.activation(y + self.conv.bias if self.conv.use_bias else y)

    return ConvOfParts
