"""Running a model over a data set of known truth, and the plain baselines over the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from pathview.analysis import predict
from pathview.analysis.prepare import prepare
from pathview.analysis.uncertainty import judge_map
from pathview.errors import ImageError, NotAnalysable
from pathview.geometry import Region
from pathview.images.breast import breast_mask
from pathview.images.formats import open_image
from pathview.images.render import display_pixels
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, no_progress
from pathview.models.backend import Batch, Network
from pathview.models.recipe import Recipe
from pathview.results.mask import full_mask, overlap
from pathview.results.result import ScoreMap
from pathview.settings import Settings
from pathview.training.data.loading import Loaded, load_samples, read_truth
from pathview.training.data.samples import Sample
from pathview.training.measures.evaluate import color_baseline, color_features
from pathview.training.measures.predictions import AnyScored, Scored, scored_as

Bools = npt.NDArray[np.bool_]
THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 10))


@dataclass(frozen=True)
class Outlined:
    """One outlined image through a segmentation network."""

    sample: Sample
    probability: ScoreMap
    truth: Bools
    gray: npt.NDArray[np.uint8]
    """The image as shown, at its stored size; for the baselines."""
    score: float
    called: bool


def classify_samples(
    network: Network, loaded: Sequence[Loaded], progress: ProgressSink, cancel: CancelToken
) -> npt.NDArray[np.float64]:
    """Probabilities of the classes, see :func:`class_probabilities`.

    Raises:
        NotAnalysable: the network's output is not a number.
    """
    outputs = []
    for start in range(0, len(loaded), predict.PATCH_BATCH):
        checkpoint(cancel)
        images = np.stack([one.working.pixels for one in loaded[start : start + predict.PATCH_BATCH]])
        outputs.append(predict.checked_outputs(network, predict.as_input(images)))
        progress(Progress(start + len(images), len(loaded), "scoring"))
    return class_probabilities(np.concatenate(outputs))


def class_probabilities(outputs: Batch) -> npt.NDArray[np.float64]:
    """A classifier's outputs [n, outputs] as float64 [n, classes]; of two classes by :func:`predict.positive_score`."""
    if outputs.shape[-1] > 2:
        shares = outputs.astype(np.float64)
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))  # which single precision had rounded
    positive = predict.positive_score(outputs).astype(np.float64)
    return np.stack([1 - positive, positive], axis=-1)


