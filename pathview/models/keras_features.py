"""Features of a network with Keras: what its layers say of images, and a head that was fitted outside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.errors import RecipeError
from pathview.models.backend import Batch
from pathview.models.keras_backend import compiled

Floats = npt.NDArray[np.float32]


class Extractor:
    """Reads features from a built model; compiled at the first call of each kind."""

    def __init__(self, model: Any) -> None:
        """For a model whose head stands on a layer ``pooled``."""
        self._model = model
        self._compiled: dict[tuple[str, ...], Any] = {}

    @property
    def last(self) -> str:
        """The layer whose map is pooled for the head."""
        return str(self._model.get_layer("pooled").input._keras_history.operation.name)

    @property
    def features(self) -> str:
        """The layer that a head can stand on: :attr:`last`, or what ``logits`` sees where nothing is pooled."""
        if any(layer.name == "pooled" for layer in self._model.layers):
            return self.last
        return str(self._model.get_layer("logits").input._keras_history.operation.name)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all weights below the head: equal features come from equal digests."""
        digest = hashlib.sha256()
        for layer in self._model.layers:
            if layer.name == "pooled":
                break
            for weight in layer.weights:
                digest.update(weight.path.encode())
                digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
        return digest.hexdigest()

    def pooled(self, images: Batch, layers: Sequence[str], pooling: str) -> list[Floats]:
        """Mean or largest value of each channel of layers' maps, all layers in one pass: float32 [n, channels]."""
        return self._read(images, layers, pooling)

    def columns(self, images: Batch, layer: str) -> Floats:
        """The feature vector at each place of a layer's map: float32 [n, places, channels]."""
        (values,) = self._read(images, [layer])
        return values.reshape(len(values), -1, values.shape[-1])

    def head_input(self, images: Batch) -> Floats:
        """What the head sees, whatever the pooling: float32 [n, features]."""
        (values,) = self._read(images, ["pooled"])
        return values

    def set_centres(self, centres: Floats) -> None:
        """Give a VLAD its centres: float32 [clusters, channels]."""
        self._model.get_layer("pooled").centres.assign(centres)

    def set_head(self, kernel: Floats, bias: Floats) -> None:
        """Give ``logits`` a fitted kernel [features, classes] and bias [classes].

        Raises:
            RecipeError: there are other dense layers between, which a linear head cannot take the place of.
        """
        layer = self._model.get_layer("logits")
        if layer.kernel.shape != kernel.shape:
            raise RecipeError(f"{self._model.name} has dense layers before its scores; a linear fit needs none.")
        layer.set_weights([kernel, bias])

    def _read(self, images: Batch, layers: Sequence[str], pooling: str = "") -> list[Floats]:
        """Outputs of layers, their maps reduced as ``pooling`` says (empty: as they are)."""
        key = (pooling, *layers)
        if key not in self._compiled:
            self._compiled[key] = self._function([self._layer(name).output for name in layers], pooling)
        return [np.asarray(values, np.float32) for values in self._compiled[key](images)]

    def _layer(self, name: str) -> Any:
        found = next((layer for layer in self._model.layers if layer.name == name), None)
        if found is None:
            raise RecipeError(f"The network {self._model.name} has no layer {name!r}.")
        return found

    def _function(self, outputs: list[Any], pooling: str) -> Any:
        import keras
        from keras import ops

        tapped = keras.Model(self._model.inputs[0], outputs)
        reduce = {"mean": ops.mean, "max": ops.max}.get(pooling)

        def run(images: Any) -> list[Any]:
            found = tapped(images, training=False)
            maps = found if isinstance(found, list) else [found]
            if reduce is None:
                return maps
            return [reduce(one, axis=(1, 2)) if len(one.shape) == 4 else one for one in maps]

        return compiled(self._model, run)
