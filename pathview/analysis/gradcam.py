"""Grad-CAM maps laid over the image. A map says what the score was drawn from; it outlines nothing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pathview.analysis.predict import PatchGrid, over_patches, over_tiles
from pathview.analysis.prepare import Working
from pathview.errors import ModelError
from pathview.geometry import GridPlace
from pathview.jobs import CancelToken, ProgressSink
from pathview.models.backend import Batch, Network
from pathview.results.result import FloatMap, ScoreMap

MAX_SIDE = 2048
"""Largest side of a mosaic's heat map; patches are shrunk to fit."""


def chosen_layers(network: Network, explain: str | None) -> tuple[str, ...]:
    """Layers for ``--explain``: none, one by name, or all.

    Raises:
        ModelError: the network has no such layer.
    """
    layers = network.explainable_layers()
    if not explain:
        return ()
    if explain == "all":
        return layers
    if not network.can_explain(explain):
        raise ModelError(f"{network.recipe.name} has no layer {explain!r} to explain; it has {', '.join(layers)}.")
    return (explain,)


def explain_tiles(
    network: Network, working: Working, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken
) -> dict[str, ScoreMap]:
    """Maps of a segmentation network, all layers in one pass over the tiles; blank outside the breast."""
    side = (network.recipe.input.width, network.recipe.input.height)

    def run(images: Batch) -> Batch:
        maps = network.gradcam(images, layers)
        return np.stack(
            [
                np.stack([cv2.resize(one, side, interpolation=cv2.INTER_LINEAR) for one in maps[layer]])
                for layer in layers
            ],
            axis=-1,
        )

    values = working.within(over_tiles(run, len(layers), working, network.recipe, progress, cancel))
    return {layer: ScoreMap(relative(values[..., i]), working.place) for i, layer in enumerate(layers)}


def explain_patches(
    network: Network, grid: PatchGrid, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken
) -> dict[str, ScoreMap]:
    """Maps of a patch classifier put together over the grid, each relative to the image's largest value."""
    side = max(4, min(network.recipe.input.height, MAX_SIDE // max(grid.shape)))
    canvases = {layer: np.full((grid.shape[0] * side, grid.shape[1] * side), np.nan, np.float32) for layer in layers}

    def run(images: Batch) -> Batch:
        maps = network.gradcam(images, layers)
        return np.stack([np.stack([_fit(one, side) for one in maps[layer]]) for layer in layers], axis=1)

    for (row, column), stack in zip(grid.cells, over_patches(run, grid, progress, cancel), strict=True):
        for layer, values in zip(layers, stack, strict=True):
            canvases[layer][row * side : (row + 1) * side, column * side : (column + 1) * side] = values
    place = grid.place
    fine = GridPlace(place.x, place.y, place.cell_width / side, place.cell_height / side)
    return {layer: ScoreMap(relative(values), fine, smooth=False) for layer, values in canvases.items()}


def _fit(values: FloatMap, side: int) -> FloatMap:
    mode = cv2.INTER_AREA if values.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (side, side), interpolation=mode), np.float32)


def relative(values: FloatMap) -> FloatMap:
    """0..1 of the largest value; all 0 where nothing spoke for the class."""
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    return values / np.float32(top) if top > 0 else np.where(np.isnan(values), values, np.float32(0))
