"""The wizard from the question to the recipe, driven by keys and clicks; planted faults are refused with a reason."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFileDialog,
    QWidget,
)

from pathview.gui.wizard import recipe_page
from pathview.gui.wizard.contact_sheet import ContactSheet
from pathview.gui.wizard.labelled import Labelled
from pathview.training.runs.plan import Source
from pathview.training.runs.run_folder import RunFolder
from tests.gui.wizard.first_pages import at_labels, back, begin, go_on, minutes, rest, write
from tests.gui.wizard.looks import FOCUS, named, none_is_cut
from tests.training.runs import row, save_table, tissue, write_picture, write_table


@pytest.fixture
def window(make_window, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recipe_page, "forecast_of", minutes)
    return make_window()


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Twelve patients, three patches each, two classes."""
    folder = tmp_path / "sound"
    lines = write_table(folder)
    for number, line in enumerate(lines):
        write_picture(folder / line["file"], tissue(number, 50))
    return save_table(folder, lines)


def test_that_keys_alone_lead_from_the_question_to_the_recipe(
    qtbot, window, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(sound), ""))
    wizard = begin(window)
    qtbot.keyClicks(wizard.page_now.titled, "Masses of ours")
    assert go_on(qtbot, wizard) == "data"
    qtbot.keyClick(wizard.page_now.sources.table, Qt.Key.Key_Space)
    rest(qtbot, wizard)
    take = wizard.page_now.take_classes
    assert take.text().endswith("benign, malignant")
    qtbot.keyClick(take, Qt.Key.Key_Space)
    assert wizard.run.plan.question.classes == ("benign", "malignant")
    assert go_on(qtbot, wizard) == "data"
    assert "12\npatients" in [button.text() for button in wizard.page_now.counts.buttons()]
    assert [go_on(qtbot, wizard) for _ in range(3)] == ["labels", "split", "health"]
    assert go_on(qtbot, wizard) == "recipe"
    assert wizard.page_now.problem() == ""
    wizard.run.keep()
    qtbot.waitUntil(lambda: not wizard.run._keeping.busy)
    run = RunFolder(window._settings.data_dir / "training" / "masses-of-ours")
    assert run.plan() == wizard.run.plan
    assert run.plan().recipe.name == "tiny-cnn"
    assert run.split().shared_patients == 0
    assert not run.health().blocked


def test_that_a_closed_training_goes_on_at_its_page_with_what_was_chosen(qtbot, window, sound: Path) -> None:
    wizard = at_labels(qtbot, window, sound)
    assert go_on(qtbot, wizard) == "split"
    wizard.page_now.seed.setValue(7)
    rest(qtbot, wizard)
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert not window.trainings.wizards
    window.actions_by_id["continue_training"].trigger()
    dialog = next(one for one in window.children() if type(one).__name__ == "ContinueDialog")
    qtbot.waitUntil(lambda: dialog.list.count() == 1)
    assert dialog.list.item(0).text().startswith("Ours\ndata looked through")
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: any(one.isVisible() for one in window.trainings.wizards))
    again = window.trainings.wizards[0]
    rest(qtbot, again)
    assert again.page_now.name == "split"
    assert again.page_now.seed.value() == 7
    assert back(qtbot, again) == "labels"


def test_that_a_question_without_two_classes_is_refused_in_place(qtbot, window) -> None:
    wizard = begin(window)
    write(qtbot, wizard.page_now.classes, "benign")
    assert go_on(qtbot, wizard) == "question"
    assert wizard.page_now.said.text() == "Name at least two classes, with a comma between."
    assert wizard.page_now.said.objectName() == "problem"
    write(qtbot, wizard.page_now.classes, "benign, Benign")
    assert wizard.page_now.said.text() == "The classes need names that differ."


def test_that_without_a_source_the_next_step_is_refused(qtbot, window) -> None:
    wizard = begin(window)
    assert go_on(qtbot, wizard) == "data"
    assert go_on(qtbot, wizard) == "data"
    assert wizard.page_now.said.text() == "Add a folder, a table, or what is in the store."


