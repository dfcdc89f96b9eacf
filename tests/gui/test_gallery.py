"""The gallery by itself: what its keys ask for, what it shows, and what it leaves to the window's actions."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMainWindow, QVBoxLayout, QWidget

from pathview.geometry import Region
from pathview.gui.panels.gallery import ORDERS, GalleryPanel
from pathview.gui.panels.gallery_cards import CardRole, answer_words
from pathview.gui.theme import THEMES
from pathview.results.regions import TILE_ORDERS, TileRegion
from pathview.review.records.answered import Reviewed

KEY = Qt.Key
TILES = [
    TileRegion(Region(50 * i, 0, 50, 50), Region(50 * i - 50, 0, 150, 150), p, count)
    for i, (p, count) in enumerate(((0.5, 37), (0.48, 1), (0.55, 4), (0.9, 1)))
]
REVIEWED = Reviewed(0.14, "positive", 0.14, 0.11, "not_sure", "share of patches at 0.5 or more", 2, 3)


class Window:
    """A window with the keys of the real one, a gallery, and another control."""

    def __init__(self, qtbot) -> None:
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.fired: list[str] = []
        for key in ("P", "N", "C", "S", "U"):
            action = QAction(key, self.window)
            action.setShortcut(key)
            action.triggered.connect(lambda _=False, key=key: self.fired.append(key))
            self.window.addAction(action)
        self.panel = GalleryPanel(THEMES["dark"])
        self.other = QLineEdit()
        self.other.setReadOnly(True)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.addWidget(self.panel)
        layout.addWidget(self.other)
        self.window.setCentralWidget(inside)
        self.asked: list[tuple] = []
        panel = self.panel
        panel.answered.connect(lambda image, region, value: self.asked.append((image, region.tile, value)))
        panel.withdrawn.connect(lambda image, region: self.asked.append((image, region.tile, None)))
        self.window.resize(900, 800)
        self.window.show()
        self.window.activateWindow()
        qtbot.waitUntil(self.window.isActiveWindow)

    def press(self, key: KEY) -> None:
        QTest.keyClick(self.window.focusWidget(), key)

    def current(self) -> int:
        return self.panel.grid.currentIndex().row()

    def save_all(self) -> None:
        for image, tile, value in self.asked:
            self.panel.show_answer(image, tile, value)

    def words(self) -> list[str]:
        return [answer_words(card) for card in self.panel.model.cards]


@pytest.fixture
def window(qtbot) -> Window:
    found = Window(qtbot)
    found.panel.show_regions(7, TILES, {}, 0.5)
    found.panel.setFocus()
    return found


def test_that_a_key_answers_the_current_tile_and_goes_on(window: Window) -> None:
    for key in (KEY.Key_P, KEY.Key_N, KEY.Key_C, KEY.Key_S):
        window.press(key)
    values = ["positive", "negative", "cant_tell", "skip"]
    assert window.asked == [(7, tile.tile, value) for tile, value in zip(TILES, values, strict=True)]
    assert window.current() == 3
    assert window.fired == []


def test_that_an_answer_is_shown_as_saved_only_once_it_is(window: Window) -> None:
    window.press(KEY.Key_P)
    assert window.words()[0] == "positive, saving ..."
    assert "0 of 4" in window.panel._counts.text()
    window.panel.show_answer(7, TILES[0].tile, "positive")
    assert window.words()[0] == "positive"
    assert "1 of 4 answered" in window.panel._counts.text()


def test_that_an_answer_that_could_not_be_saved_is_not_shown(window: Window) -> None:
    window.press(KEY.Key_P)
    window.panel.show_answer(7, TILES[0].tile, None)
    assert window.words()[0] == "not answered"


def test_that_the_last_answer_can_be_taken_back(window: Window) -> None:
    window.press(KEY.Key_P)
    window.press(KEY.Key_N)
    window.save_all()
    window.asked.clear()
    window.press(KEY.Key_U)
    assert window.asked == [(7, TILES[1].tile, None)]
    assert window.current() == 1
    assert window.words()[1] == "taking back ..."
    window.save_all()
    assert window.words()[:2] == ["positive", "not answered"]
    window.press(KEY.Key_U)
    assert window.asked[-1] == (7, TILES[0].tile, None)
    window.asked.clear()
    window.press(KEY.Key_U)
    assert window.asked == [], "nothing is left to take back"


def test_that_an_earlier_answer_is_taken_back_from_its_own_card(window: Window) -> None:
    window.panel.show_regions(7, TILES, {TILES[2].tile: "positive"}, 0.5)
    window.panel.grid.setCurrentIndex(window.panel.model.index(2))
    window.press(KEY.Key_U)
    assert window.asked == [(7, TILES[2].tile, None)]


def test_that_the_windows_keys_keep_their_meaning_elsewhere(window: Window) -> None:
    window.other.setFocus()
    window.press(KEY.Key_P)
    assert (window.fired, window.asked) == (["P"], [])


def test_that_the_order_and_the_button_answer_too_and_do_not_search(window: Window) -> None:
    for control in (window.panel._order, window.panel._training):
        control.setFocus()
        window.press(KEY.Key_S)
    assert [value for _, _, value in window.asked] == ["skip", "skip"]
    assert window.panel.order == "uncertain"
    assert window.fired == []


def test_that_keys_with_modifiers_and_other_letters_stay_the_windows(window: Window) -> None:
    for key, modifiers in ((KEY.Key_S, Qt.KeyboardModifier.ShiftModifier), (KEY.Key_W, Qt.KeyboardModifier.NoModifier)):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, modifiers)
        event.ignore()
        QApplication.sendEvent(window.panel.grid, event)
        assert not event.isAccepted()
    QTest.keyClick(window.panel.grid, KEY.Key_S, Qt.KeyboardModifier.ShiftModifier)
    assert window.asked == []


def test_that_a_key_held_down_answers_one_tile(window: Window) -> None:
    for repeated in (False, True, True):
        event = QKeyEvent(QEvent.Type.KeyPress, KEY.Key_P, Qt.KeyboardModifier.NoModifier, "p", repeated)
        QApplication.sendEvent(window.panel.grid, event)
    assert [value for _, _, value in window.asked] == ["positive"]


def test_that_enter_and_a_double_click_go_to_the_place(window: Window, qtbot) -> None:
    with qtbot.waitSignal(window.panel.region_chosen) as chosen:
        window.press(KEY.Key_Return)
    assert chosen.args == [7, TILES[0]]
    with qtbot.waitSignal(window.panel.region_chosen) as chosen:
        window.panel.grid.doubleClicked.emit(window.panel.model.index(2))
    assert chosen.args == [7, TILES[2]]


def test_that_pictures_are_asked_for_once_and_stay_with_their_image(window: Window, qtbot) -> None:
    panel = window.panel
    panel.show_nothing()
    with qtbot.waitSignal(panel.pictures_wanted) as wanted:
        panel.show_regions(8, TILES, {}, 0.5)
    assert wanted.args == [8, TILES]
    panel.show_picture(9, TILES[0].tile, np.zeros((10, 10, 3), np.uint8))
    assert panel.model.cards[0].picture is None, "another image's picture"
    panel.show_picture(8, TILES[0].tile, np.full((150, 150, 3), 200, np.uint8))
    panel.show_picture(8, TILES[1].tile, None)
    assert panel.model.cards[0].picture is not None
    assert panel.model.cards[1].problem
    with qtbot.waitSignal(panel.pictures_wanted) as wanted:
        panel.show_regions(8, TILES[:2], {}, 0.5)
    assert wanted.args == [8, [TILES[1]]]
    assert panel.model.cards[0].picture is not None
    panel.show_regions(9, TILES, {}, 0.5)
    assert panel.model.cards[0].picture is None


def test_that_only_pictures_near_the_view_are_asked_for(window: Window, qtbot) -> None:
    many = [TileRegion(Region(50 * i, 0, 50, 50), Region(0, 0, 150, 150), 0.5, 1) for i in range(400)]
    with qtbot.waitSignal(window.panel.pictures_wanted) as wanted:
        window.panel.show_regions(8, many, {}, 0.5)
    assert 4 < len(wanted.args[1]) < 100
    with qtbot.waitSignal(window.panel.pictures_wanted) as later:
        window.panel.grid.scrollToBottom()
    assert many[-1] in later.args[1]
    assert not set(wanted.args[1]) & set(later.args[1])


def test_that_the_current_tile_stays_and_else_the_first_open_one_is_current(window: Window) -> None:
    panel = window.panel
    panel.show_regions(8, TILES, {TILES[0].tile: "skip", TILES[1].tile: "positive"}, 0.5)
    assert panel.current == TILES[2]
    panel.show_regions(8, TILES[::-1], {}, 0.4)
    assert panel.current == TILES[2]
    panel.show_regions(9, TILES, {}, 0.4)
    assert panel.current == TILES[0]


def test_that_an_answer_on_its_way_is_not_lost_by_another_order(window: Window) -> None:
    window.press(KEY.Key_P)
    window.panel.show_regions(7, TILES[::-1], {}, 0.5)
    assert window.words()[-1] == "positive, saving ..."
    window.save_all()
    assert window.words()[-1] == "positive"


def test_that_an_order_is_asked_for_and_a_cell_of_tiles_leads_back(window: Window, qtbot) -> None:
    assert {order for order, _ in ORDERS} == set(TILE_ORDERS)
    with qtbot.waitSignal(window.panel.order_changed) as changed:
        window.panel._order.setCurrentIndex(3)
    assert changed.args == ["random"]
    window.panel.show_regions(7, TILES[:1], {}, 0.5, "Given idc, predicted negative")
    assert window.panel._heading.text() == "Given idc, predicted negative"
    assert not window.panel._order.isVisible()
    with qtbot.waitSignal(window.panel.order_changed) as changed:
        window.panel._back.click()
    assert changed.args == ["random"]
    with qtbot.waitSignal(window.panel.training_set_asked):
        window.panel._training.click()


def test_that_agreement_and_both_scores_are_told(window: Window) -> None:
    answers = {TILES[0].tile: "positive", TILES[1].tile: "positive", TILES[2].tile: "skip"}
    window.panel.show_regions(7, TILES, answers, 0.5)
    assert window.panel._counts.text() == "3 of 4 answered  ·  you and the model agree on 1 of 2"
    window.panel.show_reviewed(REVIEWED)
    assert window.panel._score.text() == "Model: 0.14, positive.  With 2 answers: 0.11, not sure."
    window.panel.show_reviewed(None)
    assert not window.panel._score.isVisible()


def test_that_nothing_to_show_is_said_in_words(window: Window) -> None:
    panel = window.panel
    panel.show_nothing()
    assert "analyse it" in panel._empty.text()
    assert panel._empty.isVisible()
    assert panel._counts.text() == ""
    for key in (KEY.Key_P, KEY.Key_U, KEY.Key_Return):
        panel.take_key(QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier))
    assert window.asked == []
    panel._order.setCurrentIndex(1)
    panel.show_regions(7, [], {}, 0.5)
    assert "calls no tile of this image positive" in panel._empty.text()


@pytest.mark.parametrize("name", list(THEMES))
def test_that_cards_are_told_to_screen_readers_and_painted_in_both_themes(window: Window, name) -> None:
    panel = window.panel
    panel.set_theme(THEMES[name])
    answers = dict(zip([tile.tile for tile in TILES], ("positive", "negative", "cant_tell", "skip"), strict=True))
    panel.show_regions(7, TILES, answers, 0.5)
    panel.show_picture(7, TILES[0].tile, np.full((150, 150, 3), 180, np.uint8))
    panel.show_picture(7, TILES[1].tile, None)
    told = [panel.model.index(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(4)]
    assert told[0] == "Tile 1 of 4: probability 0.500, called positive, a place of 37 tiles, positive"
    assert told[2].endswith("can't tell")
    assert panel.model.index(0).data(CardRole).region is TILES[0]
    assert "stands for its neighbours" in panel.model.index(0).data(Qt.ItemDataRole.ToolTipRole)
    assert not panel.grab().isNull()
    assert all(widget.accessibleName() for widget in (panel.grid, panel._order))
