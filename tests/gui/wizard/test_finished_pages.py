"""The pages after the training, over a model whose result was really made; driven as somebody drives them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from pathview.gui.dialogs.pictures import PicturesDialog
from pathview.gui.wizard.result_views import figure
from pathview.training.judging.choosing import read_operating
from pathview.training.judging.result import read_predictions, read_result
from pathview.training.runs.locked_uses import uses_of_test
from pathview.training.runs.run_folder import PREDICTIONS, RESULT, TEST_USES, RunFolder
from tests.gui.wizard.conftest import quiet
from tests.gui.wizard.looks import FOCUS, named, none_is_cut
from tests.training.runs import write_folds


def forget_result(run: RunFolder) -> None:
    for name in (RESULT, PREDICTIONS, TEST_USES):
        run.remove(name)


@pytest.mark.parametrize("page", ["result", "threshold", "challenge", "publish"])
def test_that_pages_say_that_nothing_is_trained_yet(open_wizard, seen: RunFolder, page: str) -> None:
    (seen.model / "manifest.json").unlink()
    wizard = open_wizard(seen, page)
    assert "Nothing is trained yet" in wizard.page_now.empty.text()
    assert wizard.page_now.empty.isVisible()
    assert "go back to Training" in wizard.page_now.problem()
    before = wizard.currentId()
    wizard.next()
    assert wizard.currentId() == before


def test_that_the_test_patients_stay_closed_until_they_are_asked_for(qtbot, open_wizard, seen: RunFolder) -> None:
    forget_result(seen)
    wizard = open_wizard(seen, "result")
    page = wizard.page_now
    assert "still closed" in page.empty.text()
    assert "Nobody has looked at the locked test patients yet." in page.empty.text()
    assert page.problem() == "Look at the test patients first."
    assert not uses_of_test(seen)
    qtbot.mouseClick(page.look, Qt.MouseButton.LeftButton)
    quiet(qtbot, wizard)
    assert [(use.who, use.purpose) for use in uses_of_test(seen)] == [("Dr Test", "result")]
    assert page.tabs.isVisible()
    assert page.problem() == ""


def test_that_figures_stand_beside_their_baselines_and_do_not_flatter(open_wizard, seen: RunFolder) -> None:
    page = open_wizard(seen, "result").page_now
    result = read_result(seen)
    view = page.figures
    rows = {row[0]: row[1:] for row in view.table.texts()}
    auc = result.metrics["auc"]
    assert rows["AUC"][0] == figure(auc)
    assert rows["AUC"][1].replace("\N{NO-BREAK SPACE}", " ") == "0.500  (by definition)"
    assert "By definition: one answer for all images" in view.about.text()
    assert len(rows["AUC"]) == 1 + len(result.baselines)
    majority, color = result.baselines
    assert majority.better
    assert not color.better
    found = color.difference
    assert view.verdict.text() == (
        f"Its figure is lower than that of looking at colour alone (AUC {found.new:.3f} against {found.present:.3f})."
    )
    for peer in result.baselines:
        assert peer.sentence in view.peers.text()


def test_that_the_cross_validation_is_seen_while_the_test_patients_are_closed(open_wizard, seen: RunFolder) -> None:
    found = write_folds(seen)
    forget_result(seen)
    view = open_wizard(seen, "result").page_now.before
    assert view.isVisible()
    assert view.said.text() == found.sentence
    assert found.about in view.about.text()
    rows = view.table.texts()
    assert [row[0] for row in rows] == ["1", "2", "3", "All"]
    assert [row[1] for row in rows] == [*(str(one.patients) for one in found.folds), str(found.patients)]
    auc = found.metrics["auc"]
    assert rows[-1][4] == figure(auc)
    assert f"{auc.value:.3f}  ({auc.low:.3f}" in rows[-1][4]
    assert view.table.horizontalHeaderItem(5).text() == "Commonest class"
    assert not uses_of_test(seen)
    none_is_cut("cross-validation", view.findChildren(QWidget))


def test_that_the_cross_validation_stands_beside_the_result_or_is_told_to_be_none(open_wizard, seen: RunFolder) -> None:
    page = open_wizard(seen, "result").page_now
    page.tabs.setCurrentWidget(page.folds)
    assert page.folds.about.text() == "There is no cross-validation: the split was asked for no folds."
    assert not page.folds.table.isVisible()
    found = write_folds(seen)
    page = open_wizard(seen, "result").page_now
    page.tabs.setCurrentWidget(page.folds)
    assert page.folds.said.text() == found.sentence
    assert page.folds.table.isVisible()


def test_that_a_cell_of_the_matrix_shows_its_images(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "result")
    page = wizard.page_now
    page.tabs.setCurrentWidget(page.errors)
    tests = [row for row in read_predictions(seen) if row.part == "test"]
    label, called = next((row.label, row.called) for row in tests)
    wanted = {row.file for row in tests if (row.label, row.called) == (label, called)}
    qtbot.mouseClick(page.errors.matrix._cells[label][called], Qt.MouseButton.LeftButton)
    assert {one.file for one in page.errors.strip.shown} == wanted
    assert f"{len(wanted)} image" in page.errors.heading.text()
    quiet(qtbot, wizard)
    strip = page.errors.strip
    assert not strip.item(0).icon().isNull()
    strip.setFocus()
    qtbot.keyClick(strip, Qt.Key.Key_Return)
    quiet(qtbot, wizard)
    shown = page.findChild(PicturesDialog)
    assert shown is not None
    shown.close()


def test_that_worst_errors_come_first_and_can_be_come_back_to(qtbot, open_wizard, seen: RunFolder) -> None:
    page = open_wizard(seen, "result").page_now
    worst = read_result(seen).worst
    assert [one.file for one in page.errors.strip.shown] == [row.file for row in worst]
    page.errors.show_cell(0, 0)
    page.errors.worst.click()
    assert [one.file for one in page.errors.strip.shown] == [row.file for row in worst]


def test_that_curves_and_subgroups_are_those_of_the_result(open_wizard, seen: RunFolder) -> None:
    page = open_wizard(seen, "result").page_now
    result = read_result(seen)
    (curve,) = result.curves.values()
    assert tuple(page.curves.roc.drawing.lines[0].points) == curve.roc
    assert "AUC" in page.curves.roc.accessibleName()
    assert page.curves.reliability.drawing.lines[0].points
    assert result.learning is not None
    assert len(page.curves.learning.drawing.lines[0].points) == len(result.learning.points)
    columns = page.subgroups.table.texts()
    assert {row[1] for row in columns} == {group.value for group in result.subgroups}


def test_that_the_slider_says_how_many_are_missed_and_recalled(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "threshold")
    page = wizard.page_now
    controls = page.controls
    suggested = controls.outcome.text()
    assert suggested.startswith("Of 1,000 women, 500 of whom have it:")
    assert "Nobody is screened by tissue" in controls.about_whom.text()
    assert page.problem() == ""
    controls.prevalence.setValue(6)
    quiet(qtbot, wizard)
    assert controls.outcome.text().startswith("Of 1,000 women, 6 of whom have it:")
    controls.threshold.slider.setFocus()
    qtbot.keyClick(controls.threshold.slider, Qt.Key.Key_End)
    quiet(qtbot, wizard)
    assert "6.0 (" in controls.outcome.text()  # all who have it are missed
    assert " 0.0 (" in controls.outcome.text()  # nobody is recalled
    assert "is not kept" in page.problem()
    controls.prevalence.setValue(50)
    quiet(qtbot, wizard)
    assert "50 of whom have it" in controls.outcome.text()
    controls.back.click()
    controls.prevalence.setValue(500)
    quiet(qtbot, wizard)
    assert controls.outcome.text() == suggested


def test_that_the_band_cannot_be_turned_upside_down(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "threshold")
    controls = wizard.page_now.controls
    qtbot.keyClick(controls.from_here.slider, Qt.Key.Key_End)
    assert controls.choice.lower == controls.choice.upper
    qtbot.keyClick(controls.up_to.slider, Qt.Key.Key_Home)
    assert controls.choice.lower == controls.choice.upper == pytest.approx(float(controls._steps[0]))


def test_that_what_is_kept_is_tested_once_and_told_with_its_coverage(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "threshold")
    page = wizard.page_now
    page.controls.conformal.click()
    quiet(qtbot, wizard)
    before = len(uses_of_test(seen))
    page.keep.click()
    quiet(qtbot, wizard)
    assert [use.purpose for use in uses_of_test(seen)][before:] == ["threshold"]
    kept = read_operating(seen)
    assert kept.choice == page.controls.choice
    assert kept.who == "Dr Test"
    assert kept.test.sentence in page.tested.text()
    assert kept.calibration is not None
    assert kept.calibration.coverage.sentence in page.tested.text()
    assert page.reliability.isVisible()
    assert page.problem() == ""
    assert not page.keep.isEnabled()  # nothing to keep that is not


def test_that_challenges_are_told_in_words_and_the_looks_are_listed(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "challenge")
    page = wizard.page_now
    assert page.cards["label_shuffle"].verdict.text() == "not challenged yet"
    assert "Challenge the model first" in page.problem()
    page.begin.click()
    quiet(qtbot, wizard)
    found = {one.kind: one for one in page.finished.challenges.challenges}
    for kind, card in page.cards.items():
        assert card.sentence.text() == found[kind].sentence
        assert found[kind].sentence in card.accessibleName()
    assert page.problem() == ""
    assert [line[3] for line in page.uses.texts()] == ["result"]


def test_that_everything_that_takes_keys_has_a_name_and_no_text_is_cut(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "result")
    wizard.resize(1280, 800)
    wizard.setStyleSheet("QWidget { font-size: 19px; }")
    for page in ("training", "result", "threshold", "challenge", "publish"):
        wizard.go_to(page)
        quiet(qtbot, wizard)
        tabs = wizard.page_now.tabs.count() if page == "result" else 1
        for tab in range(tabs):
            if page == "result":
                wizard.page_now.tabs.setCurrentIndex(tab)
            shown = [widget for widget in wizard.page_now.findChildren(QWidget) if widget.isVisible()]
            nameless = [one for one in shown if isinstance(one, FOCUS) and not named(one)]
            assert not nameless, page
            qtbot.waitUntil(lambda page=page, shown=shown: none_is_cut(page, shown))


def test_that_enter_in_a_field_does_not_leave_the_page(qtbot, open_wizard, seen: RunFolder) -> None:
    wizard = open_wizard(seen, "threshold")
    prevalence = wizard.page_now.controls.prevalence
    prevalence.setFocus()
    qtbot.keyClick(prevalence, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(prevalence, "8,5")
    qtbot.keyClick(prevalence, Qt.Key.Key_Return)
    quiet(qtbot, wizard)
    assert wizard.page_now.name == "threshold"
    assert "8.5 of whom have it" in wizard.page_now.controls.outcome.text()
