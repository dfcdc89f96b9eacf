"""What every page must be: named for screen readers, and nowhere cut off."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QWidget,
)

FOCUS = (QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit)
"""What takes keys."""


def named(widget: QWidget) -> bool:
    """Whether a screen reader has words for it, or the keys never come to it."""
    words = widget.accessibleName() or getattr(widget, "text", str)()
    inner = widget.focusPolicy() == Qt.FocusPolicy.NoFocus or widget.focusProxy() is not None
    return bool(words) or inner or isinstance(widget.parent(), QAbstractSpinBox | QComboBox)


def is_cut(widget: QWidget) -> bool:
    """Whether a label or button is smaller than its words."""
    if isinstance(widget, QLabel) and widget.wordWrap():
        return widget.isVisible() and widget.height() < widget.heightForWidth(widget.width())
    if isinstance(widget, QLabel | QAbstractButton):
        return widget.isVisible() and bool(widget.text()) and widget.width() < widget.minimumSizeHint().width()
    return False


def none_is_cut(page: str, widgets: list[QWidget]) -> None:
    cut = [one.text() for one in widgets if is_cut(one)]
    assert cut == [], page
