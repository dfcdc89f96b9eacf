"""What a training starts from: random numbers, ImageNet weights, or a file that is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pathview.errors import DataError
from pathview.images.digest import file_digests
from pathview.models.catalogue import Catalogue, require_weights
from pathview.models.imagenet import kept
from pathview.models.networks import NETWORKS
from pathview.models.recipe import Recipe
from pathview.models.weights import WEIGHTS
from pathview.settings import Settings


class NoImageNet(DataError):
    """A recipe starts from ImageNet weights that were not imported; whoever asked may want random ones instead."""


@dataclass(frozen=True)
class Start:
    """What a training starts from."""

    file: Path | None = None
    """Weights of the backbone; None: random numbers."""
    words: str = ""
    """Name and hash of the file; empty for random numbers."""


def start_of(recipe: Recipe, file: Path | None, from_scratch: bool, settings: Settings) -> Start:
    """What a recipe's training starts from: a file that is named, else what the recipe asks for.

    Raises:
        DataError: the file is missing.
        NoImageNet: the recipe starts from ImageNet weights, none were imported, and starting from scratch was not
            asked for.
        ModelError: the imported weights are damaged, or the model to start from has none.
        RecipeError: there is no such model.
    """
    if file is not None:
        require_file(file)
        return Start(file, f"{file.name}, SHA-256 {file_digests(file)[0]}")
    initial = recipe.training.initial
    if initial == "random" or from_scratch:
        return Start()
    if initial != "imagenet":
        model = Catalogue(settings).model(initial)
        weights = require_weights(model) / WEIGHTS
        return Start(weights, f"the model {initial}, SHA-256 {file_digests(weights)[0]}")
    backbone = NETWORKS[recipe.network.name].imagenet
    found = kept(backbone, settings)
    if found is None:
        raise NoImageNet(
            f"{recipe.name} starts from ImageNet weights of {backbone}, and there are none here: import them "
            "(pathview models import FILE), or train from random weights (--from-scratch)."
        )
    path, imported = found
    return Start(path, f"ImageNet weights of {backbone}: {imported.words()}")


def require_file(path: Path) -> None:
    """A wrong path is told before the training, not hours later."""
    if not path.is_file():
        raise DataError(f"The file {path} does not exist.")
