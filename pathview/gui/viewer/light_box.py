"""The light box: the images of one step side by side, looked at together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from pathview.geometry import Region
from pathview.gui.dialogs.calibration import true_size_scale
from pathview.gui.preferences import MouseMap
from pathview.gui.viewer.canvas import Canvas
from pathview.gui.viewer.drawings import Drawings
from pathview.gui.viewer.furniture import Corners
from pathview.gui.viewer.picture import Tone
from pathview.gui.viewer.pose import Pose, SizeMode, Stand, quadrant
from pathview.gui.viewer.tile import Tile
from pathview.images.pyramid import PictureData

if TYPE_CHECKING:  # the window starts without its library
    from pathview.review.records.hanging import HungStep

_QUADRANTS = 4


class LightBox(QWidget):
    """A grid of tiles; what the reader does to one is done to all where they are linked."""

    activated = Signal(int)
    """Image id."""
    cursor_moved = Signal(float, float, object)
    """A stored point, and the :class:`PictureData` that it is on."""
    view_changed = Signal()
    tone_changed = Signal()
    tiles_wanted = Signal(int, object)
    """Image id and a list of :class:`pathview.images.tiles.TileKey`."""
    scrolled = Signal(int)
    clicked_at = Signal(int, float, float)
    """Image id and a stored point."""
    arranged = Signal()
    """The tiles have got other sizes."""
    single_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        """One empty tile."""
        super().__init__(parent)
        self.setObjectName("lightBox")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)  # else the light theme shines between the images
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._tiles: list[Tile] = []
        self._step: HungStep | None = None
        self._active = 0
        self.linked = True
        self.single = False
        self.mode: SizeMode = "same"
        self.pixels_per_mm: float | None = None
        """Of the screen, once it was calibrated."""
        self._by_hand = False
        """Whether the reader moved what is seen since it was laid out."""
        self._quadrant: int | None = None
        self._mouse = MouseMap()
        self._wheel_reversed = False
        self._lens = False
        self.drawings = Drawings(self)
        self._settle = QTimer(self)  # the layout gives a tile its size some time after it was told to
        self._settle.setSingleShot(True)
        self._settle.setInterval(0)
        self._settle.timeout.connect(self.arrange)
        self._tile(0)
        self._place([(0, 0, 0, 1, 1)])

    # tiles

    @property
    def tiles(self) -> list[Tile]:
        """The tiles that are shown."""
        return [tile for tile in self._tiles if not tile.isHidden()]

    @property
    def active(self) -> Tile:
        """The tile that keys are about."""
        return self._tiles[self._active]

    @property
    def canvas(self) -> Canvas:
        """Its canvas."""
        return self.active.canvas

    def tiles_of(self, image_id: int) -> Iterator[Tile]:
        """Where an image hangs."""
        return (tile for tile in self._tiles if tile.image_id == image_id)

    def hang(self, step: HungStep | None, stands: Mapping[int, Stand], active: int | None) -> None:
        """Lay out the places of a step; pictures are put in by :meth:`set_picture`."""
        same = step == self._step
        self._step = step
        slots = step.slots if step is not None else ()
        for number, slot in enumerate(slots):
            tile = self._tile(number)
            if tile.image_id != slot.image_id or not same:
                tile.canvas.pose = None
                tile.canvas.set_picture(None)
                tile.canvas.corners = Corners()
            tile.image_id = slot.image_id
            tile.canvas.stand = stands.get(slot.image_id) if slot.image_id is not None else None
            tile.canvas.message = "" if slot.image_id is not None else f"{slot.title}: no image"
            tile.canvas.redraw()
        for tile in self._tiles[max(1, len(slots)) :]:
            tile.image_id = None
            tile.canvas.set_picture(None)
        if not slots:
            self._tiles[0].image_id = None
            self._tiles[0].canvas.set_picture(None)
        numbers = [number for number, slot in enumerate(slots) if slot.image_id == active and active is not None]
        self._active = numbers[0] if numbers else 0
        if not same:
            self._by_hand, self._quadrant = False, None
        self._lay_out()

    def _lay_out(self) -> None:
        slots = self._step.slots if self._step is not None else ()
        if self.single or len(slots) < 2:
            self._place([(self._active, 0, 0, 1, 1)])
        else:
            self._place([(n, s.row, s.column, s.row_span, s.column_span) for n, s in enumerate(slots)])
        for number, tile in enumerate(self._tiles):
            tile.mark_active(number == self._active and len(self.tiles) > 1)
        self._settle.start()

    def _place(self, places: list[tuple[int, int, int, int, int]]) -> None:
        while self._grid.count():
            self._grid.takeAt(0)
        shown = {place[0] for place in places}
        for number, row, column, row_span, column_span in places:
            self._grid.addWidget(self._tiles[number], row, column, row_span, column_span)
        rows = max(row + span for _, row, _, span, _ in places)
        columns = max(column + span for _, _, column, _, span in places)
        for row in range(max(rows, self._grid.rowCount())):
            self._grid.setRowStretch(row, 1 if row < rows else 0)
        for column in range(max(columns, self._grid.columnCount())):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        for number, tile in enumerate(self._tiles):
            tile.setVisible(number in shown)

    def _tile(self, number: int) -> Tile:
        while len(self._tiles) <= number:
            tile = Tile(self)
            canvas = tile.canvas
            canvas.mouse = self._mouse
            canvas.wheel_reversed = self._wheel_reversed
            canvas.lens.switch(self._lens)
            canvas.pressed.connect(self._on_pressed)
            canvas.posed.connect(self._on_posed)
            canvas.window_dragged.connect(self._on_window)
            canvas.doubled.connect(self._on_doubled)
            canvas.view_changed.connect(self.view_changed)
            canvas.tone_changed.connect(self.tone_changed)
            canvas.cursor_moved.connect(self._on_cursor)
            canvas.scrolled.connect(self._on_scrolled)
            canvas.tiles_wanted.connect(self._on_tiles)
            canvas.clicked_at.connect(self._on_clicked)
            self.drawings.adopt(tile)
            self._tiles.append(tile)
        return self._tiles[number]

    def activate(self, image_id: int | None) -> None:
        """Make the tile of an image active."""
        number = next((n for n, tile in enumerate(self._tiles) if tile.image_id == image_id), None)
        if number is not None and number != self._active:
            self._active = number
            self._lay_out() if self.single else self._mark()
            self.view_changed.emit()
            self.tone_changed.emit()

    def _mark(self) -> None:
        for number, tile in enumerate(self._tiles):
            tile.mark_active(number == self._active and len(self.tiles) > 1)

    def set_single(self, single: bool) -> None:
        """Show the active image alone, or all again."""
        if single != self.single:
            self.single = single
            self._by_hand = False
            self._lay_out()
            self.single_changed.emit(single)

    def set_picture(self, image_id: int, data: PictureData | None, message: str, keep: bool = False) -> None:
        """Show the picture of an image wherever it hangs, or why there is none."""
        for tile in self.tiles_of(image_id):
            tile.canvas.message = message
            if tile.canvas.data is not data:
                tile.canvas.set_picture(data, keep)
            tile.canvas.redraw()
        if not keep:
            self._settle.start()

    # tools

    def set_mouse(self, mouse: MouseMap) -> None:
        """What buttons and wheel do."""
        self._mouse = mouse
        for tile in self._tiles:
            tile.canvas.mouse = mouse

    def set_wheel(self, is_reversed: bool) -> None:
        """Which way the wheel zooms and scrolls."""
        self._wheel_reversed = is_reversed
        for tile in self._tiles:
            tile.canvas.wheel_reversed = is_reversed

    def use_lens(self, on: bool) -> None:
        """The glass follows the mouse."""
        self._lens = on
        for tile in self._tiles:
            tile.canvas.lens.switch(on)
            tile.canvas.redraw()

    # where all look

    def set_mode(self, mode: SizeMode) -> None:
        """Lay all images out anew in a size."""
        self.mode = mode
        self._by_hand, self._quadrant = False, None
        self.arrange()

    def arrange(self) -> None:
        """Give every image its place: where it was by hand, else by the size mode and at the chest wall."""
        shown = [tile.canvas for tile in self.tiles if tile.canvas.stand is not None]
        if self._by_hand:
            reference = self.canvas
            for canvas in shown:
                if canvas.pose is not None:
                    canvas.set_pose(canvas.pose)
                elif self.linked and reference.pose is not None and _alike(canvas, reference):
                    canvas.set_pose(reference.pose)
                else:
                    canvas.set_pose(self._home(canvas, shown))
        else:
            for canvas in shown:
                canvas.set_pose(self._home(canvas, shown))
        self.arranged.emit()
        self.view_changed.emit()

    def _home(self, canvas: Canvas, shown: list[Canvas]) -> Pose:
        stand = canvas.stand
        assert stand is not None
        width, height = canvas.screen()
        scale = stand.fitting_scale(width, height)
        if self.mode == "same":
            alike = [other for other in shown if _alike(other, canvas)]
            scale = min(other.stand.fitting_scale(*other.screen()) for other in alike if other.stand is not None)
        elif self.mode == "one":
            scale = stand.unit_px
        elif self.mode == "true" and stand.metric and self.pixels_per_mm is not None:
            scale = true_size_scale(1.0, self.pixels_per_mm, canvas.devicePixelRatioF())  # a pose counts millimetres
        return stand.home(scale, width)

    def next_quadrant(self, by: int) -> None:
        """Look at the breast quarter by quarter; after the last one the whole again."""
        data = self.canvas.data
        if data is None:
            return
        last = _QUADRANTS - 1
        if self._quadrant is None:
            self._quadrant = 0 if by > 0 else last
        else:
            self._quadrant = self._quadrant + by if 0 <= self._quadrant + by <= last else None
        if self._quadrant is None:
            self.set_mode(self.mode)
            return
        number = self._quadrant
        whole = data.info.turn.region_to_shown(data.breast.region, data.info.size) if data.breast else None
        self.canvas.show_region(quadrant(whole or Region.whole(data.size), number), enlarge=False)
        self._quadrant = number

    def zoom(self, factor: float) -> None:
        """Enlarge about the middle of the active image."""
        self.canvas.zoom(factor)

    # grey

    def linked_canvases(self) -> list[Canvas]:
        """The canvases that the active one takes along."""
        shown = [tile.canvas for tile in self.tiles if tile.canvas.data is not None]
        return shown if self.linked and self.canvas in shown else [self.canvas]

    def set_voi(self, number: int) -> None:
        """Take choice ``number`` of each file's windows and presets, see :mod:`pathview.images.presets`."""
        from pathview.images.presets import voi_choices

        wanted = voi_choices(self.canvas.data.scale)[number] if self.canvas.data and self.canvas.data.scale else None
        for canvas in self.linked_canvases():
            if wanted is not None and canvas.data is not None and canvas.data.scale is not None:
                named = [c for c in voi_choices(canvas.data.scale) if c.name == wanted.name]
                if named or canvas is self.canvas:
                    canvas.set_tone(Tone((named[0] if named else wanted).voi, canvas.tone.invert))

    def reset_window(self) -> None:
        """Each file's first choice again."""
        for canvas in self.linked_canvases():
            canvas.set_tone(Tone(None, canvas.tone.invert))

    def invert(self, on: bool) -> None:
        """Dark for bright."""
        for canvas in self.linked_canvases():
            canvas.set_tone(Tone(canvas.tone.voi, on))

    # what the canvases say

    def _sender(self) -> Tile:
        sender = self.sender()
        return next((tile for tile in self._tiles if sender is tile.canvas), self.active)

    def _on_pressed(self) -> None:
        tile = self._sender()
        if tile.image_id is not None and tile is not self.active:
            self.activated.emit(tile.image_id)

    def _on_scrolled(self, by: int) -> None:
        tile = self._sender()
        data = tile.canvas.data
        if tile.image_id is not None and tile is not self.active and data is not None and data.info.frames > 1:
            self.activated.emit(tile.image_id)  # the frames under the mouse are meant
        self.scrolled.emit(by)

    def _on_cursor(self, x: float, y: float) -> None:
        self.cursor_moved.emit(x, y, self._sender().canvas.data)

    def _on_posed(self, pose: Pose) -> None:
        moved = self._sender().canvas
        self._by_hand, self._quadrant = True, None
        if self.linked:
            for tile in self.tiles:
                if tile.canvas is not moved and tile.canvas.stand is not None and _alike(tile.canvas, moved):
                    tile.canvas.set_pose(pose)

    def _on_window(self, dx: float, dy: float) -> None:
        dragged = self._sender().canvas
        linked = self.linked_canvases()
        for canvas in linked if dragged in linked else [dragged]:
            canvas.drag_window(dx, dy)

    def _on_doubled(self) -> None:
        tile = self._sender()
        if self._step is not None and len(self._step.slots) > 1 and tile.image_id is not None:
            self.activated.emit(tile.image_id)
            self.set_single(not self.single)
        else:
            self.set_mode("fit")

    def _on_tiles(self, keys: object) -> None:
        tile = self._sender()
        if tile.image_id is not None:
            self.tiles_wanted.emit(tile.image_id, keys)

    def _on_clicked(self, x: float, y: float) -> None:
        tile = self._sender()
        if tile.image_id is not None:
            self.clicked_at.emit(tile.image_id, x, y)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay out anew once the tiles have their sizes."""
        super().resizeEvent(event)
        self._settle.start()


def _alike(one: Canvas, other: Canvas) -> bool:
    """Whether two poses count in the same unit."""
    return one.stand is not None and other.stand is not None and one.stand.metric == other.stand.metric
