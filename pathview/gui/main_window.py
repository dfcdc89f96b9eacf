"""The main window: puts panels and viewer together and passes signals between them. No logic of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QMainWindow,
    QMessageBox,
)

from pathview import __version__
from pathview.gui import theme as themes
from pathview.gui.actions import build_actions
from pathview.gui.annotating import Annotating
from pathview.gui.desk import Desk
from pathview.gui.frame import Frame
from pathview.gui.handlers import handlers
from pathview.gui.opening import Opening
from pathview.gui.panels.ai_panel import AiPanel
from pathview.gui.panels.assessment import AssessmentPanel
from pathview.gui.panels.confusion import ConfusionPanel
from pathview.gui.panels.gallery import GalleryPanel
from pathview.gui.panels.notices import Banner, EmptyState
from pathview.gui.panels.progress import ProgressLine
from pathview.gui.panels.study_panel import StudyPanel
from pathview.gui.panels.worklist import WorklistPanel
from pathview.gui.pixel_sizes import PixelSizes
from pathview.gui.preferences import Preferences
from pathview.gui.reading import Reading
from pathview.gui.reading_flow import NO_PICTURE, ReadingFlow
from pathview.gui.sitting import Sitting
from pathview.gui.trainings import Trainings
from pathview.gui.viewer.viewer import Viewer
from pathview.gui.worklist_flow import WorklistFlow
from pathview.review.records.case import DecisionValue
from pathview.settings import INVESTIGATIONAL, Settings

if TYPE_CHECKING:  # see the intake
    from pathview.gui.lists import Listing
    from pathview.models.catalogue import Model
    from pathview.review.intake import Added


class MainWindow(QMainWindow):
    """Worklist on the left, viewer in the middle, model and decision on the right."""

    def __init__(self, desk: Desk, preferences: Preferences, settings: Settings) -> None:
        """Build all parts and connect them."""
        super().__init__()
        self.desk = desk
        self.preferences = preferences
        self._settings = settings
        self.failed = False
        self._added: int | None = None
        """The first case of those that were just put in, until it is on the desk."""
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self._application = application
        self.theme_name = preferences.theme
        theme = themes.apply(application, self.theme_name, settings)
        self.setWindowTitle(f"PathView  ·  {INVESTIGATIONAL}")
        self.setAcceptDrops(True)
        self.worklist = WorklistPanel(theme)
        self.study = StudyPanel(theme)
        self.viewer = Viewer()
        self.ai = AiPanel(theme)
        self.decision = AssessmentPanel(theme)
        self.banner = Banner()
        self.empty = EmptyState()
        self.gallery = GalleryPanel(theme)
        self.confusion = ConfusionPanel()
        self.tiles = desk.review_tiles(self.gallery, self.confusion, self)
        self.trainings = Trainings(desk.handle, settings, self.gallery, lambda: self.theme_name, self)
        self.reading = Reading(desk, self.viewer, self.study, preferences, self)
        self.flow = ReadingFlow(desk, self.decision, self.viewer.box, preferences, self)
        self.lists = WorklistFlow(desk.lists, self.worklist, preferences, self)
        self.sitting = Sitting(desk, preferences, self)
        self.annotating = Annotating(desk, self.viewer, self)
        self.pixel_sizes = PixelSizes(desk, self)
        self._lay_out()
        self.actions_by_id: dict[str, QAction] = build_actions(self, handlers(self), preferences.keys)
        self.opening = Opening(self, self.actions_by_id["quit"], preferences)
        self._connect()
        self._frame.restore(preferences.store)
        self.reading.follow(self.actions_by_id)
        self.flow.follow(self.actions_by_id)
        self.lists.follow(self.actions_by_id)
        self.annotating.follow(self.actions_by_id)
        self._show_state()

    # parts

    def _lay_out(self) -> None:
        left, lower = (self.worklist, self.study), (self.gallery, self.confusion)
        above = (self.banner, self.empty, self.viewer, self.viewer.bar)
        parts = (*above, lower, (self.decision.sides, self.ai), self.decision)
        self._frame = Frame(self, left, *parts)
        self.progress = ProgressLine()
        notice = QLabel(INVESTIGATIONAL)
        notice.setObjectName("dim")
        bar = self.statusBar()
        bar.addPermanentWidget(self.progress)
        bar.addWidget(self.sitting.button)
        bar.addWidget(notice)
        bar.setSizeGripEnabled(False)
        bar.setContentsMargins(8, 0, 8, 0)
        self.worklist.list.setFocus()

    def _connect(self) -> None:
        desk, worklist, ai = self.desk, self.worklist, self.ai
        desk.state_changed.connect(self._show_state)
        self.lists.listed.connect(self._on_listed)
        self.lists.case_found.connect(self._open_found)
        self.lists.called.connect(self._open_anew)
        desk.intake.added.connect(self._on_added)
        desk.intake.ended.connect(self.refresh)
        desk.said.connect(self.banner.say)
        for part in (self.lists, self.flow, self.sitting, self.annotating, self.pixel_sizes):
            part.said.connect(self.banner.say)
        self.reading.unmeasured.connect(self._offer_pixel_size)
        self.viewer.box.drawings.refused.connect(self._offer_pixel_size)
        self.flow.replaying.began.connect(self.banner.say)
        self.flow.replaying.ended.connect(self.banner.hide)
        self.flow.replaying.began.connect(lambda _: ai.hold("This is a replay; Esc goes back to the case."))
        self.flow.replaying.ended.connect(lambda: ai.hold(""))
        self.sitting.renewed.connect(self._renew)
        self.sitting.ended.connect(self._fail)
        desk.reading.changed.connect(self._on_reading)
        desk.progressed.connect(self.progress.show_step)
        desk.reading.row_changed.connect(self.lists.show_decided)
        desk.case_saved.connect(self._on_case_saved)
        worklist.case_chosen.connect(self._open_case)
        worklist.analyse_selection.connect(self.analyse_selection)
        worklist.analyse_all.connect(desk.analyse_new)
        ai.display_changed.connect(self._change_display)
        ai.choice.chosen.connect(self._choose_model)
        desk.models_ready.connect(self._on_models)
        ai.mask_toggled.connect(self.actions_by_id["mask"].setChecked)
        ai.fill_toggled.connect(self.actions_by_id["fill"].setChecked)
        ai.heat_toggled.connect(self.actions_by_id["heat"].setChecked)
        ai.analyse_asked.connect(self.analyse_case)
        ai.pixel_size_stated.connect(desk.state_pixel_size)
        self.progress.cancelled.connect(desk.cancel)
        self.opening.asked.connect(desk.intake.add)
        self.empty.open_files.connect(self.opening.ask_files)
        self.empty.open_folder.connect(self.opening.ask_folder)
        self.empty.open_recent.connect(self.opening.open_path)
        desk.room.settled.connect(self._prefetch)
        self.reading.said.connect(self.banner.say)
        self.trainings.failed.connect(desk.failed)
        self.trainings.models_changed.connect(desk.reload_models)
        self.tiles.went_to.connect(self.reading.go_to)
        self.reading.notices.connect(self._notice)
        self.preferences.changed.connect(self._on_preferences)
        self.empty.open_samples.connect(desk.intake.add_samples)

    # what the desk says

    @Slot()
    def _show_state(self) -> None:
        state, desk = self.desk.state, self.desk
        result, picture = state.result, state.picture
        kind = str(state.image.info.get("kind", "")) if state.image is not None else ""
        wanted = desk.chosen.get(kind, "")
        self.ai.choice.show_kind(kind, wanted)
        self.ai.show_result(result, state.image is not None, desk.awaiting_result, wanted)
        self.ai.show_pixel_size(result, state.image.mpp_um if state.image is not None else None)
        self.ai.show_layer(state.layer)
        self.ai.show_probability(state.probability)
        self.ai.show_threshold(state.threshold)
        spacing = picture.info.spacing if picture is not None else None
        self.ai.show_area(state.area_px, spacing.pixel_area_mm2 if spacing else None, state.places)
        self.ai.show_switches(state.mask, state.fill, state.heat)
        self.ai.show_heat(state.heatmaps.get(state.layer) if state.heat else None, state.heat and desk.explaining)
        self.ai.show_hidden(state.detail.case if state.detail is not None else None)

    @Slot(str)
    def _notice(self, words: str) -> None:
        if not self.banner.text:
            self.banner.say(words)

    @Slot(str)
    def _offer_pixel_size(self, words: str) -> None:
        self.banner.offer(words, self.actions_by_id["pixel_size"])

    @Slot(str)
    def _on_preferences(self, what: str) -> None:
        if what == "monitors" and "calibrated" in self.banner.text:
            self.banner.hide()

    @Slot()
    def _prefetch(self) -> None:
        """Read what the reader will want next while they look."""
        following = self.worklist.following()
        if following is not None:
            self.desk.prefetch(following)

    @Slot(object)
    def _on_listed(self, listing: Listing) -> None:
        rows = self.worklist.model.rows
        nothing = not rows and self.desk.case_id is None and not self.desk.intake.adding
        self._frame.show_empty(listing.empty or nothing)
        if listing.empty or nothing:
            self.empty.show_first(listing.empty)
            self.empty.show_recent(self.preferences.recent())
        elif rows and self._is_free():
            self.lists.resume(rows[0].id, self._is_free)

    def _is_free(self) -> bool:
        """Whether no case is on the desk, nor on its way."""
        return self.desk.case_id is None and not self.desk.intake.adding and not self.sitting.asking

    @Slot()
    def _on_reading(self) -> None:
        """The list that has the case that was opened is shown; whose marks are seen may have changed."""
        now = self.desk.reading.now
        if now is not None:
            self.worklist.update_row(now.detail.case)
            if self.lists.current != now.detail.case.id:  # it was opened elsewhere
                self.lists.current = now.detail.case.id
                self.worklist.follow(now.detail.case.id)
        if now is not None and self._added == now.detail.case.id:
            self._added = None
            self.lists.show_list_of(now.worklist.id)

    @Slot()
    def _renew(self) -> None:
        """Another reader, or a restored store: nothing that is shown holds any more."""
        self.desk.clear()
        self.lists.current = None
        self.refresh()

    @Slot(object)
    def _on_added(self, found: Added) -> None:
        if found.case_ids and not self.desk.went_on:
            self._added = found.case_ids[0]
            self._open_case(found.case_ids[0])
        if found.problems:
            self.banner.say_all(found.problems)

    @Slot(int)
    def _on_case_saved(self, case_id: int) -> None:
        self.refresh()
        self.desk.reload_case(case_id)

    @Slot()
    def _fail(self) -> None:
        """Without a store nothing can be kept, so nothing is begun."""
        self.failed = True
        self.close()

    # what the reader does

    @Slot()
    def refresh(self) -> None:
        """Load what is in view of the worklist again."""
        self.lists.refresh()

    @Slot(int)
    def _open_found(self, case_id: int) -> None:
        """A case that is not among the rows of the list."""
        self._open_case(case_id)
        self.worklist.follow(case_id)

    @Slot(int)
    def _open_anew(self, case_id: int) -> None:
        """A case that hangs already, of which other things are told now."""
        self.desk.reading.leave()
        self.desk.clear()
        self._open_case(case_id)

    @Slot(int)
    def _open_case(self, case_id: int) -> None:
        self.banner.hide()
        self._frame.show_empty(False)
        self.lists.current = case_id
        self.desk.open_case(case_id)
        self.flow.show_state()  # nothing can be decided until the case is on the desk

    @Slot(str)
    def decide(self, value: DecisionValue) -> None:
        """Decide on the case that is shown; see :meth:`ReadingFlow.decide`."""
        if self.banner.text == NO_PICTURE:
            self.banner.hide()
        self.flow.decide(value)

    @Slot()
    def analyse_case(self) -> None:
        """Analyse the case that is shown."""
        if self.desk.state.detail is not None:
            self.desk.analyse([self.desk.state.detail.case.id])

    @Slot()
    def analyse_selection(self) -> None:
        """Analyse the cases that are selected."""
        self.lists.with_selected(self.desk.analyse)

    @Slot(str)
    def _choose_model(self, name: str) -> None:
        image = self.desk.state.image
        if image is not None:
            self.desk.choose_model(str(image.info.get("kind", "")), name)

    @Slot(object)
    def _on_models(self, models: Sequence[Model]) -> None:
        self.ai.choice.set_models(models)
        self._show_state()

    @Slot(object)
    def _change_display(self, changes: dict[str, Any]) -> None:
        self.desk.show(**changes)

    @Slot(bool)
    def show_gallery(self, on: bool) -> None:
        """Show the tiles to look at under the viewer."""
        self._frame.lower.setVisible(on)
        self.tiles.switch(on)
        if on:
            self.trainings.count_answers()
        if on:
            self.gallery.setFocus()

    @Slot()
    def leave_or_cancel(self) -> None:
        """Leave a text, a replay or the tool, so that keys and mouse do again what they did; else stop what runs."""
        if self.flow.leave_replay() or self.annotating.stop():
            return
        if self.decision.has_focus or self.worklist.filters.search.hasFocus():
            self.worklist.list.setFocus()
        elif self.viewer.canvas.drawing.key(Qt.Key.Key_Escape):
            return
        elif not self.actions_by_id["tool_look"].isChecked():
            self.actions_by_id["tool_look"].setChecked(True)
        else:
            self.desk.cancel()

    def open_paths(self, paths: list[Path]) -> None:
        """Add images to the worklist and open the first of them."""
        self.opening.open(paths)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        self.opening.drop(event)

    # the frame

    @Slot()
    def switch_theme(self) -> None:
        """Dark or light."""
        self.theme_name = "light" if self.theme_name == "dark" else "dark"
        self.preferences.store.setValue("theme", self.theme_name)
        theme = themes.apply(self._application, self.theme_name, self._settings)
        self.worklist.set_theme(theme)
        self.ai.set_theme(theme)
        self.study.theme = theme
        self.study.show_state(self.desk.state)
        self.decision.set_theme(theme)
        self.gallery.set_theme(theme)
        self.trainings.set_theme(self.theme_name)
        self._show_state()

    @Slot()
    def about(self) -> None:
        """Say what the program is."""
        words = (
            f"<b>PathView {__version__}</b><p>{INVESTIGATIONAL}.</p>"
            "<p>A second reader for breast imaging: a mask, a place, and an honest "
            "<i>not sure, look here</i>. The person decides.</p>"
            "<p>Nothing leaves this computer.</p>"
        )
        QMessageBox.about(self, "About PathView", words)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the frame, end the threads and the children."""
        self._frame.keep(self.preferences.store)
        self.annotating.close()
        self.trainings.close()
        self.tiles.close()
        self.desk.close()
        super().closeEvent(event)
