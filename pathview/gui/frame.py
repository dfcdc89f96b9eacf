"""The window's frame: what stands where, and how wide it was last time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QSettings, QSize, Qt
from PySide6.QtWidgets import QMainWindow, QScrollArea, QSplitter, QStackedWidget, QVBoxLayout, QWidget

_SIZE, _FRAME = QSize(1600, 950), QSize(8, 40)
"""What a first window takes, and what its frame does."""
_WIDTHS = (300, 1090, 340)
_LEFT, _RIGHT = 250, 310
"""As narrow as the columns can be made."""


class Frame:
    """Three columns; the middle one is the empty state or the light box with what stands under it."""

    def __init__(
        self,
        window: QMainWindow,
        left: Sequence[QWidget],
        banner: QWidget,
        empty: QWidget,
        viewer: QWidget,
        lower: Sequence[QWidget],
        model: Sequence[QWidget],
        decision: QWidget,
    ) -> None:
        """Lay the parts out in a window."""
        self._window = window
        self._stack = QStackedWidget()
        self._stack.addWidget(empty)
        self.lower = _splitter(Qt.Orientation.Horizontal, lower, (800, 300))
        """What stands under the viewer, hidden at first."""
        self.lower.hide()
        upright = _splitter(Qt.Orientation.Vertical, (viewer, self.lower), (500, 400))
        upright.setStretchFactor(0, 1)
        self._stack.addWidget(upright)
        self.left = _splitter(Qt.Orientation.Vertical, left, (500, 420))
        """Worklist over study."""
        self.left.setChildrenCollapsible(False)
        self.left.setMinimumWidth(_LEFT)
        middle, right = _column((banner, self._stack)), _model_column(model, decision)
        right.setMinimumWidth(_RIGHT)
        self.columns = _splitter(Qt.Orientation.Horizontal, (self.left, middle, right), _WIDTHS)
        """Worklist, viewer, and model with decision."""
        self.columns.setStretchFactor(1, 1)
        self.columns.setCollapsible(1, False)
        window.setCentralWidget(self.columns)

    def show_empty(self, empty: bool) -> None:
        """Show what a newcomer sees, or the light box."""
        self._stack.setCurrentIndex(0 if empty else 1)

    def restore(self, kept: QSettings) -> None:
        """As it was left; at first as large as fits."""
        if isinstance(geometry := kept.value("geometry"), QByteArray):
            self._window.restoreGeometry(geometry)
        else:
            self._window.resize(_SIZE.boundedTo(self._window.screen().availableSize() - _FRAME))
        for key, splitter in (("splitter", self.columns), ("left", self.left)):
            if isinstance(state := kept.value(key), QByteArray):
                splitter.restoreState(state)

    def keep(self, kept: QSettings) -> None:
        """Remember how it is left."""
        kept.setValue("geometry", self._window.saveGeometry())
        kept.setValue("splitter", self.columns.saveState())
        kept.setValue("left", self.left.saveState())


def _splitter(orientation: Qt.Orientation, parts: Sequence[QWidget], sizes: Sequence[int]) -> QSplitter:
    splitter = QSplitter(orientation)
    for part in parts:
        splitter.addWidget(part)
    splitter.setSizes(list(sizes))
    return splitter


def _column(parts: tuple[QWidget, QWidget]) -> QWidget:
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    layout.addWidget(parts[0])
    layout.addWidget(parts[1], 1)
    return column


def _model_column(model: Sequence[QWidget], decision: QWidget) -> QWidget:
    """What is said of the case, which is scrolled where it is long, over what the reader says."""
    said = QWidget()
    said.setObjectName("panel")
    above = QVBoxLayout(said)
    above.setContentsMargins(0, 0, 0, 0)
    above.setSpacing(0)
    for part in model:
        above.addWidget(part)
    above.addStretch(1)
    scroll = QScrollArea()
    scroll.setWidget(said)
    scroll.setWidgetResizable(True)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    column = QWidget()
    column.setObjectName("panel")
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(scroll, 1)
    layout.addWidget(decision)
    return column
