"""Marks on the screen, one by one: their lines, their handles, and the words beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from pathview.gui.viewer.editor import handles
from pathview.gui.viewer.mark_lines import ToScreen, line_path, unit
from pathview.results.annotation import Mark

Colors = Mapping[str, QColor]
"""Colours by label."""

INK = QColor(120, 225, 255)
"""Of marks without a label."""
NO_COLORS: Colors = MappingProxyType({})
SELECTED_INK = QColor(255, 255, 255)
_SHADOW = QColor(0, 0, 0, 170)
_BACKDROP = QColor(0, 0, 0, 185)
_LINE, _SHADOW_LINE = 1.4, 3.6
_HANDLE = 7.0
_GAP = 10.0
_LONG = 400
_MOST_WORDED = 16
_FAR, _LEADER_STEPS = 25.0, 32
_PAD_X, _PAD_Y = 5.0, 2.0


class Drawn(NamedTuple):
    """A mark and what stands beside it."""

    mark: Mark
    lines: tuple[str, ...]


def paint_marks(
    painter: QPainter,
    marks: Sequence[Drawn],
    to_screen: ToScreen,
    chosen: Collection[str] = (),
    preview: Drawn | None = None,
    bounds: QRectF | None = None,
    colors: Colors = NO_COLORS,
) -> None:
    """Paint marks in the painter's own coordinates, with its font.

    Args:
        painter: of the canvas; left as it was.
        marks: of the frame that is shown.
        to_screen: from stored level-0 (x, y) to the painter's coordinates.
        chosen: ids of the marks that show their handles.
        preview: what is being drawn, or dragged: then it is shown in place of the mark with its id.
        bounds: where labels may stand; the painter's window if not given.
        colors: by label.
    """
    shown = [drawn for drawn in marks if preview is None or drawn.mark.id != preview.mark.id]
    shown += [preview] if preview is not None else []
    paths = {drawn.mark.id: line_path(drawn.mark, to_screen) for drawn in shown}

    active = {*chosen, preview.mark.id} if preview is not None else set(chosen)

    def ink(drawn: Drawn) -> QColor:
        return SELECTED_INK if drawn.mark.id in active else colors.get(drawn.mark.label, INK)

    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for drawn in shown:
        _paint_line(painter, paths[drawn.mark.id], ink(drawn))
    area = bounds if bounds is not None else QRectF(painter.window())
    for drawn, rect in _labels(painter, _worded(shown, paths, area, active), paths, to_screen, area):
        _paint_leader(painter, rect, paths[drawn.mark.id], ink(drawn))
        _paint_label(painter, rect, drawn.lines, ink(drawn))
    for drawn in shown:
        if drawn.mark.id in active:
            _paint_handles(painter, [to_screen(*point) for point in handles(drawn.mark)])
    painter.restore()


def _paint_line(painter: QPainter, path: QPainterPath, ink: QColor) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if path.elementCount() > _LONG:
        _paint_long_line(painter, path, ink)
        return
    for color, width in ((_SHADOW, _SHADOW_LINE), (ink, _LINE)):
        painter.setPen(QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.drawPath(path)


def _paint_long_line(painter: QPainter, path: QPainterPath, ink: QColor) -> None:
    """As thin lines, which Qt draws two hundred times as fast as wide ones: 17,000 corners in 15 ms, not in 750."""
    for dx, dy, color in ((-1, 0, _SHADOW), (1, 0, _SHADOW), (0, -1, _SHADOW), (0, 1, _SHADOW), (0, 0, ink)):
        painter.setPen(QPen(color, 1.0))
        painter.drawPath(path.translated(dx, dy))


def _paint_handles(painter: QPainter, points: Iterable[QPointF]) -> None:
    for point in points:
        square = QRectF(point.x() - _HANDLE / 2, point.y() - _HANDLE / 2, _HANDLE, _HANDLE)
        painter.setPen(QPen(_SHADOW, 1.0))
        painter.setBrush(SELECTED_INK)
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

    count = shape.elementCount()
    if count > _LONG:
        corners = [shape.elementAt(step * (count - 1) // _LEADER_STEPS) for step in range(_LEADER_STEPS + 1)]
        ends = [QPointF(corner.x, corner.y) for corner in corners]
    else:
        ends = [shape.pointAtPercent(step / _LEADER_STEPS) for step in range(_LEADER_STEPS + 1)]
    end = min(ends, key=lambda point: way(point).manhattanLength())
    if way(end).manhattanLength() > _FAR:
        painter.setPen(QPen(ink, 1.0, Qt.PenStyle.DotLine))
        painter.drawLine(end, end + way(end))


def _worded(
    shown: Sequence[Drawn], paths: Mapping[str, QPainterPath], area: QRectF, active: Collection[str]
) -> list[Drawn]:
    """The marks in view that words stand beside: all, or where these are many the active ones."""
    long = [drawn for drawn in shown if drawn.lines and paths[drawn.mark.id].elementCount() > 1]
    seen = [drawn for drawn in long if area.intersects(_box(paths[drawn.mark.id]))]
    return seen if len(seen) <= _MOST_WORDED else [drawn for drawn in seen if drawn.mark.id in active]


def _box(path: QPainterPath) -> QRectF:
    return path.boundingRect().adjusted(-1, -1, 1, 1)  # of a level line, too, there is something to meet


def _labels(
    painter: QPainter,
    shown: Sequence[Drawn],
    paths: Mapping[str, QPainterPath],
    to_screen: ToScreen,
    area: QRectF,
) -> Iterator[tuple[Drawn, QRectF]]:
    """A place for each label: near its mark, clear of labels before it and, where there is room, of all marks."""
    metrics = QFontMetricsF(painter.font())
    shapes = list(paths.values())
    taken: list[QRectF] = []
    for drawn in shown:
        shape = paths[drawn.mark.id]
        width = max(metrics.horizontalAdvance(line) for line in drawn.lines) + 2 * _PAD_X
        size = QSizeF(width, metrics.height() * len(drawn.lines) + 2 * _PAD_Y)
        wished = [_moved_into(rect, area) for rect in _wishes(drawn.mark, shape, to_screen, size)]
        moved = [_clear_of(rect, taken, up) for rect in wished for up in (False, True)]
        wished += [rect for rect in moved if area.contains(rect)]
        middle = shape.boundingRect().center()

        def cost(rect: QRectF, own: QPainterPath = shape, middle: QPointF = middle) -> int:
            """Of equal costs the first wish is taken."""
            covered = sum(_meets(other, rect) for other in shapes) + 2 * _meets(own, rect)
            return covered + 50 * rect.contains(middle) + 50 * any(rect.intersects(other) for other in taken)

        found = _clear_of(min(wished, key=cost), taken)
        taken.append(found)
        yield drawn, found


def _meets(shape: QPainterPath, rect: QRectF) -> bool:
    """Whether a label would cover a mark; of a line of very many corners its box is looked at."""
    if shape.elementCount() > _LONG:
        return shape.boundingRect().intersects(rect)
    return shape.intersects(rect)


def _wishes(mark: Mark, shape: QPainterPath, to_screen: ToScreen, size: QSizeF) -> list[QRectF]:
    """Where a label would stand, the best first: beside a region, beyond the end of a ruler, outside an angle."""
    points = [to_screen(*point) for point in mark.points[:4]]
    right, left, down, up = QPointF(1, 0), QPointF(-1, 0), QPointF(0, 1), QPointF(0, -1)
    if mark.is_region:
        every = 1 + shape.elementCount() // _LONG
        corners = [shape.elementAt(index) for index in range(0, shape.elementCount(), every)]
        points = [QPointF(corner.x, corner.y) for corner in corners]
        ways = [(max(points, key=QPointF.x), right), (min(points, key=QPointF.x), left)]
        ways += [(max(points, key=QPointF.y), down), (min(points, key=QPointF.y), up)]
    elif mark.kind == "angle" and len(points) == 3:
        inwards = unit(unit(points[0] - points[1]) + unit(points[2] - points[1]))
        ways = [(points[1], -inwards), (points[1], inwards)]
    else:
        along = unit(points[-1] - points[0])
        ways = [(points[-1], along), (points[0], -along)]
    ends = (points[-1], points[0])
    diagonals = [unit(one + other) for one in (right, left) for other in (down, up)]
    ways += [(point, way) for point in ends for way in (right, left, down, up, *diagonals)]
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
