"""Pictures of a few validation images after every epoch (seed 2): how a network comes to its outlines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from pathview.errors import OutputError
from pathview.models.backend import Batch

_GAP = 4


class EpochPictures:
    """Writes ``epoch-001.png`` and so on: a row an image, with the image, its truth, and what is predicted."""

    def __init__(self, folder: Path, images: Batch, truths: Batch) -> None:
        """``images`` [n, rows, columns, channels] and ``truths`` [n, rows, columns, 1], both 0..1."""
        self._folder = folder
        self._images = images
        self._truths = truths

    def __call__(self, epoch: int, predict: Callable[[Batch], Batch]) -> None:
        """Draw one epoch.

        Raises:
            OutputError: the picture cannot be written.
        """
        predicted = predict(self._images)
        rows = [
            np.concatenate(_with_gaps([_rgb(image), _rgb(truth), _rgb(found)], axis=1), axis=1)
            for image, truth, found in zip(self._images, self._truths, predicted, strict=True)
        ]
        picture = np.concatenate(_with_gaps(rows, axis=0), axis=0)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(self._folder / f"epoch-{epoch:03d}.png")
        except OSError as error:
            raise OutputError(f"The epoch's picture cannot be written to {self._folder}: {error.strerror}.") from error


def _rgb(values: Batch) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    pixels = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def _with_gaps(
    parts: list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]], axis: int
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    shape = list(parts[0].shape)
    shape[axis] = _GAP
    gap = np.full(shape, 90, np.uint8)
    return [piece for part in parts for piece in (part, gap)][:-1]
