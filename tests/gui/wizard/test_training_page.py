"""The training as it runs: watched, paused, stopped, interrupted and gone on with; and what a folder tells of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox

from pathview.gui.wizard.frame import TrainingWizard
from pathview.models.training_state import epochs_kept
from pathview.training.measures.folds import folds_of
from pathview.training.runs.locked_split import lock_split
from pathview.training.runs.plan import EventKind, RecipePlan, SplitPlan, TrainingEvent
from pathview.training.runs.run_folder import EVENTS, RunFolder
from pathview.training.runs.steering import ask
from tests.gui.wizard.conftest import quiet
from tests.makers import tiny_cnn_recipe, write_random_model
from tests.training.runs import collected, plan_of, save_table, write_table

MANY = 60
"""Epochs, so that there is time to pause and to stop."""


@pytest.fixture(scope="module")
def split_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose data are split and locked, before its training."""
    data = tmp_path_factory.mktemp("data")
    save_table(data, write_table(data, patients=20, images=2))
    shape = {"height": 50, "width": 50, "channels": 3, "fit": "stretch", "overlap": 0.0}
    model = write_random_model(tmp_path_factory.mktemp("models"), tiny_cnn_recipe(input=shape))
    run = RunFolder(tmp_path_factory.mktemp("runs") / "begun")
    changes = {"training.epochs": 3, "training.batch": 4}
    collected(run, plan_of(data / "labels.csv", recipe=RecipePlan(name=str(model), level="exact", changes=changes)))
    lock_split(run)
    return run.path


@pytest.fixture
def run(split_once: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(split_once, tmp_path / "run")))


@pytest.fixture
def long_run(run: RunFolder) -> RunFolder:
    """With many epochs."""
    plan = run.plan()
    changes = plan.recipe.changes | {"training.epochs": MANY}
    run.write_plan(plan.model_copy(update={"recipe": plan.recipe.model_copy(update={"changes": changes})}))
    return run


def tell(run: RunFolder, kind: EventKind, sentence: str = "", epoch: int | None = None, **numbers: float) -> None:
    run.append(EVENTS, TrainingEvent(kind=kind, sentence=sentence, epoch=epoch, numbers=dict(numbers)))


def wait_for_epochs(qtbot, wizard: TrainingWizard, count: int = 1) -> None:
    page = wizard.page_now
    qtbot.waitUntil(lambda: len(page.seen.epochs) >= count, timeout=120_000)


def test_that_a_training_is_watched_from_its_first_epoch_to_its_last(qtbot, open_wizard, run: RunFolder) -> None:
    wizard = open_wizard(run, "training")
    page = wizard.page_now
    assert "Nothing is trained yet" in page.state.text()
    assert page.problem() == "Train the model first."
    qtbot.mouseClick(page.begin, Qt.MouseButton.LeftButton)
    assert page.working
    assert page.pause.isVisible()
    quiet(qtbot, wizard)
    loss = page.curves.loss.drawing
    assert [line.name for line in loss.lines] == ["training (cross-entropy)", "validation (cross-entropy)"]
    figures = page.curves.figures.drawing
    assert figures.lines[0].name == "training accuracy"  # the first colour, as in the other chart
    assert all(line.name.startswith("validation ") for line in figures.lines[1:])
    assert [x for x, _ in loss.lines[0].points] == [1, 2, 3]
    best = page.seen.epochs[-1].numbers["best_epoch"]
    assert loss.upright == best
    assert page.facts.values["Epoch"].text() == "3 of 3"
    assert page.facts.values["Best epoch"].text().startswith(f"{best} (loss ")
    assert "core" in page.facts.values["Device"].text()
    assert page.facts.values["Memory"].text().endswith(" GB")
    assert f"epoch {best} of 3 is kept" in page.state.text()
    assert page.problem() == ""
    assert wizard.run.known.begun


def test_that_it_pauses_and_stops_with_its_best_epoch(qtbot, open_wizard, long_run: RunFolder) -> None:
    wizard = open_wizard(long_run, "training")
    page = wizard.page_now
    page.begin.click()
    wait_for_epochs(qtbot, wizard)
    page.pause.click()
    qtbot.waitUntil(lambda: page.seen.last.kind == "paused", timeout=60_000)
    assert page.state.text() == "Paused; nothing is lost."
    qtbot.waitUntil(lambda: page.pause.text() == "&Go on", timeout=10_000)
    page.pause.click()
    qtbot.waitUntil(lambda: page.seen.last.kind != "paused", timeout=60_000)
    page.keep_best.click()
    assert page.state.text().startswith("Stopping after this step")
    assert not page.pause.isEnabled()
    assert not page.keep_best.isEnabled()
    quiet(qtbot, wizard)
    assert page.seen.last.kind == "stopped"
    assert not page.notable.isVisible()  # the sentence stands above already
    assert page.seen.trained
    assert len(page.seen.epochs) < MANY
    assert page.problem() == ""


def test_that_an_interrupted_training_goes_on_when_it_is_opened_again(qtbot, open_wizard, long_run: RunFolder) -> None:
    wizard = open_wizard(long_run, "training")
    wizard.page_now.begin.click()
    wait_for_epochs(qtbot, wizard, 2)
    assert "goes on after its last whole epoch" in wizard.page_now.closing_words()
    wizard.end()
    kept = len(epochs_kept(long_run.state))
    assert 2 <= kept < MANY
    again = open_wizard(long_run, "training", wait=False)
    page = again.page_now
    wait_for_epochs(qtbot, again, kept + 1)
    assert f"Going on after epoch {kept}" in page.notable.text()
    ask(long_run, "stop")
    quiet(qtbot, again)
    assert page.seen.trained
    assert [event.epoch for event in page.seen.epochs] == list(range(1, len(page.seen.epochs) + 1))


