"""Content hashes: what a result was made from, and whether a model has seen an image before."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pathview.errors import ImageError
from pathview.images.patches import parse_name, patch_files

_CHUNK = 2**20
_MARKED = 2**16


def file_digests(path: Path) -> tuple[str, ...]:
    """SHA-256, in hexadecimal, of a file, or of each patch of a patch folder (sorted by file name).

    Raises:
        ImageError: the file cannot be read.
    """
    files = [file for file in patch_files(path) if parse_name(file)] if path.is_dir() else [path]
    try:
        return tuple(_digest(file) for file in files)
    except OSError as error:
        raise ImageError(f"{path.name} cannot be read: {error.strerror or 'input/output error'}.") from error


def combined(digests: tuple[str, ...]) -> str:
    """One hash for an image: its file's own, or a hash over those of its patches."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def version_of(path: Path) -> tuple[int, int]:
    """Time of the last change and size: another pair means that what was opened has to be opened anew."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def fingerprint(path: Path) -> str:
    """A quick mark of an image's content, in hexadecimal: another one means that the file was replaced.

    Over a file's size, beginning and end; over the names and sizes in a patch folder. Empty where it
    cannot be read.
    """
    hasher = hashlib.sha256()
    try:
        if path.is_dir():
            for file in patch_files(path):
                hasher.update(f"{file.name} {file.stat().st_size}\n".encode())
        else:
            size = path.stat().st_size
            hasher.update(f"{size}\n".encode())
            with path.open("rb") as opened:
                hasher.update(opened.read(_MARKED))
                opened.seek(max(0, size - _MARKED))
                hasher.update(opened.read(_MARKED))
    except (OSError, ImageError):
        return ""
    return hasher.hexdigest()[:32]


def require_unchanged(path: Path, before: str) -> None:
    """Refuse a file that is not the one that was added.

    Raises:
        ImageError: another file lies there now, or none.
    """
    now = fingerprint(path)
    if before and now and now != before:
        raise ImageError(
            f"{path.name} is another file than the one that was added to the worklist; open it again to add it anew."
        )


def _digest(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()
