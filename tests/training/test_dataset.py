from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.errors import DataError
from pathview.training.dataset import class_index, read_dataset
from tests.makers import write_patch_folder

CLASSES = ("negative", "idc")


def write_image(path: Path, value: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20), value, np.uint8)).save(path)
    return path


def test_that_an_idc_folder_gives_patients_and_classes(tmp_path: Path) -> None:
    for patient in ("1", "2"):
        write_patch_folder(tmp_path / patient, patient=f"{patient}_idx5")
    found = read_dataset(tmp_path, CLASSES)
    assert found.patients == ("1", "2")
    assert {sample.label for sample in found.samples} == {0, 1}
    assert len(found.samples) == 22


def test_that_images_and_masks_meet_by_name_and_the_table_tells_patients(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_image(tmp_path / "images" / f"{name}.png")
    for name in ("a", "b"):
        write_image(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "labels.csv").write_text("file,patient,type\na.png,P1,DM\nb.png,P2,CM\n")
    found = read_dataset(tmp_path, CLASSES)
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
    found = read_dataset(tmp_path, CLASSES)
    assert [(s.path.name, s.label, s.patient) for s in found.samples] == [("b.png", 1, None), ("a.png", 0, None)]


def test_that_a_csv_gives_labels_and_patients(tmp_path: Path) -> None:
    write_image(tmp_path / "x" / "a.png")
    write_image(tmp_path / "b.png")
    table = tmp_path / "list.csv"
    table.write_text("file,patient,label\nx/a.png,1,malignant\nb.png,2,0\n", encoding="utf-8-sig")
    assert [(s.patient, s.label) for s in read_dataset(table, CLASSES).samples] == [("1", 1), ("2", 0)]


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
        read_dataset(tmp_path / "list.csv", CLASSES)


def test_that_other_folders_are_told_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folders named negative and idc"):
        read_dataset(tmp_path, CLASSES)
    with pytest.raises(DataError, match="does not exist"):
        read_dataset(tmp_path / "gone", CLASSES)


def test_that_classes_go_by_name_number_or_the_usual_words() -> None:
    assert [class_index(name, CLASSES) for name in ("IDC", "negative", "1", "benign", "Malignant", "x")] == [
        1, 0, 1, 0, 1, None,
    ]  # fmt: skip


def test_that_the_real_sets_are_read(data_dir: Path) -> None:
    idc = read_dataset(data_dir / "idc", CLASSES)
    assert (len(idc.samples), len(idc.patients)) == (5925, 14)
    cesm = read_dataset(data_dir / "mammograms" / "cdd-cesm", ("background", "lesion"))
    assert (len(cesm.samples), len(cesm.patients)) == (454, 126)
    assert len(cesm.where({"type": "DM"}).samples) == 228
