"""How a training goes: its numbers, its curves, and what it outlines on four validation images after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from pathview.gui.wizard.parts import wrapped
from pathview.gui.wizard.plots import Chart, Drawing, Line
from pathview.gui.wizard.training_seen import Seen
from pathview.training.runs.plan import Number

_WORDS = {"auc": "AUC", "dice": "Dice", "iou": "IoU", "f1": "F1"}
_FACTS = ("Epoch", "Best epoch", "Time left", "Device", "Memory", "Images a step")
_MOST = 3
"""Figures in one chart."""
_LOSSES = {
    "dice": "1 - soft Dice",
    "dice+bce": "1 - soft Dice, and cross-entropy",
    "focal": "focal",
    "binary-crossentropy": "cross-entropy",
    "categorical-crossentropy": "cross-entropy",
}
"""What training makes small, by the name that recipes have for it."""
_GB = 2**30


def figure_words(name: str) -> str:
    """What a figure is called."""
    return _WORDS.get(name, name.replace("_", " "))


class FactsRow(QWidget):
    """Numbers of the newest epoch, each under its name."""

    def __init__(self) -> None:
        """No epoch yet."""
        super().__init__()
        self.values: dict[str, QLabel] = {}
        self._titles: dict[str, QLabel] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(22)
        grid.setVerticalSpacing(0)
        for place, name in enumerate(_FACTS):
            title = QLabel(name)
            title.setObjectName("dim")
            value = QLabel("-")
            value.setObjectName("result")
            value.setAccessibleName(name)
            grid.addWidget(title, 0, place)
            grid.addWidget(value, 1, place)
            self.values[name], self._titles[name] = value, title
        grid.setColumnStretch(len(_FACTS), 1)

    def show_seen(self, seen: Seen) -> None:
        """Show where it is; what a training does not have (epochs, where it has none) is not there."""
        numbers = seen.epochs[-1].numbers if seen.epochs else {}
        last = seen.epochs[-1].epoch if seen.epochs else None
        begun = seen.begun
        device = numbers.get("device") or begun.get("device")
        told = {
            "Epoch": f"{last} of {numbers.get('epochs')}" if last else "-",
            "Best epoch": _best(seen, numbers),
            "Time left": "-" if seen.trained else _time(numbers.get("seconds_left")),
            "Device": str(device) if device else "-",
            "Memory": _memory(numbers),
            "Images a step": str(numbers.get("batch") or begun.get("batch") or "-"),
        }
        for name, words in told.items():
            self.values[name].setText(words)
            self.values[name].setAccessibleName(f"{name}: {words}")
            for label in (self.values[name], self._titles[name]):
                label.setVisible(words != "-")


def _best(seen: Seen, numbers: dict[str, Number]) -> str:
    best = numbers.get("best_epoch")
    loss = dict(seen.curve("validation_loss")).get(float(best)) if isinstance(best, int) else None
    if best is None:
        return "-"
    return f"{best} (loss {loss:.3f})" if loss is not None else str(best)


def _time(seconds: Number) -> str:
    from pathview.training.runs.run_log import in_words

    return in_words(float(seconds)) if isinstance(seconds, (int, float)) else "-"


def _memory(numbers: dict[str, Number]) -> str:
    own, gpu = numbers.get("memory_bytes"), numbers.get("gpu_memory_bytes")
    found = [f"{own / _GB:.1f} GB"] if isinstance(own, (int, float)) else []
    if isinstance(gpu, (int, float)):
        found.append(f"{gpu / _GB:.1f} GB on the GPU")
    return ", ".join(found) or "-"


class CurvesRow(QWidget):
    """Loss, and what is measured on the validation patients, epoch by epoch."""

    def __init__(self) -> None:
        """No epoch yet."""
        super().__init__()
        self.loss = Chart("Loss", "epoch", "loss")
        self.figures = Chart("Figures", "epoch", "0 to 1")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.loss, 1)
        layout.addWidget(self.figures, 1)

    def show_seen(self, seen: Seen) -> None:
        """Show all epochs so far."""
        best = seen.epochs[-1].numbers.get("best_epoch") if seen.epochs else None
        upright = float(best) if isinstance(best, int) else None
        names = loss_names(seen)
        loss = [Line(names[0], seen.curve("loss"), marked=True)]
        loss.append(Line(names[1], seen.curve("validation_loss"), marked=True))
        said = f"Best epoch {best}." if best else "No epoch is over yet."
        self.loss.show_drawing(_by_epoch(loss, upright, said))
        lines = [
            Line(f"{part} {figure_words(name)}", seen.curve(f"{prefix}{name}"), marked=True)
            for part, prefix, figures in (
                ("training", "", ("accuracy", "dice")),  # first, so that training has one colour in both charts
                ("validation", "validation_", seen.figures()[:_MOST]),
            )
            for name in figures
        ]
        lines = [line for line in lines if line.points]
        low = bool(lines) and sum(line.points[-1][1] for line in lines) < 0.5 * len(lines)
        self.figures.place_legend((1.0, 0.0) if low else (1.0, 1.0))
        newest = ", ".join(f"{line.name} {line.points[-1][1]:.3f}" for line in lines if line.points)
        self.figures.show_drawing(_by_epoch(lines, upright, newest, (0.0, 1.0)))


def loss_names(seen: Seen) -> tuple[str, str]:
    """What the two losses are called: the one that training makes small, and the one that chooses the best epoch.

    They are different numbers of different things wherever their names differ, and no gap between them is one.
    """
    own = _LOSSES.get(str(seen.begun.get("objective", "")), "")
    if not own:
        return "training", "validation"
    return f"training ({own})", f"validation ({'1 - Dice' if 'dice' in seen.figures() else 'cross-entropy'})"


def _by_epoch(lines: list[Line], upright: float | None, words: str, of_y: tuple[float, float] | None = None) -> Drawing:
    points = [point for line in lines for point in line.points]
    xs = [x for x, _ in points] or [1.0]
    ys = [y for _, y in points] or [0.0, 1.0]
    room = max(0.05 * (max(ys) - min(ys)), 1e-3)
    of_y = of_y or (min(ys) - room, max(ys) + room)
    return Drawing(lines, upright=upright, words=words, range=((1.0, max(2.0, *xs)), of_y), whole=True)


Load = Callable[[Path, Callable[[QImage], None]], None]
"""Have a picture read outside the window's thread, and handed back."""


