"""The canvas: one turned picture under its overlay; pan, zoom, window, glass and tools by mouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QResizeEvent, QWheelEvent

from pathview.geometry import Region, Size
from pathview.gui.preferences import Gesture, MouseMap
from pathview.gui.viewer import furniture
from pathview.gui.viewer.ahead import Ahead
from pathview.gui.viewer.drawing import Drawing
from pathview.gui.viewer.furniture import Corners
from pathview.gui.viewer.lens import Lens
from pathview.gui.viewer.overview_map import OverviewMap
from pathview.gui.viewer.picture import SURROUND_BGRA, Compositor, Overlay, Tone
from pathview.gui.viewer.picture_item import PictureItem
from pathview.gui.viewer.pose import Pose, Stand
from pathview.gui.viewer.tiled import TiledPicture
from pathview.gui.viewer.view import View
from pathview.images.intensity import Window
from pathview.images.pyramid import PictureData
from pathview.results.findings import Finding

if TYPE_CHECKING:  # the window starts without OpenSlide
    from pathview.images.tiles import TileKey

_BACKGROUND = QColor(*SURROUND_BGRA[2::-1])
_ZOOM_STEP = 1.25
_ZOOM_DRAG = 1.008
"""Enlargement a pixel of a zooming drag."""
_CLICK_PX = 3
_NUMBERED = 12
"""Findings whose numbers are drawn, the surest."""
_SCALES = (1e-3, 64.0)
"""Device pixels a level-0 pixel, least and most."""


class Canvas(pg.GraphicsView):  # type: ignore[misc]
    """Shows one picture under one overlay. Coordinates of its signals are stored level-0 pixels."""

    cursor_moved = Signal(float, float)
    view_changed = Signal()
    posed = Signal(object)
    """A :class:`Pose` that the reader chose by mouse or key."""
    tone_changed = Signal()
    window_dragged = Signal(float, float)
    """A drag that changes the window, in screen pixels."""
    scrolled = Signal(int)
    """Frames or images to go on by."""
    pressed = Signal()
    doubled = Signal()
    clicked_at = Signal(float, float)
    tiles_wanted = Signal(object)
    """Tiles that what the screen shows lacks, the most urgent first: a list of :class:`TileKey`; may be empty."""

    def __init__(self) -> None:
        """An empty canvas."""
        super().__init__(useOpenGL=False, background=_BACKGROUND)
        self.setAccessibleName("Image")
        self.box = pg.ViewBox(lockAspect=True, invertY=True, enableMenu=False, enableMouse=False, defaultPadding=0)
        self.setCentralItem(self.box)
        self._item = PictureItem(self)
        self.box.addItem(self._item)
        self.compositor: Compositor | None = None
        self.tone = Tone()
        self.overlay = Overlay()
        self.corners = Corners()
        self.message = ""
        """What stands in the middle while there is no picture."""
        self.stand: Stand | None = None
        self.pose: Pose | None = None
        self.mouse = MouseMap()
        self.wheel_reversed = False
        self.lens = Lens()
        self.map = OverviewMap()
        self.drawing = Drawing(self)
        self.findings: tuple[Finding, ...] = ()
        self.finding: Finding | None = None
        """The one that is pointed out."""
        self._ahead = Ahead()
        self._drag: tuple[Qt.MouseButton, QPointF, QPointF] | None = None
        self.setMouseTracking(True)
        self.box.sigRangeChanged.connect(self._on_range)

    @property
    def data(self) -> PictureData | None:
        """The picture that is shown."""
        return self.compositor.data if self.compositor else None

    def set_picture(self, data: PictureData | None, keep: bool = False) -> None:
        """Show a picture; ``keep``: another frame of the same image, under the same tone and overlay."""
        tiled = TiledPicture(data) if data is not None and data.partial else None
        self.compositor = Compositor(data, tiled) if data is not None else None
        self.lens.forget()
        if not keep:
            self.tone, self.overlay = Tone(), Overlay()
            self.findings, self.finding = (), None
            self.drawing.clear()
        if data is not None:
            self.stand = Stand.of(data)
        self._item.prepareGeometryChange()
        if data is not None and not keep and self.pose is None:
            self.fit()
        self.tone_changed.emit()
        self.redraw()

    def set_overlay(self, overlay: Overlay) -> None:
        """Lay something else over the picture."""
        self.overlay = overlay
        self.redraw()

    def set_tone(self, tone: Tone) -> None:
        """Turn codes into grey in another way."""
        self.tone = tone
        self.tone_changed.emit()
        self.redraw()

    def show_findings(self, findings: Sequence[Finding], chosen: Finding | None) -> None:
        """Number findings, and put brackets around one (stored pixels)."""
        self.findings, self.finding = tuple(findings), chosen
        self.redraw()

    @property
    def tiled(self) -> TiledPicture | None:
        """The tiles of a picture that is read part by part."""
        return self.compositor.tiled if self.compositor else None

    def add_tiles(self, tiles: Mapping[TileKey, Any]) -> None:
        """Take tiles that were asked for, as stored."""
        if self.tiled is not None:
            self.tiled.add(tiles)
            self.redraw()

    def forget_tiles(self) -> None:
        """Tiles are to look otherwise: ask for them anew."""
        if self.tiled is not None:
            self.tiled.clear()
            self._ask_for_tiles()
            self.redraw()

    def redraw(self) -> None:
        """Paint again at the next chance."""
        self._item.update()
        self.viewport().update()

    # where it looks

    def screen(self) -> tuple[int, int]:
        """Width and height in device pixels."""
        ratio = self.devicePixelRatioF()
        return max(1, round(self.viewport().width() * ratio)), max(1, round(self.viewport().height() * ratio))

    def current_view(self) -> View:
        """What the screen shows, in shown and device pixels."""
        (x0, x1), (y0, _) = self.box.viewRange()
        width, height = self.screen()
        return View(x0, y0, width / max(1e-9, x1 - x0), width, height)

    def set_pose(self, pose: Pose) -> None:
        """Look from a pose; no signal: nobody moved it by hand."""
        self.pose = pose
        if self.stand is not None:
            view = self.stand.view(pose, *self.screen())
            rect = QRectF(view.x, view.y, view.width / view.scale, view.height / view.scale)
            self.box.setRange(rect, padding=0)
            self.box.updateMatrix()  # now: done while it paints, it would paint twice

    def fit(self) -> None:
        """The whole image in the view, centred."""
        if self.stand is not None:
            width, height = self.screen()
            self.set_pose(Pose(self.stand.fitting_scale(width, height), self.stand.width / 2, 0.0))

    def one_to_one(self) -> None:
        """One image pixel a device pixel, about the view's middle."""
        self.zoom(1 / max(1e-9, self.current_view().scale))

    def zoom(self, factor: float, about: QPointF | None = None) -> None:
        """Enlarge by a factor about a shown point (default: the view's middle)."""
        if self.data is None:
            return
        view = self.current_view()
        scale = min(_SCALES[1], max(_SCALES[0], view.scale * factor))
        middle = QPointF(view.x + view.width / view.scale / 2, view.y + view.height / view.scale / 2)
        about = about or middle
        kept = view.scale / scale
        x, y = about.x() - (about.x() - view.x) * kept, about.y() - (about.y() - view.y) * kept
        self._move_to(View(x, y, scale, view.width, view.height))

    def pan(self, dx: float, dy: float) -> None:
        """Drag the picture by logical screen pixels."""
        if self.data is not None:
            view, ratio = self.current_view(), self.devicePixelRatioF()
            x, y = view.x - dx * ratio / view.scale, view.y - dy * ratio / view.scale
            self._move_to(View(x, y, view.scale, view.width, view.height))

    def center_on(self, point: QPointF) -> None:
        """Bring a shown point to the middle."""
        view = self.current_view()
        x, y = point.x() - view.width / view.scale / 2, point.y() - view.height / view.scale / 2
        self._move_to(View(x, y, view.scale, view.width, view.height))

    def show_region(self, region: Region, enlarge: bool = True) -> None:
        """Bring a shown region to the middle, and large enough to be looked at where ``enlarge``."""
        if self.data is None:
            return
        view = self.current_view()
        scale = min(view.width / max(1, region.width), view.height / max(1, region.height))
        scale = scale if not enlarge else max(view.scale, min(scale / 3, 1.0))
        x, y = region.x + region.width / 2, region.y + region.height / 2
        self._move_to(View(x - view.width / scale / 2, y - view.height / scale / 2, scale, view.width, view.height))

    def _move_to(self, view: View) -> None:
        if self.stand is not None:
            self.set_pose(self.stand.pose(view))
            self.posed.emit(self.pose)

    def drag_window(self, dx: float, dy: float) -> None:
        """Change the window: to the right wider, up brighter; one screen width is the whole range."""
        if self.data is None or self.data.scale is None:
            return
        scale = self.data.scale
        window = self.tone.voi or scale.voi
        if not isinstance(window, Window):
            window = scale.full_window()
        low, high = (float(v) for v in scale.values(np.array(scale.data_range or (scale.low, scale.high))))
        step = max(abs(high - low), 1.0) / 1000
        width = max(step, window.width + dx * step)
        moved = Window(window.center + dy * step, width, window.function, "by hand")
        self.set_tone(Tone(moved, self.tone.invert))

    # between screen, shown and stored

    def shown_at(self, position: QPointF) -> QPointF:
        """The shown point under a point of the widget."""
        view, ratio = self.current_view(), self.devicePixelRatioF()
        return QPointF(view.x + position.x() * ratio / view.scale, view.y + position.y() * ratio / view.scale)

    def stored_at(self, position: QPointF) -> tuple[float, float]:
        """The stored point under a point of the widget."""
        point = self.shown_at(position)
        if self.data is None:
            return point.x(), point.y()
        return self.data.info.turn.to_stored(point.x(), point.y(), self.data.info.size)

    def to_screen(self, x: float, y: float) -> QPointF:
        """Where a stored point stands on the widget."""
        if self.data is not None:
            x, y = self.data.info.turn.to_shown(x, y, self.data.info.size)
        view, ratio = self.current_view(), self.devicePixelRatioF()
        return QPointF((x - view.x) * view.scale / ratio, (y - view.y) * view.scale / ratio)

    def stored_a_px(self) -> float:
        """Stored pixels a logical screen pixel."""
        return float(self.devicePixelRatioF() / self.current_view().scale)

    def _on_widget(self, region: Region) -> QRectF:
        """A shown region on the widget."""
        view, ratio = self.current_view(), self.devicePixelRatioF()
        factor = view.scale / ratio
        left, top = (region.x - view.x) * factor, (region.y - view.y) * factor
        return QRectF(left, top, region.width * factor, region.height * factor)

    # mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A tool's press, or the beginning of a drag."""
        self.pressed.emit()
        position = event.position()
        left = event.button() == Qt.MouseButton.LeftButton
        if left and (point := self.map.shown_at(self, position)) is not None:
            self.center_on(point)
            return
        if left and self.data is not None and self.drawing.press(position, _shift(event)):
            return
        self._drag = (event.button(), position, position)
        if self._action(event.button()) == "magnify":
            self.lens.follow(position)
            self.redraw()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Report the place under the mouse; pan, window, zoom or scroll while a button is held."""
        position = event.position()
        if self.data is not None:
            self.cursor_moved.emit(*self.stored_at(position))
        if self.lens.shown:
            self.lens.follow(position)
            self.redraw()
        if self.drawing.move(position) or self._drag is None:
            return
        button, start, last = self._drag
        self._drag = (button, start, position)
        self._dragged(self._action(button), position - last, start)

    def _action(self, button: Qt.MouseButton) -> Gesture:
        mouse, kinds = self.mouse, Qt.MouseButton
        known = {kinds.LeftButton: mouse.left, kinds.RightButton: mouse.right, kinds.MiddleButton: mouse.middle}
        return known.get(button, "none")

    def _dragged(self, action: Gesture, by: QPointF, start: QPointF) -> None:
        if action == "pan":
            self.pan(by.x(), by.y())
        elif action == "window":
            self.window_dragged.emit(by.x(), by.y())
        elif action == "zoom":
            self.zoom(_ZOOM_DRAG ** -by.y(), self.shown_at(start))
        elif action == "scroll" and by.y():
            self.scrolled.emit(1 if by.y() > 0 else -1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The end of a drag, or a click."""
        position = event.position()
        if self.drawing.release(position) or self._drag is None:
            return
        button, start, _ = self._drag
        self._drag = None
        if self._action(button) == "magnify":
            self.lens.leave()
            self.redraw()
        moved = (position - start).manhattanLength()
        if button == Qt.MouseButton.LeftButton and moved <= _CLICK_PX and self.data is not None:
            self.clicked_at.emit(*self.stored_at(position))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Close a shape, else single or tiled."""
        self._drag = None
        if not self.drawing.double_click(event.position()):
            self.doubled.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom to the cursor, scroll or change the window, as the preferences say."""
        event.accept()
        steps = event.angleDelta().y() / 120 * (-1 if self.wheel_reversed else 1)
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if control and self.drawing.wheel(steps):
            return
        action = self.mouse.ctrl_wheel if control else self.mouse.wheel
        if action == "zoom":
            self.zoom(_ZOOM_STEP**steps, self.shown_at(event.position()))
        elif action == "scroll" and steps:
            self.scrolled.emit(-1 if steps > 0 else 1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys are the window's, but for those of a shape that is being drawn."""
        if not self.drawing.key(event.key()):
            event.ignore()

    def leaveEvent(self, event: Any) -> None:
        """No glass outside."""
        super().leaveEvent(event)
        self.lens.leave()
        self.drawing.leave()
        self.redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep looking at the same place."""
        super().resizeEvent(event)
        pose: Pose | None = getattr(self, "pose", None)  # pyqtgraph resizes while it is being made
        if pose is not None:
            self.set_pose(pose)

    # painting

    def drawForeground(self, painter: QPainter, rect: QRectF | Any) -> None:
        """Words, marks and glass over the picture."""
        super().drawForeground(painter, rect)
        painter.save()
        furniture.prepare(painter, self.font())
        area = QRectF(self.viewport().rect())
        if self.data is None:
            furniture.draw_message(painter, area, self.message)
            furniture.draw_corners(painter, area, self.corners, 6)
        else:
            self._draw_furniture(painter, area, self.data)
        painter.restore()

    def _draw_furniture(self, painter: QPainter, area: QRectF, data: PictureData) -> None:
        furniture.draw_places(painter, self.overlay.places, self._on_widget)
        turn, stored = data.info.turn, data.info.size
        numbered = [(one.number, turn.region_to_shown(one.region, stored)) for one in self.findings[:_NUMBERED]]
        furniture.draw_numbers(painter, numbered, self._on_widget)
        if self.finding is not None:
            turned = turn.region_to_shown(self.finding.region, stored)
            furniture.draw_finding(painter, self._on_widget(turned))
        self.drawing.paint(painter)
        furniture.draw_corners(painter, area, self.corners, 44)
        per_px = self.current_view().scale / self.devicePixelRatioF()
        furniture.draw_scale_bar(painter, area, data.spacing, per_px, self.corners.right)
        self.map.paint(painter, self)
        self.lens.paint(painter, self)

    def _on_range(self) -> None:
        self.view_changed.emit()
        self._item.update()
        self._ask_for_tiles()

    def _ask_for_tiles(self) -> None:
        if self.tiled is not None and self.isVisible():
            view = self.current_view()
            self.tiles_wanted.emit(self.tiled.missing(view, self._ahead.motion(view)))

    @property
    def size_px(self) -> Size | None:
        """Level 0 as shown, or None without a picture."""
        return self.data.size if self.data is not None else None


def _shift(event: QMouseEvent) -> bool:
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
