"""Every number and choice of a recipe that a training may change: one table for the wizard's "more" and for ``--set``.

Types, limits and defaults are the recipe's own (:mod:`pathview.models.recipe`); names and meanings stand here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.fields import FieldInfo

from pathview.errors import RecipeError
from pathview.models.networks import NETWORKS
from pathview.models.recipe import AugmentationSpec, InputSpec, Recipe, TrainingSpec

Group = Literal["fitting", "head", "data", "augmentation", "input", "work"]
Kind = Literal["number", "whole number", "yes or no", "choice", "words", "list"]
Value = JsonValue
_PARTS: dict[str, type[BaseModel]] = {
    "training": TrainingSpec, "augmentation": AugmentationSpec, "input": InputSpec,
}  # fmt: skip
_OPTIONS = "network.options"
_LIMITS = ("ge", "gt", "le", "lt")
_COUNTED = ("training.train_from", "training.frozen", "training.method")
"""Other fields on which it depends how many weights there are to learn."""


_OF_GRADIENTS = ("training.train_from", "training.frozen", "training.refit")
"""What says nothing of a linear head on features."""
_SPOKEN = {
    "training.ema": "moving average of the weights",
    "training.initial": "initial weights",
    "training.refit": "training anew on validation patients",
}
"""Where a name alone says too little."""


@dataclass(frozen=True)
class Hyperparameter:
    """One row of the table."""

    name: str
    """Dotted, as in the recipe: ``training.learning_rate``."""
    group: Group
    meaning: str
    """One sentence for people."""
    kind: Kind
    choices: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    above: bool = False
    """Whether ``at_least`` itself is excluded."""
    below: bool = False
    """Whether ``at_most`` itself is excluded."""
    optional: bool = False
    """Whether it may be none (``null``)."""

    @property
    def limits(self) -> str:
        """What it may be, in words: ``from 0 to 180``."""
        if self.choices:
            return ", ".join(choice or "none" for choice in self.choices)
        low = "" if self.at_least is None else f"{'above' if self.above else 'from'} {self.at_least:g}"
        high = "" if self.at_most is None else f"{'below' if self.below else 'to'} {self.at_most:g}"
        return " ".join(part for part in (low, high) if part)


_MEANINGS: tuple[tuple[str, Group, str], ...] = (
    ("training.learning_rate", "fitting", "How far each step goes; 1e-2 to 1e-6 in the papers."),
    ("training.schedule", "fitting", "How the learning rate changes: not, as old Keras' decay, or as a cosine."),
    ("training.decay", "fitting", "What old Keras called decay: the inverse-time schedule's decay a step (1e-6)."),
    ("training.optimizer", "fitting", "Adam and RMSprop fit each weight's step; SGD takes one for all."),
    ("training.momentum", "fitting", "Share of the last step that SGD and RMSprop keep (0.9 in Hollenberg 2019)."),
    ("training.weight_decay", "fitting", "Draws weights to 0 at each step, against learning by heart."),
    ("training.clip_norm", "fitting", "Longest gradient that is followed; none: any."),
    ("training.ema", "fitting", "Momentum of the moving average of weights that is kept; none: no average."),
    ("training.batch", "fitting", "Images a step; halved by itself where memory does not suffice."),
    ("training.epochs", "fitting", "How often every image is seen."),
    ("training.early_stopping", "fitting", "Epochs without a better validation loss before it stops; none: never."),
    ("training.loss", "fitting", "What is made small; focal counts what is told rightly already less."),
    ("training.focal_gamma", "fitting", "How much less the focal loss counts it; 0: cross-entropy."),
    ("training.label_smoothing", "fitting", "How far from 0 and 1 the truths are taken to be."),
    ("training.train_from", "fitting", "The first layer that learns; none: all but the frozen ones."),
    ("training.frozen", "fitting", "Beginnings of the names of layers that keep their weights."),
    ("training.initial", "fitting", "What it starts from: random, imagenet, or the name of a model."),
    ("training.refit", "fitting", "Whether it trains anew on training and validation patients at the end."),
    ("training.method", "head", "By gradient, or features and a linear head: an SVM or a logistic regression."),
    ("training.svm_cost", "head", "C of the linear head: small values hold it back."),
    ("network.options.layer", "head", "The layer whose features are pooled; empty: the last."),
    ("network.options.pooling", "head", "How a feature map becomes one row: mean, max, or VLAD (Dang and Debernardi)."),
    ("network.options.clusters", "head", "Centres of a VLAD."),
    ("network.options.dense", "head", "Widths of the dense layers of the head ([1024] in Lim 2018)."),
    ("network.options.dropout", "head", "Share of the head's inputs that are left out in training."),
    ("network.options.l2", "head", "Weight of the head's squared weights in the loss (Boit)."),
    ("network.options.width", "head", "Channels of a U-Net's first layer."),
    ("training.balance", "data", "Under-sample to the smaller class (Lim 2018, Baruah 2019), or draw patients alike."),
    ("training.class_weights", "data", "Whether rarer classes count more in the loss, all alike in sum."),
    ("training.black_box", "data", "Whether negative images have an empty outline as their truth (Hollenberg 2019)."),
    ("augmentation.rotation_deg", "augmentation", "Largest turn, degrees (50 in Lim 2018, 180 in Baruah 2019)."),
    ("augmentation.shift", "augmentation", "Largest shift, as a share of the side (0.5 in Lim 2018)."),
    ("augmentation.zoom", "augmentation", "Largest change of scale (0.5 in Lim 2018)."),
    ("augmentation.flip_horizontal", "augmentation", "Whether left and right are changed at random."),
    ("augmentation.flip_vertical", "augmentation", "Whether top and bottom are changed at random."),
    ("augmentation.gamma", "augmentation", "Largest natural logarithm of the grey exponent."),
    ("augmentation.brightness", "augmentation", "Largest change of brightness, 1 being white."),
    ("augmentation.contrast", "augmentation", "Largest change of contrast, as a share."),
    ("augmentation.noise", "augmentation", "Largest standard deviation of added noise."),
    ("augmentation.stain", "augmentation", "Largest natural logarithm of the change of a stain's density."),
    ("augmentation.style", "augmentation", "How often a patch takes on, in part, another patch's colours."),
    ("input.height", "input", "Rows that the network sees."),
    ("input.width", "input", "Columns that the network sees."),
    ("input.normalise", "input", "Mean 0, deviation 1 of each image (Dang and Debernardi) or channel (Baruah 2019)."),
    ("input.equalise", "input", "Whether the histogram is equalised first (Dang and Debernardi)."),
    ("input.stain", "input", "Whether the stains of a slide are brought to those of a reference (Macenko)."),
    ("training.mixed_precision", "work", "Whether it computes in bfloat16 where that is faster."),
    ("training.epoch_pictures", "work", "Validation images drawn after every epoch (four in Hollenberg 2019)."),
)  # fmt: skip


def _field(name: str, network: str = "") -> FieldInfo | None:
    """The field of a name; of options, that of one network, or of the first that has it."""
    part, _, field = name.rpartition(".")
    if part != _OPTIONS:
        return _PARTS[part].model_fields[field]
    networks = [NETWORKS[network]] if network else NETWORKS.values()
    found = (entry.options.model_fields.get(field) for entry in networks)
    return next((info for info in found if info is not None), None)


def _row(name: str, group: Group, meaning: str, info: FieldInfo) -> Hyperparameter:
    annotation, optional = info.annotation, False
    if get_origin(annotation) in (Union, type(int | None)):
        optional = True
        annotation = next(one for one in get_args(annotation) if one is not type(None))
    limit = {
        name: found for one in info.metadata for name in _LIMITS if (found := getattr(one, name, None)) is not None
    }
    return Hyperparameter(
        name,
        group,
        meaning,
        _kind(annotation),
        tuple(str(choice) for choice in get_args(annotation)) if get_origin(annotation) is Literal else (),
        limit.get("ge", limit.get("gt")),
        limit.get("le", limit.get("lt")),
        "gt" in limit,
        "lt" in limit,
        optional,
    )


def _kind(annotation: Any) -> Kind:
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) is tuple:
        return "list"
    return {bool: "yes or no", int: "whole number", float: "number"}.get(annotation, "words")  # type: ignore[return-value]


def _rows(network: str = "") -> Iterator[Hyperparameter]:
    for name, group, meaning in _MEANINGS:
        info = _field(name, network)
        if info is not None:
            yield _row(name, group, meaning, info)


TABLE: tuple[Hyperparameter, ...] = tuple(_rows())
"""All rows; what an option of a network may be is said for the first network that has it."""


def offered(recipe: Recipe) -> tuple[Hyperparameter, ...]:
    """The rows that a recipe has: options of its network alone."""
    return tuple(_rows(recipe.network.name))


def value_of(recipe: Recipe, name: str) -> Any:
    """A recipe's value, the default of its network's option where it gives none.

    Raises:
        RecipeError: there is no such hyper-parameter, or not in this recipe's network.
    """
    row = _named(name, recipe)
    part, _, field = row.name.rpartition(".")
    return getattr(recipe.network.checked_options() if part == _OPTIONS else getattr(recipe, part), field)


def differences(recipe: Recipe, trained: Recipe) -> list[str]:
    """What of a recipe a training had otherwise, as ``epochs 24 instead of 80``; how it was computed is left out.

    Args:
        recipe: as its file has it.
        trained: of the same network.
    """
    found = []
    skipped = () if trained.training.method == "gradient" else _OF_GRADIENTS
    for row in offered(trained):
        before, now = value_of(recipe, row.name), value_of(trained, row.name)
        if before != now and row.group != "work" and row.name not in skipped:
            words = _SPOKEN.get(row.name) or row.name.rpartition(".")[2].replace("_", " ")
            found.append(f"{words} {in_words(now)} instead of {in_words(before)}")
    return found


def in_words(value: Any) -> str:
    """A value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value in (None, "") else str(value)


