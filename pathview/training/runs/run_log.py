"""What a training tells while it runs: a line of ``events.jsonl`` for each thing that happens, and progress between."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from pathview.errors import OutputError
from pathview.jobs import Progress, ProgressSink
from pathview.models import devices
from pathview.models.keras_training import EpochReport
from pathview.models.tensorboard import EpochLog
from pathview.training.runs.plan import EventKind, Number, TrainingEvent
from pathview.training.runs.run_folder import EVENTS, HISTORY, RunFolder

_LAST = 3
"""Epochs whose mean time the rest is foretold by."""


def present(events: Sequence[TrainingEvent]) -> tuple[TrainingEvent, ...]:
    """The events since the training was begun the last time."""
    first = max((i for i, event in enumerate(events) if event.kind == "started"), default=0)
    return tuple(events[first:])


class RunLog:
    """Writes events and passes progress on, with the time that is left."""

    def __init__(self, run: RunFolder, progress: ProgressSink, tensorboard: bool) -> None:
        """For a training of ``run``; ``tensorboard`` also writes its logs."""
        self._run = run
        self._progress = progress
        self._last = Progress(0, 0)
        self._reports: list[EpochReport] = []
        self._refitting = False
        self._device = ""
        self._board = EpochLog(run.tensorboard) if tensorboard else None

    def begin(self, epochs_kept: Sequence[dict[str, Any]], about: dict[str, Number]) -> None:
        """Say that it starts, or goes on after whole epochs; those that a crash left untold are told now.

        Raises:
            OutputError: the folder cannot be written.
        """
        self._device = devices.device().name
        numbers: dict[str, Number] = {"device": self._device, **about}
        if not epochs_kept:
            self.tell("started", f"Training on {self._device}.", numbers=numbers)
            return
        told = {event.epoch for event in present(self._run.events()) if event.kind == "epoch"}
        for values in epochs_kept:
            self._reports.append(EpochReport(**values))
            if self._reports[-1].epoch not in told:
                self._tell_epoch(self._reports[-1])
        last = self._reports[-1].epoch
        self.tell("resumed", f"Going on after epoch {last} on {self._device}.", last, numbers)

    def tell(
        self, kind: EventKind, sentence: str = "", epoch: int | None = None, numbers: dict[str, Number] | None = None
    ) -> None:
        """Write one event, and show it.

        Raises:
            OutputError: it cannot be written.
        """
        event = TrainingEvent(kind=kind, sentence=sentence, epoch=epoch, numbers=numbers or {})
        self._run.append(EVENTS, event)
        self._progress(replace(self._last, message=sentence or self._last.message, early=event))

    def end(self, kind: EventKind, sentence: str, numbers: dict[str, Number] | None = None) -> None:
        """Write how it ended; on a full disk nothing, since there is another error to tell."""
        with suppress(OutputError):
            self.tell(kind, sentence, self.epochs_done or None, numbers)

    @property
    def epochs_done(self) -> int:
        """Whole epochs of the training so far."""
        return self._reports[-1].epoch if self._reports else 0

    def refitting(self) -> None:
        """The second training begins, whose epochs are counted anew."""
        self._refitting, self._reports = True, []

    def epoch(self, report: EpochReport) -> None:
        """One epoch is over.

        Raises:
            OutputError: the folder cannot be written.
        """
        self._reports.append(report)
        self._tell_epoch(report)
        if self._refitting:
            return
        self._run.write_text(HISTORY, json.dumps([asdict(one) for one in self._reports], indent=1) + "\n")
        if self._board is not None:
            figures = {"loss": report.loss, **report.training}
            watched = {f"validation/{name}": value for name, value in report.validation.items()}
            self._board.write(report.epoch, {f"training/{n}": v for n, v in figures.items()} | watched)

    def smaller_batch(self, batch: int, why: Exception) -> None:
        """Memory did not suffice.

        Raises:
            OutputError: the folder cannot be written.
        """
        sentence = f"{why} It goes on with {batch} after epoch {self.epochs_done}."
        self.tell("smaller_batch", sentence, self.epochs_done, {"batch": batch})

    def paused(self, begins: bool) -> None:
        """A pause begins or ends.

        Raises:
            OutputError: the folder cannot be written.
        """
        sentence = "Paused; nothing is lost." if begins else f"Going on in epoch {self.epochs_done + 1}."
        self.tell("paused" if begins else "resumed", sentence, self.epochs_done)

    def progress(self, step: Progress) -> None:
        """Pass a step on, with the time that is left."""
        left = self.seconds_left(step.done / step.total if step.total else 0.0)
        words = f" · {in_words(left)} left" if left is not None else ""
        self.show(replace(step, message=f"{step.message}{words}"))

    def show(self, step: Progress) -> None:
        """Pass a step on as it is."""
        self._last = step
        self._progress(step)

    def seconds_left(self, share: float) -> float | None:
        """Until all epochs are done, at most; None before the first is over."""
        if not self._reports:
            return None
        total = self._reports[-1].epochs
        mean = float(np.mean([report.seconds for report in self._reports[-_LAST:]]))
        return max(0.0, total - max(share * total, self.epochs_done)) * mean

    def _tell_epoch(self, report: EpochReport) -> None:
        best = max((one.epoch for one in self._reports if one.best), default=None)
        numbers: dict[str, Number] = {
            "epochs": report.epochs,
            "loss": _finite(report.loss),
            **{name: _finite(value) for name, value in report.training.items()},
            **{f"validation_{name}": _finite(value) for name, value in report.validation.items()},
            "best_epoch": best,
            "seconds": round(report.seconds, 3),
            "seconds_left": self.seconds_left(0.0),
            "memory_bytes": devices.memory_bytes(),
            "gpu_memory_bytes": devices.gpu_memory_bytes(),
            "device": self._device,
            "batch": report.batch,
            "refit": self._refitting,
        }
        self.tell("epoch", report.words, report.epoch, numbers)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def in_words(seconds: float) -> str:
    """A time for people: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
