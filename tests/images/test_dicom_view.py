from __future__ import annotations

import struct
from pathlib import Path

import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping
from pydicom.uid import BreastTomosynthesisImageStorage

from pathview.images.dicom import open_dicom
from pathview.images.dicom_view import MODIFIER_CODES, SPECIMEN_CODES, VIEW_CODES
from pathview.images.source import ImageInfo
from pathview.settings import Settings
from tests.makers import breast_pixels, dicom_dataset

PIXELS = breast_pixels(20, 16)
COMPLETE = {
    "ImageLaterality": "R",
    "ViewPosition": "MLO",
    "PatientOrientation": ["P", "F"],
    "ImagerPixelSpacing": [0.1, 0.1],
}


def code(value: str, *modifiers: str, scheme: str = "SCT") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "x"
    if modifiers:
        item.ViewModifierCodeSequence = [code(modifier) for modifier in modifiers]
    return item


@pytest.fixture
def read(tmp_path: Path, settings: Settings):
    """The info of a complete mammogram with some tags changed."""

    def call(pixels=PIXELS, **tags) -> ImageInfo:
        with disable_value_validation():
            dataset = dicom_dataset(pixels, **{**COMPLETE, **tags})
            pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
        return open_dicom(tmp_path / "a.dcm", settings).info

    return call


def snomed_codes(context_group: int) -> dict[str, str]:
    """Meaning by code of a context group, in SNOMED CT and SNOMED-RT."""
    meanings = {}
    for keyword in cid_concepts[context_group]["SCT"]:
        for value, (meaning, groups) in concepts["SCT"][keyword].items():
            if context_group in groups:
                meanings[value] = meanings[mapping["SCT"][value]] = meaning.lower()
    return meanings


def test_that_the_tables_hold_all_codes_of_their_context_groups() -> None:
    assert snomed_codes(4015) == MODIFIER_CODES
    assert set(snomed_codes(4014)) == set(VIEW_CODES) - {"Y-X1770", "Y-X1771"} | set(SPECIMEN_CODES)


def test_that_a_complete_mammogram_has_nothing_to_tell(read) -> None:
    info = read()
    assert info.notices == ()
    assert (info.modifiers, info.implant, info.acquisition) == ((), False, "2D")
    assert (info.overlays, info.shutter) == (False, False)


@pytest.mark.parametrize("codes", [("399163009", "399055006"), ("R-102D6", "R-102D7"), ("R-102D6", "R-102D7", "x", "")])
def test_that_modifiers_are_named_in_their_order(read, codes: tuple[str, ...]) -> None:
    info = read(ViewCodeSequence=[code("399368009", *codes)])
    assert (info.view, info.modifiers) == ("MLO", ("magnification", "spot compression"))


@pytest.mark.parametrize(
    ("factor", "found"),
    [(1.0, ()), (1.1, ()), (1.3, ("magnification",)), (1.8, ("magnification",)), (0, ()), (-2, ()), (1e9, ())],
)
def test_that_a_magnification_factor_says_magnification(read, factor: float, found: tuple[str, ...]) -> None:
    assert read(EstimatedRadiographicMagnificationFactor=factor).modifiers == found


def test_that_magnification_is_named_once(read) -> None:
    view = code("399162004", "399163009")
    assert read(ViewCodeSequence=[view], EstimatedRadiographicMagnificationFactor=1.8).modifiers == ("magnification",)


@pytest.mark.parametrize("value", SPECIMEN_CODES)
def test_that_a_specimen_is_no_view_and_needs_none(read, value: str) -> None:
    info = read(ViewCodeSequence=[code(value)], ViewPosition=None)
    assert (info.view, info.modifiers, info.notices) == (None, ("specimen",), ())


@pytest.mark.parametrize(("value", "implant"), [("YES", True), ("NO", False), ("", False), (None, False)])
def test_that_an_implant_is_known_by_its_tag(read, value: str | None, implant: bool) -> None:
    assert read(BreastImplantPresent=value).implant is implant


