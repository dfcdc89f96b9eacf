"""Grad-CAM on slides: of one tile at its full resolution, in place; and of all tiles, brought down to one picture."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from pathview.analysis.gradcam import MAX_SIDE, relative
from pathview.analysis.predict import PATCH_BATCH, as_input, mosaic_grid, working_grid
from pathview.analysis.prepare import check_fits, equalised, prepare
from pathview.analysis.slide_fine import Outline, read_pixels
from pathview.analysis.slide_run import Patches, Watch, ahead
from pathview.analysis.slide_tiles import CellGrid, CellReader, Pixels8, cell_grid, reads_by_tiles
from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace
from pathview.images.patches import PatchMosaic
from pathview.images.source import ImageSource
from pathview.images.stain import normalised
from pathview.images.stain_sample import stains_of
from pathview.jobs import CancelToken, ProgressSink, checkpoint
from pathview.models.backend import Network
from pathview.results.result import FloatMap, ScoreMap


@dataclass(frozen=True)
class _Tile:
    """What a network is shown: uint8 [rows, columns, 3] at ``place`` (a cell is one of its pixels)."""

    pixels: Pixels8
    place: GridPlace


def explain_one(
    source: ImageSource, network: Network, frame: int, x: float, y: float, layers: Sequence[str]
) -> dict[str, ScoreMap]:
    """Heat maps of the one tile that a level-0 point lies in, at the resolution that the network sees it at.

    All layers come from one pass. Each map is 0..1 of its own largest value, and lies on that tile alone.

    Raises:
        NotAnalysable: there is no tile there, it cannot be read, or the image does not fit the recipe.
        ImageError: the image cannot be read.
    """
    tile = _tile_at(source, network, frame, x, y)
    shape = tile.pixels.shape[:2]
    maps = network.gradcam(as_input(tile.pixels[None]), layers)
    return {layer: ScoreMap(relative(_fitted(maps[layer][0], shape)), tile.place) for layer in layers}


def _tile_at(source: ImageSource, network: Network, frame: int, x: float, y: float) -> _Tile:
    recipe = network.recipe
    if reads_by_tiles(source, recipe, frame):
        reader = CellReader(source, cell_grid(source.info, recipe, frame), frame)
        if recipe.input.stain:
            reader.adjust = partial(normalised, stains=stains_of(source)[0])
        return _slide_tile(reader, network, x, y)
    if recipe.task != "classification":
        raise NotAnalysable(f"{recipe.name} looks at the whole of it, not at single tiles")
    if isinstance(source, PatchMosaic):
        check_fits(source.info, recipe, frame)
        grid = mosaic_grid(source, recipe)
    else:
        grid = working_grid(prepare(source, recipe, frame), recipe)
    column, row = (int(np.floor(value)) for value in grid.place.to_grid(x, y))
    if (row, column) not in grid.cells:
        raise NotAnalysable(f"there is no patch at {x:.0f}, {y:.0f}")
    pixels = grid.pixels[grid.cells.index((row, column))]
    left, top = grid.place.to_level0(column, row)
    rows, columns = pixels.shape[:2]
    place = GridPlace(left, top, grid.place.cell_width / columns, grid.place.cell_height / rows)
    return _Tile(pixels, place)


def _slide_tile(reader: CellReader, network: Network, x: float, y: float) -> _Tile:
    spec, grid = network.recipe.input, reader.grid
    number = grid.cell_at(x, y)
    if number is None:
        raise NotAnalysable(f"there is no tile at {x:.0f}, {y:.0f}")
    row, column = divmod(number, grid.shape[1])
    top, left = row * grid.cell.height, column * grid.cell.width
    if network.recipe.task == "segmentation":  # about the point, and whole
        column_px, row_px = grid.working_place.to_grid(x, y)
        top = min(max(0, round(row_px - spec.height / 2)), grid.working[0] - spec.height)
        left = min(max(0, round(column_px - spec.width / 2)), grid.working[1] - spec.width)
    pixels, missing = read_pixels(reader, top, left, spec.height, spec.width)
    if missing.any():
        raise NotAnalysable(f"the tile at {x:.0f}, {y:.0f} cannot be read")
    place = grid.working_place
    x, y = place.to_level0(left, top)
    return _Tile(equalised(pixels) if spec.equalise else pixels, GridPlace(x, y, place.cell_width, place.cell_height))


def explain_slide(
    network: Network,
    patches: Patches,
    outline: Outline | None,
    layers: Sequence[str],
    progress: ProgressSink,
    cancel: CancelToken,
) -> Mapping[str, ScoreMap]:
    """Heat maps of all tiles of a slide, each layer on one map of at most some :data:`MAX_SIDE` cells a side.

    Raises:
        Cancelled: after the user cancelled.
        ImageError: the file cannot be read any more.
    """
    grid: CellGrid = patches.reader.grid
    side = max(1, min(grid.cell.height, MAX_SIDE // max(grid.shape)))
    shape = (grid.shape[0] * side, grid.shape[1] * side)
    canvases = {layer: np.full(shape, np.nan, np.float32) for layer in layers}
    batches = _patch_batches(patches) if outline is None else _outline_batches(outline)
    watch = Watch(len(patches.order) if outline is None else int(outline.wanted.sum()), 0, progress)
    with closing(batches):
        for origins, pixels, seen in batches:
            checkpoint(cancel)
            maps = network.gradcam(as_input(pixels), layers) if len(pixels) else {}
            for layer, values in maps.items():
                for (top, left), one in zip(origins, values, strict=True):
                    _lay(canvases[layer], one, top, left, grid, side)
            watch.step(seen)
    place = GridPlace(0, 0, grid.place.cell_width / side, grid.place.cell_height / side)
    return {layer: ScoreMap(relative(values), place, smooth=False) for layer, values in canvases.items()}


_Batch = tuple[list[tuple[int, int]], Pixels8, int]
"""Upper left corners in working pixels, the tiles there, and how many tiles are done with them."""


def _patch_batches(patches: Patches) -> Generator[_Batch]:
    cell, columns = patches.reader.grid.cell, patches.wanted.shape[1]
    with closing(ahead(patches.read, patches.blocks, patches.reader.threads)) as found:
        for _, tiles in found:
            for start in range(0, len(tiles.numbers), PATCH_BATCH):
                some = tiles.some(np.s_[start : start + PATCH_BATCH])
                shown = some.some(some.readable & ~some.glass)
                origins = [(n // columns * cell.height, n % columns * cell.width) for n in shown.numbers.tolist()]
                yield origins, shown.pixels, len(some.numbers)


def _outline_batches(outline: Outline) -> Generator[_Batch]:
    runs = [run for row in range(len(outline.tiles.rows)) for run in outline.runs(row)]
    with closing(ahead(outline.read, runs)) as found:
        for run, (pixels, readable) in found:
            lefts = [outline.tiles.columns[column] for column in run.columns]
            top = outline.tiles.rows[run.row]
            origins = [(top, left) for left, whole in zip(lefts, readable, strict=True) if whole]
            yield origins, pixels[readable], len(run.columns)


def _lay(canvas: FloatMap, values: FloatMap, top: int, left: int, grid: CellGrid, side: int) -> None:
    """One tile's map onto the canvas, the larger value where tiles overlap."""
    first, begin = round(top * side / grid.cell.height), round(left * side / grid.cell.width)
    there = canvas[first : first + side, begin : begin + side]
    np.fmax(there, _fitted(values, (side, side))[: there.shape[0], : there.shape[1]], out=there)


def _fitted(values: FloatMap, shape: tuple[int, int]) -> FloatMap:
    """A map at another shape (rows, columns): averaged when shrinking, linear when enlarging."""
    mode = cv2.INTER_AREA if values.shape[0] > shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (shape[1], shape[0]), interpolation=mode), np.float32)
