"""``pathview audit``: who did what and when, and whether any of it was changed."""

from __future__ import annotations

from typing import Annotated

import typer

from pathview.cli.base import StoreOption, emit, opened, session

app = typer.Typer(help="Who did what and when, and whether any of it was changed.", rich_markup_mode=None)


@app.command("verify")
def audit_verify(context: typer.Context, store: StoreOption = None) -> None:
    """Check the trail: every row as it was written, none missing. One JSON object; exit status 1 where one is not."""
    from pathview.review.sql.verifying import verify_audit

    with opened(context, store) as database:
        found = verify_audit(database)
    emit(found.as_json())
    raise typer.Exit(0 if found.ok else 1)


@app.command("list")
def audit_list(
    context: typer.Context,
    case: Annotated[int | None, typer.Option("--case", help="Only what was done with this case.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows, the newest.")] = 100,
    reader: Annotated[str | None, typer.Option("--reader", help="Who looks (default: the login name).")] = None,
    store: StoreOption = None,
) -> None:
    """The trail, one JSON line a row, without what is hidden from this reader."""
    from pathview.review.sql import audit

    with session(context, store, keep=True, write=False) as work:
        if reader:
            work.reader = reader
        with work.cases.database.reading() as looking:
            rows = audit.newest(looking, case, limit)
        for row in rows:
            detail = work.protocol.audit_detail(row.actor, row.case_id, row.detail)
            emit({**vars(row), "created": row.created.isoformat(), "detail": detail})
