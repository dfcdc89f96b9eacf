"""The study in a table: its score, each breast's, each view's, and the findings on it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QHeaderView, QLabel, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from pathview.gui.case_state import CaseState
from pathview.gui.panels.ai_panel import area_words
from pathview.gui.theme import LABEL_WORDS, Theme, label_color
from pathview.results.findings import place_words
from pathview.results.result import score_words
from pathview.review.study import RULE, StudyRow, study_rows

_PLACE = Qt.ItemDataRole.UserRole
_NO_SIDE = "Side not told"
_MOST_FINDINGS = 12
"""Findings listed of a view, the surest first; the rest is counted."""
_INDENT = {"case": "", "breast": " ", "view": "   ", "finding": "      "}


class StudyPanel(QWidget):
    """Follows the reading room; choosing a row chooses its image, or points its finding out."""

    image_chosen = Signal(int)
    finding_chosen = Signal(int, int)
    """Image id and number of the finding."""

    def __init__(self, theme: Theme) -> None:
        """Hidden: nothing to list."""
        super().__init__()
        self.setObjectName("panel")
        self.theme = theme
        self._tree = QTreeWidget()
        self._tree.setColumnCount(3)
        self._tree.setHeaderHidden(True)
        self._tree.setRootIsDecorated(False)
        self._tree.setIndentation(0)
        self._tree.setUniformRowHeights(True)
        self._tree.setAccessibleName("Results of the study")
        header = self._tree.header()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(False)
        self._heading = QLabel("Study")
        self._heading.setObjectName("heading")
        self._heading.setToolTip(RULE)
        self._flags = QLabel("")
        self._flags.setWordWrap(True)
        self._flags.setObjectName("flag")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(4)
        layout.addWidget(self._heading)
        layout.addWidget(self._flags)
        layout.addWidget(self._tree, 1)
        self._shown: object = None
        self._hidden = False
        """Whether the model's result is hidden: then nothing stands where its words would, not even "new"."""
        self._tree.currentItemChanged.connect(self._on_current)
        self._tree.itemClicked.connect(self._on_clicked)
        self.hide()

    def show_state(self, state: CaseState) -> None:
        """Fill the table anew where something in it changed."""
        detail = state.detail
        images = detail.images if detail is not None else ()
        self._hidden = detail is not None and bool(detail.case.hidden)
        views = {image.id: state.view_of(image.id) for image in images}
        findings = {image_id: view.findings for image_id, view in views.items()}
        self.setVisible(detail is not None and (len(images) > 1 or any(findings.values())))
        shown = (detail, findings, {image_id: view.breast_box for image_id, view in views.items()}, self.theme)
        if self.isHidden():
            self._shown = None
            self._tree.clear()  # nothing of the case before stays, not even where it cannot be seen
            self._flags.setText("")
            return
        self._tree.blockSignals(True)
        if shown != self._shown:
            self._shown = shown
            self._fill(study_rows(images), state)
        self._choose(state)
        self._tree.blockSignals(False)

    def _fill(self, rows: tuple[StudyRow, ...], state: CaseState) -> None:
        self._tree.clear()
        flags = []
        alone = sum(row.kind == "view" for row in rows) == 1
        sided = any(row.kind == "breast" for row in rows)
        for row in rows:
            if alone and row.kind != "view":
                continue
            flags += [flag.sentence for flag in row.flags if row.kind == "breast"]
            if sided and row.kind == "view" and row.side is None:
                sided = False
                self._add_row(StudyRow("breast", _NO_SIDE, None, None, None, None, counts=False))
            self._add_row(row)
            if row.image_id is not None:
                self._add_findings(row.image_id, state)
        self._flags.setText("\n".join(flags))
        self._flags.setVisible(bool(flags))

    def _add_row(self, row: StudyRow) -> None:
        words = LABEL_WORDS[row.label] if row.counts or row.label else "not counted"
        words = "" if self._hidden and row.label is None else words
        words = "" if row.title == _NO_SIDE else words
        score = score_words(row.score) if row.score is not None else ""
        marks = f"  ⚑ {len(row.flags)}" if row.flags else ""
        item = QTreeWidgetItem([_INDENT[row.kind] + row.title, words, score + marks])
        item.setData(0, _PLACE, (row.image_id, None))
        tip = "\n".join([*(flag.sentence for flag in row.flags), *([row.reason] if row.reason else [])])
        for column in range(3):
            item.setToolTip(column, tip or (RULE if row.kind != "view" else ""))
        item.setForeground(1, QColor(label_color(self.theme, row.label)))
        item.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if row.kind != "view":
            font = QFont(self.font())
            font.setBold(True)
            for column in range(3):
                item.setFont(column, font)
        if row.image_id is None:
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        self._tree.addTopLevelItem(item)

    def _add_findings(self, image_id: int, state: CaseState) -> None:
        image = state.image_of(image_id)
        found = state.view_of(image_id).findings or ()
        for finding in found[:_MOST_FINDINGS]:
            breast = state.view_of(image_id).breast_box  # distances are the breast's: not told before it was found
            place = place_words(finding, image.info, breast) if image is not None and breast is not None else ""
            area = area_words(finding.area_mm2) if finding.area_mm2 is not None else f"{finding.area_px:,} px"
            words = f"{_INDENT['finding']}{finding.number}:  {area},  {finding.peak:.2f}"
            item = QTreeWidgetItem([f"{words}  {place.replace(' the chest', '')}"])
            item.setData(0, _PLACE, (image_id, finding.number))
            item.setForeground(0, QColor(self.theme.dim))
            item.setToolTip(0, f"Finding {finding.number}: {area}, largest probability {finding.peak:.2f}. {place}")
            self._tree.addTopLevelItem(item)
            item.setFirstColumnSpanned(True)
        if len(found) > _MOST_FINDINGS:
            rest = QTreeWidgetItem([f"{_INDENT['finding']}and {len(found) - _MOST_FINDINGS} more"])
            rest.setFlags(Qt.ItemFlag.NoItemFlags)
            self._tree.addTopLevelItem(rest)
            rest.setFirstColumnSpanned(True)

    def _choose(self, state: CaseState) -> None:
        wanted = state.finding if state.finding is not None else (state.active, None)
        for number in range(self._tree.topLevelItemCount()):
            item = self._tree.topLevelItem(number)
            if item is not None and item.data(0, _PLACE) == wanted:
                self._tree.setCurrentItem(item)
                return

    @Slot(QTreeWidgetItem, QTreeWidgetItem)
    def _on_current(self, item: QTreeWidgetItem | None, _: QTreeWidgetItem | None) -> None:
        place = item.data(0, _PLACE) if item is not None else None
        if place is None or place[0] is None:
            return
        if place[1] is None:
            self.image_chosen.emit(place[0])
        else:
            self.finding_chosen.emit(*place)

    @Slot(QTreeWidgetItem, int)
    def _on_clicked(self, item: QTreeWidgetItem, _: int) -> None:
        """Go there again, also where the row was the current one before."""
        place = item.data(0, _PLACE)
        if place is not None and place[1] is not None:
            self.finding_chosen.emit(*place)
