"""Sliders and numbers of the thresholds: what is set, and what it does to 1,000 women."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from pathview.gui.panels.decimal_box import DecimalBox
from pathview.gui.wizard.base_page import dim, strong
from pathview.gui.wizard.parts import row, wrapped

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.gui.wizard.choosing_state import Scale
    from pathview.training.judging.chooser import Choice
    from pathview.training.measures.operating import BandOutcome, Outcome

Floats = npt.NDArray[np.float64]
_PAGE_STEPS = 20
_NOBODY_SCREENED = (
    "Nobody is screened by tissue, so it begins with the share among the validation patients; say what it is where the "
    "model will be used."
)


class ThresholdControls(QWidget):
    """Three sliders over the scores that tell patients apart, the prevalence, and the coverage that is wished for."""

    changed = Signal()
    """Somebody set something else."""
    conformal_asked = Signal()

    def __init__(self) -> None:
        """Nothing to choose from."""
        super().__init__()
        self.touched = False
        """Whether somebody set something since the scores were shown."""
        self._suggested: Choice | None = None
        self._choice: Choice | None = None
        self._steps: Floats = np.zeros(1)
        self.prevalence = number_box("Of 1,000 women, so many have it", 0.1, 999.0, 1)
        self.coverage = number_box("Wished coverage of the conformal sets, per cent", 50.0, 99.0, 0)
        self.threshold = Level("Threshold: called from here on")
        self.from_here = Level("Not sure from here on")
        self.up_to = Level("Sure above")
        self.outcome = wrapped("", "result")
        self.band = wrapped("", "result")
        self.back = QPushButton("Su&ggested")
        self.back.setToolTip("By which error the question says costs more; the band keeps both errors down")
        self.conformal = QPushButton("Con&formal band")
        self.conformal.setToolTip("Not sure is what a conformal set of this coverage gives no single answer for")
        self._lay_out()
        self.back.clicked.connect(self._suggest)
        self.conformal.clicked.connect(self.conformal_asked)
        for level in (self.threshold, self.from_here, self.up_to):
            level.moved.connect(self._on_level)
        self.prevalence.valueChanged.connect(self._on_number)
        self.coverage.valueChanged.connect(self._on_number)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self._whom = QLabel("Of 1,000")
        self.about_whom = dim(_NOBODY_SCREENED)
        self.about_whom.hide()
        layout.addWidget(row(self._whom, self.prevalence, QLabel("have it")))
        layout.addWidget(self.about_whom)
        layout.addWidget(strong("One threshold"))
        layout.addWidget(self.threshold)
        layout.addWidget(self.outcome)
        layout.addWidget(strong("The not-sure band: what the model leaves to you"))
        layout.addWidget(self.from_here)
        layout.addWidget(self.up_to)
        layout.addWidget(self.band)
        layout.addWidget(row(self.back, self.conformal))
        layout.addWidget(row(QLabel("Coverage of conformal sets"), self.coverage, QLabel("%")))
        layout.addStretch(1)

    @property
    def choice(self) -> Choice | None:
        """What is set; None while there is nothing to choose from."""
        return self._choice

    def show_scale(self, scale: Scale, start: Choice) -> None:
        """Choose from other scores, beginning at ``start``."""
        scores = scale.scores
        assert scores is not None
        self._suggested = scale.suggested
        highest = float(np.nextafter(scores.scores.max(), np.inf))
        self._steps = np.unique(np.concatenate([[scores.scores.min()], scores.candidates, [highest]]))
        for level in (self.threshold, self.from_here, self.up_to):
            level.set_steps(self._steps)
        self.show_choice(start)
        self.touched = False

    def show_whom(self, unit: str, screening: bool) -> None:
        """Whom the figures are told of: those who are screened, or those who are like these patients."""
        self._whom.setText(f"Of 1,000 {unit}" if screening else f"Of 1,000 {unit} like these")
        self.about_whom.setVisible(not screening)

    def show_choice(self, choice: Choice) -> None:
        """Show a choice to the number, also where it lies between the sliders' steps."""
        self._choice = choice
        for level, value in zip((self.threshold, self.from_here, self.up_to), _limits(choice), strict=True):
            level.show_value(value)
        with QSignalBlocker(self.prevalence), QSignalBlocker(self.coverage):
            self.prevalence.setValue(1000 * choice.prevalence)
            self.coverage.setValue(100 * choice.coverage)

    def take_band(self, found: Choice) -> None:
        """Take the band of another suggestion."""
        if self._choice is not None:
            self._set(lower=found.lower, upper=found.upper)

    def show_outcome(self, outcome: Outcome, band: BandOutcome) -> None:
        """Say what the choice does."""
        for label, sentence in ((self.outcome, outcome.sentence), (self.band, band.sentence)):
            label.setText(sentence)
            label.setAccessibleName(sentence)

    @Slot()
    def _suggest(self) -> None:
        if self._suggested is not None:
            self._set(threshold=self._suggested.threshold, lower=self._suggested.lower, upper=self._suggested.upper)

    @Slot(float)
    def _on_level(self, value: float) -> None:
        if self._choice is None:
            return
        moved = self.sender()
        if moved is self.threshold:
            self._set(threshold=value)
        elif moved is self.from_here:
            self._set(lower=value, upper=max(value, self._choice.upper))
        else:
            self._set(lower=min(value, self._choice.lower), upper=value)

    @Slot()
    def _on_number(self) -> None:
        self._set(prevalence=self.prevalence.value() / 1000, coverage=self.coverage.value() / 100)

    def _set(self, **parts: float) -> None:
        if self._choice is None:
            return
        self.touched = True
        self.show_choice(self._choice.model_copy(update=parts))
        self.changed.emit()


class Level(QWidget):
    """A slider over the scores that tell patients apart, and the score that it is at."""

    moved = Signal(float)

    def __init__(self, title: str) -> None:
        """At the lowest of no scores."""
        super().__init__()
        self._steps: Floats = np.zeros(1)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(title)
        self.slider.setToolTip(title)
        self.value = QLabel("")
        self.value.setMinimumWidth(70)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.slider.valueChanged.connect(self._on_move)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        name = QLabel(title)
        name.setObjectName("dim")
        grid.addWidget(name, 0, 0)
        grid.addWidget(self.value, 0, 1)
        grid.addWidget(self.slider, 1, 0, 1, 2)

    def set_steps(self, steps: Floats) -> None:
        """Where it can stand, ascending."""
        self._steps = steps
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, len(steps) - 1)
            self.slider.setPageStep(max(1, len(steps) // _PAGE_STEPS))

    def show_value(self, value: float) -> None:
        """Stand nearest to a score, and tell it to the number."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(int(np.abs(self._steps - value).argmin()))
        said = f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
        self.value.setText(said)
        self.slider.setAccessibleDescription(said)

    @Slot(int)
    def _on_move(self, step: int) -> None:
        self.moved.emit(float(self._steps[step]))


def _limits(choice: Choice) -> tuple[float, float, float]:
    return choice.threshold, choice.lower, choice.upper


def number_box(title: str, low: float, high: float, decimals: int = 0) -> DecimalBox:
    """A number to type, which says so when it is typed to the end."""
    box = DecimalBox()
    box.setAccessibleName(title)
    box.setToolTip(title)
    box.setRange(low, high)
    box.setDecimals(decimals)
    box.setKeyboardTracking(False)
    return box
