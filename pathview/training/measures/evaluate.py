"""Honest figures: intervals by bootstrap over patients, and the plain baselines beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pathview.results.statistics import (
    ENOUGH_FOR_INTERVAL,
    patient_draws,
    patient_weights,
    percentile_interval,
    quotient,
    roc_areas,
)
from pathview.training.measures.calibration import estimate
from pathview.training.measures.predictions import AnyScored, Float, Labels, Scored, ScoredClasses
from pathview.training.runs.plan import Fields

BOOTSTRAP_RUNS = 1000
BASELINES = {
    "majority": "the commonest class",
    "mean_std_rgb": "colour alone",
    "predict_nothing": "outlining nothing",
    "bright_blob": "the brightest spot",
}
"""What a reader is told instead of a plain baseline's name."""
_FEW = 5
"""Patients below which a test says little."""
_NEEDED = {"sensitivity": (1,), "specificity": (0,), "dice": (), "iou": (), "pooled_dice": ()}
"""Classes that a figure of two classes needs; the others need both."""
_BY_DEFINITION = ("auc", "balanced_accuracy", "sensitivity", "specificity")
"""What of a constant answer is the same whatever the patients."""
WhyNot = Literal["", "few", "constant", "alike"]
WHY_NOT: dict[WhyNot, str] = {
    "few": "too few patients",
    "constant": "by definition",
    "alike": "all patients alike",
}
ABOUT_WHY_NOT: dict[WhyNot, str] = {
    "few": (
        f"Too few patients: fewer than {ENOUGH_FOR_INTERVAL} have images of a class that the figure needs, so it has "
        "no interval."
    ),
    "constant": "By definition: one answer for all images has this figure whatever the patients.",
    "alike": "All patients alike: each draw of patients gives the same figure, so it has no interval.",
}


class Reached(Fields):
    """A figure, and its 95 % interval by patient bootstrap where there can be one."""

    value: float
    low: float | None = None
    high: float | None = None
    why_not: WhyNot = ""
    """Why there is no interval; empty where there is one."""

    @property
    def span(self) -> tuple[float, float] | None:
        """The interval."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def estimates(scored: AnyScored) -> dict[str, Reached]:
    """Each figure with its interval, or why it has none.

    Whole patients are drawn with replacement. Where all draws agree that everything is right, or wrong, they would
    promise certainty: Jeffreys' interval of so many patients takes their place.
    """
    spans = intervals(scored)
    return {name: _reached(name, value, spans.get(name), scored) for name, value in scored.metrics().items()}


def _reached(name: str, value: float, span: tuple[float, float] | None, scored: AnyScored) -> Reached:
    if name in _BY_DEFINITION and _is_constant(scored):
        return Reached(value=value, why_not="constant")
    patients = _fewest(name, scored)
    if span is None or patients < ENOUGH_FOR_INTERVAL:
        return Reached(value=value, why_not="few")
    if span[0] < span[1]:
        return Reached(value=value, low=min(value, span[0]), high=max(value, span[1]))
    if 0 < value < 1:
        return Reached(value=value, why_not="alike")
    found = estimate(value, np.array([value]), patients)
    return Reached(value=value, low=found.low, high=found.high)


def _is_constant(scored: AnyScored) -> bool:
    answers = scored.probabilities if isinstance(scored, ScoredClasses) else scored.scores
    return bool(np.ptp(answers, axis=0).max() == 0)


def _fewest(name: str, scored: AnyScored) -> int:
    """Patients of that class, among those which a figure needs, that has the fewest; of no class all patients."""
    many = isinstance(scored, ScoredClasses)
    needed = np.unique(scored.labels) if many else _NEEDED.get(name, (0, 1))
    found = [len(np.unique(scored.patients[scored.labels == label])) for label in needed]
    return min(found, default=len(np.unique(scored.patients)))


def interval_fields(metrics: Mapping[str, Reached]) -> dict[str, object]:
    """Figures and their intervals as every report prints them: None, and why, where there is no interval."""
    spans = {name: found.span for name, found in metrics.items()}
    without = {name: WHY_NOT[found.why_not] for name, found in metrics.items() if found.why_not}
    return {
        "metrics": {name: round(found.value, 4) for name, found in metrics.items()},
        "intervals": {name: [round(end, 4) for end in span] if span else None for name, span in spans.items()},
        **({"no_interval": without} if without else {}),
    }


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
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

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
        **interval_fields(estimates(scored)),
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def in_words(name: str) -> str:
    """A plain baseline, or a model, as a reader is told of it."""
    return BASELINES.get(name, name.replace("_", " "))


def shortcomings(figures: Mapping[str, Any]) -> list[str]:
    """What must not be overlooked in a model's report, a sentence each: few patients, or no better than a baseline."""
    found = []
    patients = int(figures["n_patients"])
    if patients < _FEW:
        found.append(f"It was tested on {patients:,} patient{'s' if patients != 1 else ''} only.")
    name = "dice" if "dice" in figures["metrics"] else "accuracy"
    own = figures["metrics"].get(name)
    better = {base: values[name] for base, values in figures["baselines"].items() if name in values}
    best = max(better, key=lambda base: better[base], default=None)
    if own is not None and best is not None and own <= better[best]:
        beside = f"{in_words(best)} ({name} {own:.2f}, {better[best]:.2f})"
        found.append(f"On its test patients it did no better than the plain baseline {beside}.")
    return found
