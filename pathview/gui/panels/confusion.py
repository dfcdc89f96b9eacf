"""The classes that tiles or images were given against the predicted ones, each cell a way to them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from pathview.results.confusion import Confusion

_EMPTY = "No classes are given with this image. Patches named <patient>_x<X>_y<Y>_class<C>.png carry theirs."
_OF_ONE = "Tiles of one patient, so no interval is given."


class ConfusionPanel(QWidget):
    """A row for each given class, a column for each predicted one; follows the threshold."""

    cell_chosen = Signal(int, int)
    """Given and predicted class, as indices."""

    def __init__(self, things: str = "tiles", note: str = _OF_ONE, empty: str = _EMPTY) -> None:
        """Nothing to show.

        Args:
            things: what is counted.
            note: what must be known beside the figures.
            empty: what is said where there is nothing to show.
        """
        super().__init__()
        self._things, self._note = things, note
        self.setObjectName("panel")
        self._heading = QLabel("Given and predicted")
        self._heading.setObjectName("heading")
        self._heading.setIndent(0)
        self._words = QLabel("")
        self._words.setWordWrap(True)
        self._notes = QLabel("")
        self._notes.setObjectName("dim")
        self._notes.setWordWrap(True)
        self._empty = QLabel(empty)
        self._empty.setObjectName("dim")
        self._empty.setWordWrap(True)
        self._classes: tuple[str, ...] = ()
        self._cells: list[list[QPushButton]] = []
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self._on_cell)
        self._table = QWidget()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(10, 8, 10, 10)
        self._layout.setSpacing(6)
        for widget in (self._heading, self._empty, self._table, self._words, self._notes):
            self._layout.addWidget(widget)
        self._layout.addStretch(1)
        self.show_confusion(None)

    def show_confusion(self, found: Confusion | None, caution: str = "") -> None:
        """Show counts; cells are made anew only where the classes are others.

        Args:
            found: at the threshold; None: the image carries no given classes, or has no result.
            caution: what a reader must know beside the figures, such as that the model was trained on the image.
        """
        there = found is not None and found.total > 0
        self._empty.setVisible(not there)
        for widget in (self._table, self._words, self._notes):
            widget.setVisible(there)
        if found is None or not there:
            return
        if found.classes != self._classes:
            self._make_cells(found.classes)
        for given, row in enumerate(found.matrix):
            for predicted, count in enumerate(row):
                self._fill(given, predicted, count, sum(row))
        self._words.setText(_accuracy_words(found, self._things.removesuffix("s")))
        self._notes.setText(self._all_notes(found, caution))

    def clear_choice(self) -> None:
        """No cell is chosen any more."""
        self._group.setExclusive(False)
        for button in self._group.buttons():
            button.setChecked(False)
        self._group.setExclusive(True)

    def _fill(self, given: int, predicted: int, count: int, of_row: int) -> None:
        button = self._cells[given][predicted]
        share = f"{100 * count / of_row:.0f} %" if of_row else "-"
        button.setText(f"{count:,}\n{share}")
        words = f"Given {self._classes[given]}, predicted {self._classes[predicted]}"
        button.setAccessibleName(f"{words}: {count} {self._things}, {share} of those given so")
        button.setToolTip(f"{words}: show the {count:,} {self._things}" if count else f"{words}: none")
        button.setEnabled(count > 0)

    def _all_notes(self, found: Confusion, caution: str) -> str:
        notes = [note for note in (caution, self._note) if note]
        if found.not_analysed:
            notes.append(f"{found.not_analysed:,} {self._things} were not analysed and are not counted.")
        return " ".join(notes)

    def _make_cells(self, classes: tuple[str, ...]) -> None:
        for button in self._group.buttons():
            self._group.removeButton(button)
        self._classes = classes
        table = QWidget()
        grid = QGridLayout(table)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        predicted = QLabel("predicted")
        predicted.setObjectName("dim")
        grid.addWidget(predicted, 0, 1, 1, len(classes), Qt.AlignmentFlag.AlignCenter)
        self._cells = []
        for row, name in enumerate(classes):
            grid.addWidget(_header(name), 1, row + 1, Qt.AlignmentFlag.AlignCenter)
            given = _header(f"given\n{name}")
            given.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(given, row + 2, 0)
            self._cells.append([self._cell(row, column) for column in range(len(classes))])
            for column, button in enumerate(self._cells[-1]):
                grid.addWidget(button, row + 2, column + 1)
                grid.setColumnStretch(column + 1, 1)
        self._layout.insertWidget(self._layout.indexOf(self._table), table)
        self._layout.removeWidget(self._table)
        self._table.deleteLater()
        self._table = table

    def _cell(self, given: int, predicted: int) -> QPushButton:
        button = QPushButton("")
        button.setCheckable(True)
        button.setObjectName("imageButton")
        button.setProperty("state", "new" if given == predicted else "not_sure")
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setMinimumSize(64, 48)
        self._group.addButton(button, given * len(self._classes) + predicted)
        return button

    @Slot(int)
    def _on_cell(self, number: int) -> None:
        self.cell_chosen.emit(*divmod(number, len(self._classes)))


def _header(words: str) -> QLabel:
    label = QLabel(words)
    label.setObjectName("dim")
    return label


def _accuracy_words(found: Confusion, thing: str) -> str:
    sums = [sum(row) for row in found.matrix]
    most = found.classes[sums.index(max(sums))]
    if min(sums) == 0 and len(sums) == 2:
        return f"Accuracy {found.accuracy:.3f}. All were given {most}: calling every {thing} so would have 1.000."
    return f"Accuracy {found.accuracy:.3f}. Calling every {thing} {most} would have {found.majority:.3f}."
