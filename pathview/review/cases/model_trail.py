"""What is done with models, in the audit trail: all or nothing with the deed itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pathview.review.sql import audit
from pathview.review.sql.database import Database


@contextmanager
def audited(database: Database, actor: str, action: str, detail: Mapping[str, Any]) -> Iterator[None]:
    """Keep a row about what is done inside; where that fails, there is no row.

    Raises:
        StoreError: the store cannot be written.
    """
    with database.transaction() as session:
        audit.record(session, actor, action, None, detail)
        session.flush()  # a store that cannot be written is told before the deed
        yield
