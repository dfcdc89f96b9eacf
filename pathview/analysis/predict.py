"""Running a network over an image: overlapping tiles for a segmentation, a grid of patches otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pathview.analysis.prepare import Working, equalised, normalised_as
from pathview.analysis.tiles import Blender, TileGrid, overlapping_grid, pad
from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace, Size
from pathview.images.patches import PatchMosaic
from pathview.images.render import resized
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.backend import Batch, Network
from pathview.models.recipe import Recipe
from pathview.models.temperature import tempered
from pathview.results.result import FloatMap, ScoreMap

TILE_BATCH = 4
PATCH_BATCH = 128
GLASS_GRAY = 220
GLASS_SHARE = 0.95


def as_input(pixels: npt.NDArray[np.uint8]) -> Batch:
    """uint8 images of any number as the float32 0..1 that networks take."""
    return pixels.astype(np.float32) / np.float32(255.0)


def positive_score(scores: Batch) -> npt.NDArray[np.float32]:
    """Probability of the positive class, float32 [n, ...], from a network's outputs [n, ..., classes].

    For two outputs it is (1 + p1 - p0) / 2: equal to p1 for a softmax, and for seed 4's two separate
    sigmoids at least 0.5 just where its arg max is the positive class. Of more it is the last one: that
    class against all the others.
    """
    if scores.shape[-1] == 2:
        return (1.0 + scores[..., 1] - scores[..., 0]) / 2.0
    return scores[..., -1]


def probabilities(recipe: Recipe, outputs: Batch) -> Batch:
    """A network's outputs [n, ..., outputs] as everything that shows, measures or judges them takes them.

    Checked, and a classifier's at its recipe's temperature: this is the one place where that is applied. At a
    temperature of 1 they are what the network gave.

    Raises:
        NotAnalysable: an output is not finite, so that no sum or share of the outputs would mean anything.
    """
    if not np.isfinite(outputs).all():
        raise NotAnalysable("the network's output is not a number; its weights or the device it runs on may be faulty")
    temperature = recipe.decision.temperature
    if temperature == 1:
        return outputs
    if outputs.shape[-1] <= 2:  # also of separate sigmoids the positive score is what is scaled
        positive = positive_score(outputs)
        outputs = np.stack([1 - positive, positive], axis=-1)
    return tempered(outputs, temperature).astype(np.float32)


def checked_score(network: Network, images: Batch) -> npt.NDArray[np.float32]:
    """:func:`positive_score` of what a network says of a batch.

    Raises:
        NotAnalysable: see :func:`probabilities`.
    """
    return positive_score(checked_outputs(network, images))


def checked_outputs(network: Network, images: Batch) -> Batch:
    """What a network says of a batch, [n, ..., outputs]; see :func:`probabilities`.

    Raises:
        NotAnalysable: see :func:`probabilities`.
    """
    return probabilities(network.recipe, network.predict(images))


def tile_grid(working: Working, recipe: Recipe) -> TileGrid:
    """The tiles of a working image."""
    rows, columns = working.pixels.shape[:2]
    return overlapping_grid((rows, columns), (recipe.input.height, recipe.input.width), recipe.input.overlap)


def over_tiles(
    run: Callable[[Batch], Batch],
    maps: int,
    working: Working,
    recipe: Recipe,
    progress: ProgressSink,
    cancel: CancelToken,
) -> FloatMap:
    """Run ``run`` (images to [n, rows, columns, maps] of the tile's size) over tiles and blend the maps.

    Returns:
        float32 [rows, columns, maps] of the working image.
    """
    grid = tile_grid(working, recipe)
    padded = pad(working.pixels, grid)
    rows, columns = working.pixels.shape[:2]
    blender = Blender(grid, (rows, columns), maps)
    origins = grid.origins
    for start in range(0, len(origins), TILE_BATCH):
        checkpoint(cancel)
        some = origins[start : start + TILE_BATCH]
        tiles = np.stack([padded[r : r + grid.tile[0], c : c + grid.tile[1]] for r, c in some])
        for origin, values in zip(some, run(as_input(tiles)), strict=True):
            blender.add(origin, values)
        progress(Progress(min(start + TILE_BATCH, len(origins)), len(origins), "tiles"))
    return blender.result()


@dataclass(frozen=True)
class PatchGrid:
    """Patches of an image and the cells that they stand in."""

    pixels: npt.NDArray[np.uint8]
    """[n, rows, columns, 3]."""
    cells: tuple[tuple[int, int], ...]
    """(row, column) of each patch."""
    shape: tuple[int, int]
    """(rows, columns) of the grid."""
    place: GridPlace
    skipped: int = 0
    """Cells that are glass and were left out."""
    mirrored: bool = False
    """Whether the image fills less than one patch, so that its mirror image fills the rest."""


def mosaic_grid(source: PatchMosaic, recipe: Recipe) -> PatchGrid:
    """The patches of a mosaic; smaller ones at the border are stretched to full size, as in seed 4."""
    size, side = Size(recipe.input.width, recipe.input.height), source.side
    patches = np.stack([resized(source.read_patch(patch), size).astype(np.uint8) for patch in source.patches])
    patches, _ = normalised_as(recipe.input, source, patches)
    pixels = np.stack([equalised(patch) for patch in patches]) if recipe.input.equalise else patches
    cells = tuple((round(patch.y / side), round(patch.x / side)) for patch in source.patches)
    shape = (1 + max(row for row, _ in cells), 1 + max(column for _, column in cells))
    return PatchGrid(pixels, cells, shape, GridPlace(0, 0, side, side))


def working_grid(working: Working, recipe: Recipe) -> PatchGrid:
    """Patches side by side over a working image; glass is left out, a rest at the edge is mirrored."""
    height, width = recipe.input.height, recipe.input.width
    rows, columns = (-(-working.pixels.shape[0] // height), -(-working.pixels.shape[1] // width))
    below, right = rows * height - working.pixels.shape[0], columns * width - working.pixels.shape[1]
    padded = np.pad(working.pixels, ((0, below), (0, right), (0, 0)), mode="symmetric")
    blocks = padded.reshape(rows, height, columns, width, -1).swapaxes(1, 2)
    cells = [(r, c) for r in range(rows) for c in range(columns)]
    kept = [cell for cell in cells if len(cells) == 1 or not is_glass(blocks[cell])]
    place = working.place
    return PatchGrid(
        np.stack([blocks[cell] for cell in kept]) if kept else np.zeros((0, height, width, 3), np.uint8),
        tuple(kept),
        (rows, columns),
        GridPlace(place.x, place.y, place.cell_width * width, place.cell_height * height),
        len(cells) - len(kept),
        mirrored=len(cells) == 1 and (below > 0 or right > 0),
    )


def is_glass(patch: npt.NDArray[np.uint8]) -> bool:
    """Whether a patch [rows, columns, 3] is empty glass: nearly all of it as bright as the lamp."""
    return float((patch.min(axis=2) > GLASS_GRAY).mean()) >= GLASS_SHARE


def over_patches(
    run: Callable[[Batch], npt.NDArray[np.float32]], grid: PatchGrid, progress: ProgressSink, cancel: CancelToken
) -> list[npt.NDArray[np.float32]]:
    """Run ``run`` over all patches in batches; its answers, one an entry of the grid's cells."""
    answers: list[npt.NDArray[np.float32]] = []
    for start in range(0, len(grid.cells), PATCH_BATCH):
        checkpoint(cancel)
        answers.extend(run(as_input(grid.pixels[start : start + PATCH_BATCH])))
        progress(Progress(min(start + PATCH_BATCH, len(grid.cells)), len(grid.cells), "patches"))
    return answers


def segment(network: Network, working: Working, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
    """The probability map of a segmentation network at the working scale, NaN outside the breast.

    Raises:
        NotAnalysable: the network's output is not a number.
    """

    def run(images: Batch) -> Batch:
        return checked_score(network, images)[..., None]

    values = over_tiles(run, 1, working, network.recipe, progress, cancel)
    return ScoreMap(working.within(values[..., 0]), working.place)


def classify(network: Network, grid: PatchGrid, progress: ProgressSink, cancel: CancelToken) -> tuple[ScoreMap, Batch]:
    """The probability map of a patch classifier, and what it says of each patch.

    Returns:
        One cell a patch, NaN where there is none; and :func:`probabilities`, [patches, outputs].

    Raises:
        NotAnalysable: the network's output is not a number.
    """
    outputs = np.stack(over_patches(lambda images: checked_outputs(network, images), grid, progress, cancel))
    values = np.full(grid.shape, np.nan, np.float32)
    rows, columns = np.array(grid.cells, np.intp).T
    values[rows, columns] = positive_score(outputs)
    return ScoreMap(values, grid.place, smooth=False), outputs
