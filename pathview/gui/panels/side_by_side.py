"""What several readers decided, side by side, for the one who arbitrates; where they differ stands out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pathview.gui.theme import LABEL_WORDS
from pathview.review.records.case import DecisionRow

if TYPE_CHECKING:  # the window starts without the library that reads forms
    from pathview.review.records.forms import Form

_MOST = 3
"""Readers that fit side by side."""


class SideBySide(QWidget):
    """A column for each reader, a row for each question."""

    replay_asked = Signal(object)
    """The :class:`DecisionRow` whose screen is to be shown."""

    def __init__(self) -> None:
        """Nobody yet."""
        super().__init__()
        self.setAccessibleName("What the readers decided")
        self.setObjectName("panel")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(12, 10, 12, 0)
        heading = QLabel("What the readers decided")
        heading.setObjectName("heading")
        self._layout.addWidget(heading)
        self._table = QWidget()
        self._layout.addWidget(self._table)
        self._shown: tuple[DecisionRow, ...] = ()

    def show_decisions(self, decisions: Sequence[DecisionRow], form: Form) -> None:
        """Show what stands of each reader; ``decisions``: all of a case."""
        if tuple(decisions) == self._shown:
            return
        self._shown = tuple(decisions)
        self._layout.removeWidget(self._table)
        self._table.hide()
        self._table.deleteLater()
        self._table = QWidget()
        self._table.setObjectName("sides")
        self._layout.addWidget(self._table)
        standing = standing_of(decisions)[-_MOST:]
        grid = QGridLayout(self._table)
        grid.setContentsMargins(0, 2, 0, 4)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        for column, row in enumerate(standing, start=1):
            grid.setColumnStretch(column, 1)
            grid.addWidget(_label(row.reader, "name"), 0, column)
        for line, (title, cells) in enumerate(_lines(standing, decisions, form), start=1):
            differ = len(set(cells)) > 1 and title not in _NEVER_ALIKE
            grid.addWidget(_label(title, "dim"), line, 0, Qt.AlignmentFlag.AlignTop)
            for column, cell in enumerate(cells, start=1):
                grid.addWidget(
                    _label(cell or "—", "differs" if differ else ""), line, column, Qt.AlignmentFlag.AlignTop
                )
        self._add_buttons(grid, standing)

    def _add_buttons(self, grid: QGridLayout, standing: Sequence[DecisionRow]) -> None:
        line = grid.rowCount()
        for column, row in enumerate(standing, start=1):
            button = QPushButton("Show what\nthey saw")
            button.setObjectName("small")
            button.setAccessibleName(f"Show what {row.reader} saw")
            button.setProperty("decision", row.id)
            button.clicked.connect(self._ask)
            grid.addWidget(button, line, column)

    def _ask(self) -> None:
        wanted = self.sender().property("decision")
        self.replay_asked.emit(next(row for row in self._shown if row.id == wanted))


_NEVER_ALIKE = ("Note", "Reason", "When", "Time")


def standing_of(decisions: Sequence[DecisionRow]) -> list[DecisionRow]:
    """The final decision of each reader that stands, in the order of their names."""
    newest = {row.reader: row for row in decisions if row.stage == "final"}
    return [newest[reader] for reader in sorted(newest) if newest[reader].value is not None]


def _lines(
    standing: Sequence[DecisionRow], decisions: Sequence[DecisionRow], form: Form
) -> list[tuple[str, tuple[str, ...]]]:
    """Title and a cell for each reader; lines that are empty for all are left out."""
    firsts = {row.reader: row for row in decisions if row.stage == "first"}
    lines: list[tuple[str, tuple[str, ...]]] = [
        ("Comes to", tuple(LABEL_WORDS[row.value] for row in standing)),
        *(
            (
                field.title,
                tuple(str(row.answers.get(field.name, "")) if row.form == form.name else "" for row in standing),
            )
            for field in form.fields
            if len(form.fields) > 1
        ),
        ("First read", tuple(_first(firsts.get(row.reader), form) for row in standing)),
        ("Reason", tuple(row.reason for row in standing)),
        ("Note", tuple(row.note for row in standing)),
        ("Time", tuple(f"{row.seconds:.0f} s" if row.seconds else "" for row in standing)),
        ("When", tuple(f"{row.created.astimezone():%d %b %H:%M}" for row in standing)),
    ]
    return [line for line in lines if any(line[1])]


def _first(row: DecisionRow | None, form: Form) -> str:
    if row is None:
        return ""
    return _answer(row, form.decisive.name, form) or LABEL_WORDS[row.value]


def _answer(row: DecisionRow, field: str, form: Form) -> str:
    return str(row.answers.get(field, "")) if row.form == form.name else ""


def _label(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
