"""Marks on the screen: their lines, handles and labels; and the values inside regions, counted off the UI thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy.typing as npt
from PySide6.QtCore import QObject, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from pathview.geometry import Turn
from pathview.gui.job_runner import Job, JobRunner
from pathview.gui.viewer.tools import handles
from pathview.images.pyramid import PictureData
from pathview.results.measurement import COLOR_REFUSAL, Mark, RegionStats, measure_mark, region_stats

ToScreen = Callable[[float, float], QPointF]

_INK = QColor(120, 225, 255)
_SELECTED_INK = QColor(255, 255, 255)
_SHADOW = QColor(0, 0, 0, 170)
_BACKDROP = QColor(0, 0, 0, 185)
_LINE, _SHADOW_LINE = 1.4, 3.6
_HANDLE = 7.0
_TICK = 5.0
_ARC = 22.0
_GAP = 10.0
_FAR, _LEADER_STEPS = 25.0, 32
_PAD_X, _PAD_Y = 5.0, 2.0
_WAITING = ("mean …  SD …", "… to …  n …")
_FAILED = "mean and SD could not be computed"


class Drawn(NamedTuple):
    """A mark and what stands beside it."""

    mark: Mark
    lines: tuple[str, ...]


def paint_marks(
    painter: QPainter,
    marks: Sequence[Drawn],
    to_screen: ToScreen,
    selected: str | None = None,
    preview: Drawn | None = None,
    bounds: QRectF | None = None,
) -> None:
    """Paint marks in the painter's own coordinates, with its font.

    Args:
        painter: of the canvas; left as it was.
        marks: of the frame that is shown.
        to_screen: from stored level-0 (x, y) to the painter's coordinates.
        selected: id of the mark that shows its handles.
        preview: what is being drawn, or dragged: then it is shown in place of the mark with its id.
        bounds: where labels may stand; the painter's window if not given.
    """
    shown = [drawn for drawn in marks if preview is None or drawn.mark.id != preview.mark.id]
    shown += [preview] if preview is not None else []
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for drawn in shown:
        active = drawn.mark.id == selected or drawn is preview
        _paint_line(painter, drawn.mark, to_screen, _SELECTED_INK if active else _INK)
    area = bounds if bounds is not None else QRectF(painter.window())
    for drawn, rect in _labels(painter, shown, to_screen, area):
        active = drawn.mark.id == selected or drawn is preview
        _paint_leader(painter, rect, line_path(drawn.mark, to_screen), _SELECTED_INK if active else _INK)
        _paint_label(painter, rect, drawn.lines, _SELECTED_INK if active else _INK)
    for drawn in shown:
        if drawn.mark.id == selected or drawn is preview:
            _paint_handles(painter, [to_screen(*point) for point in handles(drawn.mark)])
    painter.restore()


def line_path(mark: Mark, to_screen: ToScreen) -> QPainterPath:
    """The line of a mark on the screen; a ruler's has ticks at its ends, an angle's an arc at its vertex."""
    path = QPainterPath()
    points = [to_screen(*point) for point in mark.points]
    if mark.kind == "ellipse" and len(points) == 2:
        path.addEllipse(QRectF(points[0], points[1]).normalized())
        return path
    if not points:
        return path
    path.moveTo(points[0])
    for point in points[1:]:
        path.lineTo(point)
    if mark.kind == "polygon" and len(points) > 2:
        path.closeSubpath()
    if mark.kind == "ruler" and len(points) == 2:
        across = _unit(points[1] - points[0])
        tick = QPointF(-across.y(), across.x()) * _TICK
        for end in points:
            path.moveTo(end - tick)
            path.lineTo(end + tick)
    if mark.kind == "angle" and len(points) == 3:
        _add_arc(path, *points)
    return path


def _add_arc(path: QPainterPath, first: QPointF, vertex: QPointF, last: QPointF) -> None:
    arms = (first - vertex, last - vertex)
    radius = min(_ARC, *(math.hypot(arm.x(), arm.y()) / 2 for arm in arms))
    start, end = (math.degrees(math.atan2(-arm.y(), arm.x())) for arm in arms)
    sweep = (end - start + 180) % 360 - 180
    square = QRectF(vertex.x() - radius, vertex.y() - radius, 2 * radius, 2 * radius)
    path.arcMoveTo(square, start)
    path.arcTo(square, start, sweep)


def _paint_line(painter: QPainter, mark: Mark, to_screen: ToScreen, ink: QColor) -> None:
    path = line_path(mark, to_screen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for color, width in ((_SHADOW, _SHADOW_LINE), (ink, _LINE)):
        painter.setPen(QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.drawPath(path)


def _paint_handles(painter: QPainter, points: Iterable[QPointF]) -> None:
    for point in points:
        square = QRectF(point.x() - _HANDLE / 2, point.y() - _HANDLE / 2, _HANDLE, _HANDLE)
        painter.setPen(QPen(_SHADOW, 1.0))
        painter.setBrush(_SELECTED_INK)
        painter.drawRect(square)


def _paint_label(painter: QPainter, rect: QRectF, lines: Sequence[str], ink: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_BACKDROP)
    painter.drawRoundedRect(rect, 3, 3)
    painter.setPen(ink)
    metrics = QFontMetricsF(painter.font())
    for number, line in enumerate(lines):
        below = _PAD_Y + number * metrics.height() + metrics.ascent()
        painter.drawText(QPointF(rect.left() + _PAD_X, rect.top() + below), line)


def _paint_leader(painter: QPainter, rect: QRectF, shape: QPainterPath, ink: QColor) -> None:
    """A dotted line from a label to its mark, where it had to stand further away."""

    def way(end: QPointF) -> QPointF:
        x = max(rect.left(), min(end.x(), rect.right()))
        y = max(rect.top(), min(end.y(), rect.bottom()))
        return QPointF(x, y) - end

    ends = [shape.pointAtPercent(step / _LEADER_STEPS) for step in range(_LEADER_STEPS + 1)]
    end = min(ends, key=lambda point: way(point).manhattanLength())
    if way(end).manhattanLength() > _FAR:
        painter.setPen(QPen(ink, 1.0, Qt.PenStyle.DotLine))
        painter.drawLine(end, end + way(end))


def _labels(
    painter: QPainter, shown: Sequence[Drawn], to_screen: ToScreen, area: QRectF
) -> Iterator[tuple[Drawn, QRectF]]:
    """A place for each label: near its mark, clear of labels before it and, where there is room, of all marks."""
    metrics = QFontMetricsF(painter.font())
    shapes = [line_path(drawn.mark, to_screen) for drawn in shown]
    taken: list[QRectF] = []
    for drawn, shape in zip(shown, shapes, strict=True):
        if not drawn.lines or len(drawn.mark.points) < 2:
            continue
        width = max(metrics.horizontalAdvance(line) for line in drawn.lines) + 2 * _PAD_X
        size = QSizeF(width, metrics.height() * len(drawn.lines) + 2 * _PAD_Y)
        wished = [_moved_into(rect, area) for rect in _wishes(drawn.mark, shape, to_screen, size)]
        moved = [_clear_of(rect, taken, up) for rect in wished for up in (False, True)]
        wished += [rect for rect in moved if area.contains(rect)]
        middle = shape.boundingRect().center()

        def cost(rect: QRectF, own: QPainterPath = shape, middle: QPointF = middle) -> int:
            """Of equal costs the first wish is taken."""
            covered = sum(other.intersects(rect) for other in shapes) + 2 * own.intersects(rect)
            return covered + 50 * rect.contains(middle) + 50 * any(rect.intersects(other) for other in taken)

        found = _clear_of(min(wished, key=cost), taken)
        taken.append(found)
        yield drawn, found


def _wishes(mark: Mark, shape: QPainterPath, to_screen: ToScreen, size: QSizeF) -> list[QRectF]:
    """Where a label would stand, the best first: beside a region, beyond the end of a ruler, outside an angle."""
    points = [to_screen(*point) for point in mark.points]
    right, left, down, up = QPointF(1, 0), QPointF(-1, 0), QPointF(0, 1), QPointF(0, -1)
    if mark.is_region:
        corners = [shape.elementAt(index) for index in range(shape.elementCount())]
        points = [QPointF(corner.x, corner.y) for corner in corners]
        ways = [(max(points, key=QPointF.x), right), (min(points, key=QPointF.x), left)]
        ways += [(max(points, key=QPointF.y), down), (min(points, key=QPointF.y), up)]
    elif mark.kind == "angle" and len(points) == 3:
        inwards = _unit(_unit(points[0] - points[1]) + _unit(points[2] - points[1]))
        ways = [(points[1], -inwards), (points[1], inwards)]
    else:
        along = _unit(points[-1] - points[0])
        ways = [(points[-1], along), (points[0], -along)]
    diagonals = [_unit(one + other) for one in (right, left) for other in (down, up)]
    ways += [(point, way) for point in (points[-1], points[0]) for way in (right, left, down, up, *diagonals)]
    return [_beyond(point, way, size) for point, way in ways]


def _beyond(point: QPointF, way: QPointF, size: QSizeF) -> QRectF:
    """A rectangle a gap away from a point, its middle where a unit vector points to."""
    reach = min(
        side / 2 / abs(part) for side, part in ((size.width(), way.x()), (size.height(), way.y())) if abs(part) > 1e-6
    )
    return _about(point + way * (reach + _GAP), size)


def _about(middle: QPointF, size: QSizeF) -> QRectF:
    return QRectF(middle.x() - size.width() / 2, middle.y() - size.height() / 2, size.width(), size.height())


def _moved_into(rect: QRectF, area: QRectF) -> QRectF:
    x = max(area.left(), min(rect.left(), area.right() - rect.width()))
    y = max(area.top(), min(rect.top(), area.bottom() - rect.height()))
    return QRectF(x, y, rect.width(), rect.height())


def _clear_of(rect: QRectF, taken: Sequence[QRectF], up: bool = False) -> QRectF:
    """The rectangle as far down, or up, as others ask for."""
    while hit := [other for other in taken if other.intersects(rect)]:
        top = min(other.top() for other in hit) - rect.height() if up else max(other.bottom() for other in hit)
        rect = QRectF(rect.left(), top, rect.width(), rect.height())
    return rect


def _unit(way: QPointF) -> QPointF:
    """A vector of length 1; to the right where there is no direction."""
    length = math.hypot(way.x(), way.y())
    return way / length if length > 0 else QPointF(1, 0)


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
