"""A form to fill in: the question that decides as large buttons, the others compact. Nothing is ever filled in here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from pathview.gui.panels.choice_row import Choice, ChoiceRow
from pathview.review.records.case import DecisionValue

if TYPE_CHECKING:  # the window starts without the library that reads forms
    from pathview.review.records.forms import Form, FormField, Option

_SHORT = 3
"""Letters up to which a value is a category of its own, as in BI-RADS, and stands on the button itself."""
_COLORED = 3
"""Answers up to which each has the colour of what it means; more would be a traffic light."""
_LETTERS = 34
"""About as many as fit side by side on compact buttons, with what is around them."""
_MOST_COLUMNS = 5


class FormView(QWidget):
    """The answers to one form's questions."""

    changed = Signal(bool)
    """The reader changed an answer; whether it is the one that decides."""
    finished = Signal()
    """The last question was answered by key."""
    mistaken = Signal(str)
    """A sentence: a key was pressed that this question does not have."""

    def __init__(self) -> None:
        """No form yet."""
        super().__init__()
        self.form: Form | None = None
        self._rows: dict[str, ChoiceRow] = {}
        self._lines: dict[str, QLineEdit] = {}
        self._titles: dict[str, QLabel] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self._inside = QWidget()
        self._layout.addWidget(self._inside)

    def show_form(self, form: Form) -> None:
        """Ask the questions of a form; those that are asked already stay as they are."""
        if form == self.form:
            return
        self.form = form
        self._rows, self._lines, self._titles = {}, {}, {}
        self._layout.removeWidget(self._inside)
        self._inside.hide()
        self._inside.deleteLater()
        self._inside = QWidget()
        grid = QGridLayout(self._inside)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(6)
        grid.setHorizontalSpacing(8)
        grid.setColumnStretch(1, 1)
        for field in form.fields:
            self._add(grid, field, len(form.fields) == 1)
        keys = {field.name: {option.key.upper() for option in field.options if option.key} for field in form.fields}
        for name, row in self._rows.items():
            row.others = frozenset().union(*keys.values()) - keys[name]
        self._layout.addWidget(self._inside)

    def _add(self, grid: QGridLayout, field: FormField, alone: bool) -> None:
        row = grid.rowCount()
        title, told = QLabel(field.title), QLabel("")
        title.setWordWrap(True)
        told.setObjectName("dim")
        told.setWordWrap(True)
        if field.decides:
            if not alone:
                grid.addWidget(title, row, 0, 1, 2)
            grid.addWidget(self._choices(field, large=True), row + 1, 0, 1, 2)
            if any(_short(option) for option in field.options):
                grid.addWidget(told, row + 2, 0, 1, 2)
                self._titles[field.name] = told
            return
        title.setObjectName("dim")
        grid.addWidget(title, row, 0)
        if field.kind == "choice":
            grid.addWidget(self._choices(field, large=False), row, 1)
        else:
            line = QLineEdit()
            line.setAccessibleName(field.title)
            line.setPlaceholderText(field.unit)
            line.textEdited.connect(self._edited)
            self._lines[field.name] = line
            grid.addWidget(line, row, 1)

    def _choices(self, field: FormField, large: bool) -> ChoiceRow:
        colored = large and len(field.options) <= _COLORED
        choices = [
            Choice(
                option.value,
                option.value if _short(option) else option.title,
                option.key,
                f"{option.value}: {option.title}" if _short(option) else option.title,
                (option.decision or "") if colored else "",
            )
            for option in field.options
        ]
        longest = max(len(choice.words) for choice in choices)
        fitting = max(1, min(_MOST_COLUMNS, _LETTERS // (longest + 3)))
        columns = (3 if longest > _SHORT else _MOST_COLUMNS) if large else fitting
        row = ChoiceRow(field.title, choices, columns, large, not field.required)
        row.setProperty("field", field.name)
        row.chosen.connect(self._chosen)
        row.mistaken.connect(self.mistaken)
        self._rows[field.name] = row
        return row

    # answers

    @property
    def answers(self) -> dict[str, Any]:
        """What is filled in, by field."""
        assert self.form is not None
        found: dict[str, Any] = {}
        for field in self.form.fields:
            if field.name in self._rows:
                if (value := self._rows[field.name].value) is not None:
                    found[field.name] = value
            elif text := self._lines[field.name].text().strip():
                found[field.name] = field.parsed(text)
        return found

    def show_answers(self, answers: Mapping[str, Any]) -> None:
        """Show answers without asking for anything; of other forms' fields nothing."""
        for name, row in self._rows.items():
            row.show_value(answers.get(name))
        for name, line in self._lines.items():
            value = answers.get(name)
            line.setText("" if value is None else f"{value:g}" if isinstance(value, float) else str(value))
        self._tell()

    @property
    def buttons(self) -> Mapping[str, QPushButton]:
        """Those of the question that decides, by value."""
        return self._rows[self.form.decisive.name].buttons if self.form is not None else {}

    def option_for(self, value: DecisionValue) -> str | None:
        """The one answer that means a decision; None where there is none, or several."""
        options = self.form.decisive.options if self.form is not None else ()
        meaning = [option.value for option in options if option.decision == value]
        return meaning[0] if len(meaning) == 1 else None

    def choose(self, value: DecisionValue) -> None:
        """Choose the one answer that means a decision."""
        if self.form is not None and (option := self.option_for(value)) is not None:
            self._rows[self.form.decisive.name].choose(option, by_key=False)

    def allow_only(self, decisions: frozenset[DecisionValue] | None) -> None:
        """Let only answers be chosen that mean one of these decisions; None: all.

        Where no answer means that, all but those that mean negative can be: BI-RADS 0 is such a one.
        """
        options = self.form.decisive.options if self.form is not None else ()
        known = any(option.decision in decisions for option in options) if decisions is not None else True
        for option in options:
            meant = option.decision in decisions if decisions is not None and known else option.decision != "negative"
            self.buttons[option.value].setEnabled(decisions is None or meant)

    def take_focus(self) -> None:
        """Go to the question that decides."""
        if self.form is not None:
            self._rows[self.form.decisive.name].take_focus()

    # what the reader does

    def _chosen(self, _: str, by_key: bool) -> None:
        assert self.form is not None
        name = str(self.sender().property("field"))
        self._tell()
        self.changed.emit(name == self.form.decisive.name)
        if by_key:
            self._go_on(name)

    def _go_on(self, name: str) -> None:
        assert self.form is not None
        names = [field.name for field in self.form.fields]
        following = names[names.index(name) + 1 :]
        if not following:
            self.finished.emit()
        elif following[0] in self._rows:
            self._rows[following[0]].take_focus()
        else:
            self._lines[following[0]].setFocus(Qt.FocusReason.TabFocusReason)

    def _edited(self) -> None:
        self.changed.emit(False)

    def _tell(self) -> None:
        """Say what a category means: its name alone is a digit."""
        for field in self.form.fields if self.form is not None else ():
            if field.name in self._titles:
                chosen = self._rows[field.name].value
                told = next((option.title for option in field.options if option.value == chosen), "")
                self._titles[field.name].setText(f"{chosen}: {told}" if told else "Nothing chosen yet")


def _short(option: Option) -> bool:
    return len(option.value) <= _SHORT


def answer_words(form: Form, answers: Mapping[str, Any], value: str) -> str:
    """Answers in a line, the one that decides first; ``value`` where there are none."""
    fields = sorted(form.fields, key=lambda field: not field.decides)
    return ", ".join(_said(field, answers[field.name]) for field in fields if field.name in answers) or value


def _said(field: FormField, answer: Any) -> str:
    """An answer in a few words: by itself where it decides and tells enough, else with its question."""
    option = next((option for option in field.options if option.value == answer), None)
    told = f"{answer:g} {field.unit}".strip() if isinstance(answer, float) else str(answer)
    words = told if option is None or _short(option) else option.title.lower()
    title = field.title.removesuffix(" category")
    if field.decides:
        return words if option is not None and not _short(option) else f"{title} {words}"
    return f"{title.lower()} {words}"
