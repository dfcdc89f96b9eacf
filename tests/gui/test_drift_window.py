"""The page of drift: what it says of a model that nobody has used yet, and how it tells what has moved."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLabel

from pathview.gui.dialogs.drift import DriftDialog
from pathview.training.publishing.drift import Drift, Overruled, compared


@pytest.fixture
def dialog(qtbot, make_window) -> DriftDialog:
    window = make_window()
    window.actions_by_id["drift"].trigger()
    dialog = window.desk.drift
    qtbot.waitUntil(lambda: not dialog.busy and dialog.model.count() > 0)
    return dialog


def sentences(dialog: DriftDialog) -> list[str]:
    return [line.findChildren(QLabel)[1].text() for line in dialog.lines]


def a_drift(moved: float) -> Drift:
    """Scores that moved, stains that did not, and decisions of few patients."""
    then = tuple(number / 100 for number in range(100))
    quantities = compared({
        "eosin": (then, then[:50] + then[50:]),
        "score": (then, tuple(value + moved for value in then)),
    })  # fmt: skip
    overruled = Overruled(level="too_few", sentence="Too few cases to tell.", decisions=3, patients=3)
    notices = ("2 images are left out.",)
    return Drift(model="tiny-cnn", version=2, images=100, quantities=quantities, overruled=overruled, notices=notices)


def test_that_a_model_without_analyses_says_so(qtbot, dialog: DriftDialog) -> None:
    models = {dialog.model.itemText(row): dialog.model.itemData(row) for row in range(dialog.model.count())}
    assert models == {"Tiny CNN": "tiny-cnn", "Tiny U-Net": "tiny-unet"}
    dialog.compare.click()
    qtbot.waitUntil(lambda: not dialog.busy)
    assert dialog.verdict.text() == "There are too few patients yet to tell."
    assert "came without the numbers of its training" in dialog.said.text()
    assert "too few cases to tell (0 patients, 20 needed)" in sentences(dialog)[0]
    assert dialog.table.isHidden()


def test_that_what_has_moved_stands_first_with_its_numbers(dialog: DriftDialog) -> None:
    found = a_drift(0.6)
    dialog.show_drift(found)
    assert dialog.verdict.text() == "It has drifted: measure the model anew before it is relied on."
    assert sentences(dialog) == list(found.sentences)
    assert dialog.lines[0].property("level") == "red"
    assert "The scores are not as in training" in sentences(dialog)[0]
    assert "2 images are left out." in dialog.said.text()
    assert [row[0] for row in dialog.table.texts()] == ["Eosin", "Score"]
    dialog.show_drift(a_drift(0.0))
    assert dialog.verdict.text() == "Nothing has drifted."
    assert len(dialog.lines) == 3
