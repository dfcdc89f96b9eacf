"""Annotations in the window: from what was drawn to a gesture that is kept, and what else is done to chosen marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog

from pathview.errors import AnnotationError
from pathview.gui import deeds
from pathview.gui.deeds import Hand, Pairs, stroke_on, takes_long
from pathview.gui.desk import Desk
from pathview.gui.dialogs.properties import PropertiesDialog
from pathview.gui.labelling import Labelling, labelled
from pathview.gui.late_gestures import Gesture
from pathview.gui.loader import size_of
from pathview.gui.sketches import Sketches
from pathview.gui.viewer.drawing import Stroke
from pathview.gui.viewer.measurer import as_stored
from pathview.gui.viewer.tools import ToolName
from pathview.gui.viewer.viewer import Viewer
from pathview.jobs import CancelToken
from pathview.results.annotation import Mark

if TYPE_CHECKING:
    from pathview.export.geojson_reading import ReadMarks
    from pathview.geometry import GridPlace
    from pathview.gui.viewer.canvas import Canvas

_REPLAY = "This is a replay; Esc goes back to the case."
_NO_FINDING = "Point out a finding first: W, or a click on it."
_REACH_PX = 7


class Annotating(QObject):
    """Between the light box, where tools are used, and the keeper of marks."""

    said = Signal(str)
    """A sentence for the banner."""

    def __init__(self, desk: Desk, viewer: Viewer, parent: QObject) -> None:
        """Connect them; :meth:`follow` is given the actions."""
        super().__init__(parent)
        self._desk, self._marks, self._room = desk, desk.marks, desk.room
        self._viewer, self._box = viewer, viewer.box
        self._actions: Mapping[str, QAction] = {}
        self.labels = Labelling(self._marks, self)
        self.sketches = Sketches(desk, viewer.box, self._take_tool, self)
        drawings = viewer.box.drawings
        drawings.drawn.connect(self._on_drawn)
        drawings.moved.connect(self._on_moved)
        drawings.removed.connect(self._on_removed)
        drawings.chosen_changed.connect(self._on_chosen)
        drawings.tool_changed.connect(self._show_tool)
        self._marks.said.connect(self.said)
        self._marks.history_changed.connect(self._show_history)
        self._marks.late.changed.connect(self._on_waiting)
        desk.reading.changed.connect(self._on_reading)
        self.labels.changed.connect(self._show_label)
        bar = viewer.labels
        bar.label_chosen.connect(self.label)
        bar.label_made.connect(self.labels.add)
        bar.label_recolored.connect(self.labels.recolor)
        bar.label_renamed.connect(self.labels.rename)
        bar.properties_asked.connect(self.ask_properties)

    def follow(self, actions: Mapping[str, QAction]) -> None:
        """Let undo and redo say what they would do."""
        self._actions = actions
        self._show_history()

    # what was drawn

    @Slot(int, object)
    def _on_drawn(self, image_id: int, stroke: Stroke) -> None:
        hand = self._hand(image_id, stroke)
        if stroke.tool == "wand":
            self._wand(image_id, stroke.mark, hand)
            return
        self._do(Gesture(image_id, stroke.tool, hand.chosen, stroke_on(stroke.tool, stroke.mark, hand), stroke))

    def _hand(self, image_id: int, stroke: Stroke) -> Hand:
        chosen = self._marks.found(self._box.drawings.chosen)
        own = tuple(mark for mark in chosen if self._marks.image_of(mark.id) == image_id)
        if stroke.tool == "eraser" and not any(mark.is_region for mark in own):
            under = self._under(image_id, stroke)
            own = (under,) if under is not None else ()
        return Hand(
            chosen=own,
            fresh=stroke.fresh,
            radius=stroke.radius * stroke.px,
            px=stroke.px,
            frame=self._marks.frame_of(image_id),
            label=self.labels.current,
        )

    def _under(self, image_id: int, stroke: Stroke) -> Mark | None:
        from pathview.results.annotation_shapes import hit

        drawn, place, reach = self._marks.of(image_id), stroke.mark.points[0], _REACH_PX * stroke.px
        index = self._marks.index_of(image_id, drawn)
        return index.at(place, reach) if index is not None else hit((one.mark for one in drawn), place, reach)

    def _do(self, gesture: Gesture) -> None:
        """Keep a gesture: at once, or where it takes long, or others wait, once it is its turn."""
        if self._desk.reading.replay is not None:
            self.said.emit(_REPLAY)
            return
        drawn = gesture.stroke.mark if gesture.stroke is not None else None
        if self._marks.late or takes_long(gesture.name, gesture.marks, drawn):
            self._marks.do_late(gesture, lambda pairs: self._choose(gesture, pairs))
            return
        try:
            pairs = gesture.deed(gesture.marks)
        except AnnotationError as error:
            self.said.emit(str(error))
            return
        if self._marks.do(gesture.image_id, gesture.name, pairs):
            self._choose(gesture, pairs)

    def _choose(self, gesture: Gesture, pairs: Pairs) -> None:
        if new := gesture.made(pairs):
            for tile in self._box.tiles_of(gesture.image_id):
                tile.canvas.drawing.choose(new)

    @Slot(object)
    def _on_moved(self, mark: Mark) -> None:
        before = self._marks.found([mark.id])
        self._change(before, "move", lambda now: deeds.move(now, before[0], mark))

    @Slot(object)
    def _on_removed(self, ids: Sequence[str]) -> None:
        self._change(self._marks.found(ids), "remove", lambda marks: tuple((mark, None) for mark in marks))

    @Slot(int)
    def _on_waiting(self, image_id: int) -> None:
        for tile in self._box.tiles_of(image_id):
            tile.canvas.drawing.show_waiting(self._marks.late.strokes(image_id))

    def close(self) -> None:
        """Work out what was drawn and have it kept, before the threads end."""
        self._marks.late.close()

    # what is done to chosen marks

    @property
    def chosen(self) -> tuple[Mark, ...]:
        """The marks that are chosen, the first one first."""
        return self._marks.found(self._box.drawings.chosen)

    def merge(self) -> None:
        """Make one outline of those that are chosen."""
        self._change(self.chosen, "merge", deeds.merge)

    def smooth(self) -> None:
        """Round the chosen outlines."""
        px, cancel = self._viewer.canvas.stored_a_px(), Event()
        self._change(self.chosen, "smooth", lambda marks: deeds.smooth(marks, px, cancel), cancel)

    def fill_between(self) -> None:
        """Make the outlines on the frames between the chosen one and the nearest one of its label on another frame."""
        chosen = [mark for mark in self.chosen if mark.is_region]
        image_id = self._marks.image_of(chosen[-1].id) if chosen else None
        if image_id is None:
            self.said.emit("Choose the outline on one of the two frames first; the other one has the same label.")
            return
        other = deeds.partner(chosen[-1], self._marks.all_of(image_id))
        if other is None:
            self.said.emit("There is no outline of this label on another frame of the image.")
            return
        self._do(Gesture(image_id, deeds.BETWEEN, (chosen[-1], other), deeds.fill_between))

    @Slot(str)
    def label(self, name: str) -> None:
        """Give the chosen marks and the next ones a label; empty: none."""
        self._change(self.chosen, "label", lambda marks: labelled(tuple(marks), name))
        self.labels.choose(name)

    @Slot()
    def ask_properties(self) -> None:
        """Write words of the reader's own beside the chosen mark."""
        if not self.chosen:
            self.said.emit("Choose the annotation first whose properties are to be written.")
            return
        mark = self.chosen[-1]
        dialog = PropertiesDialog(mark.properties, self._viewer)
        if dialog.exec():
            words = dialog.properties
            self._change((mark,), "properties", lambda now: tuple((one, replace(one, properties=words)) for one in now))

    def stop(self) -> bool:
        """Stop what takes long and can be asked for again; whether there was any."""
        stopped = self._marks.late.cancel()
        if stopped:
            self.said.emit("Smoothing was stopped; the annotation is as it was.")
        return stopped

    def _change(
        self, marks: Sequence[Mark], name: str, deed: Callable[[Sequence[Mark]], Pairs], cancel: Event | None = None
    ) -> None:
        image_id = self._marks.image_of(marks[0].id) if marks else None
        if image_id is not None:
            self._do(Gesture(image_id, name, tuple(marks), deed, cancel=cancel))
        else:
            self._refuse(deed)

    def _refuse(self, deed: Callable[[Sequence[Mark]], Pairs]) -> None:
        """Say what a gesture needs that has nothing to be done to."""
        try:
            deed(())
        except AnnotationError as error:
            self.said.emit(str(error))

    # from pixels and from the model

    def _wand(self, image_id: int, seed: Mark, hand: Hand) -> None:
        tile = next(iter(self._box.tiles_of(image_id)), None)
        if tile is None or tile.canvas.data is None:
            return
        pixels, place, span = _pixels(tile.canvas)
        tolerance = span * self._box.drawings.tolerance

        def work(_: object, cancel: CancelToken) -> Mark:
            from pathview.results.annotation_pixels import wand

            return wand(pixels, place, seed.points[0], tolerance, frame=hand.frame)

        self._compute(image_id, "wand", hand, work)

    def take_finding(self) -> None:
        """Copy the finding that is pointed out as a region of the reader's own; the model's stays as it is."""
        state = self._room.state
        image = state.image_of(state.finding[0]) if state.finding is not None else None
        finding = state.finding_on(image.id) if image is not None else None
        probability = state.view_of(image.id).probability if image is not None else None
        if image is None or image.result is None or finding is None or probability is None:
            self.said.emit(self._desk.reading.hidden or _NO_FINDING)
            return
        result, threshold, size = image.result, state.threshold_of(image.result), size_of(image)
        frame = int(result.provenance.get("settings", {}).get("frame", 0))

        def work(_: object, cancel: CancelToken) -> Mark:
            from pathview.results.annotation_pixels import component_of

            return component_of(probability, threshold, size, finding, result.recipe, result.id, frame, cancel)

        hand = Hand(frame=frame, label=self.labels.current)
        self._compute(image.id, "copy of a finding", hand, work)

    def _compute(self, image_id: int, name: str, hand: Hand, work: Callable[[Any, CancelToken], Mark]) -> None:
        """Have a new region made in another thread; where another case hangs by then, it is let go."""
        case_id = self._desk.case_id

        def done(mark: Mark) -> None:
            if self._desk.case_id == case_id and self._room.state.image_of(image_id) is not None:
                self._do(Gesture(image_id, name, (), lambda _: ((None, hand.new(mark)),)))

        self._marks.compute(work, done)

    # from a file

    def ask_import(self) -> None:
        """Ask for a GeoJSON file, and put its annotations on the image that is shown."""
        if self._room.state.image is None:
            self.said.emit("Open an image first, to put annotations on it.")
            return
        name, _ = QFileDialog.getOpenFileName(self._viewer, "Import annotations", "", "GeoJSON (*.geojson *.json)")
        if name:
            self.take_file(Path(name))

    def take_file(self, path: Path) -> None:
        """Put the annotations of a file on the image that is shown, as one gesture; its new labels are made first."""
        image, case_id = self._room.state.image, self._desk.case_id
        if image is None:
            return
        labels = self.labels.labels

        def work(_: object, cancel: CancelToken) -> ReadMarks:
            from pathview.export.geojson_reading import read_geojson

            return read_geojson(path, image, labels)

        def put(found: ReadMarks) -> None:
            if self._desk.case_id != case_id:
                return
            fresh = found.beside(self._marks.all_of(image.id))
            self._do(Gesture(image.id, "import", (), lambda _: tuple((None, mark) for mark in fresh.marks)))
            there = len(found.marks) - len(fresh.marks)
            self.said.emit(
                f"{len(fresh.marks):,} annotations taken from {path.name}, {there:,} were there already, "
                f"{len(found.left_out):,} left out."
            )

        self._marks.compute(work, lambda found: self.labels.need(found.labels, lambda: put(found)))

    # what is shown

    @Slot()
    def _on_reading(self) -> None:
        if not self.labels.labels and self._desk.reading.now is not None:
            self.labels.load()

    @Slot()
    def _on_chosen(self) -> None:
        self._marks.measure_chosen(self._box.drawings.chosen)
        self._show_label()

    @Slot()
    def _show_label(self) -> None:
        chosen = self.chosen
        name = chosen[-1].label if chosen else self.labels.current
        self._viewer.labels.show_labels(self.labels.labels, name, bool(chosen))

    @Slot()
    def _show_tool(self) -> None:
        self._viewer.labels.show_size(self._box.drawings.size_words)

    @Slot()
    def _show_history(self) -> None:
        history = self._marks.history
        for action, verb, name in (("undo", "Undo", history.undo_name), ("redo", "Redo", history.redo_name)):
            if action in self._actions:
                self._actions[action].setText(f"&{verb} {name}" if name is not None else f"&{verb}")
                self._actions[action].setEnabled(name is not None)

    def _take_tool(self, tool: ToolName) -> None:
        if f"tool_{tool}" in self._actions:
            self._actions[f"tool_{tool}"].setChecked(True)


