"""A box for numbers that takes a comma for a decimal point, as half of Europe types it."""

from __future__ import annotations

from PySide6.QtCore import QLocale
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox


class DecimalBox(QDoubleSpinBox):
    """``0,26`` is 0.26; otherwise Qt would drop the comma, and 26 would stand there."""

    def __init__(self) -> None:
        """At 0, as Qt's own."""
        super().__init__()
        self.setLocale(QLocale.c())
        self.setGroupSeparatorShown(False)

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """See :class:`QDoubleSpinBox`."""
        return super().validate(text.replace(",", "."), position)

    def valueFromText(self, text: str) -> float:
        """See :class:`QDoubleSpinBox`."""
        return super().valueFromText(text.replace(",", "."))
