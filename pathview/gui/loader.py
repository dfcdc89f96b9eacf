"""Loading what the light box and the panels need of images, outside the window's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from pathview.geometry import Size, SpacingMm
from pathview.gui.job_runner import Job, JobRunner
from pathview.gui.picture_cache import Key, PictureCache, key_of
from pathview.gui.session_handle import SessionHandle
from pathview.images.digest import fingerprint, require_unchanged
from pathview.images.formats import open_image
from pathview.images.pyramid import PictureData, load_picture
from pathview.jobs import CancelToken, Progress, ProgressSink
from pathview.results.findings import Finding, findings
from pathview.results.mask import area_curve
from pathview.results.result import ScoreMap
from pathview.review.records.case import ImageRow, ResultRow
from pathview.settings import Settings

if TYPE_CHECKING:  # the window starts without DICOM's library
    from pathview.images.graphics import Graphics
    from pathview.images.slab import Slab, SlabMode


class Maps(NamedTuple):
    """The stored maps of a result."""

    image_id: int
    result_id: int
    probability: ScoreMap
    heatmaps: dict[str, ScoreMap]


@dataclass
class _Coming:
    """A picture that is being read; ``wanted``: to be shown, not only kept for later."""

    job: Job
    wanted: bool
    coarse: PictureData | None = None


class _Found(NamedTuple):
    """Images that are wanted next, and those of them that the job which found them reads: the first, or none."""

    images: tuple[ImageRow, ...]
    read: tuple[ImageRow, ...]


class ImageLoader(QObject):
    """Loads for the images of one case; :meth:`drop` forgets whatever is under way."""

    picture_loaded = Signal(int, object)
    """Image id and a :class:`PictureData`."""
    coarse_loaded = Signal(int, object)
    """The same, but coarse: the whole is on its way."""
    maps_loaded = Signal(object)
    """A :class:`Maps`."""
    areas_counted = Signal(int, object, object)
    """Image id, a probability map and its areas; see :func:`pathview.results.mask.area_curve`."""
    findings_found = Signal(int, object, float, object)
    """Image id, a probability map, a threshold, and the findings there."""
    graphics_loaded = Signal(int, object)
    slab_loaded = Signal(int, object)
    """Image id and a :class:`pathview.images.slab.Slab`."""
    outline_loaded = Signal(int, object)
    """Image id and a map of where the tissue of a slide is."""
    associated_loaded = Signal(int, object)
    """Image id and pictures by name: label, macro."""
    failed = Signal(int, object)
    """Image id and why its picture cannot be shown."""
    trouble = Signal(object)
    """The error of anything else; the picture stays."""

    def __init__(
        self,
        handle: SessionHandle,
        reading: JobRunner,
        store: JobRunner,
        cache: PictureCache,
        parent: QObject | None = None,
    ) -> None:
        """Open images by one runner, read maps by another."""
        super().__init__(parent)
        self._handle = handle
        self._reading = reading
        self._store = store
        self._cache = cache
        self._jobs: list[Job] = []
        self._coming: dict[Key, _Coming] = {}
        self._finding: Job | None = None
        """Which images are wanted next is being found."""
        self._slabs: dict[int, Job] = {}

    def ignore(self) -> None:
        """Report nothing any more of what is under way; pictures go on coming, since they may be wanted next."""
        for job in self._jobs:
            job.cancel()
        self._jobs.clear()
        if self._finding is not None:
            self._finding.cancel()
            self._finding = None
        for coming in self._coming.values():
            coming.wanted = False

    def drop(self, but: Iterable[ImageRow] = ()) -> None:
        """Cancel what is under way, ``but`` for the pictures of some images."""
        self.ignore()
        kept = {key_of(image) for image in but}
        for key in self._coming.keys() - kept:
            self._coming.pop(key).job.cancel()

    def read_pictures(self, images: Iterable[ImageRow]) -> None:
        """Read images that are not here; each is shown when it has come, what has come before by :meth:`show_kept`."""
        for image in images:
            coming = self._read(image)
            if coming is not None:
                coming.wanted = True

    def prefetch(self, images: Iterable[ImageRow]) -> None:
        """Read images that will be wanted next; what goes wrong is told when they are."""
        for image in images:
            if "size" in image.info:
                self._read(image)

    def read_found(self, find: Callable[[], Iterable[ImageRow]]) -> None:
        """Read images that will be wanted next, found by the thread that reads them: it waits for no other one.

        What goes wrong is told when they are wanted.
        """
        read: list[ImageRow] = []

        def work(progress: ProgressSink, cancel: CancelToken) -> PictureData | None:
            images = tuple(image for image in find() if "size" in image.info)
            first = tuple(image for image in images[:1] if not self._is_known(image))
            progress(Progress(0, 2, "opening", _Found(images, first)))
            return self._run(first[0], load_unchanged, (), progress, cancel) if first else None

        def heard(step: Progress) -> None:
            if isinstance(step.early, _Found):
                read.extend(step.early.read)
                self._expect(job, step.early)
            elif read:
                self._show_coarse(read[0], step)

        def done(picture: PictureData) -> None:
            if read:
                self._keep(read[0], picture)

        def failed(error: Exception) -> None:
            if read:
                self._fail(read[0], error)

        job = self._finding = self._reading.submit(work, done, failed, heard)

    def _expect(self, job: Job, found: _Found) -> None:
        """A job has found images and reads the first of them."""
        self._finding = None
        for image in found.read:
            before = self._coming.get(key_of(image))
            if before is not None:
                before.job.cancel()
            self._coming[key_of(image)] = _Coming(job, wanted=before is not None and before.wanted)
        self.prefetch(found.images)

    def is_reading(self, image: ImageRow) -> bool:
        """Whether a picture is on its way."""
        return key_of(image) in self._coming

    def _is_known(self, image: ImageRow) -> bool:
        """Whether a picture is here or on its way, for any thread."""
        return image in self._cache or self.is_reading(image)

    def _read(self, image: ImageRow) -> _Coming | None:
        """Have an image read once, whoever asks; None where it is here."""
        key = key_of(image)
        if self._cache.get(image) is not None:
            return None
        if key not in self._coming:
            done, failed, early = (partial(each, image) for each in (self._keep, self._fail, self._show_coarse))
            self._coming[key] = _Coming(self._start(image, load_unchanged, (), done, failed, early), wanted=False)
        return self._coming[key]

    def _show_coarse(self, image: ImageRow, step: Progress) -> None:
        coming = self._coming[key_of(image)]
        if step.early is not None:
            coming.coarse = step.early
            if coming.wanted:
                self.coarse_loaded.emit(image.id, step.early)

    def _keep(self, image: ImageRow, picture: PictureData) -> None:
        self._cache.put(image, picture)
        if self._coming.pop(key_of(image)).wanted:
            self.picture_loaded.emit(image.id, picture)

    def _fail(self, image: ImageRow, error: Exception) -> None:
        if self._coming.pop(key_of(image)).wanted:
            self.failed.emit(image.id, error)

    def show_kept(self, image: ImageRow) -> None:
        """Show an image at once if it is still here, and then see whether its file is; or as much of it as has come."""
        kept, coming = self._cache.get(image), self._coming.get(key_of(image))
        if kept is not None:
            self.picture_loaded.emit(image.id, kept)
            self._submit(image, check_unchanged, None)
        elif coming is not None and coming.coarse is not None:
            self.coarse_loaded.emit(image.id, coming.coarse)

    def load_maps(self, image_id: int, result: ResultRow) -> None:
        """Read the maps of a result."""

        def work(*_: Any) -> Maps:
            protocol = self._handle.get().protocol
            heat = {layer: protocol.map(result.id, layer) for layer in result.layers}
            return Maps(image_id, result.id, protocol.map(result.id), heat)

        self._jobs.append(self._store.submit(work, self.maps_loaded.emit, self.trouble.emit))

    def count_areas(self, image: ImageRow, probability: ScoreMap) -> None:
        """Find the mask's area at every threshold."""

        def done(areas: npt.NDArray[Any]) -> None:
            self.areas_counted.emit(image.id, probability, areas)

        self._submit(image, areas_of, done, probability)

    def find(self, image: ImageRow, probability: ScoreMap, threshold: float) -> None:
        """Find the places of a mask at a threshold."""

        def done(found: tuple[Finding, ...]) -> None:
            self.findings_found.emit(image.id, probability, threshold, found)

        self._submit(image, findings_of, done, probability, threshold)

    def load_graphics(self, image: ImageRow) -> None:
        """Read a file's overlays and shutter."""

        def done(found: Graphics) -> None:
            self.graphics_loaded.emit(image.id, found)

        self._submit(image, graphics_of, done)

    def load_tissue(self, image: ImageRow) -> None:
        """Find the tissue of a slide."""

        def done(found: ScoreMap) -> None:
            self.outline_loaded.emit(image.id, found)

        self._submit(image, tissue_of, done)

    def load_associated(self, image: ImageRow, names: Sequence[str]) -> None:
        """Read the pictures beside a slide; only when a person asks, since they carry names."""

        def done(found: dict[str, Any]) -> None:
            self.associated_loaded.emit(image.id, found)

        self._submit(image, associated_of, done, tuple(names))

    def load_slab(self, image: ImageRow, center: int, thickness: int, mode: SlabMode, downsample: float) -> None:
        """Read frames of a multi-frame image; the last wish for it wins."""

        def done(found: Slab) -> None:
            self.slab_loaded.emit(image.id, found)

        if image.id in self._slabs:
            self._slabs[image.id].cancel()
        self._slabs[image.id] = self._submit(image, slab_of, done, center, thickness, mode, downsample)

    def _submit(
        self, image: ImageRow, function: Callable[..., Any], done: Callable[[Any], None] | None, *args: Any
    ) -> Job:
        """Have something of an image made, until the next :meth:`ignore`."""
        of_picture = function in (check_unchanged, slab_of)
        failed = partial(self.failed.emit, image.id) if of_picture else self.trouble.emit
        job = self._start(image, function, args, done, failed)
        self._jobs.append(job)
        return job

    def _start(
        self,
        image: ImageRow,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        done: Callable[[Any], None] | None,
        failed: Callable[[Exception], None],
        early: Callable[[Progress], None] | None = None,
    ) -> Job:
        """Have ``function(image, settings, *args, progress, cancel)`` done by the reading child."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            return self._run(image, function, args, progress, cancel)

        return self._reading.submit(work, done, failed, early)

    def _run(
        self,
        image: ImageRow,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Any:
        session = self._handle.get()
        return session.opener.run(function, image, session.settings, *args, progress=progress, cancel=cancel)


def load_unchanged(image: ImageRow, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> PictureData:
    """The picture of a stored image, if its file is still the one that was added (a job)."""
    require_unchanged(image.path, image.fingerprint)
    return load_picture(image.path, settings, image.mpp_um, None, progress, cancel)


def check_unchanged(image: ImageRow, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> None:
    """Refuse a file that has gone or was replaced (a job)."""
    if not fingerprint(image.path):
        open_image(image.path, settings).close()  # tells why it cannot be read
    require_unchanged(image.path, image.fingerprint)


def size_of(image: ImageRow) -> Size:
    """Level 0 of a stored image."""
    width, height = image.info["size"]
    return Size(width, height)


def spacing_of(image: ImageRow) -> SpacingMm | None:
    """The pixel spacing of a stored image: as stated by the reader, else as its file says."""
    if image.mpp_um is not None:
        return SpacingMm.from_mpp(image.mpp_um)
    pair = image.info.get("spacing_mm")
    return SpacingMm(*pair) if pair else None


def areas_of(
    image: ImageRow, settings: Settings, probability: ScoreMap, progress: ProgressSink, cancel: CancelToken
) -> npt.NDArray[Any]:
    """The mask's area at every threshold (a job)."""
    return area_curve(probability, size_of(image), cancel)