class EpochsView(QWidget):
    """Seed 2's pictures, an epoch at a time: each row one validation image, its truth, and what is outlined."""

    def __init__(self, load: Load) -> None:
        """No epoch yet."""
        super().__init__()
        self._load = load
        self._paths: tuple[Path, ...] = ()
        self.heading = wrapped("", "dim")
        self.picture = _Picture()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Epoch whose pictures are shown")
        self.slider.valueChanged.connect(self._show)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.heading)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self.slider)

    def show_paths(self, paths: tuple[Path, ...]) -> None:
        """Show an epoch more; whoever looks at an earlier one stays there."""
        if paths == self._paths:
            return
        newest = self.slider.value() >= len(self._paths) or not self._paths
        self._paths = paths
        self.slider.setRange(1, max(1, len(paths)))
        if newest or self.slider.value() > len(paths):
            self.slider.setValue(len(paths))
        self._show()

    @Slot()
    def _show(self) -> None:
        number = self.slider.value()
        if not 1 <= number <= len(self._paths):
            return
        path = self._paths[number - 1]
        said = f"After epoch {number} of {len(self._paths)}: image, truth, what is predicted"
        self.heading.setText(said)
        self.picture.setAccessibleName(said)
        self.slider.setAccessibleDescription(f"Epoch {number}")

        def loaded(image: QImage) -> None:
            if self._paths and path == self._paths[self.slider.value() - 1]:
                self.picture.show_image(image)

        self._load(path, loaded)


class _Picture(QLabel):
    """A picture as large as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = QPixmap()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.setMinimumSize(QSize(240, 260))

    def show_image(self, image: QImage) -> None:
        self._whole = QPixmap.fromImage(image)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._whole.isNull():
            return
        ratio = self.devicePixelRatioF()
        keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        shown = self._whole.scaled(self.size() * ratio, keep, smooth)
        shown.setDevicePixelRatio(ratio)
        self.setPixmap(shown)
