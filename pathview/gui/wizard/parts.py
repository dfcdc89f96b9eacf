"""Small parts that the pages share: words in their styles, tables that keys can walk through, notices with a level."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)


def wrapped(text: str = "", name: str = "") -> QLabel:
    """Words that wrap; ``name``: their style (``dim``, ``heading``, ``verdict``, ``problem``)."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def column(*parts: QWidget, last: QWidget | None = None, margins: int = 0) -> QWidget:
    """Parts below each other; ``last`` takes what room is left, or nothing does."""
    holder = QWidget()
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(margins, margins, margins, margins)
    layout.setSpacing(8)
    for part in parts:
        layout.addWidget(part)
    if last is not None:
        layout.addWidget(last, 1)
    else:
        layout.addStretch(1)
    return holder


def row(*parts: QWidget, stretch: bool = True) -> QWidget:
    """Parts side by side, at the left."""
    holder = QWidget()
    layout = QHBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        layout.addWidget(part)
    if stretch:
        layout.addStretch(1)
    return holder


class Table(QTableWidget):
    """Cells to read, not to write; as high as its rows where ``whole``."""

    def __init__(self, title: str, whole: bool = False) -> None:
        """Empty; ``title`` is for screen readers."""
        super().__init__()
        self._whole = whole
        self.setAccessibleName(title)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.verticalHeader().hide()
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        if whole:
            self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def fill(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show rows; the last column takes what room is left."""
        self.setColumnCount(len(header))
        self.setHorizontalHeaderLabels(list(header))
        self.setRowCount(len(rows))
        for line, cells in enumerate(rows):
            for place, cell in enumerate(cells):
                item = QTableWidgetItem(cell)
                item.setToolTip(cell)
                self.setItem(line, place, item)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay the columns out anew, so that none of a whole table is out of sight."""
        super().resizeEvent(event)
        if self._whole and event.size().width() != event.oldSize().width():
            self._fit()

    def _fit(self) -> None:
        """Columns as wide as their cells, the last as wide as it can be; in a whole table that lacks room they wrap."""
        head, places = self.horizontalHeader(), range(self.columnCount())
        least = head.minimumSectionSize()
        needs = [max(least, self.sizeHintForColumn(place), head.sectionSizeHint(place)) for place in places]
        crowded = self._whole and sum(needs) > self.viewport().width()
        head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed if crowded else QHeaderView.ResizeMode.ResizeToContents)
        for place, width in enumerate(_shares(needs, self.viewport().width()) if crowded else ()):
            self.setColumnWidth(place, width)
        if places:
            head.setSectionResizeMode(places[-1], QHeaderView.ResizeMode.Stretch)
        self.resizeRowsToContents()
        if self._whole:
            height = sum(self.rowHeight(line) for line in range(self.rowCount()))
            self.setFixedHeight(height + head.sizeHint().height() + 2 * self.frameWidth() + 2)

    def texts(self) -> list[list[str]]:
        """What stands in it."""
        cells = [[self.item(line, place) for place in range(self.columnCount())] for line in range(self.rowCount())]
        return [[cell.text() if cell is not None else "" for cell in line] for line in cells]


def _shares(needs: Sequence[int], room: int) -> list[int]:
    """Widths of columns in a room that is too small: what they need, those that need most alike of what is left."""
    widths, left = [0] * len(needs), room
    for done, place in enumerate(sorted(range(len(needs)), key=needs.__getitem__)):
        widths[place] = min(needs[place], left // (len(needs) - done))
        left -= widths[place]
    return widths


def number(value: float) -> str:
    """A figure between 0 and 1."""
    return f"{value:.3f}"


def count(many: int, thing: str) -> str:
    """``1 image``, ``1,200 images``."""
    return f"{many:,} {thing}{'' if many == 1 else 's'}"
