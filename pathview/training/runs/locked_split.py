"""The split of a training: by patient, stratified, from a fixed seed, with a test part that is locked.

Patients whose images are nearly the same, or whose keys differ in spelling alone, stay on one side: they may be one
woman. The manifest (``split.json``) holds the part of every patient and a SHA-256 over it and the images.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from pathview.errors import DataError
from pathview.results.statistics import ENOUGH_FOR_INTERVAL
from pathview.training.data.split import Fractions, PatientSplit, split_by_patient
from pathview.training.runs.chosen import chosen, truth_of, unit_of
from pathview.training.runs.plan import PARTS, DatasetRow, PartName, Plan, Question, Split
from pathview.training.runs.run_folder import HISTORY, RESULT, SPLIT, TEST_USES, RunFolder


def lock_split(run: RunFolder, plan: Plan | None = None) -> Split:
    """Split a run's patients and write plan and manifest; the one that is there where nothing changed since.

    A split can be made anew until training has begun on it.

    Args:
        run: with its rows.
        plan: with the split that is wanted; None: the run's own.

    Raises:
        DataError: no patient can be told and nobody overruled that, there are too few patients, or training has
            begun and plan or data are others now.
        OutputError: the manifest cannot be written.
    """
    own = run.plan()
    plan = plan or own
    wanted = split_of(plan, chosen(plan, run.rows()))
    if run.has(SPLIT):
        before = run.split()
        if before.sha256 == wanted.sha256 and (before.folds, before.override) == (wanted.folds, wanted.override):
            return before
        if begun(run):
            raise DataError(
                f"The split of {run.name} is locked, since training has begun on it; for other data or another split "
                "start a new training."
            )
    if plan != own:
        run.write_plan(plan)
    run.write(SPLIT, wanted)
    return wanted


def begun(run: RunFolder) -> bool:
    """Whether a training has seen the split."""
    return run.state.exists() or run.model.exists() or any(run.has(name) for name in (HISTORY, RESULT, TEST_USES))


def split_of(plan: Plan, rows: Sequence[DatasetRow]) -> Split:
    """The split that a plan asks for.

    Args:
        plan: fractions, seed, folds, override.
        rows: that the training uses; see :func:`pathview.training.runs.chosen.chosen`.

    Raises:
        DataError: as of :func:`lock_split`.
    """
    spec = plan.split
    without = sum(not row.patient for row in rows)
    if without and spec.override is None:
        verb = "names" if without == 1 else "name"
        raise DataError(
            f"{without:,} of {len(rows):,} images {verb} no patient, so they cannot be split by patient: give a table "
            "with the columns file and patient, or a pattern for file names; or overrule this with your name and "
            "reason."
        )
    family = families(rows)
    strata = _strata(rows, family, plan.question)
    fractions = Fractions(spec.train, spec.validation, spec.test)
    found = split_by_patient(strata, fractions, spec.seed).part_of()
    units = sorted({unit_of(row) for row in rows})
    parts: dict[str, PartName] = {unit: found[family[unit]] for unit in units}  # type: ignore[misc]
    if {"train", "test"} - set(parts.values()):
        raise DataError(f"There are {len(strata)} patients that can be told apart: too few to train and to test on.")
    learning = {head: stratum for head, stratum in strata.items() if found[head] != "test"}
    fold = _folds(learning, spec.folds, spec.seed)
    images = {part: sum(parts[unit_of(row)] == part for row in rows) for part in PARTS}
    return Split(
        by="image" if without else "patient",
        seed=spec.seed,
        parts=parts,
        folds={unit: fold[family[unit]] for unit in units if family[unit] in fold},
        images=images,
        shared_patients=shared(parts, rows),
        moved=sum(family[unit] != unit for unit in units),
        override=spec.override if without else None,
        sha256=digest(parts, rows, PARTS),
        test_sha256=digest(parts, rows, ("test",)),
    )


def fold_split(split: Split, plan: Plan, rows: Sequence[DatasetRow], fold: int) -> PatientSplit:
    """Who trains, who chooses and who is judged (as ``test``) in a fold; no locked test patient is among them.

    Those who choose are drawn among the patients of the other folds, as the plan's split draws its validation part.

    Args:
        split: as locked, with folds.
        plan: with the shares of training and validation.
        rows: that were split.
        fold: 0...
    """
    judged = {unit for unit, own in split.folds.items() if own == fold}
    others = [row for row in rows if unit_of(row) in split.folds.keys() - judged]
    family = families(rows)
    share = plan.split.validation / (plan.split.train + plan.split.validation)
    drawn = split_by_patient(_strata(others, family, plan.question), Fractions(1 - share, share, 0.0), split.seed)
    heads = set(drawn.validation)
    units = {unit_of(row) for row in others}
    choose = {unit for unit in units if family[unit] in heads}
    return PatientSplit(tuple(sorted(units - choose)), tuple(sorted(choose)), tuple(sorted(judged)))


def families(rows: Iterable[DatasetRow]) -> dict[str, str]:
    """The head of each patient's family: patients that may be one woman, by their images or their keys' spelling."""
    head: dict[str, str] = {}

    def find(unit: str) -> str:
        while head[unit] != unit:
            head[unit] = head[head[unit]]
            unit = head[unit]
        return unit

    seen: dict[tuple[str, str], str] = {}
    for row in rows:
        unit = unit_of(row)
        head.setdefault(unit, unit)
        for mark in (("group", row.group), ("key", spelling(unit))):
            if mark[1]:
                one, other = sorted((find(seen.setdefault(mark, unit)), find(unit)))
                head[other] = one
    return {unit: find(unit) for unit in head}


def spelling(patient: str) -> str:
    """A patient's key without upper case, blanks, punctuation, and zeros in front of a number: ``P 03`` is ``p-3``."""
    letters = "".join(letter for letter in unicodedata.normalize("NFKC", patient).casefold() if letter.isalnum())
    return re.sub(r"(?<!\d)0+(?=\d)", "", letters)


