"""Starting a network's backbone from weights that were learnt elsewhere."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pathview.errors import ModelError
from pathview.models.h5 import Array, LayerWeights, read_layers
from pathview.models.keras_backend import set_weights, weight_shapes
from pathview.models.networks import NETWORKS
from pathview.models.recipe import Recipe
from pathview.models.weights import WEIGHTS, read_manifest, read_weights


def start_from(model: Any, recipe: Recipe, path: Path) -> list[str]:
    """Give a network what a file has for it: Keras weights for its backbone, or all weights of a model of its kind.

    Returns:
        Names of the layers that could have started from the file and did not.

    Raises:
        ModelError: the file is damaged or does not fit.
    """
    if path.name == WEIGHTS:
        return _carry_over(model, recipe, path.parent)
    return _start_backbone(model, recipe, path)


def _carry_over(model: Any, recipe: Recipe, folder: Path) -> list[str]:
    """All weights of a trained model whose network is the same."""
    manifest = read_manifest(folder)
    try:
        tensors = read_weights(folder, manifest, weight_shapes(model))
    except ModelError as error:
        raise ModelError(f"{recipe.name} cannot start from {manifest.recipe.name}: {error}") from error
    set_weights(model, tensors)
    return []


def _start_backbone(model: Any, recipe: Recipe, path: Path) -> list[str]:
    """Give the layers of the network's backbone a file's weights.

    Layers are matched in the network's own order, as Keras does: the n-th (of each kind, where the file tells
    kinds) in the model gets the n-th in the file. The file may go on deeper than the model does, and a file
    without ImageNet's dense layers leaves the model's (``fc1``, ``fc2``) at random.

    Returns:
        Names of the layers that could have started from the file and did not.

    Raises:
        ModelError: the file is damaged, or is not of this backbone; the network has no backbone.
    """
    network = NETWORKS[recipe.network.name]
    layers = [layer for layer in model.layers if layer.name.startswith(network.backbone) and layer.weights]
    if not layers or not network.backbone:
        raise ModelError(f"The network {recipe.network.name} has no part that other weights can start.")
    given = _by_kind(read_layers(path))
    left: list[str] = []
    for layer in layers:
        queue = given[_snake_case(type(layer).__name__)] if "" not in given else given[""]
        arrays = _fitting(queue[0].arrays, [tuple(weight.shape) for weight in layer.weights]) if queue else None
        if arrays is not None:
            queue.pop(0)
            layer.set_weights(arrays)
        elif layer.name.startswith(network.backbone_tail):
            left.append(layer.name)
        else:
            raise ModelError(f"{path.name} does not fit {recipe.network.name} (first at the layer {layer.name}).")
    return left


def _fitting(arrays: Sequence[Array], shapes: Sequence[tuple[int, ...]]) -> list[Array] | None:
    """The arrays in the wanted shapes, or None.

    The kernel of a dense layer over a flattened map is that of a convolution as large as the map.
    """
    if len(arrays) != len(shapes):
        return None
    same = [
        array.shape == shape or (array.ndim == 2 and len(shape) == 4 and array.size == math.prod(shape))
        for array, shape in zip(arrays, shapes, strict=True)
    ]
    return [array.reshape(shape) for array, shape in zip(arrays, shapes, strict=True)] if all(same) else None


def _by_kind(layers: list[LayerWeights]) -> dict[str, list[LayerWeights]]:
    """Layers in order, apart by kind; all under the empty kind where the file tells none."""
    found: dict[str, list[LayerWeights]] = defaultdict(list)
    for layer in layers:
        found[layer.kind].append(layer)
    for kind, group in found.items():
        if kind:
            group.sort(key=lambda layer: int(layer.name.rsplit("_", 1)[1]))
    return found


def _snake_case(name: str) -> str:
    """``DepthwiseConv2D`` as Keras writes it in files: ``depthwise_conv2d``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()
