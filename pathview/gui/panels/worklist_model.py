"""The rows of the worklist: as many as the query found, read page by page where they come into view."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, QTimer

from pathview.gui.lists import PAGE
from pathview.gui.theme import LABEL_WORDS
from pathview.results.result import score_words
from pathview.review.records.case import CaseRow, CaseState

Index = QModelIndex | QPersistentModelIndex
CaseRole = Qt.ItemDataRole.UserRole
STATE_WORDS: dict[CaseState, str] = {
    "new": "new",
    "analysed": "analysed",
    "in_reading": "in reading",
    "first_locked": "first read locked",
    "decided": "decided",
    "arbitration": "arbitration",
}
_WAIT_MS = 30
"""So that dragging the scroll bar across a hundred thousand rows reads the pages where it rests."""
_AT_ONCE = 2


class WorklistModel(QAbstractListModel):
    """Rows that are here, and room for all others."""

    def __init__(self, fetch: Callable[[int], None]) -> None:
        """``fetch(offset)`` asks for the page that begins there, which comes by :meth:`put`."""
        super().__init__()
        self._rows: dict[int, CaseRow] = {}
        self._before: dict[int, CaseState] = {}
        """States of cases that changed since they were read."""
        self._total = 0
        self._fetch = fetch
        self._wanted: list[int] = []
        self._asked: set[int] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._ask)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        """All rows that the query found."""
        return 0 if parent.isValid() else self._total

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words for screen readers, the row itself for the delegate; a row that is not here yet is asked for."""
        row = self._rows.get(index.row())
        if row is None:
            self._want(index.row())
            return "…" if role == Qt.ItemDataRole.DisplayRole else None
        if role == CaseRole:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{row.title}: {state_words(row)}"
        return None

    def reset(self, pages: Mapping[int, Sequence[CaseRow]], total: int) -> None:
        """Begin anew with some pages."""
        self.beginResetModel()
        self._rows = {start + n: row for start, rows in pages.items() for n, row in enumerate(rows)}
        self._total = total
        self._wanted, self._asked, self._before = [], set(), {}
        self.endResetModel()

    def put(self, offset: int, rows: Sequence[CaseRow]) -> None:
        """Take a page."""
        self._asked.discard(offset)
        self._rows |= {offset + n: row for n, row in enumerate(rows)}
        if rows:
            self.dataChanged.emit(self.index(offset), self.index(offset + len(rows) - 1))

    def replace(self, row: CaseRow) -> None:
        """Show a case's new state where it stands."""
        place = self.row_of(row.id)
        if place is not None:
            self._before.setdefault(row.id, self._rows[place].state)
            self._rows[place] = row
            self.dataChanged.emit(self.index(place), self.index(place))

    @property
    def rows(self) -> Sequence[CaseRow]:
        """What is here, in the list's order."""
        return [self._rows[place] for place in sorted(self._rows)]

    def row_of(self, case_id: int) -> int | None:
        """Where a case stands, or None while it is not here."""
        return next((place for place, row in self._rows.items() if row.id == case_id), None)

    def was(self, case_id: int) -> CaseState | None:
        """The state by which a case has its place; None: the one that is shown."""
        return self._before.get(case_id)

    def has(self, place: int) -> bool:
        """Whether a row is here."""
        return place in self._rows

    def known(self, wanted: Iterable[range]) -> tuple[list[int], list[range]]:
        """Ids of the cases in these rows that are here, and the stretches of rows that are not."""
        ids: list[int] = []
        missing: list[range] = []
        for place in chain.from_iterable(wanted):
            if place in self._rows:
                ids.append(self._rows[place].id)
            elif missing and missing[-1].stop == place:
                missing[-1] = range(missing[-1].start, place + 1)
            else:
                missing.append(range(place, place + 1))
        return ids, missing

    @property
    def total(self) -> int:
        """How many cases the query found."""
        return self._total

    def _want(self, place: int) -> None:
        start = place - place % PAGE
        if start in self._asked:
            return
        if start in self._wanted:
            self._wanted.remove(start)
        self._wanted.append(start)
        self._timer.start()

    def _ask(self) -> None:
        """Ask for the pages that were wanted last; those before have been scrolled past."""
        for start in self._wanted[-_AT_ONCE:]:
            self._asked.add(start)
            self._fetch(start)
        self._wanted = []


def state_words(row: CaseRow) -> str:
    """A case's state in words, the reader's part first; nothing of the model where it is hidden."""
    parts = [f"decided {LABEL_WORDS[row.decision]}"] if row.decision else []
    if row.state in ("in_reading", "first_locked", "arbitration"):
        parts.append(STATE_WORDS[row.state])
    if row.hidden:
        parts.append(hidden_words(row))
        parts.append("an analysis has run" if row.ran else "not analysed yet")
    else:
        parts.append(f"model: {LABEL_WORDS[row.label]}" if row.label else "not analysed yet")
    if row.score is not None:
        parts.append(f"score {score_words(row.score)}")
    if row.flags:
        parts.append(f"{row.flags} flag{'s' if row.flags > 1 else ''}")
    if row.assigned_to:
        parts.append(f"assigned to {row.assigned_to}")
    return ", ".join(parts)


def hidden_words(row: CaseRow) -> str:
    """What stands where the model's word would."""
    if row.mode == "arbitration":
        return "not yours" if row.assigned_to else "to be assigned"
    return "read blind" if row.mode == "blind" else "read first"
