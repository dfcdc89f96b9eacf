"""What the wizard has on its desk: one training's folder, its plan, and what is known of its data.

The plan is kept after every change, so that the wizard can be closed at any page and continued there.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pathview.compute.engine import Engine, JobFailed
from pathview.errors import PathViewError
from pathview.gui.job_runner import Job, JobRunner, Work
from pathview.gui.session_handle import SessionHandle
from pathview.jobs import CancelToken, ProgressSink
from pathview.models.weights import MANIFEST
from pathview.session import Session
from pathview.settings import Settings
from pathview.training.runs.chosen import chosen, corrected
from pathview.training.runs.locked_split import begun
from pathview.training.runs.plan import DatasetRow, Fields, Health, Plan, Split
from pathview.training.runs.run_folder import DATASET, HEALTH, SPLIT, WIZARD, RunFolder, new_run
from pathview.training.runs.steering import is_training

log = logging.getLogger(__name__)
BUG = "PathView has a bug here; what happened is in its log. Nothing that was saved is lost."
_KEEP_MS = 400
_SAVE_S = 10.0


class Place(Fields):
    """Where the wizard is with a training: ``wizard.json``."""

    page: str = "question"
    collected: str = ""
    """What the data were collected for, see :func:`data_key`; empty: not by the wizard."""


def place_of(folder: RunFolder) -> Place:
    """Where a training was left; of one that the command line began, the page that it has reached.

    Not in the window's thread.

    Raises:
        DataError: the place is damaged.
    """
    if folder.has(WIZARD):
        return folder.read(WIZARD, Place)
    reached = {
        "result": (folder.model / MANIFEST).is_file(),
        "training": begun(folder) or is_training(folder),
        "recipe": folder.has(HEALTH),
        "health": folder.has(SPLIT),
        "labels": folder.has(DATASET),
    }
    return Place(page=next((page for page, there in reached.items() if there), "question"))


@dataclass(frozen=True)
class Known:
    """What a run's folder holds beside its plan."""

    rows: tuple[DatasetRow, ...] = ()
    split: Split | None = None
    health: Health | None = None
    begun: bool = False
    """Whether a training has seen the split, which is locked from then on."""


def read_known(folder: RunFolder) -> Known:
    """Read what a folder holds; not in the window's thread.

    Raises:
        DataError: something is damaged.
    """
    return Known(
        folder.rows() if folder.has(DATASET) else (),
        folder.split() if folder.has(SPLIT) else None,
        folder.health() if folder.has(HEALTH) else None,
        begun(folder),
    )


def data_key(plan: Plan) -> str:
    """Equal while a plan asks for the same data, hexadecimal."""
    parts = (plan.question.task, *plan.question.classes, *(source.model_dump_json() for source in plan.sources))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def told(error: Exception) -> str:
    """An error as a sentence; a bug goes to the log."""
    if isinstance(error, PathViewError):
        return str(error)
    if isinstance(error, JobFailed):
        log.error("a job failed: %s\n%s", error, error.trace)
    return BUG


