"""The page of drift: whether what a model sees now is what it was trained on, and how often it is overruled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from pathview.errors import PathViewError
from pathview.gui.job_runner import JobRunner
from pathview.gui.panels.progress import ProgressLine
from pathview.gui.session_handle import SessionHandle
from pathview.gui.wizard.parts import Table, count, wrapped
from pathview.jobs import CancelToken, Progress, ProgressSink
from pathview.settings import INVESTIGATIONAL

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.publishing.drift import Drift, Drifted
    from pathview.training.publishing.drift import Level as DriftLevel

_SIZE = QSize(1000, 720)
_LAST = 500
_TITLE = 24
"""Letters of a model's title that are seen at least."""
_ASK = (
    "Compares the scores, stains and pixel sizes of the newest analyses with those of the training, patient by "
    "patient, and how often readers overrule the model with how often it was wrong in its test."
)
_NO_MODEL = "There is no trained model here yet, so nothing can have drifted."
_CANCELLED = "Cancelled."
_BUG = "PathView has a bug here; what happened is in its log. Nothing that was saved is lost."
_VERDICTS: dict[DriftLevel, str] = {
    "ok": "Nothing has drifted.",
    "amber": "Something has moved: look at it.",
    "red": "It has drifted: measure the model anew before it is relied on.",
    "too_few": "There are too few patients yet to tell.",
}
_LEVELS: dict[DriftLevel, tuple[str, str]] = {
    "ok": ("as in training", "ok"),
    "amber": ("look at this", "amber"),
    "red": ("has drifted", "red"),
    "too_few": ("cannot tell", "amber"),
}


