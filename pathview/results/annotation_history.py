"""Undo and redo of what a reader does to marks: one step a gesture, however many marks it changes.

A history lasts as long as a case is open; what is kept stands in the store, which is told of each step, undone ones
too, by what :class:`Change` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pathview.results.annotation import Mark

Operation = Literal["add", "change", "remove", "restore"]

MOST_STEPS = 10_000
"""Steps that can be undone; of one more the first is let go, and the reader is told."""


@dataclass(frozen=True)
class Change:
    """One mark before and after a gesture; None where there is none."""

    image_id: int
    before: Mark | None
    after: Mark | None
    again: bool = False
    """Whether the mark, if it comes, had been there before."""

    def __post_init__(self) -> None:
        ids = {mark.id for mark in (self.before, self.after) if mark is not None}
        if len(ids) != 1:
            raise ValueError("a change is of one mark")

    @property
    def mark_id(self) -> str:
        """Of the mark."""
        mark = self.before or self.after
        assert mark is not None
        return mark.id

    @property
    def operation(self) -> Operation:
        """What the store has to do."""
        if self.before is None:
            return "restore" if self.again else "add"
        return "change" if self.after is not None else "remove"

    def reversed(self) -> Change:
        """Back to what was before."""
        return Change(self.image_id, self.after, self.before, again=True)


@dataclass(frozen=True)
class Step:
    """One gesture."""

    name: str
    """What the reader did, as menus say it: ``brush``."""
    changes: tuple[Change, ...]


class History:
    """The gestures of one sitting, in order; each undo and redo is one of them."""

    def __init__(self, limit: int = MOST_STEPS) -> None:
        """Nothing done yet."""
        self._limit = limit
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self.forgotten = 0
        """Steps that can no longer be undone, since there were more than the limit."""

    def __len__(self) -> int:
        return len(self._done)

    @property
    def undo_name(self) -> str | None:
        """What an undo would take back; None where there is nothing."""
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        """What a redo would do again; None where there is nothing."""
        return self._undone[-1].name if self._undone else None

    def do(self, name: str, changes: Sequence[Change]) -> str | None:
        """Remember a gesture. What had been undone before it cannot be redone any more.

        Args:
            name: of the gesture.
            changes: of marks; those that change nothing are left out, and of none there is no step.

        Returns:
            A sentence for the reader where an older step had to be let go for it.
        """
        real = tuple(change for change in changes if change.before != change.after)
        if not real:
            return None
        self._undone.clear()
        self._done.append(Step(name, real))
        if len(self._done) <= self._limit:
            return None
        del self._done[0]
        self.forgotten += 1
        first = "The first step" if self.forgotten == 1 else f"The first {self.forgotten:,} steps"
        return f"{first} of this sitting can no longer be undone; the last {self._limit:,} can."

    def undo(self) -> Step | None:
        """Step back; the step to apply now, None where nothing is left.

        Where it cannot be kept, :meth:`redo` brings the history back to where it was.
        """
        if not self._done:
            return None
        step = self._done.pop()
        self._undone.append(step)
        return Step(f"undo {step.name}", tuple(change.reversed() for change in reversed(step.changes)))

    def redo(self) -> Step | None:
        """Step forward again; the step to apply now, None where nothing was undone."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(step)
        return Step(f"redo {step.name}", tuple(replace(change, again=True) for change in step.changes))

    def relabel(self, old: str, new: str) -> None:
        """A label has another name: also in all steps, so that undoing one does not bring the old name back."""

        def renamed(mark: Mark | None) -> Mark | None:
            return replace(mark, label=new) if mark is not None and mark.label == old else mark

        for steps in (self._done, self._undone):
            steps[:] = [
                replace(
                    step,
                    changes=tuple(
                        replace(change, before=renamed(change.before), after=renamed(change.after))
                        for change in step.changes
                    ),
                )
                for step in steps
            ]

    def clear(self) -> None:
        """Another case: nothing to undo."""
        self._done.clear()
        self._undone.clear()
        self.forgotten = 0
