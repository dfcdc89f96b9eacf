"""Making what tests need: DICOM files of any form, patch folders, tiny recipes and models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from pathview.models.recipe import Recipe
from pathview.models.weights import Seen, write_model


def dicom_dataset(pixels: np.ndarray, bits: int = 12, **tags: Any) -> FileDataset:
    """A mammogram's dataset around pixels of 8 or 16 bit; ``tags`` override or, with None, remove."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.PresentationIntentType = "MG", "FOR PRESENTATION"
    ds.PatientName, ds.PatientID = "Canary^Name", "CANARY-ID-77"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        ds.NumberOfFrames = pixels.shape[0]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = pixels.dtype.itemsize * 8, bits, bits - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    for keyword, value in tags.items():
        if value is None:
            if keyword in ds:
                delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def write_dicom(path: Path, pixels: np.ndarray, bits: int = 12, **tags: Any) -> Path:
    """Write a mammogram as DICOM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dicom_dataset(pixels, bits, **tags), enforce_file_format=True)
    return path


def lut_item(first: int, entries: list[int], bits: int, explanation: str = "") -> Dataset:
    """An item of a LUT sequence, entries one to a word."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 65536, first % 65536, bits])
    item.LUTExplanation = explanation
    item.add_new("LUTData", "US", entries)
    return item


def breast_pixels(rows: int = 200, columns: int = 160, top: int = 4000) -> np.ndarray:
    """Something like a left breast: a bright half ellipse on black, with a brighter spot; uint16."""
    y, x = np.mgrid[0:rows, 0:columns]
    inside = (x / (0.7 * columns)) ** 2 + ((y - rows / 2) / (0.45 * rows)) ** 2 < 1
    spot = np.hypot(x - 0.3 * columns, y - 0.4 * rows) < 0.08 * rows
    return np.where(spot & inside, top, np.where(inside, top // 3, 0)).astype(np.uint16)


def write_patch(
    folder: Path, x: int, y: int, label: int, patient: str = "9001_idx5", size=(50, 50), value=None
) -> Path:
    """Write one IDC patch; ``value`` None: a grey that tells the place."""
    folder.mkdir(parents=True, exist_ok=True)
    color = value if value is not None else (120 + x // 50 % 10 * 8, 60 + 90 * (1 - label), 140 + y // 50 % 10 * 8)
    seed = [x, y, label, *patient.encode()]
    noise = np.random.default_rng(seed).integers(-4, 5, (*size, 3)) if value is None else 0
    pixels = (np.full((*size, 3), color) + noise).astype(np.uint8)
    path = folder / f"{patient}_x{x}_y{y}_class{label}.png"
    Image.fromarray(pixels).save(path)
    return path


def write_patch_folder(folder: Path, rows: int = 3, columns: int = 4, patient: str = "9001_idx5") -> Path:
    """A mosaic with one missing place (the last) and class 1 in its right half."""
    for row in range(rows):
        for column in range(columns):
            if (row, column) != (rows - 1, columns - 1):
                label = int(column >= columns // 2)
                write_patch(folder / str(label), 101 + 50 * column, 51 + 50 * row, label, patient)
    return folder


def tiny_unet_recipe(**changes: Any) -> Recipe:
    """A U-Net of width 1 on 64 x 64 pixels."""
    values: dict[str, Any] = {
        "name": "tiny-unet",
        "title": "Tiny U-Net",
        "summary": "For tests.",
        "task": "segmentation",
        "kinds": ["mammogram"],
        "modalities": ["MG", "RG"],
        "default_for": ["mammogram"],
        "classes": ["background", "lesion"],
        "network": {"name": "zf-unet", "options": {"width": 1, "dropout": 0.1}},
        "input": {"height": 64, "width": 64, "channels": 1, "crop": "breast", "fit": "inside"},
        "decision": {"rule": "mask-sum", "lower": 10.0, "upper": 50000.0},
        "training": {"loss": "dice+bce", "learning_rate": 1e-2, "batch": 2, "epochs": 2},
    }
    return Recipe.model_validate(values | changes)


def tiny_cnn_recipe(**changes: Any) -> Recipe:
    """Seed 4's network with small dense layers."""
    values: dict[str, Any] = {
        "name": "tiny-cnn",
        "title": "Tiny CNN",
        "summary": "For tests.",
        "task": "classification",
        "kinds": ["histology"],
        "modalities": ["SM"],
        "default_for": ["histology"],
        "classes": ["negative", "idc"],
        "network": {"name": "idc-cnn", "options": {"dense": 4, "dropout": 0.1}},
        "input": {"height": 50, "width": 50, "channels": 3, "mpp_um": 4.0, "overlap": 0.0},
        "decision": {"rule": "margin", "lower": 0.4, "upper": 0.6, "share": [0.1, 0.3]},
        "training": {"loss": "binary-crossentropy", "learning_rate": 1e-3, "batch": 4, "epochs": 2},
    }
    return Recipe.model_validate(values | changes)


def tiny_cascade_recipe(**changes: Any) -> Recipe:
    """The tiny CNN on the places that the tiny U-Net outlines."""
    values: dict[str, Any] = {
        "name": "tiny-cascade",
        "task": "cascade",
        "kinds": ["mammogram"],
        "modalities": ["MG", "RG"],
        "default_for": [],
        "classes": ["tissue", "lesion"],
        "input": {"height": 50, "width": 50, "channels": 3, "fit": "stretch"},
        "regions": {"model": "tiny-unet", "margin": 0.25, "least_share": 1e-4},
        "decision": {"rule": "margin", "lower": 0.4, "upper": 0.6},
    }
    return tiny_cnn_recipe(**(values | changes))


@dataclass
class BrightOutliner:
    """A segmentation network that outlines what is bright."""

    recipe: Recipe
    weights_sha256: str = "outlines"
    runtime: str = "none"
    device: str = "none"
    precision: str = "float32"
    bright: float = 0.5

    def predict(self, images: np.ndarray) -> np.ndarray:
        return np.where(images > self.bright, np.float32(0.9), np.float32(0.0))


def write_random_model(parent: Path, recipe: Recipe, seed: int = 1) -> Path:
    """A model folder with random weights that anyone can load."""
    import keras

    from pathview.models import keras_backend

    keras_backend.start()
    keras.utils.set_random_seed(seed)
    model = keras_backend.build(recipe)
    folder = parent / recipe.name
    facts = {"version": "0", "created": "2026-01-01T00:00:00+00:00", "data": "none"}
    write_model(folder, recipe, keras_backend.get_weights(model), Seen(), **facts)
    return folder