def segment_samples(
    network: Network, samples: Sequence[Sample], settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> tuple[list[Outlined], list[str]]:
    """Outlined images through the same steps as an analysis; and what could not be read."""
    found, problems = [], []
    for index, sample in enumerate(samples):
        checkpoint(cancel)
        try:
            found.append(_segment_one(network, sample, settings, cancel))
        except (ImageError, NotAnalysable) as error:
            problems.append(str(error))
        progress(Progress(index + 1, len(samples), "scoring"))
    return found, problems


def _segment_one(network: Network, sample: Sample, settings: Settings, cancel: CancelToken) -> Outlined:
    source = open_image(sample.path, settings)
    try:
        probability = predict.segment(network, prepare(source, network.recipe), no_progress, cancel)
        verdict = judge_map(probability, network.recipe.input, network.recipe.decision)
        truth = read_truth(sample, source.info.size, settings)
        return Outlined(sample, probability, truth, _gray(source), verdict.score, verdict.label != "negative")
    finally:
        source.close()


def _gray(source: ImageSource) -> npt.NDArray[np.uint8]:
    gray = display_pixels(source, Region.whole(source.info.size), source.info.size)
    return gray if gray.ndim == 2 else np.asarray(cv2.cvtColor(gray, cv2.COLOR_RGB2GRAY))


def predicted_mask(one: Outlined, threshold: float) -> Bools:
    """The network's mask at the image's stored size."""
    rows, columns = one.truth.shape
    return full_mask(one.probability, threshold, Region(0, 0, columns, rows).size) > 0


def scored_outlines(found: Sequence[Outlined], masks: Sequence[Bools]) -> Scored:
    """Figures' input for masks over outlined images (the network's, or a baseline's)."""
    overlaps = np.array([overlap(mask, one.truth) for mask, one in zip(masks, found, strict=True)])
    return Scored(
        patients_of([one.sample for one in found]),
        np.array([int(one.truth.any()) if one.sample.label is None else one.sample.label for one in found], np.intp),
        np.array([one.score for one in found]),
        np.array([one.called for one in found], np.bool_),
        overlaps[:, 0],
        overlaps[:, 1],
    )


def best_threshold(found: Sequence[Outlined]) -> float:
    """The threshold of 0.1, 0.2 ... 0.9 with the largest mean Dice."""
    dices = [
        np.mean([overlap(predicted_mask(one, threshold), one.truth).dice for one in found]) for threshold in THRESHOLDS
    ]
    return THRESHOLDS[int(np.argmax(dices))]


def lesion_share(found: Sequence[Outlined] | Sequence[Loaded]) -> float:
    """Median share of an outlined image that lesions cover; the bright blob baseline's size."""
    masks = [one.truth if isinstance(one, Outlined) else one.mask for one in found]
    shares = [float(np.count_nonzero(mask) / mask.size) for mask in masks if mask is not None]
    return float(np.median([share for share in shares if share > 0] or [0.05]))


def bright_blob(gray: npt.NDArray[np.uint8], share: float) -> Bools:
    """The plain baseline for lesions: the brightest ``share`` of the image inside the breast, its largest blob."""
    smooth = cv2.GaussianBlur(gray, (0, 0), max(1.0, max(gray.shape) / 60))
    breast = breast_mask(gray)
    inside = smooth[breast] if breast is not None else smooth.ravel()
    wanted = min(1.0, share * gray.size / max(1, inside.size))
    bright = (smooth >= np.quantile(inside, 1 - wanted)) & (breast if breast is not None else True)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8), None, 8)
    if count < 2:
        return np.zeros(gray.shape, np.bool_)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def outline_baselines(found: Sequence[Outlined], share: float) -> dict[str, Scored]:
    """Predicting nothing, and the bright blob."""
    nothing = [np.zeros(one.truth.shape, np.bool_) for one in found]
    blobs = [bright_blob(one.gray, share) for one in found]
    return {"predict_nothing": _only_outlined(found, nothing), "bright_blob": _only_outlined(found, blobs)}


def _only_outlined(found: Sequence[Outlined], masks: Sequence[Bools]) -> Scored:
    """A baseline that only outlines has no score of its own: its calls are whether it outlined anything."""
    called = np.array([mask.any() for mask in masks], np.bool_)
    return replace(scored_outlines(found, masks), scores=called.astype(np.float64), called=called)


def patch_baselines(
    loaded: Sequence[Loaded], reference: Sequence[Loaded], classes: tuple[str, ...]
) -> dict[str, AnyScored]:
    """The majority class (of as many the later one), and a logistic regression on mean and deviation of RGB."""
    patients, labels = patients_of([one.sample for one in loaded]), labels_of(loaded)
    reference_labels = labels_of(reference or loaded)
    counts = np.bincount(reference_labels, minlength=len(classes))
    majority = int(np.flatnonzero(counts == counts.max())[-1])
    constant = np.tile(np.eye(len(classes))[majority], (len(loaded), 1))
    found = {"majority": scored_as(patients, labels, constant, classes)}
    fitted = (_features(reference), reference_labels) if reference else None
    probabilities = color_baseline(fitted, _features(loaded), labels, patients, len(classes))
    if probabilities is not None:
        found["mean_std_rgb"] = scored_as(patients, labels, probabilities, classes)
    return found


def labels_of(loaded: Sequence[Loaded]) -> npt.NDArray[np.intp]:
    """Index of each image's class."""
    return np.array([one.label for one in loaded], np.intp)


def _features(loaded: Sequence[Loaded]) -> npt.NDArray[np.float64]:
    return color_features(np.stack([one.working.pixels for one in loaded]))


def patients_of(samples: Sequence[Sample]) -> npt.NDArray[np.str_]:
    """A patient key for each sample; an image of no known patient stands for itself."""
    return np.array([sample.patient or f"image {i}" for i, sample in enumerate(samples)])


def load_for_scoring(
    samples: Sequence[Sample], recipe: Recipe, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> tuple[list[Loaded], list[str]]:
    """Samples of a classification, read and prepared."""
    return load_samples(samples, recipe, settings, progress, cancel)
