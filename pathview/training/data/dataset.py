"""Data sets on disk: what each layout means, as a list of samples with patients.

Layouts: ``images/`` + ``masks/`` (+ ``labels.csv`` with ``file, patient``); CBIS-DDSM with its tables; BreakHis; an
IDC folder of patients; folders named by class; or a csv with ``file, patient, label`` (and ``mask``,
several with ``|`` between).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pathview.errors import DataError
from pathview.images.formats import SUFFIXES, find_images
from pathview.images.patches import parse_name
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.data.breakhis import read_breakhis
from pathview.training.data.cbis import read_cbis, tables_of
from pathview.training.data.places import places_of
from pathview.training.data.samples import MASK_SEPARATOR, Dataset, Sample, read_table

LABELS_FILE = "labels.csv"
_OF_TWO = {"0": 0, "1": 1, "negative": 0, "benign": 0, "positive": 1, "malignant": 1}


def read_dataset(path: Path, recipe: Recipe, settings: Settings) -> Dataset:
    """Read whichever layout lies at ``path``, as a recipe needs it.

    Args:
        path: a folder or a csv.
        recipe: its task says whether outlines or classes are wanted, and its classes are those of the labels, in the
            order of its outputs.
        settings: limits for images that have to be looked at.

    Raises:
        DataError: missing, of no known layout, with a table that does not fit its files, or without the classes that
            are wanted.
    """
    dataset = read_layout(path, recipe.classes, recipe.classifies, settings)
    if recipe.regions is not None:
        dataset = places_of(dataset, recipe.regions, settings)
    if recipe.classifies:
        unknown = [sample.path.name for sample in dataset.samples if sample.label is None]
        if unknown:
            raise DataError(f"{dataset.name} does not say the class of {len(unknown)} images, such as {unknown[0]}.")
    return dataset.black_boxed() if recipe.training.black_box else dataset


def read_layout(
    path: Path, classes: Sequence[str], classifies: bool, settings: Settings, lenient: bool = False
) -> Dataset:
    """Read whichever layout lies at ``path``.

    Args:
        path: a folder or a csv.
        classes: names of the classes, in the order of their numbers.
        classifies: whether classes are wanted; else outlines.
        settings: limits for images that have to be looked at.
        lenient: whether a table may name files that do not exist, and images without a class or an outline.

    Raises:
        DataError: missing, of no known layout, or with a table that does not fit its files.
    """
    if not path.exists():
        raise DataError(f"The data set {path.name} does not exist.")
    if path.is_file():
        return _from_csv(path, classes, lenient)
    if (path / "images").is_dir() and (path / "masks").is_dir():
        return _from_masks(path, classes)
    table = (path / LABELS_FILE).is_file()
    of_many = classifies and len(classes) > 2
    if not (table and of_many) and (published := _published(path, classes, classifies, settings)):
        return published
    if table:
        return _from_csv(path / LABELS_FILE, classes, lenient)
    return _from_class_folders(path, classes)


def _published(path: Path, classes: Sequence[str], classifies: bool, settings: Settings) -> Dataset | None:
    """CBIS-DDSM, BreakHis or IDC patches as their authors publish them; None where it is none of these.

    Raises:
        DataError: more classes are to be told apart than their two.
    """
    notices: Sequence[str] = ()
    layout = "BreakHis"
    if tables_of(path):
        layout = "CBIS-DDSM"
        samples, notices = read_cbis(path, classifies, settings)
    elif not (samples := read_breakhis(path)):
        layout = "IDC patches"
        named = ((file, parse_name(file)) for file in sorted(path.rglob("*.png")))
        samples = [Sample(file, name[0], name[3]) for file, name in named if name]
    if samples and classifies and len(classes) > 2:
        raise DataError(
            f"{path.name} is of two classes, the recipe of {len(classes)}; give a csv with file, patient and label."
        )
    return Dataset(path.name, tuple(samples), tuple(notices), layout) if samples else None


def class_index(name: str, classes: Sequence[str]) -> int | None:
    """Index of a class by its name (any case), its number, or, of two classes, the usual words; None for others."""
    lowered = [known.lower() for known in classes]
    text = name.strip().lower()
    if text in lowered:
        return lowered.index(text)
    if len(classes) > 2:
        return int(text) if text.isdecimal() and int(text) < len(classes) else None
    return _OF_TWO.get(text)


def _from_masks(path: Path, classes: Sequence[str]) -> Dataset:
    table, told = _rows(path / LABELS_FILE) if (path / LABELS_FILE).is_file() else ({}, ())
    masks = {file.stem: file for file in (path / "masks").iterdir() if file.suffix.lower() in SUFFIXES}
    samples, without = [], 0
    for image in sorted((path / "images").iterdir()):
        if image.suffix.lower() not in SUFFIXES:
            continue
        mask = masks.get(image.stem)
        if mask is None:
            without += 1
            continue
        row = table.get(image.name, {})
        label = class_index(row["label"], classes) if row.get("label") else None
        samples.append(Sample(image, row.get("patient") or None, label, (mask,), row))
    if not samples:
        raise DataError(f"No image in {path.name}/images has a mask of the same name in {path.name}/masks.")
    notices = (*told, *([f"{without:,} images have no mask and are left out."] if without else []))
    return Dataset(path.name, tuple(samples), notices, "images and masks")


def _from_class_folders(path: Path, classes: Sequence[str]) -> Dataset:
    samples = []
    for folder in sorted(entry for entry in path.iterdir() if entry.is_dir()):
        label = class_index(folder.name, classes)
        if label is not None:
            samples += [Sample(image, None, label) for image in find_images(folder)]
    if not samples:
        raise DataError(
            f"{path.name} is no data set that can be read: it needs images/ and masks/, IDC patches, "
            f"a {LABELS_FILE}, or folders named {' and '.join(classes)}."
        )
    return Dataset(path.name, tuple(samples), layout="folders by class")


def _from_csv(path: Path, classes: Sequence[str], lenient: bool) -> Dataset:
    samples = []
    rows, told = _rows(path)
    for name, row in rows.items():
        image = path.parent / name
        masks = tuple(
            path.parent / mask for mask in (row.get("mask") or row.get("masks", "")).split(MASK_SEPARATOR) if mask
        )
        missing = [file.name for file in (image, *masks) if not file.exists()]
        if missing and not lenient:
            raise DataError(f"{path.name} names {missing[0]}, which does not exist beside it.")
        label = class_index(row["label"], classes) if row.get("label") else None
        if row.get("label") and label is None:
            raise DataError(f"{path.name} has the class {row['label']!r}; the recipe knows {', '.join(classes)}.")
        if label is None and not masks and not lenient:
            raise DataError(f"{path.name} gives neither a label nor a mask for {image.name}.")
        samples.append(Sample(image, row.get("patient") or None, label, masks, row))
    if not samples:
        raise DataError(f"{path.name} has no rows.")
    return Dataset(path.stem, tuple(samples), told, "table")


def _rows(path: Path) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """Rows of a label table by file, and what is to be said of it."""
    table = read_table(path, ("file",), "it needs file, patient and label (or masks)")
    return {row["file"]: row for row in table.rows}, table.notices
