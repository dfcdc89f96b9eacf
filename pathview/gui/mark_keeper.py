"""The reader's marks on the images of a case: kept first, then shown, then measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from pathview.gui.job_runner import JobRunner, Work
from pathview.gui.reading_room import ReadingRoom
from pathview.gui.session_handle import SessionHandle
from pathview.gui.viewer.marks import Drawn, Measurer
from pathview.images.pyramid import PictureData
from pathview.results.measurement import Mark

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.marks import StoredMark

_SAVING = "saving ..."


class MarkKeeper(QObject):
    """Marks by image; each change goes to the store, and is shown once it is there."""

    changed = Signal(int)
    """Image id: other marks, or other words beside them."""
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
        self._store = store
        self._room = room
        self._measurer = Measurer(measuring, self)
        self._measurer.measured.connect(self._on_measured)
        self._case_id: int | None = None
        self._marks: dict[str, tuple[int, Mark]] = {}
        self._lines: dict[str, tuple[str, ...]] = {}
        room.picture_changed.connect(self._measure_image)
        room.frame_changed.connect(self._measure_image)

    def of(self, image_id: int) -> tuple[Drawn, ...]:
        """The marks of the frame of an image that is shown, oldest first."""
        picture = self._room.state.view_of(image_id).picture
        frame = picture.frame if picture is not None else 0
        return tuple(
            Drawn(mark, self._lines.get(mark.id, ()))
            for owner, mark in self._marks.values()
            if owner == image_id and mark.frame == frame
        )

    def open(self, case_id: int) -> None:
        """Take the marks of another case, and of the prior that hangs beside it."""
        self._case_id = case_id
        self._measurer.forget_all()
        before = {image_id for image_id, _ in self._marks.values()}
        self._marks, self._lines = {}, {}
        prior = self._room.state.prior

        def work(*_: Any) -> Mapping[int, tuple[StoredMark, ...]]:
            marks = self._handle.get().cases.marks
            return {**marks.of_case(case_id), **(marks.of_case(prior.case.id) if prior is not None else {})}

        def done(found: Mapping[int, tuple[StoredMark, ...]]) -> None:
            if self._case_id == case_id:
                for image_id, stored in found.items():
                    self._marks |= {one.mark.id: (image_id, one.mark) for one in stored}
                for image_id in before | set(found):  # also where there is none any more
                    self._measure_image(image_id)

        self._store.submit(work, done, self.failed.emit)

    @Slot(int, object)
    def add(self, image_id: int, mark: Mark) -> None:
        """Keep a new mark."""
        picture = self._room.state.view_of(image_id).picture
        mark = replace(mark, frame=picture.frame if picture is not None else 0)

        def work(*_: Any) -> None:
            session = self._handle.get()
            session.cases.marks.add(image_id, mark, session.reader)

        self._save(image_id, mark, work)

    @Slot(object)
    def move(self, mark: Mark) -> None:
        """Keep a mark's new points."""
        image_id = self._marks[mark.id][0]

        def work(*_: Any) -> None:
            session = self._handle.get()
            session.cases.marks.move(mark.id, mark.points, session.reader)

        self._save(image_id, mark, work)

    def _save(self, image_id: int, mark: Mark, work: Work) -> None:
        """Show a mark as being saved; what it measures stands there once it is. What fails is shown as it was."""
        self._marks[mark.id] = (image_id, mark)
        self._lines[mark.id] = (_SAVING,)
        self.changed.emit(image_id)
        case_id = self._case_id

        def failed(error: Exception) -> None:
            self.failed.emit(error)
            if self._case_id == case_id and case_id is not None:
                self.open(case_id)

        self._store.submit(work, lambda _: self._take(image_id, mark), failed)

    @Slot(str)
    def remove(self, mark_id: str) -> None:
        """Take a mark away; the store keeps it as removed."""
        image_id = self._marks[mark_id][0]

        def work(*_: Any) -> None:
            session = self._handle.get()
            session.cases.marks.remove(mark_id, session.reader)

        def done(_: object) -> None:
            self._marks.pop(mark_id, None)
            self._measurer.forget(mark_id)
            self.changed.emit(image_id)

        self._store.submit(work, done, self.failed.emit)

    def _take(self, image_id: int, mark: Mark) -> None:
        if self._room.state.image_of(image_id) is not None:
            self._marks[mark.id] = (image_id, mark)
            self._measure(image_id, mark)

    @Slot(int)
    def _measure_image(self, image_id: int) -> None:
        for owner, mark in tuple(self._marks.values()):
            if owner == image_id:
                self._measure(image_id, mark)
        self.changed.emit(image_id)

    def _measure(self, image_id: int, mark: Mark) -> None:
        picture = self._room.state.view_of(image_id).picture
        if picture is not None and picture.frame == mark.frame and _is_whole(picture):
            self._measurer.measure(mark, picture)
        self.changed.emit(image_id)

    @Slot(str, object)
    def _on_measured(self, mark_id: str, lines: tuple[str, ...]) -> None:
        if mark_id in self._marks:
            self._lines[mark_id] = lines
            self.changed.emit(self._marks[mark_id][0])


def _is_whole(picture: PictureData) -> bool:
    """Whether its pixels are those of level 0, not of a frame that was shrunk for a film."""
    return picture.partial or picture.levels[0].downsample == 1