@pytest.mark.parametrize(
    ("image_type", "frames", "acquisition"),
    [
        (["ORIGINAL", "PRIMARY"], 1, "2D"),
        (["ORIGINAL", "PRIMARY", "TOMOSYNTHESIS"], 1, "2D"),
        (["DERIVED", "PRIMARY", "TOMO_2D", "RIGHT"], 1, "2D"),
        (["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"], 3, "tomosynthesis"),
        (["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"], 1, "synthesised 2D"),
        (["DERIVED", "PRIMARY", "TOMO", "GENERATED_2D", "", "", "", "", "150000"], 1, "synthesised 2D"),
        (["DERIVED", "PRIMARY"], 3, "2D"),
        (None, 1, "2D"),
    ],
)
def test_that_image_type_tells_the_acquisition(
    read, image_type: list[str] | None, frames: int, acquisition: str
) -> None:
    pixels = PIXELS if frames == 1 else PIXELS[None].repeat(frames, 0)
    assert read(pixels, ImageType=image_type).acquisition == acquisition


def test_that_a_tomosynthesis_object_is_read_from_its_functional_groups(read) -> None:
    anatomy, shared = Dataset(), Dataset()
    anatomy.FrameLaterality = "L"
    shared.FrameAnatomySequence = [anatomy]
    shared.ViewCodeSequence = [code("399162004", "399209000")]
    info = read(
        SOPClassUID=BreastTomosynthesisImageStorage,
        ImageLaterality=None,
        ViewPosition=None,
        PatientOrientation=["A", "R"],
        SharedFunctionalGroupsSequence=[shared],
        AcquisitionDateTime="20240229101502.500+0100",
    )
    assert (info.laterality, info.view, info.modifiers) == ("L", "CC", ("implant displaced",))
    assert (info.acquisition, info.chest_wall) == ("tomosynthesis", "left")
    assert info.acquired == "2024-02-29T10:15:02"


def test_that_a_missing_laterality_or_view_is_told(read) -> None:
    for side in (None, "B", "U"):
        assert [notice for notice in read(ImageLaterality=side).notices if "which breast" in notice]
    assert [notice for notice in read(ViewPosition=None).notices if "states no view" in notice]
    assert read(ViewPosition=None, ImageLaterality=None, Modality="OT").notices == ()


def test_that_tags_that_contradict_each_other_are_told(read) -> None:
    sides = read(Laterality="L").notices
    assert sides == ("Image Laterality says R but Laterality says L; the first was taken.",)
    anatomy, shared = Dataset(), Dataset()
    anatomy.FrameLaterality = "L"
    shared.FrameAnatomySequence = [anatomy]
    assert "Frame Laterality" in read(SharedFunctionalGroupsSequence=[shared]).notices[0]
    views = read(ViewCodeSequence=[code("399162004")], PatientOrientation=["P", "L"])
    assert views.view == "CC"
    assert views.notices == ("The view's code says CC but View Position says MLO; the first was taken.",)
    assert read(Laterality="B").notices == ()


def test_that_for_processing_is_told_first(read) -> None:
    info = read(PresentationIntentType="FOR PROCESSING", ViewPosition=None)
    assert info.for_processing
    assert info.notices[0].startswith("For Processing")


