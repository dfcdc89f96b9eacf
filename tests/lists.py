"""Worklists for tests that are about something else than the reading protocol."""

from __future__ import annotations

from pathlib import Path

from pathview.review.sql.database import Database
from pathview.review.store import Store


def assisted(store: Store) -> Store:
    """The store, its mammograms read with the model shown and by the simple form."""
    home = store.worklists.named("Mammograms")
    store.worklists.set_mode(home.id, "assisted", "tests")
    store.worklists.set_form(home.id, "simple", "tests")
    return store


def make_assisted(path: Path) -> Path:
    """Make such a store at a path."""
    assisted(Store(Database(path))).close()
    return path
