from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialogButtonBox, QLabel, QMainWindow, QWidget

from pathview.gui import actions as table
from pathview.gui.actions import (
    ACTIONS,
    MENUS,
    ActionSpec,
    build_actions,
    conflict,
    doubled_keys,
    key_words,
    keys_in_use,
    plain_text,
    set_keys,
)
from pathview.gui.dialogs.calibration import screen_key
from pathview.gui.dialogs.preferences_dialog import PreferencesDialog
from pathview.gui.panels.notices import KeyboardHelp, _balanced
from pathview.gui.preferences import LayoutChoice, MouseMap, Preferences

KEY = Qt.Key


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    return tmp_path / "window.ini"


def open_preferences(ini: Path) -> Preferences:
    return Preferences(QSettings(str(ini), QSettings.Format.IniFormat))


@pytest.fixture
def preferences(qtbot, ini: Path) -> Preferences:
    return open_preferences(ini)


@pytest.fixture
def dialog(qtbot, preferences: Preferences) -> PreferencesDialog:
    dialog = PreferencesDialog(preferences, (("two", "Two views"),))
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


# what is kept


def test_that_what_is_set_is_there_in_the_next_sitting(preferences: Preferences, ini: Path) -> None:
    mouse = MouseMap(left="window", right="pan", wheel="scroll", ctrl_wheel="zoom")
    layout = LayoutChoice(linked=False, start_protocol="two, or 'three'", wheel_reversed=True)
    preferences.mouse, preferences.layout = mouse, layout
    preferences.keys = {"fit": ("Ctrl+,", "F"), "invert": ()}
    preferences.set_pixels_per_mm("DP-1|a/b|1x1", 3.7)
    preferences.store.sync()
    later = open_preferences(ini)
    assert later.mouse == mouse
    assert later.layout == layout
    assert later.keys == {"fit": ("Ctrl+,", "F"), "invert": ()}
    assert later.pixels_per_mm("DP-1|a/b|1x1") == 3.7
    assert later.pixels_per_mm("another") is None


def test_that_a_change_is_told_once_and_no_change_is_not(qtbot, preferences: Preferences) -> None:
    told: list[str] = []
    preferences.changed.connect(told.append)
    for _ in range(2):
        preferences.mouse = MouseMap(middle="magnify")
        preferences.layout = LayoutChoice(linked=False)
        preferences.keys = {"fit": ("Ctrl+F",)}
        preferences.set_pixels_per_mm("screen", 4.0)
    assert told == ["mouse", "layout", "keys", "monitors"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mouse/left", "dance"),
        ("mouse/wheel", "window"),
        ("mouse/left", "window"),
        ("mouse/middle", ["a", "b"]),
        ("layout/linked", "perhaps"),
        ("keys", "{"),
        ("keys", "[1]"),
        ("keys", '{"fit": 3, "no such action": ["Q"]}'),
        ("monitors", '{"screen": "wide"}'),
        ("monitors", '{"screen": 1e9}'),
    ],
)
def test_that_a_broken_setting_is_the_default(preferences: Preferences, name: str, value: object) -> None:
    preferences.store.setValue(name, value)
    assert preferences.mouse == MouseMap()
    assert preferences.layout == LayoutChoice()
    assert preferences.keys == {}
    assert preferences.pixels_per_mm("screen") is None


def test_that_one_broken_button_does_not_cost_the_others(preferences: Preferences) -> None:
    preferences.store.setValue("mouse/middle", "magnify")
    preferences.store.setValue("mouse/wheel", "dance")
    assert preferences.mouse == MouseMap(middle="magnify")


def test_that_a_mouse_that_cannot_pan_or_window_is_refused(preferences: Preferences) -> None:
    for mouse in (MouseMap(left="none"), MouseMap(right="zoom")):
        assert mouse.problem()
        with pytest.raises(ValueError, match="One button has to"):
            preferences.mouse = mouse


def test_that_only_keys_that_differ_are_kept(preferences: Preferences) -> None:
    preferences.keys = {spec.id: spec.keys for spec in ACTIONS} | {"fit": ("Ctrl+F",)}
    assert preferences.keys == {"fit": ("Ctrl+F",)}


# actions


def test_that_no_key_stands_twice_in_the_table() -> None:
    assert doubled_keys() == []
    twice = ActionSpec("a", "File", "A", ("Ctrl+PgDown",)), ActionSpec("b", "File", "B", ("ctrl+pgdown",))
    assert doubled_keys(twice) == ["Ctrl+PgDown"]


def test_that_every_key_of_the_table_is_one() -> None:
    assert all(table.portable(key) for spec in ACTIONS for key in spec.keys)
    assert {spec.menu for spec in ACTIONS} <= set(MENUS)


