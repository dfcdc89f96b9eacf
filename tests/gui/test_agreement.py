from __future__ import annotations

import csv
import re
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtWidgets import QFileDialog

from pathview.compute.engine import LocalEngine
from pathview.gui.actions import ACTIONS, doubled_keys
from pathview.gui.dialogs.agreement import ALL, AgreementDialog
from pathview.gui.session_handle import SessionHandle
from pathview.review.store import Store
from pathview.session import Session
from pathview.settings import Settings
from tests.gui.conftest import idle
from tests.review.study_makers import StudyMaker

P, N = "positive", "negative"


@pytest.fixture
def dialog(qtbot, store: Store):
    session = Session(Settings(), LocalEngine(), LocalEngine(), store, reader="Ada")
    found = AgreementDialog(SessionHandle(lambda: session))
    qtbot.addWidget(found)
    yield found
    found.end()


def a_study(maker: StudyMaker, closed: bool = True) -> list[int]:
    """Ten cases of five patients: Ada's first and final, Bob's, a model and truths."""
    home = maker.worklist("Study", closed=closed)
    cases = []
    for index in range(10):
        case = maker.case(home, f"p{index // 2}", (P, N)[index % 2], (P, N)[index % 2])
        maker.read(case, "Ada", (P, N, N)[index % 3], (P, N)[index % 2], seconds=10.0 + index)
        maker.read(case, "Bob", P, N if index < 3 else P)
        cases.append(case)
    return cases


def shown(qtbot, dialog: AgreementDialog) -> None:
    dialog.show()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)


def compared(qtbot, dialog: AgreementDialog) -> None:
    shown(qtbot, dialog)
    qtbot.mouseClick(dialog.compare, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dialog.busy, timeout=60_000)


def go_to(dialog: AgreementDialog, title: str) -> str:
    (row,) = [i for i in range(dialog.pages.count()) if title in dialog.pages.item(i).text()]
    dialog.pages.setCurrentRow(row)
    return dialog.text.toPlainText()


def link_of(dialog: AgreementDialog, words: str) -> str:
    """The address of the first number that is exactly this."""
    html = dialog.text.toHtml().replace("\xa0", " ")
    (found, *_) = re.findall(rf'<a href="([^"]+)">(?:<span[^>]*>)?{re.escape(words)}</', html)
    return found


def listed(dialog: AgreementDialog) -> list[str]:
    return [dialog.rows.index(row).data() for row in range(dialog.rows.rowCount())]


def test_that_the_figures_of_a_study_are_shown_and_every_number_lists_its_cases(qtbot, dialog, maker) -> None:
    cases = a_study(maker)
    compared(qtbot, dialog)
    assert dialog.pages.item(0).text() == "Overview"
    overview = dialog.text.toPlainText()
    assert "10 cases assessed of 10 listed, of 5 patients; truth known of 10." in overview
    assert "Readers: Ada, Bob." in overview
    changes = go_to(dialog, "Ada: changes")
    assert "Changed for the better" in changes
    dialog.text.anchorClicked.emit(QUrl(link_of(dialog, "3")))  # kept right where the model was negative
    assert [int(row.split("  ·  ")[0]) for row in listed(dialog)] == [cases[1], cases[5], cases[7]]
    assert dialog.behind.text() == "3 cases"
    dialog.text.anchorClicked.emit(QUrl(link_of(dialog, "50.0 %")))  # changed for the better
    assert [int(row.split("  ·  ")[0]) for row in listed(dialog)] == [cases[i] for i in (2, 3, 4, 8, 9)]


def test_that_choosing_a_case_opens_it(qtbot, dialog, maker) -> None:
    cases = a_study(maker)
    compared(qtbot, dialog)
    dialog.text.anchorClicked.emit(QUrl(link_of(dialog, "10")))
    dialog.cases.setCurrentIndex(dialog.rows.index(3))
    with qtbot.waitSignal(dialog.case_chosen) as chosen:
        qtbot.keyClick(dialog.cases, Qt.Key.Key_Return)
    assert chosen.args == [cases[3]]


def test_that_curves_stand_beside_their_figures(qtbot, dialog, maker) -> None:
    a_study(maker)
    compared(qtbot, dialog)
    assert not dialog.plot.isVisible()
    assert "Area under the curve: The model" in go_to(dialog, "ROC")
    assert dialog.plot.isVisible()
    items = dialog.plot.plot.listDataItems()
    names = {item.name() for item in items if item.name()}
    assert names == {"The model", *(f"{who}, {stage}" for who in ("Ada", "Bob") for stage in ("first", "final"))}
    assert len(items) == 1 + 1 + 5, "the diagonal, the model's curve, and where each stands"


