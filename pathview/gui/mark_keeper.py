"""The reader's marks on the images of a case: kept first, then shown, then measured; and undone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from pathview.errors import AnnotationError
from pathview.gui.deeds import Pairs
from pathview.gui.job_runner import JobRunner
from pathview.gui.late_gestures import Gesture, LateGestures
from pathview.gui.mark_indexes import MANY, MarkIndexes
from pathview.gui.reading_room import ReadingRoom
from pathview.gui.session_handle import SessionHandle
from pathview.gui.viewer.marks import NO_COLORS, Colors, Drawn
from pathview.gui.viewer.measurer import Measurer
from pathview.images.pyramid import PictureData
from pathview.jobs import CancelToken
from pathview.results.annotation import Mark
from pathview.results.annotation_history import Change, History, Step

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.results.annotation_index import MarkIndex
    from pathview.review.cases.marks import StoredMark
    from pathview.session import Session

_SAVING = ("saving ...",)
_REMOVING = ("removing ...",)
_GONE = "These annotations have changed since, or do not hang any more; nothing was done."


class MarkKeeper(QObject):
    """Marks by image; each gesture goes to the store, and is shown as kept once it is there."""

    changed = Signal(int)
    """Image id: other marks, or other words beside them."""
    history_changed = Signal()
    """There is something else to undo or to redo."""
    said = Signal(str)
    failed = Signal(object)

    def __init__(
        self,
        handle: SessionHandle,
        store: JobRunner,
        measuring: JobRunner,
        room: ReadingRoom,
        parent: QObject | None = None,
    ) -> None:
        """``store`` writes, ``measuring`` counts pixels."""
        super().__init__(parent)
        self._handle = handle
        self._store, self._measuring = store, measuring
        self._room = room
        self.colors: Colors = NO_COLORS
        self._measurer = Measurer(measuring, self)
        self._measurer.measured.connect(self._on_measured)
        self._indexes = MarkIndexes(measuring, self)
        self._indexes.ready.connect(self.changed)
        self._case_id: int | None = None
        self._marks: dict[str, tuple[int, Mark]] = {}
        """As they will be once all that was done is kept."""
        self._leaving: dict[str, tuple[int, Mark]] = {}
        """Marks whose removal is not kept yet."""
        self._others: dict[str, str] = {}
        """Who drew marks that another reader drew."""
        self._lines: dict[str, tuple[str, ...]] = {}
        self._chosen: Collection[str] = ()
        self.history = History()
        self.late = LateGestures(self)
        self.late.changed.connect(self.changed)
        self.late.emptied.connect(self._go_on)
        self._opened = object()
        """Another one each time that marks are read."""
        self._saving = 0
        self._waiting: deque[Callable[[], None]] = deque()
        """Undo and redo wait until all before them is kept."""
        room.picture_changed.connect(self._measure_image)
        room.frame_changed.connect(self._measure_image)

    # what there is

    def of(self, image_id: int) -> tuple[Drawn, ...]:
        """The marks of the frame of an image that is shown, oldest first."""
        frame, found = self.frame_of(image_id), {**self._marks, **self._leaving}
        lines = {**self._lines, **self.late.words}
        return tuple(
            Drawn(mark, lines.get(mark.id, ()))
            for owner, mark in found.values()
            if owner == image_id and mark.frame == frame
        )

    def index_of(self, image_id: int, drawn: Sequence[Drawn]) -> MarkIndex | None:
        """An index of what :meth:`of` gave; None where it is little."""
        return self._indexes.of(image_id, {one.mark.id: one.mark for one in drawn})

    def frame_of(self, image_id: int) -> int:
        """The frame of an image that is shown."""
        picture = self._room.state.view_of(image_id).picture
        return picture.frame if picture is not None else 0

    def found(self, ids: Iterable[str]) -> tuple[Mark, ...]:
        """Marks by id, in this order; those that are not there are left out."""
        return tuple(self._marks[one][1] for one in ids if one in self._marks)

    def all_of(self, image_id: int) -> tuple[Mark, ...]:
        """The marks of all frames of an image."""
        return tuple(mark for owner, mark in self._marks.values() if owner == image_id)

    def image_of(self, mark_id: str) -> int | None:
        """Id of the image that a mark is on."""
        return self._marks[mark_id][0] if mark_id in self._marks else None

    def open(self, case_id: int) -> None:
        """Take the marks of another case, and of the prior that hangs beside it."""
        if case_id != self._case_id:
            self.history.clear()
            self._waiting.clear()
            self.history_changed.emit()
        self._case_id = case_id
        before = self._put_away()
        opened, prior = self._opened, self._room.state.prior

        def work(*_: Any) -> tuple[Mapping[int, tuple[StoredMark, ...]], str]:
            protocol = self._handle.get().protocol
            beside = protocol.marks(prior.case.id) if prior is not None else {}
            return {**protocol.marks(case_id), **beside}, protocol.reader

        def done(read: tuple[Mapping[int, tuple[StoredMark, ...]], str]) -> None:
            if self._opened is opened:
                self._take_all(*read, before)

        self._store.submit(work, done, self.failed.emit)

    def show_as_of(self, found: Mapping[int, tuple[StoredMark, ...]], reader: str) -> None:
        """Show the marks of the case as they were, until it is opened again; ``reader``: whose screen it was."""
        self._take_all(found, reader, self._put_away())

    def _put_away(self) -> set[int]:
        """Have no marks; the images that had some."""
        self._opened = object()
        self._measurer.forget_all()
        self._indexes.clear()
        before = {image_id for image_id, _ in self._marks.values()}
        self._marks, self._leaving, self._lines, self._others = {}, {}, {}, {}
        return before

    def _take_all(self, found: Mapping[int, tuple[StoredMark, ...]], reader: str, before: set[int]) -> None:
        for image_id, stored in found.items():
            self._marks |= {one.mark.id: (image_id, one.mark) for one in stored}
            self._others |= {one.mark.id: one.reader for one in stored if one.reader != reader}
        for image_id in before | set(found):  # also where there is none any more
            self._measure_image(image_id)

    # gestures

    def do(self, image_id: int, name: str, pairs: Pairs) -> bool:
        """Keep a gesture: marks before and after, a step that can be undone; whether it is on its way.

        Args:
            image_id: of the image that they are on.
            name: what was done, as menus say it.
            pairs: what they were and are.
        """
        changes = _changes(image_id, pairs)
        if self._is_anothers(image_id, [one.mark_id for one in changes]):
            return False
        if not changes or not self._stands(changes):
            return False
        self._save(Step(name, changes), partial(self._remember, name, changes), None)
        return True

    def do_late(self, gesture: Gesture, kept: Callable[[Pairs], None]) -> None:
        """Work a gesture out in a thread after those that wait, then keep it, also where another case hangs by then.

        Args:
            gesture: of an image that hangs now.
            kept: is called where its case still hangs, once the gesture is on its way to the store.
        """
        ids = [mark.id for mark in gesture.marks]
        if self._is_anothers(gesture.image_id, ids):
            return
        case_id, opened = self._case_id, self._opened

        def done(pairs: Pairs) -> None:
            changes = _changes(gesture.image_id, pairs)
            if self._opened is not opened:
                self._keep_unseen(case_id, Step(gesture.name, changes))
            elif not self._stands(changes):
                self.said.emit(_GONE)
            elif self.do(gesture.image_id, gesture.name, pairs):
                kept(pairs)

        def failed(error: Exception) -> None:
            if isinstance(error, AnnotationError):
                self.said.emit(str(error))
            else:
                self.failed.emit(error)

        self.late.add(gesture, done, failed)

    def _is_anothers(self, image_id: int, ids: Iterable[str]) -> bool:
        """Whether another reader drew any of these, which is said."""
        other = next((self._others[one] for one in ids if one in self._others), None)
        if other is not None:
            self.said.emit(f"{other} drew this; it can be looked at, not changed.")
            self.changed.emit(image_id)
        return other is not None

    def _keep_unseen(self, case_id: int | None, step: Step) -> None:
        """Keep a gesture on marks that were read anew, or put away, while it was worked out."""

        def work(*_: Any) -> None:
            session = self._handle.get()
            session.cases.marks.apply(step, session.reader)

        def done(_: object) -> None:
            if self._case_id == case_id and case_id is not None:
                self._remember(step.name, step.changes)
                self.open(case_id)

        if step.changes:
            self._saving += 1
            self._store.submit(work, done, self.failed.emit, ended=self._saved)

    def _remember(self, name: str, changes: Sequence[Change]) -> None:
        told = self.history.do(name, changes)
        if told is not None:
            self.said.emit(told)

    def undo(self) -> None:
        """Take the last gesture back, once all before it is kept."""
        self._travel(self.history.undo, self.history.redo)

    def redo(self) -> None:
        """Do again what was undone last."""
        self._travel(self.history.redo, self.history.undo)

    def _travel(self, go: Callable[[], Step | None], back: Callable[[], object]) -> None:
        if self._saving or self.late:
            self._waiting.append(partial(self._travel, go, back))
            return
        step = go()
        if step is None:
            return
        if not self._stands(step.changes):
            back()
            self.said.emit(_GONE)
            return
        self._save(step, None, back)

    def _stands(self, changes: Sequence[Change]) -> bool:
        """Whether marks are as a step found them."""
        return all(self._marks.get(one.mark_id, (0, None))[1] == one.before for one in changes)

    def _save(self, step: Step, kept: Callable[[], None] | None, refused: Callable[[], object] | None) -> None:
        """Show a step as being saved; what it measures stands there once it is. What fails is shown as it was."""
        for change in step.changes:
            if change.after is not None:
                self._marks[change.mark_id] = (change.image_id, change.after)
            elif change.mark_id in self._marks:
                self._leaving[change.mark_id] = self._marks.pop(change.mark_id)
            self._lines[change.mark_id] = _SAVING if change.after is not None else _REMOVING
        self._tell(step)
        case_id = self._case_id
        self._saving += 1

        def work(*_: Any) -> None:
            session = self._handle.get()
            session.cases.marks.apply(step, session.reader)

        def done(_: object) -> None:
            if self._case_id == case_id:
                if kept is not None:
                    kept()
                self._take(step)

        def failed(error: Exception) -> None:
            self.failed.emit(error)
            if self._case_id == case_id and case_id is not None:
                if refused is not None:
                    refused()
                self.open(case_id)

        self._store.submit(work, done, failed, ended=self._saved)

    def _saved(self) -> None:
        self._saving -= 1
        self.history_changed.emit()
        self._go_on()

    @Slot()
    def _go_on(self) -> None:
        while self._waiting and not self._saving and not self.late:
            self._waiting.popleft()()

    def _take(self, step: Step) -> None:
        """A step is kept: measure what it left."""
        for change in step.changes:
            if change.after is None:
                self._leaving.pop(change.mark_id, None)
                self._measurer.forget(change.mark_id)
            elif self._marks.get(change.mark_id, (0, None))[1] is change.after:
                self._lines.pop(change.mark_id, None)
                self._measure(change.image_id, change.after)
        self._tell(step)

    def _tell(self, step: Step) -> None:
        for image_id in dict.fromkeys(change.image_id for change in step.changes):
            self.changed.emit(image_id)

    def relabel(self, old: str, new: str) -> None:
        """A label has another name."""
        for mark_id, (image_id, mark) in self._marks.items():
            if mark.label == old:
                self._marks[mark_id] = (image_id, replace(mark, label=new))
                first, *others = self._lines.get(mark_id, ("",))
                self._lines[mark_id] = (new if first == old else first, *others)
        self.history.relabel(old, new)

    def rename(self, work: Callable[[Session], Any], old: str, new: str, done: Callable[[Any], None]) -> None:
        """Give a label another name, once all gestures are kept; marks have it at once, so that the next ones fit."""
        if self._saving or self.late:
            self._waiting.append(partial(self.rename, work, old, new, done))
            return
        self.relabel(old, new)
        self._saving += 1

        def failed(error: Exception) -> None:
            self.failed.emit(error)
            self.relabel(new, old)

        self._store.submit(lambda *_: work(self._handle.get()), done, failed, ended=self._saved)

    # threads

    def compute(self, work: Callable[[Any, CancelToken], Any], done: Callable[[Any], None]) -> None:
        """Have something made of pixels, in the measuring thread."""
        self._measuring.submit(work, done, self.failed.emit)

    def in_store(self, work: Callable[[Session], Any], done: Callable[[Any], None]) -> None:
        """Read or write labels, in the store's thread."""
        self._store.submit(lambda *_: work(self._handle.get()), done, self.failed.emit)

    def show_colors(self, colors: Colors) -> None:
        """Draw marks in other colours, by label."""
        self.colors = colors
        for image_id in {owner for owner, _ in self._marks.values()}:
            self.changed.emit(image_id)

    # measuring

    def measure_chosen(self, ids: Collection[str]) -> None:
        """Of very many marks only these are measured."""
        self._chosen = ids
        for mark_id in ids:
            if mark_id in self._marks and mark_id not in self._lines:
                self._measure(*self._marks[mark_id])

    @Slot(int)
    def _measure_image(self, image_id: int) -> None:
        own = [mark for owner, mark in self._marks.values() if owner == image_id]
        for mark in own if len(own) < MANY else [mark for mark in own if mark.id in self._chosen]:
            self._measure(image_id, mark)
        self.changed.emit(image_id)

    def _measure(self, image_id: int, mark: Mark) -> None:
        picture = self._room.state.view_of(image_id).picture
        if picture is not None and picture.frame == mark.frame and _is_whole(picture):
            self._measurer.measure(mark, picture)

    @Slot(str, object)
    def _on_measured(self, mark_id: str, lines: tuple[str, ...]) -> None:
        if mark_id in self._marks and self._lines.get(mark_id) != _SAVING:
            mark = self._marks[mark_id][1]
            name = (mark.label,) if mark.label else ()
            other = (f"drawn by {self._others[mark_id]}",) if mark_id in self._others else ()
            words = tuple(f"{key}: {value}" for key, value in mark.properties.items())
            self._lines[mark_id] = (*name, *lines, *words, *other)
            self.changed.emit(self._marks[mark_id][0])


def _changes(image_id: int, pairs: Pairs) -> tuple[Change, ...]:
    return tuple(Change(image_id, before, after) for before, after in pairs if before != after)


def _is_whole(picture: PictureData) -> bool:
    """Whether its pixels are those of level 0, not of a frame that was shrunk for a film."""
    return picture.partial or picture.levels[0].downsample == 1
