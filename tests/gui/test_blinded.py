"""A leak test for the blinded first read: a canary in the results must be nowhere in the window until it is locked."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QAbstractListModel, QModelIndex, Qt
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from pathview.gui.case_state import ViewState
from pathview.gui.main_window import MainWindow
from pathview.results.result import Flag
from pathview.review.records.case import ResultRow
from tests.gui.conftest import idle
from tests.gui.reading import decisions_of, lock, store_of
from tests.gui.studies import keep_result
from tests.makers import breast_pixels, write_dicom

CANARY = 0.7351
WORDS = ("0.735", "0,735", "73.5", "quokka")
"""As a score is written out, whatever its digits; and the names of recipe, flag and layer."""
_ROLES = range(Qt.ItemDataRole.UserRole + 16)


@pytest.fixture
def hidden(qtbot, reading_window, tmp_path: Path):
    """Two mammograms of a second read, each with a result: the one that is shown, positive, and a quiet one."""
    window = reading_window()
    for name in ("a", "b"):
        write_dicom(tmp_path / f"{name}.dcm", breast_pixels(300, 220), ImagerPixelSpacing=[0.1, 0.1])
    window.open_paths([tmp_path / "a.dcm", tmp_path / "b.dcm"])
    idle(qtbot, window)
    window.before = picture_of(window)
    give_canary(window)
    window.desk.reload_case()
    window.refresh()
    idle(qtbot, window)
    return window


def give_canary(window: MainWindow) -> None:
    values = np.full((300, 220), CANARY, np.float32)
    values[:150] = 0.1
    flags = (Flag("quokka", "A quokka flag."),)
    how = {"recipe": "quokka-recipe", "flags": flags, "layers": ["quokka_layer"]}
    keep_result(window, "a.dcm", values, score=CANARY, limits=(0.2, 0.6), **how)


def picture_of(window: MainWindow) -> tuple[QImage, QImage]:
    """The light box and the study as they are painted."""
    return window.viewer.box.grab().toImage(), window.study.grab().toImage()


# all that a window says


def widgets_of(window: MainWindow) -> Iterator[QWidget]:
    yield window
    yield from window.findChildren(QWidget)
    for top in QApplication.topLevelWidgets():
        if not isinstance(top, MainWindow) and top.parent() is None:  # tips and menus of nobody
            yield top
            yield from top.findChildren(QWidget)


def words_of(window: MainWindow) -> Iterator[str]:
    """Every text, tip, name and description of every widget, action and list."""
    for widget in widgets_of(window):
        for attribute in (
            "windowTitle",
            "toolTip",
            "statusTip",
            "whatsThis",
            "accessibleName",
            "accessibleDescription",
        ):
            yield getattr(widget, attribute)()
        for attribute in ("text", "title", "placeholderText", "toPlainText", "toHtml", "currentText", "format"):
            if callable(found := getattr(widget, attribute, None)):
                yield str(found())
        for name in (bytes(name.data()).decode() for name in widget.dynamicPropertyNames()):
            if not name.startswith("_"):  # Qt's own
                yield str(widget.property(name))
        if isinstance(widget, QComboBox):
            yield from model_words(widget.model())
        if isinstance(widget, QAbstractItemView):
            yield from model_words(widget.model())
        if isinstance(widget, QLineEdit | QPlainTextEdit | QTextEdit):
            yield widget.placeholderText()
    for action in window.findChildren(QAction):
        yield from (action.text(), action.toolTip(), action.statusTip(), action.iconText(), str(action.data()))


def model_words(model: Any) -> Iterator[str]:
    if model is None:
        return
    for row in range(model.rowCount(QModelIndex())):
        columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount(QModelIndex())
        for column in range(columns):
            for role in _ROLES:
                if (found := model.index(row, column).data(role)) is not None:
                    yield repr(found)


def values_of(thing: Any, seen: set[int]) -> Iterator[Any]:
    """A record with all that it holds, however deep."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    yield thing
    if dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            yield from values_of(getattr(thing, field.name), seen)
    elif isinstance(thing, Mapping):
        for key, value in thing.items():
            yield from values_of(key, seen)
            yield from values_of(value, seen)
    elif isinstance(thing, list | tuple | set | frozenset):
        for value in thing:
            yield from values_of(value, seen)


