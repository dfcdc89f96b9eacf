"""The rows of a dataset that a training uses: usable, as corrected, each image once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pathview.errors import DataError
from pathview.training.data.samples import Dataset, Sample
from pathview.training.runs.plan import DatasetRow, Plan, Question

NO_CLASS = "It has no class."
TWO_CLASSES = "Two sources call it"
"""How the problems begin that a person solves by saying the class."""


def lacks_label(row: DatasetRow) -> bool:
    """Whether all that is wrong with an image is its class."""
    return row.problem.startswith((NO_CLASS, TWO_CLASSES))


def corrected(plan: Plan, rows: Iterable[DatasetRow]) -> tuple[DatasetRow, ...]:
    """All rows but those that a person left out, with the labels that a person gave.

    Raises:
        DataError: a correction names a class that the question does not have.
    """
    said = {correction.file: correction for correction in plan.corrections}
    found = []
    for row in rows:
        correction = said.get(row.file)
        if correction is None:
            found.append(row)
        elif not correction.leave_out:
            if correction.label and correction.label not in plan.question.classes:
                raise DataError(f"A correction says {correction.label!r}, which is no class of this question.")
            solved = bool(correction.label) and lacks_label(row)
            told = {"label": correction.label or row.label, "problem": "" if solved else row.problem}
            found.append(row.model_copy(update=told))
    return tuple(found)


def chosen(plan: Plan, rows: Iterable[DatasetRow]) -> tuple[DatasetRow, ...]:
    """The rows that a training uses: :func:`corrected`, without problems, exact copies of one patient's image once."""
    found: dict[tuple[str, str, str], DatasetRow] = {}
    for row in corrected(plan, rows):
        if not row.problem:
            found.setdefault((row.sha256, row.patient, row.label), row)
    return tuple(found.values())


def unit_of(row: DatasetRow) -> str:
    """What the split never divides: the patient, or an image that names none, by its hash."""
    return row.patient or f"image {row.sha256[:16]}"


def patients_named(rows: Iterable[DatasetRow]) -> set[str]:
    """The patients that rows name, as they are spelt; an image that names none is of no patient."""
    return {row.patient for row in rows if row.patient}


def truth_of(row: DatasetRow, question: Question) -> str:
    """What is to be found out of a row: its class, or for a question of outlines alone whether it has one."""
    if question.task == "segmentation":
        return "outlined" if row.outlined else "not outlined"
    return row.label


def dataset_of(plan: Plan, rows: Sequence[DatasetRow]) -> Dataset:
    """Rows, chosen already, as samples for the engine; the patient is :func:`unit_of`.

    Of a question that segments and decides, an image of the first class has an empty truth (seed 2). Attributes:
    scanner, magnification, density, source, sha256.
    """
    index = {name: number for number, name in enumerate(plan.question.classes)}
    empty = plan.question.task == "segment_and_decide"
    samples = []
    for row in rows:
        label = index.get(row.label)
        masks = () if empty and label == 0 else row.masks
        told = {name: getattr(row, name) for name in ("scanner", "magnification", "density", "source", "sha256")}
        samples.append(Sample(row.file, unit_of(row), label, masks, told))
    return Dataset(plan.title, tuple(samples), layout="training")
