"""What a choice does, reckoned in a thread; while a slider moves the newest question is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pathview.gui.wizard.state import Run


class OutcomeAsker:
    """One question is being answered, one waits."""

    def __init__(self, run: Run, answered: Callable[[Any], None]) -> None:
        """``answered`` gets what the newest question came to."""
        self._run, self._answered = run, answered
        self._asking = False
        self._waiting: Callable[[], Any] | None = None

    def ask(self, question: Callable[[], Any]) -> None:
        """Answer this one instead of those that wait."""
        self._waiting = question
        self._next()

    def _next(self) -> None:
        if self._asking or self._waiting is None:
            return
        question, self._waiting = self._waiting, None
        self._asking = True

        def done(found: Any) -> None:
            if self._waiting is None:
                self._answered(found)

        def ended() -> None:
            self._asking = False
            self._next()

        self._run.pictures.submit(
            lambda *_: question(), done, lambda error: self._run.failed.emit(str(error)), None, ended
        )
