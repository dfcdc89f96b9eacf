"""The table of formats, and :func:`open_image`, which finds the right row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pathview.errors import ImageError
from pathview.images.patches import as_idc_patch, is_patch_folder, open_patches, parse_name
from pathview.images.source import ImageSource
from pathview.settings import Settings

_HEAD = 132
_DICOMDIR = "DICOMDIR"
_DICOM_SUFFIXES = (".dcm", ".dicom")


@dataclass(frozen=True)
class Format:
    """One row: what a file must look like, and what opens it."""

    name: str
    suffixes: tuple[str, ...]
    matches: Callable[[Path, bytes], bool]
    open: Callable[[Path, Settings], ImageSource]


def _open_dicom(path: Path, settings: Settings) -> ImageSource:
    from pathview.images.dicom import open_dicom

    return open_dicom(path, settings)


def _open_slide(path: Path, settings: Settings) -> ImageSource:
    from pathview.images.slide import open_slide

    return open_slide(path, settings)


def _open_tiff(path: Path, settings: Settings) -> ImageSource:
    from pathview.images.tiff_pyramid import open_any_tiff

    return open_any_tiff(path, settings)


def _open_raster(path: Path, settings: Settings) -> ImageSource:
    from pathview.images.raster import open_raster

    image = open_raster(path, settings)
    if (named := parse_name(path)) is not None:
        return as_idc_patch(image, named[0])
    return image


def _is_slide(path: Path, head: bytes) -> bool:
    """OpenSlide is asked only about files that may be slides: asking costs an open."""
    if path.suffix.lower() not in SLIDE_SUFFIXES and head[128:132] != b"DICM":
        return False
    from pathview.images.slide import is_slide

    return is_slide(path)


def _is_dicom(path: Path, head: bytes) -> bool:
    return head[128:132] == b"DICM" or path.suffix.lower() in _DICOM_SUFFIXES


def _starts(*magics: bytes) -> Callable[[Path, bytes], bool]:
    return lambda _, head: head.startswith(magics)


SLIDE_SUFFIXES = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".tif", ".tiff", ".czi")
_TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".qptiff")

FORMATS: tuple[Format, ...] = (
    Format("slide", SLIDE_SUFFIXES, _is_slide, _open_slide),
    Format("DICOM", _DICOM_SUFFIXES, _is_dicom, _open_dicom),
    Format("TIFF", _TIFF_SUFFIXES, _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _open_tiff),
    Format("PNG", (".png",), _starts(b"\x89PNG"), _open_raster),
    Format("JPEG", (".jpg", ".jpeg"), _starts(b"\xff\xd8"), _open_raster),
    Format("BMP", (".bmp",), _starts(b"BM"), _open_raster),
    Format("Netpbm", (".pgm", ".ppm", ".pnm"), _starts(b"P2", b"P3", b"P5", b"P6"), _open_raster),
)

SUFFIXES = frozenset(suffix for row in FORMATS for suffix in row.suffixes)
"""File name endings of all formats (DICOM files may have none)."""


def open_image(path: Path, settings: Settings | None = None, mpp_um: float | None = None) -> ImageSource:
    """Open any image that PathView reads: a file, or a folder of IDC patches.

    Args:
        path: the file or folder.
        settings: limits.
        mpp_um: a pixel size that the user states; takes the place of the file's own.

    Raises:
        ImageError: missing, empty, unreadable, of another type, or damaged; the sentence says which.
    """
    source = _opened(path, settings or Settings())
    if mpp_um is not None:
        source.info = source.info.with_mpp(mpp_um)
    return source


def _opened(path: Path, settings: Settings) -> ImageSource:
    try:
        if path.is_dir():
            return open_patches(path, settings)
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError as error:
        raise ImageError(f"{path.name} does not exist.") from error
    except PermissionError as error:
        raise ImageError(f"{path.name} may not be read by this user; check its permissions.") from error
    except OSError as error:
        raise ImageError(f"{path.name} cannot be read: {error.strerror or 'input/output error'}.") from error
    if not head:
        raise ImageError(f"{path.name} is empty.")
    for row in FORMATS:
        if row.matches(path, head):
            return row.open(path, settings)
    raise ImageError(
        f"{path.name} is not an image that PathView reads (DICOM, slide, TIFF, PNG, JPEG, BMP, PGM, IDC patch folder)."
    )


def images_at(path: Path) -> tuple[list[Path], list[str]]:
    """What there is to open at a path, and a sentence for each image that is named there but cannot be had.

    Raises:
        ImageError: the path is a DICOMDIR that cannot be read.
        OSError: the path is a folder that cannot be read.
    """
    if is_dicomdir(path):
        from pathview.images.dicomdir import images_of

        return images_of(path)
    found = find_images(path)
    return found, [] if found else [f"The folder {path.name} holds no image that PathView reads."]


def find_images(path: Path) -> list[Path]:
    """What there is to open at a path: itself, what a DICOMDIR names, or what a folder holds, sorted.

    A folder of IDC patches is one image; any other folder is searched, hidden entries left out. Files
    with a known ending are taken, and those without one that begin as DICOM does.
    """
    if is_dicomdir(path):
        return images_at(path)[0]
    if not path.is_dir() or is_patch_folder(path):
        return [path]
    found: list[Path] = []
    for entry in sorted(path.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not (entry.name == "masks" and (path / "images").is_dir()):
            found += find_images(entry)
        elif entry.is_file() and (entry.suffix.lower() in SUFFIXES or _headless_dicom(entry)):
            found.append(entry)
    return found


def is_dicomdir(path: Path) -> bool:
    """Whether a file is the directory of a disc: by its name, else by what it says it is."""
    if not path.is_file():
        return False
    if path.name.upper() == _DICOMDIR:
        return True
    if path.suffix.lower() in SUFFIXES.difference(_DICOM_SUFFIXES) or not _begins_as_dicom(path):
        return False
    from pathview.images.dicomdir import is_directory_object

    return is_directory_object(path)


def _headless_dicom(path: Path) -> bool:
    if path.suffix and not path.suffix[1:].isdigit():
        return False
    return path.name.upper() != _DICOMDIR and _begins_as_dicom(path)


def _begins_as_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)[128:132] == b"DICM"
    except OSError:
        return False
