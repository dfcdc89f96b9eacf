"""ImageNet weights from a disk or the network: which files there are, and where this installation keeps them.

Hospital machines have no internet, so a file is carried in and imported; Keras' own sources say which files are
genuine (their MD5 sums), and a file that they do not know is kept as just that.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pathview.errors import ModelError, OutputError
from pathview.models.h5 import memory_limit, read_layers
from pathview.settings import Settings

_BASE = "https://storage.googleapis.com/tensorflow/keras-applications"
_MEMORY = 3 * 2**30
_MAX_FILE = 2**31


@dataclass(frozen=True)
class Genuine:
    """One file that Keras' sources name, with its MD5 there (empty: they give none)."""

    backbone: str
    top: bool
    """Whether it holds the ImageNet classifier's dense layers too."""
    url: str
    md5: str

    @property
    def file(self) -> str:
        """Its name."""
        return self.url.rsplit("/", 1)[1]


def _pair(backbone: str, folder: str, stem: str, with_top: str, without: str) -> tuple[Genuine, Genuine]:
    url = f"{_BASE}/{folder}/{stem}_weights_tf_dim_ordering_tf_kernels"
    return Genuine(backbone, True, f"{url}.h5", with_top), Genuine(backbone, False, f"{url}_notop.h5", without)


_VGG16 = ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc")
_VGG19 = ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6")
_RESNET50 = ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626")
_INCEPTION = ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63")
_DENSENET = ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738")

GENUINE: tuple[Genuine, ...] = (
    *_pair("vgg16", "vgg16", "vgg16", *_VGG16),
    *_pair("vgg19", "vgg19", "vgg19", *_VGG19),
    *_pair("resnet50", "resnet", "resnet50", *_RESNET50),
    *_pair("inception-v3", "inception_v3", "inception_v3", *_INCEPTION),
    *_pair("densenet121", "densenet", "densenet121", *_DENSENET),
    Genuine("mobilenet", True, f"{_BASE}/mobilenet/mobilenet_1_0_224_tf.h5", ""),
    Genuine("mobilenet", False, f"{_BASE}/mobilenet/mobilenet_1_0_224_tf_no_top.h5", ""),
)
BACKBONES = tuple(dict.fromkeys(entry.backbone for entry in GENUINE))


class Imported(BaseModel):
    """What is kept beside an imported file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str
    file: str
    """Its name when it was imported."""
    sha256: str
    known_to_keras: bool
    """Whether Keras' own sources name a file of this MD5."""
    layers: int
    parameters: int

    def words(self) -> str:
        """For people and manifests."""
        known = "known to Keras" if self.known_to_keras else "not known to Keras"
        return f"{self.file}, SHA-256 {self.sha256}, {known}"


def import_file(path: Path, backbone: str | None, settings: Settings) -> Imported:
    """Check a file and keep a copy as the ImageNet weights of a backbone.

    Args:
        path: a Keras weights file.
        backbone: what it is of; None where its MD5 or its name tells.
        settings: say where it is kept.

    Raises:
        ModelError: no such file, not known and not told what it is of, or not plain weights.
        OutputError: it cannot be kept.
    """
    if not path.is_file():
        raise ModelError(f"{path.name} does not exist.")
    if path.stat().st_size > _MAX_FILE:
        raise ModelError(f"{path.name} is larger than any weights that PathView knows (2 GiB).")
    md5, sha256 = _digests(path)
    known = next((entry for entry in GENUINE if md5 == entry.md5), None)
    if known is None and any(entry.md5 and entry.file == path.name for entry in GENUINE):
        raise ModelError(f"{path.name} has a name of Keras' own and not its content (MD5 {md5}); copy it again.")
    of = (known.backbone if known else None) or backbone or _by_name(path.name)
    if of not in BACKBONES:
        raise ModelError(
            f"{path.name} is no file that Keras names; say what it is of (--network): {', '.join(BACKBONES)}."
        )
    if backbone is not None and backbone != of:
        raise ModelError(f"{path.name} is weights of {of}, not of {backbone}.")
    with memory_limit(_MEMORY):
        layers = read_layers(path)
    numbers = sum(array.size for layer in layers for array in layer.arrays)
    imported = Imported(
        backbone=of,
        file=path.name,
        sha256=sha256,
        known_to_keras=known is not None,
        layers=len(layers),
        parameters=numbers,
    )
    _keep(path, imported, settings)
    return imported


def import_job(path: Path, backbone: str | None, settings: Settings, progress: Any, cancel: Any) -> Imported:
    """:func:`import_file` as a job for a child."""
    return import_file(path, backbone, settings)


def kept(backbone: str, settings: Settings) -> tuple[Path, Imported] | None:
    """The imported weights of a backbone, or None.

    Raises:
        ModelError: they were changed since they were imported.
    """
    path = weights_folder(settings) / f"{backbone}.h5"
    try:
        imported = Imported.model_validate_json(path.with_suffix(".json").read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ModelError(f"The imported weights of {backbone} are damaged; import them again.") from error
    if not path.is_file() or _digests(path)[1] != imported.sha256:
        raise ModelError(f"The imported weights of {backbone} are not those that were imported; import them again.")
    return path, imported


def all_kept(settings: Settings) -> list[Imported]:
    """What was imported, by backbone; damaged entries are left out."""
    found = []
    for path in sorted(weights_folder(settings).glob("*.json")):
        try:
            found.append(Imported.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            continue
    return found


def _keep(path: Path, imported: Imported, settings: Settings) -> None:
    """The copy first, then the note that makes it valid."""
    target = weights_folder(settings) / f"{imported.backbone}.h5"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target.with_suffix(".partial"))
        target.with_suffix(".json").unlink(missing_ok=True)
        target.with_suffix(".partial").replace(target)
        target.with_suffix(".json").write_text(imported.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path.name} cannot be kept in {target.parent}: {error.strerror}.") from error


def weights_folder(settings: Settings) -> Path:
    """Where imported files are kept."""
    return settings.data_dir / "weights"


def _by_name(name: str) -> str | None:
    """The backbone in a file's name, as Keras and others write it: ``vgg16_weights...``, ``mobilenet_v1_1.0...``."""
    plain = name.lower().replace("-", "").replace("_", "")
    return next((backbone for backbone in BACKBONES if plain.startswith(backbone.replace("-", ""))), None)


def _digests(path: Path) -> tuple[str, str]:
    """MD5 (to know the file by: Keras' sources give no other) and SHA-256 in hexadecimal."""
    try:
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            file.seek(0)
            return md5, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}.") from error
