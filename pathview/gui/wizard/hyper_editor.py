"""A typed field for each hyper-parameter of the papers; what differs from the recipe is marked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QLineEdit, QWidget

from pathview.gui.wizard.base_page import dim, strong
from pathview.models.recipe import Recipe
from pathview.training.runs.hyperparameters import Group, Hyperparameter, Value, offered, value_of

GROUP_WORDS: Mapping[Group, str] = {
    "fitting": "Fitting",
    "head": "Head and network",
    "data": "Which images count",
    "augmentation": "Augmentation",
    "input": "What the network sees",
    "work": "Work",
}
_WIDE = 230


def field_words(name: str) -> str:
    """A hyper-parameter's name for people: ``learning rate``."""
    return name.rpartition(".")[2].replace("_", " ").replace(" deg", ", degrees")


class HyperEditor(QWidget):
    """Rows of some groups; asks for changes, and shows what the plan says."""

    changed = Signal(str, object)
    """Name and value that is wanted."""

    def __init__(self, groups: Iterable[Group], meanings: bool = True, headings: bool = True) -> None:
        """``meanings``: whether the sentence stands beside each field, or in its tip alone."""
        super().__init__()
        self._groups = tuple(groups)
        self._meanings, self._headings = meanings, headings
        self._base: Recipe | None = None
        self._names: tuple[str, ...] = ()
        self.fields: dict[str, QWidget] = {}
        self._labels: dict[str, QLabel] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(5)
        self._grid.setColumnStretch(2 if meanings else 1, 1)

    def show_recipe(self, base: Recipe, changes: Mapping[str, Value]) -> None:
        """Show a recipe with changes on it."""
        rows = [row for row in offered(base) if row.group in self._groups]
        if tuple(row.name for row in rows) != self._names:
            self._build(rows)
        self._base = base
        for row in rows:
            own = _plain(value_of(base, row.name))
            value = _plain(changes.get(row.name, own))
            field = self.fields[row.name]
            with QSignalBlocker(field):
                _fill(field, value)
            differs = value != own
            self._labels[row.name].setText(f"{field_words(row.name)} *" if differs else field_words(row.name))
            tip = f"{row.meaning} {_limits(row)}The recipe has {_text(own) or 'none'}."
            for part in (field, self._labels[row.name]):
                part.setToolTip(tip)

    def _build(self, rows: Iterable[Hyperparameter]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.fields, self._labels, found = {}, {}, tuple(rows)
        self._names = tuple(row.name for row in found)
        line = 0
        for group in self._groups:
            own = [row for row in found if row.group == group]
            if own and self._headings:
                self._grid.addWidget(strong(GROUP_WORDS[group]), line, 0, 1, 3)
                line += 1
            for row in own:
                self._add(row, line)
                line += 1

    def _add(self, row: Hyperparameter, line: int) -> None:
        label, field = QLabel(field_words(row.name)), self._field(row)
        field.setAccessibleName(field_words(row.name))
        field.setAccessibleDescription(row.meaning)
        label.setBuddy(field)
        self.fields[row.name], self._labels[row.name] = field, label
        self._grid.addWidget(label, line, 0)
        self._grid.addWidget(field, line, 1)
        if self._meanings:
            self._grid.addWidget(dim(row.meaning), line, 2)

    def _field(self, row: Hyperparameter) -> QWidget:
        name = row.name
        if row.kind == "yes or no":
            box = QCheckBox()
            box.toggled.connect(lambda on: self.changed.emit(name, on))
            return box
        if row.kind == "choice":
            combo = QComboBox()
            combo.addItems(list(row.choices))
            combo.activated.connect(lambda _: self.changed.emit(name, combo.currentText()))
            return combo
        line = QLineEdit()
        line.setMaximumWidth(_WIDE)
        line.setPlaceholderText("none" if row.optional else row.limits)
        line.editingFinished.connect(lambda: self._typed(row, line))
        return line

    def _typed(self, row: Hyperparameter, line: QLineEdit) -> None:
        if line.isModified():
            line.setModified(False)
            self.changed.emit(row.name, parsed(row, line.text()))


def parsed(row: Hyperparameter, text: str) -> Any:
    """What was typed as a value of a row's kind; words where it is none, for the recipe to refuse."""
    text = text.strip()
    if not text and row.optional:
        return None
    try:
        if row.kind == "whole number":
            return int(text)
        if row.kind == "number":
            return float(text.replace(",", "."))
        if row.kind == "list":
            return _listed(text)
    except ValueError:
        return text
    return text


def _listed(text: str) -> list[Any]:
    if text.startswith("["):
        found = json.loads(text)
        return found if isinstance(found, list) else [found]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [int(part) if part.isdecimal() else part for part in parts]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _limits(row: Hyperparameter) -> str:
    return f"It may be {row.limits}. " if row.limits else ""


def _fill(field: QWidget, value: Any) -> None:
    if isinstance(field, QCheckBox):
        field.setChecked(bool(value))
    elif isinstance(field, QComboBox):
        field.setCurrentIndex(field.findText(str(value), Qt.MatchFlag.MatchFixedString))
    elif isinstance(field, QLineEdit) and not (field.hasFocus() and field.isModified()):
        field.setText(_text(value))
