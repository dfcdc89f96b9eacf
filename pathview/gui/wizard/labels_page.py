"""Page 3: every image under its label; labels that disagree first, to be put right or left out by a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QStackedWidget

from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import BasePage, dim
from pathview.gui.wizard.contact_sheet import SIDE, ContactSheet
from pathview.gui.wizard.labelled import Labelled, corrections_with, labelled
from pathview.gui.wizard.picture_strip import Rgb8
from pathview.gui.wizard.state import Run
from pathview.settings import login_name
from pathview.training.preparing.inspect import thumbnails
from pathview.training.runs.chosen import lacks_label
from pathview.training.runs.plan import Correction, DatasetRow

_ALL, _DISAGREE, _CHANGED, _LEFT_OUT = "all", "disagree", "changed", "left out"
_KEYS = ("X leave out", "U take back", "Shift + arrows choose several", "Enter goes on")
_NO_IMAGE = "There is no such image."
_AGREE = "No labels disagree: no picture, nor one nearly like it, stands under two classes."
_LEAVE = (Qt.Key.Key_X, Qt.Key.Key_Delete)


class LabelsPage(BasePage):
    """A filter, the sheet, and what can be said of the chosen images."""

    name = "labels"
    step = "Labels"
    heading = "Are the labels right?"
    words = "What you say here stands in the plan of this training; the files stay as they are."
    locks = True

    def __init__(self, run: Run, theme: Theme) -> None:
        """Empty until it is shown."""
        super().__init__(run, theme)
        self._items: tuple[Labelled, ...] = ()
        self.filter = QComboBox()
        self.filter.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.filter.setAccessibleName("Which images are shown")
        self._shown = QLabel("&Show")
        self._shown.setBuddy(self.filter)
        self.sheet = ContactSheet(theme, self._read, self._take_key)
        self._empty = dim("")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.sheet)
        self._stack.addWidget(self._empty)
        self._stack.setMinimumHeight(200)
        self._buttons = QHBoxLayout()
        self.classes: list[QPushButton] = []
        self.leave_out = _button("&Leave out", "X", self._leave_out)
        self.take_back = _button("&Take back", "U", self._take_back)
        top = QHBoxLayout()
        for part in (self._shown, self.filter):
            top.addWidget(part)
        top.addStretch(1)
        top.addLayout(self._buttons)
        for button in (self.leave_out, self.take_back):
            top.addWidget(button)
        self.body.addLayout(top)
        self.body.addWidget(self._stack, 1)
        self._hint = dim("")
        self.body.addWidget(self._hint)
        self.filter.activated.connect(self._show_chosen)

    # what is shown

    def enter(self) -> None:
        """Begin with what disagrees, if anything does."""
        self._fill_filter()
        found = self.filter.findData(_DISAGREE)
        self.filter.setCurrentIndex(found if self._torn() else self.filter.findData(_ALL))
        self._show_chosen()
        self.sheet.setFocus()

    def refresh(self) -> None:
        """Labels as they stand."""
        self._items = labelled(self.run.plan, self.run.rows)
        self._fill_classes()
        self._fill_filter()
        self._show_chosen()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.sheet.set_theme(theme)

    def _torn(self) -> int:
        return len({one.group for one in self._items if one.group})

    def _fill_filter(self) -> None:
        counts = Counter(one.label for one in self._items if not one.left_out)
        entries = [
            (f"Labels that disagree ({self._torn():,})", _DISAGREE),
            (f"All images ({len(self._items):,})", _ALL),
        ]
        question = self.run.plan.question
        names = ("not outlined", "outlined") if question.task == "segmentation" else question.classes
        entries += [(f"{name} ({counts[name]:,})", f"class {name}") for name in names]
        entries += [
            (f"Changed here ({sum(one.changed for one in self._items):,})", _CHANGED),
            (f"Left out ({sum(one.left_out for one in self._items):,})", _LEFT_OUT),
        ]
        before = self.filter.currentData()
        self.filter.clear()
        for words, which in entries:
            self.filter.addItem(words, which)
        self.filter.setCurrentIndex(max(0, self.filter.findData(before)))

    def _fill_classes(self) -> None:
        """A button for each class; outlines have none."""
        question = self.run.plan.question
        names = () if question.task == "segmentation" else question.classes
        keys = (*(f"{number} {name}" for number, name in enumerate(names[:9], start=1)), *_KEYS)
        self._hint.setText("   ".join(words.replace(" ", "\N{NO-BREAK SPACE}") for words in keys))
        if [button.property("label") for button in self.classes] == list(names):
            return
        for button in self.classes:
            button.deleteLater()
        self.classes = []
        for number, name in enumerate(names, start=1):
            key = str(number) if number <= 9 else ""
            button = _button(f"{name} ({key})" if key else name, key, self._on_class)
            button.setProperty("label", name)
            self._buttons.addWidget(button)
            self.classes.append(button)
        for before, after in pairwise([self.filter, self.sheet, *self.classes, self.leave_out, self.take_back]):
            self.setTabOrder(before, after)

    @Slot()
    def _show_chosen(self) -> None:
        which = str(self.filter.currentData())
        tests: dict[str, Callable[[Labelled], bool]] = {
            _ALL: lambda one: True,
            _DISAGREE: lambda one: one.group > 0,
            _CHANGED: lambda one: one.changed,
            _LEFT_OUT: lambda one: one.left_out,
        }

        def of_class(one: Labelled) -> bool:
            return not one.left_out and f"class {one.label}" == which

        found = [one for one in self._items if tests.get(which, of_class)(one)]
        self.sheet.show_items(found)
        self._empty.setText(_AGREE if which == _DISAGREE else _NO_IMAGE)
        self._stack.setCurrentIndex(0 if found else 1)

    def _read(self, rows: Sequence[DatasetRow], done: Callable[[Rgb8], None]) -> None:
        files = [(row.file, row.masks) for row in rows]
        self.run.fetch(self.run.in_opener(thumbnails, files, round(SIDE * self.devicePixelRatioF())), done)

    # what the reader does

    def _take_key(self, event: QKeyEvent) -> bool:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if not plain or self.locked:
            return False
        text = event.text()
        if text.isdigit() and 1 <= int(text) <= len(self.classes):
            self._say(label=str(self.classes[int(text) - 1].property("label")))
        elif event.key() in _LEAVE:
            self._leave_out()
        elif event.key() == Qt.Key.Key_U:
            self._take_back()
        else:
            return False
        return True

    @Slot()
    def _on_class(self) -> None:
        self._say(label=str(self.sender().property("label")))

    @Slot()
    def _leave_out(self) -> None:
        self._say(leave_out=True)

    @Slot()
    def _take_back(self) -> None:
        self._say()

    def _say(self, label: str = "", leave_out: bool = False) -> None:
        """Of all chosen images; nothing said takes back what was."""
        chosen, row = self.sheet.chosen, self.sheet.currentIndex().row()
        if not chosen:
            return
        who = self.run.reader or login_name()
        said = [
            Correction(
                file=one.row.file,
                label=label if label != one.row.label or lacks_label(one.row) else "",
                leave_out=leave_out,
                who=who,
            )
            for one in chosen
        ]
        self.run.change(corrections=corrections_with(self.run.plan, said))
        if len(chosen) == 1 and self.sheet.current is not None and self.sheet.current.row.file == chosen[0].row.file:
            following = min(row + 1, len(self.sheet.sheet.items) - 1)
            self.sheet.setCurrentIndex(self.sheet.sheet.index(following))

    def problem(self) -> str:
        """No picture may carry two labels."""
        torn = len({one.group for one in self._items if one.same})
        if torn:
            pictures = "1 picture carries" if torn == 1 else f"{torn} pictures carry"
            return f"{pictures} two labels: say for each which is right, or leave one out."
        if self.run.rows and not self.run.chosen:
            return "Every image is left out; take some back."
        return ""


def _button(words: str, key: str, slot: Callable[[], None]) -> QPushButton:
    button = QPushButton(words)
    button.setAutoDefault(False)
    button.setToolTip(f"The chosen images ({key})" if key else "The chosen images")
    button.clicked.connect(slot)
    return button
