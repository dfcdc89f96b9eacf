"""Each look at the locked test patients is counted: the more often somebody looks, the less the figures say."""

from __future__ import annotations

import hashlib
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import Field

from pathview.errors import DataError, OutputError
from pathview.training.runs.plan import Fields, now
from pathview.training.runs.run_folder import TEST_USES, RunFolder

Purpose = Literal["training", "result", "threshold", "comparison"]
_PATIENCE_SECONDS = 10
_OPENING = "The locked test patients were looked at"


class UseOfTest(Fields):
    """One line of ``test-uses.jsonl``."""

    number: int = Field(ge=1)
    at: str = Field(default_factory=now)
    who: str
    purpose: Purpose
    model: str
    """SHA-256 of the weights that were tested."""
    previous: str = ""
    """SHA-256 of the line before, so that a line that was taken out is missed."""

    @property
    def digest(self) -> str:
        """SHA-256 of the line."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def uses_of_test(run: RunFolder) -> tuple[UseOfTest, ...]:
    """All uses of the test patients so far, the oldest first.

    Raises:
        DataError: the log is damaged, or lines were changed or taken out of its middle.
    """
    found = run.lines(TEST_USES, UseOfTest)
    before = ""
    for number, use in enumerate(found, 1):
        if (use.number, use.previous) != (number, before):
            raise DataError(
                f"{TEST_USES} of the training {run.name} was changed: how often it was tested is not known."
            )
        before = use.digest
    return found


def log_use(run: RunFolder, who: str, purpose: Purpose, model: str) -> UseOfTest:
    """Count a use, before anything is looked at, so that one that is cancelled counts too.

    Args:
        run: whose test patients are used.
        who: looks.
        purpose: what for.
        model: SHA-256 of the weights.

    Raises:
        DataError: the log is damaged.
        OutputError: it cannot be written; then nothing may be looked at.
    """
    try:
        with FileLock(run.path / f".{TEST_USES}.lock", timeout=_PATIENCE_SECONDS):
            before = uses_of_test(run)
            previous = before[-1].digest if before else ""
            use = UseOfTest(number=len(before) + 1, who=who, purpose=purpose, model=model, previous=previous)
            run.append(TEST_USES, use)
            return use
    except (Timeout, OSError) as error:
        raise OutputError(
            f"The use of the test patients cannot be logged in {run.name}, so they stay closed."
        ) from error


def told(uses: tuple[UseOfTest, ...]) -> str:
    """How often, for the reader and the model card; after the first time with what that means."""
    count, models = len(uses), len({use.model for use in uses})
    if not uses:
        return "Nobody has looked at the locked test patients yet."
    often = {1: "once", 2: "twice"}.get(count, f"{count} times")
    if count == 1:
        return f"{_OPENING} {often}."
    return (
        f"{_OPENING} {often}, with {models} model{'s' if models > 1 else ''}: "
        "each choice after the first look makes the figures a little too good."
    )


def is_told(notice: str) -> bool:
    """Whether a sentence is one of :func:`told` after a look, which was true when it was written."""
    return notice.startswith(_OPENING)
