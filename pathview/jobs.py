"""What a long job and its caller say to each other: progress forward, cancel back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Progress:
    """One step of a job: ``done`` of ``total`` units (total 0: not known) and what is being done."""

    done: int
    total: int
    message: str = ""
    early: Any = None
    """What can be shown of the result already."""

    @property
    def fraction(self) -> float | None:
        """Share done, 0 to 1, or None where the total is not known."""
        return min(1.0, self.done / self.total) if self.total > 0 else None


ProgressSink = Callable[[Progress], None]


class Cancelled(Exception):
    """Raised at a checkpoint after the user cancelled; no error, and never shown as one."""


class CancelToken(Protocol):
    """Asked at checkpoints between batches, tiles and epochs."""

    def is_set(self) -> bool:
        """Whether the job should stop."""
        ...


def checkpoint(cancel: CancelToken) -> None:
    """Raise :class:`Cancelled` if the user asked to stop."""
    if cancel.is_set():
        raise Cancelled


def no_progress(_: Progress) -> None:
    """A sink for callers that do not watch."""


def never() -> CancelToken:
    """A token that nobody sets."""
    return threading.Event()


def part_of(sink: ProgressSink, index: int, count: int, label: str = "") -> ProgressSink:
    """A sink for sub-job ``index`` of ``count`` whose progress counts as its share of the whole."""

    def report(step: Progress) -> None:
        share = step.fraction or 0.0
        text = " · ".join(part for part in (label, step.message) if part)
        sink(Progress(round(1000 * (index + share)), 1000 * count, text))

    return report
