"""Which layers of a network learn: everything, all but some, or only what comes after one."""

from __future__ import annotations

from typing import Any

from pathview.errors import RecipeError
from pathview.models.recipe import Recipe


def freeze(model: Any, recipe: Recipe) -> None:
    """Mark the layers that keep their weights, as the recipe's ``frozen`` and ``train_from`` say.

    A frozen batch normalisation also keeps its statistics, in training too (Keras since 2.2; before, it ran on
    the batch's).

    Raises:
        RecipeError: the network has no such layer.
    """
    spec = recipe.training
    names = [layer.name for layer in model.layers]
    for beginning in spec.frozen:
        if not any(name.startswith(beginning) for name in names):
            raise RecipeError(f"{recipe.name} freezes layers named {beginning}..., and its network has none.")
    if spec.train_from is not None and spec.train_from not in names:
        raise RecipeError(f"{recipe.name} trains from the layer {spec.train_from!r}, and its network has none.")
    first = names.index(spec.train_from) if spec.train_from is not None else 0
    for index, layer in enumerate(model.layers):
        if index < first or layer.name.startswith(spec.frozen):
            layer.trainable = False
