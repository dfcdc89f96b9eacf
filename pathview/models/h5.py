"""Reading Keras' weight files as numbers: both its formats, nothing run, no link followed, sizes checked first.

A foreign file can name other files (links, external storage, virtual data sets), promise terabytes in a few
bytes, or carry code (a ``Lambda`` in its configuration). Here a file is a tree of named arrays of floating-point
numbers and nothing else; its configuration is not even looked at.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.errors import ModelError

Array = npt.NDArray[np.float32]
_MAX_BYTES = 2**31
"""All arrays of a file together; VGG19 with its dense layers takes 575 MB."""
_MAX_LAYERS = 5000
_MAX_ARRAYS = 16
"""Arrays of one layer."""


@dataclass(frozen=True)
class LayerWeights:
    """One layer's arrays as the file orders them."""

    name: str
    kind: str
    """Its type as Keras writes it (``depthwise_conv2d``); empty where the format does not tell."""
    arrays: tuple[Array, ...]


def read_layers(path: Path) -> list[LayerWeights]:
    """All layers with weights, in the order of the network that wrote them.

    Args:
        path: a Keras 3 ``.weights.h5`` or an older ``.h5`` of weights, or of a model, whose configuration is
            ignored.

    Raises:
        ModelError: unreadable, damaged, of another kind, or holding anything but plain arrays of finite numbers.
    """
    import h5py

    if zipfile.is_zipfile(path):
        raise ModelError(f"{path.name} is a Keras model archive, which can carry code; give its weights (.h5) alone.")
    try:
        with h5py.File(path, "r") as file:
            reader = _Reader(path, h5py)
            reader.refuse_code(file)
            root = reader.group(file, "model_weights") if "model_weights" in file else file
            layers = list(reader.keras2(root) if "layer_names" in root.attrs else reader.keras3(root))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, UnicodeDecodeError, MemoryError) as error:
        raise ModelError(
            f"{path.name} cannot be read as Keras weights; it is damaged, cut off, or of another kind."
        ) from error
    if not layers:
        raise ModelError(f"{path.name} holds no layer with weights.")
    return layers


class _Reader:
    """Walks one file by names that it checks, and counts what it reads."""

    def __init__(self, path: Path, h5py: Any) -> None:
        self._path = path
        self._h5py = h5py
        self._bytes = 0

    def refuse_code(self, file: Any) -> None:
        """A model's configuration is never read by Keras here; one with code in it is no file to trust at all."""
        if "Lambda" in str(file.attrs.get("model_config", "")):
            raise self._refused("code (a Lambda layer)")

    def keras2(self, root: Any) -> Iterator[LayerWeights]:
        """``layer_names`` in order, each a group with its ``weight_names``."""
        for name in self._names(root, "layer_names", _MAX_LAYERS):
            layer = self.group(root, name)
            arrays = []
            for weight in self._names(layer, "weight_names", _MAX_ARRAYS):
                *folders, leaf = weight.split("/")
                holder = layer
                for folder in folders:
                    holder = self.group(holder, folder)
                arrays.append(self._array(holder, leaf))
            if arrays:
                yield LayerWeights(name, "", tuple(arrays))

    def keras3(self, root: Any) -> Iterator[LayerWeights]:
        """``layers/<kind>[_<number>]/vars/<n>``; kinds are numbered apart from each other."""
        layers = self.group(root, "layers")
        if len(layers) > _MAX_LAYERS:
            raise self._refused("too many layers")
        for name in layers:
            match = re.fullmatch(r"([a-z0-9_]+?)(?:_(\d+))?", name)
            layer = self.group(layers, name)
            if match is None or "vars" not in layer:
                continue
            variables = self.group(layer, "vars")
            if len(variables) > _MAX_ARRAYS:
                raise self._refused("too many arrays in one layer")
            arrays = tuple(self._array(variables, str(index)) for index in range(len(variables)))
            if arrays:
                yield LayerWeights(f"{match[1]}_{int(match[2] or 0)}", match[1], arrays)

    def group(self, parent: Any, name: str) -> Any:
        """A group inside this file."""
        self._plain(parent, name)
        found = parent[name]
        if not isinstance(found, self._h5py.Group):
            raise self._refused("something else where a layer should be")
        return found

    def _array(self, parent: Any, name: str) -> Array:
        self._plain(parent, name)
        data = parent[name]
        if not isinstance(data, self._h5py.Dataset) or data.dtype.kind != "f" or data.dtype.itemsize > 8:
            raise self._refused("something that is no layer's weights")
        if data.external or data.is_virtual:
            raise self._refused("data that lie in another file")
        self._bytes += data.size * 4
        if self._bytes > _MAX_BYTES:
            raise self._refused(f"more than {_MAX_BYTES // 2**30} GiB of numbers")
        array = np.asarray(data[()], np.float32)
        if not np.isfinite(array).all():
            raise self._refused("values that are no numbers")
        return array

    def _names(self, group: Any, attribute: str, most: int) -> list[str]:
        shape = group.attrs.get_id(attribute).shape
        if shape is None or len(shape) != 1 or shape[0] > most:
            raise self._refused(f"a list of names ({attribute}) that is none")
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]]
        if any(not name or name.startswith(("/", ".")) or "/." in name for name in names):
            raise self._refused("names that lead out of their layer")
        return names

    def _plain(self, parent: Any, name: str) -> None:
        """No step through a link to elsewhere."""
        if "/" in name:
            *first, last = name.split("/")
            for folder in first:
                self._plain(parent, folder)
                parent = parent[folder]
            name = last
        if not isinstance(parent.get(name, getlink=True), self._h5py.HardLink):
            raise self._refused("a link to somewhere else, or misses a layer that it names")

    def _refused(self, what: str) -> ModelError:
        return ModelError(f"{self._path.name} holds {what}; it is not used.")


@contextmanager
def memory_limit(extra_bytes: int) -> Iterator[None]:
    """Let this process take at most so much more address space within; nothing where the system has no such limit."""
    try:
        import resource

        before = resource.getrlimit(resource.RLIMIT_AS)
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError):
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + extra_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
