"""Trials in the wizard: asked for with the recipe, watched after the model, shown as a learning curve."""

from __future__ import annotations

from pathlib import Path

import pytest

from pathview.jobs import never, no_progress
from pathview.settings import Settings
from pathview.training.judging.result import make_result
from pathview.training.measures.trials import trials_of
from pathview.training.runs.plan import SplitPlan
from pathview.training.runs.run_folder import RunFolder
from tests.gui.wizard.conftest import quiet
from tests.training.trainings import copy_of, train, write_untrained_outlines


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of outlines before its training; it asks for no trials."""
    changes = {"training.epochs": 1, "training.batch": 4}
    split = SplitPlan(train=0.5, validation=0.25)
    return write_untrained_outlines(tmp_path_factory.mktemp("begun"), changes, split, trials=False).path


@pytest.fixture
def run(begun: Path, tmp_path: Path) -> RunFolder:
    return copy_of(begun, tmp_path / "run")


@pytest.fixture
def trying(run: RunFolder) -> RunFolder:
    """The same, asking for trials."""
    plan = run.plan()
    run.write_plan(plan.model_copy(update={"recipe": plan.recipe.model_copy(update={"trials": True})}))
    return run


def test_that_trials_are_asked_for_with_the_recipe_of_outlines(qtbot, open_wizard, run: RunFolder) -> None:
    wizard = open_wizard(run, "recipe")
    page = wizard.page_now
    assert page.trials.isVisible()
    assert not page.trials.isChecked()
    page.trials.click()
    quiet(qtbot, wizard)
    assert wizard.run.plan.recipe.trials
    assert page.trials.isChecked()


def test_that_a_classifier_is_offered_none(open_wizard, seen: RunFolder) -> None:
    assert not open_wizard(seen, "recipe").page_now.trials.isVisible()


def test_that_trials_are_watched_and_what_lacks_can_be_had_later(qtbot, open_wizard, trying: RunFolder) -> None:
    wizard = open_wizard(trying, "training")
    page = wizard.page_now
    page.begin.click()
    qtbot.waitUntil(lambda: page.seen.fold is not None, timeout=120_000)
    assert page.state.text().startswith("Trial 1 of 3, on 25 % of the patients: ")
    page.keep_best.click()
    quiet(qtbot, wizard)
    assert page.rest.text() == "Train the tr&ials"
    assert "what is not trained yet beside it can be gone on with" in page.state.text()
    page.rest.click()
    quiet(qtbot, wizard)
    found, _ = trials_of(trying)
    assert found is not None
    assert found.sentence in page.state.text()
    assert not page.rest.isVisible()
    assert "can be gone on with" not in page.state.text()


def test_that_the_learning_curve_is_drawn_and_told_before_the_test_patients_are_looked_at(
    open_wizard, trying: RunFolder
) -> None:
    train(trying)
    found, _ = trials_of(trying)
    assert found is not None
    page = open_wizard(trying, "result").page_now
    assert page.tried.isVisible()
    assert page.tried.text() == found.sentence
    make_result(trying, "ada", Settings(), no_progress, never())
    page = open_wizard(trying, "result").page_now
    page.tabs.setCurrentWidget(page.curves)
    drawing = page.curves.learning.drawing
    assert [x for x, _ in drawing.lines[0].points] == [point.patients for point in found.curve.points]
    assert drawing.y == "Dice (validation)"
    assert not drawing.guide
    assert found.sentence in page.curves.words.text()
    assert page.curves.learning.isVisible()
    assert not page.curves.reliability.isVisible()  # of outlines there is none


def test_that_a_result_without_trials_says_how_there_would_be_a_learning_curve(open_wizard, run: RunFolder) -> None:
    train(run)
    make_result(run, "ada", Settings(), no_progress, never())
    page = open_wizard(run, "result").page_now
    assert "There is no learning curve: the training was asked for no trials" in page.curves.words.text()
