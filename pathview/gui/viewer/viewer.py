"""The viewer: what hangs above, the light box, frames and read-out below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from pathview.gui.actions import by_digit
from pathview.gui.case_state import CaseState, ViewState
from pathview.gui.dialogs.calibration import true_size_scale
from pathview.gui.viewer.canvas import Canvas
from pathview.gui.viewer.cine import CineBar
from pathview.gui.viewer.furniture import Corners
from pathview.gui.viewer.hanging_bar import HangingBar
from pathview.gui.viewer.label_bar import LabelBar
from pathview.gui.viewer.light_box import LightBox
from pathview.gui.viewer.pose import Stand
from pathview.gui.viewer.tiled import TiledPicture
from pathview.images.pyramid import PictureData
from pathview.review.records.case import CaseDetail, ImageRow

if TYPE_CHECKING:
    from pathview.review.records.hanging import HungStep, Protocol

_ROOM_FOR_TEXT = 400
"""Height of a tile from which all its corner texts fit."""


class Viewer(QWidget):
    """Shows the state of the reading room; says what the reader does to images."""

    image_chosen = Signal(int)
    """Image id."""
    tiles_wanted = Signal(int, object)
    slab_wanted = Signal(int, int, str, float)
    """Centre, thickness, mode, and level-0 pixels a pixel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """An empty viewer."""
        super().__init__(parent)
        self.bar = HangingBar()
        self.box = LightBox()
        self.cine = CineBar()
        self.labels = LabelBar()
        self.corner_texts = True
        self._state = CaseState()
        self._hung: tuple[HungStep | None, CaseDetail | None] | None = None
        """The step and the case that the light box hangs; None: nothing yet."""
        self._readout, self._tone, self._zoom = QLabel(""), QPushButton(""), QLabel("")
        for label in (self._readout, self._zoom):
            label.setObjectName("readout")
        self._tone.setFlat(True)
        self._tone.setObjectName("tone")
        self._tone.setToolTip("Windows of the file and presets (V)")
        self._tone.setAccessibleName("Window")
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        self._tone.setMenu(self._menu)
        self._lay_out()
        box = self.box
        box.activated.connect(self.image_chosen)
        box.cursor_moved.connect(self._show_place)
        box.arranged.connect(self._write_all_corners)
        box.view_changed.connect(self._show_zoom)
        box.tone_changed.connect(self._show_tone)
        box.tiles_wanted.connect(self.tiles_wanted)
        box.scrolled.connect(self._on_scrolled)
        self.cine.wanted.connect(self._on_frames)

    def _lay_out(self) -> None:
        bottom = QHBoxLayout()
        bottom.setContentsMargins(10, 2, 10, 2)
        bottom.addWidget(self._readout, 1)
        bottom.addWidget(self.labels)
        bottom.addWidget(self._tone)
        bottom.addSpacing(14)
        bottom.addWidget(self._zoom)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.bar)
        layout.addWidget(self.box, 1)
        layout.addWidget(self.cine)
        layout.addLayout(bottom)

    @property
    def canvas(self) -> Canvas:
        """The active canvas."""
        return self.box.canvas

    # the state

    def hang(self, state: CaseState, protocols: tuple[Protocol, ...]) -> None:
        """Hang a step, or make another image active."""
        self._state = state
        self.bar.show_state(state, protocols)
        stands = {image.id: Stand.expected(image.info, image.mpp_um) for image in state.hung}
        if self._hung is None or self._hung[0] is not state.step or self._hung[1] is not state.detail:
            self._hung = (state.step, state.detail)
            known = {key: stand for key, stand in stands.items() if stand is not None}
            self.box.hang(state.step, known, state.active)
            for image in state.hung:
                self.show_picture(state, image.id)
        self.box.activate(state.active)
        self._show_frames()
        self._show_zoom()
        self._show_tone()
        self._readout.setText("")

    def show_picture(self, state: CaseState, image_id: int, keep: bool = False) -> None:
        """Show what is known of an image: its picture, or why there is none."""
        self._state = state
        view, image = state.view_of(image_id), state.image_of(image_id)
        if image is None:
            return
        self.box.set_picture(image_id, view.picture, view.problem or "Opening ...", keep)
        self._write_corners(image, view)
        self._lay_over(image)
        if image_id == state.active:
            self._show_tone()
            if not keep:
                self._show_frames()

    def show_frame(self, state: CaseState, image_id: int) -> None:
        """Show another frame of the same image."""
        self.show_picture(state, image_id, keep=True)
        self.cine.show_frame()

    def show_overlays(self, state: CaseState) -> None:
        """Lay results over all that hangs."""
        self._state = state
        self.bar.show_state(state, self.bar.protocols)
        for image in state.hung:
            self._lay_over(image)

    def _lay_over(self, image: ImageRow) -> None:
        overlay, chosen = self._state.overlay_of(image), self._state.finding_on(image.id)
        found = self._state.view_of(image.id).findings if self._state.mask else None
        for tile in self.box.tiles_of(image.id):
            if tile.canvas.data is not None:
                tile.canvas.set_overlay(overlay)
                tile.canvas.show_findings(found or (), chosen)

    def go_to_finding(self) -> bool:
        """Bring the finding that is pointed out into view; whether its picture is there."""
        finding, data = self.canvas.finding, self.canvas.data
        if finding is None or data is None:
            return False
        self.canvas.show_region(data.info.turn.region_to_shown(finding.region, data.info.size))
        return True

    # words

    def set_corner_texts(self, on: bool) -> None:
        """Show who, when and how in the corners, or only which view it is."""
        self.corner_texts = on
        self._write_all_corners()

    @Slot()
    def _write_all_corners(self) -> None:
        for image in self._state.hung:
            self._write_corners(image, self._state.view_of(image.id))

    def _write_corners(self, image: ImageRow, view: ViewState) -> None:
        earlier = self._state.prior
        prior = earlier is not None and image.case_id == earlier.case.id
        title = f"{image.title}  ·  prior of {earlier.case.study_date or 'unknown date'}" if prior and earlier else ""
        for tile in self.box.tiles_of(image.id):
            room = tile.height() >= _ROOM_FOR_TEXT or len(self.box.tiles) == 1
            tile.canvas.corners = corners_of(title or image.title, view.picture, self.corner_texts, room, view.slab)
            tile.canvas.redraw()

    @Slot(float, float, object)
    def _show_place(self, x: float, y: float, data: PictureData | None = None) -> None:
        """The value at a stored point of a picture (default: the active one), and where it lies."""
        data = data if data is not None else self.canvas.data
        if data is None or not (0 <= x < data.info.size.width and 0 <= y < data.info.size.height):
            self._readout.setText("")
            return
        text = f"x {int(x)}  y {int(y)} px"
        if data.info.spacing is not None:
            text += f"   {x * data.info.spacing.column:.2f}, {y * data.info.spacing.row:.2f} mm"
        self._readout.setText(f"{text}   {_value_at(data, self.canvas.tiled, x, y)}")

    @Slot()
    def _show_zoom(self) -> None:
        canvas = self.canvas
        data, per_mm = canvas.data, self.box.pixels_per_mm
        if data is None:
            self._zoom.setText("")
            return
        scale = canvas.current_view().scale
        words = f"{100 * scale:.0f} %"
        if data.info.magnification is not None:
            words = f"{data.info.magnification * scale:.3g} ×  ·  {words}"
        if per_mm is not None and data.spacing is not None:
            life = scale / true_size_scale(data.spacing.column, per_mm, canvas.devicePixelRatioF())
            words += f"  ·  {life:.2f} × life size"
        if not self.box.linked and len(self.box.tiles) > 1:
            words += "  ·  images move apart (Ctrl+L)"
        self._zoom.setText(words)

    @Slot()
    def _show_tone(self) -> None:
        data, tone = self.canvas.data, self.canvas.tone
        self._tone.setVisible(data is not None and data.scale is not None)
        if data is not None and data.scale is not None:
            self._tone.setText(_tone_words(data, self.canvas) + ("  inverted" if tone.invert else ""))

    @Slot()
    def _fill_menu(self) -> None:
        from pathview.images.presets import voi_choices

        self._menu.clear()
        data = self.canvas.data
        if data is None or data.scale is None:
            return
        current = self.canvas.tone.voi or data.scale.voi
        for number, choice in enumerate(voi_choices(data.scale)):
            action = self._menu.addAction(by_digit(number + 1, choice.name))
            action.setCheckable(True)
            action.setChecked(choice.voi == current)
            action.setData(number)
            action.triggered.connect(self._on_choice)

    def _on_choice(self) -> None:
        self.box.set_voi(int(self.sender().data()))  # type: ignore[attr-defined]

    def step_voi(self, by: int) -> None:
        """Step through the file's windows and the presets."""
        from pathview.images.presets import voi_choices

        data = self.canvas.data
        if data is not None and data.scale is not None:
            choices = voi_choices(data.scale)
            current = self.canvas.tone.voi or data.scale.voi
            now = next((n for n, choice in enumerate(choices) if choice.voi == current), -1)
            self.box.set_voi((now + by) % len(choices))

    # frames

    def _show_frames(self) -> None:
        picture = self._state.picture
        frames = picture.info.frames if picture is not None and picture.scale is not None else 1
        any_frames = any(image.info.get("frames", 1) > 1 for image in self._state.hung)
        frame = picture.frame if picture is not None else 0
        self.cine.show_image(frames, frame, any_frames, *self._state.view.slab)

    @Slot(int)
    def _on_scrolled(self, by: int) -> None:
        if self.cine.isEnabled() and not self.cine.isHidden():
            self.cine.step(by)
        elif self._state.detail is not None and len(self._state.steps) > 1:
            self.bar.stepped.emit(by)

    @Slot(int, int, str)
    def _on_frames(self, center: int, thickness: int, mode: str) -> None:
        downsample = max(1.0, 1 / self.canvas.current_view().scale) if self.cine.playing else 1.0
        self.slab_wanted.emit(center, thickness, mode, downsample)


