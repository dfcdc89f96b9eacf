"""Splitting by patient, always: no patient's images ever stand on both sides of a line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fractions:
    """Shares of the patients; they sum to 1."""

    train: float = 0.6
    validation: float = 0.15
    test: float = 0.25


@dataclass(frozen=True)
class PatientSplit:
    """Three disjoint, sorted tuples of patient keys."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def part_of(self) -> dict[str, str]:
        """Map each patient key to ``train``, ``validation`` or ``test``."""
        return {key: part for part in ("train", "validation", "test") for key in getattr(self, part)}


def split_by_patient(strata: Mapping[str, Hashable], fractions: Fractions = Fractions(), seed: int = 0) -> PatientSplit:
    """Split patients at random within each stratum, so that every part sees each kind of patient.

    ``strata`` maps a patient key to what should be balanced (the set of that patient's classes, say).
    A stratum of three patients or more gives each part at least one; the two smallest kinds of
    stratum go to training first, then to the test set. The same keys and seed give the same split.
    """
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for key in sorted(strata):
        groups[strata[key]].append(key)
    rng = np.random.default_rng(seed)
    parts: dict[str, list[str]] = {"train": [], "test": [], "validation": []}
    for stratum in sorted(groups, key=repr):
        keys = list(rng.permutation(np.array(groups[stratum], dtype=object)))
        for part, count in _counts(len(keys), fractions).items():
            parts[part] += keys[:count]
            keys = keys[count:]
    return PatientSplit(**{part: tuple(sorted(keys)) for part, keys in parts.items()})


def _counts(total: int, fractions: Fractions) -> dict[str, int]:
    """Whole numbers of patients a part, nearest to the fractions; training gets what is left."""
    if total < 3:
        test = total // 2 if fractions.test else 0
        return {"test": test, "validation": 0, "train": total - test}
    test = max(1, round(total * fractions.test)) if fractions.test else 0
    validation = max(1, round(total * fractions.validation)) if fractions.validation else 0
    return {"test": test, "validation": validation, "train": total - test - validation}


def strata_of(labels: Sequence[tuple[str, Hashable]]) -> dict[str, Hashable]:
    """The stratum of each patient: the sorted set of the labels of its images."""
    seen: dict[str, set[Hashable]] = defaultdict(set)
    for patient, label in labels:
        seen[patient].add(label)
    return {patient: tuple(sorted(map(str, found))) for patient, found in seen.items()}
