"""One reader's reading of one case: how far it is, what they say of the case, and what they get to see of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pathview.review.records.case import CaseDetail, CaseRow, CaseState, DecisionRow, DecisionValue
from pathview.review.records.modes import Sight, Stage, next_stage, sight_of

if TYPE_CHECKING:  # the command line starts without their libraries
    from pathview.review.reading.worklist import Worklist
    from pathview.review.records.forms import Form
    from pathview.review.sql.reading_tables import ReadingTable


@dataclass(frozen=True)
class Reading:
    """How far a reader is with a case."""

    case_id: int
    reader: str
    opened: datetime
    locked: datetime | None
    """When the first assessment was locked."""
    revealed: datetime | None
    """When the model's result was first shown to this reader."""
    decided: datetime | None
    """When the decision that stands was made."""
    first: DecisionValue | None
    final: DecisionValue | None
    seconds: float
    """How long the case was on the screen for the assessments so far."""

    @property
    def unblinded(self) -> bool:
        """Whether the model's result was shown before a first assessment was locked."""
        return self.revealed is not None and (self.locked is None or self.revealed < self.locked)

    @property
    def past_first(self) -> bool:
        """Whether there is no first assessment to be locked any more.

        Also where the case was decided with the model shown, before its list became one of second reads.
        """
        return self.locked is not None or (self.decided is not None and self.revealed is not None)


@dataclass(frozen=True)
class Assessment:
    """What a reader says of a case; the program fills in nothing of it."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    """By field of the list's form; none: only ``value`` is said."""
    value: DecisionValue | None = None
    """None: what the answers come to."""
    note: str = ""
    reason: str = ""
    """Why the first assessment is kept or changed; required where it is changed."""
    keep: bool | None = None
    """Whether the first assessment is kept (then answers and value may be left out); None: as the answers say."""
    stage: Stage | None = None
    """What the reader takes it for, so that what was locked elsewhere meanwhile is not gone over; None: any."""


@dataclass(frozen=True)
class OpenedReading:
    """A case as a reader opens it, with all that they may see and are to fill in."""

    detail: CaseDetail
    """Without what this reader may not see (yet)."""
    worklist: Worklist
    form: Form
    reading: Reading
    sight: Sight
    draft: Mapping[str, Any]
    """What was begun and not decided; empty: nothing."""
    stage: Stage | None
    """What the next assessment is; None: the list is closed, or the case cannot be decided on here."""
    problems: tuple[str, ...] = ()
    """One sentence for each thing that is wrong with the list's form."""

    @property
    def first(self) -> DecisionRow | None:
        """This reader's locked first assessment."""
        own = (row for row in self.detail.decisions if row.reader == self.reading.reader and row.stage == "first")
        return next(own, None)

    @property
    def decision(self) -> DecisionRow | None:
        """This reader's decision that stands."""
        own = [row for row in self.detail.decisions if row.reader == self.reading.reader and row.stage != "first"]
        return own[-1] if own and own[-1].value is not None else None


def reading_row(row: ReadingTable) -> Reading:
    """A reading as a record."""
    return Reading(
        case_id=row.case_id,
        reader=row.reader,
        opened=row.opened,
        locked=row.locked,
        revealed=row.revealed,
        decided=row.decided,
        first=cast("Any", row.first),
        final=cast("Any", row.final),
        seconds=row.seconds,
    )


def sight_for(home: Worklist, reading: Reading | None, called: bool) -> Sight:
    """What a reader may see of a case of a list.

    Args:
        home: the list.
        reading: this reader's; None: they have never opened the case.
        called: whether it is theirs to arbitrate, see :func:`pathview.review.reading.listed.is_called`.
    """
    locked = reading is not None and reading.past_first
    decided = reading is not None and reading.decided is not None
    return sight_of(home.mode, locked, decided, home.closed is not None, called)


def stage_for(home: Worklist, reading: Reading) -> Stage | None:
    """What a reader's next assessment is; None: the list is closed."""
    return next_stage(home.mode, reading.past_first) if home.closed is None else None


def state_for(row: CaseRow, reading: Reading | None, sight: Sight) -> CaseState:
    """How far a reader is with a case; ``row`` as the store has it."""
    if row.state == "arbitration" and sight.others:
        return "arbitration"
    if (reading is not None and reading.decided is not None) or (sight.others and row.decision):
        return "decided"
    if reading is not None:
        return "first_locked" if reading.locked is not None else "in_reading"
    return "analysed" if row.ran else "new"
