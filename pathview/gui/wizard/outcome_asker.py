"""What thresholds do to 1,000 women, reckoned in a thread; while a slider moves the newest question is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pathview.gui.wizard.state import Run

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.training.judging.choosing import Choice
    from pathview.training.measures.operating import BandOutcome, Outcome, Scores


class OutcomeAsker:
    """One question is being answered, one waits."""

    def __init__(self, run: Run, answered: Callable[[Outcome, BandOutcome], None]) -> None:
        """``answered`` gets what the newest choice does."""
        self._run, self._answered = run, answered
        self._asking = False
        self._waiting: tuple[Scores, Choice] | None = None

    def ask(self, scores: Scores, choice: Choice) -> None:
        """What a choice does to patients like those of the scores."""
        self._waiting = (scores, choice)
        self._next()

    def _next(self) -> None:
        if self._asking or self._waiting is None:
            return
        (scores, choice), self._waiting = self._waiting, None
        self._asking = True

        def work(*_: object) -> tuple[Outcome, BandOutcome]:
            return (
                scores.at(choice.threshold, choice.prevalence),
                scores.band(choice.lower, choice.upper, choice.prevalence),
            )

        def done(found: tuple[Outcome, BandOutcome]) -> None:
            if self._waiting is None:
                self._answered(*found)

        def ended() -> None:
            self._asking = False
            self._next()

        self._run.pictures.submit(work, done, lambda error: self._run.failed.emit(str(error)), None, ended)
