"""From a plan's sources to ``dataset.csv``: what lies in folders and tables, and what the store knows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from pathview.errors import DataError, ImageError, OutputError
from pathview.images.digest import require_unchanged
from pathview.images.formats import SUFFIXES, open_image
from pathview.jobs import CancelToken, ProgressSink, checkpoint, part_of
from pathview.results.annotation_shapes import inside, polygons_in
from pathview.settings import Settings
from pathview.training.data.answers import LabelsRequest, export_labels
from pathview.training.data.dataset import LABELS_FILE, class_index, read_layout
from pathview.training.data.samples import Sample, absolute, read_table
from pathview.training.preparing.inspect import Look, groups, look_at
from pathview.training.preparing.store_labels import MarkedImage, StoreLabels
from pathview.training.runs.chosen import NO_CLASS, TWO_CLASSES, patients_named, truth_of
from pathview.training.runs.plan import DatasetRow, Plan, Question, Source
from pathview.training.runs.run_folder import RunFolder

_NAMES: Mapping[str, tuple[str, ...]] = {
    "scanner": ("scanner", "device", "manufacturer", "vendor"),
    "magnification": ("magnification",),
    "density": ("density", "breast_density", "breast density"),
    "part": ("part", "split", "fold"),
}
"""Columns of label tables, in lower case, that tell what a row wants to know."""
_WORDS = {"answers": "answers of the gallery", "decisions": "decisions", "annotations": "annotations"}


@dataclass(frozen=True)
class CollectRequest:
    """What to collect where."""

    run: RunFolder
    plan: Plan
    labels: Mapping[int, StoreLabels] = field(default_factory=dict)
    """What the store gave for the sources of these indices; see :mod:`pathview.training.preparing.store_labels`."""


@dataclass(frozen=True)
class Collected:
    """What was found."""

    images: int
    patients: int
    scanners: int
    unusable: int
    copies: int
    """Images that are exactly another one."""
    alike: int
    """Images that are nearly another one."""
    classes: Mapping[str, int]
    """Usable images of each class, or with and without an outline."""
    notices: tuple[str, ...]


def collect(request: CollectRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Collected:
    """Find all images of a plan, look at each, and write ``dataset.csv`` (a job).

    Raises:
        DataError: the plan has no source, a source has no image that the question can be asked of, or its table is
            wrong.
        OutputError: the table, or what is cut out of the store's cases, cannot be written.
        Cancelled: between some images; the table that was there stays.
    """
    plan, notices = request.plan, list[str]()
    if not plan.sources:
        raise DataError("There is nothing to collect yet; name a folder, a table, or what of the store to learn from.")
    rows: list[DatasetRow] = []
    for index, source in enumerate(plan.sources):
        step = part_of(progress, index, len(plan.sources) + 1)
        found, told = _found(request, index, source, settings, step, cancel)
        rows += found
        notices += told
    rows, doubled = _once(rows)
    if doubled:
        notices.append(f"{doubled:,} images are in two sources and count once.")
    step = part_of(progress, len(plan.sources), len(plan.sources) + 1)
    looks = look_at([(row.file, row.masks) for row in rows], settings, step, cancel)
    names = groups(looks, step, cancel)
    rows = [_looked(*one, plan.question) for one in zip(rows, looks, names, strict=True)]
    request.run.write_rows(rows)
    return summary(rows, plan.question, tuple(notices))


def summary(rows: Sequence[DatasetRow], question: Question, notices: tuple[str, ...] = ()) -> Collected:
    """Count what a dataset holds."""
    usable = [row for row in rows if not row.problem]
    hashes = {row.sha256 for row in usable}
    alike = {row.group for row in usable if row.group}
    grouped = {row.sha256 for row in usable if row.group}
    classes: dict[str, int] = {}
    for row in usable:
        name = truth_of(row, question)
        classes[name] = classes.get(name, 0) + 1
    return Collected(
        len(rows),
        len(patients_named(usable)),
        len({row.scanner for row in usable if row.scanner}),
        len(rows) - len(usable),
        len(usable) - len(hashes),
        len(grouped) - len(alike),
        dict(sorted(classes.items())),
        notices,
    )


def _found(
    request: CollectRequest,
    index: int,
    source: Source,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> tuple[list[DatasetRow], Sequence[str]]:
    question = request.plan.question
    if source.kind == "files":
        return _of_files(source, question, settings)
    labels = request.labels.get(index)
    if labels is None:
        raise DataError(f"The {_WORDS[source.kind]} of the store were not read; open the store that holds them.")
    made = request.run.made / f"{source.kind}-{index + 1}"
    try:
        shutil.rmtree(made, ignore_errors=True)
        if source.kind == "answers":
            rows, told = _of_answers(labels, made, question, settings, progress, cancel)
        elif source.kind == "decisions":
            rows, told = list(_of_decisions(labels, question)), ()
        else:
            rows, told = _of_annotations(labels, made, question, settings, cancel)
    except OSError as error:
        raise OutputError(f"{made.name} cannot be written: {error.strerror or 'input/output error'}.") from error
    return rows, (*labels.notices, *told)


def _of_files(source: Source, question: Question, settings: Settings) -> tuple[list[DatasetRow], Sequence[str]]:
    assert source.path is not None
    classifies = question.task == "classification"
    dataset = read_layout(absolute(source.path), question.classes, classifies, settings, lenient=True)
    if source.where:
        dataset = dataset.where(source.where)
    if not dataset.samples:
        raise DataError(f"{dataset.name} has no image that matches.")
    pattern = _pattern(source.patient_pattern)
    base = source.path if source.path.is_dir() else source.path.parent
    rows = [_row(sample, question, dataset.layout, pattern, absolute(base)) for sample in dataset.samples]
    return rows, dataset.notices


def _pattern(text: str) -> re.Pattern[str] | None:
    if not text:
        return None
    try:
        found = re.compile(text)
    except re.error as error:
        raise DataError(f"The pattern for patients, {text!r}, is no regular expression: {error.msg}.") from error
    if not found.groups:
        raise DataError(f"The pattern for patients, {text!r}, needs parentheses around what names the patient.")
    return found


def _row(sample: Sample, question: Question, layout: str, pattern: re.Pattern[str] | None, base: Path) -> DatasetRow:
    attributes = {name.strip().lower(): value for name, value in sample.attributes.items()}
    told = {
        column: next((attributes[name] for name in names if attributes.get(name)), "")
        for column, names in _NAMES.items()
    }
    row = DatasetRow(
        file=absolute(sample.path),
        patient=sample.patient or _named(absolute(sample.path), base, pattern),
        label="" if sample.label is None else question.classes[sample.label],
        masks=tuple(absolute(mask) for mask in sample.masks),
        source=layout,
    )
    return row.model_copy(update=told)


def _named(path: Path, base: Path, pattern: re.Pattern[str] | None) -> str:
    """The patient that a path within its folder names; empty where it names none."""
    inner = path.relative_to(base) if path.is_relative_to(base) else path
    match = pattern.search(inner.as_posix()) if pattern else None
    return (match.group(1) or "") if match else ""


def _of_answers(
    labels: StoreLabels,
    made: Path,
    question: Question,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> tuple[list[DatasetRow], Sequence[str]]:
    """Cut the answered tiles out; an image that names no patient names none here either."""
    if question.outlines:
        raise DataError("Answers of the gallery say what tiles are; they hold no outlines to learn from.")
    made.parent.mkdir(parents=True, exist_ok=True)
    written = export_labels(LabelsRequest(labels.answers, made), settings, progress, cancel)
    table = read_table(made / LABELS_FILE, ("file", "patient", "label"), "export the answers again").rows
    rows = [
        DatasetRow(
            file=made / cells["file"],
            patient=cells["patient"] if cells.get("patient_from") == "file" else "",
            label=_class(cells["label"] == "positive", question),
            source=_WORDS["answers"],
        )
        for cells in table
    ]
    return rows, written.notices


def _class(positive: bool, question: Question) -> str:
    """A yes or no as one of the question's classes: the last, or of two the other.

    Raises:
        DataError: there are more than two.
    """
    index = class_index("positive" if positive else "negative", question.classes)
    if index is None:
        raise DataError("The store says positive or negative; a question of more classes needs a table.")
    return question.classes[index]


def _of_decisions(labels: StoreLabels, question: Question) -> Iterator[DatasetRow]:
    if question.outlines:
        raise DataError("Decisions say what images are; they hold no outlines to learn from. Take annotations.")
    for one in labels.decisions:
        yield DatasetRow(
            file=one.image.path,
            patient=one.patient_key or "",
            label=_class(one.positive, question),
            source=_WORDS["decisions"],
            problem=_changed(one.image.path, one.image.fingerprint),
        )


def _changed(path: Path, fingerprint: str) -> str:
    try:
        require_unchanged(path, fingerprint)
    except ImageError as error:
        return str(error)
    return ""


def _of_annotations(
    labels: StoreLabels, made: Path, question: Question, settings: Settings, cancel: CancelToken
) -> tuple[list[DatasetRow], Sequence[str]]:
    """Paint what was drawn as masks of the image's stored size."""
    made.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, one in enumerate(labels.annotations, start=1):
        checkpoint(cancel)
        row = DatasetRow(
            file=one.image.path,
            patient=one.patient_key or "",
            label=_class(bool(one.marks), question),
            source=_WORDS["annotations"],
            problem=_changed(one.image.path, one.image.fingerprint),
        )
        mask = made / f"{number:06d}.png"
        if not row.problem and question.outlines:
            try:
                _paint(one, mask, settings)
                row = row.model_copy(update={"masks": (mask,)})
            except ImageError as error:
                row = row.model_copy(update={"problem": str(error)})
        rows.append(row)
    return rows, ()


