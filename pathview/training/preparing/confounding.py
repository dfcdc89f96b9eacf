"""Does something other than the tissue give the label away? Each suspect's own guess, measured on other patients."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pathview.results.statistics import patient_draws, percentile_interval
from pathview.training.runs.chosen import unit_of
from pathview.training.runs.plan import DatasetRow, Finding, Level, Number

_RUNS = 999
_GIVES_AWAY, _TELLS = 0.9, 0.7
"""Areas under the curve of a guess by the suspect alone: red from the one, amber from the other on."""
_NOTHING = 0.5
"""Area of guessing at random; below it a guess by others tells nothing, either."""
_CHANCE = 0.05
_COLOUR = 0.8
_MOST_VALUES = 50
_FOLDS = 10

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]

SUSPECTS: dict[str, tuple[str, bool]] = {
    "scanner": ("scanner", True),
    "magnification": ("magnification", True),
    "source": ("source of the data", True),
    "size": ("size of the image", True),
    "density": ("breast density", False),
}
"""What is suspected: in words, and whether it may block (density is the patient's own, so it only explains)."""


def confounding_findings(rows: Sequence[DatasetRow], truths: Sequence[str], seed: int = 0) -> Iterator[Finding]:
    """One finding for each suspect that the files tell: how well it alone guesses the truth of other patients.

    Args:
        rows: that the training uses.
        truths: of each row.
        seed: of the permutations.
    """
    for column in SUSPECTS:
        entries = _entries(rows, truths, column)
        if 1 < len({value for _, _, value in entries}) <= _MOST_VALUES:
            yield _judged(entries, column, seed)


def _entries(rows: Sequence[DatasetRow], truths: Sequence[str], column: str) -> list[tuple[str, str, str]]:
    """(patient, truth, value): the value that most such images have, so that a patient counts once for each truth."""
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row, truth in zip(rows, truths, strict=True):
        value = f"{row.width} x {row.height}" if column == "size" else str(getattr(row, column))
        found[unit_of(row), truth][value] += 1
    return [(*key, values.most_common(1)[0][0]) for key, values in sorted(found.items())]


def _judged(entries: Sequence[tuple[str, str, str]], column: str, seed: int) -> Finding:
    words, blocks = SUSPECTS[column]
    units, truths, values_of = (np.array(part) for part in zip(*entries, strict=True))
    patients, shown = (np.unique(part, return_inverse=True)[1] for part in (units, values_of))
    area, truth = max((guess_area(patients, shown, truths == name), str(name)) for name in np.unique(truths))
    chance = by_chance(patients, shown, truths == truth, area, seed)
    level: Level = "ok"
    if area >= _TELLS and chance < _CHANCE:
        level = "red" if blocks and area >= _GIVES_AWAY else "amber"
    how = f"AUC {area:.2f} on other patients, p = {chance:.3f}"
    if area < _NOTHING:  # whoever guesses by all others guesses the opposite where the value says nothing
        how = "guessed by it, other patients come out no better than by chance"
    sentence = {
        "red": f"The {words} alone gives the label away ({how}): a model would learn it instead of the tissue.",
        "amber": f"The {words} alone tells much of the label ({how}): look at the figures of each one apart.",
        "ok": f"The {words} does not tell the label ({how}).",
    }[level]
    code = f"{column}_confounding" if level != "ok" else f"{column}_free"
    numbers: dict[str, Number] = {
        "auc": round(area, 4),
        "p": round(chance, 4),
        "values": len(set(values_of.tolist())),
        "truth": truth,
    }
    return Finding(level=level, code=code, sentence=sentence, numbers=numbers)


def guess_area(patients: Codes, values: Codes, positive: Bools) -> float:
    """AUC of guessing by a value alone, each patient by what the others of that value are.

    Args:
        patients: [n], 0 .. of each entry's patient.
        values: [n], 0 .. of the suspect's value.
        positive: [n].

    Returns:
        0.5 or less where it tells nothing; 0.5 where all are one truth.
    """
    if positive.all() or not positive.any():
        return 0.5
    table = np.zeros((2, patients.max() + 1, values.max() + 1))
    np.add.at(table, (positive.astype(np.intp), patients, values), 1)
    others = table.sum(axis=1, keepdims=True) - table
    overall = others.sum(axis=2)
    prior = (overall[1] / np.maximum(overall.sum(axis=0), 1))[:, None]
    # One patient's worth of the general share, so that a value that no other has says nothing.
    guess = (others[1] + prior) / (others.sum(axis=0) + 1) - prior
    return area_under_curve(guess[patients, values].round(12), positive)


def area_under_curve(scores: Floats, positive: Bools) -> float:
    """How often a positive's score is above a negative's, ties counting half; there must be both."""
    count = int(positive.sum())
    from scipy.stats import rankdata  # takes seconds to import

    return float((rankdata(scores)[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def by_chance(patients: Codes, values: Codes, positive: Bools, area: float, seed: int) -> float:
    """How often values dealt out anew among the patients guess as well: a permutation test."""
    blocks = [np.flatnonzero(patients == patient) for patient in range(patients.max() + 1)]
    order = np.concatenate(blocks)
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(_RUNS):
        shuffled = np.empty_like(values)
        shuffled[order] = values[np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])]
        hits += guess_area(patients, shuffled, positive) >= area - 1e-12
        if hits > _RUNS * _CHANCE * 4:  # far from rare already
            break
    return (hits + 1) / (_RUNS + 1)


def colour_finding(rows: Sequence[DatasetRow], truths: Sequence[str], seed: int = 0) -> Iterator[Finding]:
    """How well mean and deviation of the colours alone guess the label of other patients, with its interval.

    Nothing where an image's colours are not in the table: it was written by hand, or before they were measured.
    """
    from pathview.training.measures.evaluate import color_baseline

    if not all(row.color for row in rows):
        return
    names = sorted(set(truths))
    features = np.array([row.color for row in rows], np.float64)
    labels = np.array([names.index(truth) for truth in truths], np.intp)
    units = np.array([unit_of(row) for row in rows])
    scores = color_baseline(None, features, labels, folds_of(units, labels, seed), len(names))
    if scores is None:
        return
    present = np.flatnonzero(np.bincount(labels, minlength=len(names)))

    def area(chosen: npt.NDArray[np.intp]) -> float | None:
        own, guess = labels[chosen], scores[chosen]
        areas = [area_under_curve(guess[:, k], own == k) for k in present if 0 < (own == k).sum() < len(own)]
        return float(np.mean(areas)) if areas else None

    found = area(np.arange(len(rows)))
    if found is None:
        return
    drawn = [value for draw in patient_draws(units, 200, seed) if (value := area(draw)) is not None]
    low, high = percentile_interval(drawn)
    level: Level = "amber" if found >= _COLOUR else "ok"
    end = "a model has to be better than that to have learnt more." if level == "amber" else "that is the baseline."
    if found < _NOTHING:
        end = "below 0.5 it tells nothing of them, so that the baseline is chance."
    sentence = f"Mean colour alone reaches an AUC of {found:.2f} ({low:.2f} to {high:.2f}) on other patients; {end}"
    numbers: dict[str, Number] = {"auc": round(found, 4), "low": round(low, 4), "high": round(high, 4)}
    yield Finding(level=level, code="mean_colour", sentence=sentence, numbers=numbers)


def folds_of(units: npt.NDArray[np.str_], labels: npt.NDArray[np.intp], seed: int) -> npt.NDArray[np.str_]:
    """A fold for each image, whole patients, kinds of patients spread evenly: [n]."""
    kinds: dict[str, set[int]] = defaultdict(set)
    for unit, label in zip(units.tolist(), labels.tolist(), strict=True):
        kinds[unit].add(label)
    rng = np.random.default_rng(seed)
    order = sorted(rng.permutation(sorted(kinds)).tolist(), key=lambda unit: sorted(kinds[unit]))
    fold = {unit: str(number % _FOLDS) for number, unit in enumerate(order)}
    return np.array([fold[unit] for unit in units.tolist()])
