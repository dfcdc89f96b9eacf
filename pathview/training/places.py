"""What a cascade's classifier learns from: the outlined places of mammograms, as the analysis will cut them out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from pathview.analysis.prepare import breast_mask
from pathview.errors import DataError, ImageError, NotAnalysable
from pathview.geometry import Region, Size
from pathview.images.formats import open_image
from pathview.images.render import display_pixels, fitted
from pathview.models.recipe import Recipe, RegionSpec
from pathview.settings import Settings
from pathview.training.batches import read_truth
from pathview.training.samples import Dataset, Sample

_OVERVIEW_SIDE = 256
_TRIES = 200
_INSIDE = 0.75
"""Share of a place without a lesion that has to be breast."""

Bools = npt.NDArray[np.bool_]


def places_of(dataset: Dataset, recipe: Recipe, spec: RegionSpec, settings: Settings) -> Dataset:
    """A sample for each outlined place, and where the recipe asks so one of tissue for each of them.

    A sample without an outline is a place already (the crops of CBIS-DDSM).

    Raises:
        DataError: no outline of the set can be read.
    """
    samples: list[Sample] = []
    problems: list[str] = []
    for sample in dataset.samples:
        if not sample.masks:
            samples.append(sample)
            continue
        try:
            samples += _places(sample, recipe, spec, settings)
        except (ImageError, NotAnalysable) as error:
            problems.append(str(error))
    if not samples:
        raise DataError(f"No outlined place of {dataset.name} can be read.")
    notices = [*dataset.notices, *problems[:5]]
    return replace(dataset, samples=tuple(samples), notices=tuple(notices))


def _places(sample: Sample, recipe: Recipe, spec: RegionSpec, settings: Settings) -> list[Sample]:
    source = open_image(sample.path, settings)
    try:
        whole = source.info.size
        truth = read_truth(sample, whole, settings)
        small = fitted(whole, _OVERVIEW_SIDE)
        gray = display_pixels(source, Region.whole(whole), small)
    finally:
        source.close()
    outlined = [region.square_around(spec.margin, whole) for region in outlines(truth, spec.least_share)]
    if spec.against == "label":
        return [replace(sample, masks=(), region=region) for region in outlined]
    gray = gray if gray.ndim == 2 else np.asarray(cv2.cvtColor(gray, cv2.COLOR_RGB2GRAY))
    breast = breast_mask(gray)
    inside = np.ones(small.shape, np.bool_) if breast is None else breast
    rng = np.random.default_rng(zlib.crc32(sample.path.name.encode()))
    tissue = list(_elsewhere(outlined, inside, whole, rng))
    return [
        replace(sample, masks=(), region=region, label=label)
        for label, regions in ((1, outlined), (0, tissue))
        for region in regions
    ]


def outlines(truth: Bools, least_share: float) -> list[Region]:
    """Boxes of the connected parts of a mask [rows, columns], specks left out, the largest first."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(truth.astype(np.uint8), None, 8)
    found = [stats[i] for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= least_share * truth.size]
    found.sort(key=lambda part: -int(part[cv2.CC_STAT_AREA]))
    return [Region(*(int(v) for v in part[:4])) for part in found]


def _elsewhere(outlined: Sequence[Region], breast: Bools, whole: Size, rng: np.random.Generator) -> Iterator[Region]:
    """For each outlined place one as large that touches none of them and lies in the breast, where there is room."""
    rows, columns = breast.shape
    for like in outlined:
        for _ in range(_TRIES):
            x = int(rng.integers(0, whole.width - like.width + 1))
            y = int(rng.integers(0, whole.height - like.height + 1))
            place = Region(x, y, like.width, like.height)
            if any(_touch(place, other) for other in outlined):
                continue
            top, bottom = y * rows // whole.height, -(-place.bottom * rows // whole.height)
            left, right = x * columns // whole.width, -(-place.right * columns // whole.width)
            if breast[top:bottom, left:right].mean() >= _INSIDE:
                yield place
                break


def _touch(one: Region, other: Region) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom
