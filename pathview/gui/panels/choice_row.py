"""One question of a form: its answers as buttons, one key each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget


class Choice(NamedTuple):
    """One answer."""

    value: str
    words: str
    key: str = ""
    """The letter or digit that chooses it while its question has the focus; empty: it has none."""
    tip: str = ""
    state: str = ""
    """A decision's value, which has a colour; or empty."""


_TALL = 4
"""Answers up to which each has two lines: what it says, and its key."""


class ChoiceRow(QWidget):
    """At most one answer is chosen, by click, by its key, or by Space where the focus is."""

    chosen = Signal(str, bool)
    """The answer that the reader chose (empty: they took it back), and whether by its key."""
    mistaken = Signal(str)
    """A sentence: a key was pressed that answers another question, or the beginning of several answers."""

    def __init__(self, title: str, choices: Sequence[Choice], columns: int, large: bool, optional: bool) -> None:
        """``title`` is for screen readers; ``large`` rows decide; an ``optional`` answer can be taken back."""
        super().__init__()
        self._optional = optional
        self._title, self._choices = title, choices
        self.others: frozenset[str] = frozenset()
        """Keys of the form's other questions: here they do nothing, and say so, rather than what they do elsewhere."""
        self.setAccessibleName(title)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6 if large else 4)
        self.buttons: dict[str, QPushButton] = {}
        keys = {choice.key.upper(): choice.value for choice in choices if choice.key}
        for number, choice in enumerate(choices):
            button = _ChoiceButton(self, keys)
            _dress(button, title, choice, large, len(choices) > _TALL)
            button.clicked.connect(self._clicked)
            grid.addWidget(button, number // columns, number % columns)
            self.buttons[choice.value] = button

    @property
    def value(self) -> str | None:
        """The answer that is chosen."""
        return next((value for value, button in self.buttons.items() if button.isChecked()), None)

    def show_value(self, value: str | None) -> None:
        """Show an answer without asking for anything."""
        for name, button in self.buttons.items():
            button.setChecked(name == value)
        self._set_stop(self.buttons.get(value or "") or next(iter(self.buttons.values())))

    def _set_stop(self, stop: QPushButton) -> None:
        """Tab stops at one answer; arrows go on from there."""
        for button in self.buttons.values():
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus if button is stop else Qt.FocusPolicy.ClickFocus)

    def go(self, button: QPushButton, by: int) -> None:
        """Go to a neighbour of an answer that can be chosen."""
        usable = [each for each in self.buttons.values() if each.isEnabled()]
        wanted = usable[(usable.index(button) + by) % len(usable)] if button in usable else None
        if wanted is not None:
            self._set_stop(wanted)
            wanted.setFocus(Qt.FocusReason.TabFocusReason)

    def choose(self, value: str, by_key: bool = True) -> None:
        """Choose an answer, as its key does."""
        if self.isEnabled() and self.buttons[value].isEnabled():
            self.show_value(value)
            self.chosen.emit(value, by_key)

    def take_focus(self) -> None:
        """Go to the answer that is chosen, else to the first that can be."""
        usable = [button for button in self.buttons.values() if button.isEnabled()]
        for button in [button for button in usable if button.isChecked()] or usable[:1]:
            self._set_stop(button)
            button.setFocus(Qt.FocusReason.TabFocusReason)

    def mistake(self, key: str) -> str:
        """What to say of a key that is none of this question's; empty: it is not the form's."""
        begun = [choice for choice in self._choices if len(choice.value) > 1 and choice.value.upper().startswith(key)]
        if len(begun) > 1 and all(choice.key for choice in begun):
            return f"{' or '.join(choice.value for choice in begun)}? Press {_listed([c.key for c in begun])}."
        if key not in self.others:
            return ""
        return (
            f"{key} is no answer to {self._title}: {_listed([choice.key for choice in self._choices if choice.key])}."
        )

    def _clicked(self) -> None:
        pressed: QPushButton = self.sender()  # type: ignore[assignment]
        value = str(pressed.property("value"))
        kept = pressed.isChecked() or not self._optional
        self.show_value(value if kept else None)
        self.chosen.emit(value if kept else "", False)


def _listed(keys: Sequence[str]) -> str:
    return " or ".join([", ".join(keys[:-1]), keys[-1]]) if len(keys) > 1 else "".join(keys)


_ARROWS: Mapping[int, int] = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Down: 1,
}


class _ChoiceButton(QPushButton):
    """While it has the focus, the keys of its question's answers are its own, whatever they do elsewhere."""

    def __init__(self, row: ChoiceRow, keys: Mapping[str, str]) -> None:
        super().__init__()
        self._row, self._keys = row, keys
        self.setCheckable(True)

    def event(self, event: QEvent) -> bool:
        """Keep keys of its own from the shortcuts."""
        if event.type() == QEvent.Type.ShortcutOverride:
            key = _plain(cast("QKeyEvent", event))
            if key and (key in self._keys or self._row.mistake(key)):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose by key."""
        key = _plain(event)
        if key in self._keys:
            self._row.choose(self._keys[key])
        elif words := self._row.mistake(key) if key else "":
            self._row.mistaken.emit(words)
        elif event.key() in _ARROWS:
            self._row.go(self, _ARROWS[event.key()])
        else:
            super().keyPressEvent(event)


def _plain(event: QKeyEvent) -> str:
    """The letter or digit of a key without modifiers, upper case; else empty."""
    plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
    return event.text().upper() if plain and event.text().isalnum() else ""


def _dress(button: QPushButton, title: str, choice: Choice, large: bool, low: bool) -> None:
    other = bool(choice.key) and choice.key.upper() != choice.words.upper()
    apart = " " if low else "\n"
    button.setText(f"{choice.words}{apart}({choice.key})" if large and other else choice.words)
    button.setObjectName("decision" if large else "choice")
    button.setProperty("state", choice.state)
    button.setProperty("value", choice.value)
    button.setAccessibleName(f"{title}: {choice.tip or choice.words}")
    button.setToolTip(f"{choice.tip or choice.words}{f' ({choice.key})' if choice.key else ''}")
    button.setMinimumWidth(24)
    if large:
        button.setMinimumHeight(34 if low else 48)