def _paint(one: MarkedImage, mask: Path, settings: Settings) -> None:
    source = open_image(one.image.path, settings)
    size = source.info.size
    source.close()
    painted = np.zeros(size.shape, np.uint8)
    for mark in one.marks:
        part = np.zeros(size.shape, np.uint8)
        for polygon in polygons_in(inside(mark)):
            rings = [np.asarray(ring.coords)[:-1] for ring in (polygon.exterior, *polygon.interiors)]
            # A pixel's centre is at +0.5; OpenCV's whole coordinates are centres.
            cv2.fillPoly(part, [np.rint(ring - 0.5).astype(np.int32) for ring in rings], 255)
        painted |= part
    if not cv2.imwrite(str(mask), painted):
        raise OutputError(f"{mask.name} cannot be written.")


def _once(rows: Sequence[DatasetRow]) -> tuple[list[DatasetRow], int]:
    """Each file once; where two sources say different things of it, the row says so."""
    found: dict[Path, DatasetRow] = {}
    for row in rows:
        before = found.get(row.file)
        if before is not None and before.label != row.label and row.label and before.label:
            problem = f"{TWO_CLASSES} {before.label!r} and {row.label!r}."
            row = before.model_copy(update={"problem": problem})
        found[row.file] = _joined(before, row) if before is not None else row
    return list(found.values()), len(rows) - len(found)


