"""How long each way of training takes here: measured one after another, aside, while the reader chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, Signal

from pathview.gui.job_runner import Work
from pathview.gui.wizard.state import Run, told
from pathview.jobs import Progress
from pathview.training.runs.plan import RecipePlan

_WAITING = "Time: waits to be measured ..."


class Estimates(QObject):
    """What is known stays known, by recipe, level, changes and split."""

    changed = Signal()

    def __init__(self, run: Run, measure: Callable[[RecipePlan], Work], parent: QObject) -> None:
        """``measure`` gives the job that foretells a training; its result has a ``sentence``."""
        super().__init__(parent)
        self._run, self._measure = run, measure
        self._known: dict[str, str] = {}
        self._measured = ("", "")
        """What is being measured, and how far that is, in words."""

    def words(self, recipe: RecipePlan) -> str:
        """What is known of a recipe's time."""
        key = self._key(recipe)
        return self._known.get(key) or (self._measured[1] if key == self._measured[0] else _WAITING)

    def _key(self, recipe: RecipePlan) -> str:
        split = self._run.known.split
        drawn = f"{split.sha256} {split.fold_count}" if split is not None else ""
        return f"{drawn} {recipe.model_dump_json()}"

    def want(self, recipes: Iterable[RecipePlan]) -> None:
        """Measure these, in this order, instead of what was wanted before."""
        self.stop()
        for recipe in recipes:
            if self._key(recipe) not in self._known:
                self._submit(recipe)
        self.changed.emit()

    def stop(self) -> None:
        """Nobody waits for them any more."""
        self._run.aside.cancel_all()

    def _submit(self, recipe: RecipePlan) -> None:
        key = self._key(recipe)

        def known(words: str) -> None:
            self._known[key] = words
            self.changed.emit()

        def measuring(step: Progress) -> None:
            doing = f" ({step.message})" if step.message else ""
            if (now := (key, f"Time: being measured{doing} ...")) != self._measured:
                self._measured = now
                self.changed.emit()

        self._run.aside.submit(
            self._measure(recipe), lambda found: known(found.sentence), lambda error: known(told(error)), measuring
        )
