from __future__ import annotations

import numpy as np
import pytest

from pathview.gui.panels.confusion import ConfusionPanel
from pathview.results.confusion import Confusion, confusion

CLASSES = ("negative", "idc")


@pytest.fixture
def panel(qtbot) -> ConfusionPanel:
    found = ConfusionPanel()
    qtbot.addWidget(found)
    found.show()
    return found


def counts(*matrix: tuple[int, ...], classes=CLASSES, not_analysed: int = 0) -> Confusion:
    return Confusion(classes, matrix, not_analysed)


def texts(panel: ConfusionPanel) -> list[list[str]]:
    return [[button.text().split("\n")[0] for button in row] for row in panel._cells]


def test_that_counts_stand_beside_the_accuracy_and_its_baseline(panel: ConfusionPanel) -> None:
    panel.show_confusion(counts((1753, 52), (44, 284), not_analysed=3), "Trained on this image.")
    assert texts(panel) == [["1,753", "52"], ["44", "284"]]
    assert panel._cells[1][0].text() == "44\n13 %"
    assert panel._words.text() == "Accuracy 0.955. Calling every tile negative would have 0.846."
    assert "Trained on this image." in panel._notes.text()
    assert "3 tiles were not analysed" in panel._notes.text()


def test_that_a_cell_leads_to_its_tiles(panel: ConfusionPanel, qtbot) -> None:
    panel.show_confusion(counts((5, 2), (0, 4)))
    with qtbot.waitSignal(panel.cell_chosen) as chosen:
        panel._cells[0][1].click()
    assert chosen.args == [0, 1]
    assert panel._cells[0][1].isChecked()
    assert not panel._cells[1][0].isEnabled(), "there is nothing to show"
    assert panel._cells[0][1].accessibleName() == "Given negative, predicted idc: 2 tiles, 29 % of those given so"
    panel.clear_choice()
    assert not panel._cells[0][1].isChecked()


def test_that_the_table_follows_the_threshold_without_new_cells(panel: ConfusionPanel) -> None:
    panel.show_confusion(counts((5, 2), (0, 4)))
    button = panel._cells[0][1]
    button.click()
    panel.show_confusion(counts((7, 0), (3, 1)))
    assert panel._cells[0][1] is button
    assert texts(panel) == [["7", "0"], ["3", "1"]]


def test_that_given_classes_of_one_kind_are_no_praise(panel: ConfusionPanel) -> None:
    panel.show_confusion(counts((0, 0), (1, 9)))
    assert "All were given idc" in panel._words.text()
    assert panel._cells[0][0].text() == "0\n-"


def test_that_more_classes_make_another_table(panel: ConfusionPanel, qtbot) -> None:
    panel.show_confusion(counts((5, 2), (0, 4)))
    three = confusion(np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1]), ("a", "b", "c"))
    panel.show_confusion(three)
    assert texts(panel) == [["1", "0", "0"], ["0", "0", "1"], ["0", "1", "1"]]
    with qtbot.waitSignal(panel.cell_chosen) as chosen:
        panel._cells[2][1].click()
    assert chosen.args == [2, 1]


def test_that_an_image_without_given_classes_is_said_in_words(panel: ConfusionPanel) -> None:
    panel.show_confusion(counts((5, 2), (0, 4)))
    panel.show_confusion(None)
    assert panel._empty.isVisible()
    assert not panel._words.isVisible()
    panel.show_confusion(counts((0, 0), (0, 0), not_analysed=4))
    assert panel._empty.isVisible()
