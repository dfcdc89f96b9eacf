"""Labels of marks: which there are, which one the next marks get, and giving others to those that are chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from pathview.gui.mark_keeper import MarkKeeper
from pathview.results.annotation import Mark

if TYPE_CHECKING:  # the window starts without the store's libraries
    from pathview.review.cases.labels import Label


class Labelling(QObject):
    """The store's labels in the window."""

    changed = Signal()
    """Other labels, or another one for the next marks."""

    def __init__(self, keeper: MarkKeeper, parent: QObject) -> None:
        """No labels until :meth:`load`."""
        super().__init__(parent)
        self._keeper = keeper
        self.labels: tuple[Label, ...] = ()
        self.current = ""
        """Of the next marks; empty: none."""

    def load(self) -> None:
        """Take the labels as the store has them."""
        self._keeper.in_store(lambda session: session.cases.labels.all(), self._take)

    def choose(self, name: str) -> None:
        """Give the next marks this label; empty: none."""
        self.current = name
        self.changed.emit()

    def add(self, name: str, color: str) -> None:
        """Make a label, and choose it once it is there."""

        def work(session: Any) -> tuple[Label, tuple[Label, ...]]:
            return session.cases.labels.add(name, color, session.reader), session.cases.labels.all()

        def done(made: tuple[Label, tuple[Label, ...]]) -> None:
            self._take(made[1])
            self.choose(made[0].name)

        self._keeper.in_store(work, done)

    def need(self, labels: Sequence[Label], then: Callable[[], None]) -> None:
        """Have ``then`` called once these labels are there, made where they are not."""

        def work(session: Any) -> tuple[Label, ...]:
            known = {label.name.casefold() for label in session.cases.labels.all()}
            for label in labels:
                if label.name.casefold() not in known:
                    session.cases.labels.add(label.name, label.color, session.reader)
            found: tuple[Label, ...] = session.cases.labels.all()
            return found

        def done(found: tuple[Label, ...]) -> None:
            self._take(found)
            then()

        self._keeper.in_store(work, done)

    def recolor(self, name: str, color: str) -> None:
        """Draw all marks of a label in another colour."""

        def work(session: Any) -> tuple[Label, ...]:
            session.cases.labels.recolor(name, color, session.reader)
            found: tuple[Label, ...] = session.cases.labels.all()
            return found

        self._keeper.in_store(work, self._take)

    def rename(self, name: str, wanted: str) -> None:
        """Give a label another name, on all marks of all cases."""
        new = " ".join(wanted.split())
        if new == name:
            return
        for other in self.labels:
            if other.name != name and other.name.casefold() == new.casefold():
                self._keeper.said.emit(f"There is a label {other.name!r} already.")
                return

        def work(session: Any) -> tuple[Label, ...]:
            session.cases.labels.rename(name, new, session.reader)
            found: tuple[Label, ...] = session.cases.labels.all()
            return found

        def done(labels: tuple[Label, ...]) -> None:
            if self.current == name:
                self.current = new
            self._take(labels)

        self._keeper.rename(work, name, new, done)

    def _take(self, labels: tuple[Label, ...]) -> None:
        self.labels = labels
        if self.current not in {label.name for label in labels}:
            self.current = ""
        self._keeper.show_colors({label.name: QColor(label.color) for label in labels})
        self.changed.emit()


def labelled(marks: tuple[Mark, ...], name: str) -> tuple[tuple[Mark, Mark], ...]:
    """Marks before and after they get a label."""
    return tuple((mark, replace(mark, label=name)) for mark in marks)
