"""Worklists as the window asks for them: pages and counts of a query, and changes; all in the store's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from pathview.errors import UnconfirmedError
from pathview.gui.job_runner import JobRunner
from pathview.gui.session_handle import SessionHandle
from pathview.review.records.case import CaseRow, CaseState, Order
from pathview.review.records.modes import MODE_NAMES, Mode

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.reading.saved_views import SavedView
    from pathview.review.reading.worklist import Worklist
    from pathview.review.reading.worklist_query import Counts, WorklistQuery
    from pathview.review.worklists import Worklists
    from pathview.session import Session

PAGE = 200
Wanted = Mapping[str, Any]
"""Fields of a :class:`pathview.review.reading.worklist_query.WorklistQuery`, as the reader chose them."""


@dataclass(frozen=True)
class Listing:
    """What a query found, and what else it could be."""

    query: WorklistQuery
    """As its list lets it be asked."""
    pages: Mapping[int, Sequence[CaseRow]]
    """By the row that they begin at."""
    counts: Counts
    orders: tuple[Order, ...]
    """Those that the list allows."""
    lists: tuple[Worklist, ...]
    sizes: Mapping[int, int]
    """Cases of each list that has any."""
    views: tuple[SavedView, ...]
    forms: Mapping[str, str]
    """Titles of all forms by name."""

    @property
    def empty(self) -> bool:
        """Whether the store has no case at all."""
        return not any(self.sizes.values())


class Lists(QObject):
    """Asks and changes; what it says comes by signals."""

    listing_ready = Signal(object)
    """A :class:`Listing`."""
    page_ready = Signal(object, int, object)
    """The query, the row that a page begins at, and its rows."""
    counts_ready = Signal(object)
    """:class:`pathview.review.reading.worklist_query.Counts` of the query that was asked for last."""
    found = Signal(int)
    """The case beside the one that is read."""
    changed = Signal()
    """A list or the cases in it are others now."""
    said = Signal(str)
    """What was done, in a sentence."""
    failed = Signal(object)
    unconfirmed = Signal(object, object)
    """The :class:`pathview.errors.UnconfirmedError` of something that was not done, and what does it all the same."""

    def __init__(self, handle: SessionHandle, store: JobRunner, parent: QObject) -> None:
        """``store`` runs what reads and writes the database."""
        super().__init__(parent)
        self._handle, self._store = handle, store
        self._newest = 0

    # looking

    def load(self, wanted: Wanted, offsets: Iterable[int], current: int | None = None) -> None:
        """Ask for a query, for its pages that begin at these rows, and for the one that the ``current`` case is on.

        An answer to an older question is dropped.
        """
        self._newest += 1
        number, starts = self._newest, sorted({0, *offsets})

        def done(listing: Listing) -> None:
            if number == self._newest:
                self.listing_ready.emit(listing)

        self._submit(lambda session: _listing(session, wanted, starts, current), done)

    def load_page(self, query: WorklistQuery, offset: int) -> None:
        """Ask for a further page."""

        def work(session: Session) -> list[CaseRow]:
            return session.cases.worklists.page(query, session.reader, PAGE, offset)

        self._submit(work, lambda rows: self.page_ready.emit(query, offset, rows))

    def count(self, query: WorklistQuery) -> None:
        """Ask for the counts of a query again."""
        self._submit(lambda session: session.cases.worklists.counts(query, session.reader), self.counts_ready.emit)

    def step(self, query: WorklistQuery, case_id: int, by: int, was: CaseState | None) -> None:
        """Ask for the case so many places from another one, which has its place by the state that it ``was`` in."""

        def done(following: int | None) -> None:
            if following is not None:
                self.found.emit(following)

        def work(session: Session) -> int | None:
            return session.cases.worklists.following(query, session.reader, case_id, by, was)

        self._submit(work, done)

    def ids(self, query: WorklistQuery, rows: Sequence[range], told: Callable[[list[int]], None]) -> None:
        """Have ``told`` called with the cases of a query in stretches of rows."""

        def work(session: Session) -> list[int]:
            pages = (session.cases.worklists.page(query, session.reader, len(part), part.start) for part in rows)
            return [row.id for page in pages for row in page]

        self._submit(work, told)

    def last_opened(self, query: WorklistQuery, told: Callable[[int | None], None]) -> None:
        """Have ``told`` called with the case of a query that this reader opened last; None: it is not among them."""
        self._submit(lambda session: session.cases.worklists.last_opened(query, session.reader), told)

    # changing

    def change(
        self,
        work: Callable[[Worklists, str], object],
        said: Callable[[Any], str],
        confirmed: Callable[[], None] | None = None,
    ) -> None:
        """Change something.

        Args:
            work: gets the lists and who asks.
            said: makes a sentence of what it gave back.
            confirmed: does it all the same where it is refused unless it is asked for explicitly.
        """

        def done(result: Any) -> None:
            self.said.emit(said(result))
            self.changed.emit()

        def refused(error: Exception) -> None:
            if confirmed is not None and isinstance(error, UnconfirmedError):
                self.changed.emit()  # what the reader chose is shown as it still is
                self.unconfirmed.emit(error, confirmed)
            else:
                self.failed.emit(error)

        self._store.submit(
            lambda *_: work((session := self._handle.get()).cases.worklists, session.reader), done, refused
        )

    def assign(self, case_ids: Sequence[int], reader: str | None, to_me: bool = False, new: bool = False) -> None:
        """Say who is to read cases; ``new``: a reader that the store does not know."""

        def work(lists: Worklists, actor: str) -> int:
            return lists.assign(case_ids, actor if to_me else reader, actor, new)

        whom = "you" if to_me else reader or "anybody"
        self.change(work, lambda count: f"{_cases(count)} assigned to {whom}.")

    def move(self, case_ids: Sequence[int], worklist: Worklist, unblind: bool = False) -> None:
        """Put cases into another list; ``unblind``: see :meth:`pathview.review.worklists.Worklists.move`."""
        self.change(
            lambda lists, actor: lists.move(case_ids, worklist.id, actor, unblind),
            lambda count: f"{_cases(count)} moved to {worklist.name}.",
            lambda: self.move(case_ids, worklist, unblind=True),
        )

    def set_mode(self, worklist_id: int, mode: Mode, unblind: bool = False) -> None:
        """Have a list read in another mode; ``unblind``: see :meth:`pathview.review.worklists.Worklists.set_mode`."""
        self.change(
            lambda lists, actor: lists.set_mode(worklist_id, mode, actor, unblind),
            lambda row: f"{row.name} is read so from now on: {MODE_NAMES[row.mode]}.",
            lambda: self.set_mode(worklist_id, mode, unblind=True),
        )

    def send_to_arbitration(self, worklist_id: int, anyway: bool = False) -> None:
        """Move the cases on which readers differ into an arbitration list."""

        def said(result: tuple[Worklist | None, tuple[int, ...]]) -> str:
            target, cases = result
            return f"{_cases(len(cases))} moved to {target.name}." if target else "Readers agree on every case here."

        self.change(
            lambda lists, actor: lists.send_to_arbitration(worklist_id, actor, anyway),
            said,
            lambda: self.send_to_arbitration(worklist_id, anyway=True),
        )

    def save_view(self, name: str, query: WorklistQuery) -> None:
        """Keep a query under a name."""
        self.change(lambda lists, actor: lists.views.save(name, query, actor), lambda view: f"Saved: {view.name}.")

    def delete_view(self, name: str) -> None:
        """Forget a saved view."""
        self.change(lambda lists, actor: lists.views.delete(name, actor), lambda _: f"Deleted: {name}.")

    def names(self, told: Callable[[tuple[str, ...]], None]) -> None:
        """Have ``told`` called with all readers."""
        self._submit(lambda session: tuple(reader.name for reader in session.cases.readers.all()), told)

    def overview(self, told: Callable[[Listing], None]) -> None:
        """Have ``told`` called with all lists and forms, as of now."""
        self._submit(lambda session: _listing(session, {}, []), told)

    def _submit(self, work: Callable[[Session], Any], done: Callable[[Any], None]) -> None:
        self._store.submit(lambda *_: work(self._handle.get()), done, self.failed.emit)


def _listing(session: Session, wanted: Wanted, starts: Sequence[int], current: int | None = None) -> Listing:
    """In the store's thread."""
    from pathview.review.reading.worklist_query import WorklistQuery

    worklists = session.cases.worklists
    lists = worklists.all()
    query = WorklistQuery(**wanted)
    if query.worklist_id not in {None, *(each.id for each in lists)}:
        query = WorklistQuery(**{**wanted, "worklist_id": None})
    orders = worklists.orders(query.worklist_id)
    query = query.permitted(orders)
    place = worklists.place(query, session.reader, current) if current is not None and starts else None
    wanted_pages = {*starts, *(() if place is None else (place - place % PAGE,))}
    pages = {start: worklists.page(query, session.reader, PAGE, start) for start in sorted(wanted_pages)}
    counts = worklists.counts(query, session.reader)
    forms = {name: form.title for name, form in session.protocol.forms.by_name.items()}
    views = worklists.views.of(session.reader)
    return Listing(query, pages, counts, orders, lists, worklists.sizes(), views, forms)


def _cases(count: int) -> str:
    return f"{count:,} case{'' if count == 1 else 's'}"
