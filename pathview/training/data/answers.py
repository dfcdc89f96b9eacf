"""A reader's answers as a training set: tiles as the network sees them, in folders by class, with a table.

``DIR/labels.csv`` (:data:`COLUMNS`) names ``positive/*.png`` and ``negative/*.png``; ``pathview train --data DIR`` and
``pathview evaluate --data DIR`` read it and split by patient. File names are made of the image's hash, and patients
are pseudonyms, so that neither carries a name.
"""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pathview.csv_cells import safe_row
from pathview.errors import DataError, ImageError, OutputError
from pathview.geometry import Region, Size
from pathview.images.cuts import cut
from pathview.images.digest import require_unchanged
from pathview.images.formats import open_image
from pathview.images.patches import Patch, PatchMosaic
from pathview.images.pseudonym import pseudonym
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.review.records.answered import LabelledImage, TileLabel
from pathview.settings import Settings
from pathview.training.data.breakhis import read_breakhis
from pathview.training.data.dataset import LABELS_FILE

COLUMNS = (
    "file", "patient", "label", "x", "y", "width", "height", "reader", "answered", "image_sha256", "recipe",
    "patient_from",
)  # fmt: skip
"""``x, y, width, height``: level-0 pixels of the image; ``answered``: UTC, ISO 8601; ``patient_from``: ``file`` where
the image tells its patient, ``image`` where it does not and counts as a patient of its own."""
_WHEN = COLUMNS.index("answered")
CLASSES = ("negative", "positive")
_CARRIES_TEXT = ("exif", "xmp", "icc_profile")


@dataclass(frozen=True)
class LabelsRequest:
    """What to write where."""

    images: tuple[LabelledImage, ...]
    out: Path


