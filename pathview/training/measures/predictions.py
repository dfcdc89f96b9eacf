"""What a model said of images of known truth, and the figures that it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]
Patients = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Scored:
    """Predictions of two classes, or of outlines; arrays have one entry an image."""

    patients: Patients
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

    def confusion(self) -> dict[str, int]:
        """Counts of true and false positives and negatives."""
        truth = self.labels == 1
        return {
            "tp": int((truth & self.called).sum()),
            "fp": int((~truth & self.called).sum()),
            "tn": int((~truth & ~self.called).sum()),
            "fn": int((truth & ~self.called).sum()),
        }

    def metrics(self) -> dict[str, float]:
        """Those figures that the truths at hand allow: without negatives there is no specificity, say."""
        found: dict[str, float] = {}
        counts = self.confusion()
        positives, negatives = counts["tp"] + counts["fn"], counts["tn"] + counts["fp"]
        if positives and negatives:
            from sklearn.metrics import roc_auc_score

            found["auc"] = float(roc_auc_score(self.labels, self.scores))
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
        if self.common is not None and self.total is not None and self.dice is not None:
            found["dice"] = float(self.dice.mean())
            found["iou"] = float((self.dice / (2 - self.dice)).mean())
            found["pooled_dice"] = _pooled_dice(self.common, self.total)
        return found

    def rows(self) -> Iterator[Sequence[object]]:
        """A table: its columns, then a row an image."""
        yield "patient", "label", "score", "called", "dice"
        dices = self.dice if self.dice is not None else [""] * len(self.labels)
        for patient, label, score, called, dice in zip(
            self.patients, self.labels, self.scores, self.called, dices, strict=True
        ):
            yield patient, int(label), f"{score:.6g}", int(called), dice


def _pooled_dice(common: Float, total: Float) -> float:
    """Dice of all images' pixels taken together, each image the same size.

    So seed 2's network counts it (``dice_coef`` of ZF_UNET_224 flattens the batch): large lesions weigh more than in
    the mean over images.
    """
    return float(2 * common.sum() / total.sum()) if total.sum() else 1.0


@dataclass(frozen=True)
class ScoredClasses:
    """Predictions of more than two classes; arrays have one entry an image."""

    patients: Patients
    labels: Labels
    probabilities: Float
    """[n, classes]."""
    classes: tuple[str, ...]

    def take(self, indices: npt.NDArray[np.intp]) -> ScoredClasses:
        """The entries at ``indices``, repeats allowed."""
        return replace(
            self,
            patients=self.patients[indices],
            labels=self.labels[indices],
            probabilities=self.probabilities[indices],
        )

    @property
    def called(self) -> Labels:
        """The class of the largest probability."""
        return np.asarray(self.probabilities.argmax(axis=1), np.intp)

    def confusion(self) -> dict[str, list[str] | list[list[int]]]:
        """Counts of images, a row for each true class and a column for each called one."""
        return {"classes": list(self.classes), "matrix": self._counts().tolist()}

    def metrics(self) -> dict[str, float]:
        """Accuracy, and means over the classes that the truths hold, each class weighing the same.

        The mean sensitivity is the balanced accuracy by definition. Images of one class allow no more than its
        sensitivity.
        """
        counts = self._counts()
        present = np.flatnonzero(counts.sum(axis=1))
        right, truths, called = (n[present] for n in (counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)))
        sensitivity = float((right / truths).mean())
        if len(present) < 2:
            return {"sensitivity": sensitivity}
        return {
            "auc": self._auc(present, truths),
            "accuracy": float(right.sum() / len(self.labels)),
            "balanced_accuracy": sensitivity,
            "sensitivity": sensitivity,
            "precision": float((right / np.maximum(called, 1)).mean()),
            "f1": float((2 * right / (truths + called)).mean()),
        }

    def rows(self) -> Iterator[Sequence[object]]:
        """A table: its columns, then a row an image."""
        yield "patient", "label", *(f"p_{name}" for name in self.classes), "called"
        for patient, label, row, called in zip(
            self.patients, self.labels, self.probabilities, self.called, strict=True
        ):
            yield patient, self.classes[label], *(f"{value:.6g}" for value in row), self.classes[called]

    def _counts(self) -> Labels:
        """The confusion matrix."""
        width = len(self.classes)
        pairs = np.bincount(self.labels * width + self.called, minlength=width * width)
        return np.asarray(pairs.reshape(width, width), np.intp)

    def _auc(self, present: Labels, truths: Labels) -> float:
        """Mean AUC of each class against the rest, by the ranks of all classes at once (Mann and Whitney)."""
        from scipy.stats import rankdata

        ranks = rankdata(self.probabilities[:, present], axis=0)
        sums = np.where(self.labels[:, None] == present, ranks, 0.0).sum(axis=0)
        areas = (sums - truths * (truths + 1) / 2) / (truths * (len(self.labels) - truths))
        return float(areas.mean())


AnyScored = Scored | ScoredClasses


def scored_as(
    patients: Patients, labels: Labels, probabilities: Float, classes: tuple[str, ...], threshold: float = 0.5
) -> AnyScored:
    """Predictions of a classifier.

    Args:
        patients: a key for each image.
        labels: indices of the true classes.
        probabilities: [n, classes].
        classes: their names.
        threshold: of two classes, the probability from which the last is called; of more, the largest counts.
    """
    if len(classes) > 2:
        return ScoredClasses(patients, labels, probabilities, classes)
    scores = probabilities[:, -1]
    return Scored(patients, labels, scores, scores >= threshold)
