"""What one training is, as data: its plan, the rows that it learns from, its locked split, findings, events.

All of it is JSON in the run's folder (:mod:`pathview.training.runs.run_folder`), frozen and checked when it is read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from pathview.models.recipe import Unit

PlannedTask = Literal["classification", "segmentation", "segment_and_decide"]
"""``segment_and_decide``: outlines whose sum decides, trained with an empty truth for what is negative (seed 2)."""
Costly = Literal["missed", "recalled", "equal"]
"""Which error costs more: a positive that is missed, a negative that is recalled, or neither."""
SourceKind = Literal["files", "answers", "decisions", "annotations"]
RecipeLevel = Literal["quick", "thorough", "exact"]
PartName = Literal["train", "validation", "test"]
Unsplit = Literal["patient", "image"]
Level = Literal["red", "amber", "ok"]
EventKind = Literal[
    "started",
    "resumed",
    "epoch",
    "paused",
    "stopped",
    "smaller_batch",
    "not_a_number",
    "disk_full",
    "failed",
    "finished",
    "fold",
    "fold_epoch",
    "fold_done",
    "folds_done",
    "folds_left_out",
    "trials_done",
]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")
Number = bool | int | float | str | None


def now() -> str:
    """The time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Fields(BaseModel):
    """Base of all these: frozen, no conversions, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Question(Fields):
    """What is asked of the model."""

    task: PlannedTask = "classification"
    classes: tuple[str, ...] = Field(("negative", "positive"), min_length=2)
    """The last is the positive one."""
    costly: Costly = "missed"
    base: str = ""
    """Name of the model that training starts from; empty: what the recipe says."""

    @model_validator(mode="after")
    def _distinct(self) -> Question:
        lowered = {name.strip().lower() for name in self.classes}
        if len(lowered) < len(self.classes) or "" in lowered:
            raise ValueError("the classes need names that differ")
        return self

    @property
    def outlines(self) -> bool:
        """Whether the truth is an outline."""
        return self.task != "classification"


class Source(Fields):
    """Where labelled images come from."""

    kind: SourceKind = "files"
    path: Path | None = None
    """Of ``files``: a folder or csv in any layout of :mod:`pathview.training.data.dataset`. Of the others: the store's
    file; None: the user's own."""
    patient_pattern: str = ""
    """Regular expression on a file's path within the folder; its first group is the patient, where the layout tells
    none."""
    where: dict[str, str] = {}
    """Columns of the label table that every image must match."""
    case_ids: tuple[int, ...] = ()
    """Cases of the store; empty: all."""
    mark_labels: tuple[str, ...] = ()
    """Labels of the annotations that are the lesion; empty: all that have an inside."""

    @model_validator(mode="after")
    def _somewhere(self) -> Source:
        if self.kind == "files" and self.path is None:
            raise ValueError("files lie in a folder or csv; give its path")
        return self


class Correction(Fields):
    """What a person says of one image of the data; the user's own files stay as they are."""

    file: Path
    """As in the dataset."""
    label: str = ""
    """The class that it has; empty: as it was found."""
    leave_out: bool = False
    who: str = ""
    at: str = Field(default_factory=now)


class Override(Fields):
    """A refusal that somebody overruled, with their name and reason; it stands on the model card."""

    who: str = Field(min_length=1)
    why: str = Field(min_length=1)
    at: str = Field(default_factory=now)


class SplitPlan(Fields):
    """How the data are split."""

    train: Unit = 0.6
    validation: Unit = 0.15
    """What is left is the test part."""
    seed: int = Field(0, ge=0)
    folds: int = Field(0, ge=0, le=20)
    """Cross-validation of the patients that are not in the test part; 0: none."""
    override: Override | None = None
    """Lets images that name no patient count as patients of their own."""

    @model_validator(mode="after")
    def _leaves_a_test(self) -> SplitPlan:
        if not 0 < self.train < 1 or self.train + self.validation > 1 - 1e-6:
            raise ValueError("training and validation must leave a part of the patients for the test")
        if self.folds == 1:
            raise ValueError("one fold is no cross-validation; give 2 or more, or 0 for none")
        return self

    @property
    def test(self) -> float:
        """The test part's share of the patients."""
        return 1.0 - self.train - self.validation


class RecipePlan(Fields):
    """How it is trained."""

    name: str = ""
    """Of the recipe; empty: not chosen yet."""
    level: RecipeLevel = "quick"
    changes: dict[str, JsonValue] = {}
    """Hyper-parameters that differ from the recipe, by dotted name (``training.learning_rate``)."""
    trials: bool = False
    """Of outlines: train also on fewer patients, and on outlines that were dealt out anew."""


