from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from pathview.geometry import AS_STORED, Region, Turn
from pathview.images.dicom import open_dicom
from pathview.images.orientation import MAMMOGRAPHY_VIEWS, directions_of, turn_of
from pathview.samples.mammogram import STUDY, PhantomImage, draw
from pathview.samples.study import dataset_of
from pathview.settings import Settings
from tests.makers import breast_pixels, write_dicom

OPPOSITE = str.maketrans("APLRHF", "PARLFH")
MIRRORS = {"as is": (False, False), "left-right": (True, False), "top-bottom": (False, True), "both": (True, True)}


@pytest.fixture(scope="module")
def phantoms() -> list[PhantomImage]:
    """The phantom study as it hangs, every eighth pixel."""
    return [replace(image, pixels=image.pixels[::8, ::8].copy()) for image in (draw(view) for view in STUDY)]


def stored_otherwise(image: PhantomImage, mirror_x: bool, mirror_y: bool, transpose: bool) -> Dataset:
    """The phantom's dataset with pixels and Patient Orientation as another detector would store them."""
    pixels = image.pixels
    row, column = dataset_of(image, 1).PatientOrientation
    if mirror_x:
        pixels, row = pixels[:, ::-1], row.translate(OPPOSITE)
    if mirror_y:
        pixels, column = pixels[::-1], column.translate(OPPOSITE)
    if transpose:
        pixels, row, column = pixels.T, column, row
    dataset = dataset_of(replace(image, pixels=pixels), 1)
    dataset.PatientOrientation = [row, column]
    return dataset


@pytest.mark.parametrize("transpose", [False, True], ids=["upright", "transposed"])
@pytest.mark.parametrize("mirrors", MIRRORS.values(), ids=MIRRORS.keys())
def test_that_every_stored_orientation_hangs_alike(
    mirrors: tuple[bool, bool], transpose: bool, phantoms: list[PhantomImage], tmp_path: Path, settings: Settings
) -> None:
    for image in phantoms:
        path = tmp_path / "a.dcm"
        pydicom.dcmwrite(path, stored_otherwise(image, *mirrors, transpose), enforce_file_format=True)
        source = open_dicom(path, settings)
        stored = source.read_region(Region.whole(source.info.size))
        shown = source.info.turn.array(stored)
        assert np.array_equal(shown, image.pixels), image.view
        assert shown.shape == source.info.shown_size.shape
        assert source.info.chest_wall == ("right" if image.view.laterality == "R" else "left")
        assert source.info.notices == ()


@pytest.mark.parametrize("view", sorted(MAMMOGRAPHY_VIEWS))
def test_that_every_view_has_the_chest_wall_outside_and_feet_or_the_medial_side_down(view: str) -> None:
    down = {"R": "L", "L": "R"} if view in ("CC", "FB", "XCCL", "XCCM") else {"R": "F", "L": "F"}
    for side, right in (("R", "P"), ("L", "A")):
        assert turn_of((right, down[side]), side, view) == AS_STORED
        assert turn_of((right.translate(OPPOSITE), down[side]), side, view) == Turn(mirror_x=True)
        assert turn_of((right, down[side].translate(OPPOSITE)), side, view) == Turn(mirror_y=True)
        assert turn_of((down[side], right), side, view) == Turn(transpose=True)


def test_that_of_several_letters_the_one_that_decides_is_taken() -> None:
    assert turn_of(("P", "FL"), "R", "MLO") == AS_STORED
    assert turn_of(("P", "LF"), "R", "MLO") == AS_STORED
    assert turn_of(("PR", "HR"), "R", "MLO") == Turn(mirror_y=True)
    assert turn_of(("AFR", "FPR"), "L", "MLO") == AS_STORED
    assert turn_of(("HL", "AF"), "R", "MLO") == Turn(True, True, True)
    assert turn_of(("P", "FL"), "R", "CC") == AS_STORED


@pytest.mark.parametrize(
    "letters",
    [("A", "P"), ("F", "L"), ("A", "A"), ("AP", "F"), ("A", "X"), ("A", ""), ("A",), (), ("A", "F", "L"), ("A", "R"),
     ("AAA", "F"), ("ALFH", "F"), ("a", "f"), ("LE", "FL")],
)  # fmt: skip
def test_that_impossible_directions_turn_nothing(letters: tuple[str, ...]) -> None:
    assert turn_of(letters, "L", "MLO") is None


def test_that_a_view_from_above_needs_left_or_right() -> None:
    assert turn_of(("A", "F"), "L", "CC") is None


def test_that_direction_cosines_become_letters_in_falling_weight() -> None:
    assert directions_of([0, -1, 0, 0, 0, -1]) == ("A", "F")
    assert directions_of([0, 1, 0, 0.6, 0, -0.8]) == ("P", "FL")
    assert directions_of([0.0, -1.0, 0.0, -0.9999, 0.0, 0.01]) == ("A", "R")


