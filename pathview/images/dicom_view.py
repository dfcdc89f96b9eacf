"""What a DICOM header says about the view of a breast. Tags by keyword, PS3.3 sections named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import BreastTomosynthesisImageStorage

from pathview.geometry import AS_STORED, Turn
from pathview.images import orientation
from pathview.images.dicom_header import functional, magnification, numbers, sequence, text
from pathview.images.orientation import MAMMOGRAPHY_VIEWS, ChestWall
from pathview.images.source import Acquisition

VIEW_CODES = {
    "399368009": "MLO",
    "R-10226": "MLO",
    "399162004": "CC",
    "R-10242": "CC",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "R-10230": "LMO",
    "399196006": "FB",
    "R-10244": "FB",
    "399188001": "SIO",
    "R-102D0": "SIO",
    "441555000": "ISO",
    "R-40AAA": "ISO",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "Y-X1770": "XCCL",
    "399101009": "XCCM",
    "R-1024B": "XCCM",
    "Y-X1771": "XCCM",
}
"""View codes of mammography (PS3.16 CID 4014), of SNOMED CT and the older SNOMED-RT, to the names readers use."""

SPECIMEN_CODES = ("127457009", "G-8310")

MODIFIER_CODES = {
    "399161006": "cleavage",
    "R-102D2": "cleavage",
    "399011000": "axillary tail",
    "R-102D1": "axillary tail",
    "399197002": "rolled lateral",
    "R-102D3": "rolled lateral",
    "399226006": "rolled medial",
    "R-102D4": "rolled medial",
    "414493004": "rolled inferior",
    "R-102CA": "rolled inferior",
    "415670009": "rolled superior",
    "R-102C9": "rolled superior",
    "399209000": "implant displaced",
    "R-102D5": "implant displaced",
    "399163009": "magnification",
    "R-102D6": "magnification",
    "399055006": "spot compression",
    "R-102D7": "spot compression",
    "399110001": "tangential",
    "R-102C2": "tangential",
    "442581004": "nipple in profile",
    "R-40AB3": "nipple in profile",
    "441752004": "anterior compression",
    "P2-00161": "anterior compression",
    "442593008": "infra-mammary fold",
    "R-40ABE": "infra-mammary fold",
    "442580003": "axillary tissue",
    "R-40AB2": "axillary tissue",
}
"""View modifier codes (PS3.16 CID 4015), of SNOMED CT and the older SNOMED-RT."""

_MAGNIFIED = 1.3
"""Breasts lie a little above the detector in contact views too, which comes to factors up to about 1.1."""


@dataclass(frozen=True)
class BreastView:
    """The fields of :class:`pathview.images.source.ImageInfo` that are about the view."""

    laterality: str | None
    view: str | None
    modifiers: tuple[str, ...]
    implant: bool
    acquisition: Acquisition
    turn: Turn
    chest_wall: ChestWall | None
    notices: tuple[str, ...]


def breast_view(dataset: Dataset) -> BreastView:
    """All that a header says about the view; notices are for mammograms alone."""
    side, name = laterality(dataset), view(dataset)
    particular = modifiers(dataset)
    turn, wall, notices = AS_STORED, None, list[str]()
    if text(dataset, "Modality") == "MG" or _is_tomosynthesis_object(dataset):
        notices = [*_missing(side, name, particular), *_contradictions(dataset)]
        if side and name:
            turn, wall, told = _hanging(dataset, side, name)
            notices += told
    elif text(dataset, "Modality") == "RG" and side:
        notices = ["The file does not tell how the breast lies, so it is shown as it is stored."]
    return BreastView(
        laterality=side,
        view=name,
        modifiers=particular,
        implant=text(dataset, "BreastImplantPresent") == "YES",
        acquisition=acquisition(dataset),
        turn=turn,
        chest_wall=wall,
        notices=tuple(notices),
    )


def laterality(dataset: Dataset) -> str | None:
    """``L`` or ``R``: of the image, else the frame anatomy, else the series (never the file name)."""
    found = next((side for _, side in _lateralities(dataset)), None)
    return found if found in ("L", "R") else None


def view(dataset: Dataset) -> str | None:
    """The view's short name by its code (PS3.3 C.8.11.7, C.8.21.6), else View Position."""
    return _coded_view(dataset) or text(dataset, "ViewPosition")


def modifiers(dataset: Dataset) -> tuple[str, ...]:
    """What is particular about the view, each once: by code, by the magnification factor, or ``specimen``."""
    items = _view_items(dataset)
    codes = [text(code, "CodeValue") or "" for item in items for code in sequence(item, "ViewModifierCodeSequence")]
    found = [MODIFIER_CODES[code] for code in codes if code in MODIFIER_CODES]
    if magnification(dataset) >= _MAGNIFIED:
        found.append("magnification")
    if any(text(item, "CodeValue") in SPECIMEN_CODES for item in items):
        found.append("specimen")
    return tuple(dict.fromkeys(found))


