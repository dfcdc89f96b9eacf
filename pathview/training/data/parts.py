"""The parts of a data set: who trains, who chooses, who tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pathview.errors import DataError, OutputError
from pathview.models.recipe import Recipe
from pathview.training.data.samples import Dataset, Sample
from pathview.training.data.split import Fractions, PatientSplit, split_by_patient, strata_of

SPLIT = "split.json"
RANDOM_SPLIT = (
    "Split at random, not by patient: images of one patient stand on both sides, so the figures say nothing of new "
    "patients."
)


@dataclass
class Parts:
    """Samples by part."""

    train: list[Sample]
    validation: list[Sample]
    test: list[Sample]


def split_of(dataset: Dataset, recipe: Recipe, seed: int) -> PatientSplit:
    """The split of a data set by patient, or image by image where the recipe wants a paper's random split.

    Raises:
        DataError: a sample names no patient, or there are too few patients.
    """
    without = sum(sample.patient is None for sample in dataset.samples)
    if without and recipe.training.split == "patient":
        raise DataError(
            f"{without:,} images of {dataset.name} name no patient, so they cannot be split by patient; "
            "add a labels.csv with the columns file and patient."
        )
    of_patients = recipe.classifies and (recipe.regions is None or recipe.regions.against == "label")
    labels = [(_unit(s, recipe), s.label if of_patients else "") for s in dataset.samples]
    spec = recipe.training
    test = 1.0 - spec.train_fraction - spec.validation_fraction
    split = split_by_patient(strata_of(labels), Fractions(spec.train_fraction, spec.validation_fraction, test), seed)
    if not split.train or not split.test:
        units = f"{len({unit for unit, _ in labels})} {'images' if spec.split == 'random' else 'patients'}"
        raise DataError(f"{dataset.name} has {units}: too few to train and to test on.")
    return split


def _unit(sample: Sample, recipe: Recipe) -> str:
    """What is never split: a patient; an image alone where the recipe splits at random."""
    return str(sample.path) if recipe.training.split == "random" else sample.patient or ""


def parts_of(dataset: Dataset, split: PatientSplit, recipe: Recipe) -> Parts:
    """Every sample in its part; of validation and test what the recipe's ``validate_where`` matches."""
    part_of = split.part_of()
    parts = Parts([], [], [])
    for sample in dataset.samples:
        getattr(parts, part_of[_unit(sample, recipe)]).append(sample)
    where = recipe.training.validate_where
    if where:
        parts.validation = list(Dataset(dataset.name, tuple(parts.validation)).where(where).samples)
        parts.test = list(Dataset(dataset.name, tuple(parts.test)).where(where).samples)
    return parts


def write_split(path: Path, split: PatientSplit, recipe: Recipe) -> None:
    """Which patients went where; of a random split only how many images, since file names may be names.

    Raises:
        OutputError: the file cannot be written.
    """
    parts = {part: getattr(split, part) for part in ("train", "validation", "test")}
    at_random = recipe.training.split == "random"
    content = {part: len(units) if at_random else list(units) for part, units in parts.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path.name} cannot be written to {path.parent.name}: {error.strerror}.") from error
