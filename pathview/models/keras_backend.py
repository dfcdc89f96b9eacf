"""Keras on TensorFlow: the reference runtime, and the only road to gradients.

Nothing here imports Keras or TensorFlow before a function is called: importing takes seconds and
would stall the window's process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pathview.models.backend import Batch, Predict
from pathview.models.convolutional import convolutional_form, window_stride
from pathview.models.freezing import freeze
from pathview.models.joins import parted
from pathview.models.networks import NETWORKS, InputShape
from pathview.models.recipe import Recipe
from pathview.models.weights import Tensors, read_manifest, read_weights


@cache
def start() -> None:
    """Import Keras and TensorFlow, without the lines that TensorFlow prints before it can be told not to."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    kept, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 2)
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)


def build(recipe: Recipe) -> Any:
    """An untrained ``keras.Model`` of a recipe's network, with the layers frozen that the recipe freezes.

    Raises:
        RecipeError: the recipe names a layer that the network does not have.
    """
    start()
    spec = recipe.input
    outputs = 1 if recipe.task == "segmentation" and len(recipe.classes) <= 2 else len(recipe.classes)
    shape = InputShape(spec.height, spec.width, spec.channels, spec.normalise == "image", spec.means, spec.deviations)
    model = NETWORKS[recipe.network.name].build(recipe.network.checked_options(), shape, outputs)
    freeze(model, recipe)
    return model


def weight_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of all weights by variable path (random seeds and metrics left out)."""
    return {weight.path: tuple(weight.shape) for weight in model.weights}


def get_weights(model: Any) -> Tensors:
    """All weights as float32 by variable path."""
    return {weight.path: np.asarray(weight.numpy(), np.float32) for weight in model.weights}


def set_weights(model: Any, tensors: Mapping[str, Any]) -> None:
    """Assign weights by variable path; names and shapes must have been checked."""
    for weight in model.weights:
        weight.assign(tensors[weight.path])


def parameter_counts(recipe: Recipe) -> tuple[int, int]:
    """All parameters and the trainable ones of a recipe's network."""
    model = build(recipe)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return int(model.count_params()), trainable


def load_network(folder: Path) -> KerasNetwork:
    """A network with the checked weights of a model folder.

    Raises:
        ModelError: missing, damaged, swapped or misfitting weights.
    """
    manifest = read_manifest(folder)
    model = build(manifest.recipe)
    set_weights(model, read_weights(folder, manifest, weight_shapes(model)))
    return KerasNetwork(model, manifest.recipe, manifest.sha256)


def compiled(model: Any, function: Callable[[Any], Any]) -> Any:
    """A function of a batch of a model's images, traced once for batches of any size."""
    import tensorflow as tf

    signature = [tf.TensorSpec([None, *model.input_shape[1:]], tf.float32)]
    return tf.function(function, input_signature=signature, autograph=False)


