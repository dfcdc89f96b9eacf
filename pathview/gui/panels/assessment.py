"""What the reader says of the case: the form of its list, first without the model where the list has it so.

It only asks: an assessment is shown as saved once the store has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from pathview.gui.panels.assessment_words import escaped, label, own_latest, state_words
from pathview.gui.panels.form_view import FormView
from pathview.gui.panels.history import HistoryList, said_of
from pathview.gui.panels.side_by_side import SideBySide
from pathview.gui.theme import Theme
from pathview.review.records.case import DecisionRow, DecisionValue
from pathview.review.records.views import side_of

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.reading.reading import OpenedReading

_HEADINGS = {"first": "First read, without the model", "arbitration": "Arbitration"}
_CONFIRM = {"first": "Lock first read  (Ctrl+Return)", "arbitration": "Decide  (Ctrl+Return)"}
_NOTE = 54
"""Height of the note: two lines and a half."""


class AssessmentPanel(QWidget):
    """Fills itself from the reading of a case; what is being filled in stays until the case is read on."""

    assessed = Signal(object)
    """The fields of :class:`pathview.review.reading.reading.Assessment`, as a dict: save it."""
    undone = Signal()
    edited = Signal(object)
    """What was begun, as a dict: keep it as a draft."""
    replay_asked = Signal(object)
    """The :class:`DecisionRow` whose screen is to be shown."""

    def __init__(self, theme: Theme) -> None:
        """No case yet."""
        super().__init__()
        self.setObjectName("panel")
        self._now: OpenedReading | None = None
        self._key: tuple[object, ...] = ()
        self._changing = False
        """Whether the first assessment is being changed."""
        self._doubted: Mapping[str, Any] | None = None
        """Answers whose doubts were told; locking them once more locks them."""
        self._make_parts(theme)
        self._lay_out()
        self.form.changed.connect(self._on_answer)
        self.form.finished.connect(self._after_form)
        self.form.mistaken.connect(self._say_problem)
        self.note.textChanged.connect(self._on_text)
        self.reason.textEdited.connect(self._on_text)
        self._keep.clicked.connect(self.keep)
        self._change.clicked.connect(self.change)
        self._confirm.clicked.connect(self.confirm)
        self._undo.clicked.connect(self.undone)
        self.history.replay_asked.connect(self.replay_asked)
        self.sides.replay_asked.connect(self.replay_asked)
        self.show_case(None, {}, False)

    def _make_parts(self, theme: Theme) -> None:
        self._heading = label("Your decision", "heading")
        self._hint, self._first, self._final = label("", "dim"), label("", "first"), label("", "first")
        self.form, self.history = FormView(), HistoryList(theme)
        self.sides = SideBySide()
        """Stands elsewhere: beside a form there is no room for it."""
        self._keep, self._change = QPushButton("Keep  (K)"), QPushButton("Change  (Ctrl+K)")
        for button in (self._keep, self._change):
            button.setCheckable(True)
            button.setObjectName("decision")
            button.setMinimumHeight(38)
        self._keep.setToolTip("Your first assessment stands (K)")
        self._change.setToolTip("Say what is different, and why")
        self.reason = QLineEdit()
        self.reason.setPlaceholderText("Reason; required where you change")
        self.reason.setAccessibleName("Reason for keeping or changing the first assessment")
        self.note = QPlainTextEdit()
        self.note.setPlaceholderText("Note (Ctrl+N); saved with the decision")
        self.note.setFixedHeight(_NOTE)
        self.note.setTabChangesFocus(True)
        self.note.setAccessibleName("Note")
        self._problem, self._state = label("", "problem"), label("", "dim")
        self._confirm = QPushButton("")
        self._confirm.setObjectName("primary")
        self._undo = QPushButton("Undo (U)")

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 12)
        layout.setSpacing(7)
        self._choice = QWidget()
        row = QHBoxLayout(self._choice)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._keep, 1)
        row.addWidget(self._change, 1)
        bottom = QHBoxLayout()
        bottom.addWidget(self._state, 1)
        bottom.addWidget(self._undo, 0, Qt.AlignmentFlag.AlignTop)
        for part in (self._heading, self._hint, self._first, self._final, self._choice):
            layout.addWidget(part)
        layout.addWidget(self.form)
        layout.addWidget(self.reason)
        for part in (self.note, self._problem, self._confirm):
            layout.addWidget(part)
        layout.addLayout(bottom)
        layout.addWidget(self.history)

    # what is shown

    def show_case(
        self,
        now: OpenedReading | None,
        draft: Mapping[str, Any],
        can_undo: bool,
        readable: bool = True,
        read_only: str = "",
    ) -> None:
        """Show how far a case is, and what was begun.

        Args:
            now: the reading of the case; None: no case.
            draft: what was begun, shown where the case is another one or was read on; else what stands here stays.
            can_undo: whether the last decision can be taken back.
            readable: whether there is a picture; without one nothing can be called negative.
            read_only: why nothing can be filled in now; empty: it can.
        """
        self._now = now
        self.setEnabled(now is not None)
        if now is None:
            self._key = ()
            for part in (self.sides, self._undo, *self._of_a_case):
                part.hide()
            self._show_words()
            return
        decision, first = now.decision, now.first
        key = (now.detail.case.id, now.stage, decision.id if decision else 0, first.id if first else 0, now.form)
        if key != self._key:
            self._key = key
            self.form.show_form(now.form)
            self._fill(draft)
        if self._at_once:
            self.form.show_answers(self._answers_of(decision))
        self._arrange(readable, read_only)
        self._undo.setVisible(can_undo and not read_only)
        self._show_words()

    @property
    def _of_a_case(self) -> tuple[QWidget, ...]:
        """What there is nothing to say in without one."""
        said = (self._heading, self._hint, self._first, self._final, self.reason, self.note)
        return (*said, self._choice, self.form, self._confirm, self.history)

    def _fill(self, draft: Mapping[str, Any]) -> None:
        """Begin anew: with what was begun, else with what was decided, else, of a second read, with the first one."""
        assert self._now is not None
        decision, first = self._now.decision, self._now.first
        self._changing = self._two_steps and draft.get("keep") is False
        begun = draft.get("answers")
        self.form.show_answers(begun if begun else self._answers_of(decision or first))
        with QSignalBlocker(self.reason), QSignalBlocker(self.note):
            self.reason.setText(draft.get("reason") or "")  # each decision has a reason of its own
            self.note.setPlainText(draft.get("note") or (decision.note if decision is not None else ""))
        self._say_problem("")
        self._doubted = None
        self.history.show_decisions(self._now.detail.decisions, self._now.form)
        arbitrated = self._now.detail.decisions if self._now.worklist.mode == "arbitration" else ()
        self.sides.show_decisions(arbitrated, self._now.form)

    def _answers_of(self, row: DecisionRow | None) -> Mapping[str, Any]:
        """What a decision said in the terms of this form; nothing where it was made by another one."""
        if row is None or row.value is None or self._now is None:
            return {}
        if row.answers and row.form == self._now.form.name:
            return row.answers
        option = self.form.option_for(row.value)
        return {self._now.form.decisive.name: option} if option is not None else {}

    def _arrange(self, readable: bool, read_only: str) -> None:
        """Show the parts that this stage has."""
        now = self._now
        assert now is not None
        locked = read_only or self._closed_words
        mode = now.worklist.mode
        self._heading.setText(self._heading_words)
        self._heading.show()
        self._hint.setText(locked or self._hint_words)
        self._hint.setVisible(bool(self._hint.text()))
        self._first.setVisible(now.first is not None)
        if now.first is not None:
            note = f"  “{now.first.note}”" if now.first.note else ""
            self._first.setText(f"<b>Your first read:</b> {escaped(said_of(now.first, now.form) + note)}")
        standing = now.decision if self._two_steps and not self._changing else None
        self._final.setVisible(standing is not None)
        if standing is not None:
            reason = f"  ({standing.reason})" if standing.reason else ""
            word = "Kept" if standing.context.get("kept") else "Changed to"
            said = "" if standing.context.get("kept") else f" {said_of(standing, now.form)}"
            self._final.setText(f"<b>{word}</b>{escaped(said + reason)}")
        self.sides.setVisible(mode == "arbitration")
        steps = self._two_steps and now.stage is not None
        self._choice.setVisible(steps and not read_only)
        kept = now.decision is not None and bool(now.decision.context.get("kept"))
        self._keep.setText("Keep  (K)" if now.decision is None else "Keep")
        self._keep.setChecked(kept and not self._changing)
        self._change.setChecked(self._changing or (now.decision is not None and not kept))
        self.form.setVisible(not self._two_steps or self._changing)
        self.form.setEnabled(not locked and (not steps or self._changing))
        self.form.allow_only(None if readable else frozenset({"cant_tell"}))
        self._keep.setEnabled(readable)
        deciding = not self._two_steps or self._changing or now.decision is None
        self.reason.setVisible(steps and deciding and not read_only)
        self.note.setVisible(deciding and not read_only)
        told = not self._changing and mode != "arbitration"  # there it stands side by side
        self.history.setVisible(bool(now.detail.decisions) and told)
        for line in (self.reason, self.note):
            line.setReadOnly(bool(locked))
        self._confirm.setVisible(not locked and not self._at_once and (not steps or self._changing))
        self._confirm.setText(self._confirm_words)

    @property
    def _closed_words(self) -> str:
        if self._now is None or self._now.stage is not None:
            return ""
        return f"The list {self._now.worklist.name} is closed: all is shown, and nothing is decided any more."

    @property
    def _heading_words(self) -> str:
        assert self._now is not None
        if self._now.stage is None:
            return "Reading has ended"
        if self._two_steps:
            return "Decided" if self._now.decision is not None else "Now with the model: keep or change"
        blind = "Your assessment, read blind" if self._now.worklist.mode == "blind" else "Your decision"
        return _HEADINGS.get(self._now.stage, blind)

    @property
    def _hint_words(self) -> str:
        assert self._now is not None
        if self._at_once:
            return ""
        return "" if self._two_steps else f"{self._now.form.title}  ·  F2 goes here"

    @property
    def _confirm_words(self) -> str:
        assert self._now is not None
        if self._two_steps:
            return "Save the change  (Ctrl+Return)"
        return _CONFIRM.get(self._now.stage or "", "Decide  (Ctrl+Return)")

    @property
    def _two_steps(self) -> bool:
        """Whether a first assessment is locked, so that what is left is to keep or to change it."""
        now = self._now
        return now is not None and now.first is not None and now.stage in ("final", None)

    @property
    def _at_once(self) -> bool:
        """Whether an answer is saved as soon as it is given: it can be undone, and there is nothing else to fill in."""
        now = self._now
        alone = now is not None and len(now.form.fields) == 1
        return alone and now is not None and now.stage in ("final", "arbitration") and not self._two_steps

    # words

    def show_saving(self) -> None:
        """It is on its way to the disk."""
        self._state.setText("Saving ...")

    @Slot()
    def _show_words(self) -> None:
        now = self._now
        if now is None:
            self._state.setText("")
            return
        latest = own_latest(now)
        waiting = "  The note is not saved yet: decide to save it." if self._note_waits and now.decision else ""
        if self._note_waits and not now.decision:
            act = "lock" if now.stage == "first" else "decide"
            waiting = f"  The note is a draft, not saved yet: {act} to save it."
        self._state.setText(state_words(latest, now) + waiting)

    @property
    def _note_waits(self) -> bool:
        """Whether the note differs from the one that is saved."""
        decision = self._now.decision if self._now is not None else None
        return self.note.toPlainText().strip() != (decision.note if decision is not None else "")

    # what the reader does

    @property
    def begun(self) -> dict[str, Any]:
        """What stands in the panel and is not decided: the draft."""
        now = self._now
        if now is None or now.stage is None:
            return {}
        decision = now.decision or now.first
        answers = {} if self._at_once else self.form.answers
        reason = self.reason.text().strip() if self._two_steps else ""
        return {
            "answers": answers if answers != self._answers_of(decision) or self._changing else {},
            "note": self.note.toPlainText().strip() if self._note_waits else "",
            "reason": reason,
            "keep": False if self._changing else None,
        }

    @Slot(bool)
    def _on_answer(self, decisive: bool) -> None:
        if decisive and self._at_once:
            self.confirm()
            return
        if self._problem.text():
            self._tell_problem()
        self.edited.emit(self.begun)

    @Slot()
    def _on_text(self) -> None:
        self._show_words()
        if self._problem.text():
            self._tell_problem()
        self.edited.emit(self.begun)

    @Slot()
    def confirm(self) -> None:
        """Lock, or decide, with what is filled in; say what is missing."""
        now = self._now
        if now is None or now.stage is None or not self.form.isEnabled():
            if self._two_steps:
                self._say_problem("Keep your first assessment (K), or change it (Ctrl+K).")
            return
        if self._tell_problem():
            if not now.form.check(self.form.answers):
                self.reason.setFocus(Qt.FocusReason.TabFocusReason)
            return
        if now.stage == "first" and self._tell_doubts(now):
            return
        said: dict[str, Any] = {"answers": self.form.answers, "note": self.note.toPlainText().strip()}
        if self._two_steps:
            said |= {"reason": self.reason.text().strip(), "keep": False}
        self.assessed.emit(said)

    def _tell_problem(self) -> bool:
        assert self._now is not None
        problems = self._now.form.check(self.form.answers)
        if self._two_steps and not problems and not self.reason.text().strip():
            problems = ("Say why you change your first assessment.",)
        self._say_problem(problems[0] if problems else "")
        return bool(problems)

    def _tell_doubts(self, now: OpenedReading) -> bool:
        """Ask once about what may have been missed, since a first read cannot be taken back."""
        sides = [side_of(image.info) for image in now.detail.images]
        told = now.form.doubts(self.form.answers, {side for side in sides if side} if all(sides) else ())
        if not told or self._doubted == self.form.answers:
            return False
        self._doubted = self.form.answers
        self._say_problem(f"{' '.join(told)} Ctrl+Return once more locks it so.")
        return True

    @Slot(str)
    def _say_problem(self, words: str) -> None:
        self._problem.setText(words)
        self._problem.setVisible(bool(words))

    @Slot()
    def keep(self) -> None:
        """The first assessment stands."""
        if self._can_choose and self._keep.isEnabled():
            reason = self.reason.text().strip() if self.reason.isVisibleTo(self) else ""
            self.assessed.emit({"note": self.note.toPlainText().strip(), "reason": reason, "keep": True})

    @Slot()
    def change(self) -> None:
        """Open the form, to say what is different."""
        if self._can_choose:
            self._changing = True
            self._arrange(True, "")
            self.edited.emit(self.begun)
            self.form.take_focus()

    @property
    def _can_choose(self) -> bool:
        return self._two_steps and self._now is not None and self._now.stage is not None

    def choose(self, value: DecisionValue) -> None:
        """Choose the answer that means this, as its key does."""
        if self._now is not None and self.form.isEnabled():
            self.form.choose(value)

    @property
    def asks(self) -> bool:
        """Whether there is something to fill in, and not only to keep or to change."""
        return self._now is not None and self._now.stage is not None and (not self._can_choose or self._changing)

    def take_focus(self) -> None:
        """Go to what is to be filled in next."""
        if self._can_choose and not self._changing:
            self._keep.setFocus(Qt.FocusReason.TabFocusReason)
        else:
            self.form.take_focus()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.history.set_theme(theme)

    @property
    def has_focus(self) -> bool:
        """Whether keys go to this panel."""
        focus = self.focusWidget() if self.window().isActiveWindow() else None
        return focus is not None and focus.hasFocus()

    @Slot()
    def _after_form(self) -> None:
        target = self.reason if self._two_steps else self.note
        target.setFocus(Qt.FocusReason.TabFocusReason)
