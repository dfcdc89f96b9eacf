"""The drawings of all tiles as one: the tool in hand, its size, and what was drawn on which image."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from pathview.gui.viewer.drawing import Drawing
from pathview.gui.viewer.tools import ToolName

if TYPE_CHECKING:
    from pathview.gui.viewer.tile import Tile

_RADII = (2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 85, 113, 150, 200)
"""Of the brush, in logical screen pixels."""
_TOLERANCES = (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40)
"""Of the wand, in hundredths of the range of values."""


class Drawings(QObject):
    """Passes on what each drawing says, with the image it is about."""

    drawn = Signal(int, object)
    """Image id and a :class:`pathview.gui.viewer.drawing.Stroke`."""
    sketched = Signal(int, object, object)
    """Image id, name of the tool, and the unfinished mark; None: nothing any more."""
    moved = Signal(object)
    removed = Signal(object)
    refused = Signal(str)
    chosen_changed = Signal()
    tool_changed = Signal()
    """Another tool, or another size of it."""

    def __init__(self, parent: QObject) -> None:
        """No tool."""
        super().__init__(parent)
        self._all: list[Drawing] = []
        self.tool: ToolName | None = None
        self._radius, self._tolerance = 7, 6

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ids of the marks that are chosen, the last one chosen last."""
        return next((drawing.chosen for drawing in self._all if drawing.chosen), ())

    @property
    def radius(self) -> float:
        """Of brush and eraser, in logical screen pixels."""
        return float(_RADII[self._radius])

    @property
    def tolerance(self) -> float:
        """Of the wand: by how much of the range of values a pixel may differ, as a share."""
        return _TOLERANCES[self._tolerance] / 100

    @property
    def has_radius(self) -> bool:
        """Whether the tool in hand is round."""
        return self.tool in ("brush", "eraser")

    @property
    def size_words(self) -> str:
        """The size of the tool in hand; empty where it has none."""
        if self.has_radius:
            return f"{self.tool} {2 * self.radius:.0f} px wide"
        return f"wand ± {100 * self.tolerance:g} % of the range" if self.tool == "wand" else ""

    def adopt(self, tile: Tile) -> None:
        """Listen to another tile."""
        drawing = tile.canvas.drawing
        self._all.append(drawing)
        self._equip(drawing)
        drawing.drawn.connect(partial(self._on_drawn, tile))
        drawing.sketched.connect(partial(self._on_sketched, tile))
        drawing.moved.connect(self.moved)
        drawing.removed.connect(self.removed)
        drawing.refused.connect(self.refused)
        drawing.chosen_changed.connect(partial(self._on_chosen, drawing))
        drawing.resized.connect(self.resize)

    def use(self, tool: ToolName | None) -> None:
        """Draw with a tool, or look only."""
        self.tool = tool
        for drawing in self._all:
            self._equip(drawing)
        self.tool_changed.emit()

    def resize(self, by: int) -> None:
        """Make the tool in hand larger by steps, or more tolerant."""
        if self.tool == "wand":
            self._tolerance = min(max(0, self._tolerance + by), len(_TOLERANCES) - 1)
        elif self.has_radius:
            self._radius = min(max(0, self._radius + by), len(_RADII) - 1)
        for drawing in self._all:
            drawing.size(self.radius if self.has_radius else 0.0)
        self.tool_changed.emit()

    def _equip(self, drawing: Drawing) -> None:
        if drawing.tool != self.tool:
            drawing.use(self.tool)
        drawing.size(self.radius if self.has_radius else 0.0)

    def _on_drawn(self, tile: Tile, stroke: object) -> None:
        if tile.image_id is not None:
            self.drawn.emit(tile.image_id, stroke)

    def _on_sketched(self, tile: Tile, tool: object, mark: object) -> None:
        if tile.image_id is not None:
            self.sketched.emit(tile.image_id, tool, mark)

    def _on_chosen(self, drawing: Drawing) -> None:
        """Marks are chosen on one image at a time."""
        if drawing.chosen:
            for other in self._all:
                if other is not drawing and other.chosen:
                    other.choose(())
        self.chosen_changed.emit()
