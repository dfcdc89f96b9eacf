"""The desk: takes what the reader asks for, has it done outside the window's thread, and says what changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from pathview.compute.engine import JobFailed
from pathview.errors import PathViewError
from pathview.gui.case_state import CaseState
from pathview.gui.dialogs.agreement import AgreementDialog
from pathview.gui.dialogs.drift import DriftDialog
from pathview.gui.growing import GrowingMap
from pathview.gui.intake import Intake
from pathview.gui.job_runner import Job, JobRunner
from pathview.gui.lists import Lists
from pathview.gui.mark_keeper import MarkKeeper
from pathview.gui.opened import Opened, first_pictures, look
from pathview.gui.panels.confusion import ConfusionPanel
from pathview.gui.panels.gallery import GalleryPanel
from pathview.gui.picture_cache import PictureCache
from pathview.gui.reading_desk import ReadingDesk
from pathview.gui.reading_room import ReadingRoom
from pathview.gui.session_handle import SessionHandle
from pathview.gui.store_keeper import StoreKeeper
from pathview.gui.tile_review import TileReview
from pathview.jobs import CancelToken, Progress, ProgressSink
from pathview.results.result import ScoreMap
from pathview.review.records.case import CaseDetail, ImageRow

if TYPE_CHECKING:  # the catalogue is imported by the first job, after the window is painted
    from pathview.models.catalogue import Model

log = logging.getLogger(__name__)
_SAVE_S = 30.0
"""How long closing waits for decisions that are being saved."""
_CACHE_BYTES = 768 * 2**20
"""Pictures of the case, the ones before and the one that comes next."""
_BUG = "PathView has a bug here; what happened is in its log. Nothing that was saved is lost."


class Desk(QObject):
    """The window's actions on cases. Threads: reading images, analysing, the store, measuring, and the intake's."""

    state_changed = Signal()
    said = Signal(str)
    """A sentence for the banner."""
    progressed = Signal(object)
    """A :class:`Progress`, or None when nothing runs any more."""
    start_failed = Signal(object)
    """The error that keeps the store from being opened."""
    models_ready = Signal(object)
    """All models, a :class:`pathview.models.catalogue.Model` each."""
    tile_explained = Signal(object)
    """Pictures by layer: the tile, then what each layer looks at."""
    case_saved = Signal(int)
    """An outcome of this case was saved."""

    def __init__(self, handle: SessionHandle, parent: QObject | None = None) -> None:
        """Work on a session that the first job opens."""
        super().__init__(parent)
        self._handle = handle
        self.case_id: int | None = None
        """The case that is shown, or being opened."""
        self._reading = JobRunner("reading", self)
        self._analysis = JobRunner("analysis", self)
        self._store = JobRunner("store", self)
        self._measuring = JobRunner("measuring", self)
        self._analysis.became_busy.connect(self._on_analysis_busy)
        self.intake = Intake(handle, self._store, self)
        self.intake.asked.connect(self._on_adding)
        self.intake.failed.connect(self.failed)
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
        self._cache = PictureCache(_CACHE_BYTES)
        self.room = ReadingRoom(handle, self._reading, self._store, self._cache, self)
        self.room.state_changed.connect(self.state_changed)
        self.room.failed.connect(self.failed)
        self.room.heat_wanted.connect(self._make_heat)
        self._growing = GrowingMap(handle, self._store, self.room, lambda: self.awaiting_result, self)
        self._analysis.became_busy.connect(self._growing.follow)
        self.marks = MarkKeeper(handle, self._store, self._measuring, self.room, self)
        self.marks.failed.connect(self.failed)
        self.reading = ReadingDesk(handle, self._store, self.room, self)
        """How far the reader is with the case."""
        self.reading.others_shown.connect(self._show_others)
        self.lists = Lists(handle, self._store, self)
        self.keeper = StoreKeeper(handle, self._store, self)
        for part in (self.reading, self.lists, self.keeper):
            part.failed.connect(self.failed)
        self.agreement: AgreementDialog | None = None
        """Made when it is first asked for."""
        self.drift: DriftDialog | None = None
        """The same."""

    @property
    def handle(self) -> SessionHandle:
        """The session, for windows beside this one."""
        return self._handle

    @property
    def state(self) -> CaseState:
        """What is on the desk; only the room changes it."""
        return self.room.state

    @property
    def opening(self) -> bool:
        """Whether the case that the reader chose is not on the desk yet: no key may decide the one before."""
        return self.state.detail is None or self.state.detail.case.id != self.case_id

    @property
    def undoable(self) -> bool:
        """Whether the last decision can still be undone: until the next case."""
        return self.reading.undoable

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

    @property
    def analysing(self) -> bool:
        """Whether an analysis runs or waits."""
        return self._analysis.busy

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        runners = (self._reading, self._analysis, self._store, self._measuring)
        return any(runner.busy for runner in runners) or self.intake.adding or self.room.busy

    def review_tiles(self, gallery: GalleryPanel, table: ConfusionPanel, parent: QObject) -> TileReview:
        """Let the gallery and the table follow what is on the desk."""
        review = TileReview(self._handle, self._store, self.room, gallery, table, parent)
        review.said.connect(self.said)
        review.failed.connect(self.failed)
        return review

    def show_agreement(self, parent: QWidget) -> None:
        """Open the window of agreement, or bring it to the front."""
        if self.agreement is None:
            self.agreement = AgreementDialog(self._handle, parent)
            self.agreement.case_chosen.connect(self.open_case)
        self.agreement.show()
        self.agreement.raise_()
        self.agreement.activateWindow()

    def show_drift(self, parent: QWidget) -> None:
        """Open the window of drift, or bring it to the front."""
        if self.drift is None:
            self.drift = DriftDialog(self._handle, parent)
        self.drift.show()
        self.drift.raise_()
        self.drift.activateWindow()

    def close(self) -> None:
        """Cancel what runs and end the threads; what the reader decided and drew is saved first."""
        if self.drift is not None:
            self.drift.end()
        if self.agreement is not None:
            self.agreement.end()
        self.reading.leave()
        self.room.close()
        for part in (self._analysis, self.intake, self._reading, self._measuring):
            part.close()
        self._store.close(_SAVE_S, finish=True)
        self._handle.close()

    def start(self) -> None:
        """Open the session, and make the day's backup of the store."""
        known = self.reading.reader_known.emit
        self._store.submit(lambda *_: self._handle.get().reader, known, self.start_failed.emit)
        self.reload_models()
        self._submit(self._store, lambda *_: self._handle.get().cases.backup_if_due())

    @Slot()
    def reload_models(self) -> None:
        """Read again which models there are."""
        self._submit(self._store, lambda *_: self._handle.get().catalogue.models(), self._take_models)

    def _take_models(self, models: tuple[Model, ...]) -> None:
        usable = {model.name for model in models if model.folder is not None}
        self.chosen = {kind: name for kind, name in self.chosen.items() if name in usable}  # one may be withdrawn
        self.models_ready.emit(models)

    # a case

    def open_case(self, case_id: int) -> None:
        """Show a case, the first step of its hanging."""
        self.reading.leave()
        self.case_id = case_id
        self.room.leave()
        if self._opening is not None:
            self._opening.cancel()
        wanted = self.room.wanted_protocol
        self.room.loader.read_found(lambda: first_pictures(self._handle.get(), case_id, wanted))

        def work(*_: Any) -> Opened:
            session = self._handle.get()
            return look(session, case_id, session.protocol.open(case_id))

        self._opening = self._submit(self._store, work, self._on_case)

    @Slot()
    def _show_others(self) -> None:
        """What others drew is there now."""
        if self.case_id is not None:
            self.marks.open(self.case_id)

    def clear(self) -> None:
        """Have no case on the desk: the reader or the store is another one now."""
        if self._opening is not None:
            self._opening.cancel()
        self.room.drop()
        self.case_id = None
        self.reading.take(None)

    def _on_case(self, opened: Opened) -> None:
        self.room.open(opened)
        self.reading.take(opened)
        self.marks.open(opened.detail.case.id)
        of_form = opened.reading.problems if opened.reading is not None else ()
        for problem in (*opened.problems, *of_form)[:1]:
            self.said.emit(problem)

    def prefetch(self, case_id: int) -> None:
        """Read the images of the case that comes next, as they will hang first."""
        if case_id == self.case_id:
            return

        wanted = self.room.wanted_protocol

        def read(*_: Any) -> tuple[ImageRow, ...]:
            return look(self._handle.get(), case_id).first_hung(wanted)

        self._submit(self._store, read, self.room.loader.prefetch)

    def hang_prior(self, case_id: int | None) -> None:
        """Hang an earlier study beside the case, or none."""
        beside = self.state.detail

        def done(prior: CaseDetail | None) -> None:
            now = self.state.detail
            if now is not None and beside is not None and now.case.id == beside.case.id:  # never beside another patient
                self.room.hang_prior(prior)
                self.marks.open(now.case.id)

        if case_id is None:
            done(None)
        else:
            beside_id = self.case_id
            self._submit(self._store, lambda *_: self._handle.get().protocol.case(case_id, beside_id), done)

    def reload_case(self, case_id: int | None = None) -> None:
        """Read a case (the one on the desk) again after something about it was saved, if it hangs."""
        wanted, current = self.case_id if case_id is None else case_id, self.case_id
        if wanted is not None and any(image.case_id == wanted for image in self.state.images):
            self._submit(self._store, lambda *_: self._handle.get().protocol.case(wanted, current), self._on_fresh)

    def _on_fresh(self, fresh: CaseDetail) -> None:
        if not self.reading.replay:
            self.room.reload(fresh)
        self.reading.take_detail(fresh)

    def show(self, **changes: Any) -> None:
        """Change how results are shown; see :meth:`ReadingRoom.show`."""
        self.room.show(**changes)

    @Slot(object, str)
    def _make_heat(self, image: ImageRow, layer: str) -> None:
        """Have a heat map made that is asked for but not there."""
        result = image.result
        if result is None or (result.id, layer) in self._explaining:
            return
        self._explaining.add((result.id, layer))

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            return self._handle.get().explain_image(image, layer, progress, cancel)

        def done(maps: dict[str, ScoreMap]) -> None:
            self.room.add_heat(image, result.id, layer, maps)

        def ended() -> None:
            self._explaining.discard((result.id, layer))

        self._submit(self._analysis, work, done, self.progressed.emit, ended)

    def explain_tile(self, x: float, y: float) -> None:
        """Have the layers' heat maps of the tile made that holds a stored point of the active image."""
        image, colormap = self.state.image, self.state.colormap
        if image is None or image.result is None or image.result.status != "analysed":
            self.said.emit("There is no result to explain here; analyse it first.")
            return

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            from pathview.gui.tile_layers import tile_pictures

            return tile_pictures(self._handle.get(), image, x, y, colormap, progress, cancel)

        self._submit(self._analysis, work, self.tile_explained.emit, self.progressed.emit)

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

        def saved(case_id: int, outcome: object) -> None:
            from pathview.results.result import ResultKept

            self.case_saved.emit(case_id)
            if isinstance(outcome, ResultKept):
                self.said.emit(outcome.reason)

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

    def state_pixel_size(self, mpp_um: float, analyse: bool = True) -> None:
        """Keep a pixel size for the image, micrometres, and analyse it."""
        image = self.state.image
        if image is None:
            return

        def work(*_: Any) -> None:
            session = self._handle.get()
            session.cases.set_pixel_size(image.id, mpp_um, session.reader)

        def done(_: object) -> None:
            self.reload_case(image.case_id)
            if analyse:
                self.analyse([image.case_id])

        self._submit(self._store, work, done)

    def cancel(self) -> None:
        """Stop analysing and adding; what was saved stays."""
        self._analysis.cancel_all()
        self.intake.cancel()
        self.progressed.emit(None)

    # threads

    def _submit(
        self,
        runner: JobRunner,
        work: Callable[[ProgressSink, CancelToken], Any],
        done: Callable[[Any], None] | None = None,
        progress: Callable[[Progress], None] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> Job:
        return runner.submit(work, done, self.failed, progress, ended)

    @Slot(object)
    def failed(self, error: Exception) -> None:
        """Say what went wrong; a bug also goes to the log."""
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
