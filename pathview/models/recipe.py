"""A recipe says everything about a model but its weights: one TOML file, checked by pydantic."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pathview.errors import RecipeError
from pathview.images.source import Acquisition, Kind
from pathview.models.networks import NETWORKS, Options
from pathview.settings import resource_dir

RECIPES = "recipes"
"""Folder of recipe files among the resources."""
Task = Literal["classification", "segmentation", "cascade"]
NOT_OF_THE_NETWORK = frozenset({"breast_only", "acquisitions", "modifiers_refused", "for_processing", "stain"})
"""Fields of :class:`InputSpec` that say which images are read, how their stain is brought to one laboratory's, and
where they may be marked; no network depends on them."""
Unit = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """Base of all parts: frozen, and an unknown key is an error, not a silent nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSpec(Part):
    """Which network, and its own options."""

    name: str
    options: dict[str, Any] = {}
    parameters: int | None = None
    """How many it has in all, where the recipe states it; a check, and known without building it."""
    trainable_parameters: int | None = None

    @model_validator(mode="after")
    def _known(self) -> NetworkSpec:
        if self.name not in NETWORKS:
            raise ValueError(f"there is no network {self.name!r}; known are {', '.join(sorted(NETWORKS))}")
        self.checked_options()
        return self

    def checked_options(self) -> Options:
        """The options as the network's own type."""
        return NETWORKS[self.name].options(**self.options)


class InputSpec(Part):
    """What the network sees, and how an image is brought to it."""

    height: int = Field(ge=8, le=4096)
    width: int = Field(ge=8, le=4096)
    channels: Literal[1, 3]
    crop: Literal["none", "breast"] = "none"
    """``breast``: the image is first cut to the bounding box of the breast."""
    breast_only: bool | None = None
    """Whether marks outside the breast are left out; where not given, they are where the image is cut to the breast."""
    acquisitions: tuple[Acquisition, ...] = Field(("2D", "synthesised 2D"), min_length=1)
    """How a mammogram was taken that it may score."""
    modifiers_refused: tuple[str, ...] = ("magnification", "spot compression", "specimen")
    """Views of which it may not score an image, in the words of :attr:`pathview.images.source.ImageInfo.modifiers`."""
    for_processing: bool = False
    """Whether it reads images For Processing (raw detector values)."""
    fit: Literal["none", "inside", "stretch"] = "none"
    """``inside``: the (cropped) image is scaled to just fit into height x width; ``stretch``: each side is, as the
    papers do with photographs, whatever becomes of its shape."""
    stain: Literal["", "macenko"] = ""
    """``macenko``: the stains of the slide are found from its tissue, and its colours brought to those of a reference
    (see :mod:`pathview.images.stain`), before anything else."""
    equalise: bool = False
    """Histogram equalisation (of the luminance, for colour) before anything else (seed 3)."""
    normalise: Literal["none", "image", "feature-wise"] = "none"
    """``image``: each image to mean 0 and deviation 1 (seed 3); ``feature-wise``: each channel by the training images'
    mean and deviation (seed 4), which training fills in below."""
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    mpp_um: float | None = Field(None, gt=0)
    """The image is scaled to this pixel size; a patch of the network's own size is taken as it is."""
    overlap: float = Field(0.25, ge=0, lt=0.9)
    """Share of a tile that its neighbours cover too, where one tile does not hold the image."""

    @model_validator(mode="after")
    def _one_scale(self) -> InputSpec:
        if self.fit != "none" and self.mpp_um is not None:
            raise ValueError("give fit or mpp_um, not both")
        if self.stain and self.channels != 3:
            raise ValueError("stains are normalised in colour; give 3 channels")
        return self

    @property
    def within_breast(self) -> bool:
        """Whether only the breast may be marked."""
        return self.crop == "breast" if self.breast_only is None else self.breast_only


class RegionSpec(Part):
    """Where a cascade's classifier looks: at the places that another model outlines (seed 2's future work)."""

    model: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """The name of the segmentation model."""
    margin: float = Field(0.25, ge=0, le=2)
    """Share of a place's longer side that is added at each side of its square."""
    least_share: float = Field(1e-3, ge=0, lt=1)
    """Share of the image below which an outlined place is a speck, and not classified."""
    most: int = Field(8, ge=1)
    """At most so many places are classified, the largest first."""
    against: Literal["label", "tissue", "outlined"] = "label"
    """What the classes are in training: the image's own label at each outline (benign, malignant); the outline itself
    against an equally large place of the same breast without one; or against what ``model`` outlines wrongly."""


