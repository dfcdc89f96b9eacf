"""Above the light box: which step hangs, by which protocol, and beside which earlier study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QWidget

from pathview.gui.case_state import CaseState
from pathview.review.records.case import CaseRow

if TYPE_CHECKING:
    from pathview.review.records.hanging import Protocol

_NO_PRIOR = "No prior beside it"


class HangingBar(QWidget):
    """Asks for steps, protocols and priors; hidden where there is nothing to choose."""

    stepped = Signal(int)
    protocol_chosen = Signal(str)
    prior_chosen = Signal(object)
    """Id of a case, or None."""

    def __init__(self) -> None:
        """Hidden."""
        super().__init__()
        self.protocols: tuple[Protocol, ...] = ()
        self._back, self._on = QPushButton("◀"), QPushButton("▶")
        self._back.setAccessibleName("Previous step of the hanging")
        self._on.setAccessibleName("Next step of the hanging")
        self._words = QLabel("")
        self._words.setObjectName("step")
        self._protocol, self._prior = QComboBox(), QComboBox()
        self._protocol.setAccessibleName("Hanging protocol")
        self._prior.setAccessibleName("Earlier study beside this one")
        for combo in (self._protocol, self._prior):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._no_prior = QLabel("no earlier study")
        self._no_prior.setObjectName("dim")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 5, 8, 5)
        for button in (self._back, self._on):
            button.setFixedWidth(34)
            button.setObjectName("small")
        layout.addWidget(self._back)
        layout.addWidget(self._on)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._protocol)
        layout.addWidget(self._prior)
        layout.addWidget(self._no_prior)
        self._back.clicked.connect(self._step_back)
        self._on.clicked.connect(self._step_on)
        self._protocol.activated.connect(self._on_protocol)
        self._prior.activated.connect(self._on_prior)
        self.hide()

    def show_state(self, state: CaseState, protocols: tuple[Protocol, ...]) -> None:
        """Follow the reading room."""
        self.protocols = protocols
        study = state.detail is not None and (len(state.images) > 1 or bool(state.priors))
        self.setVisible(study)
        if not study:
            return
        step = state.step
        count = len(state.steps)
        self._words.setText(f"<b>{step.title}</b> &nbsp; {state.step_index + 1} of {count}" if step is not None else "")
        for button in (self._back, self._on):
            button.setEnabled(count > 1)
        mammograms = state.detail is not None and state.detail.case.kind == "mammogram"
        self._protocol.setVisible(mammograms)
        self._fill_protocols(state.protocol)
        self._fill_priors(state.priors, state.prior.case.id if state.prior is not None else None)
        self._prior.setVisible(bool(state.priors))
        self._no_prior.setVisible(mammograms and not state.priors)

    def _fill_protocols(self, current: str) -> None:
        if [self._protocol.itemData(n) for n in range(self._protocol.count())] != [p.name for p in self.protocols]:
            self._protocol.clear()
            for protocol in self.protocols:
                self._protocol.addItem(protocol.title, protocol.name)
        self._protocol.setCurrentIndex(self._protocol.findData(current))

    def _fill_priors(self, priors: tuple[CaseRow, ...], current: int | None) -> None:
        wanted = [None, *(prior.id for prior in priors)]
        if [self._prior.itemData(n) for n in range(self._prior.count())] != wanted:
            self._prior.clear()
            self._prior.addItem(_NO_PRIOR, None)
            for prior in priors:
                self._prior.addItem(f"prior of {prior.study_date or 'unknown date'}", prior.id)
        self._prior.setCurrentIndex(wanted.index(current) if current in wanted else 0)

    @Slot()
    def _step_back(self) -> None:
        self.stepped.emit(-1)

    @Slot()
    def _step_on(self) -> None:
        self.stepped.emit(1)

    @Slot(int)
    def _on_protocol(self, index: int) -> None:
        self.protocol_chosen.emit(str(self._protocol.itemData(index)))

    @Slot(int)
    def _on_prior(self, index: int) -> None:
        self.prior_chosen.emit(self._prior.itemData(index))
