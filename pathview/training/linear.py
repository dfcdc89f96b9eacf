"""Training without gradients: a backbone as it is, and a linear SVM fitted on its features (seeds 3 and 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models import keras_backend
from pathview.models.keras_features import Extractor, Floats
from pathview.models.keras_training import started
from pathview.models.recipe import Recipe
from pathview.models.weights import Tensors
from pathview.settings import Settings
from pathview.training.batches import Loaded
from pathview.training.feature_cache import FeatureCache
from pathview.training.features import fit_centres, fit_svm, head_features, scaled_to


def feature_cache(settings: Settings) -> FeatureCache:
    """The installation's cache of features."""
    return FeatureCache(settings.data_dir / "cache" / "features.sqlite")


def fit_linear(
    recipe: Recipe,
    initial: Path | None,
    loaded: Sequence[Loaded],
    watched: Sequence[Loaded],
    seed: int,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Tensors:
    """Fit centres (where the recipe pools by VLAD) and head on the training images; probabilities on ``watched``.

    Raises:
        DataError: too few images, or a class without one.
        RecipeError: the recipe's head is not linear.
    """
    model = started(recipe, seed, initial)
    extractor = Extractor(model)
    kind = str(recipe.network.options.get("pooling", "mean"))
    if kind == "vlad":
        clusters = int(recipe.network.options.get("clusters", 64))
        centres = fit_centres(extractor, loaded, clusters, seed, part_of(progress, 0, 3), cancel)
        extractor.set_centres(centres)
        kind += f" {hashlib.sha256(centres.tobytes()).hexdigest()}"
    kind = f"{extractor.last} {kind}"
    cache = feature_cache(settings)

    def features(images: Sequence[Loaded], index: int) -> Floats:
        return head_features(extractor, images, kind, cache, part_of(progress, index, 3), cancel)

    labels = np.array([one.label for one in loaded], np.intp)
    head = fit_svm(features(loaded, 1), labels, len(recipe.classes), recipe.training.svm_cost, seed)
    if watched:
        head = scaled_to(head, features(watched, 2), np.array([one.label for one in watched], np.intp))
    extractor.set_head(head.kernel, head.bias)
    return keras_backend.get_weights(model)
