"""The worklist in the window: the panel asks, the store answers, and the reader changes lists and what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QInputDialog, QMessageBox, QWidget

from pathview.gui.dialogs.worklists import WorklistsDialog
from pathview.gui.lists import Lists
from pathview.gui.panels.worklist import WorklistPanel
from pathview.gui.preferences import Preferences
from pathview.review.case import CaseRow

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.gui.lists import Listing
    from pathview.review.worklist import Worklist

_FOR_CASES = ("assign_me", "assign", "assign_nobody", "move_cases", "analyse_selection")
"""What the menu of the list offers."""


class WorklistFlow(QObject):
    """Between the panel and the lists of the store."""

    said = Signal(str)
    """A sentence for the banner."""
    listed = Signal(object)
    """The :class:`pathview.gui.lists.Listing` that is shown now."""
    case_found = Signal(int)
    """The case beside the one that is read; it was not among the rows."""

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
        self.current: int | None = None
        """The case that is open."""

    def follow(self, actions: Mapping[str, QAction]) -> None:
        """Offer actions in the list's own menu."""
        self._panel.offer([actions[name] for name in _FOR_CASES])

    @Slot()
    def refresh(self) -> None:
        """Ask anew for what is in view."""
        self._lists.load(dict(self._panel.wished), self._panel.offsets if self._panel.model.total else ())

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

    def _selected(self) -> list[int]:
        chosen = self._panel.selected_ids()
        if not chosen:
            self.said.emit("Select cases in the worklist first.")
        return chosen

    def assign_to_me(self) -> None:
        """The reader is to read the selected cases."""
        if chosen := self._selected():
            self._lists.assign(chosen, None, to_me=True)

    def assign_to_nobody(self) -> None:
        """Anybody may read the selected cases."""
        if chosen := self._selected():
            self._lists.assign(chosen, None)

    def ask_reader(self) -> None:
        """Ask who is to read the selected cases."""
        if chosen := self._selected():
            self._lists.names(lambda names: self._assign(chosen, names))

    def _assign(self, chosen: Sequence[int], names: Sequence[str]) -> None:
        words = f"Who is to read {len(chosen)} case{'s' if len(chosen) > 1 else ''}?"
        name, taken = QInputDialog.getItem(self._window, "Assign", words, list(names), 0, True)
        if taken and name.strip():
            self._lists.assign(chosen, name.strip())

    def ask_list(self) -> None:
        """Ask into which list the selected cases are to come."""
        chosen = self._selected()
        lists = [each for each in (self.listing.lists if self.listing is not None else ()) if each.closed is None]
        if not chosen or not lists:
            return
        names = [each.name for each in lists]
        words = f"Into which list should {len(chosen)} case{'s' if len(chosen) > 1 else ''} come?"
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
        elif _sure(self._window, f"Close the list {shown.name}?"):
            self._lists.change(
                lambda lists, actor: lists.close(shown.id, actor), lambda closed: f"The list {closed.name} is closed."
            )

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


def _sure(window: QWidget, question: str) -> bool:
    box = QMessageBox(window)
    box.setWindowTitle("PathView")
    box.setText(question)
    box.setInformativeText(
        "Everything of the model and of all readers is then shown, and nothing is decided any more. The list can be "
        "opened again, but what was seen cannot be unseen."
    )
    yes = box.addButton("Close the list", QMessageBox.ButtonRole.AcceptRole)
    box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.exec()
    return box.clickedButton() is yes
