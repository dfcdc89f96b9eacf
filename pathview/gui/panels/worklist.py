"""The worklist: cases in an order, paged by the database, each with state, score and flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.theme import LABEL_WORDS, Theme, label_color
from pathview.results.result import score_words
from pathview.review.case import CaseRow, Order

PAGE = 200
ORDERS: tuple[tuple[Order, str], ...] = (
    ("uncertain", "Not sure first"),
    ("score", "Highest score first"),
    ("newest", "Newest first"),
    ("name", "By name"),
)
Index = QModelIndex | QPersistentModelIndex
CaseRole = Qt.ItemDataRole.UserRole


class WorklistModel(QAbstractListModel):
    """Rows as they arrive; asks for the next page when the view nears the end."""

    def __init__(self, fetch: Callable[[int], None]) -> None:
        """``fetch(offset)`` asks for a page, which comes by :meth:`append`."""
        super().__init__()
        self._rows: list[CaseRow] = []
        self._total = 0
        self._fetch = fetch
        self._asked = False

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        """Rows that are here."""
        return 0 if parent.isValid() else len(self._rows)

    def canFetchMore(self, parent: Index) -> bool:
        """Whether the store has more."""
        return not self._asked and len(self._rows) < self._total

    def fetchMore(self, parent: Index) -> None:
        """Ask for the next page."""
        self._asked = True
        self._fetch(len(self._rows))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words for screen readers, the row itself for the delegate."""
        row = self._rows[index.row()]
        if role == CaseRole:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{row.title}: {state_words(row)}"
        return None

    def reset(self, rows: list[CaseRow], total: int) -> None:
        """Begin anew with the first page."""
        self.beginResetModel()
        self._rows, self._total, self._asked = list(rows), total, False
        self.endResetModel()

    def append(self, rows: list[CaseRow]) -> None:
        """Add a page."""
        self._asked = False
        known = {row.id for row in self._rows}
        new = [row for row in rows if row.id not in known]
        if new:
            self.beginInsertRows(QModelIndex(), len(self._rows), len(self._rows) + len(new) - 1)
            self._rows += new
            self.endInsertRows()
        else:
            self._total = len(self._rows)

    def replace(self, row: CaseRow) -> None:
        """Show a case's new state where it stands."""
        place = self.row_of(row.id)
        if place is not None:
            self._rows[place] = row
            self.dataChanged.emit(self.index(place), self.index(place))

    @property
    def rows(self) -> Sequence[CaseRow]:
        """What is here."""
        return self._rows

    def row_of(self, case_id: int) -> int | None:
        """Where a case stands, or None while it is not here."""
        return next((i for i, row in enumerate(self._rows) if row.id == case_id), None)

    @property
    def total(self) -> int:
        """How many cases the store has."""
        return self._total


def state_words(row: CaseRow) -> str:
    """A case's state in words, decision first."""
    parts = [f"decided {LABEL_WORDS[row.decision]}"] if row.decision else []
    parts.append(f"model: {LABEL_WORDS[row.label]}" if row.label else "not analysed yet")
    if row.score is not None:
        parts.append(f"score {score_words(row.score)}")
    if row.flags:
        parts.append(f"{row.flags} flag{'s' if row.flags > 1 else ''}")
    return ", ".join(parts)


