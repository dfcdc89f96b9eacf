"""Page 8: what the model reached on the locked test patients, beside baselines and the model that it began from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QPushButton, QTabWidget

from pathview.gui.dialogs.pictures import PicturesDialog
from pathview.gui.theme import Theme
from pathview.gui.wizard.finished import NOT_TRAINED
from pathview.gui.wizard.finished_page import FinishedPage
from pathview.gui.wizard.folds_view import FoldsView
from pathview.gui.wizard.parts import row, wrapped
from pathview.gui.wizard.picture_strip import Rgb8, Shown
from pathview.gui.wizard.result_views import CurvesView, ErrorsView, FiguresView, SubgroupsView
from pathview.gui.wizard.state import Run

_CLOSED = (
    "The locked test patients are still closed to this model. Looking at them is counted: the first one is worth most, "
    "and each that leads to another choice makes the figures a little too good."
)
_LARGE = 640


class ResultPage(FinishedPage):
    """The look is taken when it is asked for, and counted; afterwards its result is kept."""

    name: ClassVar[str] = "result"
    step: ClassVar[str] = "Result"
    heading: ClassVar[str] = "What it reached on patients that it never saw"

    def __init__(self, run: Run, theme: Theme) -> None:
        """Nothing to show yet."""
        super().__init__(run, theme)
        self.look = QPushButton("&Look at the test patients")
        self.look.setObjectName("primary")
        self.look.clicked.connect(self.make)
        self.offer.addWidget(row(self.look))
        self.before = FoldsView()
        """The cross-validation, while the test patients are closed."""
        self.tried = wrapped("", "result")
        """What trials came to, likewise."""
        self.offer.addSpacing(16)
        self.offer.addWidget(self.tried)
        self.offer.addWidget(self.before, 1)
        self.figures = FiguresView()
        self.errors = ErrorsView(self._draw)
        self.curves = CurvesView()
        self.subgroups = SubgroupsView()
        self.folds = FoldsView()
        self.errors.strip.opened.connect(self._show_large)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Parts of the result")
        for view, title in (
            (self.figures, "Fi&gures"),
            (self.errors, "&Errors"),
            (self.curves, "Cur&ves"),
            (self.subgroups, "S&ubgroups"),
            (self.folds, "Cr&oss-validation"),
        ):
            view.setContentsMargins(10, 10, 10, 10)
            self.tabs.addTab(view, title)
        self.inner.addWidget(self.tabs, 1)

    def wants(self) -> str:
        """A training first, then a look."""
        if not self.finished.trained:
            return NOT_TRAINED
        return "" if self.finished.result is not None else f"{_CLOSED} {self.finished.about_uses}"

    def show_finished(self) -> None:
        """Show the result, if there is one."""
        self.look.setVisible(self.finished.trained)
        self.before.setVisible(self.finished.trained)
        for view in (self.before, self.folds):
            view.show_folds(self.finished.folds, self.finished.about_folds)
        trials = self.finished.trials
        self.tried.setVisible(trials is not None)
        self.tried.setText(trials.sentence if trials is not None else "")
        result = self.finished.result
        if result is None:
            return
        self.figures.show_result(result, self.finished.retold(result.notices))
        self.errors.show_result(result, self.finished.predictions, {row.file: row.masks for row in self.run.rows})
        self.curves.show_result(result, self.finished.trials, self.finished.about_trials)
        self.subgroups.show_result(result)

    def problem(self) -> str:
        """Thresholds are chosen once there are scores."""
        if before := super().problem():
            return before
        return "" if self.finished.result is not None else "Look at the test patients first."

    @Slot()
    def make(self) -> None:
        """Look, and count it."""
        from pathview.training.judging.result import make_result

        folder = self.run.made
        self.look.setEnabled(False)
        self.start(self.by_reader(make_result, folder), self._made, "reading the test patients")

    def tell(self) -> None:
        """The look can be asked for again once it has ended."""
        super().tell()
        if hasattr(self, "look"):
            self.look.setEnabled(not self.working)

    def _made(self, _: Any) -> None:
        self.reread()

    def _draw(self, images: Sequence[Shown], side: int, done: Callable[[Rgb8], None]) -> None:
        from pathview.training.preparing.inspect import thumbnails

        files = [(one.file, one.masks) for one in images]
        self.run.fetch(self.run.in_opener(thumbnails, files, side), done)

    @Slot(object)
    def _show_large(self, one: Shown) -> None:
        def show(pictures: Rgb8) -> None:
            picture = {one.words.replace("\n", ", "): pictures[0]}
            PicturesDialog("Image of a test patient", picture, one.told, self, _LARGE).open()

        self._draw([one], _LARGE, show)