def test_that_a_paused_training_waits_when_it_is_opened_again(qtbot, open_wizard, run: RunFolder) -> None:
    tell(run, "started", "Training on CPU, 2 cores.")
    tell(run, "paused", "Paused; nothing is lost.")
    ask(run, "pause")
    page = open_wizard(run, "training").page_now
    assert not page.working
    assert page.begin.text() == "&Go on"


@pytest.fixture
def folds_run(run: RunFolder) -> RunFolder:
    """With two folds."""
    plan = run.plan()
    run.write_plan(plan.model_copy(update={"split": SplitPlan(folds=2)}))
    lock_split(run)
    return run


def test_that_folds_are_watched_after_the_model_left_out_and_gone_on_with(
    qtbot, open_wizard, folds_run: RunFolder
) -> None:
    wizard = open_wizard(folds_run, "training")
    page = wizard.page_now
    assert not page.rest.isVisible()
    page.begin.click()
    qtbot.waitUntil(lambda: page.seen.fold is not None, timeout=120_000)
    assert page.state.text().startswith("Fold 1 of 2: ")
    assert page.keep_best.text() == "&Stop and leave the rest out"
    assert page.seen.trained
    page.keep_best.click()
    quiet(qtbot, wizard)
    assert page.seen.last.kind == "folds_left_out"
    assert "epoch" in page.state.text()
    assert "what is not trained yet beside it can be gone on with" in page.state.text()
    assert page.problem() == ""
    assert [event.epoch for event in page.seen.epochs] == [1, 2, 3]  # those of folds are others
    page.rest.click()
    quiet(qtbot, wizard)
    assert "Across 2 folds" in page.state.text()
    assert not page.rest.isVisible()
    assert page.begin.text() == "&Train anew"
    assert not any("loss" in said for _, said in page.told.texts())


def test_that_interrupted_folds_go_on_when_it_is_opened_again(qtbot, open_wizard, folds_run: RunFolder) -> None:
    wizard = open_wizard(folds_run, "training")
    wizard.page_now.begin.click()
    qtbot.waitUntil(lambda: wizard.page_now.seen.fold is not None, timeout=120_000)
    wizard.end()
    assert folds_of(folds_run)[0] is None
    again = open_wizard(folds_run, "training")
    assert again.page_now.seen.last.kind == "folds_done"
    assert folds_of(folds_run)[0] is not None


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("smaller_batch", "There is not enough memory to train on 8 images at once. It goes on with 4 after epoch 1."),
        ("disk_full", "The disk is full, so the state after epoch 2 could not be kept; make room."),
        ("not_a_number", "Training failed in epoch 2: the loss is no number any more; lower the learning rate."),
    ],
)
def test_that_what_went_wrong_is_told_plainly(open_wizard, run: RunFolder, kind: EventKind, sentence: str) -> None:
    tell(run, "started", "Training on CPU, 2 cores.")
    tell(run, "epoch", "epoch 1 of 3", 1, loss=0.7, epochs=3)
    tell(run, kind, sentence, 1)
    ask(run, "pause")  # nothing goes on by itself
    page = open_wizard(run, "training").page_now
    assert page.notable.text() == sentence
    assert page.notable.isVisible()
    assert page.told.texts()[0][1] == sentence
    assert page.state.text() != sentence
    assert page.begin.text() == "&Go on"


def test_that_the_slider_goes_through_the_pictures_of_the_epochs(qtbot, open_wizard, run: RunFolder) -> None:
    tell(run, "started", "Training on CPU, 2 cores.")
    run.epochs.mkdir()
    for epoch in (1, 2, 3):
        tell(run, "epoch", f"epoch {epoch} of 3", epoch, loss=1 / epoch, validation_dice=epoch / 4, epochs=3)
        Image.fromarray(np.full((60, 90, 3), 60 * epoch, np.uint8)).save(run.epochs / f"epoch-{epoch:03d}.png")
    ask(run, "pause")
    wizard = open_wizard(run, "training")
    view = wizard.page_now.pictures
    assert view.isVisible()
    assert view.slider.value() == 3
    assert "After epoch 3 of 3" in view.heading.text()
    newest = view.picture.pixmap().toImage().pixelColor(5, 5)
    qtbot.keyClick(view.slider, Qt.Key.Key_Left)
    quiet(qtbot, wizard)
    assert "After epoch 2 of 3" in view.picture.accessibleName()
    assert view.picture.pixmap().toImage().pixelColor(5, 5) != newest
    lines = {line.name: line.points for line in wizard.page_now.curves.figures.drawing.lines}
    assert lines["validation Dice"] == [(1.0, 0.25), (2.0, 0.5), (3.0, 0.75)]


def test_that_training_anew_is_confirmed(qtbot, open_wizard, seen: RunFolder) -> None:
    page = open_wizard(seen, "training").page_now
    assert page.begin.text() == "&Train anew"
    page.begin.click()
    box = page.findChild(QMessageBox)
    assert "are forgotten" in box.text()
    box.escapeButton().click()
    assert not page.working
    assert page.problem() == ""
