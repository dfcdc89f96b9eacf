"""The main window: puts panels and viewer together and passes signals between them. No logic of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QSize, Qt, Slot
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QMainWindow,
    QMessageBox,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from pathview import __version__
from pathview.gui import theme as themes
from pathview.gui.actions import build_actions, set_keys
from pathview.gui.desk import Desk
from pathview.gui.handlers import handlers
from pathview.gui.opening import Opening
from pathview.gui.panels.ai_panel import AiPanel
from pathview.gui.panels.confusion import ConfusionPanel
from pathview.gui.panels.decision_panel import DecisionPanel
from pathview.gui.panels.gallery import GalleryPanel
from pathview.gui.panels.notices import Banner, EmptyState
from pathview.gui.panels.progress import ProgressLine
from pathview.gui.panels.study_panel import StudyPanel
from pathview.gui.panels.worklist import PAGE, WorklistPanel
from pathview.gui.preferences import Preferences
from pathview.gui.reading import Reading
from pathview.gui.viewer.viewer import Viewer
from pathview.review.case import CaseRow, DecisionValue
from pathview.settings import INVESTIGATIONAL, Settings

if TYPE_CHECKING:  # see the intake
    from pathview.models.catalogue import Model
    from pathview.session import Added


_NO_PICTURE = "There is no picture on the screen to decide on; only can't tell can be decided."
_SIZE, _FRAME = QSize(1600, 950), QSize(8, 40)
"""What a first window takes, and what its frame does."""


class MainWindow(QMainWindow):
    """Worklist on the left, viewer in the middle, model and decision on the right."""

    def __init__(self, desk: Desk, preferences: Preferences, settings: Settings) -> None:
        """Build all parts and connect them."""
        super().__init__()
        self.desk = desk
        self.preferences = preferences
        self._settings = settings
        self.failed = False
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
        self.decision = DecisionPanel()
        self.banner = Banner()
        self.empty = EmptyState()
        self.gallery = GalleryPanel(theme)
        self.confusion = ConfusionPanel()
        self.tiles = desk.review_tiles(self.gallery, self.confusion, self)
        self.reading = Reading(desk, self.viewer, self.study, preferences, self)
        self._lay_out()
        self.actions_by_id: dict[str, QAction] = build_actions(self, handlers(self), preferences.keys)
        self.opening = Opening(self, self.actions_by_id["quit"], preferences)
        self._connect()
        self._restore()
        self.reading.follow(self.actions_by_id)
        self._show_state()

    # parts

    def _lay_out(self) -> None:
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._lower = QSplitter(Qt.Orientation.Horizontal)
        self._lower.addWidget(self.gallery)
        self._lower.addWidget(self.confusion)
        self._lower.setSizes([800, 300])
        self._middle = QSplitter(Qt.Orientation.Vertical)
        self._middle.addWidget(self.viewer)
        self._middle.addWidget(self._lower)
        self._middle.setSizes([500, 400])
        self._middle.setStretchFactor(0, 1)
        self._lower.hide()
        self._stack.addWidget(self._middle)
        column.addWidget(self.banner)
        column.addWidget(self._stack, 1)
        right = QWidget()
        right.setObjectName("panel")
        side = QVBoxLayout(right)
        side.setContentsMargins(0, 0, 0, 0)
        scroll = QScrollArea()
        scroll.setWidget(self.ai)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        side.addWidget(scroll, 1)
        side.addWidget(self.decision)
        left = QSplitter(Qt.Orientation.Vertical)
        left.addWidget(self.worklist)
        left.addWidget(self.study)
        left.setChildrenCollapsible(False)
        left.setSizes([500, 420])
        self._left = left
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        for widget in (left, middle, right):
            self._splitter.addWidget(widget)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setCollapsible(1, False)
        self._splitter.setSizes([300, 1100, 330])
        left.setMinimumWidth(250)
        right.setMinimumWidth(300)
        self.setCentralWidget(self._splitter)
        self.progress = ProgressLine()
        self.statusBar().addPermanentWidget(self.progress)
        notice = QLabel(INVESTIGATIONAL)
        notice.setObjectName("dim")
        self.statusBar().addWidget(notice)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().setContentsMargins(8, 0, 8, 0)
        self.worklist.list.setFocus()

    def _connect(self) -> None:
        desk, worklist, ai = self.desk, self.worklist, self.ai
        desk.state_changed.connect(self._show_state)
        desk.intake.worklist_ready.connect(self._show_worklist)
        desk.intake.page_ready.connect(worklist.model.append)
        desk.intake.added.connect(self._on_added)
        desk.intake.ended.connect(self.refresh)
        desk.said.connect(self.banner.say)
        desk.start_failed.connect(self._fail)
        desk.progressed.connect(self.progress.show_step)
        desk.saving.connect(self.decision.show_saving)
        desk.row_changed.connect(worklist.update_row)
        desk.case_saved.connect(self._on_case_saved)
        worklist.case_chosen.connect(self._open_case)
        worklist.query_changed.connect(self.refresh)
        worklist.more_wanted.connect(self._load_page)
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
        self.decision.decided.connect(self.decide)
        self.decision.undone.connect(self.undo)
        self.progress.cancelled.connect(desk.cancel)
        self.opening.asked.connect(desk.intake.add)
        self.empty.open_files.connect(self.opening.ask_files)
        self.empty.open_folder.connect(self.opening.ask_folder)
        self.empty.open_recent.connect(self.opening.open_path)
        desk.room.settled.connect(self._prefetch)
        self.reading.said.connect(self.banner.say)
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
        self.decision.show_case(state.detail, desk.undoable, not state.hung or not self._all_failed())

    def _all_failed(self) -> bool:
        """Whether nothing that hangs can be shown."""
        state = self.desk.state
        return all(state.view_of(image.id).problem is not None for image in state.hung)

    @Slot(str)
    def _notice(self, words: str) -> None:
        if not self.banner.text:
            self.banner.say(words)

    @Slot(str)
    def _on_preferences(self, what: str) -> None:
        if what == "monitors" and "calibrated" in self.banner.text:
            self.banner.hide()
        if what == "keys":
            set_keys(self.actions_by_id, self.preferences.keys)

    @Slot()
    def _prefetch(self) -> None:
        """Read what the reader will want next while they look."""
        following = self.worklist.following()
        if following is not None:
            self.desk.prefetch(following)

    @Slot(object, int)
    def _show_worklist(self, rows: list[CaseRow], total: int) -> None:
        self.worklist.show_rows(rows, total, self.desk.case_id)
        empty = total == 0 and not self.worklist.search
        self._stack.setCurrentIndex(0 if empty else 1)
        if empty:
            self.empty.show_recent(self.preferences.recent())
        elif self.desk.case_id is None and rows and not self.desk.intake.adding:
            self.worklist.choose(rows[0].id)

    @Slot(object)
    def _on_added(self, found: Added) -> None:
        if found.case_ids and not self.desk.went_on:
            self._open_case(found.case_ids[0])
        if found.problems:
            self.banner.say_all(found.problems)

    @Slot(int)
    def _on_case_saved(self, case_id: int) -> None:
        self.refresh()
        self.desk.reload_case(case_id)

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        """Without a store nothing can be kept, so nothing is begun."""
        self.failed = True
        QMessageBox.critical(self, "PathView", str(error))
        self.close()

    # what the reader does

    @Slot()
    def refresh(self) -> None:
        """Load the first page of the worklist again."""
        limit = max(PAGE, self.worklist.model.rowCount())
        self.desk.intake.load_worklist(self.worklist.order, self.worklist.search, limit)

    @Slot(int)
    def _load_page(self, offset: int) -> None:
        self.desk.intake.load_page(self.worklist.order, self.worklist.search, PAGE, offset)

    @Slot(int)
    def _open_case(self, case_id: int) -> None:
        self.banner.hide()
        self.decision.setEnabled(False)  # until the case is on the desk
        self.desk.open_case(case_id)

    @Slot(str)
    def decide(self, value: DecisionValue) -> None:
        """Decide on the case that is shown."""
        if self.desk.opening:
            return
        if value == "cant_tell" or self.desk.state.any_picture:
            if self.banner.text == _NO_PICTURE:
                self.banner.hide()
            self.desk.decide(value, self.decision.note.toPlainText().strip())
        else:
            self.banner.say(_NO_PICTURE)
            self._show_state()

    @Slot()
    def undo(self) -> None:
        """Take the last decision back."""
        if self.desk.opening:
            return
        if self.desk.undoable:
            self.desk.decide(None, "")
        else:
            self.banner.say("Undo ends when you go to another case; to change a decision later, decide again.")

    @Slot()
    def analyse_case(self) -> None:
        """Analyse the case that is shown."""
        if self.desk.state.detail is not None:
            self.desk.analyse([self.desk.state.detail.case.id])

    @Slot()
    def analyse_selection(self) -> None:
        """Analyse the cases that are selected."""
        self.desk.analyse(self.worklist.selected_ids())

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
        self._lower.setVisible(on)
        self.tiles.switch(on)
        if on:
            self.gallery.setFocus()

    @Slot()
    def leave_or_cancel(self) -> None:
        """Leave the note or the tool, so that keys and mouse do again what they did; elsewhere stop what runs."""
        if self.decision.note.hasFocus():
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
        self.gallery.set_theme(theme)
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

    def _restore(self) -> None:
        kept = self.preferences.store
        geometry, splitter, left = (kept.value(key) for key in ("geometry", "splitter", "left"))
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        else:
            self.resize(_SIZE.boundedTo(self.screen().availableSize() - _FRAME))
        if isinstance(splitter, QByteArray):
            self._splitter.restoreState(splitter)
        if isinstance(left, QByteArray):
            self._left.restoreState(left)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the frame, end the threads and the children."""
        self.preferences.store.setValue("geometry", self.saveGeometry())
        self.preferences.store.setValue("splitter", self._splitter.saveState())
        self.preferences.store.setValue("left", self._left.saveState())
        self.tiles.close()
        self.desk.close()
        super().closeEvent(event)
