from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathview.results.annotation import Mark
from pathview.results.annotation_history import MOST_STEPS, Change, History, Step

DOT = Mark("point", ((1, 1),))


def random_gesture(marks: dict[str, Mark], rng: random.Random) -> list[Change]:
    """One to four marks added, changed or removed at once."""
    changes = []
    known = list(marks.values())
    rng.shuffle(known)
    for _ in range(rng.randint(1, 4)):
        kind = rng.choice(("add", "change", "remove")) if known else "add"
        if kind == "add":
            changes.append(Change(1, None, Mark("point", ((rng.random(), rng.random()),))))
            continue
        before = known.pop()
        after = replace(before, points=((rng.random(), rng.random()),)) if kind == "change" else None
        changes.append(Change(1, before, after))
    return changes


def applied(step: Step, marks: dict[str, Mark]) -> dict[str, Mark]:
    """Marks after a step, each of which was as the step found it."""
    found = dict(marks)
    for change in step.changes:
        assert found.pop(change.mark_id, None) == change.before
        if change.after is not None:
            found[change.mark_id] = change.after
    return found


def apply(history: History, marks: dict[str, Mark], changes: list[Change]) -> dict[str, Mark]:
    history.do("draw", changes)
    found = dict(marks)
    for change in changes:
        found.pop(change.mark_id, None)
        if change.after is not None:
            found[change.mark_id] = change.after
    return found


@given(st.integers(0, 2**32), st.integers(1, 300))
@settings(deadline=None)
def test_that_undoing_all_and_redoing_all_leads_through_the_same_states(seed: int, count: int) -> None:
    rng, history = random.Random(seed), History()
    states = [{DOT.id: DOT}]
    for _ in range(count):
        states.append(apply(history, states[-1], random_gesture(states[-1], rng)))
    marks = states[-1]
    for state in reversed(states[:-1]):
        marks = applied(history.undo(), marks)
        assert marks == state
    assert history.undo() is None
    for state in states[1:]:
        marks = applied(history.redo(), marks)
        assert marks == state
    assert history.redo() is None
    assert len(history) == count


@given(st.integers(0, 2**32), st.lists(st.sampled_from(("do", "undo", "redo")), max_size=250))
@settings(deadline=None)
def test_that_any_sequence_of_gestures_undos_and_redos_is_that_of_a_list_of_states(seed: int, moves) -> None:
    rng, history = random.Random(seed), History()
    states: list[dict[str, Mark]] = [{}]
    at, marks = 0, {}
    for move in moves:
        if move == "do":
            marks = apply(history, marks, random_gesture(marks, rng))
            states[at + 1 :] = [marks]
            at += 1
        else:
            step = history.undo() if move == "undo" else history.redo()
            wanted = at - 1 if move == "undo" else at + 1
            assert (step is not None) == (0 <= wanted < len(states))
            if step is not None:
                marks, at = applied(step, marks), wanted
        assert marks == states[at]
        assert (history.undo_name, history.redo_name) == (
            "draw" if at else None,
            "draw" if at < len(states) - 1 else None,
        )


def test_that_each_step_says_what_the_store_has_to_do() -> None:
    history = History()
    moved = replace(DOT, points=((2, 2),))
    other = Mark("point", ((5, 5),))
    history.do("split", [Change(7, DOT, moved), Change(7, None, other)])
    history.do("erase", [Change(7, moved, None)])

    def operations(step) -> list[tuple]:
        return [(change.operation, change.mark_id, change.image_id) for change in step.changes]

    undone = history.undo()
    assert (undone.name, operations(undone)) == ("undo erase", [("restore", DOT.id, 7)])
    undone = history.undo()
    assert (undone.name, operations(undone)) == ("undo split", [("remove", other.id, 7), ("change", DOT.id, 7)])
    redone = history.redo()
    assert (redone.name, operations(redone)) == ("redo split", [("change", DOT.id, 7), ("restore", other.id, 7)])
    assert operations(history.redo()) == [("remove", DOT.id, 7)]
    assert Change(7, None, other).operation == "add"


def test_that_a_gesture_is_one_step_and_one_that_changes_nothing_is_none() -> None:
    history = History()
    history.do("merge", [Change(1, Mark("point", ((n, n),)), None) for n in range(50)])
    assert len(history) == 1
    assert history.do("brush", [Change(1, DOT, DOT)]) is None
    assert history.do("brush", []) is None
    assert len(history) == 1
    assert history.undo_name == "merge"


def test_that_a_gesture_that_changes_nothing_leaves_what_can_be_redone() -> None:
    history = History()
    history.do("draw", [Change(1, None, DOT)])
    history.undo()
    history.do("brush", [Change(1, DOT, DOT)])
    assert history.redo_name == "draw"
    history.do("draw", [Change(1, None, Mark("point", ((9, 9),)))])
    assert history.redo() is None


def test_that_the_limit_is_far_off_and_told_when_it_is_reached() -> None:
    history = History()
    assert MOST_STEPS >= 10_000
    told = [history.do("draw", [Change(1, None, Mark("point", ((n, n),)))]) for n in range(MOST_STEPS)]
    assert not any(told)
    assert history.do("draw", [Change(1, None, DOT)]) == (
        "The first step of this sitting can no longer be undone; the last 10,000 can."
    )
    assert "The first 2 steps" in str(history.do("draw", [Change(1, None, Mark("point", ((0, 0),)))]))
    assert (len(history), history.forgotten) == (MOST_STEPS, 2)
    for _ in range(MOST_STEPS):
        assert history.undo() is not None
    assert history.undo() is None


def test_that_an_undo_that_could_not_be_kept_is_taken_back() -> None:
    history = History()
    history.do("draw", [Change(1, None, DOT)])
    assert history.undo() is not None
    assert history.redo() is not None
    assert (len(history), history.undo_name, history.redo_name) == (1, "draw", None)


def test_that_a_renamed_label_is_renamed_in_all_steps() -> None:
    history = History()
    mass = replace(DOT, label="mass")
    history.do("label", [Change(1, DOT, mass)])
    history.do("draw", [Change(1, None, Mark("point", ((4, 4),), label="stroma"))])
    history.do("remove", [Change(1, mass, None)])
    history.undo()
    history.relabel("mass", "tumour")
    step = history.redo()
    assert step.changes[0].before.label == "tumour"
    history.undo()
    assert history.undo().changes[0].before.label == "stroma"
    assert history.undo().changes[0].before.label == "tumour"


def test_that_another_case_starts_without_steps() -> None:
    history = History(limit=1)
    history.do("a", [Change(1, None, DOT)])
    history.do("b", [Change(1, DOT, None)])
    history.undo()
    history.clear()
    assert (history.undo(), history.redo(), history.forgotten) == (None, None, 0)


def test_that_a_change_is_of_one_mark() -> None:
    for before, after in ((None, None), (DOT, Mark("point", ((1, 1),)))):
        with pytest.raises(ValueError, match="one mark"):
            Change(1, before, after)
