"""CBIS-DDSM as TCIA delivers it: DICOM folders and csv tables of cases (Lee 2017; seed 2).

The tables' paths are those of an older delivery: their UIDs and file names are not the folders' own, and for many
rows mask and crop are swapped. What holds is the first folder of a path (``Mass-Training_P_00001_LEFT_CC`` for a
full image, with ``_1`` for its first abnormality), and that a mask is as large as its image and a crop is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pathview.errors import DataError, ImageError
from pathview.geometry import Size
from pathview.images.dicom import open_dicom
from pathview.settings import Settings
from pathview.training.data.samples import Sample, read_table

_COLUMNS = ("patient_id", "pathology", "image file path", "ROI mask file path")
_PATHOLOGY = {"MALIGNANT": 1, "BENIGN": 0, "BENIGN_WITHOUT_CALLBACK": 0}


@dataclass
class _Image:
    """One full mammogram and its abnormalities."""

    folder: str
    patient: str
    attributes: dict[str, str]
    labels: list[int] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    """Folders of its abnormalities, as many as labels."""


def tables_of(folder: Path) -> list[Path]:
    """The csv tables of a CBIS-DDSM folder (``mass_case_description_train_set.csv`` and the like)."""
    return sorted(folder.glob("*case_description*.csv"))


def read_cbis(folder: Path, crops: bool, settings: Settings) -> tuple[list[Sample], list[str]]:
    """All images that the tables name and that are here.

    Args:
        folder: with the tables, and the DICOM folders below it at any depth.
        crops: one sample an abnormality, its crop with its pathology (seed 2's ResNet); else one a full image, with
            the masks of all its abnormalities, malignant where one of them is (seed 2's U-Net).
        settings: limits.

    Returns:
        Samples (attributes: the table's columns, and ``part``: train or test as published), and notices.

    Raises:
        DataError: a table lacks a column, has an unknown pathology, or none of its images are here.
    """
    places: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*.dcm")):
        for name in path.relative_to(folder).parts[:-1]:
            places[name].append(path)
    samples: list[Sample] = []
    missing = 0
    for image in _images(tables_of(folder)):
        full = places.get(image.folder, [])
        if len(full) != 1:
            missing += 1
            continue
        found = _crops(image, full[0], places, settings) if crops else _full(image, full[0], places, settings)
        samples += found
        missing += not found
    if not samples:
        raise DataError(f"{folder.name} has tables of CBIS-DDSM, but none of the images that they name.")
    notices = [f"{missing} images of the tables are not here, or without their masks, and are left out."]
    return samples, notices if missing else []


def _images(tables: Iterable[Path]) -> list[_Image]:
    images: dict[str, _Image] = {}
    for table in tables:
        part = "test" if "test" in table.name else "train"
        for row in read_table(table, _COLUMNS, "it is no table of CBIS-DDSM").rows:
            name = row["image file path"].split("/")[0]
            pathology = row["pathology"]
            if pathology not in _PATHOLOGY:
                raise DataError(f"{table.name} has the pathology {pathology!r}; known are {', '.join(_PATHOLOGY)}.")
            attributes = {column: row[column] for column in row if "path" not in column} | {"part": part}
            image = images.setdefault(name, _Image(name, row["patient_id"], attributes))
            image.labels.append(_PATHOLOGY[pathology])
            image.regions.append(row["ROI mask file path"].split("/")[0])
    return list(images.values())


def _full(image: _Image, path: Path, places: dict[str, list[Path]], settings: Settings) -> list[Sample]:
    size = _size(path, settings)
    masks = [file for region in image.regions for file in places.get(region, []) if _size(file, settings) == size]
    if size is None or not masks:
        return []
    return [Sample(path, image.patient, max(image.labels), tuple(masks), image.attributes)]


def _crops(image: _Image, path: Path, places: dict[str, list[Path]], settings: Settings) -> list[Sample]:
    whole = _size(path, settings)
    samples = []
    for region, label in zip(image.regions, image.labels, strict=True):
        sizes = [(file, _size(file, settings)) for file in places.get(region, [])]
        crops = [file for file, size in sizes if size is not None and size != whole]
        if len(crops) == 1:
            samples.append(Sample(crops[0], image.patient, label, attributes=image.attributes))
    return samples


def _size(path: Path, settings: Settings) -> Size | None:
    """Of a DICOM image; None where it cannot be read."""
    try:
        return open_dicom(path, settings).info.size
    except ImageError:
        return None
