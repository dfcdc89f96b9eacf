"""Honest figures: intervals by bootstrap over patients, and the plain baselines beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pathview.results.statistics import patient_draws, patient_weights, percentile_interval, quotient, roc_areas
from pathview.training.measures.predictions import AnyScored, Float, Labels, Scored

BOOTSTRAP_RUNS = 1000
_FEW = 5
"""Patients below which a test says little."""


def intervals(
    scored: AnyScored, runs: int = BOOTSTRAP_RUNS, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile intervals from drawing whole patients with replacement, all of a patient's images together."""
    draws: dict[str, list[float]] = {}
    if isinstance(scored, Scored):
        for weights in patient_weights(scored.patients, runs, seed):
            for name, values in _drawn_metrics(scored, weights).items():
                draws.setdefault(name, []).extend(values[np.isfinite(values)])
    else:
        for drawn in patient_draws(scored.patients, runs, seed):
            for name, value in scored.take(drawn).metrics().items():
                draws.setdefault(name, []).append(value)
    return {name: percentile_interval(values, level) for name, values in draws.items() if values}


def _drawn_metrics(scored: Scored, weights: Float) -> dict[str, Float]:
    """:meth:`Scored.metrics` of each row of weights [runs, n] at once; NaN where a draw does not allow a figure."""
    truth, called = scored.labels == 1, scored.called
    tp, fn, fp, tn = (weights @ cell for cell in (truth & called, truth & ~called, ~truth & called, ~truth & ~called))
    both = np.where((tp + fn > 0) & (fp + tn > 0), 1.0, np.nan)
    found, cleared = quotient(tp, tp + fn), quotient(tn, tn + fp)
    drawn = {
        "auc": roc_areas(truth, scored.scores, weights),
        "accuracy": both * (tp + tn) / (tp + fn + fp + tn),
        "balanced_accuracy": (found + cleared) / 2,
        "sensitivity": found,
        "specificity": cleared,
        "precision": both * tp / np.maximum(tp + fp, 1),
        "f1": both * quotient(2 * tp, 2 * tp + fn + fp),
    }
    dice = scored.dice
    if dice is not None and scored.common is not None and scored.total is not None:
        images, common, total = weights.sum(axis=1), weights @ scored.common, weights @ scored.total
        drawn["dice"], drawn["iou"] = weights @ dice / images, weights @ (dice / (2 - dice)) / images
        drawn["pooled_dice"] = np.where(total > 0, 2 * common / np.maximum(total, 1e-12), 1.0)
    return drawn


def color_features(images: npt.NDArray[np.uint8]) -> Float:
    """Mean and standard deviation of each channel: [n, rows, columns, 3] to float64 [n, 6]."""
    flat = images.reshape(len(images), -1, images.shape[-1]).astype(np.float64)
    return np.concatenate([flat.mean(axis=1), flat.std(axis=1)], axis=1)


def color_baseline(
    fitted_on: tuple[Float, Labels] | None,
    features: Float,
    labels: Labels,
    patients: npt.NDArray[np.str_],
    classes: int = 2,
) -> Float | None:
    """Probabilities [n, classes] by a (multinomial) logistic regression on colour features alone.

    Fitted on ``fitted_on`` where given (the model's own training images), else leaving one patient
    out; None where a fit would see one class only.
    """

    def fit(x: Float, y: Labels) -> Callable[[Float], Float] | None:
        known = np.unique(y)
        if len(known) < 2:
            return None
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)

        def predict(features: Float) -> Float:
            found = np.zeros((len(features), classes))
            found[:, known] = model.predict_proba(features)
            return found

        return predict

    if fitted_on is not None:
        predict = fit(*fitted_on)
        return predict(features) if predict else None
    found = np.zeros((len(labels), classes))
    for patient in np.unique(patients):
        out = patients == patient
        predict = fit(features[~out], labels[~out])
        if predict is None:
            return None
        found[out] = predict(features[out])
    return found


def report(
    model: str, scored: AnyScored, baselines: Mapping[str, AnyScored], extra: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The object that ``pathview evaluate`` prints."""
    return {
        "model": model,
        **_figures(scored),
        "baselines": {name: _rounded(base.metrics()) for name, base in baselines.items()},
        "confusion": scored.confusion(),
        **(extra or {}),
    }


def by_groups(scored: AnyScored, groups: Sequence[str]) -> dict[str, dict[str, object]]:
    """Figures of each group of images, named by what ``groups`` says of each image."""
    names = np.array(groups)
    return {
        str(name): _figures(scored.take(np.asarray(np.flatnonzero(names == name), np.intp)))
        for name in np.unique(names)
    }


def _figures(scored: AnyScored) -> dict[str, object]:
    """How many images and patients, what was reached on them, and the intervals."""
    return {
        "n_images": len(scored.labels),
        "n_patients": len(np.unique(scored.patients)),
        "metrics": _rounded(scored.metrics()),
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
        beside = f"{best.replace('_', ' ')} ({name} {own:.2f}, {better[best]:.2f})"
        found.append(f"On its test patients it did no better than the plain baseline {beside}.")
    return found
