"""What a head learns from features: how the figures grow with the patients, and that shuffled labels teach nothing.

The features are those of the network as its training began, so that no patient has formed them yet; they come from
the cache where it has them. Everything is judged on the validation patients: the test patients stay closed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pathview.errors import DataError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, part_of
from pathview.models.keras_features import Extractor, Floats
from pathview.models.keras_training import started
from pathview.models.recipe import Recipe
from pathview.results.statistics import patient_draws, percentile_interval
from pathview.settings import Settings
from pathview.training.data.loading import Loaded
from pathview.training.data.split import strata_of
from pathview.training.learning.features import fit_svm, pooled_features, softmax
from pathview.training.learning.linear import feature_cache
from pathview.training.learning.start import Start
from pathview.training.measures import scoring
from pathview.training.measures.calibration import Estimate, Float, Labels
from pathview.training.measures.evaluate import Reached
from pathview.training.measures.growth import LearningCurve, LearningPoint, apart, first_share, patient_order
from pathview.training.measures.predictions import scored_as

SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
_DRAWS = 5
_BOOTSTRAPS = 100


@dataclass(frozen=True)
class Features:
    """Features of images of known truth, [n, features], and whose they are."""

    values: Floats
    labels: Labels
    patients: npt.NDArray[np.str_]

    def take(self, indices: npt.NDArray[np.intp]) -> Features:
        """The entries at ``indices``."""
        return Features(self.values[indices], self.labels[indices], self.patients[indices])


@dataclass(frozen=True)
class HeadTask:
    """A head to fit on training patients and judge on validation patients."""

    train: Features
    validation: Features
    classes: tuple[str, ...]
    cost: float = 1.0
    """C of the SVM."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse validation patients that no head can be judged on.

        Raises:
            DataError: they are of one class, or there are none.
        """
        if len(set(self.validation.labels.tolist())) < 2:
            raise DataError("The validation patients are of one class, so nothing can be judged on them.")

    def probabilities(self, train: Features) -> Float:
        """What a head fitted on ``train`` says of the validation images: [n, classes].

        Raises:
            DataError: a class is not among them.
        """
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # labels that mean nothing take long to fit
            head = fit_svm(train.values, train.labels, len(self.classes), self.cost, self.seed)
        return softmax(head, self.validation.values)

    def auc(self, probabilities: Float, indices: npt.NDArray[np.intp] | None = None) -> float | None:
        """AUC on the validation images, or on those at ``indices``; None where they are of one class."""
        whose = self.validation
        scored = scored_as(whose.patients, whose.labels, probabilities, self.classes)
        return (scored if indices is None else scored.take(indices)).metrics().get("auc")


def head_task(
    recipe: Recipe,
    start: Start,
    train: Sequence[Loaded],
    validation: Sequence[Loaded],
    seed: int,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> HeadTask:
    """Features of the network as training begins with it.

    Raises:
        DataError: there are no images, or nothing can be judged on the validation images.
        ModelError: the weights to start from do not fit.
    """
    if not train or not validation:
        raise DataError("There are no images to fit a head on, or none to judge it on.")
    extractor = Extractor(started(recipe, seed, start.file))
    pooling = str(recipe.network.options.get("pooling", "mean"))
    layer = extractor.features
    mean = "max" if pooling == "max" else "mean"  # centres of a VLAD would know the training patients

    def features(loaded: Sequence[Loaded], index: int) -> Features:
        step = part_of(progress, index, 2)
        values = pooled_features(extractor, loaded, [layer], mean, feature_cache(settings), step, cancel)[layer]
        return Features(values, scoring.labels_of(loaded), scoring.patients_of([one.sample for one in loaded]))

    return HeadTask(features(train, 0), features(validation, 1), recipe.classes, recipe.training.svm_cost, seed)


def learning_curve(
    task: HeadTask, progress: ProgressSink, cancel: CancelToken, shares: Sequence[float] = SHARES
) -> LearningCurve:
    """Fit the head on growing shares of the training patients, each of several random orders of them.

    Each share keeps the kinds of patients in proportion, at least one of each, and holds the smaller ones.

    Raises:
        DataError: the training patients lack a class.
    """
    orders = [_order(task.train, [task.seed, draw]) for draw in range(_DRAWS)]
    resampled = list(patient_draws(task.validation.patients, _BOOTSTRAPS, task.seed))
    points: list[LearningPoint] = []
    drawn: dict[float, Float] = {}
    for step, share in enumerate(shares):
        checkpoint(cancel)
        chosen = [_members(task.train, order, share) for order in orders[: 1 if share >= 1 else None]]
        found = [task.probabilities(task.train.take(one)) for one in chosen]
        own = [value for value in map(task.auc, found) if value is not None]
        drawn[share] = np.array([[_number(task.auc(p, indices)) for indices in resampled] for p in found])
        counts = [len(np.unique(task.train.patients[one])) for one in chosen]
        images = round(float(np.mean([len(one) for one in chosen])))
        auc = _span(float(np.mean(own)), drawn[share])
        reached = Reached(value=auc.value, low=auc.low, high=auc.high)
        points.append(LearningPoint(share=share, patients=round(float(np.mean(counts))), images=images, value=reached))
        progress(Progress(step + 1, len(shares), "learning curve"))
    return LearningCurve(points=apart(points), gain=_gain(points, drawn))


def _gain(points: Sequence[LearningPoint], drawn: dict[float, Float]) -> Estimate | None:
    by_share = {point.share: point for point in points}
    half, whole = by_share.get(0.5), by_share.get(1.0)
    if half is None or whole is None or half.patients == whole.patients:
        return None
    return _span(whole.value.value - half.value.value, drawn[1.0] - drawn[0.5])


def _span(value: float, draws: Float) -> Estimate:
    known = draws[np.isfinite(draws)]
    low, high = percentile_interval(known) if len(known) else (value, value)
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _order(train: Features, seed: Sequence[int]) -> list[list[str]]:
    """Patients of each kind (the classes that their images have) in a random order."""
    pairs = [(str(patient), int(label)) for patient, label in zip(train.patients, train.labels, strict=True)]
    return patient_order(strata_of(pairs), seed)


def _members(train: Features, order: Sequence[Sequence[str]], share: float) -> npt.NDArray[np.intp]:
    """Indices of the images of the first share of each kind's patients."""
    return np.flatnonzero(np.isin(train.patients, first_share(order, share)))


def shuffled(train: Features, rng: np.random.Generator) -> Features:
    """The same with its labels dealt out anew: among patients where each is of one class, else among images."""
    _, first, inverse = np.unique(train.patients, return_index=True, return_inverse=True)
    of_patient = train.labels[first]
    if (of_patient[inverse] == train.labels).all():
        return Features(train.values, rng.permutation(of_patient)[inverse], train.patients)
    return Features(train.values, rng.permutation(train.labels), train.patients)
