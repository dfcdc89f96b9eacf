"""What every page of the wizard shares: heading, content, the reason why it cannot be left yet, and its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
    QWizard,
    QWizardPage,
)

from pathview.gui.job_runner import Job, Work
from pathview.gui.panels.progress import ProgressLine
from pathview.gui.theme import Theme
from pathview.gui.wizard.state import Run, told
from pathview.jobs import Progress

_BUSY = "Wait until this is finished, or stop it."
_STOPPED = "Stopped."
_LOCKED = "A training has begun on this, so it stays as it is; for something else start a new training."
_SHOW_AFTER_MS = 250
"""Work that is shorter shows no progress; it would only flicker."""


class BasePage(QWizardPage):
    """One step: it fills :attr:`body`, shows the run in :meth:`refresh`, and says in :meth:`problem` what is missing.

    Order of calls: ``refresh`` whenever plan or data change while the page is shown, and once before; ``enter`` each
    time it is gone to, forward or back; ``leaving`` when Next is pressed and there is no problem.
    """

    name: ClassVar[str]
    """What the run's folder remembers the page by."""
    step: ClassVar[str]
    """In the list of steps: one or two words."""
    heading: ClassVar[str]
    words: ClassVar[str] = ""
    """What is done here, in a sentence or two."""
    locks: ClassVar[bool] = False
    """Whether nothing can be changed here once a training has begun on the data."""

    def __init__(self, run: Run, theme: Theme) -> None:
        """Heading, an empty body, and the line of reasons."""
        super().__init__()
        self.run, self.theme = run, theme
        self._job: Job | None = None
        self._left = False
        self._tried = False
        self._error = ""
        self.said = QLabel("")
        """Why the next step is refused."""
        self.said.setWordWrap(True)
        self.said.setObjectName("dim")
        self.said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.progress = ProgressLine("Sto&p")
        self.progress.cancelled.connect(self.stop)
        self._lay_out()
        self._slow = QTimer(self)
        self._slow.setSingleShot(True)
        self._slow.setInterval(_SHOW_AFTER_MS)
        self._slow.timeout.connect(self._show_first_step)
        self._step = Progress(0, 0, "")
        run.changed.connect(self._on_change)
        run.known_changed.connect(self._on_change)

    def _lay_out(self) -> None:
        title = QLabel(self.heading)
        title.setObjectName("heading")
        title.setIndent(0)
        title.setWordWrap(True)
        self._content = content = QWidget()
        content.setObjectName("page")
        self.body = QVBoxLayout(content)
        self.body.setContentsMargins(0, 4, 10, 4)
        self.body.setSpacing(10)
        self.scrolled = QScrollArea()
        self.scrolled.setObjectName("page")
        self.scrolled.setWidget(content)
        self.scrolled.setWidgetResizable(True)
        self.scrolled.setFrameShape(QFrame.Shape.NoFrame)
        self.scrolled.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        below = QHBoxLayout()
        below.addWidget(self.said, 1)
        below.addWidget(self.progress)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 14, 8, 6)
        layout.addWidget(title)
        if self.words:
            layout.addWidget(dim(self.words))
        layout.addWidget(self.scrolled, 1)
        layout.addLayout(below)

    # what a page says of itself

    def refresh(self) -> None:
        """Show the plan and the data as they are; quick, and no file is read here."""

    def enter(self) -> None:
        """The page is shown: forward, back, or continued."""

    def exit(self) -> None:
        """The page is left, forward or back, or the wizard is closed at it."""

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.theme = theme

    def closing_words(self) -> str:
        """What is asked before the wizard is closed while this page's work runs."""
        return "Something still runs. If the wizard is closed it is stopped; everything that was chosen is kept."

    def problem(self) -> str:
        """Why the next step is refused, in one sentence; empty: it is not. Quick, and no file is read here."""
        return ""

    def leaving(self) -> Work | None:
        """Work that has to succeed before the next page comes; None: there is none."""
        return None

    def left(self, result: Any) -> None:
        """That work came to this."""

    @property
    def doubt(self) -> str:
        """What was found on this page against the model, in a sentence; empty: nothing."""
        return self.run.doubts.get(self.name, "")

    @property
    def mark(self) -> str:
        """Beside the page in the list of steps once it is done."""
        return "\N{WARNING SIGN}" if self.doubt else "✓"

    # going on

    def shown(self) -> None:
        """Called by the frame each time the page is gone to."""
        self._left = self._tried = False
        self._error = ""
        self._show()
        onward = QWizard.WizardButton.FinishButton if self.isFinalPage() else QWizard.WizardButton.NextButton
        self.wizard().button(onward).setFocus()
        self.enter()
        self.tell()

    @property
    def current(self) -> bool:
        """Whether it is this page that is shown."""
        wizard = self.wizard()
        return wizard is not None and wizard.currentPage() is self

    @Slot()
    def _on_change(self) -> None:
        if self.current:
            self._error = ""
            self._show()
            self.tell()

    def _show(self) -> None:
        self._content.setEnabled(not self.locked)
        self.refresh()

    @property
    def locked(self) -> bool:
        """Whether what is chosen here stays, since a training has begun on it."""
        return self.locks and self.run.known.begun

    def validatePage(self) -> bool:
        """Whether the next page may come; where not, the reason is shown."""
        if self._left:
            self._left = False
            return True
        self._tried = True
        if self.working or (self.problem() and not self.locked):
            self.tell()
            self._alert()
            return False
        work = None if self.locked else self.leaving()
        if work is None:
            return True
        self.start(work, self._go_on)
        return False

    def _go_on(self, result: Any) -> None:
        self.left(result)
        self._left = True
        self.wizard().next()

    @Slot()
    def tell(self) -> None:
        """Show why the next step is refused, or nothing."""
        words = self._error or self._reason()
        loud = bool(self._error) or (self._tried and bool(words) and not self.locked)
        if self.said.text() != words:
            self.said.setText(words)
            self.said.setAccessibleName(words)
        if self.said.objectName() != (name := "problem" if loud else "dim"):
            self.said.setObjectName(name)
            self.said.style().unpolish(self.said)
            self.said.style().polish(self.said)
        self.completeChanged.emit()

    def _reason(self) -> str:
        if self.locked:
            return _LOCKED
        if self.working:
            return _BUSY if self._tried else ""
        return self.problem()

    def fail(self, words: str) -> None:
        """Say what went wrong, until something changes."""
        self._error = words
        self.tell()
        self._alert()

    def _alert(self) -> None:
        QAccessible.updateAccessibility(QAccessibleEvent(self.said, QAccessible.Event.Alert))

    # work

    @property
    def working(self) -> bool:
        """Whether this page's work runs."""
        return self._job is not None

    def start(self, work: Work, done: Callable[[Any], None], words: str = "") -> None:
        """Run a job with its progress shown; what ran for this page before is cancelled."""
        if self._job is not None:
            self._job.cancel()
        self._error = ""
        self._step = Progress(0, 0, words)
        self._slow.start()
        job = self.run.jobs.submit(
            work, lambda result: self._finish(job, done, result), self._on_error, self._on_step, lambda: self._end(job)
        )
        self._job = job
        self.tell()

    @Slot()
    def stop(self) -> None:
        """Stop this page's work."""
        if self._job is not None:
            self._job.cancel()
            self._end(self._job)
            self.fail(_STOPPED)

    def _finish(self, job: Job, done: Callable[[Any], None], result: Any) -> None:
        self._end(job)
        done(result)

    def _on_step(self, step: Progress) -> None:
        self._step = step
        if not self._slow.isActive():
            self.progress.show_step(step)

    @Slot()
    def _show_first_step(self) -> None:
        self.progress.show_step(self._step)

    def _on_error(self, error: Exception) -> None:
        self.fail(told(error))

    def _end(self, job: Job) -> None:
        if self._job is job:
            self._job = None
            self._slow.stop()
            self.progress.show_step(None)
            self.tell()


def dim(words: str) -> QLabel:
    """Quiet words, over several lines where they are long."""
    label = QLabel(words)
    label.setObjectName("dim")
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return label


def strong(words: str) -> QLabel:
    """The heading of a part of a page."""
    label = QLabel(words)
    label.setObjectName("name")
    label.setWordWrap(True)
    return label
