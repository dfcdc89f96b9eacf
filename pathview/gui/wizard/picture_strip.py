"""Images of the data side by side, in words first, their pictures as they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QImage, QPainter, QPalette, QPen, QPixmap
from PySide6.QtWidgets import (
    QListView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

Rgb8 = npt.NDArray[np.uint8]
SIDE = 112
_LINES = 4
"""Of words below a picture; long names of classes wrap."""
_FRAME = 2.5
"""Pixels, around the chosen picture."""
MOST = 60
"""Pictures that are shown of one choice."""


@dataclass(frozen=True)
class Shown:
    """One image."""

    file: Path
    words: str
    """Below it, in a few short lines."""
    told: str
    """The same in a sentence, for screen readers and the tip."""
    masks: tuple[Path, ...] = ()


Draw = Callable[[Sequence[Shown], int, Callable[[Rgb8], None]], None]
"""Have pictures drawn of a side, and handed back: uint8 [n, side, side, 3] RGB."""


class PictureStrip(QListWidget):
    """Walks by arrows; Enter or a double click opens an image large."""

    opened = Signal(object)
    """The :class:`Shown` that is wanted large."""

    def __init__(self, title: str, draw: Draw) -> None:
        """Nothing to show; ``title`` is for screen readers."""
        super().__init__()
        self._draw = draw
        self._turn = 0
        self.shown: tuple[Shown, ...] = ()
        self.setAccessibleName(title)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setSpacing(6)
        self.setWordWrap(True)
        self.setUniformItemSizes(True)
        self.setItemDelegate(_Framing(self))
        self.itemActivated.connect(self._open)

    def show_images(self, images: Sequence[Shown]) -> None:
        """Show the first images of a choice, and ask for their pictures."""
        self.shown = tuple(images[:MOST])
        self._turn += 1
        turn = self._turn
        self.clear()
        room = QSize(SIDE + 40, SIDE + _LINES * self.fontMetrics().lineSpacing() + 12)
        for one in self.shown:
            item = QListWidgetItem(QIcon(_blank()), one.words, self)
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, one.told)
            item.setToolTip(one.told)
            item.setSizeHint(room)

        def drawn(pictures: Rgb8) -> None:
            if turn == self._turn:
                self._take(pictures)

        if self.shown:
            self.setCurrentRow(0)
            self._draw(self.shown, SIDE, drawn)

    def _take(self, pictures: Rgb8) -> None:
        for line, pixels in enumerate(pictures):
            item = self.item(line)
            if item is not None:
                item.setIcon(QIcon(pixmap_of(pixels)))

    @Slot(QListWidgetItem)
    def _open(self, item: QListWidgetItem) -> None:
        self.opened.emit(self.shown[self.row(item)])


class _Framing(QStyledItemDelegate):
    """Frames the chosen picture; the style would lay a veil over it, and it is there to be looked at."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw picture and words, and the frame of the one that is chosen."""
        plain = QStyleOptionViewItem(option)
        chosen = bool(plain.state & QStyle.StateFlag.State_Selected)
        plain.state &= ~QStyle.StateFlag.State_Selected
        super().paint(painter, plain, index)
        if chosen:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(option.palette.color(QPalette.ColorRole.Link), _FRAME))
            painter.drawRoundedRect(option.rect.adjusted(1, 1, -1, -1), 4, 4)
            painter.restore()


def pixmap_of(pixels: Rgb8) -> QPixmap:
    """A picture uint8 [rows, columns, 3] RGB as Qt shows it."""
    kept = np.ascontiguousarray(pixels)
    rows, columns = kept.shape[:2]
    return QPixmap.fromImage(QImage(kept.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888).copy())


def side_by_side(pictures: Rgb8, back: tuple[int, int, int], gap: int = 6) -> Rgb8:
    """Pictures uint8 [rows, columns, side, side, 3] as one, on a ground of a colour."""
    rows, columns, side = pictures.shape[:3]
    step = side + gap
    sheet = np.empty((rows * step - gap, columns * step - gap, 3), np.uint8)
    sheet[:] = back
    for row in range(rows):
        for column in range(columns):
            sheet[row * step : row * step + side, column * step : column * step + side] = pictures[row, column]
    return sheet


def _blank() -> QPixmap:
    blank = QPixmap(SIDE, SIDE)
    blank.fill(Qt.GlobalColor.transparent)
    return blank
