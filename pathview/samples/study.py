"""Writing phantom views as DICOM For Presentation, so that the program reads them as it reads a hospital's."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from pathview import __version__
from pathview.samples import mammogram
from pathview.samples.mammogram import STUDY, PhantomImage, PhantomView, draw_study

VIEWS = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}
_ORIENTATION = {("L", "CC"): ["A", "R"], ("R", "CC"): ["P", "L"], ("L", "MLO"): ["A", "FR"], ("R", "MLO"): ["P", "FL"]}
"""Patient Orientation of the rows and columns as drawn: chest wall left for L, right for R."""
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "pathview phantom study 1")


@dataclass(frozen=True)
class Visit:
    """A study of the phantom patient."""

    name: str
    """What its UIDs are made of."""
    when: datetime


VISIT = Visit("", datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC))
PRIOR_VISIT = Visit("prior ", datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC))
PRIOR_STUDY = tuple(
    replace(view, seed=view.seed + 100, masses=() if view.laterality == "L" else view.masses) for view in STUDY
)
"""Two years earlier: the left breast has its calcifications and no mass yet."""


def write_prior(folder: Path) -> list[Path]:
    """Draw and write the four views of the prior study, named like those of the study."""
    return write_study(draw_study(PRIOR_STUDY), folder, PRIOR_VISIT)


def write_study(images: list[PhantomImage], folder: Path, visit: Visit = VISIT) -> list[Path]:
    """Write each view as ``<laterality>-<view>.dcm``; the same phantoms give the same files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, image in enumerate(images, start=1):
        path = folder / f"{image.view.laterality}-{image.view.view}.dcm"
        pydicom.dcmwrite(path, dataset_of(image, number, visit), enforce_file_format=True)
        paths.append(path)
    return paths


def dataset_of(image: PhantomImage, number: int, visit: Visit = VISIT) -> Dataset:
    """One view as a Digital Mammography X-Ray Image For Presentation (PS3.3 A.27)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = uid_of(f"{visit.name}image {number}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    patient_and_study(dataset, image.view, number, visit)
    _acquisition(dataset, image)
    _pixels(dataset, image)
    return dataset


def patient_and_study(dataset: Dataset, view: PhantomView, number: int, visit: Visit = VISIT) -> None:
    """Who, when, by what machine; ``number`` is that of the series. A multi-frame object overwrites its own."""
    dataset.PatientName = "Phantom^PathView"
    dataset.PatientID = "PATHVIEW-PHANTOM-1"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.QualityControlSubject = "YES"
    dataset.StudyInstanceUID = uid_of(f"{visit.name}study")
    dataset.SeriesInstanceUID = uid_of(f"{visit.name}series {number}")
    dataset.StudyID = "1"
    dataset.SeriesNumber = number
    dataset.InstanceNumber = 1
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Phantom, not a patient"
    dataset.SeriesDescription = f"Phantom {view.laterality} {view.view}"
    for kind in ("Study", "Content", "Acquisition"):
        setattr(dataset, f"{kind}Date", f"{visit.when:%Y%m%d}")
        setattr(dataset, f"{kind}Time", f"{visit.when:%H%M%S}")
    dataset.Modality = "MG"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.Manufacturer = "PathView"
    dataset.ManufacturerModelName = "Phantom generator"
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = __version__
    dataset.ImageType = ["DERIVED", "PRIMARY", ""]
    dataset.DerivationDescription = "Made by a program; no patient was imaged"
    dataset.BurnedInAnnotation = "YES"
    dataset.LossyImageCompression = "00"
    dataset.QualityControlImage = "NO"


def _acquisition(dataset: Dataset, image: PhantomImage) -> None:
    dataset.BodyPartExamined = "BREAST"
    dataset.AnatomicRegionSequence = [code_item("76752008", "SCT", "Breast")]
    dataset.ImageLaterality = image.view.laterality
    dataset.PatientOrientation = _ORIENTATION[(image.view.laterality, image.view.view)]
    code, meaning = VIEWS[image.view.view]
    view = code_item(code, "SCT", meaning)
    view.ViewModifierCodeSequence = []
    dataset.ViewCodeSequence = [view]
    dataset.ViewPosition = image.view.view
    dataset.PositionerType = "MAMMOGRAPHIC"
    dataset.PositionerPrimaryAngle = 0 if image.view.view == "CC" else 45
    dataset.OrganExposed = "BREAST"
    dataset.BreastImplantPresent = "NO"
    dataset.PartialView = "NO"
    dataset.AcquisitionContextSequence = []
    dataset.DetectorType = "DIRECT"
    dataset.DetectorConfiguration = "AREA"
    dataset.ImagerPixelSpacing = [mammogram.SPACING_MM, mammogram.SPACING_MM]
    dataset.EstimatedRadiographicMagnificationFactor = 1.0
    dataset.DistanceSourceToDetector = 660
    dataset.DistanceSourceToPatient = 660
    dataset.BodyPartThickness = 50
    dataset.KVP = 28
    dataset.FieldOfViewShape = "RECTANGLE"
    dataset.FieldOfViewDimensions = [round(side * mammogram.SPACING_MM) for side in image.pixels.shape]


def _pixels(dataset: Dataset, image: PhantomImage) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = image.pixels.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = mammogram.BITS
    dataset.HighBit = mammogram.BITS - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1
    dataset.RescaleIntercept = 0
    dataset.RescaleSlope = 1
    dataset.RescaleType = "US"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.WindowCenter, dataset.WindowWidth = mammogram.WINDOW
    dataset.WindowCenterWidthExplanation = "NORMAL"
    dataset.PixelData = np.ascontiguousarray(image.pixels, "<u2").tobytes()


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def uid_of(part: str) -> UID:
    """A UID that depends on its part alone (PS3.5 B.2), so that a second demo finds the same study."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, part).int}")
