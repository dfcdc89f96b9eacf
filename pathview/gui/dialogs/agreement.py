"""The window of agreement: worklist and readers, the figures, and the cases behind each number.

It stays open beside the main window; what it shows is read and reckoned in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, QSize, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QCloseEvent, QPalette, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from pathview.errors import PathViewError
from pathview.gui.job_runner import JobRunner, Work
from pathview.gui.panels.cases_model import CasesModel
from pathview.gui.panels.progress import ProgressLine
from pathview.gui.panels.roc_plot import RocPlot
from pathview.gui.session_handle import SessionHandle
from pathview.jobs import CancelToken, Progress, ProgressSink
from pathview.settings import INVESTIGATIONAL

if TYPE_CHECKING:  # the window is painted before the store and its libraries are loaded
    from pathview.export.agreeing import Agreeing
    from pathview.export.agreement_pages import AgreementPage
    from pathview.review.agreement.agreement import Agreement

ALL = "All worklists"
_ASK = "Choose a worklist and readers, then compare."
_NOBODY = (
    "Nobody has assessed a case yet. Once cases are read, first and final assessments, readers, the model and what "
    "turned out to be true are compared here."
)
_NO_READER = "Tick at least one reader."
_WORKING = "Reading the study ..."
_CANCELLED = "Cancelled."
_BUG = "PathView has a bug here; what happened is in its log. Nothing that was saved is lost."
_HINT = "Enter or a double click opens a case."
_SIZE = QSize(1240, 800)


@dataclass(frozen=True)
class _Found:
    """What a comparison came to."""

    agreement: Agreement
    pages: tuple[AgreementPage, ...]
    titles: dict[int, str]


class AgreementDialog(QDialog):
    """Choices and comparisons on the left, the figures in the middle, the cases behind a number on the right."""

    case_chosen = Signal(int)

    def __init__(self, handle: SessionHandle, parent: QWidget | None = None) -> None:
        """Read nothing until it is shown."""
        super().__init__(parent)
        self.setWindowTitle(f"Agreement  ·  {INVESTIGATIONAL}")
        self._handle = handle
        self._runner = JobRunner("agreement", self)
        self._found: _Found | None = None
        self._make_parts()
        self._lay_out()
        self._connect()
        self._show_words(_ASK)
        self.resize(_SIZE.boundedTo(self.screen().availableSize()))

    def _make_parts(self) -> None:
        self.worklist = QComboBox()
        self.worklist.setAccessibleName("Worklist")
        self.readers = QListWidget()
        self.readers.setAccessibleName("Readers to compare")
        self.readers.setMaximumHeight(130)
        self.compare = QPushButton("Compare")
        self.compare.setObjectName("primary")
        self.compare.setDefault(True)
        self.export = QPushButton("Write report and tables...")
        self.export.setToolTip("The report as HTML and as PDF, and csv files of every number")
        self.export.setAutoDefault(False)
        self.pages = QListWidget()
        self.pages.setAccessibleName("Comparisons")
        self.pages.setWordWrap(True)
        self.text = QTextBrowser()
        self.text.setAccessibleName("Figures")
        self.text.setOpenLinks(False)
        self.plot = RocPlot()
        self.behind = QLabel()
        self.behind.setObjectName("heading")
        self.behind.setWordWrap(True)
        self.cases = QListView()
        self.cases.setAccessibleName("Cases behind the number")
        self.cases.setUniformItemSizes(True)
        self.cases.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.rows = CasesModel(self)
        self.cases.setModel(self.rows)
        self.progress = ProgressLine()
        self.said = _dim("")
        self.said.setWordWrap(True)

    def _lay_out(self) -> None:
        left = _column(
            [_dim("Worklist"), self.worklist, _dim("Readers"), self.readers, self.compare, self.export], self.pages
        )
        middle = QSplitter(Qt.Orientation.Vertical)
        middle.addWidget(self.text)
        middle.addWidget(self.plot)
        middle.setSizes([300, 400])
        middle.setMinimumWidth(460)
        right = _column([self.behind], self.cases)
        below = right.layout()
        assert below is not None
        below.addWidget(_dim(_HINT))
        parts = QSplitter(Qt.Orientation.Horizontal)
        for widget in (left, middle, right):
            parts.addWidget(widget)
        parts.setStretchFactor(1, 1)
        parts.setSizes([260, 720, 260])
        bottom = QHBoxLayout()
        bottom.addWidget(_dim(f"{INVESTIGATIONAL}."))
        bottom.addWidget(self.said, 1)
        bottom.addWidget(self.progress)
        layout = QVBoxLayout(self)
        layout.addWidget(parts, 1)
        layout.addLayout(bottom)

    def _connect(self) -> None:
        self.compare.clicked.connect(self.start)
        self.export.clicked.connect(self._ask_folder)
        self.pages.currentRowChanged.connect(self._show_page)
        self.text.anchorClicked.connect(self._on_link)
        self.cases.activated.connect(self._on_case)
        self.progress.cancelled.connect(self.cancel)

    @property
    def busy(self) -> bool:
        """Whether something is being read or reckoned."""
        return self._runner.busy

    @property
    def chosen_readers(self) -> tuple[str, ...]:
        """Those that are ticked; none where all are, so that everybody is compared."""
        items = [self.readers.item(row) for row in range(self.readers.count())]
        ticked = tuple(item.text() for item in items if item.checkState() == Qt.CheckState.Checked)
        return () if len(ticked) == len(items) else ticked

    def end(self) -> None:
        """Stop what runs and end the thread; the window is not opened again."""
        self._runner.close()
        self.hide()

    def showEvent(self, event: QShowEvent) -> None:
        """Read which lists and readers there are."""
        super().showEvent(event)
        if not event.spontaneous():
            self._runner.submit(lambda *_: self._choices(), self._show_choices, self._failed)

    def reject(self) -> None:
        """Escape stops what runs; where nothing does, it closes."""
        if self.busy:
            self.cancel()
        else:
            super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what runs, and close."""
        self.cancel()
        self.hide()
        event.accept()

    @Slot()
    def cancel(self) -> None:
        """Stop comparing or writing."""
        self._runner.cancel_all()

    # what the store knows

    def _choices(self) -> tuple[list[str], tuple[str, ...]]:
        studies = self._handle.get().cases.studies
        return [one.name for one in studies.worklists()], studies.readers()

    def _show_choices(self, found: tuple[list[str], tuple[str, ...]]) -> None:
        lists, readers = found
        before, left_out = self.worklist.currentText(), self._left_out()
        self.worklist.clear()
        self.worklist.addItems([ALL, *lists])
        self.worklist.setCurrentIndex(max(0, self.worklist.findText(before)))
        self.readers.clear()
        for reader in readers:
            item = QListWidgetItem(reader, self.readers)
            item.setCheckState(Qt.CheckState.Unchecked if reader in left_out else Qt.CheckState.Checked)
        self.compare.setEnabled(bool(readers))
        if not readers:
            self._show_words(_NOBODY)

    def _left_out(self) -> set[str]:
        items = [self.readers.item(row) for row in range(self.readers.count())]
        return {item.text() for item in items if item.checkState() == Qt.CheckState.Unchecked}

    # comparing

    @Slot()
    def start(self) -> None:
        """Compare whom the reader chose."""
        if self.readers.count() and len(self._left_out()) == self.readers.count():
            self._show_words(_NO_READER)
            return
        lists = () if self.worklist.currentIndex() <= 0 else (self.worklist.currentText(),)
        readers = self.chosen_readers

        def work(progress: ProgressSink, cancel: CancelToken) -> _Found:
            from pathview.export.agreement_pages import agreement_pages

            found = self._agreeing().measure(lists, readers, progress, cancel)
            return _Found(found, agreement_pages(found), {case.id: case.title for case in found.records.cases})

        self._show_words(_WORKING)
        self._begin(work, self._show_found)

    def _agreeing(self) -> Agreeing:
        """The use case (in the runner's thread)."""
        from pathview.export.agreeing import Agreeing

        session = self._handle.get()
        return Agreeing(session.cases.studies, session.settings, session.reader)

    def _begin(self, work: Work, done: Callable[[Any], None]) -> None:
        """Run a job with its progress shown; one at a time."""
        self._set_running(True)
        self.progress.show_step(Progress(0, 0, "reading"))
        self._runner.submit(work, done, self._failed, self.progress.show_step, self._ended)

    def _ended(self) -> None:
        self._set_running(False)
        self.progress.show_step(None)
        if self.text.toPlainText() == _WORKING:
            self._show_words(_CANCELLED)

    def _set_running(self, running: bool) -> None:
        self.compare.setEnabled(not running)
        self.export.setEnabled(not running and self._found is not None)

    def _failed(self, error: Exception) -> None:
        words = str(error) if isinstance(error, PathViewError) else _BUG
        if self._found is None:
            self._show_words(words)
        self.said.setText(words)

    # what was found

    def _show_words(self, words: str) -> None:
        """Say something where the figures would be."""
        self._found = None
        self.pages.clear()
        self.text.setPlainText(words)
        self.plot.hide()
        self.export.setEnabled(False)
        self.said.clear()
        self._list_cases((), "Cases")

    def _show_found(self, found: _Found) -> None:
        self._found = found
        self.pages.clear()
        self.pages.addItems([page.title for page in found.pages])
        self.pages.setCurrentRow(0)
        self.pages.setFocus()

    @Slot(int)
    def _show_page(self, row: int) -> None:
        if self._found is None or not 0 <= row < len(self._found.pages):
            return
        from pathview.export.agreement_report import colors_of

        page = self._found.pages[row]
        self.text.document().setDefaultStyleSheet(_sheet(self.palette()))
        self.text.setHtml(page.html)
        section = page.section
        drawn = section is not None and bool(section.curves or section.points)
        self.plot.setVisible(drawn)
        if section is not None and drawn:
            self.plot.show_section(section, colors_of(section))
        self._list_cases((), "Cases: choose a number")

    @Slot(QUrl)
    def _on_link(self, url: QUrl) -> None:
        """List the cases behind a number."""
        from pathview.export.agreement_pages import LINK

        if self._found is not None:
            page = self._found.pages[self.pages.currentRow()]
            ids = page.lists[int(url.toString().removeprefix(LINK))]
            self._list_cases(ids, f"{len(ids):,} case{'' if len(ids) == 1 else 's'}")

    def _list_cases(self, ids: tuple[int, ...], heading: str) -> None:
        titles = self._found.titles if self._found is not None else {}
        self.behind.setText(heading)
        self.rows.show_cases(ids, titles)

    @Slot(QModelIndex)
    def _on_case(self, index: QModelIndex) -> None:
        self.case_chosen.emit(self.rows.ids[index.row()])

    # writing

    @Slot()
    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the report and its tables")
        if folder:
            self.write(Path(folder))

    def write(self, folder: Path) -> None:
        """Write the report and the tables of what is shown."""
        assert self._found is not None  # the button is off
        agreement = self._found.agreement

        def done(written: Sequence[Path]) -> None:
            self.said.setText(f"{len(written)} files were written to {folder}.")

        self.said.clear()
        self._begin(lambda *_: self._agreeing().write(agreement, folder), done)


def _column(widgets: Sequence[QWidget], last: QWidget) -> QWidget:
    """Widgets below each other; the last takes what room is left."""
    column = QWidget()
    column.setObjectName("panel")
    layout = QVBoxLayout(column)
    layout.setContentsMargins(8, 8, 8, 8)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addWidget(last, 1)
    return column


def _dim(words: str) -> QLabel:
    label = QLabel(words)
    label.setObjectName("dim")
    return label


def _sheet(palette: QPalette) -> str:
    """How figures look; the text browser knows no style sheet of the application's."""
    text, link = (palette.color(role).name() for role in (QPalette.ColorRole.Text, QPalette.ColorRole.Link))
    dim = palette.color(QPalette.ColorRole.PlaceholderText).name()
    colors = f"body, td, th, p, h2 {{ color: {text}; }} a {{ color: {link}; }} .note {{ color: {dim}; }}"
    return f"{colors} .whole {{ white-space: nowrap; }}"
