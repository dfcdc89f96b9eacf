"""Cross-validation: what models trained alike said of patients that none of them learnt from, and what it comes to.

Every patient of training and validation is judged once, by the model of the fold that left that patient out. The
figure is one of a way of training; the model that is kept was trained otherwise, on more patients.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from pathview.errors import DataError
from pathview.models.recipe import Recipe
from pathview.models.weights import MANIFEST, read_manifest
from pathview.training.measures.evaluate import WHY_NOT, Reached, estimates, in_words, interval_fields
from pathview.training.measures.figures import Peer, peer
from pathview.training.measures.predictions import AnyScored, Float, Scored, ScoredClasses
from pathview.training.runs.plan import Fields, Split
from pathview.training.runs.run_folder import FOLDS, SPLIT, RunFolder

_WORDS = {"auc": "AUC", "dice": "Dice", "iou": "IoU"}
_CONSTANT = "majority"
_CHANCE, _TINY = 0.5, 1e-9


class Way(Fields):
    """How a model is trained: whatever the figures of its folds depend on."""

    split_sha256: str
    folds_sha256: str
    recipe_sha256: str
    """Of the planned recipe, but for what training itself sets (limits, statistics of the images) and words."""
    seed: int
    initial: str
    """What the backbone starts from; empty: random numbers."""


def way_of(split: Split, recipe: Recipe, seed: int, initial: str) -> Way:
    """The way of a plan, or of the model that it became: equal where nothing was changed between."""
    folds = json.dumps(sorted(split.folds.items()))
    exclude = {"decision": True, "title": True, "summary": True, "caution": True, "input": {"means", "deviations"}}
    values = recipe.model_dump(mode="json", exclude=exclude)  # type: ignore[arg-type]
    return Way(
        split_sha256=split.sha256,
        folds_sha256=_sha256(folds),
        recipe_sha256=_sha256(json.dumps(values, sort_keys=True)),
        seed=seed,
        initial=initial,
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Said(Fields):
    """What a model or a baseline said of images, an entry an image."""

    scores: tuple[tuple[float, ...], ...]
    """Probabilities of the classes; of two classes and of outlines the one score."""
    called: tuple[int, ...]
    common: tuple[float, ...] | None = None
    total: tuple[float, ...] | None = None
    """Of outlines: see :class:`pathview.results.mask.Overlap`."""

    @classmethod
    def of(cls, scored: AnyScored) -> Said:
        """As it is kept."""
        called = tuple(int(value) for value in scored.called)
        if isinstance(scored, ScoredClasses):
            return cls(scores=tuple(map(tuple, scored.probabilities.tolist())), called=called)
        common, total = (None if values is None else tuple(values.tolist()) for values in (scored.common, scored.total))
        return cls(
            scores=tuple((value,) for value in scored.scores.tolist()), called=called, common=common, total=total
        )


class FoldScores(Fields):
    """One fold, or one trial: what its model and its baselines said of the patients that it is judged on."""

    fold: int = Field(ge=1)
    train: int
    """Patients that it was trained on."""
    validation: int
    """Patients that it was tuned on."""
    patients: tuple[str, ...] = ()
    """Of each judged image."""
    labels: tuple[int, ...] = ()
    """Index of its true class."""
    model: Said | None = None
    """None: it could not be trained."""
    baselines: dict[str, Said] = {}
    epochs: int = 0
    best_epoch: int = 0
    left_out: int
    """Patients that are to be judged."""
    scaled: bool = True
    """Whether its scores stand on one scale with those of other folds, as far as its kind of training does that."""
    notices: tuple[str, ...] = ()
    problem: str = ""
    """Why it could not be trained, in one sentence."""


class FoldFigures(Fields):
    """A row of the table: one fold by itself."""

    fold: int
    train: int
    validation: int
    patients: int
    """Judged; 0 where it could not be trained."""
    images: int
    metrics: dict[str, float]
    """Those that the truths of its patients allow."""
    baselines: dict[str, dict[str, float]]
    epochs: int
    best_epoch: int
    problem: str = ""


class CrossValidation(Fields):
    """``folds.json``: the pooled figures of all folds, and each fold by itself."""

    format: Literal[1] = 1
    way: Way
    outlines: bool
    patients: int
    images: int
    metrics: dict[str, Reached]
    """Over all judged images at once, intervals by patient bootstrap; they do not hold what training again would
    change."""
    baselines: tuple[Peer, ...]
    """Fitted in the same folds, with the difference to each, drawn together by patient."""
    folds: tuple[FoldFigures, ...]
    notices: tuple[str, ...] = ()

    @property
    def figure(self) -> str:
        """The one that decides."""
        return "dice" if self.outlines else "auc"

    @property
    def hardest(self) -> Peer | None:
        """The baseline that did best."""
        known = [one for one in self.baselines if one.difference is not None]
        return max(known, key=lambda one: one.metrics[self.figure].value, default=None)

    @property
    def sentence(self) -> str:
        """For the reader."""
        sizes = [one.patients for one in self.folds if one.patients]
        of = f"{min(sizes):,} to {max(sizes):,}" if min(sizes) < max(sizes) else f"{sizes[0]:,}"
        many = "patient" if max(sizes) == 1 else "patients"
        names = ("dice", "iou") if self.outlines else ("auc",)
        told = [f"{_WORDS[name]} {_span(self.metrics[name])}" for name in names if name in self.metrics]
        figures = ", ".join(told) or "no figure, since all are of one class"
        beside = f"; {_beside(self.hardest)}" if self.hardest is not None else ""
        return f"Across {len(sizes)} folds of {of} {many}, none of whom is a test patient: {figures}{beside}."

    @property
    def about(self) -> str:
        """What the figure is of."""
        return (
            "The model that is kept learnt from all of these patients, so this is a figure of the way of training, "
            "not of that model."
        )

    def summary(self) -> dict[str, object]:
        """The object that ``pathview evaluate`` prints."""
        differences = {one.name: one.difference for one in self.baselines if one.difference is not None}
        return {
            "sentence": self.sentence,
            "n_images": self.images,
            "n_patients": self.patients,
            **interval_fields(self.metrics),
            "baselines": {
                one.name: {name: round(found.value, 4) for name, found in one.metrics.items()} for one in self.baselines
            },
            "differences": {
                name: {"figure": one.figure, "value": one.difference, "low": one.low, "high": one.high}
                for name, one in differences.items()
            },
            "folds": [one.model_dump(mode="json") for one in self.folds],
            "left_out": list(self.notices),
        }


def cross_validation(
    way: Way, folds: Sequence[FoldScores], classes: tuple[str, ...], outlines: bool
) -> CrossValidation:
    """The figures of folds, of which at least one could be trained.

    Args:
        way: how they were trained.
        folds: in their order.
        classes: names of what an image can be called.
        outlines: whether they outline.
    """
    judged = [one for one in folds if one.model is not None]
    own = _pooled(judged, None, classes)
    names = [name for name in judged[0].baselines if all(name in one.baselines for one in judged)]
    peers = tuple(peer(name, own, _pooled(judged, name, classes)) for name in names)
    return CrossValidation(
        way=way,
        outlines=outlines,
        patients=len(np.unique(own.patients)),
        images=len(own.labels),
        metrics=estimates(own),
        baselines=peers,
        folds=tuple(_figures(one, classes) for one in folds),
        notices=tuple(dict.fromkeys([*_notices(folds, outlines), *_below_chance(peers)])),
    )


def _figures(one: FoldScores, classes: tuple[str, ...]) -> FoldFigures:
    done = one.model is not None
    return FoldFigures(
        fold=one.fold,
        train=one.train,
        validation=one.validation,
        patients=len(set(one.patients)),
        images=len(one.labels),
        metrics=_pooled([one], None, classes).metrics() if done else {},
        baselines={name: _pooled([one], name, classes).metrics() for name in one.baselines},
        epochs=one.epochs,
        best_epoch=one.best_epoch,
        problem=one.problem,
    )


def scored_of(one: FoldScores, classes: tuple[str, ...]) -> AnyScored:
    """What the model of a fold that could be trained said of the images that it is judged on."""
    return _pooled([one], None, classes)


def _pooled(folds: Sequence[FoldScores], baseline: str | None, classes: tuple[str, ...]) -> AnyScored:
    """What the models of folds, or one of their baselines, said of all images that the folds left out."""
    said = [one.model if baseline is None else one.baselines[baseline] for one in folds]
    known = [one for one in said if one is not None]
    patients = np.array([patient for one in folds for patient in one.patients], np.str_)
    labels = np.array([label for one in folds for label in one.labels], np.intp)
    scores = np.array([row for one in known for row in one.scores], np.float64)
    if len(classes) > 2:
        return ScoredClasses(patients, labels, scores, classes)
    if baseline == _CONSTANT:
        scores = np.full_like(scores, _CHANCE)  # it ranks nothing; that of each fold would, the wrong way round
    called = np.array([value for one in known for value in one.called], np.bool_)
    common, total = (_joined([one.common for one in known]), _joined([one.total for one in known]))
    return Scored(patients, labels, scores[:, 0], called, common, total)


def _joined(parts: Sequence[tuple[float, ...] | None]) -> Float | None:
    known = [part for part in parts if part is not None]
    return np.array([value for part in known for value in part], np.float64) if len(known) == len(parts) else None


def _notices(folds: Sequence[FoldScores], outlines: bool) -> list[str]:
    found = []
    for one in folds:
        if one.problem:
            whose = "its 1 patient is" if one.left_out == 1 else f"its {one.left_out:,} patients are"
            found.append(f"Fold {one.fold} could not be trained, so {whose} not among these figures: {one.problem}")
        found += one.notices
    judged = [one for one in folds if one.model is not None]
    if alike := [one.fold for one in judged if len(set(one.labels)) < 2 and not outlines]:
        has = "they have no AUC of their own, and count" if len(alike) > 1 else "it has no AUC of its own, and counts"
        found.append(f"The judged patients of {_named(alike)} are of one class: {has} in the pooled figures alone.")
    if loose := [one.fold for one in judged if not one.scaled]:
        where = _named(loose) if len(loose) < len(judged) else "every fold"
        found.append(
            f"In {where} the patients who choose are of one class, so scores could not be put on one scale with those "
            "of other folds; the pooled AUC suffers from it."
        )
    return found


def _named(folds: Sequence[int]) -> str:
    if len(folds) == 1:
        return f"fold {folds[0]}"
    return f"folds {', '.join(map(str, folds[:-1]))} and {folds[-1]}"


def _below_chance(peers: Sequence[Peer]) -> list[str]:
    """Of more than two classes, a constant that differs from fold to fold ranks images the wrong way round."""
    constant = next((one for one in peers if one.name == _CONSTANT and "auc" in one.metrics), None)
    if constant is None or abs(constant.metrics["auc"].value - _CHANCE) < _TINY:
        return []
    return ["The commonest class is not the same in all folds, which moves its pooled AUC; take it as 0.5."]


def _span(found: Reached) -> str:
    span = f"{found.low:.2f} to {found.high:.2f}" if found.span else f"no interval: {WHY_NOT[found.why_not]}"
    return f"{found.value:.2f} ({span})"


def _beside(other: Peer) -> str:
    found = other.difference
    assert found is not None  # asked by the caller
    span = f" ({found.low:+.2f} to {found.high:+.2f})" if found.low is not None else " (no interval)"
    return f"against {in_words(other.name)} {found.difference:+.2f}{span}: {other.verdict}"


def folds_of(run: RunFolder) -> tuple[CrossValidation | None, str]:
    """The cross-validation of the model that is there; or None, and why there is none.

    Raises:
        DataError: the split is damaged.
        ModelError: the model is damaged.
    """
    count = run.split().fold_count if run.has(SPLIT) else 0
    if not count:
        return None, "There is no cross-validation: the split was asked for no folds."
    if not (run.model / MANIFEST).is_file():
        return None, f"The {count} folds are trained after the model."
    if not run.has(FOLDS):
        return None, f"The {count} folds are not trained yet: go on with the training."
    try:
        found = run.read(FOLDS, CrossValidation)
    except DataError as error:
        return None, f"{error} Go on with the training, which writes it again."
    if found.way != model_way(run):
        return None, f"The {count} folds are of another split, recipe or seed than the model: go on with the training."
    return found, ""


def model_way(run: RunFolder) -> Way:
    """The way in which the model that is there was trained.

    Raises:
        DataError, ModelError: split or model are missing or damaged.
    """
    manifest = read_manifest(run.model)
    return way_of(run.split(), manifest.recipe, manifest.seed or 0, manifest.initial)
