"""Drawing and changing marks on one canvas: between its mouse and the tools, which know no canvas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPainter

from pathview.gui.viewer.marks import Drawn, paint_marks
from pathview.gui.viewer.tools import TOOLS, Editor, Tool
from pathview.results.measurement import Mark, MarkKind, measure_mark, refusal

if TYPE_CHECKING:
    from pathview.gui.viewer.canvas import Canvas

_REACH_PX = 7
"""Logical screen pixels within which a place counts as hit."""


class Drawing(QObject):
    """A tool while one is chosen, else the marks that are there. Marks are in stored pixels."""

    drawn = Signal(object)
    """A finished :class:`Mark`."""
    moved = Signal(object)
    """The :class:`Mark` as it is now."""
    removed = Signal(str)
    """Id of a mark."""
    refused = Signal(str)
    """Why the tool measures nothing here."""

    def __init__(self, canvas: Canvas) -> None:
        """No tool, no marks."""
        super().__init__(canvas)
        self._canvas = canvas
        self._kind: MarkKind | None = None
        self._tool: Tool | None = None
        self._editor = Editor()
        self._marks: tuple[Drawn, ...] = ()

    def clear(self) -> None:
        """Another image: nothing drawn so far."""
        self.show_marks(())
        self.use(self._kind)

    def use(self, kind: MarkKind | None) -> None:
        """Take a tool, or none."""
        self._kind = kind
        self._tool = TOOLS[kind]() if kind is not None else None
        self._canvas.setCursor(Qt.CursorShape.CrossCursor if kind is not None else Qt.CursorShape.ArrowCursor)
        self._canvas.redraw()

    def show_marks(self, marks: Sequence[Drawn]) -> None:
        """The marks of the frame that is shown."""
        self._marks = tuple(marks)
        self._editor.set_marks([drawn.mark for drawn in marks])
        self._canvas.redraw()

    @property
    def selected(self) -> str | None:
        """Id of the mark that shows its handles."""
        return self._editor.selected

    def press(self, at: QPointF) -> bool:
        """Whether the press was a tool's or a mark's."""
        x, y, reach = self._stored(at)
        if self._tool is None or self._kind is None:
            taken = self._editor.press(x, y, reach)
            self._canvas.redraw()
            return taken
        info = self._canvas.data.info if self._canvas.data is not None else None
        reason = refusal(self._kind, info.spacing, info.path.name) if info is not None else None
        if reason is not None:
            self.refused.emit(reason)
            return True
        self._finish(self._tool.press(x, y, reach))
        return True

    def move(self, at: QPointF) -> bool:
        """Whether a shape or a mark follows the mouse."""
        x, y, reach = self._stored(at)
        if self._tool is not None:
            self._tool.move(x, y, reach)
            if self._tool.preview is not None:
                self._canvas.redraw()
                return True
            return False
        moving = self._editor.move(x, y, reach)
        if moving:
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
        if changed is not None:
            self.moved.emit(changed)
        return held

    def double_click(self, at: QPointF) -> bool:
        """Whether it closed a shape."""
        if self._tool is None:
            return False
        self._finish(self._tool.double_click(*self._stored(at)))
        return True

    def key(self, key: int) -> bool:
        """Enter closes, Backspace takes a point back, Escape drops, Delete removes; whether it was one of these."""
        done = True
        if self._tool is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._finish(self._tool.enter())
        elif self._tool is not None and key == Qt.Key.Key_Backspace:
            done = self._tool.backspace()
        elif key == Qt.Key.Key_Escape:
            done = self._tool.escape() if self._tool is not None else self._editor.escape()
        else:
            done = False
        if done:
            self._canvas.redraw()
        return done

    def delete(self) -> bool:
        """Remove the selected mark; whether there was one."""
        removed = self._editor.delete()
        if removed is not None:
            self.removed.emit(removed)
        return removed is not None

    def paint(self, painter: QPainter) -> None:
        """Draw marks and what is being drawn."""
        mark = self._tool.preview if self._tool is not None else self._editor.preview
        preview = Drawn(mark, self._lines(mark)) if mark is not None else None
        if self._marks or preview is not None:
            area = QRectF(self._canvas.viewport().rect())
            paint_marks(painter, self._marks, self._canvas.to_screen, self._editor.selected, preview, area)

    def _lines(self, mark: Mark) -> tuple[str, ...]:
        data = self._canvas.data
        return measure_mark(mark, data.info.spacing, data.info.spacing_source).lines if data is not None else ()

    def _finish(self, mark: Mark | None) -> None:
        if mark is not None:
            self.drawn.emit(mark)
        self._canvas.redraw()

    def _stored(self, at: QPointF) -> tuple[float, float, float]:
        x, y = self._canvas.stored_at(at)
        return x, y, _REACH_PX * self._canvas.stored_a_px()
