from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.csv_cells import ASSUMED
from pathview.errors import DataError
from pathview.geometry import Size
from pathview.settings import Settings
from pathview.training.data.dataset import class_index, read_dataset
from pathview.training.data.loading import read_truth
from pathview.training.data.samples import Dataset, read_table
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe, write_dicom, write_patch_folder

CLASSES = ("negative", "idc")


def read_as(path: Path, classes: tuple[str, str], **training) -> Dataset:
    recipe = tiny_cnn_recipe(classes=classes) if not training else tiny_unet_recipe(classes=classes, training=training)
    return read_dataset(path, recipe, Settings())


def write_image(path: Path, value: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20), value, np.uint8)).save(path)
    return path


def test_that_an_idc_folder_gives_patients_and_classes(tmp_path: Path) -> None:
    for patient in ("1", "2"):
        write_patch_folder(tmp_path / patient, patient=f"{patient}_idx5")
    found = read_as(tmp_path, CLASSES)
    assert found.patients == ("1", "2")
    assert {sample.label for sample in found.samples} == {0, 1}
    assert len(found.samples) == 22


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_that_a_table_is_read_as_spreadsheets_save_it(tmp_path: Path, encoding: str) -> None:
    write_image(tmp_path / "größe.png")
    (tmp_path / "t.csv").write_bytes("file;patient;label\r\ngröße.png;Çe;idc\r\n".encode(encoding))
    found = read_as(tmp_path / "t.csv", CLASSES)
    assert [(sample.path.name, sample.patient, sample.label) for sample in found.samples] == [("größe.png", "Çe", 1)]
    assert found.notices == ((ASSUMED.format("t.csv"),) if encoding == "cp1252" else ())


def test_that_a_table_of_mixed_letters_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("file,label\nä.png,idc\n".encode() + "ö.png,idc\n".encode("cp1252"))
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_as(tmp_path / "t.csv", CLASSES)


