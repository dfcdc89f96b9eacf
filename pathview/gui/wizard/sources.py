"""The list of a plan's sources, and how the patient is told from a file's name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.wizard.base_page import dim
from pathview.training.data.samples import absolute
from pathview.training.runs.plan import PlannedTask, Source, SourceKind

PATTERNS: Mapping[str, str] = {
    "As table or layout tell": "",
    "The folder that it lies in": r"(?:^|/)([^/]+)/[^/]+$",
    "The first folder": r"^([^/]+)/",
    "Its name up to the first _": r"(?:^|/)([^/_]+)_[^/]*$",
    "Its name up to the first -": r"(?:^|/)([^/-]+)-[^/]*$",
}
"""Where a file's path names its patient, in words and as the pattern that a source keeps."""
_OWN = "By a pattern of my own"
_STORE: Mapping[SourceKind, tuple[str, str]] = {
    "decisions": ("&Decisions on cases", "Decisions of the store"),
    "answers": ("&Answers of the gallery", "Answers of the gallery"),
    "annotations": ("A&nnotations", "Annotations of the store"),
}


def patient_words(pattern: str, files: Iterable[Path], base: Path) -> str:
    """What a pattern makes of some files of a source, in a sentence."""
    try:
        found = re.compile(pattern)
    except re.error as error:
        return f"This is no pattern: {error.msg}."
    if not found.groups:
        return "The pattern needs parentheses around what names the patient."
    inner = [(file.relative_to(base) if file.is_relative_to(base) else file).as_posix() for file in files]
    if not inner:
        return "It is tried when the data are looked through."
    matches = [match for path in inner if (match := found.search(path))]
    if not matches:
        return "It fits no file of this source."
    return (
        f"It fits {len(matches):,} of {len(inner):,} files, {len({m.group(1) for m in matches}):,} patients: "
        + ", ".join(dict.fromkeys(str(match.group(1)) for match in matches[:40]))[:60]
    )


