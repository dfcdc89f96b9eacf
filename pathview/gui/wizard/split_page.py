"""Page 4: the split by patient, its locked test part, and the override that stands on the model card."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from pathview.errors import DataError
from pathview.gui.job_runner import Job, Work
from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import BasePage, dim
from pathview.gui.wizard.parts import Table, count, wrapped
from pathview.gui.wizard.state import Known, Run, read_known
from pathview.jobs import CancelToken, ProgressSink
from pathview.training.runs.chosen import truth_of, unit_of
from pathview.training.runs.locked_split import few_with_truth, lock_split, split_of
from pathview.training.runs.plan import PARTS, DatasetRow, Override, PartName, Plan, Split, SplitPlan

_REST_MS = 250
_ABOUT_FOLDS = (
    "Folds are for small sets: after the model, as many more are trained, each judged on the patients that it alone "
    "left out. The test patients stay out of all of them."
)
_PART_WORDS: dict[PartName, str] = {
    "train": "Training", "validation": "Validation", "test": "Test, locked",
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A split as it would be, with the classes of each part; or why there is none."""

    split: Split | None = None
    classes: tuple[tuple[PartName, Counter[str]], ...] = ()
    patients: Mapping[tuple[PartName, str], int] = field(default_factory=dict)
    """Who have images of a class, of each part."""
    thin: tuple[str, ...] = ()
    """Sentences about classes that too few test patients have."""
    refusal: str = ""
    plan: SplitPlan | None = None
    """That it was drawn for."""


def drawn(plan: Plan, rows: Sequence[DatasetRow]) -> Drawn:
    """What a plan's split would be; not in the window's thread."""
    try:
        split = split_of(plan, rows)
    except DataError as error:
        return Drawn(refusal=str(error), plan=plan.split)
    counts: dict[PartName, Counter[str]] = defaultdict(Counter)
    units: dict[tuple[PartName, str], set[str]] = defaultdict(set)
    for row in rows:
        part, truth = split.parts[unit_of(row)], truth_of(row, plan.question) or "no class"
        counts[part][truth] += 1
        units[part, truth].add(unit_of(row))
    having = {key: len(own) for key, own in units.items()}
    thin = tuple(few_with_truth(split, rows, plan.question))
    return Drawn(split, tuple((part, counts[part]) for part in PARTS), having, thin, plan=plan.split)


