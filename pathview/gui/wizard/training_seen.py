"""What a training has told so far, read from its folder in a thread: it may run in a child, or have run yesterday."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pathview.training.runs.plan import EventKind, TrainingEvent
from pathview.training.runs.run_folder import RunFolder

_INTERRUPTED: frozenset[EventKind] = frozenset({"started", "resumed", "epoch", "paused", "smaller_batch"})
"""What a training tells last that somebody or something ended in its midst."""
_NOTABLE: frozenset[EventKind] = frozenset(
    {"resumed", "smaller_batch", "disk_full", "not_a_number", "failed", "stopped"}
)
_VALIDATION = "validation_"


@dataclass(frozen=True)
class Seen:
    """A training as it is to be shown."""

    events: tuple[TrainingEvent, ...] = ()
    """Since it was begun the last time."""
    pictures: tuple[Path, ...] = ()
    """Of the validation images, one an epoch."""
    kept: int = 0
    """Whole epochs that it can go on after."""
    trained: bool = False
    """Whether there is a model."""
    pausing: bool = False
    """Whether it was asked to pause, and not yet to go on."""
    elsewhere: bool = False
    """Whether some process trains there now."""

    @property
    def epochs(self) -> tuple[TrainingEvent, ...]:
        """Whole epochs of the choosing training, not of the second one on all patients."""
        return tuple(event for event in self.events if event.kind == "epoch" and not event.numbers.get("refit"))

    @property
    def last(self) -> TrainingEvent | None:
        """The newest event."""
        return self.events[-1] if self.events else None

    @property
    def interrupted(self) -> bool:
        """Whether it was begun, and neither ended nor failed."""
        return not self.trained and self.last is not None and self.last.kind in _INTERRUPTED

    @property
    def notable(self) -> TrainingEvent | None:
        """The newest thing that a reader has to know beside the curves."""
        return next((event for event in reversed(self.events) if event.kind in _NOTABLE), None)

    def curve(self, name: str) -> list[tuple[float, float]]:
        """A number of each epoch that has it, by epoch."""
        found = []
        for event in self.epochs:
            value = event.numbers.get(name)
            if isinstance(value, (int, float)) and event.epoch is not None:
                found.append((float(event.epoch), float(value)))
        return found

    def figures(self) -> tuple[str, ...]:
        """Names of what is measured on the validation patients, the ones to watch first."""
        names: dict[str, None] = {}
        for event in self.epochs:
            names |= dict.fromkeys(name for name in event.numbers if name.startswith(_VALIDATION))
        found = [name.removeprefix(_VALIDATION) for name in names]
        return tuple(sorted((name for name in found if name != "loss"), key=_rank))


def _rank(name: str) -> int:
    order: Sequence[str] = ("dice", "auc", "accuracy", "balanced_accuracy", "sensitivity", "specificity")
    return order.index(name) if name in order else len(order)


def read_seen(folder: RunFolder, ours: bool) -> Seen:
    """Read what a training told; ``ours``: it runs in this program's child, so nobody else has it.

    Raises:
        DataError: its events are damaged.
    """
    from pathview.models.training_state import epochs_kept
    from pathview.models.weights import MANIFEST
    from pathview.training.runs.run_log import present
    from pathview.training.runs.steering import asked, is_training

    return Seen(
        present(folder.events()),
        tuple(sorted(folder.epochs.glob("epoch-*.png"))),
        len(epochs_kept(folder.state)),
        (folder.model / MANIFEST).is_file(),
        asked(folder) == "pause",
        not ours and is_training(folder),
    )
