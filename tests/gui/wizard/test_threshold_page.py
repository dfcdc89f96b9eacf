"""Calibrating the score on page 9, and the page of a model that tells more than two classes apart."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from pathview.jobs import never, no_progress
from pathview.models.temperature import tempered_limit
from pathview.models.weights import read_manifest
from pathview.settings import Settings
from pathview.training.judging.choosing import read_operating
from pathview.training.judging.result import make_result
from pathview.training.runs.locked_uses import uses_of_test
from pathview.training.runs.run_folder import RunFolder
from tests.gui.wizard.conftest import quiet
from tests.gui.wizard.looks import FOCUS, named, none_is_cut
from tests.training.three_classes import CLASSES, write_three_run


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("three")
    run = write_three_run(folder)
    make_result(run, "ada", Settings(data_dir=folder / "home"), no_progress, never())
    return run.path


@pytest.fixture
def seen_three(three: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(three, tmp_path / "three")))


def test_that_calibrating_moves_the_limits_and_not_the_decisions(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "threshold")
    page = wizard.page_now
    controls, box = page.controls, page.calibrate.box
    assert not box.isChecked()
    offered = page.choosing.chooser.tempering
    assert f"temperature {offered.temperature:.2f}" in box.text()
    assert f"{offered.before.ece:.3f} → {offered.after.ece:.3f}" in page.calibrate.figures.text()
    assert page.calibrate.about.text() == offered.sentence
    before, told = controls.choice, controls.outcome.text()
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    quiet(qtbot, wizard)
    assert controls.choice.temperature == offered.temperature
    assert controls.choice.threshold == tempered_limit(before.threshold, offered.temperature)
    assert controls.outcome.text() == told
    assert "is not kept" in page.problem()
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    quiet(qtbot, wizard)
    assert controls.choice == before


def test_that_a_chart_drawn_again_has_the_scores_on_its_axes(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "threshold")
    page = wizard.page_now
    for again in (page.controls.back.click, page.enter, page.controls.back.click):
        again()
        quiet(qtbot, wizard)
        for side in ("bottom", "left"):
            axis = page.chart.plot.getAxis(side)
            assert max(map(abs, axis.range)) < 2
            assert axis.autoSIPrefixScale == 1


def test_that_a_calibrated_score_is_kept_and_come_back_to(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "threshold")
    page = wizard.page_now
    page.calibrate.box.click()
    quiet(qtbot, wizard)
    page.keep.click()
    quiet(qtbot, wizard)
    kept = read_operating(seen).choice
    assert read_manifest(seen.model).recipe.decision.temperature == kept.temperature != 1
    assert page.calibrate.box.isChecked()
    assert page.controls.choice == kept
    assert page.problem() == ""
    assert f"calibrated at a temperature of {kept.temperature:.2f}" in page.tested.text()
    page.calibrate.box.click()
    quiet(qtbot, wizard)
    assert page.controls.choice.temperature == 1
    assert "is not kept" in page.problem()
    assert page.keep.isEnabled()
    page.calibrate.box.click()
    quiet(qtbot, wizard)
    assert page.problem() == ""


def test_that_of_three_classes_a_limit_on_the_most_probable_is_chosen(
    qtbot, open_wizard, seen_three: RunFolder
) -> None:
    wizard = open_wizard(seen_three, "threshold")
    page = wizard.page_now
    sure = page.sure
    assert sure.isVisible()
    assert not page.controls.isVisible()
    assert [row[0] for row in sure.classes.texts()] == list(CLASSES)
    assert [row[0] for row in sure.confusion.texts()] == list(CLASSES)
    qtbot.keyClick(sure.least.slider, Qt.Key.Key_Home)
    quiet(qtbot, wizard)
    assert sure.outcome.text().startswith("0\u00a0% (")
    images = [sum(map(int, row[1:])) for row in sure.confusion.texts()]
    qtbot.keyClick(sure.least.slider, Qt.Key.Key_End)
    quiet(qtbot, wizard)
    assert [sum(map(int, row[1:])) for row in sure.confusion.texts()] == images
    assert any(int(row[-1]) for row in sure.confusion.texts())
    assert "is not kept" in page.problem()
    page.keep.click()
    quiet(qtbot, wizard)
    assert [use.purpose for use in uses_of_test(seen_three)][-1] == "threshold"
    kept = read_operating(seen_three)
    assert read_manifest(seen_three.model).recipe.decision.least == kept.choice.least == sure.choice.least
    assert kept.test_sure.sentence in page.tested.text()
    assert kept.calibration.coverage.sentence in page.tested.text()
    sure.back.click()
    quiet(qtbot, wizard)
    assert sure.choice.least == page.choosing.scales[False].sure.suggested(sure.choice.coverage)


def test_that_the_page_of_three_classes_can_be_walked_and_nothing_is_cut(
    qtbot, open_wizard, seen_three: RunFolder
) -> None:
    wizard = open_wizard(seen_three, "threshold")
    wizard.resize(1280, 800)
    wizard.setStyleSheet("QWidget { font-size: 19px; }")
    quiet(qtbot, wizard)
    page = wizard.page_now
    if page.calibrate.box.isEnabled():
        page.calibrate.box.click()
        quiet(qtbot, wizard)
        assert page.sure.choice.temperature != 1
    shown = [widget for widget in page.findChildren(QWidget) if widget.isVisible()]
    assert not [one for one in shown if isinstance(one, FOCUS) and not named(one)]
    qtbot.waitUntil(lambda: none_is_cut("threshold", shown))
