"""Which model analyses a kind of image where nobody names one, after promotions, rollbacks and withdrawals."""

from __future__ import annotations

from pathview.models.defaults import claims_in, had_before
from pathview.models.registry import Event


def turn(name: str, action: str, version: int = 1, *kinds: str) -> tuple[str, Event]:
    return name, Event.model_validate(
        {"action": action, "version": version, "who": "Dr A", "at": "2026-01-01", "default_for": kinds}
    )


def histology(*turns: tuple[str, Event]) -> list[str]:
    return list(claims_in(turns).get("histology", []))


OURS = turn("ours", "promoted", 1, "histology")
THEIRS = turn("theirs", "promoted", 1, "histology")


def test_that_the_newest_claim_comes_last() -> None:
    assert histology() == []
    assert histology(OURS, THEIRS) == ["ours", "theirs"]
    assert "mammogram" not in claims_in([OURS])


def test_that_a_withdrawn_model_gives_up_all_and_others_nothing() -> None:
    again = turn("ours", "promoted", 2, "histology")
    assert histology(OURS, THEIRS, again) == ["ours", "theirs", "ours"]
    assert histology(OURS, THEIRS, again, turn("ours", "withdrawn", 2)) == ["theirs"]
    assert histology(OURS, THEIRS, turn("ours", "withdrawn")) == ["theirs"]  # whoever came later keeps it


def test_that_going_back_gives_up_what_the_later_version_claimed_alone() -> None:
    again = turn("ours", "promoted", 2, "histology")
    assert histology(OURS, THEIRS, again, turn("ours", "rolled_back", 1)) == ["ours", "theirs"]
    assert histology(OURS, turn("ours", "promoted", 2), turn("ours", "rolled_back", 1)) == ["ours"]


def test_that_a_version_that_comes_back_has_what_it_had() -> None:
    back = turn("ours", "rolled_back", 1)[1]
    assert had_before([OURS, turn("ours", "withdrawn")], "ours", back) == ("histology",)
    assert had_before([OURS, turn("ours", "promoted", 2)], "ours", back) == ()  # it still has its claim
    lost = [OURS, THEIRS, turn("ours", "promoted", 2)]
    assert had_before(lost, "ours", back) == ()


def test_that_a_version_that_had_lost_a_kind_does_not_get_it_by_coming_back() -> None:
    turns = [OURS, THEIRS, turn("ours", "withdrawn")]
    assert had_before(turns, "ours", turn("ours", "rolled_back", 1)[1]) == ()