def test_that_only_the_readers_and_the_list_that_are_chosen_are_compared(qtbot, dialog, maker) -> None:
    a_study(maker)
    other = maker.case(maker.worklist("Other"))
    maker.say(other, "Cleo", "final", P)
    shown(qtbot, dialog)
    assert [dialog.worklist.itemText(i) for i in (0,)] == [ALL]
    dialog.worklist.setCurrentText("Study")
    (bob,) = dialog.readers.findItems("Bob", Qt.MatchFlag.MatchExactly)
    (cleo,) = dialog.readers.findItems("Cleo", Qt.MatchFlag.MatchExactly)
    for item in (bob, cleo):
        item.setCheckState(Qt.CheckState.Unchecked)
    compared(qtbot, dialog)
    assert "Readers: Ada." in dialog.text.toPlainText()
    assert not dialog.pages.findItems("against Bob", Qt.MatchFlag.MatchContains)
    dialog.hide()
    shown(qtbot, dialog)
    assert dialog.chosen_readers == ("Ada",)


def test_that_what_is_still_to_be_read_is_told_in_words_alone(qtbot, dialog, maker) -> None:
    cases = a_study(maker, closed=False)
    maker.say(cases[0], "Ada", "final", None)
    compared(qtbot, dialog)
    overview = dialog.text.toPlainText()
    assert "The list Study hides the model: until it is closed or Ada has decided every case of it" in overview
    titles = [dialog.pages.item(i).text() for i in range(dialog.pages.count())]
    assert titles == ["Overview", "Ada: first against final", "Ada: time a case"]


def test_that_an_empty_store_says_what_is_missing(qtbot, dialog) -> None:
    shown(qtbot, dialog)
    assert dialog.text.toPlainText().startswith("Nobody has assessed a case yet.")
    assert not dialog.compare.isEnabled()
    assert not dialog.export.isEnabled()


def test_that_a_study_without_truth_says_so(qtbot, dialog, maker) -> None:
    maker.read(maker.case(maker.worklist("Study"), "p1"), "Ada", P, N)
    compared(qtbot, dialog)
    words = dialog.text.toPlainText()
    assert "The truth of none of these cases is known" in words
    assert "Only 1 patient: too few to say much." in words


def test_that_nobody_ticked_is_told(qtbot, dialog, maker) -> None:
    a_study(maker)
    shown(qtbot, dialog)
    for row in range(dialog.readers.count()):
        dialog.readers.item(row).setCheckState(Qt.CheckState.Unchecked)
    compared(qtbot, dialog)
    assert dialog.text.toPlainText() == "Tick at least one reader."


def test_that_comparing_can_be_cancelled(qtbot, dialog, maker, monkeypatch) -> None:
    a_study(maker)
    shown(qtbot, dialog)
    begun = threading.Event()
    records = dialog._handle.get().cases.studies.records

    def slow(asker, lists, progress, cancel):
        begun.set()
        assert cancel.wait(20)
        return records(asker, lists, progress, cancel)

    monkeypatch.setattr(dialog._handle.get().cases.studies, "records", slow)
    dialog.start()
    assert begun.wait(20)
    assert not dialog.compare.isEnabled()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert dialog.isVisible()
    assert dialog.text.toPlainText() == "Cancelled."
    assert dialog.compare.isEnabled()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_that_report_and_tables_are_written(qtbot, dialog, maker, tmp_path: Path, monkeypatch) -> None:
    a_study(maker)
    compared(qtbot, dialog)
    out = tmp_path / "out"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(out))
    dialog.export.click()
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert dialog.said.text() == f"6 files were written to {out}."
    with (out / "readings.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 40


def test_that_a_folder_that_cannot_be_written_is_told(qtbot, dialog, maker, tmp_path: Path) -> None:
    a_study(maker)
    compared(qtbot, dialog)
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    dialog.write(tmp_path / "out")
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert "cannot be written" in dialog.said.text()
    assert dialog.pages.count() > 1, "what was found stays"


def test_that_the_action_has_a_key_of_its_own() -> None:
    (spec,) = [spec for spec in ACTIONS if spec.id == "agreement"]
    assert (spec.menu, spec.keys) == ("Case", ("Ctrl+Shift+G",))
    assert doubled_keys() == []


def test_that_a_case_behind_a_number_comes_to_the_desk(qtbot, opened) -> None:
    window = opened
    idle(qtbot, window)
    one, other = (window.worklist.model.index(row).data(Qt.ItemDataRole.UserRole) for row in (0, 1))
    window.actions_by_id["agreement"].trigger()
    dialog = window.desk.agreement
    assert dialog is not None
    qtbot.waitUntil(lambda: not dialog.busy, timeout=20_000)
    assert dialog.isVisible()
    here = window.desk.case_id
    there = next(row.id for row in (one, other) if row.id != here)
    dialog.case_chosen.emit(there)
    idle(qtbot, window)
    assert window.desk.state.detail.case.id == there