class DecisionSpec(Part):
    """From a score to positive / negative / not sure: below ``lower``, from ``upper`` on, between.

    mask-sum (seed 2): the score is the sum of the probability map, resampled so that the whole input
    has ``sum_side`` pixels a side.
    margin: the score is the positive class' probability, which is the last class', however many there are. An image
    of many patches is scored by the share of its patches whose probability reaches the threshold, against ``share``.
    """

    rule: Literal["mask-sum", "margin"]
    threshold: Unit = 0.5
    """Probability from which a pixel belongs to the mask, or a patch counts as positive."""
    lower: float = Field(ge=0)
    upper: float = Field(ge=0)
    sum_side: int = Field(224, ge=1)
    share: tuple[Unit, Unit] = (0.0, 1.0)
    temperature: float = Field(1.0, gt=0, le=100)
    """Of a classifier: what its logits are divided by before anything reads its probabilities, see
    :func:`pathview.analysis.predict.probabilities`. It belongs to the weights, as the limits above, which are on its
    scale."""
    least: Unit = 0
    """Of more than two classes: the probability that an image's most probable class has to reach, or it is not sure
    whatever the limits of the last class say; 0: none."""

    @model_validator(mode="after")
    def _ordered(self) -> DecisionSpec:
        if self.lower > self.upper or self.share[0] > self.share[1]:
            raise ValueError("a lower limit must not be above its upper limit")
        return self


_LATER = {"temperature": 1, "least": 0}
"""Fields of :class:`DecisionSpec` that came after recipes had been hashed, as they are where nothing is said."""


class AugmentationSpec(Part):
    """Random changes of a training image; 0 or false turns one off."""

    rotation_deg: float = Field(0, ge=0, le=180)
    shift: float = Field(0, ge=0, lt=1)
    """Largest shift as a share of the side."""
    zoom: float = Field(0, ge=0, lt=1)
    """Scale between 1 - zoom and 1 + zoom."""
    flip_horizontal: bool = False
    flip_vertical: bool = False
    gamma: float = Field(0, ge=0)
    """Largest natural logarithm of the grey exponent."""
    brightness: float = Field(0, ge=0, le=1)
    contrast: float = Field(0, ge=0, le=1)
    noise: float = Field(0, ge=0, le=1)
    """Largest standard deviation of added noise."""
    stain: float = Field(0, ge=0, le=1)
    """Largest natural logarithm of the change of each colour's optical density."""
    style: Unit = 0
    """How often a patch takes on, in part, the colour statistics of another training patch."""


class TrainingSpec(Part):
    """How the weights are found."""

    method: Literal["gradient", "svm", "logistic"] = "gradient"
    """``svm``, ``logistic``: the backbone stays as it starts, and a linear SVM or a logistic regression on its features
    becomes the head."""
    svm_cost: float = Field(1.0, gt=0)
    """C of the SVM or the logistic regression: small values hold the head back."""
    loss: Literal["dice", "dice+bce", "binary-crossentropy", "categorical-crossentropy", "focal", "hinge"]
    """``hinge`` is the SVM's; ``focal`` (Lin 2017) counts what is told rightly already less."""
    focal_gamma: float = Field(2.0, ge=0, le=10)
    """How much less the focal loss counts it; 0: cross-entropy."""
    class_weights: bool = False
    """Whether each image counts in the loss by how rare its class is, all classes alike in sum."""
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: float = Field(0.001, gt=0)
    schedule: Literal["constant", "inverse-time", "cosine"] = "constant"
    decay: float = Field(0, ge=0)
    """Per-step decay of the inverse-time schedule (what old Keras called ``decay``)."""
    momentum: float = Field(0, ge=0, lt=1)
    weight_decay: float = Field(0, ge=0)
    clip_norm: float | None = Field(None, gt=0)
    ema: float | None = Field(None, gt=0, lt=1)
    """Momentum of the moving average of weights that is kept as the model; none where not given."""
    label_smoothing: float = Field(0, ge=0, lt=0.5)
    batch: int = Field(32, ge=1)
    epochs: int = Field(1, ge=1)
    early_stopping: int | None = Field(None, ge=1)
    """Epochs without a better validation loss after which training stops."""
    initial: str = "random"
    """What training starts from: ``random``; ``imagenet`` (the backbone's weights); or the name of a model of the same
    network, whose weights are carried over (seed 2's second stage)."""
    frozen: tuple[str, ...] = ()
    """Beginnings of the names of layers that keep the weights they start with."""
    epoch_pictures: int = Field(0, ge=0, le=16)
    """After every epoch, pictures of so many validation images (seed 2: four)."""
    black_box: bool = False
    """Negative images train against an empty mask (seed 2's second stage)."""
    train_from: str | None = None
    """The first layer that learns, in the network's own order; all before it are frozen."""
    mixed_precision: bool = False
    balance: Literal["none", "undersample", "patients"] = "none"
    """``undersample``: random under-sampling to the smaller class (seed 4); ``patients``: every
    patient and class is drawn equally often."""
    split: Literal["patient", "random"] = "patient"
    """``random``: image by image, as some papers do; images of one patient then stand on both sides, and the figures
    flatter."""
    refit: bool = False
    """After the choices on the validation patients, train anew on them too, for as many epochs."""
    train_fraction: Unit = 0.6
    validation_fraction: Unit = 0.15
    validate_where: dict[str, str] = {}
    """Columns of the label table that a validation or test image must match."""


