"""The reading protocol in the window: panels, actions and clock follow how far the reader is with the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from pathview.gui.actions import hold, set_keys
from pathview.gui.case_clock import CaseClock
from pathview.gui.desk import Desk
from pathview.gui.panels.assessment import AssessmentPanel
from pathview.gui.preferences import Preferences
from pathview.gui.replaying import Replaying
from pathview.gui.viewer.light_box import LightBox
from pathview.review.records.case import DECISIONS, DecisionValue

OF_THE_MODEL = (
    "mask",
    "fill",
    "heat",
    "threshold_down",
    "threshold_up",
    "next_finding",
    "previous_finding",
    "take_finding",
    "gallery",
    "tile_layers",
)
"""Actions that show something of the model."""
_DECIDING = ("assess", "keep_first", "change_first", "undo_decision")
_KEEP_KEY = {"keep_first": ("K",)}
"""Lent to it while a first assessment waits to be kept; the previous case has another key besides."""
NO_PICTURE = "There is no picture on the screen to decide on; only can't tell can be decided."
_UNDO_ENDED = "Undo ends when you go to another case; to change a decision later, decide again."
_REPLAY = "This is a replay; Esc goes back to the case."


class ReadingFlow(QObject):
    """Between the reading desk, which knows the protocol, and the widgets, which show it."""

    said = Signal(str)
    """A sentence for the banner."""

    def __init__(
        self, desk: Desk, panel: AssessmentPanel, box: LightBox, preferences: Preferences, window: QWidget
    ) -> None:
        """Connect them; :meth:`follow` is given the actions."""
        super().__init__(window)
        self._desk, self._reading, self._panel, self._preferences = desk, desk.reading, panel, preferences
        self._actions: Mapping[str, QAction] = {}
        self._lent: Mapping[str, tuple[str, ...]] = {}
        self._stage: object = None
        self._clock, self._box = CaseClock(window), box
        self.replaying = Replaying(desk, box, self)
        reading = self._reading
        reading.seconds = lambda: self._clock.seconds
        reading.noted = self.replaying.noted
        reading.changed.connect(self._on_reading)
        reading.saving.connect(panel.show_saving)
        desk.state_changed.connect(self.show_state)
        panel.assessed.connect(self._assess)
        panel.undone.connect(self.undo)
        panel.edited.connect(reading.keep_draft)
        panel.replay_asked.connect(reading.show_what_was_seen)
        preferences.changed.connect(self._on_preferences)

    def follow(self, actions: Mapping[str, QAction]) -> None:
        """Keep actions possible or not, as the protocol has it."""
        self._actions = actions
        self._hold()

    # what the desk says

    @Slot()
    def _on_reading(self) -> None:
        """Another case, or the same one read on."""
        now = self._reading.now
        before, decided = self._stage, now.decision if now is not None else None
        self._stage = (self._reading.case_id, now.stage, decided) if now is not None else None
        if self._stage != before:
            self._clock.start(self._reading.seconds_before)
            if self._panel.has_focus:
                self.show_state()
                if self._panel.asks:
                    self._panel.take_focus()
                else:  # Space on a button that had the focus by itself would decide
                    self._box.canvas.setFocus(Qt.FocusReason.OtherFocusReason)
        self.show_state()
        self._hold()

    @Slot()
    def show_state(self) -> None:
        """Show how far the case is."""
        opening = self._desk.opening and not self.replaying.on
        now = self._reading.now if not opening else None
        state = self._desk.state
        readable = not state.hung or any(state.view_of(image.id).problem is None for image in state.hung)
        read_only = _REPLAY if self.replaying.on else ""
        self._panel.show_case(now, self._reading.draft, self._reading.undoable, readable, read_only)

    def _hold(self) -> None:
        """Let nothing be asked for that would show the model, or that this list has no room for."""
        now, replay = self._reading.now, _REPLAY if self.replaying.on else ""
        reasons = dict.fromkeys(OF_THE_MODEL, self._reading.hidden or replay)
        reasons |= dict.fromkeys(_DECIDING, replay)
        two_steps = now is not None and now.first is not None and now.stage == "final"
        for name in ("keep_first", "change_first"):
            reasons[name] = replay or ("" if two_steps else "There is no locked first assessment to keep or change.")
        for value in DECISIONS:
            known = now is None or self._panel.form.option_for(value) is not None
            form = now.form.title if now is not None else ""
            reasons[f"decide_{value}"] = replay or ("" if known else f"Of the form {form}, several answers mean this.")
        if reasons["gallery"] and self._actions["gallery"].isChecked():
            self._actions["gallery"].setChecked(False)
        lent = _KEEP_KEY if two_steps and now is not None and now.decision is None and not replay else {}
        if lent != self._lent:
            self._lent = lent
            set_keys(self._actions, self._preferences.keys, lent)
        hold(self._actions, reasons, self._preferences.keys, lent)

    @Slot(str)
    def _on_preferences(self, what: str) -> None:
        if what == "keys":
            set_keys(self._actions, self._preferences.keys, self._lent)
            self._hold()

    # what the reader does

    def decide(self, value: DecisionValue) -> None:
        """Choose the answer that means this; where there is nothing else to fill in, that decides."""
        if self._desk.opening or self._reading.now is None:
            return
        if value != "cant_tell" and not self._desk.state.any_picture:
            self.said.emit(NO_PICTURE)
            self.show_state()
            return
        self._panel.choose(value)

    @Slot(object)
    def _assess(self, said: Mapping[str, Any]) -> None:
        if not self._desk.opening:
            self._reading.assess(said)

    def confirm(self) -> None:
        """Lock, or decide."""
        if not self._desk.opening:
            self._panel.confirm()

    @Slot()
    def undo(self) -> None:
        """Take the last decision back."""
        if self._desk.opening:
            return
        if self._reading.undoable:
            self._reading.withdraw()
        else:
            self.said.emit(_UNDO_ENDED)

    def leave_replay(self) -> bool:
        """Go back to the case as it is now; whether a replay was on."""
        return self.replaying.end()
