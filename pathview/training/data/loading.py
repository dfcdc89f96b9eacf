"""Samples read from their files, at the scale that a recipe asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pathview import __version__
from pathview.analysis.prepare import Working, prepare
from pathview.errors import DataError, ImageError, NotAnalysable
from pathview.geometry import Region, Size
from pathview.images.formats import open_image
from pathview.images.render import resized
from pathview.images.stain import Stains
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.data.sample_stains import SampleStains
from pathview.training.data.samples import Sample

Pixels8 = npt.NDArray[np.uint8]
_OF_THE_NETWORK = {"normalise", "means", "deviations", "overlap"}


@dataclass(frozen=True)
class Loaded:
    """One sample at the recipe's scale."""

    sample: Sample
    working: Working
    mask: Pixels8 | None
    """uint8 [rows, columns] of 0 and 255 on the working grid."""
    label: int
    prepared: str = ""
    """How its pixels came from the file, see :func:`preparation_of`; empty: not known."""


def preparation_of(recipe: Recipe, stains: Stains | None) -> str:
    """A mark of how samples are prepared: files alike, prepared alike, give the same pixels."""
    spec = recipe.input.model_dump_json(exclude=_OF_THE_NETWORK)
    return hashlib.sha256(f"{__version__} {recipe.classifies} {spec} {stains}".encode()).hexdigest()[:16]


def load_samples(
    samples: Sequence[Sample], recipe: Recipe, settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> tuple[list[Loaded], list[str]]:
    """Read and prepare samples.

    Returns:
        What could be read, and one sentence for each sample that could not.
    """
    loaded, problems = [], []
    stains = SampleStains(samples if recipe.input.stain else [], settings)
    for index, sample in enumerate(samples):
        checkpoint(cancel)
        try:
            loaded.append(load_sample(sample, recipe, settings, stains.of(sample)))
        except (ImageError, NotAnalysable) as error:
            problems.append(str(error))
        if index % 50 == 49 or index == len(samples) - 1:
            progress(Progress(index + 1, len(samples), "reading images"))
    return loaded, problems


def load_sample(sample: Sample, recipe: Recipe, settings: Settings, stains: Stains | None = None) -> Loaded:
    """Read one sample and bring image and mask to the recipe's scale, and to its stain by the stains of the slide.

    Raises:
        ImageError, NotAnalysable: it cannot be used.
        DataError: its mask has another size than its image.
    """
    prepared = preparation_of(recipe, stains)
    source = open_image(sample.path, settings)
    try:
        working = prepare(source, recipe, region=sample.region, stains=stains)
        if recipe.classifies:
            size = Size(recipe.input.width, recipe.input.height)
            working = Working(resized(working.pixels, size).astype(np.uint8), working.place)
            return Loaded(sample, working, None, sample.label or 0, prepared)
        truth = read_truth(sample, source.info.size, settings)
    finally:
        source.close()
    mask = truth_on(working, truth)
    label = int(mask.any()) if sample.label is None else sample.label
    return Loaded(sample, working, mask, label, prepared)


def read_truth(sample: Sample, size: Size, settings: Settings) -> npt.NDArray[np.bool_]:
    """The outlines of a sample at its stored size: bool [rows, columns]; all False without a mask file.

    Raises:
        DataError: the mask has another size than the image.
    """
    truth = np.zeros(size.shape, np.bool_)
    for path in sample.masks:
        mask = open_image(path, settings)
        if mask.info.size != size:
            found, wanted = mask.info.size, size
            raise DataError(
                f"The mask {path.name} is {found.width} x {found.height} pixels, "
                f"its image {wanted.width} x {wanted.height}."
            )
        pixels = mask.read_region(Region.whole(size))
        truth |= (pixels if pixels.ndim == 2 else pixels.max(axis=2)) > 127
    return truth


def truth_on(working: Working, truth: npt.NDArray[np.bool_]) -> Pixels8:
    """An outline at stored size brought to a working grid: uint8 of 0 and 255."""
    rows, columns = working.pixels.shape[:2]
    left, top = round(working.place.x), round(working.place.y)
    right, bottom = (round(v) for v in working.place.to_level0(columns, rows))
    part = truth[top:bottom, left:right].astype(np.uint8) * np.uint8(255)
    return np.where(resized(part, Size(columns, rows)) > 127, np.uint8(255), np.uint8(0))