def full_name(name: str) -> str:
    """A name as in the table, for one that may lack its beginning (``learning_rate``).

    Raises:
        RecipeError: there is none, or more than one.
    """
    known = [row.name for row in TABLE]
    found = [one for one in known if one == name or one.endswith(f".{name}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise RecipeError(f"{name!r} may be {' or '.join(found)}.")
    raise RecipeError(f"There is no hyper-parameter {name!r}; `pathview train --run FOLDER --list` shows all.")


def parsed(text: str, recipe: Recipe) -> tuple[str, Value]:
    """``name=value`` of the command line: a number, ``yes``, ``none``, words with commas between for a list.

    Raises:
        RecipeError: it is not of that form, or the recipe has no such hyper-parameter.
    """
    name, separator, value = text.partition("=")
    if not separator:
        raise RecipeError(f"{text!r} is not of the form name=value.")
    row = _named(full_name(name.strip()), recipe)
    return row.name, _value(row, value.strip())


def _value(row: Hyperparameter, text: str) -> Value:
    lowered = text.lower()
    if lowered == "none" and (row.optional or "none" not in row.choices):
        return None if row.optional else [] if row.kind == "list" else ""
    if row.kind == "list":
        return [_number(part.strip()) for part in text.strip("[]").split(",") if part.strip()]
    if row.kind == "yes or no":
        return {"yes": True, "true": True, "no": False, "false": False}.get(lowered, text)
    return text if row.kind in ("choice", "words") else _number(text)


def _number(text: str) -> Value:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text.strip("'\"")


def changed(recipe: Recipe, changes: Mapping[str, Value]) -> Recipe:
    """A recipe with hyper-parameters changed, checked as every recipe is.

    Raises:
        RecipeError: there is no such hyper-parameter, or a value is out of its limits; the sentence names both.
    """
    values = recipe.model_dump(mode="json")
    for name, value in changes.items():
        row = _named(name, recipe)
        part, _, field = row.name.rpartition(".")
        target = values["network"]["options"] if part == _OPTIONS else values[part]
        target[field] = value
    if "training.method" in changes and "training.loss" not in changes:
        values["training"]["loss"] = _loss_for(recipe, str(changes["training.method"]))
    if any(name.startswith((_OPTIONS, "input.")) or name in _COUNTED for name in changes):
        values["network"] |= {"parameters": None, "trainable_parameters": None}  # those of the recipe as it was
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise _refused(error, changes, recipe) from error


def _loss_for(recipe: Recipe, method: str) -> str:
    """The SVM's own loss, or another where the recipe has that one."""
    if method == "svm":
        return "hinge"
    return "categorical-crossentropy" if recipe.training.loss == "hinge" else recipe.training.loss


def _named(name: str, recipe: Recipe) -> Hyperparameter:
    if all(row.name != name for row in TABLE):
        raise RecipeError(f"There is no hyper-parameter {name!r}.")
    row = next((row for row in offered(recipe) if row.name == name), None)
    if row is None:
        raise RecipeError(f"{recipe.name} has no {name.rpartition('.')[2]!r}: its network knows no such option.")
    return row


def _refused(error: ValidationError, changes: Mapping[str, Value], recipe: Recipe) -> RecipeError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    name = next((name for name in changes if place.startswith(name)), None)
    if name is None:
        return RecipeError(f"These settings do not go together: {first['msg'].removeprefix('Value error, ')}.")
    limits = _named(name, recipe).limits
    return RecipeError(f"{name} cannot be {changes[name]!r}: {limits or first['msg']}.")