class SplitPage(BasePage):
    """Shares, seed and folds at the left; what comes of them at the right."""

    name = "split"
    step = "Split"
    heading = "Who trains, who chooses, who tests"
    words = (
        "All images of a patient stand in one part, always, and every class is spread over the parts. The test "
        "patients are locked: nothing is chosen by them."
    )
    locks = True

    def __init__(self, run: Run, theme: Theme) -> None:
        """Show the plan's split."""
        super().__init__(run, theme)
        self._drawn = Drawn()
        self._drawing: Job | None = None
        self.train, self.validation = _percent("Training, per cent"), _percent("Validation, per cent")
        self.validation.setMinimum(0)
        self.test = QLabel("")
        self.seed, self.folds = QSpinBox(), QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setAccessibleName("Seed of the split")
        self.folds.setRange(0, 20)
        self.folds.setSpecialValueText("none")
        self.folds.setAccessibleName("Folds of the cross-validation; 0 is none")
        self.table = Table("What the split comes to", whole=True)
        self.shared = wrapped("", "verdict")
        self.thin = wrapped("", "differs")
        """Classes that too few test patients have."""
        self.facts = dim("")
        self.overrule = QCheckBox("&Overrule: images that name no patient count as patients of their own")
        self.who, self.why = QLineEdit(), QLineEdit()
        self.who.setAccessibleName("Your name, for the model card")
        self.why.setAccessibleName("Why, for the model card")
        self.why.setPlaceholderText("why it is right here; it stands on the model card")
        self._override = self._make_override()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._draw)
        self._lay_parts()
        for box in (self.train, self.validation, self.seed, self.folds):
            box.valueChanged.connect(self._on_change_made)
        self.overrule.toggled.connect(self._on_change_made)
        for line in (self.who, self.why):
            line.textEdited.connect(self._on_change_made)

    def _make_override(self) -> QWidget:
        holder = QWidget()
        form = QFormLayout()
        form.addRow("Your na&me", self.who)
        form.addRow("&Why", self.why)
        form.setContentsMargins(24, 0, 0, 0)
        layout = QVBoxLayout(holder)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.overrule)
        layout.addLayout(form)
        return holder

    def _lay_parts(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(14)
        form.setVerticalSpacing(10)
        form.addRow("T&raining", self.train)
        form.addRow("&Validation", self.validation)
        form.addRow("Test", self.test)
        form.addRow("&Seed", self.seed)
        form.addRow("&Folds", self.folds)
        left = QVBoxLayout()
        left.addLayout(form)
        left.addWidget(dim(_ABOUT_FOLDS))
        left.addStretch(1)
        right = QVBoxLayout()
        right.addWidget(self.table)
        right.addWidget(self.shared)
        right.addWidget(self.thin)
        right.addWidget(self.facts)
        right.addStretch(1)
        upper = QHBoxLayout()
        upper.setSpacing(24)
        upper.addLayout(left, 2)
        upper.addLayout(right, 5)
        self.body.addLayout(upper)
        self.body.addWidget(self._override)
        self.body.addStretch(1)

    # what is shown

    def enter(self) -> None:
        """Draw it anew: data or labels may be others."""
        self._draw()
        self.train.setFocus()

    def refresh(self) -> None:
        """Show the plan's split."""
        plan = self.run.plan.split
        boxes = (self.train, self.validation, self.seed, self.folds)
        values = (round(100 * plan.train), round(100 * plan.validation), plan.seed, plan.folds)
        for box, value in zip(boxes, values, strict=True):
            box.blockSignals(True)
            if not box.hasFocus():
                box.setValue(value)
            box.blockSignals(False)
        self.test.setText(f"{round(100 * plan.test)} %")
        if plan.override is not None and not self.overrule.isChecked():
            self.overrule.blockSignals(True)
            self.overrule.setChecked(True)
            self.overrule.blockSignals(False)
            self.who.setText(plan.override.who)
            self.why.setText(plan.override.why)
        if not self.who.text():
            self.who.setText(self.run.reader)
        for line in (self.who, self.why):
            line.setEnabled(self.overrule.isChecked())
        nameless = any(not row.patient for row in self.run.chosen)
        self._override.setVisible(nameless)
        self._show_drawn()

    def _show_drawn(self) -> None:
        found = self._drawn
        split = self.run.known.split if self.locked else found.split
        there = split is not None
        for part in (self.table, self.shared, self.facts):
            part.setVisible(there)
        self.thin.setVisible(there and bool(found.thin))
        if split is None:
            return
        self.thin.setText("\n".join(found.thin))
        names = sorted({name for _, counts in found.classes for name in counts})
        rows = [
            [
                _PART_WORDS[part],
                f"{len(split.patients(part)):,}",
                f"{split.images[part]:,}",
                *(_of(counts[name], found.patients.get((part, name), 0), split) for name in names),
            ]
            for part, counts in (found.classes or tuple((part, Counter[str]()) for part in PARTS))
        ]
        self.table.fill(["Part", "Patients" if split.by == "patient" else "Units", "Images", *names], rows)
        self.shared.setText(f"Patients in more than one part: {split.shared_patients:,}")
        self.facts.setText(" ".join(self._facts(split)))

    def _facts(self, split: Split) -> list[str]:
        said = []
        if split.moved:
            follow = "1 patient follows" if split.moved == 1 else f"{split.moved} patients follow"
            said.append(f"{follow} another to its part, since images are nearly the same or names differ in spelling.")
        if split.folds:
            sizes = Counter(split.folds.values())
            said.append(f"Patients judged in each fold: {', '.join(f'{sizes[fold]:,}' for fold in sorted(sizes))}.")
        if split.by == "image":
            said.append("No patient is told, so figures may flatter; this stands on the model card.")
        said.append(f"Manifest {split.sha256[:12]}, test part {split.test_sha256[:12]}.")
        return said

    # drawing

    @Slot()
    def _draw(self) -> None:
        """See what the plan comes to, in a thread."""
        self._rest.stop()
        plan, rows = self.run.plan, self.run.chosen
        if self._drawing is not None:
            self._drawing.cancel()
        self._drawing = self.run.fetch(lambda *_: drawn(plan, rows), self._take_drawn)

    def _take_drawn(self, found: Drawn) -> None:
        self._drawn = found
        self._show_drawn()
        self.tell()

    # what the reader does

    @Slot()
    def _on_change_made(self) -> None:
        train, validation = self.train.value() / 100, self.validation.value() / 100
        if self._shares_problem():
            self.tell()
            return
        plan = SplitPlan(
            train=train,
            validation=validation,
            seed=self.seed.value(),
            folds=self.folds.value() if self.folds.value() != 1 else 0,
            override=self._overridden(),
        )
        self.run.change(split=plan)
        self.refresh()
        self._rest.start()
        self.tell()

    def _overridden(self) -> Override | None:
        who, why = self.who.text().strip(), self.why.text().strip()
        before = self.run.plan.split.override
        if not self.overrule.isChecked() or not who or not why:
            return None
        return before if before is not None and (before.who, before.why) == (who, why) else Override(who=who, why=why)

    def _shares_problem(self) -> str:
        if self.train.value() + self.validation.value() > 99:
            return "Training and validation must leave a part of the patients for the test."
        return "One fold is no cross-validation; take 2 or more, or none." if self.folds.value() == 1 else ""

    def problem(self) -> str:
        """What the split is refused for."""
        if problem := self._shares_problem():
            return problem
        if self.overrule.isChecked() and self._override.isVisibleTo(self) and self.run.plan.split.override is None:
            return "To overrule this, give your name and the reason."
        if self._drawn.plan != self.run.plan.split:
            return "The split is being drawn."
        return self._drawn.refusal

    def leaving(self) -> Work | None:
        """Write the manifest."""
        folder, plan = self.run.made, self.run.plan

        def work(_: ProgressSink, __: CancelToken) -> Known:
            lock_split(folder, plan)
            return read_known(folder)

        return self.run.kept_first(work)

    def left(self, result: Any) -> None:
        """It is locked."""
        self.run.take_known(result)


def _of(images: int, units: int, split: Split) -> str:
    """A cell of the table: images, and whose they are."""
    return f"{images:,} of {count(units, 'patient')}" if images and split.by == "patient" else f"{images:,}"


def _percent(name: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, 98)
    box.setSuffix(" %")
    box.setSingleStep(5)
    box.setAccessibleName(name)
    return box
