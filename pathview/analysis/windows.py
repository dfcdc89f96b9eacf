"""A patch classifier moved over an image in steps smaller than its patch: a finer map of the same network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pathview.analysis.predict import (
    GLASS_GRAY,
    GLASS_SHARE,
    PATCH_BATCH,
    as_input,
    checked_score,
    positive_score,
    probabilities,
)
from pathview.analysis.prepare import Working, normalised_as, prepare
from pathview.errors import NotAnalysable
from pathview.geometry import GridPlace, Region, Size
from pathview.images.patches import PatchMosaic
from pathview.images.render import display_pixels
from pathview.images.source import ImageSource
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.backend import Network
from pathview.models.recipe import Recipe
from pathview.results.map_levels import resampled
from pathview.results.result import FloatMap, ScoreMap

CONVOLUTIONAL_UP_TO = 16
"""Largest step at which one pass of the convolutional form beats window by window (``python -m benchmarks windows``:
19 times as fast at a step of 4 pixels, 1.3 times at 16, 0.8 times at 20)."""
MAX_ONE_BY_ONE = 500_000
"""Fields that are not done at once; beyond, it would take half an hour."""
SQUARE_PX = 512
"""Side of the squares that the convolutional form takes at once; its first maps are ten times their bytes."""

Bools = npt.NDArray[np.bool_]


class NoFields(NotAnalysable):
    """An image that has no fields to move over: it is seen as patches side by side, or not at all."""


def fine_stride(network: Network) -> int:
    """A step as fine as a network does at no great cost: that of its convolutional form, else half a field."""
    return network.window_stride or max(1, network.recipe.input.height // 2)


@dataclass(frozen=True)
class Canvas:
    """An image at the recipe's scale, and which windows of it can be scored."""

    pixels: npt.NDArray[np.uint8]
    """[rows, columns, channels]."""
    place: GridPlace
    scored: Bools
    """[windows down, windows across]: False where a part is missing, or nothing but glass."""
    stride: int

    def map_over(self, values: FloatMap, behind: ScoreMap, field: tuple[int, int]) -> ScoreMap:
        """Scores of the windows [down, across], each at the middle of its field (rows, columns), as a map.

        Where no window was scored, at a rim say, stands what ``behind`` has there: what was scored is never blank.
        """
        fine = fine_cells(self.place, (self.pixels.shape[0], self.pixels.shape[1]), self.stride, field)
        cells = resampled(behind, fine.place, fine.shape)
        inner = cells[fine.top : fine.top + values.shape[0], fine.left : fine.left + values.shape[1]]
        inner[self.scored] = values[self.scored]
        return ScoreMap(cells, fine.place, smooth=False)


@dataclass(frozen=True)
class FineCells:
    """Where the map of fields that overlap lies: a cell for every step, about the middle of a field.

    ``shape``: (rows, columns); the first field's cell is (``top``, ``left``), what lies before it is the image's rim.
    """

    shape: tuple[int, int]
    place: GridPlace
    top: int
    left: int


def fine_cells(place: GridPlace, working: tuple[int, int], stride: int, field: tuple[int, int]) -> FineCells:
    """The fine map's cells of an image of ``working`` (rows, columns) pixels that lie at ``place``."""
    before = [math.ceil((side - stride) / 2 / stride) for side in field]
    top, left = [(side - stride) / 2 - cells * stride for side, cells in zip(field, before, strict=True)]
    rows, columns = (math.ceil((working[axis] - start) / stride) for axis, start in enumerate((top, left)))
    x, y = place.to_level0(left, top)
    cells = GridPlace(x, y, place.cell_width * stride, place.cell_height * stride)
    return FineCells((rows, columns), cells, before[0], before[1])


def canvas(source: ImageSource, recipe: Recipe, frame: int, stride: int) -> Canvas:
    """An image made ready for windows every ``stride`` pixels of the recipe's scale.

    Raises:
        NoFields: it holds no whole field, or the recipe looks at each patch by itself.
        NotAnalysable: the image does not fit the recipe.
    """
    if isinstance(source, PatchMosaic):
        working, missing = _mosaic(source, recipe)
    else:
        working = prepare(source, recipe, frame)
        missing = np.zeros(working.pixels.shape[:2], np.bool_)
    field = (recipe.input.height, recipe.input.width)
    if working.pixels.shape[0] < field[0] or working.pixels.shape[1] < field[1]:
        rows, columns = working.pixels.shape[:2]
        raise NoFields(
            f"it is {columns} x {rows} pixels at the recipe's scale, smaller than one field of {field[1]} x {field[0]} "
            "pixels; leave the stride out"
        )
    check_stride(recipe, stride)
    glass = (working.pixels.min(axis=2) > GLASS_GRAY) & ~missing
    scored = (covered_share(missing, field, stride) == 0) & (covered_share(glass, field, stride) < GLASS_SHARE)
    if not scored.any():
        raise NoFields("no field of it is whole and tissue; leave the stride out")
    return Canvas(working.pixels, working.place, scored, stride)


