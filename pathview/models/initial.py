"""Starting a network's way down from weights that were learnt elsewhere (a Keras 3 ``.weights.h5`` file).

The file is read number by number, never run: no links are followed, and sizes are checked before memory
is taken (a small file can promise gigabytes).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.errors import ModelError
from pathview.models.networks import NETWORKS
from pathview.models.recipe import Recipe

_MAX_BYTES = 2**30
Arrays = list[npt.NDArray[np.float32]]


def start_from(model: Any, recipe: Recipe, path: Path) -> None:
    """Give the layers of the network's backbone a file's weights.

    Layers are matched as Keras numbers them: the n-th of each kind in the model gets the n-th of that
    kind in the file. The file may go on deeper than the model does.

    Raises:
        ModelError: the file is damaged, or is not of this backbone; the network has no backbone.
    """
    network = NETWORKS[recipe.network.name]
    layers = [layer for layer in model.layers if layer.name.startswith(network.backbone) and layer.weights]
    if not layers or not network.backbone:
        raise ModelError(f"The network {recipe.network.name} has no part that other weights can start.")
    given = read_layers(path)
    counts: dict[str, int] = {}
    for layer in layers:
        kind = _snake_case(type(layer).__name__)
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        arrays = given.get((kind, number), [])
        if [tuple(weight.shape) for weight in layer.weights] != [array.shape for array in arrays]:
            raise ModelError(f"{path.name} does not fit {recipe.network.name} (first at the layer {layer.name}).")
        layer.set_weights(arrays)


def read_layers(path: Path) -> dict[tuple[str, int], Arrays]:
    """All layers of a weights file by kind and number: ``("conv2d", 0)`` is the first convolution.

    Raises:
        ModelError: unreadable, with links, too large, or not of numbers.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found = {}
            for name in file["layers"]:
                match = re.fullmatch(r"([a-z0-9_]+?)(?:_(\d+))?", name)
                variables = _group(_group(file["layers"], name, path), "vars", path)
                if match and len(variables):
                    found[match[1], int(match[2] or 0)] = _arrays(variables, path)
            return found
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"{path.name} cannot be read as Keras weights.") from error


def _group(parent: Any, name: str, path: Path) -> Any:
    import h5py

    if not isinstance(parent.get(name, getlink=True), h5py.HardLink) or not isinstance(parent[name], h5py.Group):
        raise ModelError(f"{path.name} cannot be read as Keras weights.")
    return parent[name]


def _arrays(group: Any, path: Path) -> Arrays:
    import h5py

    arrays: Arrays = []
    for index in range(len(group)):
        linked = isinstance(group.get(str(index), getlink=True), h5py.HardLink)
        data = group[str(index)]
        if not linked or not isinstance(data, h5py.Dataset) or data.dtype.kind != "f" or data.nbytes > _MAX_BYTES:
            raise ModelError(f"{path.name} holds something that is no layer's weights.")
        array = np.asarray(data[()], np.float32)
        if not np.isfinite(array).all():
            raise ModelError(f"{path.name} holds values that are no numbers.")
        arrays.append(array)
    return arrays


def _snake_case(name: str) -> str:
    """``DepthwiseConv2D`` as Keras writes it in files: ``depthwise_conv2d``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()
