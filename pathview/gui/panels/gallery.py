"""The gallery: the tiles that a reader should look at, as cards with one key for each answer.

It only asks and shows: answers are saved, and pictures read, by whoever listens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEvent, QModelIndex, QObject, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from pathview.geometry import Region
from pathview.gui.panels.gallery_cards import PICTURE_PX, Card, CardDelegate, CardGrid, CardModel, pixmap_of
from pathview.gui.theme import LABEL_WORDS, Theme
from pathview.results.regions import TileOrder, TileRegion
from pathview.results.result import score_words
from pathview.review.records.answered import AnswerValue, Reviewed, agreement

ORDERS: tuple[tuple[TileOrder, str], ...] = (
    ("uncertain", "Least sure first"),
    ("surest positive", "Surest positive first"),
    ("surest negative", "Surest negative first"),
    ("random", "Random sample"),
)
_NONE: Mapping[TileOrder, str] = {
    "uncertain": "This image has no tile that was analysed.",
    "surest positive": "The model calls no tile of this image positive at this threshold.",
    "surest negative": "The model calls no tile of this image negative at this threshold.",
    "random": "This image has no tile that was analysed.",
}
_HEADING = "Tiles"
_NO_RESULT = "No tiles to look through yet. Open a slide, a camera image or a patch folder, and analyse it."
_HINT = "   ".join(
    words.replace(" ", "\N{NO-BREAK SPACE}")
    for words in ("P positive", "N negative", "C can't tell", "S skip", "U take back", "Enter go there")
)
_KEYS: Mapping[int, AnswerValue] = {
    Qt.Key.Key_P: "positive",
    Qt.Key.Key_N: "negative",
    Qt.Key.Key_C: "cant_tell",
    Qt.Key.Key_S: "skip",
}
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class GalleryPanel(QWidget):
    """Places of one image to look at. Regions are :class:`TileRegion`, of the image whose id comes first."""

    answered = Signal(int, object, str)
    """Image id, region and answer: save it, then call :meth:`show_answer`."""
    withdrawn = Signal(int, object)
    """Image id and region whose answer is to be taken back: save that, then call :meth:`show_answer` with None."""
    region_chosen = Signal(int, object)
    """Image id and the region that the viewer should go to."""
    pictures_wanted = Signal(int, object)
    """Image id and a list of regions whose pictures come into view: call :meth:`show_picture` for each."""
    order_changed = Signal(str)
    """A :data:`TileOrder`: call :meth:`show_regions`."""
    training_set_asked = Signal()
    fine_tuning_asked = Signal()
    """Begin a training on the answers."""

    def __init__(self, theme: Theme) -> None:
        """Empty."""
        super().__init__()
        self.setObjectName("panel")
        self.image_id: int | None = None
        """The image whose tiles are shown."""
        self.model = CardModel()
        self._delegate = CardDelegate(theme, self.model)
        self._pictures: dict[Region, QPixmap] = {}
        self._asked: set[Region] = set()
        self._done: list[Region] = []
        """Answered in this sitting, the last one last."""
        self._make_controls()
        self._lay_out()
        self._look = QTimer(self)
        self._look.setSingleShot(True)
        self._look.setInterval(0)
        self._look.timeout.connect(self._want_pictures)
        self.grid.verticalScrollBar().valueChanged.connect(self._on_scroll)
        self.grid.resized.connect(self._fit_cards)
        self.grid.doubleClicked.connect(self._choose)
        self._order.currentIndexChanged.connect(self._on_order)
        self._training.clicked.connect(self.training_set_asked)
        self.fine_tune.clicked.connect(self.fine_tuning_asked)
        self.show_nothing()

    def _make_controls(self) -> None:
        self._heading = QLabel(_HEADING)
        self._heading.setObjectName("heading")
        self._heading.setIndent(0)
        self._heading.setWordWrap(True)
        self._back = QPushButton("All tiles")
        self._back.setToolTip("Back from the tiles of one cell to those in the chosen order")
        self._back.clicked.connect(self._on_order)
        self._order = QComboBox()
        for order, words in ORDERS:
            self._order.addItem(words, order)
        self._order.setAccessibleName("Order of the tiles")
        self._counts = QLabel("")
        self._counts.setObjectName("dim")
        self._counts.setWordWrap(True)
        self._score = QLabel("")
        self._score.setWordWrap(True)
        self._hint = QLabel(_HINT)
        self._hint.setObjectName("dim")
        self._hint.setWordWrap(True)
        self._empty = QLabel("")
        self._empty.setObjectName("dim")
        self._empty.setWordWrap(True)
        self._empty.setMargin(16)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._training = QPushButton("Make a training set...")
        self._training.setToolTip("Write all answered tiles as folders by class with a table, to train with")
        self.fine_tune = QPushButton("")
        self.fine_tune.setToolTip("Opens the training wizard on the answers of all images")
        self.fine_tune.hide()
        self.grid = CardGrid(self.take_key)
        self.grid.setModel(self.model)
        self.grid.setItemDelegate(self._delegate)
        for control in (self._order, self._back, self._training, self.fine_tune):
            control.installEventFilter(self)
        self.setFocusProxy(self.grid)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self._heading, 1)
        top.addWidget(self._back)
        top.addWidget(self._order)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.grid)
        self._stack.addWidget(self._empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 10)
        layout.setSpacing(5)
        layout.addLayout(top)
        layout.addWidget(self._counts)
        layout.addWidget(self._score)
        layout.addWidget(self._stack, 1)
        layout.addWidget(self._hint)
        below = QHBoxLayout()
        below.addWidget(self._training)
        below.addWidget(self.fine_tune)
        layout.addLayout(below)

    # what is shown

    @property
    def order(self) -> TileOrder:
        """The order that is chosen."""
        return cast("TileOrder", self._order.currentData())

    @property
    def picture_side(self) -> int:
        """Pixels that the longer side of a picture should have on this screen."""
        return round(PICTURE_PX * self.devicePixelRatioF())

    @property
    def current(self) -> TileRegion | None:
        """The place that keys answer."""
        row = self.grid.currentIndex().row()
        return self.model.cards[row].region if row >= 0 else None

    def show_nothing(self, words: str = _NO_RESULT) -> None:
        """Show no image's tiles, and say why."""
        self.image_id = None
        self._forget()
        self._show([], {}, words)
        self.show_reviewed(None)

    def show_regions(
        self,
        image_id: int,
        regions: Sequence[TileRegion],
        answers: Mapping[Region, AnswerValue],
        threshold: float,
        title: str = "",
    ) -> None:
        """Show places of an image in the order given.

        The current tile stays current where it is among them, else the first without an answer is.

        Args:
            image_id: whose tiles they are.
            regions: places.
            answers: what is saved, by tile.
            threshold: from which the model calls a tile positive.
            title: what they are where they are not those of the chosen order, such as ``Given idc, predicted
                negative``; a button then leads back to the order.
        """
        before = self.current if image_id == self.image_id else None
        if image_id != self.image_id:
            self._forget()
            self.image_id = image_id
        self.model.threshold = threshold
        self._show(regions, answers, "There are no such tiles." if title else _NONE[self.order], title)
        row = self.model.row_of(before.tile) if before is not None else None
        if row is None:
            row = next((i for i, card in enumerate(self.model.cards) if card.value is None), 0)
        if self.model.cards:
            self._go_to(row)

    def _show(
        self, regions: Sequence[TileRegion], answers: Mapping[Region, AnswerValue], empty: str, title: str = ""
    ) -> None:
        # an image that was asked for and has not come may have been dropped with another order
        self._asked = set(self._pictures)
        self.model.reset(regions, answers, self._pictures)
        self._heading.setText(title or _HEADING)
        self._back.setVisible(bool(title))
        self._order.setVisible(not title)
        self._empty.setText(empty)
        self._stack.setCurrentIndex(0 if regions else 1)
        self._hint.setVisible(bool(regions))
        self._order.setEnabled(self.image_id is not None)
        self._show_counts()
        self._look.start()

    def _forget(self) -> None:
        self.model.reset([], {}, {})
        self._pictures.clear()
        self._done.clear()

    def show_picture(self, image_id: int, tile: Region, pixels: npt.NDArray[np.uint8] | None) -> None:
        """Show the pixels of a place's context, uint8 [rows, columns, 3] RGB; None: they cannot be read."""
        if image_id != self.image_id:
            return
        if pixels is not None:
            self._pictures[tile] = pixmap_of(pixels, self.devicePixelRatioF())
        row = self.model.row_of(tile)
        if row is not None:
            card = self.model.cards[row]
            card.picture, card.problem = self._pictures.get(tile), pixels is None
            self.model.changed(row)

    def standing(self, image_id: int, tile: Region) -> AnswerValue | None:
        """The answer on a tile that is on the disk, as far as it is shown; None: none."""
        row = self.model.row_of(tile) if image_id == self.image_id else None
        return self.model.cards[row].value if row is not None else None

    def show_answer(self, image_id: int, tile: Region, value: AnswerValue | None) -> None:
        """An answer is on the disk (None: it was taken back), or could not be saved and this one stands."""
        row = self.model.row_of(tile) if image_id == self.image_id else None
        if row is None:
            return
        card = self.model.cards[row]
        card.value, card.saving = value, max(0, card.saving - 1)
        self.model.changed(row)
        self._show_counts()

    def show_reviewed(self, found: Reviewed | None) -> None:
        """Show the image's score with the answers beside the model's own."""
        self._score.setVisible(found is not None)
        if found is None:
            return
        own = f"Model: {score_words(found.model_score)}, {LABEL_WORDS[found.model_label]}."
        number = f"{found.answers} answer{'s' if found.answers != 1 else ''}"
        with_answers = f"With {number}: {score_words(found.score)}, {LABEL_WORDS[found.label]}."
        self._score.setText(f"{own}  {with_answers}" if found.answers else own)
        tip = f"{found.name}. The model's own result stays as it was."
        self._score.setToolTip(tip[:1].upper() + tip[1:])

    def show_new_answers(self, count: int) -> None:
        """Offer fine-tuning on answers that no training has seen; 0: do not."""
        self.fine_tune.setText(f"You have {count:,} new answers: fine-tune?")
        self.fine_tune.setVisible(count > 0)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._delegate.theme = theme
        self.grid.viewport().update()

    def sizeHint(self) -> QSize:
        """Three cards side by side."""
        card = self._delegate.size(self.font())
        return QSize(3 * (card.width() + 6) + 40, 2 * card.height() + 180)

    def _show_counts(self) -> None:
        cards = self.model.cards
        if not cards:
            self._counts.setText("")
            return
        answers = {card.region.tile: card.value for card in cards if card.value is not None}
        words = f"{len(answers)} of {len(cards)} answered"
        same, known = agreement([card.region for card in cards], answers, self.model.threshold)
        if known:
            words += f"  ·  you and the model agree on {same} of {known}"
        self._counts.setText(words)

    @Slot()
    def _fit_cards(self) -> None:
        """Spread as many cards as there is room for over the grid's width."""
        least = self._delegate.size(self.font())
        width = self.grid.viewport().width() - 2
        self._delegate.room = width // max(1, width // least.width())
        self.grid.setGridSize(QSize(self._delegate.room, least.height()))
        self._look.start()

    # keys

    def event(self, event: QEvent) -> bool:
        """Keep the keys of the window's actions from those while the panel has the focus."""
        if event.type() == QEvent.Type.ShortcutOverride and self._is_own(cast("QKeyEvent", event)):
            event.accept()
            return True
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Answers also while the order or the button has the focus, which would search by letter."""
        if event.type() == QEvent.Type.KeyPress:
            key = cast("QKeyEvent", event)
            if key.key() not in _ENTER and self.take_key(key):
                return True
        return super().eventFilter(watched, event)

    def take_key(self, event: QKeyEvent) -> bool:
        """Do what a key asks for; False where it is none of the panel's."""
        if not self._is_own(event):
            return False
        if event.isAutoRepeat():
            return True  # a key that is held down answers one tile, not all of them
        if event.key() in _ENTER:
            self._choose(self.grid.currentIndex())
        elif event.key() == Qt.Key.Key_U:
            self._take_back()
        else:
            self._answer(_KEYS[event.key()])
        return True

    def _is_own(self, event: QKeyEvent) -> bool:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        return plain and (event.key() in _KEYS or event.key() == Qt.Key.Key_U or event.key() in _ENTER)

    def _answer(self, value: AnswerValue) -> None:
        row, image_id = self.grid.currentIndex().row(), self.image_id
        if row < 0 or image_id is None:
            return
        card = self.model.cards[row]
        card.wanted, card.saving = value, card.saving + 1
        self._done.append(card.region.tile)
        self.model.changed(row)
        self._go_to(min(row + 1, len(self.model.cards) - 1))
        self.answered.emit(image_id, card.region, value)

    def _take_back(self) -> None:
        """Take back the last answer of this sitting, else that of the current card."""
        image_id, current = self.image_id, self.current
        candidates = [*([current.tile] if current is not None else []), *self._done]
        while candidates and image_id is not None:
            tile = candidates.pop()
            if self._done and self._done[-1] == tile:
                self._done.pop()
            row = self.model.row_of(tile)
            if row is not None and _stands(self.model.cards[row]):
                card = self.model.cards[row]
                card.wanted, card.saving = None, card.saving + 1
                self.model.changed(row)
                self._go_to(row)
                self.withdrawn.emit(image_id, card.region)
                return

    def _go_to(self, row: int) -> None:
        self.grid.setCurrentIndex(self.model.index(row))

    @Slot(QModelIndex)
    def _choose(self, index: QModelIndex) -> None:
        if index.isValid() and self.image_id is not None:
            self.region_chosen.emit(self.image_id, self.model.cards[index.row()].region)

    @Slot()
    def _on_order(self) -> None:
        self._done.clear()
        self.grid.setFocus()
        self.order_changed.emit(self.order)

    @Slot(int)
    def _on_scroll(self, _: int) -> None:
        self._look.start()  # given the scroll bar's value, Qt would wait so many milliseconds

    @Slot()
    def _want_pictures(self) -> None:
        """Ask for the pictures that are in view or one view away."""
        view = self.grid.viewport().rect()
        near = view.adjusted(0, -view.height(), 0, view.height())
        wanted = [
            card.region
            for row, card in enumerate(self.model.cards)
            if card.region.tile not in self._asked and self.grid.visualRect(self.model.index(row)).intersects(near)
        ]
        if wanted and self.image_id is not None:
            self._asked |= {region.tile for region in wanted}
            self.pictures_wanted.emit(self.image_id, wanted)


def _stands(card: Card) -> bool:
    """Whether an answer stands on a card, or will once it is saved."""
    return card.wanted is not None if card.saving else card.value is not None
