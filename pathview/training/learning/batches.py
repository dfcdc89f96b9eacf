"""Batches drawn from samples: the same seed and epoch give the same batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pathview.analysis.predict import as_input
from pathview.analysis.tiles import overlapping_grid, pad
from pathview.errors import DataError
from pathview.models.backend import Batch
from pathview.models.recipe import Recipe
from pathview.training.data.loading import Loaded, Pixels8
from pathview.training.learning.augment import Style, augmented, style_of


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
        from imblearn.under_sampling import RandomUnderSampler  # takes seconds to import

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