def test_that_a_folder_that_is_no_data_set_is_one_sentence(qtbot, window, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    wizard = begin(window)
    go_on(qtbot, wizard)
    wizard.page_now.sources.add(Source(path=tmp_path / "empty"))
    assert go_on(qtbot, wizard) == "data"
    assert wizard.page_now.said.text().startswith("empty is no data set that can be read")


def test_that_counts_open_the_lists_behind_them(qtbot, window, tmp_path: Path) -> None:
    folder = tmp_path / "faulty"
    lines = write_table(folder)
    write_picture(folder / "copy.png", tissue(0))
    (folder / "broken.png").write_bytes(b"no picture")
    lines += [{"file": "copy.png", "patient": "P0", "label": "benign"}, {"file": "broken.png", "label": "benign"}]
    wizard = at_labels(qtbot, window, save_table(folder, lines))
    back(qtbot, wizard)
    page = wizard.page_now
    buttons = {button.text().split("\n")[1]: button for button in page.counts.buttons()}
    assert {name: int(button.text().split("\n")[0]) for name, button in buttons.items()} == {
        "patients": 12,
        "images": 37,
        "scanners": 0,
        "cannot be used": 1,
        "exact copies": 1,
        "nearly alike": 0,
        "without a patient": 0,
    }
    qtbot.keyClick(buttons["cannot be used"], Qt.Key.Key_Space)
    assert page.table.rows.lines[0][0] == "broken.png"
    qtbot.keyClick(buttons["exact copies"], Qt.Key.Key_Space)
    assert sorted(line[1] for line in page.table.rows.lines) == ["copy.png", "p0-0.png"]


def test_that_a_mask_of_another_size_is_listed_with_its_reason(qtbot, window, tmp_path: Path) -> None:
    folder = tmp_path / "outlined"
    lines = write_table(folder)
    for line in lines:
        side = 40 if line["file"] == "p3-1.png" else 60
        write_picture(folder / f"mask-{line['file']}", np.full((side, side), 255, np.uint8))
        line["mask"] = f"mask-{line['file']}"
    wizard = begin(window)
    wizard.page_now.tasks.button(1).click()
    go_on(qtbot, wizard)
    wizard.page_now.sources.add(Source(path=save_table(folder, lines)))
    go_on(qtbot, wizard)
    wizard.page_now.counts.button(3).click()
    assert wizard.page_now.table.rows.lines == (
        ("p3-1.png", "The mask mask-p3-1.png is 40 x 40 pixels, its image 60 x 60."),
    )


def test_that_patients_can_be_told_from_file_names_without_a_pattern_of_ones_own(qtbot, window, tmp_path) -> None:
    for patient in range(8):
        for number in range(2):
            name = f"{('benign', 'malignant')[patient % 2]}/W{patient}_{number}.png"
            write_picture(tmp_path / "folders" / name, tissue(50 * patient + number))
    wizard = at_labels(qtbot, window, tmp_path / "folders")
    assert go_on(qtbot, wizard) == "split"
    assert go_on(qtbot, wizard) == "split"
    assert wizard.page_now.said.text().startswith("16 of 16 images name no patient")
    back(qtbot, wizard)
    back(qtbot, wizard)
    patient = wizard.page_now.sources.patient
    patient.setCurrentIndex(patient.findText("Its name up to the first _"))
    patient.activated.emit(patient.currentIndex())
    assert wizard.page_now.sources.fits.text().startswith("It fits 16 of 16 files, 8 patients: W")
    assert go_on(qtbot, wizard) == "data"
    assert wizard.page_now.counts.button(0).text() == "8\npatients"


def test_that_an_override_needs_name_and_reason_and_stands_in_the_manifest(qtbot, window, tmp_path: Path) -> None:
    for number in range(24):
        write_picture(tmp_path / "folders" / ("benign", "malignant")[number % 2] / f"{number}.png", tissue(number))
    wizard = at_labels(qtbot, window, tmp_path / "folders")
    go_on(qtbot, wizard)
    page = wizard.page_now
    qtbot.keyClick(page.overrule, Qt.Key.Key_Space)
    assert go_on(qtbot, wizard) == "split"
    assert page.said.text() == "To overrule this, give your name and the reason."
    write(qtbot, page.who, "Dr Test")
    write(qtbot, page.why, "One image of each woman")
    rest(qtbot, wizard)
    assert go_on(qtbot, wizard) == "health"
    split = wizard.run.made.split()
    assert split.by == "image"
    assert split.override is not None
    assert (split.override.who, split.override.why) == ("Dr Test", "One image of each woman")


def test_that_a_picture_with_two_labels_blocks_until_one_is_left_out_by_its_key(qtbot, window, tmp_path) -> None:
    folder = tmp_path / "double"
    lines = write_table(folder)
    write_picture(folder / "again.png", tissue(0))
    lines.append({"file": "again.png", "patient": "P0", "label": "malignant"})
    wizard = at_labels(qtbot, window, save_table(folder, lines))
    page = wizard.page_now
    assert page.filter.currentText() == "Labels that disagree (1)"
    assert {one.row.file.name for one in page.sheet.sheet.items} == {"p0-0.png", "again.png"}
    assert go_on(qtbot, wizard) == "labels"
    assert page.said.text() == "1 picture carries two labels: say for each which is right, or leave one out."
    wrong = next(n for n, one in enumerate(page.sheet.sheet.items) if one.row.file.name == "again.png")
    page.sheet.setCurrentIndex(page.sheet.sheet.index(wrong))
    qtbot.keyClick(page.sheet, Qt.Key.Key_X)
    assert page.problem() == ""
    assert go_on(qtbot, wizard) == "split"
    assert [one.file.name for one in wizard.run.plan.corrections if one.leave_out] == ["again.png"]


def test_that_digits_give_classes_and_u_takes_them_back(qtbot, window, sound: Path) -> None:
    wizard = at_labels(qtbot, window, sound)
    page = wizard.page_now
    first = page.sheet.current
    assert first is not None
    qtbot.keyClick(page.sheet, Qt.Key.Key_2)
    said = wizard.run.plan.corrections
    assert [(one.file, one.label, one.who) for one in said] == [(first.row.file, "malignant", "Dr Test")]
    page.sheet.setCurrentIndex(page.sheet.sheet.index(0))
    assert page.sheet.current == Labelled(first.row, "malignant", changed=True)
    qtbot.keyClick(page.sheet, Qt.Key.Key_U)
    assert wizard.run.plan.corrections == ()


def test_that_one_class_alone_blocks_at_the_health_check(qtbot, window, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    lines = [line | {"label": "malignant"} for line in write_table(folder)]
    wizard = at_labels(qtbot, window, save_table(folder, lines))
    assert [go_on(qtbot, wizard) for _ in range(2)] == ["split", "health"]
    assert go_on(qtbot, wizard) == "health"
    assert wizard.page_now.said.objectName() == "problem"
    assert wizard.page_now.said.text() == "There is only 'malignant': nothing can be told apart."
    assert wizard.page_now.cards[0].finding.level == "red"


def test_that_a_scanner_that_gives_the_label_away_is_told(qtbot, window, tmp_path: Path) -> None:
    folder = tmp_path / "scanners"
    lines = [line | {"scanner": f"of {line['label']}"} for line in write_table(folder)]
    wizard = at_labels(qtbot, window, save_table(folder, lines))
    go_on(qtbot, wizard)
    go_on(qtbot, wizard)
    told = [card.finding for card in wizard.page_now.cards if "scanner" in card.finding.code]
    assert told
    assert told[0].level in ("red", "amber")


def test_that_a_split_that_was_trained_on_stays_as_it_is(qtbot, window, sound: Path) -> None:
    wizard = at_labels(qtbot, window, sound)
    go_on(qtbot, wizard)
    go_on(qtbot, wizard)
    before = wizard.run.made.split()
    wizard.run.made.state.mkdir()
    go_on(qtbot, wizard)  # the folder is read again on the way
    back(qtbot, wizard)
    wizard.page_now.check()
    rest(qtbot, wizard)
    back(qtbot, wizard)
    page = wizard.page_now
    assert page.said.text().startswith("A training has begun on this")
    assert not page.train.isEnabled()
    assert go_on(qtbot, wizard) == "health"
    assert wizard.run.made.split() == before


def test_that_a_number_out_of_its_limits_is_refused_with_them(qtbot, window, sound: Path) -> None:
    wizard = at_labels(qtbot, window, sound)
    assert [go_on(qtbot, wizard) for _ in range(3)] == ["split", "health", "recipe"]
    page = wizard.page_now
    qtbot.keyClick(page.more, Qt.Key.Key_Space)
    field = page.numbers.fields["training.learning_rate"]
    qtbot.waitUntil(field.isVisible)
    write(qtbot, field, "-3")
    rest(qtbot, wizard)
    assert page.problem() == "training.learning_rate cannot be -3.0: above 0."
    write(qtbot, field, "0,002")
    rest(qtbot, wizard)
    assert page.problem() == ""
    assert wizard.run.plan.recipe.changes == {"training.learning_rate": 0.002}
    write(qtbot, field, "0.001")
    rest(qtbot, wizard)
    assert wizard.run.plan.recipe.changes == {}


def test_that_balance_and_augmentation_become_changes_and_previews_of_ones_own_images(qtbot, window, sound) -> None:
    wizard = at_labels(qtbot, window, sound)
    assert [go_on(qtbot, wizard) for _ in range(3)] == ["split", "health", "recipe"]
    page = wizard.page_now
    assert page.cards["thorough"].time.text() == "About 2 min for thorough."
    assert not page.cards["quick"].isEnabled()  # the tiny network has no backbone that learnt elsewhere
    plain = page.previews.pixmap().toImage()
    page.balance.setCurrentIndex(1)
    page.balance.activated.emit(1)
    write(qtbot, page.augmentation.fields["augmentation.rotation_deg"], "90")
    rest(qtbot, wizard)
    assert wizard.run.plan.recipe.changes == {"training.balance": "undersample", "augmentation.rotation_deg": 90.0}
    rest(qtbot, wizard)
    assert page.previews.pixmap().toImage() != plain


def test_that_escape_asks_while_something_runs_and_loses_nothing(qtbot, window, sound: Path) -> None:
    wizard = at_labels(qtbot, window, sound)
    held = threading.Event()
    wizard.page_now.start(lambda *_: held.wait(20), lambda _: None, "waiting")
    assert go_on_refused(qtbot, wizard) == "Wait until this is finished, or stop it."
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert wizard._asking is not None
    qtbot.keyClick(wizard._asking, Qt.Key.Key_Escape)
    assert wizard.isVisible()
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    stop = next(b for b in wizard._asking.buttons() if "Stop" in b.text())
    held.set()
    qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.trainings.wizards)
    plan = json.loads((window._settings.data_dir / "training" / "ours" / "plan.json").read_text())
    assert plan["title"] == "Ours"


def go_on_refused(qtbot, wizard) -> str:
    qtbot.keyClick(wizard, Qt.Key.Key_Return)
    said: str = wizard.page_now.said.text()
    return said


def test_that_everything_that_takes_keys_has_a_name_and_no_text_is_cut(qtbot, window, sound: Path) -> None:
    wizard = at_labels(qtbot, window, sound)
    wizard.resize(1280, 800)
    window._application.setStyleSheet(window._application.styleSheet().replace("font-size: 13px", "font-size: 19px"))
    for page in ("question", "data", "labels", "split", "health", "recipe"):
        wizard.go_to(page)
        rest(qtbot, wizard)
        shown = [widget for widget in wizard.page_now.findChildren(QWidget) if widget.isVisible()]
        nameless = [one for one in shown if isinstance(one, FOCUS) and not named(one)]
        assert not nameless, page
        qtbot.waitUntil(lambda page=page, shown=shown: none_is_cut(page, shown))


def test_that_a_sheet_of_thousands_reads_only_what_is_in_view(qtbot, window) -> None:
    asked: list[int] = []
    from pathview.gui.theme import THEMES

    def read(rows, done) -> None:
        asked.append(len(rows))
        done(np.zeros((len(rows), 8, 8, 3), np.uint8))

    sheet = ContactSheet(THEMES["dark"], read, lambda _: False)
    qtbot.addWidget(sheet)
    sheet.resize(900, 600)
    sheet.show()
    sheet.show_items([Labelled(row(number), "benign") for number in range(5000)])
    qtbot.waitUntil(lambda: bool(asked) and not sheet._look.isActive())
    assert sum(asked) < 120
    before = sum(asked)
    sheet.scrollToBottom()
    qtbot.waitUntil(lambda: sum(asked) > before and not sheet._look.isActive())
    assert sheet.sheet.picture(sheet.sheet.items[-1].row.file) is not None


def test_that_the_first_wizard_is_loaded_beside_the_window(qtbot, window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pathview.gui.wizard.frame")
    window.actions_by_id["new_training"].trigger()
    assert not window.trainings.wizards
    assert window.trainings.busy
    qtbot.waitUntil(lambda: any(one.isVisible() for one in window.trainings.wizards), timeout=60_000)
    assert window.trainings.wizards[0].page_now.name == "question"


def test_that_new_answers_are_offered_in_the_gallery_and_become_the_source(qtbot, window) -> None:
    window.gallery.show_new_answers(120)
    assert window.gallery.fine_tune.text() == "You have 120 new answers: fine-tune?"
    window.actions_by_id["gallery"].setChecked(True)
    qtbot.waitUntil(lambda: not window.trainings.busy)
    assert window.gallery.fine_tune.isHidden()  # this store has none
    window.gallery.show_new_answers(120)
    window.gallery.fine_tune.click()
    plan = window.trainings.wizards[0].run.plan
    assert [source.kind for source in plan.sources] == ["answers"]