class DriftDialog(QDialog):
    """A model, how many of its newest images, and a line for each thing that may drift. It stays beside the window."""

    def __init__(self, handle: SessionHandle, parent: QWidget | None = None) -> None:
        """Read nothing until it is shown."""
        super().__init__(parent)
        self.setWindowTitle(f"Drift  ·  {INVESTIGATIONAL}")
        self._handle = handle
        self._runner = JobRunner("drift", self)
        self.model = QComboBox()
        self.model.setAccessibleName("Model")
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.model.setMinimumContentsLength(_TITLE)
        self.last = QSpinBox()
        self.last.setAccessibleName("Images, the newest")
        self.last.setRange(1, 100_000)
        self.last.setValue(_LAST)
        self.compare = QPushButton("&Compare with the training")
        self.compare.setObjectName("primary")
        self.compare.setDefault(True)
        self.compare.setEnabled(False)
        self.verdict = wrapped("", "verdict")
        self.said = wrapped(_ASK, "dim")
        self.table = Table("What was compared, in numbers", whole=True)
        self.progress = ProgressLine()
        self.lines: list[QFrame] = []
        self._lines = QVBoxLayout()
        self._lines.setSpacing(6)
        self._lay_out()
        self._show_nothing(_ASK)
        self.compare.clicked.connect(self.start)
        self.progress.cancelled.connect(self.cancel)
        self.resize(_SIZE.boundedTo(self.screen().availableSize()))

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        for part in (QLabel("Model"), self.model, QLabel("Newest images"), self.last, self.compare):
            top.addWidget(part, 1 if part is self.model else 0)
        content = QWidget()
        content.setObjectName("page")
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 8, 0)
        inner.setSpacing(10)
        inner.addWidget(self.verdict)
        inner.addWidget(self.said)
        inner.addLayout(self._lines)
        inner.addWidget(self.table)
        inner.addStretch(1)
        scroll = QScrollArea()
        scroll.setObjectName("page")
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        bottom = QHBoxLayout()
        notice = QLabel(f"{INVESTIGATIONAL}.")
        notice.setObjectName("dim")
        bottom.addWidget(notice, 1)
        bottom.addWidget(self.progress)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addLayout(top)
        layout.addWidget(scroll, 1)
        layout.addLayout(bottom)

    @property
    def busy(self) -> bool:
        """Whether something is being read or reckoned."""
        return self._runner.busy

    def end(self) -> None:
        """Stop what runs and end the thread; the window is not opened again."""
        self._runner.close()
        self.hide()

    def showEvent(self, event: QShowEvent) -> None:
        """Read which models there are."""
        super().showEvent(event)
        if not event.spontaneous():
            self._runner.submit(lambda *_: self._names(), self._show_names, self._failed)

    def reject(self) -> None:
        """Escape stops what runs; where nothing does, it closes."""
        if self.busy:
            self.cancel()
        else:
            super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what runs, and close."""
        self.cancel()
        self.hide()
        event.accept()

    @Slot()
    def cancel(self) -> None:
        """Stop comparing."""
        self._runner.cancel_all()

    def _names(self) -> tuple[tuple[str, str], ...]:
        """Title and name of each model."""
        return tuple(
            (model.title, model.name) for model in self._handle.get().catalogue.models() if model.folder is not None
        )

    def _show_names(self, names: Sequence[tuple[str, str]]) -> None:
        before = self.model.currentData()
        self.model.clear()
        for title, name in names:
            self.model.addItem(title, name)
        self.model.setCurrentIndex(max(0, self.model.findData(before)))
        self.compare.setEnabled(bool(names))
        if not names:
            self._show_nothing(_NO_MODEL)

    # comparing

    @Slot()
    def start(self) -> None:
        """Compare the newest images of the chosen model."""
        name, last = str(self.model.currentData()), self.last.value()

        def work(progress: ProgressSink, cancel: CancelToken) -> Drift:
            from pathview.training.publishing.drift import drift_of

            session = self._handle.get()
            model, database = session.catalogue.model(name), session.cases.database
            return drift_of(
                model, database, session.reader, last, session.training_engine, session.settings, progress, cancel
            )

        self._show_nothing("Reading the newest analyses ...")
        self.compare.setEnabled(False)
        self.progress.show_step(Progress(0, 0, "reading"))
        self._runner.submit(work, self.show_drift, self._failed, self.progress.show_step, self._ended)

    def _ended(self) -> None:
        self.compare.setEnabled(self.model.count() > 0)
        self.progress.show_step(None)
        if self.verdict.isHidden() and self.said.text().startswith("Reading"):
            self.said.setText(_CANCELLED)

    def _failed(self, error: Exception) -> None:
        self._show_nothing(str(error) if isinstance(error, PathViewError) else _BUG)

    def _show_nothing(self, said: str) -> None:
        self._clear()
        self.verdict.hide()
        self.table.hide()
        self.said.setText(said)

    def _clear(self) -> None:
        for line in self.lines:
            self._lines.removeWidget(line)
            line.deleteLater()
        self.lines = []

    def show_drift(self, found: Drift) -> None:
        """Show what was found, the worst first."""
        self._clear()
        version = f", version {found.version}" if found.version else ""
        self.verdict.setText(_VERDICTS[found.level])
        self.verdict.show()
        self.said.setText("\n".join([f"{found.model}{version}: {count(found.images, 'image')}.", *found.notices]))
        levels = {found.overruled.sentence: found.overruled.level}
        levels |= {row.sentence: row.level for row in found.quantities}
        for sentence in found.sentences:
            line = _Line(levels[sentence], sentence)
            self.lines.append(line)
            self._lines.addWidget(line)
        self.table.setVisible(bool(found.quantities))
        header = ("", "Patients in training", "now", "Median in training", "now", "Shift (PSI)", "Distance (KS)", "p")
        self.table.fill(header, [_cells(row) for row in found.quantities])


class _Line(QFrame):
    """One thing that may drift: its level as a word and a colour, and its sentence."""

    def __init__(self, level: DriftLevel, sentence: str) -> None:
        super().__init__()
        words, color = _LEVELS[level]
        self.setObjectName("finding")
        self.setProperty("level", color)
        said = QLabel(words)
        said.setObjectName("level")
        said.setProperty("level", color)
        said.setFixedWidth(said.fontMetrics().averageCharWidth() * 18)
        told = wrapped(sentence)
        told.setAccessibleName(f"{words}: {sentence}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 7, 8, 7)
        layout.addWidget(said, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(told, 1)


def _cells(row: Drifted) -> tuple[str, ...]:
    numbers = (row.then_median, row.now_median, row.psi, row.ks)
    told = [f"{value:.3g}" if value is not None else "-" for value in numbers]
    told.append(f"{row.p:.2g}" if row.p is not None else "-")
    return (row.title, f"{row.then_patients:,}", f"{row.now_patients:,}", *told)
