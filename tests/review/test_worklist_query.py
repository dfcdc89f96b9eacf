from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathview.errors import StoreError
from pathview.review.reading.listed import seen_by, words_of
from pathview.review.reading.worklist_query import BY_MODEL, LABELS, ORDERS, STATES, WorklistQuery

queries = st.builds(
    WorklistQuery,
    worklist_id=st.none() | st.integers(1, 99),
    state=st.none() | st.sampled_from(STATES),
    label=st.none() | st.sampled_from(LABELS),
    kind=st.none() | st.sampled_from(["mammogram", "histology"]),
    assigned=st.sampled_from(["anyone", "me", "nobody"]),
    assigned_to=st.none() | st.text(min_size=1, max_size=8),
    search=st.text(max_size=12),
    order=st.sampled_from(ORDERS),
    reverse=st.booleans(),
)


@given(queries)
def test_that_a_query_comes_back_from_json_as_it_was(query: WorklistQuery) -> None:
    assert WorklistQuery.from_json(json.loads(json.dumps(query.as_json()))) == query


def test_that_a_plain_query_says_nothing() -> None:
    assert WorklistQuery().as_json() == {}
    assert WorklistQuery(order="date", reverse=True).as_json() == {"order": "date", "reverse": True}


@pytest.mark.parametrize(
    "content",
    [
        {"order": "score desc; drop"}, {"worklist_id": "1"}, {"worklist_id": True}, {"search": 3}, {"reverse": 1},
        {"state": "done"}, {"label": []}, {"assigned": "you"}, {"kind": None}, {"nothing": 1},
    ],
)  # fmt: skip
def test_that_damaged_content_is_one_sentence(content: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match=f"cannot be used: '{next(iter(content))}'"):
        WorklistQuery.from_json(content)


@given(queries)
def test_that_what_a_list_hides_falls_away_and_the_rest_stays(query: WorklistQuery) -> None:
    offered = tuple(order for order in ORDERS if order not in BY_MODEL)
    found = query.permitted(offered)
    assert found.order in offered
    assert found.label is None
    assert (found.search, found.state, found.kind, found.reverse) == (
        query.search, query.state, query.kind, query.reverse,
    )  # fmt: skip
    assert query.permitted(ORDERS) == query


def test_that_words_are_found_without_capitals_and_never_across_lines() -> None:
    assert words_of("GROSSE Übersicht ß", None, "2024-01-02") == "grosse übersicht ss\n\n2024-01-02"


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.integers(1, 3), max_size=5))
def test_that_readers_names_cannot_be_taken_for_each_other(steps: dict[str, int]) -> None:
    seen = seen_by(steps.items())
    assert seen == seen_by(reversed(steps.items()))
    tokens = seen.strip("|").split("|") if seen else []
    assert {bytes.fromhex(token.split(".")[0]).decode(): int(token.split(".")[1]) for token in tokens} == steps
