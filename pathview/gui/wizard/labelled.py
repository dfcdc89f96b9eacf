"""Labels as they stand with what a person said of them: which images disagree, and new corrections. No Qt here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathview.training.runs.chosen import lacks_label, truth_of
from pathview.training.runs.plan import Correction, DatasetRow, Plan


@dataclass(frozen=True)
class Labelled:
    """One image of the contact sheet."""

    row: DatasetRow
    label: str
    """As it stands now: its class, or whether it is outlined."""
    left_out: bool = False
    changed: bool = False
    """Whether a person gave it another class."""
    group: int = 0
    """Number of those that disagree, from 1; 0: it agrees with all."""
    same: bool = False
    """Whether what it disagrees with is exactly the same picture."""


def labelled(plan: Plan, rows: Iterable[DatasetRow]) -> tuple[Labelled, ...]:
    """All images that can be used, with their labels; those that disagree first, side by side."""
    said = {correction.file: correction for correction in plan.corrections}
    found = [_standing(plan, row, said) for row in rows if not row.problem or lacks_label(row)]
    groups = _disagreeing(found)
    torn = [_in_group(one, groups) for one in found if one.row.group in groups and not one.left_out]
    rest = [one for one in found if one.row.group not in groups or one.left_out]
    return (*sorted(torn, key=lambda one: one.group), *rest)


def _standing(plan: Plan, row: DatasetRow, said: Mapping[Path, Correction]) -> Labelled:
    correction = said.get(row.file)
    label = "" if lacks_label(row) else truth_of(row, plan.question)
    if correction is None:
        return Labelled(row, label)
    now = correction.label or label
    return Labelled(row, now, correction.leave_out, bool(correction.label) and now != label)


def _disagreeing(found: Sequence[Labelled]) -> dict[str, tuple[int, bool]]:
    """Number, and whether it is the very same picture, of each group that carries more than one label."""
    alike: dict[str, list[Labelled]] = defaultdict(list)
    for one in found:
        if one.row.group and not one.left_out:
            alike[one.row.group].append(one)
    torn = {name: own for name, own in alike.items() if len({one.label for one in own}) > 1}
    same = {name: _same_differs(own) for name, own in torn.items()}
    ordered = sorted(torn, key=lambda name: (not same[name], name))
    return {name: (number, same[name]) for number, name in enumerate(ordered, start=1)}


def _same_differs(own: Iterable[Labelled]) -> bool:
    labels: dict[str, set[str]] = defaultdict(set)
    for one in own:
        labels[one.row.sha256].add(one.label)
    return any(len(found) > 1 for found in labels.values())


def _in_group(one: Labelled, groups: Mapping[str, tuple[int, bool]]) -> Labelled:
    number, same = groups[one.row.group]
    return Labelled(one.row, one.label, one.left_out, one.changed, number, same)


def corrections_with(plan: Plan, said: Iterable[Correction]) -> tuple[Correction, ...]:
    """A plan's corrections with new ones instead of those before on the same images; empty ones take back."""
    found = {correction.file: correction for correction in plan.corrections}
    for correction in said:
        if correction.label or correction.leave_out:
            found[correction.file] = correction
        else:
            found.pop(correction.file, None)
    return tuple(found.values())
