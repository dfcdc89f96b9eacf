"""Samples read once, and batches drawn from them: the same seed and epoch give the same batches."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from imblearn.under_sampling import RandomUnderSampler

from pathview import __version__
from pathview.analysis.predict import as_input
from pathview.analysis.prepare import Working, prepare
from pathview.analysis.tiles import overlapping_grid, pad
from pathview.errors import DataError, ImageError, NotAnalysable
from pathview.geometry import Region, Size
from pathview.images.formats import open_image
from pathview.images.render import resized
from pathview.images.stain import Stains
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.backend import Batch
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.augment import Style, augmented, style_of
from pathview.training.sample_stains import SampleStains
from pathview.training.samples import Sample

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


class TrainingBatches:
    """Augmented batches; ``batch(epoch, index)`` depends on the seed and its arguments alone."""

    def __init__(self, loaded: Sequence[Loaded], recipe: Recipe, seed: int) -> None:
        """Draw from ``loaded`` as the recipe says.

        Raises:
            DataError: nothing to draw from, or a class without a sample.
        """
        self._loaded = loaded
        self._recipe = recipe
        self._seed = seed
        facts = [self._fact(one) for one in loaded]
        if not facts:
            raise DataError("There are no images to train on.")
        labels = np.array([label for label, _, _ in facts])
        if recipe.classifies:
            missing = [name for i, name in enumerate(recipe.classes) if not (labels == i).any()]
            if missing:
                raise DataError(f"The training patients have no image of the class {missing[0]!r}.")
        self._labels = labels
        self._patients = np.array([patient for _, patient, _ in facts])
        self._pool = self._balanced_pool()
        self._styles = [style for _, _, style in facts if style is not None]
        self._orders: tuple[int, npt.NDArray[np.intp]] = (-1, self._pool)

    def _fact(self, one: Loaded) -> tuple[int, str, Style | None]:
        """Class, patient and, where styles are mixed, the style of one image."""
        style = style_of(as_input(one.working.pixels)) if self._recipe.augmentation.style else None
        return one.label, one.sample.patient or "", style

    @property
    def class_weights(self) -> tuple[float, ...]:
        """What an image of each class counts, so that all classes count alike; empty where the recipe wants none."""
        spec = self._recipe.training
        if not spec.class_weights or not self._recipe.classifies or spec.balance == "patients":  # those are alike
            return ()
        counts = np.bincount(self._labels[self._pool], minlength=len(self._recipe.classes))
        return tuple((counts.sum() / (len(counts) * counts)).tolist())

    def __len__(self) -> int:
        """Batches an epoch; a rest that fills no batch is left to the next epoch's order."""
        return max(1, len(self._pool) // self._recipe.training.batch)

    def batch(self, epoch: int, index: int) -> tuple[Batch, Batch]:
        """Images [n, rows, columns, channels] and truths ([n, classes] one-hot or masks [n, rows, columns, 1])."""
        size = self._recipe.training.batch
        chosen = self._order(epoch)[index * size : (index + 1) * size]
        rng = np.random.default_rng([self._seed, 1, epoch, index])
        tile = (self._recipe.input.height, self._recipe.input.width)
        pairs = []
        for i in chosen.tolist():
            donor = self._styles[rng.integers(len(self._styles))] if self._styles else None
            one = self._loaded[i]
            pairs.append(augmented(one.working.pixels, one.mask, tile, self._recipe.augmentation, rng, donor))
        images = np.stack([image for image, _ in pairs])
        if self._recipe.task == "segmentation":
            return images, np.stack([mask for _, mask in pairs if mask is not None])
        return images, np.eye(len(self._recipe.classes), dtype=np.float32)[self._labels[chosen]]

    def _balanced_pool(self) -> npt.NDArray[np.intp]:
        indices = np.arange(len(self._labels))
        if self._recipe.training.balance != "undersample":
            return indices
        sampler = RandomUnderSampler(random_state=self._seed)
        sampler.fit_resample(indices[:, None], self._labels)
        return np.sort(np.asarray(sampler.sample_indices_, np.intp))

    def _order(self, epoch: int) -> npt.NDArray[np.intp]:
        known, order = self._orders
        if known != epoch:
            rng = np.random.default_rng([self._seed, 0, epoch])
            drawn = self._by_patient(rng) if self._recipe.training.balance == "patients" else self._pool
            order = rng.permutation(drawn)
            self._orders = (epoch, order)
        return order

    def _by_patient(self, rng: np.random.Generator) -> npt.NDArray[np.intp]:
        """As many draws as samples: each class equally often, within it each patient equally often."""
        classes = np.unique(self._labels)
        groups = []
        for label in classes:
            patients = np.unique(self._patients[self._labels == label])
            quota = -(-len(self._labels) // (len(classes) * len(patients)))
            for patient in patients:
                members = np.flatnonzero((self._labels == label) & (self._patients == patient))
                groups.append(rng.choice(members, quota, replace=quota > len(members)))
        return np.concatenate(groups)


def validation_inputs(loaded: Sequence[Loaded], recipe: Recipe) -> tuple[Batch, Batch]:
    """Unchanged images and truths for a look at the validation patients after each epoch.

    Segmentations are seen whole, in the middle of one tile (a larger image by its middle part).
    """
    if recipe.classifies:
        patches = np.stack([one.working.pixels for one in loaded])
        return as_input(patches), np.eye(len(recipe.classes), dtype=np.float32)[[one.label for one in loaded]]
    tile = (recipe.input.height, recipe.input.width)
    images = [_middle(one.working.pixels, tile) for one in loaded]
    masks = [_middle(one.mask[..., None], tile) for one in loaded if one.mask is not None]
    return as_input(np.stack(images)), as_input(np.stack(masks))


def _middle(pixels: Pixels8, tile: tuple[int, int]) -> Pixels8:
    rows, columns = pixels.shape[:2]
    padded = pad(pixels, overlapping_grid((rows, columns), tile, 0.0))
    top, left = (padded.shape[0] - tile[0]) // 2, (padded.shape[1] - tile[1]) // 2
    return padded[top : top + tile[0], left : left + tile[1]]
