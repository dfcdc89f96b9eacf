"""What trainings in tests share."""

from __future__ import annotations

import pytest

from pathview.training.runs import steering


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training looks after every step whether it was asked to pause or to stop."""
    monkeypatch.setattr(steering, "_LOOK_EVERY_S", 0.0)