class Run(QObject):
    """One training on the wizard's desk. Pages change the plan through :meth:`change` alone."""

    changed = Signal()
    """The plan is another one."""
    known_changed = Signal()
    """Rows, split or health are others."""
    failed = Signal(str)
    """The plan could not be kept, in one sentence."""
    doubts_changed = Signal()
    """Pages found something against the model, or no longer do."""
    models_changed = Signal()
    """Another version of a model analyses images from now on."""

    def __init__(
        self,
        handle: SessionHandle,
        settings: Settings,
        plan: Plan | None = None,
        folder: RunFolder | None = None,
        known: Known | None = None,
        place: Place | None = None,
        parent: QObject | None = None,
    ) -> None:
        """A training that is continued has a folder; a new one gets it when its first page is left."""
        super().__init__(parent)
        self.handle, self.settings = handle, settings
        self.plan = plan or Plan()
        self.folder = folder
        self.known = known or Known()
        self.place = place or Place()
        self.doubts: dict[str, str] = {}
        """What pages found against the model, a sentence each by the page's name."""
        self.jobs = JobRunner("wizard", self)
        """Long work, one at a time, with progress."""
        self.pictures = JobRunner("wizard-pictures", self)
        """Short work behind what is shown: thumbnails, previews, counts."""
        self.aside = JobRunner("wizard-aside", self)
        """Long work that nobody waits for: estimates."""
        self._keeping = JobRunner("wizard-keeping", self)
        self._chosen: tuple[object, object, tuple[DatasetRow, ...], tuple[DatasetRow, ...]] | None = None
        self._writing = threading.Lock()
        self._kept: tuple[Plan, Place] | None = (self.plan, self.place) if folder is not None else None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_KEEP_MS)
        self._rest.timeout.connect(self.keep)

    # the plan

    def change(self, **parts: Any) -> None:
        """Take other parts of the plan (validated already), and keep them shortly after."""
        plan = self.plan.model_copy(update=parts)
        if plan == self.plan:
            return
        self.plan = plan
        self.changed.emit()
        self._rest.start()

    def go(self, page: str) -> None:
        """The wizard is at this page now."""
        self.place = self.place.model_copy(update={"page": page})
        self._rest.start()

    def doubt(self, page: str, words: str) -> None:
        """A page found this against the model; empty: nothing."""
        if self.doubts.get(page, "") != words:
            self.doubts[page] = words
            self.doubts_changed.emit()

    @Slot()
    def keep(self) -> None:
        """Write plan and place, in a thread; where there is no folder yet, nothing."""
        self._rest.stop()
        if self.folder is not None and (self.plan, self.place) != self._kept:
            self._keeping.submit(lambda *_: self._write(), None, self._not_kept)

    def _write(self) -> None:
        """Write what is planned now (in a thread): whichever thread comes last writes the newest."""
        with self._writing:
            now = (self.plan, self.place)
            if now != self._kept:
                self.made.write_plan(now[0])
                self.made.write(WIZARD, now[1])
                self._kept = now

    def kept_first(self, work: Work) -> Work:
        """The same work, once the plan is on the disk: for functions that read it there."""

        def kept(progress: ProgressSink, cancel: CancelToken) -> Any:
            self._write()
            return work(progress, cancel)

        return kept

    def _not_kept(self, error: Exception) -> None:
        self.failed.emit(told(error))

    def making(self) -> Work:
        """The job that makes the folder of a new training; its result goes to :meth:`take_folder`."""
        settings, plan = self.settings, self.plan
        return lambda *_: new_run(settings, plan)

    def take_folder(self, folder: RunFolder) -> None:
        """The folder is there."""
        self.folder = folder
        self.keep()

    @property
    def made(self) -> RunFolder:
        """The folder, which every page but the first can count on."""
        assert self.folder is not None
        return self.folder

    # the data

    @property
    def rows(self) -> tuple[DatasetRow, ...]:
        """All images that were found."""
        return self.known.rows

    @property
    def corrected(self) -> tuple[DatasetRow, ...]:
        """All but what a person left out, with the labels that a person gave."""
        return self._derived()[0]

    @property
    def chosen(self) -> tuple[DatasetRow, ...]:
        """The images that the training would use."""
        return self._derived()[1]

    def _derived(self) -> tuple[tuple[DatasetRow, ...], tuple[DatasetRow, ...]]:
        key = (self.plan.corrections, self.known.rows)
        if self._chosen is None or self._chosen[0] is not key[0] or self._chosen[1] is not key[1]:
            self._chosen = (*key, corrected(self.plan, self.rows), chosen(self.plan, self.rows))
        return self._chosen[2:]

    @property
    def collected(self) -> bool:
        """Whether the rows are those that the plan asks for."""
        return bool(self.rows) and self.place.collected in ("", data_key(self.plan))

    def take_known(self, known: Known, collected_for: str | None = None) -> None:
        """What was read again; ``collected_for``: the :func:`data_key` that the rows were collected for."""
        self.known = known
        if collected_for is not None:
            self.place = self.place.model_copy(update={"collected": collected_for})
            self._rest.start()
        self.known_changed.emit()

    # jobs

    def in_child(self, function: Callable[..., Any], *args: Any) -> Work:
        """A job of the child: ``function(*args, settings, progress, cancel)``, defined at the top of a module."""
        return self._in(lambda session: session.training_engine, function, args)

    def in_opener(self, function: Callable[..., Any], *args: Any) -> Work:
        """The same in the child that opens images: for short work, which the reader's looking waits for."""
        return self._in(lambda session: session.opener, function, args)

    def _in(self, engine: Callable[[Session], Engine], function: Callable[..., Any], args: tuple[Any, ...]) -> Work:
        def work(progress: ProgressSink, cancel: CancelToken) -> Any:
            session = self.handle.get()
            return engine(session).run(function, *args, session.settings, progress=progress, cancel=cancel)

        return work

    def fetch(self, work: Work, done: Callable[[Any], None]) -> Job:
        """Short work for what is shown; what fails is told."""
        return self.pictures.submit(work, done, lambda error: self.failed.emit(told(error)))

    @property
    def reader(self) -> str:
        """Who sits here, once the session is open."""
        session = self.handle.opened
        return session.reader if session is not None else ""

    @property
    def busy(self) -> bool:
        """Whether long work runs or waits."""
        return self.jobs.busy

    def close(self) -> None:
        """Stop what runs, keep the plan, end the threads."""
        for runner in (self.jobs, self.pictures, self.aside):
            runner.close()
        self.keep()
        self._keeping.close(_SAVE_S, finish=True)
