"""The canvas: pan, zoom and window by mouse over a compositor's pixels; scale bar and corner text on top."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen

from pathview.geometry import SpacingMm, format_length, round_length
from pathview.gui.viewer.picture import OUTLINE_BGRA, SURROUND_BGRA, Bgra, Compositor, Overlay, Tone, View
from pathview.images.intensity import Window
from pathview.images.pyramid import Patch, PictureData
from pathview.results.place_labels import apart
from pathview.results.result import score_words

_BACKGROUND = QColor(*SURROUND_BGRA[2::-1])
_OUTLINE = QColor(*OUTLINE_BGRA[2::-1])
_INK = QColor(235, 238, 243)
_SHADOW = QColor(0, 0, 0, 170)
_BACKDROP = QColor(0, 0, 0, 150)
_BAR_SHARE = 0.18
_ZOOM_STEP = 1.25
_MARGIN = 0.03


class Canvas(pg.GraphicsView):  # type: ignore[misc]
    """Shows one picture under one overlay."""

    cursor_moved = Signal(float, float)
    """Level-0 x and y under the mouse."""
    view_changed = Signal()
    tone_changed = Signal()
    detail_wanted = Signal(object)
    """A :class:`View` that finer pixels are needed for."""

    def __init__(self) -> None:
        """An empty canvas."""
        super().__init__(useOpenGL=False, background=_BACKGROUND)
        self.setAccessibleName("Image")
        self.box = _Box(self)
        self.setCentralItem(self.box)
        self._item = _PictureItem(self)
        self.box.addItem(self._item)
        self.compositor: Compositor | None = None
        self.tone = Tone()
        self.overlay = Overlay()
        self.corner: tuple[str, ...] = ()
        self.message = ""
        """What stands in the middle while there is no picture."""
        self.setMouseTracking(True)
        self.box.sigRangeChanged.connect(self._on_range)

    @property
    def data(self) -> PictureData | None:
        """The picture that is shown."""
        return self.compositor.data if self.compositor else None

    def set_picture(self, data: PictureData | None, keep_view: bool = False) -> None:
        """Show a picture, fitted unless the view is to stay."""
        self.compositor = Compositor(data) if data is not None else None
        self.tone = Tone()
        self.overlay = Overlay()
        self._item.prepareGeometryChange()
        if data is not None and not keep_view:
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

    def add_detail(self, patch: Patch) -> None:
        """Take finer pixels that were asked for."""
        if self.compositor is not None:
            self.compositor.add_detail(patch)
            self.redraw()

    def redraw(self) -> None:
        """Paint again at the next chance."""
        self._item.update()
        self.viewport().update()

    def fit(self) -> None:
        """The whole image in the view."""
        if self.data is not None:
            size = self.data.info.size
            self.box.setRange(QRectF(0, 0, size.width, size.height), padding=_MARGIN)

    def one_to_one(self) -> None:
        """One image pixel a screen pixel, about the view's middle."""
        self.zoom(1 / max(1e-9, self.current_view().scale))

    def zoom(self, factor: float, about: QPointF | None = None) -> None:
        """Enlarge by a factor about a level-0 point (default: the view's middle)."""
        if self.data is not None:
            self.box.scaleBy((1 / factor, 1 / factor), center=about)

    def show_region(self, rect: QRectF) -> None:
        """Bring a level-0 rectangle into view."""
        self.box.setRange(rect, padding=0.6)

    def current_view(self) -> View:
        """What the screen shows, in device pixels."""
        (x0, x1), (y0, _) = self.box.viewRange()
        ratio = self.devicePixelRatioF()
        width = max(1, round(self.viewport().width() * ratio))
        height = max(1, round(self.viewport().height() * ratio))
        return View(x0, y0, width / max(1e-9, x1 - x0), width, height)

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

    def mouseMoveEvent(self, event: Any) -> None:
        """Report the place under the mouse."""
        super().mouseMoveEvent(event)
        point = self.box.mapSceneToView(self.mapToScene(event.position().toPoint()))
        self.cursor_moved.emit(point.x(), point.y())

    def drawForeground(self, painter: QPainter, rect: QRectF | Any) -> None:
        """Scale bar and corner text, over the picture."""
        super().drawForeground(painter, rect)
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPixelSize(13)
        painter.setFont(font)
        if self.data is None:
            middle = self.viewport().rect().adjusted(40, 0, -40, 0)
            painter.setPen(_INK)
            painter.drawText(middle, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.message)
            painter.restore()
            return
        self._draw_places(painter)
        self._draw_corner(painter)
        self._draw_scale_bar(painter, self.data.info.spacing)
        painter.restore()

    def _draw_places(self, painter: QPainter) -> None:
        """A cascade's places as dashed squares, each with its score."""
        painter.setBrush(Qt.BrushStyle.NoBrush)
        labels = []
        for place in self.overlay.places:
            region = place.region
            corners = QRectF(region.x, region.y, region.width, region.height)
            square = self.mapFromScene(self.box.mapViewToScene(corners)).boundingRect()
            for color, style in ((_SHADOW, Qt.PenStyle.SolidLine), (_OUTLINE, Qt.PenStyle.DashLine)):
                painter.setPen(QPen(color, 1.5, style))
                painter.drawRect(square)
            labels.append((square.left(), square.top(), score_words(place.score)))
        metrics = painter.fontMetrics()
        widths = [metrics.horizontalAdvance(text) + 8 for _, _, text in labels]
        spots = apart([(x, y, width) for (x, y, _), width in zip(labels, widths, strict=True)], metrics.height())
        for (x, y), (_, _, text), width in zip(spots, labels, widths, strict=True):
            painter.fillRect(QRectF(x, y, width, metrics.height()), _BACKDROP)
            _shadowed(painter, QPointF(x + 4, y + metrics.ascent()), text)

    def _draw_corner(self, painter: QPainter) -> None:
        """The image's own words, on a shade: some pictures have text burnt in at the same place."""
        if not self.corner:
            return
        width = max(painter.fontMetrics().horizontalAdvance(line) for line in self.corner)
        painter.fillRect(QRectF(8, 9, width + 12, 19 * len(self.corner) + 5), _BACKDROP)
        for number, line in enumerate(self.corner):
            _shadowed(painter, QPointF(14, 26 + 19 * number), line)

    def _draw_scale_bar(self, painter: QPainter, spacing: SpacingMm | None) -> None:
        height = self.viewport().height()
        per_px = self.current_view().scale / self.devicePixelRatioF()
        if spacing is None:
            _shadowed(painter, QPointF(14, height - 16), "pixel size not known")
            return
        mm_a_screen_px = spacing.column / per_px
        length = round_length(self.viewport().width() * _BAR_SHARE * mm_a_screen_px)
        pixels = length / mm_a_screen_px
        for color, width in ((_SHADOW, 5), (_INK, 2)):
            painter.setPen(QPen(color, width))
            painter.drawLine(QPointF(16, height - 18), QPointF(16 + pixels, height - 18))
            for x in (16, 16 + pixels):
                painter.drawLine(QPointF(x, height - 23), QPointF(x, height - 13))
        _shadowed(painter, QPointF(16, height - 30), format_length(length))

    def _on_range(self) -> None:
        self.view_changed.emit()
        self._item.update()
        if self.compositor is not None and self.isVisible():
            view = self.current_view()
            if self.compositor.needs_detail(view):
                self.detail_wanted.emit(view)


