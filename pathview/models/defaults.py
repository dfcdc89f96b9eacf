"""Which model analyses a kind of image where nobody names one: what promotions claimed, in the order of their turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pathview.images.source import Kind
from pathview.models.registry import CHOOSING, Event

Claims = Mapping[Kind, Sequence[str]]
"""Names of the models that claim a kind of image, the newest claim last."""


def claims_in(turns: Sequence[tuple[str, Event]]) -> Claims:
    """What is claimed after all that was done.

    A model that is rolled back gives up what the version claimed that is present no longer, and a model that is
    withdrawn gives up everything: whoever claimed the kind before has it again, whatever happened meanwhile.

    Args:
        turns: names of models and events that changed which version of them is present, the oldest first.
    """
    found: dict[Kind, list[tuple[str, int]]] = {}
    present: dict[str, int] = {}
    for name, event in turns:
        for kind, claims in found.items():
            found[kind] = [one for one in claims if not _given_up(one, name, event, present.get(name, 0))]
        for kind in event.default_for:
            found.setdefault(kind, []).append((name, event.version))
        present[name] = 0 if event.action == "withdrawn" else event.version
    return {kind: [name for name, _ in claims] for kind, claims in found.items()}


def had_before(turns: Sequence[tuple[str, Event]], name: str, event: Event) -> tuple[Kind, ...]:
    """The kinds that a version was the default for when it was present last, and that going back alone does not bring.

    Args:
        turns: as in :func:`claims_in`.
        name: of the model.
        event: that goes back to a version which was present before.
    """
    own = [index for index, (other, _) in enumerate(turns) if other == name]
    chosen = [index for index in own if turns[index][1].action in CHOOSING and turns[index][1].version == event.version]
    left = next((index for index in own if index > chosen[-1]), len(turns))
    then, after = claims_in(turns[:left]), claims_in([*turns, (name, event)])
    return tuple(kind for kind, names in then.items() if names[-1:] == [name] and name not in after.get(kind, ()))


def _given_up(claim: tuple[str, int], name: str, event: Event, before: int) -> bool:
    """Whether an event takes a claim away; ``before``: version of the event's model that was present until then."""
    if event.action == "withdrawn":
        return claim[0] == name
    return event.action == "rolled_back" and claim == (name, before) and before != event.version
