"""What marks measure: their shape at once, the values inside regions counted off the UI thread."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from pathview.geometry import Turn
from pathview.gui.job_runner import Job, JobRunner
from pathview.images.pyramid import PictureData
from pathview.results.annotation import Mark
from pathview.results.measurement import COLOR_REFUSAL, RegionStats, measure_mark, region_stats

_WAITING = ("mean …  SD …", "… to …  n …")
_FAILED = "mean and SD could not be computed"


class Measurer(QObject):
    """Says what marks measure: their shape at once, the values inside a region as soon as they are counted."""

    measured = Signal(str, object)
    """Id of a mark, and its lines (tuple of str); comes twice for a region of a grey image."""

    def __init__(self, runner: JobRunner, parent: QObject | None = None) -> None:
        """Count in a runner's thread: one of its own, else counting waits for what else runs there."""
        super().__init__(parent)
        self._runner = runner
        self._jobs: dict[str, Job] = {}

    def measure(self, mark: Mark, data: PictureData) -> None:
        """Measure a mark on a picture (of the mark's frame, turned as it hangs); an older answer is dropped."""
        self.forget(mark.id)
        info, scale = data.info, data.scale
        shape = measure_mark(mark, info.spacing, info.spacing_source).lines
        if not mark.is_region or not mark.measurable:
            self.measured.emit(mark.id, shape)
            return
        if scale is None or data.partial:
            self.measured.emit(mark.id, (COLOR_REFUSAL, *shape))
            return
        codes = as_stored(data.levels[0].pixels, info.turn)
        self._jobs[mark.id] = self._runner.submit(
            lambda _, cancel: region_stats(mark, codes, scale, scale.low, cancel),
            partial(self._take, mark.id, shape),
            partial(self._fail, mark.id, shape),
        )
        self.measured.emit(mark.id, (*_WAITING, *shape))

    def forget(self, mark_id: str) -> None:
        """Want no answer for a mark any more."""
        if (job := self._jobs.pop(mark_id, None)) is not None:
            job.cancel()

    def forget_all(self) -> None:
        """Want no answer any more."""
        for mark_id in tuple(self._jobs):
            self.forget(mark_id)

    def _take(self, mark_id: str, shape: tuple[str, ...], stats: RegionStats) -> None:
        self._jobs.pop(mark_id, None)
        self.measured.emit(mark_id, (*stats.lines, *shape))

    def _fail(self, mark_id: str, shape: tuple[str, ...], _: Exception) -> None:
        self._jobs.pop(mark_id, None)
        self.measured.emit(mark_id, (_FAILED, *shape))


def as_stored(shown: npt.NDArray[Any], turn: Turn) -> npt.NDArray[Any]:
    """A turned array [rows, columns, ...] as it is stored: a view, nothing is copied."""
    straight = shown[::-1] if turn.mirror_y else shown
    straight = straight[:, ::-1] if turn.mirror_x else straight
    return straight.swapaxes(0, 1) if turn.transpose else straight
