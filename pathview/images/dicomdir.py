"""DICOMDIR: the directory of a disc, and the images that it names (PS3.3 F.3, PS3.10 8)."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pydicom
from pydicom import config as pydicom_config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.uid import MediaStorageDirectoryStorage

from pathview.errors import ImageError
from pathview.images.dicom import READ_FAILURES
from pathview.images.dicom_header import numbers, sequence, text

_INACTIVE = 0
_UNDEFINED_LENGTH = 0xFFFFFFFF


def is_directory_object(path: Path) -> bool:
    """Whether a DICOM file is a directory, by its meta information; False where it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meta = pydicom.filereader.read_file_meta_info(path)
            return text(meta, "MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    except (*READ_FAILURES, InvalidDicomError):
        return False


def images_of(path: Path) -> tuple[list[Path], list[str]]:
    """The images that a DICOMDIR names, each once in its order, and a sentence for each that cannot be had.

    Raises:
        ImageError: the directory itself cannot be read.
    """
    root = path.absolute().parent
    folders = _Folders()
    files: list[Path] = []
    problems = []
    for parts in dict.fromkeys(_file_ids(path)):
        name = _printable(parts[-1])
        if not all(_is_inside(part) for part in parts):
            problems.append(f"{name}, which {path.name} names, lies outside of its folder; it is not opened.")
            continue
        found = folders.find(root, parts)
        if found is None:
            problems.append(f"{name}, which {path.name} names, does not exist; copy the whole disc again.")
        elif not found.resolve().is_relative_to(root.resolve()):
            problems.append(f"{name}, which {path.name} names, lies outside of its folder; it is not opened.")
        else:
            files.append(found)
    if not files and not problems:
        problems.append(f"{path.name} names no image.")
    return files, problems


def _file_ids(path: Path) -> list[tuple[str, ...]]:
    """Folders and file name of each image record in use."""
    try:
        with warnings.catch_warnings(), pydicom_config.disable_value_validation():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path)
            raw = dataset.get_item("DirectoryRecordSequence")
            if isinstance(raw, RawDataElement) and len(raw.value or b"") < raw.length < _UNDEFINED_LENGTH:
                raise EOFError  # pydicom reads the records that are there, and says nothing
            found = [_file_id(record) for record in sequence(dataset, "DirectoryRecordSequence")]
    except PermissionError as error:
        raise ImageError(f"{path.name} may not be read by this user; check its permissions.") from error
    except (*READ_FAILURES, InvalidDicomError) as error:
        raise ImageError(f"{path.name} is a damaged DICOM directory; open its folder instead.") from error
    if "DirectoryRecordSequence" not in dataset:
        raise ImageError(f"{path.name} is no DICOM directory, or is cut off; open its folder instead.")
    return [parts for parts in found if parts]


def _file_id(record: Dataset) -> tuple[str, ...]:
    """Empty for a record that is not of an image, or is not in use any more."""
    file_id = record.get("ReferencedFileID")
    if (
        not file_id
        or text(record, "DirectoryRecordType") != "IMAGE"
        or numbers(record, "RecordInUseFlag") == [_INACTIVE]
    ):
        return ()
    parts = list(file_id) if isinstance(file_id, (MultiValue, list, tuple)) else [file_id]
    # some writers put the whole path into one value, with the separator of their system
    return tuple(part for value in parts for part in re.split(r"[/\\]", str(value).strip()))


def _is_inside(part: str) -> bool:
    """Whether a part of a file id is a plain name, so that it cannot lead out of the folder."""
    return part not in ("", ".", "..") and not set(part) & {"/", "\\", ":", "\0"}


def _printable(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:64] or "An image"


class _Folders:
    """Finds names whatever their case: file ids are upper case, and copies of discs often are not."""

    def __init__(self) -> None:
        self._entries: dict[Path, dict[str, str]] = {}

    def find(self, folder: Path, parts: tuple[str, ...]) -> Path | None:
        """The file below a folder, as it is spelt there; None where there is none."""
        for part in parts:
            names = self._names(folder)
            name = names.get(part) or names.get(part.casefold())
            if name is None:
                return None
            folder = folder / name
        return folder if folder.is_file() else None

    def _names(self, folder: Path) -> dict[str, str]:
        """Spelling by name, and by name regardless of case and of the version that ISO 9660 appends (``;1``)."""
        if folder not in self._entries:
            try:
                spelt = sorted(entry.name for entry in folder.iterdir())
            except OSError:
                spelt = []
            loose = {re.sub(r"\.?(;\d+)?$", "", name).casefold(): name for name in spelt}
            self._entries[folder] = loose | {name: name for name in spelt}
        return self._entries[folder]
