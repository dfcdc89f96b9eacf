"""The store's keeping: backups made, listed and put back, and the whole store checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from pathview.errors import StoreError
from pathview.gui.job_runner import JobRunner
from pathview.gui.session_handle import SessionHandle

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.sql.backups import Backup, Restored
    from pathview.review.sql.verifying import Verified


class StoreKeeper(QObject):
    """Works in the store's thread, so that nobody reads or writes meanwhile."""

    said = Signal(str)
    """What was done or found, in a sentence."""
    listed = Signal(object)
    """All :class:`pathview.review.sql.backups.Backup`, the newest first."""
    restored = Signal(object)
    """A :class:`pathview.review.sql.backups.Restored`; all that was read of the store before is out of date."""
    failed = Signal(object)

    def __init__(self, handle: SessionHandle, store: JobRunner, parent: QObject) -> None:
        """``store`` is the runner of all that reads and writes the database."""
        super().__init__(parent)
        self._handle, self._store = handle, store

    @property
    def path(self) -> Path | None:
        """The store's file, also of one that cannot be opened; None: it is on a server, or not known."""
        return self._handle.place if isinstance(self._handle.place, Path) else None

    def back_up(self) -> None:
        """Make a backup now."""

        def work(*_: Any) -> Path:
            from pathview.review.sql.backups import backup_now

            return backup_now(self._handle.get().cases.database)

        self._store.submit(work, lambda made: self.said.emit(f"Backed up, and checked: {made.name}."), self.failed.emit)

    def check(self) -> None:
        """Check every row and the audit trail."""

        def work(*_: Any) -> Verified:
            from pathview.review.sql.verifying import verify_store

            return verify_store(self._handle.get().cases.database)

        def done(found: Verified) -> None:
            fine = "The store is whole: every row, and the audit trail from its beginning."
            more = len(found.problems) - 1
            rest = f" And {more} more; `pathview store verify` lists them." if more > 0 else ""
            self.said.emit(fine if found.ok else f"{found.problems[0]}{rest} File, Restore a backup.")

        self._store.submit(work, done, self.failed.emit)

    def list_backups(self) -> None:
        """Ask for the backups there are."""

        def work(*_: Any) -> tuple[Backup, ...]:
            from pathview.review.sql.backups import backups_of, contents_of

            found = backups_of(self._file(), check=False)
            return tuple(replace(backup, contents=contents_of(backup)) for backup in found)

        self._store.submit(work, self.listed.emit, self.failed.emit)

    def restore(self, name: str, actor: str) -> None:
        """Put a backup in the store's place; what is there is put aside, never deleted."""

        def work(*_: Any) -> Restored:
            from pathview.review.sql.backups import restore
            from pathview.review.sql.database import Database
            from pathview.review.store import Store

            path = self._file()
            session = self._handle.opened
            if session is None:
                done = restore(path, name, actor)
                self._handle.forget_failure()
                return done
            session.cases.close()
            try:
                return restore(path, name, session.reader)
            finally:
                session.store = Store(Database(path, reader=session.reader))

        self._store.submit(work, self.restored.emit, self.failed.emit)

    def _file(self) -> Path:
        """The store's file.

        Raises:
            StoreError: it has none.
        """
        opened = self._handle.opened
        path = opened.cases.database.path if opened is not None else self.path
        if path is None:
            from pathview.review.sql.server import BACKUPS

            raise StoreError(BACKUPS)
        return path
