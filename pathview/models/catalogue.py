"""Which models there are: recipes, and the weights that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from pathview.errors import ModelError, RecipeError
from pathview.images.source import Kind
from pathview.models.defaults import claims_in
from pathview.models.recipe import Recipe, load_recipe
from pathview.models.registry import Registry, Version
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
    version: int | None = None
    """Number of the version that is present, where versions are kept."""
    training: str = ""
    """Title of the training that this version came of."""
    default_for: tuple[Kind, ...] = ()
    """Kinds of image that it analyses where nobody names a model: one model a kind."""

    @property
    def name(self) -> str:
        """The recipe's name, which is also the model's."""
        return self.recipe.name

    @property
    def title(self) -> str:
        """What lists call it: two trainings of one recipe are told apart."""
        return f"{self.recipe.title}: {self.training}" if self.training else self.recipe.title

    @property
    def words(self) -> str:
        """What sentences call it."""
        words = f"{self.name}, version {self.version}" if self.version else self.name
        return f"{words} ({self.training})" if self.training else words

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
            "version": self.version,
            "training": self.training,
            "sha256": self.manifest.sha256 if self.manifest else None,
            "default_for": list(self.default_for),
        }


@dataclass(frozen=True)
class Damaged:
    """A folder or file that should be a model or recipe, and why it is none."""

    name: str
    reason: str


@dataclass(frozen=True)
class Found:
    """What the folders hold."""

    models: tuple[Model, ...]
    damaged: tuple[Damaged, ...]
    ranked: Mapping[Kind, tuple[Model, ...]] = field(default_factory=dict)
    """Who would analyse a kind of image, the first of them before the others."""

    def named(self, name: str) -> Model | None:
        """The model of a name, or None."""
        return next((model for model in self.models if model.name == name), None)

    def default_for(self, kind: Kind, without: str = "") -> Model | None:
        """The model that analyses a kind of image where nobody names one; None: there is none.

        ``without``: as if there were no model of this name.
        """
        return next((model for model in self.ranked.get(kind, ()) if model.name != without), None)


class Catalogue:
    """All models of an installation, read anew each time: the folders are small."""

    def __init__(self, settings: Settings) -> None:
        """Look where the settings say."""
        self._settings = settings

    def models(self) -> tuple[Model, ...]:
        """All usable models by name: versions that were promoted before the user's own folder before bundled ones."""
        return self.found().models

    def found(self) -> Found:
        """All models, and whatever is damaged: one bad file does not take the others along."""
        models: dict[str, Model] = {}
        damaged: list[Damaged] = []
        for folder in self._settings.recipe_dirs:
            for path in sorted(folder.glob("*.toml")):
                try:
                    recipe = load_recipe(path)
                    models[recipe.name] = Model(recipe, None, "none", None)
                except RecipeError as error:
                    damaged.append(Damaged(path.stem, str(error)))
        for index, folder in enumerate(self._settings.model_dirs):
            for path in sorted(folder.glob(f"*/{MANIFEST}")):
                try:
                    model = read_model(path.parent, "bundled" if index == 0 else "trained")
                    models[model.name] = model
                except ModelError as error:
                    damaged.append(Damaged(path.parent.name, str(error)))
        registry = Registry(self._settings)
        for name in registry.names():
            try:
                if (present := registry.present(name)) is not None:
                    models[name] = read_version(present)
            except ModelError as error:  # which version is present cannot be told: none is
                models.pop(name, None)
                damaged.append(Damaged(name, str(error)))
        return _with_defaults(sorted(models.values(), key=lambda model: model.name), damaged, registry)

    def model(self, name: str) -> Model:
        """A model by name, or by the path of a model folder.

        Raises:
            RecipeError: there is none, or it is damaged.
        """
        path = Path(name)
        if (path / MANIFEST).is_file():
            return read_model(path, "trained")
        if path.is_dir() and len(path.parts) > 1:
            raise RecipeError(f"The folder {path.name} holds no model: it has no {MANIFEST}.")
        found = self.found()
        models = {model.name: model for model in found.models}
        if name in models:
            return models[name]
        reason = next((entry.reason for entry in found.damaged if entry.name == name), None)
        raise RecipeError(reason or f"There is no recipe {name!r}; there are {', '.join(sorted(models))}.")

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

    def title(self, name: str) -> str:
        """What people call a recipe or model; its name where there is none of that name any more."""
        try:
            return self.recipe(name).title
        except (ModelError, RecipeError):
            return name

    def default_for(self, kind: Kind) -> Model | None:
        """The model that is offered for a kind of image: one with weights, or None."""
        return self.found().default_for(kind)


def _with_defaults(models: list[Model], damaged: list[Damaged], registry: Registry) -> Found:
    """The default of each kind: the newest claim of a promotion whose model is there, else what a recipe says."""
    claims = claims_in(registry.turns())
    ranked: dict[Kind, tuple[Model, ...]] = {}
    for kind in get_args(Kind):
        usable = {model.name: model for model in models if model.folder is not None and kind in model.recipe.kinds}
        claiming = [usable[name] for name in reversed(claims.get(kind, ())) if name in usable]
        ranked[kind] = (*claiming, *(model for model in usable.values() if kind in model.recipe.default_for))
    first = {kind: ranked[kind][0].name for kind in ranked if ranked[kind]}
    told = {
        model.name: replace(model, default_for=tuple(kind for kind, name in first.items() if name == model.name))
        for model in models
    }
    return Found(
        tuple(told.values()),
        tuple(damaged),
        {kind: tuple(told[model.name] for model in ranked[kind]) for kind in ranked},
    )


def read_model(folder: Path, weights: WeightsSource) -> Model:
    """The model in a folder; its manifest's recipe is the one that its weights were trained by."""
    manifest = read_manifest(folder)
    return Model(manifest.recipe, folder, weights, manifest)


def read_version(version: Version) -> Model:
    """A version of a local model.

    Raises:
        ModelError: its manifest is not the one that was registered.
    """
    manifest = version.manifest()
    origin = version.registered.origin
    weights: WeightsSource = "imported" if origin == "imported" else "bundled" if origin == "bundled" else "trained"
    return Model(manifest.recipe, version.folder, weights, manifest, version.number, version.title)


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
