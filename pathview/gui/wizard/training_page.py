"""Page 7: the training while it runs in the child: curves, pictures, time left; paused, stopped, gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QMessageBox, QPushButton, QWidget

from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import BasePage
from pathview.gui.wizard.parts import Table, wrapped
from pathview.gui.wizard.state import Known, Run, read_known
from pathview.gui.wizard.training_seen import Seen, read_seen
from pathview.gui.wizard.training_views import CurvesRow, EpochsView, FactsRow
from pathview.jobs import CancelToken, Progress, ProgressSink
from pathview.training.runs.plan import TrainingEvent

_LOOK_MS = 1000
_NOT_YET = (
    "Nothing is trained yet. It runs in a process of its own: the window stays free, and if it is closed, or the "
    "computer stops, the training goes on after its last whole epoch when it is opened again."
)
_READING = "Reading what the training told ..."
_TRAINED = "Trained."
_ELSEWHERE = "It is being trained already, in another window or from the command line; what it tells is shown here."
_INTERRUPTED = "Interrupted: what was learnt is kept, and it goes on after the last whole epoch."
_PAUSING = "Pausing after this step ..."
_STOPPING = "Stopping after this step; then the best epoch is kept and measured ..."
_FAILED = "It ended before its time."
_KEEP_BEST, _NO_REST = "&Stop and keep the best epoch", "&Stop and leave the rest out"
_LETTERED = {"folds": "&folds", "trials": "tr&ials"}
_LEAVING_OUT = "Stopping; the model is there, and what is not trained yet beside it is left out ..."
_NO_EPOCHS = "A quick training has no epochs to watch, and no curves."
_FEATURES = "Features are computed once, then a linear classifier is fitted on them in seconds."


class TrainingPage(BasePage):
    """Shows what the folder tells, whoever trains; only what this page began does it pause and stop."""

    name: ClassVar[str] = "training"
    step: ClassVar[str] = "Training"
    heading: ClassVar[str] = "Train, and watch"

    def __init__(self, run: Run, theme: Theme) -> None:
        """Nothing is known yet."""
        super().__init__(run, theme)
        self.seen = Seen()
        self._read = self._reading = self._resumed = self._stopping = False
        self.state = wrapped(_READING, "result")
        self.notable = wrapped("", "differs")
        self.begin = QPushButton("&Train")
        self.begin.setObjectName("primary")
        self.pause = QPushButton("Pa&use")
        self.keep_best = QPushButton(_KEEP_BEST)
        self.rest = QPushButton("")
        self.tensorboard = QCheckBox("Write T&ensorBoard logs too")
        self.scratch = QCheckBox("Begin from &random weights: the model needs far more images")
        self.scratch.hide()
        self.facts = FactsRow()
        self.curves = CurvesRow()
        self.pictures = EpochsView(self._load)
        self.told = Table("What happened")
        self.told.setMinimumHeight(90)
        self._lay_out_body()
        self.begin.clicked.connect(self._on_begin)
        self.pause.clicked.connect(self._on_pause)
        self.keep_best.clicked.connect(self._on_keep_best)
        self.rest.clicked.connect(lambda: self._train(resume=True))
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self.reread)

    def _lay_out_body(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.begin, self.rest, self.pause, self.keep_best):
            buttons.addWidget(button)
        buttons.addWidget(self.tensorboard, 1)
        self.body.addWidget(self.state)
        self.body.addWidget(self.notable)
        self.body.addLayout(buttons)
        self.body.addWidget(self.scratch)
        self.body.addWidget(self.facts)
        both = QWidget()
        side = QHBoxLayout(both)
        side.setContentsMargins(0, 0, 0, 0)
        side.addWidget(self.curves, 3)
        side.addWidget(self.pictures, 2)
        self.body.addWidget(both, 3)
        self.body.addWidget(self.told, 1)

    # what the folder tells

    def enter(self) -> None:
        """Look now, and each second while the page is shown."""
        self.reread()
        self._look.start()

    def exit(self) -> None:
        """Nobody looks."""
        self._look.stop()

    @Slot()
    def reread(self) -> None:
        """Read what the training told so far."""
        if self._reading:
            return
        self._reading = True
        folder, ours = self.run.made, self.working

        def failed(error: Exception) -> None:
            self._look.stop()
            self._on_error(error)

        def ended() -> None:
            self._reading = False

        self.run.pictures.submit(lambda *_: read_seen(folder, ours), self.take, failed, None, ended)

    def take(self, seen: Seen) -> None:
        """Show it; a training that was interrupted goes on by itself, once."""
        again, self._read = seen != self.seen or not self._read, True
        self.seen = seen
        if again:
            self.facts.show_seen(seen)
            self.curves.show_seen(seen)
            self.pictures.setVisible(bool(seen.pictures))
            self.pictures.show_paths(seen.pictures)
            self.told.fill(("When", "What"), [_line(one) for one in seen.told])
        self._show_state()
        if seen.interrupted and not (seen.pausing or seen.elsewhere or self.working or self._resumed):
            self._train(resume=True)

    def _show_state(self) -> None:
        seen = self.seen
        mine, done = self.working, seen.trained and not self.working
        self.state.setText(self._words())
        notable = seen.notable
        self.notable.setText(notable.sentence if notable is not None else "")
        self.notable.setVisible(notable is not None and notable.sentence != self._error)
        self.begin.setVisible(not mine and not seen.elsewhere)
        self.begin.setText("&Train anew" if done else "&Go on" if seen.events else "&Train")
        self.tensorboard.setVisible(not mine and not seen.elsewhere)
        self.pause.setVisible(mine)
        self.rest.setVisible(done and bool(seen.lacking) and not seen.elsewhere)
        self.rest.setText(f"Train the {' and '.join(_LETTERED[part] for part in seen.lacking)}")
        self.keep_best.setVisible(mine and (bool(seen.epochs) or seen.fold is not None))
        self.keep_best.setText(_NO_REST if seen.fold is not None else _KEEP_BEST)
        self.pause.setText("&Go on" if seen.pausing else "Pa&use")
        for button in (self.pause, self.keep_best):
            button.setEnabled(not self._stopping)
        begun = bool(seen.events)
        self.facts.setVisible(begun)
        self.curves.setVisible(bool(seen.epochs))
        self.told.setVisible(begun)
        self.tell()

    def _words(self) -> str:
        seen, last = self.seen, self.seen.last
        if not self._read:
            return _READING
        fold = f" {seen.fold.sentence}" if seen.fold is not None else ""
        if seen.elsewhere:
            return f"{_ELSEWHERE}{fold}"
        if seen.trained and not self.working:
            about = _NO_EPOCHS if not seen.epochs else ""
            return " ".join(part for part in (seen.ended or _TRAINED, about, seen.beside_ended) if part)
        if self.working:
            if self._stopping:
                return _LEAVING_OUT if seen.fold is not None else _STOPPING
            if last is not None and last.kind == "paused":
                return last.sentence
            return _PAUSING if seen.pausing else fold.strip() or "Training ..."
        if last is None:
            return f"{_NOT_YET} {_FEATURES}" if self.run.plan.recipe.level == "quick" else _NOT_YET
        if seen.interrupted:
            return _INTERRUPTED
        return _FAILED if seen.failed else last.sentence

    def problem(self) -> str:
        """Only a finished training has a result."""
        if not self._read:
            return _READING
        if self.seen.trained:
            return ""
        return "Train the model first." if not self.seen.elsewhere else _ELSEWHERE

    # training

    @Slot()
    def _on_begin(self) -> None:
        if self.seen.trained:
            self._ask_anew()
        else:
            self._train(resume=bool(self.seen.events))

    def _ask_anew(self) -> None:
        box = QMessageBox(self)
        box.setWindowTitle("Train anew?")
        box.setText("The model, its curves and its result are forgotten. How often the test was looked at is not.")
        anew = box.addButton("&Train anew", QMessageBox.ButtonRole.AcceptRole)
        keep = box.addButton("&Keep it", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)

        def answered() -> None:
            if box.clickedButton() is anew:
                self._train(anew=True)

        box.finished.connect(answered)
        box.open()

    def _train(self, resume: bool = False, anew: bool = False) -> None:
        from pathview.training.learning.running import RunOptions, run_training

        self._resumed, self._stopping = True, False
        scratch, board = self.scratch.isChecked() and not self.scratch.isHidden(), self.tensorboard.isChecked()
        options = RunOptions(resume=resume, anew=anew, from_scratch=scratch, tensorboard=board)
        folder, plan = self.run.made, self.run.plan
        training = self.run.in_child(run_training, folder, options)

        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            folder.write_plan(plan)  # which may not be on the disk yet
            return training(progress, cancel)

        self.start(work, self._ended, "preparing")
        if anew:
            self.seen = Seen()
        self._show_state()

    def _on_step(self, step: Progress) -> None:
        super()._on_step(step)
        if isinstance(step.early, TrainingEvent):
            self.reread()

    def _ended(self, _: Any) -> None:
        self._lock()
        self.reread()

    def _lock(self) -> None:
        """From now on the split is one that a training has seen."""
        folder = self.run.made

        def take(known: Known) -> None:
            wrong = self._error
            self.run.take_known(known)
            if wrong:  # what is known of the data is no answer to it
                self.fail(wrong)

        self.run.fetch(lambda *_: read_known(folder), take)

    def _on_error(self, error: Exception) -> None:
        from pathview.training.learning.start import NoImageNet

        if isinstance(error, NoImageNet):
            self.scratch.show()
        super()._on_error(error)
        self._lock()
        self.reread()

    @Slot()
    def stop(self) -> None:
        """Interrupt it: it can be gone on with."""
        if self.working:
            super().stop()
            self.fail(_INTERRUPTED)
            self.reread()

    @Slot()
    def _on_pause(self) -> None:
        from pathview.training.runs.steering import ask, go_on

        folder, pausing = self.run.made, self.seen.pausing
        self.run.fetch(lambda *_: go_on(folder) if pausing else ask(folder, "pause"), lambda _: self.reread())

    @Slot()
    def _on_keep_best(self) -> None:
        from pathview.training.runs.steering import ask

        folder = self.run.made
        self._stopping = True
        self._show_state()
        self.run.fetch(lambda *_: ask(folder, "stop"), lambda _: None)

    def closing_words(self) -> str:
        """Nothing is lost but the epoch that runs."""
        return (
            "The training stops with the wizard, and goes on after its last whole epoch when it is opened again: "
            "Training > Continue a training."
        )

    def _load(self, path: Path, done: Callable[[QImage], None]) -> None:
        self.run.fetch(lambda *_: QImage(str(path)), done)


def _line(event: TrainingEvent) -> tuple[str, str]:
    when = event.at.replace("T", " ").replace("+00:00", " UTC")
    return when, event.sentence or event.kind.replace("_", " ")