def corners_of(
    title: str, data: PictureData | None, all_texts: bool, room: bool, slab: tuple[int, str] = (1, "")
) -> Corners:
    """The words of a tile, on the side of the air; ``room``: whether the tile is large enough for all."""
    if data is None:
        return Corners((title,))
    info, captions = data.info, data.captions
    said = {
        "PHANTOM, not a patient": info.phantom,
        "FOR PROCESSING: raw values": info.for_processing,
        "CHECK THE SIDE: the breast lies at the other edge than the file says": data.misplaced,
    }
    warnings = tuple(words for words, true in said.items() if true)
    top: tuple[str, ...] = (title,)
    if info.frames > 1:
        top += (_frame_words(data, slab),)
    bottom: tuple[str, ...] = ()
    if all_texts:
        top += captions.patient if room else captions.patient[:1]
        bottom = captions.technique if room else ()
    bottom = bottom or captions.technique[-1:]  # the pixel size and where it is true
    return Corners(top, bottom, warnings, right=info.chest_wall == "left")


def _frame_words(data: PictureData, slab: tuple[int, str]) -> str:
    """Which frames are seen: one, or those of a slab."""
    from pathview.images.slab import frames_of

    thickness, mode = slab
    count = data.info.frames
    if thickness < 2:
        return f"frame {data.frame + 1} of {count}"
    first, last = frames_of(data.frame, thickness, count)
    return f"frames {first + 1} to {last + 1} of {count}, {mode}"


def _tone_words(data: PictureData, canvas: Canvas) -> str:
    from pathview.images.presets import voi_choices

    assert data.scale is not None
    current = canvas.tone.voi or data.scale.voi
    return next((choice.name for choice in voi_choices(data.scale) if choice.voi == current), current.name)


def _value_at(data: PictureData, tiled: TiledPicture | None, x: float, y: float) -> str:
    """The value of a stored point; of a coarse frame, of the pixel that covers it."""
    if tiled is not None:
        rgb = tiled.value_at(int(x), int(y))
        return "RGB " + " ".join(str(int(part)) for part in rgb) if rgb is not None else ""
    patch = data.levels[0]
    shown_x, shown_y = data.info.turn.to_shown(int(x) + 0.5, int(y) + 0.5, data.info.size)
    rows, columns = patch.pixels.shape[:2]
    row = min(rows - 1, int(shown_y / patch.downsample))
    pixel = patch.pixels[row, min(columns - 1, int(shown_x / patch.downsample))]
    if data.scale is None:
        return "RGB " + " ".join(str(int(part)) for part in pixel)
    return f"value {int(pixel) + data.scale.low}"