@pytest.mark.parametrize(
    ("tags", "study", "acquired"),
    [
        ({"StudyDate": "20240229", "AcquisitionDate": "20240301", "AcquisitionTime": "081502.25"},
         "2024-02-29", "2024-03-01T08:15:02"),
        ({"StudyDate": "2024.02.29", "ContentDate": "20240301", "ContentTime": "08:15:02"},
         "2024-02-29", "2024-03-01T08:15:02"),
        ({"AcquisitionDate": "20240301", "ContentDate": "20240302", "ContentTime": "0815"}, None, "2024-03-01"),
        ({"ContentDate": "20240302", "ContentTime": "0815"}, None, "2024-03-02T08:15:00"),
        ({"StudyDate": "00000000", "AcquisitionDate": "20241301", "AcquisitionTime": "99"}, None, None),
        ({"StudyDate": "yesterday", "AcquisitionDateTime": "2024"}, None, None),
        ({"AcquisitionDate": "20240301", "AcquisitionTime": "256161"}, None, "2024-03-01"),
        ({"AcquisitionDate": "20240301", "AcquisitionTime": "235960"}, None, "2024-03-01T23:59:59"),
        ({"StudyDate": "", "AcquisitionDateTime": "20240301"}, None, "2024-03-01"),
        ({}, None, None),
    ],
)  # fmt: skip
def test_that_dates_are_iso_or_unknown(read, tags: dict, study: str | None, acquired: str | None) -> None:
    info = read(**tags)
    assert (info.study_date, info.acquired) == (study, acquired)


def test_that_keys_group_series_and_copies_without_their_uids(read) -> None:
    one, other = read(SeriesInstanceUID="1.2.3", SOPInstanceUID="1.2.4"), read(SeriesInstanceUID="1.2.3")
    copy = read(SeriesInstanceUID="1.2.5", SOPInstanceUID="1.2.4")
    assert one.series_key == other.series_key != copy.series_key
    assert one.instance_key == copy.instance_key != other.instance_key
    assert len({one.study_key, one.series_key, one.instance_key}) == 3
    assert "1.2.3" not in str(one.as_json())


def test_that_overlays_and_shutters_are_seen(read, tmp_path: Path, settings: Settings) -> None:
    dataset = dicom_dataset(PIXELS, **COMPLETE)
    dataset.add_new((0x6002, 0x0010), "US", 20)
    dataset.add_new((0x6002, 0x3000), "OW", bytes(40))
    pydicom.dcmwrite(tmp_path / "o.dcm", dataset, enforce_file_format=True)
    assert open_dicom(tmp_path / "o.dcm", settings).info.overlays
    assert read(ShutterShape="RECTANGULAR").shutter
    assert read(ShutterOverlayGroup=0x6000).shutter
    assert not read(ShutterShape="").shutter
    frame, shared = Dataset(), Dataset()
    frame.ShutterShape = ["CIRCULAR", "POLYGONAL"]
    shared.FrameDisplayShutterSequence = [frame]
    assert read(SharedFunctionalGroupsSequence=[shared]).shutter


@pytest.mark.parametrize(
    "value", ["0\\0", "-1\\-1", "0.1", "abc", "0.1\\abc", "0.1\\0.1\\0.1", "1e400\\1", "94\\94", "1e-9\\1e-9", ""]
)
def test_that_an_absurd_spacing_is_no_spacing(value: str, tmp_path: Path, settings: Settings) -> None:
    data = tmp_path / "a.dcm"
    pydicom.dcmwrite(data, dicom_dataset(PIXELS, **COMPLETE), enforce_file_format=True)
    whole, old = data.read_bytes(), b"0.1\\0.1 "
    place = whole.index(old)
    new = value.encode() + b" " * (len(value) % 2)
    data.write_bytes(whole[: place - 2] + struct.pack("<H", len(new)) + new + whole[place + len(old) :])
    info = open_dicom(data, settings).info
    assert (info.spacing, info.spacing_source) == (None, None)
    assert [notice for notice in info.notices if "no pixel spacing" in notice]


def test_that_an_impossible_magnification_leaves_the_spacing(read) -> None:
    for factor in (0, -1.5, 1e9):
        info = read(EstimatedRadiographicMagnificationFactor=factor)
        assert info.spacing is not None
        assert info.spacing.row == 0.1


def test_that_a_view_code_that_is_no_sequence_is_no_view(tmp_path: Path, settings: Settings) -> None:
    dataset = dicom_dataset(PIXELS, **COMPLETE)
    dataset.add_new("ViewCodeSequence", "LO", "399162004")
    pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
    assert open_dicom(tmp_path / "a.dcm", settings).info.view == "MLO"
