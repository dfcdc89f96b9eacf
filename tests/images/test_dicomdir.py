from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from pathview.errors import ImageError
from pathview.images.dicomdir import images_of
from pathview.images.formats import find_images, images_at, is_dicomdir
from pathview.review.intake import expand
from tests.makers import breast_pixels, write_dicom

IDS = [["IMAGES", "IM0001"], ["IMAGES", "IM0002"]]


def record(file_id: list[str] | str | None, kind: str = "IMAGE", in_use: int = 0xFFFF) -> Dataset:
    """A directory record; the file id may be one that the standard forbids."""
    item = Dataset()
    item.OffsetOfTheNextDirectoryRecord, item.RecordInUseFlag, item.OffsetOfReferencedLowerLevelDirectoryEntity = (
        0,
        in_use,
        0,
    )
    item.DirectoryRecordType = kind
    if file_id is not None:
        with disable_value_validation():
            item.ReferencedFileID = file_id
    return item


def write_directory(path: Path, records: list[Dataset]) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MediaStorageDirectoryStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.FileSetID = "DISC"
    dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    dataset.FileSetConsistencyFlag = 0
    dataset.DirectoryRecordSequence = records
    path.parent.mkdir(parents=True, exist_ok=True)
    with disable_value_validation():
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A disc of two images, a report that is no image, a record that was deleted, and an image it does not name."""
    folder = tmp_path / "disc"
    for file_id in (*IDS, ["IMAGES", "IM0003"]):
        write_dicom(folder.joinpath(*file_id), breast_pixels(20, 16))
    images = [record(file_id) for file_id in (*IDS, IDS[0])]
    others = [record(["REPORTS", "SR1"], "SR DOCUMENT"), record(["IMAGES", "GONE"], in_use=0)]
    write_directory(folder / "DICOMDIR", [record(None, "PATIENT"), *images, *others])
    return folder


def test_that_a_dicomdir_stands_for_the_images_that_it_names(disc: Path) -> None:
    files, problems = expand([disc / "DICOMDIR"])
    assert files == [disc / "IMAGES" / "IM0001", disc / "IMAGES" / "IM0002"]
    assert problems == []
    assert find_images(disc / "DICOMDIR") == files


def test_that_its_folder_is_searched_as_any_and_each_image_taken_once(disc: Path) -> None:
    whole = [disc / "IMAGES" / f"IM000{number}" for number in (1, 2, 3)]
    assert expand([disc]) == (whole, [])
    assert expand([disc / "DICOMDIR", disc]) == (whole, [])


def test_that_a_relative_path_gives_the_same_files(disc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(disc)
    assert expand([Path("DICOMDIR"), Path()])[0] == expand([disc])[0]


@pytest.mark.parametrize("names", [("images", "im0001"), ("Images", "Im0001"), ("IMAGES", "IM0001.;1")])
def test_that_copies_may_spell_names_otherwise(names: tuple[str, str], tmp_path: Path) -> None:
    write_dicom(tmp_path.joinpath(*names), breast_pixels(20, 16))
    path = write_directory(tmp_path / "dicomdir", [record(IDS[0])])
    assert is_dicomdir(path)
    assert images_at(path) == ([tmp_path.joinpath(*names)], [])


def test_that_a_path_in_one_value_is_understood(disc: Path) -> None:
    write_directory(disc / "DICOMDIR", [record("IMAGES/IM0002")])
    assert images_of(disc / "DICOMDIR")[0] == [disc / "IMAGES" / "IM0002"]


def test_that_each_missing_file_is_told_and_the_others_are_taken(disc: Path) -> None:
    records = [record(["IMAGES", name]) for name in ("NONE1", "IM0002", "NONE2")] + [record(["NO", "IM0001"])]
    write_directory(disc / "DICOMDIR", [*records, record("IMAGES")])
    files, problems = expand([disc / "DICOMDIR"])
    assert files == [disc / "IMAGES" / "IM0002"]
    assert [problem.split(",")[0] for problem in problems] == ["NONE1", "NONE2", "IM0001", "IMAGES"]
    assert all(problem.endswith("does not exist; copy the whole disc again.") for problem in problems)


@pytest.mark.parametrize(
    "file_id",
    [["..", "secret.dcm"], ["IMAGES", "..", "..", "secret.dcm"], "../secret.dcm", "/secret.dcm", "C:/secret.dcm",
     ["IMAGES", "", "IM0001"], [".", "IMAGES", "IM0001"], ["IMAGES", "link", "secret.dcm"], ["IMAGES", "leak"]],
    ids=str,
)  # fmt: skip
def test_that_a_file_outside_of_the_folder_is_refused(file_id: list[str] | str, disc: Path) -> None:
    write_dicom(disc.parent / "secret.dcm", breast_pixels(20, 16))
    (disc / "IMAGES" / "link").symlink_to(disc.parent)
    (disc / "IMAGES" / "leak").symlink_to(disc.parent / "secret.dcm")
    write_directory(disc / "DICOMDIR", [record(file_id)])
    files, problems = expand([disc / "DICOMDIR"])
    assert files == []
    assert len(problems) == 1
    assert "lies outside of its folder" in problems[0]


def test_that_a_directory_of_no_image_is_told(disc: Path) -> None:
    write_directory(disc / "DICOMDIR", [record(None, "PATIENT"), record("SR1", "SR DOCUMENT")])
    assert expand([disc / "DICOMDIR"]) == ([], ["DICOMDIR names no image."])


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 200])
def test_that_what_only_bears_the_name_is_told_in_a_sentence(content: bytes, disc: Path) -> None:
    (disc / "DICOMDIR").write_bytes(content)
    files, problems = expand([disc / "DICOMDIR", disc / "IMAGES"])
    assert len(files) == 3
    assert len(problems) == 1
    assert problems[0].startswith("DICOMDIR is ")


def test_that_an_image_of_that_name_is_told(disc: Path) -> None:
    shutil.copy(disc / "IMAGES" / "IM0001", disc / "DICOMDIR")
    with pytest.raises(ImageError, match="no DICOM directory"):
        images_of(disc / "DICOMDIR")


@pytest.mark.parametrize("undefined", [False, True], ids=["length", "delimiters"])
def test_that_a_cut_off_directory_is_damaged_and_loses_nothing_silently(undefined: bool, disc: Path) -> None:
    dataset = pydicom.dcmread(disc / "DICOMDIR")
    dataset["DirectoryRecordSequence"].is_undefined_length = undefined
    pydicom.dcmwrite(disc / "DICOMDIR", dataset)
    whole = (disc / "DICOMDIR").read_bytes()
    for end in range(140, len(whole) - 1, 7):
        (disc / "DICOMDIR").write_bytes(whole[:end])
        files, problems = expand([disc / "DICOMDIR"])
        assert problems or len(files) == 2, end


def test_that_no_damaged_byte_raises_anything_but_a_known_error(disc: Path) -> None:
    whole = (disc / "DICOMDIR").read_bytes()
    for place in range(132, len(whole), 3):
        for value in (0, 0x5C, 0xFF):
            damaged = bytearray(whole)
            damaged[place] = value
            (disc / "DICOMDIR").write_bytes(damaged)
            files, _ = expand([disc / "DICOMDIR"])
            assert all(file.is_relative_to(disc) for file in files)


def test_that_a_huge_length_is_told(disc: Path) -> None:
    whole = (disc / "DICOMDIR").read_bytes()
    place = whole.index(struct.pack("<HH", 0x0004, 0x1220)) + 8
    (disc / "DICOMDIR").write_bytes(whole[:place] + b"\xfe\xff\xff\x7f" + whole[place + 4 :])
    assert len(expand([disc / "DICOMDIR"])[1]) == 1


@pytest.mark.parametrize(
    "name", ["DICOMDIR", "DICOMDIR-implicit", "DICOMDIR-bigEnd", "DICOMDIR-nopatient", "DICOMDIR-nooffset"]
)
def test_that_pydicoms_own_directories_are_read(name: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("not in this wheel of pydicom")
    assert is_dicomdir(Path(path))
    files, problems = expand([Path(path)])
    assert len(files) + len(problems) > 20
    assert files


def test_that_only_a_directory_is_taken_for_one(disc: Path, tmp_path: Path) -> None:
    renamed = shutil.copy(disc / "DICOMDIR", disc / "INDEX.dcm")
    assert is_dicomdir(renamed)
    for path in (disc / "IMAGES" / "IM0001", disc, tmp_path / "gone"):
        assert not is_dicomdir(path)