class Plan(Fields):
    """All choices of one training."""

    format: Literal[1] = 1
    title: str = "New training"
    created: str = Field(default_factory=now)
    question: Question = Question()
    sources: tuple[Source, ...] = ()
    corrections: tuple[Correction, ...] = ()
    split: SplitPlan = SplitPlan()
    recipe: RecipePlan = RecipePlan()
    seed: int = Field(0, ge=0)
    """Of the weights, the order of the data and their augmentation."""

    def with_correction(self, correction: Correction) -> Plan:
        """The same with what a person says of one image, instead of what was said before."""
        kept = tuple(one for one in self.corrections if one.file != correction.file)
        says = correction.leave_out or correction.label
        return self.model_copy(update={"corrections": (*kept, correction) if says else kept})


class DatasetRow(Fields):
    """One image of the data: a row of ``dataset.csv``."""

    file: Path
    """Absolute."""
    patient: str = ""
    """Empty where none can be told; never guessed."""
    label: str = ""
    """Name of its class; empty for outlines alone."""
    masks: tuple[Path, ...] = ()
    """Outlines, absolute; the truth is all of them together."""
    scanner: str = ""
    magnification: str = ""
    density: str = ""
    kind: str = ""
    """``mammogram`` or ``histology``, as the image is taken for."""
    source: str = ""
    """The layout that it was found in (``BreakHis``), or what of the store it is."""
    part: str = ""
    """Train or test as its publisher says; only told, never followed."""
    width: int = 0
    """Pixels, as shown; 0 where it could not be read."""
    height: int = 0
    sha256: str = ""
    """Of the pixels as shown, hexadecimal; empty where it could not be read."""
    phash: str = ""
    """Perceptual hash, 64 bits in hexadecimal."""
    group: str = ""
    """Equal for images that are the same or nearly so; empty where there is no other like it."""
    outlined: float | None = None
    """Share of its pixels that its outlines mark; None where it has none, or they cannot be read."""
    color: tuple[float, ...] = ()
    """Mean and standard deviation of red, green and blue: six numbers 0..255; the plain baseline."""
    problem: str = ""
    """Why it cannot be used, in one sentence; empty where it can."""


class Split(Fields):
    """Who trains, who chooses, who tests; written once, and the test part is locked by its hash."""

    format: Literal[1] = 1
    by: Unsplit = "patient"
    """``image``: where no patient could be told and somebody overruled the refusal."""
    seed: int
    parts: dict[str, PartName]
    """Of every patient."""
    folds: dict[str, int] = {}
    """Fold 0.. of each patient of training and validation, where there is cross-validation."""
    images: dict[PartName, int]
    shared_patients: int = 0
    """Patients on both sides: counted over the images, and 0."""
    moved: int = 0
    """Patients that follow another since their images are nearly the same."""
    override: Override | None = None
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Over the sorted (patient, part) pairs and the images' hashes with their truth."""
    test_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The same over the test part alone."""
    created: str = Field(default_factory=now)

    def patients(self, part: PartName) -> tuple[str, ...]:
        """Sorted keys of a part."""
        return tuple(sorted(patient for patient, own in self.parts.items() if own == part))

    @property
    def fold_count(self) -> int:
        """Folds of the cross-validation; 0: there is none."""
        return len(set(self.folds.values()))


class Finding(Fields):
    """One thing that the health check says."""

    level: Level
    code: str
    sentence: str
    numbers: dict[str, Number] = {}
    files: tuple[Path, ...] = ()
    """Some of the images that it is about."""


class Health(Fields):
    """All findings on the data and its split, the worst first."""

    findings: tuple[Finding, ...]
    split_sha256: str = ""
    """Of the split that was checked; empty: none yet."""
    created: str = Field(default_factory=now)

    @property
    def blocked(self) -> bool:
        """Whether the next step is refused."""
        return any(finding.level == "red" for finding in self.findings)

    def found(self, code: str) -> Finding | None:
        """The finding of a code."""
        return next((finding for finding in self.findings if finding.code == code), None)


class TrainingEvent(Fields):
    """One line of ``events.jsonl``: what happened in a training, for window and command line."""

    kind: EventKind
    sentence: str = ""
    epoch: int | None = None
    numbers: dict[str, Number] = {}
    at: str = Field(default_factory=now)
