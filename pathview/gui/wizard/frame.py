"""The wizard's frame: eleven pages, the list of steps beside them, and closing, which loses nothing."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QMessageBox, QPushButton, QWidget, QWizard

from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import BasePage
from pathview.gui.wizard.challenge_page import ChallengePage
from pathview.gui.wizard.data_page import DataPage
from pathview.gui.wizard.finished import read_doubt
from pathview.gui.wizard.health_page import HealthPage
from pathview.gui.wizard.labels_page import LabelsPage
from pathview.gui.wizard.publish_page import PublishPage
from pathview.gui.wizard.question_page import QuestionPage
from pathview.gui.wizard.recipe_page import RecipePage
from pathview.gui.wizard.result_page import ResultPage
from pathview.gui.wizard.split_page import SplitPage
from pathview.gui.wizard.state import Run
from pathview.gui.wizard.threshold_page import ThresholdPage
from pathview.gui.wizard.training_page import TrainingPage
from pathview.settings import INVESTIGATIONAL

_SIZE = QSize(1180, 760)
PAGES: tuple[type[BasePage], ...] = (
    QuestionPage,
    DataPage,
    LabelsPage,
    SplitPage,
    HealthPage,
    RecipePage,
    TrainingPage,
    ResultPage,
    ThresholdPage,
    ChallengePage,
    PublishPage,
)
"""In their order."""
_BUTTON = QWizard.WizardButton


class TrainingWizard(QWizard):
    """Not modal: the reader can look at cases beside it."""

    ready = Signal()
    """All pages are there, and the one where the run was left can be shown."""
    closed = Signal()
    """It is gone; what was planned is on the disk."""

    def __init__(self, run: Run, theme: Theme, parent: QWidget | None = None) -> None:
        """Its pages are made one a turn of the event loop, so that the window beside it goes on; see :attr:`ready`."""
        super().__init__(parent)
        self.run = run
        self._theme = theme
        self._jumping = False
        self._ended = False
        self._asking: QMessageBox | None = None
        self._page: BasePage | None = None
        """That was told last that it is shown."""
        self.setWindowFlag(Qt.WindowType.Window)
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWizardStyle(QWizard.WizardStyle.ClassicStyle)
        self.setOption(QWizard.WizardOption.NoBackButtonOnStartPage)
        self.setSizeGripEnabled(True)
        self.pages: tuple[BasePage, ...] = ()
        self._making = QTimer(self)
        self._making.timeout.connect(self._make_page)
        self._making.start(0)

    @Slot()
    def _make_page(self) -> None:
        self.pages = (*self.pages, PAGES[len(self.pages)](self.run, self._theme))
        self.setPage(len(self.pages) - 1, self.pages[-1])
        if len(self.pages) == len(PAGES):
            self._making.stop()
            self._begin()
            self.ready.emit()

    def complete(self) -> None:
        """Make what is not there yet at once."""
        while self._making.isActive():
            self._make_page()

    def _begin(self) -> None:
        """At the page where the run was left."""
        self._name_buttons()
        self._make_steps()
        self.currentIdChanged.connect(self._on_page)
        self.run.failed.connect(self._fail)
        self.run.changed.connect(self._show_title)
        self.run.doubts_changed.connect(self._mark_steps)
        if not self.isMaximized():
            self.resize(_SIZE.boundedTo(self.screen().availableSize()))
        self._jumping = True  # the first page is only passed
        self.restart()
        self.go_to(self.run.place.page)
        self._show_title()
        self._read_doubt()

    def _read_doubt(self) -> None:
        """A step that found something against the model says so wherever the training is continued."""
        folder = self.run.folder
        if folder is not None:
            self.run.fetch(lambda *_: read_doubt(folder), lambda words: self.run.doubt(ChallengePage.name, words))

    def _name_buttons(self) -> None:
        self.setButtonText(_BUTTON.BackButton, "&Back")
        self.setButtonText(_BUTTON.NextButton, "&Next")
        self.setButtonText(_BUTTON.FinishButton, "&Finish")
        self.setButtonText(_BUTTON.CancelButton, "&Close")
        close = self.button(_BUTTON.CancelButton)
        close.setToolTip("Everything is kept: Training > Continue a training...")
        assert isinstance(close, QPushButton)
        close.setAutoDefault(False)  # Enter goes on, even where the focus came here from a button that was used up
        layout: Sequence[QWizard.WizardButton] = (
            _BUTTON.CancelButton, _BUTTON.Stretch, _BUTTON.BackButton, _BUTTON.NextButton, _BUTTON.FinishButton,
        )  # fmt: skip
        self.setButtonLayout(layout)
        for which in (_BUTTON.NextButton, _BUTTON.FinishButton):
            button = self.button(which)
            button.setObjectName("primary")
            button.style().unpolish(button)
            button.style().polish(button)

    def _make_steps(self) -> None:
        self.steps = QListWidget()
        self.steps.setObjectName("pages")
        self.steps.setAccessibleName("Steps")
        self.steps.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.steps.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for number, page in enumerate(self.pages, start=1):
            QListWidgetItem(f"{number}.  {page.step}", self.steps)
        self.steps.ensurePolished()  # so that its font is the one that is shown
        metrics = self.steps.fontMetrics()
        wide = max(metrics.horizontalAdvance(f"{page.step}  11.  ✓") for page in self.pages)
        self.steps.setFixedWidth(wide + 40)
        self.steps.itemClicked.connect(self._on_step)
        self.setSideWidget(self.steps)

    # going

    @property
    def page_now(self) -> BasePage:
        """The page that is shown."""
        page = self.currentPage()
        assert isinstance(page, BasePage)
        return page

    def go_to(self, name: str) -> None:
        """Go to a page, forward without asking the pages between."""
        names = [page.name for page in self.pages]
        wanted = names.index(name) if name in names else 0
        self._jumping = True
        try:
            for _ in range(wanted - self.currentId()):
                self.next()
            for _ in range(self.currentId() - wanted):
                self.back()
        finally:
            self._jumping = False
        self._on_page(self.currentId())

    def validateCurrentPage(self) -> bool:
        """Ask the page, unless it is only passed."""
        return self._jumping or super().validateCurrentPage()

    @Slot(int)
    def _on_page(self, number: int) -> None:
        if self._jumping or number < 0:
            return
        page = self.page_now
        if self._page is not None and self._page is not page:
            self._page.exit()
        self._page = page
        self.run.go(page.name)
        for row in range(self.steps.count()):
            item = self.steps.item(row)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            if row > number:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
        self.steps.setCurrentRow(number)
        self._mark_steps()
        page.shown()

    @Slot()
    def _mark_steps(self) -> None:
        """Say which steps are done, and wherever the wizard is which of them found something against the model."""
        for row, page in enumerate(self.pages):
            mark = f"  {page.mark}" if page.doubt or row < self.currentId() else ""
            self.steps.item(row).setText(f"{row + 1}.  {page.step}{mark}")
            self.steps.item(row).setToolTip(page.doubt)

    @Slot(QListWidgetItem)
    def _on_step(self, item: QListWidgetItem) -> None:
        """Back to a step that was done."""
        row = self.steps.row(item)
        if row < self.currentId():
            self.go_to(self.pages[row].name)

    @Slot()
    def _show_title(self) -> None:
        self.setWindowTitle(f"{self.run.plan.title}  ·  {INVESTIGATIONAL}")

    @Slot(str)
    def _fail(self, words: str) -> None:
        self.page_now.fail(words)

    # closing

    def reject(self) -> None:
        """Close; while something runs, ask first."""
        if not self.run.busy:
            self._end()
            super().reject()
            return
        if self._asking is None:
            self._ask()

    def accept(self) -> None:
        """The last page is done."""
        self._end()
        super().accept()

    def _ask(self) -> None:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.NoIcon)
        box.setWindowTitle("Close the wizard?")
        box.setText(self.page_now.closing_words())
        stop = box.addButton("&Stop and close", QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton("&Keep it open", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)

        def answered() -> None:
            self._asking = None
            if box.clickedButton() is stop:
                self._end()
                super(TrainingWizard, self).reject()

        box.finished.connect(answered)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._asking = box
        box.open()

    def closeEvent(self, event: QCloseEvent) -> None:
        """By the window's own button: as by Escape."""
        if self.run.busy:
            event.ignore()
            self.reject()
            return
        self._end()
        event.accept()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._making.stop()
        if self._page is not None:
            self._page.exit()
        self.run.close()
        self.closed.emit()

    def end(self) -> None:
        """Close without asking: the program ends. What was chosen is kept."""
        self._end()
        super().reject()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        for page in self.pages:
            page.set_theme(theme)


def open_wizard(run: Run, theme: Theme, parent: QWidget | None = None) -> TrainingWizard:
    """Show the wizard on a run as soon as its pages are made, at the one where the run was left."""
    wizard = TrainingWizard(run, theme, parent)

    def show() -> None:
        wizard.show()
        wizard.raise_()
        wizard.activateWindow()

    wizard.ready.connect(show)
    return wizard
