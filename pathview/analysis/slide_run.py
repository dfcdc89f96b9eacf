"""Running a network over a slide: reading goes on in a thread while the network computes, and what is done is kept.

Small tiles are computed in lanes: each core has a batch of its own, so that a core that reads or writes for a while
makes no other one wait, as it does where all of them share every step of one batch.

What is computed together never depends on where a run stood when it was interrupted: the tiles of a batch, a square of
the fine map and a row of overlapping tiles are fixed by the slide and the recipe. So a run that is resumed gives the
very numbers of one that was not.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from queue import SimpleQueue
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from pathview.analysis.predict import GLASS_GRAY, GLASS_SHARE, PATCH_BATCH, positive_score, probabilities
from pathview.analysis.prepare import equalised
from pathview.analysis.slide_tiles import TISSUE_SHARE, Bools, CellReader, Pixels8, TissueShares
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.backend import Batch, Network, Predict
from pathview.results.tile_table import TileRow, TileTable

BLOCK_PX = 1024
"""Side of a block in working pixels, about."""
BATCH_PIXELS = 2**19
"""Working pixels of a batch at most, where that is 8 tiles or more."""
_GPU_BATCHES = 8
_SOON_S = 1.0
_FEW = 5

T = TypeVar("T")
R = TypeVar("R")
Scores = npt.NDArray[np.float32]


def ahead(read: Callable[[T], R], units: Iterable[T], threads: int = 1) -> Generator[tuple[T, R]]:
    """What ``read`` makes of each unit, in order, read by threads of their own: up to one unit more than there are."""
    waiting: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(threads, "pathview-slide-reader") as pool:
        try:
            for unit in units:
                waiting.append((unit, pool.submit(read, unit)))
                if len(waiting) > threads + 1:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


class Watch:
    """Says how many tiles are done, and how long the rest will take."""

    def __init__(
        self,
        total: int,
        done: int,
        sink: ProgressSink,
        what: str = "tiles",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Of ``total`` tiles ``done`` were done before."""
        self._total, self._done, self._before, self._sink, self._what = total, done, done, sink, what
        self._clock, self._started = clock, clock()
        self.step(0)

    def step(self, tiles: int) -> None:
        """So many more are done."""
        self._done += tiles
        self._sink(Progress(self._done, self._total, self._words()))

    def _words(self) -> str:
        counted = f"{self._done:,} of {self._total:,} {self._what}"
        passed, new = self._clock() - self._started, self._done - self._before
        if passed < _SOON_S or not new or self._done >= self._total:
            return counted
        return f"{counted}, about {time_words(passed / new * (self._total - self._done))} left"


def time_words(seconds: float) -> str:
    """A time as people say it: seconds in tens, minutes, hours and minutes."""
    if seconds < 55:
        return f"{max(10, 10 * round(seconds / 10))} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def lanes_of(network: Network) -> tuple[Predict, ...]:
    """What runs batches beside each other.

    Of large tiles one batch at a time: there the network takes so long that reading hardly counts, and much memory.
    """
    return network.lanes if _pixels(network) * PATCH_BATCH <= BATCH_PIXELS else (network.predict,)


def _pixels(network: Network) -> int:
    """Of a tile."""
    return network.recipe.input.height * network.recipe.input.width


