"""What a cascade's classifier learns from: the outlined places of mammograms, as the analysis will cut them out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from pathview.analysis.cascade import worth_asking
from pathview.analysis.looks import OutlineLook
from pathview.analysis.pipeline import outliner_folder
from pathview.errors import DataError, ImageError, NotAnalysable
from pathview.geometry import Region, Size
from pathview.images.breast import breast_mask, overview
from pathview.images.formats import open_image
from pathview.images.source import ImageSource
from pathview.jobs import never, no_progress
from pathview.models.backend import Network
from pathview.models.recipe import RegionSpec
from pathview.models.runtimes import open_network
from pathview.results.mask import full_mask, measure
from pathview.settings import Settings
from pathview.training.data.loading import read_truth
from pathview.training.data.samples import Dataset, Sample

_TRIES = 200
_INSIDE = 0.75
"""Share of a place without a lesion that has to be breast."""
_ON_TRUTH = 0.3
"""Share of a model's outline that lies on the true one, below which it is wrong."""

Bools = npt.NDArray[np.bool_]


def places_of(dataset: Dataset, spec: RegionSpec, settings: Settings) -> Dataset:
    """A sample for each outlined place, and where the recipe asks so others that no outline is about.

    A sample without an outline is a place already (the crops of CBIS-DDSM).

    Raises:
        DataError: no outline of the set can be read.
        ModelError: the recipe asks for what its first model outlines, and that has no weights.
    """
    wrongly = spec.against == "outlined" and any(sample.masks for sample in dataset.samples)
    outliner = open_network(outliner_folder(spec, settings), settings) if wrongly else None
    samples: list[Sample] = []
    problems: list[str] = []
    for sample in dataset.samples:
        if not sample.masks:
            samples.append(sample)
            continue
        try:
            samples += _places(sample, spec, outliner, settings)
        except (ImageError, NotAnalysable) as error:
            problems.append(str(error))
    if not samples:
        raise DataError(f"No outlined place of {dataset.name} can be read.")
    notices = [*dataset.notices, *problems[:5]]
    return replace(dataset, samples=tuple(samples), notices=tuple(notices))


def _places(sample: Sample, spec: RegionSpec, outliner: Network | None, settings: Settings) -> list[Sample]:
    source = open_image(sample.path, settings)
    try:
        whole = source.info.size
        truth = read_truth(sample, whole, settings)
        outlined = [region.square_around(spec.margin, whole) for region in outlines(truth, spec.least_share)]
        if spec.against == "label":
            return [replace(sample, masks=(), region=region) for region in outlined]
        if outliner is not None:
            others = list(_wrongly_outlined(source, outliner, truth, spec))
        else:
            rng = np.random.default_rng(zlib.crc32(sample.path.name.encode()))
            others = list(_elsewhere(outlined, _breast(source), whole, rng))
    finally:
        source.close()
    return [
        replace(sample, masks=(), region=region, label=label)
        for label, regions in ((1, outlined), (0, others))
        for region in regions
    ]


def _wrongly_outlined(source: ImageSource, outliner: Network, truth: Bools, spec: RegionSpec) -> Iterator[Region]:
    """The places that a model outlines and that hardly lie on the truth."""
    look, size = OutlineLook(source, outliner, 0), source.info.size
    probability = look.probability(no_progress, never())
    found = full_mask(probability, look.threshold, size) > 0
    for region in worth_asking(measure(probability, look.threshold, size, None), spec, size):
        part = np.s_[region.y : region.bottom, region.x : region.right]
        if truth[part][found[part]].mean() < _ON_TRUTH:
            yield region.square_around(spec.margin, size)


def _breast(source: ImageSource) -> Bools:
    """Where the breast is on a small overview [rows, columns]; everywhere, where none stands out."""
    gray = overview(source)
    breast = breast_mask(gray)
    return np.ones(gray.shape, np.bool_) if breast is None else breast


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
