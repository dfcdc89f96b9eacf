"""More than two classes: from where on the most probable one is called, and what that leaves to a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from pathview.gui.wizard.base_page import dim, strong
from pathview.gui.wizard.parts import Table, row, wrapped
from pathview.gui.wizard.threshold_controls import Level, number_box

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.gui.wizard.choosing_state import Scale
    from pathview.training.judging.chooser import Choice
    from pathview.training.measures.calibration import Estimate
    from pathview.training.measures.sureness import SureOutcome

_WHY = (
    "What a threshold does to 1,000 women is told of two classes: who has it, and who does not. Of more the most "
    "probable class is called, and what it is not probable enough for is left to you."
)


class SureControls(QWidget):
    """A slider over the probabilities of the most probable class, and the coverage that is wished for."""

    changed = Signal()
    """Somebody set something else."""

    def __init__(self) -> None:
        """Nothing to choose from."""
        super().__init__()
        self.touched = False
        """Whether somebody set something since the scores were shown."""
        self._scale: Scale | None = None
        self._choice: Choice | None = None
        self.least = Level("Sure from here on; not sure below")
        self.coverage = number_box(
            "Wished: so many per cent of the sure ones right, and held by conformal sets", 50, 99
        )
        self.outcome = wrapped("", "result")
        self.classes = Table("Sensitivity of each class", whole=True)
        self.confusion = Table("Confusion on the validation images", whole=True)
        self.back = QPushButton("S&uggested")
        self.back.setToolTip("The smallest limit at which so many of the sure ones are right as is wished for")
        self._lay_out()
        self.least.moved.connect(self._on_level)
        self.back.clicked.connect(self._suggest)
        self.coverage.valueChanged.connect(self._on_number)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(dim(_WHY))
        layout.addWidget(strong("Not sure: what the model leaves to you"))
        layout.addWidget(self.least)
        layout.addWidget(self.outcome)
        layout.addWidget(row(self.back, QLabel("Wished"), self.coverage, QLabel("% right")))
        layout.addWidget(strong("Of the sure images of each class, so many called so"))
        layout.addWidget(self.classes)
        layout.addWidget(strong("True class, and what is called"))
        layout.addWidget(self.confusion)
        layout.addStretch(1)

    @property
    def choice(self) -> Choice | None:
        """What is set; None while there is nothing to choose from."""
        return self._choice

    def show_scale(self, scale: Scale, start: Choice) -> None:
        """Choose from other scores, beginning at ``start``."""
        assert scale.sure is not None
        self._scale = scale
        self.least.set_steps(scale.sure.steps)
        self.show_choice(start)
        self.touched = False

    def show_choice(self, choice: Choice) -> None:
        """Show a choice to the number, also where it lies between the slider's steps."""
        self._choice = choice
        self.least.show_value(choice.least)
        with QSignalBlocker(self.coverage):
            self.coverage.setValue(100 * choice.coverage)

    def show_outcome(self, found: SureOutcome) -> None:
        """Say what the choice does."""
        self.outcome.setText(found.sentence)
        self.outcome.setAccessibleName(found.sentence)
        told = [(name, _per_cent(one)) for name, one in found.sensitivity.items()]
        self.classes.fill(("Class", "Sensitivity (95 % interval by patient)"), told)
        lines = zip(found.classes, found.confusion, strict=True)
        self.confusion.fill(("", *found.classes, "not sure"), [(name, *map(str, line)) for name, line in lines])

    @Slot()
    def _suggest(self) -> None:
        if self._scale is not None and self._scale.sure is not None and self._choice is not None:
            self._set(least=self._scale.sure.suggested(self._choice.coverage))

    @Slot(float)
    def _on_level(self, value: float) -> None:
        self._set(least=value)

    @Slot()
    def _on_number(self) -> None:
        self._set(coverage=self.coverage.value() / 100)

    def _set(self, **parts: float) -> None:
        if self._choice is None:
            return
        self.touched = True
        self.show_choice(self._choice.model_copy(update=parts))
        self.changed.emit()


def _per_cent(found: Estimate | None) -> str:
    if found is None:
        return "none of its images is sure"
    return f"{100 * found.value:.0f} %  ({100 * found.low:.0f} to {100 * found.high:.0f})"