@dataclass(frozen=True)
class LabelsWritten:
    """What was written."""

    folder: Path
    counts: dict[str, int]
    """Tiles by class."""
    patients: int
    notices: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The line of ``pathview cases export-labels``."""
        return {"out": str(self.folder), "tiles": self.counts, "patients": self.patients}


@dataclass(frozen=True)
class _Tile:
    """One row of the table, and its picture."""

    row: tuple[object, ...]
    content: npt.NDArray[np.uint8] | bytes
    """RGB pixels, or a whole file as it is."""


def export_labels(
    request: LabelsRequest, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> LabelsWritten:
    """Cut out the answered tiles and write them with their table (a job for the engine).

    An image that cannot be read is left out with a notice. Nothing is left behind where nothing could be written.

    Raises:
        DataError: no answer says positive or negative, or none of their images can be read.
        OutputError: the folder holds something already, or cannot be written.
        Cancelled: between two images.
    """
    out = request.out
    useful = [image for image in request.images if any(_counts(label) for label in image.labels)]
    if not useful:
        raise DataError("There is nothing to learn from yet: no tile was answered positive or negative.")
    partial = out.with_name(f"{out.name}.partial")
    rows: dict[str, tuple[object, ...]] = {}
    problems: list[str] = []
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputError(f"{out.name} holds files already; give another folder.")
        shutil.rmtree(partial, ignore_errors=True)
        for name in CLASSES:
            (partial / name).mkdir(parents=True)
        for index, image in enumerate(useful):
            checkpoint(cancel)
            progress(Progress(index, len(useful), "cutting out tiles"))
            try:
                _write_tiles(image, partial, rows, settings)
            except ImageError as error:
                problems.append(f"{_labels(image)} were left out: {error}")
        if not rows:
            raise DataError(problems[0])
        _finish(partial, out, rows)
    except OSError as error:
        raise OutputError(f"{out.name} cannot be written: {error.strerror or 'input/output error'}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _written(request, rows, problems)


def _write_tiles(image: LabelledImage, folder: Path, rows: dict[str, tuple[object, ...]], settings: Settings) -> None:
    """Write the tiles of one image into rows by file name; where copies of an image were answered, the last counts."""
    for tile in _tiles(image, settings):
        file = folder / str(tile.row[0])
        before = rows.get(file.name)
        if before is not None:
            if str(before[_WHEN]) > str(tile.row[_WHEN]):
                continue
            (folder / str(before[0])).unlink()
        if isinstance(tile.content, bytes):
            file.write_bytes(tile.content)
        else:
            Image.fromarray(tile.content).save(file)
        rows[file.name] = tile.row


def _finish(partial: Path, out: Path, rows: dict[str, tuple[object, ...]]) -> None:
    with (partial / LABELS_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(map(safe_row, rows.values()))
    if out.exists():
        out.rmdir()
    partial.replace(out)


def _written(request: LabelsRequest, rows: dict[str, tuple[object, ...]], problems: list[str]) -> LabelsWritten:
    table = [dict(zip(COLUMNS, row, strict=True)) for row in rows.values()]
    counts = Counter(str(row["label"]) for row in table)
    notices = list(problems)
    alone = {row["patient"] for row in table if row["patient_from"] == "image"}
    if alone:
        images = "1 image names" if len(alone) == 1 else f"{len(alone):,} images name"
        notices.append(
            f"{images} no patient: each counts as one of its own, so two images of one patient may stand on both sides "
            f"of a split; correct the column patient of {LABELS_FILE}."
        )
    missing = [name for name in CLASSES if not counts[name]]
    if missing:
        notices.append(f"No tile was answered {missing[0]}: a model cannot learn from one class alone.")
    unsure = sum(label.answer.value in ("cant_tell", "skip") for image in request.images for label in image.labels)
    if unsure:
        notices.append(f"{unsure} answers (can't tell, skipped) are no labels and were left out.")
    patients = len({row["patient"] for row in table})
    return LabelsWritten(request.out, {name: counts[name] for name in CLASSES}, patients, tuple(notices))


def _counts(label: TileLabel) -> bool:
    return label.answer.value in CLASSES


def _labels(image: LabelledImage) -> str:
    number = sum(_counts(label) for label in image.labels)
    return f"{number:,} label{'s' if number > 1 else ''}"


def _tiles(image: LabelledImage, settings: Settings) -> Iterator[_Tile]:
    """The tiles of an image that are labels, one by one since there may be many."""
    path = image.image.path
    require_unchanged(path, image.image.fingerprint)
    source = open_image(path, settings, image.image.mpp_um)
    patient, known = _patient(image)
    try:
        for label in image.labels:
            if _counts(label):
                answer, region = label.answer, label.answer.region
                name = f"{label.image_sha256[:16]}-x{region.x}y{region.y}w{region.width}h{region.height}.png"
                row = (
                    f"{answer.value}/{name}",
                    patient,
                    answer.value,
                    *(region.x, region.y, region.width, region.height),
                    answer.reader,
                    answer.created.isoformat(timespec="seconds"),
                    label.image_sha256,
                    label.recipe,
                    "file" if known else "image",
                )
                yield _Tile(row, _content(source, label))
    finally:
        source.close()


def _patient(image: LabelledImage) -> tuple[str, bool]:
    """A pseudonym that is equal for images of one patient, and whether the file told it."""
    key = image.patient_key
    path = image.image.path
    if key is None and path.name.startswith("SOB_"):
        key = next((sample.patient for sample in read_breakhis(path.parent) if sample.path == path), None)
    known = pseudonym("labelled patient", key)
    return (known, True) if known else (str(pseudonym("labelled image", str(path))), False)


def _content(source: ImageSource, label: TileLabel) -> npt.NDArray[np.uint8] | bytes:
    """A tile at the size that the recipe's network takes; of a mosaic the patch itself."""
    region = label.answer.region
    taken = label.settings.get("input")
    size = Size(taken[1], taken[0]) if taken else region.size
    if isinstance(source, PatchMosaic) and (patch := _patch_at(source, region)) is not None:
        if patch.region.size == size and _is_bare(patch.path):
            return patch.path.read_bytes()  # so that its hash tells whether a model has seen it
        return cut(source, patch.region, size)
    return cut(source, region, size, int(label.settings.get("frame", 0)))


def _patch_at(source: PatchMosaic, region: Region) -> Patch | None:
    """The patch whose cell a tile is; None where the tile lies across several."""
    side = source.side
    if region.width != side or region.height != side or region.x % side or region.y % side:
        return None
    cell = (region.y // side, region.x // side)
    return next((p for p in source.patches if (round(p.y / side), round(p.x / side)) == cell), None)


def _is_bare(path: Path) -> bool:
    """Whether a patch's file holds nothing but pixels: no texts, which may name someone."""
    with Image.open(path) as image:
        image.load()
        texts = getattr(image, "text", {})
        return image.format == "PNG" and not texts and not any(image.info.get(key) for key in _CARRIES_TEXT)
