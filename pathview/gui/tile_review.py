"""Reviewing tiles: the gallery and the confusion table follow the image on the desk; answers are saved, then shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QFileDialog

from pathview.geometry import Region
from pathview.gui.job_runner import JobRunner
from pathview.gui.panels.confusion import ConfusionPanel
from pathview.gui.panels.gallery import GalleryPanel
from pathview.gui.reading_room import ReadingRoom
from pathview.gui.session_handle import SessionHandle
from pathview.jobs import CancelToken, ProgressSink
from pathview.results.confusion import GivenClasses, called, confusion, tiles_of
from pathview.results.regions import TileRegion
from pathview.results.result import ScoreMap
from pathview.review.records.answered import AnswerValue, Reviewed, answered_map, reviewable
from pathview.review.records.case import ImageRow

if TYPE_CHECKING:
    from pathview.training.data.answers import LabelsWritten

_REST_MS = 250
"""How long threshold and image rest before tiles are chosen anew."""
_PICTURES_AT_ONCE = 12
_CLASSES = ("negative", "positive")


@dataclass(frozen=True)
class _Shown:
    """What the gallery shows."""

    image_id: int
    result_id: int
    order: str
    threshold: float


@dataclass(frozen=True)
class _Found:
    """What the store knows for it."""

    regions: tuple[TileRegion, ...]
    answers: Mapping[Region, AnswerValue]
    reviewed: Reviewed | None
    answered: ScoreMap | None


class TileReview(QObject):
    """Works while it is switched on."""

    said = Signal(str)
    failed = Signal(object)
    went_to = Signal(object)
    """A stored region that the viewer should show."""

    def __init__(
        self,
        handle: SessionHandle,
        store: JobRunner,
        room: ReadingRoom,
        gallery: GalleryPanel,
        table: ConfusionPanel,
        parent: QObject,
    ) -> None:
        """Connect them; off."""
        super().__init__(parent)
        self._handle, self._store, self._room = handle, store, room
        self._gallery, self._table = gallery, table
        self._cutting = JobRunner("cutting", self)
        self.on = False
        self._shown: _Shown | None = None
        self._given: dict[int, GivenClasses | None] = {}
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._look)
        room.state_changed.connect(self._on_state)
        gallery.order_changed.connect(self._choose_again)
        gallery.pictures_wanted.connect(self._cut)
        gallery.answered.connect(self._answer)
        gallery.withdrawn.connect(self._withdraw)
        gallery.region_chosen.connect(self._go_to)
        gallery.training_set_asked.connect(self._ask_folder)
        table.cell_chosen.connect(self._show_cell)

    @property
    def busy(self) -> bool:
        """Whether pictures are being cut or tiles are to be chosen."""
        return self._cutting.busy or self._rest.isActive()

    def close(self) -> None:
        """End the thread."""
        self._cutting.close()

    def switch(self, on: bool) -> None:
        """Show tiles, or not."""
        self.on = on
        self._choose_again()

    @Slot()
    def _choose_again(self) -> None:
        self._table.clear_choice()
        self._shown = None
        self._on_state()

    @Slot()
    def _on_state(self) -> None:
        if self.on and self._wanted() != self._shown:
            self._rest.start()

    def _wanted(self) -> _Shown | None:
        image, result = self._room.state.image, self._room.state.result
        if image is None or result is None or not reviewable(result):
            return None
        return _Shown(image.id, result.id, self._gallery.order, self._room.state.threshold)

    @Slot()
    def _look(self) -> None:
        """Choose tiles for what is on the desk now."""
        image, wanted = self._room.state.image, self._wanted()
        self._shown = wanted
        self._show_table()
        if image is None or wanted is None:
            self._gallery.show_nothing()
            return
        self._submit(lambda *_: self._find(image, wanted), lambda found: self._show(wanted, found))
        if image.id not in self._given:
            self._load_given(image)

    def _find(self, image: ImageRow, wanted: _Shown) -> _Found:
        """In the store's thread."""
        answering = self._handle.get().answering
        regions = answering.tiles(image, wanted.order, wanted.threshold)  # type: ignore[arg-type]
        return _Found(regions, *self._answers(image, wanted.threshold))

    def _answers(
        self, image: ImageRow, threshold: float
    ) -> tuple[Mapping[Region, AnswerValue], Reviewed | None, ScoreMap | None]:
        session = self._handle.get()
        answers = session.answering.answers_of(image.id)
        assert image.result is not None
        followed = answered_map(session.protocol.map(image.result.id), answers) if answers else None
        values = {answer.region: answer.value for answer in answers if answer.value is not None}
        return values, session.answering.reviewed(image, threshold), followed

    def _show(self, wanted: _Shown, found: _Found) -> None:
        if self._shown != wanted:
            return
        self._gallery.show_regions(wanted.image_id, found.regions, found.answers, wanted.threshold)
        self._gallery.show_reviewed(found.reviewed)
        self._room.follow_answers(wanted.image_id, found.answered)

    # pictures

    @Slot(int, object)
    def _cut(self, image_id: int, regions: Sequence[TileRegion]) -> None:
        image = self._room.state.image_of(image_id)
        if image is None:
            return
        side = self._gallery.picture_side
        for start in range(0, len(regions), _PICTURES_AT_ONCE):
            part = regions[start : start + _PICTURES_AT_ONCE]

            def work(_: ProgressSink, cancel: CancelToken, part: Sequence[TileRegion] = part) -> Any:
                from pathview.images.cuts import load_cuts

                session = self._handle.get()
                contexts = [region.context for region in part]
                return session.opener.run(
                    load_cuts, image.path, session.settings, image.mpp_um, contexts, side, cancel=cancel
                )

            def done(pictures: Sequence[Any], part: Sequence[TileRegion] = part) -> None:
                for region, pixels in zip(part, pictures, strict=True):
                    self._gallery.show_picture(image_id, region.tile, pixels)

            self._cutting.submit(work, done, self.failed.emit)

    # answers

    @Slot(int, object, str)
    def _answer(self, image_id: int, region: TileRegion, value: AnswerValue) -> None:
        image = self._room.state.image_of(image_id)
        if image is None or image.result is None:
            return
        result_id = image.result.id
        self._change(
            image,
            region.tile,
            value,
            lambda: self._handle.get().answering.answer(image_id, result_id, region, value),
        )

    @Slot(int, object)
    def _withdraw(self, image_id: int, region: TileRegion) -> None:
        image = self._room.state.image_of(image_id)
        if image is not None:
            self._change(image, region.tile, None, lambda: self._handle.get().answering.withdraw(image_id, region.tile))

    def _change(self, image: ImageRow, tile: Region, value: AnswerValue | None, save: Callable[[], object]) -> None:
        """Save first; then the card, the map and the score follow."""
        threshold = self._room.state.threshold

        def work(*_: Any) -> Any:
            save()
            return self._answers(image, threshold)

        def done(found: tuple[Mapping[Region, AnswerValue], Reviewed | None, ScoreMap | None]) -> None:
            _, reviewed, followed = found
            self._gallery.show_answer(image.id, tile, value)
            self._gallery.show_reviewed(reviewed)
            self._room.follow_answers(image.id, followed)

        def failed(error: Exception) -> None:
            self._gallery.show_answer(image.id, tile, self._gallery.standing(image.id, tile))
            self.failed.emit(error)

        self._store.submit(work, done, failed)

    @Slot(int, object)
    def _go_to(self, image_id: int, region: TileRegion) -> None:
        self._room.choose_image(image_id)
        self.went_to.emit(region.context)

    @Slot()
    def _ask_folder(self) -> None:
        """Write all answers as a training set into a folder that the reader chooses."""
        name = QFileDialog.getExistingDirectory(self._gallery, "A folder for the training set")
        if name:
            self.write_training_set(Path(name))

    def write_training_set(self, folder: Path) -> None:
        """Write all answers as a training set."""

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            return self._handle.get().answering.export_labels(folder, (), progress, cancel)

        def done(written: LabelsWritten) -> None:
            counts = ", ".join(f"{count} {name}" for name, count in written.counts.items())
            self.said.emit(" ".join((f"The training set is written: {counts}.", *written.notices)))

        self._cutting.submit(work, done, self.failed.emit)

    # given classes

    def _load_given(self, image: ImageRow) -> None:
        def work(_: ProgressSink, cancel: CancelToken) -> Any:
            from pathview.results.confusion import load_given

            session = self._handle.get()
            return session.opener.run(load_given, image.path, session.settings, cancel=cancel)

        def done(given: GivenClasses | None) -> None:
            self._given[image.id] = given
            self._show_table()

        self._cutting.submit(work, done, self.failed.emit)

    def _show_table(self) -> None:
        """Count given against predicted classes at the threshold."""
        state = self._room.state
        given = self._given.get(state.active) if state.active is not None else None
        self._table.setVisible(self.on and given is not None)
        if given is None or state.probability is None or state.result is None:
            self._table.show_confusion(None)
            return
        predicted = called(given.probabilities(state.probability), state.threshold)
        caution = next((sentence for code, sentence in state.result.flags if code.startswith("seen")), "")
        self._table.show_confusion(confusion(given.labels, predicted, _CLASSES), caution)

    @Slot(int, int)
    def _show_cell(self, row: int, column: int) -> None:
        """Show the tiles of a cell of the table in the gallery."""
        state = self._room.state
        given = self._given.get(state.active) if state.active is not None else None
        if given is None or state.image is None or state.probability is None:
            return
        image, threshold = state.image, state.threshold
        tiles = tiles_of(given, given.probabilities(state.probability), threshold, row, column)
        title = f"Given {_CLASSES[row]}, predicted {_CLASSES[column]}"

        def done(found: tuple[Mapping[Region, AnswerValue], Reviewed | None, ScoreMap | None]) -> None:
            self._gallery.show_regions(image.id, tiles, found[0], threshold, title)

        self._submit(lambda *_: self._answers(image, threshold), done)

    def _submit(self, work: Callable[..., Any], done: Callable[[Any], None]) -> None:
        self._store.submit(work, done, self.failed.emit)
