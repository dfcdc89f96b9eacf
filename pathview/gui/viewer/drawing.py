"""Drawing and changing marks on one canvas: between its mouse and the tools, which know no canvas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPainter

from pathview.gui.viewer.brush import paint_brush
from pathview.gui.viewer.editor import Editor
from pathview.gui.viewer.marks import NO_COLORS, Colors, Drawn, paint_marks
from pathview.gui.viewer.outline_tiles import Box, Outlined, OutlineTiles
from pathview.gui.viewer.tools import TOOLS, Tool, ToolName
from pathview.results.annotation import Mark
from pathview.results.measurement import measure_mark, refusal

if TYPE_CHECKING:
    from pathview.gui.viewer.canvas import Canvas
    from pathview.results.annotation_index import MarkIndex

_REACH_PX = 7
"""Logical screen pixels within which a place counts as hit."""


class Stroke(NamedTuple):
    """What was drawn with a tool, not a mark yet."""

    tool: ToolName
    mark: Mark
    fresh: bool
    """Whether Shift was held: a region of its own is meant."""
    px: float
    """Stored pixels a logical screen pixel."""
    radius: float = 0.0
    """Of brush and eraser, in logical screen pixels."""


class Drawing(QObject):
    """A tool while one is chosen, else the marks that are there. Marks are in stored pixels."""

    drawn = Signal(object)
    """A finished :class:`Stroke`."""
    sketched = Signal(object, object)
    """Name of the tool, and the :class:`Mark` as far as it is drawn; None: nothing any more."""
    moved = Signal(object)
    """The :class:`Mark` as it is now."""
    removed = Signal(object)
    """Ids of marks."""
    refused = Signal(str)
    """Why the tool measures nothing here."""
    chosen_changed = Signal()
    resized = Signal(int)
    """Steps by which the tool is to be larger."""

    def __init__(self, canvas: Canvas) -> None:
        """No tool, no marks."""
        super().__init__(canvas)
        self._canvas = canvas
        self._name: ToolName | None = None
        self._tool: Tool | None = None
        self._fresh = False
        self._sketch: Mark | None = None
        self._editor = Editor()
        self._marks: tuple[Drawn, ...] = ()
        self._index: MarkIndex | None = None
        self._colors = NO_COLORS
        self._tiles = OutlineTiles()
        self._hidden: Mark | None = None
        """The mark that is dragged, which is in no tile meanwhile."""
        self._pointer: QPointF | None = None
        self._waiting: tuple[Stroke, ...] = ()
        self.radius = 0.0
        """Of brush and eraser, in logical screen pixels; 0 of other tools."""

    def clear(self) -> None:
        """Another image: nothing drawn so far."""
        self._tiles.clear()
        self.show_marks(())
        self._sketch = None
        self.use(self._name)

    # tools

    @property
    def tool(self) -> ToolName | None:
        """The one that is in hand."""
        return self._name

    def use(self, name: ToolName | None) -> None:
        """Take a tool, or none."""
        self._tool = TOOLS[name]() if name is not None else None
        self._tell_sketch()
        self._name = name
        self._canvas.setCursor(Qt.CursorShape.CrossCursor if name is not None else Qt.CursorShape.ArrowCursor)
        self._canvas.redraw()

    def resume(self, mark: Mark) -> None:
        """Go on with what was begun before with the tool in hand."""
        if self._tool is not None and self._tool.begun is None:
            self._tool.resume(mark)
            self._sketch = mark
            self._canvas.redraw()

    def _tell_sketch(self) -> None:
        begun = self._tool.begun if self._tool is not None else None
        if begun != self._sketch:
            self._sketch = begun
            self.sketched.emit(self._name, begun)

    # marks

    def show_marks(self, marks: Sequence[Drawn], index: MarkIndex | None = None, colors: Colors = NO_COLORS) -> None:
        """The marks of the frame that is shown.

        Args:
            marks: all of them.
            index: of the same, where they are too many to be painted one by one.
            colors: by label.
        """
        if index is not None:
            self._forget_changed(marks, index, colors)
        chosen = self._editor.chosen
        self._marks, self._index, self._colors = tuple(marks), index, colors
        self._editor.set_marks([drawn.mark for drawn in marks], index)
        self._canvas.redraw()
        if self._editor.chosen != chosen:
            self.chosen_changed.emit()

    def _forget_changed(self, marks: Sequence[Drawn], index: MarkIndex, colors: Colors) -> None:
        """Have the tiles painted anew where marks differ."""
        if index is not self._index or colors != self._colors or self._canvas.data is None:
            self._tiles.clear()
            return
        before = {drawn.mark.id: drawn.mark for drawn in self._marks}
        other = [drawn.mark for drawn in marks if before.pop(drawn.mark.id, None) is not drawn.mark]
        old = {drawn.mark.id: drawn.mark for drawn in self._marks}
        self._forget([*before.values(), *other, *(old[mark.id] for mark in other if mark.id in old)])

    def _forget(self, marks: Sequence[Mark]) -> None:
        info = self._canvas.data.info if self._canvas.data is not None else None
        if info is not None:
            self._tiles.forget([_box(mark) for mark in marks], info.turn, info.size)

    def show_waiting(self, strokes: Sequence[Stroke]) -> None:
        """What was drawn and is being worked out: it stays as it was drawn."""
        self._waiting = tuple(strokes)
        self._canvas.redraw()

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ids of the marks that are chosen, the last one chosen last."""
        return self._editor.chosen

    @property
    def selected(self) -> str | None:
        """The last one chosen."""
        return self._editor.selected

    def choose(self, ids: Sequence[str]) -> None:
        """Choose marks, and no others."""
        self._editor.choose(ids)
        self._canvas.redraw()
        self.chosen_changed.emit()

    # mouse and keys

    def press(self, at: QPointF, shift: bool = False) -> bool:
        """Whether the press was a tool's or a mark's."""
        x, y, reach = self._stored(at)
        if self._tool is None or self._name is None:
            before = self._editor.chosen
            taken = self._editor.press(x, y, reach, shift)
            self._canvas.redraw()
            if self._editor.chosen != before:
                self.chosen_changed.emit()
            return taken
        info = self._canvas.data.info if self._canvas.data is not None else None
        measured = self._name == "ruler" and info is not None
        reason = refusal("ruler", info.spacing, info.path.name) if measured and info is not None else None
        if reason is not None:
            self.refused.emit(reason)
            return True
        self._fresh = shift
        self._finish(self._tool.press(x, y, reach))
        return True

    def move(self, at: QPointF) -> bool:
        """Whether a shape or a mark follows the mouse."""
        x, y, reach = self._stored(at)
        self._pointer = at
        if self._tool is not None:
            self._tool.move(x, y, reach)
            busy = self._tool.preview is not None
            if busy or self.radius:
                self._tell_sketch()
                self._canvas.redraw()
            return busy
        moving = self._editor.move(x, y, reach)
        if moving:
            self._hide_dragged()
            self._canvas.redraw()
        return moving

    def release(self, at: QPointF) -> bool:
        """Whether the release was a tool's or a mark's."""
        x, y, reach = self._stored(at)
        if self._tool is not None:
            busy = self._tool.preview is not None
            self._finish(self._tool.release(x, y, reach))
            return busy
        held = self._editor.selected is not None
        changed = self._editor.release(x, y, reach)
        self._hide_dragged()
        if changed is not None:
            self.moved.emit(changed)
        return held

    def leave(self) -> None:
        """The mouse is elsewhere."""
        self._pointer = None

    def double_click(self, at: QPointF) -> bool:
        """Whether it closed a shape."""
        if self._tool is None:
            return False
        self._finish(self._tool.double_click(*self._stored(at)))
        return True

    def size(self, radius: float) -> None:
        """Make the tool so large: logical screen pixels; 0: it has no size on the screen."""
        self.radius = radius
        self._canvas.redraw()

    def wheel(self, steps: float) -> bool:
        """Make the tool larger; whether it has a size."""
        if self.radius and steps:
            self.resized.emit(1 if steps > 0 else -1)
        return bool(self.radius)

    def key(self, key: int) -> bool:
        """Enter closes, Backspace takes a point back, Escape drops; whether it was one of these."""
        done = True
        if self._tool is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._finish(self._tool.enter())
        elif self._tool is not None and key == Qt.Key.Key_Backspace:
            done = self._tool.backspace()
        elif key == Qt.Key.Key_Escape:
            done = self._tool.escape() if self._tool is not None else self._editor.escape()
            self._hide_dragged()
            self.chosen_changed.emit()
        else:
            done = False
        if done:
            self._tell_sketch()
            self._canvas.redraw()
        return done

    def delete(self) -> bool:
        """Remove the chosen marks; whether there were any."""
        removed = self._editor.delete()
        if removed:
            self.removed.emit(removed)
            self.chosen_changed.emit()
        return bool(removed)

    def _finish(self, mark: Mark | None) -> None:
        if mark is not None and self._name is not None:
            self.drawn.emit(Stroke(self._name, mark, self._fresh, self._canvas.stored_a_px(), self.radius))
        self._tell_sketch()
        self._canvas.redraw()

    def _stored(self, at: QPointF) -> tuple[float, float, float]:
        x, y = self._canvas.stored_at(at)
        return x, y, _REACH_PX * self._canvas.stored_a_px()

    # painting

    def paint(self, painter: QPainter) -> None:
        """Draw marks and what is being drawn."""
        canvas = self._canvas
        area = QRectF(canvas.viewport().rect())
        mark = self._tool.preview if self._tool is not None else self._editor.preview
        marks = self._marks
        if self._index is not None:
            self._paint_many(painter, self._index)
            marks = tuple(drawn for drawn in marks if drawn.mark.id in self._editor.chosen)
        self._paint_waiting(painter, area)
        if self.radius and self._tool is not None:
            paint_brush(painter, mark, self._pointer, self.radius, canvas.to_screen)
            mark = None
        preview = Drawn(mark, self._lines(mark)) if mark is not None else None
        if marks or preview is not None:
            paint_marks(painter, marks, canvas.to_screen, self._editor.chosen, preview, area, self._colors)

    def _paint_waiting(self, painter: QPainter, area: QRectF) -> None:
        for stroke in self._waiting:
            if stroke.radius:
                radius = stroke.radius * stroke.px / self._canvas.stored_a_px()
                paint_brush(painter, stroke.mark, None, radius, self._canvas.to_screen)
            else:
                paint_marks(painter, [Drawn(stroke.mark, ())], self._canvas.to_screen, bounds=area)

    def _paint_many(self, painter: QPainter, index: MarkIndex) -> None:
        canvas, hidden = self._canvas, self._hidden
        if canvas.data is None:
            return
        without = (hidden.id,) if hidden is not None else ()
        what = Outlined(index, canvas.data.info.turn, canvas.data.info.size, self._colors, without)
        if not self._tiles.paint(painter, canvas.current_view(), canvas.devicePixelRatioF(), what):
            canvas.viewport().update()

    def _hide_dragged(self) -> None:
        """Of very many marks, the tiles are painted without the one that is dragged."""
        preview = self._editor.preview
        mark = next((one.mark for one in self._marks if preview is not None and one.mark.id == preview.id), None)
        if self._index is not None and mark is not self._hidden:
            self._forget([one for one in (mark, self._hidden) if one is not None])
            self._hidden = mark

    def _lines(self, mark: Mark) -> tuple[str, ...]:
        data = self._canvas.data
        return measure_mark(mark, data.info.spacing, data.info.spacing_source).lines if data is not None else ()


def _box(mark: Mark) -> Box:
    xs, ys = zip(*mark.corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
