from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from pathview.images.captions import Captions, captions_of
from pathview.images.dicom import open_dicom
from pathview.images.formats import open_image
from pathview.settings import Settings
from tests.makers import breast_pixels, dicom_dataset, write_patch

PIXELS = breast_pixels(20, 16)
FULL = {
    "PatientName": "Doe^Jane^Mary^Dr^MD",
    "PatientID": "12345",
    "PatientBirthDate": "19600301",
    "PatientSex": "F",
    "StudyDate": "20240229",
    "StudyTime": "101502",
    "AccessionNumber": "A-77",
    "ImageLaterality": "R",
    "ViewPosition": "MLO",
    "BreastImplantPresent": "YES",
    "PresentationIntentType": "FOR PROCESSING",
    "QualityControlSubject": "YES",
    "EstimatedRadiographicMagnificationFactor": 1.8,
    "ImagerPixelSpacing": [0.18, 0.18],
    "KVP": 28,
    "ExposureInuAs": 71400,
    "Exposure": 71,
    "AnodeTargetMaterial": "TUNGSTEN",
    "FilterMaterial": "RHODIUM",
    "BodyPartThickness": 53,
    "CompressionForce": 98.4,
    "OrganDose": 0.01521,
    "ExposureControlMode": "AUTOMATIC",
    "StationName": "MG-1",
    "Manufacturer": "Maker",
    "ManufacturerModelName": "Model 3",
    "DetectorID": "D-9",
}


@pytest.fixture
def captions(tmp_path: Path, settings: Settings):
    def call(**tags) -> Captions:
        path = tmp_path / "a.dcm"
        with disable_value_validation():
            pydicom.dcmwrite(path, dicom_dataset(PIXELS, **tags), enforce_file_format=True)
        return captions_of(open_dicom(path, settings))

    return call


def test_that_the_corners_of_a_mammogram_say_what_readers_expect(captions) -> None:
    lines = captions(**FULL)
    assert lines.patient == (
        "Dr Jane Mary Doe MD",
        "ID 12345",
        "born 1960-03-01, sex F, 63 years",
        "2024-02-29 10:15",
        "Accession A-77",
    )
    assert lines.view == ("R MLO", "magnification", "implant", "FOR PROCESSING", "PHANTOM")
    assert lines.technique == (
        "28 kV, 71.4 mAs",
        "W/Rh",
        "53 mm, 98.4 N",
        "1.52 mGy organ dose",
        "exposure automatic",
        "MG-1",
        "Maker Model 3",
        "detector D-9",
        "0.1 mm a pixel, at the detector",
    )


def test_that_what_a_file_does_not_tell_has_no_line(captions) -> None:
    assert captions(PatientName=None, PatientID=None) == Captions()


def test_that_the_technique_of_tomosynthesis_is_read_from_its_sequence(captions) -> None:
    acquisition = Dataset()
    acquisition.KVP, acquisition.ExposureInmAs, acquisition.BodyPartThickness = 31, 55.5, 47
    lines = captions(XRay3DAcquisitionSequence=[acquisition], ImageType=["DERIVED", "PRIMARY", "TOMO", "GENERATED_2D"])
    assert lines.technique == ("31 kV, 55.5 mAs", "47 mm")
    assert lines.view == ("synthesised 2D",)


@pytest.mark.parametrize(
    ("tags", "line"),
    [
        ({"PatientAge": "055Y"}, "55 years"),
        ({"PatientAge": "000Y"}, None),
        ({"PatientAge": "old"}, None),
        ({"PatientBirthDate": "19600301", "StudyDate": "20240301"}, "born 1960-03-01, 64 years"),
        ({"PatientBirthDate": "20300101", "StudyDate": "20240301"}, "born 2030-01-01"),
        ({"PatientBirthDate": "00000000", "PatientSex": "F"}, "sex F"),
    ],
)
def test_that_the_age_is_that_at_the_study(captions, tags: dict, line: str | None) -> None:
    patient = captions(PatientName=None, PatientID=None, **tags).patient
    assert (patient[0] if patient else None) == line


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Doe", "Doe"),
        ("Doe^", "Doe"),
        ("^Jane", "Jane"),
        ("=山田^太郎=", "太郎 山田"),
        ("Yamada^Tarou=山田^太郎", "Tarou Yamada"),
        ("a^b^c^d^e^f", "d b c a e"),
        ("Doe^Ja\nne", "Ja ne Doe"),
        ("x" * 200, "x" * 64),
    ],
)
def test_that_names_are_readable_whatever_their_form(captions, name: str, shown: str) -> None:
    assert captions(PatientName=name, SpecificCharacterSet="ISO_IR 192", PatientID=None).patient == (shown,)


def test_that_zero_and_text_in_numeric_tags_are_left_out(captions) -> None:
    assert captions(KVP=0, OrganDose=0, CompressionForce=0, BodyPartThickness=-5).technique == ()


def test_that_captions_are_no_part_of_what_info_prints(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.dcm"
    pydicom.dcmwrite(path, dicom_dataset(PIXELS, **FULL), enforce_file_format=True)
    printed = json.dumps(open_dicom(path, settings).info.as_json() | {"path": ""})
    assert not [word for word in ("Doe", "Jane", "12345", "A-77", "1960", "MG-1") if word in printed]


def test_that_other_formats_have_no_patient(tmp_path: Path, settings: Settings) -> None:
    lines = captions_of(open_image(write_patch(tmp_path, 101, 51, 0), settings))
    assert lines.patient == ()
    assert "9001" not in str(lines)


def test_that_a_closed_image_has_no_captions_left(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.dcm"
    pydicom.dcmwrite(path, dicom_dataset(PIXELS, **FULL), enforce_file_format=True)
    source = open_dicom(path, settings)
    source.close()
    assert captions_of(source).patient == ()