def test_that_images_and_masks_meet_by_name_and_the_table_tells_patients(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_image(tmp_path / "images" / f"{name}.png")
    for name in ("a", "b"):
        write_image(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "labels.csv").write_text("file,patient,type\na.png,P1,DM\nb.png,P2,CM\n")
    with pytest.raises(DataError, match=r"does not say the class of 2 images, such as a\.png"):
        read_as(tmp_path, CLASSES)
    found = read_as(tmp_path, CLASSES, loss="dice")
    assert [(s.path.stem, s.patient, s.attributes["type"]) for s in found.samples] == [
        ("a", "P1", "DM"),
        ("b", "P2", "CM"),
    ]
    assert found.notices == ("1 images have no mask and are left out.",)
    assert [s.path.stem for s in found.where({"type": "CM"}).samples] == ["b"]
    with pytest.raises(DataError, match="no column 'view'"):
        found.where({"view": "CC"})


def test_that_class_folders_give_labels_but_no_patients(tmp_path: Path) -> None:
    write_image(tmp_path / "benign" / "a.png")
    write_image(tmp_path / "IDC" / "b.png")
    found = read_as(tmp_path, CLASSES)
    assert [(s.path.name, s.label, s.patient) for s in found.samples] == [("b.png", 1, None), ("a.png", 0, None)]


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_that_a_table_is_read_whatever_separates_its_columns(tmp_path: Path, separator: str, start: str) -> None:
    lines = [
        ["file", "patient", " label ", "size"],
        ["a.png", "Müller; A", "benign", "1,5"],
        ["b, c.png", "P2", "", ""],
    ]
    quoted = "\r\n".join(separator.join(f'"{cell}"' for cell in line) for line in lines)
    (tmp_path / "t.csv").write_text(start + quoted, encoding="utf-8", newline="")
    assert read_table(tmp_path / "t.csv", ("file",), "it needs file").rows == [
        {"file": "a.png", "patient": "Müller; A", "label": "benign", "size": "1,5"},
        {"file": "b, c.png", "patient": "P2", "label": "", "size": ""},
    ]


@pytest.mark.parametrize(
    ("text", "has"),
    [("Datei;Pat;Diagnose\na;b;c\n", "it has Datei, Pat, Diagnose"), ("", "its first line is empty")],
)
def test_that_wrong_columns_are_told_with_those_that_are_needed(tmp_path: Path, text: str, has: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / "t.csv", ("file",), "it needs file and label")
    assert str(caught.value) == f"t.csv has no column 'file' ({has}); it needs file and label."


def test_that_a_csv_gives_labels_and_patients(tmp_path: Path) -> None:
    write_image(tmp_path / "x" / "a.png")
    write_image(tmp_path / "b.png")
    table = tmp_path / "list.csv"
    table.write_text("file,patient,label\nx/a.png,1,malignant\nb.png,2,0\n", encoding="utf-8-sig")
    assert [(s.patient, s.label) for s in read_as(table, CLASSES).samples] == [("1", 1), ("2", 0)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,label\na.png,1\n", "no column 'file'"),
        ("file,label\ngone.png,1\n", "gone.png, which does not exist"),
        ("file,label\na.png,odd\n", "the class 'odd'"),
        ("file,patient\na.png,1\n", "neither a label nor a mask"),
        ("file,label\n", "no rows"),
    ],
)
def test_that_a_wrong_table_is_told(text: str, words: str, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_as(tmp_path / "list.csv", CLASSES)


def test_that_other_folders_are_told_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folders named negative and idc"):
        read_as(tmp_path, CLASSES)
    with pytest.raises(DataError, match="does not exist"):
        read_as(tmp_path / "gone", CLASSES)


def test_that_classes_go_by_name_number_or_the_usual_words() -> None:
    assert [class_index(name, CLASSES) for name in ("IDC", "negative", "1", "benign", "Malignant", "x")] == [
        1, 0, 1, 0, 1, None,
    ]  # fmt: skip


def test_that_the_real_sets_are_read(data_dir: Path) -> None:
    idc = read_as(data_dir / "idc", CLASSES)
    assert (len(idc.samples), len(idc.patients)) == (5925, 14)
    cesm = read_as(data_dir / "mammograms" / "cdd-cesm", ("background", "lesion"), loss="dice")
    assert (len(cesm.samples), len(cesm.patients)) == (454, 126)
    assert len(cesm.where({"type": "DM"}).samples) == 228


def test_that_breakhis_names_tell_class_type_slide_patient_and_magnification(tmp_path: Path) -> None:
    names = (
        "benign/SOB/adenosis/SOB_B_A_14-22549AB/40X/SOB_B_A-14-22549AB-40-001",
        "benign/SOB/adenosis/SOB_B_A_14-22549CD/400X/SOB_B_A-14-22549CD-400-006",
        "malignant/SOB/lobular_carcinoma/x/SOB_M_LC-14-12204-100-032",
        "malignant/other_SOB_picture",
    )
    for name in names:
        write_image(tmp_path / f"{name}.png")
    found = read_as(tmp_path, ("benign", "malignant"))
    assert [(s.patient, s.label, dict(s.attributes)) for s in found.samples] == [
        ("14-22549", 0, {"type": "adenosis", "slide": "14-22549AB", "magnification": "40"}),
        ("14-22549", 0, {"type": "adenosis", "slide": "14-22549CD", "magnification": "400"}),
        ("14-12204", 1, {"type": "lobular carcinoma", "slide": "14-12204", "magnification": "100"}),
    ]
    assert found.patients == ("14-12204", "14-22549")


def test_that_the_real_breakhis_images_are_read(data_dir: Path) -> None:
    found = read_as(data_dir / "histology" / "breakhis", ("benign", "malignant"))
    assert len(found.samples) == 8
    assert {s.attributes["magnification"] for s in found.samples} == {"400"}
    assert len(found.patients) == 7


HEADER = "patient_id,left or right breast,image view,abnormality id,pathology,image file path,cropped image file path,"


def write_cbis(folder: Path, cases: list[tuple[str, str, list[str]]]) -> Path:
    """CBIS-DDSM's layout: full image, and for each abnormality mask and crop in one folder, in either order."""
    rows = [HEADER + "ROI mask file path"]
    for patient, side, pathologies in cases:
        name = f"Mass-Training_{patient}_{side}_CC"
        full = np.full((60, 40), 900, np.uint16)
        write_dicom(folder / name / "1.3.6.1" / "2.25.9" / "1-1.dcm", full)
        for number, pathology in enumerate(pathologies, start=1):
            mask = np.zeros((60, 40), np.uint16)
            mask[10 * number : 10 * number + 5, 5:15] = 4095
            region = folder / f"{name}_{number}" / "1.3.7" / "2.25.8"
            first, second = ("1-1.dcm", "1-2.dcm") if number == 1 else ("1-2.dcm", "1-1.dcm")
            write_dicom(region / first, mask)
            write_dicom(region / second, np.full((12, 14), 100 * number, np.uint16))
            path = f"{name}_{number}/1.3.6.1.4.1.9590/1.3/00000"  # UIDs that are nowhere on the disk
            rows.append(
                f'{patient},{side},CC,{number},{pathology},{name}/1.3/9/000000.dcm,"{path}1.dcm\n","{path}0.dcm\n"'
            )
    (folder / "mass_case_description_train_set.csv").write_text("\n".join(rows) + "\n")
    return folder


CASES = [
    ("P_00001", "LEFT", ["MALIGNANT", "BENIGN"]),
    ("P_00002", "RIGHT", ["BENIGN_WITHOUT_CALLBACK"]),
    ("P_00004", "LEFT", ["BENIGN"]),
]


@pytest.mark.parametrize("column", ["mask", "masks"])
def test_that_a_table_names_outlines_in_either_number(tmp_path: Path, column: str) -> None:
    for name in ("a.png", "a-1.png", "a-2.png"):
        write_image(tmp_path / name)
    table = tmp_path / "labels.csv"
    table.write_text(f"file,patient,{column}\na.png,P1,a-1.png|a-2.png\n")
    found = read_dataset(table, tiny_unet_recipe(), Settings())
    assert [[mask.name for mask in one.masks] for one in found.samples] == [["a-1.png", "a-2.png"]]


def test_that_cbis_gives_full_images_with_all_their_masks(tmp_path: Path) -> None:
    found = read_as(write_cbis(tmp_path, CASES), ("background", "lesion"), loss="dice")
    assert [(s.patient, s.label, len(s.masks)) for s in found.samples] == [
        ("P_00001", 1, 2),
        ("P_00002", 0, 1),
        ("P_00004", 0, 1),
    ]
    assert found.samples[0].attributes["part"] == "train"
    truth = read_truth(found.samples[0], Size(40, 60), Settings())
    assert truth.sum() == 2 * 5 * 10


def test_that_cbis_gives_crops_with_their_own_pathology(tmp_path: Path) -> None:
    found = read_as(write_cbis(tmp_path, CASES), ("benign", "malignant"))
    assert [(s.patient, s.label) for s in found.samples] == [
        ("P_00001", 1),
        ("P_00001", 0),
        ("P_00002", 0),
        ("P_00004", 0),
    ]
    assert [s.path.name for s in found.samples[:2]] == ["1-2.dcm", "1-1.dcm"]  # the smaller one, whatever its name


def test_that_the_black_box_empties_the_truth_of_benign_images(tmp_path: Path) -> None:
    found = read_as(write_cbis(tmp_path, CASES), ("background", "lesion"), loss="dice", black_box=True)
    assert [(s.label, len(s.masks)) for s in found.samples] == [(1, 2), (0, 0), (0, 0)]
    for name in ("images", "masks"):
        write_image(tmp_path / "plain" / name / "a.png")
    with pytest.raises(DataError, match="which images are benign"):
        read_as(tmp_path / "plain", ("background", "lesion"), loss="dice", black_box=True)


def test_that_a_cbis_table_that_does_not_fit_is_told(tmp_path: Path) -> None:
    folder = write_cbis(tmp_path, CASES)
    table = folder / "mass_case_description_train_set.csv"
    text = table.read_text()
    table.write_text(text.replace("P_00004,LEFT", "P_00005,LEFT").replace("P_00004_LEFT", "P_00005_LEFT"))
    found = read_as(folder, ("benign", "malignant"))
    assert len(found.samples) == 3
    assert "1 images of the tables are not here" in found.notices[0]
    table.write_text(text.replace("BENIGN_WITHOUT_CALLBACK", "UNKNOWN"))
    with pytest.raises(DataError, match="the pathology 'UNKNOWN'"):
        read_as(folder, ("benign", "malignant"))
    table.write_text(text.replace("pathology", "truth"))
    with pytest.raises(DataError, match="no column 'pathology'"):
        read_as(folder, ("benign", "malignant"))
    table.write_text(text.replace("Mass-Training", "Mass-Test"))
    with pytest.raises(DataError, match="none of the images"):
        read_as(folder, ("benign", "malignant"))
