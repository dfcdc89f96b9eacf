"""The viewer: the images of a case above, the canvas, and the read-out below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pathview.gui.theme import LABEL_WORDS
from pathview.gui.viewer.canvas import Canvas
from pathview.gui.viewer.picture import Tone, View
from pathview.images.pyramid import PictureData
from pathview.review.case import ImageRow

_DETAIL_DELAY_MS = 60


class Viewer(QWidget):
    """Canvas with an image strip and a status line."""

    image_chosen = Signal(int)
    """Index of an image of the case."""
    detail_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        """An empty viewer."""
        super().__init__(parent)
        self.canvas = Canvas()
        self.strip = _Strip(self)
        self.strip.chosen.connect(self.image_chosen)
        self._readout = QLabel("")
        self._readout.setObjectName("readout")
        self._tone = QLabel("")
        self._tone.setObjectName("readout")
        self._zoom = QLabel("")
        self._zoom.setObjectName("readout")
        bottom = QHBoxLayout()
        bottom.setContentsMargins(10, 3, 10, 3)
        bottom.addWidget(self._readout, 1)
        bottom.addWidget(self._tone)
        bottom.addSpacing(18)
        bottom.addWidget(self._zoom)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.strip)
        layout.addWidget(self.canvas, 1)
        layout.addLayout(bottom)
        self._wanted: View | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DETAIL_DELAY_MS)
        self._timer.timeout.connect(self._ask_for_detail)
        self.canvas.cursor_moved.connect(self._show_place)
        self.canvas.view_changed.connect(self._show_zoom)
        self.canvas.tone_changed.connect(self._show_tone)
        self.canvas.detail_wanted.connect(self._note_detail)

    def set_picture(self, data: PictureData | None, title: str = "", message: str = "") -> None:
        """Show a picture, fitted; or nothing, and a message in its place."""
        self.canvas.message = message
        self.canvas.corner = _corner(data, title) if data else ()
        self.canvas.set_picture(data)
        self._readout.setText("")
        self._show_zoom()

    def next_voi(self) -> None:
        """Step to the next window or LUT of the file."""
        data = self.canvas.data
        if data is None or data.scale is None or not data.scale.options:
            return
        options = data.scale.options
        current = self.canvas.tone.voi or options[0]
        index = options.index(current) + 1 if current in options else 0
        self.canvas.set_tone(Tone(options[index % len(options)], self.canvas.tone.invert))

    def reset_window(self) -> None:
        """The file's first choice again."""
        self.canvas.set_tone(Tone(None, self.canvas.tone.invert))

    @Slot(bool)
    def invert(self, on: bool) -> None:
        """Dark for bright."""
        self.canvas.set_tone(Tone(self.canvas.tone.voi, on))

    @Slot(float, float)
    def _show_place(self, x: float, y: float) -> None:
        data = self.canvas.data
        if data is None or not (0 <= x < data.info.size.width and 0 <= y < data.info.size.height):
            self._readout.setText("")
            return
        text = f"x {int(x)}  y {int(y)} px"
        if data.info.spacing is not None:
            text += f"   {x * data.info.spacing.column:.2f}, {y * data.info.spacing.row:.2f} mm"
        self._readout.setText(f"{text}   {_value_at(data, int(x), int(y))}")

    @Slot()
    def _show_zoom(self) -> None:
        data = self.canvas.data
        self._zoom.setText(f"{100 * self.canvas.current_view().scale:.0f} %" if data else "")

    @Slot()
    def _show_tone(self) -> None:
        data = self.canvas.data
        if data is None or data.scale is None:
            self._tone.setText("")
            return
        inverted = " inverted" if self.canvas.tone.invert else ""
        self._tone.setText((self.canvas.tone.voi or data.scale.voi).name + inverted)

    @Slot(object)
    def _note_detail(self, view: View) -> None:
        self._wanted = view
        self._timer.start()

    @Slot()
    def _ask_for_detail(self) -> None:
        if self._wanted is not None:
            self.detail_wanted.emit(self._wanted)


class _Strip(QWidget):
    """One button for each image of a case, with its state; hidden where there is one image."""

    chosen = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)  # type: ignore[arg-type]
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(8, 6, 8, 6)
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self.chosen)
        self.hide()

    def show_images(self, images: Sequence[ImageRow], current: int) -> None:
        """Show the images of a case."""
        for button in self._group.buttons():
            self._group.removeButton(button)
            self._layout.removeWidget(button)
            button.deleteLater()
        while self._layout.count():
            self._layout.takeAt(0)
        for index, image in enumerate(images):
            label = image.result.label or "not_analysed" if image.result else None
            button = QPushButton(f"{image.title}  ·  {LABEL_WORDS[label]}")
            button.setCheckable(True)
            button.setChecked(index == current)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setProperty("state", label or "new")
            button.setObjectName("imageButton")
            self._group.addButton(button, index)
            self._layout.addWidget(button)
        self._layout.addStretch(1)
        self.setVisible(len(images) > 1)


def _corner(data: PictureData, title: str) -> tuple[str, ...]:
    info = data.info
    lines = [title]
    if info.phantom:
        lines.append("PHANTOM, not a patient")
    if info.for_processing:
        lines.append("FOR PROCESSING")
    if info.spacing is not None and info.kind == "mammogram":
        lines.append(f"{info.spacing.column:.3f} mm a pixel, {info.spacing_source}")
    elif info.spacing is not None:
        lines.append(f"{info.spacing.mpp_um:.3g} µm a pixel, {info.spacing_source}")
    return tuple(lines)


def _value_at(data: PictureData, x: int, y: int) -> str:
    if data.partial:
        return ""
    pixel = data.levels[0].pixels[y, x]
    if data.scale is None:
        return "RGB " + " ".join(str(int(part)) for part in pixel)
    return f"value {int(pixel) + data.scale.low}"