class SourcesPanel(QWidget):
    """Add and remove; what is chosen can be told how its files name their patients."""

    changed = Signal(object)
    """The sources, a tuple of :class:`Source`."""

    def __init__(self) -> None:
        """No source."""
        super().__init__()
        self._sources: tuple[Source, ...] = ()
        self._files: tuple[Path, ...] = ()
        self.list = QListWidget()
        self.list.setObjectName("sources")
        self.list.setAccessibleName("Sources of labelled images")
        self.list.setMaximumHeight(110)
        self.folder = _button("Add &folder...", "By class, images with masks, BreakHis, IDC patches, CBIS-DDSM")
        self.table = _button("Add &table...", "A csv with the columns file, patient, label, and mask")
        self.store = _button("From the st&ore", "What was decided, answered and drawn in this program")
        self.remove = _button("&Remove", "The chosen source; the files stay")
        self._actions = self._make_menu()
        self.patient = QComboBox()
        self.patient.setAccessibleName("What tells the patient")
        for words, pattern in PATTERNS.items():
            self.patient.addItem(words, pattern)
        self.patient.addItem(_OWN)
        self.pattern = QLineEdit()
        self.pattern.setAccessibleName("Pattern with parentheses around the patient")
        self.pattern.setPlaceholderText(r"for instance (\d+)_")
        self.fits = dim("")
        self._lay_out()
        self.folder.clicked.connect(self._ask_folder)
        self.table.clicked.connect(self._ask_table)
        self.remove.clicked.connect(self._remove)
        self.list.currentRowChanged.connect(self._show_chosen)
        self.patient.activated.connect(self._on_patient)
        self.pattern.editingFinished.connect(self._on_pattern)
        self.pattern.textEdited.connect(self._show_fits)

    def _make_menu(self) -> dict[SourceKind, QAction]:
        menu = QMenu(self)
        actions = {}
        for kind, (words, _) in _STORE.items():
            action = menu.addAction(words)
            action.triggered.connect(lambda _=False, kind=kind: self.add(Source(kind=kind)))
            actions[kind] = action
        self.store.setMenu(menu)
        return actions

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.folder, self.table, self.store, self.remove):
            buttons.addWidget(button)
        buttons.addStretch(1)
        told = QHBoxLayout()
        self._label = QLabel("Pati&ent:")
        self._label.setBuddy(self.patient)
        for part in (self._label, self.patient):
            told.addWidget(part)
        told.addWidget(self.pattern, 1)
        told.addStretch(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self.list)
        layout.addLayout(told)
        layout.addWidget(self.fits)

    # what is shown

    def show_sources(self, sources: tuple[Source, ...], task: PlannedTask, files: tuple[Path, ...]) -> None:
        """Show sources; ``files``: some that were found, to try patterns on."""
        self._files = files
        outlines = task != "classification"
        self._actions["decisions"].setEnabled(not outlines)
        self._actions["answers"].setEnabled(not outlines)
        if sources != self._sources or self.list.count() != len(sources):
            row = self.list.currentRow()
            self._sources = sources
            self.list.blockSignals(True)
            self.list.clear()
            for source in sources:
                item = QListWidgetItem(source_words(source), self.list)
                item.setToolTip(str(source.path or ""))
            self.list.setCurrentRow(min(row, len(sources) - 1) if row >= 0 else len(sources) - 1)
            self.list.blockSignals(False)
        self.remove.setEnabled(bool(sources))
        self._show_chosen()

    @property
    def chosen(self) -> Source | None:
        """The source that is chosen."""
        row = self.list.currentRow()
        return self._sources[row] if 0 <= row < len(self._sources) else None

    @Slot()
    def _show_chosen(self) -> None:
        source = self.chosen
        of_files = source is not None and source.kind == "files"
        for part in (self._label, self.patient, self.fits):
            part.setVisible(of_files)
        if source is None or not of_files:
            self.pattern.hide()
            return
        index = self.patient.findData(source.patient_pattern)
        own = index < 0 or (self.patient.currentText() == _OWN and not source.patient_pattern)
        self.patient.setCurrentIndex(self.patient.count() - 1 if own else index)
        if not self.pattern.hasFocus():
            self.pattern.setText(source.patient_pattern)
        self.pattern.setVisible(own)
        self._show_fits()

    @Slot()
    def _show_fits(self) -> None:
        source = self.chosen
        if source is None or source.path is None:
            return
        pattern = self.pattern.text() if self.patient.currentText() == _OWN else str(self.patient.currentData())
        base = source.path if not source.path.suffix else source.path.parent
        mine = [file for file in self._files if file.is_relative_to(base)]
        self.fits.setText(patient_words(pattern, mine, base) if pattern else "")
        self.fits.setVisible(bool(self.fits.text()))

    # what the reader does

    def add(self, source: Source) -> None:
        """Add a source, unless it is there."""
        if all((one.kind, one.path) != (source.kind, source.path) for one in self._sources):
            self._change((*self._sources, source), len(self._sources))

    def _change(self, sources: tuple[Source, ...], row: int) -> None:
        self.changed.emit(sources)
        self.list.setCurrentRow(max(0, min(row, len(sources) - 1)))

    @Slot()
    def _remove(self) -> None:
        row = self.list.currentRow()
        self._change(tuple(one for number, one in enumerate(self._sources) if number != row), row)

    @Slot()
    def _ask_folder(self) -> None:
        if name := QFileDialog.getExistingDirectory(self, "A folder of labelled images"):
            self.add(Source(path=absolute(Path(name))))

    @Slot()
    def _ask_table(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "A table of labelled images", "", "Tables (*.csv)")
        if name:
            self.add(Source(path=absolute(Path(name))))

    @Slot()
    def _on_patient(self) -> None:
        own = self.patient.currentText() == _OWN
        self.pattern.setVisible(own)
        if own:
            self.pattern.setFocus(Qt.FocusReason.OtherFocusReason)
            self._show_fits()
        else:
            self._set_pattern(str(self.patient.currentData()))

    @Slot()
    def _on_pattern(self) -> None:
        self._set_pattern(self.pattern.text().strip())

    def _set_pattern(self, pattern: str) -> None:
        source, row = self.chosen, self.list.currentRow()
        if source is not None and source.patient_pattern != pattern:
            told = source.model_copy(update={"patient_pattern": pattern})
            self._change((*self._sources[:row], told, *self._sources[row + 1 :]), row)


def source_words(source: Source) -> str:
    """A source in the list."""
    if source.path is None:
        return _STORE[source.kind][1]
    kind = "Table" if source.path.suffix else "Folder"
    return f"{kind}  {source.path.name}   in {source.path.parent}"


def _button(words: str, tip: str) -> QPushButton:
    button = QPushButton(words)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    return button
