"""Ordered fields of assessment forms: what weighted kappa and a reader's ROC curve are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pathview.review.cases.study_records import Assessed
from pathview.review.records.forms import Form

CONFIDENCE = "confidence"
"""The field of a form that says how sure the reader was of their decision."""


@dataclass(frozen=True)
class Scale:
    """A field of a form whose values have an order."""

    form: str
    field: str
    title: str
    levels: tuple[str, ...]
    """Values as the answers hold them, the lowest first; other answers of the field have no place on it."""
    suspicion: bool = False
    """Whether the levels rise with the suspicion of malignancy (BI-RADS), not with something else (density)."""

    def level(self, one: Assessed) -> int | None:
        """The place of an assessment on the scale, from 0; None where it has none."""
        answer = str(one.answers.get(self.field))
        return self.levels.index(answer) if one.form == self.form and answer in self.levels else None


def scales_of(forms: Iterable[Form]) -> tuple[Scale, ...]:
    """The fields of forms whose values have an order; that of the field that decides rises with suspicion."""
    return tuple(
        Scale(form.name, field.name, field.title, field.ordered, suspicion=field.decides)
        for form in forms
        for field in form.fields
        if field.ordered
    )


def suspicion(one: Assessed, scales: Sequence[Scale]) -> float | None:
    """How sure a reader was that a case is positive, for a ROC curve; None: the form does not tell.

    The level of the form's scale of suspicion. Where it has none, its confidence, counted downwards for negative,
    and 0 for can't tell.
    """
    own = [scale for scale in scales if scale.form == one.form]
    rising = next((scale for scale in own if scale.suspicion), None)
    if rising is not None:
        return rising.level(one)
    sure = next((scale for scale in own if scale.field == CONFIDENCE), None)
    if sure is None:
        return None
    if one.value == "cant_tell":
        return 0
    level = sure.level(one)
    return None if level is None else (1 if one.value == "positive" else -1) * (level + 1)
