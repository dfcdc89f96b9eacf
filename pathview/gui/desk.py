"""The desk: takes what the reader asks for, has it done outside the window's thread, and says what changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pathview.compute.engine import JobFailed
from pathview.errors import PathViewError
from pathview.gui.case_state import CaseState
from pathview.gui.intake import Intake
from pathview.gui.job_runner import Job, JobRunner
from pathview.gui.loader import ImageLoader, Maps
from pathview.gui.session_handle import SessionHandle
from pathview.gui.viewer.picture import View
from pathview.images.pyramid import PictureData
from pathview.jobs import CancelToken, Progress, ProgressSink
from pathview.results.result import ScoreMap
from pathview.review.case import CaseDetail, DecisionValue

log = logging.getLogger(__name__)
_MEASURE_DELAY_MS = 120
_SAVE_S = 30.0
"""How long closing waits for decisions that are being saved."""
_BUG = "PathView has a bug here; what happened is in its log. Nothing that was saved is lost."


class Desk(QObject):
    """The window's actions on cases. Four threads: showing, analysing, the store, and the intake's."""

    state_changed = Signal()
    picture_changed = Signal()
    said = Signal(str)
    """A sentence for the banner."""
    progressed = Signal(object)
    """A :class:`Progress`, or None when nothing runs any more."""
    saving = Signal()
    row_changed = Signal(object)
    """A :class:`CaseRow` after a decision was saved."""
    start_failed = Signal(object)
    """The error that keeps the store from being opened."""
    models_ready = Signal(object)
    """All models, a :class:`pathview.models.catalogue.Model` each."""
    case_saved = Signal(int)
    """An outcome of this case was saved."""

    def __init__(self, handle: SessionHandle, parent: QObject | None = None) -> None:
        """Work on a session that the first job opens."""
        super().__init__(parent)
        self._handle = handle
        self.state = CaseState()
        self.case_id: int | None = None
        """The case that is shown, or being opened."""
        self.undoable = False
        """Whether the last decision can still be undone: until the next case."""
        self._reading = JobRunner("reading", self)
        self._analysis = JobRunner("analysis", self)
        self._store = JobRunner("store", self)
        self._analysis.became_busy.connect(self._on_analysis_busy)
        self.intake = Intake(handle, self._store, self)
        self.intake.asked.connect(self._on_adding)
        self.intake.failed.connect(self._failed)
        self.intake.progressed.connect(self.progressed)
        self.intake.ended.connect(self._quiet)
        self._opening: Job | None = None
        self._case_before: int | None = None
        self._explaining: set[tuple[int, str]] = set()
        self.chosen: dict[str, str] = {}
        """The model that the reader chose for a kind of image; else the installation's default."""
        self._stride: int | None = None
        self._asked: dict[int, datetime] = {}
        """Cases that wait for their analysis, and since when."""
        self.loader = ImageLoader(handle, self._reading, self._store, self)
        self.loader.picture_loaded.connect(self._on_picture)
        self.loader.maps_loaded.connect(self._on_maps)
        self.loader.areas_counted.connect(self._on_areas)
        self.loader.places_counted.connect(self._on_places)
        self.loader.failed.connect(self._on_load_failed)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_MEASURE_DELAY_MS)
        self._rest.timeout.connect(self._count_places)

    @property
    def opening(self) -> bool:
        """Whether the case that the reader chose is not on the desk yet: no key may decide the one before."""
        return self.state.detail is None or self.state.detail.case.id != self.case_id

    @property
    def went_on(self) -> bool:
        """Whether the reader went to another case since images were last asked for."""
        return self.case_id != self._case_before

    @property
    def explaining(self) -> bool:
        """Whether a heat map of the result that is shown is being made."""
        result = self.state.result
        return result is not None and any(made_of == result.id for made_of, _ in self._explaining)

    @property
    def awaiting_result(self) -> bool:
        """Whether the image that is shown waits for its analysis, be it its first or another one."""
        asked = self._asked.get(self.case_id) if self.case_id is not None else None
        result = self.state.result
        return asked is not None and (result is None or result.created < asked)

    def close(self) -> None:
        """Cancel what runs and end the threads; what the reader decided is saved first."""
        self.loader.drop()
        for part in (self._analysis, self.intake, self._reading):
            part.close()
        self._store.close(_SAVE_S, finish=True)
        self._handle.close()

    def start(self) -> None:
        """Open the session, and make the day's backup of the store."""
        self._store.submit(lambda *_: self._handle.get(), None, self.start_failed.emit)
        self._submit(self._store, lambda *_: self._handle.get().catalogue.models(), self.models_ready.emit)
        self._submit(self._store, lambda *_: self._handle.get().cases.backup_if_due())

    # a case

    def open_case(self, case_id: int) -> None:
        """Show a case, its first image first."""
        self.case_id = case_id
        self.undoable = False
        self.loader.drop()
        if self._opening is not None:
            self._opening.cancel()
        self._opening = self._submit(self._store, lambda *_: self._handle.get().cases.case(case_id), self._on_case)

    def _on_case(self, detail: CaseDetail) -> None:
        self.undoable = False
        self.state = replace(self.state, index=0, picture=None, problem=None).with_result_of(detail)
        self._show_image()

    def choose_image(self, index: int) -> None:
        """Show another image of the case."""
        detail = self.state.detail
        if detail is not None and detail.images:
            index %= len(detail.images)
            self.state = replace(self.state, index=index, picture=None, problem=None).with_result_of(detail)
            self._show_image()

    def _show_image(self) -> None:
        self.loader.drop()
        image = self.state.image
        if image is not None and "size" not in image.info:
            self.state = replace(self.state, problem=str(image.info.get("reason")))
        self.picture_changed.emit()
        self.state_changed.emit()
        if image is not None and self.state.problem is None:
            self.loader.load_picture(image)
            self._load_maps()

    def reload_case(self) -> None:
        """Read the case again after something about it was saved."""
        detail = self.state.detail
        if detail is not None:
            self._submit(self._store, lambda *_: self._handle.get().cases.case(detail.case.id), self._on_reloaded)

    def _on_reloaded(self, fresh: CaseDetail) -> None:
        before, detail = self.state.result, self.state.detail
        if detail is None or detail.case.id != fresh.case.id:
            return
        self.state = replace(self.state, detail=fresh)
        after = self.state.result
        if after is not None and (before is None or after.id != before.id):
            self.state = self.state.with_result_of(fresh)
            self._load_maps()
        self.state_changed.emit()

    def _load_maps(self) -> None:
        result = self.state.result
        if result is not None and result.status == "analysed":
            self.loader.load_maps(result)

    def want_detail(self, view: View) -> None:
        """Have finer pixels read for what the screen shows."""
        if self.state.picture is not None and self.state.image is not None:
            self.loader.load_detail(self.state.image, self.state.picture, view)

    @Slot(object)
    def _on_picture(self, picture: PictureData) -> None:
        self.state = replace(self.state, picture=picture)
        self.picture_changed.emit()
        self.state_changed.emit()

    @Slot(object)
    def _on_maps(self, maps: Maps) -> None:
        result_id, probability, heatmaps = maps
        result = self.state.result
        if result is None or result.id != result_id:
            return
        layer = self.state.layer if self.state.layer in heatmaps else result.heat_layer
        self.state = replace(self.state, probability=probability, heatmaps=heatmaps, layer=layer)
        self.state_changed.emit()
        if self.state.image is not None:
            self.loader.count_areas(self.state.image, probability)
        self._rest.start()
        if self.state.heat:
            self._need_heat()

    @Slot(object, object)
    def _on_areas(self, probability: ScoreMap, areas: Any) -> None:
        if self.state.probability is probability:
            self.state = replace(self.state, areas=areas)
            self.state_changed.emit()

    @Slot(object, float, int)
    def _on_places(self, probability: ScoreMap, threshold: float, places: int) -> None:
        if self.state.threshold == threshold and self.state.probability is probability:
            self.state = replace(self.state, places=places)
            self.state_changed.emit()

    @Slot()
    def _count_places(self) -> None:
        """Count the mask's places at the threshold where the slider rests."""
        state = self.state
        if state.image is not None and state.probability is not None:
            self.loader.count_places(state.image, state.probability, state.threshold)

    # how it is shown

    def show(self, **changes: Any) -> None:
        """Change how the result is shown: threshold, mask, fill, heat, layer, colormap, opacity."""
        self.state = replace(self.state, **changes)
        if "threshold" in changes:
            self.state = replace(self.state, places=None)
            self._rest.start()
        if changes.get("heat") or "layer" in changes:
            self._need_heat()
        self.state_changed.emit()

    def _need_heat(self) -> None:
        """Have the heat map made that is asked for but not there."""
        image, result = self.state.image, self.state.result
        if image is None or result is None or result.status != "analysed":
            return
        layer = self.state.layer if self.state.layer in result.explainable else result.heat_layer
        if not layer or layer in self.state.heatmaps or (result.id, layer) in self._explaining:
            return
        self._explaining.add((result.id, layer))

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            return self._handle.get().explain_image(image, layer, progress, cancel)

        def done(maps: dict[str, ScoreMap]) -> None:
            if self.state.result is not None and self.state.result.id == result.id:
                self.state = replace(self.state, heatmaps={**self.state.heatmaps, **maps}, layer=layer)
                self.state_changed.emit()

        def ended() -> None:
            self._explaining.discard((result.id, layer))

        self._submit(self._analysis, work, done, self.progressed.emit, ended)

    # analysis

    def analyse(self, case_ids: Sequence[int]) -> None:
        """Analyse cases one after another; each outcome is saved before the next begins."""
        if not case_ids:
            return
        chosen, stride = dict(self.chosen), self._stride
        now = datetime.now(UTC)
        self._asked |= dict.fromkeys(case_ids, now)

        def ended() -> None:
            self._asked = {case: since for case, since in self._asked.items() if since > now}
            self.state_changed.emit()

        def saved(case_id: int, _: object) -> None:
            self.case_saved.emit(case_id)

        def work(progress: ProgressSink, cancel: CancelToken) -> None:
            from pathview.session import AnalyseOptions

            options = AnalyseOptions(by_kind=chosen, stride=stride)
            self._handle.get().analyse_cases(case_ids, options, progress, cancel, saved)

        self._submit(self._analysis, work, None, self.progressed.emit, ended)
        self.state_changed.emit()

    def choose_model(self, kind: str, name: str) -> None:
        """Analyse images of a kind with this model from now on; an empty name: with the default."""
        self.chosen = {**self.chosen, kind: name} if name else {k: v for k, v in self.chosen.items() if k != kind}
        self.state_changed.emit()

    def use_fine_maps(self, fine: bool) -> None:
        """Move patches in small steps from the next analysis on, or lay them side by side."""
        self._stride = 0 if fine else None
        on = "From the next analysis on, patches are moved in small steps: a finer map, and slower."
        self.said.emit(on if fine else "Patches are laid side by side again.")

    def analyse_new(self) -> None:
        """Analyse every case that was never analysed."""
        self._submit(self._store, lambda *_: self._handle.get().cases.new_case_ids(), self.analyse)

    def state_pixel_size(self, mpp_um: float) -> None:
        """Keep a pixel size for the image, and analyse it."""
        image = self.state.image
        if image is None:
            return

        def work(*_: Any) -> None:
            session = self._handle.get()
            session.cases.set_pixel_size(image.id, mpp_um, session.reader)

        def done(_: object) -> None:
            self.open_case(image.case_id)
            self.analyse([image.case_id])

        self._submit(self._store, work, done)

    def cancel(self) -> None:
        """Stop analysing and adding; what was saved stays."""
        self._analysis.cancel_all()
        self.intake.cancel()
        self.progressed.emit(None)

    # decisions

    def decide(self, value: DecisionValue | None, note: str) -> None:
        """Save a decision (None withdraws it); it is shown as saved once it is on disk."""
        if self.opening:
            return
        detail = self.state.detail
        assert detail is not None
        case_id, context = detail.case.id, self.state.context()
        self.saving.emit()

        def work(*_: Any) -> CaseDetail:
            session = self._handle.get()
            session.decide(case_id, value, note, context)
            return session.cases.case(case_id)

        def done(saved: CaseDetail) -> None:
            if self.case_id == case_id:
                self.undoable = value is not None
            self._on_reloaded(saved)
            self.row_changed.emit(saved.case)

        self._submit(self._store, work, done)

    # threads

    def _submit(
        self,
        runner: JobRunner,
        work: Callable[[ProgressSink, CancelToken], Any],
        done: Callable[[Any], None] | None = None,
        progress: Callable[[Progress], None] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> Job:
        return runner.submit(work, done, self._failed, progress, ended)

    @Slot(object)
    def _on_load_failed(self, error: Exception) -> None:
        if self.state.picture is None:
            self.state = replace(self.state, problem=str(error))
            self.picture_changed.emit()
        self._failed(error)

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        if isinstance(error, JobFailed):
            log.error("a job failed: %s\n%s", error, error.trace)
        if isinstance(error, PathViewError):
            self.said.emit(str(error))
        else:
            self.said.emit(f"{_BUG} ({error})" if isinstance(error, JobFailed) else _BUG)
        self.state_changed.emit()

    @Slot()
    def _on_adding(self) -> None:
        self._case_before = self.case_id

    @Slot()
    def _quiet(self) -> None:
        if not self._analysis.busy:
            self.progressed.emit(None)

    @Slot(bool)
    def _on_analysis_busy(self, busy: bool) -> None:
        if not busy:
            self.progressed.emit(None)
        self.state_changed.emit()