def _joined(before: DatasetRow, row: DatasetRow) -> DatasetRow:
    """Two rows of one file as one: what either tells."""
    told = {name: getattr(row, name) or getattr(before, name) for name in DatasetRow.model_fields}
    return before.model_copy(update=told)


def _looked(row: DatasetRow, look: Look, group: str, question: Question) -> DatasetRow:
    """A row with what was seen of its image."""
    problem = row.problem or look.problem
    if not problem and question.outlines and look.outlined is None:
        problem = "It has no mask."
    if not problem and question.task != "segmentation" and not row.label:
        problem = NO_CLASS
    seen = {
        "patient": row.patient or look.patient,
        "scanner": row.scanner or look.scanner,
        "magnification": row.magnification or look.magnification,
        "width": look.size.width if look.size else 0,
        "height": look.size.height if look.size else 0,
        "kind": look.kind or "",
        "sha256": look.sha256,
        "phash": look.phash,
        "color": look.color,
        "outlined": look.outlined,
        "group": group,
        "problem": problem,
    }
    return row.model_copy(update=seen)


def suggested_classes(path: Path) -> tuple[str, ...]:
    """The classes that a folder or table names, for a question that has none yet; empty where it names none.

    Of folders their names, of a table the values of its column ``label``; the usual word for the positive one last.
    """
    if path.is_dir() and not (path / LABELS_FILE).is_file():
        folders = [entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
        holds_images = any(file.suffix.lower() in SUFFIXES for folder in folders[:1] for file in folder.iterdir())
        names = {folder.name for folder in folders} if holds_images else set()  # else they are of patients, or parts
        found = names if 2 <= len(names) <= 20 and not names & {"images", "masks"} else set()
    else:
        table = path / LABELS_FILE if path.is_dir() else path
        rows = read_table(table, ("file",), "it needs file, patient and label (or masks)").rows
        found = {row["label"] for row in rows if row.get("label")}
    positive = ("positive", "malignant", "cancer", "1", "idc")
    return tuple(sorted(found, key=lambda name: (name.lower() in positive, name)))