def shared(parts: Mapping[str, PartName], rows: Iterable[DatasetRow]) -> int:
    """How many patients have images in more than one part, counted over the images."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row.patient or unit_of(row)].add(parts.get(unit_of(row), "none"))
    return sum(len(own) > 1 for own in found.values())


def few_with_truth(split: Split, rows: Iterable[DatasetRow], question: Question) -> Iterator[str]:
    """A sentence for each truth that so few test patients have that figures which need it have no interval."""
    units: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if split.parts.get(unit_of(row)) == "test":
            units[truth_of(row, question)].add(unit_of(row))
    total, who = len(split.patients("test")), "patients" if split.by == "patient" else "units"
    for truth, own in sorted(units.items()):
        if len(own) < ENOUGH_FOR_INTERVAL:
            verb = "has" if len(own) == 1 else "have"
            yield (
                f"Only {len(own):,} of the {total:,} test {who} {verb} images of {truth!r}: figures that need them "
                "will have no interval."
            )


def require_locked(split: Split, rows: Sequence[DatasetRow]) -> None:
    """Refuse data that are not those which were split.

    Args:
        split: as locked.
        rows: that the training uses now.

    Raises:
        DataError: the manifest was changed by hand, or images, labels, outlines or patients were since.
    """
    new = {unit_of(row) for row in rows} - set(split.parts)
    if new:
        raise DataError(f"{len(new)} patients came to the data after the split was locked; split anew.")
    if digest(split.parts, rows, ("test",)) != split.test_sha256:
        raise DataError("The locked test patients are not those that were split: images, labels or parts were changed.")
    if digest(split.parts, rows, PARTS) != split.sha256:
        raise DataError("The data are not those that were split: images, labels or parts were changed; split anew.")


def digest(parts: Mapping[str, PartName], rows: Iterable[DatasetRow], of: Sequence[PartName]) -> str:
    """SHA-256, hexadecimal, over the sorted (patient, part) pairs and the images with their truth, of some parts."""
    hasher = hashlib.sha256()
    for unit, part in sorted(parts.items()):
        if part in of:
            hasher.update(f"{unit}\0{part}\n".encode())
    lines = [
        f"{unit_of(row)}\0{row.sha256}\0{row.label}\0{row.outlined}\n" for row in rows if parts.get(unit_of(row)) in of
    ]
    for line in sorted(lines):
        hasher.update(line.encode())
    return hasher.hexdigest()


def _strata(rows: Iterable[DatasetRow], family: Mapping[str, str], question: Question) -> dict[str, Hashable]:
    """What is balanced: the kinds of truth that a family's images have."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[family[unit_of(row)]].add(truth_of(row, question))
    return {head: tuple(sorted(own)) for head, own in found.items()}


def _folds(strata: Mapping[str, Hashable], count: int, seed: int) -> dict[str, int]:
    """A fold of each family, kinds of truth spread evenly; none where there are none.

    Raises:
        DataError: fewer families than folds.
    """
    if not count:
        return {}
    if len(strata) < count:
        raise DataError(f"{len(strata)} patients to learn from cannot make {count} folds.")
    rng = np.random.default_rng([seed, count])
    order = sorted(rng.permutation(sorted(strata)).tolist(), key=lambda head: repr(strata[head]))
    return {head: number % count for number, head in enumerate(order)}