class _Box(pg.ViewBox):  # type: ignore[misc]
    """Left drag pans, right drag changes the window, the wheel zooms to the cursor."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(lockAspect=True, invertY=True, enableMenu=False, defaultPadding=0)
        self._canvas = canvas
        self.setLimits(minXRange=8)

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        if event.button() == Qt.MouseButton.RightButton:
            event.accept()
            delta = event.screenPos() - event.lastScreenPos()
            self._canvas.drag_window(delta.x(), delta.y())
        else:
            super().mouseDragEvent(event, axis)

    def wheelEvent(self, event: Any, axis: int | None = None) -> None:
        event.accept()
        factor = _ZOOM_STEP ** (event.delta() / 120)
        self._canvas.zoom(factor, self.mapToView(event.pos()))

    def mouseClickEvent(self, event: Any) -> None:
        if event.double():
            event.accept()
            self._canvas.fit()


class _PictureItem(pg.GraphicsObject):  # type: ignore[misc]
    """Paints the visible part; its own size is the image's."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__()
        self._canvas = canvas
        self._pixels: Bgra | None = None

    def boundingRect(self) -> QRectF:
        data = self._canvas.data
        return QRectF(0, 0, data.info.size.width, data.info.size.height) if data else QRectF(0, 0, 1, 1)

    def paint(self, painter: QPainter, *_: Any) -> None:
        canvas = self._canvas
        if canvas.compositor is None:
            return
        view = canvas.current_view()
        self._pixels = canvas.compositor.compose(view, canvas.tone, canvas.overlay)  # kept while Qt draws it
        image = QImage(self._pixels.data, view.width, view.height, view.width * 4, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(canvas.devicePixelRatioF())
        painter.save()
        painter.resetTransform()
        painter.drawImage(QPointF(0, 0), image)
        painter.restore()


def _shadowed(painter: QPainter, at: QPointF, text: str) -> None:
    painter.setPen(_SHADOW)
    for dx, dy in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        painter.drawText(at + QPointF(dx, dy), text)
    painter.setPen(_INK)
    painter.drawText(at, text)
