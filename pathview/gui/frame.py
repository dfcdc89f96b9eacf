"""The window's frame: what stands where, and how wide it was last time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QEvent, QObject, QSettings, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QMainWindow, QScrollArea, QSizePolicy, QSplitter, QStackedWidget, QVBoxLayout, QWidget

_SIZE, _FRAME = QSize(1600, 950), QSize(8, 40)
"""What a first window takes, and what its frame does."""
_WIDTHS = (300, 1090, 340)
_LEFT, _RIGHT = 250, 310
"""As narrow as the columns can be made."""
_LEAST_MODEL, _LEAST_DECISION = 150, 200
"""Heights in the right column below which its two parts are not squeezed: enough for the verdict, and for an answer."""
_LAID_OUT = (QEvent.Type.LayoutRequest, QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.Resize)


class _Middle(QWidget):
    """The banner lies over what it is about: were it laid out above, the picture would move under the mouse."""

    def __init__(self, stack: QWidget, banner: QWidget, bar: QWidget) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(stack)
        self._banner, self._bar = banner, bar
        banner.setParent(self)
        banner.hide()  # Qt forgets that over the new parent
        for part in (banner, bar):
            part.installEventFilter(self)

    def eventFilter(self, part: QObject, event: QEvent) -> bool:
        if event.type() in _LAID_OUT:
            self._place()
        return super().eventFilter(part, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        top = self._bar.height() if self._bar.isVisibleTo(self) else 0
        height = self._banner.heightForWidth(self.width())
        self._banner.setGeometry(0, top, self.width(), max(height, self._banner.minimumSizeHint().height()))
        if (laid_out := self._banner.layout()) is not None:  # which is as it was made until the banner is shown again
            laid_out.setGeometry(self._banner.rect())
        self._banner.raise_()


class _Fitting(QScrollArea):
    """As high as what it holds where there is room; else it is scrolled, and nothing of it is cut off."""

    def __init__(self, inside: QWidget) -> None:
        super().__init__()
        self._inside = inside
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        inside.installEventFilter(self)

    def sizeHint(self) -> QSize:
        inside = self._inside
        width = max(self.viewport().width(), inside.minimumSizeHint().width())
        height = inside.heightForWidth(width) if inside.hasHeightForWidth() else inside.sizeHint().height()
        return QSize(inside.sizeHint().width(), height)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._inside.minimumSizeHint().width(), min(_LEAST_DECISION, self.sizeHint().height()))

    def eventFilter(self, part: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(part, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()  # its words wrap elsewhere


class Frame:
    """Three columns; the middle one is the empty state or the light box with what stands under it."""

    def __init__(
        self,
        window: QMainWindow,
        left: Sequence[QWidget],
        banner: QWidget,
        empty: QWidget,
        viewer: QWidget,
        bar: QWidget,
        lower: Sequence[QWidget],
        model: Sequence[QWidget],
        decision: QWidget,
    ) -> None:
        """Lay the parts out in a window; ``bar``: the viewer's uppermost line, which no banner covers."""
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
        middle, right = _Middle(self._stack, banner, bar), _model_column(model, decision)
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


def _model_column(model: Sequence[QWidget], decision: QWidget) -> QWidget:
    """What is said of the case, which is scrolled where it is long, over what the reader says, likewise."""
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
    scroll.setMinimumHeight(_LEAST_MODEL)
    scroll.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)  # it takes what is left
    column = QWidget()
    column.setObjectName("panel")
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(scroll, 1)
    layout.addWidget(_Fitting(decision))
    return column