def batch_size(network: Network) -> int:
    """How many tiles a network takes at once: fewer of large ones, more where a GPU computes."""
    pixels = _pixels(network)
    most = max(8, BATCH_PIXELS // pixels) * (_GPU_BATCHES if network.device == "GPU" else 1)
    return min(PATCH_BATCH, most)


@dataclass(frozen=True)
class Tiles:
    """Tiles side by side that show tissue."""

    numbers: npt.NDArray[np.intp]
    pixels: Pixels8
    """[n, rows, columns, 3]; 0 where a tile cannot be read."""
    readable: Bools
    glass: Bools
    """Which are nothing but glass after all."""

    def some(self, which: Any) -> Tiles:
        """Those that an index of numpy's picks: the very same where it is a mask of all."""
        if isinstance(which, np.ndarray) and which.all():
            return self
        return Tiles(self.numbers[which], self.pixels[which], self.readable[which], self.glass[which])

    @classmethod
    def joined(cls, parts: Sequence[Tiles]) -> Tiles:
        """All as one."""
        if len(parts) == 1:
            return parts[0]
        fields = ("numbers", "pixels", "readable", "glass")
        return cls(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


@dataclass(frozen=True)
class Patches:
    """The tiles of a slide that show tissue, in the order in which they are analysed: block by block."""

    reader: CellReader
    tissue: TissueShares
    equalise: bool = False

    @cached_property
    def wanted(self) -> Bools:
        """Which cells show tissue, bool [rows, columns]."""
        grid = self.reader.grid
        rows, columns = np.ogrid[: grid.shape[0], : grid.shape[1]]
        height, width = grid.cell.height, grid.cell.width
        return np.asarray(self.tissue.of(rows * height, columns * width, height, width) >= TISSUE_SHARE)

    @cached_property
    def side(self) -> tuple[int, int]:
        """(rows, columns) of a block."""
        cell = self.reader.grid.cell
        return max(1, BLOCK_PX // cell.height), max(1, BLOCK_PX // cell.width)

    @cached_property
    def blocks(self) -> list[tuple[int, int]]:
        """(row, column) of the first cell of each block with tissue."""
        rows, columns = self.wanted.shape
        down, across = self.side
        starts = [(r, c) for r in range(0, rows, down) for c in range(0, columns, across)]
        return [(r, c) for r, c in starts if self.wanted[r : r + down, c : c + across].any()]

    def numbers(self, block: tuple[int, int]) -> npt.NDArray[np.intp]:
        """Numbers of a block's tiles with tissue, row by row."""
        rows, columns = np.nonzero(self._part(block))
        return np.asarray((rows + block[0]) * self.wanted.shape[1] + columns + block[1])

    @cached_property
    def order(self) -> npt.NDArray[np.intp]:
        """Numbers of all tiles with tissue."""
        found = [self.numbers(block) for block in self.blocks]
        return np.concatenate(found) if found else np.zeros(0, np.intp)

    def read(self, block: tuple[int, int]) -> Tiles:
        """The tiles with tissue of a block.

        Raises:
            ImageError: the file cannot be read any more.
        """
        found, cell = self.reader.read(*block, self._part(block)), self.reader.grid.cell
        rows, columns = found.present.shape
        cells = found.pixels.reshape(rows, cell.height, columns, cell.width, 3).swapaxes(1, 2)
        part = self._part(block)
        pixels = cells[part]
        glass = glass_of(pixels)
        if self.equalise:
            pixels = np.stack([equalised(one) for one in pixels])
        return Tiles(self.numbers(block), pixels, found.present[part], glass)

    def _part(self, block: tuple[int, int]) -> Bools:
        return self.wanted[block[0] : block[0] + self.side[0], block[1] : block[1] + self.side[1]]


def glass_of(cells: Pixels8) -> Bools:
    """Which of the cells [n, rows, columns, 3] are glass by :func:`pathview.analysis.predict.is_glass`.

    All pixels are counted only where some of the rows do not hold enough tissue to settle it.
    """
    pixels, few = cells.shape[1] * cells.shape[2], np.ascontiguousarray(cells[:, ::_FEW])
    dark = few.shape[1] * few.shape[2] - _bright_pixels(few)
    glass = np.asarray(dark <= (1 - GLASS_SHARE) * pixels)
    if glass.any():
        glass[glass] = _bright_pixels(cells[glass]) / pixels >= GLASS_SHARE
    return glass


def _bright_pixels(cells: Pixels8) -> npt.NDArray[np.intp]:
    """How many pixels of each of the cells [n, rows, columns, 3] are as bright as the lamp."""
    found = bright(cells.reshape(-1, cells.shape[2], 3)).reshape(len(cells), -1)
    return np.asarray(np.count_nonzero(found, axis=1))


def bright(pixels: Pixels8) -> Bools:
    """Which pixels [rows, columns, 3] are as bright as the lamp."""
    above = cv2.inRange(pixels, (GLASS_GRAY + 1,) * 3, (255,) * 3)
    return np.asarray(above > 0)


def run_patches(
    network: Network, patches: Patches, table: TileTable, progress: ProgressSink, cancel: CancelToken
) -> None:
    """Classify the tiles of a slide that are not done yet, keeping each batch.

    Raises:
        Cancelled: what was finished until then is kept.
        NotAnalysable: the network's output is not a number.
        ImageError: the file cannot be read any more.
    """
    size, order, known = batch_size(network), patches.order, table.statuses()
    done = np.array([known.get(number, "unreadable") != "unreadable" for number in order.tolist()], np.bool_)
    slices = [slice(start, start + size) for start in range(0, len(order), size)]
    todo = [order[some] for some in slices if not done[some].all()]
    wanted = np.zeros(patches.wanted.size, np.bool_)
    for numbers in todo:
        wanted[numbers] = True
    watch = Watch(len(order), len(order) - int(wanted.sum()), progress)
    lanes, running = lanes_of(network), deque[tuple[Tiles, Future[Scores]]]()
    scores, threads = _Scorer(lanes, network, size), ThreadPoolExecutor(len(lanes), "pathview-slide-network")
    with threads as pool, closing(_batches(patches, wanted, todo)) as batches:
        try:
            for tiles in batches:
                running.append((tiles, pool.submit(scores, tiles)))
                if len(running) > len(lanes):
                    _keep(*running.popleft(), patches, table, watch)
                if cancel.is_set():
                    break
        finally:
            while running:
                _keep(*running.popleft(), patches, table, watch)
    checkpoint(cancel)


def _batches(patches: Patches, wanted: Bools, todo: Iterable[npt.NDArray[np.intp]]) -> Generator[Tiles]:
    """The tiles of each batch, whatever blocks they come from."""
    blocks = [block for block in patches.blocks if wanted[patches.numbers(block)].any()]
    sizes = deque(len(numbers) for numbers in todo)
    pending, count = list[Tiles](), 0
    with closing(ahead(patches.read, blocks, patches.reader.threads)) as found:
        for _, tiles in found:
            pending.append(tiles.some(wanted[tiles.numbers]))
            count += len(pending[-1].numbers)
            while sizes and count >= sizes[0]:
                joined, first = Tiles.joined(pending), sizes.popleft()
                pending, count = [joined.some(np.s_[first:])], count - first
                yield joined.some(np.s_[:first])


class _Scorer:
    """Runs the network on batches in several threads, each lane from one piece of memory that is used again."""

    def __init__(self, lanes: Sequence[Predict], network: Network, size: int) -> None:
        """For as many threads as there are lanes, and batches of at most ``size`` tiles."""
        self._recipe = network.recipe
        spec = self._recipe.input
        self._free = SimpleQueue[tuple[Predict, Batch]]()
        for lane in lanes:
            self._free.put((lane, np.empty((size, spec.height, spec.width, 3), np.float32)))

    def __call__(self, tiles: Tiles) -> Scores:
        """The probability of each tile; NaN of glass and what cannot be read, which is not run."""
        run = tiles.readable & ~tiles.glass
        scores = np.full(len(run), np.nan, np.float32)
        if run.any():
            lane, buffer = self._free.get()
            try:
                shown = tiles.pixels if run.all() else tiles.pixels[run]
                images = buffer[: len(shown)]
                np.divide(shown, np.float32(255), out=images, dtype=np.float32)  # as_input's very numbers
                scores[run] = positive_score(probabilities(self._recipe, lane(images)))
            finally:
                self._free.put((lane, buffer))
        return scores


def _keep(tiles: Tiles, scores: Future[Scores], patches: Patches, table: TileTable, watch: Watch) -> None:
    """Wait for the scores of a batch, and write them."""
    numbers, values, readable = tiles.numbers.tolist(), scores.result().tolist(), tiles.readable.tolist()
    found = list[TileRow]()
    for number, box, score, whole in zip(
        numbers, patches.reader.grid.cell_boxes(tiles.numbers).tolist(), values, readable, strict=True
    ):
        if not whole:
            found.append((number, *box, None, "unreadable"))
        elif math.isnan(score):
            found.append((number, *box, None, "glass"))
        else:
            found.append((number, *box, score, "analysed"))
    table.add_rows(found)
    watch.step(len(found))