def _pixels(canvas: Canvas) -> tuple[Any, GridPlace, float]:
    """What the wand looks at: codes or RGB as stored, where they lie, and how far their values reach.

    Of a slide that is what the screen shows; of a picture that is held whole all of it, no finer than the screen:
    the noise of single pixels that nobody sees would tear the outline.
    """
    from pathview.geometry import GridPlace

    data = canvas.data
    assert data is not None
    info = data.info
    if canvas.tiled is None:
        most = max(1.0, 1 / canvas.current_view().scale)
        level = next((one for one in reversed(data.levels) if one.downsample <= most), data.levels[0])
        pixels = as_stored(level.pixels, info.turn)
        place = GridPlace(0, 0, info.size.width / pixels.shape[1], info.size.height / pixels.shape[0])
        span = data.scale.data_range or (data.scale.low, data.scale.high) if data.scale is not None else (0, 255)
        return pixels, place, float(span[1] - span[0])
    view = canvas.current_view()
    shown = canvas.tiled.cut(view, data.levels[-1])
    place = GridPlace(view.x, view.y, 1 / view.scale, 1 / view.scale)
    stored = info.turn.inverse().place(place, (shown.shape[0], shown.shape[1]), info.shown_size)
    return as_stored(shown, info.turn), stored, 255.0
