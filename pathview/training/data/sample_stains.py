"""The stains of the slides that samples come from: one answer for all patches of a slide, as an analysis has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pathview.errors import ImageError
from pathview.geometry import Region, Size
from pathview.images.formats import open_image
from pathview.images.render import display_pixels
from pathview.images.stain import Stains, estimate
from pathview.images.stain_sample import stains_of
from pathview.settings import Settings
from pathview.training.data.samples import Sample

_IMAGES, _SIDE = 64, 256
"""Images of a patient, spread evenly, from which the stains are found, and their longer side at most."""


class SampleStains:
    """Finds the stains of each slide when its first sample is asked for.

    The patches of a patient (files of their own, without a region) count as one slide, like the mosaic that an analysis
    makes of them; regions of an image have that image's stains.
    """

    def __init__(self, samples: Sequence[Sample], settings: Settings) -> None:
        """For these samples; none, where the recipe asks for no stain."""
        self._settings = settings
        self._groups: dict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            self._groups[_group(sample)].append(sample)
        self._found: dict[str, Stains | None] = {}

    def of(self, sample: Sample) -> Stains | None:
        """The stains of a sample's slide; None where they cannot be told or were not asked for."""
        group = _group(sample)
        if group not in self._groups:
            return None
        if group not in self._found:
            self._found[group] = self._of_region(sample) if sample.region is not None else self._of_all(group)
        return self._found[group]

    def _of_region(self, sample: Sample) -> Stains | None:
        try:
            source = open_image(sample.path, self._settings)
            try:
                return stains_of(source)[0]
            finally:
                source.close()
        except ImageError:
            return None  # reading the sample itself tells why

    def _of_all(self, group: str) -> Stains | None:
        samples = self._groups[group]
        chosen = np.unique(np.linspace(0, len(samples) - 1, _IMAGES).round().astype(int))
        pixels = [found for i in chosen if (found := self._pixels(samples[i])) is not None]
        return estimate(np.concatenate(pixels))[0] if pixels else None

    def _pixels(self, sample: Sample) -> npt.NDArray[np.uint8] | None:
        """Colours [n, 3] of a sample in colour."""
        try:
            source = open_image(sample.path, self._settings)
            try:
                if not source.info.is_color:
                    return None
                size = source.info.size
                shape = size.scaled(min(1.0, _SIDE / max(size.width, size.height)))
                return display_pixels(source, Region.whole(size), Size(shape.width, shape.height)).reshape(-1, 3)
            finally:
                source.close()
        except ImageError:
            return None


def _group(sample: Sample) -> str:
    return (
        f"image {sample.path}" if sample.region is not None or sample.patient is None else f"patient {sample.patient}"
    )
