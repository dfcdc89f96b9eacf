"""The veil: what a reader may not see is taken out of the records, so that nothing behind them can show it.

Every record of a case that reaches a reader comes through here, in the window, on the command line and in exports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pathview.results.result import AnalysisResult, Outcome, ResultKept
from pathview.review.reading.reading import Reading, state_for
from pathview.review.records.case import CaseDetail, CaseRow, DecisionRow, ImageRow, Order
from pathview.review.records.modes import Sight

BY_MODEL: tuple[Order, ...] = ("uncertain", "score")
"""Orders that follow the model's results."""
_ALWAYS_TOLD = frozenset(
    {"image", "images", "mark", "frame", "mpp_um", "result", "status", "worklist", "reader"}
    | {"stage", "mode", "form", "note_length", "why", "before_lock", "model_shown"}
)
"""Of an audit row's detail, what says nothing of the model or of what a reader judged."""
_OWN = frozenset(("kind", "gesture", "before", "from", "to"))
"""What a reader drew or changed themselves, and what it was before."""


@dataclass(frozen=True)
class ResultHidden:
    """An outcome that was kept, and that this reader may not see."""

    status: Literal["analysed", "not_analysed"]
    recipe: str
    hidden: str
    """Why, in a sentence."""


def together(one: Sight, other: Sight) -> Sight:
    """What may be seen of a case while another one hangs beside it: no more than of either."""
    return Sight(one.model and other.model, one.others and other.others, one.hidden or other.hidden)


def veiled_row(row: CaseRow, reading: Reading | None, sight: Sight) -> CaseRow:
    """A line of the worklist as a reader may see it; ``reading`` None: they have never opened the case."""
    seen = replace(row, state=state_for(row, reading, sight), hidden=sight.hidden)
    if not sight.others:
        seen = replace(seen, decision=reading.final if reading is not None else None)
    return seen if sight.model else replace(seen, label=None, score=None, position=None, flags=0)


def veiled_image(image: ImageRow, sight: Sight) -> ImageRow:
    """An image as a reader may see it: where the model is hidden, as if it had never been analysed."""
    return image if sight.model else replace(image, result=None)


def veiled_decision(row: DecisionRow, sight: Sight) -> DecisionRow:
    """A decision that may be seen; what of the model was on the screen goes with the model."""
    return row if sight.model else replace(row, context={})


def veiled_case(detail: CaseDetail, reading: Reading | None, sight: Sight, reader: str) -> CaseDetail:
    """A case as a reader may see it; see :func:`veiled_row`."""
    return CaseDetail(
        case=veiled_row(detail.case, reading, sight),
        images=tuple(veiled_image(image, sight) for image in detail.images),
        decisions=tuple(veiled_decision(row, sight) for row in _visible(detail.decisions, sight, reader)),
        patient_key=detail.patient_key,
    )


def veiled_outcome(outcome: Outcome, sight: Sight) -> Outcome | ResultHidden:
    """What may be told of an analysis: where the model is hidden, that it ran or did not.

    A file that has gone since is told of, since that is nothing that the model said.
    """
    if sight.model:
        return outcome
    if isinstance(outcome, ResultKept):
        return replace(outcome, recipe="")
    ran = isinstance(outcome, AnalysisResult)
    return ResultHidden("analysed" if ran else "not_analysed", outcome.recipe, sight.hidden)


def veiled_audit(detail: Mapping[str, Any], own: bool, sight: Sight) -> dict[str, Any]:
    """The detail of an audit row as a reader may see it; ``own``: whether it tells what they did themselves."""
    if (sight.model and sight.others) or not detail:
        return dict(detail)
    kept = {key: value for key, value in detail.items() if key in _ALWAYS_TOLD}
    if own:
        of_decision = {"decision", "value"} if "decision" in detail else set()
        kept |= {key: value for key, value in detail.items() if key in _OWN | of_decision}
    return {**kept, "hidden": sight.hidden or "What other readers decided is hidden until you have decided."}


def _visible(decisions: Iterable[DecisionRow], sight: Sight, reader: str) -> Iterable[DecisionRow]:
    return (row for row in decisions if sight.others or row.reader == reader)
