"""How large a monitor's pixels are, measured by the reader: what a monitor says of itself is often wrong."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QKeyEvent, QMouseEvent, QMoveEvent, QPainter, QPaintEvent, QPen, QScreen
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QScrollArea,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.panels.decimal_box import DecimalBox
from pathview.gui.preferences import PIXELS_PER_MM

CARD_MM = (85.60, 53.98)
"""ISO/IEC 7810 ID-1: every bank card."""
_LINE_MM = 100.0
_USUAL = 96 / 25.4
_MARGIN = 12
_KEYS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Down: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: 1}
_CARD_WORDS = (
    "Hold a bank card to the screen, its upper left corner on the box's. Then make the box as large as the card: "
    "the arrow keys change it by 1 pixel, with Shift by 10; its right edge can be dragged."
)
_LINE_WORDS = "Measure the line with a ruler, from end to end, and type what you read."


def true_size_scale(spacing_mm: float, px_per_mm: float, device_pixel_ratio: float) -> float:
    """At which scale an image is as large as what it shows: device pixels a level-0 pixel.

    Args:
        spacing_mm: of level-0 pixels.
        px_per_mm: logical pixels a millimetre of the screen, as measured.
        device_pixel_ratio: device pixels a logical pixel.
    """
    return spacing_mm * px_per_mm * device_pixel_ratio


def screen_key(screen: QScreen) -> str:
    """What a screen's calibration is kept under; another resolution or scale needs another one."""
    size = screen.size()
    parts = (screen.name(), screen.manufacturer(), screen.model(), screen.serialNumber())
    return "|".join((*parts, f"{size.width()}x{size.height()}", f"{screen.devicePixelRatio():g}"))


def screen_words(screen: QScreen) -> str:
    """A screen's name and size in device pixels."""
    ratio, size = screen.devicePixelRatio(), screen.size()
    name = " ".join(part for part in (screen.manufacturer(), screen.model()) if part) or screen.name()
    return f"{name}, {round(size.width() * ratio)} × {round(size.height() * ratio)} pixels"


def reported_px_per_mm(screen: QScreen) -> float | None:
    """What the screen says of itself, in logical pixels a millimetre; a place to start from, never a measurement."""
    width = screen.physicalSize().width()
    value = screen.size().width() / width if width > 0 else 0.0
    return value if PIXELS_PER_MM[0] <= value <= PIXELS_PER_MM[1] else None


def problem_with(px_per_mm: float) -> str:
    """Why no monitor has such pixels, in a sentence; nothing if one may."""
    low, high = PIXELS_PER_MM
    if low <= px_per_mm <= high:
        return ""
    return f"{px_per_mm:.3g} pixels a millimetre is not possible: monitors have {low:g} to {high:g}. Measure again."


class CalibrationDialog(QDialog):
    """Asks for a card or a ruler; what was measured is in :attr:`measured`, and nothing is kept here."""

    measured = Signal(str, float)
    """The screen's key, and its logical pixels a millimetre."""

    def __init__(self, start: float | None = None, parent: QWidget | None = None) -> None:
        """Start at an earlier measurement, else at what the screen says of itself."""
        super().__init__(parent)
        self.setWindowTitle("Calibrate the monitor")
        screen = self.screen()
        first = start or reported_px_per_mm(screen) or _USUAL
        room = screen.availableSize() - QSize(160, 120)
        self.card = Gauge(round(first * CARD_MM[0]), card=True)
        self.line = Gauge(min(round(first * _LINE_MM), room.width()), card=False)
        self._where = QLabel()
        self._where.setObjectName("dim")
        self._by_card = QRadioButton("With a bank card")
        self._by_line = QRadioButton("With a ruler")
        self._by_card.setChecked(True)
        self._width = QSpinBox()
        self._width.setRange(20, 4000)
        self._width.setSuffix(" px")
        self._width.setValue(self.card.length)
        self._read = DecimalBox()
        self._read.setRange(1, 3000)
        self._read.setDecimals(1)
        self._read.setSuffix(" mm")
        self._read.setValue(self.line.length / first)
        self._result = QLabel()
        self._result.setWordWrap(True)
        self._lay_out()
        self._show_result()
        content = self.card.sizeHint().expandedTo(self.line.sizeHint()) + QSize(80, 330)
        self.resize(content.expandedTo(QSize(640, 560)).boundedTo(room))

    def _lay_out(self) -> None:
        methods = QHBoxLayout()
        group = QButtonGroup(self)
        for button in (self._by_card, self._by_line):
            group.addButton(button)
            methods.addWidget(button)
            button.toggled.connect(self._show_method)
        methods.addStretch(1)
        self._pages = QStackedWidget()
        self._pages.addWidget(_page(_CARD_WORDS, self.card, "Width of the box", self._width))
        self._pages.addWidget(_page(_LINE_WORDS, self.line, "Length of the line", self._read))
        self.card.length_changed.connect(self._width.setValue)
        self._width.valueChanged.connect(self.card.set_length)
        self._width.valueChanged.connect(self._show_result)
        self._read.valueChanged.connect(self._show_result)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        plain_buttons(self._buttons)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(self._where)
        layout.addLayout(methods)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self._result)
        layout.addWidget(self._buttons)
        self.card.setFocus()

    @property
    def px_per_mm(self) -> float:
        """What is measured so far, in logical pixels a millimetre."""
        if self._by_card.isChecked():
            return self.card.length / CARD_MM[0]
        return self.line.length / self._read.value()

    def accept(self) -> None:
        """Tell what was measured."""
        if not problem_with(self.px_per_mm):
            self.measured.emit(screen_key(self.screen()), self.px_per_mm)
            super().accept()

    def moveEvent(self, event: QMoveEvent) -> None:
        """It may be another monitor now."""
        super().moveEvent(event)
        self._where.setText(f"This monitor: {screen_words(self.screen())}")

    @Slot()
    def _show_method(self) -> None:
        self._pages.setCurrentIndex(0 if self._by_card.isChecked() else 1)
        self._show_result()

    @Slot()
    def _show_result(self) -> None:
        problem = problem_with(self.px_per_mm)
        self._result.setText(problem or f"{self.px_per_mm:.3f} pixels a millimetre")
        self._result.setObjectName("problem" if problem else "result")
        self._result.style().polish(self._result)
        self._buttons.button(QDialogButtonBox.StandardButton.Save).setEnabled(not problem)


