"""Driving the wizard's first pages as somebody does: keys, clicks, and waiting."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget, QWizard

from pathview.gui.main_window import MainWindow
from pathview.gui.wizard.frame import TrainingWizard
from pathview.training.learning.forecast import Forecast, Span
from pathview.training.runs.plan import Source


def begin(window: MainWindow) -> TrainingWizard:
    """A new training by the menu."""
    window.actions_by_id["new_training"].trigger()
    window.trainings.wizards[-1].complete()
    return window.trainings.wizards[-1]


def rest(qtbot, wizard: TrainingWizard) -> None:
    """Wait until nothing runs, is due, or is still to be checked."""
    run, page = wizard.run, wizard.page_now

    def still() -> bool:
        due = getattr(page, "_rest", None)
        return not (run.jobs.busy or run.pictures.busy or run.aside.busy) and (due is None or not due.isActive())

    qtbot.waitUntil(still, timeout=60_000)


def go_on(qtbot, wizard: TrainingWizard) -> str:
    """Enter; the name of the page that is shown then."""
    qtbot.keyClick(wizard, Qt.Key.Key_Return)
    rest(qtbot, wizard)
    return wizard.page_now.name


def back(qtbot, wizard: TrainingWizard) -> str:
    """The Back button."""
    qtbot.mouseClick(wizard.button(QWizard.WizardButton.BackButton), Qt.MouseButton.LeftButton)
    rest(qtbot, wizard)
    return wizard.page_now.name


def write(qtbot, field: QWidget, text: str) -> None:
    """Type over what stands in a field, and leave it."""
    field.setFocus()
    qtbot.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Tab)


def at_labels(qtbot, window: MainWindow, path: Path, classes: str = "benign, malignant") -> TrainingWizard:
    """A training whose data were looked through, at the page of labels."""
    wizard = begin(window)
    write(qtbot, wizard.page_now.titled, "Ours")
    write(qtbot, wizard.page_now.classes, classes)
    assert go_on(qtbot, wizard) == "data"
    wizard.page_now.sources.add(Source(path=path))
    assert go_on(qtbot, wizard) == "data"  # it was looked through
    assert go_on(qtbot, wizard) == "labels"
    return wizard


def minutes(run, plan, settings, progress, cancel) -> Forecast:
    """Measured already."""
    return Forecast(Span(60, 120, 180), "CPU", 2, 0.1, 36, 0, f"About 2 min for {plan.recipe.level}.")