def acquisition(dataset: Dataset) -> Acquisition:
    """How the image came about, by SOP class and Image Type (PS3.3 C.8.11.7, C.8.21.6)."""
    kinds = _values(dataset, "ImageType")
    if "GENERATED_2D" in kinds:
        return "synthesised 2D"
    several = (numbers(dataset, "NumberOfFrames") or [1.0])[0] > 1
    if _is_tomosynthesis_object(dataset) or (several and {"TOMOSYNTHESIS", "TOMO"} & set(kinds)):
        return "tomosynthesis"
    return "2D"


def _is_tomosynthesis_object(dataset: Dataset) -> bool:
    return text(dataset, "SOPClassUID") == BreastTomosynthesisImageStorage


def _view_items(dataset: Dataset) -> list[Dataset]:
    """Items of the View Code Sequence, at the top or, where there is none, among the functional groups."""
    items = sequence(dataset, "ViewCodeSequence")
    grouped = None if items else functional(dataset, 0, "ViewCodeSequence")
    return [grouped] if grouped is not None else items


def _coded_view(dataset: Dataset) -> str | None:
    names = (VIEW_CODES.get(text(item, "CodeValue") or "") for item in _view_items(dataset))
    return next((name for name in names if name), None)


def _lateralities(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Each tag that states a laterality, by weight, and what it states."""
    anatomy = functional(dataset, 0, "FrameAnatomySequence")
    for place, keyword, title in (
        (dataset, "ImageLaterality", "Image Laterality"),
        (anatomy, "FrameLaterality", "Frame Laterality"),
        (dataset, "Laterality", "Laterality"),
    ):
        if place is not None and (value := text(place, keyword)):
            yield title, value


def _missing(side: str | None, name: str | None, particular: tuple[str, ...]) -> list[str]:
    notices = []
    if side is None:
        notices.append("The file does not state which breast this is, so the image hangs apart from its pair.")
    if name is None and "specimen" not in particular:
        notices.append("The file states no view, so the image hangs apart from its pair.")
    return notices


def _contradictions(dataset: Dataset) -> list[str]:
    notices = []
    stated = [(title, side) for title, side in _lateralities(dataset) if side in ("L", "R")]
    for title, side in stated[1:]:
        if side != stated[0][1]:
            notices.append(f"{stated[0][0]} says {stated[0][1]} but {title} says {side}; the first was taken.")
    coded, position = _coded_view(dataset), text(dataset, "ViewPosition")
    if coded and position in MAMMOGRAPHY_VIEWS and position != coded:
        notices.append(f"The view's code says {coded} but View Position says {position}; the first was taken.")
    return notices


def _hanging(dataset: Dataset, side: str, name: str) -> tuple[Turn, ChestWall | None, list[str]]:
    """The turn, the chest wall's edge, and what the reader should know of them."""
    if name not in MAMMOGRAPHY_VIEWS:
        return AS_STORED, None, ["This view has no standard orientation, so the image is shown as stored."]
    letters = _patient_orientation(dataset)
    measured_letters = orientation.directions_of(_cosines(dataset))
    stated = orientation.turn_of(letters, side, name)
    measured = orientation.turn_of(measured_letters, side, name) if measured_letters else None
    turn, notice = stated or measured, None
    if turn is None and letters:
        notice = "Patient Orientation cannot be true of this view, so the image is shown as stored."
    elif turn is None:
        notice = "The file does not state how the breast lies in the image, so it is shown as stored."
    elif stated is None and letters:
        notice = "Patient Orientation cannot be true of this view; the image hangs by Image Orientation (Patient)."
    elif stated and measured and stated != measured:
        notice = "Patient Orientation and Image Orientation (Patient) disagree; the image hangs by the first."
    wall = orientation.chest_wall(side) if turn else None
    return turn or AS_STORED, wall, [notice] if notice else []


def _patient_orientation(dataset: Dataset) -> list[str]:
    """Directions of rows and columns: at the top (PS3.3 C.7.6.1.1.1), else of the frame (C.7.6.16.2.15)."""
    frame = functional(dataset, 0, "PatientOrientationInFrameSequence")
    letters = _values(dataset, "PatientOrientation")
    return letters or (_values(frame, "PatientOrientation") if frame is not None else [])


def _cosines(dataset: Dataset) -> list[float]:
    """Image Orientation (Patient): at the top (PS3.3 C.7.6.2.1.1), else of the plane (C.7.6.16.2.4)."""
    plane = functional(dataset, 0, "PlaneOrientationSequence")
    return numbers(dataset, "ImageOrientationPatient") or (
        numbers(plane, "ImageOrientationPatient") if plane is not None else []
    )


def _values(dataset: Dataset, keyword: str) -> list[str]:
    """All values of a code string; empty where there is none, or none that says anything."""
    value = dataset.get(keyword)
    if value is None:
        return []
    parts = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    found = [str(part).strip().upper() for part in parts]
    return found if any(found) else []
