"""The rows of a study's table: its score, each breast's, each view's, and the findings on it.

A model of plain records, not items: the table is made anew while a reader clicks in it, and records cannot be freed
twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont

from pathview.gui.case_state import CaseState
from pathview.gui.panels.ai_panel import area_words
from pathview.gui.theme import LABEL_WORDS, Theme, label_color
from pathview.results.findings import place_words
from pathview.results.result import score_words
from pathview.review.records.study import RULE, StudyRow

Index = QModelIndex | QPersistentModelIndex
Place = tuple[int, int | None]
"""Image id, and the number of a finding on it."""
_ROOT = QModelIndex()
_NO_SIDE = "Side not told"
_MOST_FINDINGS = 12
"""Findings listed of a view, the surest first; the rest is counted."""
_INDENT = {"case": "", "breast": " ", "view": "   ", "finding": "      "}
_SCORE = 2


@dataclass(frozen=True)
class Line:
    """One row of the table; ``place``: where choosing it goes, None where nowhere."""

    words: tuple[str, str, str]
    place: Place | None = None
    tip: str = ""
    color: str = ""
    """Of the second cell, of the first in a finding's row; empty: as all text."""
    bold: bool = False
    spans: bool = False
    """Whether its first cell takes the whole row."""
    enabled: bool = True


class StudyModel(QAbstractTableModel):
    """The lines as a table of three columns."""

    def __init__(self, parent: QObject) -> None:
        """Empty."""
        super().__init__(parent)
        self.lines: tuple[Line, ...] = ()

    def show_lines(self, lines: Sequence[Line]) -> None:
        """List other lines."""
        self.beginResetModel()
        self.lines = tuple(lines)
        self.endResetModel()

    def row_of(self, place: Place) -> int | None:
        """The row that goes to a place."""
        return next((row for row, line in enumerate(self.lines) if line.place == place), None)

    def rowCount(self, parent: Index = _ROOT) -> int:
        """How many lines there are."""
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Name, label, score."""
        return 0 if parent.isValid() else 3

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words, tip and looks of a cell."""
        if not index.isValid() or index.row() >= len(self.lines):
            return None
        line, column = self.lines[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return line.words[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return line.tip or None
        if role == Qt.ItemDataRole.ForegroundRole and line.color and (line.spans or column == 1):
            return QColor(line.color)
        if role == Qt.ItemDataRole.TextAlignmentRole and column == _SCORE:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole and line.bold:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """What leads nowhere cannot be chosen."""
        line = self.lines[index.row()] if index.isValid() and index.row() < len(self.lines) else None
        if line is None or not line.enabled:
            return Qt.ItemFlag.NoItemFlags
        chosen = Qt.ItemFlag.ItemIsEnabled
        return chosen if line.place is None else chosen | Qt.ItemFlag.ItemIsSelectable


def study_lines(rows: Sequence[StudyRow], state: CaseState, theme: Theme, hidden: bool) -> list[Line]:
    """The lines of a study; ``hidden``: the model's result is, and not even "new" stands where it would."""
    lines: list[Line] = []
    alone = sum(row.kind == "view" for row in rows) == 1
    sided = any(row.kind == "breast" for row in rows)
    for row in rows:
        if alone and row.kind != "view":
            continue
        if sided and row.kind == "view" and row.side is None:
            sided = False
            lines.append(Line((_INDENT["breast"] + _NO_SIDE, "", ""), tip=RULE, bold=True))
        lines.append(_line_of(row, theme, hidden))
        if row.image_id is not None:
            lines.extend(_finding_lines(row.image_id, state, theme))
    return lines


def _line_of(row: StudyRow, theme: Theme, hidden: bool) -> Line:
    words = LABEL_WORDS[row.label] if row.counts or row.label else "not counted"
    words = "" if hidden and row.label is None else words
    score = score_words(row.score) if row.score is not None else ""
    marks = f"  ⚑ {len(row.flags)}" if row.flags else ""
    tip = "\n".join([*(flag.sentence for flag in row.flags), *([row.reason] if row.reason else [])])
    return Line(
        (_INDENT[row.kind] + row.title, words, score + marks),
        (row.image_id, None) if row.image_id is not None else None,
        tip or (RULE if row.kind != "view" else ""),
        label_color(theme, row.label),
        bold=row.kind != "view",
    )


def _finding_lines(image_id: int, state: CaseState, theme: Theme) -> Iterator[Line]:
    image = state.image_of(image_id)
    found = state.view_of(image_id).findings or ()
    for finding in found[:_MOST_FINDINGS]:
        breast = state.view_of(image_id).breast_box  # distances are the breast's: not told before it was found
        place = place_words(finding, image.info, breast) if image is not None and breast is not None else ""
        area = area_words(finding.area_mm2) if finding.area_mm2 is not None else f"{finding.area_px:,} px"
        words = f"{_INDENT['finding']}{finding.number}:  {area},  {finding.peak:.2f}"
        tip = f"Finding {finding.number}: {area}, largest probability {finding.peak:.2f}. {place}"
        words = f"{words}  {place.replace(' the chest', '')}"
        yield Line((words, "", ""), (image_id, finding.number), tip, theme.dim, spans=True)
    if len(found) > _MOST_FINDINGS:
        rest = f"{_INDENT['finding']}and {len(found) - _MOST_FINDINGS} more"
        yield Line((rest, "", ""), color=theme.dim, spans=True, enabled=False)
