from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QColor

from pathview.gui.theme import LABEL_WORDS, THEMES, label_color


def luminance(color: str) -> float:
    parts = [QColor(color).redF(), QColor(color).greenF(), QColor(color).blueF()]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", list(THEMES))
def test_that_text_has_4_5_to_1_and_controls_3_to_1(name) -> None:
    theme = THEMES[name]
    for back in (theme.panel, theme.field, theme.window, theme.selected, theme.hover):
        assert contrast(theme.text, back) >= 4.5
    for back in (theme.panel, theme.field, theme.window):
        assert contrast(theme.dim, back) >= 4.5
        assert contrast(theme.accent, back) >= 4.5
    assert contrast(theme.dim, theme.selected) >= 4.5
    for label in LABEL_WORDS:
        for back in (theme.panel, theme.selected, theme.hover):
            assert contrast(label_color(theme, label), back) >= 4.5, label
    assert contrast(theme.disabled, theme.panel) >= 2.8
    assert contrast(theme.text, theme.panel) >= 3 * contrast(theme.disabled, theme.panel)
    assert contrast(theme.warning_text, theme.warning_back) >= 4.5
    assert contrast(theme.accent_text, theme.accent) >= 4.5
    for state in (theme.positive, theme.not_sure, theme.negative):
        assert contrast(theme.accent_text, state) >= 4.5


def test_that_qts_binding_gives_back_what_it_takes(qapp) -> None:
    """PySide6 6.12.0 took a reference from None at each call on Python 3.11: the window aborted after a while."""
    thing = QObject()
    before = sys.getrefcount(None)
    for _ in range(1000):
        thing.setObjectName("a")
    assert abs(sys.getrefcount(None) - before) < 500
