"""What the reader decides: three answers, one key each, and a note."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from pathview.gui.theme import LABEL_WORDS
from pathview.review.case import CaseDetail, DecisionRow, DecisionValue

_BUTTONS: tuple[tuple[DecisionValue, str], ...] = (
    ("positive", "Positive\n(P)"),
    ("cant_tell", "Can't tell\n(C)"),
    ("negative", "Negative\n(N)"),
)


class DecisionPanel(QWidget):
    """Asks for a decision to be saved; shows it as saved only when told so."""

    decided = Signal(str)
    undone = Signal()

    def __init__(self) -> None:
        """No case yet."""
        super().__init__()
        self.setObjectName("panel")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 12)
        heading = QLabel("Your decision")
        heading.setObjectName("heading")
        layout.addWidget(heading)
        row = QHBoxLayout()
        self._buttons: dict[str, QPushButton] = {}
        for value, words in _BUTTONS:
            button = QPushButton(words)
            button.setCheckable(True)
            button.setObjectName("decision")
            button.setProperty("state", value)
            button.setAccessibleName(f"Decide {LABEL_WORDS[value]}")
            button.setMinimumHeight(48)
            button.clicked.connect(self._clicked)
            self._buttons[value] = button
            row.addWidget(button)
        layout.addLayout(row)
        self.note = QPlainTextEdit()
        self.note.setPlaceholderText("Note (Ctrl+N); saved with the decision")
        self.note.setFixedHeight(64)
        self.note.setTabChangesFocus(True)
        self.note.setAccessibleName("Note")
        layout.addWidget(self.note)
        bottom = QHBoxLayout()
        self._state = QLabel("")
        self._state.setObjectName("dim")
        self._state.setWordWrap(True)
        self._undo = QPushButton("Undo (U)")
        self._undo.clicked.connect(self.undone)
        bottom.addWidget(self._state, 1)
        bottom.addWidget(self._undo, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(bottom)
        self._case_id: int | None = None
        self._latest: DecisionRow | None = None
        self._drafts: dict[int, str] = {}
        self.note.textChanged.connect(self._show_words)
        self.show_case(None, False)

    def show_case(self, case: CaseDetail | None, can_undo: bool, readable: bool = True) -> None:
        """Show what is saved for a case; a note that is not saved yet waits until its case is shown again.

        Without a readable picture the one honest answer is "can't tell".
        """
        latest = case.decisions[-1] if case is not None and case.decisions else None
        value = latest.value if latest is not None else None
        case_id = case.case.id if case is not None else None
        if case_id != self._case_id:
            self._change_note(case_id, latest)
        self._latest = latest
        self.setEnabled(case is not None)
        for name, button in self._buttons.items():
            button.setChecked(name == value)
            button.setEnabled(readable or name == "cant_tell")
        self._undo.setVisible(can_undo)
        self._show_words()

    def _change_note(self, case_id: int | None, latest: DecisionRow | None) -> None:
        if self._case_id is not None:
            self._drafts[self._case_id] = self.note.toPlainText()
            if not self._note_waits:
                del self._drafts[self._case_id]
        self._case_id, self._latest = case_id, latest
        saved = _saved_note(latest)
        self.note.setPlainText(self._drafts.get(case_id, saved) if case_id is not None else "")

    @property
    def _note_waits(self) -> bool:
        """Whether the note differs from the one that is saved."""
        return self.note.toPlainText().strip() != _saved_note(self._latest)

    @Slot()
    def _show_words(self) -> None:
        waiting = "  The note is not saved yet: decide to save it." if self._note_waits else ""
        self._state.setText(_state_words(self._latest) + waiting if self._case_id is not None else "")

    def show_saving(self) -> None:
        """The decision is on its way to the disk."""
        self._state.setText("Saving ...")

    def _clicked(self) -> None:
        button = self.sender()
        value = next(value for value, known in self._buttons.items() if known is button)
        self.decided.emit(value)


def _saved_note(latest: DecisionRow | None) -> str:
    return latest.note if latest is not None and latest.value is not None else ""


def _state_words(latest: DecisionRow | None) -> str:
    if latest is None:
        return "Not decided yet."
    when = f"{latest.created.astimezone():%Y-%m-%d %H:%M}"
    if latest.value is None:
        return f"Withdrawn by {latest.reader}, {when}."
    return f"Saved: {LABEL_WORDS[latest.value]}, {latest.reader}, {when}."
