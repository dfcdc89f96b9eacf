"""What a model's predictions come to: figures with intervals, curves, subgroups, worst errors, and its peers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pathview.errors import DataError
from pathview.training.data.samples import Sample
from pathview.training.measures.calibration import Bools, Float
from pathview.training.measures.comparing import LEAST_PATIENTS, Difference, figures_of, paired
from pathview.training.measures.evaluate import Reached, estimates, in_words
from pathview.training.measures.predictions import AnyScored, Scored, ScoredClasses
from pathview.training.runs.plan import Fields, PartName

GROUPS = ("scanner", "magnification", "density")
WORST = 12
_POINTS = 400


class Curves(Fields):
    """One class against the rest at every threshold."""

    roc: tuple[tuple[float, float], ...]
    """Share of false alarms and sensitivity, from (0, 0) to (1, 1)."""
    precision_recall: tuple[tuple[float, float], ...]
    """Recall and precision, from the strictest threshold on."""
    average_precision: float
    share: float
    """Of the images that are of this class: the average precision of guessing."""


class Subgroup(Fields):
    """The figures of one scanner, magnification or density."""

    column: str
    value: str
    """Empty: not known."""
    images: int
    patients: int
    metrics: dict[str, Reached]
    """Empty where there are too few patients to show any."""
    problem: str = ""
    """Why there are none, in one sentence."""


class Peer(Fields):
    """Another model, or a plain baseline, on the same images."""

    name: str
    metrics: dict[str, Reached]
    difference: Difference | None
    """Drawn together by patient; None where the truths at hand allow none."""

    @property
    def better(self) -> bool:
        """Whether the model is better than this one, by the whole interval of the difference."""
        found = self.difference
        return found is not None and found.low is not None and found.low > 0 and found.patients >= LEAST_PATIENTS

    @property
    def worse(self) -> bool:
        """Whether the model is worse than this one, by the whole interval of the difference."""
        found = self.difference
        return found is not None and found.high is not None and found.high < 0 and found.patients >= LEAST_PATIENTS

    @property
    def verdict(self) -> str:
        """What the difference says of the model, without a full stop."""
        if self.better:
            return "it is better"
        if self.worse:
            return "it is worse"
        found = self.difference
        lower = "its figure is lower, " if found is not None and found.difference < 0 else ""
        few = found is not None and found.patients < LEAST_PATIENTS
        why = f" (fewer than {LEAST_PATIENTS} patients never show it)" if few else ""
        return f"{lower}that it is better is not shown{why}"

    @property
    def sentence(self) -> str:
        """For the reader."""
        name = in_words(self.name)
        if self.difference is None:
            return f"It cannot be compared with {name} on these patients."
        return f"Against {name}: {self.difference.sentence}; {self.verdict}."


class Prediction(Fields):
    """What the model said of one image: a row of ``predictions.csv``."""

    part: PartName
    file: Path
    patient: str
    label: int
    """Index of the true class."""
    called: int
    scores: tuple[float, ...]
    """Probability of each class; of outlines the one score."""
    dice: float | None = None

    @property
    def wrong(self) -> bool:
        """Whether the call is not the truth."""
        return self.called != self.label


def peer(name: str, scored: AnyScored, other: AnyScored) -> Peer:
    """Compare a model with another on the same images, drawn together."""
    try:
        difference = paired(scored, other, figures_of(scored)[0])
    except DataError:
        difference = None
    return Peer(name=name, metrics=estimates(other), difference=difference)


def curves(scored: AnyScored, classes: Sequence[str]) -> dict[str, Curves]:
    """The curves of each class against the rest, of two classes of the last; none where the truths do not allow it."""
    named: list[tuple[str, Bools, Float]]
    if isinstance(scored, ScoredClasses):
        named = [(name, scored.labels == i, scored.probabilities[:, i]) for i, name in enumerate(classes)]
    else:
        named = [(classes[-1], scored.labels == 1, scored.scores)]
    return {name: curves_of(positive, scores) for name, positive, scores in named if 0 < positive.sum() < len(positive)}


def curves_of(positive: Bools, scores: Float) -> Curves:
    """The curves of one truth; both truths must be among ``positive``."""
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

    alarms, found, _ = roc_curve(positive, scores)
    precision, recall, _ = precision_recall_curve(positive, scores)
    return Curves(
        roc=_thinned(alarms, found),
        precision_recall=_thinned(recall[::-1], precision[::-1]),
        average_precision=float(average_precision_score(positive, scores)),
        share=float(positive.mean()),
    )


def _thinned(x: Float, y: Float) -> tuple[tuple[float, float], ...]:
    """Points of a curve, as many as a screen shows."""
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).round().astype(np.intp))
    return tuple((float(x[i]), float(y[i])) for i in chosen)


def subgroups(scored: AnyScored, samples: Sequence[Sample], columns: Sequence[str] = GROUPS) -> tuple[Subgroup, ...]:
    """Figures of each value of each column that any sample has; ``samples`` in the order of ``scored``."""
    found = []
    for column in columns:
        values = np.array([sample.attributes.get(column, "") for sample in samples], np.str_)
        if any(values != ""):
            found += [_subgroup(column, str(value), scored, values == value) for value in np.unique(values)]
    return tuple(found)


def _subgroup(column: str, value: str, scored: AnyScored, chosen: Bools) -> Subgroup:
    own = scored.take(np.flatnonzero(chosen))
    patients = len(np.unique(own.patients))
    problem = ""
    if patients < LEAST_PATIENTS:
        problem = f"{patients:,} patient{'s' if patients != 1 else ''}: too few for figures."
    metrics = {} if problem else estimates(own)
    return Subgroup(
        column=column, value=value, images=len(own.labels), patients=patients, metrics=metrics, problem=problem
    )


def predictions(scored: AnyScored, samples: Sequence[Sample], part: PartName) -> tuple[Prediction, ...]:
    """A row for each image; ``samples`` in the order of ``scored``."""
    dices = scored.dice if isinstance(scored, Scored) else None
    return tuple(
        Prediction(
            part=part,
            file=sample.path,
            patient=str(scored.patients[i]),
            label=int(scored.labels[i]),
            called=int(scored.called[i]),
            scores=_scores(scored, i),
            dice=None if dices is None else float(dices[i]),
        )
        for i, sample in enumerate(samples)
    )


def _scores(scored: AnyScored, i: int) -> tuple[float, ...]:
    if isinstance(scored, ScoredClasses):
        return tuple(float(value) for value in scored.probabilities[i])
    score = float(scored.scores[i])
    return (1 - score, score) if scored.dice is None else (score,)


def worst_errors(rows: Sequence[Prediction], threshold: float, count: int = WORST) -> tuple[Prediction, ...]:
    """The images that the model was surest of and wrong about; of outlines those of the smallest Dice."""
    if rows and rows[0].dice is not None:
        return tuple(sorted(rows, key=lambda row: row.dice or 0.0)[:count])
    wrong = [row for row in rows if row.wrong]
    if rows and len(rows[0].scores) == 2:
        return tuple(sorted(wrong, key=lambda row: -abs(row.scores[1] - threshold))[:count])
    return tuple(sorted(wrong, key=lambda row: row.scores[row.label])[:count])


def cell_of(rows: Sequence[Prediction], label: int, called: int) -> tuple[Prediction, ...]:
    """The images of one cell of the confusion matrix, those that the model was surest of first."""
    chosen = [row for row in rows if (row.label, row.called) == (label, called)]
    return tuple(sorted(chosen, key=lambda row: -_surety(row)))


def _surety(row: Prediction) -> float:
    if len(row.scores) > 1:
        return row.scores[row.called]
    return row.scores[0] if row.called else -row.scores[0]


def matrix(rows: Sequence[Prediction], classes: int) -> tuple[tuple[int, ...], ...]:
    """Counts of images: a row for each true class, a column for each called one."""
    counts = np.zeros((classes, classes), np.intp)
    for row in rows:
        counts[row.label, row.called] += 1
    return tuple(tuple(int(n) for n in line) for line in counts)


def arrays_of(rows: Sequence[Prediction]) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.intp], Float]:
    """Patients [n], labels [n] and scores [n, scores] of rows."""
    return (
        np.array([row.patient for row in rows], np.str_),
        np.array([row.label for row in rows], np.intp),
        np.array([row.scores for row in rows], np.float64),
    )


def table(rows: Sequence[Prediction], classes: Sequence[str]) -> Iterator[Sequence[object]]:
    """``predictions.csv``: its columns, then a row an image."""
    width = len(rows[0].scores) if rows else 0
    names = [f"p_{name}" for name in classes] if width == len(classes) else ["score"] * width
    yield "part", "file", "patient", "label", "called", *names, "dice"
    for row in rows:
        dice = "" if row.dice is None else repr(row.dice)
        yield row.part, row.file, row.patient, classes[row.label], classes[row.called], *map(repr, row.scores), dice


def rows_of(cells: Sequence[dict[str, str]], classes: Sequence[str]) -> tuple[Prediction, ...]:
    """Rows of ``predictions.csv`` as it was written.

    Raises:
        ValueError, KeyError: it is not what :func:`table` writes.
    """
    names = [f"p_{name}" for name in classes]
    index = {name: i for i, name in enumerate(classes)}
    return tuple(
        Prediction.model_validate(
            {
                "part": row["part"],
                "file": Path(row["file"]),
                "patient": row["patient"],
                "label": index[row["label"]],
                "called": index[row["called"]],
                "scores": tuple(float(row[name]) for name in (["score"] if "score" in row else names)),
                "dice": float(row["dice"]) if row["dice"] else None,
            }
        )
        for row in cells
    )