class KerasNetwork:
    """See :class:`pathview.models.backend.Network`."""

    def __init__(self, model: Any, recipe: Recipe, weights_sha256: str = "") -> None:
        """Wrap a built model; functions are compiled at their first call."""
        import keras
        import tensorflow as tf

        self.recipe = recipe
        self.weights_sha256 = weights_sha256
        self.runtime = f"Keras {keras.__version__} on TensorFlow {tf.__version__}"
        self.device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        self.precision = "float32"
        self._model = model
        self._forward = compiled(model, lambda images: model(images, training=False))
        self._gradcams: dict[tuple[str, ...], Any] = {}

    def predict(self, images: Batch) -> Batch:
        """See :class:`pathview.models.backend.Network`."""
        return np.asarray(self._forward(images), np.float32)

    @property
    def lanes(self) -> tuple[Predict, ...]:
        """See :class:`pathview.models.backend.Network`."""
        return (self.predict,)

    @property
    def window_stride(self) -> int | None:
        """See :class:`pathview.models.backend.Network`."""
        return window_stride(self._model)

    def predict_windows(self, images: Batch) -> Batch:
        """See :class:`pathview.models.backend.Network`."""
        return self.convolutional.predict(images)

    @cached_property
    def convolutional(self) -> KerasNetwork:
        """The convolutional form with the same weights; see :func:`convolutional_form`."""
        return KerasNetwork(convolutional_form(self._model), self.recipe, self.weights_sha256)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """See :func:`weight_shapes`."""
        return weight_shapes(self._model)

    def of_images_and_weights(self, images: str, weights: Sequence[str]) -> Any:
        """The network as a TensorFlow function of inputs with these names, the weights in :meth:`weight_shapes`' order.

        So a converter sees the graph alone, and nothing folds half a gigabyte of constants.
        """
        import tensorflow as tf

        model, shapes = self._model, self.weight_shapes()
        learning, others = ([v.path for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables))
        seeds = {v.path: v.numpy() for v in model.non_trainable_variables if v.path not in shapes}

        def forward(pixels: Any, *given: Any) -> Any:
            values = {**seeds, **dict(zip(shapes, given, strict=True))}
            outputs, _ = model.stateless_call(
                [values[path] for path in learning], [values[path] for path in others], pixels, training=False
            )
            return outputs

        signature = [
            tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, images),
            *(tf.TensorSpec(shape, tf.float32, name) for shape, name in zip(shapes.values(), weights, strict=True)),
        ]
        return tf.function(forward, input_signature=signature, autograph=False)

    def layer_names(self) -> tuple[str, ...]:
        """All layers, first to last."""
        return tuple(layer.name for layer in self._model.layers)

    def explainable_layers(self) -> tuple[str, ...]:
        """See :class:`pathview.models.backend.Network`."""
        kinds = ("Conv2D", "MaxPooling2D", "AveragePooling2D", "SeparableConv2D", "DepthwiseConv2D")
        return tuple(
            layer.name
            for layer in self._model.layers
            if (type(layer).__name__ in kinds or layer.name == self.recipe.heat_layer)
            and not layer.name.endswith("logits")
        )

    def can_explain(self, layer: str) -> bool:
        """See :class:`pathview.models.backend.Network`."""
        found = next((entry for entry in self._model.layers if entry.name == layer), None)
        if found is None or type(found).__name__ == "InputLayer" or layer.endswith(("logits", "scores")):
            return False
        return len(found.output.shape) == 4

    def gradcam(self, images: Batch, layers: Sequence[str]) -> dict[str, Batch]:
        """See :class:`pathview.models.backend.Network`.

        The target is a logit, not a score: a saturated score has no gradient left. For a
        segmentation it is the sum of logits, each weighted by its own probability (after
        Vinogradova 2020, whose set of pixels is here a soft one).
        """
        key = tuple(layers)
        if key not in self._gradcams:
            self._gradcams[key] = compiled(self._model, self._gradcam_function(key))
        maps = self._gradcams[key](images)
        return {name: np.asarray(values, np.float32) for name, values in zip(key, maps, strict=True)}

    def _gradcam_function(self, layers: tuple[str, ...]) -> Any:
        import keras
        import tensorflow as tf

        outputs = parted(self._model, layers)
        tapped = keras.Model(self._model.inputs[0], [outputs[name] for name in (*layers, "logits")])

        def maps(images: Any) -> list[Any]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(images)
                *activations, logits = tapped(images, training=False)
                if len(logits.shape) == 2:
                    target = logits[:, -1]
                else:
                    positive = logits[..., -1]
                    target = tf.reduce_sum(positive * tf.stop_gradient(tf.sigmoid(positive)), axis=(1, 2))
            gradients = tape.gradient(target, activations)
            return [
                tf.nn.relu(tf.reduce_sum(a * tf.reduce_mean(g, axis=(1, 2), keepdims=True), axis=-1))
                for a, g in zip(activations, gradients, strict=True)
            ]

        return maps
