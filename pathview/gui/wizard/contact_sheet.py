"""Thousands of images side by side: only those in view are read, a few at a time, and painted as they come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    QTimer,
    Slot,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from pathview.gui.theme import Theme
from pathview.gui.wizard.labelled import Labelled
from pathview.gui.wizard.picture_strip import Rgb8, pixmap_of
from pathview.training.runs.plan import DatasetRow

Index = QModelIndex | QPersistentModelIndex
ItemRole = Qt.ItemDataRole.UserRole
SIDE = 128
_MARGIN = 8
_LINES = 3
"""Of words below a picture."""
_KEPT = 800
"""Pictures in memory."""
_AT_ONCE = 12
"""Pictures of a request: a change of view waits for no more."""
_AHEAD = 24
_ROOT = QModelIndex()


class SheetModel(QAbstractListModel):
    """Images with their labels, and the pictures that are there."""

    def __init__(self) -> None:
        """No image."""
        super().__init__()
        self.items: tuple[Labelled, ...] = ()
        self._pictures: OrderedDict[Path, QPixmap] = OrderedDict()

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Images that there are."""
        return 0 if parent.isValid() else len(self.items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The item for the delegate, words for screen readers."""
        item = self.items[index.row()]
        if role == ItemRole:
            return item
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return item_words(item)
        return None

    def show_items(self, items: Sequence[Labelled]) -> None:
        """Show images; where they are the same files in the same order, only what changed is painted anew."""
        items = tuple(items)
        if [one.row.file for one in items] == [one.row.file for one in self.items]:
            before, self.items = self.items, items
            changed = [n for n, (old, new) in enumerate(zip(before, items, strict=True)) if old != new]
            if changed:
                self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))
            return
        self.beginResetModel()
        self.items = items
        self.endResetModel()

    def picture(self, file: Path) -> QPixmap | None:
        """What is there of a file."""
        return self._pictures.get(file)

    def take_pictures(self, rows: Sequence[DatasetRow], pictures: Rgb8) -> None:
        """Pictures that were read: uint8 [n, side, side, 3]."""
        for row, pixels in zip(rows, pictures, strict=True):
            self._pictures[row.file] = pixmap_of(pixels)
            self._pictures.move_to_end(row.file)
        while len(self._pictures) > _KEPT:
            self._pictures.popitem(last=False)


def item_words(item: Labelled) -> str:
    """An image of the sheet in a sentence."""
    patient = f"patient {item.row.patient}" if item.row.patient else "no patient told"
    told = [item.row.file.name, patient, item.label or "no class"]
    if item.left_out:
        told.append("left out")
    elif item.changed:
        told.append(f"changed from {item.row.label or 'no class'}")
    if item.group:
        told.append("the very same picture has another label" if item.same else "a like picture has another label")
    return ", ".join(told)


class SheetDelegate(QStyledItemDelegate):
    """Picture; below it a line each: the class, the patient, and the file's name, whose end tells it from others."""

    def __init__(self, theme: Theme, model: SheetModel) -> None:
        """Paint items of this model."""
        super().__init__()
        self.theme = theme
        self._model = model

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Of every item."""
        return self.size(option.font)

    def size(self, font: QFont) -> QSize:
        """As large as picture and lines need."""
        line = QFontMetrics(font).lineSpacing()
        return QSize(SIDE + 2 * _MARGIN + 4, SIDE + 2 * _MARGIN + _LINES * (line + 1) + 8)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw an image."""
        item: Labelled = index.data(ItemRole)
        theme = self.theme
        rect: QRect = option.rect.adjusted(2, 2, -2, -2)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        focused = bool(option.state & QStyle.StateFlag.State_HasFocus)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = theme.accent if selected else theme.not_sure if item.group else theme.border
        painter.setPen(QPen(QColor(line), 2.5 if focused or item.same else 1.5))
        painter.setBrush(QColor(theme.selected if selected else theme.field))
        painter.drawRoundedRect(rect, 4, 4)
        place = QRect(rect.left() + _MARGIN, rect.top() + _MARGIN, SIDE, SIDE)
        self._draw_picture(painter, item, place)
        self._draw_words(painter, option.font, item, place, selected)
        painter.restore()

    def _draw_picture(self, painter: QPainter, item: Labelled, place: QRect) -> None:
        picture = self._model.picture(item.row.file)
        if picture is None:
            painter.fillRect(place, QColor(self.theme.panel))
            return
        if item.left_out:
            painter.setOpacity(0.25)
        painter.drawPixmap(place, picture)
        painter.setOpacity(1.0)

    def _draw_words(self, painter: QPainter, font: QFont, item: Labelled, place: QRect, selected: bool) -> None:
        theme, metrics = self.theme, QFontMetrics(font)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        text = QRect(place.left(), place.bottom() + 4, SIDE, metrics.lineSpacing())
        bold = QFont(font)
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        label = "left out" if item.left_out else f"{item.label or 'no class'}{' *' if item.changed else ''}"
        color = theme.dim if item.left_out else theme.not_sure if item.group else theme.text
        painter.setPen(QColor(color))
        painter.drawText(text, left, QFontMetrics(bold).elidedText(label, Qt.TextElideMode.ElideRight, SIDE))
        painter.setFont(font)
        painter.setPen(QColor(theme.text if selected else theme.dim))
        for words in (item.row.patient or "no patient", item.row.file.name):
            text = text.translated(0, metrics.lineSpacing() + 1)
            painter.drawText(text, left, metrics.elidedText(words, Qt.TextElideMode.ElideMiddle, SIDE))


Read = Callable[[Sequence[DatasetRow], Callable[[Rgb8], None]], None]
"""Have pictures of some rows read, and handed back."""


class ContactSheet(QListView):
    """Walks by arrows, chooses several with Shift; keys that are classes go to the page."""

    def __init__(self, theme: Theme, read: Read, take_key: Callable[[QKeyEvent], bool]) -> None:
        """Empty; ``take_key`` says whether it took a key."""
        super().__init__()
        self.sheet = SheetModel()
        self._read, self._take_key = read, take_key
        self._reading = False
        self._delegate = SheetDelegate(theme, self.sheet)
        self.setModel(self.sheet)
        self.setItemDelegate(self._delegate)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.SinglePass)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)  # else width and bar take turns
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName("Images by class")
        self._look = QTimer(self)
        self._look.setSingleShot(True)
        self._look.setInterval(0)
        self._look.timeout.connect(self._want)
        self.verticalScrollBar().valueChanged.connect(self._start)
        self.sheet.modelReset.connect(self._start)

    def show_items(self, items: Sequence[Labelled]) -> None:
        """Show images; the current one stays current where it is among them, else the one at its place is."""
        row, current = self.currentIndex().row(), self.current
        self.sheet.show_items(items)
        if not self.sheet.items or self.currentIndex().isValid():
            return
        files = [one.row.file for one in self.sheet.items]
        if current is not None and current.row.file in files:
            row = files.index(current.row.file)
        self.setCurrentIndex(self.sheet.index(max(0, min(row, len(files) - 1))))

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._delegate.theme = theme
        self.viewport().update()

    @property
    def current(self) -> Labelled | None:
        """The image that the arrows are at."""
        row = self.currentIndex().row()
        return self.sheet.items[row] if 0 <= row < len(self.sheet.items) else None

    @property
    def chosen(self) -> tuple[Labelled, ...]:
        """The images that are selected."""
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return tuple(self.sheet.items[row] for row in rows)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Offer a key to the page first."""
        if self._take_key(event):
            event.accept()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Spread the images over the width."""
        super().resizeEvent(event)
        least = self._delegate.size(self.font())
        width = self.viewport().width() - 2
        self.setGridSize(QSize(width // max(1, width // least.width()), least.height()))
        self._start()

    @Slot()
    def _start(self) -> None:
        self._look.start()

    def _in_view(self) -> range:
        """Rows whose pictures are wanted: those in view, and some after them."""
        grid, port = self.gridSize(), self.viewport().rect()
        if not self.sheet.items or grid.isEmpty():
            return range(0)
        across = max(1, port.width() // grid.width())
        top = self.verticalScrollBar().value() // grid.height()
        down = port.height() // grid.height() + 2
        return range(top * across, min(len(self.sheet.items), (top + down) * across + _AHEAD))

    @Slot()
    def _want(self) -> None:
        """Ask for a few pictures; when they came, for those that are in view then."""
        if self._reading or not self.isVisible():
            return
        rows = [self.sheet.items[n].row for n in self._in_view()]
        missing = [row for row in rows if self.sheet.picture(row.file) is None][:_AT_ONCE]
        if missing:
            self._reading = True
            self._read(missing, lambda pictures: self._take(missing, pictures))

    def _take(self, rows: Sequence[DatasetRow], pictures: Rgb8) -> None:
        self._reading = False
        self.sheet.take_pictures(rows, pictures)
        self.viewport().update()
        self._start()
