"""The study in a table: its score, each breast's, each view's, and the findings on it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QHeaderView, QLabel, QTreeView, QVBoxLayout, QWidget

from pathview.gui.case_state import CaseState
from pathview.gui.panels.study_model import Line, StudyModel, study_lines
from pathview.gui.theme import Theme
from pathview.review.records.study import RULE, StudyRow, study_rows


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
        self.model = StudyModel(self)
        self.table = QTreeView()
        self.table.setModel(self.model)
        self.table.setHeaderHidden(True)
        self.table.setRootIsDecorated(False)
        self.table.setIndentation(0)
        self.table.setUniformRowHeights(True)
        self.table.setAccessibleName("Results of the study")
        header = self.table.header()
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
        layout.addWidget(self.table, 1)
        self._shown: object = None
        self.table.selectionModel().currentChanged.connect(self._on_current)
        self.table.clicked.connect(self._on_clicked)
        self.hide()

    def show_state(self, state: CaseState) -> None:
        """Fill the table anew where something in it changed."""
        detail = state.detail
        images = detail.images if detail is not None else ()
        views = {image.id: state.view_of(image.id) for image in images}
        findings = {image_id: view.findings for image_id, view in views.items()}
        with QSignalBlocker(self):  # what is shown was not chosen in the table
            self.setVisible(detail is not None and (len(images) > 1 or any(findings.values())))
            if self.isHidden():
                self._shown = None
                self._fill((), [])  # nothing of the case before stays, not even where it cannot be seen
                return
            shown = (detail, findings, {image_id: view.breast_box for image_id, view in views.items()}, self.theme)
            if shown != self._shown:
                self._shown = shown
                rows = study_rows(images)
                hidden = detail is not None and bool(detail.case.hidden)
                self._fill(rows, study_lines(rows, state, self.theme, hidden))
            self._choose(state)

    def _fill(self, rows: tuple[StudyRow, ...], lines: list[Line]) -> None:
        self.model.show_lines(lines)
        for number, line in enumerate(lines):
            if line.spans:
                self.table.setFirstColumnSpanned(number, QModelIndex(), True)
        several = sum(row.kind == "view" for row in rows) > 1
        flags = [flag.sentence for row in rows if several and row.kind == "breast" for flag in row.flags]
        self._flags.setText("\n".join(flags))
        self._flags.setVisible(bool(flags))

    def _choose(self, state: CaseState) -> None:
        active = (state.active, None) if state.active is not None else None
        wanted = state.finding or active
        row = self.model.row_of(wanted) if wanted is not None else None
        if row is not None and row != self.table.currentIndex().row():
            self.table.setCurrentIndex(self.model.index(row, 0))

    @Slot(QModelIndex, QModelIndex)
    def _on_current(self, index: QModelIndex, _: QModelIndex) -> None:
        place = self.model.lines[index.row()].place if index.isValid() else None
        if place is None:
            return
        if place[1] is None:
            self.image_chosen.emit(place[0])
        else:
            self.finding_chosen.emit(*place)

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        """Go there again, also where the row was the current one before."""
        place = self.model.lines[index.row()].place
        if place is not None and place[1] is not None:
            self.finding_chosen.emit(*place)
