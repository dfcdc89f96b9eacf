"""What a training has told so far, read from its folder in a thread: it may run in a child, or have run yesterday."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pathview.training.runs.plan import EventKind, Number, TrainingEvent
from pathview.training.runs.run_folder import RunFolder

_INTERRUPTED: frozenset[EventKind] = frozenset({"started", "resumed", "epoch", "paused", "smaller_batch"})
"""What a training tells last that somebody or something ended in its midst."""
_MODEL_ENDS: frozenset[EventKind] = frozenset({"finished", "stopped"})
_BESIDE_ENDS: tuple[frozenset[EventKind], ...] = (
    frozenset({"folds_done"}),
    frozenset({"trials_done"}),
    frozenset({"folds_left_out"}),
)
_EPOCHS: frozenset[EventKind] = frozenset({"epoch", "fold_epoch"})
_FAILURES: frozenset[EventKind] = frozenset({"disk_full", "not_a_number", "failed"})
_MOVES: frozenset[EventKind] = frozenset({"paused", "resumed", "finished", "stopped"})
"""After which it is no news any more that a training was gone on with."""
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
    lacking: tuple[str, ...] = ()
    """Of ``folds`` and ``trials`` what was asked for, and is not trained as the model that is there was."""

    @property
    def epochs(self) -> tuple[TrainingEvent, ...]:
        """Whole epochs of the choosing training, not of the second one on all patients."""
        return tuple(event for event in self.events if event.kind == "epoch" and not event.numbers.get("refit"))

    @property
    def begun(self) -> dict[str, Number]:
        """What was told when it began."""
        return next((event.numbers for event in self.events if event.kind in ("started", "resumed")), {})

    @property
    def last(self) -> TrainingEvent | None:
        """The newest event."""
        return self.events[-1] if self.events else None

    @property
    def interrupted(self) -> bool:
        """Whether it was begun, and neither ended nor failed; its folds likewise."""
        if self.last is None:
            return False
        if self.trained:
            return bool(self.lacking) and self.last.numbers.get("fold") is not None
        return self.last.kind in _INTERRUPTED

    @property
    def fold(self) -> TrainingEvent | None:
        """The fold or trial that is trained now, or was when it was interrupted: the event of its beginning."""
        if self.last is None or self.last.numbers.get("fold") is None:
            return None
        return self._last_of(frozenset({"fold"}))

    @property
    def ended(self) -> str:
        """How the model's training ended."""
        return _sentence(self._last_of(_MODEL_ENDS))

    @property
    def beside_ended(self) -> str:
        """How its folds and trials did; that they were left out only where something lacks still."""
        told = [_sentence(self._last_of(kinds)) for kinds in _BESIDE_ENDS[: None if self.lacking else -1]]
        return " ".join(part for part in told if part)

    def _last_of(self, kinds: frozenset[EventKind]) -> TrainingEvent | None:
        return next((event for event in reversed(self.events) if event.kind in kinds), None)

    @property
    def told(self) -> tuple[TrainingEvent, ...]:
        """All that happened but whole epochs, the newest first."""
        return tuple(event for event in reversed(self.events) if event.kind not in _EPOCHS)

    @property
    def notable(self) -> TrainingEvent | None:
        """The newest thing that a reader has to know beside the curves, as long as it holds."""
        moved = gone_on = False
        for event in reversed(self.events):
            anew = event.kind == "resumed" and "device" in event.numbers  # else a pause ended
            if (anew and not moved) or event.kind == "smaller_batch" or (event.kind in _FAILURES and not gone_on):
                return event
            moved, gone_on = moved or event.kind in _MOVES, gone_on or anew
        return None

    @property
    def failed(self) -> bool:
        """Whether an error ended it."""
        return self.last is not None and self.last.kind in _FAILURES

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


def _sentence(event: TrainingEvent | None) -> str:
    return event.sentence if event is not None else ""


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
    from pathview.training.measures.trials import lacking
    from pathview.training.runs.run_log import present
    from pathview.training.runs.steering import asked, is_training

    trained = (folder.model / MANIFEST).is_file()
    return Seen(
        present(folder.events()),
        tuple(sorted(folder.epochs.glob("epoch-*.png"))),
        len(epochs_kept(folder.state)),
        trained,
        asked(folder) == "pause",
        not ours and is_training(folder),
        lacking(folder) if trained else (),
    )