class _CaseDelegate(QStyledItemDelegate):
    """Two lines a case: its name and decision; below, the model's word, score and flags."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, 52)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: CaseRow = index.data(CaseRole)
        theme = self.theme
        rect: QRect = option.rect
        state = option.state
        font: QFont = option.font
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(theme.selected))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(theme.hover))
        color = QColor(label_color(theme, row.label))
        painter.fillRect(rect.left(), rect.top() + 5, 4, rect.height() - 10, color)
        inner = rect.adjusted(14, 7, -10, -6)
        top = QRect(inner.left(), inner.top(), inner.width(), inner.height() // 2)
        below = QRect(inner.left(), inner.top() + inner.height() // 2, inner.width(), inner.height() // 2)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        decision = f"✓ {LABEL_WORDS[row.decision]}" if row.decision else ""
        painter.setFont(font)
        painter.setPen(QColor(label_color(theme, row.decision)))
        painter.drawText(top, right, decision)
        taken = painter.fontMetrics().horizontalAdvance(decision) + 10 if decision else 0
        name_font = QFont(font)
        name_font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(name_font)
        painter.setPen(QColor(theme.text))
        title = painter.fontMetrics().elidedText(row.title, Qt.TextElideMode.ElideMiddle, top.width() - taken)
        painter.drawText(top, left, title)
        painter.setFont(font)
        painter.setPen(color)
        painter.drawText(below, left, LABEL_WORDS[row.label])
        painter.setPen(QColor(theme.dim))
        said = painter.fontMetrics().horizontalAdvance(LABEL_WORDS[row.label]) + 10
        facts = painter.fontMetrics().elidedText(_facts(row), Qt.TextElideMode.ElideLeft, below.width() - said)
        painter.drawText(below, right, facts)
        painter.restore()


def _facts(row: CaseRow) -> str:
    parts = []
    if row.images > 1:
        parts.append(f"{row.images} images")
    if row.score is not None:
        parts.append(f"score {score_words(row.score)}")
    if row.flags:
        parts.append(f"⚑ {row.flags}")
    return "   ".join(parts)


class WorklistPanel(QWidget):
    """The list with its order, its search, and the buttons that analyse."""

    case_chosen = Signal(int)
    query_changed = Signal()
    """Another order or search: the first page is wanted."""
    more_wanted = Signal(int)
    analyse_selection = Signal()
    analyse_all = Signal()

    def __init__(self, theme: Theme) -> None:
        """An empty list."""
        super().__init__()
        self.setObjectName("panel")
        self.model = WorklistModel(self.more_wanted.emit)
        self._delegate = _CaseDelegate(theme)
        self._order = QComboBox()
        for order, words in ORDERS:
            self._order.addItem(words, order)
        self._order.setAccessibleName("Order of the worklist")
        self._search = QLineEdit()
        self._search.setPlaceholderText("Search")
        self._search.setClearButtonEnabled(True)
        self._search.setAccessibleName("Search in the worklist")
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(self._delegate)
        self.list.setMouseTracking(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setAccessibleName("Worklist")
        self._chosen: int | None = None
        self._place = 0
        """The row where the reader chose the current case; the case itself may have moved since."""
        self._count = QLabel("")
        self._count.setObjectName("dim")
        self._selected_button = QPushButton("Analyse selected")
        self._all_button = QPushButton("Analyse all new")
        buttons = QHBoxLayout()
        buttons.addWidget(self._selected_button)
        buttons.addWidget(self._all_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        heading = QLabel("Worklist")
        heading.setObjectName("heading")
        layout.addWidget(heading)
        layout.addWidget(self._order)
        layout.addWidget(self._search)
        layout.addWidget(self.list, 1)
        layout.addWidget(self._count)
        layout.addLayout(buttons)
        self._order.currentIndexChanged.connect(self._on_query)
        self._search.textChanged.connect(self._on_query)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self._selected_button.clicked.connect(self.analyse_selection)
        self._all_button.clicked.connect(self.analyse_all)

    @property
    def order(self) -> Order:
        """The order that is chosen."""
        order: Order = self._order.currentData()
        return order

    @property
    def search(self) -> str:
        """What is searched for."""
        return self._search.text().strip()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._delegate.theme = theme
        self.list.viewport().update()

    def show_rows(self, rows: list[CaseRow], total: int, current: int | None) -> None:
        """Show a first page, keeping the current case chosen without opening it again."""
        selection = self.list.selectionModel()
        selection.blockSignals(True)
        self.model.reset(rows, total)
        if current is not None and (row := self.model.row_of(current)) is not None:
            self.list.setCurrentIndex(self.model.index(row))
            self.list.scrollTo(self.model.index(row))
            if current != self._chosen:
                self._chosen, self._place = current, row
        selection.blockSignals(False)
        self._all_button.setEnabled(total > 0)
        self._selected_button.setEnabled(total > 0)
        self._show_count()
        self.list.viewport().update()

    @Slot(object)
    def update_row(self, row: CaseRow) -> None:
        """Show a case's new state where it stands, so that the list does not jump while it is read."""
        self.model.replace(row)
        self._show_count()

    def _show_count(self) -> None:
        rows, total = self.model.rows, self.model.total
        words = f"{total} case{'s' if total != 1 else ''}"
        if total <= len(rows):
            decided = sum(row.decision is not None for row in rows)
            unsure = sum(row.label == "not_sure" and row.decision is None for row in rows)
            words += f"  ·  {unsure} not sure  ·  {decided} decided"
        self._count.setText(words)

    def selected_ids(self) -> list[int]:
        """Ids of the selected cases, in the list's order."""
        rows = sorted(index.row() for index in self.list.selectedIndexes())
        return [self.model.index(row).data(CaseRole).id for row in rows]

    def choose(self, case_id: int) -> None:
        """Make a case current, which opens it."""
        row = self.model.row_of(case_id)
        if row is not None:
            self.list.setCurrentIndex(self.model.index(row))

    def following(self) -> int | None:
        """The case after the chosen one, or None at the end."""
        row = self.list.currentIndex().row() + 1
        return int(self.model.index(row).data(CaseRole).id) if 0 < row < self.model.rowCount() else None

    def step(self, by: int) -> None:
        """Go to the next or previous case as the list stands.

        A decided case that has moved, since the list was sorted anew, is left for the one that followed it before.
        """
        count = self.model.rowCount()
        if count:
            current = self.list.currentIndex()
            wanted = current.row() + by
            if current.isValid() and current.row() != self._place and current.data(CaseRole).decision:
                wanted = self._place + (by - 1 if by > 0 else by)
            self.list.setCurrentIndex(self.model.index(min(count - 1, max(0, wanted))))

    @Slot()
    def _on_query(self) -> None:
        self.query_changed.emit()

    @Slot(QModelIndex, QModelIndex)
    def _on_current(self, current: QModelIndex, _: QModelIndex) -> None:
        if current.isValid():
            self._chosen, self._place = current.data(CaseRole).id, current.row()
            self.case_chosen.emit(self._chosen)
