"""The records of the store as the rest of the program sees them: frozen and free of the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pathview.geometry import Region
from pathview.results.result import Place
from pathview.review.records.modes import Mode, Stage
from pathview.review.records.views import view_title

CaseState = Literal["new", "analysed", "in_reading", "first_locked", "decided", "arbitration"]
CaseLabel = Literal["positive", "not_sure", "negative", "not_analysed"]
DecisionValue = Literal["positive", "negative", "cant_tell"]
Order = Literal["uncertain", "score", "newest", "date", "name", "random"]

DECISIONS: tuple[DecisionValue, ...] = ("positive", "negative", "cant_tell")
_WORRY = {"positive": 2, "not_sure": 1}


@dataclass(frozen=True)
class NewImage:
    """An image to be put into the store."""

    path: Path
    info: Mapping[str, Any]
    """The fields of ``pathview info``."""
    fingerprint: str = ""
    """See :func:`pathview.images.digest.fingerprint`."""


@dataclass(frozen=True)
class ResultRow:
    """The stored result of one analysis, maps left in the database."""

    id: int
    image_id: int
    status: Literal["analysed", "not_analysed"]
    recipe: str
    created: datetime
    reason: str | None = None
    """Why there is no result."""
    score: float | None = None
    score_name: str | None = None
    lower: float | None = None
    upper: float | None = None
    label: str | None = None
    threshold: float | None = None
    flags: tuple[tuple[str, str], ...] = ()
    """(code, sentence)."""
    stages: tuple[Mapping[str, Any], ...] = ()
    """Of a cascade: see :meth:`pathview.results.result.Stage.as_json`."""
    mask: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    """Names of stored heat maps."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def explainable(self) -> tuple[str, ...]:
        """Layers that a heat map can be made of."""
        return tuple(self.provenance.get("settings", {}).get("layers", ())) or self.layers

    @property
    def places(self) -> tuple[Place, ...]:
        """The places that a cascade's classifier scored."""
        found = self.stages[-1]["places"] if self.stages else ()
        return tuple(Place(Region(*place["region"]), float(place["score"])) for place in found)

    @property
    def caution(self) -> str:
        """What the recipe says beside each of its results; or empty."""
        return str(self.provenance.get("settings", {}).get("caution", ""))

    @property
    def heat_layer(self) -> str:
        """The layer that is offered first: one that was asked for, else the recipe's choice; or empty."""
        return next(iter(self.layers), "") or str(self.provenance.get("settings", {}).get("heat_layer", ""))


@dataclass(frozen=True)
class ImageRow:
    """One image of a case, with its newest result."""

    id: int
    case_id: int
    path: Path
    info: Mapping[str, Any]
    mpp_um: float | None
    """A pixel size that the reader stated."""
    result: ResultRow | None
    fingerprint: str = ""
    """Of the file as it was when it was added."""

    @property
    def title(self) -> str:
        """What readers call it: laterality, view and what is particular about it, else the file's name."""
        return view_title(self.info) or self.path.name


@dataclass(frozen=True)
class DecisionRow:
    """What a reader decided; ``value`` None: the decision before was withdrawn."""

    id: int
    case_id: int
    value: DecisionValue | None
    note: str
    reader: str
    created: datetime
    context: Mapping[str, Any]
    """What it was made on: results, weights, threshold, overlays; see :mod:`pathview.review.cases.replay`."""
    stage: Stage = "final"
    mode: Mode = "assisted"
    """The worklist's when it was made."""
    form: str = "simple"
    answers: Mapping[str, Any] = field(default_factory=dict)
    """By field of the form; none where only the value was given."""
    reason: str = ""
    """Why the first assessment was kept or changed."""
    seconds: float | None = None
    """How long the case was on the screen."""


@dataclass(frozen=True)
class CaseRow:
    """One line of the worklist."""

    id: int
    title: str
    kind: str
    state: CaseState
    label: CaseLabel | None
    score: float | None
    """The score that decided the label, in its recipe's own unit."""
    position: float | None
    """Where the score stands against its limits: 0 to 1/3 negative, to 2/3 not sure, to 1 positive."""
    flags: int
    """How many flags its images carry."""
    images: int
    decision: DecisionValue | None
    created: datetime
    study_date: str | None = None
    """ISO date; None where no file tells."""
    worklist_id: int = 0
    mode: Mode = "assisted"
    """Of its worklist."""
    assigned_to: str | None = None
    """The reader who is to read it; None: anybody."""
    ran: bool = False
    """Whether any of its images was analysed, or could not be; it may be told where the result is hidden."""
    was_open: bool = False
    """Whether any reader may have seen what is known of it, before it came to a list that hides the model."""
    hidden: str = ""
    """Why the model's result is not shown, in a sentence; empty where it is."""


@dataclass(frozen=True)
class CaseDetail:
    """A case with its images and decisions, the newest decision last."""

    case: CaseRow
    images: tuple[ImageRow, ...]
    decisions: tuple[DecisionRow, ...]
    patient_key: str | None

    def as_json(self) -> dict[str, Any]:
        """The fields of ``pathview cases show``."""
        return {
            **vars(self.case),
            "patient_key": self.patient_key,
            "images": [
                {**vars(image), "result": vars(image.result) if image.result else None} for image in self.images
            ],
            "decisions": [vars(decision) for decision in self.decisions],
        }


def position_of(score: float, lower: float, upper: float, top: float = 1.0) -> float:
    """Where a score stands against its limits, comparable between recipes: thirds of 0..1.

    ``top`` is the score's largest possible value; scores without one approach 1.
    """
    if score < lower:
        return (score / lower if lower > 0 else 0.0) / 3
    if score < upper:
        return 1 / 3 + (score - lower) / (upper - lower) / 3
    if top > upper:
        return 2 / 3 + min(1.0, (score - upper) / (top - upper)) / 3
    return 2 / 3 + (1 - upper / score if score > 0 else 1.0) / 3


def summary(results: Sequence[ResultRow | None]) -> tuple[CaseLabel | None, float | None, float | None, int]:
    """Label, score, position and number of flags of a case from the newest result of each image.

    The score is that of the image that decided the label, the position the highest.
    The label is the most worrying of its images: positive, then not sure, then not analysed (an image
    that did not run can hide anything), and negative only where every image ran. None: nothing ran yet.
    """
    known = [result for result in results if result is not None]
    if not known:
        return None, None, None, 0
    flags = sum(len(result.flags) for result in known)
    ran = [result for result in known if result.status == "analysed"]
    if not ran:
        return "not_analysed", None, None, flags
    first = max(ran, key=worry)
    label: CaseLabel = "not_analysed" if len(ran) < len(results) else "negative"
    if first.label in ("positive", "not_sure"):
        label = "positive" if first.label == "positive" else "not_sure"
    return label, first.score, max(map(position_in_band, ran)), flags


def worry(result: ResultRow) -> tuple[int, float]:
    """To find the most worrying of results that ran: by label, then by position.

    The label comes first: an image that was not seen whole is not sure, whatever its position.
    """
    return _WORRY.get(result.label or "", 0), position_in_band(result)


def position_in_band(result: ResultRow) -> float:
    """See :func:`position_of`; 0 where the result has no score."""
    score, lower, upper = result.score, result.lower, result.upper
    return 0.0 if score is None or lower is None or upper is None else position_of(score, lower, upper)