@pytest.mark.parametrize(
    "cosines",
    [[], [0, 1, 0], [0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0], [0, 2, 0, 0, 0, 1], [float("nan"), 1, 0, 0, 0, 1]],
)
def test_that_no_pair_of_unit_vectors_gives_no_letters(cosines: list[float]) -> None:
    assert directions_of(cosines) is None


MLO = Dataset()
MLO.CodeValue, MLO.CodingSchemeDesignator, MLO.CodeMeaning = "399368009", "SCT", "medio-lateral oblique"


def info_of(tmp_path: Path, settings: Settings, **tags):
    tags = {"ImageLaterality": "R", "ViewCodeSequence": [MLO], "ImagerPixelSpacing": [0.1, 0.1], **tags}
    return open_dicom(write_dicom(tmp_path / "L_CC.dcm", breast_pixels(), **tags), settings).info


def plane(cosines: list[float]) -> list[Dataset]:
    """Shared functional groups of Breast Tomosynthesis."""
    orientation, group = Dataset(), Dataset()
    orientation.ImageOrientationPatient = cosines
    group.PlaneOrientationSequence = [orientation]
    return [group]


def test_that_image_orientation_stands_in_for_a_missing_patient_orientation(tmp_path: Path, settings: Settings) -> None:
    cosines = [0, -1, 0, 0.6, 0, -0.8]
    for tags in ({"ImageOrientationPatient": cosines}, {"SharedFunctionalGroupsSequence": plane(cosines)}):
        info = info_of(tmp_path, settings, **tags)
        assert (info.turn, info.chest_wall, info.notices) == (Turn(mirror_x=True), "right", ())
        odd = info_of(tmp_path, settings, PatientOrientation=["A", "P"], **tags)
        assert odd.turn == info.turn
        assert any("Image Orientation" in notice for notice in odd.notices)


def test_that_the_orientation_of_a_frame_is_read(tmp_path: Path, settings: Settings) -> None:
    frame, group = Dataset(), Dataset()
    frame.PatientOrientation = ["A", "F"]
    group.PatientOrientationInFrameSequence = [frame]
    info = info_of(tmp_path, settings, SharedFunctionalGroupsSequence=[group])
    assert info.turn == Turn(mirror_x=True)


def test_that_two_orientations_that_disagree_are_told(tmp_path: Path, settings: Settings) -> None:
    info = info_of(tmp_path, settings, PatientOrientation=["P", "F"], ImageOrientationPatient=[0, -1, 0, 0, 0, -1])
    assert info.turn == AS_STORED
    assert any("disagree" in notice for notice in info.notices)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({}, "does not state how the breast lies"),
        ({"PatientOrientation": ["", ""]}, "does not state how the breast lies"),
        ({"PatientOrientation": "A"}, "cannot be true"),
        ({"PatientOrientation": ["A", "P"]}, "cannot be true"),
        ({"PatientOrientation": ["LE", "RT"]}, "cannot be true"),
        ({"PatientOrientation": ["P", "F", "F"]}, "cannot be true"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "does not state how the breast lies"),
        ({"PatientOrientation": ["P", "F"], "ViewCodeSequence": None, "ViewPosition": "AP"}, "no standard orientation"),
    ],
)
def test_that_an_orientation_that_cannot_be_known_leaves_the_image_as_stored(
    tags: dict, words: str, tmp_path: Path, settings: Settings
) -> None:
    info = info_of(tmp_path, settings, **tags)
    assert (info.turn, info.chest_wall) == (AS_STORED, None)
    assert [notice for notice in info.notices if words in notice]


@pytest.mark.parametrize(
    "tags",
    [{"Modality": "RG"}, {"Modality": "CR"}, {"ImageLaterality": None}, {"ViewCodeSequence": None}],
    ids=["RG", "CR", "no side", "no view"],
)
def test_that_only_mammograms_of_a_known_view_are_turned(tags: dict, tmp_path: Path, settings: Settings) -> None:
    info = info_of(tmp_path, settings, PatientOrientation=["A", "H"], **tags)
    assert (info.turn, info.chest_wall) == (AS_STORED, None)


def test_that_a_real_mammogram_hangs(data_dir: Path, settings: Settings) -> None:
    source = open_dicom(data_dir / "mammograms" / "dicom" / "ge_ffdm_r_mlo.dcm", settings)
    assert (source.info.turn, source.info.chest_wall) == (AS_STORED, "right")
    shown = source.info.turn.array(source.read_region(Region.whole(source.info.size))) > 500
    assert shown[:, -200:].mean() > 3 * shown[:, :200].mean()
    assert (source.info.laterality, source.info.view, source.info.acquisition) == ("R", "MLO", "2D")
    assert (source.info.study_date, source.info.acquired) == ("2015-09-29", "2015-09-29T12:10:02")
    assert source.info.notices == ()
