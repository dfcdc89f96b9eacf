"""Where to cut a network off (seed 5): features of several layers once, a linear head on each, one table.

The comparison is a cross-validation over the training and validation patients; the test patients stay unseen, since
a layer is a choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pathview.errors import DataError
from pathview.jobs import CancelToken, ProgressSink, checkpoint, part_of
from pathview.models.keras_backend import KerasNetwork
from pathview.models.keras_features import Extractor, Floats
from pathview.models.keras_training import started
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.data.dataset import read_dataset
from pathview.training.data.loading import load_samples
from pathview.training.data.parts import parts_of, split_of
from pathview.training.learning.features import fit_svm, pooled_features, softmax
from pathview.training.learning.linear import feature_cache
from pathview.training.learning.start import Start
from pathview.training.measures import scoring
from pathview.training.measures.evaluate import report
from pathview.training.measures.predictions import scored_as

_FOLDS = 5
_OFFERED = 8


@dataclass(frozen=True)
class SweepRequest:
    """One sweep."""

    recipe: Recipe
    data: Path
    layers: tuple[str, ...] = ()
    """Empty: some, evenly spaced through the network."""
    pooling: str = "mean"
    seed: int = 0
    start: Start = field(default_factory=Start)


def sweep(
    request: SweepRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> list[dict[str, object]]:
    """One row a layer: its name, depth, number of features, and what ``pathview evaluate`` prints.

    Raises:
        DataError: no classification, or too few patients with both classes.
        RecipeError: a layer that the network does not have.
    """
    recipe = request.recipe
    if not recipe.classifies:
        raise DataError(f"{recipe.name} outlines regions; a sweep compares classifiers.")
    dataset = read_dataset(request.data, recipe, settings)
    split = split_of(dataset, recipe, request.seed)
    parts = parts_of(dataset, split, recipe)
    samples = [*parts.train, *parts.validation]
    loaded, _ = load_samples(samples, recipe, settings, part_of(progress, 0, 3, "images"), cancel)
    labels = scoring.labels_of(loaded)
    patients = scoring.patients_of([one.sample for one in loaded])
    folds = _folds(labels, patients, request.seed)
    apart = len(dataset.samples) - len(samples)
    left_out = [f"{apart} images of {len(split.test)} test patients stay unseen: a layer is a choice."]
    model = started(recipe, request.seed, request.start.file)
    offered = KerasNetwork(model, recipe).explainable_layers()
    layers = request.layers or _spaced(offered)
    found = pooled_features(
        Extractor(model), loaded, layers, request.pooling, feature_cache(settings), part_of(progress, 1, 3), cancel
    )
    baselines = scoring.patch_baselines(loaded, [], recipe.classes)
    extra = {"data": dataset.name, "folds": len(folds), "left_out": left_out}
    rows = []
    for layer in layers:
        checkpoint(cancel)
        probabilities = _out_of_fold(found[layer], labels, folds, recipe, request.seed)
        scored = scored_as(patients, labels, probabilities, recipe.classes, recipe.decision.threshold)
        depth = offered.index(layer) + 1 if layer in offered else None
        facts = {"layer": layer, "depth": depth, "features": found[layer].shape[1], "pooling": request.pooling}
        rows.append({**facts, **report(recipe.name, scored, baselines, extra)})
    return rows


def _spaced(layers: Sequence[str]) -> tuple[str, ...]:
    places = np.unique(np.linspace(0, len(layers) - 1, min(_OFFERED, len(layers))).round().astype(int))
    return tuple(layers[place] for place in places)


def _folds(labels: npt.NDArray[np.intp], patients: npt.NDArray[np.str_], seed: int) -> list[npt.NDArray[np.intp]]:
    """Indices of each fold's left-out images; no patient stands on both sides.

    Raises:
        DataError: some fold would be fitted on one class alone.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    count = min(_FOLDS, len(np.unique(patients)))
    if count < 2:
        raise DataError("A sweep needs two patients or more.")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    folds = []
    for inside, outside in splitter.split(labels, labels, patients):
        if len(set(labels[inside].tolist())) < 2:
            raise DataError("The patients of one class are too few to leave some of them out.")
        folds.append(np.asarray(outside, np.intp))
    return folds


def _out_of_fold(
    features: Floats, labels: npt.NDArray[np.intp], folds: Sequence[npt.NDArray[np.intp]], recipe: Recipe, seed: int
) -> npt.NDArray[np.float64]:
    """Each image's probabilities, [n, classes], by a head that did not see its patient."""
    probabilities = np.zeros((len(labels), len(recipe.classes)))
    for outside in folds:
        inside = np.setdiff1d(np.arange(len(labels)), outside)
        head = fit_svm(features[inside], labels[inside], len(recipe.classes), recipe.training.svm_cost, seed)
        probabilities[outside] = softmax(head, features[outside])
    return probabilities
