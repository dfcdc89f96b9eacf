"""The page of the preferences where keys are set."""

from __future__ import annotations

from PySide6.QtCore import QKeyCombination, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.actions import ACTIONS, ActionSpec, Keys, conflict, key_words, keys_in_use, plain_text, portable

_COLUMNS = ("Action", "Menu", "Keys", "")


class KeysPage(QWidget):
    """All actions; the first key of the chosen one can be set."""

    edited = Signal()

    def __init__(self, keys: Keys) -> None:
        """``keys``: what differs from the table so far."""
        super().__init__()
        self._keys = dict(keys)
        self._specs = list(ACTIONS)
        self.search = _Search()
        self.search.setPlaceholderText("Find an action or a key")
        self.search.setAccessibleName("Find an action or a key")
        self.search.setClearButtonEnabled(True)
        self.table = _table(len(self._specs))
        self.key = QKeySequenceEdit()
        self.key.setMaximumSequenceLength(1)
        self.key.setFinishingKeyCombinations(_LEAVING)
        self._name = QLabel()
        self._name.setBuddy(self.key)
        self._said = QLabel()
        self._said.setObjectName("problem")
        self._said.setWordWrap(True)
        self._clear = QPushButton("No key")
        self._clear.setToolTip("Take all keys of this action away")
        self._reset = QPushButton("Reset")
        self._reset.setToolTip("The keys that this action came with")
        self._reset_all = QPushButton("Reset all")
        self._lay_out()
        self._fill()
        self._connect()
        self.table.setCurrentCell(0, 0)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self._name, 1)
        for widget in (self.key, self._clear, self._reset, self._reset_all):
            row.addWidget(widget)
        self.key.setMinimumWidth(130)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.search)
        layout.addWidget(self.table, 1)
        layout.addLayout(row)
        layout.addWidget(self._said)
        self._said.setMinimumHeight(self.fontMetrics().height())  # the page does not jump when something is said

    def _connect(self) -> None:
        self.search.textChanged.connect(self._filter)
        self.search.entered.connect(self.table.setFocus)
        self.table.currentCellChanged.connect(self._show_chosen)
        self.table.cellActivated.connect(self._edit_key)
        self.key.editingFinished.connect(self._take_key)
        self._clear.clicked.connect(self._take_keys_away)
        self._reset.clicked.connect(self._reset_chosen)
        self._reset_all.clicked.connect(self._reset_keys)

    @property
    def value(self) -> dict[str, tuple[str, ...]]:
        """What differs from the table."""
        return dict(self._keys)

    @property
    def chosen(self) -> ActionSpec:
        """The action whose key is below."""
        return self._specs[max(0, self.table.currentRow())]

    @property
    def said(self) -> str:
        """Why a key was refused."""
        return self._said.text()

    def choose(self, action: str) -> None:
        """Show an action's key below."""
        self.table.setCurrentCell([spec.id for spec in self._specs].index(action), 0)

    def set_key(self, action: str, key: str) -> str:
        """Set an action's first key; why not, in a sentence, or nothing."""
        if problem := conflict(action, key, self._keys):
            return problem
        wanted = portable(key)
        others = [other for other in keys_in_use(self._keys)[action][1:] if other != wanted]
        self._set(action, (wanted, *others))
        return ""

    def _set(self, action: str, keys: tuple[str, ...]) -> None:
        spec = next(spec for spec in self._specs if spec.id == action)
        self._keys[action] = keys
        if keys == tuple(map(portable, spec.keys)):
            del self._keys[action]
        self._after_change()

    def _after_change(self) -> None:
        self._fill()
        self._show_chosen()
        self.edited.emit()

    def _fill(self) -> None:
        in_use = keys_in_use(self._keys)
        for row, spec in enumerate(self._specs):
            changed = "changed" if spec.id in self._keys else ""
            keys = "  or  ".join(map(key_words, in_use[spec.id]))
            for column, text in enumerate((plain_text(spec), spec.menu, keys, changed)):
                item = self.table.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    self.table.setItem(row, column, item)
                item.setText(text)
        self._reset_all.setEnabled(bool(self._keys))

    @Slot(str)
    def _filter(self, text: str) -> None:
        shown = []
        for row in range(self.table.rowCount()):
            words = " ".join(item.text() for column in range(3) if (item := self.table.item(row, column)))
            self.table.setRowHidden(row, text.strip().lower() not in words.lower())
            if not self.table.isRowHidden(row):
                shown.append(row)
        if shown and self.table.isRowHidden(self.table.currentRow()):
            self.table.setCurrentCell(shown[0], 0)
        self._said.setText("" if shown else "No action has this name or key.")

    @Slot()
    def _show_chosen(self) -> None:
        spec = self.chosen
        self._name.setText(f'First key of "{plain_text(spec)}"')
        self.key.setAccessibleName(f"First key of {plain_text(spec)}")
        self._show_key()
        self._said.setText("")
        self._clear.setEnabled(bool(keys_in_use(self._keys)[spec.id]))
        self._reset.setEnabled(spec.id in self._keys)

    def _show_key(self) -> None:
        own = keys_in_use(self._keys)[self.chosen.id]
        self.key.setKeySequence(QKeySequence(own[0]) if own else QKeySequence())

    @Slot()
    def _edit_key(self) -> None:
        self.key.setFocus()

    @Slot()
    def _take_key(self) -> None:
        """What was pressed; editing also ends when the reader leaves without a key."""
        key = self.key.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        own = keys_in_use(self._keys)[self.chosen.id]
        if not key or own[:1] == (key,):
            self._show_key()
            return
        problem = self.set_key(self.chosen.id, key)
        if problem:
            self._show_key()
        self._said.setText(problem)

    @Slot()
    def _take_keys_away(self) -> None:
        self._set(self.chosen.id, ())
        self.key.setFocus()

    @Slot()
    def _reset_chosen(self) -> None:
        """The keys of the table again, where nothing else has them now."""
        spec = self.chosen
        rest = {action: own for action, own in self._keys.items() if action != spec.id}
        problems = (conflict(spec.id, key, rest) for key in spec.keys)
        if problem := next(filter(None, problems), ""):
            self._said.setText(problem)
            return
        self._keys = rest
        self._after_change()
        self.key.setFocus()

    @Slot()
    def _reset_keys(self) -> None:
        self._keys = {}
        self._after_change()
        self.table.setFocus()


class _Search(QLineEdit):
    """Enter goes to what was found; it would press the dialog's OK."""

    entered = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit()
        else:
            super().keyPressEvent(event)


_LEAVING = [
    QKeyCombination(Qt.KeyboardModifier.NoModifier, Qt.Key.Key_Tab),
    QKeyCombination(Qt.KeyboardModifier.ShiftModifier, Qt.Key.Key_Backtab),
]
"""Keys that leave the field; Qt's own list forgets Shift."""


def _table(rows: int) -> QTableWidget:
    table = QTableWidget(rows, len(_COLUMNS))
    table.setAccessibleName("Actions and their keys")
    table.setHorizontalHeaderLabels(_COLUMNS)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for column in (1, 2, 3):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    return table
