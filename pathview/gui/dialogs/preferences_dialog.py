"""The preferences: mouse, keys, layout and monitor. Nothing changes until OK or Apply."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.dialogs.calibration import (
    CalibrationDialog,
    plain_buttons,
    reported_px_per_mm,
    screen_key,
    screen_words,
)
from pathview.gui.dialogs.keys_page import KeysPage
from pathview.gui.preferences import DRAGS, WHEELS, Gesture, LayoutChoice, MouseMap, Preferences

PAGES = ("Mouse", "Keys", "Layout", "Monitor")
_GESTURES: dict[Gesture, str] = {
    "pan": "Move the image",
    "window": "Change the window",
    "zoom": "Zoom",
    "scroll": "Next image or frame",
    "magnify": "Magnify",
    "none": "Nothing",
}
_BUTTONS = {
    "left": "Left button, dragged",
    "right": "Right button, dragged",
    "middle": "Middle button, dragged",
    "wheel": "Wheel",
    "ctrl_wheel": "Ctrl + wheel",
}
_SIZE = QSize(860, 620)
_BUTTON = QDialogButtonBox.StandardButton


class PreferencesDialog(QDialog):
    """A list of pages on the left, the page on the right."""

    def __init__(
        self, preferences: Preferences, protocols: Sequence[tuple[str, str]] = (), parent: QWidget | None = None
    ) -> None:
        """``protocols``: the hangings that a case can open with, each by id and name."""
        super().__init__(parent)
        self.setWindowTitle("Preferences")
        self._preferences = preferences
        self.mouse = MousePage(preferences.mouse)
        self.keys = KeysPage(preferences.keys)
        self.layout_page = LayoutPage(preferences.layout, protocols)
        self.monitor = MonitorPage(preferences)
        self.pages = QListWidget()
        self.pages.setObjectName("pages")
        self.pages.setAccessibleName("Pages")
        self.pages.addItems(list(PAGES))
        self.pages.setFixedWidth(150)
        self._stack = QStackedWidget()
        for page in (self.mouse, self.keys, self.layout_page, self.monitor):
            self._stack.addWidget(page)
            page.edited.connect(self._show_state)
        self.pages.currentRowChanged.connect(self._stack.setCurrentIndex)
        self._buttons = QDialogButtonBox(_BUTTON.Ok | _BUTTON.Cancel | _BUTTON.Apply)
        plain_buttons(self._buttons)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._buttons.button(_BUTTON.Apply).clicked.connect(self.apply)
        upper = QHBoxLayout()
        upper.setSpacing(18)
        upper.addWidget(self.pages)
        upper.addWidget(self._stack, 1)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addLayout(upper, 1)
        layout.addWidget(self._buttons)
        self.resize(_SIZE.boundedTo(self.screen().availableSize()))
        self.pages.setCurrentRow(0)
        self.pages.setFocus()
        self._show_state()

    def accept(self) -> None:
        """Keep what was changed, and close."""
        if self.apply():
            super().accept()

    @Slot()
    def apply(self) -> bool:
        """Keep what was changed; whether it could be."""
        if self.mouse.value.problem():
            self.pages.setCurrentRow(PAGES.index("Mouse"))
            return False
        self._preferences.mouse = self.mouse.value
        self._preferences.keys = self.keys.value
        self._preferences.layout = self.layout_page.value
        for key, value in self.monitor.value.items():
            self._preferences.set_pixels_per_mm(key, value)
        self.monitor.show_screen()
        self._show_state()
        return True

    @Slot()
    def _show_state(self) -> None:
        kept = self._preferences
        same = (
            self.mouse.value == kept.mouse
            and self.keys.value == kept.keys
            and self.layout_page.value == kept.layout
            and all(kept.pixels_per_mm(key) == value for key, value in self.monitor.value.items())
        )
        self._buttons.button(_BUTTON.Apply).setEnabled(not same)


class MousePage(QWidget):
    """What buttons and wheel do."""

    edited = Signal()

    def __init__(self, mouse: MouseMap) -> None:
        """At what is kept."""
        super().__init__()
        self.boxes: dict[str, QComboBox] = {}
        form = _form()
        for name, words in _BUTTONS.items():
            box = QComboBox()
            box.setAccessibleName(words)
            for gesture in WHEELS if "wheel" in name else DRAGS:
                box.addItem(_GESTURES[gesture], gesture)
            form.addRow(words, box)
            self.boxes[name] = box
        self._said = QLabel()
        self._said.setObjectName("problem")
        defaults = QPushButton("Reset the mouse")
        defaults.clicked.connect(self._reset)
        layout = _page_layout(self, "Mouse")
        layout.addLayout(form)
        words = (
            "With a measuring tool chosen, the left button draws. A double click shows one image alone, or all again."
        )
        layout.addWidget(_dim(words))
        layout.addWidget(self._said)
        layout.addStretch(1)
        layout.addWidget(defaults, 0, Qt.AlignmentFlag.AlignLeft)
        self._set(mouse)
        for box in self.boxes.values():
            box.currentIndexChanged.connect(self._on_edited)

    @property
    def value(self) -> MouseMap:
        """What is chosen; it may not be usable."""
        return MouseMap(**{name: box.currentData() for name, box in self.boxes.items()})

    def _set(self, mouse: MouseMap) -> None:
        for name, box in self.boxes.items():
            box.setCurrentIndex(box.findData(getattr(mouse, name)))

    @Slot()
    def _reset(self) -> None:
        self._set(MouseMap())

    @Slot()
    def _on_edited(self) -> None:
        self._said.setText(self.value.problem())
        self.edited.emit()


class LayoutPage(QWidget):
    """How images are laid out and moved."""

    edited = Signal()

    def __init__(self, layout_choice: LayoutChoice, protocols: Sequence[tuple[str, str]]) -> None:
        """At what is kept."""
        super().__init__()
        self._protocol = QComboBox()
        self._protocol.setAccessibleName("A case opens with")
        self._protocol.addItem("What suits its images", "")
        for key, name in protocols:
            self._protocol.addItem(name, key)
        wanted = layout_choice.start_protocol
        if self._protocol.findData(wanted) < 0:
            self._protocol.addItem(f"{wanted} (not here now)", wanted)
        self._protocol.setCurrentIndex(self._protocol.findData(wanted))
        form = _form()
        form.addRow("A case opens with", self._protocol)
        layout = _page_layout(self, "Layout")
        layout.addLayout(form)
        self.boxes: dict[str, QCheckBox] = {}
        for name, words in (
            ("linked", "Zoom and pan images together"),
            ("same_size", "Show all images of a layout at the same size in millimetres"),
            ("corner_texts", "Show texts in the corners of images"),
            ("wheel_reversed", "Turn the wheel's direction round"),
        ):
            box = QCheckBox(words)
            box.setChecked(getattr(layout_choice, name))
            box.toggled.connect(self.edited)
            self.boxes[name] = box
            layout.addWidget(box)
        layout.addStretch(1)
        self._protocol.currentIndexChanged.connect(self.edited)

    @property
    def value(self) -> LayoutChoice:
        """What is chosen."""
        ticked = {name: box.isChecked() for name, box in self.boxes.items()}
        return LayoutChoice(start_protocol=str(self._protocol.currentData()), **ticked)


class MonitorPage(QWidget):
    """What was measured on the monitor that the dialog is on."""

    edited = Signal()

    def __init__(self, preferences: Preferences) -> None:
        """At what is kept."""
        super().__init__()
        self._preferences = preferences
        self.value: dict[str, float | None] = {}
        """What was measured, or forgotten, here: logical pixels a millimetre by screen."""
        self._name = QLabel()
        self._name.setWordWrap(True)
        self._size = QLabel()
        self._size.setObjectName("result")
        self._reported = _dim("")
        self._calibrate = QPushButton("Calibrate...")
        self._forget = QPushButton("Forget")
        self._forget.setAccessibleName("Forget this monitor's calibration")
        self._calibrate.clicked.connect(self._ask)
        self._forget.clicked.connect(self._drop)
        row = QHBoxLayout()
        row.addWidget(self._calibrate)
        row.addWidget(self._forget)
        row.addStretch(1)
        layout = _page_layout(self, "Monitor")
        layout.addWidget(self._name)
        layout.addWidget(self._size)
        layout.addLayout(row)
        layout.addSpacing(10)
        layout.addWidget(self._reported)
        layout.addWidget(_dim("Calibrate each monitor once; do it again after changing its resolution or scale."))
        layout.addStretch(1)
        self.show_screen()

    @Slot()
    def show_screen(self) -> None:
        """Tell what is known of the screen that the dialog is on."""
        screen = self.screen()
        key = screen_key(screen)
        kept = self._preferences.pixels_per_mm(key)
        value = self.value.get(key, kept)
        self._name.setText(f"This monitor: {screen_words(screen)}")
        later = "" if value == kept else ", from OK or Apply on"
        self._size.setText(
            f"{value:.3f} pixels a millimetre, measured{later}"
            if value
            else f"Not calibrated{later}: true size is not offered."
        )
        said = reported_px_per_mm(screen)
        words = f"{said:.2f} pixels a millimetre" if said else "nothing that could be right"
        self._reported.setText(f"The monitor reports {words}. Such figures are often wrong; they are not used.")
        self._forget.setEnabled(value is not None)

    @Slot()
    def _ask(self) -> None:
        key = screen_key(self.screen())
        dialog = CalibrationDialog(self.value.get(key, self._preferences.pixels_per_mm(key)), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.measured.connect(self._take)
        dialog.open()

    @Slot(str, float)
    def _take(self, key: str, value: float) -> None:
        self.value[key] = value
        self.show_screen()
        self.edited.emit()

    @Slot()
    def _drop(self) -> None:
        self.value[screen_key(self.screen())] = None
        self.show_screen()
        self.edited.emit()
        self._calibrate.setFocus()


def _page_layout(page: QWidget, title: str) -> QVBoxLayout:
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(10)
    heading = QLabel(title)
    heading.setObjectName("heading")
    heading.setIndent(0)
    layout.addWidget(heading)
    return layout


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setVerticalSpacing(10)
    form.setHorizontalSpacing(18)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
    return form


def _dim(words: str) -> QLabel:
    label = QLabel(words)
    label.setObjectName("dim")
    label.setWordWrap(True)
    return label
