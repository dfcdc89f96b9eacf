"""Seeds 3 and 5 without gradients: features of a network once, then a linear SVM as the network's head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.analysis.predict import as_input
from pathview.errors import DataError
from pathview.images.digest import file_digests
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.keras_features import Extractor, Floats
from pathview.training.batches import Loaded
from pathview.training.feature_cache import FeatureCache

_BATCH = 16
_DESCRIPTORS = 100_000
"""Columns that the centres of a VLAD are fitted on, drawn evenly from the training images."""


@dataclass(frozen=True)
class LinearHead:
    """A fitted head: scores = softmax(features @ kernel + bias)."""

    kernel: Floats
    bias: Floats


def pooled_features(
    extractor: Extractor,
    loaded: Sequence[Loaded],
    layers: Sequence[str],
    pooling: str,
    cache: FeatureCache | None,
    progress: ProgressSink,
    cancel: CancelToken,
) -> dict[str, Floats]:
    """Features of each layer, float32 [n, channels]; computed in one pass over the images that the cache lacks."""
    kinds = {layer: f"{extractor.digest} {layer} {pooling}" for layer in layers}

    def run(images: Floats) -> list[Floats]:
        return extractor.pooled(images, layers, pooling)

    return _cached(loaded, kinds, run, cache, progress, cancel)


def head_features(
    extractor: Extractor,
    loaded: Sequence[Loaded],
    kind: str,
    cache: FeatureCache | None,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Floats:
    """What the head sees of each image, float32 [n, features]; ``kind`` names the pooling, centres and all."""
    kinds = {"head": f"{extractor.digest} {kind}"}
    return _cached(loaded, kinds, lambda images: [extractor.head_input(images)], cache, progress, cancel)["head"]


def _cached(
    loaded: Sequence[Loaded],
    kinds: dict[str, str],
    run: Callable[[Floats], list[Floats]],
    cache: FeatureCache | None,
    progress: ProgressSink,
    cancel: CancelToken,
) -> dict[str, Floats]:
    names = [_image_key(one) for one in loaded]
    known = {layer: cache.get(kind, names) if cache else {} for layer, kind in kinds.items()}
    missing = [i for i, name in enumerate(names) if any(name not in found for found in known.values())]
    for start in range(0, len(missing), _BATCH):
        checkpoint(cancel)
        some = missing[start : start + _BATCH]
        outputs = run(as_input(np.stack([loaded[i].working.pixels for i in some])))
        for (layer, kind), values in zip(kinds.items(), outputs, strict=True):
            fresh = {names[i]: vector for i, vector in zip(some, values, strict=True)}
            known[layer] |= fresh
            if cache:
                cache.put(kind, fresh)
        progress(Progress(start + len(some), len(missing), "features"))
    return {layer: np.stack([known[layer][name] for name in names]) for layer in kinds}


def _image_key(one: Loaded) -> str:
    rows, columns = one.working.pixels.shape[:2]
    return f"{file_digests(one.sample.path)[0]} {columns}x{rows}"


def fit_centres(
    extractor: Extractor,
    loaded: Sequence[Loaded],
    clusters: int,
    seed: int,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Floats:
    """Centres of a VLAD by k-means over the columns of the training images' maps: float32 [clusters, channels].

    Raises:
        DataError: there are fewer columns than centres.
    """
    from sklearn.cluster import MiniBatchKMeans

    rng = np.random.default_rng(seed)
    quota = max(1, _DESCRIPTORS // max(1, len(loaded)))
    parts: list[Floats] = []
    for start in range(0, len(loaded), _BATCH):
        checkpoint(cancel)
        images = as_input(np.stack([one.working.pixels for one in loaded[start : start + _BATCH]]))
        found = extractor.columns(images, extractor.last)
        parts.extend(columns[rng.permutation(len(columns))[:quota]] for columns in found)
        progress(Progress(min(start + _BATCH, len(loaded)), len(loaded), "columns for the centres"))
    columns = np.concatenate(parts)
    if len(columns) < clusters:
        raise DataError(f"{len(columns)} feature columns are too few for {clusters} centres; give more images.")
    means = MiniBatchKMeans(clusters, random_state=seed, n_init=3, batch_size=4096).fit(columns)
    return np.asarray(means.cluster_centers_, np.float32)


def fit_svm(features: Floats, labels: npt.NDArray[np.intp], classes: int, cost: float, seed: int) -> LinearHead:
    """A linear SVM on standardised features, one class against the rest, as a head for softmax scores.

    With two classes the logits are 0 and the distance from the plane, so that the score is its logistic function.

    Raises:
        DataError: a class without an image.
    """
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    missing = sorted(set(range(classes)) - set(labels.tolist()))
    if missing:
        raise DataError(f"The training patients have no image of class number {missing[0]}.")
    scaler = StandardScaler().fit(features)
    svm = LinearSVC(C=cost, class_weight="balanced", random_state=seed, max_iter=20_000)
    svm.fit(scaler.transform(features), labels)
    kernel = svm.coef_ / scaler.scale_
    bias = svm.intercept_ - kernel @ scaler.mean_
    if classes == 2:
        kernel, bias = np.vstack([np.zeros_like(kernel), kernel]), np.concatenate([[0.0], bias])
    return LinearHead(kernel.T.astype(np.float32), bias.astype(np.float32))


def scaled_to(head: LinearHead, features: Floats, labels: npt.NDArray[np.intp]) -> LinearHead:
    """A two-class head whose scores are probabilities on other patients (Platt 1999).

    Where those have one class alone, the head stays as it is.
    """
    from sklearn.linear_model import LogisticRegression

    if head.kernel.shape[1] != 2 or len(set(labels.tolist())) < 2:
        return head
    distances = features @ head.kernel[:, 1] + head.bias[1]
    fitted = LogisticRegression(C=1e3).fit(distances[:, None], labels)
    factor = max(float(fitted.coef_[0, 0]), 1e-3)  # never turned round by a handful of patients
    kernel, bias = head.kernel.copy(), head.bias.copy()
    kernel[:, 1] *= factor
    bias[1] = bias[1] * factor + float(fitted.intercept_[0])
    return LinearHead(kernel, bias)


def softmax(head: LinearHead, features: Floats) -> npt.NDArray[np.float64]:
    """Scores of a head, [n, classes]."""
    logits = (features @ head.kernel + head.bias).astype(np.float64)
    shifted: Any = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
