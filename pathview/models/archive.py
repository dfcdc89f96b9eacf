"""A model as one file, from machine to machine: a zip of its files, a list of their hashes, and its signature.

Nothing in a file is believed before the signature and the hashes hold, nothing is unpacked by the names in it, and
nothing that runs is ever read: weights are safetensors, the rest is JSON and text.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pathview import __version__
from pathview.errors import ModelError, OutputError
from pathview.models.registry import OPTIONAL, REQUIRED, Registry, Version, folder_beside, now
from pathview.models.signing import MachineKey, fingerprint, is_signed, is_trusted, same_fingerprint, trust
from pathview.models.weights import CARD, WEIGHTS, read_manifest
from pathview.settings import Settings

SUFFIX = ".pathview-model"
_LIST, _SIGNATURE = "contents.json", "contents.sig"
_MOST_BYTES = {WEIGHTS: 2 * 2**30}
_MOST_OTHER = 64 * 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, ValueError)


class Contents(BaseModel):
    """What is in an archive; the signature is over these bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = Field(ge=1)
    """On the machine that wrote it."""
    owner: str = Field(max_length=200)
    """How whoever wrote it calls themselves."""
    key: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Their public key."""
    created: str
    title: str = Field("", max_length=200, pattern=r"^[^\x00-\x1f]*$")
    """Of the training that it came of."""
    app_version: str
    files: dict[str, str]
    """SHA-256 of each."""


@dataclass(frozen=True)
class Archive:
    """An archive whose signature and hashes hold."""

    contents: Contents
    trusted: bool
    """Whether the key is this machine's own, or somebody here trusts it."""

    @property
    def fingerprint(self) -> str:
        """Of its key, as people compare it."""
        return fingerprint(self.contents.key)

    @property
    def words(self) -> str:
        """Whose it is, in a sentence."""
        one = self.contents
        whose = f"{one.owner!r}" if one.owner else "somebody without a name"
        which = f"Version {one.version} of {one.name}{f' ({one.title})' if one.title else ''}"
        return f"{which}, signed {one.created} by {whose} with the key {self.fingerprint}."


