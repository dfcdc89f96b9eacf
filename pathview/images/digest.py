"""Content hashes: what a result was made from, and whether a model has seen an image before."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pathview.errors import ImageError
from pathview.images.patches import parse_name, patch_files

_CHUNK = 2**20


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


def _digest(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()
