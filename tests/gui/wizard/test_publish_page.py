"""Page 11 over a model whose result was really made: versions, publishing, ways back, and the model as one file."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QApplication, QLineEdit, QWidget

from pathview.gui.wizard.publish_page import shown_card
from pathview.gui.wizard.publish_parts import TrustDialog
from pathview.gui.wizard.standing import read_standing
from pathview.models.catalogue import Catalogue
from pathview.models.registry import Registry
from pathview.models.weights import read_manifest, write_manifest
from pathview.settings import Settings
from pathview.training.judging.challenge import CHALLENGES, Challenge, Challenges
from pathview.training.publishing.promoting import Promoting
from pathview.training.runs.run_folder import RunFolder
from tests.gui.wizard.conftest import quiet
from tests.gui.wizard.looks import none_is_cut


def test_that_publishing_is_refused_without_a_reason_and_signed_with_one(
    qtbot, open_wizard, fresh: RunFolder, tiny_models: Settings
) -> None:
    wizard = open_wizard(fresh, "publish")
    page, block = wizard.page_now, wizard.page_now.block
    assert not block.publish.isEnabled()
    assert not block.compare.isEnabled()
    block.register.click()
    quiet(qtbot, wizard)
    assert "Version 2 of tiny-cnn (Try) is kept, and not used." in block.version.text()
    assert "Split by patient" in page.card.toPlainText()
    block.compare.click()
    quiet(qtbot, wizard)
    assert "that it is better is not shown" in block.comparison.text()
    assert not block.publish.isEnabled()
    block.override.setChecked(True)
    assert block.who.text() == "Dr Test"
    assert not block.publish.isEnabled()
    qtbot.keyClicks(block.why, "trial on one ward")
    assert block.publish.isEnabled()
    block.publish.click()
    quiet(qtbot, wizard)
    present = Registry(tiny_models).present("tiny-cnn")
    assert present is not None
    assert present.number == 2
    assert block.version.text() == "Version 2 of tiny-cnn (Try) is published."
    assert block.about_publish.text() == "It is published: it analyses histology images."
    assert "promoted by override" in page.card.toPlainText()
    assert page.versions.table.texts()[0][1] == "present"


def test_that_silent_mode_comes_first_and_an_earlier_version_can_come_back(
    qtbot, open_wizard, fresh: RunFolder, tiny_models: Settings
) -> None:
    wizard = open_wizard(fresh, "publish")
    page, block = wizard.page_now, wizard.page_now.block
    block.register.click()
    quiet(qtbot, wizard)
    block.silent.click()
    quiet(qtbot, wizard)
    assert "runs silently beside tiny-cnn" in block.version.text()
    assert page.versions.table.texts()[0][1] == "silent beside tiny-cnn"
    block.override.setChecked(True)
    qtbot.keyClicks(block.why, "it did well in silence")
    block.publish.click()
    quiet(qtbot, wizard)
    with qtbot.waitSignal(wizard.run.models_changed):
        page.versions.back.click()
    quiet(qtbot, wizard)
    assert Registry(tiny_models).present("tiny-cnn").number == 1


def test_that_a_model_goes_to_another_machine_as_one_file(
    qtbot, open_wizard, fresh: RunFolder, tiny_models: Settings, tmp_path: Path
) -> None:
    wizard = open_wizard(fresh, "publish")
    page = wizard.page_now
    page.block.register.click()
    quiet(qtbot, wizard)
    target = tmp_path / "model.pathview-model"
    page.export(target)
    quiet(qtbot, wizard)
    assert target.is_file()
    assert "tell them these digits" in page.versions.said.text()
    assert page.versions.written.text() == str(target)
    assert page.versions.written.isReadOnly()
    page.take_in(target)
    quiet(qtbot, wizard)
    assert "not used before it is published" in page.versions.said.text()
    standing = read_standing(fresh, wizard.run.handle.get())
    assert [line.number for line in standing.lines] == [2, 1]


def test_that_a_silent_model_says_nothing_of_few_patients(qtbot, open_wizard, fresh: RunFolder) -> None:
    wizard = open_wizard(fresh, "publish")
    block = wizard.page_now.block
    block.register.click()
    quiet(qtbot, wizard)
    assert "kept and shown nowhere" in block.about_silent.text()
    block.silent.click()
    quiet(qtbot, wizard)
    assert "has silently seen 0 patients; below 10 nothing is told" in block.about_silent.text()
    block.silent.click()
    quiet(qtbot, wizard)
    assert "is kept, and not used." in block.version.text()


def test_that_a_key_is_trusted_by_its_digits_alone(qtbot) -> None:
    dialog = TrustDialog("Version 1 of tiny-cnn.", "0123 4567 89ab")
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.keyClicks(dialog.digits, "0123 4567 89ac")
    assert not dialog.trust.isEnabled()
    qtbot.keyClick(dialog.digits, Qt.Key.Key_Backspace)
    qtbot.keyClicks(dialog.digits, "B")
    assert dialog.trust.isEnabled()


@pytest.fixture
def renamed(seen: RunFolder) -> RunFolder:
    """A run whose model has another name than the one that analyses histology, and is the default of nothing."""
    manifest = read_manifest(seen.model)
    recipe = manifest.recipe.model_copy(update={"name": "ours", "default_for": ()})
    write_manifest(seen.model, manifest.model_copy(update={"recipe": recipe}))
    return seen


def sign(qtbot, wizard) -> None:
    """Publish by an override."""
    block = wizard.page_now.block
    block.override.setChecked(True)
    qtbot.keyClicks(block.why, "to try it")
    block.publish.setFocus()
    qtbot.keyClick(block.publish, Qt.Key.Key_Space)
    quiet(qtbot, wizard)


def default(settings: Settings) -> str:
    model = Catalogue(settings).default_for("histology")
    assert model is not None
    return model.name


def test_that_what_is_published_over_another_model_analyses_its_images_and_can_be_withdrawn(
    qtbot, open_wizard, renamed: RunFolder, tiny_models: Settings
) -> None:
    wizard = open_wizard(renamed, "publish")
    page, block = wizard.page_now, wizard.page_now.block
    assert not page.versions.back.isVisible()
    block.register.click()
    quiet(qtbot, wizard)
    assert block.about_publish.text() == "Once it is published, it analyses histology images in place of tiny-cnn."
    sign(qtbot, wizard)
    assert default(tiny_models) == "ours"
    assert block.about_publish.text() == "It is published: it analyses histology images."
    assert block.comparison.text() == "No comparison is kept here; the card tells how it was published."
    assert page.versions.after.text() == "Once version 1 is withdrawn, tiny-cnn analyses histology images again."
    qtbot.keyClicks(page.versions.why, "it was a trial")
    with qtbot.waitSignal(wizard.run.models_changed):
        page.versions.back.click()
    quiet(qtbot, wizard)
    assert default(tiny_models) == "tiny-cnn"
    assert page.versions.table.texts()[0][1] == "not used"
    assert "tiny-cnn analyses histology images again: it was a trial." in page.versions.about.text()
    assert not page.versions.why.text()
    assert not block.override.isChecked()  # what was signed for is not signed again by one click


def test_that_a_model_that_is_published_and_not_the_default_is_not_told_to_be(
    open_wizard, renamed: RunFolder, tiny_models: Settings
) -> None:
    from pathview.models.registry import Event, now

    Promoting(tiny_models, "Dr A").register(renamed.model)
    event = Event(action="promoted", version=1, who="Dr A", at=now(), sentence="promoted.")
    Registry(tiny_models).record("ours", event)  # as was kept before promotions claimed anything
    block = open_wizard(renamed, "publish").page_now.block
    assert block.about_publish.text() == (
        "It is published: it is used only where somebody chooses it by name; tiny-cnn analyses histology images. "
        "Published again, it analyses histology images in place of tiny-cnn."
    )
    assert block.compare.isEnabled()


def challenged(run: RunFolder, *passed: bool | None) -> None:
    kinds = ("label_shuffle", "blank_image", "randomised_weights")
    found = tuple(
        Challenge(kind=kind, passed=one, sentence=f"The {kind} was {one}.")
        for kind, one in zip(kinds, passed, strict=True)
    )
    sha256 = read_manifest(run.model).sha256
    run.write(CHALLENGES, Challenges(sha256=sha256, challenges=found, uses=1, about_uses="."))


def test_that_failed_challenges_stand_beside_the_signature_and_in_the_list_of_steps(
    open_wizard, fresh: RunFolder
) -> None:
    challenged(fresh, False, False, None)
    wizard = open_wizard(fresh, "publish")
    label = wizard.page_now.block.challenged
    assert label.isVisible()
    assert label.objectName() == "problem"
    assert label.text() == ("2 of 3 challenges failed.\nThe label_shuffle was False.\nThe blank_image was False.")
    steps = [wizard.steps.item(row) for row in range(wizard.steps.count())]
    assert steps[9].text().endswith("\N{WARNING SIGN}")
    assert steps[9].toolTip() == "2 of 3 challenges failed."
    assert steps[8].text().endswith("✓")


def test_that_a_model_that_stood_its_challenges_has_a_tick_and_one_without_is_told(
    open_wizard, fresh: RunFolder
) -> None:
    assert open_wizard(fresh, "publish").page_now.block.challenged.text() == "It was not challenged."
    challenged(fresh, True, True, None)
    wizard = open_wizard(fresh, "publish")
    assert not wizard.page_now.block.challenged.isVisible()
    assert wizard.steps.item(9).text().endswith("✓")


def test_that_nothing_stays_that_is_no_longer_true_and_the_keys_stay_where_they_are(
    qtbot, open_wizard, fresh: RunFolder
) -> None:
    wizard = open_wizard(fresh, "publish")
    wizard.activateWindow()
    block = wizard.page_now.block
    qtbot.waitUntil(wizard.isActiveWindow)
    block.register.setFocus()
    qtbot.keyClick(block.register, Qt.Key.Key_Space)
    quiet(qtbot, wizard)
    assert QApplication.focusWidget() is block.version
    block.compare.setFocus()
    qtbot.keyClick(block.compare, Qt.Key.Key_Space)
    quiet(qtbot, wizard)
    assert QApplication.focusWidget() is block.compare
    assert block.verdict.isVisible()
    sign(qtbot, wizard)
    assert QApplication.focusWidget() is block.about_publish
    assert not block.verdict.isVisible()
    assert not block.override.isVisible()


def test_that_versions_are_told_apart_by_their_trainings_and_all_of_the_last_deed_is_told(
    qtbot, open_wizard, fresh: RunFolder
) -> None:
    title = "A training on the patches of three wards with a title that no column has room for"
    fresh.write_plan(fresh.plan().model_copy(update={"title": title}))
    wizard = open_wizard(fresh, "publish")
    versions = wizard.page_now.versions
    wizard.page_now.block.register.click()
    quiet(qtbot, wizard)
    sign(qtbot, wizard)
    assert [row[:3] for row in versions.table.texts()] == [["2", "present", title], ["1", "not used", ""]]
    assert versions.table.item(0, 2).toolTip() == title
    assert versions.table.rowHeight(0) == versions.table.rowHeight(1)
    assert 'promoted by override of Dr Test: "to try it". It was not compared' in versions.about.text()
    versions.table.setCurrentCell(1, 0)
    assert versions.about.text().startswith("Version 1 of tiny-cnn: ")
    assert wizard.page_now.card.toPlainText().startswith(f"{title}: ")


def test_that_nothing_is_cut_in_a_small_window(qtbot, open_wizard, fresh: RunFolder, tmp_path: Path) -> None:
    challenged(fresh, False, False, False)
    wizard = open_wizard(fresh, "publish")
    wizard.resize(1000, 640)
    page = wizard.page_now
    page.block.register.click()
    quiet(qtbot, wizard)
    sign(qtbot, wizard)
    page.export(tmp_path / "model.pathview-model")
    quiet(qtbot, wizard)
    parts = page.deeds.widget().findChildren(QWidget)
    qtbot.waitUntil(lambda: none_is_cut("publish", parts))
    shown = [
        one for one in parts if one.isVisible() and isinstance(one, QAbstractButton | QLineEdit | QAbstractSpinBox)
    ]
    shown = [one for one in shown if not isinstance(one.parent(), QAbstractSpinBox)]
    assert not [one for one in shown if one.height() < one.minimumSizeHint().height()]
    assert page.deeds.verticalScrollBar().maximum() > 0
    assert page.deeds.horizontalScrollBar().maximum() == 0


def test_that_the_card_is_shown_without_empty_cells_and_with_small_headings() -> None:
    card = "# Large\n\n| | |\n|---|---|\n| Task | one |\n| Network | two |\n\n## Less\n"
    assert shown_card(card) == ("#### Large\n\n| Task | one |\n|---|---|\n| Network | two |\n\n#### Less\n")