class Recipe(Part):
    """One model, weights aside."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    summary: str
    task: Task
    kinds: tuple[Kind, ...] = Field(min_length=1)
    """Kinds of image it may score."""
    modalities: tuple[str, ...] = ()
    """DICOM modalities it may score; empty: any. Files without a modality pass."""
    default_for: tuple[Kind, ...] = ()
    heat_layer: str = ""
    """The layer whose heat map is offered first; empty: the last convolution."""
    caution: str = ""
    """What a reader must know beside every result, in one sentence."""
    source: str = ""
    """The paper that the network or method is from."""
    classes: tuple[str, ...] = Field(min_length=1)
    """Names of the outputs; the last is the positive one."""
    network: NetworkSpec
    input: InputSpec
    regions: RegionSpec | None = None
    """Of a cascade, and of nothing else."""
    decision: DecisionSpec
    training: TrainingSpec
    augmentation: AugmentationSpec = AugmentationSpec()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if (self.training.method == "svm") != (self.training.loss == "hinge"):
            raise ValueError("the loss 'hinge' is the method 'svm', which is a method of no other loss")
        segmentation_rule = self.decision.rule == "mask-sum"
        if segmentation_rule != (self.task == "segmentation"):
            raise ValueError(f"the rule {self.decision.rule!r} does not belong to the task {self.task!r}")
        if (self.task == "cascade") != (self.regions is not None):
            raise ValueError("the task 'cascade' needs a part [regions], and no other task has one")
        if self.task == "cascade" and len(self.classes) != 2:
            raise ValueError("a cascade tells two classes apart")
        if self.task == "segmentation" and self.decision.temperature != 1:
            raise ValueError("a temperature is a classifier's; the score of a model that outlines is an area")
        if self.decision.least and len(self.classes) <= 2:
            raise ValueError("the least probability of the most probable class is of more than two classes")
        return self

    @property
    def classifies(self) -> bool:
        """Whether it gives a class (of an image, a patch, or a place) rather than an outline."""
        return self.task != "segmentation"

    @property
    def digest(self) -> str:
        """SHA-256 over all fields, in hexadecimal: equal for equal recipes.

        Fields that came later count where they say something, so that a recipe from before them keeps its own.
        """
        silent = {name for name, value in _LATER.items() if getattr(self.decision, name) == value}
        return hashlib.sha256(self.model_dump_json(exclude={"decision": silent}).encode()).hexdigest()


def load_recipe(path: Path) -> Recipe:
    """Read one recipe file; ``extends = "NAME"`` in it begins with another file of its folder or of the program.

    Raises:
        RecipeError: unreadable, no TOML, or a field is wrong; the sentence names file and field.
    """
    try:
        return Recipe.model_validate(_read(path, ()))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise RecipeError(f"The recipe {path.name} is wrong at {place}: {first['msg']}.") from error


def _read(path: Path, extended_by: tuple[Path, ...]) -> dict[str, Any]:
    """The fields of a file over those of the file that it extends."""
    if path in extended_by:
        raise RecipeError(f"The recipe {path.name} extends itself.")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The recipe {path.name} cannot be read.") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"The recipe {path.name} is not valid TOML: {error}.") from error
    name = data.pop("extends", None)
    if name is None:
        return data
    places = (path.with_name(f"{name}.toml"), resource_dir() / RECIPES / f"{name}.toml")
    base = next((place for place in places if place.is_file()), None)
    if base is None:
        raise RecipeError(f"The recipe {path.name} extends {name!r}, which does not exist.")
    below = _read(base, (*extended_by, path))
    if "name" in data.get("network", {}):
        below["network"].pop("options", None)  # another network has options of its own
    return _over(below, data)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two tables as one: what stands above wins, tables within tables are joined."""
    tables = {
        key: _over(below[key], value)
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    return {**below, **above, **tables}
