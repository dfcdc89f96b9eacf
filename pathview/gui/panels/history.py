"""Who said what of a case before, the newest first; what they saw can be shown again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.panels.form_view import answer_words
from pathview.gui.theme import LABEL_WORDS, Theme, label_color
from pathview.review.records.case import DecisionRow

if TYPE_CHECKING:  # the window starts without the library that reads forms
    from pathview.review.records.forms import Form

STAGE_WORDS = {"first": "first read", "final": "decision", "arbitration": "arbitration"}
_ROW, _MOST = 18, 5
"""Height of a row, and as many as are seen without scrolling."""


class HistoryList(QWidget):
    """Assessments as they were made; nothing where there is none."""

    replay_asked = Signal(object)
    """The :class:`DecisionRow` whose screen is to be shown."""

    def __init__(self, theme: Theme) -> None:
        """Hidden."""
        super().__init__()
        self._theme = theme
        heading = QLabel("Assessed before")
        heading.setObjectName("dim")
        self.show_button = QPushButton("Show what was seen")
        self.show_button.setFlat(True)
        self.show_button.setToolTip("The images, the threshold and all that lay over them when this was said")
        self.show_button.clicked.connect(self._ask)
        top = QHBoxLayout()
        top.addWidget(heading, 1)
        top.addWidget(self.show_button)
        self.rows = QTreeWidget()
        self.rows.setColumnCount(3)
        self.rows.setHeaderHidden(True)
        self.rows.setRootIsDecorated(False)
        self.rows.setIndentation(0)
        self.rows.setAccessibleName("Assessments made before")
        self.rows.header().setStretchLastSection(False)
        self.rows.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            self.rows.header().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.rows.itemActivated.connect(self._ask)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.rows)
        self._decisions: tuple[DecisionRow, ...] = ()
        self._form: Form | None = None
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        shown, self._decisions = self._decisions, ()
        self.show_decisions(shown, self._form)

    def show_decisions(self, decisions: Sequence[DecisionRow], form: Form | None) -> None:
        """List them; ``form`` knows the names of answers."""
        if tuple(decisions) == self._decisions:
            return
        self._decisions, self._form = tuple(decisions), form
        self.rows.clear()
        for row in reversed(self._decisions):
            self._add(row, form)
        if (newest := self.rows.topLevelItem(0)) is not None:
            self.rows.setCurrentItem(newest)
        self.rows.setFixedHeight(_ROW * min(_MOST, max(1, len(decisions))) + 6)

    def _add(self, row: DecisionRow, form: Form | None) -> None:
        said = said_of(row, form)
        when = f"{row.created.astimezone():%d %b %H:%M}"
        stage = f"{STAGE_WORDS[row.stage].capitalize()}: " if row.stage != "final" else ""
        item = QTreeWidgetItem([f"{stage}{said}", row.reader, when])
        item.setData(0, Qt.ItemDataRole.UserRole, row.id)
        item.setForeground(0, QColor(label_color(self._theme, row.value)))
        seconds = f", after {row.seconds:.0f} s" if row.seconds else ""
        told = [
            f"{STAGE_WORDS[row.stage].capitalize()} of {row.reader}, {row.created.astimezone():%Y-%m-%d %H:%M}{seconds}"
        ]
        told += [said, *([f"Reason: {row.reason}"] if row.reason else []), *([f"Note: {row.note}"] if row.note else [])]
        for column in range(3):
            item.setToolTip(column, "\n".join(told))
        self.rows.addTopLevelItem(item)

    @Slot()
    def _ask(self) -> None:
        item = self.rows.currentItem()
        chosen = next(
            (row for row in self._decisions if item and row.id == item.data(0, Qt.ItemDataRole.UserRole)), None
        )
        if chosen is not None and chosen.value is not None:
            self.replay_asked.emit(chosen)


def said_of(row: DecisionRow, form: Form | None) -> str:
    """What a decision says, in a line."""
    if row.value is None:
        return "withdrawn"
    known = form if form is not None and form.name == row.form else None
    return answer_words(known, row.answers, LABEL_WORDS[row.value]) if known else LABEL_WORDS[row.value]
