"""Honest figures: metrics, their bootstrap intervals by patient, and the plain baselines beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Float = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]
BOOTSTRAP_RUNS = 1000
_FEW = 5
"""Patients below which a test says little."""


@dataclass(frozen=True)
class Scored:
    """Predictions of one model on images of known truth; arrays have one entry an image."""

    patients: npt.NDArray[np.str_]
    labels: Labels
    scores: Float
    """Probability or score of the positive class."""
    called: npt.NDArray[np.bool_]
    """Whether the model calls it positive."""
    common: Float | None = None
    total: Float | None = None
    """Of outlines: see :class:`pathview.results.mask.Overlap`."""

    def take(self, indices: npt.NDArray[np.intp]) -> Scored:
        """The entries at ``indices``, repeats allowed."""
        return Scored(
            self.patients[indices],
            self.labels[indices],
            self.scores[indices],
            self.called[indices],
            None if self.common is None else self.common[indices],
            None if self.total is None else self.total[indices],
        )

    @property
    def dice(self) -> Float | None:
        """Dice of each outlined image; 1 where both masks are empty."""
        if self.common is None or self.total is None:
            return None
        return np.where(self.total > 0, 2 * self.common / np.maximum(self.total, 1e-12), 1.0)


def confusion(scored: Scored) -> dict[str, int]:
    """Counts of true and false positives and negatives."""
    truth = scored.labels == 1
    return {
        "tp": int((truth & scored.called).sum()),
        "fp": int((~truth & scored.called).sum()),
        "tn": int((~truth & ~scored.called).sum()),
        "fn": int((truth & ~scored.called).sum()),
    }


def metrics(scored: Scored) -> dict[str, float]:
    """Those figures that the truths at hand allow: without negatives there is no specificity, say."""
    found: dict[str, float] = {}
    counts = confusion(scored)
    positives, negatives = counts["tp"] + counts["fn"], counts["tn"] + counts["fp"]
    if positives and negatives:
        found["auc"] = float(roc_auc_score(scored.labels, scored.scores))
        found["accuracy"] = (counts["tp"] + counts["tn"]) / (positives + negatives)
        found["balanced_accuracy"] = (counts["tp"] / positives + counts["tn"] / negatives) / 2
    if positives:
        found["sensitivity"] = counts["tp"] / positives
    if negatives:
        found["specificity"] = counts["tn"] / negatives
    if positives and negatives:
        called = counts["tp"] + counts["fp"]
        found["precision"] = counts["tp"] / called if called else 0.0
        found["f1"] = 2 * counts["tp"] / (positives + called)
    if scored.common is not None and scored.total is not None and scored.dice is not None:
        found["dice"] = float(scored.dice.mean())
        found["iou"] = float((scored.dice / (2 - scored.dice)).mean())
        found["pooled_dice"] = _pooled_dice(scored.common, scored.total)
    return found


def _pooled_dice(common: Float, total: Float) -> float:
    """Dice of all images' pixels taken together, each image the same size.

    So seed 2's network counts it (``dice_coef`` of ZF_UNET_224 flattens the batch): large lesions weigh more than in
    the mean over images.
    """
    return float(2 * common.sum() / total.sum()) if total.sum() else 1.0


def intervals(
    scored: Scored, runs: int = BOOTSTRAP_RUNS, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile intervals from drawing whole patients with replacement, all of a patient's images together."""
    patients, inverse = np.unique(scored.patients, return_inverse=True)
    members = [np.flatnonzero(inverse == i) for i in range(len(patients))]
    rng = np.random.default_rng(seed)
    draws: dict[str, list[float]] = {}
    for _ in range(runs):
        chosen = rng.integers(0, len(patients), len(patients))
        for name, value in metrics(scored.take(np.concatenate([members[i] for i in chosen]))).items():
            draws.setdefault(name, []).append(value)
    tail = 100 * (1 - level) / 2
    return {
        name: (float(np.percentile(values, tail)), float(np.percentile(values, 100 - tail)))
        for name, values in draws.items()
    }


def color_features(images: npt.NDArray[np.uint8]) -> Float:
    """Mean and standard deviation of each channel: [n, rows, columns, 3] to float64 [n, 6]."""
    flat = images.reshape(len(images), -1, images.shape[-1]).astype(np.float64)
    return np.concatenate([flat.mean(axis=1), flat.std(axis=1)], axis=1)


def color_baseline(
    fitted_on: tuple[Float, Labels] | None, features: Float, labels: Labels, patients: npt.NDArray[np.str_]
) -> Float | None:
    """Scores of a logistic regression on colour features alone.

    Fitted on ``fitted_on`` where given (the model's own training images), else leaving one patient
    out; None where a fit would see one class only.
    """

    def fit(x: Float, y: Labels) -> Callable[[Float], Float] | None:
        if len(np.unique(y)) < 2:
            return None
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
        return lambda features: np.asarray(model.predict_proba(features)[:, 1], np.float64)

    if fitted_on is not None:
        predict = fit(*fitted_on)
        return predict(features) if predict else None
    scores = np.zeros(len(labels))
    for patient in np.unique(patients):
        out = patients == patient
        predict = fit(features[~out], labels[~out])
        if predict is None:
            return None
        scores[out] = predict(features[out])
    return scores


def report(
    model: str, scored: Scored, baselines: Mapping[str, Scored], extra: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The object that ``pathview evaluate`` prints."""
    return {
        "model": model,
        **_figures(scored),
        "baselines": {name: _rounded(metrics(base)) for name, base in baselines.items()},
        "confusion": confusion(scored),
        **(extra or {}),
    }


def by_groups(scored: Scored, groups: Sequence[str]) -> dict[str, dict[str, object]]:
    """Figures of each group of images, named by what ``groups`` says of each image."""
    names = np.array(groups)
    return {
        str(name): _figures(scored.take(np.asarray(np.flatnonzero(names == name), np.intp)))
        for name in np.unique(names)
    }


def _figures(scored: Scored) -> dict[str, object]:
    """How many images and patients, what was reached on them, and the intervals."""
    return {
        "n_images": len(scored.labels),
        "n_patients": len(np.unique(scored.patients)),
        "metrics": _rounded(metrics(scored)),
        "intervals": {name: [round(low, 4), round(high, 4)] for name, (low, high) in intervals(scored).items()},
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def shortcomings(figures: Mapping[str, Any]) -> list[str]:
    """What must not be overlooked in a model's report, a sentence each: few patients, or no better than a baseline."""
    found = []
    patients = int(figures["n_patients"])
    if patients < _FEW:
        found.append(f"It was tested on {patients} patient{'s' if patients != 1 else ''} only.")
    name = "dice" if "dice" in figures["metrics"] else "accuracy"
    own = figures["metrics"].get(name)
    better = {base: values[name] for base, values in figures["baselines"].items() if name in values}
    best = max(better, key=lambda base: better[base], default=None)
    if own is not None and best is not None and own <= better[best]:
        words = best.replace("_", " ")
        found.append(
            f"On them it did no better than the plain baseline {words} ({name} {own:.2f}, {better[best]:.2f})."
        )
    return found