def records_of(window: MainWindow) -> Iterator[Any]:
    """What the desk, the room, the reading and the list hold."""
    desk, seen = window.desk, set()
    kept = (desk.state, getattr(desk.room, "_opened", None), desk.reading.now, desk.reading.opened, desk.reading.draft)
    for record in (*kept, window.lists.listing, list(window.worklist.model.rows), desk.chosen, window.worklist.wished):
        yield from values_of(record, seen)


def leaks_of(window: MainWindow) -> list[str]:
    """Wherever the canary is."""
    found = [text for text in words_of(window) if any(word in text.lower() for word in WORDS)]
    clipboard = QApplication.clipboard().text()
    found += [clipboard] if any(word in clipboard for word in WORDS) else []
    for record in records_of(window):
        if isinstance(record, ResultRow):
            found.append("a result")
        elif isinstance(record, ViewState) and (record.probability or record.heatmaps or record.findings):
            found.append("a map")
        elif isinstance(record, float) and abs(record - CANARY) < 0.01:
            found.append(str(record))
        elif isinstance(record, np.ndarray) and record.dtype.kind == "f" and np.any(np.abs(record - CANARY) < 1e-4):
            found.append("an array")
        elif isinstance(record, str) and any(word in record.lower() for word in WORDS):
            found.append(record)
    for tile in window.viewer.box.tiles:
        overlay = tile.canvas.overlay
        if overlay.probability is not None or overlay.heat is not None or overlay.places or tile.canvas.finding:
            found.append("an overlay")
    return found


