"""The reader's side of the desk: who reads, how far they are with the case, what they have begun, and what they decide.

Everything goes through the session's reading protocol, in the store's thread: saved first, then shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pathview.gui.job_runner import JobRunner
from pathview.gui.opened import Opened
from pathview.gui.reading_room import ReadingRoom
from pathview.gui.session_handle import SessionHandle
from pathview.review.records.case import CaseDetail, DecisionRow

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.cases.replay import Replay
    from pathview.review.protocol import ReadingProtocol
    from pathview.review.reading.reading import OpenedReading

_DRAFT_MS = 400
"""How long after a keystroke what was begun is on the disk."""
_TIME = "time"
"""Under this name a draft keeps how long its case was on the screen before it was left."""
_ASSESSMENT = ("answers", "note", "reason", "keep")


class ReadingDesk(QObject):
    """One reader with one case at a time."""

    changed = Signal()
    """Another case, or the same one read on: another stage, another sight, another decision."""
    saving = Signal()
    leaving = Signal()
    """The reader goes to another case, or closes the window: whoever has begun something, tells now."""
    row_changed = Signal(object)
    """A :class:`CaseRow` after something was decided."""
    others_shown = Signal()
    """What other readers decided and drew may be seen from now on."""
    reader_known = Signal(str)
    """Who reads, once the store is open."""
    reader_changed = Signal(str)
    failed = Signal(object)
    replayed = Signal(object)
    """A :class:`Replay` that the reader asked for."""

    def __init__(self, handle: SessionHandle, store: JobRunner, room: ReadingRoom, parent: QObject) -> None:
        """``store`` reads and writes, ``room`` shows."""
        super().__init__(parent)
        self._handle, self._store, self._room = handle, store, room
        self.now: OpenedReading | None = None
        """The case that is read, under its veil."""
        self.undoable = False
        """Whether the last decision can still be taken back: until the next case."""
        self.replay: Replay | None = None
        """What is on the light box instead of the case as it is now."""
        self.seconds: Callable[[], float] = lambda: 0.0
        """How long the case was on the screen, see :class:`pathview.gui.case_clock.CaseClock`."""
        self.noted: Callable[[], Mapping[str, Any]] = dict
        """What the viewer knows of the screen and the state does not: grey-scale windows."""
        self.opened: Opened | None = None
        """The case as it was opened, with all that hangs with it."""
        self._draft: dict[str, Any] = {}
        self._kept: dict[str, Any] = {}
        """The draft as the store has it."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DRAFT_MS)
        self._timer.timeout.connect(self.flush)

    @property
    def hidden(self) -> str:
        """Why the model's result is not shown, in a sentence; empty where it is."""
        return self.now.sight.hidden if self.now is not None else ""

    @property
    def case_id(self) -> int | None:
        """The case that is read."""
        return self.now.detail.case.id if self.now is not None else None

    # a case

    def take(self, opened: Opened | None) -> None:
        """Read another case, which is on the light box already; None: none."""
        self.now, self.opened = opened.reading if opened is not None else None, opened
        self.undoable, self.replay = False, None
        self._kept = dict(self.now.draft) if self.now is not None else {}
        self._draft = dict(self._kept)
        self.changed.emit()

    def take_detail(self, fresh: CaseDetail) -> None:
        """Something about the case was saved, by an analysis for one."""
        if self.now is not None and fresh.case.id == self.case_id:
            self.now = replace(self.now, detail=fresh)
            self.changed.emit()

    def leave(self) -> None:
        """Keep what was begun, and how long that took: the reader goes to another case, or closes the window."""
        self.leaving.emit()
        undecided = self.now is not None and self.now.stage is not None and self.now.decision is None
        if self.now is not None and undecided and (spent := self.seconds()) >= 1:
            self._draft[_TIME] = {"stage": self.now.stage, "seconds": round(spent, 1)}
        self.flush()

    @property
    def seconds_before(self) -> float:
        """How long the case was on the screen for the assessment that is being made, before it was left."""
        spent = self._draft.get(_TIME)
        if self.now is None or not isinstance(spent, dict) or spent.get("stage") != self.now.stage:
            return 0.0
        return float(spent.get("seconds", 0.0))

    # drafts

    @property
    def draft(self) -> Mapping[str, Any]:
        """What was begun: ``answers``, ``note``, ``reason``, ``keep``, and what others keep in it under their names."""
        return self._draft

    @Slot(object)
    def keep_draft(self, content: Mapping[str, Any]) -> None:
        """Remember what is being filled in; it is on the disk half a second after a change."""
        self._change_draft({name: content.get(name) for name in _ASSESSMENT})

    def keep_in_draft(self, name: str, content: Any) -> None:
        """Remember something else that was begun, an unfinished shape for one (JSON); None: nothing any more."""
        self._change_draft({name: content})

    def _change_draft(self, changes: Mapping[str, Any]) -> None:
        if self.now is None or self.replay is not None:
            return
        kept = {**self._draft, **changes}
        self._draft = {name: value for name, value in kept.items() if value not in (None, "", {})}
        if self._draft != self._kept and not self._timer.isActive():  # what goes on and on is kept meanwhile, too
            self._timer.start()

    @Slot()
    def flush(self) -> None:
        """Have the draft written now."""
        self._timer.stop()
        if self.case_id is None or self._draft == self._kept:
            return
        case_id, content = self.case_id, dict(self._draft)
        self._kept = content
        self._store.submit(lambda *_: self._handle.get().protocol.save_draft(case_id, content), None, self.failed.emit)

    # deciding

    def assess(self, said: Mapping[str, Any]) -> None:
        """Lock a first assessment or decide; it is shown once it is on the disk.

        Args:
            said: the fields of :class:`pathview.review.reading.reading.Assessment`.
        """
        now = self.now
        if now is None or self.replay is not None:
            return
        self._timer.stop()
        context = {**self._room.state.context(), **self.noted()}
        seconds = round(self.seconds(), 1)

        def work(protocol: ReadingProtocol, case_id: int) -> None:
            from pathview.review.reading.reading import Assessment

            protocol.assess(case_id, Assessment(**said, stage=now.stage), context, seconds)

        self._change(work, undoable=now.stage != "first")

    def withdraw(self) -> None:
        """Take the decision back; a locked first assessment stays."""
        self._change(lambda protocol, case_id: protocol.withdraw(case_id), undoable=False)

    def _change(self, change: Callable[[ReadingProtocol, int], object], undoable: bool) -> None:
        """Save first; then show what the case is now, with all that may be seen from then on."""
        case_id = self.case_id
        if case_id is None:
            return
        prior = self._room.state.prior
        self.saving.emit()

        def work(*_: Any) -> tuple[OpenedReading, CaseDetail | None]:
            protocol = self._handle.get().protocol
            change(protocol, case_id)
            beside = protocol.case(prior.case.id, beside=case_id) if prior is not None else None
            return protocol.look(case_id), beside

        def done(found: tuple[OpenedReading, CaseDetail | None]) -> None:
            fresh, beside = found
            told = self.now is not None and self.now.sight.others
            self.row_changed.emit(fresh.detail.case)
            if self.case_id != case_id:
                return
            self.now, self.undoable = fresh, undoable
            self._kept = dict(fresh.draft)
            self._draft = {name: value for name, value in fresh.draft.items() if name != _TIME}
            self._room.reload(fresh.detail)
            if beside is not None:
                self._room.reload(beside)
            self.changed.emit()
            if fresh.sight.others and not told:
                self.others_shown.emit()

        self._store.submit(work, done, self.failed.emit)

    # what was seen

    def show_what_was_seen(self, decision: DecisionRow) -> None:
        """Ask for a decision's screen; it comes by ``replayed``."""
        case_id = self.case_id

        def done(found: Replay) -> None:
            if self.case_id == case_id and self.opened is not None:
                self.flush()
                if self.replay is None:  # what hangs beside may be another one than at first
                    self.opened = replace(self.opened, prior=self._room.state.prior)
                self.replay = found
                self.replayed.emit(found)
                self.changed.emit()

        self._store.submit(lambda *_: self._handle.get().protocol.replay(decision.id), done, self.failed.emit)

    def end_replay(self) -> bool:
        """Show the case as it is now; whether a replay was on."""
        if self.replay is None or self.opened is None or self.now is None:
            return False
        self.replay = None
        self._room.open(replace(self.opened, detail=self.now.detail))
        self.changed.emit()
        return True

    # readers

    def be(self, name: str) -> None:
        """Read as this person from now on."""

        def work(*_: Any) -> str:
            session = self._handle.get()
            known = session.cases.readers.add(name, session.reader)
            session.reader = known.name
            session.cases.database.hold_as(known.name)
            return known.name

        self.leave()
        self._store.submit(work, self.reader_changed.emit, self.failed.emit)

    def ask_names(self, told: Callable[[tuple[str, ...], str], None]) -> None:
        """Have ``told`` called with all readers whom the store knows, and who reads now."""

        def work(*_: Any) -> tuple[tuple[str, ...], str]:
            session = self._handle.get()
            return tuple(reader.name for reader in session.cases.readers.all()), session.reader

        self._store.submit(work, lambda found: told(*found), self.failed.emit)
