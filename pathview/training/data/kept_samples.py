"""Prepared samples without their weight in memory: read when they are asked for, or prepared once and kept in a file.

Ten thousand images of 224 pixels are 1.5 GB. A file without a name, gone with the process, holds them as bytes; the
system's own cache keeps what fits.
"""

from __future__ import annotations

import errno
import math
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, overload

import numpy as np

from pathview.analysis.prepare import Working
from pathview.errors import ImageError, NotAnalysable, OutputError
from pathview.geometry import GridPlace, Size
from pathview.images.render import resized
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.recipe import Recipe
from pathview.settings import Settings
from pathview.training.data.loading import Loaded, Pixels8, load_sample, preparation_of
from pathview.training.data.sample_stains import SampleStains
from pathview.training.data.samples import Sample


@dataclass(frozen=True)
class _Place:
    """Where an array lies in the file."""

    start: int
    shape: tuple[int, ...]


class PixelFile:
    """A file of arrays of bytes, gone when it is closed; any thread may read."""

    def __init__(self, folder: Path) -> None:
        """Make it in a folder.

        Raises:
            OutputError: it cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise _cannot_keep(folder, error) from error
        self._folder = folder
        self._end = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """The file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._file.close()

    def add(self, values: Pixels8) -> _Place:
        """Keep an array.

        Raises:
            OutputError: the disk is full.
        """
        place = _Place(self._end, values.shape)
        try:
            with self._lock:
                self._file.seek(self._end)
                self._file.write(np.ascontiguousarray(values).tobytes())
                self._file.flush()
        except OSError as error:
            raise _cannot_keep(self._folder, error) from error
        self._end += values.size
        return place

    def get(self, place: _Place) -> Pixels8:
        """An array that was kept."""
        with self._lock:
            self._file.seek(place.start)
            found = self._file.read(math.prod(place.shape))
        return np.frombuffer(found, np.uint8).reshape(place.shape)


def _cannot_keep(folder: Path, error: OSError) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"There is no room left on the disk of {folder}, where the prepared images are kept while training runs: "
            "free some, and go on with the training."
        )
    return OutputError(f"Prepared images cannot be kept in {folder}: {error.strerror or 'input/output error'}.")


@dataclass(frozen=True)
class _Entry:
    sample: Sample
    label: int
    prepared: str
    file: PixelFile
    pixels: _Place
    where: GridPlace
    mask: _Place | None


class KeptSamples(Sequence[Loaded]):
    """Prepared samples whose pixels are read from the file whenever one is asked for."""

    def __init__(self, entries: Sequence[_Entry] = ()) -> None:
        """Of entries that :func:`keep_samples` made."""
        self._entries = tuple(entries)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Loaded: ...
    @overload
    def __getitem__(self, index: slice) -> KeptSamples: ...
    def __getitem__(self, index: int | slice) -> Loaded | KeptSamples:
        """One with its pixels, or some without."""
        if isinstance(index, slice):
            return KeptSamples(self._entries[index])
        entry = self._entries[index]
        pixels = entry.file.get(entry.pixels)
        mask = _as_large(entry.file.get(entry.mask), pixels) if entry.mask is not None else None
        return Loaded(entry.sample, Working(pixels, entry.where), mask, entry.label, entry.prepared)

    def __add__(self, other: KeptSamples) -> KeptSamples:
        """These and others."""
        return KeptSamples(self._entries + other._entries)

    def chosen(self, indices: Sequence[int]) -> KeptSamples:
        """Those at some places."""
        return KeptSamples([self._entries[i] for i in indices])

    def dealt(self, givers: Sequence[int]) -> KeptSamples:
        """The same images, each with the truth (class and outline) of another: that at its place in ``givers``."""
        pairs = zip(self._entries, (self._entries[i] for i in givers), strict=True)
        return KeptSamples([replace(own, label=giver.label, mask=giver.mask) for own, giver in pairs])

    @property
    def samples(self) -> list[Sample]:
        """What they are, without their pixels."""
        return [entry.sample for entry in self._entries]

    @property
    def labels(self) -> list[int]:
        """Their classes."""
        return [entry.label for entry in self._entries]


def _as_large(mask: Pixels8, pixels: Pixels8) -> Pixels8:
    """An outline on the grid of an image; another's may be of another size."""
    rows, columns = pixels.shape[:2]
    if mask.shape == (rows, columns):
        return mask
    return np.where(resized(mask, Size(columns, rows)) > 127, np.uint8(255), np.uint8(0))


def keep_samples(
    samples: Sequence[Sample],
    recipe: Recipe,
    settings: Settings,
    file: PixelFile,
    progress: ProgressSink,
    cancel: CancelToken,
) -> tuple[KeptSamples, list[str]]:
    """Prepare samples once and keep them in a file.

    Returns:
        What could be read, and one sentence for each sample that could not.

    Raises:
        OutputError: its disk is full.
    """
    asked = AskedSamples(samples, recipe, settings)
    entries, problems = [], []
    for index in range(len(asked)):
        checkpoint(cancel)
        try:
            one = asked[index]
        except (ImageError, NotAnalysable) as error:
            problems.append(str(error))
        else:
            mask = file.add(one.mask) if one.mask is not None else None
            pixels = file.add(one.working.pixels)
            entries.append(_Entry(one.sample, one.label, one.prepared, file, pixels, one.working.place, mask))
        if index % 50 == 49 or index == len(asked) - 1:
            progress(Progress(index + 1, len(asked), "reading images"))
    return KeptSamples(entries), problems


class AskedSamples:
    """Samples that are read and prepared when they are asked for."""

    def __init__(self, samples: Sequence[Sample], recipe: Recipe, settings: Settings) -> None:
        """Nothing is read yet."""
        self.samples = tuple(samples)
        self.recipe = recipe
        self._settings = settings
        self._stains = SampleStains(samples if recipe.input.stain else [], settings)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.samples)

    def __getitem__(self, index: int) -> Loaded:
        """One, prepared.

        Raises:
            ImageError, NotAnalysable: it cannot be used.
            DataError: its mask has another size than its image.
        """
        sample = self.samples[index]
        return load_sample(sample, self.recipe, self._settings, self._stains.of(sample))

    def prepared(self, index: int) -> str:
        """How it will be prepared: :attr:`pathview.training.learning.batches.Loaded.prepared`, without reading it."""
        return preparation_of(self.recipe, self._stains.of(self.samples[index]))


def in_parts(count: int, size: int) -> Iterator[range]:
    """``range(count)`` in pieces of at most ``size``."""
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
