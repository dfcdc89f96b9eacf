"""A recipe's training step by itself, to time it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pathview.models import keras_backend
from pathview.models.keras_objective import compile_model
from pathview.models.keras_training import memory_told, precision_of, started
from pathview.models.recipe import Recipe


class StepTimer:
    """A recipe's training step and forward pass on images of noise, for timing; nothing is learnt that stays."""

    def __init__(self, recipe: Recipe, seed: int, initial: Path | None) -> None:
        """Build and compile it.

        Raises:
            ModelError: the file to start from does not fit.
        """
        keras_backend.start()
        with precision_of(recipe.training.mixed_precision):
            self._model = started(recipe, seed, initial)
            compile_model(self._model, recipe, 1000)
        self._size = recipe.training.batch
        rng = np.random.default_rng(seed)
        self._images = rng.random((self._size, *self._model.input_shape[1:]), np.float32)
        shape = (self._size, *self._model.output_shape[1:])
        drawn = rng.integers(0, 2 if len(shape) > 2 else shape[1], shape if len(shape) > 2 else self._size)
        self._truths = drawn.astype(np.float32) if len(shape) > 2 else np.eye(shape[1], dtype=np.float32)[drawn]
        self._forward = keras_backend.compiled(self._model, lambda images: self._model(images, training=False))

    def step(self, images: int) -> None:
        """One step of so many images, at most a batch.

        Raises:
            OutOfMemory: a batch of this size does not fit.
        """
        with memory_told(images):
            self._model.train_on_batch(self._images[:images], self._truths[:images])

    def forward(self, images: int) -> None:
        """So many images, at most a batch, through the network.

        Raises:
            OutOfMemory: a batch of this size does not fit.
        """
        with memory_told(images):
            np.asarray(self._forward(self._images[:images]))
