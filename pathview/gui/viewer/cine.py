"""Going through the frames of a tomosynthesis series: a slider, a slab, and a film."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSlider, QSpinBox, QWidget

_FRAMES_A_SECOND = 12
_PAGE = 5


class CineBar(QWidget):
    """Asks for frames; hidden for an image of one frame. A film asks for the next frame when the last one came."""

    wanted = Signal(int, int, str)
    """Centre frame (0-based), thickness in frames, and ``MIP`` or ``average``."""

    def __init__(self) -> None:
        """Hidden."""
        super().__init__()
        self._play = QPushButton("Play")
        self._play.setCheckable(True)
        self._play.setAccessibleName("Play the frames as a film")
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setPageStep(_PAGE)
        self._slider.setAccessibleName("Frame")
        self._words = QLabel("")
        self._words.setMinimumWidth(120)
        self._thickness = QSpinBox()
        self._thickness.setPrefix("slab of ")
        self._thickness.setMinimumWidth(150)
        self._thickness.setAccessibleName("Thickness of the slab in frames")
        self._mode = QComboBox()
        self._mode.addItems(["MIP", "average"])
        self._mode.setAccessibleName("How the frames of a slab are combined")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 10, 4)
        for widget, stretch in (
            (self._play, 0),
            (self._slider, 1),
            (self._words, 0),
            (self._thickness, 0),
            (self._mode, 0),
        ):
            layout.addWidget(widget, stretch)
        self._waiting = False
        self._timer = QTimer(self)
        self._timer.setInterval(1000 // _FRAMES_A_SECOND)
        self._timer.timeout.connect(self._on_tick)
        self._play.toggled.connect(self._on_play)
        self._slider.valueChanged.connect(self._ask)
        self._thickness.valueChanged.connect(self._ask)
        self._mode.currentIndexChanged.connect(self._ask)
        self.hide()

    @property
    def playing(self) -> bool:
        """Whether the film runs."""
        return self._timer.isActive()

    def show_image(self, frames: int, frame: int, any_frames: bool, thickness: int = 1, mode: str = "MIP") -> None:
        """Another image is active; the bar stays where any image that hangs has frames, so that nothing jumps."""
        self.setEnabled(frames > 1)  # before the film ends: it asks for no frame of an image that has but one
        if frames < 2:
            self._play.setChecked(False)
        self.setVisible(any_frames)
        for widget in (self._slider, self._thickness, self._mode):
            widget.blockSignals(True)
        self._slider.setRange(0, max(0, frames - 1))
        self._slider.setValue(frame)
        self._thickness.setRange(1, max(1, frames))
        self._thickness.setValue(thickness)
        self._mode.setCurrentText(mode)
        for widget in (self._slider, self._thickness, self._mode):
            widget.blockSignals(False)
        self._waiting = False
        self._show_words()

    def show_frame(self) -> None:
        """What was asked for has come."""
        self._waiting = False

    def step(self, by: int) -> None:
        """Go on by frames."""
        self._slider.setValue(self._slider.value() + by)

    def thicker(self, by: int) -> None:
        """A thicker or thinner slab."""
        self._thickness.setValue(self._thickness.value() + by)

    def toggle(self) -> None:
        """Start or stop the film."""
        if self.isEnabled() and not self.isHidden():
            self._play.toggle()

    @Slot(bool)
    def _on_play(self, on: bool) -> None:
        self._play.setText("Stop" if on else "Play")
        if on:
            self._timer.start()
        else:
            self._timer.stop()
            if self.isEnabled() and not self.isHidden():
                self._ask()  # at full resolution again

    @Slot()
    def _on_tick(self) -> None:
        if not self._waiting:
            self._slider.setValue((self._slider.value() + 1) % (self._slider.maximum() + 1))

    @Slot()
    def _ask(self) -> None:
        self._waiting = True
        self._show_words()
        self.wanted.emit(self._slider.value(), self._thickness.value(), self._mode.currentText())

    def _show_words(self) -> None:
        self._words.setText(f"frame {self._slider.value() + 1} of {self._slider.maximum() + 1}")
        self._mode.setEnabled(self._thickness.value() > 1)
        self._thickness.setSuffix(" frame" if self._thickness.value() == 1 else " frames")
