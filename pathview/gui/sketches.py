"""Shapes that are being drawn: in the draft of the case, so that they survive whatever happens to the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast, get_args

from PySide6.QtCore import QObject, QTimer, Slot

from pathview.errors import AnnotationError
from pathview.gui.desk import Desk
from pathview.gui.viewer.light_box import LightBox
from pathview.gui.viewer.tools import ToolName
from pathview.results.annotation import Mark

_NAME = "shapes"
"""Under this name a draft keeps them."""
_TELL_MS = 250
"""At most so often the draft is told of a shape that grows under a drag."""
_CLICKED: tuple[ToolName, ...] = ("ruler", "angle", "polygon")
"""What grows by clicks: each corner goes to the store at once, in the store's thread."""


class Sketches(QObject):
    """Between the light box, where shapes are drawn, and the reading desk, which keeps drafts."""

    def __init__(self, desk: Desk, box: LightBox, take_tool: Callable[[ToolName], None], parent: QObject) -> None:
        """``take_tool`` gives the reader a tool."""
        super().__init__(parent)
        self._desk, self._box, self._take_tool = desk, box, take_tool
        self._case_id: int | None = None
        self._held: dict[int, tuple[ToolName, Mark]] = {}
        """By image id."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TELL_MS)
        self._timer.timeout.connect(self._tell)
        box.drawings.sketched.connect(self._on_sketched)
        desk.reading.changed.connect(self._on_reading)
        desk.reading.leaving.connect(self._tell)
        desk.room.picture_changed.connect(self._give_back)
        desk.room.frame_changed.connect(self._give_back)

    @Slot(int, object, object)
    def _on_sketched(self, image_id: int, tool: ToolName, mark: Mark | None) -> None:
        if mark is None:
            self._held.pop(image_id, None)
        else:
            self._held[image_id] = (tool, replace(mark, frame=self._desk.marks.frame_of(image_id)))
        if tool in _CLICKED:
            self._tell()
            self._desk.reading.flush()
        elif not self._timer.isActive():
            self._timer.start()

    @Slot()
    def _tell(self) -> None:
        self._timer.stop()
        if self._desk.reading.case_id == self._case_id:
            found = [
                {"image": image_id, "tool": tool, "mark": mark.as_json()}
                for image_id, (tool, mark) in self._held.items()
            ]
            self._desk.reading.keep_in_draft(_NAME, found or None)

    @Slot()
    def _on_reading(self) -> None:
        """Another case: what was begun on it comes back, with its tool."""
        reading = self._desk.reading
        if reading.case_id == self._case_id:
            return
        self._timer.stop()
        self._case_id = reading.case_id
        kept = reading.draft.get(_NAME)
        self._held = dict(found for one in (kept if isinstance(kept, list) else []) if (found := _read(one)))
        if self._held:
            self._take_tool(next(iter(self._held.values()))[0])
        for image_id in tuple(self._held):
            self._give_back(image_id)

    @Slot(int)
    def _give_back(self, image_id: int) -> None:
        """Let a shape go on where its image hangs, with the tool that began it."""
        tool, mark = self._held.get(image_id, (None, None))
        if mark is None or mark.frame != self._desk.marks.frame_of(image_id):
            return
        for tile in self._box.tiles_of(image_id):
            if tile.canvas.data is not None and tile.canvas.drawing.tool == tool:
                tile.canvas.drawing.resume(mark)


def _read(kept: Any) -> tuple[int, tuple[ToolName, Mark]] | None:
    """What a draft says of one shape; None where it is none that can be gone on with."""
    if not isinstance(kept, Mapping) or kept.get("tool") not in get_args(ToolName):
        return None
    try:
        return int(kept["image"]), (cast("ToolName", kept["tool"]), Mark.from_json(kept["mark"]))
    except (AnnotationError, KeyError, TypeError, ValueError):
        return None
