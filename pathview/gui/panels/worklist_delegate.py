"""How a case is painted in the worklist."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from pathview.gui.panels.worklist_model import STATE_WORDS, CaseRole, Index, hidden_words
from pathview.gui.theme import LABEL_WORDS, Theme, label_color
from pathview.results.result import score_words
from pathview.review.records.case import CaseRow

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_HEIGHT = 52
_GAP = "   "
_LEAST_OF_NAME = 4
"""Letters, the dots among them; fewer tell nobody."""


class CaseDelegate(QStyledItemDelegate):
    """Two lines a case: its name and how far the reader is; below, the model's word, score and flags."""

    def __init__(self, theme: Theme) -> None:
        """Paint in these colours."""
        super().__init__()
        self.theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All rows are equally high."""
        return QSize(120, _HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row; one that is not here yet is left empty."""
        row: CaseRow | None = index.data(CaseRole)
        rect: QRect = option.rect
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(self.theme.selected))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(self.theme.hover))
        inner = rect.adjusted(14, 7, -10, -6)
        half = inner.height() // 2
        if row is None:
            painter.setPen(QColor(self.theme.dim))
            painter.drawText(inner, _LEFT, "…")
        else:
            self._paint_name(painter, QRect(inner.left(), inner.top(), inner.width(), half), row, option.font)
            below = QRect(inner.left(), inner.top() + half, inner.width(), half)
            self._paint_facts(painter, rect, below, row, option.font)
        painter.restore()

    def _paint_name(self, painter: QPainter, rect: QRect, row: CaseRow, font: QFont) -> None:
        words = reader_words(row)
        said = "not_sure" if row.state == "arbitration" else row.decision
        color = label_color(self.theme, said) if said else self.theme.dim
        painter.setFont(font)
        painter.setPen(QColor(color))
        painter.drawText(rect, _RIGHT, words)
        taken = painter.fontMetrics().horizontalAdvance(words) + 10 if words else 0
        name_font = QFont(font)
        name_font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(name_font)
        painter.setPen(QColor(self.theme.text))
        title = painter.fontMetrics().elidedText(row.title, Qt.TextElideMode.ElideMiddle, rect.width() - taken)
        painter.drawText(rect, _LEFT, title)

    def _paint_facts(self, painter: QPainter, whole: QRect, rect: QRect, row: CaseRow, font: QFont) -> None:
        hidden = bool(row.hidden)
        color = QColor(self.theme.border if hidden else label_color(self.theme, row.label))
        painter.fillRect(whole.left(), whole.top() + 5, 4, whole.height() - 10, color)
        said = hidden_words(row) if hidden else LABEL_WORDS[row.label]
        painter.setFont(font)
        painter.setPen(QColor(self.theme.dim) if hidden else color)
        painter.drawText(rect, _LEFT, said)
        painter.setPen(QColor(self.theme.dim))
        left = rect.width() - painter.fontMetrics().horizontalAdvance(said) - 10
        painter.drawText(rect, _RIGHT, fitted_facts(row, painter.fontMetrics(), left))


def reader_words(row: CaseRow) -> str:
    """How far the reader is, short."""
    if row.state == "arbitration":
        return "≠ differ"
    if row.decision:
        return f"✓ {LABEL_WORDS[row.decision]}"
    if row.state == "first_locked":
        return "locked"
    return STATE_WORDS[row.state] if row.state == "in_reading" and row.mode != "assisted" else ""


def fitted_facts(row: CaseRow, metrics: QFontMetrics, width: int) -> str:
    """What is known of a case, as far as it fits: the reader's name is shortened, of figures none is cut in two."""
    figures = [f"{row.images} images"] if row.images > 1 else []
    figures += [f"score {score_words(row.score)}"] if row.score is not None else []
    figures += [f"⚑ {row.flags}"] if row.flags else []
    while figures and metrics.horizontalAdvance(_GAP.join(figures)) > width:
        figures.pop(0)
    name, told = row.assigned_to or "", _GAP.join(figures)
    if not name:
        return told
    taken = metrics.horizontalAdvance(_GAP + told) if told else 0
    short = metrics.elidedText(name, Qt.TextElideMode.ElideRight, width - taken)
    return _GAP.join(filter(None, [short if len(short) >= min(len(name), _LEAST_OF_NAME) else "", told]))
