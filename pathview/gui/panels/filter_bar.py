"""Which list, which of its cases, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLineEdit, QMenu, QPushButton, QWidget

from pathview.gui.actions import by_digit
from pathview.gui.panels.worklist_model import STATE_WORDS
from pathview.review.records.case import Order
from pathview.review.records.modes import MODE_NAMES, MODE_WORDS

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.gui.lists import Listing
    from pathview.review.reading.worklist import Worklist
    from pathview.review.reading.worklist_query import Counts, WorklistQuery

ORDERS: tuple[tuple[Order, str], ...] = (
    ("uncertain", "Not sure first"),
    ("score", "Highest score first"),
    ("newest", "Newest first"),
    ("date", "Latest study first"),
    ("name", "By name"),
    ("random", "In random order"),
)
_REFUSED = "It would tell what the model says, which is hidden here until the case is read."


class FilterBar(QWidget):
    """Says what the reader wishes; what the list allows of it is shown once the store has answered."""

    changed = Signal()
    save_view_asked = Signal()
    view_deleted = Signal(str)

    def __init__(self) -> None:
        """All cases, the ones that the model is not sure of first where that is allowed."""
        super().__init__()
        self._wished: dict[str, Any] = {"order": "uncertain"}
        """Fields of the query; those that a saved view has beyond the boxes too."""
        self._views: dict[str, Mapping[str, Any]] = {}
        self._damaged: tuple[str, ...] = ()
        self.lists, self.states, self.orders = QComboBox(), QComboBox(), QComboBox()
        for box, name in ((self.lists, "Worklist"), (self.states, "State"), (self.orders, "Order of the worklist")):
            box.setAccessibleName(name)
            box.setMinimumContentsLength(8)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.lists.addItem("All cases", None)
        self.states.addItem("Any state", None)
        for order, words in ORDERS:
            self.orders.addItem(words, order)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search in the worklist")
        self.mine = QCheckBox("Assigned to me")
        self.views = QPushButton("Views")
        self.views.setToolTip("List, filters, search and order under a name")
        self._menu = QMenu(self)
        self.views.setMenu(self._menu)
        self._menu.aboutToShow.connect(self._fill_menu)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        grid.addWidget(self.lists, 0, 0, 1, 2)
        grid.addWidget(self.search, 1, 0, 1, 2)
        grid.addWidget(self.states, 2, 0)
        grid.addWidget(self.orders, 2, 1)
        grid.addWidget(self.mine, 3, 0)
        grid.addWidget(self.views, 3, 1, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        self.lists.currentIndexChanged.connect(lambda _: self._wish("worklist_id", self.lists.currentData()))
        self.states.currentIndexChanged.connect(lambda _: self._wish("state", self.states.currentData()))
        self.orders.activated.connect(lambda _: self._wish("order", self.orders.currentData()))
        self.search.textChanged.connect(lambda text: self._wish("search", text.strip()))
        self.mine.toggled.connect(lambda on: self._wish("assigned", "me" if on else "anyone"))

    @property
    def wished(self) -> Mapping[str, Any]:
        """Fields of a :class:`pathview.review.reading.worklist_query.WorklistQuery`."""
        return self._wished

    @property
    def worklist_id(self) -> int | None:
        """The list that is chosen; None: all cases."""
        return cast("int | None", self._wished.get("worklist_id"))

    def choose_list(self, worklist_id: int | None) -> None:
        """Show another list."""
        if worklist_id != self.worklist_id:
            self._wish("worklist_id", worklist_id)

    def _wish(self, name: str, value: Any) -> None:
        self._wished[name] = value
        self.changed.emit()

    # what the store says

    def show_listing(self, listing: Listing) -> None:
        """Show lists with their modes, states with counts, and which orders are possible."""
        query = listing.query
        if query.worklist_id != self.worklist_id:  # the list has gone
            self._wished["worklist_id"] = query.worklist_id
        self._views = {view.name: view.query.as_json() for view in listing.views if view.query is not None}
        self._damaged = tuple(view.name for view in listing.views if view.query is None)
        for box in (self.lists, self.states, self.orders, self.mine, self.search):
            box.blockSignals(True)
        self.lists.clear()
        self.lists.addItem(f"All cases  ({sum(listing.sizes.values()):,})", None)
        for each in listing.lists:
            self.lists.addItem(_list_words(each, listing.sizes.get(each.id, 0)), each.id)
            self.lists.setItemData(self.lists.count() - 1, _list_tip(each, listing), Qt.ItemDataRole.ToolTipRole)
        self.lists.setCurrentIndex(max(0, self.lists.findData(query.worklist_id)))
        self.lists.setToolTip(str(self.lists.currentData(Qt.ItemDataRole.ToolTipRole) or "Every case of every list"))
        self._show_orders(listing.orders, query)
        self.show_counts(listing.counts, query)
        self.mine.setChecked(query.assigned == "me")
        if self.search.text().strip() != query.search:
            self.search.setText(query.search)
        for box in (self.lists, self.states, self.orders, self.mine, self.search):
            box.blockSignals(False)

    def show_counts(self, counts: Counts, query: WorklistQuery) -> None:
        """Show how many cases there are of each state."""
        self.states.blockSignals(True)
        self.states.clear()
        self.states.addItem(f"Any state  ({sum(counts.states.values()):,})", None)
        for state, words in STATE_WORDS.items():
            count = counts.states.get(state, 0)
            if count or state == query.state:
                self.states.addItem(f"{words.capitalize()}  ({count:,})", state)
        self.states.setCurrentIndex(max(0, self.states.findData(query.state)))
        self.states.blockSignals(False)

    def _show_orders(self, allowed: tuple[Order, ...], query: WorklistQuery) -> None:
        model = self.orders.model()
        assert isinstance(model, QStandardItemModel)
        for number, (order, _) in enumerate(ORDERS):
            item = model.item(number)
            item.setEnabled(order in allowed)
            item.setToolTip("" if order in allowed else _REFUSED)
        self.orders.setCurrentIndex(self.orders.findData(query.order))

    # saved views

    @Slot()
    def _fill_menu(self) -> None:
        self._menu.clear()
        for number, name in enumerate(self._views, start=1):
            entry = self._menu.addAction(by_digit(number, name))
            entry.triggered.connect(lambda _=False, name=name: self._choose_view(name))
        for name in self._damaged:
            self._menu.addAction(f"{name.replace('&', '&&')} (damaged)").setEnabled(False)
        if not self._views and not self._damaged:
            self._menu.addAction("No saved view yet").setEnabled(False)
        self._menu.addSeparator()
        self._menu.addAction("&Save this view...").triggered.connect(self.save_view_asked)
        if self._views:
            gone = self._menu.addMenu("&Delete")
            for number, name in enumerate(self._views, start=1):
                entry = gone.addAction(by_digit(number, name))
                entry.triggered.connect(lambda _=False, name=name: self.view_deleted.emit(name))

    def _choose_view(self, name: str) -> None:
        self._wished = {"order": "newest", **self._views[name]}
        self.changed.emit()


def _list_words(worklist: Worklist, count: int) -> str:
    mode = "closed" if worklist.closed else MODE_NAMES[worklist.mode]
    return f"{worklist.name}  ·  {mode}  ({count:,})"


def _list_tip(worklist: Worklist, listing: Listing) -> str:
    words = f"{MODE_WORDS[worklist.mode]}. Form: {listing.forms.get(worklist.form, worklist.form)}."
    return f"Closed since {worklist.closed:%Y-%m-%d}. {words}" if worklist.closed else words
