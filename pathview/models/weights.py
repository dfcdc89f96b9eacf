"""Weights on disk: a manifest and a safetensors file, both checked before a number is used.

safetensors holds names, types, shapes and numbers and nothing that runs, links or unpacks. What is in
the file must be exactly what the architecture, built by this program, asks for.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from pathview.errors import ModelError, OutputError
from pathview.models.recipe import Recipe

MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
CARD = "card.md"
SEEN = "seen.json"
_MAX_BYTES = 2 * 2**30

Tensors = dict[str, npt.NDArray[np.float32]]


class Manifest(BaseModel):
    """What a folder of weights says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    recipe: Recipe
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the weights file."""
    version: str
    """Of the program that wrote it."""
    created: str
    """UTC, ISO 8601."""
    seed: int | None = None
    epochs: int | None = None
    initial: str = ""
    """File and SHA-256 of the weights that the backbone started from; empty: random ones."""
    data: str = ""
    """Name of the data set and its licence."""
    metrics: dict[str, Any] = {}
    """The test set's figures, as ``pathview evaluate`` prints them."""


class Seen(BaseModel):
    """Which images the training saw: beginnings of the SHA-256 of their files, by part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: frozenset[str] = frozenset()
    validation: frozenset[str] = frozenset()
    test: frozenset[str] = frozenset()

    def part_of(self, digest: str) -> str | None:
        """``train``, ``validation``, ``test`` or None for an image's full SHA-256."""
        key = digest[:SEEN_DIGITS]
        return next((part for part in ("train", "validation", "test") if key in getattr(self, part)), None)


SEEN_DIGITS = 12
"""Hexadecimal digits kept of each image's hash: 48 bits, no chance match in a million images."""


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a model folder.

    Raises:
        ModelError: missing or wrong.
    """
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise ModelError(f"The model {folder.name} has no readable {MANIFEST}.") from error
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ModelError(f"The model {folder.name} has a damaged {MANIFEST} ({place}); install it again.") from error


def read_seen(folder: Path) -> Seen:
    """The list of images that the training saw; empty where the model has none."""
    path = folder / SEEN
    if not path.is_file():
        return Seen()
    try:
        return Seen.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError(f"The model {folder.name} has a damaged {SEEN}; install it again.") from error


def read_weights(folder: Path, manifest: Manifest, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Checked weights as float32, by variable path.

    Args:
        folder: of the model.
        manifest: its manifest.
        shapes: what the architecture asks for.

    Raises:
        ModelError: missing, too large, changed since the manifest was written, or of another network.
    """
    data = _read_bytes(folder, manifest)
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"The weights of {manifest.recipe.name} are damaged; install the model again.") from error
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if found != dict(shapes):
        differing = sorted(set(found.items()) ^ set(shapes.items()))[0][0]
        raise ModelError(f"The weights of {manifest.recipe.name} do not fit its network (first at {differing}).")
    if any(tensor.dtype.kind != "f" for tensor in tensors.values()):
        raise ModelError(f"The weights of {manifest.recipe.name} are not floating-point numbers.")
    full = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    if not all(np.isfinite(tensor).all() for tensor in full.values()):
        raise ModelError(f"The weights of {manifest.recipe.name} hold values that are no numbers; train it again.")
    return full


def _read_bytes(folder: Path, manifest: Manifest) -> bytes:
    """The weights file, if it is the one that the manifest names.

    Raises:
        ModelError: missing, too large, or another.
    """
    path = folder / WEIGHTS
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ModelError(f"The weights of {folder.name} are {size / 2**30:.1f} GiB; the limit is 2 GiB.")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model {folder.name} has no readable {WEIGHTS}.") from error
    if hashlib.sha256(data).hexdigest() != manifest.sha256:
        raise ModelError(
            f"The weights of {folder.name} are not those that its manifest names (SHA-256 differs); install it again."
        )
    return data


def check_folder(folder: Path, parameters: int | None = None) -> Manifest:
    """Verify hash, header, count and finiteness without building the network (``models verify``).

    Raises:
        ModelError: the first thing that is wrong.
    """
    manifest = read_manifest(folder)
    shapes = header_shapes(_read_bytes(folder, manifest))
    read_weights(folder, manifest, shapes)
    if parameters is not None and parameter_count(shapes) != parameters:
        raise ModelError(
            f"The weights of {folder.name} are {parameter_count(shapes):,} numbers; its network has {parameters:,}."
        )
    read_seen(folder)
    return manifest


def header_shapes(data: bytes) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a safetensors file's own header."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError("The header of a weights file is damaged; install the model again.") from error


def write_model(folder: Path, recipe: Recipe, tensors: Tensors, seen: Seen, **facts: Any) -> Manifest:
    """Write weights, then the list of seen images, then the manifest that makes them valid.

    Kernels are kept in half precision; in single are vectors (the small variances of batch normalisation
    underflow in half) and the last layer's kernel (one fitted to features of any scale may be tiny or huge).

    Raises:
        OutputError: the folder cannot be written.
    """
    packed = {name: _packed(name, tensor) for name, tensor in tensors.items()}
    data = save_tensors(packed)
    manifest = Manifest(recipe=recipe, sha256=hashlib.sha256(data).hexdigest(), **facts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS).write_bytes(data)
        seen_lists = {part: sorted(getattr(seen, part)) for part in ("train", "validation", "test")}
        (folder / SEEN).write_text(json.dumps(seen_lists) + "\n", encoding="utf-8")
        write_manifest(folder, manifest)
    except OSError as error:
        raise OutputError(f"The model cannot be written to {folder.name}: {error.strerror}.") from error
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write or replace the manifest alone."""
    text = manifest.model_dump_json(indent=2, exclude_defaults=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _packed(name: str, tensor: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    if tensor.ndim < 2 or name.startswith("logits/"):
        return np.ascontiguousarray(tensor, dtype=np.float32)
    with np.errstate(over="ignore"):
        half = np.ascontiguousarray(tensor, dtype=np.float16)
    if not np.isfinite(half).all():
        return np.ascontiguousarray(tensor, dtype=np.float32)
    return half


def parameter_count(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many numbers there are in all."""
    return sum(math.prod(shape) for shape in shapes.values())