def check_stride(recipe: Recipe, stride: int) -> None:
    """Refuse a step that leaves gaps.

    Raises:
        NotAnalysable: it is larger than a field.
    """
    if stride > min(recipe.input.height, recipe.input.width):
        shown = f"{recipe.input.width} x {recipe.input.height}"
        raise NotAnalysable(f"a stride of {stride} leaves gaps between fields of {shown} pixels")


def _mosaic(source: PatchMosaic, recipe: Recipe) -> tuple[Working, Bools]:
    """A mosaic with its patches at the network's own size, and where it has none."""
    if recipe.input.equalise:
        raise NoFields(f"{recipe.name} equalises each patch by itself; leave the stride out")
    whole = source.info.size
    size = Size(
        round(whole.width * recipe.input.width / source.side), round(whole.height * recipe.input.height / source.side)
    )
    pixels, _ = normalised_as(recipe.input, source, display_pixels(source, Region.whole(whole), size))
    missing = np.ones(whole.shape, np.uint8)
    for patch in source.patches:
        missing[patch.y : patch.y + patch.height, patch.x : patch.x + patch.width] = 0
    scaled = cv2.resize(missing, (size.width, size.height), interpolation=cv2.INTER_NEAREST)
    place = GridPlace(0, 0, whole.width / size.width, whole.height / size.height)
    return Working(pixels, place), scaled > 0


def covered_share(mask: Bools, field: tuple[int, int], stride: int) -> npt.NDArray[np.float64]:
    """Share of each window [down, across] that a mask [rows, columns] covers."""
    sums = cv2.integral(mask.astype(np.uint8), sdepth=cv2.CV_64F)
    rows, columns = field
    total = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    return np.asarray(total[::stride, ::stride] / (rows * columns))


def window_map(
    network: Network, image: Canvas, behind: ScoreMap, progress: ProgressSink, cancel: CancelToken
) -> ScoreMap:
    """The probability of every window that can be scored, over the map ``behind`` of the patches side by side.

    Raises:
        NotAnalysable: the network's output is not a number.
    """
    check_count(network, image.stride, int(image.scored.sum()))
    field = (network.recipe.input.height, network.recipe.input.width)
    return image.map_over(window_values(network, image, progress, cancel), behind, field)


def check_count(network: Network, stride: int, fields: int) -> None:
    """Refuse more fields than can be done one by one.

    Raises:
        NotAnalysable: there are too many.
    """
    if fields > MAX_ONE_BY_ONE and not at_once(network, stride):
        own = network.window_stride
        cheap = f"a multiple of {own}" if own else "a larger one"
        raise NotAnalysable(f"a stride of {stride} asks for {fields:,} fields one by one; take {cheap}")


def window_values(network: Network, image: Canvas, progress: ProgressSink, cancel: CancelToken) -> FloatMap:
    """The probability of the windows [down, across]; of those that cannot be scored it means nothing.

    Raises:
        NotAnalysable: the network's output is not a number.
    """
    field, own = (network.recipe.input.height, network.recipe.input.width), network.window_stride
    if own is not None and at_once(network, image.stride):
        return _convolved(network, image, field, own, progress, cancel)
    return _one_by_one(network, image, field, progress, cancel)


def at_once(network: Network, stride: int) -> bool:
    """Whether the network's convolutional form takes this step, and is the cheaper way."""
    own = network.window_stride
    return own is not None and stride % own == 0 and stride <= CONVOLUTIONAL_UP_TO


def _convolved(
    network: Network, image: Canvas, field: tuple[int, int], own: int, progress: ProgressSink, cancel: CancelToken
) -> FloatMap:
    """All windows by the convolutional form, in squares of some :data:`SQUARE_PX` pixels."""
    down, across = image.scored.shape
    side = SQUARE_PX // image.stride
    values = np.full((down, across), np.nan, np.float32)
    squares = [(r, c) for r in range(0, down, side) for c in range(0, across, side)]
    for done, (r, c) in enumerate(squares, start=1):
        checkpoint(cancel)
        some = np.s_[r : r + side, c : c + side]
        if image.scored[some].any():
            rows, columns = image.scored[some].shape
            top, left = r * image.stride, c * image.stride
            bottom, right = top + (rows - 1) * image.stride + field[0], left + (columns - 1) * image.stride + field[1]
            outputs = network.predict_windows(as_input(image.pixels[None, top:bottom, left:right]))
            step = image.stride // own
            values[some] = positive_score(probabilities(network.recipe, outputs))[0, ::step, ::step]
        progress(Progress(done, len(squares), "fields"))
    return values


def _one_by_one(
    network: Network, image: Canvas, field: tuple[int, int], progress: ProgressSink, cancel: CancelToken
) -> FloatMap:
    """Only the windows that can be scored, in batches."""
    values = np.full(image.scored.shape, np.nan, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(image.pixels, field, axis=(0, 1))
    windows = windows[:: image.stride, :: image.stride]
    rows, columns = np.nonzero(image.scored)
    for start in range(0, len(rows), PATCH_BATCH):
        checkpoint(cancel)
        r, c = rows[start : start + PATCH_BATCH], columns[start : start + PATCH_BATCH]
        batch = as_input(np.moveaxis(windows[r, c], 1, -1))
        values[r, c] = checked_score(network, batch)
        progress(Progress(min(start + PATCH_BATCH, len(rows)), len(rows), "fields"))
    return values
