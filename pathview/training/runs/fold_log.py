"""What the folds of a cross-validation, and trials, tell while they are trained: in the log that they follow."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from pathview.errors import OutputError
from pathview.jobs import Progress, part_of
from pathview.models.keras_training import EpochReport
from pathview.training.data.split import PatientSplit
from pathview.training.runs.plan import Number
from pathview.training.runs.run_log import RunLog, in_words


class FoldLog:
    """Writes the events of one training after another, and passes their progress on as that of all."""

    def __init__(self, log: RunLog, titles: Sequence[str], sizes: Sequence[float] = ()) -> None:
        """None has begun.

        Args:
            log: of the training that they follow.
            titles: one each (``Fold 2 of 5``).
            sizes: how long each takes beside the others; empty: all alike.
        """
        self._log = log
        self._titles = tuple(titles)
        self._sizes = tuple(sizes) or (1.0,) * len(self._titles)
        self._fold = 1
        self._began = time.monotonic()
        self._seconds: dict[int, float] = {}

    @property
    def name(self) -> str:
        """The one that is trained: ``Fold 2 of 5``."""
        return self._titles[self._fold - 1]

    def begin(self, fold: int, who: PatientSplit, after: int) -> None:
        """A fold begins, or goes on after whole epochs.

        Raises:
            OutputError: the folder cannot be written, as in all that tell.
        """
        self._fold, self._began = fold, time.monotonic()
        choose = f", {len(who.validation):,} choose" if who.validation else ""
        parts = f"{len(who.train):,} patients train{choose}, {len(who.test):,} are judged"
        words = f"{self.name} goes on after epoch {after}" if after else self.name
        self._log.tell("fold", f"{words}: {parts}.", numbers=self._numbers())

    def epoch(self, report: EpochReport) -> None:
        """An epoch of it is over."""
        numbers = {"epochs": report.epochs, "loss": report.loss if math.isfinite(report.loss) else None}
        words = f"{self.name}, {report.words}"
        self._log.tell("fold_epoch", words, report.epoch, {**numbers, **self._numbers()})

    def smaller_batch(self, batch: int, why: Exception) -> None:
        """Memory did not suffice."""
        self._log.tell(
            "smaller_batch", f"{self.name}: {why} It goes on with {batch}.", None, {"batch": batch, **self._numbers()}
        )

    def paused(self, begins: bool) -> None:
        """A pause begins or ends."""
        if begins:
            self._log.tell("paused", "Paused; nothing is lost.", numbers=self._numbers())
        else:
            self._log.tell("fold", f"{self.name} goes on.", numbers=self._numbers())

    def interrupted(self) -> None:
        """Somebody cancelled."""
        words = f"Interrupted in {self.name.lower()}: the model is there, and what is beside it goes on where it was."
        with suppress(OutputError):
            self._log.tell("paused", words, numbers=self._numbers())

    def done(self, words: str) -> None:
        """It is over, and came to this."""
        self._seconds[self._fold] = time.monotonic() - self._began
        self._log.tell("fold_done", f"{self.name}: {words}", numbers=self._numbers())

    def progress(self, step: Progress) -> None:
        """Pass a step of the fold on, with the time that all are left with."""
        part_of(self._show, self._fold - 1, len(self._titles), self.name.lower())(step)

    def _show(self, step: Progress) -> None:
        left = self._seconds_left()
        words = f" · {in_words(left)} left" if left is not None else ""
        self._log.show(replace(step, message=f"{step.message}{words}"))

    def _seconds_left(self) -> float | None:
        """As those so far took; None before the first is over, and where this one takes longer than they did."""
        if not self._seconds:
            return None
        each = sum(self._seconds.values()) / sum(self._sizes[fold - 1] for fold in self._seconds)
        here = each * self._sizes[self._fold - 1] - (time.monotonic() - self._began)
        return here + each * sum(self._sizes[self._fold :]) if here > 0 else None

    def _numbers(self) -> dict[str, Number]:
        return {"fold": self._fold, "folds": len(self._titles)}
