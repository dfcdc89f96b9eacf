"""Loading what the canvas and the panels need of one image, outside the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from pathview.geometry import Region, Size
from pathview.gui.job_runner import Job, JobRunner
from pathview.gui.session_handle import SessionHandle
from pathview.gui.viewer.picture import View
from pathview.images.digest import require_unchanged
from pathview.images.pyramid import PictureData, load_picture, load_region
from pathview.jobs import CancelToken, ProgressSink
from pathview.results.mask import area_curve, measure
from pathview.results.result import ScoreMap
from pathview.review.case import ImageRow, ResultRow
from pathview.settings import Settings

_DETAIL_MARGIN = 0.25
Maps = tuple[int, ScoreMap, dict[str, ScoreMap]]


class ImageLoader(QObject):
    """Loads for one image at a time; :meth:`drop` forgets whatever is under way for the one before."""

    picture_loaded = Signal(object)
    """A :class:`PictureData`."""
    maps_loaded = Signal(object)
    """Id of the result, its probability map, and its heat maps by layer."""
    areas_counted = Signal(object, object)
    """A probability map and its areas; see :func:`pathview.results.mask.area_curve`."""
    places_counted = Signal(object, float, int)
    """A probability map, a threshold, and how many components its mask has there."""
    detail_loaded = Signal(object)
    """A :class:`Patch`."""
    failed = Signal(object)

    def __init__(
        self, handle: SessionHandle, reading: JobRunner, store: JobRunner, parent: QObject | None = None
    ) -> None:
        """Open images by one runner, read maps by another."""
        super().__init__(parent)
        self._handle = handle
        self._reading = reading
        self._store = store
        self._jobs: list[Job] = []
        self._detail: Job | None = None

    def drop(self) -> None:
        """Cancel what is under way; nothing of it is reported any more."""
        for job in self._jobs:
            job.cancel()
        self._jobs.clear()

    def load_picture(self, image: ImageRow) -> None:
        """Open an image."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            session = self._handle.get()
            return session.opener.run(load_unchanged, image, session.settings, progress=progress, cancel=cancel)

        self._submit(self._reading, work, self.picture_loaded.emit)

    def load_maps(self, result: ResultRow) -> None:
        """Read the maps of a result."""

        def work(*_: Any) -> Maps:
            cases = self._handle.get().cases
            return result.id, cases.map(result.id), {layer: cases.map(result.id, layer) for layer in result.layers}

        self._submit(self._store, work, self.maps_loaded.emit)

    def count_areas(self, image: ImageRow, probability: ScoreMap) -> None:
        """Find the mask's area at every threshold."""

        def work(_: ProgressSink, cancel: CancelToken) -> Any:
            return self._handle.get().opener.run(areas_of, probability, size_of(image), cancel=cancel)

        def done(areas: npt.NDArray[Any]) -> None:
            self.areas_counted.emit(probability, areas)

        self._submit(self._reading, work, done)

    def count_places(self, image: ImageRow, probability: ScoreMap, threshold: float) -> None:
        """Find how many components the mask has at a threshold."""

        def work(_: ProgressSink, cancel: CancelToken) -> Any:
            return self._handle.get().opener.run(places_of, probability, threshold, size_of(image), cancel=cancel)

        def done(places: int) -> None:
            self.places_counted.emit(probability, threshold, places)

        self._submit(self._reading, work, done)

    def load_detail(self, image: ImageRow, picture: PictureData, view: View) -> None:
        """Read what the screen shows of a large image, and a margin around it; the last view wins."""
        width, height = view.width / view.scale, view.height / view.scale
        region = Region(
            int(view.x - _DETAIL_MARGIN * width),
            int(view.y - _DETAIL_MARGIN * height),
            int(width * (1 + 2 * _DETAIL_MARGIN)),
            int(height * (1 + 2 * _DETAIL_MARGIN)),
        ).clipped(picture.info.size)
        if region.width < 1 or region.height < 1:
            return
        if self._detail is not None:
            self._detail.cancel()

        def work(_: ProgressSink, cancel: CancelToken) -> Any:
            session, downsample = self._handle.get(), max(1.0, 1 / view.scale)
            return session.opener.run(
                load_region, image.path, session.settings, image.mpp_um, region, downsample, cancel=cancel
            )

        self._detail = self._submit(self._reading, work, self.detail_loaded.emit)

    def _submit(
        self, runner: JobRunner, work: Callable[[ProgressSink, CancelToken], Any], done: Callable[[Any], None]
    ) -> Job:
        job = runner.submit(work, done, self.failed.emit)
        self._jobs.append(job)
        return job


def load_unchanged(image: ImageRow, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> PictureData:
    """The picture of a stored image, if its file is still the one that was added (a job)."""
    require_unchanged(image.path, image.fingerprint)
    return load_picture(image.path, settings, image.mpp_um, 0, progress, cancel)


def size_of(image: ImageRow) -> Size:
    """Level 0 of a stored image."""
    width, height = image.info["size"]
    return Size(width, height)


def areas_of(probability: ScoreMap, size: Size, progress: ProgressSink, cancel: CancelToken) -> npt.NDArray[Any]:
    """The mask's area at every threshold (a job)."""
    return area_curve(probability, size, cancel)


def places_of(probability: ScoreMap, threshold: float, size: Size, progress: ProgressSink, cancel: CancelToken) -> int:
    """How many components the mask has (a job)."""
    return len(measure(probability, threshold, size, None, cancel=cancel).components)
