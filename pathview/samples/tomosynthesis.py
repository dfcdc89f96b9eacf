"""A tomosynthesis series of the phantom: planes one millimetre apart, each sharp only in what lies in it.

The model is plain: four layers of tissue at their own heights, one with the mass in it and one with
calcifications; a plane shows every layer, blurred more and weaker the farther away it is. Nothing is
projected or reconstructed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import BreastTomosynthesisImageStorage, JPEGLosslessSV1

from pathview import __version__
from pathview.samples import mammogram
from pathview.samples.mammogram import STUDY, Cluster, PhantomView
from pathview.samples.noise import Field
from pathview.samples.study import VIEWS, VISIT, code_item, patient_and_study, uid_of

FRAMES = 20
SPACING_MM = 2 * mammogram.SPACING_MM
PLANE_MM = 1.0
"""Distance of neighbouring planes."""
MASS_FRAME = 10
"""0-based index of the plane in which the mass is sharp."""
_SERIES = 5
_VIEW = STUDY[0]
_BLUR = 1.3
"""Pixels of blur a plane of distance."""
_WINDOW = (850, 1500)
"""Centre and width for the brightest plane; layers are averaged, so that planes are darker than the study's images."""
_WEIGHT_PLANES = 3.0
"""Distance, in planes, at which a layer weighs 1 / e of what it does when it is sharp."""


@dataclass(frozen=True)
class _Layer:
    frame: int
    view: PhantomView


_LAYERS = (
    _Layer(2, replace(_VIEW, masses=(), seed=31)),
    _Layer(6, replace(_VIEW, masses=(), clusters=(Cluster(0.4, 0.62, 4.0),), seed=32)),
    _Layer(MASS_FRAME, _VIEW),
    _Layer(16, replace(_VIEW, masses=(), seed=33)),
)
"""The mass lies in the layer that the study's own right CC shows."""


def write_tomosynthesis(folder: Path) -> Path:
    """Write ``R-CC-tomosynthesis.dcm``, of the same patient and study as the phantom study; always the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_VIEW.laterality}-{_VIEW.view}-tomosynthesis.dcm"
    pydicom.dcmwrite(path, dataset_of(draw_planes()), enforce_file_format=True)
    return path


def draw_planes() -> npt.NDArray[np.uint16]:
    """[frames, rows, columns] of 12 bits, from the top (head) down; half the resolution of the study's images."""
    layers = [_halved(mammogram.draw(layer.view).pixels) for layer in _LAYERS]
    inside = _breast(layers[0])
    planes = []
    for frame in range(FRAMES):
        away = np.array([abs(layer.frame - frame) for layer in _LAYERS], np.float32)
        weights = np.exp(-away / _WEIGHT_PLANES)
        parts = [_blurred(layer, inside, _BLUR * d) for layer, d in zip(layers, away, strict=True)]
        mixed = np.tensordot(_gain(frame) * weights / weights.sum(), np.stack(parts), axes=1)
        codes = np.where(inside > 0, mixed, mammogram.AIR)
        planes.append(_labelled(codes.astype(np.uint16), frame))
    return np.stack(planes)


def _gain(frame: int) -> float:
    """Outer planes are darker, so that each needs a window of its own."""
    return 1.0 - 0.02 * abs(frame - FRAMES / 2)


def _halved(pixels: npt.NDArray[np.uint16]) -> Field:
    rows, columns = pixels.shape
    return np.asarray(cv2.resize(pixels, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA), np.float32)


def _breast(layer: Field) -> Field:
    """1 inside the breast, the largest bright part; the others are letters of the label."""
    bright = (layer > mammogram.AIR + 80).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(bright)
    return np.asarray(parts == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), np.float32)


def _blurred(layer: Field, inside: Field, sigma: float) -> Field:
    """Blurred within the breast, so that its border stays where it is."""
    if sigma == 0:
        return layer
    light = cv2.GaussianBlur(layer * inside, (0, 0), sigma)
    return np.asarray(light / np.maximum(cv2.GaussianBlur(inside, (0, 0), sigma), 1e-3), np.float32)


