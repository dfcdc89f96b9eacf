"""What the window says outside its panels: the banner, the empty state, the keyboard help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.actions import ACTIONS, MENUS, ActionSpec, Keys, key_words, keys_in_use, plain_text, without_mnemonic
from pathview.gui.preferences import MouseMap, Preferences

_LIST_HEIGHT = 130


class Banner(QWidget):
    """One line above the canvas; stays until it is closed or replaced. Several sentences open into a list."""

    def __init__(self) -> None:
        """Hidden."""
        super().__init__()
        self.setObjectName("banner")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._words = QLabel("")
        self._words.setWordWrap(True)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._more = QPushButton("")
        self._more.setFlat(True)
        self._more.setCheckable(True)
        self._more.toggled.connect(self._show_all)
        self._list = QPlainTextEdit()
        self._list.setReadOnly(True)
        self._list.setFixedHeight(_LIST_HEIGHT)
        self._list.setAccessibleName("All messages")
        self._way = QPushButton("")
        self._way.clicked.connect(self._go)
        self._action: QAction | None = None
        close = QPushButton("Close")
        close.setFlat(True)
        close.clicked.connect(self.hide)
        top = QHBoxLayout()
        top.addWidget(self._words, 1)
        top.addWidget(self._way)
        top.addWidget(self._more)
        top.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 6, 8, 6)
        layout.addLayout(top)
        layout.addWidget(self._list)
        self.hide()

    def say(self, text: str) -> None:
        """Show a sentence."""
        self.say_all([text])

    def say_all(self, sentences: Sequence[str]) -> None:
        """Show the first of several sentences; the others can be opened."""
        self._offer(None)
        self._words.setText(sentences[0])
        self.setAccessibleName(sentences[0])
        self._list.setPlainText("\n".join(sentences))
        self._more.setText(f"{len(sentences) - 1} more")
        self._more.setVisible(len(sentences) > 1)
        self._more.setChecked(False)
        self._list.hide()
        self.show()

    def offer(self, text: str, action: QAction) -> None:
        """Show a sentence, and beside it what can be done about it."""
        self.say(text)
        self._offer(action)

    @property
    def text(self) -> str:
        """What is shown, or nothing while hidden."""
        return "" if self.isHidden() else self._words.text()

    def _offer(self, action: QAction | None) -> None:
        self._action = action
        self._way.setVisible(action is not None)
        self._way.setText(without_mnemonic(action.text()) if action is not None else "")

    def _go(self) -> None:
        if self._action is not None:
            self.hide()
            self._action.trigger()

    def _show_all(self, on: bool) -> None:
        self._list.setVisible(on)


_FIRST = (
    "Open images to begin",
    "or drag them, or a folder of them, onto this window.\n\n"
    "DICOM mammograms, whole slides, camera images, or a folder of 50 × 50 patches.\n"
    "They are listed in the worklist on the left; nothing leaves this computer.",
)
_BETWEEN = (
    "No case is open",
    "The list on the left has none: choose another list or state above it, or clear the search.\n"
    "Or open images, or drag them onto this window.",
)
"""Title and words, for somebody new and for somebody between two lists."""


class EmptyState(QWidget):
    """What stands where images would: what to do first, or next."""

    open_files = Signal()
    open_folder = Signal()
    open_recent = Signal(str)
    open_samples = Signal()

    def __init__(self) -> None:
        """Shown while there is no case."""
        super().__init__()
        self.title, self.words = QLabel(""), QLabel("")
        self.title.setObjectName("title")
        self.words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.words.setObjectName("dim")
        files = QPushButton("Open images...  (Ctrl+O)")
        files.setObjectName("primary")
        folder = QPushButton("Open folder...  (Ctrl+Shift+O)")
        files.clicked.connect(self.open_files)
        folder.clicked.connect(self.open_folder)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(files)
        row.addWidget(folder)
        row.addStretch(1)
        self._steps = QLabel(
            "1.  Open images.    2.  Analyse (A).    3.  Look where the model is not sure.    4.  Decide: P, N or C."
        )
        self._steps.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._samples = QPushButton("No images at hand? Open sample phantoms")
        self._samples.setFlat(True)
        self._samples.clicked.connect(self.open_samples)
        self._recent = QVBoxLayout()
        self._recent.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.addStretch(3)
        layout.addWidget(self.title, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addSpacing(10)
        layout.addLayout(row)
        layout.addSpacing(6)
        layout.addWidget(self.words, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addSpacing(18)
        layout.addWidget(self._steps, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self._samples, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addSpacing(18)
        layout.addLayout(self._recent)
        layout.addStretch(4)
        self.show_first(True)

    def show_first(self, first: bool) -> None:
        """Say what to do first, or, where the store has cases and none is open, what to do next."""
        title, words = _FIRST if first else _BETWEEN
        self.title.setText(title)
        self.words.setText(words)
        for part in (self._steps, self._samples):
            part.setVisible(first)

    def show_recent(self, paths: list[str]) -> None:
        """Offer what was opened lately."""
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for path in paths:
            button = QPushButton(_shortened(path))
            button.setFlat(True)
            button.setToolTip(path)
            button.setProperty("path", path)
            button.clicked.connect(self._on_recent)
            self._recent.addWidget(button)

    def _on_recent(self) -> None:
        self.open_recent.emit(str(self.sender().property("path")))


_COLUMNS = 3
_HELP_SIZE = QSize(1240, 900)
"""At most; what does not fit is scrolled to."""


class KeyboardHelp(QDialog):
    """All keys as they are set, made from the table of actions."""

    def __init__(self, parent: QWidget, preferences: Preferences | None = None) -> None:
        """Fill from the table, and from what the reader has set otherwise."""
        super().__init__(parent)
        self.setWindowTitle("Keyboard")
        keys = keys_in_use(preferences.keys if preferences else None)
        inside = QWidget()
        inside.setObjectName("panel")  # on the window's own grey the light theme's keys have 4.49 : 1
        columns = QHBoxLayout(inside)
        columns.setSpacing(36)
        for names in _balanced({name: rows for name in MENUS if (rows := _rows(name, keys))}):
            columns.addLayout(_key_column(names, keys), 1)
        mouse = QLabel((preferences.mouse if preferences else MouseMap()).words())
        mouse.setWordWrap(True)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())  # the style's own is dark on dark
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll, 1)
        layout.addWidget(mouse)
        layout.addWidget(buttons)
        room = self.screen().availableSize().boundedTo(_HELP_SIZE)
        self.setMaximumHeight(_HELP_SIZE.height())
        self.resize((inside.sizeHint() + QSize(50, 130)).boundedTo(room))


def _rows(menu: str, keys: Keys) -> list[ActionSpec]:
    return [spec for spec in ACTIONS if spec.menu == menu and keys[spec.id]]


def _balanced(menus: Mapping[str, Sequence[ActionSpec]]) -> list[tuple[str, ...]]:
    """Menus in columns, in their order, so that the longest column is as short as it can be."""
    names = tuple(menus)
    heights = [len(menus[name]) + 2 for name in names]
    cuts = combinations(range(1, len(names)), min(_COLUMNS, len(names)) - 1)
    ways = [[slice(a, b) for a, b in pairwise((0, *cut, len(names)))] for cut in cuts]
    best = min(ways, key=lambda way: sorted((sum(heights[part]) for part in way), reverse=True))
    return [names[part] for part in best]


def _key_column(names: Sequence[str], keys: Keys) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(18)
    grid.setVerticalSpacing(6)
    for name in names:
        heading = QLabel(name)
        heading.setObjectName("heading")
        heading.setIndent(0)
        if name != names[0]:
            grid.setRowMinimumHeight(grid.rowCount(), 4)
        grid.addWidget(heading, grid.rowCount(), 0, 1, 2)
        for spec in _rows(name, keys):
            row = grid.rowCount()
            words = QLabel("  or  ".join(map(key_words, keys[spec.id])))
            words.setObjectName("key")
            grid.addWidget(words, row, 0)
            grid.addWidget(QLabel(plain_text(spec)), row, 1)
    grid.setRowStretch(grid.rowCount(), 1)
    grid.setColumnStretch(1, 1)
    return grid


def _shortened(path: str) -> str:
    return path if len(path) <= 60 else f"...{path[-57:]}"
