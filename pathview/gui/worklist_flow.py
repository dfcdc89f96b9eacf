"""The worklist in the window: the panel asks, the store answers, and the reader changes lists and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QInputDialog, QMessageBox, QWidget

from pathview.errors import UnconfirmedError
from pathview.gui.dialogs.worklists import WorklistsDialog
from pathview.gui.lists import Lists
from pathview.gui.panels.worklist import WorklistPanel
from pathview.gui.preferences import Preferences
from pathview.review.records.case import CaseRow

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.gui.lists import Listing
    from pathview.review.reading.worklist import Worklist

_FOR_CASES = ("assign_me", "assign", "assign_nobody", "move_cases", "analyse_selection")
"""What the menu of the list offers."""


_NEW_READER = "New reader..."
_CLOSING = (
    "Everything of the model and of all readers is then shown, and nothing is decided any more. The list can be opened "
    "again, but what could be seen counts as seen."
)


class WorklistFlow(QObject):
    """Between the panel and the lists of the store."""

    said = Signal(str)
    """A sentence for the banner."""
    listed = Signal(object)
    """The :class:`pathview.gui.lists.Listing` that is shown now."""
    case_found = Signal(int)
    """The case beside the one that is read; it was not among the rows."""
    called = Signal(int)
    """The case that is open is the reader's to arbitrate now: there is more to be seen of it."""

    def __init__(self, lists: Lists, panel: WorklistPanel, preferences: Preferences, window: QWidget) -> None:
        """Connect them; :meth:`follow` is given the actions."""
        super().__init__(window)
        self._lists, self._panel, self._preferences, self._window = lists, panel, preferences, window
        self.listing: Listing | None = None
        """What the store answered last."""
        panel.filters.choose_list(preferences.worklist)
        panel.query_changed.connect(self.refresh)
        panel.more_wanted.connect(self._load_page)
        panel.step_wanted.connect(self._step)
        panel.filters.save_view_asked.connect(self._save_view)
        panel.filters.view_deleted.connect(lists.delete_view)
        lists.listing_ready.connect(self._show)
        lists.page_ready.connect(panel.show_page)
        lists.counts_ready.connect(panel.show_counts)
        lists.found.connect(self.case_found)
        lists.changed.connect(self.refresh)
        lists.said.connect(self.said)
        lists.unconfirmed.connect(self._confirm)
        self.current: int | None = None
        """The case that is open."""

    def follow(self, actions: Mapping[str, QAction]) -> None:
        """Offer actions in the list's own menu."""
        self._panel.offer([actions[name] for name in _FOR_CASES])

    @Slot()
    def refresh(self) -> None:
        """Ask anew for what is in view."""
        self._lists.load(dict(self._panel.wished), self._panel.offsets if self._panel.model.total else (), self.current)

    @Slot(object)
    def _show(self, listing: Listing) -> None:
        self.listing = listing
        self._preferences.worklist = listing.query.worklist_id
        self._panel.show_listing(listing, self.current)
        self.listed.emit(listing)

    @Slot(int)
    def _load_page(self, offset: int) -> None:
        if self._panel.query is not None:
            self._lists.load_page(self._panel.query, offset)

    @Slot(int, int)
    def _step(self, case_id: int, by: int) -> None:
        if self._panel.query is not None:
            self._lists.step(self._panel.query, case_id, by, self._panel.model.was(case_id))

    @Slot(object)
    def show_decided(self, row: CaseRow) -> None:
        """Show a case's new state where it stands, and count again."""
        self._panel.update_row(row)
        if self._panel.query is not None:
            self._lists.count(self._panel.query)

    def resume(self, first: int, free: Callable[[], bool]) -> None:
        """Go on with the case that the reader opened last, where the list has it; else begin with the ``first``.

        ``free`` says whether there is still no case on the desk, nor on its way.
        """

        def told(last: int | None) -> None:
            if not free():
                return  # the reader, or what they brought, was quicker
            if last is None:
                self._panel.choose(first)
            else:
                self.case_found.emit(last)

        if self.listing is not None:
            self._lists.last_opened(self.listing.query, told)

    def show_list_of(self, worklist_id: int) -> None:
        """Show a case's list, where the one that is shown has not got the case."""
        if self._panel.filters.worklist_id not in (None, worklist_id):
            self._panel.filters.choose_list(worklist_id)

    @property
    def shown(self) -> Worklist | None:
        """The list that is shown; None: all cases."""
        lists = self.listing.lists if self.listing is not None else ()
        return next((each for each in lists if each.id == self._panel.filters.worklist_id), None)

    # what the reader does

    def with_selected(self, then: Callable[[list[int]], None]) -> None:
        """Have ``then`` called with all selected cases, also those whose rows were never read; not where none is."""
        here, missing = self._panel.selected()
        if not here and not missing:
            self.said.emit("Select cases in the worklist first.")
        elif missing and self._panel.query is not None:
            self._lists.ids(self._panel.query, missing, lambda others: then([*dict.fromkeys((*here, *others))]))
        else:
            then(here)

    def assign_to_me(self) -> None:
        """The reader is to read the selected cases."""
        self.with_selected(self._assign_to_me)

    def _assign_to_me(self, chosen: Sequence[int]) -> None:
        self._lists.assign(chosen, None, to_me=True)
        for row in self._panel.model.rows:
            if row.id == self.current and row.id in chosen and row.mode == "arbitration":
                self.called.emit(row.id)

    def assign_to_nobody(self) -> None:
        """Anybody may read the selected cases."""
        self.with_selected(lambda chosen: self._lists.assign(chosen, None))

    def ask_reader(self) -> None:
        """Ask who is to read the selected cases."""
        self.with_selected(lambda chosen: self._lists.names(lambda names: self._assign(chosen, names)))

    def _assign(self, chosen: Sequence[int], names: Sequence[str]) -> None:
        words = f"Who is to read {len(chosen):,} case{'s' if len(chosen) > 1 else ''}?"
        name, taken = QInputDialog.getItem(self._window, "Assign", words, [*names, _NEW_READER], 0, False)
        if not taken:
            return
        new = name == _NEW_READER
        if new:
            name, taken = QInputDialog.getText(self._window, "New reader", "Name of the new reader")
        if taken and name.strip():
            self._lists.assign(chosen, name.strip(), new=new)

    def ask_list(self) -> None:
        """Ask into which list the selected cases are to come."""
        self.with_selected(self._ask_list)

    def _ask_list(self, chosen: Sequence[int]) -> None:
        lists = [each for each in (self.listing.lists if self.listing is not None else ()) if each.closed is None]
        if not lists:
            return
        names = [each.name for each in lists]
        words = f"Into which list should {len(chosen):,} case{'s' if len(chosen) > 1 else ''} come?"
        name, taken = QInputDialog.getItem(self._window, "Move", words, names, 0, False)
        if taken:
            self._lists.move(chosen, lists[names.index(name)])

    def send_to_arbitration(self) -> None:
        """Move the cases of the list on which readers differ into its arbitration list."""
        if self.shown is None:
            self.said.emit("Choose a list first: arbitration is about the cases of one list.")
        else:
            self._lists.send_to_arbitration(self.shown.id)

    def close_list(self) -> None:
        """End the reading of the list, once that is confirmed: what was seen then cannot be unseen."""
        shown = self.shown
        if shown is None:
            self.said.emit("Choose the list that is to be closed first.")
        elif shown.closed is not None:
            self.said.emit(f"The list {shown.name} is closed already.")
        elif _sure(self._window, f"Close the list {shown.name}?", _CLOSING, "Close the list"):
            self._lists.change(
                lambda lists, actor: lists.close(shown.id, actor), lambda closed: f"The list {closed.name} is closed."
            )

    @Slot(object, object)
    def _confirm(self, refused: UnconfirmedError, go_on: Callable[[], None]) -> None:
        """Have the reader say that they mean it."""
        over = QApplication.activeModalWidget() or self._window
        if _sure(over, refused.fact, f"Nothing was changed yet. If you go on, {refused.then}", "Go on all the same"):
            go_on()

    @Slot()
    def _save_view(self) -> None:
        if self._panel.query is None:
            return
        name, taken = QInputDialog.getText(self._window, "Save this view", "Name of the view")
        if taken and name.strip():
            self._lists.save_view(name.strip(), self._panel.query)

    def ask_lists(self) -> None:
        """Open the dialog that makes and changes lists."""
        self._lists.overview(self._open_dialog)

    def _open_dialog(self, listing: Listing) -> None:
        dialog = WorklistsDialog(self._lists, listing, self._window)
        dialog.shown.connect(self._panel.filters.choose_list)
        dialog.open()


def _sure(window: QWidget, question: str, words: str, deed: str) -> bool:
    box = QMessageBox(window)
    box.setWindowTitle("PathView")
    box.setText(question)
    box.setInformativeText(words)
    yes = box.addButton(deed, QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole))
    box.exec()
    return box.clickedButton() is yes
