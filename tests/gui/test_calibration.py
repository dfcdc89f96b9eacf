from __future__ import annotations

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QDialogButtonBox

from pathview.gui.dialogs.calibration import CalibrationDialog, problem_with, screen_key, true_size_scale
from pathview.gui.dialogs.preferences_dialog import PreferencesDialog
from pathview.gui.preferences import Preferences

KEY = Qt.Key


@pytest.fixture
def dialog(qtbot) -> CalibrationDialog:
    dialog = CalibrationDialog(4.0)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def save(dialog: CalibrationDialog):
    return dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Save)


def test_that_true_size_is_one_millimetre_a_millimetre() -> None:
    scale = true_size_scale(0.07, 4.0, 1.5)
    image_pixels = 10 / 0.07  # of one centimetre
    assert image_pixels * scale / 1.5 == pytest.approx(40)  # logical pixels of the screen
    assert true_size_scale(0.1, 5.0, 1.0) == pytest.approx(0.5)


def test_that_the_box_is_fitted_by_keys_and_its_size_told(qtbot, dialog: CalibrationDialog) -> None:
    assert dialog.card.length == round(4 * 85.6) == 342
    qtbot.keyClick(dialog.card, KEY.Key_Right)
    qtbot.keyClick(dialog.card, KEY.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(dialog.card, KEY.Key_Left)
    assert dialog.card.length == dialog._width.value() == 352
    dialog._width.setValue(428)
    assert dialog.card.length == 428
    assert "5.000" in dialog._result.text()
    with qtbot.waitSignal(dialog.measured) as told:
        save(dialog).click()
    assert told.args == [screen_key(dialog.screen()), pytest.approx(5.0)]
    assert not dialog.isVisible()


def test_that_a_ruler_measures_the_line_too(qtbot, dialog: CalibrationDialog) -> None:
    dialog._by_line.setChecked(True)
    length = dialog.line.length
    assert dialog.px_per_mm == pytest.approx(4.0, rel=1e-3)
    dialog._read.setValue(length / 5)
    assert dialog.px_per_mm == pytest.approx(5.0, rel=1e-3)
    assert dialog.line.length == length


def test_that_the_drawn_box_is_as_wide_as_it_says(dialog: CalibrationDialog) -> None:
    image = dialog.card.grab().toImage()
    ratio = image.devicePixelRatio()
    row = round(30 * ratio)
    back = image.pixelColor(1, row)
    drawn = [x for x in range(image.width()) if image.pixelColor(x, row) != back]
    assert len(drawn) == round(dialog.card.length * ratio)


@pytest.mark.parametrize("length", [5, 1000])
def test_that_an_impossible_measurement_is_refused_in_words(dialog: CalibrationDialog, length: float) -> None:
    dialog._by_line.setChecked(True)
    dialog._read.setValue(length)
    assert "is not possible" in dialog._result.text()
    assert not save(dialog).isEnabled()
    dialog.accept()
    assert dialog.isVisible()
    dialog._read.setValue(95)
    assert save(dialog).isEnabled()


def test_that_the_limits_hold_where_values_are_kept(tmp_path) -> None:
    preferences = Preferences(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    for value in (1.49, 20.1, float("nan")):
        assert problem_with(value)
        with pytest.raises(ValueError, match="not possible"):
            preferences.set_pixels_per_mm("screen", value)
    assert problem_with(1.5) == problem_with(20.0) == ""


def test_that_the_preferences_ask_and_keep_what_was_measured(qtbot, tmp_path) -> None:
    preferences = Preferences(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    owner = PreferencesDialog(preferences)
    qtbot.addWidget(owner)
    owner.show()
    owner.monitor._calibrate.click()
    asked = owner.findChild(CalibrationDialog)
    asked._width.setValue(321)
    save(asked).click()
    assert "3.750 pixels a millimetre" in owner.monitor._size.text()
    owner.accept()
    assert preferences.pixels_per_mm(screen_key(owner.screen())) == pytest.approx(3.75)
