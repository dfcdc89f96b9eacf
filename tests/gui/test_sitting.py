"""Who reads, and the store's backups in the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox

from pathview.gui.dialogs.backups import BackupsDialog
from pathview.gui.dialogs.reader import ReaderDialog
from tests.gui.conftest import idle, titles
from tests.gui.reading import decisions_of, fill_in, lock, press, store_of
from tests.makers import breast_pixels, write_dicom

KEY = Qt.Key


@pytest.fixture
def sitting(qtbot, reading_window, tmp_path: Path):
    """A reader with a mammogram."""
    window = reading_window()
    window.open_paths([write_dicom(tmp_path / "a.dcm", breast_pixels(), ImagerPixelSpacing=[0.1, 0.1])])
    idle(qtbot, window)
    return window


def dialog_of(window, kind):
    (found,) = window.findChildren(kind)
    return found


def test_that_the_status_bar_says_who_reads(sitting) -> None:
    assert sitting.sitting.button.text() == "Reading: Dr Test"
    assert sitting.findChildren(ReaderDialog) == []


def test_that_another_reader_begins_anew_and_the_first_ones_draft_waits(qtbot, sitting) -> None:
    fill_in(qtbot, sitting, "2")
    sitting.actions_by_id["reader"].trigger()
    idle(qtbot, sitting)
    dialog = dialog_of(sitting, ReaderDialog)
    assert [dialog.known.item(n).text() for n in range(dialog.known.count())] == ["Dr Test"]
    dialog.field.setText("  Dr   Second ")
    press(qtbot, dialog, KEY.Key_Return)
    idle(qtbot, sitting)
    assert sitting.sitting.button.text() == "Reading: Dr Second"
    assert sitting.preferences.reader == "Dr Second"
    assert sitting.decision.form.answers == {}
    lock(qtbot, sitting)
    assert [row.reader for row in decisions_of(sitting, 1)] == ["Dr Second"]
    sitting.desk.reading.be("Dr Test")
    idle(qtbot, sitting)
    assert sitting.decision.form.answers == {"birads": "2"}
    assert sitting.desk.state.result is None


def test_that_escape_takes_the_name_that_is_offered(qtbot, sitting) -> None:
    sitting.preferences.reader = ""
    sitting.sitting.ask_first()
    idle(qtbot, sitting)
    dialog = dialog_of(sitting, ReaderDialog)
    dialog.field.setText("half a na")
    qtbot.keyClick(dialog, KEY.Key_Escape)
    idle(qtbot, sitting)
    assert sitting.preferences.reader == "Dr Test"
    assert sitting.sitting.button.text() == "Reading: Dr Test"


def test_that_nobody_is_asked_twice(qtbot, sitting) -> None:
    sitting.preferences.reader = "Dr Test"
    sitting.sitting.ask_first()
    idle(qtbot, sitting)
    assert sitting.findChildren(ReaderDialog) == []


def confirm(monkeypatch, index: int) -> None:
    monkeypatch.setattr(QMessageBox, "exec", lambda self: None)
    monkeypatch.setattr(QMessageBox, "clickedButton", lambda self: self.buttons()[index])


def test_that_a_backup_is_made_and_put_back(qtbot, sitting, monkeypatch, tmp_path: Path) -> None:
    sitting.actions_by_id["backup"].trigger()
    idle(qtbot, sitting)
    assert sitting.banner.text.startswith("Backed up, and checked: ")
    lock(qtbot, sitting)
    sitting.open_paths([write_dicom(tmp_path / "later.dcm", breast_pixels())])
    idle(qtbot, sitting)
    assert "later.dcm" in titles(sitting)
    confirm(monkeypatch, 0)
    sitting.actions_by_id["restore"].trigger()
    idle(qtbot, sitting)
    dialog = dialog_of(sitting, BackupsDialog)
    newest = dialog.rows.topLevelItem(0)
    assert [newest.text(column) for column in (1, 2)] == ["1", "0"]  # cases and decided ones, as they were then
    dialog._ask()
    idle(qtbot, sitting)
    assert sitting.banner.text.startswith("Restored: ")
    assert titles(sitting) == ["a.dcm"]
    assert decisions_of(sitting, 1) == ()
    assert sitting.desk.case_id == 1
    assert list(tmp_path.glob("cases-damaged-*.sqlite"))  # what was there is put aside
    lock(qtbot, sitting)
    assert len(decisions_of(sitting, 1)) == 1


def test_that_nothing_is_put_back_unless_it_was_confirmed(qtbot, sitting, monkeypatch) -> None:
    lock(qtbot, sitting)
    confirm(monkeypatch, 1)
    sitting.actions_by_id["backup"].trigger()
    sitting.actions_by_id["restore"].trigger()
    idle(qtbot, sitting)
    dialog_of(sitting, BackupsDialog)._ask()
    idle(qtbot, sitting)
    assert len(decisions_of(sitting, 1)) == 1


def test_that_the_store_is_checked_from_the_menu(qtbot, sitting) -> None:
    sitting.actions_by_id["check_store"].trigger()
    idle(qtbot, sitting)
    assert sitting.banner.text.startswith("The store is whole")


def test_that_a_damaged_store_is_offered_its_backups_at_the_start(
    qtbot, sitting, reading_window, monkeypatch, tmp_path: Path
) -> None:
    sitting.actions_by_id["backup"].trigger()
    idle(qtbot, sitting)
    sitting.close()
    path = tmp_path / "cases.sqlite"
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    for beside in tmp_path.glob("cases.sqlite-*"):
        beside.unlink()
    said: list[str] = []
    monkeypatch.setattr(QMessageBox, "critical", lambda *arguments: said.append(arguments[-1]))
    window = reading_window()
    assert said == []
    dialog = dialog_of(window, BackupsDialog)
    assert not window.failed
    confirm(monkeypatch, 0)
    dialog._ask()
    idle(qtbot, window)
    assert titles(window) == ["a.dcm"]
    assert store_of(window).case(1).case.title == "a.dcm"
