"""The worklist in the window: lists, filters, orders, pages, views, and what is done with the cases in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QFont, QFontMetrics
from PySide6.QtWidgets import QInputDialog, QMessageBox

from pathview.gui.dialogs.worklists import WorklistsDialog
from pathview.gui.lists import PAGE, Listing
from pathview.gui.panels.worklist import WorklistPanel
from pathview.gui.panels.worklist_delegate import fitted_facts
from pathview.gui.panels.worklist_model import CaseRole, WorklistModel
from pathview.gui.theme import THEMES
from pathview.review.reading.worklist import Worklist
from pathview.review.reading.worklist_query import Counts, WorklistQuery
from pathview.review.records.case import CaseRow
from tests.gui.conftest import idle, titles
from tests.gui.reading import lock, store_of
from tests.gui.studies import keep_result
from tests.makers import breast_pixels, write_dicom

KEY = Qt.Key


@pytest.fixture
def listed(qtbot, reading_window, tmp_path: Path, mosaic: Path):
    """Two mammograms and a mosaic, in their lists."""
    window = reading_window()
    for name in ("a", "b"):
        write_dicom(tmp_path / f"{name}.dcm", breast_pixels(), ImagerPixelSpacing=[0.1, 0.1])
    window.open_paths([tmp_path / "a.dcm", tmp_path / "b.dcm", mosaic])
    idle(qtbot, window)
    return window


def names_of(box) -> list[str]:
    return [box.itemText(number) for number in range(box.count())]


def row(number: int) -> CaseRow:
    now = datetime.now(UTC)
    return CaseRow(number, f"case {number}", "mammogram", "new", None, None, None, 0, 1, None, now)


def test_that_all_lists_are_offered_with_their_mode_and_how_many_they_have(listed) -> None:
    names = names_of(listed.worklist.filters.lists)
    assert names[0] == "All cases  (3)"
    assert "Mammograms  ·  second read  (2)" in names
    assert "Tissue  ·  assisted  (1)" in names


def test_that_a_list_a_state_and_a_search_cut_the_rows(qtbot, listed) -> None:
    filters = listed.worklist.filters
    filters.lists.setCurrentIndex(filters.lists.findText("Mammograms", Qt.MatchFlag.MatchStartsWith))
    idle(qtbot, listed)
    assert sorted(titles(listed)) == ["a.dcm", "b.dcm"]
    assert any(name.startswith("In reading  (1)") for name in names_of(filters.states))
    filters.states.setCurrentIndex(filters.states.findData("new"))
    idle(qtbot, listed)
    assert titles(listed) == ["b.dcm"]
    filters.states.setCurrentIndex(0)
    filters.search.setText("A.DC")
    idle(qtbot, listed)
    assert titles(listed) == ["a.dcm"]
    filters.search.setText("nothing like it")
    idle(qtbot, listed)
    assert titles(listed) == []
    assert "No case here" not in listed.banner.text  # it stands where the rows would


def test_that_orders_that_would_tell_of_the_model_are_refused_where_it_is_hidden(qtbot, listed) -> None:
    filters = listed.worklist.filters
    model = filters.orders.model()
    assert not model.item(0).isEnabled()
    assert filters.orders.currentText() == "Newest first"
    filters.choose_list(2)  # tissue is read with the model: what was wished for at first is possible
    idle(qtbot, listed)
    assert model.item(0).isEnabled()
    assert filters.orders.currentText() == "Not sure first"


def test_that_rows_follow_how_far_the_reader_is(qtbot, listed) -> None:
    def state_of(case_id: int) -> str:
        model = listed.worklist.model
        return model.index(model.row_of(case_id)).data(CaseRole).state

    assert state_of(1) == "in_reading"
    keep_result(listed, "a.dcm")
    lock(qtbot, listed)
    assert state_of(1) == "first_locked"
    listed.actions_by_id["keep_first"].trigger()
    idle(qtbot, listed)
    assert state_of(1) == "decided"
    assert "1 decided" in listed.worklist._count.text()


def test_that_a_page_is_asked_for_where_it_comes_into_view(qtbot) -> None:
    asked: list[int] = []
    model = WorklistModel(asked.append)
    model.reset({0: [row(number) for number in range(PAGE)]}, 100_000)
    assert model.rowCount() == 100_000
    assert model.index(0).data() == "case 0"
    for place in (5 * PAGE, 70_000, 70_001, 99_999):  # as a scroll bar that is dragged passes them
        assert model.index(place).data(CaseRole) is None
    qtbot.waitUntil(lambda: bool(asked), timeout=5000)
    assert asked == [70_000, 99_800]
    model.put(99_800, [row(number) for number in range(99_800, 100_000)])
    assert model.index(99_999).data() == "case 99999"
    assert not model.has(70_000)


@pytest.fixture
def panel(qtbot) -> WorklistPanel:
    """Fifty cases of which some ten are in view."""
    panel = WorklistPanel(THEMES["dark"])
    qtbot.addWidget(panel)
    panel.resize(300, 800)
    panel.show()
    panel.show_listing(listing(range(50)), None)
    return panel


def listing(numbers: Sequence[int], total: int | None = None) -> Listing:
    counts = Counts(len(numbers) if total is None else total, {})
    rows = [row(number) for number in numbers]
    return Listing(WorklistQuery(), {0: rows}, counts, ("newest",), (), {1: 50}, (), {})


def test_that_a_case_on_which_readers_differ_counts_as_decided_but_where_it_is_arbitrated(panel: WorklistPanel) -> None:
    counts = Counts(9, {"decided": 3, "arbitration": 2, "new": 4})
    court = Worklist(7, "Third opinion", "arbitration", "simple", None, datetime.now(UTC), None)
    shown = replace(listing(range(9)), counts=counts, lists=(court,))
    panel.show_listing(shown, None)
    assert panel._count.text() == "9 cases  ·  5 decided, 2 differ"
    panel.show_listing(replace(shown, query=WorklistQuery(court.id)), None)
    assert panel._count.text() == "9 cases  ·  3 decided, 2 differ"
    panel.show_counts(Counts(9, {"decided": 9}))
    assert panel._count.text() == "9 cases  ·  9 decided"


def height_of(panel: WorklistPanel) -> int:
    """Where in the view the current case stands."""
    return panel.list.visualRect(panel.list.currentIndex()).top()


def in_view(panel: WorklistPanel) -> bool:
    return panel.list.viewport().rect().contains(panel.list.visualRect(panel.list.currentIndex()))


def test_that_the_current_case_stays_where_it_stands_when_the_list_is_sorted_anew(panel: WorklistPanel) -> None:
    panel.follow(20)
    assert in_view(panel)
    before = height_of(panel)
    panel.show_listing(listing([*range(30, 50), *range(30)]), 20)  # a result came in: it is row 40 now
    assert panel.list.currentIndex().data(CaseRole).id == 20
    assert height_of(panel) == before
    panel.show_listing(listing([20, *range(20), *range(21, 50)]), 20)  # nothing can be scrolled above the first row
    assert in_view(panel)


def test_that_a_list_that_the_reader_scrolls_does_not_jump(panel: WorklistPanel) -> None:
    bar = panel.list.verticalScrollBar()
    panel.follow(3)
    bar.setValue(bar.maximum())
    assert not in_view(panel)
    panel.show_listing(listing([*range(30, 50), *range(30)]), 3)
    assert bar.value() == bar.maximum()
    bar.setValue(panel.list.visualRect(panel.list.currentIndex()).top() + bar.value())
    assert in_view(panel)
    bar.setSliderDown(True)
    held = bar.value()
    panel.show_listing(listing(range(50)), 3)
    assert bar.value() == held


def test_that_a_case_that_was_opened_beyond_the_rows_is_asked_for_and_shown(panel: WorklistPanel) -> None:
    asked: list[None] = []
    panel.query_changed.connect(lambda: asked.append(None))
    panel.show_listing(listing(range(40), 50), 3)
    panel.follow(45)
    assert asked == [None]
    panel.show_listing(listing(range(50)), 45)
    assert in_view(panel)


def test_that_the_page_of_the_case_that_is_open_is_read_too(qtbot, listed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathview.gui.lists.PAGE", 1)
    last = listed.worklist.model.rows[-1].id
    found: list[Listing] = []
    listed.desk.lists.listing_ready.connect(found.append)
    listed.desk.lists.load({}, (0,), last)
    idle(qtbot, listed)
    assert [[each.id for each in page] for page in found[-1].pages.values()][-1] == [last]
    assert sorted(found[-1].pages) == [0, 2]


def test_that_a_case_beyond_the_rows_that_are_here_is_stepped_to(qtbot, listed) -> None:
    listed.worklist.model.reset({0: [listed.worklist.model.rows[0]]}, 3)  # as if the page ended there
    listed.worklist.follow(listed.worklist.model.rows[0].id)
    first = listed.worklist.model.rows[0].id
    listed.desk.open_case(first)
    idle(qtbot, listed)
    qtbot.keyClick(listed, KEY.Key_PageDown)
    idle(qtbot, listed)
    assert listed.desk.case_id not in (first, None)
    assert listed.desk.state.detail.case.id == listed.desk.case_id


def test_that_what_is_opened_is_shown_in_its_own_list(qtbot, listed, tmp_path: Path) -> None:
    filters = listed.worklist.filters
    filters.choose_list(2)
    idle(qtbot, listed)
    listed.open_paths([write_dicom(tmp_path / "c.dcm", breast_pixels())])
    idle(qtbot, listed)
    assert filters.lists.currentText().startswith("Mammograms")
    assert listed.worklist.list.currentIndex().data() == "c.dcm"


def test_that_cases_are_assigned_and_moved(qtbot, listed, monkeypatch) -> None:
    qtbot.waitUntil(lambda: listed.worklist.model.row_of(1) is not None)
    listed.worklist.choose(1)
    idle(qtbot, listed)
    qtbot.waitUntil(lambda: bool(listed.worklist.selected()[0]))
    listed.actions_by_id["assign_me"].trigger()
    idle(qtbot, listed)
    assert listed.banner.text == "1 case assigned to you."
    listed.worklist.filters.mine.setChecked(True)
    idle(qtbot, listed)
    assert titles(listed) == ["a.dcm"]
    listed.worklist.filters.mine.setChecked(False)
    idle(qtbot, listed)
    monkeypatch.setattr(QInputDialog, "getItem", lambda *_: ("Samples", True))
    listed.actions_by_id["move_cases"].trigger()
    idle(qtbot, listed)
    assert store_of(listed).worklists.row(1, "x").mode == "assisted"
    assert listed.banner.text == "1 case moved to Samples."


def test_that_a_view_is_saved_chosen_and_deleted(qtbot, listed, monkeypatch) -> None:
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("only b & no other", True))
    filters = listed.worklist.filters
    filters.search.setText("b.dcm")
    idle(qtbot, listed)
    filters.save_view_asked.emit()
    idle(qtbot, listed)
    filters.search.setText("")
    idle(qtbot, listed)
    filters._fill_menu()
    texts = [action.text() for action in filters._menu.actions() if not action.isSeparator()]
    assert texts == ["&1  only b && no other", "&Save this view...", "&Delete"]
    filters._menu.popup(filters.mapToGlobal(filters.rect().center()))
    qtbot.keyClick(filters._menu, Qt.Key.Key_1)
    idle(qtbot, listed)
    assert titles(listed) == ["b.dcm"]
    assert filters.search.text() == "b.dcm"
    filters.view_deleted.emit("only b & no other")
    idle(qtbot, listed)
    filters._fill_menu()
    assert filters._menu.actions()[0].text() == "No saved view yet"


def test_that_a_table_is_imported_by_dropping_it(qtbot, listed, tmp_path: Path) -> None:
    write_dicom(tmp_path / "d.dcm", breast_pixels())
    table = tmp_path / "table.csv"
    table.write_text("path,worklist,title\nd.dcm,Samples,named by the table\n,,\nnone.dcm,,\n", encoding="utf-8")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(table))])
    event = QDropEvent(
        QPointF(1, 1), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    listed.dropEvent(event)
    idle(qtbot, listed)
    assert "named by the table" in titles(listed)
    assert "none.dcm" in listed.banner.text


def test_that_a_list_is_made_named_and_set_in_the_dialog(qtbot, listed) -> None:
    listed.actions_by_id["worklists"].trigger()
    idle(qtbot, listed)
    (dialog,) = listed.findChildren(WorklistsDialog)
    dialog.new.click()
    idle(qtbot, listed)
    assert dialog.chosen.name == "New list"
    dialog.name.setText("Study of 2026")
    dialog.name.editingFinished.emit()
    idle(qtbot, listed)
    dialog.modes.button(2).click()
    idle(qtbot, listed)
    dialog.form.setCurrentIndex(dialog.form.findData("simple"))
    dialog.form.activated.emit(dialog.form.currentIndex())
    idle(qtbot, listed)
    made = store_of(listed).worklists.named("Study of 2026")
    assert (made.mode, made.form) == ("blind", "simple")
    dialog.name.setText("Tissue")
    dialog.name.editingFinished.emit()
    idle(qtbot, listed)
    assert "already" in dialog._problem.text()
    assert dialog.name.text() == "Study of 2026"


def test_that_a_list_is_closed_only_once_it_was_confirmed(qtbot, listed, monkeypatch) -> None:
    listed.worklist.filters.choose_list(1)
    idle(qtbot, listed)
    monkeypatch.setattr(QMessageBox, "exec", lambda self: None)
    monkeypatch.setattr(QMessageBox, "clickedButton", lambda self: None)
    listed.actions_by_id["close_list"].trigger()
    idle(qtbot, listed)
    assert store_of(listed).worklists.all()[0].closed is None
    monkeypatch.setattr(QMessageBox, "clickedButton", lambda self: self.buttons()[0])
    listed.actions_by_id["close_list"].trigger()
    idle(qtbot, listed)
    assert store_of(listed).worklists.all()[0].closed is not None
    assert "closed" in listed.worklist.filters.lists.currentText()


def test_that_the_list_that_was_shown_is_shown_again(qtbot, listed, reading_window) -> None:
    listed.worklist.filters.choose_list(2)
    idle(qtbot, listed)
    listed.close()
    later = reading_window()
    assert later.worklist.filters.lists.currentText().startswith("Tissue")


def test_that_a_mistyped_name_makes_no_reader(qtbot, listed, monkeypatch) -> None:
    store_of(listed).readers.add("Dr Other", "x")
    offered: list[tuple[list[str], bool]] = []

    def choose(_parent, _title, _words, names, _row, editable) -> tuple[str, bool]:
        offered.append((list(names), editable))
        return "New reader...", True

    monkeypatch.setattr(QInputDialog, "getItem", choose)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("Dr New", True))
    listed.worklist.choose(1)
    idle(qtbot, listed)
    listed.actions_by_id["assign"].trigger()
    idle(qtbot, listed)
    ((names, editable),) = offered
    assert "Dr Other" in names
    assert not editable
    assert store_of(listed).worklists.row(1, "x").assigned_to == "Dr New"
    listed.desk.lists.assign([1], "Dr Tpyo")
    idle(qtbot, listed)
    assert listed.banner.text.startswith("The store knows no reader 'Dr Tpyo'")


def test_that_all_that_is_selected_is_meant_also_where_its_rows_are_not_here(qtbot, listed) -> None:
    panel = listed.worklist
    total = panel.model.total
    panel.model._rows = {0: panel.model._rows[0]}
    panel.list.selectAll()
    here, missing = panel.selected()
    assert (len(here), missing) == (1, [range(1, total)])
    listed.actions_by_id["assign_me"].trigger()
    idle(qtbot, listed)
    assert listed.banner.text == f"{total} cases assigned to you."


def answer(monkeypatch: pytest.MonkeyPatch, yes: bool) -> list[str]:
    """Answer all questions in one way; what was asked."""
    asked: list[str] = []
    monkeypatch.setattr(QMessageBox, "exec", lambda self: asked.append(f"{self.text()} {self.informativeText()}"))
    monkeypatch.setattr(QMessageBox, "clickedButton", lambda self: self.buttons()[0] if yes else self.buttons()[1])
    return asked


def test_that_a_case_that_is_read_is_moved_to_where_all_is_shown_only_once_confirmed(
    qtbot, listed, monkeypatch
) -> None:
    """The first mammogram was opened, and its first read is not locked."""
    store = store_of(listed)
    tissue = store.worklists.named("Tissue")
    listed.worklist.choose(1)
    idle(qtbot, listed)
    keep_result(listed, listed.desk.state.images[0].title)
    monkeypatch.setattr(QInputDialog, "getItem", lambda *_: ("Tissue", True))
    asked = answer(monkeypatch, yes=False)
    listed.actions_by_id["move_cases"].trigger()
    idle(qtbot, listed)
    assert "1 reader (Dr Test) has not locked an assessment of 1 case" in asked[0]
    assert "count as unblinded" in asked[0]
    assert store.worklists.row(1, "Dr Test").worklist_id != tissue.id
    answer(monkeypatch, yes=True)
    listed.actions_by_id["move_cases"].trigger()
    idle(qtbot, listed)
    assert store.worklists.row(1, "Dr Test").worklist_id == tissue.id
    store.worklists.move([1], store.worklists.named("Mammograms").id, "chief")
    assert store.decide(1, "negative", "", "Dr Test").context["unblinded"] is True


def test_that_a_mode_that_shows_what_is_being_read_is_asked_about_and_the_old_one_stands_meanwhile(
    qtbot, listed, monkeypatch
) -> None:
    listed.worklist.choose(1)
    idle(qtbot, listed)
    keep_result(listed, listed.desk.state.images[0].title)
    asked = answer(monkeypatch, yes=False)
    listed.actions_by_id["worklists"].trigger()
    idle(qtbot, listed)
    dialog = listed.findChild(WorklistsDialog)
    dialog.names.setCurrentRow(next(n for n, each in enumerate(dialog._listing.lists) if each.name == "Mammograms"))
    dialog.modes.button(1).click()
    idle(qtbot, listed)
    assert len(asked) == 1
    assert (store_of(listed).worklists.named("Mammograms").mode, dialog.modes.checkedId()) == ("second_read", 0)
    answer(monkeypatch, yes=True)
    dialog.modes.button(1).click()
    idle(qtbot, listed)
    assert store_of(listed).worklists.named("Mammograms").mode == "assisted"
    dialog.close()


def test_that_a_window_goes_on_with_the_case_that_was_read_last(qtbot, listed, reading_window) -> None:
    first, last = sorted(row.id for row in listed.worklist.model.rows if row.kind == "mammogram")
    for case_id in (last, first):
        listed.worklist.choose(case_id)
        idle(qtbot, listed)
    listed.close()
    again = reading_window()
    idle(qtbot, again)
    assert (again.desk.case_id, again.lists.current) == (first, first)
    again.worklist.choose(last)
    idle(qtbot, again)
    again.close()
    again = reading_window()
    idle(qtbot, again)
    assert again.desk.case_id == last
    again.close()
    other = reading_window("Dr Other")
    idle(qtbot, other)
    assert other.desk.case_id == other.worklist.model.rows[0].id


@pytest.mark.parametrize("width", range(0, 400, 7))
def test_that_no_figure_of_a_case_is_cut_in_two(qtbot, width: int) -> None:
    row = CaseRow(
        1, "S", "mammography", "arbitration", "not_sure", 3134.0, 0.5, 2, 5, None, datetime.now(UTC), None,
        assigned_to="Dr Ottokar von Auerbach",
    )  # fmt: skip
    metrics = QFontMetrics(QFont())
    whole = ["Dr Ottokar von Auerbach", "5 images", "score 3,134", "⚑ 2"]
    told = fitted_facts(row, metrics, width)
    assert metrics.horizontalAdvance(told) <= width
    parts = told.split("   ") if told else []
    figures = [part for part in parts if "Dr" not in part]
    assert figures == whole[len(whole) - len(figures) :]  # those that matter most stay longest
    names = [part for part in parts if "Dr" in part]
    assert all(name == whole[0] or (name.endswith("…") and whole[0].startswith(name[:-1])) for name in names)


def test_that_all_that_is_known_of_a_case_stands_where_there_is_room(qtbot) -> None:
    row = CaseRow(
        1, "S", "mammography", "new", None, None, None, 0, 5, None, datetime.now(UTC), None, assigned_to="Ada"
    )  # fmt: skip
    assert fitted_facts(row, QFontMetrics(QFont()), 1000) == "Ada   5 images"
