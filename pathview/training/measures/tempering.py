"""What a temperature does to probabilities, measured on patients that it was not fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.models.temperature import tempered
from pathview.results.statistics import patient_draws
from pathview.training.measures.calibration import (
    Estimate,
    Float,
    Labels,
    Reliability,
    fit_temperature,
    reliability,
)
from pathview.training.runs.plan import Fields

_FOLDS = 5
_RUNS = 1000


class Tempering(Fields):
    """A temperature of the validation patients, and what it comes to by cross-fitting.

    The patients are dealt out into folds; each fold is scored at the temperature of the others. So the figures are of
    patients that their temperature has not seen.
    """

    temperature: float
    """Of all of them: the one to keep."""
    before: Reliability
    after: Reliability
    gain: Estimate
    """By how much the Brier score falls; below 0 it rises. With its interval by patient."""
    patients: int

    @property
    def helps(self) -> bool:
        """Whether the probabilities come closer to the truth, by the whole interval."""
        return self.gain.low > 0

    @property
    def offer(self) -> str:
        """What is offered, with the error before and after."""
        error = f"expected calibration error on validation {self.before.ece:.3f} -> {self.after.ece:.3f}"
        return f"Calibrate the score (temperature {self.temperature:.2f}): {error}"

    @property
    def sentence(self) -> str:
        """Whether to take it, for the reader."""
        up, (low, high) = self.gain.value < 0, sorted((abs(self.gain.low), abs(self.gain.high)))
        span = f"{low:.4f} to {high:.4f}"
        if self.gain.low < 0 < self.gain.high:
            span = f"between a rise of {abs(self.gain.low):.4f} and a fall of {self.gain.high:.4f}"
        by = f"the Brier score {'rises' if up else 'falls'} by {abs(self.gain.value):.4f} ({span})"
        measured = f"measured on {self.patients:,} validation patients, each at a temperature fitted on others"
        if self.helps:
            return f"It helps: {by}, {measured}."
        if self.gain.value > 0 and self.after.ece < self.before.ece:
            return f"That it helps is not shown: {by}, {measured}."
        return f"It does not help, so leave it off: {by}, {measured}."


def cross_fitted(probabilities: Float, labels: Labels, patients: npt.NDArray[Any]) -> Float | None:
    """Probabilities [n, classes], each patient's at a temperature fitted on others; None with a single patient."""
    from sklearn.model_selection import GroupKFold

    folds = min(_FOLDS, len(np.unique(patients)))
    if folds < 2:
        return None
    found = np.empty_like(probabilities)
    for fitted, held_out in GroupKFold(folds).split(probabilities, labels, patients):
        found[held_out] = tempered(probabilities[held_out], fit_temperature(probabilities[fitted], labels[fitted]))
    return found


def tempering_of(probabilities: Float, labels: Labels, patients: npt.NDArray[Any]) -> Tempering | None:
    """The temperature of validation patients, and whether it helps; None where nothing can be fitted or measured.

    That is with a single patient, or where every image is called right: the likelihood then has no maximum.

    Args:
        probabilities: [n, classes], at a temperature of 1.
        labels: [n], indices of the true classes.
        patients: [n], a key for each image.
    """
    temperature = fit_temperature(probabilities, labels)
    after = cross_fitted(probabilities, labels, patients)
    if after is None or temperature == 1:
        return None
    gains = _squares(probabilities, labels) - _squares(after, labels)
    draws = np.array([gains[drawn].mean() for drawn in patient_draws(patients, _RUNS, 0)])
    low, high = np.percentile(draws, [2.5, 97.5])
    value = float(gains.mean())
    return Tempering(
        temperature=temperature,
        before=reliability(probabilities, labels),
        after=reliability(after, labels),
        gain=Estimate(value=value, low=min(float(low), value), high=max(float(high), value)),
        patients=len(np.unique(patients)),
    )


def _squares(probabilities: Float, labels: Labels) -> Float:
    """Each image's part of the Brier score, halved as there."""
    truth = np.eye(probabilities.shape[1])[labels]
    return np.asarray(((probabilities - truth) ** 2).sum(axis=1) / 2, np.float64)
