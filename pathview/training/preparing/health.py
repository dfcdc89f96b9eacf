"""Is a data set fit to learn from? Findings with one sentence each: red blocks the next step, amber explains.

Every check is a function from what is known to findings; :data:`CHECKS` lists them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pathview.errors import DataError, PathViewError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.catalogue import Catalogue
from pathview.settings import Settings
from pathview.training.preparing import advice
from pathview.training.preparing.confounding import colour_finding, confounding_findings
from pathview.training.preparing.sizes import odd_sizes
from pathview.training.runs.chosen import chosen, corrected, patients_named, truth_of, unit_of
from pathview.training.runs.locked_split import families, few_with_truth, require_locked, spelling
from pathview.training.runs.plan import DatasetRow, Finding, Health, Level, Number, PartName, Plan, Split
from pathview.training.runs.run_folder import HEALTH, SPLIT, RunFolder

_UNUSABLE = 0.05
"""Share of images that cannot be used from which something is wrong with the data set, not with a file."""
_FEW_PATIENTS = 10
_FEW_IMAGES = 20
_IMBALANCE = 2.0
"""Seed 1 under-samples at 5,429 to 2,480."""
_FILES = 12
_ORDER: dict[Level, int] = {"red": 0, "amber": 1, "ok": 2}


@dataclass(frozen=True)
class Material:
    """What the checks look at."""

    plan: Plan
    all_rows: tuple[DatasetRow, ...]
    """But those that a person left out."""
    rows: tuple[DatasetRow, ...]
    """That the training uses."""
    split: Split | None
    base_kinds: tuple[str, ...] = ()
    """Kinds of image that the base model knows."""

    @cached_property
    def patients(self) -> dict[str, set[str]]:
        """Patients of each truth; an image that names none is of no patient."""
        found: dict[str, set[str]] = {name: set() for name in self.truths}
        for row in self.rows:
            found.setdefault(self.truth(row), set()).update([row.patient] if row.patient else [])
        return found

    @cached_property
    def nameless(self) -> Counter[str]:
        """Images of each truth that name no patient."""
        return Counter(self.truth(row) for row in self.rows if not row.patient)

    @property
    def truths(self) -> tuple[str, ...]:
        """What has to be told apart."""
        question = self.plan.question
        return ("not outlined", "outlined") if question.task == "segmentation" else question.classes

    def truth(self, row: DatasetRow) -> str:
        """What is to be found out of a row."""
        return truth_of(row, self.plan.question)

    def part(self, row: DatasetRow) -> PartName | None:
        """Where a row is; None before the split."""
        return self.split.parts.get(unit_of(row)) if self.split else None


Check = Callable[[Material], Iterator[Finding]]


def check_health(run: RunFolder, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Health:
    """Check a run's data, and its split where there is one, and write ``health.json`` (a job).

    Raises:
        DataError: there are no data yet, or they are damaged.
        OutputError: the findings cannot be written.
        Cancelled: between two checks.
    """
    plan, rows = run.plan(), run.rows()
    split = run.split() if run.has(SPLIT) else None
    health = examine(plan, rows, split, _base_kinds(plan, settings), progress, cancel)
    run.write(HEALTH, health)
    return health


def _base_kinds(plan: Plan, settings: Settings) -> tuple[str, ...]:
    if not plan.question.base:
        return ()
    try:
        return tuple(Catalogue(settings).recipe(plan.question.base).kinds)
    except PathViewError:
        return ()


def examine(
    plan: Plan,
    rows: Sequence[DatasetRow],
    split: Split | None,
    base_kinds: tuple[str, ...],
    progress: ProgressSink,
    cancel: CancelToken,
) -> Health:
    """All findings on rows, as collected, and their split; the worst first."""
    material = Material(plan, corrected(plan, rows), chosen(plan, rows), split, base_kinds)
    found: list[Finding] = []
    for index, check in enumerate(CHECKS):
        checkpoint(cancel)
        progress(Progress(index, len(CHECKS), "checking the data"))
        found += check(material)
    found.sort(key=lambda finding: _ORDER[finding.level])
    return Health(findings=tuple(found), split_sha256=split.sha256 if split else "")


def require_healthy(health: Health) -> None:
    """Refuse to go on where a finding is red.

    Raises:
        DataError: with the first red sentence.
    """
    red = [finding.sentence for finding in health.findings if finding.level == "red"]
    if red:
        more = f" ({len(red) - 1} more red findings.)" if len(red) > 1 else ""
        raise DataError(f"{red[0]}{more}")


def _finding(
    level: Level, code: str, sentence: str, numbers: Mapping[str, Number], rows: Sequence[DatasetRow] = ()
) -> Finding:
    files = tuple(row.file for row in rows[:_FILES])
    return Finding(level=level, code=code, sentence=sentence, numbers=dict(numbers), files=files)


def _usable(material: Material) -> Iterator[Finding]:
    """Unreadable files, masks of another size, missing classes."""
    total, problems = len(material.all_rows), [row for row in material.all_rows if row.problem]
    if not material.rows:
        yield _finding("red", "no_images", "No image can be used.", {"images": total}, problems)
    if not problems:
        yield _finding("ok", "usable", f"All {total:,} images can be read.", {"images": total})
    kinds: dict[str, list[DatasetRow]] = defaultdict(list)
    for row in problems:
        of_mask = "mask" in row.problem and "pixels" in row.problem
        kinds["mask_size" if of_mask else "unreadable" if not row.sha256 else "unusable"].append(row)
    what = {
        "mask_size": "have a mask of another size than the image",
        "unreadable": "cannot be read",
        "unusable": "lack what the question needs",
    }
    for code, found in sorted(kinds.items()):
        share = len(found) / total
        level: Level = "red" if share > _UNUSABLE else "amber"
        do = "mend them, or leave them out by hand" if level == "red" else "they are left out"
        sentence = f"{len(found):,} of {total:,} images {what[code]}; {do}. The first: {found[0].problem}"
        yield _finding(level, code, sentence, {"images": len(found), "of": total}, found)


def _patients_told(material: Material) -> Iterator[Finding]:
    without = [row for row in material.rows if not row.patient]
    override = material.plan.split.override
    if not without:
        count = len(patients_named(material.rows))
        yield _finding("ok", "patients", f"Every image names its patient; there are {count:,}.", {"patients": count})
    elif override is None:
        verb = "image names" if len(without) == 1 else "images name"
        sentence = f"{len(without):,} {verb} no patient: no honest split can be made of them."
        yield _finding("red", "no_patient", sentence, {"images": len(without)}, without)
    else:
        sentence = (
            f"{len(without):,} images name no patient and count as one each, as {override.who} decided "
            f"({override.why}): images of one patient may stand on both sides, which flatters every figure; the model "
            "card says so."
        )
        yield _finding("amber", "no_patient", sentence, {"images": len(without), "who": override.who}, without)


def _classes(material: Material) -> Iterator[Finding]:
    """Images and patients of each class: one class alone, too few, out of balance."""
    counts = Counter(material.truth(row) for row in material.rows)
    images: dict[str, Number] = {name: counts[name] for name in material.truths}
    outlines = material.plan.question.task == "segmentation"
    present = [name for name in material.truths if counts[name]]
    words = "; ".join(f"{name}: {_counted(material, name, counts[name])}" for name in present)
    if len(present) < 2 and not (outlines and present == ["outlined"]):
        only = f"There is only {present[0]!r}" if present else "There is nothing"
        yield _finding("red", "one_class", f"{only}: nothing can be told apart.", images)
        return
    missing = [name for name in material.truths if not counts[name]]
    if outlines and missing:
        sentence = (
            "Every image has an outline: a model that never sees an image without one outlines something in each."
        )
        yield _finding("amber", "no_negatives", sentence, images)
    elif missing:
        yield _finding("red", "class_missing", f"No image is of the class {missing[0]!r}.", images)
    else:
        yield _finding("ok", "classes", f"{words}.", images)
    yield from _few(material, present, counts)
    if len(present) > 1:
        yield from _balance(present, counts)


def _counted(material: Material, name: str, images: int) -> str:
    """Images of a truth and whose they are, in words."""
    patients, without = len(material.patients[name]), material.nameless[name]
    who = [f"{patients:,} patient{'s' if patients != 1 else ''}"] if patients else []
    who += [f"{without:,} of no named patient" if patients else "no named patient"] if without else []
    return f"{images:,} image{'s' if images != 1 else ''} of {', '.join(who)}"


def _few(material: Material, present: Sequence[str], counts: Counter[str]) -> Iterator[Finding]:
    # Where somebody overruled that images name no patient, each counts as one; where nobody did, nothing is counted.
    units = {name: len(material.patients[name]) + material.nameless[name] for name in present}
    least = min(present, key=lambda name: units[name])
    patients, images = units[least], min(counts[name] for name in present)
    numbers: dict[str, Number] = {name: len(material.patients[name]) for name in present}
    who = "patients" if not material.nameless[least] else "patients, or images that count as one,"
    if material.nameless and material.plan.split.override is None:
        pass
    elif patients < 2:
        sentence = f"All images of {least!r} are of one patient: what is learnt of it cannot be tested on another."
        yield _finding("red", "few_patients", sentence, numbers)
    elif patients < _FEW_PATIENTS:
        sentence = (
            f"Only {patients:,} {who} have images of {least!r}: the figures will be uncertain; cross-validation by "
            "patient uses all of them."
        )
        yield _finding("amber", "few_patients", sentence, numbers)
    if images < _FEW_IMAGES:
        name = min(present, key=lambda one: counts[one])
        sentence = (
            f"There are only {images:,} images of {name!r}." if images > 1 else f"There is only 1 image of {name!r}."
        )
        yield _finding("amber", "few_images", sentence, {"images": images})


def _balance(present: Sequence[str], counts: Counter[str]) -> Iterator[Finding]:
    most, least = (choose(present, key=lambda name: counts[name]) for choose in (max, min))
    ratio = counts[most] / counts[least]
    if ratio < _IMBALANCE:
        yield _finding("ok", "balance", f"The classes are in balance ({ratio:.1f} to 1).", {"ratio": round(ratio, 2)})
        return
    sentence = (
        f"There are {ratio:.1f} times as many images of {most!r} as of {least!r}: draw as many of each "
        "(under-sampling), weigh the classes, or take a focal loss."
    )
    offers: dict[str, Number] = {"ratio": round(ratio, 2), "offers": "undersample, class_weights, focal"}
    yield _finding("amber", "imbalance", sentence, offers)


def _copies(material: Material) -> Iterator[Finding]:
    """Images that are there more than once, under another patient or with another label."""
    alike: dict[str, list[DatasetRow]] = defaultdict(list)
    usable = [row for row in material.all_rows if not row.problem]
    for row in usable:
        if row.group:
            alike[row.group].append(row)
    exact = len(usable) - len({row.sha256 for row in usable})
    near = sum(len({row.sha256 for row in rows}) - 1 for rows in alike.values())
    if not alike:
        yield _finding("ok", "copies", "No image is there twice, or nearly so.", {})
        return
    if exact:
        sentence = f"Exact copies of another image: {exact:,}; those of one patient count once."
        yield _finding("amber", "exact_copies", sentence, {"images": exact}, _of_all(alike))
    if near:
        sentence = f"Images that are nearly another one (turned, mirrored, compressed, resized): {near:,}."
        yield _finding("amber", "near_copies", sentence, {"images": near}, _of_all(alike))
    across = [rows for rows in alike.values() if len({unit_of(row) for row in rows}) > 1]
    if across:
        sentence = (
            f"Images that stand under more than one patient: {len(across):,}, {across[0][0].file.name} for one. These "
            "patients are kept on one side of the split; find out whose the images are."
        )
        yield _finding("amber", "copies_across_patients", sentence, {"groups": len(across)}, _of_all(across))
    yield from _disagreeing(list(alike.values()))


def _disagreeing(alike: Sequence[Sequence[DatasetRow]]) -> Iterator[Finding]:
    same, near = [], []
    for rows in alike:
        labels: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            labels[row.sha256].add(row.label)
        if any(len(own) > 1 for own in labels.values()):
            same.append(rows)
        elif len(set.union(*labels.values())) > 1:
            near.append(rows)
    if same:
        sentence = f"Images that carry two labels: {len(same):,}; say for each which is right."
        yield _finding("red", "labels_disagree", sentence, {"groups": len(same)}, _of_all(same))
    if near:
        sentence = f"Images with another label than one that is nearly the same: {len(near):,}."
        yield _finding("amber", "near_labels_disagree", sentence, {"groups": len(near)}, _of_all(near))


def _of_all(groups: Sequence[Sequence[DatasetRow]] | dict[str, list[DatasetRow]]) -> list[DatasetRow]:
    lists = groups.values() if isinstance(groups, dict) else groups
    return [row for rows in lists for row in rows]


def _keys(material: Material) -> Iterator[Finding]:
    """Keys of patients that differ in spelling alone, and published parts that share patients."""
    spelt: dict[str, set[str]] = defaultdict(set)
    published: dict[str, set[str]] = defaultdict(set)
    for row in material.rows:
        if row.patient:
            spelt[spelling(row.patient)].add(row.patient)
            if row.part:
                published[row.patient].add(row.part)
    twice = sum(len(keys) > 1 for keys in spelt.values())
    if twice:
        sentence = f"Patients spelt in more than one way: {twice:,}; they are kept on one side of the split."
        yield _finding("amber", "patient_spelling", sentence, {"patients": twice})
    leaking = sum(len(parts) > 1 for parts in published.values())
    if leaking:
        sentence = f"Patients that the parts named by the data set itself share: {leaking:,}; these parts are not used."
        yield _finding("amber", "published_parts_leak", sentence, {"patients": leaking})


def _split(material: Material) -> Iterator[Finding]:
    """The lock, patients and images on both sides, classes that a part lacks."""
    split = material.split
    if split is None:
        yield _finding("amber", "no_split", "The patients are not split yet.", {})
        return
    try:
        require_locked(split, material.rows)
    except DataError as error:
        yield _finding("red", "split_changed", str(error), {})
    sides: dict[str, set[str]] = defaultdict(set)
    for unit, head in families(material.rows).items():
        sides[head].add(split.parts.get(unit, "none"))
    torn = sum(len(parts - {"none"}) > 1 for parts in sides.values())
    if torn or split.shared_patients:
        count = max(torn, split.shared_patients)
        sentence = f"Patients who, or whose images, stand in more than one part: {count:,}. Figures on them flatter."
        yield _finding("red", "shared_patients", sentence, {"patients": count})
    else:
        words = ", ".join(f"{part} {len(split.patients(part)):,}" for part in split.images)
        yield _finding("ok", "shared_patients", f"Shared patients: 0 (patients: {words}).", {"patients": 0})
    yield from _empty_parts(material, split)


def _empty_parts(material: Material, split: Split) -> Iterator[Finding]:
    there = {(material.part(row), material.truth(row)) for row in material.rows}
    present = {truth for _, truth in there}
    for part in split.images:
        absent = sorted(truth for truth in present if (part, truth) not in there)
        if absent and (part != "validation" or material.plan.split.validation):
            level: Level = "amber" if part == "validation" else "red"
            sentence = f"The {part} part has no image of {absent[0]!r}; take another seed, or add patients."
            yield _finding(level, f"class_missing_in_{part}", sentence, {})
    for sentence in few_with_truth(split, material.rows, material.plan.question):
        yield _finding("amber", "few_of_class_in_test", sentence, {})
    testing = len(split.patients("test"))
    if testing < _FEW_PATIENTS:
        who = f"{testing:,} {'patient' if split.by == 'patient' else 'unit'}{'s' if testing != 1 else ''}"
        sentence = f"The test part has {who} only: its figures will have wide intervals."
        yield _finding("amber", "small_test", sentence, {"patients": testing})


def _confounding(material: Material) -> Iterator[Finding]:
    truths = [material.truth(row) for row in material.rows]
    if len(set(truths)) > 1:
        yield from confounding_findings(material.rows, truths)
        yield from colour_finding(material.rows, truths)


def _sizes(material: Material) -> Iterator[Finding]:
    """Images that may not belong to the others at all."""
    far, sentence = odd_sizes(material.rows)
    if far:
        yield _finding("amber", "odd_size", sentence, {"images": len(far)}, far)


def _advice(material: Material) -> Iterator[Finding]:
    if material.rows:
        yield advice.finding(material.rows, material.base_kinds, material.plan.question.outlines)


CHECKS: tuple[Check, ...] = (
    _usable, _sizes, _patients_told, _classes, _copies, _keys, _split, _confounding, _advice,
)  # fmt: skip