def _labelled(pixels: npt.NDArray[np.uint16], frame: int) -> npt.NDArray[np.uint16]:
    words = np.zeros(pixels.shape, np.uint8)
    lines = ("PHANTOM", "not a patient", f"{_VIEW.laterality} {_VIEW.view}", f"plane {frame + 1}")
    for number, line in enumerate(lines):
        scale = 1.3 if number != 1 else 0.75
        cv2.putText(words, line, (30, 160 + 55 * number), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 2, cv2.LINE_AA)
    return np.maximum(pixels, words.astype(np.uint16) * 10)


def dataset_of(planes: npt.NDArray[np.uint16]) -> Dataset:
    """Planes as a Breast Tomosynthesis Image (PS3.3 A.55), JPEG Lossless."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = BreastTomosynthesisImageStorage
    meta.MediaStorageSOPInstanceUID = uid_of("tomosynthesis")
    meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    patient_and_study(dataset, _VIEW, _SERIES)
    _acquisition(dataset)
    _pixels(dataset, planes)
    _dimensions(dataset)
    dataset.SharedFunctionalGroupsSequence = [_shared()]
    dataset.PerFrameFunctionalGroupsSequence = [_per_frame(index) for index in range(len(planes))]
    return dataset


def _acquisition(dataset: Dataset) -> None:
    dataset.SeriesDescription = f"Phantom {_VIEW.laterality} {_VIEW.view} tomosynthesis"
    dataset.BurnedInAnnotation = "NO"  # the label names no one
    for keyword in ("AcquisitionDate", "AcquisitionTime", "PresentationIntentType", "DerivationDescription"):
        delattr(dataset, keyword)
    dataset.ImageType = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]
    dataset.VolumetricProperties = "VOLUME"
    dataset.VolumeBasedCalculationTechnique = "TOMOSYNTHESIS"
    dataset.PixelPresentation = "MONOCHROME"
    dataset.ContentQualification = "RESEARCH"
    dataset.BodyPartExamined = "BREAST"
    dataset.FrameOfReferenceUID = uid_of("tomosynthesis frame of reference")
    dataset.PositionReferenceIndicator = ""
    code, meaning = VIEWS[_VIEW.view]
    view = code_item(code, "SCT", meaning)
    view.ViewModifierCodeSequence = []
    dataset.ViewCodeSequence = [view]
    dataset.BreastImplantPresent = "NO"
    dataset.PartialView = "NO"
    dataset.AcquisitionContextSequence = []
    dataset.ContributingSourcesSequence = [_sources()]
    dataset.XRay3DAcquisitionSequence = [_run()]


def _sources() -> Dataset:
    """The projections that a machine would have taken (PS3.3 C.8.21.2)."""
    item = Dataset()
    item.Manufacturer = "PathView"
    item.ManufacturerModelName = "Phantom generator"
    item.DeviceSerialNumber = "0"
    item.SoftwareVersions = __version__
    item.DetectorType = "DIRECT"
    item.DetectorID = "none"
    item.DateOfLastDetectorCalibration = f"{VISIT.when:%Y%m%d}"
    item.TimeOfLastDetectorCalibration = f"{VISIT.when:%H%M%S}"
    item.DetectorElementSpacing = [mammogram.SPACING_MM, mammogram.SPACING_MM]
    item.Rows, item.Columns = mammogram.ROWS, mammogram.COLUMNS
    item.BitsStored = mammogram.BITS
    item.LossyImageCompression = "00"
    return item


def _run() -> Dataset:
    """The acquisition that a machine would have made, of one projection (PS3.3 C.8.21.3)."""
    item = Dataset()
    item.FieldOfViewShape = "RECTANGLE"
    item.FieldOfViewOrigin = [0.0, 0.0]
    item.FieldOfViewDimensionsInFloat = [side * mammogram.SPACING_MM for side in (mammogram.ROWS, mammogram.COLUMNS)]
    item.XRayReceptorType = "DIGITAL_DETECTOR"
    item.DistanceSourceToDetector = item.DistanceSourceToPatient = 660
    item.EstimatedRadiographicMagnificationFactor = 1.0
    item.AnodeTargetMaterial = "TUNGSTEN"
    item.BodyPartThickness = 50
    item.CompressionForce = 100
    item.PaddleDescription = "none"
    item.ExposureControlMode = "MANUAL"
    item.ExposureControlModeDescription = "none"
    item.HalfValueLayer = 0.5
    item.FocalSpots = 0.3
    item.DetectorTemperature = 25
    item.FilterType = "NONE"
    item.FilterMaterial = "RHODIUM"
    item.KVP = 28.0
    item.ExposureTimeInms = 1000.0
    item.XRayTubeCurrentInmA = 50.0
    projection = Dataset()
    projection.PositionerPrimaryAngle = 0.0
    projection.PositionerSecondaryAngle = 0.0
    projection.XRayTubeCurrentInmA = 50.0
    projection.ExposureTimeInms = 1000.0
    projection.ExposureInmAs = 50.0
    projection.RelativeXRayExposure = 1000
    item.PerProjectionAcquisitionSequence = [projection]
    return item


def _pixels(dataset: Dataset, planes: npt.NDArray[np.uint16]) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.NumberOfFrames = len(planes)
    dataset.Rows, dataset.Columns = planes.shape[1:]
    dataset.BitsAllocated = 16
    dataset.BitsStored = mammogram.BITS
    dataset.HighBit = mammogram.BITS - 1
    dataset.PixelRepresentation = 0
    dataset.PresentationLUTShape = "IDENTITY"
    frames = [bytes(imagecodecs.ljpeg_encode(plane, bitspersample=mammogram.BITS)) for plane in planes]
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _dimensions(dataset: Dataset) -> None:
    """Frames are ordered by their place in the stack (PS3.3 C.7.6.17)."""
    uid = uid_of("tomosynthesis dimensions")
    organization, index = Dataset(), Dataset()
    organization.DimensionOrganizationUID = uid
    index.DimensionOrganizationUID = uid
    index.DimensionIndexPointer = 0x00209057  # In-Stack Position Number
    index.FunctionalGroupPointer = 0x00209111  # Frame Content Sequence
    dataset.DimensionOrganizationSequence = [organization]
    dataset.DimensionIndexSequence = [index]


def _shared() -> Dataset:
    """Functional groups that all frames have in common (PS3.3 C.7.6.16)."""
    group = Dataset()
    measures = Dataset()
    measures.PixelSpacing = [SPACING_MM, SPACING_MM]
    measures.SliceThickness = PLANE_MM
    group.PixelMeasuresSequence = [measures]
    orientation = Dataset()
    orientation.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]  # columns run to the back, rows to the left
    group.PlaneOrientationSequence = [orientation]
    anatomy = Dataset()
    anatomy.FrameLaterality = _VIEW.laterality
    anatomy.AnatomicRegionSequence = [code_item("76752008", "SCT", "Breast")]
    group.FrameAnatomySequence = [anatomy]
    transformation = Dataset()
    transformation.RescaleIntercept = 0
    transformation.RescaleSlope = 1
    transformation.RescaleType = "US"
    group.PixelValueTransformationSequence = [transformation]
    return group


def _per_frame(index: int) -> Dataset:
    group = Dataset()
    content = Dataset()
    content.FrameAcquisitionDateTime = content.FrameReferenceDateTime = f"{VISIT.when:%Y%m%d%H%M%S}"
    content.FrameAcquisitionDuration = 1000.0
    content.StackID = "1"
    content.InStackPositionNumber = index + 1
    content.DimensionIndexValues = [index + 1]
    group.FrameContentSequence = [content]
    position = Dataset()
    position.ImagePositionPatient = [0, 0, -PLANE_MM * index]
    group.PlanePositionSequence = [position]
    voi = Dataset()
    voi.WindowCenter, voi.WindowWidth = (round(_gain(index) * value) for value in _WINDOW)
    voi.WindowCenterWidthExplanation = "NORMAL"
    voi.VOILUTFunction = "LINEAR"
    group.FrameVOILUTSequence = [voi]
    kind = Dataset()
    kind.FrameType = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]
    kind.PixelPresentation = "MONOCHROME"
    kind.VolumetricProperties = "VOLUME"
    kind.VolumeBasedCalculationTechnique = "TOMOSYNTHESIS"
    group.XRay3DFrameTypeSequence = [kind]
    return group