def findings_of(
    image: ImageRow,
    settings: Settings,
    probability: ScoreMap,
    threshold: float,
    progress: ProgressSink,
    cancel: CancelToken,
) -> tuple[Finding, ...]:
    """The places of a mask (a job)."""
    return findings(probability, threshold, size_of(image), spacing_of(image), cancel)


def graphics_of(image: ImageRow, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Graphics:
    """A file's overlays and shutter (a job)."""
    from pathview.images.graphics import load_graphics

    return load_graphics(image.path, settings, progress, cancel)


def slab_of(
    image: ImageRow,
    settings: Settings,
    center: int,
    thickness: int,
    mode: SlabMode,
    downsample: float,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Slab:
    """Frames of a multi-frame image (a job)."""
    from pathview.images.slab import load_slab

    return load_slab(image.path, settings, center, thickness, mode, downsample, progress, cancel)


def tissue_of(image: ImageRow, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
    """Where the tissue of a slide is, 1 inside (a job)."""
    from pathview.images.tissue import find_tissue

    source = open_image(image.path, settings, image.mpp_um)
    try:
        tissue = find_tissue(source, cancel)
    finally:
        source.close()
    return ScoreMap(tissue.mask.astype(np.float32), tissue.place)


def associated_of(
    image: ImageRow, settings: Settings, names: tuple[str, ...], progress: ProgressSink, cancel: CancelToken
) -> dict[str, npt.NDArray[np.uint8]]:
    """The pictures beside a slide (a job)."""
    from pathview.images.slide import read_associated

    return {name: read_associated(image.path, settings, name) for name in names}