class UnknownKey(ModelError):
    """An archive is whole, but nobody here said to trust its key."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(
            f"{archive.words} Nobody here trusts this key yet: ask its owner for these digits by another way, and "
            "trust the key if they are the same."
        )
        self.archive = archive


def is_archive(path: Path) -> bool:
    """Whether a file is meant to be an archive of a model: by its name, or by how a zip begins."""
    if path.suffix == SUFFIX:
        return True
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError:
        return False


def export_version(version: Version, target: Path, owner: str, settings: Settings) -> Archive:
    """Write a version as one signed file.

    Args:
        version: of a local model.
        target: the file, which must not be there.
        owner: how the file's reader is to know whoever wrote it.
        settings: where this machine's key lies; it is made at its first use.

    Raises:
        ModelError: the version is not whole.
        OutputError: the file is there already, or cannot be written.
    """
    version.check()
    key = MachineKey(settings)
    names = [*version.registered.files, *([CARD] if (version.folder / CARD).is_file() else [])]
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    if target.exists():
        raise OutputError(f"{target.name} is there already; give another name.")
    try:
        contents = Contents(
            name=version.name,
            version=version.number,
            owner=owner.strip(),
            key=key.public,
            created=now(),
            title=" ".join(version.title.split())[:200],
            app_version=__version__,
            files={name: _digest(version.folder / name) for name in names},
        )
        listed = contents.model_dump_json(indent=1).encode()
        with zipfile.ZipFile(beside, "x", zipfile.ZIP_STORED) as file:
            for name, content in ((_LIST, listed), (_SIGNATURE, key.sign(listed).encode())):
                file.writestr(zipfile.ZipInfo(name, _EPOCH), content)
            for name in names:
                with (version.folder / name).open("rb") as source, file.open(zipfile.ZipInfo(name, _EPOCH), "w") as out:
                    while chunk := source.read(2**20):
                        out.write(chunk)
        beside.replace(target)
    except OSError as error:
        raise OutputError(f"{target.name} cannot be written: {error.strerror or 'input/output error'}.") from error
    finally:
        beside.unlink(missing_ok=True)
    return Archive(contents, True)


def read_archive(path: Path, settings: Settings) -> Archive:
    """Check an archive's signature and hashes, and say whose it is; nothing is unpacked.

    Raises:
        ModelError: unreadable, damaged, unsigned, or holding what no archive of a model holds.
    """
    with _opened(path) as file:
        return _checked(path, file, settings)


def import_archive(path: Path, settings: Settings, who: str, trusting: str = "") -> Version:
    """Take the model of an archive in as a new version, which is not present until it is promoted.

    Args:
        path: the file.
        settings: where versions are kept.
        who: imports it.
        trusting: the fingerprint of the key that ``who`` trusts from now on; empty: only keys that are trusted already.

    Raises:
        UnknownKey: the key is not trusted.
        ModelError: see :func:`read_archive`; or the model in it cannot be used.
        OutputError: it cannot be kept.
    """
    with _opened(path) as file:
        archive = _checked(path, file, settings)
        if not archive.trusted and not same_fingerprint(trusting, archive.fingerprint):
            raise UnknownKey(archive)
        base = settings.versions_dir / archive.contents.name
        try:
            base.mkdir(parents=True, exist_ok=True)
            with folder_beside(base / "archive") as folder:
                for name in archive.contents.files:
                    (folder / name).write_bytes(_read(path, file, name))
                if read_manifest(folder).recipe.name != archive.contents.name:
                    raise _refused(path, "it calls its model by another name than its manifest")
                if not archive.trusted:
                    trust(archive.contents.key, archive.contents.owner, who, settings)
                words, contents = f"imported. {archive.words}", archive.contents
                return Registry(settings).register(folder, who, "imported", words, contents.key, contents.title)
        except OSError as error:
            raise OutputError(f"{path.name} cannot be unpacked: {error.strerror or 'input/output error'}.") from error


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        file = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise ModelError(f"The file {path.name} does not exist.") from error
    except _BROKEN as error:
        raise _refused(path, "it is no archive of a model, or damaged") from error
    with file:
        yield file


def _checked(path: Path, file: zipfile.ZipFile, settings: Settings) -> Archive:
    """What an opened archive is.

    Raises:
        ModelError: it is not one, or not as it was written.
    """
    names = [entry.filename for entry in file.infolist()]
    allowed = {_LIST, _SIGNATURE, *REQUIRED, *OPTIONAL, CARD}
    strange = next((name for name in names if name not in allowed or names.count(name) > 1), None)
    if strange is not None:
        raise _refused(path, f"it holds {Path(strange).name or 'a folder'!r}, which does not belong in a model")
    missing = next((name for name in (_LIST, *REQUIRED) if name not in names), None)
    if missing is not None:
        raise _refused(path, f"it has no {missing}")
    if _SIGNATURE not in names:
        raise _refused(path, "it is not signed")
    listed = _read(path, file, _LIST)
    try:
        contents = Contents.model_validate_json(listed)
    except ValidationError as error:
        raise _refused(path, f"its {_LIST} is damaged") from error
    if not is_signed(listed, _read(path, file, _SIGNATURE).decode("ascii", "replace"), contents.key):
        raise _refused(path, "its signature does not hold: it was changed after it was signed, or damaged")
    if set(contents.files) != set(names) - {_LIST, _SIGNATURE}:
        raise _refused(path, "its files are not those that were signed")
    for name, digest in contents.files.items():
        if hashlib.sha256(_read(path, file, name)).hexdigest() != digest:
            raise _refused(path, f"its {name} is not the one that was signed")
    return Archive(contents, is_trusted(contents.key, settings))


def _read(path: Path, file: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of a file in an archive, no more than such a file may have.

    Raises:
        ModelError: too large, or damaged.
    """
    most = _MOST_BYTES.get(name, _MOST_OTHER)
    try:
        with file.open(name) as opened:
            data = opened.read(most + 1)
    except _BROKEN as error:
        raise _refused(path, f"its {name} is damaged") from error
    if len(data) > most:
        raise _refused(path, f"its {name} is larger than {most // 2**20} MB")
    return data


def _refused(path: Path, why: str) -> ModelError:
    return ModelError(f"{path.name} is not imported: {why}.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