def test_that_a_key_in_use_is_refused_in_words() -> None:
    assert conflict("fit", "p") == 'P is already "Decide: positive".'
    assert conflict("decide_positive", "P") == ""
    assert conflict("fit", "P", {"decide_positive": ("Y",)}) == ""
    assert conflict("fit", "Y", {"decide_positive": ("Y",)}) == 'Y is already "Decide: positive".'
    assert conflict("fit", "no key") == "This key cannot be used."
    assert "next control" in conflict("fit", "Tab")
    assert "Enter" in conflict("fit", "Shift+Return")


def test_that_a_set_key_is_taken_from_whoever_has_it_in_the_table() -> None:
    in_use = keys_in_use({"fit": ("J", "Ctrl+F"), "invert": ()})
    assert in_use["fit"] == ("J", "Ctrl+F")
    assert in_use["next_case"] == ("PgDown",)
    assert in_use["invert"] == ()
    assert len({key for keys in in_use.values() for key in keys}) == sum(map(len, in_use.values()))


def shortcuts(action) -> list[str]:
    return [key.toString(QKeySequence.SequenceFormat.PortableText) for key in action.shortcuts()]


def test_that_set_keys_reach_the_actions_and_their_tips(qtbot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    actions = build_actions(window, {spec.id: lambda *_: None for spec in ACTIONS}, {"fit": ("Ctrl+F",)})
    assert shortcuts(actions["fit"]) == ["Ctrl+F"]
    assert actions["fit"].toolTip().endswith("(Ctrl+F)")
    set_keys(actions, {"fit": ()})
    assert shortcuts(actions["fit"]) == []
    set_keys(actions, None)
    assert shortcuts(actions["fit"]) == ["F"]


def test_that_tools_of_a_group_exclude_each_other_and_empty_menus_are_not_shown(qtbot, monkeypatch) -> None:
    tools = [ActionSpec(name, "Tools", name, checkable=True, checked=name == "a", group="tool") for name in "abc"]
    monkeypatch.setattr(table, "ACTIONS", (ActionSpec("quit", "File", "Quit"), *tools))
    window = QMainWindow()
    qtbot.addWidget(window)
    heard: list[tuple[str, bool]] = []
    handlers = {name: lambda on, name=name: heard.append((name, on)) for name in "abc"} | {"quit": window.close}
    actions = build_actions(window, handlers)
    actions["b"].trigger()
    assert sorted(heard) == [("a", False), ("b", True)]
    assert [actions[name].isChecked() for name in "abc"] == [False, True, False]
    assert [action.text() for action in window.menuBar().actions()] == ["&File", "&Tools"]


# the keyboard's help


def test_that_the_help_shows_keys_and_mouse_as_they_are_set(qtbot, preferences: Preferences) -> None:
    preferences.keys = {"fit": ("Ctrl+F",), "invert": ()}
    preferences.mouse = MouseMap(left="window", right="pan", middle="none")
    owner = QWidget()
    qtbot.addWidget(owner)
    help_ = KeyboardHelp(owner, preferences)
    words = [label.text() for label in help_.findChildren(QLabel)]
    assert words[words.index("Fit each image") - 1] == "Ctrl+F"
    assert "Invert grey" not in words
    assert "left drag changes the window, right drag moves the image, wheel zooms" in words[-1]
    assert help_.height() <= 900


def test_that_the_helps_columns_are_balanced_and_keep_the_menus_order() -> None:
    menus = {name: [ACTIONS[0]] * count for name, count in zip("abcdefg", (3, 9, 8, 5, 13, 9, 1), strict=True)}
    assert _balanced(menus) == [("a", "b", "c"), ("d", "e"), ("f", "g")]
    assert _balanced({"a": [ACTIONS[0]]}) == [("a",)]


# the dialog


def button(dialog: PreferencesDialog, which: QDialogButtonBox.StandardButton):
    return dialog.findChild(QDialogButtonBox).button(which)


def test_that_nothing_changes_until_apply_and_cancel_keeps_nothing(dialog, preferences: Preferences) -> None:
    apply = button(dialog, QDialogButtonBox.StandardButton.Apply)
    assert not apply.isEnabled()
    middle = dialog.mouse.boxes["middle"]
    middle.setCurrentIndex(middle.findData("magnify"))
    dialog.layout_page.boxes["linked"].setChecked(False)
    assert dialog.keys.set_key("fit", "Ctrl+F") == ""
    key = screen_key(dialog.screen())
    dialog.monitor._take(key, 4.0)
    assert apply.isEnabled()
    assert preferences.store.allKeys() == []
    apply.click()
    assert preferences.mouse == MouseMap(middle="magnify")
    assert preferences.layout == LayoutChoice(linked=False)
    assert preferences.keys == {"fit": ("Ctrl+F",)}
    assert preferences.pixels_per_mm(key) == 4.0
    assert not apply.isEnabled()
    dialog.layout_page.boxes["linked"].setChecked(True)
    dialog.reject()
    assert preferences.layout == LayoutChoice(linked=False)


def test_that_ok_refuses_a_mouse_that_cannot_pan_and_shows_why(dialog, preferences: Preferences) -> None:
    left = dialog.mouse.boxes["left"]
    left.setCurrentIndex(left.findData("none"))
    dialog.pages.setCurrentRow(2)
    button(dialog, QDialogButtonBox.StandardButton.Ok).click()
    assert dialog.isVisible()
    assert dialog.pages.currentRow() == 0
    assert dialog.mouse._said.text() == "One button has to move the image."
    assert preferences.store.allKeys() == []
    dialog.mouse._reset()
    button(dialog, QDialogButtonBox.StandardButton.Ok).click()
    assert not dialog.isVisible()


def test_that_a_key_is_set_by_pressing_it_and_a_taken_one_is_refused(qtbot, dialog) -> None:
    page = dialog.keys
    page.choose("next_case")
    qtbot.keyClick(page.key, KEY.Key_P)
    assert page.said == 'P is already "Decide: positive".'
    assert page.key.keySequence().toString() == "PgDown"
    assert page.value == {}
    qtbot.keyClick(page.key, KEY.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert page.value == {"next_case": ("Ctrl+J", "J")}
    assert page.said == ""
    row = page.table.currentRow()
    assert [page.table.item(row, column).text() for column in (2, 3)] == ["Ctrl+J  or  J", "changed"]
    page._reset.click()
    assert page.value == {}


def test_that_keys_can_be_taken_away_and_given_to_another_action(qtbot, dialog) -> None:
    page = dialog.keys
    page.choose("decide_positive")
    page._clear.click()
    assert page.set_key("fit", "P") == ""
    page.choose("decide_positive")
    page._reset.click()
    assert page.said == 'P is already "Fit each image".'
    page._reset_all.click()
    assert page.value == {}
    assert not page._reset_all.isEnabled()


def test_that_actions_are_found_by_name_and_by_key(qtbot, dialog) -> None:
    page = dialog.keys

    def shown() -> list[str]:
        rows = (row for row in range(page.table.rowCount()) if not page.table.isRowHidden(row))
        return [page.table.item(row, 0).text() for row in rows]

    page.search.setText("decide: P")
    assert shown() == ["Decide: positive"]
    assert page.chosen.id == "decide_positive"
    page.search.setText("ctrl+shift+o")
    assert shown() == ["Open folder"]
    page.search.setText("zzz")
    assert page.said
    page.search.setText("")
    assert shown() == [plain_text(spec) for spec in ACTIONS]
    assert key_words("PgUp") == "Page up"


def test_that_tab_leaves_the_key_field_both_ways(qtbot, dialog) -> None:
    page = dialog.keys
    dialog.pages.setCurrentRow(1)
    page.key.setFocus()
    qtbot.keyClick(page.key, KEY.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
    assert dialog.focusWidget() is page.table
    page.key.setFocus()
    qtbot.keyClick(page.key, KEY.Key_Tab)
    assert dialog.focusWidget() is page._clear
    assert page.value == {}


def test_that_enter_in_the_search_does_not_close_the_dialog(qtbot, dialog) -> None:
    dialog.pages.setCurrentRow(1)
    dialog.keys.search.setFocus()
    qtbot.keyClick(dialog.keys.search, KEY.Key_Return)
    assert dialog.isVisible()
    assert dialog.focusWidget() is dialog.keys.table


def test_that_a_protocol_that_is_gone_stays_chosen(qtbot, preferences: Preferences) -> None:
    preferences.layout = replace(LayoutChoice(), start_protocol="old")
    dialog = PreferencesDialog(preferences, (("two", "Two views"),))
    qtbot.addWidget(dialog)
    assert dialog.layout_page.value == preferences.layout
    dialog.layout_page._protocol.setCurrentIndex(1)
    dialog.apply()
    assert preferences.layout.start_protocol == "two"


def test_that_a_calibration_can_be_forgotten(dialog, preferences: Preferences) -> None:
    key = screen_key(dialog.screen())
    assert "Not calibrated" in dialog.monitor._size.text()
    dialog.monitor._take(key, 4.0)
    dialog.apply()
    assert dialog.monitor._size.text() == "4.000 pixels a millimetre, measured"
    dialog.monitor._forget.click()
    assert preferences.pixels_per_mm(key) == 4.0
    dialog.apply()
    assert preferences.pixels_per_mm(key) is None
