"""Which cases of which worklist in which order: what a reader asks for, and what their list lets them ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from pathview.errors import StoreError
from pathview.review.reading.veil import BY_MODEL
from pathview.review.records.case import CaseLabel, CaseState, Order

ORDERS: tuple[Order, ...] = get_args(Order)
STATES: tuple[CaseState, ...] = get_args(CaseState)
LABELS: tuple[CaseLabel, ...] = get_args(CaseLabel)
Assigned = Literal["anyone", "me", "nobody"]


@dataclass(frozen=True)
class WorklistQuery:
    """Filters, search and order of a list."""

    worklist_id: int | None = None
    """None: all cases."""
    state: CaseState | None = None
    """For the reader who asks; None: any, as in the next two."""
    label: CaseLabel | None = None
    """What the model says; only where the model is shown."""
    kind: str | None = None
    """Of the images: mammogram, histology, ..."""
    assigned: Assigned = "anyone"
    assigned_to: str | None = None
    """A reader by name, instead of ``assigned``."""
    search: str = ""
    """Words that must all occur in title, patient's key or date of the study, capitals or not."""
    order: Order = "newest"
    reverse: bool = False
    """The other way round; cases that an order cannot place, and in "uncertain" the decided ones, stay last."""

    def as_json(self) -> dict[str, Any]:
        """What differs from a query of nothing, for :meth:`from_json`."""
        plain = WorklistQuery()
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in named if value != getattr(plain, name)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> WorklistQuery:
        """A query as :meth:`as_json` wrote it.

        Raises:
            StoreError: it holds what no query can.
        """
        for name, value in content.items():
            if name not in _CHECKS or not _CHECKS[name](value):
                raise StoreError(f"The saved view cannot be used: {name!r} is {value!r}.")
        return cls(**content)

    def permitted(self, orders: Iterable[Order]) -> WorklistQuery:
        """The nearest query that a list lets be asked.

        Args:
            orders: the list's own, see :meth:`pathview.review.worklists.Worklists.orders`; the first one stands in.
        """
        offered = tuple(orders)
        return replace(
            self,
            order=self.order if self.order in offered else offered[0],
            label=self.label if set(BY_MODEL) <= set(offered) else None,
        )


@dataclass(frozen=True)
class Counts:
    """How many cases a query finds."""

    total: int
    states: Mapping[CaseState, int]
    """Of each state, whatever state the query asks for."""


def _text(value: Any) -> bool:
    return isinstance(value, str)


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "worklist_id": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "state": lambda value: value in STATES,
    "label": lambda value: value in LABELS,
    "kind": _text,
    "assigned": lambda value: value in get_args(Assigned),
    "assigned_to": _text,
    "search": _text,
    "order": lambda value: value in ORDERS,
    "reverse": lambda value: isinstance(value, bool),
}
