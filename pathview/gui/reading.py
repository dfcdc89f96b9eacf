"""Reading: the light box and the study's table follow the reading room, and tell it what the reader does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, Signal, Slot
from PySide6.QtGui import QAction

from pathview.geometry import Region
from pathview.gui.desk import Desk
from pathview.gui.dialogs.calibration import screen_key
from pathview.gui.dialogs.pictures import PicturesDialog
from pathview.gui.panels.study_panel import StudyPanel
from pathview.gui.preferences import Preferences
from pathview.gui.viewer.viewer import Viewer

if TYPE_CHECKING:  # the window starts without OpenSlide
    from pathview.images.tiles import Rgb8, Tiles


class Reading(QObject):
    """Between the room, which knows what hangs, and the widgets, which show it."""

    said = Signal(str)
    """A sentence for the banner."""
    unmeasured = Signal(str)
    """A sentence on what cannot be done, since the pixel size is not known."""
    notices = Signal(str)
    """What the reader should know about the active image."""

    def __init__(
        self, desk: Desk, viewer: Viewer, study: StudyPanel, preferences: Preferences, parent: QObject
    ) -> None:
        """Connect them; :meth:`follow` is given the actions that show what is on."""
        super().__init__(parent)
        self._desk, self._room, self._marks = desk, desk.room, desk.marks
        self._viewer, self._box, self._study = viewer, viewer.box, study
        self._preferences = preferences
        self._actions: dict[str, QAction] = {}
        self._same_size: bool | None = None
        self._going = False
        """Whether to go to the finding that is pointed out once its picture is there."""
        room, marks, box = self._room, self._marks, self._box
        room.hung.connect(self._hang)
        room.picture_changed.connect(self._show_picture)
        room.frame_changed.connect(self._show_frame)
        room.tiles.loaded.connect(self._add_tiles)
        room.look_changed.connect(self._forget_tiles)
        room.loader.associated_loaded.connect(self._show_associated)
        room.state_changed.connect(self._show_state)
        marks.changed.connect(self._show_marks)
        desk.tile_explained.connect(self._show_layers)
        viewer.image_chosen.connect(room.choose_image)
        viewer.tiles_wanted.connect(room.want_tiles)
        viewer.slab_wanted.connect(room.show_slab)
        viewer.bar.stepped.connect(self.step)
        viewer.bar.protocol_chosen.connect(room.choose_protocol)
        viewer.bar.prior_chosen.connect(desk.hang_prior)
        box.clicked_at.connect(room.point_at)
        box.tone_changed.connect(self._show_inverted)
        study.image_chosen.connect(self._choose_whole)
        study.finding_chosen.connect(self.point_out)
        preferences.changed.connect(self._on_preferences)

    def follow(self, actions: dict[str, QAction]) -> None:
        """Keep checkable actions true, and take what the preferences say."""
        self._actions = actions
        self._box.single_changed.connect(actions["single"].setChecked)
        for what in ("mouse", "layout"):
            self._on_preferences(what)

    # what the room says

    @Slot()
    def _show_state(self) -> None:
        self._study.show_state(self._room.state)
        self._viewer.show_overlays(self._room.state)

    @Slot()
    def _hang(self) -> None:
        self._going = False
        self._viewer.hang(self._room.state, self._room.protocols)
        for image in self._room.state.hung:
            self._show_marks(image.id)

    @Slot(int)
    def _show_picture(self, image_id: int) -> None:
        state = self._room.state
        self._viewer.show_picture(state, image_id)
        self._show_marks(image_id)  # a new picture begins without any
        if self._going and image_id == state.active:
            self._go_to_finding()
        if image_id == state.active and state.picture is not None and state.picture.info.notices:
            self.notices.emit("  ".join(state.picture.info.notices))

    @Slot()
    def _show_inverted(self) -> None:
        """The key is about the active image, which may not be inverted where others are."""
        action = self._actions.get("invert")
        if action is not None:
            action.blockSignals(True)
            action.setChecked(self._box.canvas.tone.invert)
            action.blockSignals(False)

    @Slot(int)
    def _show_frame(self, image_id: int) -> None:
        self._viewer.show_frame(self._room.state, image_id)

    @Slot(int)
    def _show_marks(self, image_id: int) -> None:
        drawn = self._marks.of(image_id)
        index = self._marks.index_of(image_id, drawn)
        for tile in self._box.tiles_of(image_id):
            tile.canvas.drawing.show_marks(drawn, index, self._marks.colors)

    @Slot(int, object)
    def _add_tiles(self, image_id: int, tiles: Tiles) -> None:
        for tile in self._box.tiles_of(image_id):
            tile.canvas.add_tiles(tiles)
        if tiles.notice:
            self.said.emit(tiles.notice)

    @Slot()
    def _forget_tiles(self) -> None:
        for tile in self._box.tiles:
            tile.canvas.forget_tiles()

    # what the reader does

    @Slot(int)
    def step(self, by: int) -> None:
        """Hang the next or an earlier step; after the last one comes the first."""
        state = self._room.state
        if state.steps:
            self._room.choose_step((state.step_index + by) % len(state.steps))

    @Slot(int, int)
    def point_out(self, image_id: int, number: int) -> None:
        """Point a finding out and go there."""
        self._room.point_out(image_id, number)
        self._go_to_finding()

    @Slot(int)
    def _choose_whole(self, image_id: int) -> None:
        """The row of a view itself: none of its findings is pointed out any more."""
        self._room.point_out(image_id, None)

    def next_finding(self, by: int) -> None:
        """Go to the next finding of the study."""
        self._room.next_finding(by)
        self._go_to_finding()

    def _go_to_finding(self) -> None:
        self._going = not self._viewer.go_to_finding()

    def true_size(self) -> None:
        """Show a millimetre as long as it is, once the monitor was calibrated."""
        if self._box.pixels_per_mm is None:
            self.said.emit("This monitor is not calibrated yet: File, Preferences, Monitor.")
        elif self._room.state.picture is not None and self._room.state.picture.spacing is None:
            self.unmeasured.emit("The file states no pixel spacing, so life size is not known.")
        else:
            self._box.set_mode("true")

    @Slot(object)
    def go_to(self, region: Region) -> None:
        """Bring a stored region of the active image into view."""
        data = self._viewer.canvas.data
        if data is not None:
            shown = data.info.turn.region_to_shown(region, data.info.size)
            self._viewer.canvas.show_region(shown, enlarge=False)

    def magnify(self, times: float) -> None:
        """Show a slide as a microscope at a magnification does."""
        picture = self._room.state.picture
        native = picture.info.magnification if picture is not None else None
        if native is None:
            self.unmeasured.emit("Neither objective nor pixel size is known, so magnifications are not known.")
        else:
            self._viewer.canvas.zoom(times / native / self._viewer.canvas.current_view().scale)

    def ask_label(self) -> None:
        """Show what lies beside the slide in its file, which may carry a name."""
        state = self._room.state
        names = state.image.info.get("associated", []) if state.image is not None else []
        if state.image is None or not names:
            self.said.emit("This image has no label or macro image.")
        else:
            self._room.loader.load_associated(state.image, [name for name in names if name != "thumbnail"])

    def explain_tile(self) -> None:
        """Show what the layers look at on the tile in the middle of the screen."""
        canvas, picture = self._viewer.canvas, self._room.state.picture
        if picture is None or picture.info.kind != "histology":
            self.said.emit("Tiles are those of tissue; for a mammogram choose the heat map's layer at the right.")
            return
        width, height = canvas.viewport().width(), canvas.viewport().height()
        self._desk.explain_tile(*canvas.stored_at(QPointF(width / 2, height / 2)))

    @Slot(object)
    def _show_layers(self, pictures: dict[str, Rgb8]) -> None:
        if pictures:
            note = "Model attention, not a lesion outline; each layer's own largest value is brightest."
            PicturesDialog("The tile's layers", pictures, note, self._viewer).show()

    @Slot(int, object)
    def _show_associated(self, _: int, pictures: dict[str, Rgb8]) -> None:
        note = "It may carry a name: it is shown here only, and kept nowhere."
        PicturesDialog("Label and macro image", pictures, note, self._viewer).show()

    @Slot(str)
    def _on_preferences(self, what: str) -> None:
        kept, box = self._preferences, self._box
        if what == "mouse":
            box.set_mouse(kept.mouse)
        elif what == "layout":
            layout = kept.layout
            box.set_wheel(layout.wheel_reversed)
            self._actions["linked"].setChecked(layout.linked)
            self._actions["corner_texts"].setChecked(layout.corner_texts)
            self._room.wanted_protocol = layout.start_protocol
            if layout.same_size != self._same_size:  # whatever else changed, what is looked at stays
                self._same_size = layout.same_size
                box.set_mode("same" if layout.same_size else "fit")
        box.pixels_per_mm = kept.pixels_per_mm(screen_key(self._viewer.screen()))
