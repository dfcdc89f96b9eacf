"""The gallery's cards: a tile in its surroundings, what the model says of it, and what the reader answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QKeyEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from pathview.geometry import Region
from pathview.gui.theme import Theme, label_color
from pathview.results.regions import TileRegion
from pathview.review.records.answered import ANSWER_WORDS, AnswerValue

Index = QModelIndex | QPersistentModelIndex
CardRole = Qt.ItemDataRole.UserRole
PICTURE_PX = 150
"""Side of a picture: an IDC patch with its neighbours, pixel by pixel."""
_MARGIN = 8
_GAP = 5
_FRAME_DARK, _FRAME_LIGHT = QColor(0, 0, 0, 210), QColor(255, 255, 255)


@dataclass
class Card:
    """One place of the gallery."""

    region: TileRegion
    value: AnswerValue | None = None
    """What is saved."""
    wanted: AnswerValue | None = None
    """What is being saved; None with ``saving``: it is being taken back."""
    saving: int = 0
    """Answers that are on their way to the disk."""
    picture: QPixmap | None = None
    problem: bool = False
    """Its pixels cannot be read."""


class CardModel(QAbstractListModel):
    """The cards in their order."""

    def __init__(self) -> None:
        """No cards."""
        super().__init__()
        self.cards: list[Card] = []
        self.threshold = 0.5
        self._rows: dict[Region, int] = {}

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        """Cards that there are."""
        return 0 if parent.isValid() else len(self.cards)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words for screen readers, the card itself for the delegate."""
        card = self.cards[index.row()]
        if role == CardRole:
            return card
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"Tile {index.row() + 1} of {len(self.cards)}: {self.words(card)}, {answer_words(card)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            stands = " It stands for its neighbours, which the model doubts alike." if card.region.count > 1 else ""
            return f"Model: {self.words(card)}.{stands}"
        return None

    def words(self, card: Card) -> str:
        """What the model says of a card."""
        count = card.region.count
        place = f", a place of {count} tiles" if count > 1 else ""
        return f"probability {card.region.probability:.3f}, called {self.called(card)}{place}"

    def called(self, card: Card) -> AnswerValue:
        """The model's class of a tile at the threshold."""
        return "positive" if np.float32(card.region.probability) >= np.float32(self.threshold) else "negative"

    def reset(
        self, regions: Sequence[TileRegion], answers: Mapping[Region, AnswerValue], pictures: Mapping[Region, QPixmap]
    ) -> None:
        """Show other places."""
        self.beginResetModel()
        waiting = {card.region.tile: card for card in self.cards if card.saving}
        self.cards = [Card(r, answers.get(r.tile), picture=pictures.get(r.tile)) for r in regions]
        self._rows = {card.region.tile: row for row, card in enumerate(self.cards)}
        for tile, before in waiting.items():
            if (row := self._rows.get(tile)) is not None:
                self.cards[row].wanted, self.cards[row].saving = before.wanted, before.saving
        self.endResetModel()

    def row_of(self, tile: Region) -> int | None:
        """Where a tile stands, or None."""
        return self._rows.get(tile)

    def changed(self, row: int) -> None:
        """Paint a card anew."""
        self.dataChanged.emit(self.index(row), self.index(row))


def answer_words(card: Card) -> str:
    """What was answered, in words."""
    if card.saving:
        return f"{ANSWER_WORDS[card.wanted]}, saving ..." if card.wanted else "taking back ..."
    return ANSWER_WORDS[card.value] if card.value else "not answered"


