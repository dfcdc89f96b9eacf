"""Page 9: what a threshold costs of 1,000 women, the not-sure band with its review load, and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from pathview.errors import DataError
from pathview.gui.theme import Theme
from pathview.gui.wizard.finished import NOT_TRAINED
from pathview.gui.wizard.finished_page import FinishedPage
from pathview.gui.wizard.outcome_asker import OutcomeAsker
from pathview.gui.wizard.parts import row, wrapped
from pathview.gui.wizard.plots import Chart
from pathview.gui.wizard.result_views import reliability_drawing
from pathview.gui.wizard.state import Run
from pathview.gui.wizard.threshold_controls import ThresholdControls, scores_drawing
from pathview.training.runs.run_folder import RunFolder

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.judging.choosing import Choice, Operating
    from pathview.training.measures.operating import BandOutcome, Outcome, Scores

_FIRST = "Look at the result first: thresholds are chosen from the scores that it wrote."
_MOVED = "What you set is not kept in the model: keep it, or go back to what was kept."


@dataclass(frozen=True)
class Choosing:
    """What can be chosen from, or why nothing can."""

    scores: Scores | None
    by_errors: Choice | None
    kept: Operating | None
    problem: str = ""


def read_choosing(folder: RunFolder, kept: Operating | None) -> Choosing:
    """The validation scores of a run with a result; not in the window's thread."""
    from pathview.training.judging.choosing import suggested, validation_scores

    try:
        return Choosing(validation_scores(folder), suggested(folder), kept)
    except DataError as error:
        return Choosing(None, None, kept, str(error))


class ThresholdPage(FinishedPage):
    """The sliders move over validation patients; what is kept is told on the test patients, which is counted."""

    name: ClassVar[str] = "threshold"
    step: ClassVar[str] = "Threshold"
    heading: ClassVar[str] = "How many missed, how many recalled"
    words: ClassVar[str] = (
        "Chosen on the validation patients. Only what you keep is measured on the test patients, and each such look is "
        "counted."
    )

    def __init__(self, run: Run, theme: Theme) -> None:
        """Nothing to choose from yet."""
        super().__init__(run, theme)
        self.choosing: Choosing | None = None
        self.offer.addStretch(1)
        self.controls = ThresholdControls()
        self.chart = Chart("Validation scores", "score", "share of each")
        self.reliability = Chart("Reliability (test)", "probability given", "share that came true")
        self.reliability.place_legend((0.0, 0.0))
        self.reliability.hide()
        self.keep = QPushButton("&Keep in the model, and test once")
        self.keep.setObjectName("primary")
        self.tested = wrapped()
        self.notices = wrapped("", "dim")
        self._asker = OutcomeAsker(run, self._show_outcome)
        self._lay_out_content()
        self.controls.changed.connect(self._on_choice)
        self.controls.conformal_asked.connect(self._suggest_conformal)
        self.keep.clicked.connect(self._keep)

    def _lay_out_content(self) -> None:
        charts = QWidget()
        side = QVBoxLayout(charts)
        side.setContentsMargins(0, 0, 0, 0)
        side.addWidget(self.chart, 1)
        side.addWidget(self.reliability, 1)
        parts = row(self.controls, stretch=False)
        inner = parts.layout()
        assert inner is not None
        inner.addWidget(charts)
        inner.setSpacing(16)
        self.inner.addWidget(parts, 1)
        self.inner.addWidget(row(self.keep))
        self.inner.addWidget(self.tested)
        self.inner.addWidget(self.notices)

    # what is there

    def wants(self) -> str:
        """A training, a result, and patients to choose on."""
        if not self.finished.trained:
            return NOT_TRAINED
        if self.finished.result is None:
            return _FIRST
        if self.choosing is None:
            return "Reading the scores of the validation patients ..."
        return self.choosing.problem

    def show_finished(self) -> None:
        """Read what can be chosen from, where there is a result."""
        if self.finished.result is None:
            self.choosing = None
        elif self.choosing is None or self.choosing.kept != self.finished.operating:
            folder, kept = self.run.made, self.finished.operating
            self.run.fetch(lambda *_: read_choosing(folder, kept), self._take_choosing)

    def enter(self) -> None:
        """Read all anew."""
        self.choosing = None
        super().enter()

    def _take_choosing(self, found: Choosing) -> None:
        self.choosing = found
        self.take(self.finished)
        if found.scores is not None and found.by_errors is not None:
            start = found.kept.choice if found.kept is not None else found.by_errors
            self.controls.show_scores(found.scores, found.by_errors, start)
            self._on_choice()
        self._show_kept(found.kept)

    def problem(self) -> str:
        """What is set and not kept would be forgotten."""
        if before := super().problem():
            return before
        if self.finished.result is None:
            return _FIRST
        kept = self.choosing.kept if self.choosing is not None else None
        touched = self.controls.touched or kept is not None
        return _MOVED if touched and self.controls.choice != (kept.choice if kept else None) else ""

    # choosing

    @Slot()
    def _on_choice(self) -> None:
        choice = self.controls.choice
        if self.choosing is None or self.choosing.scores is None or choice is None:
            return
        self.chart.show_drawing(scores_drawing(self.choosing.scores, choice))
        self._asker.ask(self.choosing.scores, choice)
        kept = self.choosing.kept
        self.keep.setEnabled(not self.working and choice != (kept.choice if kept is not None else None))
        self.tell()

    def _show_outcome(self, outcome: Outcome, band: BandOutcome) -> None:
        self.controls.show_outcome(outcome, band)

    @Slot()
    def _suggest_conformal(self) -> None:
        from pathview.training.judging.choosing import suggested

        folder, choice = self.run.made, self.controls.choice
        if choice is not None:
            prevalence, coverage = choice.prevalence, choice.coverage
            self.run.fetch(lambda *_: suggested(folder, prevalence, coverage, "conformal"), self.controls.take_band)

    # keeping

    @Slot()
    def _keep(self) -> None:
        from pathview.training.judging.choosing import keep_choice

        choice = self.controls.choice
        if choice is not None:
            self.keep.setEnabled(False)
            work = self.by_reader(keep_choice, self.run.made, choice)
            self.start(work, lambda _: self.enter(), "measuring the test patients")

    def _show_kept(self, kept: Operating | None) -> None:
        self.reliability.setVisible(kept is not None and kept.calibration is not None)
        if kept is None:
            self.tested.setText("Nothing is kept yet: the model has the thresholds of its recipe.")
            self.notices.setText("")
            return
        said = ["Kept. On the test patients:", kept.test.sentence, kept.test_band.sentence]
        found = kept.calibration
        if found is not None:
            self.reliability.show_drawing(reliability_drawing(found.before, found.after))
            said.append(
                f"Temperature {found.temperature:.2f}: expected calibration error {found.before.ece:.3f} before, "
                f"{found.after.ece:.3f} after. Conformal sets: {found.coverage.sentence}"
            )
        self.tested.setText("\n".join(said))
        self.notices.setText("\n".join(kept.notices))
