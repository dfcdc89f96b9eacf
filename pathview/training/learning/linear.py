"""Training without gradients: a backbone as it is, and a linear head fitted on its features (seeds 3 and 5)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models import keras_backend
from pathview.models.keras_features import Extractor
from pathview.models.keras_training import memory_told, started
from pathview.models.recipe import Recipe
from pathview.models.weights import Tensors
from pathview.settings import Settings
from pathview.training.data.kept_samples import AskedSamples
from pathview.training.data.samples import Sample
from pathview.training.learning.feature_cache import FeatureCache
from pathview.training.learning.features import (
    FEATURES_AT_ONCE,
    fit_centres,
    fit_logistic,
    fit_svm,
    head_features,
    scaled_to,
)


def feature_cache(settings: Settings) -> FeatureCache:
    """The installation's cache of features."""
    return FeatureCache(settings.data_dir / "cache" / "features.sqlite")


@dataclass(frozen=True)
class LinearFit:
    """A network whose head was fitted without gradients."""

    tensors: Tensors
    patients: int
    """Whose images could be used."""
    problems: tuple[str, ...]
    images: int
    """That were used."""
    seconds: float
    """That the head took once the features were there."""


def fit_linear(
    recipe: Recipe,
    initial: Path | None,
    train: Sequence[Sample],
    watched: Sequence[Sample],
    seed: int,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> LinearFit:
    """Fit centres (where the recipe pools by VLAD) and head on the training images; probabilities on ``watched``.

    Raises:
        DataError: too few images, or a class without one.
        OutOfMemory: a few images do not fit into memory.
        RecipeError: the recipe's head is not linear.
    """
    model = started(recipe, seed, initial)
    extractor = Extractor(model)
    asked = AskedSamples(train, recipe, settings)
    also = AskedSamples(watched, recipe, settings)
    cache = feature_cache(settings)
    with memory_told(FEATURES_AT_ONCE):
        kind = _kind(extractor, asked, recipe, seed, part_of(progress, 0, 3), cancel)
        learnt = head_features(extractor, asked, kind, cache, part_of(progress, 1, 3), cancel)
        others = head_features(extractor, also, kind, cache, part_of(progress, 2, 3), cancel) if watched else None
    problems = [*learnt.problems, *(others.problems if others is not None else ())]
    started_at = time.perf_counter()
    fitting = fit_logistic if recipe.training.method == "logistic" else fit_svm
    head = fitting(learnt.values, learnt.labels, len(recipe.classes), recipe.training.svm_cost, seed)
    if others is not None:
        head = scaled_to(head, others.values, others.labels)
    seconds = time.perf_counter() - started_at
    extractor.set_head(head.kernel, head.bias)
    patients = len({sample.patient for sample in learnt.samples})
    return LinearFit(keras_backend.get_weights(model), patients, tuple(problems), len(learnt.samples), seconds)


def _kind(
    extractor: Extractor, asked: AskedSamples, recipe: Recipe, seed: int, progress: ProgressSink, cancel: CancelToken
) -> str:
    """Layer and pooling as the cache names them; for a VLAD its centres are fitted first."""
    pooling = str(recipe.network.options.get("pooling", "mean"))
    if pooling != "vlad":
        return f"{extractor.last} {pooling}"
    clusters = int(recipe.network.options.get("clusters", 64))
    centres = fit_centres(extractor, asked, clusters, seed, progress, cancel)
    extractor.set_centres(centres)
    return f"{extractor.last} vlad {hashlib.sha256(centres.tobytes()).hexdigest()}"