class Gauge(QWidget):
    """A box of a card's shape that can be made larger and smaller, or a line that stays as it is."""

    length_changed = Signal(int)

    def __init__(self, length: int, card: bool) -> None:
        """``length``: of the box's or the line's width, in logical pixels."""
        super().__init__()
        self.length = length
        self._card = card
        self.setAccessibleName("Box of a bank card's size" if card else "Line to be measured")
        if card:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._fit()

    @Slot(int)
    def set_length(self, length: int) -> None:
        """Another width, in logical pixels."""
        if length != self.length and length > 0:
            self.length = length
            self._fit()
            self.length_changed.emit(length)

    def sizeHint(self) -> QSize:
        """The drawing and a margin."""
        return self._drawn().size() + QSize(2 * _MARGIN, 2 * _MARGIN)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys change the box."""
        step = _KEYS.get(Qt.Key(event.key()), 0) if self._card else 0
        if step:
            self.set_length(self.length + step * (10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1))
        else:
            super().keyPressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The right edge follows the mouse."""
        if self._card:
            self.set_length(max(20, round(event.position().x()) - _MARGIN))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Without antialiasing: edges are where the pixels are."""
        painter = QPainter(self)
        drawn = self._drawn()
        ink = self.palette().text().color()
        if not self._card:
            painter.fillRect(QRect(drawn.x(), drawn.center().y() - 1, drawn.width(), 3), ink)
            for x in (drawn.left(), drawn.right() - 1):
                painter.fillRect(QRect(x, drawn.y(), 2, drawn.height()), ink)
            return
        painter.fillRect(drawn, self.palette().highlight())
        width = 2 if self.hasFocus() else 1
        painter.setPen(QPen(self.palette().link().color() if self.hasFocus() else ink, width))
        painter.drawRect(QRectF(drawn).adjusted(width / 2, width / 2, -width / 2, -width / 2))
        painter.setPen(ink)
        painter.drawText(drawn, Qt.AlignmentFlag.AlignCenter, f"{CARD_MM[0]:.2f} × {CARD_MM[1]:.2f} mm")

    def _drawn(self) -> QRect:
        height = round(self.length * CARD_MM[1] / CARD_MM[0]) if self._card else 40
        return QRect(_MARGIN, _MARGIN, self.length, height)

    def _fit(self) -> None:
        self.setMinimumSize(self.sizeHint())
        self.update()


def plain_buttons(box: QDialogButtonBox) -> None:
    """Words only: the style's own icons are dark on dark."""
    for button in box.buttons():
        button.setIcon(QIcon())


def _page(words: str, gauge: Gauge, name: str, value: Any) -> QWidget:
    page = QWidget()
    said = QLabel(words)
    said.setWordWrap(True)
    scroll = QScrollArea()
    scroll.setWidget(gauge)
    scroll.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    scroll.setWidgetResizable(True)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    label = QLabel(name)
    label.setBuddy(value)
    value.setMinimumWidth(110)
    value.lineEdit().setTextMargins(6, 0, 0, 0)  # the style sheet's padding does not reach it
    value.setAccessibleName(name)
    layout = QGridLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(10)
    layout.addWidget(said, 0, 0, 1, 3)
    layout.addWidget(label, 1, 0)
    layout.addWidget(value, 1, 1)
    layout.addWidget(scroll, 2, 0, 1, 3)
    layout.setColumnStretch(2, 1)
    layout.setRowStretch(2, 1)
    return page
