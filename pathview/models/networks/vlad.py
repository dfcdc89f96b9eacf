"""VLAD: a map's columns as one vector of residuals to learnt centres (Jegou 2010; seed 3's second encoding).

Each position's feature vector x goes to its nearest centre c; the image is the sums of x - c, a centre each, one
after another, divided by their L2 norm: clusters x channels numbers.
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def vlad_layer() -> Any:
    """The Keras layer's class; made when Keras is there."""
    import keras
    from keras import ops

    class Vlad(keras.layers.Layer):  # type: ignore[misc]
        """[n, rows, columns, channels] to [n, clusters * channels]; its centres are fitted, not learnt by gradient."""

        def __init__(self, clusters: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.clusters = clusters

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            shape = (self.clusters, input_shape[-1])
            self.centres = self.add_weight(name="centres", shape=shape, initializer="random_normal", trainable=False)

        def call(self, maps: Any) -> Any:
            channels = maps.shape[-1]
            x = ops.reshape(maps, (ops.shape(maps)[0], -1, channels))
            distances = ops.sum(self.centres**2, axis=-1) - 2 * ops.matmul(x, ops.transpose(self.centres))
            index = ops.top_k(-distances, k=1)[1][..., 0]  # Keras' argmin plays with bits, which ONNX cannot
            nearest = ops.one_hot(index, self.clusters, dtype=x.dtype)
            assigned = ops.transpose(nearest, (0, 2, 1))
            sums = ops.matmul(assigned, x) - ops.sum(assigned, axis=-1, keepdims=True) * self.centres
            vector = ops.reshape(sums, (ops.shape(maps)[0], self.clusters * channels))
            norm = ops.sqrt(ops.sum(vector**2, axis=-1, keepdims=True))
            return vector / ops.maximum(norm, 1e-12)

        def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
            return (input_shape[0], self.clusters * int(input_shape[-1] or 0))

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "clusters": self.clusters}

    return Vlad
