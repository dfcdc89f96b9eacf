"""What augmentation makes of some images, to be looked at before it is trained with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pathview.errors import DataError, ImageError, NotAnalysable
from pathview.geometry import Size
from pathview.images.render import resized
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.recipe import AugmentationSpec, Recipe
from pathview.settings import Settings
from pathview.training.data.loading import Loaded, load_sample
from pathview.training.data.samples import Sample
from pathview.training.learning.augment import augmented, style_of

_NOTHING = AugmentationSpec()


def previews(
    samples: Sequence[Sample],
    recipe: Recipe,
    variants: int,
    side: int,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> npt.NDArray[np.uint8]:
    """Each sample as the network sees it, then as training may change it (a job).

    Args:
        samples: some images; what cannot be read is left out.
        recipe: how they are prepared and changed.
        variants: changed versions of each.
        side: pixels of the longer side of a picture.
        settings: limits of reading.
        progress: told after each sample.
        cancel: asked before each.

    Returns:
        uint8 [n, 1 + variants, side, side, 3] RGB, each picture in the middle of a dark square.

    Raises:
        Cancelled: between two samples.
    """
    loaded: list[Loaded] = []
    for index, sample in enumerate(samples):
        checkpoint(cancel)
        try:
            loaded.append(load_sample(sample, recipe, settings))
        except (ImageError, NotAnalysable, DataError):
            continue
        progress(Progress(index + 1, len(samples), "reading images"))
    styles = [style_of(one.working.pixels.astype(np.float32) / np.float32(255)) for one in loaded]
    tile = (recipe.input.height, recipe.input.width)
    found = np.full((len(loaded), 1 + variants, side, side, 3), 24, np.uint8)
    for index, one in enumerate(loaded):
        for variant in range(1 + variants):
            rng = np.random.default_rng([index, variant])
            spec = recipe.augmentation if variant else _NOTHING
            donor = styles[int(rng.integers(len(styles)))] if spec.style else None
            image, _ = augmented(one.working.pixels, one.mask, tile, spec, rng, donor)
            _place(image, found[index, variant])
    return found


def _place(image: npt.NDArray[np.float32], square: npt.NDArray[np.uint8]) -> None:
    """Put an image [rows, columns, channels] of 0..1 in the middle of a square."""
    side, (rows, columns) = square.shape[0], image.shape[:2]
    size = Size(columns, rows).scaled(side / max(rows, columns))
    pixels = resized(np.rint(image * 255).astype(np.uint8), size).astype(np.uint8)
    pixels = pixels.reshape(size.height, size.width, -1)
    top, left = (side - size.height) // 2, (side - size.width) // 2
    square[top : top + size.height, left : left + size.width] = pixels
