"""Which models there are: recipes, and the weights that go with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pathview.errors import ModelError, RecipeError
from pathview.images.source import Kind
from pathview.models.recipe import Recipe, load_recipe
from pathview.models.weights import MANIFEST, Manifest, check_folder, read_manifest
from pathview.settings import Settings

WeightsSource = Literal["bundled", "imported", "trained", "none"]


@dataclass(frozen=True)
class Model:
    """One entry: a recipe, and where its weights lie if it has any."""

    recipe: Recipe
    folder: Path | None
    weights: WeightsSource
    manifest: Manifest | None

    @property
    def name(self) -> str:
        """The recipe's name, which is also the model's."""
        return self.recipe.name

    def as_json(self) -> dict[str, Any]:
        """The fields of ``pathview models list``."""
        network = self.recipe.network
        return {
            "name": self.name,
            "title": self.recipe.title,
            "task": self.recipe.task,
            "network": network.name,
            "parameters": network.parameters,
            "trainable_parameters": network.trainable_parameters,
            "weights": self.weights,
            "sha256": self.manifest.sha256 if self.manifest else None,
            "default_for": list(self.recipe.default_for) if self.folder else [],
        }


class Catalogue:
    """All models of an installation, read anew each time: the folders are small."""

    def __init__(self, settings: Settings) -> None:
        """Look where the settings say."""
        self._settings = settings

    def models(self) -> list[Model]:
        """All models by name: weights of the user's own folder before bundled ones.

        Raises:
            RecipeError, ModelError: a file in one of the folders is wrong.
        """
        found: dict[str, Model] = {}
        for folder in self._settings.recipe_dirs:
            for path in sorted(folder.glob("*.toml")):
                recipe = load_recipe(path)
                found[recipe.name] = Model(recipe, None, "none", None)
        for index, folder in enumerate(self._settings.model_dirs):
            for manifest_path in sorted(folder.glob(f"*/{MANIFEST}")):
                model = read_model(manifest_path.parent, "bundled" if index == 0 else "trained")
                found[model.name] = model
        return sorted(found.values(), key=lambda model: model.name)

    def model(self, name: str) -> Model:
        """A model by name, or by the path of a model folder.

        Raises:
            RecipeError: there is none.
        """
        path = Path(name)
        if (path / MANIFEST).is_file():
            return read_model(path, "trained")
        models = {model.name: model for model in self.models()}
        if name not in models:
            raise RecipeError(f"There is no recipe {name!r}; there are {', '.join(sorted(models))}.")
        return models[name]

    def recipe(self, name: str) -> Recipe:
        """The recipe to train by: the file of that name or path, else the one that a model carries.

        Raises:
            RecipeError: there is none.
        """
        if name.endswith(".toml"):
            return load_recipe(Path(name))
        for folder in reversed(self._settings.recipe_dirs):
            if (folder / f"{name}.toml").is_file():
                return load_recipe(folder / f"{name}.toml")
        return self.model(name).recipe

    def default_for(self, kind: Kind) -> Model | None:
        """The model that is offered for a kind of image: one with weights, or None."""
        usable = [model for model in self.models() if model.folder is not None]
        return next((model for model in usable if kind in model.recipe.default_for), None)


def read_model(folder: Path, weights: WeightsSource) -> Model:
    """The model in a folder; its manifest's recipe is the one that its weights were trained by."""
    manifest = read_manifest(folder)
    return Model(manifest.recipe, folder, weights, manifest)


def verify_model(model: Model) -> str | None:
    """What is wrong with a model's files, in one sentence, or None."""
    if model.folder is None:
        return None
    try:
        check_folder(model.folder, model.recipe.network.parameters)
    except ModelError as error:
        return str(error)
    return None


def require_weights(model: Model) -> Path:
    """The folder of a model's weights.

    Raises:
        ModelError: it has none.
    """
    if model.folder is None:
        raise ModelError(f"{model.name} has no weights yet; train it (pathview train) or choose another recipe.")
    return model.folder
