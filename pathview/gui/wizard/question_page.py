"""Page 1: what the model is asked, which error costs more, and what it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QButtonGroup, QComboBox, QFormLayout, QHBoxLayout, QLineEdit, QRadioButton, QVBoxLayout

from pathview.gui.job_runner import Work
from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import BasePage, dim
from pathview.gui.wizard.state import Run
from pathview.models.catalogue import Model
from pathview.training.runs.plan import Costly, PlannedTask, Question
from pathview.training.runs.run_folder import RunFolder

_TASKS: Mapping[PlannedTask, tuple[str, str]] = {
    "classification": ("Classify &images or patches", "Each image gets a class: benign or malignant, for instance."),
    "segmentation": ("&Outline lesions", "Each pixel is told apart; the images need masks, or outlines drawn here."),
    "segment_and_decide": (
        "Outline, and &decide by it",
        "Negative images are learnt with an empty outline, so that its sum tells a lesion (Hollenberg 2019).",
    ),
}
_COSTLY: Mapping[Costly, str] = {
    "missed": "A &missed positive",
    "recalled": "A &recalled negative",
    "equal": "Both ali&ke",
}
_RECIPE, _SCRATCH = "", "random"
INITIAL = "training.initial"
"""The hyper-parameter that says what training starts from."""


class QuestionPage(BasePage):
    """Name, task, classes, costs, base."""

    name = "question"
    step = "Question"
    heading = "What should the model tell you?"
    words = "A training is kept under its name; the wizard can be closed at any page and continued there."
    locks = True

    def __init__(self, run: Run, theme: Theme) -> None:
        """Show the plan's question."""
        super().__init__(run, theme)
        self.titled = QLineEdit()
        self.titled.setMaxLength(80)
        self.titled.setAccessibleName("Name of this training")
        self.tasks, self.costly = QButtonGroup(self), QButtonGroup(self)
        self.classes = QLineEdit()
        self.classes.setPlaceholderText("benign, malignant")
        self.classes.setAccessibleName("Classes, with commas between, the positive one last")
        self._positive = dim("")
        self.base = QComboBox()
        self.base.setAccessibleName("What training starts from")
        self.base.addItem("What the recipe says: pretrained where it can be", _RECIPE)
        self.base.addItem("Nothing: from scratch", _SCRATCH)
        self._lay_form()
        self.titled.textEdited.connect(self._on_title)
        self.classes.textEdited.connect(self._on_change_made)
        self.tasks.idClicked.connect(self._on_change_made)
        self.costly.idClicked.connect(self._on_change_made)
        self.base.activated.connect(self._on_change_made)
        run.fetch(_models(run), self._offer)

    def _lay_form(self) -> None:
        form = QFormLayout()
        form.setVerticalSpacing(14)
        form.setHorizontalSpacing(16)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("N&ame", self.titled)
        tasks = QVBoxLayout()
        tasks.setSpacing(2)
        for number, (text, words) in enumerate(_TASKS.values()):
            button, more = QRadioButton(text), dim(words)
            more.setContentsMargins(24, 0, 0, 6)
            button.setAccessibleDescription(words)
            self.tasks.addButton(button, number)
            tasks.addWidget(button)
            tasks.addWidget(more)
        form.addRow("Task", tasks)
        classes = QVBoxLayout()
        classes.setSpacing(2)
        classes.addWidget(self.classes)
        classes.addWidget(self._positive)
        form.addRow("C&lasses", classes)
        form.labelForField(classes).setBuddy(self.classes)  # type: ignore[attr-defined]
        costs = QHBoxLayout()
        costs.setSpacing(18)
        for number, text in enumerate(_COSTLY.values()):
            button = QRadioButton(text)
            self.costly.addButton(button, number)
            costs.addWidget(button)
        costs.addStretch(1)
        form.addRow("What costs more", costs)
        form.addRow("&Start from", self.base)
        self.body.addLayout(form)
        self.body.addStretch(1)

    # what is shown

    def enter(self) -> None:
        """Begin with the name, which is marked to be written over."""
        if self.run.folder is None:
            self.titled.setFocus()
            self.titled.selectAll()

    def refresh(self) -> None:
        """Show the plan's question."""
        plan, question = self.run.plan, self.run.plan.question
        if self.titled.text().strip() != plan.title:
            self.titled.setText(plan.title)
        if self._typed() != question.classes:
            self.classes.setText(", ".join(question.classes))
        self.tasks.button(list(_TASKS).index(question.task)).setChecked(True)
        self.costly.button(list(_COSTLY).index(question.costly)).setChecked(True)
        self.classes.setEnabled(question.task != "segmentation")
        scratch = plan.recipe.changes.get(INITIAL) == _SCRATCH
        wanted = _SCRATCH if scratch else question.base
        if self.base.findData(wanted) < 0:
            self.base.addItem(wanted, wanted)
        self.base.setCurrentIndex(self.base.findData(wanted))
        self._show_positive()

    def _show_positive(self) -> None:
        if self.run.plan.question.task == "segmentation":
            self._positive.setText("An outline needs no classes: a pixel belongs to a lesion or not.")
        else:
            typed = self._typed()
            last = f"The last one is the positive one: {typed[-1]}." if typed else "The last one is the positive one."
            self._positive.setText(f"With commas between. {last}")

    def _offer(self, models: tuple[Model, ...]) -> None:
        """The models that there are weights of."""
        for model in models:
            if model.folder is not None and self.base.findData(model.name) < 0:
                self.base.addItem(f"{model.recipe.title} ({model.name})", model.name)
        self.refresh()

    # what the reader does

    def _typed(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.classes.text().split(",") if part.strip())

    @Slot()
    def _on_title(self) -> None:
        if text := self.titled.text().strip():
            self.run.change(title=text)
        self.tell()

    @Slot()
    def _on_change_made(self) -> None:
        before, base = self.run.plan.question, str(self.base.currentData())
        task = list(_TASKS)[self.tasks.checkedId()]
        classes = self._typed() if not self._classes_problem() else before.classes
        costly = list(_COSTLY)[self.costly.checkedId()]
        model = "" if base in (_RECIPE, _SCRATCH) else base
        recipe = self.run.plan.recipe
        changes = {name: value for name, value in recipe.changes.items() if name != INITIAL}
        if base == _SCRATCH:
            changes[INITIAL] = _SCRATCH
        self.run.change(
            question=Question(task=task, classes=classes, costly=costly, base=model),
            recipe=recipe.model_copy(update={"changes": changes}),
        )
        self._show_positive()
        self.tell()

    def _classes_problem(self) -> str:
        typed = self._typed()
        if len(typed) < 2:
            return "Name at least two classes, with a comma between."
        if len({name.lower() for name in typed}) < len(typed):
            return "The classes need names that differ."
        return ""

    def problem(self) -> str:
        """The name and the classes."""
        if not self.titled.text().strip():
            return "Give the training a name."
        return self._classes_problem() if self.run.plan.question.task != "segmentation" else ""

    def leaving(self) -> Work | None:
        """The first time its folder is made."""
        return self.run.making() if self.run.folder is None else None

    def left(self, result: Any) -> None:
        """The folder is there."""
        self.run.take_folder(cast("RunFolder", result))


def _models(run: Run) -> Work:
    return lambda *_: run.handle.get().catalogue.models()
