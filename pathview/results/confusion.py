"""The classes that patches were given against those that a model gives them, and which tiles stand in which cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.geometry import Region, Size
from pathview.images.formats import open_image
from pathview.images.patches import PatchMosaic
from pathview.jobs import CancelToken, ProgressSink, checkpoint
from pathview.results.regions import TileRegion
from pathview.results.result import ScoreMap
from pathview.settings import Settings

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GivenClasses:
    """The classes that the names of a mosaic's patches give."""

    regions: Ints
    """[n, 4]: x, y, width and height of each patch in level-0 pixels."""
    labels: Ints
    """[n]: 0 negative, 1 positive."""
    size: Size
    """Level 0 of the mosaic."""

    def probabilities(self, score_map: ScoreMap) -> Floats:
        """The model's probability at the middle of each patch: float32 [n], NaN where it was not analysed.

        Args:
            score_map: of whole cells over the same mosaic, one cell a patch or finer.
        """
        place = score_map.place
        columns = (self.regions[:, 0] + self.regions[:, 2] / 2 - place.x) // place.cell_width
        rows = (self.regions[:, 1] + self.regions[:, 3] / 2 - place.y) // place.cell_height
        height, width = score_map.values.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        found = np.full(len(self.labels), np.nan, np.float32)
        found[inside] = score_map.values[rows[inside].astype(np.intp), columns[inside].astype(np.intp)]
        return found


@dataclass(frozen=True)
class Confusion:
    """Counts of tiles, and what they come to."""

    classes: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    """A row for each given class, a column for each predicted one."""
    not_analysed: int = 0
    """Tiles with a given class that the model did not score."""

    @property
    def total(self) -> int:
        """Tiles that are counted."""
        return sum(map(sum, self.matrix))

    @property
    def accuracy(self) -> float | None:
        """Share of tiles that are called as they were given; None without any."""
        return sum(row[i] for i, row in enumerate(self.matrix)) / self.total if self.total else None

    @property
    def majority(self) -> float | None:
        """Accuracy of calling every tile by the class that was given most often: the baseline."""
        return max(map(sum, self.matrix)) / self.total if self.total else None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "classes": list(self.classes),
            "matrix": [list(row) for row in self.matrix],
            "accuracy": self.accuracy,
            "baselines": {"majority": self.majority},
            "not_analysed": self.not_analysed,
        }


def called(probabilities: Floats, threshold: float) -> Ints:
    """The class of each probability at a threshold: 0, 1, or -1 where it is NaN."""
    positive = (probabilities >= np.float32(threshold)).astype(np.int64)
    return np.where(np.isnan(probabilities), np.int64(-1), positive)


def confusion(given: Ints, predicted: Ints, classes: tuple[str, ...]) -> Confusion:
    """Counts of given against predicted classes.

    Args:
        given: [n], indices of classes.
        predicted: [n], the same; -1: not analysed.
        classes: their names.
    """
    known = predicted >= 0
    n = len(classes)
    counts = np.bincount(given[known] * n + predicted[known], minlength=n * n).reshape(n, n)
    return Confusion(classes, tuple(tuple(row) for row in counts.tolist()), int((~known).sum()))


def tiles_of(
    given: GivenClasses, probabilities: Floats, threshold: float, given_class: int, predicted_class: int
) -> tuple[TileRegion, ...]:
    """The tiles of one cell of the confusion matrix, those that the model is surest of first.

    Args:
        given: of the mosaic.
        probabilities: see :meth:`GivenClasses.probabilities`.
        threshold: from which a tile is called positive.
        given_class: 0 or 1: the row.
        predicted_class: 0 or 1: the column.
    """
    chosen = np.flatnonzero((given.labels == given_class) & (called(probabilities, threshold) == predicted_class))
    surest = np.argsort(-np.abs(probabilities[chosen].astype(np.float64) - threshold), kind="stable")
    tiles = []
    for index in chosen[surest].tolist():
        tile = Region(*given.regions[index].tolist())
        tiles.append(TileRegion(tile, tile.square_around(1.0, given.size), float(probabilities[index]), 1))
    return tuple(tiles)


def given_classes(mosaic: PatchMosaic) -> GivenClasses:
    """The classes that a mosaic's file names give.

    A region is the cell that the patch stands in, also of smaller ones at a border, so that it is the gallery's tile.
    """
    side = mosaic.side
    cells = [(round(patch.x / side) * side, round(patch.y / side) * side, side, side) for patch in mosaic.patches]
    labels = [patch.label for patch in mosaic.patches]
    return GivenClasses(np.array(cells, np.int64).reshape(-1, 4), np.array(labels, np.int64), mosaic.info.size)


def load_given(path: Path, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> GivenClasses | None:
    """The given classes of an image (a job); None where it is no mosaic.

    Raises:
        ImageError: it cannot be read.
    """
    checkpoint(cancel)
    source = open_image(path, settings)
    try:
        return given_classes(source) if isinstance(source, PatchMosaic) else None
    finally:
        source.close()
