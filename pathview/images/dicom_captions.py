"""The captions of a DICOM image. Tags by keyword, PS3.3 sections named."""

from __future__ import annotations

import datetime
import re

from pydicom.dataset import Dataset

from pathview.images.captions import Captions, spacing_lines, view_lines
from pathview.images.dicom_header import clock, date, numbers, sequence, text
from pathview.images.source import ImageInfo

_LONGEST = 64
_ELEMENTS = {
    "MOLYBDENUM": "Mo",
    "RHODIUM": "Rh",
    "TUNGSTEN": "W",
    "SILVER": "Ag",
    "ALUMINUM": "Al",
    "ALUMINIUM": "Al",
    "COPPER": "Cu",
    "TITANIUM": "Ti",
}
_MGY_A_DGY = 100.0


def dicom_captions(dataset: Dataset, info: ImageInfo) -> Captions:
    """All lines that a header gives."""
    return Captions(_patient(dataset), view_lines(info), (*_technique(dataset), *spacing_lines(info)))


def _patient(dataset: Dataset) -> tuple[str, ...]:
    born, studied = date(dataset, "PatientBirthDate"), date(dataset, "StudyDate")
    person = (
        f"born {born}" if born else "",
        _labelled("sex", _text(dataset, "PatientSex")),
        _age(dataset, born, studied),
    )
    time = clock(dataset, "StudyTime")
    return _lines(
        _name(dataset),
        _labelled("ID", _text(dataset, "PatientID")),
        ", ".join(part for part in person if part),
        " ".join(part for part in (studied, time[:5] if time and studied else None) if part),
        _labelled("Accession", _text(dataset, "AccessionNumber")),
    )


def _name(dataset: Dataset) -> str:
    """The name as it is spoken: prefix, given, middle, family name, suffix (PS3.5 6.2.1)."""
    person = dataset.get("PatientName")
    if not person:
        return ""
    spelling = str(person).split("=")
    family, given, middle, prefix, suffix = ((next(filter(None, spelling), "")).split("^") + [""] * 5)[:5]
    return _clean(" ".join(part.strip() for part in (prefix, given, middle, family, suffix) if part.strip()))


def _age(dataset: Dataset, born: str | None, studied: str | None) -> str:
    """Age at the study: by the dates, else as stated (Patient's Age: a number and its unit)."""
    if born and studied:
        first, last = datetime.date.fromisoformat(born), datetime.date.fromisoformat(studied)
        years = last.year - first.year - ((last.month, last.day) < (first.month, first.day))
        return f"{years} years" if years >= 0 else ""
    stated = re.fullmatch(r"(\d{1,3})Y", text(dataset, "PatientAge") or "")
    return f"{int(stated[1])} years" if stated and int(stated[1]) else ""


def _technique(dataset: Dataset) -> tuple[str, ...]:
    """Exposure, anode and filter, compression, dose, equipment (PS3.3 C.8.11.4, C.8.11.7, C.8.31.1)."""
    places = [dataset, *sequence(dataset, "XRay3DAcquisitionSequence")[:1]]
    dose = _number(places, "OrganDose")
    metals = [_ELEMENTS.get(name, name.capitalize()) for name in _metals(places)]
    model = " ".join(part for part in (_text(dataset, "Manufacturer"), _text(dataset, "ManufacturerModelName")) if part)
    return _lines(
        ", ".join(part for part in (_measure(_number(places, "KVP"), "kV"), _measure(_mas(places), "mAs")) if part),
        "/".join(metals),
        ", ".join(
            part
            for part in (
                _measure(_number(places, "BodyPartThickness"), "mm"),
                _measure(_number(places, "CompressionForce"), "N"),
            )
            if part
        ),
        _measure(dose * _MGY_A_DGY if dose is not None else None, "mGy organ dose"),
        _labelled("exposure", next((mode for p in places if (mode := _text(p, "ExposureControlMode"))), "").lower()),
        _text(dataset, "StationName"),
        model,
        _labelled("detector", _text(dataset, "DetectorID")),
    )


def _mas(places: list[Dataset]) -> float | None:
    """Exposure in mAs, from the finest of the tags that state it."""
    fine = _number(places, "ExposureInuAs")
    if fine is not None:
        return fine / 1000.0
    exposure = _number(places, "ExposureInmAs")
    return exposure if exposure is not None else _number(places, "Exposure")


def _metals(places: list[Dataset]) -> list[str]:
    found = []
    for keyword in ("AnodeTargetMaterial", "FilterMaterial"):
        found += [name for place in places if (name := _text(place, keyword).upper())][:1]
    return found


def _number(places: list[Dataset], keyword: str) -> float | None:
    """The first positive number that any of the places states; zero stands for unknown in these tags."""
    stated = (numbers(place, keyword) for place in places)
    return next((values[0] for values in stated if values and values[0] > 0), None)


def _measure(value: float | None, unit: str) -> str:
    return f"{value:.3g} {unit}" if value is not None else ""


def _labelled(label: str, value: str) -> str:
    return f"{label} {value}" if value else ""


def _text(dataset: Dataset, keyword: str) -> str:
    return _clean(text(dataset, keyword) or "")


def _clean(value: str) -> str:
    """Short and on one line, whatever the file holds."""
    printable = "".join(letter if letter.isprintable() else " " for letter in value)
    return " ".join(printable.split())[:_LONGEST]


def _lines(*lines: str) -> tuple[str, ...]:
    return tuple(line for line in lines if line)
