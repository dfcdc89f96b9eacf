"""The worklist: a list's cases in an order, paged by the database, each with what may be seen of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.lists import PAGE
from pathview.gui.panels.filter_bar import FilterBar
from pathview.gui.panels.worklist_delegate import CaseDelegate
from pathview.gui.panels.worklist_model import CaseRole, WorklistModel, state_words
from pathview.gui.theme import Theme
from pathview.review.records.case import CaseRow

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.gui.lists import Listing
    from pathview.review.reading.worklist_query import Counts, WorklistQuery

__all__ = ["PAGE", "CaseRole", "WorklistPanel", "state_words"]
_NONE = "No case here.\nChoose another list or state,\nor drop images on the window."
_NONE_YET = "No case yet.\nImages that you open\nare listed here."


class WorklistPanel(QWidget):
    """The list with what is asked of it, and the buttons that analyse."""

    case_chosen = Signal(int)
    query_changed = Signal()
    """Another list, state, order or search: the first page is wanted."""
    more_wanted = Signal(int)
    step_wanted = Signal(int, int)
    """A case, and how many places from it the next one is wanted: it is not among the rows that are here."""
    analyse_selection = Signal()
    analyse_all = Signal()

    def __init__(self, theme: Theme) -> None:
        """An empty list."""
        super().__init__()
        self.setObjectName("panel")
        self.model = WorklistModel(self.more_wanted.emit)
        self.model.setParent(self)  # its timer asks no panel that is gone
        self._delegate = CaseDelegate(theme)
        self.filters = FilterBar()
        self.list = _CaseList()
        self.list.setModel(self.model)
        self.list.setItemDelegate(self._delegate)
        self.query: WorklistQuery | None = None
        """What the rows answer; None: nothing was asked yet."""
        self._counts: Counts | None = None
        self._menu_actions: Sequence[QAction] = ()
        self._chosen: int | None = None
        self._court = False
        """Whether the list is one of arbitration."""
        self._sought = False
        """Whether the current case has not been among the rows since it was opened."""
        self._place = 0
        """The row where the reader chose the current case; the case itself may have moved since."""
        self._count = QLabel("")
        self._count.setObjectName("dim")
        self._count.setWordWrap(True)
        self._selected_button = QPushButton("Analyse selected")
        self._all_button = QPushButton("Analyse all new")
        self._lay_out()
        self.filters.changed.connect(self.query_changed)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self._selected_button.clicked.connect(self.analyse_selection)
        self._all_button.clicked.connect(self.analyse_all)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self._selected_button)
        buttons.addWidget(self._all_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        heading = QLabel("Worklist")
        heading.setObjectName("heading")
        layout.addWidget(heading)
        layout.addWidget(self.filters)
        layout.addWidget(self.list, 1)
        layout.addWidget(self._count)
        layout.addLayout(buttons)

    @property
    def wished(self) -> Mapping[str, Any]:
        """What the reader asks for, as fields of a query."""
        return self.filters.wished

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where the pages begin that are in view."""
        seen = [self.list.indexAt(QPoint(5, y)).row() for y in (2, self.list.viewport().height() - 3)]
        return tuple(sorted({row - row % PAGE for row in (*seen, self._place) if 0 <= row < self.model.total}))

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._delegate.theme = theme
        self.list.viewport().update()

    def offer(self, actions: Sequence[QAction]) -> None:
        """What can be done with the selected cases."""
        self._menu_actions = actions

    # what the store says

    def show_listing(self, listing: Listing, current: int | None) -> None:
        """Show what a query found, keeping the current case chosen without opening it again."""
        selection, bar = self.list.selectionModel(), self.list.verticalScrollBar()
        same, place, stood = listing.query == self.query, bar.value(), self._seen_at
        self.query, self._counts = listing.query, listing.counts
        self._court = any(each.id == listing.query.worklist_id and each.mode == "arbitration" for each in listing.lists)
        self.filters.show_listing(listing)
        self.list.none_words = _NONE_YET if listing.empty else _NONE
        selection.blockSignals(True)
        self.model.reset(listing.pages, listing.counts.total)
        self.list.doItemsLayout()  # before it the bar has no range
        if not self._keep_current(current, shown=not same) and same:
            bar.setValue(place if stood is None else self._as_it_stood(place, stood))
        selection.blockSignals(False)
        self._all_button.setEnabled(not listing.empty)
        self._selected_button.setEnabled(listing.counts.total > 0)
        self._show_count()
        self.list.viewport().update()

    def show_page(self, query: WorklistQuery, offset: int, rows: Sequence[CaseRow]) -> None:
        """Take a page, if it is still this query's."""
        if query == self.query:
            self.model.put(offset, rows)
            if not self.list.currentIndex().isValid() or self._awaited:
                self.list.selectionModel().blockSignals(True)
                self._keep_current(self._chosen, shown=False)
                self.list.selectionModel().blockSignals(False)

    def show_counts(self, counts: Counts) -> None:
        """Show how many cases there are of each state, while the rows stay as they stand."""
        if self.query is not None:
            self._counts = counts
            self.filters.show_counts(counts, self.query)
            self._show_count()

    @property
    def _awaited(self) -> bool:
        """Whether the current case was not among the rows when it was chosen."""
        row: CaseRow | None = self.list.currentIndex().data(CaseRole)
        return self._chosen is not None and (row is None or row.id != self._chosen)

    @property
    def _seen_at(self) -> int | None:
        """Where in the view the current case stands, pixels from its top; None: the reader has it out of sight."""
        place = self.list.visualRect(self.list.currentIndex())
        held = self.list.verticalScrollBar().isSliderDown()
        return place.top() if place.intersects(self.list.viewport().rect()) and not held else None

    def _as_it_stood(self, scrolled: int, stood: int) -> int:
        """What the list is scrolled to for the current case, which may be in another row now, not to move."""
        index, bar = self.list.currentIndex(), self.list.verticalScrollBar()
        here = index.isValid() and not self._awaited
        return bar.value() + self.list.visualRect(index).top() - stood if here else scrolled

    def _keep_current(self, current: int | None, shown: bool) -> bool:
        """Have the case that is open be the current one; whether it was scrolled to, as it is if it is to be ``shown``.

        One that was not here when it was opened is, too, once it comes.
        """
        if current is None:
            return False
        row, sought = self.model.row_of(current), self._sought or current != self._chosen
        self._sought = sought and row is None
        if row is None:
            self._chosen = current
            return False
        self.list.setCurrentIndex(self.model.index(row))
        if shown or sought:
            self.list.scrollTo(self.model.index(row))
        if current != self._chosen:
            self._chosen, self._place = current, row
        return shown or sought

    @Slot(object)
    def update_row(self, row: CaseRow) -> None:
        """Show a case's new state where it stands, so that the list does not jump while it is read."""
        self.model.replace(row)

    def _show_count(self) -> None:
        if self._counts is None:
            return
        total, states = self._counts.total, self._counts.states
        words = [f"{total:,} case{'s' if total != 1 else ''}"]
        unsure = sum(row.label == "not_sure" and row.decision is None for row in self.model.rows)
        if unsure and len(self.model.rows) == total:
            words.append(f"{unsure} not sure")
        differ = states.get("arbitration", 0)
        # Readers differ on what they have decided; only where it was sent to be arbitrated is it still to be done.
        decided = states.get("decided", 0) + (0 if self._court else differ)
        told = f", {differ:,} differ" if differ else ""
        words.append(f"{decided:,} decided{told}")
        self._count.setText("  ·  ".join(words))

    # what the reader does

    def selected(self) -> tuple[list[int], list[range]]:
        """Ids of the selected cases that are here, in the list's order, and the selected rows that are not."""
        chosen = self.list.selectionModel().selection()
        parts = sorted((chosen.at(number).top(), chosen.at(number).bottom() + 1) for number in range(chosen.size()))
        return self.model.known([range(*part) for part in parts])

    def choose(self, case_id: int) -> None:
        """Make a case current, which opens it."""
        row = self.model.row_of(case_id)
        if row is not None:
            self.list.setCurrentIndex(self.model.index(row))

    def follow(self, case_id: int) -> None:
        """A case was opened from elsewhere: choose it where it stands, without opening it again."""
        self.list.selectionModel().blockSignals(True)
        self._keep_current(case_id, shown=True)
        self.list.selectionModel().blockSignals(False)
        self.list.viewport().update()
        if self._sought:
            self.query_changed.emit()

    def following(self) -> int | None:
        """The case after the chosen one, or None at the end."""
        row = self.list.currentIndex().row() + 1
        return int(self.model.index(row).data(CaseRole).id) if row > 0 and self.model.has(row) else None

    def step(self, by: int) -> None:
        """Go to the next or previous case as the list stands.

        A decided case that has moved, since the list was sorted anew, is left for the one that followed it before.
        """
        current = self.list.currentIndex()
        if not self.model.total:
            return
        if not current.isValid() or self._awaited:
            if self._chosen is not None:
                self.step_wanted.emit(self._chosen, by)
            return
        wanted = current.row() + by
        if current.row() != self._place and current.data(CaseRole).decision:
            wanted = self._place + (by - 1 if by > 0 else by)
        wanted = min(self.model.total - 1, max(0, wanted))
        if self.model.has(wanted):
            self.list.setCurrentIndex(self.model.index(wanted))
        else:  # what was decided since may have moved cases across the edge of the page
            self._place = wanted
            self.step_wanted.emit(current.data(CaseRole).id, by)

    @Slot(QModelIndex, QModelIndex)
    def _on_current(self, current: QModelIndex, _: QModelIndex) -> None:
        row: CaseRow | None = current.data(CaseRole) if current.isValid() else None
        if row is not None:
            self._chosen, self._place, self._sought = row.id, current.row(), False
            self.case_chosen.emit(row.id)

    @Slot(QPoint)
    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.addActions(list(self._menu_actions))
        menu.popup(self.list.viewport().mapToGlobal(at))


class _CaseList(QListView):
    """Says what to do where there is no case."""

    def __init__(self) -> None:
        super().__init__()
        self.none_words = _NONE_YET
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName("Worklist")

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.model() is not None and self.model().rowCount() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().placeholderText().color())
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, self.none_words)
            painter.end()
