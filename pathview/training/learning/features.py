"""Seeds 3 and 5 without gradients: features of a network once, then a linear SVM as the network's head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pathview.analysis.predict import as_input
from pathview.errors import DataError, ImageError, NotAnalysable
from pathview.images.digest import combined, file_digests
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.keras_features import Extractor, Floats
from pathview.training.data.kept_samples import AskedSamples, in_parts
from pathview.training.data.loading import Loaded
from pathview.training.data.samples import Sample
from pathview.training.learning.feature_cache import FeatureCache

FEATURES_AT_ONCE = 16
"""Images in one pass of the network."""
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


@dataclass(frozen=True)
class Featured:
    """What the head sees of those samples that could be read."""

    values: Floats
    """float32 [n, features]."""
    samples: tuple[Sample, ...]
    problems: tuple[str, ...]
    """One sentence for each that could not be read."""

    @property
    def labels(self) -> npt.NDArray[np.intp]:
        """Classes of the samples, [n]."""
        return np.array([sample.label or 0 for sample in self.samples], np.intp)


def head_features(
    extractor: Extractor,
    asked: AskedSamples,
    kind: str,
    cache: FeatureCache,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Featured:
    """What the head sees of each image; one whose features the cache has is not even decoded.

    Args:
        extractor: of the network.
        asked: the images.
        kind: names layer and pooling, centres and all.
        cache: where features are looked up and kept.
        progress: of what is computed.
        cancel: between batches; what was computed stays in the cache.

    Raises:
        DataError: no image can be read.
    """
    kind = f"{extractor.digest} {kind}"
    problems: list[str] = []
    names: dict[int, str] = {}
    for i, sample in enumerate(asked.samples):
        try:
            names[i] = image_key(sample, asked.prepared(i))
        except ImageError as error:
            problems.append(str(error))
    known = cache.get(kind, set(names.values()))
    missing = [i for i, name in names.items() if name not in known]
    done = 0
    for indices, read in read_ahead(asked, missing, problems):
        checkpoint(cancel)
        values = extractor.head_input(as_input(np.stack([one.working.pixels for one in read])))
        fresh = {names[i]: vector for i, vector in zip(indices, values, strict=True)}
        known |= fresh
        cache.put(kind, fresh)
        done += len(fresh)
        progress(Progress(done, len(missing), "features"))
    found = [i for i in names if names[i] in known]
    if not found:
        raise DataError(f"None of the {len(asked)} images can be used: {problems[0]}")
    values = np.stack([known[names[i]] for i in found])
    return Featured(values, tuple(asked.samples[i] for i in found), tuple(problems))


class Readable(Protocol):
    """Samples that can be read one by one."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, index: int) -> Loaded:
        """One with its pixels."""
        ...


def read_ahead(
    samples: Readable, indices: Sequence[int], problems: list[str]
) -> Iterator[tuple[list[int], list[Loaded]]]:
    """Samples in batches, the next one read in a thread meanwhile; what is wrong with others goes to ``problems``."""

    def read(some: Sequence[int]) -> tuple[list[int], list[Loaded]]:
        found: list[tuple[int, Loaded]] = []
        for i in some:
            try:
                found.append((i, samples[i]))
            except (ImageError, NotAnalysable) as error:
                problems.append(str(error))
        return [i for i, _ in found], [one for _, one in found]

    batches = [[indices[i] for i in part] for part in in_parts(len(indices), FEATURES_AT_ONCE)]
    with ThreadPoolExecutor(1, "reading") as pool:
        following = pool.submit(read, batches[0]) if batches else None
        for number in range(len(batches)):
            assert following is not None
            ready = following.result()
            if number + 1 < len(batches):
                following = pool.submit(read, batches[number + 1])
            if ready[0]:
                yield ready


def _cached(
    loaded: Sequence[Loaded],
    kinds: dict[str, str],
    run: Callable[[Floats], list[Floats]],
    cache: FeatureCache | None,
    progress: ProgressSink,
    cancel: CancelToken,
) -> dict[str, Floats]:
    names = [image_key(one.sample, one.prepared) for one in loaded]
    known = {layer: cache.get(kind, names) if cache else {} for layer, kind in kinds.items()}
    missing = [i for i, name in enumerate(names) if any(name not in found for found in known.values())]
    for start in range(0, len(missing), FEATURES_AT_ONCE):
        checkpoint(cancel)
        some = missing[start : start + FEATURES_AT_ONCE]
        outputs = run(as_input(np.stack([loaded[i].working.pixels for i in some])))
        for (layer, kind), values in zip(kinds.items(), outputs, strict=True):
            fresh = {names[i]: vector for i, vector in zip(some, values, strict=True)}
            known[layer] |= fresh
            if cache:
                cache.put(kind, fresh)
        progress(Progress(start + len(some), len(missing), "features"))
    return {layer: np.stack([known[layer][name] for name in names]) for layer in kinds}


def image_key(sample: Sample, prepared: str) -> str:
    """What the features of a sample are kept by: its file's content, the part that is meant, and how it is prepared.

    Raises:
        ImageError: the file cannot be read.
    """
    region = sample.region
    part = f" {region.x},{region.y},{region.width},{region.height}" if region is not None else ""
    return f"{combined(file_digests(sample.path))} {prepared}{part}"


def fit_centres(
    extractor: Extractor,
    loaded: Readable,
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
    done = 0
    for indices, read in read_ahead(loaded, range(len(loaded)), []):
        checkpoint(cancel)
        found = extractor.columns(as_input(np.stack([one.working.pixels for one in read])), extractor.last)
        parts.extend(columns[rng.permutation(len(columns))[:quota]] for columns in found)
        done += len(indices)
        progress(Progress(done, len(loaded), "columns for the centres"))
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
    from sklearn.svm import LinearSVC

    svm = LinearSVC(C=cost, class_weight="balanced", random_state=seed, max_iter=20_000)
    return _fitted(svm, features, labels, classes)


def fit_logistic(features: Floats, labels: npt.NDArray[np.intp], classes: int, cost: float, seed: int) -> LinearHead:
    """A logistic regression on standardised features as a head for softmax scores.

    Raises:
        DataError: a class without an image.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=cost, class_weight="balanced", random_state=seed, max_iter=2_000)
    return _fitted(model, features, labels, classes)


def _fitted(model: Any, features: Floats, labels: npt.NDArray[np.intp], classes: int) -> LinearHead:
    """Fit a linear model of scikit-learn, and fold the standardisation into its planes."""
    from sklearn.preprocessing import StandardScaler

    missing = sorted(set(range(classes)) - set(labels.tolist()))
    if missing:
        raise DataError(f"The training patients have no image of class number {missing[0]}.")
    scaler = StandardScaler().fit(features)
    model.fit(scaler.transform(features), labels)
    kernel = model.coef_ / scaler.scale_
    bias = model.intercept_ - kernel @ scaler.mean_
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