def test_that_nothing_of_a_result_is_in_the_window_before_the_lock_and_all_after(qtbot, hidden, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    assert leaks_of(hidden) == []
    assert picture_of(hidden) == hidden.before
    lock(qtbot, hidden)
    found = " ".join(leaks_of(hidden)).lower()
    for word in (
        "0.735",
        "quokka-recipe",
        "quokka flag",
        "quokka_layer",
        "a result",
        "a map",
        "an array",
        "an overlay",
    ):
        assert word in found
    assert picture_of(hidden) != hidden.before
    assert not any(word in caplog.text.lower() for word in WORDS)


def test_that_nothing_leaks_after_leaving_and_coming_back(qtbot, hidden) -> None:
    hidden.worklist.choose(2)
    idle(qtbot, hidden)
    assert leaks_of(hidden) == []
    hidden.worklist.choose(1)
    idle(qtbot, hidden)
    assert leaks_of(hidden) == []
    assert picture_of(hidden) == hidden.before


def test_that_a_case_that_was_revealed_leaves_nothing_behind_in_the_next_one(qtbot, hidden) -> None:
    lock(qtbot, hidden)
    hidden.actions_by_id["keep_first"].trigger()
    idle(qtbot, hidden)
    hidden.actions_by_id["heat"].setChecked(True)
    idle(qtbot, hidden)
    hidden.worklist.filters._wish("search", "b.dcm")  # a's own line may tell of a
    idle(qtbot, hidden)
    hidden.worklist.choose(2)
    idle(qtbot, hidden)
    assert hidden.desk.state.result is None
    assert set(leaks_of(hidden)) <= {"quokka_layer"}  # the layer that the reader likes to see is theirs, not the case's


def test_that_nothing_leaks_in_another_theme_or_by_the_models_keys(qtbot, hidden) -> None:
    enabled = {name: action.isEnabled() for name, action in hidden.actions_by_id.items()}
    hidden.actions_by_id["theme"].trigger()
    for key in (Qt.Key.Key_M, Qt.Key.Key_H, Qt.Key.Key_L, Qt.Key.Key_W, Qt.Key.Key_Comma, Qt.Key.Key_Period):
        qtbot.keyClick(hidden, key)
    qtbot.keyClick(hidden, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(hidden, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    idle(qtbot, hidden)
    assert leaks_of(hidden) == []
    assert {name: action.isEnabled() for name, action in hidden.actions_by_id.items()} == enabled
    assert not hidden.gallery.isVisible()


def test_that_an_analysis_that_ends_while_it_is_hidden_tells_nothing(qtbot, hidden) -> None:
    said: list[str] = []
    hidden.desk.said.connect(said.append)
    hidden.desk.analyse([1, 2])
    idle(qtbot, hidden)
    rows = store_of(hidden).case(1).images[0].result
    assert rows.recipe != "quokka-recipe"  # it ran
    assert leaks_of(hidden) == []
    assert picture_of(hidden) == hidden.before
    assert said == []
    assert {row.label for row in hidden.worklist.model.rows} == {None}


def test_that_the_order_of_the_list_follows_no_result(qtbot, hidden) -> None:
    orders = []
    for number in range(hidden.worklist.filters.orders.count()):
        hidden.worklist.filters._wish("order", hidden.worklist.filters.orders.itemData(number))
        idle(qtbot, hidden)
        orders.append([row.id for row in hidden.worklist.model.rows])
    keep_result(hidden, "a.dcm", score=0.0, limits=(0.2, 0.6))  # another result
    for number, before in enumerate(orders):
        hidden.worklist.filters._wish("order", hidden.worklist.filters.orders.itemData(number))
        idle(qtbot, hidden)
        assert [row.id for row in hidden.worklist.model.rows] == before
    model = hidden.worklist.filters.orders.model()
    refused = [model.item(n).text() for n in range(model.rowCount()) if not model.item(n).isEnabled()]
    assert refused == ["Not sure first", "Highest score first"]
    assert "hidden" in model.item(0).toolTip()


def test_that_a_row_looks_alike_whatever_the_model_said(qtbot, hidden) -> None:
    before = hidden.worklist.list.viewport().grab().toImage()
    keep_result(hidden, "a.dcm", score=0.0, limits=(0.2, 0.6))
    hidden.refresh()
    idle(qtbot, hidden)
    assert hidden.worklist.list.viewport().grab().toImage() == before


def test_that_another_reader_of_the_store_sees_nothing_either(qtbot, hidden, reading_window) -> None:
    beside = reading_window("Dr Beside", writable=False)
    beside.desk.open_case(1)
    idle(qtbot, beside)
    assert leaks_of(beside) == []
    lock(qtbot, hidden)
    beside.refresh()
    beside.desk.open_case(1)
    idle(qtbot, beside)
    assert len(decisions_of(hidden, 1)) == 1
    assert leaks_of_own(beside) == []


def leaks_of_own(window: MainWindow) -> list[str]:
    """Leaks among what this window alone holds and says; the other one may know by now."""
    texts = [
        str(found())
        for widget in window.findChildren(QWidget)
        for name in ("text", "toolTip", "toPlainText")
        if callable(found := getattr(widget, name, None))
    ]
    rows = [repr(row) for row in window.worklist.model.rows]
    return [text for text in (*texts, *rows) if any(word in text.lower() for word in WORDS)]


def test_that_others_decisions_are_told_only_after_the_own_one(qtbot, hidden, reading_window) -> None:
    lock(qtbot, hidden)
    hidden.decision.reason.setText("quokka reason")
    hidden.actions_by_id["keep_first"].trigger()
    idle(qtbot, hidden)
    hidden.close()
    second = reading_window("Dr Second")
    second.worklist.choose(1)
    idle(qtbot, second)
    said = [text for text in words_of(second) if "Dr Test" in text or "quokka reason" in text]
    assert said == []
    assert second.desk.reading.now.detail.decisions == ()
    lock(qtbot, second, "1AN3")
    assert [text for text in words_of(second) if "quokka reason" in text] == []
    second.actions_by_id["keep_first"].trigger()
    idle(qtbot, second)
    assert [text for text in words_of(second) if "quokka reason" in text] != []
