"""Page 9: what a threshold costs of 1,000 women, the not-sure band with its review load, and calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from pathview.gui.theme import Theme
from pathview.gui.wizard.calibrate_box import CalibrateBox
from pathview.gui.wizard.choosing_state import Choosing, Scale, read_choosing
from pathview.gui.wizard.finished import NOT_TRAINED
from pathview.gui.wizard.finished_page import FinishedPage
from pathview.gui.wizard.outcome_asker import OutcomeAsker
from pathview.gui.wizard.parts import column, row, wrapped
from pathview.gui.wizard.plots import Chart
from pathview.gui.wizard.result_views import reliability_drawing
from pathview.gui.wizard.state import Run
from pathview.gui.wizard.sure_controls import SureControls
from pathview.gui.wizard.threshold_controls import ThresholdControls
from pathview.gui.wizard.threshold_plots import scores_drawing, sure_drawing

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.judging.chooser import Choice
    from pathview.training.judging.choosing import Operating

_FIRST = "Look at the result first: thresholds are chosen from the scores that it wrote."
_HIGHEST = 460
_SCORE, _SURE = "score", "probability of the most probable class"
_MOVED = "What you set is not kept in the model: keep it, or go back to what was kept."


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
        self.sure = SureControls()
        self.calibrate = CalibrateBox()
        self._carried: dict[bool, Choice] = {}
        """By scale, what was set there when the score was last changed and nothing else has been set since."""
        self.chart = Chart("Validation scores", _SCORE, "share of each")
        self.reliability = Chart("Reliability (test)", "probability given", "share that came true")
        self.reliability.place_legend((0.0, 0.0))
        self.reliability.hide()
        self.keep = QPushButton("&Keep in the model, and test once")
        self.keep.setObjectName("primary")
        self.tested = wrapped()
        self.notices = wrapped("", "dim")
        self._asker = OutcomeAsker(run, self._show_outcome)
        self._lay_out_content()
        for controls in (self.controls, self.sure):
            controls.changed.connect(self._on_moved)
        self.calibrate.toggled.connect(self._on_calibrate)
        self.controls.conformal_asked.connect(self._suggest_conformal)
        self.keep.clicked.connect(self._keep)

    def _lay_out_content(self) -> None:
        charts = QWidget()
        side = QVBoxLayout(charts)
        side.setContentsMargins(0, 0, 0, 0)
        for chart in (self.chart, self.reliability):
            chart.setMaximumHeight(_HIGHEST)  # beside two tables a chart would be longer than the window
            side.addWidget(chart, 1)
        side.addStretch()
        parts = row(column(self.calibrate, self.controls, self.sure), stretch=False)
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
            self.run.fetch(self.run.in_opener(read_choosing, folder, kept), self._take_choosing)

    def enter(self) -> None:
        """Read all anew."""
        self.choosing = None
        super().enter()

    def _take_choosing(self, found: Choosing) -> None:
        self.choosing = found
        self._carried = {}
        self.take(self.finished)
        if found.chooser is not None:
            chooser, start = found.chooser, found.start
            self.controls.setVisible(not chooser.many)
            self.sure.setVisible(chooser.many)
            self.controls.show_whom(chooser.unit, chooser.screening)
            self.chart.plot.setLabel("bottom", _SURE if chooser.many else _SCORE)
            calibrated = found.scales.get(True)
            offered = calibrated.temperature if calibrated is not None else None
            self.calibrate.show_offer(chooser, offered, start.temperature != 1)
            self._now.show_scale(self._scale, start)
            self._on_choice()
        self._show_kept(found.kept)

    @property
    def _now(self) -> ThresholdControls | SureControls:
        """What is moved: of two classes, or of more."""
        many = self.choosing is not None and self.choosing.chooser is not None and self.choosing.chooser.many
        return self.sure if many else self.controls

    @property
    def _scale(self) -> Scale:
        assert self.choosing is not None
        return self.choosing.scales[self.calibrate.box.isChecked()]

    def problem(self) -> str:
        """What is set and not kept would be forgotten."""
        if before := super().problem():
            return before
        if self.finished.result is None:
            return _FIRST
        if self.choosing is None or not self.choosing.scales:
            return ""
        touched = self._now.touched or self.choosing.kept is not None
        return _MOVED if touched and self._now.choice != self.choosing.start else ""

    # choosing

    @Slot()
    def _on_moved(self) -> None:
        self._carried = {}
        self._on_choice()

    @Slot(bool)
    def _on_calibrate(self, on: bool) -> None:
        """The same choice on the other scale."""
        choice = self._now.choice
        if self.choosing is None or choice is None:
            return
        self._carried[not on] = choice
        scale, other = self.choosing.scales[on], self.choosing.scales[not on]
        self._now.show_scale(scale, self._carried.get(on) or scale.carried_over(choice, other))
        self._now.touched = True
        self._on_choice()

    def _on_choice(self) -> None:
        choice = self._now.choice
        if self.choosing is None or not self.choosing.scales or choice is None:
            return
        scale = self._scale
        if scale.scores is not None:
            self.chart.show_drawing(scores_drawing(scale.scores, choice))
        elif scale.sure is not None:
            self.chart.show_drawing(sure_drawing(scale.sure, choice))
        self._asker.ask(lambda: scale.outcome(choice))
        kept = self.choosing.kept
        self.keep.setEnabled(not self.working and choice != (kept.choice if kept is not None else None))
        self.tell()

    def _show_outcome(self, found: Any) -> None:
        if isinstance(found, tuple):
            self.controls.show_outcome(*found)
        else:
            self.sure.show_outcome(found)

    @Slot()
    def _suggest_conformal(self) -> None:
        choice = self.controls.choice
        chooser = self.choosing.chooser if self.choosing is not None else None
        if choice is not None and chooser is not None:
            self.run.fetch(
                lambda *_: chooser.suggested(choice.prevalence, choice.coverage, "conformal", choice.temperature),
                self.controls.take_band,
            )

    # keeping

    @Slot()
    def _keep(self) -> None:
        from pathview.training.judging.choosing import keep_choice

        choice = self._now.choice
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
        said = ["Kept. On the test patients:", *kept.tested]
        found = kept.calibration
        if found is not None:
            self.reliability.show_drawing(reliability_drawing(found.before, found.after))
            said.append(
                f"{_told(kept.choice.temperature, found.temperature)}: expected calibration error "
                f"{found.before.ece:.3f} before, {found.after.ece:.3f} after. "
                f"Conformal sets: {found.coverage.sentence}"
            )
        self.tested.setText("\n".join(said))
        self.notices.setText(self.finished.retold(kept.notices))


def _told(kept: float, found: float) -> str:
    """The temperature that the model has, or the one that it was not given."""
    if kept != 1:
        return f"The score is calibrated at a temperature of {kept:.2f}"
    return f"The score is not calibrated; at a temperature of {found:.2f}"