def pixmap_of(pixels: npt.NDArray[np.uint8], ratio: float) -> QPixmap:
    """A picture uint8 [rows, columns, 3] as large as a card shows it, for a screen of so many pixels a point."""
    pixels = np.ascontiguousarray(pixels)
    rows, columns = pixels.shape[:2]
    image = QImage(pixels.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    side = round(PICTURE_PX * ratio)
    modes = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    pixmap = QPixmap.fromImage(image.scaled(side, side, *modes))
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


class CardDelegate(QStyledItemDelegate):
    """Picture with the tile's frame; below, the model's word and the place's size; below that, the answer."""

    def __init__(self, theme: Theme, model: CardModel) -> None:
        """Paint cards of this model."""
        super().__init__()
        self.theme = theme
        self.room = 0
        """Width that the grid has for each card."""
        self._model = model

    def size(self, font: QFont) -> QSize:
        """The least size of a card."""
        metrics = QFontMetrics(font)
        words = metrics.horizontalAdvance("0.000 negative  100 tiles")
        width = max(PICTURE_PX, words) + 2 * _MARGIN
        return QSize(width, PICTURE_PX + 2 * metrics.lineSpacing() + 2 * _MARGIN + 2 * _GAP)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Of every card: as wide as the grid gives it."""
        return self.size(option.font).expandedTo(QSize(self.room, 0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a card."""
        card: Card = index.data(CardRole)
        rect: QRect = option.rect.adjusted(2, 2, -2, -2)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_ground(painter, option.state, rect, card)
        left = rect.left() + (rect.width() - PICTURE_PX) // 2
        place = QRect(left, rect.top() + _MARGIN - 2, PICTURE_PX, PICTURE_PX)
        self._draw_picture(painter, card, place)
        line = QFontMetrics(option.font).lineSpacing()
        wide = self.size(option.font).width() - 2 * _MARGIN
        text = QRect(rect.left() + (rect.width() - wide) // 2, place.bottom() + 1 + _GAP, wide, line)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        self._draw_words(painter, option.font, card, text, selected)
        painter.restore()

    def _draw_ground(self, painter: QPainter, state: QStyle.StateFlag, rect: QRect, card: Card) -> None:
        theme = self.theme
        selected = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        back = theme.selected if selected else theme.hover if hovered else theme.field
        focused = selected and bool(state & QStyle.StateFlag.State_HasFocus)
        line = theme.accent if selected else self._color(card.value) if card.value else theme.border
        painter.setPen(QPen(QColor(line), 2.5 if focused else 1.5))
        painter.setBrush(QColor(back))
        painter.drawRoundedRect(rect, 4, 4)

    def _draw_picture(self, painter: QPainter, card: Card, place: QRect) -> None:
        if card.picture is None:
            painter.fillRect(place, QColor(self.theme.panel))
            painter.setPen(QColor(self.theme.dim))
            words = "cannot be read" if card.problem else "reading ..."
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)
            return
        shown = QRect(QPoint(0, 0), card.picture.deviceIndependentSize().toSize())
        shown.moveCenter(place.center())
        painter.drawPixmap(shown.topLeft(), card.picture)
        tile, context = card.region.tile, card.region.context
        across, down = shown.width() / context.width, shown.height() / context.height
        frame = QRect(
            shown.left() + round((tile.x - context.x) * across),
            shown.top() + round((tile.y - context.y) * down),
            round(tile.width * across),
            round(tile.height * down),
        ).intersected(shown)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, grown in ((_FRAME_DARK, 1), (_FRAME_LIGHT, 0), (_FRAME_DARK, -1)):
            painter.setPen(QPen(color, 1))
            painter.drawRect(frame.adjusted(-grown, -grown, grown - 1, grown - 1).intersected(shown))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _draw_words(self, painter: QPainter, font: QFont, card: Card, text: QRect, selected: bool) -> None:
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        count = card.region.count
        painter.setFont(font)
        painter.setPen(QColor(self.theme.text))
        painter.drawText(text, left, f"{card.region.probability:.3f} {self._model.called(card)}")
        if count > 1:
            painter.drawText(text, right, f"{count} tiles")
        text = text.translated(0, text.height() + _GAP // 2)
        answered = card.value is not None and not card.saving
        bold = QFont(font)
        bold.setWeight(QFont.Weight.DemiBold if answered else QFont.Weight.Normal)
        painter.setFont(bold)
        quiet = self.theme.text if selected else self.theme.dim
        painter.setPen(QColor(self._color(card.value) if answered else quiet))
        painter.drawText(text, left, f"✓ {answer_words(card)}" if answered else answer_words(card))

    def _color(self, value: AnswerValue | None) -> str:
        return self.theme.text if value == "skip" else label_color(self.theme, value)


class CardGrid(QListView):
    """Cards side by side; keys that are answers do not start Qt's search by letter."""

    resized = Signal()

    def __init__(self, take_key: Callable[[QKeyEvent], bool]) -> None:
        """``take_key`` says whether it took a key."""
        super().__init__()
        self._take_key = take_key
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName("Tiles to look at")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Offer a key to the panel first."""
        if self._take_key(event):
            event.accept()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell that there is another width."""
        super().resizeEvent(event)
        self.resized.emit()
